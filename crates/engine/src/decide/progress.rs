//! What follows for a run when some of its tasks have ended: failure, handlers, the end.

use alloc::vec::Vec;

use model::fact::{Fact, StopCause};
use model::message::{LeaseId, StopKind};
use model::policy::{FailurePolicy, Stage, Trigger};
use model::status::{RunStatus, TaskStatus};
use model::{IdSet, ItemKey, RunId, TaskId, TaskKey};

use super::Turn;
use crate::input::Effect;
use crate::state::Run;

/// Questions that are handed out between two ticks, so that a loop whose turns are empty does not
/// go through all of them in one batch.
const QUESTIONS_PER_TICK: usize = 1_000;

impl Turn<'_> {
    /// Takes a run as far as it can go without anything else happening.
    pub(super) fn progress(&mut self, id: RunId) {
        let Some(run) = self.state.run(id) else { return };
        if run.status() == RunStatus::Stopping {
            self.cancel_waiting(id);
        }
        if self.state.run(id).is_some_and(has_stopping_loop) {
            self.begin_stop(id, StopCause::TaskFailed);
        }
        loop {
            let Some(run) = self.state.run(id) else { return };
            if run.status().is_final() {
                return;
            }
            match run.open_stage() {
                None => {
                    let status = final_status(run);
                    self.record(Fact::RunEnded { run: id, status });
                }
                Some(stage) if stage > run.released => self.release(id, stage),
                Some(_) => {
                    self.keep_to_cost_limit(id);
                    return self.ask(id);
                }
            }
        }
    }

    /// Hands out the questions of a run that nobody has been asked yet.
    fn ask(&mut self, id: RunId) {
        let Some(run) = self.state.run(id) else { return };
        for task in run.asking() {
            let question = (TaskKey { run: id, task }, run.task(task).round());
            if self.volatile.asked.contains(&question) {
                continue;
            }
            if self.volatile.questions >= QUESTIONS_PER_TICK {
                self.volatile.unasked.insert(id);
                return;
            }
            self.volatile.questions += 1;
            if self.volatile.asked.insert(question) {
                let (task, round) = question;
                self.step.effects.push(Effect::Ask {
                    task,
                    round,
                    turn: run.turn_around(task.task),
                });
            }
        }
    }

    /// Hands out the questions that had to wait for this tick.
    pub(super) fn ask_the_rest(&mut self) {
        self.volatile.questions = 0;
        for run in core::mem::take(&mut self.volatile.unasked) {
            self.ask(run);
        }
    }

    /// A task has ended badly for good: its run stops, unless somebody counts on that.
    pub(super) fn task_failed(&mut self, key: TaskKey) {
        let Some(run) = self.state.run(key.run) else { return };
        let ordinary = !run.is_handler(key.task);
        let policy = run.policy(key.task).failure.unwrap_or(run.admitted().failure);
        let stops = policy == FailurePolicy::FailFast && !run.graph().expects_failure(key.task);
        if ordinary && stops && is_under_way(run.status()) {
            self.begin_stop(key.run, StopCause::TaskFailed);
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
            (handlers_too || !run.is_handler(*task)) && run.has_waiting_items(*task)
        };
        let waiting = [TaskStatus::Pending, TaskStatus::Ready, TaskStatus::Retrying];
        let nothing =
            run.waits == 0 && waiting.into_iter().all(|status| run.items().of(status) == 0);
        if nothing || !run.is_under_way() && !handlers_too {
            return;
        }
        let tasks: IdSet = run.graph().tasks().filter(waits).map(|task| task.0).collect();
        if !tasks.is_empty() {
            self.record(Fact::TasksCancelled { run: id, tasks });
        }
    }

    /// All of the stages before have ended: the tasks of this one whose condition is met may start,
    /// the others never will.
    fn release(&mut self, id: RunId, stage: Stage) {
        let Some(run) = self.state.run(id) else { return };
        let outcome = final_status(run);
        let (mut released, mut skipped) = (IdSet::new(), IdSet::new());
        let held = |&task: &TaskId| {
            run.stage(task) == stage && run.task(task).status() == TaskStatus::Pending
        };
        for task in run.graph().tasks().filter(held) {
            let set = if condition_met(run, task, outcome) { &mut released } else { &mut skipped };
            set.insert(task.0);
        }
        if !skipped.is_empty() {
            self.record(Fact::TasksSkipped { run: id, tasks: skipped });
        }
        if !released.is_empty() {
            self.record(Fact::HandlersReleased { run: id, tasks: released });
            self.recheck_deadlines(id);
        }
    }
}

/// Whether a run may still be stopped by a failure.
const fn is_under_way(status: RunStatus) -> bool {
    matches!(status, RunStatus::Running | RunStatus::Paused)
}

/// Whether a loop has failed with its body in this round, and its run is to stop because of that.
fn has_stopping_loop(run: &Run) -> bool {
    let opened_ms = run.opened_at().since(run.admitted_at()).0 / 1_000;
    let stops = |&task: &TaskId| {
        let kept = run.task(task).ended_ms().is_none_or(|ended| u64::from(ended) < opened_ms);
        let policy = run.policy(task).failure.unwrap_or(run.admitted().failure);
        policy == FailurePolicy::FailFast
            && !kept
            && !run.is_handler(task)
            && run.is_troubled_by(task, run.task(task).status())
    };
    is_under_way(run.status()) && run.troubled > 0 && run.loops.iter().any(stops)
}

/// How a run ends, or would if all of its handlers ended well.
fn final_status(run: &Run) -> RunStatus {
    match run.cause() {
        Some(cause) => cause.run_status(),
        // Something was cancelled in a round before, and nobody has run it since.
        None if run.troubled > 0 || run.items().of(TaskStatus::Cancelled) > 0 => RunStatus::Failed,
        None => RunStatus::Succeeded,
    }
}

fn condition_met(run: &Run, task: TaskId, outcome: RunStatus) -> bool {
    match run.policy(task).trigger {
        Trigger::Dependencies => false,
        Trigger::Success => outcome == RunStatus::Succeeded,
        Trigger::Failure => outcome == RunStatus::Failed,
        Trigger::Cancel => outcome == RunStatus::Cancelled,
        Trigger::Exit | Trigger::Finally => true,
        Trigger::Compensation { of } => {
            outcome == RunStatus::Failed && run.task(of).status() == TaskStatus::Succeeded
        }
    }
}
