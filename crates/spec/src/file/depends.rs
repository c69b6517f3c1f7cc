//! What a task depends on: names and patterns, each with what it has to come to, and how many of
//! them are enough. Which tasks a pattern means is found where the whole file is known.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::values::{Whole, inline_schema};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Entry, Node};
use crate::read::{Placed, Read, mapping, not_a_choice, read_text, unknown_key, wrong_type};

/// The value of `depends_on`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Depends(pub Vec<Dependency>);

/// One entry of it.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    /// A name, or a pattern of names.
    pub task: Placed<String>,
    /// What it has to come to, if it is said; else it has to succeed.
    pub is: Option<Box<Placed<String>>>,
}

inline_schema!(Depends, |_generator| {
    let condition = json_schema!({
        "description": "`succeeded`, `failed`, `finished`, `skipped`, or a route of a decision.",
        "type": "string"
    });
    let each = json_schema!({"type": "object", "additionalProperties": condition});
    json_schema!({
        "anyOf": [
            {"type": "string"},
            each,
            {"type": "array", "items": {"anyOf": [{"type": "string"}, each]}}
        ]
    })
});

impl Read for Depends {
    const TAKES: &'static str = "a task, a list of tasks, or a mapping such as `{fetch: failed}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let mut found = Vec::new();
        match &node.content {
            Content::List(items) => {
                items.iter().for_each(|item| read_entry(item, key, faults, &mut found));
            }
            Content::Scalar(_) if node.is_null() => return wrong_type(node, key, faults),
            _ => read_entry(node, key, faults, &mut found),
        }
        Some(Self(found))
    }
}

/// `name`, `{task: name, is: failed}` or `{name: failed, other: finished}`.
fn read_entry(node: &Node<'_>, key: &str, faults: &mut Faults, found: &mut Vec<Dependency>) {
    let Content::Map(entries) = &node.content else {
        let task = Placed::read(node, key, faults);
        return found.extend(task.map(|task| Dependency { task, is: None }));
    };
    if entries.len() == 2 && has(entries, "task") && has(entries, "is") {
        let value = |wanted: &str, faults: &mut Faults| {
            let entry = entries.iter().find(|entry| entry.key == wanted)?;
            Placed::<String>::read(&entry.value, wanted, faults)
        };
        let (task, is) = (value("task", faults), value("is", faults));
        return found.extend(task.map(|task| Dependency { task, is: is.map(Box::new) }));
    }
    for entry in entries {
        if let Some(is) = Placed::read(&entry.value, &entry.key, faults) {
            let task = Placed { value: entry.key.to_string(), extent: entry.key_extent };
            found.push(Dependency { task, is: Some(Box::new(is)) });
        }
    }
}

fn has(entries: &[Entry<'_>], key: &str) -> bool {
    entries.iter().any(|entry| entry.key == key)
}

/// The value of `join`: how many of the dependencies have to come to what is said of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinFile {
    All,
    Any,
    AllDone,
    AtLeast(u32),
}

inline_schema!(JoinFile, |_generator| json_schema!({
    "anyOf": [
        {"enum": ["all", "any", "all_done"]},
        {
            "type": "object",
            "properties": {"at_least": {"type": "integer", "minimum": 1, "maximum": AT_LEAST_MAX}},
            "required": ["at_least"],
            "additionalProperties": false
        }
    ]
}));

const AT_LEAST_MAX: u64 = 1_000_000;

impl Read for JoinFile {
    const TAKES: &'static str = "`all`, `any`, `all_done` or `{at_least: N}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let Content::Map(_) = &node.content else {
            let parse = |text: &str| match text {
                "all" => Ok(Self::All),
                "any" => Ok(Self::Any),
                "all_done" => Ok(Self::AllDone),
                _ => Err(not_a_choice(text, &["all", "any", "all_done"])),
            };
            return read_text(node, key, faults, (code::BAD_VALUE, parse));
        };
        let before = faults.count();
        let mut join = None;
        for entry in mapping::<Self>(node, key, faults)? {
            if entry.key == "at_least" {
                let count = Whole::<1, AT_LEAST_MAX>::read(&entry.value, "at_least", faults)?;
                join = u32::try_from(count.0).ok().map(Self::AtLeast);
            } else {
                unknown_key(entry, "`join`", (&["at_least"], &[]), faults);
            }
        }
        if join.is_none() && faults.count() == before {
            let fault = Fault::new(code::MISSING_KEY, node.extent, "`join` does not say how many");
            faults.push(fault.hint("write `{at_least: 2}`"));
        }
        join
    }
}
