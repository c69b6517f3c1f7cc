//! What follows for a run when some of its tasks have ended: failure, handlers, the end.

use alloc::vec;
use alloc::vec::Vec;

use model::collections::HashSet;
use model::fact::{Fact, StopCause};
use model::message::{LeaseId, StopKind};
use model::policy::{FailurePolicy, Trigger};
use model::status::{RunStatus, TaskStatus};
use model::{IdSet, ItemKey, RunId, TaskId, TaskKey};

use super::Turn;
use crate::state::Run;

impl Turn<'_> {
    /// Takes a run as far as it can go without anything else happening.
    pub(super) fn progress(&mut self, id: RunId) {
        let Some(run) = self.state.run(id) else { return };
        if run.status() == RunStatus::Stopping {
            self.cancel_waiting(id);
        }
        let Some(run) = self.state.run(id) else { return };
        if run.status().is_final() || run.open_tasks > 0 {
            return;
        }
        self.release_handlers(id);
        let Some(run) = self.state.run(id) else { return };
        if run.open_handlers == 0 {
            let status = final_status(run);
            self.record(Fact::RunEnded { run: id, status });
        }
    }

    /// A task has ended badly for good: its run stops, or what depends on it is skipped.
    pub(super) fn task_failed(&mut self, key: TaskKey) {
        let Some(run) = self.state.run(key.run) else { return };
        let ordinary = !run.is_handler(key.task);
        let stops = run.admitted().failure == FailurePolicy::FailFast;
        if ordinary && stops && run.status() == RunStatus::Running {
            return self.begin_stop(key.run, StopCause::TaskFailed);
        }
        if !run.task(key.task).status().is_final() {
            return;
        }
        let tasks = waiting_descendants(run, key.task);
        if !tasks.is_empty() {
            self.record(Fact::TasksSkipped { run: key.run, tasks });
        }
    }

    /// Begins to end a run: nothing ordinary starts any more, and what runs is asked to end.
    pub(super) fn begin_stop(&mut self, id: RunId, cause: StopCause) {
        self.record(Fact::RunStopping { run: id, cause });
        self.cancel_waiting(id);
        let how = match cause {
            StopCause::Terminated => StopKind::Terminate,
            StopCause::TaskFailed | StopCause::TimedOut | StopCause::Stopped => StopKind::Cancel,
        };
        let mut held: Vec<_> = self
            .state
            .leases
            .iter()
            .filter(|(item, _)| item.run == id && self.is_ended_by(**item, cause))
            .map(|(&item, lease)| (lease.worker, LeaseId { item, token: lease.token }))
            .collect();
        held.sort_unstable();
        for group in held.chunk_by(|a, b| a.0 == b.0) {
            let leases = group.iter().map(|&(_, lease)| lease).collect();
            self.send_stop(group[0].0, leases, how);
        }
    }

    /// Whether stopping a run for this reason ends an item that runs: handlers are spared, unless
    /// the run is terminated.
    pub(super) fn is_ended_by(&self, item: ItemKey, cause: StopCause) -> bool {
        let handler = self.state.run(item.run).is_some_and(|run| run.is_handler(item.task));
        !handler || cause == StopCause::Terminated
    }

    /// In a run that is being stopped, what no worker holds is cancelled; handlers only when the
    /// run was terminated.
    fn cancel_waiting(&mut self, id: RunId) {
        let Some(run) = self.state.run(id) else { return };
        let handlers_too = run.cause() == Some(StopCause::Terminated);
        let waits = |task: &TaskId| {
            (handlers_too || !run.is_handler(*task)) && has_waiting_items(run, *task)
        };
        let waiting = [TaskStatus::Pending, TaskStatus::Ready, TaskStatus::Retrying];
        let nothing = waiting.into_iter().all(|status| run.items().of(status) == 0);
        if nothing || run.open_tasks == 0 && !handlers_too {
            return;
        }
        let tasks: IdSet = run.graph().tasks().filter(waits).map(|task| task.0).collect();
        if !tasks.is_empty() {
            self.record(Fact::TasksCancelled { run: id, tasks });
        }
    }

    /// All ordinary tasks have ended: the handlers whose condition is met may start, the others
    /// never will.
    fn release_handlers(&mut self, id: RunId) {
        let Some(run) = self.state.run(id) else { return };
        if run.open_handlers == 0 {
            return;
        }
        let outcome = final_status(run);
        let (mut released, mut skipped) = (IdSet::new(), IdSet::new());
        for task in run.graph().tasks().filter(|&task| is_held_back(run, task)) {
            let set = if condition_met(run, task, outcome) { &mut released } else { &mut skipped };
            set.insert(task.0);
        }
        if !skipped.is_empty() {
            self.record(Fact::TasksSkipped { run: id, tasks: skipped });
        }
        if !released.is_empty() {
            self.record(Fact::HandlersReleased { run: id, tasks: released });
        }
    }
}

/// How a run ends, or would if all of its handlers ended well.
fn final_status(run: &Run) -> RunStatus {
    match run.cause() {
        Some(cause) => cause.run_status(),
        None if run.troubled > 0 => RunStatus::Failed,
        None => RunStatus::Succeeded,
    }
}

fn has_waiting_items(run: &Run, task: TaskId) -> bool {
    let waiting = [TaskStatus::Pending, TaskStatus::Ready, TaskStatus::Retrying];
    match run.fan(task) {
        Some(fan) if fan.items().is_empty() => run.task(task).status() == TaskStatus::Pending,
        Some(fan) => waiting.into_iter().any(|status| fan.tally().of(status) > 0),
        None => waiting.contains(&run.task(task).status()),
    }
}

/// A handler that has not been released: it waits for one thing more than its dependencies.
fn is_held_back(run: &Run, task: TaskId) -> bool {
    let pending = run.task(task).status() == TaskStatus::Pending;
    pending && run.is_handler(task) && !run.handlers_released
}

fn condition_met(run: &Run, task: TaskId, outcome: RunStatus) -> bool {
    match run.graph().policy(task).trigger {
        Trigger::Dependencies => false,
        Trigger::Success => outcome == RunStatus::Succeeded,
        Trigger::Failure => outcome == RunStatus::Failed,
        Trigger::Cancel => outcome == RunStatus::Cancelled,
        Trigger::Exit => true,
    }
}

/// The tasks that can't run any more because `task` did not end well: those that wait and can be
/// reached from it.
pub(super) fn waiting_descendants(run: &Run, task: TaskId) -> IdSet {
    let mut seen = HashSet::default();
    let mut stack = vec![task];
    while let Some(task) = stack.pop() {
        for next in run.graph().successors(task) {
            if run.task(next).status() == TaskStatus::Pending && seen.insert(next.0) {
                stack.push(next);
            }
        }
    }
    let mut tasks: Vec<_> = seen.into_iter().collect();
    tasks.sort_unstable();
    tasks.into_iter().collect()
}
