//! What has changed that the planner is to be told of.
//!
//! It is no part of what facts have made: nothing is decided from it but what to look at, and at a
//! replay, when nobody plans, it is not kept.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use model::{ItemKey, RunId, TaskKey, WorkerId};

/// Something to look at. How it stands now, the state says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A worker has come, or is gone.
    Worker(WorkerId),
    /// A run has come, is gone, or goes on in another way.
    Run(RunId),
    /// Items of a task have become ready, are ready no more, or have ended.
    Task(TaskKey),
    /// An item waits for its next attempt.
    Retry(ItemKey),
    /// An item has been given to a worker.
    Leased(ItemKey),
    /// An item is to leave its worker.
    Leaves(ItemKey),
    /// An item is no longer with its worker.
    Returned(ItemKey),
}

/// Changes since the planner was last told, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    is_kept: bool,
    list: Vec<Change>,
    /// Items that have saved their work. They make no plan old, so many may come before the next:
    /// each is here once.
    saved: BTreeSet<ItemKey>,
}

impl Changes {
    /// From now on changes are kept.
    pub(crate) fn keep(&mut self) {
        *self = Self { is_kept: true, ..Self::default() };
    }

    pub(crate) fn push(&mut self, change: Change) {
        if self.is_kept && self.list.last() != Some(&change) {
            self.list.push(change);
        }
    }

    pub(crate) fn saved(&mut self, item: ItemKey) {
        if self.is_kept {
            self.saved.insert(item);
        }
    }

    /// Whether changes are kept, and there are none.
    pub(crate) const fn is_told(&self) -> bool {
        self.is_kept && self.list.is_empty()
    }

    pub(crate) fn take(&mut self) -> Vec<Change> {
        core::mem::take(&mut self.list)
    }

    pub(crate) fn take_saved(&mut self) -> BTreeSet<ItemKey> {
        core::mem::take(&mut self.saved)
    }
}
