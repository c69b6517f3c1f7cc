//! The executor of what needs neither a process nor a connection: time that passes, and outputs
//! that are known. For glue and tests.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use model::Span;
use model::outcome::{Outcome, Usage};

use super::{Attempt, Ending, Executor, Finished, Happened, Left, Tools};
use crate::supervisor::Ticket;

/// What it does.
pub(crate) enum Task {
    /// Ends at once.
    Nothing,
    /// Lets time pass.
    Sleep(Span),
    /// Ends at once with these outputs.
    Emit(Vec<u8>),
}

/// Attempts that the worker's own loop runs.
#[derive(Default)]
pub(crate) struct Builtin {
    sleeping: BTreeMap<(Instant, Ticket), Instant>,
    news: Vec<(Ticket, Happened)>,
}

impl Executor for Builtin {
    type Work = Task;

    fn start(&mut self, attempt: Attempt, task: Task, _: &mut Tools<'_>) {
        let Attempt { ticket, .. } = attempt;
        self.news.push((ticket, Happened::Started));
        match task {
            Task::Nothing => {
                self.end(ticket, Usage::default(), Left::Nothing);
            }
            Task::Sleep(Span(micros)) => {
                let now = Instant::now();
                self.sleeping.insert((now + Duration::from_micros(micros), ticket), now);
            }
            Task::Emit(outputs) => {
                self.end(ticket, Usage::default(), Left::Outputs(outputs));
            }
        }
    }

    fn stop(&mut self, ticket: Ticket, _: Ending, _: &mut Tools<'_>) {
        let before = self.sleeping.len();
        self.sleeping.retain(|(_, sleeping), _| *sleeping != ticket);
        if self.sleeping.len() < before {
            self.news.push((ticket, Happened::Ended(Box::new(Finished::stopped()))));
        }
    }

    fn abandon(&mut self) {
        *self = Self::default();
    }
}

impl Builtin {
    /// When something happens next by itself.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if self.news.is_empty() {
            self.sleeping.first_key_value().map(|((at, _), _)| *at)
        } else {
            Some(Instant::now())
        }
    }

    /// What has happened until now.
    pub(crate) fn take(&mut self, now: Instant) -> Vec<(Ticket, Happened)> {
        while let Some(entry) = self.sleeping.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, ticket), since) = entry.remove_entry();
            let wall_us = u64::try_from((now - since).as_micros()).unwrap_or(u64::MAX);
            let usage = Usage { wall_us, ..Usage::default() };
            self.end(ticket, usage, Left::Nothing);
        }
        std::mem::take(&mut self.news)
    }

    fn end(&mut self, ticket: Ticket, usage: Usage, left: Left) {
        let finished = Finished { usage, left, ..Finished::new(Outcome::Succeeded) };
        self.news.push((ticket, Happened::Ended(Box::new(finished))));
    }
}
