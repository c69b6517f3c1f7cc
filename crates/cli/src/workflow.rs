//! A workflow file on its way in: read, canonicalised, checked before anything is started for it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use model::limits::WORKFLOW_FILE_BYTES_MAX;
use serde_json::Value;
use spec::{Compiled, Source, Workflow};

use crate::error::{Error, NO_SUCH_FILE, Result};
use crate::exit::Exit;
use crate::style::Tone;

/// A file as it was read.
#[derive(Debug)]
pub(crate) struct WorkflowFile {
    /// Its canonical path.
    pub path: PathBuf,
    /// Name, folder and text.
    pub source: Source,
}

impl WorkflowFile {
    /// Reads the file that the user named.
    pub(crate) fn read(named: &Path) -> Result<Self> {
        let unreadable = |error: std::io::Error| {
            let message = format!("cannot read {}: {error}", named.display());
            Error::new(Exit::NotFound, NO_SUCH_FILE, message)
        };
        let path = named.canonicalize().map_err(unreadable)?;
        let bytes = path.metadata().map_err(unreadable)?;
        if !bytes.is_file() {
            return Err(unreadable(std::io::Error::other("it is not a regular file")));
        }
        if bytes.len() > WORKFLOW_FILE_BYTES_MAX as u64 {
            let limit = WORKFLOW_FILE_BYTES_MAX >> 20;
            let reason = format!("it is larger than {limit} MiB, which no workflow is");
            return Err(unreadable(std::io::Error::other(reason)));
        }
        let text = std::fs::read(&path).map_err(unreadable)?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let source = Source { name: named.display().to_string(), folder, text };
        Ok(Self { path, source })
    }

    /// Checks it and the files that it names; all that is wrong with them is one error.
    pub(crate) fn check(&self, tone: Tone) -> Result<Workflow> {
        spec::check_with(&self.source, &read_items)
            .map_err(|diagnostics| Error::invalid(&diagnostics, tone))
    }

    /// Its text. Only after [`check`](Self::check), which refuses what is no UTF-8.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.source.text).into_owned()
    }
}

/// A checked workflow in an environment, with its parameters, as it would run. Reads the files
/// whose lines are items.
pub(crate) fn compile(
    workflow: Workflow,
    (environment, params): (Option<&str>, &BTreeMap<String, Value>),
    tone: Tone,
) -> Result<Compiled> {
    let bound = workflow.choose(environment).and_then(|chosen| chosen.bind(params));
    let compiled = bound.and_then(|bound| bound.compile_with(&read_items));
    compiled.map_err(|diagnostics| Error::invalid(&diagnostics, tone))
}

/// The content of a file whose lines are items, or that a task names.
fn read_items(path: &Path) -> std::result::Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // One byte more than there may be: whoever takes the lines says that it is too much.
    let mut file = file.take(WORKFLOW_FILE_BYTES_MAX as u64 + 1);
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// Reads `NAME=VALUE`, as for a parameter or a variable.
pub(crate) fn pair(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not NAME=VALUE")),
    }
}

/// Parameters as text, to be read as their types; of two with one name the last counts.
pub(crate) fn params(pairs: &[(String, String)]) -> BTreeMap<String, Value> {
    pairs.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_not_found() {
        let error = WorkflowFile::read(Path::new("/nowhere/at/all.yaml")).expect_err("not there");
        assert_eq!(error.exit, Exit::NotFound);
        let error = WorkflowFile::read(Path::new("/tmp")).expect_err("a folder");
        assert_eq!(error.message, "cannot read /tmp: it is not a regular file");
    }

    #[test]
    fn pairs_are_cut_at_the_first_sign() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(pair("=b").is_err() && pair("a").is_err());
    }
}
