//! People and the archive ask: stop a run, retry it, forget it.

use alloc::vec;
use alloc::vec::Vec;

use model::control::{EdgeCondition, Join};
use model::fact::{Fact, RoundScope, StopCause};
use model::policy::Trigger;
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
    /// What a retry by hand would run again: what did not succeed, with what follows from that, or,
    /// with `from`, that task and everything that depends on it, whole. What was undone has to be
    /// done again in either case, and handlers always run anew, since the run ends anew.
    #[must_use]
    pub fn retry_scope(&self, from: Option<TaskId>) -> (IdSet, RoundScope) {
        let graph = self.graph();
        let (again, scope) = match from {
            Some(from) => {
                let start = self.undone().chain([from]).collect();
                (self.reachable(start, |_, _| true), RoundScope::All)
            }
            None => {
                let start = self.unsuccessful().chain(self.undone()).collect();
                let follows = |from, edge| self.follows_anew(from, edge);
                (self.reachable(start, follows), RoundScope::Unsuccessful)
            }
        };
        let ordinary = again.contains(&true);
        let chosen = graph
            .tasks()
            .filter(|&task| again[task.0 as usize] || ordinary && self.is_handler(task));
        (chosen.map(|task| task.0).collect(), scope)
    }

    /// The ordinary tasks that ended badly or were kept from ending. One that was skipped is not
    /// among them: it runs again if that from which its skipping followed does.
    fn unsuccessful(&self) -> impl Iterator<Item = TaskId> + '_ {
        let ended_badly = |task: TaskId| {
            let status = self.task(task).status();
            !matches!(status, TaskStatus::Succeeded | TaskStatus::Skipped)
        };
        let ordinary = self.graph().tasks().filter(|&task| !self.is_handler(task));
        let expected = |task| self.graph().expects_failure(task) && self.troubled == 0;
        ordinary.filter(move |&task| ended_badly(task) && !expected(task))
    }

    /// The tasks that were done, and that something has begun to undo.
    fn undone(&self) -> impl Iterator<Item = TaskId> + '_ {
        let undoing = self.graph().tasks().filter_map(|task| match self.policy(task).trigger {
            Trigger::Compensation { of } => Some((task, of)),
            _ => None,
        });
        let was_begun = |task| !matches!(self.task(task).status(), TaskStatus::Skipped);
        undoing.filter(move |&(task, _)| was_begun(task)).map(|(_, of)| of)
    }

    /// Whether the end of an edge goes another way, or rests on something else, when its beginning
    /// runs again. What succeeded without it does not, as long as it can only succeed now.
    fn follows_anew(&self, from: TaskId, (task, condition): (TaskId, EdgeCondition)) -> bool {
        let kept = self.task(task).status() == TaskStatus::Succeeded
            && self.task(from).status() != TaskStatus::Succeeded
            && condition == EdgeCondition::Succeeded
            && self.policy(task).join != Join::AllDone;
        !kept
    }

    /// For each task whether it can be reached from `start` over edges that `follows` accepts, by
    /// the task they come from, the one they lead to and their condition.
    fn reachable(
        &self,
        start: Vec<TaskId>,
        follows: impl Fn(TaskId, (TaskId, EdgeCondition)) -> bool,
    ) -> Vec<bool> {
        let mut reached = vec![false; self.graph().len()];
        let mut stack = start;
        while let Some(task) = stack.pop() {
            if !core::mem::replace(&mut reached[task.0 as usize], true) {
                let edges = self.graph().edges_from(task);
                stack.extend(edges.filter(|&edge| follows(task, edge)).map(|x| x.0));
            }
        }
        reached
    }
}
