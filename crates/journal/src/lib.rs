//! The journal's contract, its in-memory form with faults, and its conformance suite.
//!
//! A journal is the durable, ordered list of facts, with what must be durable together with them:
//! small outputs and objects, the newest snapshot, and the leader's lease. It is synchronous: a
//! call returns when the answer is known. It never interprets a fact, reads a clock or decides who
//! leads; it only makes sure that nobody else writes.

pub mod conformance;
pub mod error;
pub mod memory;
pub mod replay;

use core::ops::ControlFlow;

use model::{Digest, Epoch, Fact, ItemKey, Seq, Timestamp, Token};
pub use protocol::frame::Entry;

pub use error::{AcquireError, AppendError, ReadError};

/// Where facts become durable.
pub trait Journal {
    /// Takes the leader's lease: the new epoch is greater than every one before and fences them
    /// all. A holder may take over from its own name at once: whoever uses a name vouches that
    /// its last user is gone, or will be stopped by the fence.
    ///
    /// # Errors
    /// Another holder's lease has not run out at `now`, or the store cannot write.
    fn acquire(&mut self, holder: &str, now: Timestamp) -> Result<Epoch, AcquireError>;

    /// Makes the lease of `epoch` last for [`model::limits::LEADER_LEASE`] from `now`.
    ///
    /// # Errors
    /// [`AppendError::Fenced`] when another epoch leads, or the store cannot write.
    fn renew(&mut self, epoch: Epoch, now: Timestamp) -> Result<(), AppendError>;

    /// Ends the lease of `epoch`, so that another holder need not wait for it to run out.
    ///
    /// # Errors
    /// As [`Journal::renew`].
    fn release(&mut self, epoch: Epoch) -> Result<(), AppendError>;

    /// Makes a batch durable, all of it or nothing.
    ///
    /// # Errors
    /// Says whether the batch is in the journal, is not, or may be: see [`AppendError`].
    fn append(&mut self, batch: &Batch<'_>) -> Result<(), AppendError>;

    /// The last durable fact. After [`AppendError::Unknown`] this tells what became of the batch:
    /// its last fact is here under its epoch, or the place before it is, or somebody else's.
    ///
    /// # Errors
    /// The store cannot be read.
    fn last(&mut self) -> Result<Position, ReadError>;

    /// Gives every fact after `after` to `sink`, in order, until it breaks.
    ///
    /// # Errors
    /// The store cannot be read, is damaged, or has been cut beyond `after`.
    fn read(&mut self, after: Seq, sink: &mut Sink<'_>) -> Result<(), ReadError>;

    /// The newest outputs of an item.
    ///
    /// # Errors
    /// The store cannot be read.
    fn output(&mut self, item: ItemKey) -> Result<Option<Output>, ReadError>;

    /// An object that was stored with a batch.
    ///
    /// # Errors
    /// The store cannot be read.
    fn object(&mut self, digest: &Digest) -> Result<Option<Vec<u8>>, ReadError>;

    /// Makes a snapshot durable in place of the one before. An older one than is there is dropped.
    ///
    /// # Errors
    /// As [`Journal::append`].
    fn put_snapshot(&mut self, epoch: Epoch, snapshot: &Snapshot) -> Result<(), AppendError>;

    /// The newest snapshot.
    ///
    /// # Errors
    /// The store cannot be read or is damaged.
    fn snapshot(&mut self) -> Result<Option<Snapshot>, ReadError>;

    /// Gives up facts up to `up_to`, in whole frames and never the last one. That an archive and
    /// the catalog have what they need of them is the caller's duty; the snapshot is checked here.
    ///
    /// # Errors
    /// [`AppendError::Uncovered`] when no snapshot covers `up_to`, or the store cannot write.
    fn cut(&mut self, up_to: Seq) -> Result<(), AppendError>;
}

/// Takes facts as they are read, and says whether it wants more.
pub type Sink<'a> = dyn FnMut(Entry) -> ControlFlow<()> + 'a;

/// What is to become durable together.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The writer's term.
    pub epoch: Epoch,
    /// The last fact that the writer knows; the first of `facts` follows it.
    pub after: Seq,
    /// When the facts were decided.
    pub at: Timestamp,
    /// The facts.
    pub facts: &'a [Fact],
    /// Outputs of attempts that end in this batch, each at most
    /// [`model::limits::INLINE_BYTES_MAX`].
    pub outputs: &'a [OutputRow<'a>],
    /// Small objects that the facts name, with their content addresses.
    pub objects: &'a [(Digest, &'a [u8])],
}

impl Batch<'_> {
    /// The last fact's place, when the batch is durable.
    #[must_use]
    pub const fn last(&self) -> Seq {
        Seq(self.after.0 + self.facts.len() as u64)
    }
}

/// The outputs of one attempt.
#[derive(Clone, Copy, Debug)]
pub struct OutputRow<'a> {
    /// Whose they are.
    pub item: ItemKey,
    /// The attempt that left them. They replace those of a smaller token.
    pub token: Token,
    /// Canonical JSON.
    pub bytes: &'a [u8],
}

/// Outputs as they were stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The attempt that left them.
    pub token: Token,
    /// Canonical JSON.
    pub bytes: Vec<u8>,
}

/// A place in the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The last fact; 0 when there is none.
    pub seq: Seq,
    /// The term it was written in.
    pub epoch: Epoch,
}

/// The facts that rebuild the state as it was after `covers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last fact that is covered.
    pub covers: Seq,
    /// The facts, each with its own place and time.
    pub facts: Vec<(Seq, Timestamp, Fact)>,
}
