//! S12: a run never has more attempts leased than it may.

use model::Fact;

use super::View;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let Fact::AttemptsLeased { task, items, .. } = &view.entry.fact else { return Ok(()) };
    let run = view.ledger.run(task.run).ok_or("the run is not known")?;
    let Some(limit) = run.admitted.concurrency else { return Ok(()) };
    let live = run.live as usize + items.len();
    if live > limit as usize {
        return Err(format!("run {} has {live} attempts leased and may have {limit}", task.run));
    }
    Ok(())
}
