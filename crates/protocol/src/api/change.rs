//! What a caller asks of a run that goes on or has been: to be edited, to pass over tasks, to be
//! begun again from somewhere with other parameters.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use model::limits::ITEMS_PER_TASK_MAX;
use model::{IdSet, RunId, TaskStatus};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::text;

/// Items of a fan-out as a caller names them: `3`, `0-9`, `0-9,12`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items(pub IdSet);

/// Text that names no items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemsError;

/// A task, or some of its items: `train`, `train[3]`, `train[0-9,12]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The task's name.
    pub task: String,
    /// Its items; `None` for all of the task.
    pub items: Option<Items>,
}

/// A run is to go on otherwise than it was submitted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// The task whose settings are changed, a group, or a pattern such as `shard-*`; without it
    /// the settings of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// New values by key, as a workflow file has them: `priority`, `concurrency`, and of a task
    /// `timeout`, `grace`, `retry.limit`, `resources.memory` and their like.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, Value>,
    /// The text of tasks that are added, as a workflow file has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<String>,
    /// What that text is called where something is wrong with it: the name of its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_name: Option<String>,
    /// Whether only to say what would change.
    #[serde(default)]
    pub preview: bool,
}

/// What an edit changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditPlan {
    /// The run.
    #[serde(with = "text::run_id")]
    pub run: RunId,
    /// What is not as it was.
    pub changes: Vec<Change>,
    /// The names of added tasks; at most [`PAGE_SIZE_MAX`](super::PAGE_SIZE_MAX).
    #[serde(default)]
    pub added: Vec<String>,
    /// How many tasks are added.
    #[serde(default)]
    pub added_total: u64,
    /// What cannot be changed any more. If there is any, nothing is.
    #[serde(default)]
    pub refused: Vec<Refused>,
    /// What is done and may not be meant: tasks that ask for more than any worker has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A setting that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The task; `None` for the run.
    #[serde(default)]
    pub task: Option<String>,
    /// Which setting.
    pub key: String,
    /// What it was, for people.
    pub from: String,
    /// What it is to be, for people.
    pub to: String,
}

/// A task that cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The task.
    pub task: String,
    /// Why.
    pub reason: String,
}

/// Tasks that have not begun are to be held to have ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The tasks, or the items of one: `train`, `train[0-9,12]`.
    pub tasks: Vec<Part>,
    /// How: `succeeded`, `failed` or `skipped`.
    #[serde(rename = "as", with = "text::word")]
    pub status: TaskStatus,
    /// The outputs of the only task: an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Map<String, Value>>,
}

/// What was held to have ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkReport {
    /// The run.
    #[serde(with = "text::run_id")]
    pub run: RunId,
    /// How many tasks, or items of one.
    pub marked: u64,
    /// How.
    #[serde(rename = "as", with = "text::word")]
    pub status: TaskStatus,
}

/// What runs of a task is to make room for others, and to begin anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preempt {
    /// The task, or some of its items: `train`, `train[0-9,12]`.
    pub task: Part,
}

/// What was told to make room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preempted {
    /// The run.
    #[serde(with = "text::run_id")]
    pub run: RunId,
    /// How many attempts. Each is asked to end, and killed after its `grace`.
    pub preempted: u64,
}

/// A new run is to be made from one that has been.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fork {
    /// The task that runs again, with all that depends on it.
    pub from: String,
    /// Parameters that differ, by name. Text is read as the parameter's type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
    /// Where relative paths among the parameters begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Another environment of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

/// A run that was made from another. What it says is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forked {
    /// The new run.
    #[serde(with = "text::run_id")]
    pub run: RunId,
    /// The run that it was made from.
    #[serde(with = "text::run_id")]
    pub from: RunId,
    /// The workflow's name.
    pub name: String,
    /// How many of its tasks keep what they came to.
    pub kept: u64,
    /// How many tasks it has.
    pub tasks: u64,
}

impl FromStr for Items {
    type Err = ItemsError;

    fn from_str(text: &str) -> Result<Self, ItemsError> {
        let number = |text: &str| -> Result<u32, ItemsError> {
            let number: u32 = text.trim().parse().map_err(|_| ItemsError)?;
            if number >= ITEMS_PER_TASK_MAX { Err(ItemsError) } else { Ok(number) }
        };
        let mut items = IdSet::new();
        for part in text.split(',') {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(part)?, number(part)?),
            };
            if last < first {
                return Err(ItemsError);
            }
            items.insert_range(first..last + 1);
        }
        Ok(Self(items))
    }
}

impl fmt::Display for Items {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, range) in self.0.ranges().iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            match range.end - range.start {
                1 => write!(f, "{comma}{}", range.start)?,
                _ => write!(f, "{comma}{}-{}", range.start, range.end - 1)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for ItemsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("items are named by their numbers, from 0: `3`, `0-9` or `0-9,12`")
    }
}

impl std::error::Error for ItemsError {}

impl FromStr for Part {
    type Err = ItemsError;

    fn from_str(text: &str) -> Result<Self, ItemsError> {
        match text.strip_suffix(']').and_then(|text| text.rsplit_once('[')) {
            Some((task, items)) => Ok(Self { task: task.to_owned(), items: Some(items.parse()?) }),
            None => Ok(Self { task: text.to_owned(), items: None }),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.items {
            Some(items) => write!(f, "{}[{items}]", self.task),
            None => f.write_str(&self.task),
        }
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_read_as_they_are_written() {
        for text in ["train", "train[3]", "a.b[0-9,12]", "odd[name"] {
            assert_eq!(text.parse::<Part>().expect("it is one").to_string(), text);
        }
        let items: Items = "4,0-2,3".parse().expect("items");
        assert_eq!((items.0.len(), items.to_string().as_str()), (5, "0-4"));
        for text in ["train[]", "train[x]", "train[3-1]", "train[-1]", "train[99999999999]"] {
            assert_eq!(text.parse::<Part>(), Err(ItemsError), "{text}");
        }
    }
}
