//! What the engine is told and what it answers. Data only.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use model::control::{ControlAnswer, Verdict};
use model::fact::{Marked, RunAdmitted, StopCause};
use model::message::{FromWorker, LeaseId, ToWorker};
use model::outcome::OutputRef;
use model::policy::Priority;
use model::status::{RunStatus, TaskStatus};
use model::{Digest, Epoch, Fact, Graph, IdSet, Round, RunId, TaskId, TaskKey, WorkerId};

/// The driver's name for a request that waits for an [`Answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Something that happened outside.
#[derive(Clone, Debug)]
pub enum Input {
    /// This process leads from now on. Once, after replay.
    Lead {
        /// Its term.
        epoch: Epoch,
    },
    /// A checked workflow is to run.
    Submit(Box<Submission>),
    /// A worker said something.
    Worker(FromWorker),
    /// A run is to end before it is done.
    Stop {
        /// Who asks.
        request: RequestId,
        /// Which.
        run: RunId,
        /// [`StopCause::Stopped`] or [`StopCause::Terminated`].
        cause: StopCause,
    },
    /// Nothing more of a run is to start until it is resumed.
    Pause {
        /// Who asks.
        request: RequestId,
        /// Which.
        run: RunId,
    },
    /// A paused run is to go on.
    Resume {
        /// Who asks.
        request: RequestId,
        /// Which.
        run: RunId,
    },
    /// What runs of a task is to make room for others, and to begin anew.
    Preempt {
        /// Who asks.
        request: RequestId,
        /// The task.
        task: TaskKey,
        /// Which of its items; `None` for all that run.
        items: Option<IdSet>,
    },
    /// What did not succeed in an ended run is to run again; with `from`, that task and all that
    /// depends on it.
    Retry {
        /// Who asks.
        request: RequestId,
        /// Which.
        run: RunId,
        /// Where to begin.
        from: Option<TaskId>,
    },
    /// The answer to [`Effect::Ask`].
    Answered(Box<Answered>),
    /// Somebody says what a task waits for.
    Settle {
        /// Who asks.
        request: RequestId,
        /// The task.
        task: TaskKey,
        /// What is said: [`Verdict::Approved`] or [`Verdict::Rejected`].
        verdict: Verdict,
        /// What is said beside it, as it is stored.
        output: Option<OutputRef>,
    },
    /// Some items of a task of an ended run are to run again, and all that depends on it.
    RetryItems {
        /// Who asks.
        request: RequestId,
        /// The task.
        task: TaskKey,
        /// Its items.
        items: IdSet,
    },
    /// A run is to go on by another version of its graph, or with other settings.
    Amend {
        /// Who asks.
        request: RequestId,
        /// How.
        amendment: Box<Amendment>,
    },
    /// Tasks that have not begun are to be held to have ended.
    Mark {
        /// Who asks.
        request: RequestId,
        /// Which, and how.
        mark: Box<Marked>,
    },
    /// What an attempt wrote has been looked at. It counts with the report of the attempt's end,
    /// in the message of a worker that comes next.
    Generated(Box<Generated>),
    /// The archive holds this ended run.
    Forget {
        /// Which.
        run: RunId,
    },
    /// Whatever is due fires. Given after the inbox has been drained, so that nothing that has
    /// already arrived is timed out.
    Tick,
}

/// The answer to what a task asked.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The task.
    pub task: TaskKey,
    /// The round in which it asked.
    pub round: Round,
    /// The answer.
    pub answer: ControlAnswer,
    /// The outputs that come with it, durable by the time the fact is.
    pub output: Option<OutputRef>,
    /// Items that were done before: they have succeeded when the task begins.
    pub cached: IdSet,
}

