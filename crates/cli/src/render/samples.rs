//! Values for the tests of what is shown.

use model::{RunId, RunStatus, Span, TaskStatus, Timestamp};
use protocol::api::{Counts, RunDetail, RunSummary, Seconds, TaskSummary, Time};

/// 2026-11-20T10:00:00Z, when everything began.
pub(crate) const START: Time = Time(Timestamp(1_795_168_800_000_000));

pub(crate) fn after(seconds: u64) -> Time {
    Time(START.0 + Span::secs(seconds))
}

pub(crate) fn counts<const N: usize>(pairs: [(TaskStatus, u64); N]) -> Counts {
    pairs.into_iter().collect()
}

pub(crate) fn run(status: RunStatus) -> RunSummary {
    RunSummary {
        run: RunId(7),
        name: "digits".to_owned(),
        status,
        cause: (status == RunStatus::Failed).then(|| "task failed".to_owned()),
        path: "/data/digits.yaml".to_owned(),
        created: START,
        ended: status.is_final().then(|| after(72)),
        duration_seconds: Seconds(Span::secs(72)),
        again_seconds: None,
        tasks: counts([
            (TaskStatus::Succeeded, 1),
            (TaskStatus::Failed, 1),
            (TaskStatus::Skipped, 1),
        ]),
        items: counts([
            (TaskStatus::Succeeded, 36),
            (TaskStatus::Failed, 1),
            (TaskStatus::Skipped, 1),
        ]),
        round: 0,
        paused: None,
        spent: None,
        cost_limit: None,
        labels: [].into(),
        environment: None,
        queue: "default".to_owned(),
    }
}

pub(crate) fn task(id: u32, name: &str, status: TaskStatus) -> TaskSummary {
    let has_run = !matches!(status, TaskStatus::Pending | TaskStatus::Skipped);
    TaskSummary {
        note: None,
        written_by: None,
        id,
        name: name.to_owned(),
        status,
        labels: [].into(),
        round: 0,
        fan_out: false,
        items: counts([(status, 1)]),
        attempts: u64::from(has_run),
        losses: 0,
        preempted: 0,
        started: has_run.then_some(START),
        ended: status.is_final().then(|| after(1)),
        duration_seconds: has_run.then_some(Seconds(Span::millis(1_230))),
        trouble: None,
        reason: None,
        critical: false,
    }
}

/// A run with a task that succeeded, a fan-out that failed and one that was skipped for it.
pub(crate) fn detail() -> RunDetail {
    let mut train = task(1, "train", TaskStatus::Failed);
    train.fan_out = true;
    train.items = counts([(TaskStatus::Succeeded, 35), (TaskStatus::Failed, 1)]);
    train.attempts = 38;
    train.trouble = Some("exit 3".to_owned());
    train.critical = true;
    RunDetail {
        forked_from: None,
        environment: None,
        run: run(RunStatus::Failed),
        params: [("folds".to_owned(), serde_json::json!(3))].into(),
        tasks: vec![
            task(0, "split", TaskStatus::Succeeded),
            train,
            task(2, "report", TaskStatus::Skipped),
        ],
        next: None,
    }
}
