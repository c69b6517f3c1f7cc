//! A case: its file, what it shows, and how it is played.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use spec::Source;

/// One file of the language with what comes of it.
pub(crate) struct Case {
    /// The topic, a slash, and the file without its ending.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// The first line of its comment.
    pub(crate) shows: String,
    /// The lines of its comment that say how it is played.
    pub(crate) directives: Vec<Directive>,
}

/// A line `# WORD: TEXT` at the head of a case.
pub(crate) struct Directive {
    pub(crate) word: String,
    pub(crate) text: String,
}

/// The words of directives.
const WORDS: &[&str] = &[
    "approve", "env", "expect", "explain", "known", "order", "parallel", "reject", "retry", "run",
    "signal", "stop", "while",
];

impl Case {
    fn read(path: PathBuf) -> Self {
        let head = match path.extension().is_some_and(|kind| kind == "json") {
            // JSON has no comments.
            true => fs::read_to_string(path.with_extension("head")).unwrap_or_default(),
            false => {
                let bytes = fs::read(&path).expect("it is there");
                String::from_utf8_lossy(&bytes).into_owned()
            }
        };
        let (mut shows, mut directives) = (String::new(), Vec::new());
        for line in head.lines().map_while(|line| line.strip_prefix("# ")) {
            match line.split_once(": ") {
                Some((word, text)) if WORDS.contains(&word) => {
                    directives.push(Directive { word: word.to_owned(), text: text.to_owned() });
                }
                _ if shows.is_empty() => line.clone_into(&mut shows),
                _ => {}
            }
        }
        Self { name: name(&path), path, shows, directives }
    }

    /// The texts of all directives of one word.
    pub(crate) fn all<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a str> {
        let those = self.directives.iter().filter(move |directive| directive.word == word);
        those.map(|directive| directive.text.as_str())
    }

    /// Whether the file is only checked.
    pub(crate) fn is_invalid(&self) -> bool {
        self.all("expect").any(|text| text == "invalid")
    }

    /// The file as a value; `None` if it is no mapping.
    pub(crate) fn value(&self) -> Option<Value> {
        let text = fs::read(&self.path).expect("it is there");
        let source = Source { name: self.name.clone(), folder: PathBuf::new(), text };
        let values = spec::params_file(&source).ok()?;
        Some(Value::Object(values.into_iter().collect()))
    }

    /// Holds what came of the case against its snapshot, or writes it there. The snapshot of a
    /// known fault says what should come of it, and is written by hand.
    pub(crate) fn compare(&self, told: &str, bless: bool) -> Result<(), String> {
        let beside = self.path.with_extension("snap");
        if let Some(fault) = self.all("known").next() {
            let expected = fs::read_to_string(&beside).unwrap_or_default();
            return match expected.is_empty() || expected == told {
                true => Err(format!("it does as it should, or nothing says how that is: {fault}")),
                false => Ok(()),
            };
        }
        if bless {
            return fs::write(&beside, told).map_err(|error| error.to_string());
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if expected == told {
            return Ok(());
        }
        Err(difference(&expected, told))
    }
}

/// All cases, in order of their names.
pub(crate) fn all() -> Vec<Case> {
    let is_case = |path: &Path| {
        let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        // A file with an underscore in front belongs to a case.
        let is_own = path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('_'));
        let is_beside =
            path.file_name().is_some_and(|name| name == "templates.yaml" || name == "models.yaml");
        is_own && !is_beside && ["yaml", "json"].contains(&kind)
    };
    files().into_iter().filter(|path| is_case(path)).map(Case::read).collect()
}

/// The names of all snapshots.
pub(crate) fn snapshots() -> Vec<String> {
    let is_snapshot = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "snap");
    files().iter().filter(|path| is_snapshot(path)).map(|path| name(path)).collect()
}

fn files() -> Vec<PathBuf> {
    let entries = |folder: &Path| {
        let entries = fs::read_dir(folder).expect("the folder of the cases");
        entries.map(|entry| entry.expect("it is there").path())
    };
    let topics = entries(super::folder()).filter(|path| path.is_dir());
    let mut files: Vec<PathBuf> = topics.flat_map(|topic| entries(&topic)).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

/// The topic, a slash, and the file without its ending.
fn name(path: &Path) -> String {
    let part = |path: Option<&std::ffi::OsStr>| {
        path.expect("a file in a topic").to_string_lossy().into_owned()
    };
    let topic = path.parent().and_then(Path::file_name);
    format!("{}/{}", part(topic), part(path.file_stem()))
}

/// Both texts, with the lines marked that only one of them has.
fn difference(expected: &str, told: &str) -> String {
    let only = |mark: &str, these: &str, those: &str| {
        let those: Vec<&str> = those.lines().collect();
        let lines = these.lines().map(|line| match those.contains(&line) {
            true => format!("  {line}\n"),
            false => format!("{mark} {line}\n"),
        });
        lines.collect::<String>()
    };
    format!("expected:\n{}told:\n{}", only("-", expected, told), only("+", told, expected))
}
