//! The shapes of the HTTP API, `/api/v1`: what a server answers and what a client may ask.
//!
//! JSON over HTTP/1.1; streams are JSON lines; errors are problem details (RFC 9457). Fields may be
//! added within a version, so readers ignore what they do not know; none may change its meaning.
//! Times are RFC 3339 in UTC, lengths of time are seconds, ids of runs are plain numbers.
//!
//! Nothing here speaks HTTP: routes are text, bodies are values.

mod artifacts;
mod change;
mod counts;
mod events;
mod explain;
mod gc;
mod health;
mod history;
mod logs;
mod pools;
mod problem;
mod queues;
pub mod route;
mod run;
mod run_ref;
mod sharing;
mod submit;
mod task;
mod text;
mod time;

pub use artifacts::{Artifact, ArtifactList, ArtifactsQuery};
pub use change::{
    Change, Edit, EditPlan, Fork, Forked, Items, ItemsError, Mark, MarkReport, Part, Preempt,
    Preempted, Refused,
};
pub use counts::Counts;
pub use events::{Event, EventsQuery, Progress, ProgressQuery, RunningTask, WaitKind, WaitingTask};
pub use explain::{
    AsOf, Blocker, Candidate, Confidence, ExpectedStart, ExplainQuery, Explanation, Moment,
    PlacedBecause, Placement,
};
pub use gc::{Gc, GcReport};
pub use health::{Health, Storage};
pub use history::{
    HistoryEnd, HistoryLine, HistoryQuery, PastAttempt, PastDevice, PastLock, PastNode, PastRate,
    PastRun, PastStatus, PastTask,
};
pub use logs::{LogChunk, LogStream, LogsQuery};
pub use pools::{Pool, PoolList};
pub use problem::{Diagnostic, Problem, code};
pub use queues::{KeptResource, KeptRoom, QueueList, QueueResource, QueueSummary};
pub use run::{RunDetail, RunEnvironment, RunList, RunSummary, RunsQuery, TasksQuery};
pub use run_ref::{RunRef, RunRefError};
pub use sharing::{
    BreakerList, BreakerSummary, BudgetList, BudgetSummary, Money, Spent, TenantSpent,
};
pub use submit::{
    Disposition, Retry, RetryPlan, RetryTask, Say, Settle, Stop, StopMode, Submit, Submitted,
};
pub use task::{Again, Decided, ItemList, ItemSummary, ItemsQuery, RoundSummary, TaskSummary};
pub use time::{Seconds, Time};

/// The media type of a single answer.
pub const JSON: &str = "application/json";
/// The media type of a stream: one JSON value a line.
pub const JSON_LINES: &str = "application/x-ndjson";
/// The media type of an error.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// The header that names a submission, so that sending it twice makes one run.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The name of the socket in the state folder.
pub const SOCKET_NAME: &str = "api.sock";
/// How many entries a page has when the query does not say.
pub const PAGE_SIZE: usize = 100;
/// How many entries a page may have.
pub const PAGE_SIZE_MAX: usize = 1_000;

#[cfg(test)]
mod tests;
