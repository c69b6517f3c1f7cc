//! People and the archive ask: stop a run, retry it, forget it.

use alloc::vec;

use model::fact::{Fact, RoundScope, StopCause};
use model::status::{RunStatus, TaskStatus};
use model::{IdSet, RunId, TaskId};

use super::Turn;
use crate::input::{Answer, Effect, Rejection, RequestId};
use crate::state::Run;

impl Turn<'_> {
    fn reply(&mut self, request: RequestId, answer: Answer) {
        self.effect(Effect::Reply { request, answer });
    }

    fn reject(&mut self, request: RequestId, rejection: Rejection) {
        self.reply(request, Answer::Rejected(rejection));
    }

    /// Stopping what is being stopped changes nothing, except that `terminate` outdoes `stop`.
    pub(super) fn stop(&mut self, request: RequestId, id: RunId, cause: StopCause) {
        let Some(run) = self.state.run(id) else {
            return self.reject(request, Rejection::UnknownRun(id));
        };
        let harder = cause == StopCause::Terminated && run.cause() != Some(cause);
        let stopping = run.status() == RunStatus::Stopping;
        if !run.status().is_final() && (!stopping || harder) {
            self.begin_stop(id, cause);
            self.progress(id);
        }
        let status = self.state.run(id).map_or(RunStatus::Cancelled, Run::status);
        self.reply(request, Answer::Stopping { status });
    }

    /// Opens a new round for what did not succeed, or for one task and all that follows it.
    pub(super) fn retry(&mut self, request: RequestId, id: RunId, from: Option<TaskId>) {
        let Some(run) = self.state.run(id) else {
            return self.reject(request, Rejection::UnknownRun(id));
        };
        if !run.status().is_final() {
            return self.reject(request, Rejection::NotEnded(run.status()));
        }
        if let Some(task) = from.filter(|task| task.0 as usize >= run.graph().len()) {
            return self.reject(request, Rejection::UnknownTask(task));
        }
        let (tasks, scope) = run.retry_scope(from);
        if tasks.is_empty() {
            return self.reject(request, Rejection::NothingToRetry);
        }
        let count = tasks.len();
        self.record(Fact::RoundOpened { run: id, tasks, scope });
        self.reply(request, Answer::Reopened { tasks: count });
        self.progress(id);
    }

    pub(super) fn forget(&mut self, run: RunId) {
        if self.state.run(run).is_some_and(|run| run.status().is_final()) {
            self.record(Fact::RunForgotten { run });
        }
    }
}

impl Run {
    /// What a retry by hand would run again: the tasks that did not succeed with their items that
    /// did not, or, with `from`, that task and everything that depends on it, whole. Handlers
    /// always run anew, since the run ends anew.
    #[must_use]
    pub fn retry_scope(&self, from: Option<TaskId>) -> (IdSet, RoundScope) {
        let graph = self.graph();
        let mut again = vec![false; graph.len()];
        match from {
            Some(from) => {
                let mut stack = vec![from];
                while let Some(task) = stack.pop() {
                    if !core::mem::replace(&mut again[task.0 as usize], true) {
                        stack.extend(graph.successors(task));
                    }
                }
            }
            None => graph.tasks().for_each(|task| {
                let status = self.task(task).status();
                again[task.0 as usize] = !self.is_handler(task) && status != TaskStatus::Succeeded;
            }),
        }
        let ordinary = again.contains(&true);
        let chosen = graph
            .tasks()
            .filter(|&task| again[task.0 as usize] || ordinary && self.is_handler(task));
        let scope = if from.is_some() { RoundScope::All } else { RoundScope::Unsuccessful };
        (chosen.map(|task| task.0).collect(), scope)
    }
}
