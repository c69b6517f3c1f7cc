//! The journal's thread: one batch at a time becomes durable, and the driver hears of it.
//!
//! What follows from each answer of the journal is settled here: a full disk is waited for, an
//! unknown outcome is looked up, and after a failed sync nothing is acknowledged ever again. It
//! never looks into a fact.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use journal::{AppendError, Batch, Journal, OutputRow};
use model::limits::LEADER_RENEW;
use model::{Digest, Epoch, Fact, ItemKey, RunId, Seq, Timestamp, Token};
use protocol::api;
use stores::sqlite::SqliteJournal;

use crate::clock::Clock;
use crate::driver::Event;
use crate::follower::{Built, Committed, Word};

/// How long to wait for room on a full disk before the next try.
const RETRY: Duration = Duration::from_millis(250);

/// What becomes durable together.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    pub after: Seq,
    pub at: Timestamp,
    pub facts: Vec<Fact>,
    pub outputs: Vec<(ItemKey, Token, Arc<[u8]>)>,
    pub objects: Vec<(Digest, Vec<u8>)>,
}

/// A journal whose owner may remove what no fact names any more.
pub(crate) trait Store: Journal + Send {
    /// Removes the outputs of some runs, and some objects.
    fn discard(&mut self, epoch: Epoch, discard: &Discard) -> Result<(), AppendError>;
}

impl Store for SqliteJournal {
    fn discard(&mut self, epoch: Epoch, discard: &Discard) -> Result<(), AppendError> {
        self.remove(epoch, &discard.runs, &discard.objects)
    }
}

/// What rests in the journal's file and is of no use any more.
#[derive(Debug, Default)]
pub(crate) struct Discard {
    /// Runs whose outputs nobody reads again.
    pub runs: Vec<RunId>,
    /// Graphs and texts that no fact names which a replay reads.
    pub objects: Vec<Digest>,
}

enum Task {
    Commit(Box<Commit>),
    Snapshot(Box<Built>),
    Discard(Discard),
    Release,
}

/// Why this process may not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fatal {
    /// Another process leads.
    Fenced(String),
    /// The journal can't be trusted or used any more.
    Storage(String),
}

/// The way to the journal's thread.
#[derive(Debug)]
pub(crate) struct Storage {
    tasks: Sender<Task>,
    thread: Option<JoinHandle<()>>,
}

/// Who hears of what.
pub(crate) struct Listeners {
    pub driver: Sender<Event>,
    pub follower: Sender<Word>,
}

impl Storage {
    pub(crate) fn start(
        journal: Box<dyn Store>,
        epoch: Epoch,
        clock: Clock,
        listeners: Listeners,
    ) -> std::io::Result<Self> {
        let (tasks, inbox) = channel();
        let mut keeper = Keeper { journal, epoch, clock, listeners };
        let thread = thread::Builder::new().name("journal".into()).spawn(move || {
            keeper.serve(&inbox);
        })?;
        Ok(Self { tasks, thread: Some(thread) })
    }

    /// Makes a batch durable; the driver hears [`Event::Durable`].
    pub(crate) fn commit(&self, commit: Commit) {
        // If the thread has ended, the driver has been told why.
        let _ = self.tasks.send(Task::Commit(Box::new(commit)));
    }

    pub(crate) fn put_snapshot(&self, built: Built) {
        let _ = self.tasks.send(Task::Snapshot(Box::new(built)));
    }

    /// Removes it, after all that was handed over before: what is committed later and names it
    /// again brings it along.
    pub(crate) fn discard(&self, discard: Discard) {
        let _ = self.tasks.send(Task::Discard(discard));
    }
}

