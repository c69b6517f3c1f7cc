//! How attempts end, and what is measured of them.
//!
//! Executors say what happened; they never say what follows from it. That is the engine's part, and
//! it stands in the fact beside the outcome ([`Then`]).

use crate::{Digest, Timestamp};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The work was done.
    Succeeded,
    /// The work went wrong.
    Failed(Failure),
    /// It was killed because its time was up.
    TimedOut,
    /// It was ended because its run was stopped.
    Cancelled,
    /// It was killed at once because its run, or it alone, was terminated.
    Terminated,
    /// Its worker died, or could not be reached for longer than the lease.
    Lost,
}

/// What went wrong with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// The process ended with this exit code, not 0.
    Exit(i32),
    /// The process was ended by this signal, which the worker did not send.
    Signal(i32),
    /// The kernel killed it for want of memory.
    OutOfMemory,
    /// It could not be started; the operating system's error number.
    Spawn(i32),
    /// It ended well but its outputs could not be read; the reason is in its log.
    Outputs,
    /// It ended well but the tasks that it wrote could not be admitted; the reason is in its
    /// outputs.
    Tasks,
    /// Its script or environment could not be rendered; the reason is in its log.
    Render,
    /// No worker can ever hold it: it asks for more than any has.
    Unsatisfiable,
    /// Its condition, its items or its rules could not be worked out; the reason is in its outputs.
    Control,
    /// A person said no.
    Rejected,
    /// It is a loop that had all the turns it may have, and its condition still does not hold.
    TurnsUsedUp,
}

impl Failure {
    /// Whether trying again may help when the file has no rule for it.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        !matches!(
            self,
            Self::Render
                | Self::Outputs
                | Self::Tasks
                | Self::Unsatisfiable
                | Self::Control
                | Self::Rejected
                | Self::TurnsUsedUp
        )
    }
}

/// What follows from the end of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Then {
    /// The item has ended for this round.
    Final,
    /// The item may be leased again from this time on.
    Retry {
        /// Not before this time.
        at: Timestamp,
    },
}

/// What an attempt used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// From start to end, in microseconds of monotonic time.
    pub wall_us: u64,
    /// User and system time, in microseconds: of all its processes where it has a control group,
    /// or else of the first one and the children that it waited for.
    pub cpu_us: u64,
    /// The most memory that it had at a time, in KiB: all its processes together where it has a
    /// control group, or else the largest resident memory of one of them.
    pub peak_rss_kib: u64,
}

/// Where the output of an attempt rests: the last of its frames, which leads to those before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogRef {
    /// The number of the log segment that holds the last frame.
    pub segment: u32,
    /// The byte offset of that frame in the segment.
    pub offset: u64,
    /// How many bytes of output were kept, over all frames.
    pub bytes: u64,
    /// How many frames there are.
    pub frames: u32,
}

/// The name of the outputs of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutputRef {
    /// The hash of the outputs' canonical JSON.
    pub digest: Digest,
    /// Its length in bytes.
    pub bytes: u32,
}

/// What is known of an attempt when it has ended, besides its outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AttemptEnd {
    /// What it used.
    pub usage: Usage,
    /// Where its output rests; `None` if it wrote nothing.
    pub log: Option<LogRef>,
    /// Its outputs; `None` if it left none.
    pub output: Option<OutputRef>,
}
