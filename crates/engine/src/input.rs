//! What the engine is told and what it answers. Data only.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use model::control::{ControlAnswer, Verdict};
use model::fact::{RunAdmitted, StopCause};
use model::message::{FromWorker, LeaseId, ToWorker};
use model::outcome::OutputRef;
use model::status::{RunStatus, TaskStatus};
use model::{Epoch, Fact, Graph, Round, RunId, TaskId, TaskKey, WorkerId};
use scheduler::{Plan, Problem};

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
    /// The answer to [`Effect::Plan`], from the same problem.
    Planned(Plan),
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
    /// Inside: plan this and step with [`Input::Planned`], for the same batch.
    Plan(Box<Problem>),
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
    /// A new round of these tasks is open.
    Reopened {
        /// How many tasks.
        tasks: usize,
    },
    /// What was said counts.
    Settled,
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
    /// The task does not wait: not yet, or not any more.
    NotWaiting(TaskStatus),
    /// The task never waits for anybody.
    NothingToSay,
}
