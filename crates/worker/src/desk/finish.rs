//! How an attempt ends: its outputs and tasks are read, its artifacts stored, and then it is told.

use model::outcome::{AttemptEnd, Failure, Outcome, OutputRef};
use model::{Digest, Span};

use super::veil::Veil;
use super::{Desk, Ended, Live, News};
use crate::executors::{Finished, Left};
use crate::keep::{Done, Job, Trouble, with_artifacts};
use crate::supervisor::Ticket;
use crate::{outputs, tasks};

/// An attempt that has ended and is not told of yet.
pub(super) struct Finish {
    live: Live,
    outcome: Outcome,
    /// What is known of it: usage, what it spent.
    end: AttemptEnd,
    checkpointed: Option<Span>,
    retry_after: Option<Span>,
    outputs: Option<Vec<u8>>,
    tasks: Option<Vec<u8>>,
}

impl Desk {
    /// An executor says how an attempt ended; `checkpointed` is how long ago it saved its work, if
    /// that is news.
    pub(super) fn ended(
        &mut self,
        (ticket, checkpointed): (Ticket, Option<Span>),
        mut live: Live,
        finished: Finished,
    ) -> Option<News> {
        let Finished { outcome, usage, spent, retry_after, reason, left } = finished;
        let was_silent = self.silences.end(ticket);
        for (stream, rest) in live.veil.iter_mut().flat_map(|veil| veil.finish()) {
            self.log.append(ticket, stream, self.at, &rest);
        }
        if let Some(line) = live.held.on_end(outcome) {
            self.say(ticket, &line);
        }
        if let Some(reason) = reason {
            self.tell(ticket, &live, &reason);
        }
        // It was asked to end, and did.
        let outcome = match outcome {
            Outcome::Failed(_) if was_silent => Outcome::TimedOut,
            outcome => outcome,
        };
        let (outcome, outputs, tasks) = match left {
            Left::Nothing => (outcome, None, None),
            Left::Outputs(outputs) => (outcome, Some(outputs), None),
            Left::Files { has_outputs } => {
                let (outcome, outputs) = match has_outputs {
                    true => self.read_outputs(ticket, &live, outcome),
                    false => (outcome, None),
                };
                let (outcome, tasks) = self.read_tasks(ticket, &live, outcome);
                (outcome, outputs, tasks)
            }
        };
        let (outcome, outputs) = match (&live.veil, outputs) {
            (Some(veil), Some(bytes)) => match veil.outputs(&bytes) {
                Ok(hidden) => (outcome, Some(hidden)),
                Err(reason) => {
                    self.tell(ticket, &live, &reason);
                    (Outcome::Failed(Failure::Outputs), None)
                }
            },
            (_, outputs) => (outcome, outputs),
        };
        let tasks = tasks.filter(|_| outcome == Outcome::Succeeded);
        let collect = std::mem::take(&mut live.collect);
        let folder = live.folder.clone();
        let end = AttemptEnd { usage, spent, ..AttemptEnd::default() };
        let finish = Finish { live, outcome, end, checkpointed, retry_after, outputs, tasks };
        if outcome != Outcome::Succeeded || collect.is_empty() {
            return Some(self.end(ticket, finish));
        }
        match self.keeper.begin(ticket, folder, Job::Collect(collect)) {
            Ok(()) => {
                self.collecting.insert(ticket, finish);
                None
            }
            Err(trouble) => Some(self.spoil(ticket, finish, &trouble.reason)),
        }
    }

    /// Artifacts are in their places, or stored, or cannot be.
    pub(crate) fn kept(&mut self, done: Done) -> Option<News> {
        let Done { ticket, result } = done;
        if let Some(placing) = self.placing.remove(&ticket) {
            self.tickets.remove(&placing.live.lease);
            return match result {
                // It was told to end: whoever said so knows what that means.
                _ if placing.is_stopped => {
                    let outcome = Finished::stopped().outcome;
                    Some(self.never_was(ticket, placing.live, (outcome, None)))
                }
                Ok(_) => {
                    self.launch(placing.attempt, placing.does, placing.live);
                    None
                }
                Err(Trouble { reason }) => {
                    let outcome = Outcome::Failed(Failure::Render);
                    Some(self.never_was(ticket, placing.live, (outcome, Some(reason))))
                }
            };
        }
        // What an earlier supervisor ran is lost, whatever it has left.
        let mut finish = self.collecting.remove(&ticket)?;
        let named = result.map_err(|trouble| trouble.reason).and_then(|kept| {
            let is_told =
                |veil: &Veil| kept.iter().any(|one| veil.is_in(&one.name) || veil.is_in(&one.path));
            if finish.live.veil.as_deref().is_some_and(is_told) {
                return Err("the name of an artifact has a secret in it".to_owned());
            }
            with_artifacts(finish.outputs.as_deref(), &kept)
        });
        match named {
            Ok(outputs) => {
                finish.outputs = Some(outputs);
                Some(self.end(ticket, finish))
            }
            Err(reason) => Some(self.spoil(ticket, finish, &reason)),
        }
    }

