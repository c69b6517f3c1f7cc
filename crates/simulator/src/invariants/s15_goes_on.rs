//! S15: what may go on does: a task whose join is met has begun, asks or waits, and one whose join
//! can't be met any more is skipped.
//!
//! Where each task stands follows from the facts alone, so the engine must hold what the ledger,
//! which works every join out anew, holds. And whoever leads has handed out every question that is
//! open, those of the leader before, too.

use engine::Engine;
use model::{Round, TaskId, TaskKey, TaskStatus};

use crate::ledger::{Ledger, Run};
use crate::truth::Truth;

/// Compares every task with the ledger's, if both have seen the same facts. O(tasks).
///
/// # Errors
/// The first task that stands somewhere else.
pub fn check(ledger: &Ledger, truth: &Truth, engine: &Engine) -> Result<(), String> {
    let state = engine.state();
    if state.last() != ledger.last {
        return Ok(());
    }
    for (id, run) in state.runs() {
        let unheard = |&task: &TaskId| {
            let key = TaskKey { run: id, task };
            !truth.given.contains_key(&(key, run.task(task).round(), state.epoch()))
        };
        if let Some(task) = run.asking().find(unheard) {
            return Err(format!("run {id} task {task} asks, and nobody has heard it"));
        }
    }
    for (id, run) in state.runs() {
        let known = ledger.run(id).ok_or_else(|| format!("run {id} is not known"))?;
        for task in run.graph().tasks() {
            let found = run.task(task);
            let same = same(known, task, found.status(), found.round())
                && run.asking().any(|asking| asking == task) == known.task(task).asks
                && run.wait(task) == known.task(task).waits;
            if !same {
                return Err(format!(
                    "run {id} task {task} is {} in {:?}, by its facts: {:?}, join: {:?}",
                    found.status(),
                    found.round(),
                    known.task(task),
                    known.joined(task),
                ));
            }
        }
    }
    Ok(())
}

fn same(run: &Run, task: TaskId, status: TaskStatus, round: Round) -> bool {
    let known = run.task(task);
    let stands = match known.end {
        Some(end) => status == end,
        None => !status.is_final() && (status == TaskStatus::Pending) != known.begun,
    };
    stands && round == known.round
}
