//! What the planner may hand out besides the room of workers: of each limit, how much is left.
//!
//! A lock is counted in holders, a breaker in trials, a budget in
//! microseconds of the time in which it fills. A closed breaker has no end of trials, an open one
//! has none. Whoever asks for a lock or a budget may see another limit of the same
//! name than others do: the widest is what is handed out, and whoever sees a narrower one has to
//! leave the difference. Nobody sees a wider limit of a lock than those who hold it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use model::Timestamp;
use model::collections::HashMap;
use model::shared::{Lock, Shared, Spending};
use scheduler::{AllowanceId, Draw};

use crate::state::{Shares, cost, excess};

/// What an allowance is left of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// How many may hold a lock.
    Lock(Box<str>),
    /// How much of a budget may be spent.
    Budget(Box<str>),
    /// How many may try a breaker.
    Breaker(Box<str>),
}

/// The allowances of a problem as they are collected.
#[derive(Default)]
pub(super) struct Allowances<'a> {
    /// Each with its widest limit.
    list: Vec<(Key<'a>, u64)>,
    index: HashMap<Key<'a>, u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'a> {
    Lock(&'a str),
    Budget(&'a str),
    Breaker(&'a str),
}

impl<'a> Allowances<'a> {
    /// Takes in the limits that a class sees.
    pub(super) fn widen(&mut self, shared: &'a Shared, seen: Seen<'_>) {
        for (key, limit, ..) in parts(shared, seen) {
            let index = self.entry(key, limit) as usize;
            self.list[index].1 = self.list[index].1.max(limit);
        }
    }

    fn entry(&mut self, key: Key<'a>, value: u64) -> u32 {
        let next = u32::try_from(self.list.len()).expect("at most one a group");
        let index = *self.index.entry(key).or_insert(next);
        if index == next {
            self.list.push((key, value));
        }
        index
    }

    /// What each item of a class takes, once all limits have been taken in.
    pub(super) fn draws(&self, shared: &'a Shared, seen: Seen<'_>) -> Box<[Draw]> {
        let draw = |(key, limit, Cost { cost, excess, most })| {
            let allowance = self.index[&key];
            let reserve = self.list[allowance as usize].1 - limit;
            Draw { allowance: AllowanceId(allowance), cost, excess, reserve, most }
        };
        parts(shared, seen).map(draw).collect()
    }

    /// How much there is of each.
    pub(super) fn finish(self, Seen { shares, now }: Seen<'_>) -> (Vec<u64>, Vec<Limit>) {
        let rest = |(key, limit): (Key<'_>, u64)| match key {
            Key::Lock(name) => {
                (limit.saturating_sub(u64::from(shares.held(name))), Limit::Lock(name.into()))
            }
            Key::Budget(name) => {
                (limit.saturating_sub(shares.backlog(name, now).0), Limit::Budget(name.into()))
            }
            Key::Breaker(name) => {
                (limit.saturating_sub(u64::from(shares.trying(name))), Limit::Breaker(name.into()))
            }
        };
        self.list.into_iter().map(rest).unzip()
    }
}

/// What is shared, at a time.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) shares: &'a Shares,
    pub(super) now: Timestamp,
}

/// What an attempt takes, as in [`Draw`].
struct Cost {
    cost: u64,
    excess: (u64, u64),
    most: u32,
}

impl Cost {
    /// One of what is counted, of which so many may be taken at most.
    const fn one(most: u32) -> Self {
        Self { cost: 1, excess: (0, 1), most }
    }

    fn of(spending: &Spending) -> Self {
        let most = spending.limit.checked_div(spending.amount).unwrap_or(u32::MAX);
        Self { cost: cost(spending).0, excess: excess(spending), most }
    }
}

/// Everything that is shared: what, its limit, and what an attempt takes of it.
fn parts<'a>(
    shared: &'a Shared,
    Seen { shares, now }: Seen<'_>,
) -> impl Iterator<Item = (Key<'a>, u64, Cost)> {
    let lock = |lock: &'a Lock| {
        (Key::Lock(&lock.name), u64::from(shares.limit(lock)), Cost::one(lock.holders_max))
    };
    let locks = shared.locks.iter().map(lock);
    let budgets = shared.budgets.iter();
    let budgets = budgets.map(|it| (Key::Budget(&it.name), it.per.0, Cost::of(it)));
    let breakers = shared.breakers.iter();
    let breakers = breakers.map(move |it| {
        (Key::Breaker(&it.name), u64::from(shares.passes(it, now)), Cost::one(u32::MAX))
    });
    locks.chain(budgets).chain(breakers)
}
