//! The seam to the server: holding the state in this process, or reading it.
//!
//! The server may not import the worker, so the launcher of the local worker is handed to it here.

use std::path::{Path, PathBuf};

use model::Request;

use crate::error::{Error, HOLDER_ENDED, Result};
use crate::exit::Exit;

/// Why this process cannot hold the state.
#[derive(Debug)]
pub(crate) enum StartError {
    /// Another process does, this one as far as it is known.
    Held {
        /// Its process id.
        pid: Option<u32>,
    },
    /// It cannot be read or written.
    Failed(Error),
}

/// This process holds the state while it lives: replayed, served, with a worker of its own.
pub(crate) struct Holder {
    _folder: PathBuf,
}

impl Holder {
    /// Takes the lock of `folder`, replays, serves the socket, starts a worker with `offers`.
    pub(crate) fn start(
        folder: &Path,
        _offers: &Request,
    ) -> std::result::Result<Self, StartError> {
        Err(StartError::Failed(no_server(folder)))
    }

    /// Blocks until its last run has ended.
    pub(crate) fn wait_idle(&self) {}
}

/// This process reads the state while it lives, and serves what it reads on a socket of its own.
pub(crate) struct Reader {
    folder: PathBuf,
}

impl Reader {
    /// Reads the state in `folder`; `None` when there is none yet.
    pub(crate) fn open(folder: &Path) -> Result<Option<Self>> {
        Err(no_server(folder))
    }

    /// Where its socket is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// What is done to the journal itself, without its holder.
pub(crate) mod journal {
    use std::path::Path;

    use serde_json::Value;

    use super::no_server;
    use crate::error::Result;

    /// Reads all of it and checks every sum and every number. The report has `ok`, `facts`,
    /// `frames`, `bytes` and, when not all is well, `damage`: a list of sentences.
    pub(crate) fn verify(folder: &Path) -> Result<Value> {
        Err(no_server(folder))
    }

    /// Hands each fact to `each` as JSON, in order, until it says no more.
    pub(crate) fn export(folder: &Path, _each: &mut dyn FnMut(Value) -> Result<()>) -> Result<()> {
        Err(no_server(folder))
    }

    /// How much is in it, and of what: names with numbers, in the order to print them.
    pub(crate) fn stat(folder: &Path) -> Result<Value> {
        Err(no_server(folder))
    }
}

fn no_server(folder: &Path) -> Error {
    let message = format!("this build cannot hold {}", folder.display());
    Error::new(Exit::Internal, HOLDER_ENDED, message)
}
