//! Files within files: what a task hands to the file that it names, and what a file hands back.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value as Json;

use super::TaskFile;
use super::expression::ExpressionText;
use super::values::inline_schema;
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::Node;
use crate::read::{Placed, Read, mapping};

/// What a template, or a workflow file that a task names, is given.
#[derive(Debug, Default)]
pub(crate) struct Arguments(pub Vec<(Placed<String>, Placed<Json>)>);

inline_schema!(Arguments, |_generator| json_schema!({"type": "object"}));

impl Read for Arguments {
    const TAKES: &'static str = "a mapping from parameter to value";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let entries = mapping::<Self>(node, key, faults)?.iter();
        let given = entries.map(|entry| {
            let name = Placed { value: entry.key.to_string(), extent: entry.key_extent };
            (name, Placed { value: entry.value.to_json(), extent: entry.value.extent })
        });
        Some(Self(given.collect()))
    }
}

/// Notes arguments that nobody takes: those of an `extends` are gone by now.
pub(super) fn check_arguments(task: &TaskFile, faults: &mut Faults) {
    if let Some(with) = task.with.as_ref().filter(|_| task.workflow.is_none()) {
        let fault = Fault::new(code::CONFLICT, with.extent, "`with` stands without `extends`");
        faults.push(fault.hint("name the template, `extends: NAME`, or a file, `workflow: FILE`"));
    }
    if let Some(undo) = &task.compensate {
        check_arguments(&undo.value, faults);
    }
}

/// What a file gives to one that names it.
#[derive(Debug, Default)]
pub(crate) struct Outputs(pub Vec<(Placed<String>, Placed<ExpressionText>)>);

inline_schema!(Outputs, |generator| {
    let expression = generator.subschema_for::<ExpressionText>();
    json_schema!({"type": "object", "additionalProperties": expression})
});

impl Read for Outputs {
    const TAKES: &'static str = "a mapping from name to expression";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let entries = mapping::<Self>(node, key, faults)?.iter();
        let outputs = entries.filter_map(|entry| {
            let name = Placed { value: entry.key.to_string(), extent: entry.key_extent };
            Some((name, Placed::read(&entry.value, &entry.key, faults)?))
        });
        Some(Self(outputs.collect()))
    }
}
