//! What a workflow file says about how its tasks are run: retries, time limits, priorities.
//!
//! Settings only. What follows from them is decided in the engine.

use crate::control::{Join, Kind};
use crate::outcome::{ErrorName, Failure, Outcome, Unreached};
use crate::shared::{Deadline, Shared};
use crate::{Constraints, Request, Span, TaskId, VariantId};
use alloc::boxed::Box;

/// 0 to 100; higher goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub u8);

impl Priority {
    /// The largest priority.
    pub const MAX: Self = Self(100);
}

impl Default for Priority {
    fn default() -> Self {
        Self(50)
    }
}

/// How the items of a task are run. Tasks with equal policies share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// What each attempt asks for.
    pub request: Request,
    /// When an attempt that ended badly is followed by another.
    pub retry: RetryPolicy,
    /// How long an attempt is expected to take on a worker of usual speed, as the file says.
    pub expected: Option<Span>,
    /// How long an attempt may run, from its start; `None` is without limit.
    pub timeout: Option<Span>,
    /// How long an attempt has between being asked to end and being killed.
    pub grace: Span,
    /// Whether others of higher priority may take the place of an attempt that runs.
    pub preemptible: bool,
    /// How long an attempt that begins anew takes until it is where the one before was when it last
    /// saved its work.
    pub restart_cost: Span,
    /// Its place among the tasks of all runs that are ready.
    pub priority: Priority,
    /// Whether it goes before all that is not, and may begin in the room that is kept for such
    /// work.
    pub critical: bool,
    /// What makes the task run: its dependencies, or how the run went.
    pub trigger: Trigger,
    /// What the task is.
    pub kind: Kind,
    /// How many of the tasks that it depends on must have ended as it needs.
    pub join: Join,
    /// Whether its start is asked for: it has a condition, or items that are worked out late.
    pub asks: bool,
    /// What its failure means for the others, if not what its run says.
    pub failure: Option<FailurePolicy>,
    /// How many of its items may be leased at a time.
    pub concurrency: Option<u32>,
    /// Whether its items are the members of a gang: all of them begin together, and are tried again
    /// together.
    pub gang: bool,
    /// What each attempt takes of what all runs share.
    pub shared: Shared,
    /// What is asked of the workers that attempts go to, in whatever way the work is done.
    pub constraints: Constraints,
    /// By when it must have ended. What has not begun then does not begin; what runs is ended.
    pub deadline: Option<Deadline>,
    /// Other ways to do the same work, in the order in which they are tried: the first is what the
    /// policy itself says.
    pub others: Box<[Variant]>,
    /// Other requests with which the same can be done. The planner takes the one with which an
    /// attempt is expected to end first. No policy has both these and `others`.
    pub alternatives: Box<[Alternative]>,
}

/// Another way to do the work of a task: what it asks for, and what it takes of what is shared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variant {
    /// What each attempt asks for.
    pub request: Request,
    /// What each attempt takes of what all runs share.
    pub shared: Shared,
}

/// Another request with which the work of a task can be done, in a time of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Alternative {
    /// What each attempt asks for.
    pub request: Request,
    /// How long an attempt is expected to take with that on a worker of usual speed, as the file
    /// says.
    pub expected: Option<Span>,
}

impl Policy {
    /// Whether the task goes on only when a question about it has been answered.
    #[must_use]
    pub const fn must_ask(&self) -> bool {
        self.asks || self.kind.always_asks()
    }

    /// What an attempt takes that is made in this way. A way that is not there is the first.
    #[must_use]
    pub fn shared_of(&self, variant: VariantId) -> &Shared {
        let other = usize::from(variant.0).checked_sub(1).and_then(|at| self.others.get(at));
        other.map_or(&self.shared, |other| &other.shared)
    }

    /// All ways to do the work, the first one first. Not empty.
    pub fn variants(&self) -> impl Iterator<Item = (&Request, &Shared)> {
        let others = self.others.iter().map(|other| (&other.request, &other.shared));
        let alternatives = self.alternatives.iter().map(|it| (&it.request, &self.shared));
        core::iter::once((&self.request, &self.shared)).chain(others).chain(alternatives)
    }

    /// The number by which people know an alternative: 1 is what the policy itself says. None where
    /// there is nothing else.
    #[must_use]
    pub fn alternative(&self, variant: VariantId) -> Option<u16> {
        (!self.alternatives.is_empty()).then(|| u16::from(variant.0) + 1)
    }