    /// The end of an attempt that never began.
    fn never_was(
        &mut self,
        ticket: Ticket,
        mut live: Live,
        (outcome, reason): (Outcome, Option<String>),
    ) -> News {
        self.cores.put(&mut live.held);
        self.log.begin(ticket, live.lease);
        if let Some(reason) = reason {
            self.tell(ticket, &live, &reason);
        }
        let end = AttemptEnd::default();
        let (checkpointed, retry_after, outputs, tasks) = (None, None, None, None);
        let finish = Finish { live, outcome, end, checkpointed, retry_after, outputs, tasks };
        self.end(ticket, finish)
    }

    /// An attempt that ended well fails, because what it left cannot be kept.
    fn spoil(&mut self, ticket: Ticket, finish: Finish, reason: &str) -> News {
        self.tell(ticket, &finish.live, reason);
        let outcome = Outcome::Failed(Failure::Outputs);
        self.end(ticket, Finish { outcome, outputs: None, tasks: None, ..finish })
    }

    /// Writes a line about an attempt into its log, without its secrets: what a file is called, and
    /// what others answer, may have one in it.
    fn tell(&mut self, ticket: Ticket, live: &Live, text: &str) {
        match &live.veil {
            Some(veil) => self.say(ticket, &veil.line(text)),
            None => self.say(ticket, text),
        }
    }

    fn end(&mut self, ticket: Ticket, finish: Finish) -> News {
        let Finish { live, outcome, end, checkpointed, retry_after, outputs, tasks } = finish;
        let lease = live.lease;
        let log = self.log.finish(ticket, self.at);
        let end = AttemptEnd { log, output: outputs.as_deref().map(name), ..end };
        News::Ended(Ended { lease, outcome, end, checkpointed, retry_after, outputs, tasks })
    }

    /// The outputs of an attempt that ended well; ones that cannot be read make it a failed one.
    fn read_outputs(
        &mut self,
        ticket: Ticket,
        live: &Live,
        outcome: Outcome,
    ) -> (Outcome, Option<Vec<u8>>) {
        let read = outputs::read(&live.output_file);
        // It has been read, or never can be.
        let _ = std::fs::remove_file(&live.output_file);
        match read {
            _ if outcome != Outcome::Succeeded => (outcome, None),
            Ok(outputs) => (outcome, outputs),
            Err(error) => {
                // A line may be a piece of a secret, which no mask would find.
                let error = if live.veil.is_some() { error.without_text() } else { error };
                self.say(ticket, &error.to_string());
                (Outcome::Failed(Failure::Outputs), None)
            }
        }
    }

    /// The tasks that an attempt which ended well wrote; ones that cannot be kept make it a failed
    /// one.
    fn read_tasks(
        &mut self,
        ticket: Ticket,
        live: &Live,
        outcome: Outcome,
    ) -> (Outcome, Option<Vec<u8>>) {
        if outcome != Outcome::Succeeded {
            // Most have written none.
            let _ = std::fs::remove_file(&live.tasks_file);
            return (outcome, None);
        }
        let mask = live.veil.as_ref().map(|veil| &veil.mask);
        match tasks::read(&live.tasks_file, mask) {
            Ok(tasks) => (outcome, tasks),
            Err(error) => {
                self.say(ticket, &error.to_string());
                (Outcome::Failed(Failure::Tasks), None)
            }
        }
    }
}

pub(crate) fn name(bytes: impl AsRef<[u8]>) -> OutputRef {
    let bytes = bytes.as_ref();
    let digest = Digest(*blake3::hash(bytes).as_bytes());
    OutputRef { digest, bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX) }
}
