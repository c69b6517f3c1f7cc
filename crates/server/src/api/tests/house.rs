//! A holder in a temporary folder with one scripted worker, and requests to its router.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use artifacts::logs::{Stream, Ticket, Writer};
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt;
use model::limits::HEARTBEAT;
use model::message::{AttemptEvent, FromWorker, Grant, LeaseId, News, Order, Report};
use model::outcome::{AttemptEnd, Outcome};
use model::queue::QueueTree;
use model::work::{Delivery, Dispatch};
use model::{RunId, TaskStatus, Timestamp};
use protocol::api::{PROBLEM_JSON, Progress};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;

use super::super::{Context, router};
use crate::handle::View;
use crate::{Config, Holder, Keep, Link, Mailbox, Mode};

/// What the worker does with a grant.
pub(super) enum Act {
    /// Starts it and writes a line.
    Hold,
    /// Runs it to its end at once.
    End(Outcome),
}

type Script = Box<dyn Fn(&Grant) -> Act + Send>;

/// What the worker hears.
enum Word {
    Order(Dispatch),
    Act(Script),
    /// Ends what is held.
    Release(Outcome),
    Leave,
}

pub(super) struct House {
    /// When the holder is said to have begun.
    pub since: Timestamp,
    holder: Holder,
    words: Sender<Word>,
    worker: Option<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    folder: Arc<TempDir>,
}

struct Wire(Sender<Word>);

impl Link for Wire {
    fn send(&mut self, dispatch: Dispatch) {
        let _ = self.0.send(Word::Order(dispatch));
    }
}

impl House {
    pub(super) fn new(act: impl Fn(&Grant) -> Act + Send + 'static) -> Self {
        Self::keeping(Keep::default(), act)
    }

    /// A holder that keeps this of ended runs.
    pub(super) fn keeping(keep: Keep, act: impl Fn(&Grant) -> Act + Send + 'static) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        Self::on(folder, keep, act)
    }

    /// A holder of a folder that there was one of before.
    pub(super) fn on(
        folder: Arc<TempDir>,
        keep: Keep,
        act: impl Fn(&Grant) -> Act + Send + 'static,
    ) -> Self {
        let home = folder.path().to_owned();
        let policy = scheduler::Policy::default();
        let config = Config {
            home,
            version: "0.0.0",
            mode: Mode::Lead,
            keep,
            policy,
            queues: QueueTree::default(),
        };
        let holder = Holder::start(&config).expect("the folder is free");
        let (words, heard) = channel();
        holder.connect("w", Box::new(Wire(words.clone())));
        let mailbox = holder.mailbox();
        let logs = holder.home().logs();
        let worker = thread::spawn(move || Worker::new(mailbox, &logs, Box::new(act)).run(&heard));
        let (stop, _) = watch::channel(false);
        let worker = Some(worker);
        Self { since: Timestamp(0), holder, words, worker, stop, folder }
    }

    /// Waits until nothing is left to do, and lets nothing new begin.
    pub(super) fn close(&self) {
        tokio::task::block_in_place(|| self.holder.close_when_idle());
    }

    /// The state folder, which outlives the holder as long as this is kept.
    pub(super) fn folder(&self) -> Arc<TempDir> {
        Arc::clone(&self.folder)
    }

    /// Looks at the state.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        look: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> T {
        self.holder.handle().ask(look).await.expect("the driver lives")
    }

    /// All facts of the journal.
    pub(super) async fn facts(&self) -> Vec<journal::Entry> {
        let handle = self.holder.handle();
        handle.history(model::Seq(0), usize::MAX).await.expect("the driver lives")
    }

    /// Waits until a run has left memory.
    pub(super) async fn forgotten(&self, run: u64) {
        let is_held = move |view: &View<'_>| view.engine.state().run(RunId(run)).is_some();
        while self.holder.handle().ask(is_held).await.expect("the driver lives") {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until something of a run has started.
    pub(super) async fn running(&self, run: u64) {
        let is_running = move |view: &View<'_>| {
            let run = view.engine.state().run(RunId(run));
            run.is_some_and(|run| run.items().of(TaskStatus::Running) > 0)
        };
        while !self.holder.handle().ask(is_running).await.expect("the driver lives") {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(super) fn act(&self, act: impl Fn(&Grant) -> Act + Send + 'static) {
        self.words.send(Word::Act(Box::new(act))).expect("the worker listens");
    }

    pub(super) fn release(&self, outcome: Outcome) {
        self.words.send(Word::Release(outcome)).expect("the worker listens");
    }

    /// Tells all streams that the server is ending.
    pub(super) fn shut_down(&self) {
        self.stop.send_replace(true);
    }

    /// A connection to the holder's own socket.
    pub(super) fn socket(&self) -> UnixStream {
        UnixStream::connect(self.holder.home().socket()).expect("it is served")
    }

    async fn send(&self, request: Request<Body>) -> Response {
        let context = Context { since: self.since, ..self.holder.context().clone() };
        let answer = router(context, self.stop.subscribe()).oneshot(request).await;
        answer.expect("a router answers everything")
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> (StatusCode, T) {
        read(self.send(Request::get(path).body(Body::empty()).expect("a request")).await).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> (StatusCode, T) {
        self.post_text(path, &body.to_string()).await
    }

    pub(super) async fn post_text<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &str,
    ) -> (StatusCode, T) {
        let request = Request::post(path).body(Body::from(body.to_owned()));
        read(self.send(request.expect("a request")).await).await
    }

    /// The answer to a request as JSON, whatever it is.
    pub(super) async fn value(&self, path: &str) -> Value {
        self.get::<Value>(path).await.1
    }

    /// Opens a stream.
    pub(super) async fn open(&self, path: &str) -> Lines {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let response = self.send(request).await;
        if response.status() != StatusCode::OK {
            let (status, problem) = read::<Value>(response).await;
            panic!("{path}: {status} {problem}");
        }
        Lines { body: response.into_body(), waiting: Vec::new(), is_broken: false }
    }

    /// Reads a stream to its end.
    pub(super) async fn lines<T: DeserializeOwned>(&self, path: &str) -> Vec<T> {
        let mut stream = self.open(path).await;
        let mut values = Vec::new();
        while let Some(value) = stream.next().await {
            values.push(value);
        }
        assert!(!stream.is_broken, "{path} broke off");
        values
    }

    /// Waits until a run has ended.
    pub(super) async fn wait(&self, run: u64) {
        self.lines::<Progress>(&format!("/api/v1/runs/{run}/progress?follow=true")).await;
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.words.send(Word::Leave);
        let _ = self.worker.take().map(JoinHandle::join);
    }
}

async fn read<T: DeserializeOwned>(response: Response) -> (StatusCode, T) {
    let status = response.status();
    let kind = response.headers()[header::CONTENT_TYPE].to_str().expect("text").to_owned();
    assert_eq!(kind == PROBLEM_JSON, !status.is_success(), "{kind} with {status}");
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    let read = serde_json::from_slice(&body);
    let text = String::from_utf8_lossy(&body);
    (status, read.unwrap_or_else(|error| panic!("{error}: {status} {text}")))
}

/// A stream that is read line by line.
pub(super) struct Lines {
    body: Body,
    waiting: Vec<u8>,
    /// Whether it ended without its proper end.
    pub is_broken: bool,
}

impl Lines {
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            if let Some(end) = self.waiting.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.waiting.drain(..=end).collect();
                // An empty one only finds out whether anybody listens.
                if line.len() == 1 {
                    continue;
                }
                return Some(serde_json::from_slice(&line).expect("a value"));
            }
            match self.body.frame().await? {
                Ok(frame) => {
                    self.waiting.extend(frame.into_data().unwrap_or_else(|_| Bytes::new()))
                }
                Err(_) => {
                    self.is_broken = true;
                    return None;
                }
            }
        }
    }
}

