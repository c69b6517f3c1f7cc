//! Tasks that wait: for a person, for a signal, for time.

use std::borrow::Cow;

use model::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::expression::ExpressionText;
use super::values::{Duration, inline_schema};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Kind, Node};
use crate::read::{Placed, Read, choice, record, wrong_type};

record! {
    /// An approval.
    struct ApprovalFile("`approval`", "a mapping such as `{message: Deploy?, timeout: 1h}`") {
        /// What the person who decides reads. A template.
        message: Placed<String>,
        /// How long it waits. For ever if it is left out.
        timeout: Placed<Duration>,
        /// What nobody's answer in time is taken for. `fail` if it is left out.
        default: Placed<ApprovalDefault>,
    }
    foreign: super::foreign::WAITING
}

record! {
    /// A signal.
    struct SignalFile("`signal`", "a mapping such as `{timeout: 1h}`") {
        /// What is waited for, for people. A template.
        message: Placed<String>,
        /// How long it waits. For ever if it is left out.
        timeout: Placed<Duration>,
        /// What follows when no signal has come in time. `fail` if it is left out.
        default: Placed<SignalDefault>,
    }
    foreign: super::foreign::WAITING
}

choice! {
    /// What an approval is taken for that nobody gave in time.
    enum ApprovalDefault("`approve`, `reject` or `fail`") {
        /// It is approved.
        Approve = "approve",
        /// It is rejected.
        Reject = "reject",
        /// The task fails.
        Fail = "fail",
    }
}

choice! {
    /// What follows when no signal has come in time.
    enum SignalDefault("`continue` or `fail`") {
        /// As if it had come, without a value.
        Continue = "continue",
        /// The task fails.
        Fail = "fail",
    }
}

/// `approval: true`, `approval: Deploy?` or more.
#[derive(Debug, Default)]
pub(crate) struct Approval(pub ApprovalFile);

inline_schema!(Approval, |generator| {
    let full = generator.subschema_for::<ApprovalFile>();
    json_schema!({"anyOf": [{"const": true}, {"type": "string"}, full]})
});

impl Read for Approval {
    const TAKES: &'static str =
        "`true`, a text, or a mapping such as `{message: Deploy?, timeout: 1h}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::Map(_) => ApprovalFile::read(node, key, faults).map(Self),
            Content::Scalar(scalar) => match scalar.kind() {
                Kind::Bool(true) => Some(Self::default()),
                Kind::Text(_) => {
                    let message = Read::read(node, key, faults);
                    Some(Self(ApprovalFile { message, ..ApprovalFile::default() }))
                }
                _ => wrong_type(node, key, faults),
            },
            Content::List(_) => wrong_type(node, key, faults),
        }
    }
}

/// `signal: true`, or more.
#[derive(Debug, Default)]
pub(crate) struct Signal(pub SignalFile);

inline_schema!(Signal, |generator| {
    let full = generator.subschema_for::<SignalFile>();
    json_schema!({"anyOf": [{"const": true}, full]})
});

impl Read for Signal {
    const TAKES: &'static str = "`true`, or a mapping such as `{timeout: 1h}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::Map(_) => SignalFile::read(node, key, faults).map(Self),
            Content::Scalar(scalar) if scalar.kind() == Kind::Bool(true) => Some(Self::default()),
            _ => wrong_type(node, key, faults),
        }
    }
}

/// Time that passes.
#[derive(Debug)]
pub(crate) enum Wait {
    /// So long.
    For(Span),
    /// Until a time: RFC 3339, or an expression that gives one.
    Until(Placed<ExpressionText>),
}

inline_schema!(Wait, |generator| {
    let span = generator.subschema_for::<Duration>();
    json_schema!({
        "anyOf": [
            span,
            {
                "type": "object",
                "properties": {
                    "for": span,
                    "until": {
                        "description": "A time such as `2030-01-31T08:00:00Z`, or an expression.",
                        "type": ["string", "number"]
                    }
                },
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": false
            }
        ]
    })
});

impl Read for Wait {
    const TAKES: &'static str = "a duration such as `10m`, `{for: 10m}` or `{until: TIME}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let Content::Map(entries) = &node.content else {
            return Duration::read(node, key, faults).map(|span| Self::For(span.0));
        };
        if let Some(later) = entries.iter().find(|it| matches!(&*it.key, "file" | "http")) {
            let message = "waiting for a file or a page is not available in this version of \
                 Open-AutoGLM";
            let fault = Fault::new(code::NOT_AVAILABLE, later.key_extent, message);
            faults.push(fault.hint("write a `script` that looks, with `until` and `max_rounds`"));
            return None;
        }
        match entries.as_slice() {
            [only] if only.key == "for" => {
                Duration::read(&only.value, "for", faults).map(|span| Self::For(span.0))
            }
            [only] if only.key == "until" => {
                Read::read(&only.value, "until", faults).map(Self::Until)
            }
            _ => wrong_type(node, key, faults),
        }
    }
}
