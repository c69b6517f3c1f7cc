//! Where the items of a fan-out come from, and how they are run.

use std::borrow::Cow;

use model::limits::ITEMS_PER_TASK_MAX;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value as Json;

use super::expression::ExpressionText;
use super::values::{OneOrMany, Whole, inline_schema};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Entry, Kind, Node};
use crate::read::{Placed, Read, unknown_key, wrong_type};

/// The value of `foreach`.
#[derive(Clone, Debug)]
pub(crate) struct Foreach {
    pub source: SourceFile,
    /// How many items there may be.
    pub max_items: Option<Whole<1, { ITEMS_PER_TASK_MAX as u64 }>>,
    /// How many of them may run at a time.
    pub max_parallel: Option<Whole<1, 1_000_000>>,
    /// How many values make one item.
    pub batch: Option<Whole<1, 1_000_000>>,
}

/// Where the values come from.
#[derive(Clone, Debug)]
pub(crate) enum SourceFile {
    Values(Vec<Json>),
    /// One expression that gives a list.
    Expression(Placed<ExpressionText>),
    /// First, end and step: whole numbers, or templates that become some.
    Range([Placed<String>; 3]),
    Matrix(MatrixFile),
    /// The numbers of the members of a gang: how many there are, or a template that becomes that.
    Members(Placed<String>),
    /// The lines of a file that is there when the run is submitted, or that a task has written.
    Lines(Placed<String>),
}

/// All combinations of the values of some names, less some, and more.
#[derive(Clone, Debug, Default)]
pub(crate) struct MatrixFile {
    pub axes: Vec<(Placed<String>, AxisFile)>,
    pub exclude: Vec<Placed<Json>>,
    pub include: Vec<Placed<Json>>,
}

/// The values of one name of a matrix.
#[derive(Clone, Debug)]
pub(crate) enum AxisFile {
    Values(Vec<Json>),
    Expression(Placed<ExpressionText>),
}

const KEYS: [&str; 9] = [
    "values",
    "range",
    "matrix",
    "lines",
    "exclude",
    "include",
    "max_items",
    "max_parallel",
    "batch",
];

/// What `lines` is, for the schema.
const LINES: &str = "A file, relative to this one: an item a line. Read when submitted, or, if an \
     output of a task names it, when its turn comes. The lines of a `.jsonl` file are JSON.";

/// A schema with a description of its own.
fn described(schema: &Schema, text: &str) -> Schema {
    let mut schema = schema.clone();
    schema.insert("description".to_owned(), Json::from(text));
    schema
}

inline_schema!(Foreach, |generator| {
    let bound = json_schema!({"type": ["integer", "string"]});
    let list = json_schema!({"anyOf": [{"type": "array"}, {"type": "string"}]});
    let objects = json_schema!({"type": "array", "items": {"type": "object"}});
    let count = generator.subschema_for::<Whole<1, { ITEMS_PER_TASK_MAX as u64 }>>();
    let few = generator.subschema_for::<Whole<1, 1_000_000>>();
    json_schema!({
        "anyOf": [
            {"description": "The items.", "type": "array"},
            {"description": "One expression that gives a list.", "type": "string"},
            {
                "type": "object",
                "properties": {
                    "values": described(&list, "The items, or an expression that gives them."),
                    "range": {
                        "description": "`N`, `[first, end]` or `[first, end, step]`.",
                        "anyOf": [
                            bound,
                            {"type": "array", "items": bound, "minItems": 2, "maxItems": 3}
                        ]
                    },
                    "matrix": {
                        "description": "Each combination of the values of these names.",
                        "type": "object",
                        "additionalProperties": list
                    },
                    "lines": {
                        "description": LINES,
                        "type": "string"
                    },
                    "exclude": described(&objects, "Combinations that a matrix leaves out."),
                    "include": described(&objects, "Items of a matrix beside its combinations."),
                    "max_items": described(&count, "How many items there may be."),
                    "max_parallel": described(&few, "How many items may run at a time."),
                    "batch": described(&few, "How many values make one item, as the list `items`.")
                },
                "additionalProperties": false
            }
        ]
    })
});

impl Read for Foreach {
    const TAKES: &'static str = "a list, an expression such as `params.list`, or a mapping with \
         `range`, `matrix`, `lines` or `values`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let source = match &node.content {
            Content::List(items) => SourceFile::Values(items.iter().map(Node::to_json).collect()),
            Content::Scalar(scalar) if matches!(scalar.kind(), Kind::Text(_)) => {
                SourceFile::Expression(Placed::read(node, key, faults)?)
            }
            Content::Scalar(_) => return wrong_type(node, key, faults),
            Content::Map(entries) => return long_form(node, entries, faults),
        };
        Some(Self { source, max_items: None, max_parallel: None, batch: None })
    }
}

