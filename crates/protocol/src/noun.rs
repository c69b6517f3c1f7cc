//! Forms that records, messages and graphs share: enumerations as numbers, outcomes, outputs.
//!
//! A number is never used again for something else, and 0 stands for nothing: what was left out is
//! told from what was written.

use model::control::Verdict;
use model::fact::{LossCause, PauseCause, RoundScope, StopCause};
use model::message::StopKind;
use model::outcome::{ErrorName, Failure, OutputRef, Unreached};
use model::policy::{FailurePolicy, Priority, Stage};
use model::shared::Unit;
use model::{Digest, Outcome, RunStatus, TaskStatus, Vendor};

use crate::error::DecodeError;

/// An enumeration that is written as a number.
pub(crate) trait Numbered: Sized {
    /// The number it is written as.
    fn number(self) -> u32;
    /// What the number stands for.
    fn from_number(number: u32) -> Result<Self, DecodeError>;
}

macro_rules! number {
    ($type:ident { $($variant:ident = $number:literal),* $(,)? }) => {
        impl Numbered for $type {
            fn number(self) -> u32 {
                match self { $(Self::$variant => $number),* }
            }

            fn from_number(number: u32) -> Result<Self, DecodeError> {
                match number {
                    $($number => Ok(Self::$variant),)*
                    _ => Err(DecodeError::Number {
                        what: stringify!($type),
                        number: number.into(),
                    }),
                }
            }
        }
    };
}

number!(LossCause { Expired = 1, Replaced = 2, DiedWithLeader = 3 });
number!(Vendor { Nvidia = 1, Amd = 2, Other = 3 });
number!(StopCause { TaskFailed = 1, TimedOut = 2, Stopped = 3, Terminated = 4 });
number!(PauseCause { Asked = 1, CostLimit = 2 });
number!(Unit { Attempts = 0, Requests = 1, Tokens = 2 });
number!(RoundScope { Unsuccessful = 1, All = 2 });
number!(Stage { Ordinary = 0, Compensation = 1, Handlers = 2, Finally = 3 });
number!(FailurePolicy { FailFast = 1, Continue = 2 });
number!(Verdict { Elapsed = 1, Approved = 2, Rejected = 3, Expired = 4 });
number!(Unreached { Unresolved = 1, Refused = 2, Broken = 3, Insecure = 4, Slow = 5 });
number!(StopKind { Retract = 1, Cancel = 2, TimeOut = 3, Terminate = 4, Revoke = 5 });
number!(RunStatus {
    Queued = 1,
    Running = 2,
    Paused = 3,
    Stopping = 4,
    Succeeded = 5,
    Failed = 6,
    Cancelled = 7,
});
number!(TaskStatus {
    Pending = 1,
    Ready = 2,
    Leased = 3,
    Running = 4,
    Retrying = 5,
    Succeeded = 6,
    Failed = 7,
    TimedOut = 8,
    Cancelled = 9,
    Skipped = 10,
    Terminated = 11,
});

/// An outcome as its kind and the one number that some kinds carry.
pub(crate) fn write_outcome(outcome: Outcome) -> (u32, i32) {
    match outcome {
        Outcome::Succeeded => (1, 0),
        Outcome::TimedOut => (2, 0),
        Outcome::Cancelled => (3, 0),
        Outcome::Terminated => (4, 0),
        Outcome::Lost => (5, 0),
        Outcome::Failed(Failure::Exit(code)) => (6, code),
        Outcome::Failed(Failure::Signal(signal)) => (7, signal),
        Outcome::Failed(Failure::OutOfMemory) => (8, 0),
        Outcome::Failed(Failure::Spawn(errno)) => (9, errno),
        Outcome::Failed(Failure::Outputs) => (10, 0),
        Outcome::Failed(Failure::Render) => (11, 0),
        Outcome::Failed(Failure::Unsatisfiable) => (12, 0),
        Outcome::Failed(Failure::Control) => (13, 0),
        Outcome::Failed(Failure::Rejected) => (14, 0),
        Outcome::Failed(Failure::TurnsUsedUp) => (15, 0),
        Outcome::Failed(Failure::Tasks) => (16, 0),
        Outcome::Failed(Failure::Raised(name)) => (17, name.0.cast_signed()),
        Outcome::Failed(Failure::Crashed) => (18, 0),
        Outcome::Failed(Failure::Status(status)) => (19, status.into()),
        Outcome::Failed(Failure::Unreachable(how)) => (20, how.number().cast_signed()),
        Outcome::Failed(Failure::Answer) => (21, 0),
        Outcome::Failed(Failure::TooLarge) => (22, 0),
        Outcome::Failed(Failure::Forbidden) => (23, 0),
        Outcome::Preempted => (24, 0),
    }
}

