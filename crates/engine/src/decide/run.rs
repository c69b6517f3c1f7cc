//! People and the archive ask: stop a run, retry it, forget it.

use alloc::vec;
use alloc::vec::Vec;

use model::control::{EdgeCondition, Join};
use model::fact::{Fact, RoundScope, StopCause};
use model::policy::Trigger;
use model::status::{RunStatus, TaskStatus};
use model::{IdSet, RunId, TaskId, TaskKey};

use super::Turn;
use crate::input::{Answer, Effect, Rejection, RequestId};
use crate::state::Run;

impl Turn<'_> {
    pub(super) fn reply(&mut self, request: RequestId, answer: Answer) {
        self.effect(Effect::Reply { request, answer });
    }

    pub(super) fn reject(&mut self, request: RequestId, rejection: Rejection) {
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

    /// Opens a new round for what did not succeed; with `from`, for that task and all that follows
    /// it, too.
    pub(super) fn retry(&mut self, request: RequestId, id: RunId, from: Option<TaskId>) {
        let run = match self.may_retry(id, from) {
            Ok(run) => run,
            Err(rejection) => return self.reject(request, rejection),
        };
        let rounds = run.retry_rounds(from);
        if rounds.is_empty() {
            return self.reject(request, Rejection::NothingToRetry);
        }
        let count = rounds.iter().map(|(tasks, _)| tasks.len()).sum();
        for (tasks, scope) in rounds {
            self.record(Fact::RoundOpened { run: id, tasks, scope });
        }
        self.reopened(request, id, count);
    }

    /// Opens some items of a task anew, and all that follows the task.
    pub(super) fn retry_items(&mut self, request: RequestId, key: TaskKey, items: IdSet) {
        let run = match self.may_retry(key.run, Some(key.task)) {
            Ok(run) => run,
            Err(rejection) => return self.reject(request, rejection),
        };
        if run.is_handler(key.task) {
            // All that comes last runs anew, and may come before it.
            let unfit = Rejection::Unfit("what comes last runs again as a whole");
            return self.reject(request, unfit);
        }
        let count = run.item_count(key.task);
        if items.ranges().last().is_none_or(|last| last.end > count) {
            return self.reject(
                request,
                match items.is_empty() {
                    true => Rejection::NothingToRetry,
                    false => Rejection::Unfit("the task does not have that many items"),
                },
            );
        }
        if run.is_gang(key.task) && items.len() < count as usize {
            return self.reject(request, Rejection::Unfit("a gang runs again as a whole"));
        }
        let (own, follows) = run.what_follows(key.task);
        let count = follows.len() + usize::from(own);
        if own {
            self.record(Fact::ItemsReopened { task: key, items });
        }
        if !follows.is_empty() {
            let scope = RoundScope::All;
            self.record(Fact::RoundOpened { run: key.run, tasks: follows, scope });
        }
        self.reopened(request, key.run, count);
    }

    fn reopened(&mut self, request: RequestId, run: RunId, tasks: usize) {
        self.watch_deadlines(run);
        self.reply(request, Answer::Reopened { tasks });
        self.progress(run);
    }

    fn may_retry(&self, id: RunId, task: Option<TaskId>) -> Result<&Run, Rejection> {
        let run = self.state.run(id).ok_or(Rejection::UnknownRun(id))?;
        if !run.status().is_final() {
            return Err(Rejection::NotEnded(run.status()));
        }
        match task.filter(|task| task.0 as usize >= run.graph().len()) {
            Some(task) => Err(Rejection::UnknownTask(task)),
            None => Ok(run),
        }
    }

    pub(super) fn forget(&mut self, run: RunId) {
        if self.state.run(run).is_some_and(|run| run.status().is_final()) {
            self.record(Fact::RunForgotten { run });
        }
    }
}

impl Run {
    /// What a retry by hand would run again, in the order in which it is opened: what did not
    /// succeed, with what follows from that; and, with `from`, that task and everything that
    /// depends on it, whole. What was undone has to be done again in either case, and handlers
    /// always run anew, since the run ends anew.
    #[must_use]
    pub fn retry_rounds(&self, from: Option<TaskId>) -> Vec<(IdSet, RoundScope)> {
        let start = self.unsuccessful().chain(self.undone()).collect();
        let unsuccessful = self.reachable(start, |from, edge| self.follows_anew(from, edge));
        let Some(from) = from else {
            let tasks = self.with_handlers(|task| unsuccessful[task]);
            let round = (tasks, RoundScope::Unsuccessful);
            return Some(round).filter(|(tasks, _)| !tasks.is_empty()).into_iter().collect();
        };
        let start = self.undone().chain([from]).collect();
        let whole = self.reachable(start, |_, _| true);
        let tasks = self.with_handlers(|task| whole[task]);
        // Nothing of the first round follows what is in the second.
        let others = (0u32..).zip(&unsuccessful).filter(|&(_, &again)| again).map(|(id, _)| id);
        let others: IdSet = others.filter(|&task| !tasks.contains(task)).collect();
        let rounds = [(others, RoundScope::Unsuccessful), (tasks, RoundScope::All)];
        rounds.into_iter().filter(|(tasks, _)| !tasks.is_empty()).collect()
    }

    /// What has to run again when some items of a task do: whether the items alone, and what
    /// depends on the task. A task that was undone runs again whole, among those.
    fn what_follows(&self, task: TaskId) -> (bool, IdSet) {
        let whole = self.reachable(self.undone().collect(), |_, _| true);
        let alone = !whole[task.0 as usize];
        let start = self.undone().chain([task]).collect();
        let again = self.reachable(start, |_, _| true);
        let mut tasks = self.with_handlers(|task| again[task]);
        if alone {
            tasks = tasks.iter().filter(|&other| other != task.0).collect();
        }
        (alone, tasks)
    }

    /// The chosen tasks, with all handlers if there are any.
    fn with_handlers(&self, chosen: impl Fn(usize) -> bool) -> IdSet {
        let graph = self.graph();
        let any = (0..graph.len()).any(&chosen);
        let chosen = |&task: &TaskId| chosen(task.0 as usize) || any && self.is_handler(task);
        graph.tasks().filter(chosen).map(|task| task.0).collect()
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
