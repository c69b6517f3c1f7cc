//! S25: nothing starts after the time by which it must have ended, nobody is told so early, what
//! waits has then run out of time, and what runs is told to end and is not tried again.

use model::{Fact, Span, TaskId, Timestamp};

use super::View;
use crate::ledger::Ledger;
use crate::truth::Truth;

/// How long a task may be late, under one leader: the longest that a disk is full, and a commit.
const PATIENCE: Span = Span::secs(300);
/// How long what was told to end may still run: machines may be cut off or asleep.
const ENDING: Span = Span::secs(3_600);

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    match &view.entry.fact {
        Fact::AttemptsLeased { task, .. } => {
            let run = view.ledger.run(task.run).ok_or("the run is not known")?;
            match run.deadline(task.task).filter(|&deadline| deadline <= view.entry.at) {
                Some(deadline) => Err(format!("{task:?} is leased after {deadline:?}")),
                None => Ok(()),
            }
        }
        Fact::DeadlinePassed { run, tasks } => {
            let known = view.ledger.run(*run).ok_or("the run is not known")?;
            for task in tasks.iter().map(TaskId) {
                let passed = known.deadline(task).is_some_and(|at| at <= view.entry.at);
                if !passed || known.task(task).end.is_some() {
                    return Err(format!("task {task} of run {run} is told early to be late"));
                }
            }
            Ok(())
        }
        Fact::AttemptsEnded(ended) if ended.then.is_again() => {
            let run = view.ledger.run(ended.task.run).ok_or("the run is not known")?;
            match run.deadline(ended.task.task).filter(|&deadline| deadline <= view.entry.at) {
                Some(deadline) => {
                    Err(format!("{:?} is tried again after {deadline:?}", ended.task))
                }
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Looks for ordinary tasks that are late for long, and have not been told so, or run on.
///
/// # Errors
/// Such a task.
pub fn neglected(ledger: &Ledger, truth: &Truth, now: Timestamp) -> Result<(), String> {
    let goes_on = |status| matches!(status, model::RunStatus::Running | model::RunStatus::Paused);
    let running = ledger.runs.iter().filter(|(_, run)| goes_on(run.status));
    for (id, run) in running {
        for task in run.graph.tasks().filter(|&task| !run.is_handler(task)) {
            let known = run.task(task);
            let Some(deadline) = run.deadline(task).filter(|_| known.end.is_none()) else {
                continue;
            };
            // A deadline may have been set when it had passed.
            let since = deadline.max(truth.leads_since).max(run.changed_at);
            let waited = now.since(since);
            if known.overdue.is_none() && waited > PATIENCE || waited > ENDING {
                return Err(format!(
                    "run {id} task {task} had to end by {deadline:?}, told at {:?}: {known:?}",
                    known.overdue
                ));
            }
        }
    }
    Ok(())
}
