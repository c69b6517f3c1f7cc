//! What the planner may hand out besides the room of workers: of each limit, how much is left.
//!
//! A run's own limit is counted in attempts, a lock in holders, a breaker in trials, a budget in
//! microseconds of the time in which it fills. A breaker that is closed has no end of them, one that
//! is open none. Whoever asks for a lock or a budget may see another limit of the same
//! name than others do: the widest is what is handed out, and whoever sees a narrower one has to
//! leave the difference. Nobody sees a wider limit of a lock than those who hold it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use model::collections::HashMap;
use model::shared::{Lock, Shared};
use model::{RunId, Timestamp};
use scheduler::Draw;

use crate::state::{Run, Shares, cost};

/// What an allowance is left of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// How many attempts of a run may be leased at a time.
    Run(RunId),
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
    /// Each with what is left of a run's, and the widest limit of a shared one.
    list: Vec<(Key<'a>, u64)>,
    index: HashMap<Key<'a>, u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'a> {
    Run(RunId),
    Lock(&'a str),
    Budget(&'a str),
    Breaker(&'a str),
}

impl<'a> Allowances<'a> {
    /// The allowance of a run, if it has a limit.
    pub(super) fn of(&mut self, id: RunId, run: &Run) -> Option<u32> {
        let limit = run.admitted().concurrency?;
        Some(self.entry(Key::Run(id), u64::from(limit.saturating_sub(run.live()))))
    }

    /// Takes in the limits that a class sees.
    pub(super) fn widen(&mut self, shared: &'a Shared, seen: Seen<'_>) {
        for (key, limit, _) in parts(shared, seen) {
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
    pub(super) fn draws(&self, shared: &'a Shared, seen: Seen<'_>) -> Vec<Draw> {
        let draw = |(key, limit, cost)| {
            let allowance = self.index[&key];
            Draw { allowance, cost, reserve: self.list[allowance as usize].1 - limit }
        };
        parts(shared, seen).map(draw).collect()
    }

    /// How much there is of each.
    pub(super) fn finish(self, Seen { shares, now }: Seen<'_>) -> (Vec<u64>, Vec<Limit>) {
        let rest = |(key, limit): (Key<'_>, u64)| match key {
            Key::Run(run) => (limit, Limit::Run(run)),
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

/// Everything that is shared: what, its limit, and what an attempt takes of it.
fn parts<'a>(
    shared: &'a Shared,
    Seen { shares, now }: Seen<'_>,
) -> impl Iterator<Item = (Key<'a>, u64, u64)> {
    let lock = |lock: &'a Lock| (Key::Lock(&lock.name), u64::from(shares.limit(lock)), 1);
    let locks = shared.locks.iter().map(lock);
    let budgets = shared
        .budgets
        .iter()
        .map(|spending| (Key::Budget(&spending.name), spending.per.0, cost(spending).0));
    let breakers = shared.breakers.iter();
    let breakers =
        breakers.map(move |it| (Key::Breaker(&it.name), u64::from(shares.passes(it, now)), 1));
    locks.chain(budgets).chain(breakers)
}
