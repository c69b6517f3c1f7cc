//! S3: nothing starts before the tasks that it depends on allow, and nothing is skipped or ends
//! without a reason.
//!
//! Every join is worked out from how the tasks before have ended, by the ledger.

use model::control::Kind;
use model::{Fact, ItemId, RunStatus, TaskId, TaskKey, TaskStatus};

use super::View;
use crate::ledger::{Joined, Run};

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    match &view.entry.fact {
        Fact::AttemptsLeased { task, items, .. } => {
            let run = view.ledger.run(task.run).ok_or("the run is not known")?;
            leased(run, *task, items.clone())
        }
        Fact::TasksSkipped { run, tasks } => {
            let run = view.ledger.run(*run).ok_or("the run is not known")?;
            let reason = |&task: &TaskId| run.is_handler(task) && !run.is_due(task);
            match tasks.iter().map(TaskId).find(|task| !reason(task)) {
                Some(task) => Err(format!("task {task} is skipped and could run")),
                None => Ok(()),
            }
        }
        Fact::HandlersReleased { run, tasks } => {
            let run = view.ledger.run(*run).ok_or("the run is not known")?;
            tasks.iter().map(TaskId).try_for_each(|task| released(run, task))
        }
        Fact::RunEnded { run, status } => {
            let run = view.ledger.run(*run).ok_or("the run is not known")?;
            ended(run, *status)
        }
        _ => Ok(()),
    }
}

/// Nothing was kept that rests on something that runs again.
fn owes_nothing(run: &Run) -> Result<(), String> {
    match run.owed.first() {
        Some(task) => Err(format!("task {task} is kept, what it rests on runs again")),
        None => Ok(()),
    }
}

fn leased(run: &Run, key: TaskKey, mut items: std::ops::Range<u32>) -> Result<(), String> {
    owes_nothing(run)?;
    if run.status.is_final() {
        return Err(format!("{key:?} is leased after the end of its run"));
    }
    let task = run.task(key.task);
    if run.graph.policy(key.task).kind != Kind::Work {
        return Err(format!("{key:?} is leased and is nothing that workers run"));
    }
    if run.joined(key.task) != Joined::Met {
        return Err(format!("{key:?} is leased, its join is {:?}", run.joined(key.task)));
    }
    if !task.begun {
        return Err(format!("{key:?} is leased and has not begun: {task:?}"));
    }
    let status = |item: u32| run.item(key.task, ItemId(item)).map(|item| item.status);
    let may = |item: u32| matches!(status(item), Some(TaskStatus::Ready | TaskStatus::Retrying));
    match items.find(|&item| !may(item)) {
        Some(item) => Err(format!("{key:?} item {item} is leased and was {:?}", status(item))),
        None => Ok(()),
    }
}

/// A handler is released when its time has come: all of the stages before have ended.
fn released(run: &Run, task: TaskId) -> Result<(), String> {
    let stage = |task: TaskId| run.graph.policy(task).trigger.stage();
    let before = run.graph.tasks().filter(|&other| stage(other) < stage(task));
    if let Some(open) = before.into_iter().find(|&other| run.task(other).end.is_none()) {
        return Err(format!("handler {task} is released, task {open} has not ended"));
    }
    // It may have been skipped because of another that was.
    let due = run.is_due(task) || run.task(task).end == Some(TaskStatus::Skipped);
    if due { Ok(()) } else { Err(format!("handler {task} is released and not due")) }
}

/// A run ends when nothing of it is left, and as its tasks have.
fn ended(run: &Run, status: RunStatus) -> Result<(), String> {
    owes_nothing(run)?;
    if let Some(task) = run.graph.tasks().find(|&task| run.task(task).end.is_none()) {
        return Err(format!("the run ends, task {task} has not: {:?}", run.task(task)));
    }
    if run.outcome() != status {
        return Err(format!("the run is {status}, by its tasks {}", run.outcome()));
    }
    Ok(())
}
