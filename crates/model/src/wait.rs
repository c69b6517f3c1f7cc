//! Why something waits: the planner's and the engine's own refusals, in words that carry numbers.
//!
//! The check that refuses is the one that makes the reason, so that the two cannot drift. Nothing
//! here is guessed afterwards.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::fact::PauseCause;
use crate::outcome::Outcome;
use crate::site::{Domain, Obstacle};
use crate::status::{RunStatus, TaskStatus};
use crate::{ItemKey, TaskId, Timestamp, VariantId, WorkerId};

/// One thing that keeps a task from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// A task that it depends on has not ended well yet.
    Dependency {
        /// Which.
        task: TaskId,
        /// Where that one stands.
        status: TaskStatus,
    },
    /// Its join is met, and what it asks is being worked out.
    Question,
    /// It waits for somebody: an approval or a signal.
    Person {
        /// When it ends by itself.
        until: Option<Timestamp>,
    },
    /// It waits for a time.
    Time {
        /// Which.
        until: Timestamp,
    },
    /// It is a handler, and the ordinary tasks of its run have not all ended.
    Handler,
    /// Its run is not in a state in which tasks start.
    Run(RunStatus),
    /// Its run is paused.
    Paused {
        /// Why.
        cause: PauseCause,
        /// What its attempts have cost so far, in millionths.
        cost_micro: u64,
        /// What they may cost.
        limit_micro: Option<u64>,
    },
    /// It failed or was lost and waits for its next attempt.
    Backoff {
        /// Not before this time.
        until: Timestamp,
    },
    /// Its run has as many attempts leased as it may have.
    Concurrency {
        /// How many that is.
        limit: u32,
    },
    /// Its task has as many items leased as it may have.
    TaskConcurrency {
        /// How many that is.
        limit: u32,
    },
    /// As many attempts as may hold a lock hold it.
    Lock {
        /// Its name.
        name: Box<str>,
        /// Some of those who hold it, in the order of their numbers.
        holders: Vec<ItemKey>,
        /// How many may hold it at a time, as this task says.
        limit: u32,
    },
    /// A budget does not have what an attempt spends.
    Budget {
        /// Its name.
        name: Box<str>,
        /// When it will have enough, if nobody spends of it before.
        until: Timestamp,
    },
    /// A circuit breaker lets nobody try, or has as many who try as it lets.
    Breaker {
        /// Its name.
        name: Box<str>,
        /// Until when it is open; `None` if it is being tried.
        until: Option<Timestamp>,
        /// How many attempts have failed in a row.
        failures: u32,
        /// The last of these failures.
        last: Outcome,
        /// How many may try at a time, as this task says.
        trials: u32,
    },
    /// Its queue, or one above that, has all that it may have.
    Queue {
        /// The path of that queue.
        queue: Box<str>,
        /// The resource of which it has: `cpu`, `memory`, `gpu` or a custom one.
        resource: Box<str>,
        /// What an item asks for: milli-CPU, bytes, thousandths of GPUs, or units.
        asked: u64,
        /// What the queue has.
        used: u64,
        /// What it may have.
        limit: u64,
    },
    /// No worker is connected.
    NoWorker,
    /// Workers are known, and none of them has been heard of lately.
    Silent,
    /// It would fit, but what is ahead of it in the order takes the room.
    Behind {
        /// How many items are ahead.
        items: u64,
        /// Of how many tasks.
        tasks: u64,
    },
    /// A worker has room now, and it is kept for others that have waited longer: it would not end
    /// before they are to begin.
    Reserved,
    /// A worker has room now, and keeps it for critical work.
    Kept {
        /// Which.
        worker: WorkerId,
        /// What it keeps that no critical work has: each resource (`cpu`, `memory`, `gpu` or a
        /// custom one) with milli-CPU, bytes, thousandths of GPUs, or units.
        amounts: Vec<(Box<str>, u64)>,
    },
    /// A worker that is busy ends it sooner than those that have room.
    Faster {
        /// Which.
        worker: WorkerId,
        /// When it is expected to begin there.
        at: Timestamp,
    },
    /// There is room only elsewhere than where the other items of its task are, and they are to be
    /// together.
    Apart {
        /// What workers are grouped by.
        domain: Domain,
    },
    /// No worker has room now, but one could hold it when it is free.
    NoRoom {
        /// For each worker what is missing most.
        misses: Vec<Miss>,
    },
    /// It is the member of a gang, of which others are still with workers: those that are being
    /// ended, or, if it has done its work, those that have not done theirs.
    Members {
        /// How many.
        left: u32,
    },
    /// It is the member of a gang, and not all of that have room at once.
    Gang {
        /// How many members there are.
        members: u32,
        /// How many have room now.
        room: u32,
        /// When all will have, if room is reserved for them.
        at: Option<Timestamp>,
        /// For each worker that has room for none more what is missing most.
        misses: Vec<Miss>,
    },
    /// It is the member of a gang that all workers together could not hold, even when free, or that
    /// a lock or a budget never lets begin as a whole. The task fails when that lasts.
    Oversized {
        /// How many members there are.
        members: u32,
        /// How many could ever begin together.
        largest: u32,
        /// When it fails.
        fails_at: Timestamp,
    },
    /// No worker could hold it, even when free. The task fails when that lasts.
    NeverFits {
        /// For each worker what is missing most.
        misses: Vec<Miss>,
        /// When it fails.
        fails_at: Timestamp,
    },
}

/// What keeps an attempt from a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The worker.
    pub worker: WorkerId,
    /// With which of the requests that it may be done with: the one that comes nearest.
    pub variant: VariantId,
    /// What it lacks.
    pub lack: Lack,
}

/// What a worker lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Something to take: that of which most is missing.
    Amount(Shortfall),
    /// It may not go there at all.
    Site(Obstacle),
}

/// By how much a request misses a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// The resource's name: `cpu`, `memory` or a custom one.
    pub resource: Box<str>,
    /// What is asked for: milli-CPU, bytes, or units.
    pub asked: u64,
    /// What is free now.
    pub free: u64,
    /// What the worker has in all.
    pub capacity: u64,
}
