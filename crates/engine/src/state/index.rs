//! The two indexes that make decisions cheap: what may start, and what is due when.
//!
//! Both are functions of runs and leases and are recomputed by the invariant check (S10).

use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::Bound::{Excluded, Unbounded};

use model::collections::HashMap;
use model::{ItemId, ItemKey, RunId, TaskId, TaskKey, Timestamp};

use super::ClassId;

/// The place of a task in the order in which ready work goes: the smaller first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadyKey {
    /// The run's priority, the task's priority, then its critical path; each inverted.
    pub urgency: u64,
    /// The run: the earlier one first.
    pub run: RunId,
    /// The task: the earlier one first.
    pub task: TaskId,
}

/// By class, the tasks with ready items and the items that wait for their next attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadyIndex {
    pub(crate) tasks: BTreeMap<ClassId, BTreeSet<ReadyKey>>,
    pub(crate) retries: BTreeMap<ClassId, BTreeSet<(Timestamp, ItemKey)>>,
    /// When each waiting item may be tried again: what `retries` is the order of.
    pub(crate) retry_at: HashMap<ItemKey, Timestamp>,
}

impl ReadyIndex {
    /// The tasks of a class with ready items, in order.
    pub fn tasks(&self, class: ClassId) -> impl Iterator<Item = &ReadyKey> {
        self.tasks.get(&class).into_iter().flatten()
    }

    /// The first task of a class.
    #[must_use]
    pub fn first_task(&self, class: ClassId) -> Option<ReadyKey> {
        self.tasks.get(&class)?.first().copied()
    }

    /// The task of a class that follows another.
    #[must_use]
    pub fn task_after(&self, class: ClassId, key: ReadyKey) -> Option<ReadyKey> {
        self.tasks.get(&class)?.range((Excluded(key), Unbounded)).next().copied()
    }

    /// The task of a class that follows all those of the same run and urgency.
    #[must_use]
    pub fn task_after_run(&self, class: ClassId, key: ReadyKey) -> Option<ReadyKey> {
        self.task_after(class, ReadyKey { task: TaskId(u32::MAX), ..key })
    }

    /// The items of a class whose next attempt may start at `now`, longest due first.
    pub fn due(&self, class: ClassId, now: Timestamp) -> impl Iterator<Item = ItemKey> + '_ {
        let waiting = self.retries.get(&class).into_iter().flatten();
        waiting.take_while(move |&&(at, _)| at <= now).map(|&(_, item)| item)
    }

    /// When the first item that is not due at `now` will be.
    #[must_use]
    pub fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let first = ItemKey { run: RunId(0), task: TaskId(0), item: ItemId(0) };
        let after = (Timestamp(now.0 + 1), first);
        self.retries.values().filter_map(|set| Some(set.range(after..).next()?.0)).min()
    }

    /// The classes that have anything.
    pub fn classes(&self) -> impl Iterator<Item = ClassId> + '_ {
        let tasks = self.tasks.keys().copied();
        let only_retries = |class: &ClassId| !self.tasks.contains_key(class);
        tasks.chain(self.retries.keys().copied().filter(only_retries))
    }

    pub(crate) fn insert(&mut self, class: ClassId, key: ReadyKey) {
        self.tasks.entry(class).or_default().insert(key);
    }

    pub(crate) fn remove(&mut self, class: ClassId, key: &ReadyKey) {
        remove_from(&mut self.tasks, class, key);
    }

    /// When an item that waits for its next attempt may be tried again.
    #[must_use]
    pub fn retry_at(&self, item: ItemKey) -> Option<Timestamp> {
        self.retry_at.get(&item).copied()
    }

    pub(crate) fn insert_retry(&mut self, class: ClassId, at: Timestamp, item: ItemKey) {
        self.retries.entry(class).or_default().insert((at, item));
        self.retry_at.insert(item, at);
    }

    pub(crate) fn remove_retry(&mut self, class: ClassId, item: ItemKey) {
        if let Some(at) = self.retry_at.remove(&item) {
            remove_from(&mut self.retries, class, &(at, item));
        }
    }
}

fn remove_from<V: Ord>(sets: &mut BTreeMap<ClassId, BTreeSet<V>>, class: ClassId, value: &V) {
    if let Some(set) = sets.get_mut(&class) {
        set.remove(value);
        if set.is_empty() {
            sets.remove(&class);
        }
    }
}

/// What fires at a time, apart from retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// A run has taken as long as it may.
    Run(RunId),
    /// An attempt has run for as long as it may.
    Attempt(ItemKey),
    /// A task has waited for as long as it may, or should.
    Wait(TaskKey),
}

/// All timers, in the order in which they fire.
pub type Timers = BTreeSet<(Timestamp, Timer)>;
