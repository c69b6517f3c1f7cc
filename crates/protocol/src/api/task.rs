//! Tasks and the items of fan-outs as they are shown.

use std::collections::BTreeMap;

use model::TaskStatus;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Counts, Seconds, Time, text};

/// A task in short. A fan-out is one task, however many items it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskSummary {
    /// Its number in the graph, from 0.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Where it stands.
    #[serde(with = "text::word")]
    pub status: TaskStatus,
    /// What it is told apart by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How often it has been run again: by a loop around it, or by hand.
    #[serde(default)]
    pub round: u16,
    /// Whether it is a fan-out.
    #[serde(default)]
    pub fan_out: bool,
    /// Its items by status.
    pub items: Counts,
    /// Automatic tries so far in this round, over all items.
    pub attempts: u64,
    /// How many of them were lost with their worker.
    #[serde(default)]
    pub losses: u64,
    /// How many of them had to make room for others; left out if none had.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub preempted: u64,
    /// When the first of them started.
    #[serde(default)]
    pub started: Option<Time>,
    /// When it ended.
    #[serde(default)]
    pub ended: Option<Time>,
    /// From the first start to the end, or until now.
    #[serde(default)]
    pub duration_seconds: Option<Seconds>,
    /// The last bad end of an attempt: `exit 3`, `signal 9`, `out of memory`, `timed out`.
    #[serde(default)]
    pub trouble: Option<String>,
    /// More on the trouble where that does not say it all: why something could not be worked out,
    /// or which secret could not be had. Of a fan-out, of its first item that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it has ended without having been run: `marked`, `cached`, `from run 3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The task that wrote it while the run went on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_by: Option<String>,
    /// Whether it lies on the critical path.
    #[serde(default)]
    pub critical: bool,
}

/// Which items of a fan-out to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemsQuery {
    /// Only those in this status.
    #[serde(default, with = "text::word_or_none", skip_serializing_if = "Option::is_none")]
    pub status: Option<TaskStatus>,
    /// How many at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where the page before ended: its `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A page of items, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ItemList {
    /// The items.
    pub items: Vec<ItemSummary>,
    /// The rounds of the task before the one that it is in, oldest first; of very many the last
    /// 1,000. Left out for a task that has had one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<RoundSummary>,
    /// Of a decision that has been made, the rule that fired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
    /// Whether outputs are left out, since those of the items before are long: a page of fewer
    /// items has them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outputs_cut: bool,
    /// The cursor of the next page; `None` on the last one.
    #[serde(default)]
    pub next: Option<String>,
}

/// The rule of a decision that fired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Its number, from 1.
    pub rule: u32,
    /// Its expression; left out for one that always holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The name of the route that it led to, if that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The value that it gave; left out if it gave none.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub value: Value,
}

/// A round of a task that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundSummary {
    /// How many there were before it.
    pub round: u16,
    /// How the task ended in it. A loop that goes on has not ended, and is `pending`.
    #[serde(with = "text::word")]
    pub status: TaskStatus,
    /// Its items by status.
    pub items: Counts,
    /// The last bad end of an attempt.
    #[serde(default)]
    pub trouble: Option<String>,
    /// When the task ended in it.
    #[serde(default)]
    pub ended: Option<Time>,
    /// What began the next one.
    pub then: Again,
}

/// Why a task runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Again {
    /// The loop around it goes on.
    Loop,
    /// Somebody retried the run.
    Retry,
}

/// An item of a fan-out in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemSummary {
    /// Its place in the list, from 0.
    pub item: u32,
    /// What it stands for: an element of the list.
    #[serde(default)]
    pub value: Option<Value>,
    /// Where it stands.
    #[serde(with = "text::word")]
    pub status: TaskStatus,
    /// Automatic tries so far in this round.
    pub attempts: u64,
    /// How many of them were lost with their worker.
    #[serde(default)]
    pub losses: u64,
    /// When the attempt that runs last saved its work, if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpointed: Option<Time>,
    /// How many of its attempts had to make room for others; left out if none had.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub preempted: u64,
    /// How long those had worked since they last saved their work; left out if none had to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_seconds: Option<Seconds>,
    /// How long its last attempt took, where that is known.
    #[serde(default)]
    pub duration_seconds: Option<Seconds>,
    /// The last bad end of an attempt, where that is known.
    #[serde(default)]
    pub trouble: Option<String>,
    /// More on the trouble where that does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it left for later tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}
