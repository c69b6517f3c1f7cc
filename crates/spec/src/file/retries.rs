//! `retry`: when an attempt that failed is followed by another, and what that one asks for.

use std::borrow::Cow;

use model::outcome::ErrorName;
use model::policy::{MemoryGrowth, Rule};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::foreign;
use super::values::{Duration, Memory, OneOrMany, Whole, inline_schema};
use crate::code;
use crate::diagnostic::Faults;
use crate::limits::{GROWTH_MAX, RETRIES_MAX};
use crate::node::{Content, Node};
use crate::read::{Placed, Read, read_text, record, wrong_type};
use crate::suggest::did_you_mean;

record! {
    /// When an attempt that failed is followed by another.
    struct RetryFile("`retry`", "a mapping such as `{limit: 3, backoff: 5s}`") {
        /// How many attempts may follow the first.
        limit: Whole<0, { RETRIES_MAX as u64 }>,
        /// The wait before the first retry; each further wait is twice as long. 1 s if left out.
        backoff: Placed<Duration>,
        /// No wait is longer than this. 5 min if left out.
        backoff_max: Placed<Duration>,
        /// Only these kinds of failures are followed by a retry: `any`, `transient`, `timeout`,
        /// `exit`, `signal`, `oom`, `crash`, `connection`, `answer`, a status of HTTP such as `429`
        /// or `5xx`, the name of an exception such as `ConnectionError`. What may pass by itself if
        /// it is left out.
        on: Placed<OneOrMany<RetryRule>>,
        /// These kinds of failures are never followed by a retry.
        never: Placed<OneOrMany<RetryRule>>,
        /// Only these exit codes are followed by a retry, besides what `on` names.
        exit_codes: OneOrMany<Whole<0, 255>>,
        /// These exit codes are never followed by a retry.
        not_exit_codes: OneOrMany<Whole<0, 255>>,
        /// How much more memory an attempt asks for that follows one which had not enough: `x2`, or
        /// more.
        memory: Placed<Growth>,
        /// How many attempts may follow one whose worker was lost. 16 if left out.
        loss_limit: Whole<0, { RETRIES_MAX as u64 }>,
    }
    foreign: foreign::RETRY
}

/// A kind of failure, as a file names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetryRule(pub Rule);

const WORDS: [(&str, Rule); 9] = [
    ("any", Rule::Any),
    ("transient", Rule::Transient),
    ("timeout", Rule::TimeOut),
    ("exit", Rule::Exit),
    ("signal", Rule::Signal),
    ("oom", Rule::OutOfMemory),
    ("crash", Rule::Crash),
    ("connection", Rule::Connection),
    ("answer", Rule::Answer),
];

impl RetryRule {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let word = WORDS.iter().find(|(word, _)| *word == text).map(|&(_, rule)| rule);
        if let Some(rule) = word.or_else(|| status(text)) {
            return Ok(Self(rule));
        }
        if is_error_name(text) {
            return Ok(Self(Rule::Raised(ErrorName::of(text))));
        }
        let meant = did_you_mean(text, WORDS.map(|(word, _)| word));
        let meant = meant.map_or_else(String::new, |meant| format!("; {meant}"));
        Err(format!("`{}` is no kind of failure{meant}", text.escape_debug()))
    }
}

/// `429`, `5xx`.
fn status(text: &str) -> Option<Rule> {
    if let Some(class) = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
        let class = class.parse().ok().filter(|class| (1..=5).contains(class));
        return class.map(Rule::StatusClass);
    }
    let status = text.parse().ok().filter(|status| (100..=599).contains(status));
    status.map(Rule::Status)
}

/// Whether a text names an error: `KeyError`, `package.module.Name`. A plain word in small letters
/// is rather a typing error.
fn is_error_name(text: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    let is_distinct = text.contains('.') || text.starts_with(|first: char| first.is_uppercase());
    is_distinct && text.split('.').all(is_part)
}

inline_schema!(RetryRule, |_generator| json_schema!({
    "anyOf": [
        {"enum": WORDS.map(|(word, _)| word)},
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": "^[1-5]xx$", "examples": ["5xx"]},
        {"type": "string", "pattern": "^(.*\\.|[A-Z])", "examples": ["ConnectionError"]}
    ]
}));

