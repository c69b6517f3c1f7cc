//! The HTTP API over the socket of a state folder: routes, nothing else.
//!
//! A handler reads a request, asks the driver through its handle, and sends what the views make of
//! the state. What has left memory is looked up in the archive instead. Every error is a problem
//! (RFC 9457) with a code and a hint. Nothing here decides what runs, looks at the state by itself,
//! or blocks the thread that serves: files are read and workflows checked on other threads.

mod artifacts;
mod attempts;
mod change;
mod control;
mod earlier;
mod events;
mod extract;
mod fork;
mod gc;
mod health;
mod history;
mod left;
mod logs;
mod lost;
mod meter;
mod output;
mod patience;
pub(crate) mod problem;
mod progress;
mod reasons;
mod rounds;
mod runs;
mod settle;
mod sharing;
mod source;
mod stored;
mod stream;
mod submit;
#[cfg(test)]
mod tests;
mod turns;

use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use engine::Rules;
use model::{Epoch, Timestamp};
use protocol::api::route;
use tokio::net::UnixListener;
use tokio::sync::{Mutex, Notify, watch};

use crate::follower::Word;
use crate::handle::Handle;
use crate::history::History;
use crate::home::Home;

/// How long streams may go on once the server is told to end: those whose run has ended have
/// something left to send.
const LINGER: Duration = Duration::from_secs(1);
/// How long requests may take to end once the server is told to.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// What the holder says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The way to the driver.
    pub handle: Handle,
    /// The state folder.
    pub home: Home,
    /// When this process began to hold it.
    pub since: Timestamp,
    /// The version of this build.
    pub version: &'static str,
    /// The term of this process.
    pub epoch: Epoch,
    /// How it is decided what goes first, and where.
    pub rules: Arc<Rules>,
    /// Runs that have left memory.
    pub history: Arc<History>,
    /// Who takes away what is not to be kept; `None` when this process only reads.
    pub follower: Option<Sender<Word>>,
}

/// What all handlers share.
#[derive(Debug)]
struct Service {
    context: Context,
    /// Whether the server is to end: streams stop then.
    stopping: watch::Receiver<bool>,
    /// Whose turn it is to have much read: facts of earlier times, or the work of many runs.
    earlier: Arc<Mutex<()>>,
}

type Shared = Arc<Service>;

/// Serves until `shutdown` is done and the requests under way have ended, or have been given a few
/// seconds to.
pub(crate) async fn serve(
    listener: UnixListener,
    context: Context,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let (stop, stopping) = watch::channel(false);
    let ending = Arc::new(Notify::new());
    let told = Arc::clone(&ending);
    let shutdown = async move {
        shutdown.await;
        told.notify_one();
    };
    let service = axum::serve(listener, router(context, stopping));
    let serving = service.with_graceful_shutdown(shutdown);
    tokio::select! {
        // It never fails: what goes wrong with a connection concerns that connection alone.
        _ = async { serving.await } => {}
        () = async {
            ending.notified().await;
            tokio::time::sleep(LINGER).await;
            stop.send_replace(true);
            tokio::time::sleep(SHUTDOWN_GRACE).await;
        } => {}
    }
}

fn router(context: Context, stopping: watch::Receiver<bool>) -> Router {
    let service = Arc::new(Service { context, stopping, earlier: Arc::default() });
    Router::new()
        .route(route::HEALTH, get(health::health))
        .route(route::POOLS, get(health::pools))
        .route(route::RUNS, get(runs::list).post(submit::submit))
        .route(route::RUN, get(runs::detail))
        .route(route::ITEMS, get(runs::items))
        .route(route::EXPLAIN, get(runs::explain))
        .route(route::LOGS, get(logs::logs))
        .route(route::EVENTS, get(events::events))
        .route(route::PROGRESS, get(progress::progress))
        .route(route::HISTORY, get(history::history))
        .route(route::STOP, post(control::stop))
        .route(route::PAUSE, post(control::pause))
        .route(route::PREEMPT, post(control::preempt))
        .route(route::RESUME, post(control::resume))
        .route(route::BREAKERS, get(sharing::breakers))
        .route(route::BUDGETS, get(sharing::budgets))
        .route(route::QUEUES, get(sharing::queues))
        .route(route::RETRY, post(control::retry))
        .route(route::EDIT, post(change::edit))
        .route(route::MARK, post(change::mark))
        .route(route::FORK, post(fork::fork))
        .route(route::SETTLE, post(settle::settle))
        .route(route::ARTIFACTS, get(artifacts::list))
        .route(route::ARTIFACT, get(artifacts::content))
        .route(route::GC, post(gc::gc))
        .fallback(async |uri| problem::no_such_route(&uri))
        .method_not_allowed_fallback(async |method, uri| problem::wrong_method(&method, &uri))
        .layer(middleware::from_fn_with_state(Arc::clone(&service), patience::bounded))
        .with_state(service)
}
