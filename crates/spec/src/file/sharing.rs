//! What tasks of all runs share: locks, rates; and the time by which a task must have ended.

use std::borrow::Cow;

use model::shared::Unit;
use model::{Span, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::values::{Duration, Whole, inline_schema};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Node};
use crate::read::{Placed, Read, choice, mapping, read_text, record, wrong_type};
use crate::units;

/// How many may hold a lock, and how much may be spent, at most.
const COUNT_MAX: u64 = 1_000_000;

/// How much a budget may have: tokens are many.
const BUDGET_MAX: u64 = 1_000_000_000;

/// A number of holders, or an amount.
pub(crate) type Count = Whole<1, COUNT_MAX>;

/// Names, each with a number if one is written: `a`, `[a, b]` or `{a: 2, b: }`.
#[derive(Debug, Default)]
pub(crate) struct Counted(pub Vec<(Placed<String>, Option<Count>)>);

inline_schema!(Counted, |generator| {
    let count = generator.subschema_for::<Count>();
    json_schema!({
        "anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            {"type": "object", "additionalProperties": {"anyOf": [count, {"const": null}]}}
        ]
    })
});

impl Read for Counted {
    const TAKES: &'static str = "a name, a list of names, or a mapping from name to number";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let named = match &node.content {
            Content::List(items) => {
                let names = items.iter().filter_map(|item| Placed::read(item, key, faults));
                names.map(|name| (name, None)).collect()
            }
            Content::Map(entries) => {
                let mut named = Vec::with_capacity(entries.len());
                for entry in entries {
                    let name = Placed { value: entry.key.to_string(), extent: entry.key_extent };
                    let count = match entry.value.is_null() {
                        true => None,
                        false => Some(Whole::read(&entry.value, &entry.key, faults)?),
                    };
                    named.push((name, count));
                }
                named
            }
            Content::Scalar(_) => vec![(Placed::read(node, key, faults)?, None)],
        };
        Some(Self(named))
    }
}

record! {
    /// A budget that fills up again evenly.
    struct RateFile("a rate", "a mapping such as `{limit: 60, per: 1m}`") {
        /// How much there is at most, and may be spent in each `per`.
        limit: Placed<Whole<1, BUDGET_MAX>>,
        /// The time in which an empty budget fills up.
        per: Placed<Duration>,
        /// What is counted. Attempts if it is left out.
        unit: RateUnit,
    }
    foreign: super::foreign::RATE
}

choice! {
    /// What a budget counts.
    enum RateUnit("`attempts`, `requests` or `tokens`") {
        /// Attempts, each with the weight that its task gives it.
        Attempts = "attempts",
        /// Requests that attempts say in the end that they made.
        Requests = "requests",
        /// Tokens that attempts say in the end that they sent and received.
        Tokens = "tokens",
    }
}

impl RateUnit {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "" | "attempts" => Some(Self::Attempts),
            "requests" => Some(Self::Requests),
            "tokens" => Some(Self::Tokens),
            _ => None,
        }
    }
}

impl From<RateUnit> for Unit {
    fn from(unit: RateUnit) -> Self {
        match unit {
            RateUnit::Attempts => Self::Attempts,
            RateUnit::Requests => Self::Requests,
            RateUnit::Tokens => Self::Tokens,
        }
    }
}

/// `60/m`, `60000 tokens/m`, or a mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub limit: u32,
    pub per: Span,
    pub unit: Unit,
}

impl Rate {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{}` is no rate", text.escape_debug());
        let (limit, per) = text.split_once('/').ok_or_else(wrong)?;
        let limit = limit.trim();
        let digits = limit.bytes().take_while(u8::is_ascii_digit).count();
        let (limit, unit) = limit.split_at(digits);
        let unit = RateUnit::parse(unit.trim()).ok_or_else(wrong)?.into();
        let limit = limit.parse().map_err(|_| wrong())?;
        if !(1..=BUDGET_MAX).contains(&u64::from(limit)) {
            return Err(format!("the limit of a rate is a number from 1 to {BUDGET_MAX}"));
        }
        let per = per.trim();
        let per = match per.starts_with(|first: char| first.is_ascii_digit()) {
            _ if per.is_empty() => return Err(wrong()),
            true => units::duration(per),
            false => units::duration(&format!("1{}", short_unit(per))),
        };
        match per.map_err(|_| wrong())? {
            Span::ZERO => Err("the time of a rate is longer than nothing".to_owned()),
            per => Ok(Self { limit, per, unit }),
        }
    }
}

/// The short name of a unit of time that is written out.
fn short_unit(word: &str) -> &str {
    match word {
        "second" => "s",
        "minute" => "m",
        "hour" => "h",
        "day" => "d",
        "week" => "w",
        other => other,
    }
}

inline_schema!(Rate, |generator| {
    let full = generator.subschema_for::<RateFile>();
    json_schema!({
        "anyOf": [
            full,
            {
                "type": "string",
                "pattern": "^\\s*[0-9]+\\s*(attempts|requests|tokens)?\\s*/",
                "examples": ["60/m", "60000 tokens/m"]
            }
        ]
    })
});

impl Read for Rate {
    const TAKES: &'static str =
        "a text such as `60/m` or `60000 tokens/m`, or a mapping such as `{limit: 60, per: 1m}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let Content::Map(_) = &node.content else {
            return read_text(node, key, faults, (code::BAD_VALUE, Self::parse));
        };
        let before = faults.count();
        let RateFile { limit, per, unit } = RateFile::read(node, key, faults)?;
        let (Some(limit), Some(per)) = (limit, per) else {
            if faults.count() == before {
                let message = format!("the rate `{key}` needs a `limit` and a `per`");
                let fault = Fault::new(code::MISSING_KEY, node.extent, message);
                faults.push(fault.hint("write `{limit: 60, per: 1m}`, or `60/m`"));
            }
            return None;
        };
        if per.value.0 == Span::ZERO {
            let message = "the time of a rate is longer than nothing";
            faults.push(Fault::new(code::BAD_VALUE, per.extent, message));
            return None;
        }
        let unit = unit.map_or_else(Unit::default, Unit::from);
        Some(Self { limit: u32::try_from(limit.value.0).ok()?, per: per.value.0, unit })
    }
}

