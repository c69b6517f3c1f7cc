//! Errors as they are sent: problem details (RFC 9457) with a code and a hint.

use std::fmt;

use model::RunId;
use serde::{Deserialize, Serialize};

/// The codes that clients tell apart. Each has a heading in `docs/reference/errors.md`.
pub mod code {
    use model::code::Code;

    /// The request itself is malformed: no JSON, a missing field, a bad cursor.
    pub const BAD_REQUEST: Code = Code("E0201");
    /// There is no such run.
    pub const NO_SUCH_RUN: Code = Code("E0202");
    /// The run has no such task, or the task no such item.
    pub const NO_SUCH_TASK: Code = Code("E0203");
    /// A run of the same file has not ended, and the file has changed since.
    pub const CONTENT_CHANGED: Code = Code("E0204");
    /// The run has ended: there is nothing to stop.
    pub const RUN_ENDED: Code = Code("E0205");
    /// The run has not ended: a retry has to wait.
    pub const RUN_NOT_ENDED: Code = Code("E0206");
    /// Nothing of the run failed: there is nothing to try again.
    pub const NOTHING_TO_RETRY: Code = Code("E0207");
    /// The idempotency key was used before, for something else.
    pub const KEY_REUSED: Code = Code("E0208");
    /// There is no such path in the API.
    pub const NO_SUCH_ROUTE: Code = Code("E0209");
    /// The server met something that it did not expect.
    pub const INTERNAL: Code = Code("E0210");
    /// The run has left memory: it can be looked at, and not run again.
    pub const ARCHIVED: Code = Code("E0211");
    /// The task waits for nobody: not yet, not any more, or never.
    pub const WAITS_FOR_NOBODY: Code = Code("E0212");
    /// What is to be changed has begun, or has ended.
    pub const BEGUN: Code = Code("E0213");
    /// What is asked does not fit the run.
    pub const UNFIT: Code = Code("E0214");
    /// What the run was made from is not stored.
    pub const NO_SOURCES: Code = Code("E0215");
    /// The attempts of the run have cost as much as they may.
    pub const COST_LIMIT: Code = Code("E0219");
    /// There is no such queue, or it has queues below it.
    pub const NO_SUCH_QUEUE: Code = Code("E0222");
    /// What is asked about was not there at that time: not yet, or the time has not come.
    pub const NOT_THEN: Code = Code("E0220");
    /// More facts lie between than are replayed for an answer.
    pub const TOO_FAR: Code = Code("E0221");
    /// Nothing of the task runs that could make room for others.
    pub const NOTHING_TO_PREEMPT: Code = Code("E0223");
    /// There is no such artifact: it was never left, or nothing names it any more.
    pub const NO_SUCH_ARTIFACT: Code = Code("E0218");
}

/// Why a request was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code, such as `E0204`.
    pub code: String,
    /// What kind of problem it is, the same each time.
    pub title: String,
    /// What is wrong this time.
    #[serde(default)]
    pub detail: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The run that it is about, as a plain number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// What is wrong with a workflow file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
}

/// One thing that is wrong with a workflow file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The stable code, such as `E0104`.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// The line, from 1.
    #[serde(default)]
    pub line: Option<u32>,
    /// The column in characters, from 1.
    #[serde(default)]
    pub column: Option<u32>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// All of it with the place in the file, for people.
    #[serde(default)]
    pub rendered: String,
}

impl Problem {
    /// The run that it is about.
    #[must_use]
    pub fn run_id(&self) -> Option<RunId> {
        self.run.map(RunId)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.detail.is_empty() { &self.title } else { &self.detail };
        write!(f, "[{}] {text}", self.code)
    }
}

impl std::error::Error for Problem {}
