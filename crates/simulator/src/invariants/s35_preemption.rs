//! S35: what makes room is live; its item goes on at once and at no cost, unless it was done all
//! the same or is being ended; and work is known to be saved that was.

use model::fact::AttemptsEnded;
use model::message::LeaseId;
use model::outcome::{Failure, Then};
use model::{Fact, ItemId, ItemKey, Outcome, RunStatus, Timestamp};

use super::View;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    match &view.entry.fact {
        Fact::AttemptsPreempted { task, items } => {
            items.iter().try_for_each(|item| leaves(view, task.item(ItemId(item))))
        }
        Fact::AttemptsCheckpointed { task, saved } => {
            saved.iter().try_for_each(|&(item, at)| was_saved(view, task.item(item), at))
        }
        Fact::AttemptsEnded(ended) => {
            ended.ends.iter().try_for_each(|&(item, _)| ends(view, ended, item))
        }
        _ => Ok(()),
    }
}

fn leaves(view: &View<'_>, key: ItemKey) -> Result<(), String> {
    let item = view.ledger.item(key).ok_or("the item is not known")?;
    if item.status.is_live() && !item.leaving && !item.overran {
        return Ok(());
    }
    Err(format!("{key:?} is to make room: it is {}, and ends already", item.status))
}

fn was_saved(view: &View<'_>, key: ItemKey, at: Timestamp) -> Result<(), String> {
    let item = view.ledger.item(key).ok_or("the item is not known")?;
    let process = view.truth.processes.get(&LeaseId { item: key, token: item.token });
    let first = process.and_then(|process| process.saved_at);
    if item.started_at.is_some() && first.is_some_and(|first| first <= at && at <= view.entry.at) {
        return Ok(());
    }
    Err(format!("{key:?} is said to have saved its work at {at:?}, it did so first at {first:?}"))
}

fn ends(view: &View<'_>, ended: &AttemptsEnded, id: ItemId) -> Result<(), String> {
    let key = ended.task.item(id);
    let item = view.ledger.item(key).ok_or("the item is not known")?;
    let run = view.ledger.run(key.run).ok_or("the run is not known")?;
    let at_once = ended.then == Then::Retry { at: view.entry.at };
    if ended.outcome == Outcome::Preempted {
        let may = item.leaving && at_once;
        return may.then_some(()).ok_or(format!("{key:?} has made room: {:?}", ended.then));
    }
    let late = run.deadline(key.task).is_some_and(|deadline| deadline <= view.entry.at);
    let ends = run.status == RunStatus::Stopping && !run.is_handler(key.task);
    // What it wrote was refused: it had done its work all the same.
    let did = matches!(ended.outcome, Outcome::Succeeded | Outcome::Failed(Failure::Tasks));
    if !item.leaving || did || ends || item.overran || late {
        return Ok(());
    }
    Err(format!("{key:?} was to make room, and counts as {:?}", ended.outcome))
}
