//! Attempts: started, played as the test says, and ended.

use model::message::{AttemptEvent, Grant, LeaseId, Report};
use model::outcome::{AttemptEnd, Failure, Usage};
use model::{ItemId, Outcome};
use serde_json::Value;
use spec::cases::{Attempt, End, Mock};

use super::machine::{Held, Running};
use super::record::words;
use super::{Due, Input, Rehearsal};

impl Rehearsal<'_> {
    /// Starts an attempt: its text is rendered as it would be, and then nothing is run.
    pub(super) fn start(&mut self, grant: Grant) {
        let (lease, attempt) = (grant.lease(), grant.attempt);
        let (task, item) = (attempt.key.task, attempt.key.item);
        self.report(lease, AttemptEvent::Started);
        let note = self.notes.of(task);
        let (turn, tries) = note.attempt(item, attempt.round);
        let Some(run) = self.engine.state().run(self.run) else { return };
        let rendered =
            self.definition.render((task, item), grant.variant, &self.memory.view(self.run, run));
        let played = match rendered {
            Ok(rendered) => {
                if self.watched[task.0 as usize] {
                    self.notes.of(task).started.push(rendered);
                }
                let mock = self.case.mock(self.definition.task_name(task));
                mock.and_then(|mock| played(mock, item, (turn, tries))).cloned().unwrap_or_default()
            }
            Err(error) => {
                self.notes.of(task).trouble = Some(error.message);
                let (since, end) = (self.now, End::Succeeds);
                self.machine.run(Running { grant, since, end, outputs: Default::default() });
                return self.finish(lease, Outcome::Failed(Failure::Render));
            }
        };
        let Attempt { end, outputs, duration } = played;
        self.machine.run(Running { grant, since: self.now, end, outputs });
        if end != End::Hangs {
            self.schedule(self.now + duration, Due::Ends(lease));
        }
    }

    /// An attempt ends as it was to end, unless it was cut short before.
    pub(super) fn end(&mut self, lease: LeaseId) {
        let outcome = match self.machine.attempt(lease).map(|running| running.end) {
            Some(End::Succeeds | End::Exits(0)) => Outcome::Succeeded,
            Some(End::Exits(code)) => Outcome::Failed(Failure::Exit(code)),
            Some(End::IsLost) => Outcome::Lost,
            Some(End::Hangs) | None => return,
        };
        self.finish(lease, outcome);
    }

    /// An attempt is ended from outside.
    pub(super) fn cut_short(&mut self, lease: LeaseId, outcome: Outcome) {
        self.finish(lease, outcome);
    }

    /// A lease is given back if its attempt has not started.
    pub(super) fn give_back(&mut self, lease: LeaseId) {
        if self.machine.attempt(lease).is_none() && self.machine.let_go(lease).is_some() {
            self.report(lease, AttemptEvent::Returned);
        }
    }

    fn finish(&mut self, lease: LeaseId, outcome: Outcome) {
        let (task, item) = (lease.item.task, lease.item.item);
        let mut end = AttemptEnd::default();
        match self.machine.let_go(lease) {
            None => return,
            Some(Held::Waiting) => {}
            Some(Held::Running(running)) => {
                end.usage = Usage { wall_us: self.now.since(running.since).0, ..Usage::default() };
                if !running.outputs.is_empty() {
                    let outputs = Value::Object(running.outputs);
                    end.output = Some(super::control::name(&outputs));
                    self.memory.keep(task, item, outputs);
                }
            }
        }
        if let Some(words) = words(outcome).filter(|_| outcome != Outcome::Failed(Failure::Render))
        {
            self.notes.of(task).trouble = Some(words);
        }
        self.report(lease, AttemptEvent::Ended { outcome, end, tasks: None, retry_after: None });
    }

    fn report(&mut self, lease: LeaseId, event: AttemptEvent) {
        let message = self.machine.report(Report { lease, event });
        self.step(Input::Worker(message));
    }
}

/// What is played of a mock in the attempt of that number of the item, in the round of that
/// number, both from 0.
fn played(mock: &Mock, item: ItemId, (turn, tries): (usize, usize)) -> Option<&Attempt> {
    match mock {
        Mock::Attempts(attempts) => attempts.get(tries).or(attempts.last()),
        Mock::Rounds(rounds) => played(rounds.get(turn).or(rounds.last())?, item, (turn, tries)),
        Mock::Items(items) => played(items.get(&item.0)?, item, (turn, tries)),
    }
}
