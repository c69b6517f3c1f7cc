//! The API on a real holder, through the router, with a worker that does what the test says.

mod earlier;
mod history;
mod house;
mod past;

use std::io::{Read, Write};
use std::time::Instant;

use axum::http::StatusCode;
use model::outcome::{Failure, Outcome};
use model::{RunId, RunStatus, TaskStatus, Timestamp};
use protocol::api::{
    Disposition, Event, Health, ItemList, LogChunk, Problem, Progress, RetryPlan, RunDetail,
    RunList, RunSummary, Submitted,
};
use serde_json::{Value, json};

use house::{Act, House};

use crate::handle::View;

const ONE: &str = "name: one\ntasks:\n  - {name: a, script: 'true'}\n";
const PAIR: &str = "name: pair\non_failure: continue\ntasks:\n  - {name: wide, foreach: [x, y], \
    script: 'true'}\n  - {name: end, script: 'true', depends_on: [wide]}\n";
const FAILED: Outcome = Outcome::Failed(Failure::Exit(3));

fn file(content: &str) -> Value {
    json!({"path": "/w/flow.yaml", "content": content})
}

fn of_all(outcome: Outcome) -> impl Fn(&model::message::Grant) -> Act + Send + 'static {
    move |_| Act::End(outcome)
}

#[tokio::test]
async fn a_run_is_accepted_watched_and_read() {
    let house = House::new(of_all(Outcome::Succeeded));
    let (status, submitted) = house.post::<Submitted>("/api/v1/runs", &file(PAIR)).await;
    assert_eq!((status, submitted.disposition), (StatusCode::CREATED, Disposition::New));
    let seen = house.lines::<Progress>("/api/v1/runs/last/progress?follow=true").await;
    let last = seen.last().expect("at least the last");
    assert_eq!((last.status, last.items[TaskStatus::Succeeded]), (RunStatus::Succeeded, 3));

    let (_, detail) = house.get::<RunDetail>("/api/v1/runs/1").await;
    assert_eq!((detail.run.path.as_str(), detail.tasks.len()), ("/w/flow.yaml", 2));
    let (_, list) = house.get::<RunList>("/api/v1/runs?status=succeeded&limit=5").await;
    assert_eq!(list.runs.len(), 1);
    let (_, items) = house.get::<ItemList>("/api/v1/runs/last/tasks/wide/items?limit=1").await;
    assert_eq!((items.items.len(), items.next.as_deref()), (1, Some("1")));

    let events = house.lines::<Event>("/api/v1/runs/1/events?follow=true").await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("run_admitted", "run_ended"));
    let after = format!("/api/v1/runs/1/events?after={}", events[1].seq);
    assert_eq!(house.lines::<Event>(&after).await, events[2..]);

    let (_, health) = house.get::<Health>("/api/v1/health").await;
    assert_eq!((health.runs_active, health.pid), (0, std::process::id()));
}

#[tokio::test]
async fn the_same_thing_is_one_run_while_it_has_not_ended() {
    let mut house = House::new(|_| Act::Hold);
    let submit =
        async |content: &str| house.post::<Submitted>("/api/v1/runs", &file(content)).await;
    assert_eq!(submit(ONE).await.1.disposition, Disposition::New);
    let (status, again) = submit(ONE).await;
    assert_eq!((status, again.disposition), (StatusCode::CREATED, Disposition::Attached));
    assert_eq!(again.run.0, 1);

    let changed = ONE.replace("true", "false");
    let (status, problem) = house.post::<Problem>("/api/v1/runs", &file(&changed)).await;
    assert_eq!((status, problem.code.as_str()), (StatusCode::CONFLICT, "E0204"));
    assert_eq!(problem.run, Some(1));
    assert!(problem.hint.is_some_and(|hint| hint.contains("autoglm resume 1")));

    let mut new = file(&changed);
    new["new"] = json!(true);
    let (_, other) = house.post::<Submitted>("/api/v1/runs", &new).await;
    assert_eq!((other.run.0, other.disposition), (2, Disposition::New));
    let mut params = file(ONE);
    params["env"] = json!({"MODE": "other"});
    let (_, third) = house.post::<Submitted>("/api/v1/runs", &params).await;
    assert_eq!(third.run.0, 3, "another environment is another thing");

    house.since = Timestamp(u64::MAX);
    let (_, resumed) = house.post::<Submitted>("/api/v1/runs", &params).await;
    assert_eq!((resumed.run.0, resumed.disposition), (3, Disposition::Resumed));
}