    /// How long an attempt is expected to take that is made in this way, as the file says.
    #[must_use]
    pub fn expected_of(&self, variant: VariantId) -> Option<Span> {
        let other = usize::from(variant.0).checked_sub(1).and_then(|at| self.alternatives.get(at));
        other.map_or(self.expected, |other| other.expected)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            request: Request { cpu_milli: 1_000, ..Request::default() },
            retry: RetryPolicy::default(),
            expected: None,
            timeout: None,
            grace: Span::secs(10),
            preemptible: false,
            restart_cost: Span::ZERO,
            priority: Priority::default(),
            critical: false,
            trigger: Trigger::Dependencies,
            kind: Kind::Work,
            join: Join::All,
            asks: false,
            failure: None,
            concurrency: None,
            gang: false,
            shared: Shared::default(),
            constraints: Constraints::default(),
            deadline: None,
            others: Box::default(),
            alternatives: Box::default(),
        }
    }
}

/// What makes a task run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trigger {
    /// The tasks it depends on. This is an ordinary task.
    #[default]
    Dependencies,
    /// A handler: all ordinary tasks have ended, and well.
    Success,
    /// A handler: the run has failed.
    Failure,
    /// A handler: a person stopped the run.
    Cancel,
    /// A handler: all ordinary tasks have ended, however. Not after `terminate`.
    Exit,
    /// The run has failed, and this task had succeeded: it is to be undone.
    Compensation {
        /// What is undone.
        of: TaskId,
    },
    /// All else has ended, handlers too, however. Not after `terminate`.
    Finally,
}

/// The stages of a run, in order: the tasks of one wait for the end of all those of the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The tasks that the run is about.
    #[default]
    Ordinary,
    /// What was done is undone.
    Compensation,
    /// What is done because of how it went.
    Handlers,
    /// What is done last.
    Finally,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Self; 4] = [Self::Ordinary, Self::Compensation, Self::Handlers, Self::Finally];
}

impl Trigger {
    /// When in a run such a task has its time.
    #[must_use]
    pub const fn stage(self) -> Stage {
        match self {
            Self::Dependencies => Stage::Ordinary,
            Self::Compensation { .. } => Stage::Compensation,
            Self::Success | Self::Failure | Self::Cancel | Self::Exit => Stage::Handlers,
            Self::Finally => Stage::Finally,
        }
    }

    /// Whether the task waits for the end of all ordinary tasks.
    #[must_use]
    pub const fn is_handler(self) -> bool {
        !matches!(self, Self::Dependencies)
    }
}

/// When an attempt that ended badly is followed by another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RetryPolicy {
    /// How many attempts may follow the first, after failures and time-outs.
    pub limit: u8,
    /// How many attempts may follow one whose worker was lost while it ran. Counted apart, because
    /// such a loss says little about the task.
    pub loss_limit: u8,
    /// The wait before the first retry; each further wait is twice as long.
    pub backoff: Span,
    /// No wait is longer than this.
    pub backoff_max: Span,
    /// If not empty, only these exit codes are followed by a retry.
    pub only_exit_codes: Box<[i32]>,
    /// These exit codes are never followed by a retry.
    pub never_exit_codes: Box<[i32]>,
    /// If not empty, only what one of these matches is followed by a retry.
    pub on: Box<[Rule]>,
    /// What one of these matches is never followed by a retry.
    pub never: Box<[Rule]>,
    /// How an attempt that follows one without enough memory asks for more; `None` if it does not.
    pub memory: Option<MemoryGrowth>,
}

impl RetryPolicy {
    /// The names of errors that rules tell apart: of an error that goes by several, the first of
    /// these is reported ([`ErrorName::reported`]).
    pub fn watched(&self) -> impl Iterator<Item = ErrorName> + '_ {
        self.on.iter().chain(&self.never).filter_map(|rule| match rule {
            Rule::Raised(name) => Some(*name),
            _ => None,
        })
    }
}

/// A kind of bad end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Every one that is not of the workflow itself.
    Any,
    /// What may pass by itself: time-outs, and [`Failure::is_transient`].
    Transient,
    /// Its time was up, or nothing came for longer than is waited for.
    TimeOut,
    /// A process ended with a code that is not 0.
    Exit,
    /// A process was ended by a signal.
    Signal,
    /// It had not enough memory.
    OutOfMemory,
    /// The process that served the call ended in its middle.
    Crash,
    /// No whole answer was had.
    Connection,
    /// The answer is not what it has to be.
    Answer,
    /// A server answered with this HTTP status.
    Status(u16),
    /// A server answered with a status of these hundred: `5` is 500 to 599.
    StatusClass(u8),
    /// The call raised an error of this name.
    Raised(ErrorName),
}

