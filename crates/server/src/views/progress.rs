//! How far a run has come: enough for a live display, small however large the run.
//!
//! Rates need two moments, so they are worked out by whoever takes the samples; here is what one
//! moment tells.

use engine::state::{Lease, Run};
use model::control::Kind;
use model::policy::Trigger;
use model::{ItemId, ItemKey, RunStatus, Span, TaskId, Timestamp};
use protocol::api::{Progress, RunningTask, Seconds, Time, WaitKind, WaitingTask};
use spec::Awaited;

use super::runs::{counts, tasks};
use super::subject::Subject;

/// Running items that are sent.
const RUNNING_MAX: usize = 64;
/// Waiting tasks that are sent.
const WAITING_MAX: usize = 64;
/// Tasks of the largest graph whose paths are measured: the display asks several times a second.
const PATH_TASKS_MAX: usize = 10_000;

/// How long the longest path through what is left takes, by the mean durations of tasks that ask
/// for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathLeft {
    /// This long.
    Known(Span),
    /// Of some tasks nothing is known yet.
    Unknown,
    /// The graph is too large to measure paths all the time; with so many tasks throughput tells
    /// more.
    Unmeasured,
}

/// The progress of a run, without what needs a second moment; and the longest path left.
pub(crate) fn progress(subject: &Subject<'_>) -> (Progress, PathLeft) {
    let run = subject.run;
    let progress = Progress {
        run: subject.id,
        status: run.status(),
        tasks: tasks(run),
        items: counts(run.items()),
        running: running(subject),
        waiting: waiting(subject),
        per_second: 0.0,
        elapsed_seconds: Seconds(subject.until().since(run.opened_at())),
        eta_seconds: None,
    };
    (progress, path_left(subject))
}

/// What waits for somebody, and then what waits for time. What is said to whom is left open: that
/// is a text to be worked out, for another thread than the driver's.
fn waiting(subject: &Subject<'_>) -> Vec<WaitingTask> {
    let kind = |task| match subject.run.policy(task).kind {
        Kind::Signal { .. } if subject.names.awaited(task) == Some(Awaited::Signal) => {
            WaitKind::Signal
        }
        Kind::Signal { .. } => WaitKind::Approval,
        _ => WaitKind::Time,
    };
    let order = |(task, until): &(TaskId, Option<Timestamp>)| {
        let ends = until.unwrap_or(Timestamp(u64::MAX));
        (kind(*task) == WaitKind::Time, ends, *task)
    };
    let mut waits: Vec<_> = subject.run.waits().collect();
    waits.sort_unstable_by_key(order);
    waits.truncate(WAITING_MAX);
    let shown = waits.into_iter().map(|(task, until)| WaitingTask {
        task: subject.names.task(task),
        kind: kind(task),
        until: until.map(Time),
        message: String::new(),
    });
    shown.collect()
}

/// What runs, longest first.
fn running(subject: &Subject<'_>) -> Vec<RunningTask> {
    let state = subject.engine.state();
    let first = ItemKey { run: subject.id, task: TaskId(0), item: ItemId(0) };
    let held = state.workers().flat_map(|(_, worker)| {
        worker.items.range(first..).copied().take_while(|key| key.run == subject.id)
    });
    let started = |key: ItemKey| -> Option<(Timestamp, ItemKey)> {
        Some((state.lease(key).and_then(|lease: &Lease| lease.started_at)?, key))
    };
    let mut running: Vec<_> = held.filter_map(started).collect();
    running.sort_unstable();
    running.truncate(RUNNING_MAX);
    let shown = running.into_iter().map(|(started, key)| RunningTask {
        task: subject.names.task(key.task),
        item: subject.run.fan(key.task).map(|_| key.item.0),
        attempt: subject.run.item(key.task, key.item).map_or(1, |item| item.attempts().0),
        elapsed_seconds: Seconds(subject.now.since(started)),
    });
    shown.collect()
}

