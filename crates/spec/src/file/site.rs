//! What a task asks of the nodes that its attempts go to: labels, taints, and where the others of
//! its items are; and the labels of nodes.

use std::borrow::Cow;

use model::limits::{LABEL_BYTES_MAX, LABELS_PER_NODE_MAX, SELECTORS_MAX};
use model::site::{Domain, NODE, Selector, check_key, check_taint, check_value};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::values::{OneOrMany, inline_schema};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Entry, Node};
use crate::read::{Placed, Read, mapping, read_text};
use crate::source::Extent;
use crate::template::is_template;

/// Labels with the values that will do: `{zone: a, disk: [ssd, nvme]}`. Sorted by key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selectors(pub Vec<Selector>);

inline_schema!(Selectors, |_generator| {
    let value = serde_json::json!({"type": ["string", "number", "boolean"]});
    json_schema!({
        "type": "object",
        "additionalProperties": {
            "anyOf": [
                value,
                {"type": "array", "items": value, "minItems": 1, "maxItems": SELECTORS_MAX}
            ]
        },
        "maxProperties": SELECTORS_MAX
    })
});

impl Read for Selectors {
    const TAKES: &'static str =
        "a mapping from label to the values that will do, such as `{disk: [ssd, nvme]}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let entries = mapping::<Self>(node, key, faults)?;
        few("labels", (entries.len(), SELECTORS_MAX), node.extent, faults);
        let selectors = entries.iter().filter_map(|entry| selector(entry, faults));
        let mut selectors: Vec<Selector> = selectors.collect();
        selectors.sort_unstable();
        Some(Self(selectors))
    }
}

fn selector(entry: &Entry<'_>, faults: &mut Faults) -> Option<Selector> {
    let key = Placed { value: entry.key.to_string(), extent: entry.key_extent };
    let key = checked(key, check_key, faults);
    let named = OneOrMany::<Placed<String>>::read(&entry.value, &entry.key, faults)?;
    if named.0.is_empty() {
        let message = format!("`{}` names no value that will do", entry.key);
        let fault = Fault::new(code::BAD_VALUE, entry.value.extent, message);
        faults.push(fault.hint("name one, or leave the label out"));
    }
    Some(Selector { key: key?, values: words("values", named, check_value, faults) })
}

/// Names of taints.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taints(pub Box<[Box<str>]>);

inline_schema!(Taints, |_generator| json_schema!({
    "anyOf": [
        {"type": "string", "maxLength": LABEL_BYTES_MAX},
        {
            "type": "array",
            "items": {"type": "string", "maxLength": LABEL_BYTES_MAX},
            "maxItems": SELECTORS_MAX
        }
    ]
}));

impl Read for Taints {
    const TAKES: &'static str = "a taint such as `reserved`, or a list of them";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let named = OneOrMany::read(node, key, faults)?;
        Some(Self(words("taints", named, check_taint, faults)))
    }
}

/// What nodes are grouped by: `node`, or the key of a label.
#[derive(Clone, Debug)]
pub(crate) struct DomainFile(pub Domain);

inline_schema!(DomainFile, |_generator| json_schema!({
    "type": "string", "maxLength": LABEL_BYTES_MAX, "examples": ["node", "zone"]
}));

impl Read for DomainFile {
    const TAKES: &'static str = "`node`, or the key of a label such as `zone`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let parse = |text: &str| match text {
            NODE => Ok(Self(Domain::Node)),
            label => check_key(label).map(|()| Self(Domain::Label(label.into()))),
        };
        read_text(node, key, faults, (code::BAD_VALUE, parse))
    }
}

/// The labels of a node: `{zone: a, disk: ssd}`.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeLabels(pub Vec<(Box<str>, Box<str>)>);

impl Read for NodeLabels {
    const TAKES: &'static str = "a mapping from label to text, such as `{zone: a}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let entries = mapping::<Self>(node, key, faults)?;
        few("labels", (entries.len(), LABELS_PER_NODE_MAX), node.extent, faults);
        let label = |entry: &Entry<'_>| {
            let key = Placed { value: entry.key.to_string(), extent: entry.key_extent };
            let value = Placed::<String>::read(&entry.value, &entry.key, faults)?;
            let key = checked(key, check_key, faults);
            Some((key?, checked(value, check_value, faults)?))
        };
        Some(Self(entries.iter().filter_map(label).collect()))
    }
}

/// Words that are as they have to be; sorted, each once.
fn words(
    what: &str,
    named: OneOrMany<Placed<String>>,
    check: fn(&str) -> Result<(), String>,
    faults: &mut Faults,
) -> Box<[Box<str>]> {
    let extent = named.0.first().map(|first| first.extent).unwrap_or_default();
    few(what, (named.0.len(), SELECTORS_MAX), extent, faults);
    let words = named.0.into_iter().filter_map(|word| checked(word, check, faults));
    let mut words: Vec<Box<str>> = words.collect();
    words.sort_unstable();
    words.dedup();
    words.into()
}

fn checked(
    word: Placed<String>,
    check: fn(&str) -> Result<(), String>,
    faults: &mut Faults,
) -> Option<Box<str>> {
    let Err(message) = check(&word.value) else { return Some(word.value.into()) };
    let fault = match is_template(&word.value) {
        true => Fault::new(code::BAD_VALUE, word.extent, "this is a fixed text, no template")
            .hint("where a task may go is known before it begins: write the text itself"),
        false => Fault::new(code::BAD_VALUE, word.extent, message),
    };
    faults.push(fault);
    None
}

fn few(what: &str, (count, most): (usize, usize), extent: Extent, faults: &mut Faults) {
    if count > most {
        let message = format!("there may be {most} {what} here, and there are {count}");
        faults.push(Fault::new(code::TOO_LARGE, extent, message));
    }
}