impl Read for RetryRule {
    const TAKES: &'static str = "`any`, `transient`, `timeout`, `exit`, `signal`, `oom`, `crash`, \
        `connection`, `answer`, a status such as `429` or `5xx`, or the name of an exception such \
        as `ConnectionError` or `package.module.Name`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        read_text(node, key, faults, (code::BAD_VALUE, Self::parse))
    }
}

record! {
    /// How memory grows from attempt to attempt.
    struct GrowthFile("`memory`", "a mapping such as `{factor: 2, max: 16Gi}`") {
        /// What the amount is multiplied with each time: more than 1. 2 if left out.
        factor: Placed<Factor>,
        /// No attempt asks for more than this.
        max: Placed<Memory>,
    }
    foreign: foreign::GROWTH
}

/// A factor in thousandths: more than 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Factor(pub u32);

impl Factor {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let milli = crate::units::cpu_milli(text.strip_prefix('x').unwrap_or(text));
        let milli = milli.ok().and_then(|milli| u32::try_from(milli).ok());
        let milli = milli.filter(|milli| (1_001..=GROWTH_MAX * 1_000).contains(milli));
        let milli = milli.ok_or_else(|| {
            format!("`{}` is no factor above 1 and up to {GROWTH_MAX}", text.escape_debug())
        });
        milli.map(Self)
    }
}

inline_schema!(Factor, |_generator| json_schema!({
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 1, "maximum": GROWTH_MAX},
        {"type": "string", "pattern": "^x[0-9.]+$", "examples": ["x2"]}
    ]
}));

impl Read for Factor {
    const TAKES: &'static str = "a factor such as `2`, `1.5` or `x2`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        read_text(node, key, faults, (code::BAD_VALUE, Self::parse))
    }
}

/// `x2`, or `{factor: 2, max: 16Gi}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Growth(pub MemoryGrowth);

/// What memory is multiplied with if a file does not say.
const TWICE_MILLI: u32 = 2_000;

inline_schema!(Growth, |generator| {
    let full = generator.subschema_for::<GrowthFile>();
    let factor = generator.subschema_for::<Factor>();
    json_schema!({"anyOf": [full, factor]})
});

impl Read for Growth {
    const TAKES: &'static str =
        "a factor such as `x2`, or a mapping such as `{factor: 2, max: 16Gi}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::Map(_) => {
                let GrowthFile { factor, max } = GrowthFile::read(node, key, faults)?;
                let growth = MemoryGrowth {
                    factor_milli: factor.map_or(TWICE_MILLI, |factor| factor.value.0),
                    max_bytes: max.map_or(u64::MAX, |max| max.value.0),
                };
                Some(Self(growth))
            }
            Content::Scalar(_) if !node.is_null() => {
                let Factor(factor_milli) = Factor::read(node, key, faults)?;
                Some(Self(MemoryGrowth { factor_milli, max_bytes: u64::MAX }))
            }
            _ => wrong_type(node, key, faults),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_failures_as_files_name_them() {
        let parse = |text: &str| RetryRule::parse(text).map(|rule| rule.0).ok();
        assert_eq!(parse("oom"), Some(Rule::OutOfMemory));
        assert_eq!(
            (parse("429"), parse("5xx")),
            (Some(Rule::Status(429)), Some(Rule::StatusClass(5)))
        );
        let named = |name: &str| Some(Rule::Raised(ErrorName::of(name)));
        for name in ["ConnectionError", "socket.timeout", "a.b_1.Busy", "Überlauf"] {
            assert_eq!(parse(name), named(name), "{name}");
        }
        for text in ["", "timeouts", "99", "600", "6xx", "a b.C", "1.Name", "Name.", "-1"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert!(RetryRule::parse("timeot").unwrap_err().contains("did you mean `timeout`"));
    }

    #[test]
    fn factors_are_more_than_one() {
        let parse = |text: &str| Factor::parse(text).map(|factor| factor.0).ok();
        assert_eq!(["x2", "1.5", "x 3"].map(parse), [Some(2_000), Some(1_500), Some(3_000)]);
        for text in ["", "x", "1", "x1.0", "0.5", "1000", "-2", "2x", "500m"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
