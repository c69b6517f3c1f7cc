//! The output of tasks as it is sent.

use serde::{Deserialize, Serialize};

use super::Time;

/// Which output to send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogsQuery {
    /// Only of this task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Only of this item of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// Only of this attempt; without it, of the last attempt of each item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u16>,
    /// Only of this round of each task, from 0; without it, of the last that was opened by hand,
    /// and of all turns of loops since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u16>,
    /// Whether to send all rounds and attempts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Whether to go on with what is written from now on, until the run (or the task) has ended.
    #[serde(default)]
    pub follow: bool,
    /// Only the last so many lines of each attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<u64>,
}

/// A piece of output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    /// When it was read from the task.
    pub time: Time,
    /// The task's name.
    pub task: String,
    /// The item of its fan-out; `None` for a task without one.
    #[serde(default)]
    pub item: Option<u32>,
    /// The attempt.
    pub attempt: u16,
    /// How many rounds the task had had before.
    #[serde(default)]
    pub round: u16,
    /// Where the task wrote it.
    pub stream: LogStream,
    /// Ascends within the attempt, over both streams.
    pub seq: u64,
    /// What it wrote; bytes that are no UTF-8 are replaced.
    pub text: String,
    /// How many bytes were dropped here, because the attempt wrote more than is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped_bytes: Option<u64>,
}

/// Where a task writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Neither: the worker itself has something to say about the attempt.
    Worker,
}
