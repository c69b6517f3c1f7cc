//! `checkpointed`: what runs as a task says that it has saved its work.
//!
//! It writes a line to the file that the task was told of, and asks nobody: the worker looks at it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use clap::Args;
use model::limits::CHECKPOINT_BYTES_MAX;

use super::bad_argument;
use crate::error::{Error, NO_TASK, NOT_WRITTEN, Result};
use crate::exit::Exit;

/// The variable that names the file.
const VARIABLE: &str = "AUTOGLM_CHECKPOINTS";

const EXAMPLES: &str = "\
Examples:
  autoglm checkpointed               In the script of a task, after it has saved its work
  autoglm checkpointed 'epoch 3'     The note stands in the log of the task

The same without a process: echo 'epoch 3' >> \"$AUTOGLM_CHECKPOINTS\"";

/// In a task: say that it has saved its work
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Checkpointed {
    /// What is saved, on one line: text or JSON, 4096 bytes at most
    pub note: Option<String>,
}

impl Checkpointed {
    pub(crate) fn run(self) -> Result<Exit> {
        let note = self.note.unwrap_or_default();
        let file = std::env::var_os(VARIABLE).ok_or_else(no_task)?;
        append(Path::new(&file), &line(&note)?)?;
        Ok(Exit::Ok)
    }
}

fn no_task() -> Error {
    let message = format!("this is not a task: there is no ${VARIABLE}");
    Error::new(Exit::Usage, NO_TASK, message)
        .hint("run it in the `script` of a task, or in the container or function of one")
}

fn line(note: &str) -> Result<String> {
    if note.contains(['\n', '\r']) {
        return Err(bad_argument("the note is more than one line").hint("write it as JSON"));
    }
    if note.len() >= CHECKPOINT_BYTES_MAX {
        let message = format!("the note is longer than {CHECKPOINT_BYTES_MAX} bytes");
        return Err(bad_argument(message).hint("write it to a file of its own, and its path here"));
    }
    Ok(format!("{note}\n"))
}

fn append(file: &Path, line: &str) -> Result<()> {
    let opened = OpenOptions::new().append(true).create(true).open(file);
    let written = opened.and_then(|mut file| file.write_all(line.as_bytes()));
    written.map_err(|error| {
        let message = format!("cannot write to {}: {error}", file.display());
        Error::new(Exit::Internal, NOT_WRITTEN, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_note_is_a_line_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("checkpoints");
        for note in ["", "epoch 3"] {
            append(&file, &line(note).expect("a line")).expect("written");
        }
        assert_eq!(std::fs::read_to_string(&file).expect("there"), "\nepoch 3\n");
        let error = append(&folder.path().join("no/file"), "\n").expect_err("no folder");
        assert_eq!(error.code, NOT_WRITTEN.0);
    }

    #[test]
    fn a_note_is_one_short_line() {
        let refused = |note: &str| line(note).expect_err("refused").message;
        assert_eq!(refused("a\nb"), "the note is more than one line");
        let long = "x".repeat(CHECKPOINT_BYTES_MAX);
        assert_eq!(refused(&long), "the note is longer than 4096 bytes");
        assert_eq!(line(&long[1..]).expect("a line").len(), CHECKPOINT_BYTES_MAX);
    }
}
