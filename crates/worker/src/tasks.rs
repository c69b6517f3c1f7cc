//! The tasks that an attempt writes for its run: the bytes of a file that it was told of.
//!
//! Whether they are tasks at all is seen where the run is known. Here only their number counts, and
//! that none of them has a secret in it: they are stored, and shown to whoever looks at the run.

use std::io;
use std::path::Path;

use secrets::Mask;

use crate::outputs;

/// Bytes that an attempt may write: 1 MiB.
pub const TASKS_BYTES_MAX: usize = 1 << 20;

/// Why tasks cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum TasksError {
    /// The file is there and cannot be read.
    #[error("the file of tasks cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is a folder, a pipe or a device.
    #[error("the file of tasks is not a plain file")]
    NotAFile,
    /// It is too long.
    #[error(
        "the tasks that it wrote are larger than {TASKS_BYTES_MAX} bytes: write tasks that differ \
         by a value as one with `foreach`"
    )]
    TooLarge,
    /// It holds the value of a secret, which would be stored with the run.
    #[error(
        "the tasks that it wrote have the value of a secret in them, and would be stored with it: \
         name the secret instead, as in `env: {{TOKEN: \"{{{{ secrets.token }}}}\"}}`"
    )]
    Secret,
}

/// Reads what an attempt wrote, and removes it; `None` if it wrote nothing.
///
/// # Errors
/// It cannot be taken.
pub fn read(path: &Path, mask: Option<&Mask>) -> Result<Option<Vec<u8>>, TasksError> {
    let Some(read) = outputs::read_file(path, TASKS_BYTES_MAX)? else { return Ok(None) };
    // It has been read, or never can be.
    let _ = std::fs::remove_file(path);
    let bytes = read.ok_or(TasksError::NotAFile)?;
    if bytes.len() > TASKS_BYTES_MAX {
        return Err(TasksError::TooLarge);
    }
    if mask.is_some_and(|mask| *mask.apply(&bytes) != *bytes) {
        return Err(TasksError::Secret);
    }
    Ok(Some(bytes).filter(|bytes| !bytes.trim_ascii().is_empty()))
}

#[cfg(test)]
mod tests {
    use secrets::Secret;

    use super::*;

    #[test]
    fn what_is_written_is_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tasks");
        let written = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let taken = read(&path, None).map_err(|error| error.to_string());
            assert!(!path.exists());
            taken
        };
        assert_eq!(read(&path, None).unwrap(), None);
        assert_eq!(written("- {name: a, script: b}").unwrap().unwrap(), b"- {name: a, script: b}");
        assert_eq!(written(" \n").unwrap(), None);
        assert_eq!(written(&"x".repeat(TASKS_BYTES_MAX)).unwrap().unwrap().len(), TASKS_BYTES_MAX);
        let told = written(&"x".repeat(TASKS_BYTES_MAX + 1)).unwrap_err();
        assert!(told.contains("larger than 1048576 bytes"), "{told}");
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(read(&path, None), Err(TasksError::NotAFile)));
    }

    #[test]
    fn a_secret_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tasks");
        let mask = Mask::new(&[Secret::new(b"hunter2-hunter2".to_vec())]);
        std::fs::write(&path, "tasks: [{name: a, script: echo hunter2-hunter2}]").unwrap();
        let told = read(&path, Some(&mask)).unwrap_err().to_string();
        assert!(told.contains("the value of a secret") && !told.contains("hunter2"), "{told}");
        assert!(!path.exists(), "it does not stay on the disk either");
    }
}
