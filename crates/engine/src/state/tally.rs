//! How many items stand in each status, and what that makes of the task they belong to.

use model::status::TaskStatus;

/// How many items, or tasks, stand in each status; indexed by [`TaskStatus`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tally([u32; TaskStatus::ALL.len()]);

impl Tally {
    /// How many stand there.
    #[must_use]
    pub const fn of(&self, status: TaskStatus) -> u32 {
        self.0[status as usize]
    }

    /// Each status that anything stands in, with how many do.
    pub fn iter(&self) -> impl Iterator<Item = (TaskStatus, u32)> + '_ {
        let all = TaskStatus::ALL.iter().copied().zip(self.0);
        all.filter(|&(_, count)| count > 0)
    }

    /// How many there are in all.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    pub(crate) fn grow(&mut self, status: TaskStatus, count: u32) {
        self.0[status as usize] += count;
    }

    pub(crate) fn shrink(&mut self, status: TaskStatus, count: u32) {
        self.0[status as usize] -= count;
    }

    pub(crate) fn shift(&mut self, from: TaskStatus, to: TaskStatus, count: u32) {
        self.0[from as usize] -= count;
        self.0[to as usize] += count;
    }

    /// The status of a task whose items stand like this.
    pub(super) fn sum_up(&self) -> TaskStatus {
        use TaskStatus::{
            Cancelled, Failed, Leased, Pending, Ready, Retrying, Running, Skipped, Succeeded,
            Terminated, TimedOut,
        };
        let any = |status| self.of(status) > 0;
        // A fan-out of which one part has ended and another waits is under way: it is running.
        let begun = [Succeeded, Failed, TimedOut, Terminated].into_iter().any(any);
        match [Running, Leased, Retrying, Ready, Pending].into_iter().find(|&status| any(status)) {
            Some(Ready | Leased | Retrying) if begun => Running,
            Some(open) => open,
            None => [Failed, TimedOut, Terminated, Cancelled, Skipped]
                .into_iter()
                .find(|&status| any(status))
                .unwrap_or(Succeeded),
        }
    }
}
