//! Answers: what a question was answered with, and what ended a wait.

use alloc::vec::Vec;

use model::control::{ControlAnswer, Kind, Verdict};
use model::fact::{ControlImage, TaskAnswered};
use model::outcome::{Failure, Outcome};
use model::status::TaskStatus;
use model::{IdSet, TaskId, TaskKey, Timestamp};

use crate::state::State;

impl State {
    pub(super) fn task_answered(&mut self, answered: &TaskAnswered, at: Timestamp) {
        let key = answered.task;
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        if !run.asking.remove(&key.task) {
            return;
        }
        match answered.answer {
            ControlAnswer::Begin => self.go_on(key, None, at),
            ControlAnswer::Until(until) => self.go_on(key, Some(until), at),
            ControlAnswer::FanOut { items, list } => {
                run.fan_out(key.task, items, list);
                self.go_on(key, None, at);
            }
            ControlAnswer::Skip => self.end_pending(key, TaskStatus::Skipped, at),
            ControlAnswer::Route(route) => {
                run.control.insert(key.task, ControlImage::Route(route));
                self.end_pending(key, TaskStatus::Succeeded, at);
            }
            ControlAnswer::Done | ControlAnswer::Cached => {
                self.end_pending(key, TaskStatus::Succeeded, at);
            }
            ControlAnswer::Again => self.turn_again(key, at),
            ControlAnswer::Invalid => self.fail_pending(key, Failure::Control, at),
        }
    }

    fn go_on(&mut self, key: TaskKey, until: Option<Timestamp>, at: Timestamp) {
        if self.begin(key, until, at) {
            self.follow(key, at);
        }
    }

    fn end_pending(&mut self, key: TaskKey, status: TaskStatus, at: Timestamp) {
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        run.set_items(key.task, TaskStatus::Pending, status, at);
        self.follow(key, at);
    }

    fn fail_pending(&mut self, key: TaskKey, failure: Failure, at: Timestamp) {
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        run.note_trouble(key.task, Outcome::Failed(failure));
        self.end_pending(key, TaskStatus::Failed, at);
    }

    /// The body of a loop runs again, unless it has had all its turns.
    fn turn_again(&mut self, key: TaskKey, at: Timestamp) {
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        let Kind::Loop { turns_max, .. } = run.policy(key.task).kind else { return };
        let turn = run.turn(key.task);
        if turn >= turns_max {
            return self.fail_pending(key, Failure::TurnsUsedUp, at);
        }
        let tasks: IdSet = run.body(key.task).collect();
        for task in tasks.iter().map(TaskId) {
            run.forget_answer(task);
            run.reopen(task, |_, _| true);
        }
        run.control.insert(key.task, ControlImage::Turn(turn + 1));
        self.restart(key.run, &tasks, at);
    }

    /// Counts the edges of reopened tasks anew, and lets those begin that may.
    pub(super) fn restart(&mut self, id: model::RunId, tasks: &IdSet, at: Timestamp) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.recount_edges(tasks);
        let mut ended = Vec::new();
        for task in tasks.iter().map(TaskId) {
            if self.advance(TaskKey { run: id, task }, at) {
                ended.push(task);
            }
        }
        self.follow_all(id, ended, at);
    }

    pub(super) fn task_settled(&mut self, key: TaskKey, verdict: Verdict, at: Timestamp) {
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        let known = (key.task.0 as usize) < run.graph().len();
        if !known || run.wait(key.task).is_none() {
            return;
        }
        let (status, trouble) = match verdict {
            Verdict::Elapsed | Verdict::Approved => (TaskStatus::Succeeded, None),
            Verdict::Rejected => (TaskStatus::Failed, Some(Outcome::Failed(Failure::Rejected))),
            Verdict::Expired => (TaskStatus::TimedOut, Some(Outcome::TimedOut)),
        };
        if let Some(trouble) = trouble {
            run.note_trouble(key.task, trouble);
        }
        self.end_wait(key, status, at);
        self.follow(key, at);
    }
}
