//! Facts: what has been decided, in the order in which it was. The journal holds nothing else.
//!
//! A fact says what `apply` cannot derive, and no more: readiness of tasks, attempt numbers and
//! tokens follow from the facts before it. No fact holds output bytes, rendered text or a secret.
//! Facts are for ever: one may be added, none may change its meaning.

mod gang;
mod image;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use crate::control::{ControlAnswer, Verdict};
use crate::outcome::{AttemptEnd, Outcome, OutputRef, Then, Totals};
use crate::policy::{FailurePolicy, Priority, Stage};
use crate::status::TaskStatus;
use crate::{
    Attempt, DeviceSet, Digest, Epoch, IdSet, ItemId, ItemKey, Offers, Request, Round, RunId,
    RunStatus, Seq, Span, TaskId, TaskKey, Timestamp, VariantId, WorkerId,
};
pub use gang::GangPart;
pub use image::{LeaseImage, PreemptedImage, Standing};

/// An entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// A leader took over; everything it knew of connections is gone.
    LeaderStarted {
        /// Its term.
        epoch: Epoch,
        /// The version of the facts that follow: a reader that knows only older ones stops here.
        format: u32,
    },
    /// A worker registered.
    WorkerJoined(Box<WorkerJoined>),
    /// A worker is gone for good; what it held is ended by the facts that follow.
    WorkerLost {
        /// Which.
        worker: WorkerId,
        /// Why it is held to be gone.
        cause: LossCause,
    },
    /// A run was accepted.
    RunAdmitted(Box<RunAdmitted>),
    /// Items of a task were given to a worker. The token of these attempts is the sequence number
    /// of this fact; their attempt number is one more than the item's attempts so far.
    AttemptsLeased {
        /// The task.
        task: TaskKey,
        /// Its items.
        items: Range<u32>,
        /// Who runs them.
        worker: WorkerId,
        /// In which way.
        variant: VariantId,
        /// The worker's devices that it takes, by their places there; then there is one item.
        devices: DeviceSet,
    },
    /// All members of a gang were given to workers, together. Tokens and attempt numbers are as in
    /// [`Fact::AttemptsLeased`].
    GangLeased {
        /// The task.
        task: TaskKey,
        /// Which worker has which of its items: all of them, in order.
        parts: Vec<GangPart>,
    },
    /// A worker began with items that it held.
    AttemptsStarted {
        /// The task.
        task: TaskKey,
        /// Its items.
        items: IdSet,
    },
    /// An attempt has run for longer than it may: its worker was told to end it.
    AttemptOverran {
        /// The item.
        item: ItemKey,
    },
    /// Running attempts have saved their work: what they are to do after that is lost if they end.
    AttemptsCheckpointed {
        /// The task.
        task: TaskKey,
        /// Its items, ascending, and when each saved its work.
        saved: Vec<(ItemId, Timestamp)>,
    },
    /// Others are to have the places of these attempts: their workers were told to end them.
    AttemptsPreempted {
        /// The task.
        task: TaskKey,
        /// Its items.
        items: IdSet,
    },
    /// Attempts ended, all in the same way. The first of a gang that ends badly ends the gang: the
    /// others are told to leave.
    AttemptsEnded(Box<AttemptsEnded>),
    /// Leases ended without a start, as the worker says: the items are ready again, and those of a
    /// gang wait for the others of it.
    LeasesReturned {
        /// The task.
        task: TaskKey,
        /// Its items.
        items: IdSet,
    },
    /// What a task asked when its join was met has been answered.
    TaskAnswered(Box<TaskAnswered>),
    /// A task that waited for time or for somebody has ended.
    TaskSettled {
        /// The task.
        task: TaskKey,
        /// Why.
        verdict: Verdict,
        /// What was said, if anything was.
        output: Option<OutputRef>,
    },
    /// The condition of these handlers is met: they are ready.
    HandlersReleased {
        /// The run.
        run: RunId,
        /// Its handlers.
        tasks: IdSet,
    },
    /// Tasks will not run in this round because of what they depend on.
    TasksSkipped {
        /// The run.
        run: RunId,
        /// Its tasks.
        tasks: IdSet,
    },
    /// What no worker holds of these tasks will not run in this round: their run is being stopped.
    TasksCancelled {
        /// The run.
        run: RunId,
        /// Its tasks.
        tasks: IdSet,
    },
    /// Tasks failed without an attempt: no worker can ever hold them.
    TasksUnsatisfiable {
        /// The run.
        run: RunId,
        /// Its tasks.
        tasks: IdSet,
    },
    /// A run is to end before it is done.
    RunStopping {
        /// The run.
        run: RunId,
        /// Why.
        cause: StopCause,
    },
    /// Nothing more of a run starts until somebody lets it; what runs goes on.
    RunPaused {
        /// The run.
        run: RunId,
        /// Why.
        cause: PauseCause,
    },
    /// A paused run goes on.
    RunResumed {
        /// The run.
        run: RunId,
    },
    /// Nothing of a run is left to do.
    RunEnded {
        /// The run.
        run: RunId,
        /// How it ended: a final status.
        status: RunStatus,
    },
    /// Tasks of an ended run are to run once more.
    RoundOpened {
        /// The run.
        run: RunId,
        /// Its tasks.
        tasks: IdSet,
        /// Which of their items.
        scope: RoundScope,
    },
    /// Of a task of an ended run, these items are to run once more, and no others.
    ItemsReopened {
        /// The task.
        task: TaskKey,
        /// Its items.
        items: IdSet,
    },
    /// A run goes on with another version of its graph, or with other settings.
    RunAmended(Box<RunAmended>),
    /// Tasks or items are held to have ended, though no worker ran them.
    Marked(Box<Marked>),
    /// The time by which these tasks had to end has passed: what no worker holds of them has run
    /// out of time, and what runs is told to end.
    DeadlinePassed {
        /// The run.
        run: RunId,
        /// Its tasks.
        tasks: IdSet,
    },
    /// The archive holds an ended run; live state forgets it.
    RunForgotten {
        /// The run.
        run: RunId,
    },
    /// Only in snapshots: what the facts before the snapshot had made of something.
    Restored(Box<Restored>),
}

