//! A holder that plays its part: fixed answers on a socket, and a record of what was asked.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use model::{RunId, RunStatus, Span, TaskStatus, Timestamp};
use protocol::api::{
    Blocker, Counts, Disposition, Event, Explanation, Health, ItemList, ItemSummary, ItemsQuery,
    JSON_LINES, LogChunk, LogStream, PROBLEM_JSON, Problem, Progress, Retry, RetryPlan, RetryTask,
    RunDetail, RunList, RunSummary, RunningTask, SOCKET_NAME, Seconds, Stop, StopMode, Storage,
    Submit, Submitted, TaskSummary, TasksQuery, Time, route,
};
use tempfile::TempDir;
use tokio::sync::watch;

/// 2026-11-20T10:00:00Z.
const START: Time = Time(Timestamp(1_795_168_800_000_000));

/// How the run that the holder has goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    /// It ends at once, in this way.
    Ends(RunStatus),
    /// It runs until it is asked to end in this way.
    UntilEnded(StopMode),
    /// It runs, whatever it is asked.
    Endless,
    /// It runs; the first who asks for its end comes when the holder is ending itself.
    Ending,
    /// Submissions are refused, because the file has changed.
    Changed,
}

/// A holder in a folder of its own.
pub struct Fake {
    home: TempDir,
    requests: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Stage {
    play: Play,
    requests: Arc<Mutex<Vec<String>>>,
    ended: Arc<watch::Sender<Option<StopMode>>>,
}

impl Fake {
    pub fn serve(play: Play) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let socket = home.path().join(SOCKET_NAME);
        let listener = std::os::unix::net::UnixListener::bind(socket).expect("it is free");
        listener.set_nonblocking(true).expect("it can be");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(watch::Sender::new(None));
        let router = router(Stage { play, requests: Arc::clone(&requests), ended });
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = tokio::net::UnixListener::from_std(listener).expect("it is good");
                axum::serve(listener, router).await
            })
        });
        Self { home, requests }
    }

    /// The binary with this state folder, nothing of the user's own, and these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_autoglm"));
        command.env_clear().env("HOME", self.home.path()).env("AUTOGLM_HOME", self.home.path());
        command.args(arguments).current_dir(self.home.path());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it starts")
    }

    /// Writes a workflow file beside the state.
    pub fn workflow(&self, text: &str) -> PathBuf {
        let path = self.home.path().join("flow.yaml");
        std::fs::write(&path, text).expect("written");
        path
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no test fails while it holds this").clone()
    }
}

impl Stage {
    fn note(&self, text: String) {
        self.requests.lock().expect("no handler fails while it holds this").push(text);
    }

    fn notes(&self) -> usize {
        self.requests.lock().expect("no handler fails while it holds this").len()
    }

    fn status(&self) -> RunStatus {
        match (self.play, *self.ended.borrow()) {
            (Play::Ends(status), _) => status,
            (Play::UntilEnded(wanted), Some(mode)) if mode == wanted => RunStatus::Cancelled,
            (_, Some(_)) => RunStatus::Stopping,
            (_, None) => RunStatus::Running,
        }
    }
}

fn router(stage: Stage) -> Router {
    Router::new()
        .route(route::HEALTH, get(health))
        .route(route::RUNS, get(runs).post(submit))
        .route(route::RUN, get(run))
        .route(route::ITEMS, get(items))
        .route(route::EXPLAIN, get(explain))
        .route(route::LOGS, get(logs))
        .route(route::EVENTS, get(events))
        .route(route::PROGRESS, get(progress))
        .route(route::STOP, post(stop))
        .route(route::RETRY, post(retry))
        .with_state(stage)
}

async fn health() -> Json<Health> {
    Json(Health {
        pid: 1,
        version: "0.1.0".to_owned(),
        epoch: 1,
        home: "/".to_owned(),
        since: START,
        storage: Storage::Ok,
        runs_active: 0,
    })
}