#[tokio::test]
async fn an_ended_run_is_followed_by_a_new_one() {
    let house = House::new(of_all(Outcome::Succeeded));
    for run in 1..4 {
        let (status, submitted) = house.post::<Submitted>("/api/v1/runs", &file(ONE)).await;
        assert_eq!((status, submitted.run.0), (StatusCode::CREATED, run));
        house.wait(run).await;
    }
}

#[tokio::test]
async fn two_submissions_at_once_make_one_run() {
    let house = House::new(|_| Act::Hold);
    let file = file(ONE);
    let submit = || house.post::<Submitted>("/api/v1/runs", &file);
    let (first, second) = tokio::join!(submit(), submit());
    assert_eq!((first.1.run.0, second.1.run.0), (1, 1));
    let new = [first, second].iter().filter(|x| x.1.disposition == Disposition::New).count();
    assert_eq!(new, 1);
}

#[tokio::test]
async fn a_key_names_one_submission_for_ever() {
    let house = House::new(of_all(Outcome::Succeeded));
    let keyed = |content: &str| {
        let mut file = file(content);
        file["idempotency_key"] = json!("k");
        file
    };
    let (_, first) = house.post::<Submitted>("/api/v1/runs", &keyed(ONE)).await;
    house.wait(1).await;
    let (_, again) = house.post::<Submitted>("/api/v1/runs", &keyed(ONE)).await;
    assert_eq!((first.run, again.disposition), (again.run, Disposition::Attached));
    let (status, problem) = house.post::<Problem>("/api/v1/runs", &keyed(PAIR)).await;
    assert_eq!((status, problem.code.as_str()), (StatusCode::CONFLICT, "E0208"));
    let mut empty = file(ONE);
    empty["idempotency_key"] = json!("");
    assert_eq!(house.post::<Problem>("/api/v1/runs", &empty).await.1.code, "E0201");
}

