//! What a workflow file says about how its tasks are run: retries, time limits, priorities.
//!
//! Settings only. What follows from them is decided in the engine.

use crate::control::{Join, Kind};
use crate::shared::{Deadline, Shared};
use crate::{Request, Span, TaskId};
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
    /// How long an attempt may run, from its start; `None` is without limit.
    pub timeout: Option<Span>,
    /// How long an attempt has between being asked to end and being killed.
    pub grace: Span,
    /// Its place among the tasks of all runs that are ready.
    pub priority: Priority,
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
    /// What each attempt takes of what all runs share.
    pub shared: Shared,
    /// By when it must have ended. What has not begun then does not begin; what runs is ended.
    pub deadline: Option<Deadline>,
}

impl Policy {
    /// Whether the task goes on only when a question about it has been answered.
    #[must_use]
    pub const fn must_ask(&self) -> bool {
        self.asks || self.kind.always_asks()
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            request: Request { cpu_milli: 1_000, ..Request::default() },
            retry: RetryPolicy::default(),
            timeout: None,
            grace: Span::secs(10),
            priority: Priority::default(),
            trigger: Trigger::Dependencies,
            kind: Kind::Work,
            join: Join::All,
            asks: false,
            failure: None,
            concurrency: None,
            shared: Shared::default(),
            deadline: None,
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
