//! Attempts save their work, and make room for others.
//!
//! That others are to have a place takes it from nobody: it is free when the attempt has ended.

use model::{IdSet, ItemId, TaskKey, Timestamp};

use crate::state::{Change, State};

impl State {
    pub(super) fn attempts_checkpointed(&mut self, key: TaskKey, saved: &[(ItemId, Timestamp)]) {
        for &(item, at) in saved {
            let Some(lease) = self.leases.get_mut(&key.item(item)) else { continue };
            lease.saved_at = Some(at);
            self.changes.saved(key.item(item));
        }
    }

    pub(super) fn attempts_preempted(&mut self, key: TaskKey, items: &IdSet, at: Timestamp) {
        for item in items.iter().map(|item| key.item(ItemId(item))) {
            // Its time limit no longer counts: it is being ended already.
            self.remove_attempt_timer(item);
            let Some(lease) = self.leases.get_mut(&item) else { continue };
            lease.leaving_since = Some(at);
            self.changes.push(Change::Leaves(item));
        }
    }

    /// Counts an attempt that has made room for others, and what it had done since it last saved
    /// its work. Before its lease ends.
    pub(super) fn count_preempted(&mut self, key: TaskKey, item: ItemId, at: Timestamp) {
        let Some(lease) = self.leases.get(&key.item(item)) else { return };
        let lost =
            if lease.started_at.is_some() { at.since(lease.unsaved_since()) } else { return };
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        let image = run.preempted.entry((key.task, item)).or_default();
        image.count = image.count.saturating_add(1);
        image.lost.0 = image.lost.0.saturating_add(lost.0);
        image.left_at = Some(at);
    }

    /// The next attempt of an item begins: what it has waited because it made room is known.
    pub(super) fn count_waited(&mut self, key: TaskKey, item: ItemId, at: Timestamp) {
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        let Some(image) = run.preempted.get_mut(&(key.task, item)) else { return };
        if let Some(left_at) = image.left_at.take() {
            image.waited.0 = image.waited.0.saturating_add(at.since(left_at).0);
        }
    }
}
