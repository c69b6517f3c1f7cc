//! Queues: what each has, and what it is guaranteed and may have.

use serde::{Deserialize, Serialize};

/// All queues that are set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueList {
    /// Each after the one above it.
    pub queues: Vec<QueueSummary>,
    /// What is kept on nodes for critical work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub critical: Vec<KeptRoom>,
}

/// What is kept on a node for critical work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptRoom {
    /// The node.
    pub node: String,
    /// What is kept there of each resource.
    pub resources: Vec<KeptResource>,
}

/// What is kept of a resource: cores, bytes of memory, GPUs, or units.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptResource {
    /// `cpu`, `memory`, `gpu` or a custom one.
    pub resource: String,
    /// How much.
    pub kept: f64,
    /// How much of that critical work has.
    pub used: f64,
}

/// A queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueSummary {
    /// Its name, after the names of all above it: `research/vision`.
    pub queue: String,
    /// How much more than others beside it it gets of what is not guaranteed to anyone.
    pub weight: u32,
    /// The policy by which those in it are ordered, if it has one of its own.
    #[serde(default)]
    pub policy: Option<String>,
    /// How many of its runs have not ended, with those of all queues below it.
    pub runs: u64,
    /// How many items are with workers.
    pub running: u64,
    /// How many items could start and wait for room.
    pub waiting: u64,
    /// What it has of each resource, as far as it has any or its quotas name it.
    pub resources: Vec<QueueResource>,
}

/// What a queue has of a resource: cores, bytes of memory, GPUs, or units.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueResource {
    /// `cpu`, `memory`, `gpu` or a custom one.
    pub resource: String,
    /// What its items have that are with workers.
    pub used: f64,
    /// What it gets whenever it wants it.
    #[serde(default)]
    pub guarantee: Option<f64>,
    /// What it never gets more than.
    #[serde(default)]
    pub limit: Option<f64>,
}
