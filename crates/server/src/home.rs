//! The state folder: where its parts are, and the lock that makes one process its holder.
//!
//! ```text
//!   lock              held by the process that holds the folder; names it
//!   api.sock          the API, mode 0600
//!   journal.sqlite    facts
//!   catalog.sqlite    the index over ended runs; may be deleted
//!   artifacts/        files that tasks have left, by content
//!   objects/          large immutable bytes by content
//!   logs/             output of tasks
//!   work/             private folders of attempts
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// A state folder.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

/// Proof that this process holds the folder; given up with the process, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Why the folder could not be taken.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process holds it.
    Held {
        /// Its id, if it has said so.
        pid: Option<u32>,
    },
    /// The lock file could not be used.
    Io(io::Error),
}

impl Home {
    /// The folder at `root`, made with mode 0700 if it is not there.
    ///
    /// # Errors
    /// It can neither be found nor made.
    pub fn open(root: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        Ok(Self { root: root.canonicalize()? })
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The socket of the API.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.root.join(protocol::api::SOCKET_NAME)
    }

    /// The journal's database.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.sqlite")
    }

    /// The catalog's database.
    #[must_use]
    pub fn catalog(&self) -> PathBuf {
        self.root.join("catalog.sqlite")
    }

    /// Content-addressed objects.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// What tasks have left for others, by content.
    #[must_use]
    pub fn artifacts(&self) -> PathBuf {
        self.root.join("artifacts")
    }

    /// Log segments.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Private folders of attempts, below the number of their run.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// Makes this process the holder of the folder.
    ///
    /// # Errors
    /// Another process is it already, or the lock file cannot be used.
    pub(crate) fn lock(&self) -> Result<Lock, LockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(self.root.join("lock")).map_err(LockError::Io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                // The name is a courtesy; without it the folder is held all the same.
                let _ = file.read_to_string(&mut text);
                return Err(LockError::Held { pid: text.trim().parse().ok() });
            }
            Err(error) => return Err(LockError::Io(error.into())),
        }
        // A full disk must not keep anybody from reading or going on: the name is a courtesy.
        let _ = file.set_len(0);
        let _ = file.rewind();
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Lock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder_and_names_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::open(&folder.path().join("deep/home")).expect("made");
        let lock = home.lock().expect("free");
        let Err(LockError::Held { pid }) = home.lock() else { panic!("taken twice") };
        assert_eq!(pid, Some(std::process::id()));
        drop(lock);
        home.lock().expect("free again");
    }
}