/// A worker's registration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkerJoined {
    /// The number it gets.
    pub worker: WorkerId,
    /// The node's name; one node has one live worker.
    pub name: Box<str>,
    /// Tells this start of the worker from all others.
    pub instance: u64,
    /// What it offers.
    pub offers: Offers,
    /// How long its leases last without a renewal; `None` for a worker in the leader's own
    /// process, which lives and dies with it.
    pub lease: Option<Span>,
}

/// Why a worker is held to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LossCause {
    /// Its leases were not renewed in time.
    Expired,
    /// The same node registered anew.
    Replaced,
    /// It was in the process of an earlier leader.
    DiedWithLeader,
}

/// A run as it was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunAdmitted {
    /// The number it gets.
    pub run: RunId,
    /// The client's idempotency key: a second submission with the same key is the same run.
    pub key: Option<Digest>,
    /// Whose it is.
    pub tenant: Box<str>,
    /// Where it queues.
    pub queue: Box<str>,
    /// The workflow's name.
    pub name: Box<str>,
    /// The hash of the file's canonical path, its parameters and its environment: two runs with
    /// the same identity are runs of the same thing.
    pub identity: Digest,
    /// The hash of the file's content.
    pub content: Digest,
    /// The compiled graph.
    pub graph: Digest,
    /// The text that goes with the graph: names, scripts, parameters.
    pub definition: Digest,
    /// Its place among runs.
    pub priority: Priority,
    /// What the failure of a task means for the others.
    pub failure: FailurePolicy,
    /// How long the run may take, from admission.
    pub timeout: Option<Span>,
    /// How many of its attempts may be leased at a time.
    pub concurrency: Option<u32>,
    /// What its attempts may cost together before it pauses, in millionths of the currency of the
    /// price table.
    pub cost_limit_micro: Option<u64>,
    /// The W3C trace id that all of its work carries.
    pub trace: u128,
}

