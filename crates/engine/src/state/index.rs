//! The two indexes that make decisions cheap: what may start, and what is due when.
//!
//! Both are functions of runs and leases and are recomputed by the invariant check (S10).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use model::collections::HashMap;
use model::{ItemId, ItemKey, RunId, TaskId, TaskKey, Timestamp, VariantId};

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
    pub(crate) retries: BTreeMap<ClassId, Retries>,
    /// When each waiting item may be tried again, and in which way, or one after it.
    pub(crate) waiting: HashMap<ItemKey, (Timestamp, VariantId)>,
    /// The same, in the order of time.
    dues: BTreeSet<(Timestamp, ItemKey)>,
}

/// The items of a class that wait for their next attempt: by task, each longest due first.
pub(crate) type Retries = BTreeMap<ReadyKey, BTreeSet<(Timestamp, ItemId)>>;

impl ReadyIndex {
    /// The tasks of a class with ready items, in order.
    pub fn tasks(&self, class: ClassId) -> impl Iterator<Item = &ReadyKey> {
        self.tasks.get(&class).into_iter().flatten()
    }

    /// When the first item that is not due at `now` will be.
    #[must_use]
    pub fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let first = ItemKey { run: RunId(0), task: TaskId(0), item: ItemId(0) };
        self.dues.range((Timestamp(now.0 + 1), first)..).next().map(|&(at, _)| at)
    }

    /// The items that become due after one time, and not after another.
    pub(crate) fn due_between(
        &self,
        after: Timestamp,
        until: Timestamp,
    ) -> impl Iterator<Item = ItemKey> + '_ {
        let first = ItemKey { run: RunId(0), task: TaskId(0), item: ItemId(0) };
        let from = (Timestamp(after.0 + 1), first);
        let to = (Timestamp(until.0 + 1), first);
        let due = (after < until).then(|| self.dues.range(from..to)).into_iter().flatten();
        due.map(|&(_, item)| item)
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
        let Some(set) = self.tasks.get_mut(&class) else { return };
        set.remove(key);
        if set.is_empty() {
            self.tasks.remove(&class);
        }
    }

    /// When an item that waits for its next attempt may be tried again.
    #[must_use]
    pub fn retry_at(&self, item: ItemKey) -> Option<Timestamp> {
        self.waiting.get(&item).map(|&(at, _)| at)
    }

    /// The first of the ways in which an item that waits for its next attempt may be done.
    pub(crate) fn first_way(&self, item: ItemKey) -> VariantId {
        self.waiting.get(&item).map_or(VariantId::default(), |&(_, variant)| variant)
    }

    pub(crate) fn insert_retry(
        &mut self,
        (class, key): (ClassId, ReadyKey),
        item: ItemId,
        (at, variant): (Timestamp, VariantId),
    ) {
        let tasks = self.retries.entry(class).or_default();
        tasks.entry(key).or_default().insert((at, item));
        let item = ItemKey { run: key.run, task: key.task, item };
        self.waiting.insert(item, (at, variant));
        self.dues.insert((at, item));
    }

    pub(crate) fn remove_retry(&mut self, (class, key): (ClassId, ReadyKey), item: ItemId) {
        let whole = ItemKey { run: key.run, task: key.task, item };
        let Some((at, _)) = self.waiting.remove(&whole) else { return };
        self.dues.remove(&(at, whole));
        let Some(tasks) = self.retries.get_mut(&class) else { return };
        let Some(items) = tasks.get_mut(&key) else { return };
        items.remove(&(at, item));
        if items.is_empty() {
            tasks.remove(&key);
        }
        if tasks.is_empty() {
            self.retries.remove(&class);
        }
    }

    /// Takes a task out, and says which of its items waited, and for what.
    pub(crate) fn take(&mut self, class: ClassId, key: ReadyKey) -> Vec<Waiting> {
        self.remove(class, &key);
        let waiting = self.retries.get(&class).and_then(|tasks| tasks.get(&key));
        let items = waiting.into_iter().flatten().map(|&(_, item)| item);
        let of = |item| ItemKey { run: key.run, task: key.task, item };
        let waiting: Vec<_> = items.map(|item| (item, self.waiting[&of(item)])).collect();
        waiting.iter().for_each(|&(item, _)| self.remove_retry((class, key), item));
        waiting
    }
}

/// An item that waits for its next attempt: until when, and for which way.
pub(crate) type Waiting = (ItemId, (Timestamp, VariantId));

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
