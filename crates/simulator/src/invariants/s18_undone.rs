//! S18: what was done is undone in failed runs only, after it has succeeded, once, and after
//! everything that rested on it.

use model::policy::Trigger;
use model::{Fact, RunId, TaskId, TaskStatus};

use super::View;
use crate::ledger::Run;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    match &view.entry.fact {
        Fact::AttemptsLeased { task, .. } => {
            let run = view.ledger.run(task.run).ok_or("the run is not known")?;
            match undoes(run, task.task) {
                Some(of) => undone(run, task.task, of),
                None => Ok(()),
            }
        }
        Fact::HandlersReleased { run, tasks } => {
            each(view, *run, tasks, |run, task| run.is_due(task), "is released and is not due")
        }
        Fact::TasksSkipped { run, tasks } => {
            each(view, *run, tasks, |run, task| !run.is_due(task), "is skipped and is due")
        }
        _ => Ok(()),
    }
}

fn undoes(run: &Run, task: TaskId) -> Option<TaskId> {
    match run.graph.policy(task).trigger {
        Trigger::Compensation { of } => Some(of),
        _ => None,
    }
}

fn each(
    view: &View<'_>,
    run: RunId,
    tasks: &model::IdSet,
    holds: impl Fn(&Run, TaskId) -> bool,
    complaint: &str,
) -> Result<(), String> {
    let run = view.ledger.run(run).ok_or("the run is not known")?;
    let compensations = tasks.iter().map(TaskId).filter(|&task| undoes(run, task).is_some());
    for task in compensations {
        if !holds(run, task) {
            return Err(format!("what undoes by task {task} {complaint}"));
        }
    }
    Ok(())
}

fn undone(run: &Run, task: TaskId, of: TaskId) -> Result<(), String> {
    if run.task(of).end != Some(TaskStatus::Succeeded) {
        return Err(format!("task {of} is undone and was {:?}", run.task(of).end));
    }
    if run.undone.contains(&of) {
        return Err(format!("task {of} is undone once more"));
    }
    for later in after(run, of) {
        let undoing = run.graph.tasks().find(|&task| undoes(run, task) == Some(later));
        if undoing.is_some_and(|undoing| run.task(undoing).end.is_none()) {
            return Err(format!(
                "task {of} is undone by {task} before task {later}, which rests on it"
            ));
        }
    }
    Ok(())
}

/// All that rests on a task by the graph that the run was admitted with, itself left out: what
/// undoes is put in order once, and tasks that come later may bring two old ones into another.
fn after(run: &Run, task: TaskId) -> Vec<TaskId> {
    let mut seen = vec![false; run.graph.len()];
    let (mut stack, mut found) = (vec![task], Vec::new());
    while let Some(from) = stack.pop() {
        let old = |next: &TaskId| (next.0 as usize) < run.original;
        for next in run.graph.successors(from).filter(old) {
            if !std::mem::replace(&mut seen[next.0 as usize], true) {
                found.push(next);
                stack.push(next);
            }
        }
    }
    found
}
