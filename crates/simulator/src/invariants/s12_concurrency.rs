//! S12: neither a run nor a task ever has more attempts leased than it may.

use model::Fact;

use super::View;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let Fact::AttemptsLeased { task, items, .. } = &view.entry.fact else { return Ok(()) };
    let run = view.ledger.run(task.run).ok_or("the run is not known")?;
    let live = run.live as usize + items.len();
    if run.admitted.concurrency.is_some_and(|limit| live > limit as usize) {
        return Err(format!("run {} has {live} attempts leased, more than it may", task.run));
    }
    let Some(limit) = run.graph.policy(task.task).concurrency else { return Ok(()) };
    let live = run.live_items(task.task) + items.len();
    if live > limit as usize {
        return Err(format!("{task:?} has {live} items leased and may have {limit}"));
    }
    Ok(())
}
