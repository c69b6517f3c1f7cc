//! Time passes: attempts overrun, runs run out of time, hopeless tasks are given up.

use alloc::vec::Vec;

use model::fact::{Fact, StopCause};
use model::limits::UNSATISFIABLE_GRACE;
use model::message::{LeaseId, StopKind};
use model::status::RunStatus;
use model::{IdSet, ItemKey, RunId, TaskId, TaskKey, Timestamp};

use super::Turn;
use crate::state::{ClassId, Timer};

impl Turn<'_> {
    /// Each timer that fires is taken out by the fact that it leads to.
    pub(super) fn fire_timers(&mut self) {
        while let Some(timer) = self.due_timer() {
            match timer {
                Timer::Attempt(item) => self.overrun(item),
                Timer::Run(run) => self.run_out_of_time(run),
                Timer::Wait(task) => self.wait_is_over(task),
            }
        }
    }

    fn due_timer(&self) -> Option<Timer> {
        let &(at, timer): &(Timestamp, Timer) = self.state.timers.first()?;
        (at <= self.now).then_some(timer)
    }

    fn overrun(&mut self, item: ItemKey) {
        let Some(&lease) = self.state.lease(item) else { return };
        self.record(Fact::AttemptOverran { item });
        let leases = alloc::vec![LeaseId { item, token: lease.token }];
        self.send_stop(lease.worker, leases, StopKind::TimeOut);
    }

    fn run_out_of_time(&mut self, run: RunId) {
        self.begin_stop(run, StopCause::TimedOut);
        self.progress(run);
    }

    /// Fails what the planner has refused for long enough because no worker can ever hold it.
    pub(super) fn fail_hopeless(&mut self) {
        let since = &self.volatile.never_fits;
        let hopeless = since.iter().filter(|&(_, &since)| since + UNSATISFIABLE_GRACE <= self.now);
        let mut classes: Vec<ClassId> = hopeless.map(|(&class, _)| class).collect();
        classes.sort_unstable();
        for class in classes {
            self.volatile.never_fits.remove(&class);
            let ready = self.state.ready.tasks(class).map(|key| (key.run, key.task.0));
            let waiting = self.state.ready.retries.get(&class).into_iter().flatten();
            let waiting = waiting.map(|(_, item)| (item.run, item.task.0));
            let mut keys: Vec<(RunId, u32)> = ready.chain(waiting).collect();
            keys.sort_unstable();
            keys.dedup();
            for (run, tasks) in super::grouped(keys) {
                self.give_up(run, tasks);
            }
        }
    }

    fn give_up(&mut self, run: RunId, tasks: IdSet) {
        self.record(Fact::TasksUnsatisfiable { run, tasks: tasks.clone() });
        for task in tasks.iter().map(TaskId) {
            self.task_failed(TaskKey { run, task });
        }
        self.progress(run);
    }
}

/// Whether new attempts of a run in this status may start at all.
pub(super) const fn may_start(status: RunStatus) -> bool {
    matches!(status, RunStatus::Running | RunStatus::Stopping)
}
