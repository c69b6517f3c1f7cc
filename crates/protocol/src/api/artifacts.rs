//! Artifacts of a run as they are shown: what its tasks have left for others.

use model::RunId;
use serde::{Deserialize, Serialize};

use super::text;

/// Which artifacts to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactsQuery {
    /// Only those of this task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

/// The artifacts of a run, in the order of its tasks and their items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactList {
    /// The run.
    #[serde(with = "text::run_id")]
    pub run: RunId,
    /// What its tasks have left.
    pub artifacts: Vec<Artifact>,
    /// Whether there are more than these.
    #[serde(default)]
    pub more: bool,
}

/// One artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The task that left it.
    pub task: String,
    /// The item, of a fan-out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// Its name.
    pub name: String,
    /// Where it was, relative to where the task started.
    pub path: String,
    /// The BLAKE3 hash of its content, as 64 hexadecimal digits.
    pub digest: String,
    /// How long it is.
    pub bytes: u64,
    /// Whether it may be run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}