/// A worker that runs nothing and says what the script wants.
struct Worker {
    mailbox: Mailbox,
    logs: Writer,
    act: Script,
    held: BTreeMap<LeaseId, Ticket>,
    /// Logs begun so far.
    logged: u64,
    said: u64,
    reported: u64,
}

impl Worker {
    fn new(mailbox: Mailbox, logs: &Path, act: Script) -> Self {
        let (logs, _) = Writer::open(logs).expect("a folder for logs");
        Self { mailbox, logs, act, held: BTreeMap::new(), logged: 0, said: 0, reported: 0 }
    }

    fn run(mut self, heard: &Receiver<Word>) {
        let offers = model::Request { cpu_milli: 4_000, ..model::Request::default() };
        self.say(News::Hello { offers: offers.into(), lease: None, reports_from: 1 });
        let every = Duration::from_micros(HEARTBEAT.0);
        let (mut beat, mut due) = (0, Instant::now() + every);
        loop {
            // Who is not heard of is given nothing new.
            if Instant::now() >= due {
                (beat, due) = (beat + 1, Instant::now() + every);
                self.say(News::Beat { beat, held: self.held.keys().copied().collect() });
            }
            let word = match heard.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(word) => word,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            match word {
                Word::Order(dispatch) => self.obey(dispatch.message.order),
                Word::Act(act) => self.act = act,
                Word::Release(outcome) => {
                    for (lease, ticket) in std::mem::take(&mut self.held) {
                        self.end(lease, ticket, outcome);
                    }
                }
                Word::Leave => return,
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Assign(grants) => grants.iter().for_each(|grant| self.start(grant)),
            Order::Stop { leases, .. } => {
                for lease in leases {
                    if let Some(ticket) = self.held.remove(&lease) {
                        self.end(lease, ticket, Outcome::Cancelled);
                    }
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, grant: &Grant) {
        let lease = grant.lease();
        self.logged += 1;
        let ticket = Ticket(self.logged);
        self.logs.append(ticket, Stream::Out, Timestamp(1), b"first line\n");
        match (self.act)(grant) {
            Act::Hold => {
                self.held.insert(lease, ticket);
                self.logs.flush().expect("room on the disk");
                self.report(lease, AttemptEvent::Started);
                let log = self.logs.log_so_far(ticket).expect("a line");
                self.mailbox.logs_grew(vec![(lease, log)]);
            }
            Act::End(outcome) => self.end(lease, ticket, outcome),
        }
    }

    fn end(&mut self, lease: LeaseId, ticket: Ticket, outcome: Outcome) {
        self.logs.append(ticket, Stream::Out, Timestamp(2), b"last line\n");
        self.logs.flush().expect("room on the disk");
        let log = self.logs.finish(ticket, Timestamp(2));
        let end = AttemptEnd { log, ..AttemptEnd::default() };
        self.report(lease, AttemptEvent::Ended { outcome, end, tasks: None, retry_after: None });
    }

    fn report(&mut self, lease: LeaseId, event: AttemptEvent) {
        self.reported += 1;
        let first = self.reported;
        self.say(News::Reports { first, reports: vec![Report { lease, event }] });
    }

    fn say(&mut self, news: News) {
        self.said += 1;
        let (name, number) = ("w".into(), self.said);
        let message = FromWorker { name, instance: 1, session: 1, number, news };
        self.mailbox.deliver(Delivery { message, outputs: Vec::new(), tasks: Vec::new() });
    }
}
