//! The mappings and lists that have rules of their own: variables, tasks and parameters.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value as Json;

use super::values::{Bound, inline_schema};
use super::{DeclarationFile, TaskFile};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Node};
use crate::params::ParameterType;
use crate::read::{Placed, Read, mapping, read_text, wrong_type};
use crate::source::Extent;

/// Variables, each name once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables(pub Vec<(Placed<String>, Placed<String>)>);

inline_schema!(Variables, |_generator| json_schema!({
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]}
}));

impl Read for Variables {
    const TAKES: &'static str = "a mapping from variable to text";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let mut variables = Vec::new();
        for entry in mapping::<Self>(node, key, faults)? {
            let name = &*entry.key;
            if name.is_empty() || name.contains(['=', '\0']) {
                let message = format!("`{}` cannot be the name of a variable", name.escape_debug());
                faults.push(Fault::new(code::BAD_NAME, entry.key_extent, message));
            } else if let Some(value) = Placed::read(&entry.value, name, faults) {
                variables
                    .push((Placed { value: name.to_owned(), extent: entry.key_extent }, value));
            }
        }
        Some(Self(variables))
    }
}

/// A task with its name.
#[derive(Debug, Default)]
pub(crate) struct NamedTask {
    pub name: Placed<String>,
    pub task: TaskFile,
    /// Whether all of it could be read.
    pub is_whole: bool,
}

/// The tasks in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Tasks(pub Vec<NamedTask>);

inline_schema!(Tasks, |generator| {
    let task = generator.subschema_for::<TaskFile>();
    json_schema!({
        "anyOf": [
            {"type": "array", "items": {"allOf": [task], "required": ["name"]}},
            {"type": "object", "additionalProperties": task}
        ]
    })
});

impl Read for Tasks {
    const TAKES: &'static str = "a list of tasks, or a mapping from name to task";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let tasks = match &node.content {
            Content::Scalar(_) => return wrong_type(node, key, faults),
            Content::List(items) => {
                items.iter().filter_map(|item| listed_task(item, faults)).collect()
            }
            Content::Map(entries) => entries
                .iter()
                .filter_map(|entry| {
                    let before = faults.count();
                    let name = Placed { value: entry.key.to_string(), extent: entry.key_extent };
                    let task = TaskFile::read(&entry.value, &name.value, faults)?;
                    if let Some(second) = task.name.as_ref().or(task.decision_node.as_deref()) {
                        let message = "in the mapping form the key is the name of the task";
                        faults.push(
                            Fault::new(code::CONFLICT, second.extent, message)
                                .hint("leave it out")
                                .related(name.extent, "the name"),
                        );
                    }
                    super::calls::check_arguments(&task, faults);
                    Some(NamedTask { name, task, is_whole: faults.count() == before })
                })
                .collect(),
        };
        Some(Self(tasks))
    }
}

fn listed_task(node: &Node<'_>, faults: &mut Faults) -> Option<NamedTask> {
    let before = faults.count();
    let mut task = TaskFile::read(node, "tasks", faults)?;
    if let (Some(first), Some(second)) = (&task.name, &task.decision_node) {
        let fault = Fault::new(code::CONFLICT, second.extent, "this task has two names");
        faults.push(fault.related(first.extent, "the first").hint("keep one of the two"));
    }
    let decision = task.decision_node.take().map(|name| *name);
    let name = task.name.take().or(decision);
    if name.is_none() && !has_key(node, "name") {
        let start = node.extent.start as usize;
        let extent = Extent::new(start, start + 1);
        let fault = Fault::new(code::MISSING_KEY, extent, "this task has no `name`");
        faults.push(fault.hint("in the list form each task needs a `name`"));
    }
    super::calls::check_arguments(&task, faults);
    Some(NamedTask { name: name.unwrap_or_default(), task, is_whole: faults.count() == before })
}

fn has_key(node: &Node<'_>, key: &str) -> bool {
    match &node.content {
        Content::Map(entries) => entries.iter().any(|entry| entry.key == key),
        _ => false,
    }
}

/// A parameter as it is declared: by its default, or in full.
#[derive(Debug)]
pub(crate) struct Declaration {
    pub name: Placed<String>,
    pub kind: Option<ParameterType>,
    pub default: Option<Placed<Json>>,
    pub description: Option<String>,
    pub rules: DeclaredRules,
}

/// The rules of a parameter as they are declared.
#[derive(Debug, Default)]
pub(crate) struct DeclaredRules {
    pub choices: Option<Placed<Vec<Json>>>,
    pub pattern: Option<Placed<String>>,
    pub min: Option<Placed<Bound>>,
    pub max: Option<Placed<Bound>>,
}

/// The parameters in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Declarations(pub Vec<Declaration>);

inline_schema!(Declarations, |generator| {
    let full = generator.subschema_for::<DeclarationFile>();
    let short = json_schema!({"type": ["string", "number", "boolean", "array", "null"]});
    json_schema!({"type": "object", "additionalProperties": {"anyOf": [full, short]}})
});

impl Read for Declarations {
    const TAKES: &'static str =
        "a mapping from parameter to default, or to `{type: ..., default: ...}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let entries = mapping::<Self>(node, key, faults)?;
        let declarations = entries.iter().filter_map(|entry| {
            let name = Placed { value: entry.key.to_string(), extent: entry.key_extent };
            let (value, extent) = (&entry.value, entry.value.extent);
            if let Content::Map(_) = value.content {
                let full = DeclarationFile::read(value, &entry.key, faults)?;
                let DeclarationFile { r#type: kind, default, description, .. } = full;
                let DeclarationFile { r#enum: choices, pattern, min, max, .. } = full;
                let rules = DeclaredRules { choices, pattern, min, max };
                return Some(Declaration { name, kind, default, description, rules });
            }
            let default = (!value.is_null()).then(|| Placed { value: value.to_json(), extent });
            let rules = DeclaredRules::default();
            Some(Declaration { name, kind: None, default, description: None, rules })
        });
        Some(Self(declarations.collect()))
    }
}

impl Read for ParameterType {
    const TAKES: &'static str =
        "`string`, `int`, `float`, `bool`, `list`, `object`, `file` or `secret`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        const WORDS: [&str; 8] =
            ["string", "int", "float", "bool", "list", "object", "file", "secret"];
        let parse = |text: &str| match text {
            "string" => Ok(Self::String),
            "int" => Ok(Self::Int),
            "float" => Ok(Self::Float),
            "bool" => Ok(Self::Bool),
            "list" => Ok(Self::List),
            "object" => Ok(Self::Object),
            "file" => Ok(Self::File),
            "secret" => Ok(Self::Secret),
            _ => Err(crate::read::not_a_choice(text, &WORDS)),
        };
        read_text(node, key, faults, (code::BAD_VALUE, parse))
    }
}
