//! What a caller asks of runs: to submit, to stop, to try again.

use std::collections::BTreeMap;

use model::RunId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::text;

/// A workflow to run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Submit {
    /// The canonical path of the workflow file: part of what makes two runs runs of the same
    /// thing, shown to people, and what relative paths in the file start from.
    pub path: String,
    /// The text of the file.
    pub content: String,
    /// Parameters by name. Text is read as the parameter's type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
    /// Variables that the tasks get, over those of the file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The environment of the file that it runs in; without it the file's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// What the run is told apart by, over the labels of the file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its place among runs, 0 to 100, higher first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Whether it is to be a new run even if one of the same thing has not ended.
    #[serde(default)]
    pub new: bool,
    /// Whether all tasks are to run, and nothing is taken from the cache or kept in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_cache: bool,
    /// Names this submission: the same key again is the same run. The header says it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// The answer to a submission. What it says is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// The run.
    #[serde(with = "text::run_id")]
    pub run: RunId,
    /// The workflow's name.
    pub name: String,
    /// What became of the submission.
    pub disposition: Disposition,
    /// A sentence about it, for people.
    #[serde(default)]
    pub note: String,
}

/// What becomes of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// It is a run of its own.
    New,
    /// A run of the same thing had not ended when an earlier holder did: it goes on.
    Resumed,
    /// A run of the same thing is going on: the caller may watch it.
    Attached,
}

/// A run is to end before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// How.
    pub kind: StopMode,
}

/// How a run is to end before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopMode {
    /// Tasks are asked to end, handlers run.
    Stop,
    /// Tasks are killed, nothing else runs.
    Terminate,
}

/// What somebody says to a task that waits for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settle {
    /// What is said.
    pub verdict: Say,
    /// Who says it, for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What they say beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The outputs of a signal: an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Map<String, Value>>,
}

/// What can be said to a task that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Say {
    /// Yes, to an approval.
    Approve,
    /// No, to an approval.
    Reject,
    /// Go on, to a task that waits for a signal.
    Signal,
}

/// Tasks of an ended run are to run once more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// This task and all that depends on it; without it, all that did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// These items of a task and all that depends on it: `train[0-9,12]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<super::Part>,
    /// Whether only to say what would run.
    #[serde(default)]
    pub preview: bool,
}

/// What a retry runs once more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPlan {
    /// The run.
    #[serde(with = "text::run_id")]
    pub run: RunId,
    /// Its tasks, in the order of the file; at most [`PAGE_SIZE_MAX`](super::PAGE_SIZE_MAX).
    pub tasks: Vec<RetryTask>,
    /// How many tasks there are in all.
    pub tasks_total: u64,
    /// How many items they have in all.
    pub items_total: u64,
}

/// A task that runs once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryTask {
    /// Its name.
    pub name: String,
    /// How many of its items run.
    pub items: u64,
    /// Why: `failed`, `skipped`, `depends on train`.
    pub reason: String,
}
