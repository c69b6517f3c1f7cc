//! Why something waits or where it runs, as the planner's own refusals say it.

use model::{RunId, TaskStatus};
use serde::{Deserialize, Serialize};

use super::{Decided, Time, text};

/// Which item to explain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainQuery {
    /// The item of the fan-out; without it, the one that has come least far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
}

/// Why a task waits, or where it runs, or how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The run.
    #[serde(with = "text::run_id")]
    pub run: RunId,
    /// The task's name.
    pub task: String,
    /// The item of its fan-out; `None` for a task without one.
    #[serde(default)]
    pub item: Option<u32>,
    /// Where it stands.
    #[serde(with = "text::word")]
    pub status: TaskStatus,
    /// One sentence that sums it up.
    pub summary: String,
    /// More on how it failed where the summary does not say it all: why something could not be
    /// worked out, or which secret could not be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of a decision that has been made, the rule that fired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
    /// All that keeps it from starting; empty when nothing does.
    #[serde(default)]
    pub blockers: Vec<Blocker>,
    /// How many items go before it in the planner's order, where it queues.
    #[serde(default)]
    pub position: Option<u64>,
    /// Of how many tasks they are, its own included.
    #[serde(default)]
    pub position_tasks: Option<u64>,
    /// What would let it start.
    #[serde(default)]
    pub unblock: Option<String>,
    /// Where it was placed.
    #[serde(default)]
    pub placed: Option<Placement>,
    /// The most that it may use, how it stands beside others, and what keeps it to that; left out
    /// where there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<String>,
}

/// One thing that keeps a task from starting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    /// What kind, as a word that programs may compare: `dependency`, `handler`, `run`, `backoff`,
    /// `concurrency`, `no_worker`, `behind`, `no_room`, `never_fits`.
    pub kind: String,
    /// A sentence with its numbers.
    pub text: String,
}

/// Where an item was placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The worker's name.
    pub worker: String,
    /// The attempt.
    pub attempt: u16,
    /// What fences it.
    pub token: u64,
    /// When it started there, if it has.
    #[serde(default)]
    pub started: Option<Time>,
}
