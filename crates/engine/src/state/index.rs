//! The two indexes that make decisions cheap: what is ready, and what is due when.
//!
//! Both are functions of runs and leases and are recomputed by the invariant check (S10).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use model::collections::HashMap;
use model::{ItemId, ItemKey, RunId, TaskId, TaskKey, Timestamp, VariantId};

use super::ClassId;

/// By class, the tasks with ready items and the items that wait for their next attempt. In which
/// order they go is the planner's to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadyIndex {
    pub(crate) tasks: BTreeMap<ClassId, BTreeSet<TaskKey>>,
    pub(crate) retries: BTreeMap<ClassId, BTreeSet<ItemKey>>,
    /// When each waiting item may be tried again, and in which way, or one after it.
    pub(crate) waiting: HashMap<ItemKey, (Timestamp, VariantId)>,
    /// The same, in the order of time.
    dues: BTreeSet<(Timestamp, ItemKey)>,
}

impl ReadyIndex {
    /// The tasks of a class with ready items, or with items that wait for their next attempt.
    pub(crate) fn tasks_of(&self, class: ClassId) -> BTreeSet<TaskKey> {
        let ready = self.tasks.get(&class).into_iter().flatten().copied();
        let waiting = self.retries.get(&class).into_iter().flatten().map(|item| item.task_key());
        ready.chain(waiting).collect()
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

    pub(crate) fn insert(&mut self, class: ClassId, key: TaskKey) {
        self.tasks.entry(class).or_default().insert(key);
    }

    pub(crate) fn remove(&mut self, class: ClassId, key: TaskKey) {
        let Some(set) = self.tasks.get_mut(&class) else { return };
        set.remove(&key);
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
        class: ClassId,
        item: ItemKey,
        (at, variant): (Timestamp, VariantId),
    ) {
        self.retries.entry(class).or_default().insert(item);
        self.waiting.insert(item, (at, variant));
        self.dues.insert((at, item));
    }

    pub(crate) fn remove_retry(&mut self, class: ClassId, item: ItemKey) {
        let Some((at, _)) = self.waiting.remove(&item) else { return };
        self.dues.remove(&(at, item));
        let Some(items) = self.retries.get_mut(&class) else { return };
        items.remove(&item);
        if items.is_empty() {
            self.retries.remove(&class);
        }
    }

    /// Takes a task out of a class, and says which of its items waited, and for what.
    pub(crate) fn take(&mut self, class: ClassId, key: TaskKey) -> Vec<Waiting> {
        self.remove(class, key);
        let of_task = key.item(ItemId(0))..=key.item(ItemId(u32::MAX));
        let items = self.retries.get(&class).map(|items| items.range(of_task).copied());
        let items: Vec<ItemKey> = items.into_iter().flatten().collect();
        let waiting = items.iter().map(|item| (item.item, self.waiting[item])).collect();
        items.into_iter().for_each(|item| self.remove_retry(class, item));
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
