//! S26: of a task whose items a person lets run again, these run, and no others in that round.

use model::control::ControlAnswer;
use model::{Fact, IdSet, ItemId, RunId, TaskKey, TaskStatus};

use super::View;
use crate::ledger::Run;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    match &view.entry.fact {
        Fact::ItemsReopened { task, items } => {
            let run = view.ledger.run(task.run).ok_or("the run is not known")?;
            reopened(view, run, *task, items)
        }
        Fact::AttemptsLeased { task, items, .. } => {
            let run = view.ledger.run(task.run).ok_or("the run is not known")?;
            let Some(only) = run.only.as_ref().filter(|only| only.task == task.task) else {
                return Ok(());
            };
            let same = run.task(task.task).round == only.round;
            match items.clone().find(|&item| same && !only.items.contains(item)) {
                Some(item) => Err(format!("{task:?} item {item} runs again, nobody asked for it")),
                None => Ok(()),
            }
        }
        Fact::RunEnded { run, .. } => {
            let known = view.ledger.run(*run).ok_or("the run is not known")?;
            ran(known, *run)
        }
        _ => Ok(()),
    }
}

fn reopened(view: &View<'_>, run: &Run, key: TaskKey, items: &IdSet) -> Result<(), String> {
    if !run.status.is_final() {
        return Err(format!("items of {key:?} are opened anew, and its run is {}", run.status));
    }
    let asked = view.truth.items.get(&key).is_some_and(|asked| asked.contains(items));
    if asked {
        Ok(())
    } else {
        Err(format!("nobody asked for these items of {key:?} to run again"))
    }
}

/// A retried item that has succeeded has done so anew.
fn ran(run: &Run, id: RunId) -> Result<(), String> {
    let Some(only) = &run.only else { return Ok(()) };
    let known = run.task(only.task);
    if known.round != only.round || known.answer == Some(ControlAnswer::Cached) {
        return Ok(());
    }
    let stale = |&item: &u32| {
        run.item(only.task, ItemId(item)).is_some_and(|item| {
            item.status == TaskStatus::Succeeded && !item.marked && item.token.0 < only.since.0
        })
    };
    match only.items.iter().find(stale) {
        Some(item) => Err(format!("run {id} task {} item {item} did not run again", only.task)),
        None => Ok(()),
    }
}
