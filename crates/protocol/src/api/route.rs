//! Where things are: the paths of `/api/v1`, as a server registers them.
//!
//! `{run}` is a number or the word `last`; `{task}` is a name, percent-encoded.

/// `GET`: [`Health`](super::Health).
pub const HEALTH: &str = "/api/v1/health";
/// `GET`: [`PoolList`](super::PoolList).
pub const POOLS: &str = "/api/v1/pools";
/// `POST` [`Submit`](super::Submit): [`Submitted`](super::Submitted), status 201.
/// `GET` with [`RunsQuery`](super::RunsQuery): [`RunList`](super::RunList), newest first.
pub const RUNS: &str = "/api/v1/runs";
/// `GET` with [`TasksQuery`](super::TasksQuery): [`RunDetail`](super::RunDetail).
pub const RUN: &str = "/api/v1/runs/{run}";
/// `GET` with [`ItemsQuery`](super::ItemsQuery): [`ItemList`](super::ItemList).
pub const ITEMS: &str = "/api/v1/runs/{run}/tasks/{task}/items";
/// `GET` with [`ExplainQuery`](super::ExplainQuery): [`Explanation`](super::Explanation).
pub const EXPLAIN: &str = "/api/v1/runs/{run}/tasks/{task}/explain";
/// `GET` with [`LogsQuery`](super::LogsQuery): a stream of [`LogChunk`](super::LogChunk).
pub const LOGS: &str = "/api/v1/runs/{run}/logs";
/// `GET` with [`EventsQuery`](super::EventsQuery): a stream of [`Event`](super::Event).
pub const EVENTS: &str = "/api/v1/runs/{run}/events";
/// `GET` with [`ProgressQuery`](super::ProgressQuery): a stream of
/// [`Progress`](super::Progress).
pub const PROGRESS: &str = "/api/v1/runs/{run}/progress";
/// `POST` [`Stop`](super::Stop): [`RunSummary`](super::RunSummary), status 202.
pub const STOP: &str = "/api/v1/runs/{run}/stop";
/// `POST` without a body: nothing more of the run starts. [`RunSummary`](super::RunSummary), status
/// 202.
pub const PAUSE: &str = "/api/v1/runs/{run}/pause";
/// `POST` without a body: a paused run goes on. [`RunSummary`](super::RunSummary), status 202.
pub const RESUME: &str = "/api/v1/runs/{run}/resume";
/// `POST` [`Preempt`](super::Preempt): [`Preempted`](super::Preempted), status 202.
pub const PREEMPT: &str = "/api/v1/runs/{run}/preempt";
/// `GET`: [`BreakerList`](super::BreakerList).
pub const BREAKERS: &str = "/api/v1/breakers";
/// `GET`: [`BudgetList`](super::BudgetList).
pub const BUDGETS: &str = "/api/v1/budgets";
/// `GET`: [`QueueList`](super::QueueList).
pub const QUEUES: &str = "/api/v1/queues";
/// `POST` [`Retry`](super::Retry): [`RetryPlan`](super::RetryPlan), status 200.
pub const RETRY: &str = "/api/v1/runs/{run}/retry";
/// `POST` [`Edit`](super::Edit): [`EditPlan`](super::EditPlan), status 200.
pub const EDIT: &str = "/api/v1/runs/{run}/edit";
/// `POST` [`Mark`](super::Mark): [`MarkReport`](super::MarkReport), status 200.
pub const MARK: &str = "/api/v1/runs/{run}/mark";
/// `POST` [`Fork`](super::Fork): [`Forked`](super::Forked), status 201.
pub const FORK: &str = "/api/v1/runs/{run}/fork";
/// `POST` [`Settle`](super::Settle): [`RunSummary`](super::RunSummary), status 202.
pub const SETTLE: &str = "/api/v1/runs/{run}/tasks/{task}/settle";
/// `GET` with [`ArtifactsQuery`](super::ArtifactsQuery): [`ArtifactList`](super::ArtifactList).
pub const ARTIFACTS: &str = "/api/v1/runs/{run}/artifacts";
/// `GET`: the bytes of an artifact, by its digest.
pub const ARTIFACT: &str = "/api/v1/artifacts/{digest}";
/// `GET` with [`HistoryQuery`](super::HistoryQuery): a stream of
/// [`HistoryLine`](super::HistoryLine).
pub const HISTORY: &str = "/api/v1/history";
/// `POST` [`Gc`](super::Gc): [`GcReport`](super::GcReport), status 200.
pub const GC: &str = "/api/v1/gc";