#[tokio::test]
async fn every_refusal_is_a_problem_with_a_code() {
    let house = House::new(|_| Act::Hold);
    let refused = async |path: &str| {
        let (status, problem) = house.get::<Problem>(path).await;
        assert_eq!(status.as_u16(), problem.status);
        (problem.status, problem.code)
    };
    let problem = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(refused("/api/v1/runs/last").await, problem(404, "E0202"));
    house.post::<Submitted>("/api/v1/runs", &file(PAIR)).await;
    assert_eq!(refused("/api/v1/runs/7").await, problem(404, "E0202"));
    assert_eq!(refused("/api/v1/runs/first").await, problem(400, "E0201"));
    assert_eq!(refused("/api/v1/runs?limit=x").await, problem(400, "E0201"));
    assert_eq!(refused("/api/v1/runs?status=asleep").await, problem(400, "E0201"));
    assert_eq!(refused("/api/v1/runs?cursor=x").await, problem(400, "E0201"));
    assert_eq!(refused("/api/v1/runs/1/tasks/b/explain").await, problem(404, "E0203"));
    assert_eq!(refused("/api/v1/runs/1/tasks/wide/explain?item=2").await, problem(404, "E0203"));
    assert_eq!(refused("/api/v1/runs/1/logs?task=b").await, problem(404, "E0203"));
    assert_eq!(refused("/api/v1/runs/1/logs?item=0").await, problem(400, "E0201"));
    let attempt = "/api/v1/runs/1/logs?task=wide&item=0&attempt=9";
    assert_eq!(refused(attempt).await, problem(404, "E0203"));
    assert_eq!(refused("/api/v2/runs").await, problem(404, "E0209"));
    let (status, wrong) = house.post::<Problem>("/api/v1/health", &json!({})).await;
    assert_eq!((status, wrong.code.as_str()), (StatusCode::METHOD_NOT_ALLOWED, "E0209"));

    let (_, bad) = house.post_text::<Problem>("/api/v1/runs", "{\n \"path\": 1}").await;
    assert!(bad.detail.contains("line 2 column 10"), "{}", bad.detail);
    let (status, invalid) = house.post::<Problem>("/api/v1/runs", &file("tasks: 3")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(invalid.code.starts_with("E01") && !invalid.diagnostics.is_empty());
}

#[tokio::test]
async fn runs_are_ended_and_run_once_more() {
    let house = House::new(|_| Act::Hold);
    house.post::<Submitted>("/api/v1/runs", &file(PAIR)).await;
    let early = house.post::<Problem>("/api/v1/runs/1/retry", &json!({})).await.1;
    assert_eq!(early.code, "E0206");
    let stop = json!({"kind": "stop"});
    let (status, summary) = house.post::<RunSummary>("/api/v1/runs/last/stop", &stop).await;
    assert_eq!((status, summary.cause.as_deref()), (StatusCode::ACCEPTED, Some("stopped")));
    house.wait(1).await;
    assert_eq!(house.post::<Problem>("/api/v1/runs/1/stop", &stop).await.1.code, "E0205");

    let preview = json!({"preview": true});
    let (_, plan) = house.post::<RetryPlan>("/api/v1/runs/1/retry", &preview).await;
    assert_eq!((plan.tasks_total, plan.items_total), (2, 3));
    let (_, detail) = house.get::<RunDetail>("/api/v1/runs/1").await;
    assert_eq!(detail.run.status, RunStatus::Cancelled, "a preview changes nothing");
    let none = json!({"from": "other"});
    assert_eq!(house.post::<Problem>("/api/v1/runs/1/retry", &none).await.1.code, "E0203");

    house.act(of_all(Outcome::Succeeded));
    assert_eq!(house.post::<RetryPlan>("/api/v1/runs/1/retry", &json!({})).await.1, plan);
    house.wait(1).await;
    let (_, detail) = house.get::<RunDetail>("/api/v1/runs/1").await;
    assert_eq!((detail.run.status, detail.run.round), (RunStatus::Succeeded, 1));
    let done = house.post::<Problem>("/api/v1/runs/1/retry", &json!({})).await.1;
    assert_eq!(done.code, "E0207");
}

fn said(chunks: &[LogChunk]) -> Vec<String> {
    let item = |chunk: &LogChunk| chunk.item.map_or_else(String::new, |item| format!("[{item}]"));
    let said = chunks.iter().map(|chunk| {
        format!("{}{}/{} {}", chunk.task, item(chunk), chunk.attempt, chunk.text.trim_end())
    });
    said.collect()
}

#[tokio::test]
async fn logs_are_of_the_last_attempts_unless_another_is_named() {
    let house = House::new(|grant: &model::message::Grant| {
        let is_first = grant.attempt.attempt.0 == 1;
        Act::End(if is_first { FAILED } else { Outcome::Succeeded })
    });
    let retried = "tasks:\n  - {name: a, script: 'true', retry: {limit: 1, backoff: 1ms}}\n";
    house.post::<Submitted>("/api/v1/runs", &file(retried)).await;
    house.wait(1).await;
    let logs = async |query: &str| {
        said(&house.lines::<LogChunk>(&format!("/api/v1/runs/1/logs{query}")).await)
    };
    assert_eq!(logs("").await, ["a/2 first line", "a/2 last line"]);
    assert_eq!(logs("?task=a&attempt=1").await, ["a/1 first line", "a/1 last line"]);
    assert_eq!(logs("?tail=1&follow=true").await, ["a/2 last line"]);
    assert!(logs("?attempt=3").await.is_empty());
}

#[tokio::test]
async fn after_a_retry_by_hand_older_output_is_outdated() {
    let house = House::new(|grant: &model::message::Grant| {
        let is_bad = grant.attempt.key.item.0 == 1 && grant.attempt.round.0 == 0;
        Act::End(if is_bad { FAILED } else { Outcome::Succeeded })
    });
    house.post::<Submitted>("/api/v1/runs", &file(PAIR)).await;
    house.wait(1).await;
    house.post::<RetryPlan>("/api/v1/runs/1/retry", &json!({})).await;
    house.wait(1).await;
    let chunks = house.lines::<LogChunk>("/api/v1/runs/1/logs?task=wide&tail=1").await;
    let mut said = said(&chunks);
    said.sort();
    assert_eq!(said, ["wide[0]/1 last line", "wide[1]/1 last line"]);
}

#[tokio::test]
async fn output_is_followed_while_it_is_written() {
    let house = House::new(|_| Act::Hold);
    house.post::<Submitted>("/api/v1/runs", &file(ONE)).await;
    let mut stream = house.open("/api/v1/runs/1/logs?follow=true").await;
    let first: LogChunk = stream.next().await.expect("what was written so far");
    assert_eq!(first.text, "first line\n");
    house.release(Outcome::Succeeded);
    let second: LogChunk = stream.next().await.expect("what came after");
    assert_eq!((second.text.as_str(), second.seq), ("last line\n", 1));
    assert!(stream.next::<LogChunk>().await.is_none(), "it ends with the run");
}

#[tokio::test]
async fn a_stream_breaks_off_when_the_server_ends() {
    let house = House::new(|_| Act::Hold);
    house.post::<Submitted>("/api/v1/runs", &file(ONE)).await;
    let mut stream = house.open("/api/v1/runs/1/progress?follow=true").await;
    assert!(stream.next::<Progress>().await.is_some());
    house.shut_down();
    while stream.next::<Progress>().await.is_some() {}
    assert!(stream.is_broken, "half a stream must not look like a whole one");
}

#[tokio::test]
async fn the_server_ends_although_somebody_follows() {
    let house = House::new(|_| Act::Hold);
    house.post::<Submitted>("/api/v1/runs", &file(ONE)).await;
    let mut socket = house.socket();
    let request = "GET /api/v1/runs/1/events?follow=true HTTP/1.1\r\nhost: localhost\r\n\r\n";
    socket.write_all(request.as_bytes()).expect("it is served");
    let mut head = [0; 4_096];
    assert!(socket.read(&mut head).expect("an answer") > 0);
    let begun = Instant::now();
    drop(house);
    assert!(begun.elapsed() < super::SHUTDOWN_GRACE, "no stream held it up");
    let mut rest = Vec::new();
    // Whether it is reset or closed is the system's choice.
    let _ = socket.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"), "the stream was cut, and says so");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_when_the_last_run_has_ended_is_sent_to_the_next_holder() {
    let house = House::new(of_all(FAILED));
    house.post::<Submitted>("/api/v1/runs", &file(ONE)).await;
    house.close();
    let again = house.post::<Problem>("/api/v1/runs", &file(ONE)).await;
    let retry = house.post::<Problem>("/api/v1/runs/1/retry", &json!({})).await;
    for (status, problem) in [again, retry] {
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
    }
    let (_, list) = house.get::<RunList>("/api/v1/runs").await;
    assert_eq!(list.runs.len(), 1);
    assert_eq!(list.runs[0].status, RunStatus::Failed);
}

#[tokio::test]
async fn what_a_run_went_by_before_an_edit_leaves_memory() {
    let house = House::new(|_| Act::Hold);
    house.post::<Submitted>("/api/v1/runs", &file(PAIR)).await;
    house.running(1).await;
    let text = async || {
        let look = |view: &View<'_>| {
            let run = view.engine.state().run(RunId(1)).expect("it runs");
            run.admitted().definition
        };
        house.ask(look).await
    };
    let before = text().await;
    let edit = json!({"add": "tasks: [{name: more, script: 'true'}]"});
    let (status, _) = house.post::<Value>("/api/v1/runs/1/edit", &edit).await;
    assert_eq!(status, StatusCode::OK);
    let after = text().await;
    let is_held = async |name| house.ask(move |view| view.shelf.definition(&name).is_some()).await;
    assert!(before != after && is_held(after).await);
    assert!(!is_held(before).await);
}
