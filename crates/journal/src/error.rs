//! What a journal can answer instead of "done", with the codes under which it is explained.
//!
//! The answers differ in what the caller may do next, which is all that they are for.

use core::fmt;

use model::code::Code;
use model::{Epoch, Seq, Timestamp};
use protocol::error::{DecodeError, EncodeError};

/// A stored frame, snapshot or record is not what was written.
pub const DAMAGED: Code = Code("E0301");
/// A newer version wrote the journal.
pub const NEWER: Code = Code("E0302");
/// The disk is full.
pub const NO_SPACE: Code = Code("E0303");
/// The disk takes no writes.
pub const READ_ONLY: Code = Code("E0304");
/// Another process leads.
pub const FENCED: Code = Code("E0305");
/// The disk did not confirm that what was written is durable.
pub const SYNC_FAILED: Code = Code("E0306");
/// The store failed in another way.
pub const STORE: Code = Code("E0307");
/// Facts that are asked for have been given up.
pub const CUT: Code = Code("E0308");
/// A fact cannot be written, or a batch does not follow the journal: a defect.
pub const DEFECT: Code = Code("E0309");

/// Why a batch, or another write, was not confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// Not written: another epoch leads. Step down.
    Fenced {
        /// The epoch that leads.
        by: Epoch,
    },
    /// Not written: the journal stands elsewhere than the batch expects. Drop memory and replay,
    /// unless this is the same batch for a second time.
    Moved {
        /// Where the journal stands.
        last: Seq,
    },
    /// Not written: no room. The same write may succeed when there is.
    NoSpace,
    /// Not written: the disk takes no writes. The same write may succeed when it does.
    ReadOnly,
    /// Written or not. Ask [`crate::Journal::last`].
    Unknown(String),
    /// The disk did not confirm. Nothing may be acknowledged any more: the process must end; the
    /// next start writes the tail again.
    SyncFailed(String),
    /// Not written: a fact breaks a promise about itself.
    Invalid(EncodeError),
    /// Not cut: no snapshot covers so much.
    Uncovered {
        /// What is covered.
        covers: Seq,
    },
    /// Not written, for another reason of the store.
    Store(String),
}

impl AppendError {
    /// The code under which it is explained.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Fenced { .. } | Self::Moved { .. } => FENCED,
            Self::NoSpace => NO_SPACE,
            Self::ReadOnly => READ_ONLY,
            Self::SyncFailed(_) => SYNC_FAILED,
            Self::Invalid(_) | Self::Uncovered { .. } => DEFECT,
            Self::Unknown(_) | Self::Store(_) => STORE,
        }
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] ", self.code())?;
        match self {
            Self::Fenced { by } => {
                write!(f, "another process leads this journal since epoch {by}; this one must stop")
            }
            Self::Moved { last } => {
                write!(f, "the journal has moved on to {last} without this process")
            }
            Self::NoSpace => {
                write!(f, "no space left for the journal; free some, and work goes on")
            }
            Self::ReadOnly => {
                write!(f, "the journal's disk is read-only; make it writable, and work goes on")
            }
            Self::Unknown(reason) => {
                write!(f, "the store did not say whether it wrote: {reason}")
            }
            Self::SyncFailed(reason) => write!(
                f,
                "the disk did not confirm a write: {reason}; nothing more is acknowledged, \
                 check the disk and start again"
            ),
            Self::Invalid(error) => write!(f, "a fact cannot be written: {error}"),
            Self::Uncovered { covers } => {
                write!(f, "the snapshot covers facts up to {covers} and no more can be cut")
            }
            Self::Store(reason) => write!(f, "the journal cannot be written: {reason}"),
        }
    }
}

impl core::error::Error for AppendError {}

impl From<EncodeError> for AppendError {
    fn from(error: EncodeError) -> Self {
        Self::Invalid(error)
    }
}

/// Why the leader's lease could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcquireError {
    /// Somebody else has it.
    Held {
        /// Who.
        by: String,
        /// When it runs out, if it is not renewed.
        until: Timestamp,
    },
    /// The store cannot write.
    Write(AppendError),
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { by, .. } => {
                write!(f, "[{FENCED}] `{by}` leads this journal; stop it or wait until it is gone")
            }
            Self::Write(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for AcquireError {}

impl From<AppendError> for AcquireError {
    fn from(error: AppendError) -> Self {
        Self::Write(error)
    }
}

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// What is stored after this fact cannot be read.
    Damaged {
        /// The last fact that could be read; 0 for none.
        after: Seq,
        /// What is wrong with what follows.
        error: DecodeError,
    },
    /// The store's own structure is damaged.
    Corrupt(String),
    /// The facts asked for have been given up.
    Cut {
        /// The last one that is gone: read the snapshot instead.
        up_to: Seq,
    },
    /// The store failed.
    Store(String),
    /// An earlier write was not confirmed: the process must end.
    SyncFailed(String),
}

impl ReadError {
    /// The code under which it is explained.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Damaged { error: DecodeError::Newer { .. }, .. } => NEWER,
            Self::Damaged { .. } | Self::Corrupt(_) => DAMAGED,
            Self::Cut { .. } => CUT,
            Self::Store(_) => STORE,
            Self::SyncFailed(_) => SYNC_FAILED,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] ", self.code())?;
        match self {
            Self::Damaged { after, error: error @ DecodeError::Newer { .. } } => {
                write!(f, "the journal cannot be read after {after}: {error}; use the newer one")
            }
            Self::Damaged { after, error } => write!(
                f,
                "the journal is damaged after {after}: {error}; copy the state folder away, then \
                 restore a backup or see what `autoglm journal verify` still reads"
            ),
            Self::Corrupt(reason) => write!(
                f,
                "the journal is damaged: {reason}; copy the state folder away, then restore a \
                 backup or see what `autoglm journal verify` still reads"
            ),
            Self::Cut { up_to } => {
                write!(f, "facts up to {up_to} are no longer in the journal; begin at its snapshot")
            }
            Self::Store(reason) => write!(f, "the journal cannot be read: {reason}"),
            Self::SyncFailed(reason) => {
                write!(f, "the disk did not confirm a write: {reason}; check it and start again")
            }
        }
    }
}

impl core::error::Error for ReadError {}