impl Rule {
    /// Whether this is such an end. No rule matches a good end, or one that was asked for.
    #[must_use]
    pub fn matches(self, outcome: Outcome) -> bool {
        let failure = match outcome {
            Outcome::TimedOut => {
                return matches!(self, Self::Any | Self::Transient | Self::TimeOut);
            }
            Outcome::Failed(failure) => failure,
            _ => return false,
        };
        match (self, failure) {
            (Self::Any, _) => !matches!(
                failure,
                Failure::Unsatisfiable
                    | Failure::Control
                    | Failure::Rejected
                    | Failure::TurnsUsedUp
            ),
            (Self::Transient, _) => failure.is_transient(),
            (Self::TimeOut, Failure::Unreachable(Unreached::Slow))
            | (Self::Exit, Failure::Exit(_))
            | (Self::Signal, Failure::Signal(_))
            | (Self::OutOfMemory, Failure::OutOfMemory)
            | (Self::Crash, Failure::Crashed)
            | (Self::Connection, Failure::Unreachable(_))
            | (Self::Answer, Failure::Answer) => true,
            (Self::Status(wanted), Failure::Status(status)) => wanted == status,
            (Self::StatusClass(wanted), Failure::Status(status)) => {
                u16::from(wanted) == status / 100
            }
            (Self::Raised(wanted), Failure::Raised(name)) => wanted == name,
            _ => false,
        }
    }
}

/// How much more memory is asked for after an attempt had not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemoryGrowth {
    /// What the amount is multiplied with each time, in thousandths. More than 1000.
    pub factor_milli: u32,
    /// No attempt asks for more bytes than this.
    pub max_bytes: u64,
}

impl MemoryGrowth {
    /// What is asked for after so many attempts that had not enough. Never less than `base`.
    #[must_use]
    pub fn grown(self, base: u64, times: u8) -> u64 {
        let step = |bytes: u64| {
            let grown = u128::from(bytes) * u128::from(self.factor_milli) / 1_000;
            u64::try_from(grown).unwrap_or(u64::MAX).min(self.max_bytes)
        };
        (0..times).fold(base, |bytes, _| step(bytes).max(bytes))
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            limit: 0,
            loss_limit: 16,
            backoff: Span::secs(1),
            backoff_max: Span::secs(300),
            only_exit_codes: Box::default(),
            never_exit_codes: Box::default(),
            on: Box::default(),
            never: Box::default(),
            memory: None,
        }
    }
}

/// What the failure of one task means for the others of its run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailurePolicy {
    /// The run stops: what runs is ended, what waits is cancelled.
    #[default]
    FailFast,
    /// Only what depends on the failed task is skipped.
    Continue,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_match_what_they_name_and_nothing_else() {
        let slow = Outcome::Failed(Failure::Unreachable(Unreached::Slow));
        let status = |status| Outcome::Failed(Failure::Status(status));
        let raised = |name| Outcome::Failed(Failure::Raised(ErrorName::of(name)));
        assert!(Rule::TimeOut.matches(Outcome::TimedOut) && Rule::TimeOut.matches(slow));
        assert!(Rule::Connection.matches(slow) && !Rule::Connection.matches(status(503)));
        assert!(
            Rule::StatusClass(5).matches(status(503)) && !Rule::Status(500).matches(status(503))
        );
        assert!(Rule::Raised(ErrorName::of("KeyError")).matches(raised("KeyError")));
        assert!(!Rule::Raised(ErrorName::of("KeyError")).matches(raised("ValueError")));
        assert!(Rule::Any.matches(Outcome::Failed(Failure::Answer)));
        assert!(!Rule::Transient.matches(Outcome::Failed(Failure::Answer)));
        for ended in [Outcome::Succeeded, Outcome::Cancelled, Outcome::Terminated, Outcome::Lost] {
            assert!(!Rule::Any.matches(ended) && !Rule::Transient.matches(ended));
        }
    }

    #[test]
    fn memory_grows_up_to_its_cap_and_never_shrinks() {
        let growth = MemoryGrowth { factor_milli: 2_000, max_bytes: 5 << 30 };
        let grown = [0, 1, 2, 3, 9].map(|times| growth.grown(1 << 30, times) >> 30);
        assert_eq!(grown, [1, 2, 4, 5, 5]);
        assert_eq!(growth.grown(8 << 30, 3), 8 << 30);
        let steep = MemoryGrowth { factor_milli: u32::MAX, max_bytes: u64::MAX };
        assert_eq!(steep.grown(u64::MAX / 2, 7), u64::MAX);
    }
}
