//! S30: what may be done in several ways is done in the first that no breaker keeps from being
//! tried, from the one on that it has come to; and while there is such a way after one that could
//! not be had, that is no failure of the item.

use model::fact::AttemptsEnded;
use model::outcome::Then;
use model::policy::Policy;
use model::{Fact, ItemId, VariantId};

use super::View;
use crate::workload::calls;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    match &view.entry.fact {
        Fact::AttemptsLeased { task, items, variant, .. } => {
            let run = view.ledger.run(task.run).ok_or("the run is not known")?;
            let policy = run.graph.policy(task.task);
            if usize::from(variant.0) > policy.others.len() + policy.alternatives.len() {
                return Err(format!("{task:?} is done in a way that it does not have"));
            }
            if !policy.alternatives.is_empty() {
                return Ok(());
            }
            items.clone().try_for_each(|item| {
                let Some(item) = run.item(task.task, ItemId(item)) else { return Ok(()) };
                let first = open_way(view, policy, item.first_way()).unwrap_or(item.first_way());
                if first == *variant {
                    return Ok(());
                }
                Err(format!("{task:?} is done in way {variant} where {first} is open"))
            })
        }
        Fact::AttemptsEnded(ended) => {
            let run = view.ledger.run(ended.task.run).ok_or("the run is not known")?;
            let policy = run.graph.policy(ended.task.task);
            ended.ends.iter().try_for_each(|&(item, _)| {
                let taken = run.item(ended.task.task, item).map(|item| item.variant);
                end(view, policy, (ended, taken.unwrap_or_default()))
            })
        }
        _ => Ok(()),
    }
}

fn end(
    view: &View<'_>,
    policy: &Policy,
    (ended, taken): (&AttemptsEnded, VariantId),
) -> Result<(), String> {
    // That one alternative came to nothing says nothing of another.
    let next = open_way(view, policy, VariantId(taken.0 + 1));
    let next = next.filter(|_| policy.alternatives.is_empty());
    let expected = next.filter(|_| calls::is_missed(policy, ended.outcome)).map(Then::Instead);
    match (ended.then, expected) {
        (Then::Instead(_), _) if Some(ended.then) == expected => Ok(()),
        (Then::Instead(variant), _) => {
            Err(format!("{:?} goes on in way {variant} after {:?}", ended.task, ended.outcome))
        }
        // Nothing is tried again of what is being ended.
        (Then::Final | Then::WithGang, _) | (Then::Retry { .. }, None) => Ok(()),
        (Then::Retry { .. }, Some(_)) => {
            Err(format!("{:?} is tried again, and another way is open", ended.task))
        }
    }
}

/// The first way, from one on, that no breaker keeps from being tried.
fn open_way(view: &View<'_>, policy: &Policy, from: VariantId) -> Option<VariantId> {
    let ways = (0..).map(VariantId).zip(policy.variants());
    let mut open = ways.skip(usize::from(from.0)).filter(|(_, (_, shared))| {
        let lets = |breaker| view.ledger.breakers.lets(breaker, view.entry.at) > 0;
        shared.breakers.iter().all(lets)
    });
    open.next().map(|(way, _)| way)
}
