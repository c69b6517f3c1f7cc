//! The work that was really done: nodes, runs, tasks and attempts, as a stream of lines.
//!
//! Lines come in an order in which each can be understood when it comes: all nodes, and then run by
//! run, in the order in which they were submitted, a run, its tasks, each with its attempts behind
//! it. The last line is the end; a stream without it was cut.

use model::RunId;
use serde::{Deserialize, Serialize};

use super::{Seconds, Time, text};

/// Which runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryQuery {
    /// Only runs that were submitted at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Only runs that were submitted before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Only runs with greater numbers: to go on where a stream was cut.
    #[serde(default)]
    pub after: u64,
}

/// A line of the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryLine {
    /// A node registered. Nodes are numbered from 0 in the order of these lines; one that registers
    /// again has another number.
    Node(PastNode),
    /// A run, or a later round of one that was retried by hand.
    Run(PastRun),
    /// A task of the run before.
    Task(PastTask),
    /// Attempts of the task before, at most [`PAGE_SIZE_MAX`](super::PAGE_SIZE_MAX); more follow in
    /// further lines.
    Attempts(Vec<PastAttempt>),
    /// There is nothing more.
    End(HistoryEnd),
}

/// What a node offered when it registered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastNode {
    /// Its name.
    pub name: String,
    /// When it registered; as of the oldest that is known if it was before.
    pub since: Time,
    /// When its loss was recorded; `None` as long as it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Thousandths of a CPU.
    pub cpu_milli: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Its devices, one entry each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<PastDevice>,
    /// How fast it is, in thousandths of the usual speed.
    pub speed_milli: u32,
}

/// A device of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastDevice {
    /// Its kind.
    pub kind: String,
    /// Bytes of its memory; 0 if unknown.
    pub memory_bytes: u64,
}

/// A run, from when it was submitted or retried until it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastRun {
    /// Its number.
    #[serde(with = "text::run_id")]
    pub run: RunId,
    /// How often it had been retried by hand before.
    pub retried: u32,
    /// The name of its workflow.
    pub name: String,
    /// Whose it is.
    pub tenant: String,
    /// Where it queued.
    pub queue: String,
    /// 0 to 100, higher first.
    pub priority: u8,
    /// When it was submitted, or retried.
    pub submitted: Time,
    /// When it ended; `None` if it goes on.
    #[serde(default)]
    pub ended: Option<Time>,
    /// How many of its attempts may run at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_a_time: Option<u32>,
    /// Whether something else may keep work of it back that no simulation knows beforehand: a
    /// breaker, or a budget of what attempts say in the end that they spent.
    pub limited: bool,
}

/// A task of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastTask {
    /// Its number in the run.
    pub task: u32,
    /// Its name.
    pub name: String,
    /// What it is one of: tasks of one kind in runs of one workflow are run in the same way.
    pub kind: u32,
    /// The numbers of the tasks that it depends on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<u32>,
    /// Thousandths of a CPU that each item asks for.
    pub cpu_milli: u64,
    /// Bytes of memory that each item asks for.
    pub memory_bytes: u64,
    /// How many devices each item asks for.
    pub devices: u16,
    /// How much of each, in thousandths.
    pub device_milli: u16,
    /// Which kinds of devices will do; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub device_kinds: Vec<String>,
    /// Its place among the tasks that are ready, 0 to 100, if not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// How many of its items may run at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_a_time: Option<u32>,
    /// The locks that each attempt holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<PastLock>,
    /// The rates that attempts keep to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<PastRate>,
    /// Whether it asks for custom resources too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub custom: bool,
    /// How long its file expects it to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_seconds: Option<Seconds>,
    /// Whether no worker runs it: it waits for time or for somebody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
    /// Whether it runs when all else of its run has ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub handler: bool,
}

/// A lock that attempts hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastLock {
    /// Its name.
    pub name: String,
    /// How many may hold it at a time.
    pub holders: u32,
}

/// A rate at which attempts may begin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastRate {
    /// Its name.
    pub name: String,
    /// How much of it an attempt takes.
    pub amount: u32,
    /// How much there is at most, and may be taken in each `per_seconds`.
    pub limit: u32,
    /// The time in which it fills up.
    pub per_seconds: Seconds,
}

/// An attempt of an item, or a wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastAttempt {
    /// The item, from 0.
    pub item: u32,
    /// When it began; `None` of a wait that began as soon as it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Time>,
    /// When it ended; of one that goes on, the time of this answer.
    pub ended: Time,
    /// How long it ran as its node measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_seconds: Option<Seconds>,
    /// The number of its node; `None` of a wait, and where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u32>,
    /// What became of it.
    pub end: PastStatus,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PastStatus {
    /// It did its work.
    #[default]
    Succeeded,
    /// It did not, and another attempt followed.
    TriedAgain,
    /// It made room for others, and another attempt followed.
    Preempted,
    /// It did not, and none followed.
    Failed,
    /// It goes on.
    Running,
}

/// The end of the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEnd {
    /// The time of this answer.
    pub at: Time,
    /// Runs whose history cannot be read.
    pub unreadable: u64,
    /// Runs whose history is not kept any more, as far as the gaps in their numbers tell.
    pub removed: u64,
}
