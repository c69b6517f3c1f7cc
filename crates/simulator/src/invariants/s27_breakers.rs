//! S27: while a breaker is open nothing is leased that keeps to it, and then no more than its
//! trials at a time, until one of them has ended well.

use model::Fact;

use super::View;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let Fact::AttemptsLeased { task, items, variant, .. } = &view.entry.fact else { return Ok(()) };
    let run = view.ledger.run(task.run).ok_or("the run is not known")?;
    for breaker in &run.graph.policy(task.task).shared_of(*variant).breakers {
        let lets = view.ledger.breakers.lets(breaker, view.entry.at);
        if items.len() > lets {
            return Err(format!(
                "{task:?} leases {} items, the breaker `{}` lets {lets} through",
                items.len(),
                breaker.name
            ));
        }
    }
    Ok(())
}