/// The rates of a file, by name; nothing for one that cannot be read, and is told.
#[derive(Debug, Default)]
pub(crate) struct Rates(pub Vec<(Placed<String>, Option<Rate>)>);

inline_schema!(Rates, |generator| {
    let rate = generator.subschema_for::<Rate>();
    json_schema!({"type": "object", "additionalProperties": rate})
});

impl Read for Rates {
    const TAKES: &'static str = "a mapping from name to rate, such as `{api: 60/m}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let rates = mapping::<Self>(node, key, faults)?.iter().map(|entry| {
            let name = Placed { value: entry.key.to_string(), extent: entry.key_extent };
            (name, Rate::read(&entry.value, &entry.key, faults))
        });
        Some(Self(rates.collect()))
    }
}

/// By when something must have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline(pub model::shared::Deadline);

inline_schema!(Deadline, |_generator| json_schema!({
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "examples": ["2h", "2030-01-31T08:00:00Z"]}
    ]
}));

impl Deadline {
    fn parse(text: &str) -> Result<Self, String> {
        use model::shared::Deadline as Of;
        let is_time = text.get(4..5) == Some("-");
        let deadline = match is_time {
            true => crate::instant::parse(text).map(Of::At)?,
            false => units::duration(text).map(Of::After)?,
        };
        match deadline {
            Of::After(Span::ZERO) => Err("a deadline is later than the beginning".to_owned()),
            Of::At(Timestamp(0)) => Err("this time is long past".to_owned()),
            other => Ok(Self(other)),
        }
    }
}

impl Read for Deadline {
    const TAKES: &'static str = "a duration such as `2h`, counted from the begin of the run, or a \
        time such as `2030-01-31T08:00:00Z`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::Scalar(_) => read_text(node, key, faults, (code::BAD_DURATION, Self::parse)),
            _ => wrong_type(node, key, faults),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_in_short() {
        let parse = |text: &str| Rate::parse(text).map(|rate| (rate.limit, rate.per)).ok();
        assert_eq!(parse("60/m"), Some((60, Span::secs(60))));
        assert_eq!(parse(" 5 / 10s "), Some((5, Span::secs(10))));
        assert_eq!(parse("1000/day"), Some((1_000, Span::secs(86_400))));
        assert_eq!(parse("1/100ms"), Some((1, Span::millis(100))));
        let unit = |text: &str| Rate::parse(text).map(|rate| (rate.limit, rate.unit)).ok();
        assert_eq!(unit("60000 tokens/m"), Some((60_000, Unit::Tokens)));
        assert_eq!(unit("600requests/m"), Some((600, Unit::Requests)));
        assert_eq!(unit("6 /m"), Some((6, Unit::Attempts)));
        for text in [
            "",
            "60",
            "60/",
            "/m",
            "0/m",
            "60/0s",
            "-1/m",
            "1/fortnight",
            "9999999999/s",
            "60 calls/m",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn deadlines_are_spans_or_times() {
        use model::shared::Deadline as Of;
        let parse = |text: &str| Deadline::parse(text).map(|deadline| deadline.0).ok();
        assert_eq!(parse("2h"), Some(Of::After(Span::secs(7_200))));
        assert_eq!(parse("90"), Some(Of::After(Span::secs(90))));
        let at = Of::At(Timestamp(951_825_600_000_000));
        assert_eq!(parse("2000-02-29T12:00:00Z"), Some(at));
        for text in ["", "0s", "tomorrow", "2030-02-30T00:00:00Z", "1970-01-01T00:00:00Z", "é2030"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