impl Drop for Storage {
    /// Gives the leader's lease back and waits for what is under way.
    fn drop(&mut self) {
        let _ = self.tasks.send(Task::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Keeper {
    journal: Box<dyn Store>,
    epoch: Epoch,
    clock: Clock,
    listeners: Listeners,
}

impl Keeper {
    fn serve(&mut self, inbox: &Receiver<Task>) {
        let renew = Duration::from_micros(LEADER_RENEW.0);
        loop {
            let served = match inbox.recv_timeout(renew) {
                Ok(Task::Commit(commit)) => self.commit(*commit),
                Ok(Task::Snapshot(built)) => self.snapshot(&built),
                Ok(Task::Discard(discard)) => self.discard(&discard),
                Ok(Task::Release) | Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
                    // The lease runs out by itself, too.
                    let _ = self.journal.release(self.epoch);
                    return;
                }
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => self.renew(),
            };
            if let Err(fatal) = served {
                let _ = self.listeners.driver.send(Event::Fatal(fatal));
                return;
            }
        }
    }

    /// The folder's lock already keeps others out; a lease that can't be renewed for want of room
    /// is no reason to stop.
    fn renew(&mut self) -> Result<(), Fatal> {
        match self.journal.renew(self.epoch, self.clock.now()) {
            Err(error @ AppendError::Fenced { .. }) => Err(Fatal::Fenced(error.to_string())),
            Err(error @ AppendError::SyncFailed(_)) => Err(Fatal::Storage(error.to_string())),
            _ => Ok(()),
        }
    }

    fn commit(&mut self, commit: Commit) -> Result<(), Fatal> {
        let outputs: Vec<_> = commit
            .outputs
            .iter()
            .map(|(item, token, bytes)| OutputRow { item: *item, token: *token, bytes })
            .collect();
        let objects: Vec<_> =
            commit.objects.iter().map(|(digest, bytes)| (*digest, bytes.as_slice())).collect();
        let batch = Batch {
            epoch: self.epoch,
            after: commit.after,
            at: commit.at,
            facts: &commit.facts,
            outputs: &outputs,
            objects: &objects,
        };
        self.append(&batch)?;
        let last = batch.last();
        let Commit { after, at, facts, .. } = commit;
        let committed = Committed { after, at, epoch: self.epoch, facts };
        // First: whoever has been told of a fact, and then asks the follower, asks after it.
        let _ = self.listeners.follower.send(Word::Committed(committed));
        let _ = self.listeners.driver.send(Event::Durable(last));
        Ok(())
    }

    /// Appends until the batch is there, or it is certain that it never will be.
    fn append(&mut self, batch: &Batch<'_>) -> Result<(), Fatal> {
        let mut trouble = api::Storage::Ok;
        loop {
            let found = match self.journal.append(batch) {
                Ok(()) => api::Storage::Ok,
                Err(AppendError::NoSpace) => api::Storage::Full,
                Err(AppendError::ReadOnly) => api::Storage::ReadOnly,
                Err(AppendError::Unknown(_)) if self.is_there(batch)? => api::Storage::Ok,
                Err(AppendError::Unknown(_)) => continue,
                Err(error @ (AppendError::Fenced { .. } | AppendError::Moved { .. })) => {
                    return Err(Fatal::Fenced(error.to_string()));
                }
                Err(error) => return Err(Fatal::Storage(error.to_string())),
            };
            if found != trouble {
                trouble = found;
                let _ = self.listeners.driver.send(Event::StorageIs(found));
            }
            if found == api::Storage::Ok {
                return Ok(());
            }
            thread::sleep(RETRY);
        }
    }

    /// Whether a batch whose outcome is unknown has become durable.
    fn is_there(&mut self, batch: &Batch<'_>) -> Result<bool, Fatal> {
        let last = self.journal.last().map_err(|error| Fatal::Storage(error.to_string()))?;
        match last.seq {
            seq if seq == batch.after => Ok(false),
            seq if seq == batch.last() && last.epoch == self.epoch => Ok(true),
            seq => {
                Err(Fatal::Fenced(format!("the journal moved on to {seq} without this process")))
            }
        }
    }

    /// A snapshot that can't be stored is made again later: nothing depends on it.
    fn snapshot(&mut self, built: &Built) -> Result<(), Fatal> {
        let put = self.journal.put_snapshot(self.epoch, &built.snapshot);
        let _ = self.listeners.follower.send(Word::Snapshot { is_stored: put.is_ok() });
        put.map_or_else(only_fatal, |()| {
            let _ = self.journal.cut(built.cut);
            Ok(())
        })
    }

    /// What can't be removed now is found again by the next who looks for it.
    fn discard(&mut self, discard: &Discard) -> Result<(), Fatal> {
        self.journal.discard(self.epoch, discard).or_else(only_fatal)
    }
}

/// The errors after which this process may not go on, of something that nothing depends on.
fn only_fatal(error: AppendError) -> Result<(), Fatal> {
    match error {
        AppendError::SyncFailed(_) => Err(Fatal::Storage(error.to_string())),
        AppendError::Fenced { .. } => Err(Fatal::Fenced(error.to_string())),
        _ => Ok(()),
    }
}
