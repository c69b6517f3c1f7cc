//! What the values of test files look like in their JSON Schema. It says no more than that; the
//! reading of the values says what is wrong with them.

use std::borrow::Cow;

use model::{RunStatus, TaskStatus};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::keys::{ByName, Each, FileKeys, MachineKeys, Run, State, TaskFields, TaskKeys};
use super::play::{AnswerKeys, Items, MockKeys, Outputs};
use super::said::{Parts, TextKeys, Words};
use super::{Answer, Comparison, Mock, Say, TextMatch};

/// The schema of a test file as a whole.
pub(crate) fn of_files(generator: SchemaGenerator) -> Schema {
    generator.into_root_schema_for::<FileKeys>()
}

/// The schema of a type, written out where it is used, or `in_one_place` to which others point.
macro_rules! shape {
    ($({$generic:ident})? $name:ty, |$generator:ident| $schema:expr) => {
        shape!($({$generic})? $name, in_one_place: false, |$generator| $schema);
    };
    ($({$generic:ident})? $name:ty, in_one_place: $apart:literal, |$generator:ident| $schema:expr)
    => {
        impl $(<$generic: JsonSchema>)? JsonSchema for $name {
            fn inline_schema() -> bool {
                !$apart
            }

            fn schema_name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

shape!({T} ByName<T>, |generator| {
    let value = generator.subschema_for::<T>();
    json_schema!({"type": "object", "additionalProperties": value})
});

shape!({T} Each<T>, |generator| {
    let one = generator.subschema_for::<T>();
    json_schema!({"anyOf": [one, {"type": "array", "items": one}]})
});

shape!(TaskKeys, |generator| {
    let status = generator.subschema_for::<State>();
    let full = generator.subschema_for::<TaskFields>();
    json_schema!({"anyOf": [status, full]})
});

shape!(Run, |_generator| {
    let words = RunStatus::ALL.iter().map(|status| status.as_str());
    json_schema!({"enum": words.collect::<Vec<_>>()})
});

shape!(State, |_generator| {
    let words = TaskStatus::ALL.iter().map(|status| status.as_str());
    json_schema!({"enum": words.collect::<Vec<_>>()})
});

shape!(MachineKeys, |_generator| json_schema!({
    "type": "object",
    "properties": {
        "cpu": {
            "description": "CPUs: `2`, `0.5` or `500m`.",
            "type": ["number", "string"]
        },
        "memory": {
            "description": "Bytes: `512Mi`, `16Gi`, `1G` or a number.",
            "type": ["integer", "string"]
        }
    },
    "additionalProperties": {"type": "integer", "minimum": 0}
}));

// A mock may have mocks in it.
shape!(Mock, in_one_place: true, |generator| {
    let full = generator.subschema_for::<MockKeys>();
    let one = generator.subschema_for::<Mock>();
    json_schema!({
        "anyOf": [
            {"enum": ["succeeds", "fails", "lost", "hangs"]},
            full,
            {"type": "array", "items": one, "minItems": 1}
        ]
    })
});

shape!(Items, |generator| {
    let one = generator.subschema_for::<Mock>();
    json_schema!({
        "anyOf": [
            {"type": "array", "items": one},
            {
                "type": "object",
                "patternProperties": {"^[0-9]+$": one},
                "additionalProperties": false
            }
        ]
    })
});

shape!(Outputs, |_generator| json_schema!({"type": "object"}));

shape!(Say, |_generator| json_schema!({"enum": ["approve", "reject", "signal", "never"]}));

shape!(Answer, |generator| {
    let (word, full) = (generator.subschema_for::<Say>(), generator.subschema_for::<AnswerKeys>());
    json_schema!({"anyOf": [word, full]})
});

shape!(Words, |_generator| {
    let text = json_schema!({"type": ["string", "number", "boolean"]});
    json_schema!({"anyOf": [text, {"type": "array", "items": text}]})
});

shape!(Parts, |generator| generator.subschema_for::<Words>());

shape!(TextMatch, |generator| {
    let (words, full) = (generator.subschema_for::<Words>(), generator.subschema_for::<TextKeys>());
    json_schema!({"anyOf": [words, full]})
});

shape!(Comparison, |_generator| json_schema!({
    "description": "`10m` means exactly so long, `<= 3h` at most.",
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "examples": ["10m", "<= 3h", "> 1d"]}
    ]
}));
