//! The examples of the repository, copied, so that what they write does not land beside the
//! originals.

use std::fs;
use std::path::{Path, PathBuf};

use super::binary::Home;

/// Copies `examples/NAME` beside the state folder, and returns where it is.
pub(crate) fn copy(name: &str, home: &Home) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    let to = home.folder().join(name);
    copy_folder(&from, &to);
    to
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        let kind = entry.file_type().expect("it has one");
        if kind.is_dir() && entry.file_name() != "out" && entry.file_name() != "__pycache__" {
            copy_folder(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}
