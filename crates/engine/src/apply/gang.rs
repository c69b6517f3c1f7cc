//! Gangs begin and end as a whole.
//!
//! A member that has done its work keeps its place until all have: then they have succeeded
//! together. One that ends badly ends the gang; what that makes of the others is derived here.

use alloc::vec::Vec;

use model::fact::{GangPart, Standing};
use model::outcome::Then;
use model::status::TaskStatus;
use model::{ItemId, Seq, TaskKey, Timestamp, VariantId};

use crate::state::{Change, State};

impl State {
    pub(super) fn gang_leased(
        &mut self,
        key: TaskKey,
        parts: &[GangPart],
        recorded: (Seq, Timestamp),
    ) {
        for part in parts {
            let how = (part.worker, VariantId::default(), part.devices);
            self.attempts_leased(key, part.items.clone(), how, recorded);
        }
    }

    /// Whether workers hold all members of a gang, none of which has ended badly.
    pub(crate) fn is_whole_gang(&self, key: TaskKey) -> bool {
        self.runs.get(&key.run).is_some_and(|run| run.is_whole_gang(key.task))
    }

    /// A member has done its work. When all have, the gang has succeeded.
    pub(super) fn member_done(&mut self, key: TaskKey, item: ItemId, at: Timestamp) {
        let member = key.item(item);
        let is_unstarted = self.leases.get(&member).is_some_and(|it| it.started_at.is_none());
        if is_unstarted {
            self.start_lease(member, at);
            let Some(run) = self.runs.get_mut(&key.run) else { return };
            let Some(old) = run.item(key.task, item) else { return };
            run.set_item(key.task, item, old.with_status(TaskStatus::Running), at);
        }
        self.remove_attempt_timer(member);
        if let Some(lease) = self.leases.get_mut(&member) {
            lease.standing = Standing::Done;
        }
        if self.working_members(key) == 0 {
            self.end_members(key, (TaskStatus::Succeeded, None), at);
        }
    }

    /// A gang has lost a member: those that have done their work have done it in vain, and the
    /// others are told to leave. `then` is what follows for the gang.
    pub(super) fn disband(&mut self, key: TaskKey, then: Then, at: Timestamp) {
        let run = self.runs.get(&key.run);
        let end = run.and_then(|run| run.end_of_gang(key.task)).unwrap_or(TaskStatus::Cancelled);
        let how = match then {
            Then::Retry { at } => (TaskStatus::Retrying, Some(at)),
            Then::Final | Then::Instead(_) | Then::WithGang => (end, None),
        };
        self.end_members(key, how, at);
        let Some(run) = self.runs.get(&key.run) else { return };
        let left = run.held_items(key.task).map(|item| key.item(item));
        for member in left.collect::<Vec<_>>() {
            self.remove_attempt_timer(member);
            let Some(lease) = self.leases.get_mut(&member) else { continue };
            lease.standing = Standing::Dismissed(at);
            self.changes.push(Change::Leaves(member));
        }
    }

    /// Members that have done their work are with no worker any more; they stand like this, and
    /// wait until that time.
    fn end_members(
        &mut self,
        key: TaskKey,
        (status, again): (TaskStatus, Option<Timestamp>),
        at: Timestamp,
    ) {
        let Some(run) = self.runs.get(&key.run) else { return };
        let before = run.task(key.task).status();
        let held = run.held_items(key.task);
        let is_done = |item: &ItemId| {
            self.lease(key.item(*item)).is_some_and(|lease| lease.standing == Standing::Done)
        };
        for item in held.filter(is_done).collect::<Vec<_>>() {
            self.end_lease(key.item(item));
            let Some(run) = self.runs.get_mut(&key.run) else { return };
            let Some(old) = run.item(key.task, item) else { return };
            run.set_item(key.task, item, old.with_status(status), at);
            if let Some(again) = again {
                self.insert_retry(key, item, (again, VariantId::default()));
            }
        }
        self.changes.push(Change::Task(key));
        let after = self.runs.get(&key.run).map(|run| run.task(key.task).status());
        if after.is_some_and(|status| status.is_final()) && !before.is_final() {
            self.follow(key, at);
        }
    }
}
