//! S2: one live lease per item; at most one accepted end of each; and no new lease while an older
//! process still lives on a worker that is awake.

use model::message::LeaseId;
use model::{Fact, ItemId, ItemKey, Span, TaskStatus};

use super::View;

/// How long a worker that wakes has to notice that its leases are over.
const WAKING: Span = Span::secs(2);

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    match &view.entry.fact {
        Fact::AttemptsLeased { task, items, .. } => items.clone().try_for_each(|item| {
            let key = task.item(ItemId(item));
            match view.ledger.item(key) {
                Some(item) if item.status.is_live() => Err(format!("{key:?} is leased twice")),
                Some(_) => no_process(view, key),
                None => Err(format!("{key:?} is leased and does not exist")),
            }
        }),
        Fact::AttemptsEnded(ended) => ended.ends.iter().try_for_each(|&(item, _)| {
            let key = ended.task.item(item);
            let status = view.ledger.item(key).map(|item| item.status);
            if status.is_some_and(TaskStatus::is_live) {
                return Ok(());
            }
            Err(format!("{key:?} ended without a lease: it was {status:?}"))
        }),
        _ => Ok(()),
    }
}

fn no_process(view: &View<'_>, key: ItemKey) -> Result<(), String> {
    let Some(alive) = view.truth.alive.get(&key) else { return Ok(()) };
    for token in alive {
        let process = view.truth.processes[&LeaseId { item: key, token: *token }];
        let awake = view.truth.awake_since[process.node as usize];
        if !process.doomed && awake.is_some_and(|since| view.now.since(since) > WAKING) {
            return Err(format!(
                "{key:?} is leased again while its process of {token:?} lives on node {}",
                process.node
            ));
        }
    }
    Ok(())
}
