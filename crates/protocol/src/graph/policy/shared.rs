//! What attempts take of what all runs share, there and back.

use model::Span;
use model::shared::{Breaker, Lock, Spending, Unit};
use prost::Message;

use crate::error::DecodeError;
use crate::noun::Numbered;

#[derive(Clone, PartialEq, Message)]
pub(super) struct LockForm {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    holders_max: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SpendingForm {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    amount: u32,
    #[prost(uint32, tag = "3")]
    limit: u32,
    #[prost(uint64, tag = "4")]
    per_us: u64,
    /// 0 for attempts.
    #[prost(uint32, tag = "5")]
    unit: u32,
}

impl SpendingForm {
    /// Whether what is reserved is set right in the end.
    pub(super) fn settles(&self) -> bool {
        self.unit != Unit::Attempts.number()
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct BreakerForm {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    failures: u32,
    #[prost(uint64, tag = "3")]
    open_us: u64,
    #[prost(uint64, tag = "4")]
    open_max_us: u64,
    #[prost(uint32, tag = "5")]
    trials: u32,
    #[prost(bool, tag = "6")]
    counts_transient: bool,
}

pub(super) fn write_lock(lock: &Lock) -> LockForm {
    LockForm { name: lock.name.to_string(), holders_max: lock.holders_max }
}

pub(super) fn read_lock(form: LockForm) -> Result<Lock, DecodeError> {
    let LockForm { name, holders_max } = form;
    if holders_max == 0 {
        return Err(DecodeError::Number { what: "holders of a lock", number: 0 });
    }
    Ok(Lock { name: name.into_boxed_str(), holders_max })
}

pub(super) fn write_spending(spending: &Spending) -> SpendingForm {
    let Spending { name, unit, amount, limit, per } = spending;
    let unit = unit.number();
    SpendingForm { name: name.to_string(), unit, amount: *amount, limit: *limit, per_us: per.0 }
}

pub(super) fn read_spending(form: SpendingForm) -> Result<Spending, DecodeError> {
    let SpendingForm { name, unit, amount, limit, per_us } = form;
    if !(1..=limit).contains(&amount) || per_us == 0 {
        return Err(DecodeError::Number { what: "amount of a budget", number: amount.into() });
    }
    let (name, unit) = (name.into_boxed_str(), Unit::from_number(unit)?);
    Ok(Spending { name, unit, amount, limit, per: Span(per_us) })
}

pub(super) fn write_breaker(breaker: &Breaker) -> BreakerForm {
    let Breaker { name, failures, open, open_max, trials, counts_transient } = breaker;
    BreakerForm {
        name: name.to_string(),
        failures: *failures,
        open_us: open.0,
        open_max_us: open_max.0,
        trials: *trials,
        counts_transient: *counts_transient,
    }
}

pub(super) fn read_breaker(form: BreakerForm) -> Result<Breaker, DecodeError> {
    let BreakerForm { name, failures, open_us, open_max_us, trials, counts_transient } = form;
    if failures == 0 || trials == 0 || !(1..=open_max_us).contains(&open_us) {
        return Err(DecodeError::Number { what: "time of a breaker", number: open_us });
    }
    let (open, open_max) = (Span(open_us), Span(open_max_us));
    Ok(Breaker { name: name.into_boxed_str(), failures, open, open_max, trials, counts_transient })
}
