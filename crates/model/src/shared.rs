//! What attempts of all runs share: named locks and named budgets.
//!
//! Vocabulary only. Who may have what, and when, is decided in the engine; files say the names.

use alloc::boxed::Box;

use crate::{Span, Timestamp};

/// What an attempt takes of what all runs share, besides what it takes of its worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shared {
    /// Held from its lease to its end, sorted by name, each name once.
    pub locks: Box<[Lock]>,
    /// Spent when it is leased, sorted by name, each name once.
    pub budgets: Box<[Spending]>,
}

impl Shared {
    /// Whether nothing is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.locks.is_empty() && self.budgets.is_empty()
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
    /// How much one attempt takes, from 1 to `limit`.
    pub amount: u32,
    /// How much there is at most, and may be spent in each `per`.
    pub limit: u32,
    /// The time in which an empty budget fills up. Not zero.
    pub per: Span,
}

/// By when a task must have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deadline {
    /// So long after its run was admitted, or opened anew.
    After(Span),
    /// At this time.
    At(Timestamp),
}
