//! The typed client of the HTTP API, over the unix socket in a state folder.
//!
//! One method an endpoint, one connection a request: the other end is on the same machine, and a
//! connection that is never kept cannot have died in between. The client never opens the state
//! itself, never retries on its own, and prints nothing.

mod connection;
mod content;
mod error;
mod request;
mod stream;

use std::path::Path;

use protocol::api::{
    ArtifactList, ArtifactsQuery, BreakerList, BudgetList, Edit, EditPlan, Event, EventsQuery,
    ExplainQuery, Explanation, Fork, Forked, Gc, GcReport, Health, HistoryLine, HistoryQuery,
    IDEMPOTENCY_KEY, ItemList, ItemsQuery, LogChunk, LogsQuery, Mark, MarkReport, PoolList,
    Preempt, Preempted, Progress, ProgressQuery, QueueList, Retry, RetryPlan, RunDetail, RunList,
    RunRef, RunSummary, RunsQuery, Settle, Stop, StopMode, Submit, Submitted, TasksQuery, route,
};

use connection::Socket;
pub use content::Content;
pub use error::Error;
use request::Request;
pub use stream::Stream;

/// A client of whoever holds a state folder.
#[derive(Clone, Debug)]
pub struct Client {
    socket: Socket,
}

impl Client {
    /// Finds the holder of the state folder `home`; `None` when nobody holds it.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when there is a socket that this user may not use.
    pub async fn connect(home: &Path) -> Result<Option<Self>, Error> {
        let socket = Socket::new(home);
        let is_held = socket.is_served().await?;
        Ok(is_held.then_some(Self { socket }))
    }

