//! What happens to a run: the durable facts in words, and the numbers of a live display.

use model::{RunId, RunStatus};
use serde::{Deserialize, Serialize};

use super::{Counts, Seconds, Time, text};

/// Which events to send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsQuery {
    /// Only those after this sequence number.
    #[serde(default)]
    pub after: u64,
    /// Whether to go on with what happens from now on, until the run has ended.
    #[serde(default)]
    pub follow: bool,
}

/// Something that happened to a run, from a durable fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The sequence number of the fact: what `after` takes up again. Skips that follow from a fact
    /// have its number, and come right after it.
    pub seq: u64,
    /// When.
    pub time: Time,
    /// What, as a word that programs may compare: `run_admitted`, `attempts_started`,
    /// `attempts_ended`, `tasks_skipped`, `run_stopping`, `run_ended`, ...
    pub kind: String,
    /// The task that it happened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// How many items of the task, or how many tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The status that follows: of the task's items, or of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Of a decision, the number of the rule that fired, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<u32>,
    /// A sentence, for people.
    pub text: String,
}

/// Whether to send progress once or until the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressQuery {
    /// Whether to go on, about five times a second while something changes, until the run has
    /// ended. The last one sent has a final status.
    #[serde(default)]
    pub follow: bool,
}

/// How far a run has come: enough for a live display, small however large the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The run.
    #[serde(with = "text::run_id")]
    pub run: RunId,
    /// Where it stands.
    #[serde(with = "text::word")]
    pub status: RunStatus,
    /// Its tasks by status.
    pub tasks: Counts,
    /// Their items by status; a task without a fan-out is one item.
    pub items: Counts,
    /// Some of what runs, longest first; at most 64.
    pub running: Vec<RunningTask>,
    /// Some of the tasks that wait for somebody or for time: those that wait for somebody first,
    /// then by when they end; at most 64. They are running, and no worker has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<WaitingTask>,
    /// Items that ended in a second, over the last few.
    pub per_second: f64,
    /// From acceptance, or from the last retry by hand, until now or the end.
    pub elapsed_seconds: Seconds,
    /// How long it will still take, from the critical path and what is left; `None` when too
    /// little is known.
    #[serde(default)]
    pub eta_seconds: Option<Seconds>,
}

/// A task that waits for somebody or for time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingTask {
    /// The task's name.
    pub task: String,
    /// For what it waits.
    pub kind: WaitKind,
    /// When it ends by itself; `None` for one that waits for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// What is said to whom it waits for, as far as that can be said without outputs of other
    /// tasks: in their place stands an ellipsis. Empty if nothing is said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// For what a task waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitKind {
    /// For a person's yes or no.
    Approval,
    /// For a signal.
    Signal,
    /// For time to pass.
    Time,
}

/// An item that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningTask {
    /// The task's name.
    pub task: String,
    /// The item of its fan-out; `None` for a task without one.
    #[serde(default)]
    pub item: Option<u32>,
    /// The attempt.
    pub attempt: u16,
    /// For how long.
    pub elapsed_seconds: Seconds,
}
