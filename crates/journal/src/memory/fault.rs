//! The faults that a journal in memory can have, and who decides on them.
//!
//! The fault model is that of one disk under one file: writes reach a cache at once and the disk
//! when they are synced. A power cut keeps what was synced and any prefix of the rest, perhaps with
//! rubbish at its end. After a failed sync the cache forgets that the bytes are dirty: a later sync
//! does not bring them to the disk unless they are written again.

use model::Span;

/// What the journal is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Take the lease.
    Acquire,
    /// Renew or release it.
    Renew,
    /// Append a batch.
    Append,
    /// Replace the snapshot.
    Snapshot,
    /// Give up old facts.
    Cut,
    /// Read anything.
    Read,
}

/// What happens to it. Reads know only [`Fault::None`] and [`Fault::Io`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It works.
    #[default]
    None,
    /// No room: nothing is written.
    NoSpace,
    /// No writes: nothing is written.
    ReadOnly,
    /// Another failure: nothing is written.
    Io,
    /// No answer comes.
    Unknown {
        /// Whether it was done nevertheless.
        committed: bool,
    },
    /// Written, but the sync fails. Every later call fails too, until
    /// [`super::MemoryJournal::crash`].
    SyncFailed,
    /// The power goes between write and sync. Whoever called is dead; the journal is as the next
    /// start finds it.
    PowerCut,
}

/// What a power cut leaves of the bytes that were not synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Leftover {
    /// How many bytes of them, from the first on; more than there are means all.
    pub bytes: usize,
    /// Whether the last sector of these holds rubbish.
    pub is_garbled: bool,
}

/// Decides on faults. It is asked in the order of calls, so one seed gives one history.
pub trait FaultPlan {
    /// What happens to an operation.
    fn fault(&mut self, operation: Operation) -> Fault;

    /// How long it takes.
    fn latency(&mut self, _operation: Operation) -> Span {
        Span::ZERO
    }

    /// What a power cut leaves of `unsynced` bytes.
    fn leftover(&mut self, _unsynced: usize) -> Leftover {
        Leftover::default()
    }
}

/// A disk that works.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFaults;

impl FaultPlan for NoFaults {
    fn fault(&mut self, _operation: Operation) -> Fault {
        Fault::None
    }
}

impl<P: FaultPlan + ?Sized> FaultPlan for Box<P> {
    fn fault(&mut self, operation: Operation) -> Fault {
        (**self).fault(operation)
    }

    fn latency(&mut self, operation: Operation) -> Span {
        (**self).latency(operation)
    }

    fn leftover(&mut self, unsynced: usize) -> Leftover {
        (**self).leftover(unsynced)
    }
}