    /// Who holds the state folder, and how it fares.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn health(&self) -> Result<Health, Error> {
        self.socket.ask(Request::get(route::HEALTH)).await
    }

    /// Submits a workflow. When this returns, the submission is durable.
    ///
    /// # Errors
    /// [`Error::Refused`] when the file is not valid, or has changed since its last run, which has
    /// not ended.
    pub async fn submit(&self, submit: &Submit) -> Result<Submitted, Error> {
        let mut request = Request::post(route::RUNS, submit)?;
        if let Some(key) = &submit.idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, key)?;
        }
        self.socket.ask(request).await
    }

    /// The processes in which functions stay warm.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn pools(&self) -> Result<PoolList, Error> {
        self.socket.ask(Request::get(route::POOLS)).await
    }

    /// A page of runs, newest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn runs(&self, query: &RunsQuery) -> Result<RunList, Error> {
        self.socket.ask(Request::get(route::RUNS).query(query)?).await
    }

    /// A run with a page of its tasks.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run.
    pub async fn run(&self, run: RunRef, query: &TasksQuery) -> Result<RunDetail, Error> {
        self.socket.ask(Request::get(route::RUN).run(run).query(query)?).await
    }

    /// A page of the items of a fan-out.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run or task.
    pub async fn items(
        &self,
        run: RunRef,
        task: &str,
        query: &ItemsQuery,
    ) -> Result<ItemList, Error> {
        self.socket.ask(Request::get(route::ITEMS).run(run).task(task).query(query)?).await
    }

    /// Why a task waits, or where it runs.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run, task or item.
    pub async fn explain(
        &self,
        run: RunRef,
        task: &str,
        query: &ExplainQuery,
    ) -> Result<Explanation, Error> {
        self.socket.ask(Request::get(route::EXPLAIN).run(run).task(task).query(query)?).await
    }

    /// What the tasks of a run have left.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run or task.
    pub async fn artifacts(
        &self,
        run: RunRef,
        query: &ArtifactsQuery,
    ) -> Result<ArtifactList, Error> {
        self.socket.ask(Request::get(route::ARTIFACTS).run(run).query(query)?).await
    }

    /// The content of an artifact, by its digest of 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is none.
    pub async fn artifact(&self, digest: &str) -> Result<Content, Error> {
        let route = route::ARTIFACT.replace("{digest}", digest);
        self.socket.fetch(Request::get(&route)).await
    }

    /// The output of a run's tasks.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run, task, item or attempt.
    pub async fn logs(&self, run: RunRef, query: &LogsQuery) -> Result<Stream<LogChunk>, Error> {
        self.socket.listen(Request::get(route::LOGS).run(run).query(query)?).await
    }

    /// The work that was really done.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn history(&self, query: &HistoryQuery) -> Result<Stream<HistoryLine>, Error> {
        self.socket.listen(Request::get(route::HISTORY).query(query)?).await
    }

    /// What happened to a run.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run.
    pub async fn events(&self, run: RunRef, query: &EventsQuery) -> Result<Stream<Event>, Error> {
        self.socket.listen(Request::get(route::EVENTS).run(run).query(query)?).await
    }

    /// How far a run has come, until it has ended.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run.
    pub async fn progress(&self, run: RunRef) -> Result<Stream<Progress>, Error> {
        let query = ProgressQuery { follow: true };
        self.socket.listen(Request::get(route::PROGRESS).run(run).query(&query)?).await
    }

    /// Asks for the end of a run. When this returns, the request is durable; the run may go on
    /// for as long as its tasks take to end.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run, or it has ended.
    pub async fn stop(&self, run: RunRef, kind: StopMode) -> Result<RunSummary, Error> {
        self.socket.ask(Request::post(route::STOP, &Stop { kind })?.run(run)).await
    }

    /// Lets nothing more of a run start; what runs goes on. When this returns, that is durable.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run, or it has ended.
    pub async fn pause(&self, run: RunRef) -> Result<RunSummary, Error> {
        self.socket.ask(Request::post(route::PAUSE, &())?.run(run)).await
    }

    /// Tells what runs of a task to make room for others, and to begin anew.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run or task, or nothing of it runs.
    pub async fn preempt(&self, run: RunRef, preempt: &Preempt) -> Result<Preempted, Error> {
        self.socket.ask(Request::post(route::PREEMPT, preempt)?.run(run)).await
    }

    /// Lets a paused run go on.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run, it has ended, or it has cost as much as it
    /// may.
    pub async fn resume(&self, run: RunRef) -> Result<RunSummary, Error> {
        self.socket.ask(Request::post(route::RESUME, &())?.run(run)).await
    }

    /// The circuit breakers that are known.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn breakers(&self) -> Result<BreakerList, Error> {
        self.socket.ask(Request::get(route::BREAKERS)).await
    }

    /// The budgets that are known.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn budgets(&self) -> Result<BudgetList, Error> {
        self.socket.ask(Request::get(route::BUDGETS)).await
    }

    /// All queues that are set.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn queues(&self) -> Result<QueueList, Error> {
        self.socket.ask(Request::get(route::QUEUES)).await
    }

    /// Runs tasks of an ended run once more, or says which ones would.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run or task, it has not ended, or nothing failed.
    pub async fn retry(&self, run: RunRef, retry: &Retry) -> Result<RetryPlan, Error> {
        self.socket.ask(Request::post(route::RETRY, retry)?.run(run)).await
    }

    /// Lets a run go on otherwise than it was submitted, or says what would change.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run or task, the run has ended, what is changed has
    /// begun, or the tasks that are added are not valid.
    pub async fn edit(&self, run: RunRef, edit: &Edit) -> Result<EditPlan, Error> {
        self.socket.ask(Request::post(route::EDIT, edit)?.run(run)).await
    }

    /// Holds tasks that have not begun to have ended.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run or task, or it has begun.
    pub async fn mark(&self, run: RunRef, mark: &Mark) -> Result<MarkReport, Error> {
        self.socket.ask(Request::post(route::MARK, mark)?.run(run)).await
    }

    /// Makes a run from one that has been. When this returns, the new run is durable.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run or task, or it cannot be made with these
    /// parameters.
    pub async fn fork(&self, run: RunRef, fork: &Fork) -> Result<Forked, Error> {
        self.socket.ask(Request::post(route::FORK, fork)?.run(run)).await
    }

    /// Says to a task what it waits for.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run or task, or it waits for nothing of the kind.
    pub async fn settle(
        &self,
        run: RunRef,
        task: &str,
        settle: &Settle,
    ) -> Result<RunSummary, Error> {
        self.socket.ask(Request::post(route::SETTLE, settle)?.run(run).task(task)).await
    }

    /// Takes away what ended runs have left, or says what would go.
    ///
    /// # Errors
    /// [`Error::Refused`] when the state cannot be written.
    pub async fn gc(&self, gc: &Gc) -> Result<GcReport, Error> {
        self.socket.ask(Request::post(route::GC, gc)?).await
    }
}

#[cfg(test)]
mod tests;
