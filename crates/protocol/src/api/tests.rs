//! The shapes on the wire, spelled out: a change here is a change of the API.

use std::fmt::Debug;

use model::{RunId, RunStatus, Span, TaskStatus, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{from_value, json, to_value};

use super::*;

#[track_caller]
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    value: &T,
    expected: serde_json::Value,
) {
    assert_eq!(to_value(value).expect("it is JSON"), expected);
    assert_eq!(&from_value::<T>(expected).expect("it reads back"), value);
}

fn summary() -> RunSummary {
    RunSummary {
        run: RunId(7),
        name: "digits".to_owned(),
        status: RunStatus::Running,
        cause: None,
        path: "/data/digits.yaml".to_owned(),
        created: Time(Timestamp(1_000_000)),
        ended: None,
        duration_seconds: Seconds(Span::millis(1_500)),
        again_seconds: None,
        tasks: [(TaskStatus::Running, 1), (TaskStatus::Pending, 2)].into_iter().collect(),
        items: [(TaskStatus::Running, 36)].into_iter().collect(),
        round: 0,
        paused: None,
        spent: None,
        cost_limit: None,
        labels: [].into(),
        environment: Some("staging".to_owned()),
        queue: "urgent".to_owned(),
    }
}

#[test]
fn a_run_reads_as_documented() {
    check(
        &summary(),
        json!({
            "run": 7, "name": "digits", "status": "running", "cause": null,
            "path": "/data/digits.yaml", "created": "1970-01-01T00:00:01.000000Z", "ended": null,
            "duration_seconds": 1.5, "tasks": {"running": 1, "pending": 2},
            "items": {"running": 36}, "round": 0,
            "environment": "staging", "queue": "urgent",
        }),
    );
}

#[test]
fn a_submission_needs_no_more_than_a_file() {
    let submit: Submit = from_value(json!({"path": "/a.yaml", "content": "tasks: []"}))
        .expect("the rest has defaults");
    assert!(!submit.new && submit.params.is_empty() && submit.priority.is_none());
    check(&submit, json!({"path": "/a.yaml", "content": "tasks: []", "new": false}));
}

#[test]
fn answers_to_submissions_and_stops_are_words() {
    check(
        &Submitted {
            run: RunId(3),
            name: "etl".to_owned(),
            disposition: Disposition::Resumed,
            note: String::new(),
        },
        json!({"run": 3, "name": "etl", "disposition": "resumed", "note": ""}),
    );
    check(&Stop { kind: StopMode::Terminate }, json!({"kind": "terminate"}));
}

#[test]
fn a_problem_carries_its_code_and_run() {
    let problem = Problem {
        status: 409,
        code: code::CONTENT_CHANGED.to_string(),
        title: "The file has changed".to_owned(),
        run: Some(4),
        ..Problem::default()
    };
    check(
        &problem,
        json!({
            "status": 409, "code": "E0204", "title": "The file has changed", "detail": "",
            "run": 4,
        }),
    );
    assert_eq!(problem.to_string(), "[E0204] The file has changed");
}

#[test]
fn unknown_fields_are_ignored_and_unknown_statuses_refused() {
    let stop = from_value::<Stop>(json!({"kind": "stop", "since": "0.9"}));
    assert_eq!(stop.ok(), Some(Stop { kind: StopMode::Stop }));
    assert!(from_value::<Counts>(json!({"asleep": 1})).is_err());
}

#[test]
fn a_run_is_named_by_number_or_as_the_last() {
    assert_eq!("12".parse(), Ok(RunRef::Id(RunId(12))));
    assert_eq!("last".parse(), Ok(RunRef::Last));
    for text in ["", "0", "+1", "-1", "1.0", "Last", "99999999999999999999999"] {
        assert_eq!(text.parse::<RunRef>(), Err(RunRefError), "{text}");
    }
    assert_eq!(RunRef::Id(RunId(12)).to_string(), "12");
}

#[test]
fn counts_sum_by_meaning() {
    let counts: Counts = [
        (TaskStatus::Failed, 1),
        (TaskStatus::TimedOut, 2),
        (TaskStatus::Succeeded, 4),
        (TaskStatus::Running, 8),
    ]
    .into_iter()
    .collect();
    assert_eq!((counts.total(), counts.ended(), counts.failed()), (15, 7, 3));
}