/// Another version of what a run goes by, made from the one that it has.
#[derive(Clone, Debug)]
pub struct Amendment {
    /// The run.
    pub run: RunId,
    /// The graph that it was made from: if the run has another by now, it has to be made anew.
    pub base: Digest,
    /// The whole graph as it is to be, durable by the time the fact is.
    pub graph: Arc<Graph>,
    /// The text that goes with it.
    pub definition: Digest,
    /// Its place among runs.
    pub priority: Priority,
    /// How many of its attempts may be leased at a time.
    pub concurrency: Option<u32>,
    /// What its attempts may cost together, in millionths.
    pub cost_limit_micro: Option<u64>,
}

/// What came of the tasks that an attempt wrote.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The attempt.
    pub lease: LeaseId,
    /// The run with them; nothing if they cannot be admitted: the attempt has then failed.
    pub amendment: Option<Amendment>,
    /// Why they cannot, as the outputs of the attempt.
    pub reason: Option<OutputRef>,
}

/// A checked workflow with what it was submitted with.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Who asks.
    pub request: RequestId,
    /// The admission as it will be recorded; its `run` is given by the engine.
    pub run: RunAdmitted,
    /// The compiled graph, durable by the time the fact is.
    pub graph: Arc<Graph>,
    /// What of it was done before, in another run; their `run` is given by the engine.
    pub done: Vec<Marked>,
}

/// What one step made.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// What was decided, in order. The first has the sequence number after the last recorded.
    pub facts: Vec<Fact>,
    /// What is to be done.
    pub effects: Vec<Effect>,
}

/// Something to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Inside: work out what this task asks and step with [`Input::Answered`], for the same batch
    /// if that is quick. It is asked once a round, and again by the next leader.
    Ask {
        /// The task.
        task: TaskKey,
        /// Its round.
        round: Round,
        /// The turn of the loop that it ends, or stands in.
        turn: u16,
    },
    /// Outside, once the facts so far are durable: tell a worker.
    Send {
        /// The worker.
        worker: WorkerId,
        /// The message.
        message: ToWorker,
    },
    /// Outside, once the facts so far are durable: answer a request.
    Reply {
        /// Whose.
        request: RequestId,
        /// With what.
        answer: Answer,
    },
    /// Inside: a result was refused because its lease is over. For logs and counters.
    Refused {
        /// The stale lease.
        lease: LeaseId,
    },
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The submission is this run.
    Admitted {
        /// The run.
        run: RunId,
        /// Whether it was admitted earlier, with the same idempotency key.
        again: bool,
    },
    /// The run ends, or had ended.
    Stopping {
        /// Where it stands.
        status: RunStatus,
    },
    /// The run is paused.
    Paused,
    /// The run goes on.
    Resumed,
    /// So many attempts were told to make room.
    Preempted {
        /// How many.
        items: usize,
    },
    /// A new round of these tasks is open.
    Reopened {
        /// How many tasks.
        tasks: usize,
    },
    /// What was said counts.
    Settled,
    /// The run goes on as it was asked.
    Amended,
    /// So many tasks are held to have ended.
    Marked {
        /// How many.
        tasks: usize,
    },
    /// Nothing was changed.
    Rejected(Rejection),
}

/// Why a request changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// There is no such run.
    UnknownRun(RunId),
    /// The run has no such task.
    UnknownTask(TaskId),
    /// Only an ended run can be retried.
    NotEnded(RunStatus),
    /// Every task succeeded.
    NothingToRetry,
    /// Nothing of it runs that is not ending already.
    NothingToPreempt,
    /// The task does not wait: not yet, or not any more.
    NotWaiting(TaskStatus),
    /// The task never waits for anybody.
    NothingToSay,
    /// The run has ended, or is being stopped.
    RunEnded(RunStatus),
    /// The attempts of the run have cost as much as they may.
    CostLimit {
        /// What they have cost, in millionths.
        cost_micro: u64,
        /// What they may cost.
        limit_micro: u64,
    },
    /// The task has begun, or has ended.
    Begun(TaskId),
    /// The run was amended meanwhile: what was asked has to be made anew from it.
    Outdated,
    /// What was asked does not fit the run, for this reason.
    Unfit(&'static str),
}
