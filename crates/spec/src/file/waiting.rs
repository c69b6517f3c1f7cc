//! Tasks that wait: for a person, for a signal, for time.

use std::borrow::Cow;

use model::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::expression::ExpressionText;
use super::values::{Duration, Whole, inline_schema};
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

record! {
    /// What is waited for: one of `for`, `until`, `file` and `http`.
    struct WaitFile("`wait`", "a mapping such as `{for: 10m}`") {
        /// How long.
        r#for: Duration,
        /// Until when: a time such as `2030-01-31T08:00:00Z`, or an expression that gives one.
        until: Placed<ExpressionText>,
        /// Until this file is there, relative to where the task starts. A template.
        file: Placed<String>,
        /// Until this address answers. A template.
        http: Placed<String>,
        /// What it has to answer. 200 if it is left out.
        status: Placed<Whole<100, 599>>,
        /// How long after one look comes the next. 5 s if it is left out.
        every: Placed<Duration>,
        /// How long it looks. For ever if it is left out.
        timeout: Placed<Duration>,
    }
    foreign: super::foreign::WAIT
}

/// Time that passes, or something that comes.
#[derive(Debug)]
pub(crate) enum Wait {
    /// So long.
    For(Span),
    /// Until a time: RFC 3339, or an expression that gives one.
    Until(Placed<ExpressionText>),
    /// Until something is there: a worker looks again and again.
    Look(Look),
}

/// What is looked for.
#[derive(Debug)]
pub(crate) struct Look {
    /// A path or an address.
    pub at: Placed<String>,
    /// What an address has to answer; nothing for a path.
    pub status: Option<u64>,
    pub every: Span,
    pub timeout: Option<Placed<Duration>>,
}

inline_schema!(Wait, |generator| {
    let span = generator.subschema_for::<Duration>();
    let full = generator.subschema_for::<WaitFile>();
    json_schema!({"anyOf": [span, full]})
});

impl Read for Wait {
    const TAKES: &'static str =
        "a duration such as `10m`, or a mapping with `for`, `until`, `file` or `http`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        const EVERY: Duration = Duration(Span::secs(5));
        let Content::Map(_) = &node.content else {
            return Duration::read(node, key, faults).map(|span| Self::For(span.0));
        };
        let before = faults.count();
        let WaitFile { r#for: span, until, file, http, status, every, timeout } =
            WaitFile::read(node, key, faults)?;
        let for_looks = [
            ("every", every.as_ref().map(|every| every.extent), file.is_some() || http.is_some()),
            ("timeout", timeout.as_ref().map(|it| it.extent), file.is_some() || http.is_some()),
            ("status", status.as_ref().map(|status| status.extent), http.is_some()),
        ];
        for (key, extent) in for_looks
            .into_iter()
            .filter_map(|(key, extent, is_known)| Some((key, extent.filter(|_| !is_known)?)))
        {
            let message = format!("`{key}` does not go with what is waited for");
            faults.push(Fault::new(code::CONFLICT, extent, message));
        }
        let look = |at, status| Look {
            at,
            status,
            every: every.as_ref().map_or(EVERY, |every| every.value).0.max(Span::millis(100)),
            timeout: timeout.clone(),
        };
        let status = status.map_or(200, |status| status.value.0);
        match (span, until, file, http) {
            (Some(span), None, None, None) => Some(Self::For(span.0)),
            (None, Some(until), None, None) => Some(Self::Until(until)),
            (None, None, Some(file), None) => Some(Self::Look(look(file, None))),
            (None, None, None, Some(http)) => Some(Self::Look(look(http, Some(status)))),
            _ if faults.count() == before => {
                let message = "`wait` waits for one thing: `for`, `until`, `file` or `http`";
                faults.push(Fault::new(code::CONFLICT, node.extent, message));
                None
            }
            _ => None,
        }
    }
}
