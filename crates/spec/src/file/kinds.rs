//! Kinds of work besides scripts and commands, as they stand in a file: one key a kind.
//!
//! What stands under such a key is read twice: as the kind's own record, which says what is wrong
//! with it, and as a tree of values, whose texts are templates. The tree is what is kept.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value as Json, json};

use super::TaskFile;
use super::values::{Duration, inline_schema};
use crate::call::CallKind;
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Kind, Node};
use crate::read::{Foreign, Placed, Read, record, wrong_type};
use crate::source::Extent;
use crate::template::is_template;

mod container;
mod http;
mod models;

pub(crate) use container::Container;
pub(crate) use http::Http;
pub(crate) use models::{Embeds, Generates};

/// What stands under the key of a kind.
pub(crate) trait KindFile: Read + JsonSchema {
    /// The settings as they are kept: the tree as it stands, if nothing else is said.
    fn settings(node: &Node<'_>) -> Json {
        node.to_json()
    }
}

/// The settings of a kind of work, checked, with texts that are still templates.
#[derive(Debug)]
pub(crate) struct Settings<F> {
    /// As the kind's record.
    pub file: F,
    /// As a tree of values.
    pub tree: Json,
}

impl<F: KindFile> Read for Settings<F> {
    const TAKES: &'static str = F::TAKES;

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let file = F::read(node, key, faults)?;
        Some(Self { file, tree: F::settings(node) })
    }
}

impl<F: JsonSchema> JsonSchema for Settings<F> {
    fn inline_schema() -> bool {
        F::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        F::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        F::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        F::json_schema(generator)
    }
}

/// The only kind of work that a task names by a key of its own, with where that stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called<'f> {
    pub kind: CallKind,
    pub settings: &'f Json,
    /// The model that it calls.
    pub model: Option<&'f Placed<String>>,
    pub extent: Extent,
}

impl TaskFile {
    /// What it does by another kind of work than a script or a command; the first, if it has more.
    pub(crate) fn call(&self) -> Option<Called<'_>> {
        self.calls().next()
    }

    /// All kinds of work that it names; more than one is a mistake.
    pub(crate) fn calls(&self) -> impl Iterator<Item = Called<'_>> {
        CallKind::ALL.into_iter().filter_map(|kind| self.of_kind(kind))
    }

    fn of_kind(&self, kind: CallKind) -> Option<Called<'_>> {
        match kind {
            CallKind::Noop => of(kind, self.noop.as_deref()),
            CallKind::Sleep => of(kind, self.sleep.as_deref()),
            CallKind::Emit => of(kind, self.emit.as_deref()),
            CallKind::Http => of(kind, self.http.as_deref()),
            CallKind::Function => of(kind, self.function.as_deref()),
            CallKind::Container => of(kind, self.container.as_deref()),
            CallKind::Generate => {
                let model = self.llm_generate.as_ref()?.value.file.0.as_ref();
                Some(Called { model, ..of(kind, self.llm_generate.as_deref())? })
            }
            CallKind::Embed => {
                let model = self.llm_embed.as_ref()?.value.file.0.as_ref();
                Some(Called { model, ..of(kind, self.llm_embed.as_deref())? })
            }
        }
    }
}

fn of<F>(kind: CallKind, found: Option<&Placed<Settings<F>>>) -> Option<Called<'_>> {
    let Placed { value, extent } = found?;
    Some(Called { kind, settings: &value.tree, model: None, extent: *extent })
}

/// `noop: true`: nothing is done.
#[derive(Debug)]
pub(crate) struct Noop;

inline_schema!(Noop, |_generator| json_schema!({"const": true}));

impl Read for Noop {
    const TAKES: &'static str = "`true`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::Scalar(scalar) if scalar.kind() == Kind::Bool(true) => Some(Self),
            // `type: noop`.
            Content::Map(entries) if entries.is_empty() => Some(Self),
            _ => wrong_type(node, key, faults),
        }
    }
}

impl KindFile for Noop {}

record! {
    /// How long is slept.
    struct SleepFile("`sleep`", "a mapping such as `{for: 10s}`") {
        /// How long. A template may give it.
        r#for: SleepTime,
    }
    foreign: SLEEP
}

const SLEEP: &[Foreign] = &[];

/// `sleep: 10s`: time passes on a worker.
#[derive(Debug)]
pub(crate) struct Sleep;

inline_schema!(Sleep, |generator| {
    let alone = generator.subschema_for::<SleepTime>();
    let full = generator.subschema_for::<SleepFile>();
    json_schema!({"anyOf": [alone, full]})
});

impl Read for Sleep {
    const TAKES: &'static str = SleepTime::TAKES;

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let Content::Map(_) = &node.content else {
            return SleepTime::read(node, key, faults).map(|_| Self);
        };
        let SleepFile { r#for: time } = SleepFile::read(node, key, faults)?;
        if time.is_none() {
            let fault = Fault::new(code::MISSING_KEY, node.extent, "`sleep` does not say how long");
            faults.push(fault.hint("add `for: 10s`"));
        }
        time.map(|_| Self)
    }
}

/// A duration, or a template that gives one.
#[derive(Debug)]
pub(crate) struct SleepTime;

inline_schema!(SleepTime, |generator| {
    let span = generator.subschema_for::<Duration>();
    json_schema!({"anyOf": [span, {"type": "string"}]})
});

impl Read for SleepTime {
    const TAKES: &'static str = "a duration such as `10s`, or a template that gives one";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let is_late = node.scalar().is_some_and(|scalar| is_template(&scalar.text));
        if is_late {
            return Some(Self);
        }
        Duration::read(node, key, faults).map(|_| Self)
    }
}

impl KindFile for Sleep {
    fn settings(node: &Node<'_>) -> Json {
        match &node.content {
            Content::Map(_) => node.to_json(),
            _ => json!({"for": node.to_json()}),
        }
    }
}

/// `emit: {key: value}`: outputs that are known, or worked out from others.
#[derive(Debug)]
pub(crate) struct Emit;

inline_schema!(Emit, |_generator| json_schema!({"type": "object"}));

impl Read for Emit {
    const TAKES: &'static str = "a mapping from the name of an output to its value";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::Map(_) => Some(Self),
            _ => wrong_type(node, key, faults),
        }
    }
}

impl KindFile for Emit {}
