//! Test files by their names: what is named itself, and what lies in folders.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, NO_SUCH_FILE, Result};
use crate::exit::Exit;

/// How the names of test files end.
const ENDINGS: [&str; 3] = [".test.yaml", ".test.yml", ".test.json"];
/// Folders within each other that are looked into.
const DEPTH_MAX: usize = 32;

/// The test files that the paths name, each once: those of a folder in the order of their names.
///
/// # Errors
/// A path that is not there, or a folder without a test file.
pub(super) fn test_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let unreadable = |error: io::Error| {
            let message = format!("cannot read {}: {error}", path.display());
            Error::new(Exit::NotFound, NO_SUCH_FILE, message)
        };
        if !path.metadata().map_err(unreadable)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        look_into(path, DEPTH_MAX, &mut files).map_err(unreadable)?;
        if files.len() == before {
            let message = format!("there is no test file in {}", path.display());
            let error = Error::new(Exit::NotFound, NO_SUCH_FILE, message);
            return Err(error.hint("test files are called `*.test.yaml`"));
        }
    }
    let mut kept: Vec<PathBuf> = Vec::new();
    for file in files {
        if !kept.contains(&file) {
            kept.push(file);
        }
    }
    Ok(kept)
}

/// Hidden folders and links to folders are left out.
fn look_into(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<_> = folder.read_dir()?.collect::<io::Result<_>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        // `.` is the folder that was meant when none was named: it need not stand in every name.
        let path = if folder == Path::new(".") { name.as_ref().into() } else { entry.path() };
        let kind = entry.file_type()?;
        if kind.is_dir() && depth > 0 {
            look_into(&path, depth - 1, files)?;
        } else if !kind.is_dir() && ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_searched_in_the_order_of_names_and_files_are_taken_as_they_are() {
        let home = tempfile::tempdir().expect("a folder");
        let path = |name: &str| home.path().join(name);
        std::fs::create_dir_all(path("b/.hidden")).expect("made");
        for name in
            ["c.test.yaml", "a.test.json", "b/x.test.yml", "b/.hidden/y.test.yaml", "d.yaml"]
        {
            std::fs::write(path(name), "").expect("written");
        }
        let found = test_files(&[path("d.yaml"), home.path().to_owned(), path("c.test.yaml")]);
        let expected = ["d.yaml", "a.test.json", "b/x.test.yml", "c.test.yaml"].map(path);
        assert_eq!(found.expect("they are there"), expected);
    }

    #[test]
    fn nothing_to_test_is_said() {
        let home = tempfile::tempdir().expect("a folder");
        let error = test_files(&[home.path().to_owned()]).expect_err("it is empty");
        assert_eq!(error.exit, Exit::NotFound);
        let error = test_files(&[home.path().join("x.test.yaml")]).expect_err("it is not there");
        assert_eq!(error.exit, Exit::NotFound);
    }
}
