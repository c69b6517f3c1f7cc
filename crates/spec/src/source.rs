//! A workflow file as bytes, and places in it.
//!
//! Nothing here reads a file: whoever calls brings the bytes and the name to show.

use std::path::PathBuf;

/// A workflow file as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The name that diagnostics show: as the user wrote it.
    pub name: String,
    /// The absolute folder of the file: where its tasks run unless it says otherwise.
    pub folder: PathBuf,
    /// What stands in it.
    pub text: Vec<u8>,
}

/// A piece of the text, in bytes. 32 bits are enough: files are at most 256 MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Extent {
    pub start: u32,
    pub end: u32,
}

impl Extent {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let narrow = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: narrow(start), end: narrow(end.max(start)) }
    }

    /// The text of this piece; empty where it does not lie in `text`.
    pub(crate) fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}