/// Reads what [`write_outcome`] wrote.
pub(crate) fn read_outcome(kind: u32, detail: i32) -> Result<Outcome, DecodeError> {
    Ok(match kind {
        1 => Outcome::Succeeded,
        2 => Outcome::TimedOut,
        3 => Outcome::Cancelled,
        4 => Outcome::Terminated,
        5 => Outcome::Lost,
        6 => Outcome::Failed(Failure::Exit(detail)),
        7 => Outcome::Failed(Failure::Signal(detail)),
        8 => Outcome::Failed(Failure::OutOfMemory),
        9 => Outcome::Failed(Failure::Spawn(detail)),
        10 => Outcome::Failed(Failure::Outputs),
        11 => Outcome::Failed(Failure::Render),
        12 => Outcome::Failed(Failure::Unsatisfiable),
        13 => Outcome::Failed(Failure::Control),
        14 => Outcome::Failed(Failure::Rejected),
        15 => Outcome::Failed(Failure::TurnsUsedUp),
        16 => Outcome::Failed(Failure::Tasks),
        17 => Outcome::Failed(Failure::Raised(ErrorName(detail.cast_unsigned()))),
        18 => Outcome::Failed(Failure::Crashed),
        19 => Outcome::Failed(Failure::Status(narrow("HTTP status", detail.cast_unsigned())?)),
        20 => Outcome::Failed(Failure::Unreachable(Numbered::from_number(detail.cast_unsigned())?)),
        21 => Outcome::Failed(Failure::Answer),
        22 => Outcome::Failed(Failure::TooLarge),
        23 => Outcome::Failed(Failure::Forbidden),
        24 => Outcome::Preempted,
        _ => return Err(DecodeError::Number { what: "outcome", number: kind.into() }),
    })
}

/// What needs no more words.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Nothing {}

/// The name of one list of outputs.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Output {
    #[prost(bytes = "vec", tag = "1")]
    digest: Vec<u8>,
    #[prost(uint32, tag = "2")]
    bytes: u32,
}

impl From<OutputRef> for Output {
    fn from(output: OutputRef) -> Self {
        Self { digest: output.digest.0.to_vec(), bytes: output.bytes }
    }
}

impl TryFrom<Output> for OutputRef {
    type Error = DecodeError;

    fn try_from(form: Output) -> Result<Self, DecodeError> {
        Ok(Self { digest: read_digest(&form.digest)?, bytes: form.bytes })
    }
}

/// A required part.
pub(crate) fn required<T>(what: &'static str, part: Option<T>) -> Result<T, DecodeError> {
    part.ok_or(DecodeError::Missing(what))
}

/// A content address, which is 32 bytes long.
pub(crate) fn read_digest(bytes: &[u8]) -> Result<Digest, DecodeError> {
    bytes.try_into().map(Digest).map_err(|_| DecodeError::Length("bytes of a digest"))
}

/// A priority, which is at most 100.
pub(crate) fn read_priority(number: u32) -> Result<Priority, DecodeError> {
    let known = u8::try_from(number).ok().map(Priority).filter(|&known| known <= Priority::MAX);
    known.ok_or(DecodeError::Number { what: "priority", number: number.into() })
}

/// A number that must fit into fewer bits.
pub(crate) fn narrow<T: TryFrom<u32>>(what: &'static str, number: u32) -> Result<T, DecodeError> {
    T::try_from(number).map_err(|_| DecodeError::Number { what, number: number.into() })
}
