//! Single values and lists of them: what they look like in a file, and in the JSON Schema.

use std::borrow::Cow;

use model::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::retries::RetryFile;
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Kind, Node};
use crate::read::{Placed, Read, read_text, wrong_type};
use crate::units;

/// A schema that is written out where it is used.
macro_rules! inline_schema {
    ($({$($generic:tt)*})? $name:ty, |$generator:ident| $schema:expr) => {
        impl $(<$($generic)*>)? JsonSchema for $name {
            fn inline_schema() -> bool {
                true
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

pub(super) use inline_schema;

/// The version of the language: 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version;

inline_schema!(Version, |_generator| json_schema!({"enum": [1, 1.0, "1", "1.0"]}));

impl Read for Version {
    const TAKES: &'static str = "`1`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let parse = |text: &str| match text {
            "1" | "1.0" | "v1" => Ok(Self),
            other => Err(format!("this version of Open-AutoGLM does not read version `{other}`")),
        };
        read_text(node, key, faults, (code::BAD_VALUE, parse))
    }
}

/// Yes or no.
#[derive(Clone, Copy, Debug)]
pub(crate) struct YesNo(pub bool);

inline_schema!(YesNo, |_generator| json_schema!({"type": "boolean"}));

impl Read for YesNo {
    const TAKES: &'static str = "`true` or `false`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match node.scalar().map(|scalar| scalar.kind()) {
            Some(Kind::Bool(is_on)) => Some(Self(is_on)),
            _ => wrong_type(node, key, faults),
        }
    }
}

/// A whole number within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole<const MIN: u64, const MAX: u64>(pub u64);

inline_schema!({const MIN: u64, const MAX: u64} Whole<MIN, MAX>, |_generator| {
    json_schema!({"type": "integer", "minimum": MIN, "maximum": MAX})
});

impl<const MIN: u64, const MAX: u64> Read for Whole<MIN, MAX> {
    const TAKES: &'static str = "a whole number";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let Some(scalar) = node.scalar() else { return wrong_type(node, key, faults) };
        let text = scalar.text.trim();
        let is_number = text.strip_prefix('-').unwrap_or(text).parse::<f64>().is_ok();
        match text.parse::<u64>() {
            Ok(number) if (MIN..=MAX).contains(&number) => Some(Self(number)),
            _ if is_number => {
                let message = format!("`{key}` is a whole number from {MIN} to {MAX}, not {text}");
                faults.push(Fault::new(code::BAD_VALUE, node.extent, message));
                None
            }
            _ => wrong_type(node, key, faults),
        }
    }
}

/// A bound of a parameter: any number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bound(pub serde_json::Number);

inline_schema!(Bound, |_generator| json_schema!({"type": "number"}));

impl Read for Bound {
    const TAKES: &'static str = "a number";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match node.to_json() {
            serde_json::Value::Number(number) => Some(Self(number)),
            _ => wrong_type(node, key, faults),
        }
    }
}

/// A length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Duration(pub Span);

inline_schema!(Duration, |_generator| json_schema!({
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "examples": ["30s", "5m", "1h30m", "250ms", "PT5M"]}
    ]
}));

impl Read for Duration {
    const TAKES: &'static str = "a duration such as `30s`, `5m`, `1h30m`, `250ms` or `PT5M`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let parse = |text: &str| units::duration(text).map(Self);
        read_text(node, key, faults, (code::BAD_DURATION, parse))
    }
}

/// Thousandths of a CPU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu(pub u64);

impl Read for Cpu {
    const TAKES: &'static str = "a number of CPUs such as `2`, `0.5` or `500m`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let parse = |text: &str| units::cpu_milli(text).map(Self);
        read_text(node, key, faults, (code::BAD_QUANTITY, parse))
    }
}

/// Bytes of memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory(pub u64);

inline_schema!(Memory, |_generator| json_schema!({
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "examples": ["512Mi", "16Gi", "1G"]}
    ]
}));

