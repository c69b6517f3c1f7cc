//! The work that was really done, as it is streamed.

use std::collections::BTreeMap;

use model::message::Grant;
use model::outcome::Outcome;
use model::{RunId, Timestamp};
use protocol::api::{
    HistoryEnd, HistoryLine, PastAttempt, PastLock, PastRun, PastStatus, PastTask, Time,
};
use serde_json::{Value, json};

use super::house::{Act, House};
use super::past::{in_memory, run, submit};
use super::{FAILED, ONE, PAIR};

/// A task with its attempts.
type Done = (PastTask, Vec<PastAttempt>);

/// What a stream has told, run by run.
#[derive(Default)]
struct Told {
    nodes: usize,
    runs: Vec<(PastRun, Vec<Done>)>,
    end: HistoryEnd,
}

async fn told(house: &House, query: &str) -> Told {
    let mut told = Told::default();
    for line in house.lines::<HistoryLine>(&format!("/api/v1/history{query}")).await {
        match line {
            HistoryLine::Node(node) => {
                assert_eq!((node.name.as_str(), node.cpu_milli), ("w", 4_000));
                told.nodes += 1;
            }
            HistoryLine::Run(run) => told.runs.push((run, Vec::new())),
            HistoryLine::Task(task) => {
                told.runs.last_mut().expect("its run").1.push((task, Vec::new()));
            }
            HistoryLine::Attempts(attempts) => {
                let tasks = &mut told.runs.last_mut().expect("its run").1;
                tasks.last_mut().expect("its task").1.extend(attempts);
            }
            HistoryLine::End(end) => told.end = end,
        }
    }
    told
}

fn numbers(told: &Told) -> Vec<(u64, u32)> {
    told.runs.iter().map(|(run, _)| (run.run.0, run.retried)).collect()
}

/// The second item of `PAIR` fails once, others succeed; of run 3 everything is held.
fn act(grant: &Grant) -> Act {
    match (grant.attempt.key, grant.attempt.round.0) {
        (key, _) if key.run == RunId(3) => Act::Hold,
        (key, 0) if key.item.0 == 1 => Act::End(FAILED),
        _ => Act::End(Outcome::Succeeded),
    }
}

#[tokio::test]
async fn runs_are_told_with_all_attempts_from_memory_and_from_the_archive() {
    let house = House::keeping(in_memory(0), act);
    run(&house, PAIR).await;
    house.forgotten(1).await;
    run(&house, ONE).await;
    submit(&house, ONE).await;
    house.running(3).await;
    let told = told(&house, "").await;
    assert_eq!((told.nodes, numbers(&told)), (1, vec![(1, 0), (2, 0), (3, 0)]));
    assert_eq!((told.end.unreadable, told.end.removed), (0, 0));

    let (pair, tasks) = &told.runs[0];
    assert_eq!((pair.name.as_str(), pair.queue.as_str(), pair.limited), ("pair", "default", false));
    let ended = pair.ended.expect("it ended");
    assert_eq!((tasks[0].0.name.as_str(), tasks[1].0.depends_on.as_slice()), ("wide", &[0][..]));
    assert!(tasks[0].0.cpu_milli > 0 && tasks[1].1.is_empty(), "`end` was skipped");
    let ends: Vec<_> = tasks[0].1.iter().map(|it| (it.item, it.end)).collect();
    assert_eq!(ends, [(0, PastStatus::Succeeded), (1, PastStatus::Failed)]);
    for attempt in &tasks[0].1 {
        assert_eq!(attempt.node, Some(0));
        assert!(pair.submitted <= attempt.began.expect("it began") && attempt.ended <= ended);
    }
    let (open, tasks) = &told.runs[2];
    assert_eq!((open.ended, tasks[0].1[0].end), (None, PastStatus::Running));
    assert_eq!(tasks[0].1[0].ended, told.end.at, "as far as it has come");
}

