//! Gangs: tasks whose items begin together, and are one unit of work.
//!
//! Nothing is kept of a gang as such. Whether it is whole follows from its items: all of them are
//! with workers, or it is being ended, or it waits.

use model::fact::Standing;
use model::status::TaskStatus;
use model::{ItemId, TaskId, TaskKey, Timestamp};

use super::{Item, Run, State};

impl Run {
    /// Whether the items of a task are the members of a gang.
    #[must_use]
    pub fn is_gang(&self, task: TaskId) -> bool {
        self.policy(task).gang
    }

    /// Whether workers hold all members of a gang, none of which has ended badly.
    #[must_use]
    pub fn is_whole_gang(&self, task: TaskId) -> bool {
        self.is_gang(task) && self.live_items(task) == self.item_count(task)
    }

    /// Whether all members of a gang wait for the next time that it begins.
    #[must_use]
    pub fn is_waiting_gang(&self, task: TaskId) -> bool {
        let waits = |status| matches!(status, TaskStatus::Ready | TaskStatus::Retrying);
        self.is_gang(task)
            && match self.fan(task) {
                Some(fan) => {
                    let tally = fan.tally();
                    tally.of(TaskStatus::Ready) + tally.of(TaskStatus::Retrying) == tally.total()
                }
                None => waits(self.task(task).status()),
            }
    }

    /// How a gang has ended of which a member has ended for good in this round.
    pub(crate) fn end_of_gang(&self, task: TaskId) -> Option<TaskStatus> {
        let ended = |status: &TaskStatus| status.is_final();
        match self.fan(task) {
            Some(fan) => fan.tally().iter().map(|(status, _)| status).find(ended),
            None => Some(self.task(task).status()).filter(ended),
        }
    }

    /// What the attempts of a gang came to, as if they were those of one item. Each time that it
    /// ends badly one member is charged with that, so it is the sum over all.
    pub(crate) fn gang_record(&self, task: TaskId) -> Item {
        let one = core::slice::from_ref(&self.tasks[task.0 as usize].item);
        let members = self.fan(task).map_or(one, |fan| fan.items());
        let mut image = members[0].image();
        (image.failures, image.losses) = (0, 0);
        for member in members {
            image.failures = image.failures.saturating_add(member.failures());
            image.losses = image.losses.saturating_add(member.losses());
        }
        Item::from(image)
    }
}

impl State {
    /// From when on a gang may begin, if all of its members wait for that.
    #[must_use]
    pub fn gang_due(&self, key: TaskKey) -> Option<Timestamp> {
        let run = self.run(key.run).filter(|run| run.is_waiting_gang(key.task))?;
        let members = (0..run.item_count(key.task)).map(|item| key.item(ItemId(item)));
        let due = members.filter_map(|member| self.ready.retry_at(member)).max();
        Some(due.unwrap_or_default())
    }

    /// How many members of a gang workers still have to do with: those that have not ended.
    #[must_use]
    pub fn working_members(&self, key: TaskKey) -> u32 {
        let Some(run) = self.run(key.run) else { return 0 };
        let leases = run.held_items(key.task).filter_map(|item| self.lease(key.item(item)));
        let working = leases.filter(|lease| lease.standing != Standing::Done);
        u32::try_from(working.count()).unwrap_or(u32::MAX)
    }
}
