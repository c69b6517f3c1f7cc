//! What the facts so far have made: the durable part of the coordinator.
//!
//! Everyone may read it; only `apply` writes it, through the methods here that keep the indexes
//! true. It holds no connection, no deadline of a session, and nothing that is not a function of
//! the facts.

mod change;
mod changes;
mod circuit;
mod class;
mod durations;
mod fan;
mod gang;
mod index;
mod item;
mod lease;
mod run;
mod shares;
mod tally;
mod task;
mod worker;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};

use model::collections::HashMap;
use model::outcome::{Outcome, Totals};
use model::shared::Sign;
use model::{Digest, Epoch, ItemKey, Request, RunId, Seq, TaskKey, Timestamp, VariantId, WorkerId};

pub(crate) use changes::{Change, Changes};
pub use circuit::{Circuit, Stand};
pub use class::{Class, ClassId, Classes};
pub(crate) use durations::Durations;
pub use fan::Fan;
pub(crate) use index::Waiting;
pub use index::{ReadyIndex, Timer, Timers};
pub use item::Item;
pub use lease::Lease;
pub use run::Run;
pub(crate) use run::{is_trouble, loops};
pub(crate) use shares::excess;
pub use shares::{Shares, cost};
pub use tally::Tally;
pub use task::Task;
pub(crate) use task::{Fate, MARKED};
pub use worker::{DeviceUse, Worker};

/// The state after some fact.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) last: Seq,
    pub(crate) at: Timestamp,
    pub(crate) epoch: Epoch,
    pub(crate) next_run: RunId,
    pub(crate) next_worker: WorkerId,
    pub(crate) classes: Classes,
    /// What the work of each workflow took of late.
    pub(crate) durations: Durations,
    pub(crate) runs: BTreeMap<RunId, Run>,
    pub(crate) by_key: HashMap<Digest, RunId>,
    /// Runs that have ended, oldest first.
    pub(crate) ended: VecDeque<RunId>,
    pub(crate) workers: BTreeMap<WorkerId, Worker>,
    /// Those that are not gone, by the names of their nodes.
    pub(crate) by_name: HashMap<Box<str>, WorkerId>,
    pub(crate) leases: HashMap<ItemKey, Lease>,
    pub(crate) shares: Shares,
    /// What the attempts of each tenant's runs spent.
    pub(crate) spent: BTreeMap<Box<str>, Totals>,
    pub(crate) ready: ReadyIndex,
    pub(crate) timers: Timers,
    /// What the planner is still to be told of; no part of what facts have made.
    pub(crate) changes: Changes,
}

impl State {
    /// The sequence number of the last fact; 0 before the first.
    #[must_use]
    pub const fn last(&self) -> Seq {
        self.last
    }

    /// The time of the last fact.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The newest leader's term.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// A run that is not forgotten.
    #[must_use]
    pub fn run(&self, run: RunId) -> Option<&Run> {
        self.runs.get(&run)
    }

    /// All runs that are not forgotten, ascending.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = (RunId, &Run)> {
        self.runs.iter().map(|(&id, run)| (id, run))
    }

    /// Runs that have ended and are not forgotten, oldest end first.
    pub fn ended(&self) -> impl ExactSizeIterator<Item = RunId> + '_ {
        self.ended.iter().copied()
    }

    /// The run that was submitted with this idempotency key.
    #[must_use]
    pub fn run_by_key(&self, key: &Digest) -> Option<RunId> {
        self.by_key.get(key).copied()
    }

    /// All workers that are not forgotten, ascending.
    pub fn workers(&self) -> impl Iterator<Item = (WorkerId, &Worker)> {
        self.workers.iter().map(|(&id, worker)| (id, worker))
    }

    /// A worker that is not forgotten.
    #[must_use]
    pub fn worker(&self, worker: WorkerId) -> Option<&Worker> {
        self.workers.get(&worker)
    }

    /// The worker of a node that is not gone.
    #[must_use]
    pub fn worker_named(&self, name: &str) -> Option<(WorkerId, &Worker)> {
        let id = *self.by_name.get(name)?;
        Some((id, self.workers.get(&id)?))
    }

    /// The lease under which an item is held now.
    #[must_use]
    pub fn lease(&self, item: ItemKey) -> Option<&Lease> {
        self.leases.get(&item)
    }

    /// How many leases are live.
    #[must_use]
    pub fn lease_count(&self) -> usize {
        self.leases.len()
    }

    /// What requests have been seen.
    #[must_use]
    pub const fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Who holds which lock, and how much of each budget is spent.
    #[must_use]
    pub const fn shares(&self) -> &Shares {
        &self.shares
    }

    /// What the attempts of the runs of each tenant spent, by tenant; those that spent nothing are
    /// missing.
    pub fn spent(&self) -> impl Iterator<Item = (&str, Totals)> {
        self.spent.iter().map(|(tenant, &totals)| (&**tenant, totals))
    }

    /// Whether nothing is left to do in any run.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.runs.len() == self.ended.len()
    }

    /// Whether such an end is that of a trial which opens its breaker again. It says little of the
    /// item, and is counted as a loss.
    pub(crate) fn is_failed_trial(&self, item: ItemKey, outcome: Outcome) -> bool {
        let Some(lease) = self.leases.get(&item) else { return false };
        let mut breakers = self.classes.get(lease.class).shared.breakers.iter();
        breakers.any(|breaker| {
            breaker.sign(outcome) == Sign::Fails && self.shares.is_trial(&breaker.name, item)
        })
    }

    /// The first way, from one on, to do what a class stands for that no breaker keeps from being
    /// tried now; the one that was asked about if there is none. A way that is not there is the
    /// first.
    pub(crate) fn way(&self, class: ClassId, from: VariantId, now: Timestamp) -> VariantId {
        let is_there = usize::from(from.0) <= self.classes.get(class).others.len();
        let from = if is_there { from } else { VariantId::default() };
        self.open_way(class, from, now).unwrap_or(from)
    }

    /// The first way, from one on, that no breaker keeps from being tried now.
    pub(crate) fn open_way(
        &self,
        class: ClassId,
        from: VariantId,
        now: Timestamp,
    ) -> Option<VariantId> {
        let ways = self.classes.get(class).others.len();
        let ways = (usize::from(from.0)..=ways).filter_map(|way| u8::try_from(way).ok());
        let is_open = |way: &VariantId| {
            let shared = &self.classes.get(self.classes.variant(class, *way)).shared;
            self.shares.lets_try(&shared.breakers, now)
        };
        ways.map(VariantId).find(is_open)
    }

    /// Makes the class of what an item of a task asks for after so many growths.
    pub(crate) fn intern_grown(&mut self, key: TaskKey, growths: u8) {
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        let place = (run.graph.policy_index(key.task), growths);
        if growths == 0 || run.grown.contains_key(&place) {
            return;
        }
        let policy = run.graph.policy(key.task);
        let class = self.classes.intern(policy, |request| {
            let memory_bytes = policy
                .retry
                .memory
                .map_or(request.memory_bytes, |growth| growth.grown(request.memory_bytes, growths));
            Request { memory_bytes, ..request.clone() }
        });
        run.grown.insert(place, class);
    }

    /// Puts a task into the ready index if it has ready items, and takes it out if it has none.
    pub(crate) fn index_task(&mut self, key: TaskKey) {
        let Some(run) = self.runs.get(&key.run) else { return };
        self.changes.push(Change::Task(key));
        let class = run.class(key.task);
        if run.ready_items(key.task) > 0 {
            self.ready.insert(class, key);
        } else {
            self.ready.remove(class, key);
        }
    }
}
