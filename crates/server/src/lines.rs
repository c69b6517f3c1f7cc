//! Files whose lines are the items of a fan-out, and that a task of the run has written.
//!
//! They are read on the driver's thread, once, when the turn of their task has come: what is in
//! them becomes a list of its own, named by hash, and the file is not looked at again. So nothing
//! here waits: only a plain file is opened, and no more of it is read than a list may have.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use spec::limits::LIST_BYTES_MAX;

/// The content of a file.
///
/// # Errors
/// It is not there, is no plain file, or is too large; in words.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let name = path.display();
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => format!("there is no file `{name}` on the machine of the run"),
        _ => format!("`{name}` cannot be read: {error}"),
    };
    // To open a pipe may take for ever.
    let found = path.metadata().map_err(failed)?;
    if !found.is_file() {
        return Err(format!("`{name}` is no plain file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LIST_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() > LIST_BYTES_MAX {
        true => Err(format!("`{name}` has more than {LIST_BYTES_MAX} bytes")),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_of_a_bounded_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("items.txt");
        let gone = read(&path).unwrap_err();
        assert!(gone.starts_with("there is no file `/"), "{gone}");
        std::fs::write(&path, "a\nb\n").unwrap();
        assert_eq!(read(&path).unwrap(), b"a\nb\n");
        assert!(read(folder.path()).unwrap_err().ends_with("is no plain file"));
        File::create(&path).unwrap().set_len(LIST_BYTES_MAX as u64 + 1).unwrap();
        assert!(read(&path).unwrap_err().ends_with("has more than 67108864 bytes"));
    }
}