#[tokio::test]
async fn a_run_that_was_retried_by_hand_is_as_many_pieces_of_work() {
    let house = House::new(act);
    run(&house, PAIR).await;
    house.post::<Value>("/api/v1/runs/1/retry", &json!({})).await;
    house.wait(1).await;
    let told = told(&house, "").await;
    assert_eq!(numbers(&told), [(1, 0), (1, 1)]);
    let [first, second] = [0, 1].map(|at| &told.runs[at]);
    assert!(first.0.ended.expect("it ended") <= second.0.submitted);
    let items: Vec<u32> = second.1[0].1.iter().map(|attempt| attempt.item).collect();
    assert_eq!((items, second.1[1].1.len()), (vec![1], 1), "what ran again, and what followed");
}

#[tokio::test]
async fn those_are_told_that_were_submitted_within_the_time() {
    let house = House::keeping(in_memory(1), |_: &Grant| Act::End(Outcome::Succeeded));
    for _ in 0..4 {
        run(&house, ONE).await;
    }
    house.forgotten(3).await;
    let all = told(&house, "").await;
    let times: BTreeMap<u64, Time> =
        all.runs.iter().map(|(run, _)| (run.run.0, run.submitted)).collect();
    let asked = async |query: String| numbers(&told(&house, &query).await);
    assert_eq!(asked(format!("?since={}&until={}", times[&2], times[&4])).await, [(2, 0), (3, 0)]);
    let later = Time(Timestamp(times[&4].0.0 + 1));
    assert_eq!(asked(format!("?since={later}")).await, []);
    assert_eq!(asked("?after=3".to_owned()).await, [(4, 0)]);

    // What is not kept any more leaves a gap.
    house.post::<Value>("/api/v1/gc", &json!({"keep_runs": 2})).await;
    let told = told(&house, "").await;
    assert_eq!((numbers(&told), told.end.removed), (vec![(3, 0), (4, 0)], 0), "nothing between");
}

#[tokio::test]
async fn attempts_that_were_tried_again_are_told_and_so_are_waits() {
    const FLOW: &str = "name: flow\nmax_parallel: 1\ntasks:\n  - {name: a, script: 'true', \
        retry: {limit: 1, backoff: 10ms}, resources: {cpu: 2}, expected: 5s, \
        priority: 70, locks: database}\n  \
        - {name: pause, wait: 20ms, depends_on: a}\n  \
        - {name: last, script: 'true', on: exit}\n";
    let house = House::new(|grant: &Grant| {
        let is_first = grant.attempt.key.task.0 == 0 && grant.attempt.attempt.0 == 1;
        Act::End(if is_first { FAILED } else { Outcome::Succeeded })
    });
    run(&house, FLOW).await;
    let told = told(&house, "").await;
    let (flow, tasks) = &told.runs[0];
    assert_eq!((flow.at_a_time, flow.limited), (Some(1), false), "that is known beforehand");
    let ends = |at: usize| tasks[at].1.iter().map(|it| it.end).collect::<Vec<_>>();
    assert_eq!(ends(0), [PastStatus::TriedAgain, PastStatus::Succeeded]);
    let (a, pause, last) = (&tasks[0].0, &tasks[1].0, &tasks[2].0);
    assert_eq!((a.cpu_milli, a.waits, a.handler), (2_000, false, false));
    assert_eq!(a.expected_seconds.map(|it| it.0), Some(model::Span::secs(5)));
    let lock = PastLock { name: "database".to_owned(), holders: 1 };
    assert_eq!((a.priority, &*a.locks, last.priority), (Some(70), &[lock][..], None));
    assert!(pause.waits && last.handler);
    let waited = tasks[1].1[0];
    assert_eq!((waited.node, waited.wall_seconds, waited.end), (None, None, PastStatus::Succeeded));
    assert!(waited.ended.0 >= tasks[0].1[1].ended.0 + model::Span::millis(20));
}
