//! What is said of items that wait, run and have ended.

use model::outcome::Outcome;

use super::super::tests::{DIAMOND, FAILED, Stage, flow};
use super::*;

#[track_caller]
fn explained(stage: &Stage, run: model::RunId, task: &str) -> api::Explanation {
    let subject = stage.subject(run);
    let task = subject.names.find(task).expect("a task of the file");
    explain(&subject, task, None).expect("it has an item")
}

#[test]
fn a_pending_task_names_what_it_waits_for() {
    let mut stage = Stage::new(1);
    let run = stage.submit(DIAMOND);
    let seen = explained(&stage, run, "join");
    assert_eq!(seen.summary, "it waits for left and right");
    assert_eq!(seen.blockers[0].text, "it depends on left, which is pending");
    assert_eq!(seen.unblock.as_deref(), Some("the success of left and right"));
    assert_eq!(seen.position, None);
}

#[test]
fn a_ready_task_says_what_is_missing_in_units() {
    let mut stage = Stage::new(2);
    let run = stage.submit(&flow(
        "",
        &[
            "first, resources: {cpu: 1500m}",
            "second, resources: {cpu: 1}",
            "huge, resources: {cpu: 8}",
        ],
    ));
    stage.start(1);
    let seen = explained(&stage, run, "second");
    assert_eq!(seen.status, TaskStatus::Ready);
    assert_eq!(
        (seen.blockers[0].kind.as_str(), seen.blockers[0].text.as_str()),
        ("no_room", "worker w: it asks for 1 CPU, 0.5 CPU of 2 CPU are free"),
    );
    assert_eq!(
        seen.unblock.as_deref(),
        Some("the end of work that frees 0.5 CPU more on worker w")
    );
    assert_eq!((seen.position, seen.position_tasks), (Some(0), Some(0)));

    let huge = explained(&stage, run, "huge");
    assert_eq!(huge.summary, "it is too large for every worker");
    assert!(huge.blockers[0].text.contains("8 CPU, there are 2 CPU in all; it fails in "));
    assert_eq!((huge.position, huge.position_tasks), (Some(1), Some(1)), "of another size");

    let first = explained(&stage, run, "first");
    assert_eq!(first.status, TaskStatus::Running);
    let placed = first.placed.expect("it runs somewhere");
    assert_eq!((placed.worker.as_str(), placed.attempt), ("w", 1));
    assert!(placed.started.is_some());
}

#[test]
fn what_ended_says_how() {
    let mut stage = Stage::new(1);
    let run = stage.submit(&flow("on_failure: continue", &["a", "b, depends_on: [a]"]));
    stage.work(9, |_| FAILED);
    assert_eq!(explained(&stage, run, "a").summary, "exit 1");
    assert_eq!(explained(&stage, run, "b").summary, "it depends on a (failed)");
}

#[test]
fn what_waits_for_somebody_or_for_time_says_so() {
    let mut stage = Stage::new(1);
    let run = stage.submit(
        "tasks:\n\
         \x20 - {name: gate, approval: Go on?}\n\
         \x20 - {name: bell, signal: {timeout: 1h}}\n\
         \x20 - {name: pause, wait: 10m}\n",
    );
    let seen = explained(&stage, run, "gate");
    assert_eq!((seen.status, &*seen.summary), (TaskStatus::Running, "it waits for an approval"));
    let how = format!("`autoglm approve {run} gate`, or `autoglm reject {run} gate`");
    assert_eq!(seen.unblock, Some(how));
    let summary = |task| explained(&stage, run, task).summary;
    assert_eq!(summary("bell"), "it waits for a signal, for 1h 0m more");
    assert_eq!(summary("pause"), "it waits for 10m 0s more");
}

#[test]
fn who_holds_a_lock_is_named_with_its_run() {
    let mut stage = Stage::new(4);
    let head = "locks: {gpu: 2}";
    let first = stage.submit(&flow(head, &["train, locks: gpu", "wide, foreach: [a], locks: gpu"]));
    let second = stage.submit(&flow(head, &["late, locks: gpu"]));
    stage.start(2);
    let seen = explained(&stage, second, "late");
    let holders = format!("train of run {first} and wide[0] of run {first}");
    let said = format!("2 at a time may hold the lock gpu; it is held by {holders}");
    assert_eq!((seen.summary, seen.unblock), (said, Some(format!("the end of {holders}"))));
    let run = stage.submit(&flow("locks: {tpu: 1}", &["a, locks: tpu", "b, locks: tpu"]));
    stage.start(1);
    assert_eq!(explained(&stage, run, "b").unblock.as_deref(), Some("the end of a"));
}

#[test]
fn a_breaker_that_is_open_says_for_how_long_and_why() {
    let mut stage = Stage::new(1);
    let head = "breakers: {api: {failures: 1, open: 30s}}";
    let run = stage.submit(&flow(head, &["a, breaker: api, retry: 3"]));
    stage.work(1, |_| FAILED);
    stage.later(model::Span::secs(2));
    let seen = explained(&stage, run, "a");
    assert!(seen.summary.starts_with("the breaker api is open for 2"), "{}", seen.summary);
    assert!(seen.summary.ends_with("1 failure in a row, the last: exit 1"));
    assert_eq!(seen.blockers[0].kind, "breaker");
}