async fn runs(State(stage): State<Stage>, uri: Uri) -> Json<RunList> {
    stage.note(uri.to_string());
    Json(RunList { runs: vec![summary(stage.status())], ..RunList::default() })
}

async fn submit(State(stage): State<Stage>, Json(submit): Json<Submit>) -> Response {
    stage.note(format!("submit {:?} {:?} new={}", submit.params, submit.env, submit.new));
    if stage.play == Play::Changed && !submit.new {
        let problem = Problem {
            status: 409,
            code: "E0204".to_owned(),
            title: "The file has changed".to_owned(),
            detail: "run 7 of this file has not ended, and the file has changed".to_owned(),
            run: Some(7),
            ..Problem::default()
        };
        let body = serde_json::to_string(&problem).expect("it is JSON");
        let kind = [(header::CONTENT_TYPE, PROBLEM_JSON)];
        return (StatusCode::CONFLICT, kind, body).into_response();
    }
    let submitted = Submitted {
        run: RunId(7),
        name: "flow".to_owned(),
        disposition: Disposition::Attached,
        note: String::new(),
    };
    (StatusCode::CREATED, Json(submitted)).into_response()
}

async fn run(
    State(stage): State<Stage>,
    uri: Uri,
    Query(query): Query<TasksQuery>,
) -> Json<RunDetail> {
    stage.note(uri.to_string());
    let status = stage.status();
    let mut tasks = vec![task(0, "split", TaskStatus::Succeeded)];
    if status == RunStatus::Failed {
        tasks.push(task(1, "train", TaskStatus::Failed));
    }
    tasks.retain(|task| query.status.is_none_or(|wanted| task.status == wanted));
    Json(RunDetail {
        run: summary(status),
        params: [].into(),
        forked_from: None,
        environment: None,
        tasks,
        next: None,
    })
}

async fn items(State(stage): State<Stage>, Query(query): Query<ItemsQuery>) -> Json<ItemList> {
    stage.note(format!("items {:?}", query.status));
    let item = ItemSummary {
        item: 4,
        value: None,
        status: TaskStatus::Failed,
        attempts: 2,
        losses: 0,
        checkpointed: None,
        preempted: 0,
        lost_seconds: None,
        duration_seconds: None,
        trouble: Some("exit 3".to_owned()),
        reason: None,
        outputs: None,
    };
    Json(ItemList { items: vec![item], ..ItemList::default() })
}

async fn explain() -> Json<Explanation> {
    let blocker = Blocker { kind: "dependency".to_owned(), text: "split has not ended".to_owned() };
    Json(Explanation {
        run: RunId(7),
        task: "train".to_owned(),
        item: None,
        status: TaskStatus::Pending,
        summary: "it waits for a task".to_owned(),
        reason: None,
        decided: None,
        blockers: vec![blocker],
        position: None,
        position_tasks: None,
        unblock: Some("the success of split".to_owned()),
        expected: None,
        placed: None,
        limits: None,
        as_of: None,
    })
}

async fn logs(State(stage): State<Stage>, uri: Uri) -> Response {
    stage.note(uri.to_string());
    let chunk = |seq, text: &str| LogChunk {
        time: START,
        task: "train".to_owned(),
        item: Some(4),
        attempt: 2,
        round: 0,
        stream: LogStream::Stderr,
        seq,
        text: text.to_owned(),
        dropped_bytes: None,
    };
    lines(&[chunk(1, "Traceback:\nValueErr"), chunk(2, "or: 3\n")])
}

async fn events(State(stage): State<Stage>, uri: Uri) -> Response {
    stage.note(uri.to_string());
    let event = |seq, kind: &str, task: Option<&str>, text: &str| Event {
        seq,
        time: START,
        kind: kind.to_owned(),
        task: task.map(str::to_owned),
        count: None,
        status: None,
        rule: None,
        text: text.to_owned(),
    };
    let admitted = event(3, "run_admitted", None, "run 7 of flow was accepted");
    lines(&[admitted, event(6, "attempts_started", Some("train"), "train[4] started")])
}

