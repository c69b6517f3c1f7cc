//! Why something waits or where it runs, as the planner's own refusals say it.

use std::fmt;
use std::str::FromStr;

use model::{RunId, Seq, TaskStatus};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Decided, Time, text};

/// Which item to explain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainQuery {
    /// The item of the fan-out; without it, the one that has come least far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// As of when; without it, as of now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Moment>,
}

/// A place in the past: a fact, sent as its sequence number, or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// When this fact was the last.
    Seq(Seq),
    /// At this time: the last fact is the last one that was recorded by then.
    Time(Time),
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seq(seq) => write!(f, "{seq}"),
            Self::Time(time) => write!(f, "{time}"),
        }
    }
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(seq) => Ok(Self::Seq(Seq(seq))),
            Err(_) => text.parse().map(Self::Time).map_err(
                |_| "neither a sequence number nor a time in UTC such as 2026-11-20T18:36:51Z",
            ),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
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
    /// When it is expected to start, where that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<ExpectedStart>,
    /// Where it was placed.
    #[serde(default)]
    pub placed: Option<Placement>,
    /// The most that it may use, how it stands beside others, and what keeps it to that; left out
    /// where there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<String>,
    /// As of when, if that is not now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<AsOf>,
}

/// As of when something is explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsOf {
    /// The last fact that is taken into account.
    pub seq: u64,
    /// The time that is explained.
    pub time: Time,
    /// What cannot be known of then and bears on the answer, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
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

/// When an item that waits is expected to start, by what is expected of what runs and of what goes
/// before it. What comes later and goes first is not counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedStart {
    /// When.
    pub at: Time,
    /// Whether more goes before it than was counted: then it is later.
    #[serde(default)]
    pub at_least: bool,
    /// How far that is to be trusted; left out where too little has been measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// The worker on which room is kept for it from then on, if any is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Whether work there was told to end so that it has room.
    #[serde(default)]
    pub being_made: bool,
}

/// How far an expectation is to be trusted: so long if what is waited for takes as much more, or as
/// much less, than expected as the last attempts did, eight of ten of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confidence {
    /// When it starts at the earliest.
    pub earliest: Time,
    /// When it starts at the latest.
    pub latest: Time,
    /// One of ten of those attempts took less than this part of what was expected, in percent.
    pub least_percent: u64,
    /// One of ten of those attempts took more than this part of what was expected, in percent.
    pub most_percent: u64,
    /// From how many attempts that is known.
    pub attempts: u64,
}

/// Why an item is where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedBecause {
    /// How many workers had room.
    pub had_room: u32,
    /// A sentence.
    pub reason: String,
    /// The worker that was taken, and then the next best of those that had room.
    pub candidates: Vec<Candidate>,
}

/// How a worker that had room ranked: by speed, what it misses, who else is there, what it wastes,
/// and what it leaves free, in that order. Of all but the speed less is better.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The worker's name.
    pub worker: String,
    /// Its speed, in percent of the usual.
    pub speed_percent: u32,
    /// When the item was expected to end there.
    pub ends: Time,
    /// How much of what the task prefers is missing there.
    #[serde(default)]
    pub unmet: u8,
    /// How many others of its task are there, if they are to be apart.
    #[serde(default)]
    pub others: u32,
    /// How much of its GPUs is then of no use to others, or is missing to those who cannot do
    /// without: by how much more than on the best of these.
    #[serde(default)]
    pub waste: u64,
    /// How much stays free beside the item, in percent of each resource, all together.
    #[serde(default)]
    pub free_percent: u64,
}

/// Where an item was placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The worker's name.
    pub worker: String,
    /// The attempt.
    pub attempt: u16,
    /// Which of its alternatives it was given: 1 is what the task itself says. Left out for a task
    /// that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternative: Option<u16>,
    /// What fences it.
    pub token: u64,
    /// When it started there, if it has.
    #[serde(default)]
    pub started: Option<Time>,
    /// When it last saved its work, if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpointed: Option<Time>,
    /// Why it was placed there, if that is remembered: of the last placements since the state was
    /// taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<PlacedBecause>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_number_or_a_time() {
        let at = |text: &str| text.parse::<Moment>().map(|at| at.to_string());
        assert_eq!(at("812"), Ok("812".to_owned()));
        let time = "2026-11-20T18:36:51.000000Z";
        assert_eq!(at("2026-11-20T18:36:51Z"), Ok(time.to_owned()));
        assert!(at("yesterday").is_err() && at("-1").is_err());
        let query = ExplainQuery { item: None, at: Some(Moment::Seq(Seq(812))) };
        assert_eq!(serde_json::to_string(&query).ok().as_deref(), Some("{\"at\":\"812\"}"));
    }
}
