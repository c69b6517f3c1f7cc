//! S5: no fact from a stale term or a stale attempt enters the journal.
//!
//! What is recorded of an attempt must be what its own process did: the process of the live lease,
//! not of an earlier one.

use model::message::LeaseId;
use model::outcome::Failure;
use model::{Fact, ItemKey, Outcome};

use super::View;
use crate::ledger::Item;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let newest = match &view.entry.fact {
        Fact::LeaderStarted { epoch, .. } => view.ledger.epoch < *epoch,
        _ => view.entry.epoch == view.ledger.epoch,
    };
    if !newest {
        let (entry, ledger) = (view.entry.epoch, view.ledger.epoch);
        return Err(format!("a fact of term {entry} stands after term {ledger}"));
    }
    match &view.entry.fact {
        Fact::AttemptsEnded(ended) => ended.ends.iter().try_for_each(|&(item, _)| {
            let key = ended.task.item(item);
            let item = view.ledger.item(key).ok_or_else(|| format!("{key:?} is not known"))?;
            ended_so(view, key, item, ended.outcome).map_err(|what| format!("{key:?}: {what}"))
        }),
        _ => Ok(()),
    }
}

fn ended_so(view: &View<'_>, key: ItemKey, item: &Item, recorded: Outcome) -> Result<(), String> {
    let known = view.ledger.workers.contains_key(&item.worker);
    // What leaves may be lost, too.
    if recorded == Outcome::Lost || recorded == Outcome::Preempted && !known {
        return if known { Err("it is lost, its worker is not".to_owned()) } else { Ok(()) };
    }
    if recorded == Outcome::Failed(Failure::Unsatisfiable) {
        return Ok(());
    }
    let process = view.truth.processes.get(&LeaseId { item: key, token: item.token });
    let Some((_, real)) = process.and_then(|process| process.ended) else {
        return Err(format!("{recorded:?} is recorded of {:?}, which did not end", item.token));
    };
    // Of a gang that has ended no success counts.
    let in_vain = matches!(recorded, Outcome::Cancelled | Outcome::Preempted) && item.dismissed;
    let agrees = match recorded {
        _ if in_vain => true,
        // It did its work, and what it wrote was refused: S21 knows whether it had to be.
        Outcome::Failed(Failure::Tasks) => real == Outcome::Succeeded,
        Outcome::Succeeded | Outcome::Failed(_) => real == recorded,
        // It was told to end, and did: not well, or it would have succeeded.
        Outcome::TimedOut | Outcome::Cancelled | Outcome::Terminated | Outcome::Preempted => {
            real != Outcome::Succeeded
        }
        Outcome::Lost => true,
    };
    if agrees { Ok(()) } else { Err(format!("{recorded:?} is recorded, it was {real:?}")) }
}
