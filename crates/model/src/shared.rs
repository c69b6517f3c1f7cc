//! What attempts of all runs share: named locks, named budgets, named circuit breakers.
//!
//! Vocabulary only. Who may have what, and when, is decided in the engine; files say the names.

use alloc::boxed::Box;

use crate::outcome::{Failure, Outcome, Spent, Unreached};
use crate::{Span, Timestamp};

/// How an attempt ends that found less at the other side than it asked for.
const REFUSED: Outcome = Outcome::Failed(Failure::Status(429));

/// What an attempt takes of what all runs share, besides what it takes of its worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shared {
    /// Held from its lease to its end, sorted by name, each name once.
    pub locks: Box<[Lock]>,
    /// Spent when it is leased, sorted by name, each name once.
    pub budgets: Box<[Spending]>,
    /// Kept to while it is leased, sorted by name, each name once.
    pub breakers: Box<[Breaker]>,
}

impl Shared {
    /// Whether nothing is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.locks.is_empty() && self.budgets.is_empty() && self.breakers.is_empty()
    }
}

/// A mutex, or a semaphore: at most so many attempts hold the name at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lock {
    /// Which.
    pub name: Box<str>,
    /// How many may hold it at a time, this one included, at least 1. Files that say different
    /// numbers of the same name each keep their own.
    pub holders_max: u32,
}

/// What is spent of a budget that fills up again evenly, up to its limit: a token bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spending {
    /// Which.
    pub name: Box<str>,
    /// What is counted.
    pub unit: Unit,
    /// How much one attempt takes, from 1 to `limit`. Where an attempt says in the end what it
    /// spent, that is set right then: this is what is reserved for it.
    pub amount: u32,
    /// How much there is at most, and may be spent in each `per`.
    pub limit: u32,
    /// The time in which an empty budget fills up. Not zero.
    pub per: Span,
}

impl Spending {
    /// What an attempt that ended so and spent this is charged; `None` if what was reserved stands:
    /// because that is known from the beginning, or because it says nothing.
    ///
    /// Who was refused gets nothing back: the other side had less than was thought, and the next
    /// one would ask in vain, too.
    #[must_use]
    pub fn charged(&self, outcome: Outcome, spent: Spent) -> Option<u64> {
        let charged = match self.unit {
            Unit::Attempts => return None,
            _ if spent == Spent::NOTHING => return None,
            Unit::Requests => spent.requests.into(),
            Unit::Tokens => spent.tokens(),
        };
        let least = if outcome == REFUSED { self.amount.into() } else { 0 };
        Some(charged.max(least))
    }
}

/// What a budget counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Attempts, each with the weight that its file gives it. Known when it is leased.
    #[default]
    Attempts,
    /// Requests, as an attempt says in the end.
    Requests,
    /// Tokens, there and back, as an attempt says in the end.
    Tokens,
}

/// A circuit breaker: it opens when what it stands for has failed several times in a row, and
/// nobody tries until it has been left alone for a while.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Breaker {
    /// Which. Files that say different settings of the same name each keep their own.
    pub name: Box<str>,
    /// After how many failures in a row it opens, at least 1.
    pub failures: u32,
    /// For how long it opens at first. Each time that a trial fails it is twice as long. Not zero.
    pub open: Span,
    /// It is not open for longer than this at a time. Not less than `open`.
    pub open_max: Span,
    /// How many attempts may try at a time whether it may close again, at least 1.
    pub trials: u32,
    /// Whether every failure counts that may pass, and not only those that are plainly of what
    /// the breaker stands for.
    pub counts_transient: bool,
}

/// What the end of an attempt says of what its breaker stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sign {
    /// It works: it did its work, or told what is wrong with what it was asked.
    Works,
    /// It does not.
    Fails,
    /// Nothing.
    Nothing,
}

impl Breaker {
    /// What such an end says.
    #[must_use]
    pub const fn sign(&self, outcome: Outcome) -> Sign {
        let failure = match outcome {
            Outcome::Succeeded => return Sign::Works,
            Outcome::TimedOut => return Sign::Fails,
            Outcome::Failed(failure) => failure,
            Outcome::Cancelled | Outcome::Terminated | Outcome::Preempted | Outcome::Lost => {
                return Sign::Nothing;
            }
        };
        match failure {
            Failure::Crashed => Sign::Fails,
            Failure::Unreachable(how) if !matches!(how, Unreached::Insecure) => Sign::Fails,
            Failure::Status(408 | 500..=599) => Sign::Fails,
            // Too many requests, or too early: it is there.
            Failure::Status(_) | Failure::Answer => Sign::Works,
            _ if self.counts_transient && failure.is_transient() => Sign::Fails,
            _ => Sign::Nothing,
        }
    }

    /// For how long it opens when it has been opened `times` times without closing.
    #[must_use]
    pub fn open_for(&self, times: u8) -> Span {
        let doubled = 1_u64.checked_shl(times.into()).unwrap_or(u64::MAX);
        Span(self.open.0.saturating_mul(doubled).min(self.open_max.0))
    }
}

/// By when a task must have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deadline {
    /// So long after its run was admitted, or opened anew.
    After(Span),
    /// At this time.
    At(Timestamp),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::ErrorName;

    fn breaker(counts_transient: bool) -> Breaker {
        let (open, open_max) = (Span::secs(30), Span::secs(100));
        Breaker { name: "api".into(), failures: 5, open, open_max, trials: 1, counts_transient }
    }

    #[test]
    fn a_breaker_counts_what_is_of_its_dependency() {
        let raised = Failure::Raised(ErrorName::of("ValueError"));
        let failures = [
            Failure::Status(503),
            Failure::Status(429),
            Failure::Status(404),
            raised,
            Failure::Exit(1),
        ];
        let signs = |breaker: &Breaker| failures.map(|it| breaker.sign(Outcome::Failed(it)));
        use Sign::{Fails, Nothing, Works};
        assert_eq!(signs(&breaker(false)), [Fails, Works, Works, Nothing, Nothing]);
        assert_eq!(signs(&breaker(true)), [Fails, Works, Works, Fails, Fails]);
        let ends = [Outcome::Succeeded, Outcome::TimedOut, Outcome::Lost, Outcome::Cancelled];
        assert_eq!(ends.map(|it| breaker(true).sign(it)), [Works, Fails, Nothing, Nothing]);
    }

    #[test]
    fn each_opening_is_twice_as_long_up_to_the_cap() {
        let spans = [0, 1, 2, 200].map(|times| breaker(false).open_for(times));
        assert_eq!(spans, [30, 60, 100, 100].map(Span::secs));
    }
}
