//! Questions are answered, people say yes or no, and waiting times end.

use alloc::boxed::Box;

use model::TaskKey;
use model::control::{ControlAnswer, Kind, Verdict};
use model::fact::{Fact, TaskAnswered};
use model::outcome::OutputRef;
use model::status::TaskStatus;

use super::Turn;
use crate::input::{Answer, Answered, Effect, Rejection, RequestId};

impl Turn<'_> {
    /// Records an answer, if it is still asked for: the run may have been stopped meanwhile, or the
    /// task opened anew.
    pub(super) fn answered(&mut self, answered: Answered) {
        let Answered { task, round, answer, output, cached } = answered;
        self.volatile.asked.remove(&(task, round));
        let Some(run) = self.state.run(task.run) else { return };
        if !run.asking.contains(&task.task) || run.task(task.task).round() != round {
            return;
        }
        self.record(Fact::TaskAnswered(Box::new(TaskAnswered { task, answer, output })));
        self.mark_cached(task, &cached);
        if answer == ControlAnswer::Again {
            self.recheck_deadlines(task.run);
        }
        self.see_to(task);
    }

    /// Somebody says what a task waits for.
    pub(super) fn settle(
        &mut self,
        request: RequestId,
        task: TaskKey,
        (verdict, output): (Verdict, Option<OutputRef>),
    ) {
        let answer = match self.may_settle(task) {
            Err(rejection) => Answer::Rejected(rejection),
            Ok(()) => {
                self.record(Fact::TaskSettled { task, verdict, output });
                self.see_to(task);
                Answer::Settled
            }
        };
        self.effect(Effect::Reply { request, answer });
    }

    fn may_settle(&self, key: TaskKey) -> Result<(), Rejection> {
        let Some(run) = self.state.run(key.run) else {
            return Err(Rejection::UnknownRun(key.run));
        };
        if key.task.0 as usize >= run.graph().len() {
            return Err(Rejection::UnknownTask(key.task));
        }
        let waits = run.wait(key.task).is_some();
        match run.policy(key.task).kind {
            Kind::Signal { .. } if waits => Ok(()),
            Kind::Signal { .. } => Err(Rejection::NotWaiting(run.task(key.task).status())),
            _ => Err(Rejection::NothingToSay),
        }
    }

    /// The time of a task that waits is over.
    pub(super) fn wait_is_over(&mut self, task: TaskKey) {
        let Some(run) = self.state.run(task.run) else { return };
        let verdict = match run.policy(task.task).kind {
            Kind::Signal { otherwise, .. } => otherwise,
            _ => Verdict::Elapsed,
        };
        self.record(Fact::TaskSettled { task, verdict, output: None });
        self.see_to(task);
    }

    /// What follows when a task has ended by an answer.
    fn see_to(&mut self, key: TaskKey) {
        let status = self.state.run(key.run).map(|run| run.task(key.task).status());
        if matches!(status, Some(TaskStatus::Failed | TaskStatus::TimedOut)) {
            self.task_failed(key);
        }
        self.progress(key.run);
    }
}
