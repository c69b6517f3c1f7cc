//! What an engine goes by besides facts: not durable, and chosen anew by whoever begins to lead.

use model::queue::QueueTree;
use scheduler::Policy;

/// How it is decided what goes first, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The policy of all queues that have none of their own.
    pub policy: Policy,
    /// Who shares what is there.
    pub queues: QueueTree,
}
