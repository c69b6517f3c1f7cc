//! S36: no queue has more than it may, nor has any above it.
//! S37: room is taken back only from who has more than it is guaranteed, or from attempts that may
//! be interrupted by others of their queue.

use model::Fact;

use super::View;

pub(super) fn quotas(view: &View<'_>) -> Result<(), String> {
    let Fact::AttemptsLeased { task, items, variant, .. } = &view.entry.fact else { return Ok(()) };
    let queues = &view.ledger.queues;
    let run = view.ledger.run(task.run).ok_or("the run is not known")?;
    if !view.ledger.has_queues {
        return Ok(());
    }
    let way = run.graph.policy(task.task).variants().nth(usize::from(variant.0));
    let each = way.map_or(0, |(request, _)| request.cpu_milli);
    let more = each * items.len() as u64;
    let at = queues.find(&run.admitted.queue);
    if queues.lets(at, more) {
        return Ok(());
    }
    Err(format!("`{}` has {}, and gets {more} more", queues.set[at].path, queues.used(at)))
}

pub(super) fn taken_back(view: &View<'_>) -> Result<(), String> {
    let Fact::AttemptsPreempted { task, .. } = &view.entry.fact else { return Ok(()) };
    let ledger = view.ledger;
    let run = ledger.run(task.run).ok_or("the run is not known")?;
    let borrows = || ledger.queues.borrows(ledger.queues.find(&run.admitted.queue));
    let may = run.graph.policy(task.task).preemptible || (ledger.has_queues && borrows());
    if may || view.truth.preempted.contains(task) {
        return Ok(());
    }
    Err(format!("{task:?} is to make room: nobody asked, and it takes nothing of others"))
}
