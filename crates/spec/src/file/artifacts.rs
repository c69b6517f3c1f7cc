//! Artifacts: the files that a task leaves for others, and those that it is given.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::values::{Duration, OneOrMany, inline_schema};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Kind, Node};
use crate::read::{Placed, Read, record, wrong_type};

record! {
    /// The files that a task leaves for others, and those that it is given.
    struct ArtifactsFile("`artifacts`", "a mapping such as `{out: [model.bin]}`") {
        /// What is kept when the task has succeeded: paths and patterns, relative to where the
        /// task starts. Templates. `{NAME: PATH}` gives a name.
        out: OutFiles,
        /// What is there before the task starts: `TASK`, `TASK/NAME`, or `{from: ..., to: PATH}`.
        r#in: InFiles,
    }
    foreign: super::foreign::ARTIFACTS
}

/// What is kept.
#[derive(Clone, Debug)]
pub(crate) struct OutFile {
    /// The name; that of the file if it is left out.
    pub name: Option<Placed<String>>,
    pub pattern: Placed<String>,
}

/// All that is kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutFiles(pub Vec<OutFile>);

inline_schema!(OutFiles, |_generator| {
    let named = json_schema!({"type": "object", "additionalProperties": {"type": "string"}});
    let one = json_schema!({"anyOf": [{"type": "string"}, named]});
    json_schema!({"anyOf": [{"type": "string"}, named, {"type": "array", "items": one}]})
});

impl Read for OutFiles {
    const TAKES: &'static str = "paths, patterns, or mappings from name to path";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let mut files = Vec::new();
        match &node.content {
            Content::List(items) => {
                for item in items {
                    out_files(item, key, &mut files, faults)?;
                }
            }
            _ => out_files(node, key, &mut files, faults)?,
        }
        Some(Self(files))
    }
}

fn out_files(
    node: &Node<'_>,
    key: &str,
    files: &mut Vec<OutFile>,
    faults: &mut Faults,
) -> Option<()> {
    let Content::Map(entries) = &node.content else {
        files.push(OutFile { name: None, pattern: Placed::read(node, key, faults)? });
        return Some(());
    };
    for entry in entries {
        let name = Placed { value: entry.key.to_string(), extent: entry.key_extent };
        let pattern = Placed::read(&entry.value, &entry.key, faults)?;
        files.push(OutFile { name: Some(name), pattern });
    }
    Some(())
}

record! {
    /// An artifact of an earlier task.
    struct InFile("an artifact", "a mapping such as `{from: train/model, to: model.bin}`") {
        /// The task, or one of its artifacts: `TASK` or `TASK/NAME`.
        from: Placed<String>,
        /// Where it is put, relative to where the task starts. A template. For several files a
        /// folder. Where the earlier task had it if it is left out.
        to: Placed<String>,
    }
    foreign: super::foreign::ARTIFACTS
}

/// All that a task is given.
#[derive(Debug, Default)]
pub(crate) struct InFiles(pub Vec<InFile>);

inline_schema!(InFiles, |generator| {
    let full = generator.subschema_for::<InFile>();
    let one = json_schema!({"anyOf": [{"type": "string"}, full]});
    json_schema!({"anyOf": [{"type": "string"}, full, {"type": "array", "items": one}]})
});

impl Read for InFiles {
    const TAKES: &'static str = "`TASK`, `TASK/NAME`, `{from: ..., to: PATH}`, or a list of them";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let one = |node: &Node<'_>, faults: &mut Faults| match &node.content {
            Content::Map(_) => {
                let before = faults.count();
                let file = InFile::read(node, key, faults)?;
                if file.from.is_none() && faults.count() == before {
                    let message = "an artifact without `from` comes from nowhere";
                    let fault = Fault::new(code::MISSING_KEY, node.extent, message);
                    faults.push(fault.hint("write `{from: TASK/NAME, to: PATH}`"));
                }
                Some(file)
            }
            _ => Some(InFile { from: Some(Placed::read(node, key, faults)?), to: None }),
        };
        let files = match &node.content {
            Content::List(items) => items.iter().filter_map(|item| one(item, faults)).collect(),
            _ => vec![one(node, faults)?],
        };
        Some(Self(files))
    }
}

record! {
    /// When what a task came to before is taken instead of running it again.
    struct CacheFile("`cache`", "a mapping such as `{files: [\"src/**\"], expires: 7d}`") {
        /// Expressions whose values count, too.
        key: OneOrMany<Placed<String>>,
        /// Files whose content counts, too: paths and patterns, relative to where the task starts.
        /// Templates. A task of which one fits no file fails.
        files: OneOrMany<Placed<String>>,
        /// How long an entry is taken. For ever if it is left out.
        expires: Placed<Duration>,
    }
    foreign: super::foreign::CACHE
}

/// `cache: true`, or more.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    pub is_off: bool,
    pub file: CacheFile,
}

inline_schema!(Cache, |generator| {
    let full = generator.subschema_for::<CacheFile>();
    json_schema!({"anyOf": [{"type": "boolean"}, full]})
});

impl Read for Cache {
    const TAKES: &'static str = "`true`, or a mapping such as `{files: [\"src/**\"], expires: 7d}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::Map(_) => {
                let file = CacheFile::read(node, key, faults)?;
                Some(Self { is_off: false, file })
            }
            Content::Scalar(scalar) => match scalar.kind() {
                Kind::Bool(is_on) => Some(Self { is_off: !is_on, ..Self::default() }),
                _ => wrong_type(node, key, faults),
            },
            Content::List(_) => wrong_type(node, key, faults),
        }
    }
}