#[test]
fn a_worker_that_is_silent_is_why_nothing_starts() {
    let mut stage = Stage::new(1);
    stage.later(model::Span::secs(10));
    let run = stage.submit(&flow("", &["a"]));
    let seen = explained(&stage, run, "a");
    assert_eq!(seen.summary, "no worker takes new work: none has been heard of lately");
    assert_eq!(seen.blockers[0].kind, "no_worker");
}

#[test]
fn the_place_in_the_queue_is_exact() {
    let mut stage = Stage::new(1);
    let tasks = ["a, priority: 90", "wide, foreach: {range: 600}", "z, foreach: {range: 3}"];
    let first = stage.submit(&flow("", &tasks));
    let second = stage.submit(&flow("", &["late"]));
    stage.start(1);
    let subject = stage.subject(first);
    let ready = |task: u32| u64::from(subject.run.ready_items(TaskId(task)));
    let place = |run, task: u32, item: Option<u32>| {
        let seen = explain(&stage.subject(run), TaskId(task), item).expect("it is there");
        assert_eq!(seen.status, TaskStatus::Ready);
        (seen.position.expect("it queues"), seen.position_tasks.expect("it queues"))
    };
    assert!(ready(1) > 100 && ready(0) == 0);
    // Of the second run least is left, so it goes first.
    assert_eq!(place(second, 0, None), (0, 0));
    let begun = 600 - u32::try_from(ready(1)).expect("few");
    assert_eq!(place(first, 1, Some(begun)), (1, 1), "the next of the fan-out");
    assert_eq!(place(first, 1, Some(begun + 7)), (8, 2), "its own task goes first");
    assert_eq!(place(first, 2, Some(2)), (ready(1) + 3, 3));
}

#[test]
fn without_an_item_the_one_least_far_is_explained() {
    let mut stage = Stage::new(1);
    let run = stage.submit(&flow("", &["wide, foreach: {range: 600}", "none, foreach: []"]));
    stage.work(1, |_| Outcome::Succeeded);
    let seen = explained(&stage, run, "wide");
    assert_eq!(seen.status, TaskStatus::Ready);
    let ahead = seen.item.expect("an item of the fan-out");
    assert!(ahead > 1, "the first ones are done or with the worker");
    let subject = stage.subject(run);
    assert!(explain(&subject, TaskId(0), Some(600)).is_none());
    assert_eq!(explained(&stage, run, "none").summary, "its list of items is empty");
}

#[test]
fn what_waits_for_room_says_when_it_comes_and_what_runs_why_it_is_there() {
    let mut stage = Stage::new(1);
    let run = stage.submit(&flow("", &["a, expected: 40s", "b, expected: 5s", "c, expected: 7s"]));
    stage.start(1);
    stage.later(model::Span::secs(10));
    let runs = ["a", "b", "c"].map(|task| explained(&stage, run, task));
    let there = runs.iter().find(|seen| seen.placed.is_some()).expect("one runs");
    let because = there.placed.as_ref().and_then(|placed| placed.because.clone());
    let because = because.expect("it was placed by this engine");
    assert_eq!(because.reason, "worker w was the only one with room");
    assert_eq!((because.had_room, because.candidates.len()), (1, 1));
    let waiting: Vec<_> = runs.iter().filter_map(|seen| seen.expected.clone()).collect();
    assert_eq!(waiting.len(), 2, "{runs:?}");
    let now = stage.subject(run).now;
    let mut spans: Vec<_> = waiting.iter().map(|it| it.at.0.since(now).0 / 1_000_000).collect();
    spans.sort_unstable();
    assert_eq!(waiting.iter().filter(|it| it.confidence.is_some()).count(), 0);
    // The one that runs has 30 seconds to go, and the longer of the others goes first.
    assert_eq!(spans, [29, 36]);
}

#[test]
fn of_what_can_be_done_in_several_ways_the_nearest_is_told() {
    let mut stage = Stage::new(2);
    let either = "either, resources: {gpu: a100}, alternatives: [{resources: {cpu: 2}}]";
    let run = stage.submit(&flow(
        "",
        &[
            either,
            "large, resources: {gpu: 2}, alternatives: \
        [{resources: {gpu: 't4:4'}}, {resources: {cpu: 3}}]",
        ],
    ));
    stage.start(1);
    let seen = explained(&stage, run, "either");
    assert_eq!(seen.placed.and_then(|placed| placed.alternative), Some(2));
    let large = explained(&stage, run, "large");
    let told = &large.blockers[0].text;
    let nearest = "worker w: it asks for 3 CPU, there are 2 CPU in all (of what it says and its 2 \
                   alternatives what comes nearest)";
    assert!(told.starts_with(nearest), "{told}");
}
