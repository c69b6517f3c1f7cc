//! Labels: what runs and tasks are told apart by. They change nothing about how anything runs.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::values::inline_schema;
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::limits::{LABEL_BYTES_MAX, LABELS_MAX};
use crate::node::Node;
use crate::read::{Placed, Read, mapping};
use crate::source::Extent;
use crate::template::is_template;

/// Labels by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels(pub BTreeMap<String, String>);

inline_schema!(Labels, |_generator| json_schema!({
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
    "maxProperties": LABELS_MAX
}));

/// What is wrong with the key of a label, if anything is.
///
/// # Errors
/// What is wrong, and what to do.
fn check_key(key: &str) -> Result<(), String> {
    let is_allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    if key.is_empty() || key.len() > LABEL_BYTES_MAX || !key.chars().all(is_allowed) {
        return Err(format!(
            "`{}` cannot be the key of a label: use letters, digits, `_`, `-`, `.` and `/`",
            key.chars().take(60).collect::<String>().escape_debug()
        ));
    }
    Ok(())
}

/// What is wrong with the value of a label, if anything is.
///
/// # Errors
/// What is wrong.
fn check_value(value: &str) -> Result<(), String> {
    if value.len() > LABEL_BYTES_MAX {
        return Err(format!("the value of a label has at most {LABEL_BYTES_MAX} bytes"));
    }
    if value.chars().any(char::is_control) {
        return Err("the value of a label has a control character in it".to_owned());
    }
    Ok(())
}

/// Whether a label may be given to a run.
///
/// # Errors
/// What is wrong with it, for people.
pub fn check_label(key: &str, value: &str) -> Result<(), String> {
    check_key(key).and_then(|()| check_value(value))
}

impl Read for Labels {
    const TAKES: &'static str = "a mapping from key to text, such as `{team: data}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let entries = mapping::<Self>(node, key, faults)?;
        let mut labels = BTreeMap::new();
        let refuse = |extent: Extent, message: String, faults: &mut Faults| {
            faults.push(Fault::new(code::BAD_VALUE, extent, message));
        };
        if entries.len() > LABELS_MAX {
            let message = format!("there may be {LABELS_MAX} labels, and here are more");
            faults.push(Fault::new(code::TOO_LARGE, node.extent, message));
        }
        for entry in entries {
            if let Err(message) = check_key(&entry.key) {
                refuse(entry.key_extent, message, faults);
                continue;
            }
            let Some(Placed { value, extent }) = Placed::<String>::read(&entry.value, key, faults)
            else {
                continue;
            };
            match check_value(&value) {
                Err(message) => refuse(extent, message, faults),
                Ok(()) if is_template(&value) => {
                    let fault =
                        Fault::new(code::BAD_VALUE, extent, "a label is a fixed text, no template");
                    faults
                        .push(fault.hint("labels of one run are given by `run --label KEY=VALUE`"));
                }
                Ok(()) => drop(labels.insert(entry.key.to_string(), value)),
            }
        }
        Some(Self(labels))
    }
}