fn path_left(subject: &Subject<'_>) -> PathLeft {
    let (run, graph) = (subject.run, subject.run.graph());
    if run.status() == RunStatus::Stopping || run.status().is_final() {
        return PathLeft::Unknown;
    }
    if graph.len() > PATH_TASKS_MAX {
        return PathLeft::Unmeasured;
    }
    // Of two tasks on a path the later one has the smaller rank.
    let mut order: Vec<_> = graph.tasks().collect();
    order.sort_unstable_by_key(|&task| graph.rank(task));
    let mut left = vec![Span::ZERO; graph.len()];
    let (mut ordinary, mut handlers) = (Span::ZERO, Span::ZERO);
    for task in order {
        let Some(own) = task_left(subject, task) else { return PathLeft::Unknown };
        let after = graph.successors(task).map(|next| left[next.0 as usize]).max();
        let longest = own + after.unwrap_or(Span::ZERO);
        left[task.0 as usize] = longest;
        // Handlers begin when all other tasks have ended.
        let end = if run.is_handler(task) { &mut handlers } else { &mut ordinary };
        *end = longest.max(*end);
    }
    PathLeft::Known(ordinary + handlers)
}

/// How long a task still takes when it has room; `None` if nothing like it has ended yet.
fn task_left(subject: &Subject<'_>, id: TaskId) -> Option<Span> {
    let (run, task) = (subject.run, subject.run.task(id));
    let for_trouble = matches!(run.graph().policy(id).trigger, Trigger::Failure | Trigger::Cancel);
    if task.status().is_final() || for_trouble {
        return Some(Span::ZERO);
    }
    let mean_us = subject.engine.state().classes().mean_wall_us(run.class(id));
    let mean = Some(Span(mean_us)).filter(|&mean| mean > Span::ZERO)?;
    let elapsed = match (run.fan(id), task.started_ms()) {
        (None, Some(started)) => ran_for(run, started, subject.now),
        _ => Span::ZERO,
    };
    Some(Span(mean.0.saturating_sub(elapsed.0)))
}

fn ran_for(run: &Run, started_ms: u32, now: Timestamp) -> Span {
    now.since(run.admitted_at() + Span::millis(u64::from(started_ms)))
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use model::TaskStatus;
    use model::outcome::Outcome;

    use super::super::tests::{DIAMOND, Stage, flow};
    use super::*;

    #[test]
    fn the_path_is_unknown_until_something_has_ended() {
        let mut stage = Stage::new(1);
        let run = stage.submit(DIAMOND);
        assert_eq!(progress(&stage.subject(run)).1, PathLeft::Unknown);
        stage.work(1, |_| Outcome::Succeeded);
        // Each attempt says that it took a second; one of the two branches and the end are left.
        assert_eq!(progress(&stage.subject(run)).1, PathLeft::Known(Span::secs(2)));
        stage.work(9, |_| Outcome::Succeeded);
        let (seen, path) = progress(&stage.subject(run));
        assert_eq!((seen.status, path), (RunStatus::Succeeded, PathLeft::Unknown));
        assert_eq!(seen.items[TaskStatus::Succeeded], 4);
    }

    #[test]
    fn who_waits_for_somebody_is_shown_before_who_waits_for_time() {
        let mut stage = Stage::new(1);
        let run = stage.submit(
            "tasks:\n\
             \x20 - {name: pause, wait: 10m}\n\
             \x20 - {name: gate, approval: 'Go on in {{ run.id }}?'}\n\
             \x20 - {name: bell, signal: {timeout: 1h}}\n\
             \x20 - {name: later, depends_on: gate, approval: true}\n",
        );
        let subject = stage.subject(run);
        let (seen, _) = progress(&subject);
        let waiting = seen.waiting.iter().map(|wait| (wait.task.as_str(), wait.kind));
        let expected =
            [("bell", WaitKind::Signal), ("gate", WaitKind::Approval), ("pause", WaitKind::Time)];
        assert_eq!(waiting.collect::<Vec<_>>(), expected);
        assert!(seen.waiting[0].until.is_some() && seen.waiting[1].until.is_none());
        assert_eq!(subject.names.message("gate", run), format!("Go on in {run}?"));
    }

    #[test]
    fn what_runs_is_shown_longest_first_and_not_what_waits_on_a_worker() {
        let mut stage = Stage::new(100);
        let run = stage.submit(&flow("", &["wide, foreach: {range: 90}"]));
        stage.start(80);
        let (seen, _) = progress(&stage.subject(run));
        assert_eq!(seen.running.len(), RUNNING_MAX);
        let elapsed: Vec<_> =
            seen.running.iter().map(|task| Reverse(task.elapsed_seconds)).collect();
        assert!(elapsed.is_sorted());
        assert_eq!((seen.running[0].item, seen.running[0].attempt), (Some(0), 1));
        assert_eq!(seen.items[TaskStatus::Running], 80);
    }
}
