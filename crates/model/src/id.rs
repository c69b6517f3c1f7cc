//! Identities. Dense integers, so that state can be indexed by them; never reused, never random.
//!
//! The identity of a piece of work is (run, task, round, item, attempt). What fences it is the
//! [`Token`]: the journal sequence number of the lease that allowed the attempt to start.

use core::fmt;

macro_rules! define_id {
    ($(#[$doc:meta])* $name:ident($repr:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $repr);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

define_id!(
    /// One execution of a workflow. Dense from 1 within a journal.
    RunId(u64)
);
define_id!(
    /// A node of a run's graph. Dense from 0 within the run.
    TaskId(u32)
);
define_id!(
    /// An element of a fan-out; 0 for a task without one.
    ItemId(u32)
);
define_id!(
    /// A turn of a task: 0 at first, one more with each retry by hand.
    Round(u16)
);
define_id!(
    /// An automatic try of an item within a round. The first is 1.
    Attempt(u16)
);
define_id!(
    /// One of the ways to do the work of a task, in the order in which its policy says them.
    VariantId(u8)
);
define_id!(
    /// A worker's registration: a worker that restarts is a new one. Dense from 1.
    WorkerId(u32)
);
define_id!(
    /// A leader's term. Each holder of the journal has one of its own, greater than all before.
    Epoch(u64)
);
define_id!(
    /// The position of a fact in the journal. The first fact is 1; 0 is "before everything".
    Seq(u64)
);
define_id!(
    /// What fences an attempt: the sequence number of its lease. Later leases of an item have
    /// greater tokens, whoever leads, so a reader can tell the stale of two.
    Token(u64)
);

impl From<Seq> for Token {
    fn from(seq: Seq) -> Self {
        Self(seq.0)
    }
}

impl Seq {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A task within its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey {
    /// The run.
    pub run: RunId,
    /// The node of its graph.
    pub task: TaskId,
}

impl TaskKey {
    /// An item of this task.
    #[must_use]
    pub const fn item(self, item: ItemId) -> ItemKey {
        ItemKey { run: self.run, task: self.task, item }
    }
}

/// An item within its run: the unit that is leased, run and recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    /// The run.
    pub run: RunId,
    /// The node of its graph.
    pub task: TaskId,
    /// The element of its fan-out.
    pub item: ItemId,
}

impl ItemKey {
    /// The task that the item belongs to.
    #[must_use]
    pub const fn task_key(self) -> TaskKey {
        TaskKey { run: self.run, task: self.task }
    }
}

/// The full identity of one automatic try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId {
    /// The item that is tried.
    pub key: ItemKey,
    /// The round it is tried in.
    pub round: Round,
    /// Which try it is, from 1.
    pub attempt: Attempt,
}