async fn progress(State(stage): State<Stage>) -> Response {
    let first = at(stage.status());
    // The stream is one body: it ends when the run does.
    let mut ended = stage.ended.subscribe();
    while !stage.status().is_final() {
        ended.changed().await.expect("the stage outlives its requests");
    }
    lines(&[first, at(stage.status())])
}

async fn stop(State(stage): State<Stage>, Json(stop): Json<Stop>) -> Response {
    stage.note(format!("stop {:?}", stop.kind));
    if stage.play == Play::Ending && stage.notes() == 1 {
        let problem = Problem { status: 503, code: "E0208".to_owned(), ..Problem::default() };
        let body = serde_json::to_string(&problem).expect("it is JSON");
        let kind = [(header::CONTENT_TYPE, PROBLEM_JSON)];
        return (StatusCode::SERVICE_UNAVAILABLE, kind, body).into_response();
    }
    stage.ended.send_replace(Some(stop.kind));
    (StatusCode::ACCEPTED, Json(summary(stage.status()))).into_response()
}

async fn retry(State(stage): State<Stage>, Json(retry): Json<Retry>) -> Json<RetryPlan> {
    stage.note(format!("retry {:?} preview={}", retry.from, retry.preview));
    let task = RetryTask { name: "train".to_owned(), items: 2, reason: "failed".to_owned() };
    Json(RetryPlan { run: RunId(7), tasks: vec![task], tasks_total: 1, items_total: 2 })
}

fn lines<T: serde::Serialize>(values: &[T]) -> Response {
    let lines = values.iter().map(|value| serde_json::to_string(value).expect("JSON") + "\n");
    ([(header::CONTENT_TYPE, JSON_LINES)], lines.collect::<String>()).into_response()
}

fn counts(status: RunStatus) -> Counts {
    let last = match status {
        RunStatus::Failed => TaskStatus::Failed,
        RunStatus::Succeeded => TaskStatus::Succeeded,
        RunStatus::Cancelled => TaskStatus::Cancelled,
        _ => TaskStatus::Running,
    };
    [(TaskStatus::Succeeded, 1), (last, 1)].into_iter().collect()
}

fn summary(status: RunStatus) -> RunSummary {
    RunSummary {
        run: RunId(7),
        name: "flow".to_owned(),
        status,
        cause: None,
        path: "/flow.yaml".to_owned(),
        created: START,
        ended: None,
        duration_seconds: Seconds(Span::millis(1_500)),
        again_seconds: None,
        tasks: counts(status),
        items: counts(status),
        round: 0,
        paused: None,
        spent: None,
        cost_limit: None,
        labels: [].into(),
        environment: None,
        queue: "default".to_owned(),
    }
}

fn task(id: u32, name: &str, status: TaskStatus) -> TaskSummary {
    TaskSummary {
        note: None,
        written_by: None,
        id,
        name: name.to_owned(),
        status,
        labels: [].into(),
        round: 0,
        fan_out: id == 1,
        items: [(status, 2)].into_iter().collect(),
        attempts: 2,
        losses: 0,
        preempted: 0,
        started: Some(START),
        ended: Some(START),
        duration_seconds: Some(Seconds(Span::millis(20))),
        trouble: (status == TaskStatus::Failed).then(|| "exit 3".to_owned()),
        reason: None,
        critical: true,
    }
}

fn at(status: RunStatus) -> Progress {
    let running = RunningTask {
        task: "train".to_owned(),
        item: None,
        attempt: 1,
        elapsed_seconds: Seconds(Span::millis(10)),
    };
    Progress {
        run: RunId(7),
        status,
        tasks: counts(status),
        items: counts(status),
        running: if status.is_final() { Vec::new() } else { vec![running] },
        waiting: Vec::new(),
        per_second: 1.0,
        elapsed_seconds: Seconds(Span::millis(1_500)),
        eta_seconds: None,
    }
}
