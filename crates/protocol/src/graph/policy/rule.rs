//! Rules for retries, there and back.

use model::outcome::ErrorName;
use model::policy::{MemoryGrowth, Rule};
use prost::Message;

use crate::error::DecodeError;
use crate::noun::narrow;

/// A rule as its number, and what it names, if it names anything.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RuleForm {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(uint32, tag = "2")]
    detail: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GrowthForm {
    #[prost(uint32, tag = "1")]
    factor_milli: u32,
    #[prost(uint64, tag = "2")]
    max_bytes: u64,
}

pub(super) fn write(rule: Rule) -> RuleForm {
    let (kind, detail) = match rule {
        Rule::Any => (1, 0),
        Rule::Transient => (2, 0),
        Rule::TimeOut => (3, 0),
        Rule::Exit => (4, 0),
        Rule::Signal => (5, 0),
        Rule::OutOfMemory => (6, 0),
        Rule::Crash => (7, 0),
        Rule::Connection => (8, 0),
        Rule::Answer => (9, 0),
        Rule::Status(status) => (10, status.into()),
        Rule::StatusClass(class) => (11, class.into()),
        Rule::Raised(name) => (12, name.0),
    };
    RuleForm { kind, detail }
}

pub(super) fn read(form: RuleForm) -> Result<Rule, DecodeError> {
    let RuleForm { kind, detail } = form;
    Ok(match kind {
        1 => Rule::Any,
        2 => Rule::Transient,
        3 => Rule::TimeOut,
        4 => Rule::Exit,
        5 => Rule::Signal,
        6 => Rule::OutOfMemory,
        7 => Rule::Crash,
        8 => Rule::Connection,
        9 => Rule::Answer,
        10 => Rule::Status(narrow("HTTP status", detail)?),
        11 => Rule::StatusClass(narrow("class of HTTP statuses", detail)?),
        12 => Rule::Raised(ErrorName(detail)),
        _ => return Err(DecodeError::Number { what: "rule of a retry", number: kind.into() }),
    })
}

pub(super) const fn write_growth(growth: MemoryGrowth) -> GrowthForm {
    GrowthForm { factor_milli: growth.factor_milli, max_bytes: growth.max_bytes }
}

pub(super) fn read_growth(form: GrowthForm) -> Result<MemoryGrowth, DecodeError> {
    let GrowthForm { factor_milli, max_bytes } = form;
    if factor_milli <= 1_000 {
        return Err(DecodeError::Number { what: "growth of memory", number: factor_milli.into() });
    }
    Ok(MemoryGrowth { factor_milli, max_bytes })
}