impl Read for Memory {
    const TAKES: &'static str = "bytes such as `512Mi`, `16Gi`, `1G` or `1048576`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let parse = |text: &str| units::bytes(text).map(Self);
        read_text(node, key, faults, (code::BAD_QUANTITY, parse))
    }
}

/// An amount of money in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Money(pub u64);

inline_schema!(Money, |_generator| json_schema!({
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": "^[0-9.]+$", "examples": ["0.50"]}
    ]
}));

impl Read for Money {
    const TAKES: &'static str = "an amount such as `5` or `0.50`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let parse = |text: &str| units::money_micro(text).map(Self);
        read_text(node, key, faults, (code::BAD_QUANTITY, parse))
    }
}

/// `retry: 3`, or more.
#[derive(Debug, JsonSchema)]
#[schemars(inline, untagged)]
pub(crate) enum Retry {
    Limit(Whole<0, { crate::limits::RETRIES_MAX as u64 }>),
    Rules(Box<RetryFile>),
}

impl Read for Retry {
    const TAKES: &'static str =
        "a number of retries, or a mapping such as `{limit: 3, backoff: 5s}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::Map(_) => RetryFile::read(node, key, faults).map(Box::new).map(Self::Rules),
            Content::Scalar(_) if !node.is_null() => {
                Whole::read(node, key, faults).map(Self::Limit)
            }
            _ => wrong_type(node, key, faults),
        }
    }
}

/// A list.
impl<T: Read> Read for Vec<T> {
    const TAKES: &'static str = "a list";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::List(items) => {
                Some(items.iter().filter_map(|item| T::read(item, key, faults)).collect())
            }
            _ => wrong_type(node, key, faults),
        }
    }
}

/// One value, or a list of them.
#[derive(Clone, Debug)]
pub(crate) struct OneOrMany<T>(pub Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

inline_schema!({T: JsonSchema} OneOrMany<T>, |generator| {
    let one = generator.subschema_for::<T>();
    json_schema!({"anyOf": [one, {"type": "array", "items": one}]})
});

impl<T: Read> Read for OneOrMany<T> {
    const TAKES: &'static str = "one value or a list of them";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::List(_) => Vec::read(node, key, faults).map(Self),
            Content::Scalar(_) if !node.is_null() => {
                T::read(node, key, faults).map(|one| Self(vec![one]))
            }
            _ => wrong_type(node, key, faults),
        }
    }
}

/// A program and its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Command(pub Vec<Placed<String>>);

inline_schema!(Command, |_generator| json_schema!({
    "type": "array",
    "items": {"type": ["string", "number", "boolean"]},
    "minItems": 1
}));

impl Read for Command {
    const TAKES: &'static str = "a list such as `[python3, train.py]`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::List(_) => Vec::read(node, key, faults).map(Self),
            Content::Scalar(_) if !node.is_null() => {
                let message = format!("`{key}` takes {}, not {}", Self::TAKES, node.describe());
                let fault = Fault::new(code::WRONG_TYPE, node.extent, message);
                faults.push(fault.hint("for a line that a shell reads, write `script`"));
                None
            }
            _ => wrong_type(node, key, faults),
        }
    }
}

/// Words that start a shell.
#[derive(Clone, Debug)]
pub(crate) struct Shell(pub Vec<String>);

inline_schema!(Shell, |_generator| json_schema!({
    "anyOf": [
        {"type": "string", "examples": ["bash -euo pipefail"]},
        {"type": "array", "items": {"type": "string"}, "minItems": 1}
    ]
}));

impl Read for Shell {
    const TAKES: &'static str = "words such as `bash -euo pipefail`, or a list of them";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let words: Vec<String> = match &node.content {
            Content::List(_) => Vec::read(node, key, faults)?,
            _ => String::read(node, key, faults)?.split_whitespace().map(str::to_owned).collect(),
        };
        if words.first().is_none_or(String::is_empty) {
            let fault = Fault::new(code::BAD_VALUE, node.extent, "the shell has no program");
            faults.push(fault.hint("write `sh -eu`, or leave `shell` out"));
            return None;
        }
        Some(Self(words))
    }
}
