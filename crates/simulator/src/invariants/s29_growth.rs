//! S29: an attempt is given as much memory as its task says, grown as often as attempts before it
//! had not enough.

use model::message::LeaseId;
use model::{Fact, ItemId, ItemKey};

use super::View;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    match &view.entry.fact {
        Fact::AttemptsStarted { task, items } => {
            items.iter().try_for_each(|item| one(view, task.item(ItemId(item))))
        }
        Fact::AttemptsEnded(ended) => {
            ended.ends.iter().try_for_each(|end| one(view, ended.task.item(end.0)))
        }
        _ => Ok(()),
    }
}

fn one(view: &View<'_>, key: ItemKey) -> Result<(), String> {
    let run = view.ledger.run(key.run).ok_or("the run is not known")?;
    let item = run.item(key.task, key.item).ok_or("the item is not known")?;
    let Some(process) = view.truth.processes.get(&LeaseId { item: key, token: item.token }) else {
        return Ok(());
    };
    let policy = run.graph.policy(key.task);
    let mut asked = policy.request.memory_bytes;
    if let Some(growth) = policy.retry.memory {
        for _ in 0..item.growths {
            let more = asked * u64::from(growth.factor_milli) / 1_000;
            asked = asked.max(more.min(growth.max_bytes));
        }
    }
    if process.memory == asked {
        return Ok(());
    }
    Err(format!("{key:?} was given {} bytes, it asks for {asked}", process.memory))
}
