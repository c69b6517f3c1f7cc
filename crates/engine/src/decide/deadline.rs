//! Time passes: attempts overrun, runs and tasks run out of time, hopeless tasks are given up.

use alloc::vec::Vec;

use model::fact::{Fact, StopCause};
use model::limits::UNSATISFIABLE_GRACE;
use model::message::{LeaseId, StopKind};
use model::status::RunStatus;
use model::{IdSet, ItemKey, RunId, TaskId, TaskKey, Timestamp};

use super::Turn;
use crate::state::{ClassId, Run, Timer};

/// Facts that timers lead to in one step; what else is due follows in the next.
const FACTS_PER_STEP_MAX: usize = 10_000;

impl Turn<'_> {
    /// Each timer that fires is taken out by the fact that it leads to.
    pub(super) fn fire_timers(&mut self) {
        while self.step.facts.len() < FACTS_PER_STEP_MAX {
            let Some(timer) = self.due_timer() else { return };
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

    /// A run is to be looked at when one of its deadlines passes.
    pub(super) fn watch_deadlines(&mut self, id: RunId) {
        let Some(run) = self.state.run(id) else { return };
        let deadlines = run.graph().policies().iter().filter_map(|policy| policy.deadline);
        let times = deadlines.map(|deadline| (run.resolve(deadline), id));
        self.volatile.deadlines.extend(times);
    }

    /// Something of a run waits again that may be late already: it is looked at in the next tick.
    pub(super) fn recheck_deadlines(&mut self, id: RunId) {
        let Some(run) = self.state.run(id) else { return };
        let mut deadlines = run.graph().policies().iter().filter_map(|policy| policy.deadline);
        if deadlines.any(|deadline| run.resolve(deadline) <= self.now) {
            self.volatile.deadlines.insert((self.now, id));
        }
    }

    pub(super) fn pass_deadlines(&mut self) {
        while let Some(&(at, run)) = self.volatile.deadlines.first() {
            if at > self.now {
                return;
            }
            self.volatile.deadlines.pop_first();
            self.pass_deadlines_of(run);
        }
    }

    /// What is late has run out of time if no worker holds it, and is told to end if one does.
    fn pass_deadlines_of(&mut self, id: RunId) {
        let Some(run) = self.state.run(id).filter(|run| !run.status().is_final()) else { return };
        let tasks: IdSet = run
            .graph()
            .tasks()
            .filter(|&task| self.is_late(run, task) && self.can_be_ended(run, id, task))
            .map(|task| task.0)
            .collect();
        if tasks.is_empty() {
            return;
        }
        let held = |task| {
            let items = run.held_items(task).map(move |item| TaskKey { run: id, task }.item(item));
            items.filter_map(|item| {
                let lease = self.state.lease(item).filter(|lease| !lease.overran)?;
                Some((lease.worker, LeaseId { item, token: lease.token }))
            })
        };
        let mut stops: Vec<_> = tasks.iter().map(TaskId).flat_map(held).collect();
        stops.sort_unstable();
        // Of a fan-out one item is enough, whatever the others that still run come to.
        let out: Vec<TaskId> =
            tasks.iter().map(TaskId).filter(|&task| run.has_waiting_items(task)).collect();
        self.record(Fact::DeadlinePassed { run: id, tasks });
        for group in stops.chunk_by(|a, b| a.0 == b.0) {
            let leases = group.iter().map(|&(_, lease)| lease).collect();
            self.send_stop(group[0].0, leases, StopKind::TimeOut);
        }
        out.into_iter().for_each(|task| self.task_failed(TaskKey { run: id, task }));
        self.progress(id);
    }

    /// Whether the deadline of a task has passed, and still counts: not for what is being
    /// cancelled, and for handlers only from when it is their turn.
    pub(super) fn is_late(&self, run: &Run, task: TaskId) -> bool {
        let cancelled = run.status() == RunStatus::Stopping && !run.is_handler(task);
        let due = run.task_deadline(task).is_some_and(|deadline| deadline <= self.now);
        due && !cancelled && run.stage(task) <= run.released
    }

    /// Whether anything of a task waits, or runs and has not been told to end.
    fn can_be_ended(&self, run: &Run, id: RunId, task: TaskId) -> bool {
        let untold = |item| {
            let lease = self.state.lease(TaskKey { run: id, task }.item(item));
            lease.is_some_and(|lease| !lease.overran)
        };
        run.has_waiting_items(task) || run.held_items(task).any(untold)
    }

    /// Fails what the planner has refused for long enough because no worker can ever hold it.
    pub(super) fn fail_hopeless(&mut self) {
        let since = &self.volatile.never_fits;
        let hopeless = since.iter().filter(|&(_, &since)| since + UNSATISFIABLE_GRACE <= self.now);
        let mut classes: Vec<ClassId> = hopeless.map(|(&class, _)| class).collect();
        classes.sort_unstable();
        for class in classes {
            self.volatile.never_fits.remove(&class);
            let keys = self.state.ready.tasks_of(class);
            let keys: Vec<(RunId, u32)> = keys.iter().map(|key| (key.run, key.task.0)).collect();
            for (run, tasks) in super::grouped(keys) {
                self.give_up(run, tasks);
            }
        }
        let since = &self.volatile.oversized;
        let hopeless = since.iter().filter(|&(_, &since)| since + UNSATISFIABLE_GRACE <= self.now);
        let gangs: Vec<TaskKey> = hopeless.map(|(&task, _)| task).collect();
        for task in gangs {
            self.volatile.oversized.remove(&task);
            if self.state.gang_due(task).is_some() {
                self.give_up(task.run, IdSet::one(task.task.0));
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
pub(crate) const fn may_start(status: RunStatus) -> bool {
    matches!(status, RunStatus::Running | RunStatus::Stopping)
}