/// Another version of what a run goes by. Tasks keep their numbers; new ones have the numbers after
/// them. What has begun is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunAmended {
    /// The run.
    pub run: RunId,
    /// Why.
    pub cause: AmendCause,
    /// The whole graph as it is from now on.
    pub graph: Digest,
    /// The text that goes with it.
    pub definition: Digest,
    /// Its place among runs from now on.
    pub priority: Priority,
    /// How many of its attempts may be leased at a time from now on.
    pub concurrency: Option<u32>,
    /// What its attempts may cost together, from now on.
    pub cost_limit_micro: Option<u64>,
}

/// Why a run is amended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AmendCause {
    /// A person edited it.
    Edited,
    /// An attempt wrote further tasks; its end is the next fact.
    Generated {
        /// The task.
        task: TaskId,
        /// Its item.
        item: ItemId,
    },
}

/// What is held to have ended without having been run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Marked {
    /// The run.
    pub run: RunId,
    /// Its tasks, none of which has ended.
    pub tasks: IdSet,
    /// Which items of the only task; `None` for all of all tasks.
    pub items: Option<IdSet>,
    /// How they are held to have ended: succeeded, failed or skipped.
    pub status: TaskStatus,
    /// Why.
    pub cause: MarkCause,
    /// What an answer had made of the only task where it was run.
    pub control: Option<ControlImage>,
    /// The outputs of the only task, if it is no fan-out and some are given with the mark.
    pub output: Option<OutputRef>,
}

/// Why something is held to have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MarkCause {
    /// A person says so.
    Person,
    /// The same was done before, and its outputs were kept.
    Cache,
    /// It was done in the run that this one was made from.
    Fork {
        /// That run.
        from: RunId,
    },
}

/// The answer to what a task asked when its join was met.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskAnswered {
    /// The task.
    pub task: TaskKey,
    /// The answer. It is never worked out again.
    pub answer: ControlAnswer,
    /// The outputs that come with it: of a decision, of a cached task, or the reason why there is
    /// no answer.
    pub output: Option<OutputRef>,
}

/// Attempts of one task that ended in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AttemptsEnded {
    /// The task.
    pub task: TaskKey,
    /// How they ended.
    pub outcome: Outcome,
    /// What follows.
    pub then: Then,
    /// The items, ascending, with what is known of each.
    pub ends: Vec<(ItemId, AttemptEnd)>,
}

/// Why a run is to end before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StopCause {
    /// A task failed, and the run's policy is to stop then.
    TaskFailed,
    /// It ran out of time.
    TimedOut,
    /// A person stopped it: tasks are asked to end, handlers run.
    Stopped,
    /// A person terminated it: tasks are killed, nothing else runs.
    Terminated,
}

impl StopCause {
    /// How a run with this cause ends.
    #[must_use]
    pub const fn run_status(self) -> RunStatus {
        match self {
            Self::TaskFailed | Self::TimedOut => RunStatus::Failed,
            Self::Stopped | Self::Terminated => RunStatus::Cancelled,
        }
    }

    /// What becomes of a task that is ended for this cause.
    #[must_use]
    pub const fn task_status(self) -> TaskStatus {
        match self {
            Self::Terminated => TaskStatus::Terminated,
            Self::TaskFailed | Self::TimedOut | Self::Stopped => TaskStatus::Cancelled,
        }
    }
}

/// Why a run is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PauseCause {
    /// A person paused it.
    Asked,
    /// Its attempts have cost as much as they may.
    CostLimit,
}

/// Which items of a task a new round runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoundScope {
    /// Those that did not succeed.
    Unsuccessful,
    /// All.
    All,
}

