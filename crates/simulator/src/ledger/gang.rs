//! Gangs as the facts have them: a member after the other, in the plainest way.

use model::outcome::Then;
use model::{ItemId, ItemKey, TaskKey, TaskStatus};

use super::Ledger;

impl Ledger {
    /// The members of a gang; none of what is no gang.
    fn members(&self, task: TaskKey) -> Vec<ItemKey> {
        let run = self.run(task.run).filter(|run| {
            (task.task.0 as usize) < run.graph.len() && run.graph.policy(task.task).gang
        });
        let count = run.map_or(0, |run| run.task(task.task).count);
        (0..count).map(|item| task.item(ItemId(item))).collect()
    }

    /// Whether all members of a gang are with workers, and none was told to end with it.
    #[must_use]
    pub fn is_whole(&self, task: TaskKey) -> bool {
        let members = self.members(task);
        let works = |key: &ItemKey| {
            self.item(*key).is_some_and(|item| item.status.is_live() && !item.dismissed)
        };
        !members.is_empty() && members.iter().all(works)
    }

    /// What the members of a gang were charged with, together: failures and losses.
    #[must_use]
    pub fn charged(&self, task: TaskKey) -> (u16, u16) {
        let members = self.members(task).into_iter().filter_map(|key| self.item(key));
        members.fold((0, 0), |sum, item| (sum.0 + item.failures, sum.1 + item.losses))
    }

    /// How a gang has ended of which a member has.
    pub(super) fn end_of_gang(&self, task: TaskKey) -> Option<TaskStatus> {
        let members = self.members(task).into_iter().filter_map(|key| self.item(key));
        members.map(|item| item.status).filter(|status| status.is_final()).min()
    }

    /// A member has done its work.
    pub(super) fn member_done(&mut self, key: ItemKey) -> Result<(), String> {
        let at = self.at;
        let item = self.item_mut(key)?;
        item.done = true;
        item.started_at.get_or_insert(at);
        if item.status == TaskStatus::Leased {
            self.set(key, TaskStatus::Running)?;
        }
        let members = self.members(key.task_key());
        if members.iter().all(|member| self.item(*member).is_some_and(|item| item.done)) {
            for member in members {
                self.unlease(member);
                self.item_mut(member)?.done = false;
                self.set(member, TaskStatus::Succeeded)?;
            }
        }
        Ok(())
    }

    /// A gang has lost a member, and `then` follows for it.
    pub(super) fn disband(&mut self, task: TaskKey, then: Then) -> Result<(), String> {
        let end = self.end_of_gang(task).unwrap_or(TaskStatus::Cancelled);
        for member in self.members(task) {
            let item = self.item_mut(member)?;
            if !item.status.is_live() {
                continue;
            }
            // Its attempts have other numbers than its plan counts by.
            item.returned = true;
            if !item.done {
                item.dismissed = true;
                continue;
            }
            item.done = false;
            let status = match then {
                Then::Retry { at } => {
                    item.retry_at = at;
                    TaskStatus::Retrying
                }
                _ => end,
            };
            self.unlease(member);
            self.set(member, status)?;
        }
        Ok(())
    }
}
