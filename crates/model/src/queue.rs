//! Queues as they are set: a tree, with what each is guaranteed and may have. Data.
//!
//! What follows from it is the planner's business; that a tree makes sense is checked by whoever
//! reads it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::Span;

/// The queue of runs that name none.
pub const DEFAULT_QUEUE: &str = "default";

/// What stands between the names of queues in a path.
pub const SEPARATOR: char = '/';

/// All queues; none if nobody has set any, and then all is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueTree {
    /// Each after the one above it.
    pub queues: Vec<QueueSpec>,
    /// Whether parts of one device may be given to queues that have nothing above them in common.
    pub shares_devices: bool,
    /// How long, about, anyone may be made to wait for others; as measured if that is not set.
    pub max_wait: Option<Span>,
    /// What is kept free of work that is not critical: of devices whole ones.
    pub kept: Quota,
}

/// A queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueSpec {
    /// Its name, after the names of all above it: `research/vision`.
    pub path: Box<str>,
    /// The place in the tree of the queue above it; `None` at the top.
    pub parent: Option<usize>,
    /// How much more than others beside it it gets of what is not guaranteed to anyone; at least 1.
    pub weight: u32,
    /// What it gets whenever it wants it.
    pub guarantee: Quota,
    /// What it never gets more than.
    pub limit: Quota,
    /// The name of the policy by which those in it are ordered and placed, if it has one of its
    /// own.
    pub policy: Option<Box<str>>,
    /// How long, about, those in it may be made to wait for others, if that is set for it.
    pub max_wait: Option<Span>,
}

/// What a queue is guaranteed, or may have at most: what is not named is not guaranteed, and has no
/// limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Thousandths of CPU cores.
    pub cpu_milli: Option<u64>,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Thousandths of devices.
    pub devices_milli: Option<u64>,
    /// Custom amounts, sorted by name.
    pub custom: Box<[(Box<str>, u64)]>,
}

impl Quota {
    /// Whether it names nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl QueueTree {
    /// The place of a queue in the tree.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<usize> {
        self.queues.iter().position(|queue| *queue.path == *path)
    }

    /// The queues just below one, or at the top.
    pub fn below(&self, parent: Option<usize>) -> impl Iterator<Item = &QueueSpec> {
        self.queues.iter().filter(move |queue| queue.parent == parent)
    }

    /// Whether a run may stand in a queue: it is there, or is the one that is always there, and
    /// none is below it.
    #[must_use]
    pub fn takes_runs(&self, path: &str) -> bool {
        match self.find(path) {
            Some(at) => self.below(Some(at)).next().is_none(),
            None => path == DEFAULT_QUEUE || self.queues.is_empty(),
        }
    }
}

/// The name at the top of a path: whose queue it is.
#[must_use]
pub fn tenant(path: &str) -> &str {
    path.split(SEPARATOR).next().unwrap_or(path)
}