fn long_form(node: &Node<'_>, entries: &[Entry<'_>], faults: &mut Faults) -> Option<Foreach> {
    let mut sources: Vec<(&Entry<'_>, Option<SourceFile>)> = Vec::new();
    let (mut exclude, mut include) = (None, None);
    let (mut max_items, mut max_parallel, mut batch) = (None, None, None);
    for entry in entries {
        let (key, value) = (&*entry.key, &entry.value);
        match key {
            "values" => sources.push((entry, values(value, faults))),
            "range" => sources.push((entry, range(value, faults))),
            "matrix" => sources.push((entry, matrix(value, faults).map(SourceFile::Matrix))),
            "lines" => {
                sources.push((entry, Read::read(value, key, faults).map(SourceFile::Lines)));
            }
            "exclude" => exclude = Some((entry, objects(value, key, faults))),
            "include" => include = Some((entry, objects(value, key, faults))),
            "max_items" => max_items = Read::read(value, key, faults),
            "max_parallel" => max_parallel = Read::read(value, key, faults),
            "batch" => batch = Read::read(value, key, faults),
            _ => unknown_key(entry, "`foreach`", (&KEYS, &[]), faults),
        }
    }
    if let [_, second, ..] = sources.as_slice() {
        let message = "`foreach` takes its items from one place, and this is a second one";
        let fault = Fault::new(code::CONFLICT, second.0.key_extent, message);
        faults.push(fault.hint("keep one of `values`, `range`, `matrix` and `lines`"));
    }
    let Some((_, source)) = sources.into_iter().next() else {
        let unread = entries.iter().any(|entry| !KEYS.contains(&&*entry.key));
        if !unread {
            let message = "`foreach` does not say where its items come from";
            let fault = Fault::new(code::MISSING_KEY, node.extent, message);
            faults.push(fault.hint("add `values`, `range`, `matrix` or `lines`"));
        }
        return None;
    };
    let mut source = source?;
    for (entry, list) in exclude.into_iter().chain(include) {
        match &mut source {
            SourceFile::Matrix(matrix) if entry.key == "exclude" => matrix.exclude = list,
            SourceFile::Matrix(matrix) => matrix.include = list,
            _ => {
                let message = format!("`{}` belongs to a `matrix`", entry.key);
                faults.push(Fault::new(code::CONFLICT, entry.key_extent, message));
            }
        }
    }
    Some(Foreach { source, max_items, max_parallel, batch })
}

fn values(node: &Node<'_>, faults: &mut Faults) -> Option<SourceFile> {
    match &node.content {
        Content::List(items) => Some(SourceFile::Values(items.iter().map(Node::to_json).collect())),
        _ => Read::read(node, "values", faults).map(SourceFile::Expression),
    }
}

fn range(node: &Node<'_>, faults: &mut Faults) -> Option<SourceFile> {
    let bounds: OneOrMany<Placed<String>> = Read::read(node, "range", faults)?;
    let number = |text: &str| Placed { value: text.to_owned(), extent: node.extent };
    match (bounds.0.as_slice(), &node.content) {
        ([end], Content::Scalar(_)) => {
            Some(SourceFile::Range([number("0"), end.clone(), number("1")]))
        }
        ([first, end], _) => Some(SourceFile::Range([first.clone(), end.clone(), number("1")])),
        ([first, end, step], _) => {
            Some(SourceFile::Range([first.clone(), end.clone(), step.clone()]))
        }
        _ => {
            let message = "a range is `N`, `[first, end]` or `[first, end, step]`";
            faults.push(Fault::new(code::BAD_ITEMS, node.extent, message));
            None
        }
    }
}

fn matrix(node: &Node<'_>, faults: &mut Faults) -> Option<MatrixFile> {
    let Content::Map(entries) = &node.content else {
        let message =
            format!("`matrix` takes a mapping from name to list, not {}", node.describe());
        faults.push(Fault::new(code::WRONG_TYPE, node.extent, message));
        return None;
    };
    let axes = entries.iter().filter_map(|entry| {
        let name = Placed { value: entry.key.to_string(), extent: entry.key_extent };
        let axis = match &entry.value.content {
            Content::List(items) => AxisFile::Values(items.iter().map(Node::to_json).collect()),
            _ => AxisFile::Expression(Read::read(&entry.value, &entry.key, faults)?),
        };
        Some((name, axis))
    });
    let axes: Vec<_> = axes.collect();
    if entries.is_empty() {
        faults.push(Fault::new(code::BAD_ITEMS, node.extent, "the matrix has no names"));
    }
    Some(MatrixFile { axes, ..MatrixFile::default() })
}

/// A list of mappings.
fn objects(node: &Node<'_>, key: &str, faults: &mut Faults) -> Vec<Placed<Json>> {
    let Content::List(items) = &node.content else {
        let message = format!("`{key}` takes a list of mappings, not {}", node.describe());
        faults.push(Fault::new(code::WRONG_TYPE, node.extent, message));
        return Vec::new();
    };
    let object = |item: &Node<'_>| {
        if !matches!(item.content, Content::Map(_)) {
            let message = format!("`{key}` takes mappings, not {}", item.describe());
            faults.push(Fault::new(code::WRONG_TYPE, item.extent, message));
            return None;
        }
        Some(Placed { value: item.to_json(), extent: item.extent })
    };
    items.iter().filter_map(object).collect()
}
