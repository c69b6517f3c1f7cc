//! The thread on which attempts wait for other machines: one for all of them, started when the first
//! attempt needs it. What happens to them comes back through the worker's inbox.
//!
//! It knows of no kind of work: an attempt is a future that ends.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use artifacts::logs::Stream;
use model::Span;
use model::outcome::{Failure, Outcome, Spent};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::{Finished, Happened};
use crate::inbox::{Event, Slot};
use crate::supervisor::Ticket;

pub(crate) mod client;
pub(crate) mod guard;
pub(crate) mod patience;
#[cfg(test)]
pub(crate) mod testing;

/// Attempts that wait for other machines.
#[derive(Default)]
pub(crate) struct Network {
    runtime: Option<Runtime>,
    /// What ends each of them.
    jobs: HashMap<Ticket, oneshot::Sender<()>>,
}

impl Network {
    /// Begins an attempt. All that happens to it comes through the slot.
    pub(crate) fn begin<F>(&mut self, ticket: Ticket, slot: &Slot, job: impl FnOnce(Teller) -> F)
    where
        F: Future<Output = Finished> + Send + 'static,
    {
        let teller = Teller { ticket, slot: slot.clone(), spent: Arc::default(), is_quiet: false };
        let runtime = match self.runtime() {
            Ok(runtime) => runtime,
            Err(error) => {
                let failure = Failure::Spawn(error.raw_os_error().unwrap_or_default());
                let reason = Some(format!("the thread of the network cannot be started: {error}"));
                let outcome = Outcome::Failed(failure);
                teller.end(Finished { reason, ..Finished::new(outcome) });
                return;
            }
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let work = job(teller.clone());
        runtime.spawn(async move {
            let since = Instant::now();
            teller.put(Happened::Started);
            let mut finished = tokio::select! {
                biased;
                _ = stopped => Finished::stopped(),
                finished = work => finished,
            };
            finished.usage.wall_us = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
            finished.spent = *teller.spent.lock().unwrap_or_else(PoisonError::into_inner);
            teller.end(finished);
        });
        self.jobs.insert(ticket, stop);
    }

    /// Lets something be done of which nothing is told.
    pub(crate) fn in_background(&mut self, job: impl Future<Output = ()> + Send + 'static) {
        // Without a thread nothing can be done, and the next attempt says why.
        if let Ok(runtime) = self.runtime() {
            runtime.spawn(job);
        }
    }

    /// Makes an attempt end at once: its connection is given up.
    pub(crate) fn stop(&mut self, ticket: Ticket) {
        if let Some(stop) = self.jobs.remove(&ticket) {
            // One that has ended meanwhile listens no more.
            let _ = stop.send(());
        }
    }

    /// An attempt has ended.
    pub(crate) fn forget(&mut self, ticket: Ticket) {
        self.jobs.remove(&ticket);
    }

    /// Ends all attempts. What they still tell is of nobody.
    pub(crate) fn abandon(&mut self) {
        self.jobs.clear();
    }

    fn runtime(&mut self) -> io::Result<&Runtime> {
        let runtime = match self.runtime.take() {
            Some(runtime) => runtime,
            None => Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("network")
                .enable_io()
                .enable_time()
                .build()?,
        };
        Ok(self.runtime.insert(runtime))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A name that takes long to resolve holds nobody up.
            runtime.shutdown_background();
        }
    }
}

/// Tells what happens to one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Teller {
    ticket: Ticket,
    slot: Slot,
    spent: Arc<Mutex<Spent>>,
    /// Whether its log is left alone.
    is_quiet: bool,
}

impl Teller {
    /// The same, that says nothing in the log.
    pub(crate) fn quiet(&self) -> Self {
        Self { is_quiet: true, ..self.clone() }
    }

    /// Adds a line of the worker's own to its log.
    pub(crate) fn say(&self, text: &str) {
        self.output(Stream::Err, format!("autoglm: {text}\n").into_bytes());
    }

    /// Adds to its log.
    pub(crate) fn output(&self, stream: Stream, bytes: Vec<u8>) {
        if !self.is_quiet {
            self.put(Happened::Output(stream, bytes));
        }
    }

    /// Adds to what it has spent.
    pub(crate) fn spend(&self, more: Spent) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        *spent = Spent {
            requests: spent.requests.saturating_add(more.requests),
            tokens_in: spent.tokens_in.saturating_add(more.tokens_in),
            tokens_out: spent.tokens_out.saturating_add(more.tokens_out),
            cost_micro: spent.cost_micro.saturating_add(more.cost_micro),
        };
    }

    fn end(&self, finished: Finished) {
        self.put(Happened::Ended(Box::new(finished)));
    }

    fn put(&self, happened: Happened) {
        self.slot.put(Event::Happened(vec![(self.ticket, happened)]));
    }
}

/// Why an attempt failed, as its executor saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub failure: Failure,
    /// For people.
    pub reason: String,
    /// How long the other side asked to wait.
    pub retry_after: Option<Span>,
}

impl Trouble {
    pub(crate) fn new(failure: Failure, reason: impl Into<String>) -> Self {
        Self { failure, reason: reason.into(), retry_after: None }
    }
}

impl From<Trouble> for Finished {
    fn from(Trouble { failure, reason, retry_after }: Trouble) -> Self {
        let outcome = Outcome::Failed(failure);
        Self { reason: Some(reason), retry_after, ..Self::new(outcome) }
    }
}
