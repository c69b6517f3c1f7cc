//! What a run was made from, as it is stored: the texts of its file and of the files that it
//! reads, and what it was given beside them.
//!
//! A run names both by their digests, so that another run can be made from it later, with other
//! parameters, even if the files have changed or are gone. The digests are also what tells whether
//! two runs are runs of the same thing. Nothing here is looked at while a run goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::Digest;
use protocol::api::Submit;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::submission::digest;

/// The first line of a bundle. No workflow file begins like this: it would be no mapping.
const BUNDLE: &str = "autoglm-sources 1\n";

/// Reads a file that a workflow names, or says why it cannot be read.
pub(crate) type Read<'a> = &'a dyn Fn(&Path) -> Result<Vec<u8>, String>;

/// The text of a workflow file, and the files that it reads, by their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sources {
    pub text: String,
    #[serde(default)]
    pub reads: BTreeMap<String, String>,
}

impl Sources {
    /// The stored form: the text alone if it reads nothing.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        if self.reads.is_empty() {
            return self.text.clone().into_bytes();
        }
        let bundle = serde_json::to_string(self).expect("texts by text");
        format!("{BUNDLE}{bundle}").into_bytes()
    }

    /// What [`Sources::to_bytes`] wrote; `None` if it is something else.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let text = String::from_utf8(bytes).ok()?;
        match text.strip_prefix(BUNDLE) {
            Some(bundle) => serde_json::from_str(bundle).ok(),
            None => Some(Self { text, reads: BTreeMap::new() }),
        }
    }

    /// A file that was read for the run, as it was then.
    pub(crate) fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let stored = path.to_str().and_then(|path| self.reads.get(path));
        let stored = stored.map(|text| text.clone().into_bytes());
        stored.ok_or_else(|| format!("{} was not read for the run before", path.display()))
    }
}

/// Reads files, and keeps what it has read.
#[derive(Default)]
pub(crate) struct Recorder {
    seen: RefCell<BTreeMap<String, String>>,
}

impl Recorder {
    /// Reads a file of this machine.
    pub(crate) fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let bytes = std::fs::read(path);
        let bytes = bytes.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.seen.borrow_mut().insert(path.to_string_lossy().into_owned(), text);
        Ok(bytes)
    }

    /// All that was read.
    pub(crate) fn into_reads(self) -> BTreeMap<String, String> {
        self.seen.into_inner()
    }
}

/// What a workflow file was given: with its path it makes two runs runs of the same thing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Given {
    pub path: String,
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub environment: Option<String>,
    /// The run that this one was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork_of: Option<u64>,
}

impl Given {
    pub(crate) fn of(submit: &Submit) -> Self {
        Self {
            path: submit.path.clone(),
            params: submit.params.clone(),
            env: submit.env.clone(),
            environment: submit.environment.clone(),
            fork_of: None,
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and JSON values by text")
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Where relative paths in the file begin.
    pub(crate) fn folder(&self) -> PathBuf {
        Path::new(&self.path).parent().unwrap_or(Path::new("/")).to_owned()
    }
}

/// Bytes with the name that they are stored under.
pub(crate) fn named(bytes: Vec<u8>) -> (Digest, Vec<u8>) {
    (digest(&bytes), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_reads_nothing_is_stored_as_it_is() {
        let alone = Sources { text: "tasks: []\n".to_owned(), reads: BTreeMap::new() };
        assert_eq!(alone.to_bytes(), b"tasks: []\n");
        assert_eq!(Sources::from_bytes(alone.to_bytes()), Some(alone.clone()));
        let reads = BTreeMap::from([("/w/lines".to_owned(), "1\n2\n".to_owned())]);
        let both = Sources { reads, ..alone };
        assert_eq!(Sources::from_bytes(both.to_bytes()), Some(both.clone()));
        assert_eq!(both.read(Path::new("/w/lines")), Ok(b"1\n2\n".to_vec()));
        assert!(both.read(Path::new("/w/other")).is_err());
    }

    #[test]
    fn what_was_given_differs_in_every_part() {
        let given = Given { path: "/w.yaml".to_owned(), ..Given::default() };
        let params = BTreeMap::from([("env".to_owned(), Value::from("a"))]);
        let env = BTreeMap::from([("env".to_owned(), "a".to_owned())]);
        let all = [
            given.clone(),
            Given { params, ..given.clone() },
            Given { env, ..given.clone() },
            Given { environment: Some("a".to_owned()), ..given },
        ];
        let names: std::collections::HashSet<_> =
            all.iter().map(|given| digest(&given.to_bytes())).collect();
        assert_eq!(names.len(), all.len());
        assert!(
            all.iter().all(|given| Given::from_bytes(&given.to_bytes()).as_ref() == Some(given))
        );
    }
}