/// A piece of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Restored {
    /// The counters that ids are taken from, and what classes of requests have taken so far.
    Counters {
        /// The next run gets this number.
        next_run: RunId,
        /// The next worker gets this number.
        next_worker: WorkerId,
        /// For each known request the mean duration of its attempts, in microseconds.
        mean_wall_us: Vec<(Request, u64)>,
    },
    /// The state of a run; its admission stands before it.
    Run {
        /// The run.
        run: RunId,
        /// Where it stands.
        status: RunStatus,
        /// Why it is to end early.
        cause: Option<StopCause>,
        /// When it ended.
        ended_at: Option<Timestamp>,
        /// The last stage whose tasks have been told apart.
        released: Stage,
        /// Why it is paused, if it is.
        paused: Option<PauseCause>,
    },
    /// Tasks in the same state.
    Tasks {
        /// The run.
        run: RunId,
        /// Its tasks.
        tasks: IdSet,
        /// Their common state.
        image: TaskImage,
    },
    /// Items of a fan-out in the same state.
    Items {
        /// The task.
        task: TaskKey,
        /// Its items.
        items: IdSet,
        /// Their common state, without leases.
        image: ItemImage,
    },
    /// What control answers have made of a task, besides its status.
    Control {
        /// The task.
        task: TaskKey,
        /// What.
        image: ControlImage,
    },
    /// A live lease.
    Lease(LeaseImage),
    /// An item whose attempts had to make room for others.
    Preempted {
        /// The item.
        item: ItemKey,
        /// How often, and what that cost.
        image: PreemptedImage,
    },
    /// An item that waits for its next attempt.
    Retry {
        /// The item.
        item: ItemKey,
        /// Not before this time.
        at: Timestamp,
        /// In this way, or one after it.
        variant: VariantId,
    },
    /// A budget of which something was spent.
    Budget {
        /// Its name.
        name: Box<str>,
        /// When it would be full again, if nothing more were spent.
        full_at: Timestamp,
    },
    /// A circuit breaker that has something to tell.
    Breaker(Box<BreakerImage>),
    /// What the attempts of a run that have ended spent.
    RunSpent {
        /// The run.
        run: RunId,
        /// How much.
        totals: Totals,
    },
    /// What the attempts of all runs of a tenant spent.
    TenantSpent {
        /// The tenant.
        tenant: Box<str>,
        /// How much.
        totals: Totals,
    },
    /// What the last attempts of a kind of work took.
    Durations {
        /// The name of its workflow.
        workflow: Box<str>,
        /// The place of its policy.
        policy: u32,
        /// With which of the requests that it may be done with.
        variant: VariantId,
        /// In milliseconds on a worker of usual speed, the oldest first.
        recent_ms: Box<[u32]>,
    },
    /// The end of the snapshot: the last fact that it covers.
    End {
        /// The last sequence number covered.
        seq: Seq,
        /// Its time.
        at: Timestamp,
        /// The term it was written in.
        epoch: Epoch,
    },
}

/// The state of a circuit breaker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BreakerImage {
    /// Its name.
    pub name: Box<str>,
    /// How many attempts have failed in a row.
    pub failures: u32,
    /// How often it has been opened since it was last closed.
    pub openings: u8,
    /// It is open until this time, and lets trials through from then on; `None` if it is closed.
    pub open_until: Option<Timestamp>,
    /// The last failure that counted.
    pub last: Outcome,
}

/// What a control answer has made of a task, besides its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControlImage {
    /// It is a fan-out of so many items.
    FanOut {
        /// How many.
        items: u32,
        /// The list of them, as it is stored.
        list: Digest,
    },
    /// It took this route.
    Route(u16),
    /// It waits, and ends by itself at this time; `None` is never.
    Wait(Option<Timestamp>),
    /// It is a loop in this turn, from 1.
    Turn(u16),
}

/// The packed state of an item between leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemImage {
    /// Where it stands.
    pub status: TaskStatus,
    /// Attempts so far in this round.
    pub attempts: Attempt,
    /// How many of them failed or overran.
    pub failures: u8,
    /// How many of them were lost with their worker.
    pub losses: u8,
    /// How many of them made the next ask for more memory.
    pub growths: u8,
}

/// The state of a task in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskImage {
    /// The state of its only item, or of the fan-out as a whole.
    pub item: ItemImage,
    /// How many of the edges into it must still be met.
    pub waiting_for: u32,
    /// How many of the edges into it are not decided.
    pub undecided: u32,
    /// The turn it is in.
    pub round: Round,
    /// Milliseconds from the run's admission to its first start; `u32::MAX` before that.
    pub started_ms: u32,
    /// Milliseconds from the run's admission to its end; `u32::MAX` before that.
    pub ended_ms: u32,
    /// The last bad end of one of its attempts.
    pub trouble: Option<Outcome>,
}
