//! What the steps of the example were seen to do: `watch.py` beside this file, put around them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The half that Python loads before anything else.
const INSIDE: &str = include_str!("watch.py");

/// A folder into which steps are seen to do what they do.
pub(crate) struct Watch {
    folder: PathBuf,
}

/// A file that an attempt was about to read, or to put in its place.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub task: String,
    /// Of the lease of the attempt; of the first item, if it is one call for many.
    pub token: u64,
    pub file: String,
    pub is_written: bool,
}

impl Watch {
    /// In a folder of its own in this one.
    pub(crate) fn new(within: &Path) -> Self {
        let folder = within.join("watch");
        fs::create_dir(&folder).expect("made");
        fs::write(folder.join("sitecustomize.py"), INSIDE).expect("written");
        Self { folder }
    }

    /// Puts it around whatever Python is started by a command.
    pub(crate) fn surround(&self, command: &mut Command) {
        command.env("PYTHONPATH", &self.folder).env("DOCUMENTS_WATCH", &self.folder);
    }

    /// Lets nobody get past `moment`, such as `clean writes clean.jsonl`.
    pub(crate) fn hold(&self, moment: &str) {
        fs::write(self.folder.join("hold"), moment).expect("written");
    }

    /// Whether somebody has come there, and waits.
    pub(crate) fn is_holding(&self) -> bool {
        self.folder.join("held").exists()
    }

    /// Holds nobody any more.
    pub(crate) fn release(&self) {
        for name in ["hold", "held"] {
            fs::remove_file(self.folder.join(name)).expect("it is there");
        }
    }

    /// All that was seen, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let text = fs::read_to_string(self.folder.join("seen")).unwrap_or_default();
        text.lines().map(Seen::parse).collect()
    }
}

impl Seen {
    fn parse(line: &str) -> Self {
        let words: Vec<_> = line.split(' ').collect();
        let [task, token, what, file] = words[..] else { panic!("a line of four: {line}") };
        let token = token.parse().unwrap_or_else(|_| panic!("a token: {line}"));
        let (task, file) = (task.to_owned(), file.to_owned());
        Self { task, token, file, is_written: what == "writes" }
    }
}
