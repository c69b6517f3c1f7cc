//! What the facts of a run tell that its state does not keep: why tasks have ended that were never
//! run, and where the last words of what could not be prepared stand.
//!
//! Each fact is read once: whoever looks again reads only what is new. All of it follows from facts
//! and may be dropped at any time. Nothing here reads the disk.

use std::collections::HashMap;

use journal::Entry;
use model::control::ControlAnswer;
use model::fact::{AttemptsEnded, MarkCause, Marked};
use model::outcome::{Failure, LogRef, Outcome};
use model::{Fact, ItemKey, RunId, Seq, TaskId};

/// What the facts of one run have told so far.
#[derive(Debug)]
pub(crate) struct Aside {
    run: RunId,
    read: Seq,
    notes: HashMap<TaskId, String>,
    logs: HashMap<ItemKey, LogRef>,
}

impl Aside {
    /// Before the first fact of a run.
    pub(crate) fn new(run: RunId, admitted: Seq) -> Self {
        let read = Seq(admitted.0.saturating_sub(1));
        Self { run, read, notes: HashMap::new(), logs: HashMap::new() }
    }

    /// The last fact that was taken in.
    pub(crate) const fn read(&self) -> Seq {
        self.read
    }

    /// Why a task has ended that was never run: `marked`, `cached`, `from run 7`.
    pub(crate) fn note(&self, task: TaskId) -> Option<&str> {
        self.notes.get(&task).map(String::as_str)
    }

    /// The log in which a worker says why the last attempt of an item could not be prepared, or its
    /// outputs not be read.
    pub(crate) fn log(&self, item: ItemKey) -> Option<LogRef> {
        self.logs.get(&item).copied()
    }

    /// Takes in the next facts, of whatever run.
    pub(crate) fn take(&mut self, facts: &[Entry]) {
        for entry in facts {
            self.read = entry.seq;
            match &entry.fact {
                Fact::Marked(mark) if mark.run == self.run => self.marked(mark),
                Fact::TaskAnswered(answered)
                    if answered.task.run == self.run
                        && answered.answer == ControlAnswer::Cached =>
                {
                    self.notes.insert(answered.task.task, "cached".to_owned());
                }
                Fact::RoundOpened { run, tasks, .. } if *run == self.run => {
                    self.notes.retain(|task, _| !tasks.contains(task.0));
                }
                Fact::AttemptsEnded(ended) if ended.task.run == self.run => self.ended(ended),
                _ => {}
            }
        }
    }

    fn marked(&mut self, mark: &Marked) {
        let note = match mark.cause {
            MarkCause::Person => "marked".to_owned(),
            MarkCause::Cache => "cached".to_owned(),
            MarkCause::Fork { from } => format!("from run {from}"),
        };
        self.notes.extend(mark.tasks.iter().map(|task| (TaskId(task), note.clone())));
    }

    fn ended(&mut self, ended: &AttemptsEnded) {
        let is_told = matches!(ended.outcome, Outcome::Failed(Failure::Render | Failure::Outputs));
        if !is_told && self.logs.is_empty() {
            return;
        }
        for (item, end) in &ended.ends {
            let item = ended.task.item(*item);
            match end.log.filter(|_| is_told) {
                Some(log) => self.logs.insert(item, log),
                None => self.logs.remove(&item),
            };
        }
    }
}

#[cfg(test)]
mod tests {

    use model::outcome::{AttemptEnd, Then};
    use model::{Epoch, IdSet, ItemId, TaskKey, TaskStatus, Timestamp};

    use super::*;

    const RUN: RunId = RunId(3);

    fn entry(seq: u64, fact: Fact) -> Entry {
        Entry { seq: Seq(seq), at: Timestamp(seq), epoch: Epoch(1), fact }
    }

    fn marked(run: RunId, task: u32) -> Fact {
        let (tasks, cause) = (IdSet::one(task), MarkCause::Person);
        let (status, items, control, output) = (TaskStatus::Succeeded, None, None, None);
        Fact::Marked(Box::new(Marked { run, tasks, items, status, cause, control, output }))
    }

    fn ended(outcome: Outcome, log: Option<LogRef>) -> Fact {
        let end = AttemptEnd { log, ..AttemptEnd::default() };
        let task = TaskKey { run: RUN, task: TaskId(1) };
        let (then, ends) = (Then::Final, vec![(ItemId(2), end)]);
        Fact::AttemptsEnded(Box::new(AttemptsEnded { task, outcome, then, ends }))
    }

    #[test]
    fn facts_are_taken_in_one_after_the_other_and_those_of_other_runs_passed_over() {
        let mut aside = Aside::new(RUN, Seq(5));
        assert_eq!(aside.read(), Seq(4));
        aside.take(&[entry(5, marked(RUN, 1)), entry(6, marked(RunId(4), 2))]);
        assert_eq!((aside.read(), aside.note(TaskId(1))), (Seq(6), Some("marked")));
        assert_eq!(aside.note(TaskId(2)), None);
    }

    #[test]
    fn the_log_is_that_of_the_last_attempt() {
        let mut aside = Aside::new(RUN, Seq(1));
        let item = TaskKey { run: RUN, task: TaskId(1) }.item(ItemId(2));
        let log = LogRef::default();
        aside.take(&[entry(1, ended(Outcome::Failed(Failure::Render), Some(log)))]);
        assert_eq!(aside.log(item), Some(log));
        aside.take(&[entry(2, ended(Outcome::Failed(Failure::Exit(1)), Some(log)))]);
        assert_eq!(aside.log(item), None);
    }
}
