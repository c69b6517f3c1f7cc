//! S3: nothing starts before its dependencies allow, and nothing is skipped without a reason.

use model::{Fact, ItemId, RunStatus, TaskId, TaskStatus};

use super::View;
use crate::ledger::Run;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    match &view.entry.fact {
        Fact::AttemptsLeased { task, items, .. } => {
            let run = view.ledger.run(task.run).ok_or("the run is not known")?;
            if run.status.is_final() {
                return Err(format!("{task:?} is leased after the end of its run"));
            }
            let waits_for = run.tasks[task.task.0 as usize].waits_for;
            if waits_for > 0 {
                return Err(format!("{task:?} is leased and waits for {waits_for} more"));
            }
            let may = |item: u32| {
                let status = run.item(task.task, ItemId(item)).map(|item| item.status);
                matches!(status, Some(TaskStatus::Ready | TaskStatus::Retrying))
            };
            match items.clone().find(|&item| !may(item)) {
                Some(index) => {
                    let status = run.item(task.task, ItemId(index)).map(|item| item.status);
                    Err(format!("{task:?} item {index} is leased and was {status:?}"))
                }
                None => Ok(()),
            }
        }
        Fact::TasksSkipped { run, tasks } => {
            let run = view.ledger.run(*run).ok_or("the run is not known")?;
            let reason =
                |&task: &u32| run.is_handler(TaskId(task)) || has_bad_dependency(run, tasks, task);
            match tasks.iter().find(|task| !reason(task)) {
                Some(task) => Err(format!("task {task} is skipped and could run")),
                None => Ok(()),
            }
        }
        Fact::HandlersReleased { run, .. } => {
            let run = view.ledger.run(*run).ok_or("the run is not known")?;
            let open =
                |task: &TaskId| !run.is_handler(*task) && run.tasks[task.0 as usize].open > 0;
            match run.graph.tasks().find(open) {
                Some(task) => Err(format!("handlers are released, task {task} has not ended")),
                None => Ok(()),
            }
        }
        Fact::RunEnded { run, status } => {
            let run = view.ledger.run(*run).ok_or("the run is not known")?;
            ended(run, *status)
        }
        _ => Ok(()),
    }
}

fn has_bad_dependency(run: &Run, skipped: &model::IdSet, task: u32) -> bool {
    let mut before = run.graph.predecessors(TaskId(task));
    before.any(|from| run.tasks[from.0 as usize].bad || skipped.contains(from.0))
}

/// A run ends when nothing of it is left, and as its tasks have.
fn ended(run: &Run, status: RunStatus) -> Result<(), String> {
    if let Some(task) = run.graph.tasks().find(|task| run.tasks[task.0 as usize].open > 0) {
        return Err(format!("the run ends, task {task} has not"));
    }
    let bad = |task: &TaskId| !run.is_handler(*task) && run.tasks[task.0 as usize].bad;
    let is_bad = run.graph.tasks().any(|task| bad(&task));
    if status == RunStatus::Succeeded && is_bad {
        return Err("the run succeeds with a task that did not".to_owned());
    }
    if let Some(cause) = run.cause.filter(|cause| cause.run_status() != status) {
        return Err(format!("the run was ended for {cause:?} and is {status}"));
    }
    Ok(())
}
