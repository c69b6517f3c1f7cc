//! Control flow: what an edge waits for, how many edges are enough, what a task is that no worker
//! runs, and the answers that such questions get.
//!
//! Vocabulary only. What an expression means is known where files are read; what follows from an
//! answer is decided in the engine. An answer is recorded once and never worked out again.

use crate::{Digest, Span, TaskId, TaskStatus, Timestamp};

/// What a task needs of one that it depends on. The condition of an edge is decided when the task
/// that it comes from has ended, and not before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EdgeCondition {
    /// It has succeeded.
    #[default]
    Succeeded,
    /// It has failed or run out of time.
    Failed,
    /// It was begun and has ended, well or badly. What was skipped or cancelled was not.
    Finished,
    /// It was skipped.
    Skipped,
    /// It is a decision, and this is the route that it took.
    Route(u16),
}

impl EdgeCondition {
    /// Whether a task that ended as `status` is what this edge waits for. `route` is what a
    /// decision chose.
    #[must_use]
    pub fn is_met_by(self, status: TaskStatus, route: Option<u16>) -> bool {
        use TaskStatus::{Failed, Skipped, Succeeded, TimedOut};
        match self {
            Self::Succeeded => status == Succeeded,
            Self::Failed => matches!(status, Failed | TimedOut),
            Self::Finished => matches!(status, Succeeded | Failed | TimedOut),
            Self::Skipped => status == Skipped,
            Self::Route(wanted) => status == Succeeded && route == Some(wanted),
        }
    }

    /// Whether somebody who waits like this counts on a failure: it is then no reason to stop.
    #[must_use]
    pub const fn expects_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Finished)
    }
}

/// How many of the edges into a task must be met before it goes on. A task whose join can't be met
/// any more is skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Join {
    /// All of them.
    #[default]
    All,
    /// One.
    Any,
    /// So many, or all if there are fewer.
    AtLeast(u32),
    /// None: all it depends on must have ended, in whatever way.
    AllDone,
}

impl Join {
    /// How many of `edges` must be met, or, for [`Join::AllDone`], decided.
    #[must_use]
    pub fn needed(self, edges: u32) -> u32 {
        match self {
            Self::All | Self::AllDone => edges,
            Self::Any => edges.min(1),
            Self::AtLeast(count) => edges.min(count),
        }
    }
}

/// What a task is. Only [`Kind::Work`] has attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Something that workers run.
    #[default]
    Work,
    /// Rules, of which the first that holds chooses a route. It has succeeded when it is answered.
    Decision,
    /// The end of a turn: the tasks from `first` up to this one run again until the answer is
    /// that they need not. It fails when they have had all the turns they may have.
    Loop {
        /// The first task of the body; the last is the one before this.
        first: TaskId,
        /// How many turns there may be, at least 1.
        turns_max: u16,
    },
    /// Time that passes.
    Timer {
        /// How long, from when it begins; its answer may name a time instead.
        wait: Span,
    },
    /// Something that somebody outside has to say: an approval, or a signal.
    Signal {
        /// How long it waits, from when it begins; `None` is for ever.
        timeout: Option<Span>,
        /// What it takes for said when nobody has said anything in time.
        otherwise: Verdict,
    },
}

impl Kind {
    /// Whether it goes on only when a question about it has been answered.
    #[must_use]
    pub const fn always_asks(self) -> bool {
        matches!(self, Self::Decision | Self::Loop { .. })
    }

    /// Whether workers run it.
    #[must_use]
    pub const fn is_work(self) -> bool {
        matches!(self, Self::Work)
    }
}

/// The answer to what a task asks when its join is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControlAnswer {
    /// Its condition holds, if it has one: it begins.
    Begin,
    /// Its condition does not hold: it is skipped.
    Skip,
    /// It begins, with so many items.
    FanOut {
        /// How many.
        items: u32,
        /// The list of them, as it is stored.
        list: Digest,
    },
    /// It begins, and ends at this time.
    Until(Timestamp),
    /// A decision: the route of the first rule that holds.
    Route(u16),
    /// A loop: the body need not run again.
    Done,
    /// A loop: the body is to run again.
    Again,
    /// Its outputs are known already: it has succeeded without being run.
    Cached,
    /// It can't be worked out, and trying again would not help. The reason stands in its outputs.
    Invalid,
}

/// What ends a task that waits for time or for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The time has passed.
    Elapsed,
    /// Somebody said yes, or gave the signal.
    Approved,
    /// Somebody said no.
    Rejected,
    /// Nobody said anything in time.
    Expired,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_a_task_meets_what_it_should() {
        use EdgeCondition::{Failed, Finished, Route, Skipped, Succeeded};
        let met = |status| {
            [Succeeded, Failed, Finished, Skipped, Route(1)]
                .map(|condition| condition.is_met_by(status, Some(1)))
        };
        assert_eq!(met(TaskStatus::Succeeded), [true, false, true, false, true]);
        assert_eq!(met(TaskStatus::Failed), [false, true, true, false, false]);
        assert_eq!(met(TaskStatus::TimedOut), [false, true, true, false, false]);
        assert_eq!(met(TaskStatus::Skipped), [false, false, false, true, false]);
        assert_eq!(met(TaskStatus::Cancelled), [false; 5]);
        assert!(!Route(1).is_met_by(TaskStatus::Succeeded, Some(2)));
    }

    #[test]
    fn a_join_never_needs_more_edges_than_there_are() {
        let needed = |join: Join| [0, 1, 5].map(|edges| join.needed(edges));
        assert_eq!(needed(Join::All), [0, 1, 5]);
        assert_eq!(needed(Join::AllDone), [0, 1, 5]);
        assert_eq!(needed(Join::Any), [0, 1, 1]);
        assert_eq!(needed(Join::AtLeast(3)), [0, 1, 3]);
    }
}
