//! What follows by itself when tasks end: the edges out of them are decided, and what they lead to
//! begins, asks, or is skipped. A list is followed, never recursion: a graph may be a long chain.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use model::control::{Join, Kind};
use model::outcome::{Failure, Outcome};
use model::status::TaskStatus;
use model::{RunId, TaskId, TaskKey, Timestamp};

use crate::state::{Change, Fate, Run, State, Timer, is_trouble};

impl State {
    /// A task may have ended: decides the edges out of it, and whatever ends because of that.
    pub(super) fn follow(&mut self, key: TaskKey, at: Timestamp) {
        let ended = vec![key.task];
        self.follow_all(key.run, ended, at);
    }

    /// The same for several tasks of a run. Those that have not ended are passed over.
    pub(super) fn follow_all(&mut self, id: RunId, mut ended: Vec<TaskId>, at: Timestamp) {
        while let Some(task) = ended.pop() {
            let Some(run) = self.runs.get(&id) else { return };
            let (status, route) = (run.task(task).status(), run.route(task));
            if !status.is_final() {
                continue;
            }
            self.changes.push(Change::Task(TaskKey { run: id, task }));
            let graph = Arc::clone(run.graph());
            for (next, condition) in graph.edges_from(task) {
                let Some(run) = self.runs.get_mut(&id) else { return };
                let done = graph.policy(next).join == Join::AllDone;
                let met = done || condition.is_met_by(status, route);
                let record = &mut run.tasks[next.0 as usize];
                if record.status() != TaskStatus::Pending {
                    continue;
                }
                record.undecided = record.undecided.saturating_sub(1);
                record.waiting_for = record.waiting_for.saturating_sub(u32::from(met));
                if self.advance(TaskKey { run: id, task: next }, at) {
                    ended.push(next);
                }
            }
        }
    }

    /// Lets a pending task begin, ask or be skipped, if the edges into it allow one of these. Says
    /// whether it has ended by that.
    pub(super) fn advance(&mut self, key: TaskKey, at: Timestamp) -> bool {
        let Some(run) = self.runs.get_mut(&key.run) else { return false };
        if run.task(key.task).status() != TaskStatus::Pending {
            return false;
        }
        match run.task(key.task).fate() {
            Fate::Waits => false,
            Fate::IsSkipped => {
                run.set_items(key.task, TaskStatus::Pending, TaskStatus::Skipped, at).is_final()
            }
            Fate::Begins => self.begin_or_ask(key, at),
        }
    }

    /// The join of a pending task is met. Says whether it has ended by that.
    fn begin_or_ask(&mut self, key: TaskKey, at: Timestamp) -> bool {
        let Some(run) = self.runs.get_mut(&key.run) else { return false };
        if let Some(trouble) = spoilt_by(run, key.task) {
            run.note_trouble(key.task, trouble);
            let failed = TaskStatus::Failed;
            return run.set_items(key.task, TaskStatus::Pending, failed, at).is_final();
        }
        if run.policy(key.task).must_ask() && run.item_list(key.task).is_none() {
            run.asking.insert(key.task);
            return false;
        }
        self.begin(key, None, at)
    }

    /// A pending task begins; one that waits for a time may have been told until when. Says whether
    /// it has ended by that: a fan-out without items has.
    pub(super) fn begin(&mut self, key: TaskKey, until: Option<Timestamp>, at: Timestamp) -> bool {
        let Some(run) = self.runs.get_mut(&key.run) else { return false };
        let until = match run.policy(key.task).kind {
            Kind::Timer { wait } => until.or(Some(at + wait)),
            Kind::Signal { timeout, .. } => timeout.map(|timeout| at + timeout),
            // The last two end when they are answered, and do not come here.
            Kind::Work | Kind::Decision | Kind::Loop { .. } => {
                let pending = TaskStatus::Pending;
                let status = run.set_items(key.task, pending, TaskStatus::Ready, at);
                self.index_task(key);
                return status.is_final();
            }
        };
        run.begin_wait(key.task, until, at);
        if let Some(until) = until {
            self.timers.insert((until, Timer::Wait(key)));
        }
        false
    }

    /// Ends the wait of a task, if it waits.
    pub(super) fn end_wait(&mut self, key: TaskKey, status: TaskStatus, at: Timestamp) {
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        if let Some(Some(until)) = run.wait(key.task) {
            self.timers.remove(&(until, Timer::Wait(key)));
        }
        run.end_wait(key.task, status, at);
    }
}

/// How the body of a loop went wrong in this turn: there is nothing to ask, the loop fails with it.
fn spoilt_by(run: &Run, task: TaskId) -> Option<Outcome> {
    let spoils = |member: &TaskId| {
        let status = run.task(*member).status();
        is_trouble(status) && !run.graph().is_failure_caught(*member)
    };
    let first = (run.body(task).start..task.0).map(TaskId).find(spoils)?;
    Some(run.task(first).trouble().unwrap_or(Outcome::Failed(Failure::Control)))
}
