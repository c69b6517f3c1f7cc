//! S22: what is held to have ended had not begun, somebody holds it so, and it does not run in that
//! round; a fork brings along all that it was to.
//!
//! That the tasks after it go on as after any other is seen by S3 and S15.

use engine::Rejection;
use model::fact::{MarkCause, Marked};
use model::{Fact, ItemId, RunId, RunStatus, TaskId, TaskKey, TaskStatus};

use super::View;
use crate::ledger::{Ledger, Run};

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    match &view.entry.fact {
        Fact::AttemptsLeased { task, items, .. } => {
            let run = view.ledger.run(task.run).ok_or("the run is not known")?;
            let marked =
                |item: &u32| run.item(task.task, ItemId(*item)).is_some_and(|item| item.marked);
            match items.clone().find(marked) {
                Some(item) => Err(format!("{task:?} item {item} runs and is held for ended")),
                None => Ok(()),
            }
        }
        Fact::Marked(marked) => made(view, marked),
        // The first fact of a run that is no part of its admission: all is there by then.
        Fact::RunAdmitted(_) => Ok(()),
        fact => forked(view, fact),
    }
}

fn made(view: &View<'_>, marked: &Marked) -> Result<(), String> {
    let run = view.ledger.run(marked.run).ok_or("the run is not known")?;
    match marked.cause {
        MarkCause::Person => {
            let asked =
                |task: u32| view.truth.marks.contains(&(marked.run, TaskId(task), marked.status));
            if let Some(task) = marked.tasks.iter().find(|&task| !asked(task)) {
                return Err(format!("nobody holds task {task} of run {} for ended", marked.run));
            }
            may_be(run, marked)
        }
        MarkCause::Cache => {
            let task = marked.tasks.iter().next().map(TaskId).ok_or("no task is named")?;
            let key = TaskKey { run: marked.run, task };
            let said = view.truth.cached.get(&(key, run.task(task).round, view.entry.epoch));
            let items = marked.items.as_ref().ok_or("a cache knows items alone")?;
            let known = |item: u32| said.is_some_and(|said| said.contains(item));
            match items.iter().find(|&item| !known(item)) {
                Some(item) => Err(format!("{key:?} item {item} was never done before")),
                None => not_begun(run, marked),
            }
        }
        MarkCause::Fork { .. } => {
            let known = view.truth.forks.get(&run.admitted.trace).ok_or("the run is no fork")?;
            let same = |known: &&Marked| Marked { run: marked.run, ..(*known).clone() } == *marked;
            known.iter().find(same).map(|_| ()).ok_or("a fork brings along something else".into())
        }
    }
}

/// Whether the marked tasks or items may be held for ended.
fn may_be(run: &Run, marked: &Marked) -> Result<(), String> {
    if !matches!(run.status, RunStatus::Running | RunStatus::Paused) {
        return Err(format!("run {} is {} and marked", marked.run, run.status));
    }
    if marked.items.as_ref().is_some_and(model::IdSet::is_empty) {
        return Err(format!("nothing of run {} is marked", marked.run));
    }
    let has = |task: TaskId| marked.tasks.contains(task.0);
    for &(first, last) in &run.loops {
        let mut whole = (first.0..=last.0).map(TaskId);
        if whole.clone().any(has) && !whole.all(has) {
            return Err(format!("a part of the loop {last} is marked"));
        }
    }
    not_begun(run, marked)
}

fn not_begun(run: &Run, marked: &Marked) -> Result<(), String> {
    for task in marked.tasks.iter().map(TaskId) {
        let begun = match &marked.items {
            None => run.has_begun(task),
            // A gang is marked as a whole.
            Some(_) if run.graph.policy(task).gang => true,
            Some(items) => items.iter().any(|item| {
                let known = run.item(task, ItemId(item)).map(|item| item.status);
                !matches!(known, Some(TaskStatus::Pending | TaskStatus::Ready))
            }),
        };
        if begun {
            return Err(format!("task {task} of run {} is marked and has begun", marked.run));
        }
    }
    Ok(())
}

/// When the first attempt of a fork is leased, all that it was to bring along has ended.
fn forked(view: &View<'_>, fact: &Fact) -> Result<(), String> {
    let run: RunId = match fact {
        Fact::RunAmended(amended) => amended.run,
        Fact::RunEnded { run, .. } | Fact::RunStopping { run, .. } => *run,
        Fact::TaskAnswered(answered) => answered.task.run,
        Fact::TaskSettled { task, .. } => task.run,
        _ => return Ok(()),
    };
    let Some(known) = view.ledger.run(run).filter(|known| !known.reopened) else { return Ok(()) };
    brought(view, known)
}

fn brought(view: &View<'_>, run: &Run) -> Result<(), String> {
    let Some(done) = view.truth.forks.get(&run.admitted.trace) else { return Ok(()) };
    for mark in done {
        let missing = |&task: &TaskId| run.task(task).end.is_none();
        if let Some(task) = mark.tasks.iter().map(TaskId).find(missing) {
            return Err(format!(
                "task {task} of the fork {} was done before and has not ended",
                run.admitted.run
            ));
        }
    }
    Ok(())
}

/// Holds the refusal of a mark against where the run stands now.
///
/// # Errors
/// It could have been made.
pub fn refused(ledger: &Ledger, mark: &Marked, rejection: &Rejection) -> Result<(), String> {
    let Some(run) = ledger.run(mark.run).filter(|run| !run.reopened) else { return Ok(()) };
    match may_be(run, mark) {
        Ok(()) => Err(format!("a mark of run {} fits and is refused: {rejection:?}", mark.run)),
        Err(_) => Ok(()),
    }
}
