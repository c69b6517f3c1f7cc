//! What the tasks themselves have written down, a line each time one began or ended, in the order
//! in which it happened.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::shape::Task;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub task: String,
    pub item: u64,
    pub attempt: u64,
    pub token: u64,
    pub is_start: bool,
}

/// The file, read as it grows.
pub(crate) struct Evidence {
    path: PathBuf,
    read: u64,
    rest: String,
    pub lines: Vec<Line>,
}

impl Evidence {
    /// In this folder; it need not be there yet.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { path: folder.join("evidence"), read: 0, rest: String::new(), lines: Vec::new() }
    }

    /// Reads what is new.
    pub(crate) fn refresh(&mut self) {
        let Ok(mut file) = File::open(&self.path) else { return };
        file.seek(SeekFrom::Start(self.read)).expect("a file");
        let mut new = String::new();
        self.read += file.read_to_string(&mut new).expect("text") as u64;
        self.rest.push_str(&new);
        while let Some(end) = self.rest.find('\n') {
            let line: String = self.rest.drain(..=end).collect();
            self.lines.push(Line::parse(line.trim_end()));
        }
    }

    /// The highest token that has been seen.
    pub(crate) fn newest(&self) -> u64 {
        self.lines.iter().map(|line| line.token).max().unwrap_or(0)
    }

    /// How many items are known to have come to their end.
    pub(crate) fn count_ended(&self) -> usize {
        self.lines.iter().filter(|line| !line.is_start).count()
    }

    /// Nothing may begin before all that it depends on has ended; tokens and attempts ascend; one
    /// attempt begins once.
    pub(crate) fn check(&self, tasks: &[Task]) {
        let mut first_start: HashMap<&str, usize> = HashMap::new();
        let mut ended: HashMap<&str, HashMap<u64, usize>> = HashMap::new();
        let mut last: HashMap<(&str, u64), &Line> = HashMap::new();
        for (at, line) in self.lines.iter().enumerate() {
            let name = line.task.as_str();
            if !line.is_start {
                ended.entry(name).or_default().entry(line.item).or_insert(at);
                continue;
            }
            first_start.entry(name).or_insert(at);
            if let Some(before) = last.insert((name, line.item), line) {
                let ascends = before.token < line.token && before.attempt < line.attempt;
                assert!(ascends, "{before:?} is followed by {line:?}");
            }
        }
        for task in tasks {
            let begun = first_start[task.name.as_str()];
            for dependency in task.depends_on.iter().map(|&at| &tasks[at]) {
                let ends = &ended[dependency.name.as_str()];
                assert_eq!(ends.len() as u64, dependency.items, "{} is done", dependency.name);
                let last = ends.values().max().expect("there is one");
                assert!(*last < begun, "{} began before {} ended", task.name, dependency.name);
            }
        }
    }
}

impl Line {
    fn parse(line: &str) -> Self {
        let words: Vec<_> = line.split(' ').collect();
        let [task, item, attempt, token, what] = words[..] else {
            panic!("a line of five: {line}")
        };
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("numbers: {line}"));
        Self {
            task: task.to_owned(),
            item: number(item),
            attempt: number(attempt),
            token: number(token),
            is_start: what == "start",
        }
    }
}
