//! How attempts end, and what is measured of them.
//!
//! Executors say what happened; they never say what follows from it. That is the engine's part, and
//! it stands in the fact beside the outcome ([`Then`]).

use crate::hash::mix;
use crate::{Digest, Timestamp, VariantId};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The work was done.
    Succeeded,
    /// The work went wrong.
    Failed(Failure),
    /// It was killed because its time was up.
    TimedOut,
    /// It was ended because its run was stopped, or because its gang had lost a member.
    Cancelled,
    /// It was killed at once because its run, or it alone, was terminated.
    Terminated,
    /// It was ended so that others could have its place.
    Preempted,
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
    /// The call raised an error; its name, by which rules know it.
    Raised(ErrorName),
    /// The process that served the call ended in its middle.
    Crashed,
    /// A server answered with this HTTP status, which was not expected.
    Status(u16),
    /// No whole answer was had.
    Unreachable(Unreached),
    /// An answer came, and is not what it has to be: its schema, its path, its format.
    Answer,
    /// It is more than a limit allows.
    TooLarge,
    /// It is an address or a thing that the task may not use.
    Forbidden,
}

impl Failure {
    /// Whether trying again may help: what is tried again when the file has no rule for it, and
    /// what `transient` means in a rule.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Exit(_)
            | Self::Signal(_)
            | Self::OutOfMemory
            | Self::Spawn(_)
            | Self::Raised(_)
            | Self::Crashed => true,
            Self::Status(status) => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
            Self::Unreachable(how) => !matches!(how, Unreached::Insecure),
            Self::Render
            | Self::Outputs
            | Self::Tasks
            | Self::Unsatisfiable
            | Self::Control
            | Self::Rejected
            | Self::TurnsUsedUp
            | Self::Answer
            | Self::TooLarge
            | Self::Forbidden => false,
        }
    }
}

/// Why no whole answer was had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unreached {
    /// The name has no address.
    Unresolved,
    /// Nobody took the connection.
    Refused,
    /// The connection ended before the answer did.
    Broken,
    /// The other side could not show who it is.
    Insecure,
    /// Nothing came for longer than is waited for.
    Slow,
}

/// The name of an error as rules know it: a hash, since facts hold no text that a task chooses.
///
/// Two names may have the same hash; a rule for one then holds for the other, too. Among the few
/// names that a workflow watches that is so once in many millions of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorName(pub u32);

impl ErrorName {
    /// The hash of a name, `ValueError` or `package.module.Name`. It is stored, so it is for ever:
    /// FNV-1a in 64 bits, mixed, the upper half.
    ///
    /// [`ErrorName::reported`] says which name of an error is meant.
    #[must_use]
    pub const fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut at = 0;
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            at += 1;
        }
        Self((mix(hash) >> 32) as u32)
    }

    /// Which of its names an error is reported by: the first that is watched, or else the first.
    /// `names` begins with its own, those of its bases follow; each may be there in full and in
    /// short. `None` without a name.
    #[must_use]
    pub fn reported<'a>(
        names: impl IntoIterator<Item = &'a str>,
        watched: &[Self],
    ) -> Option<Self> {
        let mut names = names.into_iter().map(Self::of);
        let own = names.next()?;
        let mut all = core::iter::once(own).chain(names);
        Some(all.find(|name| watched.contains(name)).unwrap_or(own))
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
    /// The item may be leased again at once, in this other way or one after it. It is no retry: the
    /// first way could not be had.
    Instead(VariantId),
    /// The attempt has done its work, and that counts when all of its gang have done theirs.
    WithGang,
}

impl Then {
    /// Whether another attempt follows.
    #[must_use]
    pub const fn is_again(self) -> bool {
        matches!(self, Self::Retry { .. } | Self::Instead(_))
    }
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

/// What an attempt spent of what others sell and count: calls, tokens, money. All of it is zero for
/// a script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Spent {
    /// How many requests it made, those that were made again within it too.
    pub requests: u32,
    /// How many tokens it sent.
    pub tokens_in: u64,
    /// How many tokens came back.
    pub tokens_out: u64,
    /// What that cost, in millionths of the currency of the price table.
    pub cost_micro: u64,
}

impl Spent {
    /// Nothing.
    pub const NOTHING: Self = Self { requests: 0, tokens_in: 0, tokens_out: 0, cost_micro: 0 };

    /// All tokens, there and back.
    #[must_use]
    pub const fn tokens(self) -> u64 {
        self.tokens_in.saturating_add(self.tokens_out)
    }
}

/// What many attempts spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Totals {
    /// How many requests they made.
    pub requests: u64,
    /// How many tokens they sent.
    pub tokens_in: u64,
    /// How many tokens came back.
    pub tokens_out: u64,
    /// What that cost, in millionths of the currency of the price table.
    pub cost_micro: u64,
}

impl Totals {
    /// The same with one attempt more. A sum stops at its largest value.
    #[must_use]
    pub const fn with(self, spent: Spent) -> Self {
        Self {
            requests: self.requests.saturating_add(spent.requests as u64),
            tokens_in: self.tokens_in.saturating_add(spent.tokens_in),
            tokens_out: self.tokens_out.saturating_add(spent.tokens_out),
            cost_micro: self.cost_micro.saturating_add(spent.cost_micro),
        }
    }
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
    /// What it used of its worker.
    pub usage: Usage,
    /// What it spent of what others count.
    pub spent: Spent,
    /// Where its output rests; `None` if it wrote nothing.
    pub log: Option<LogRef>,
    /// Its outputs; `None` if it left none.
    pub output: Option<OutputRef>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_errors_keep_their_hashes() {
        // Stored in journals: these numbers never change.
        let known = ["", "ValueError", "requests.exceptions.ConnectionError"].map(ErrorName::of);
        assert_eq!(known, [3_280_043_009, 181_900_836, 142_472_251].map(ErrorName));
    }

    #[test]
    fn an_error_goes_by_the_first_of_its_names_that_is_watched() {
        let names = ["app.Busy", "Busy", "ConnectionError", "OSError"];
        let reported = |watched: &[&str]| {
            let watched: alloc::vec::Vec<_> =
                watched.iter().map(|name| ErrorName::of(name)).collect();
            ErrorName::reported(names, &watched)
        };
        assert_eq!(reported(&[]), Some(ErrorName::of("app.Busy")));
        assert_eq!(reported(&["OSError", "Busy"]), Some(ErrorName::of("Busy")));
        assert_eq!(reported(&["OSError"]), Some(ErrorName::of("OSError")));
        assert_eq!(reported(&["KeyError"]), Some(ErrorName::of("app.Busy")));
        assert_eq!(ErrorName::reported([], &[]), None);
    }

    #[test]
    fn what_may_pass_is_told_from_what_stays() {
        let passing = [408, 425, 429, 500, 502, 503, 504];
        let statuses = (100..600).filter(|&status| Failure::Status(status).is_transient());
        assert!(statuses.eq(passing));
        assert!(Failure::Unreachable(Unreached::Slow).is_transient());
        assert!(!Failure::Unreachable(Unreached::Insecure).is_transient());
        assert!(Failure::Raised(ErrorName::of("ValueError")).is_transient());
        assert!(!Failure::Answer.is_transient());
    }
}
