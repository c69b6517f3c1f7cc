//! What a coordinator and a worker say to each other.
//!
//! The link between them may lose messages, and a session that breaks is begun anew by the worker;
//! within a session numbers ascend, and whoever receives an old number drops the message. Loss is
//! mended by the heartbeat: it lists what the worker holds, and the coordinator sends again what
//! is missing. Nothing here says when to send what: that is `engine` and `agent`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::outcome::{AttemptEnd, Outcome, OutputRef};
use crate::{
    AttemptId, DeviceSet, Epoch, ItemKey, Offers, Request, Span, Token, VariantId, WorkerId,
};

/// A message to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToWorker {
    /// The leader's term: a worker refuses every older one than the newest it has seen.
    pub epoch: Epoch,
    /// The session it belongs to.
    pub session: u64,
    /// Ascends within the session, from 1.
    pub number: u64,
    /// What it says.
    pub order: Order,
}

/// What a coordinator says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// The answer to a hello: the session is open.
    Welcome {
        /// The number that the worker is known by.
        worker: WorkerId,
        /// How long leases last without a renewal, as the server counts.
        lease: Option<Span>,
    },
    /// Run these, in this order, each as soon as there is room for it.
    Assign(Vec<Grant>),
    /// End these.
    Stop {
        /// Which attempts.
        leases: Vec<LeaseId>,
        /// How.
        how: StopKind,
    },
    /// Every report up to this number is durable; the worker may forget them.
    Acknowledge {
        /// The last such report.
        report: u64,
    },
    /// All leases of the worker are renewed, counted from when it sent this heartbeat.
    Renew {
        /// The heartbeat.
        beat: u64,
    },
}

/// What a worker needs to know to run one attempt, apart from the work itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What is tried.
    pub attempt: AttemptId,
    /// What fences it.
    pub token: Token,
    /// What it takes of the worker.
    pub request: Request,
    /// Which of the worker's devices, by their places in its offer.
    pub devices: DeviceSet,
    /// How long it has between being asked to end and being killed.
    pub grace: Span,
    /// In which way the work is done.
    pub variant: VariantId,
}

impl Grant {
    /// The lease that is granted.
    #[must_use]
    pub const fn lease(&self) -> LeaseId {
        LeaseId { item: self.attempt.key, token: self.token }
    }
}

/// A lease: an item and what fences it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId {
    /// The item.
    pub item: ItemKey,
    /// Its fencing token.
    pub token: Token,
}

/// How an attempt is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StopKind {
    /// Give it back if it has not started; otherwise leave it alone.
    Retract,
    /// Give it back if it has not started; otherwise ask it to end, and kill it after its grace:
    /// its run is being stopped, or others are to have its place.
    Cancel,
    /// Ask it to end, and kill it after its grace, because its time is up.
    TimeOut,
    /// Kill it now, because its run is terminated.
    Terminate,
    /// Kill it now and say nothing: it is no longer the worker's to run.
    Revoke,
}

/// A message from a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromWorker {
    /// The node's name.
    pub name: Box<str>,
    /// Tells this start of the worker from all others.
    pub instance: u64,
    /// Chosen by the worker, ascends with each hello.
    pub session: u64,
    /// Ascends within the session, from 1; the hello is 1.
    pub number: u64,
    /// What it says.
    pub news: News,
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It begins a session.
    Hello {
        /// What it offers.
        offers: Offers,
        /// How long its leases are to last; `None` if it lives and dies with the coordinator.
        lease: Option<Span>,
        /// The number of the first report that it will send again: those before are acknowledged.
        reports_from: u64,
    },
    /// It lives.
    Beat {
        /// Ascends within the instance.
        beat: u64,
        /// The leases that it holds or has not yet been told to forget.
        held: Vec<LeaseId>,
    },
    /// What happened to attempts. Sent again, from the first that is not acknowledged, until the
    /// coordinator says that it is durable.
    Reports {
        /// The number of the first; they ascend by one, over the whole instance, from 1.
        first: u64,
        /// What happened, in order.
        reports: Vec<Report>,
    },
}

/// What happened to an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The lease it ran under.
    pub lease: LeaseId,
    /// What happened.
    pub event: AttemptEvent,
}

/// What can happen to an attempt on a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptEvent {
    /// It started. Left out if the end follows before anything was sent.
    Started,
    /// It ended.
    Ended {
        /// How, as the executor saw it.
        outcome: Outcome,
        /// What is known of it.
        end: AttemptEnd,
        /// The tasks that it wrote for its run, if it wrote any.
        tasks: Option<OutputRef>,
        /// How long the other side asked to be left alone, if it did.
        retry_after: Option<Span>,
    },
    /// It has saved its work.
    Checkpointed {
        /// How long ago, as the worker counts: clocks of machines differ, spans do not.
        age: Span,
    },
    /// It was given back without a start.
    Returned,
}

impl AttemptEvent {
    /// Whether nothing is told of the attempt after that.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::Ended { .. } | Self::Returned)
    }
}
