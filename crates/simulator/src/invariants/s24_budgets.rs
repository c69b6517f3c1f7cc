//! S24: what is spent of a budget from any moment on costs, up to each lease, at most the time
//! between them and one `per` more: in a window of `per`, never more than twice the limit.
//!
//! An amount costs its share of `per`. Files that say different numbers of a name each count with
//! their own.

use model::{Span, Timestamp};

use super::View;
use crate::ledger::Shares;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let Some((task, count, variant)) = view.begun() else { return Ok(()) };
    let run = view.ledger.run(task.run).ok_or("the run is not known")?;
    let shared = run.graph.policy(task.task).shared_of(variant);
    if shared.budgets.is_empty() {
        return Ok(());
    }
    // Each item after the first finds what those before have left.
    let mut shares = view.ledger.shares.budgets();
    for _ in 0..count {
        check_one(&shares, shared, view.entry.at).map_err(|what| format!("{task:?} {what}"))?;
        shares.spend(shared, view.entry.at);
    }
    Ok(())
}

fn check_one(shares: &Shares, shared: &model::shared::Shared, at: Timestamp) -> Result<(), String> {
    let short = shared.budgets.iter().find(|x| shares.enough_since(x, at).is_none());
    match short {
        Some(spending) => Err(format!(
            "spends {} of `{}`, which does not have it: {} each {}",
            spending.amount,
            spending.name,
            spending.limit,
            Span(spending.per.0)
        )),
        None => Ok(()),
    }
}
