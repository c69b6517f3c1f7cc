//! Runs as they are shown: the list, and one of them with its tasks.

use std::collections::BTreeMap;

use model::{RunId, RunStatus, TaskStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Counts, Money, Seconds, Spent, TaskSummary, TenantSpent, Time, text};

/// Which runs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsQuery {
    /// Only those in this status.
    #[serde(default, with = "text::word_or_none", skip_serializing_if = "Option::is_none")]
    pub status: Option<RunStatus>,
    /// Only those of workflows with this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only those with all of these labels: `KEY=VALUE`, or `KEY` for any value, one a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// How many at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where the page before ended: its `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl RunsQuery {
    /// The labels that are asked for; without a value where any will do.
    pub fn wanted_labels(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let lines = self.labels.as_deref().unwrap_or_default().lines();
        lines.filter(|line| !line.is_empty()).map(|line| match line.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (line, None),
        })
    }
}

/// A page of runs, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunList {
    /// The runs.
    pub runs: Vec<RunSummary>,
    /// The cursor of the next page; `None` on the last one.
    #[serde(default)]
    pub next: Option<String>,
    /// What the runs of each tenant have spent, those that are not on the page too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<TenantSpent>,
}

/// A run in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its number.
    #[serde(with = "text::run_id")]
    pub run: RunId,
    /// The workflow's name.
    pub name: String,
    /// Where it stands.
    #[serde(with = "text::word")]
    pub status: RunStatus,
    /// Why it ended or is to end early: `task failed`, `timed out`, `stopped`, `terminated`.
    #[serde(default)]
    pub cause: Option<String>,
    /// Why it is paused: `asked` or `cost limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// The workflow file.
    pub path: String,
    /// When it was accepted.
    pub created: Time,
    /// When it ended.
    #[serde(default)]
    pub ended: Option<Time>,
    /// From acceptance to the end, or until now.
    pub duration_seconds: Seconds,
    /// The same from the last retry by hand; left out without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_seconds: Option<Seconds>,
    /// Its tasks by status.
    pub tasks: Counts,
    /// Their items by status; a task without a fan-out is one item.
    pub items: Counts,
    /// The most rounds that one of its tasks has had after its first, by loops and by hand.
    #[serde(default)]
    pub round: u16,
    /// What its attempts that have ended spent; missing when that is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
    /// What they may cost together before it pauses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_limit: Option<Money>,
    /// What it is told apart by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The name of the environment that it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The queue that it stands in; empty for an old run of which that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub queue: String,
}

/// An environment as it was when a run began in it. Secrets are named, never shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunEnvironment {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The queue of its runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The variables that it sets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The parameters that it sets. The run's own may differ: what is given goes first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
    /// Where its own secrets are to be found: `env:TOKEN`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// How many attempts of a run may be running at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// How long a run may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<Seconds>,
}

/// Which tasks of a run to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TasksQuery {
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

/// A run with a page of its tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunDetail {
    /// The run in short.
    pub run: RunSummary,
    /// Its parameters, defaults included.
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
    /// The environment that it runs in, as it was when the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<RunEnvironment>,
    /// The run that it was made from.
    #[serde(default, with = "text::run_id_or_none", skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<RunId>,
    /// Tasks in the order of the file; those that were written or added later behind them.
    pub tasks: Vec<TaskSummary>,
    /// The cursor of the next page of tasks; `None` on the last one.
    #[serde(default)]
    pub next: Option<String>,
}
