//! Facts into state: the only writer of state, live and at replay.
//!
//! Total and infallible: a fact that names something unknown changes nothing. Compatible for ever:
//! what a fact meant when it was written it means today. Nothing is decided here; what follows
//! from a fact by itself (readiness, counts, indexes) is derived here, and never logged.

mod amend;
mod attempt;
mod control;
mod edges;
mod gang;
mod mark;
mod preempt;
mod restored;
mod run;
mod worker;

use model::{Fact, Seq, Timestamp};

use crate::engine::Graphs;
use crate::state::State;

impl State {
    /// Makes `fact`, which stands at `seq` and was recorded at `at`, part of the state.
    pub(crate) fn apply(&mut self, seq: Seq, at: Timestamp, fact: &Fact, graphs: &dyn Graphs) {
        self.last = seq;
        self.at = self.at.max(at);
        match fact {
            Fact::LeaderStarted { epoch, .. } => self.epoch = *epoch,
            Fact::WorkerJoined(joined) => self.worker_joined(joined),
            Fact::WorkerLost { worker, .. } => self.worker_lost(*worker),
            Fact::RunAdmitted(admitted) => {
                self.run_admitted(admitted, graphs.graph(&admitted.graph), (seq, at));
            }
            Fact::AttemptsLeased { task, items, worker, variant, devices } => {
                let how = (*worker, *variant, *devices);
                self.attempts_leased(*task, items.clone(), how, (seq, at));
            }
            Fact::GangLeased { task, parts } => self.gang_leased(*task, parts, (seq, at)),
            Fact::AttemptsStarted { task, items } => self.attempts_started(*task, items, at),
            Fact::AttemptOverran { item } => self.attempt_overran(*item),
            Fact::AttemptsCheckpointed { task, saved } => self.attempts_checkpointed(*task, saved),
            Fact::AttemptsPreempted { task, items } => self.attempts_preempted(*task, items, at),
            Fact::AttemptsEnded(ended) => self.attempts_ended(ended, at),
            Fact::LeasesReturned { task, items } => self.leases_returned(*task, items, at),
            Fact::TaskAnswered(answered) => self.task_answered(answered, at),
            Fact::TaskSettled { task, verdict, .. } => self.task_settled(*task, *verdict, at),
            Fact::HandlersReleased { run, tasks } => self.handlers_released(*run, tasks, at),
            Fact::TasksSkipped { run, tasks } => self.tasks_skipped(*run, tasks, at),
            Fact::TasksCancelled { run, tasks } => self.tasks_cancelled(*run, tasks, at),
            Fact::TasksUnsatisfiable { run, tasks } => self.tasks_unsatisfiable(*run, tasks, at),
            Fact::RunStopping { run, cause } => self.run_stopping(*run, *cause),
            Fact::RunPaused { run, cause } => self.run_paused(*run, *cause),
            Fact::RunResumed { run } => self.run_resumed(*run),
            Fact::RunEnded { run, status } => self.run_ended(*run, *status, at),
            Fact::RoundOpened { run, tasks, scope } => self.round_opened(*run, tasks, *scope, at),
            Fact::ItemsReopened { task, items } => self.items_reopened(*task, items, at),
            Fact::RunAmended(amended) => {
                self.run_amended(amended, graphs.graph(&amended.graph), at);
            }
            Fact::Marked(marked) => self.marked(marked, at),
            Fact::DeadlinePassed { run, tasks } => self.deadline_passed(*run, tasks, at),
            Fact::RunForgotten { run } => self.run_forgotten(*run),
            Fact::Restored(restored) => self.restored(restored, (seq, at)),
        }
    }
}
