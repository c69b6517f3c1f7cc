//! What a task has beside what it does: labels, what it shares, how long it takes and may take, its
//! artifacts.

use std::collections::BTreeMap;

use model::TaskId;
use model::policy::Policy;
use model::shared::Deadline;
use protocol::api::{Seconds, Time};
use serde::Serialize;
use spec::{Definition, Limits};

use super::span;

/// What few tasks have.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Beside {
    /// What it is told apart by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The most that an attempt may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// The locks that it holds, each with how many may hold it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub locks: BTreeMap<String, u32>,
    /// What it spends of budgets, as `1 of 60 each 1m`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<String, String>,
    /// How long an attempt is expected to take, in seconds.
    #[serde(rename = "expected_seconds", skip_serializing_if = "Option::is_none")]
    pub expected: Option<Seconds>,
    /// By when it must have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// Whether it goes before all that is not critical.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub critical: bool,
    /// The artifacts that it leaves, as they are written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<String>,
    /// The artifacts that it is given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<String>,
    /// Whether outputs of an earlier attempt may be taken instead.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
}

impl Beside {
    pub(super) fn of(task: TaskId, policy: &Policy, definition: &Definition) -> Self {
        let text = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let leaves = definition.artifacts_out(task).map(|(name, pattern)| match name {
            Some(name) => format!("{name} ({pattern})"),
            None => pattern.to_owned(),
        });
        let given = definition.artifacts_in(task).map(|(from, to)| match to {
            Some(to) => format!("{from} at {to}"),
            None => from.to_owned(),
        });
        let locks = policy.shared.locks.iter();
        let rates = policy.shared.budgets.iter().map(|it| {
            let spent = format!("{} of {} each {}", it.amount, it.limit, span(Seconds(it.per)));
            (it.name.to_string(), spent)
        });
        Self {
            labels: definition.task_labels(task).map(text).collect(),
            limits: definition.limits(task).cloned(),
            locks: locks.map(|lock| (lock.name.to_string(), lock.holders_max)).collect(),
            rates: rates.collect(),
            expected: policy.expected.map(Seconds),
            deadline: policy.deadline.map(|deadline| match deadline {
                Deadline::After(after) => format!("{} after the run began", span(Seconds(after))),
                Deadline::At(at) => Time(at).to_string(),
            }),
            critical: policy.critical,
            leaves: leaves.collect(),
            given: given.collect(),
            cached: definition.cache(task).is_some(),
        }
    }

    /// A line for each, for people.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let pairs = |pairs: &BTreeMap<String, String>, sign: &str| {
            let pairs = pairs.iter().map(|(key, value)| format!("{key}{sign}{value}"));
            pairs.collect::<Vec<_>>().join(", ")
        };
        let locks = self.locks.iter().map(|(name, &holders)| match holders {
            1 => name.clone(),
            holders => format!("{name} (up to {holders} at a time)"),
        });
        let lines = [
            ("labels", pairs(&self.labels, "=")),
            ("locks", locks.collect::<Vec<_>>().join(", ")),
            ("rates", pairs(&self.rates, ": ")),
            ("expected", self.expected.map(span).unwrap_or_default()),
            ("deadline", self.deadline.clone().unwrap_or_default()),
            ("critical", if self.critical { "yes".to_owned() } else { String::new() }),
            ("leaves", self.leaves.join(", ")),
            ("is given", self.given.join(", ")),
            ("cache", if self.cached { "yes".to_owned() } else { String::new() }),
        ];
        lines.into_iter().filter(|(_, text)| !text.is_empty()).collect()
    }
}
