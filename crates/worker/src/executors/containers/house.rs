//! Whose a container is: labels that it carries, and a mark in the state folder that there may be
//! some.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::network::Trouble;
use super::api::Api;

/// The label that says whose a container is.
const LABEL: &str = "autoglm.home";
/// The mark that there may be containers.
const MARK: &str = "containers";

/// A state folder, as its containers know it.
#[derive(Debug)]
pub(super) struct House {
    name: String,
    mark: PathBuf,
}

impl House {
    pub(super) fn new(home: &Path) -> Self {
        let home = fs::canonicalize(home).unwrap_or_else(|_| home.to_owned());
        let name = blake3::hash(home.as_os_str().as_encoded_bytes()).to_hex();
        Self { name: name[..16].to_owned(), mark: home.join(MARK) }
    }

    /// What its containers are called by, at the beginning of their names.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What its containers carry.
    pub(super) fn label(&self) -> (&'static str, &str) {
        (LABEL, &self.name)
    }

    /// Says that there may be containers from now on.
    ///
    /// # Errors
    /// It cannot be written: what is left could not be found.
    pub(super) fn mark(&self) -> std::io::Result<()> {
        fs::write(&self.mark, "")
    }

    /// Says that there are none any more.
    pub(super) fn unmark(&self) {
        // A mark that stays costs one question at the next start.
        let _ = fs::remove_file(&self.mark);
    }

    /// Whether an earlier worker may have left some.
    pub(super) fn may_have_left(&self) -> bool {
        self.mark.exists()
    }

    /// Kills and removes what an earlier worker has left.
    ///
    /// # Errors
    /// The engine cannot be asked. Nothing may start then: it might run twice.
    pub(super) async fn clear(&self, api: &Api) -> Result<(), Trouble> {
        if !self.may_have_left() {
            return Ok(());
        }
        let (label, name) = self.label();
        for id in api.labelled(&format!("{label}={name}")).await? {
            api.remove(&id).await?;
        }
        self.unmark();
        Ok(())
    }
}
