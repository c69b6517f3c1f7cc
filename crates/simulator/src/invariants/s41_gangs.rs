//! S41: the members of a gang begin together, when all of them wait and their run may have so many;
//! none succeeds before all have done their work; and none begins to work that was told to end.

use model::outcome::Then;
use model::{Fact, ItemId, Outcome, TaskKey, TaskStatus};

use super::View;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    match &view.entry.fact {
        Fact::AttemptsLeased { task, .. } if is_gang(view, *task) => {
            Err(format!("members of {task:?} begin alone"))
        }
        Fact::GangLeased { task, parts } => {
            let mut next = 0;
            for part in parts {
                if part.items.start != next {
                    return Err(format!("{task:?} begins without its member {next}"));
                }
                next = part.items.end;
            }
            begins(view, *task, next)
        }
        Fact::AttemptsEnded(ended) if is_gang(view, ended.task) => {
            let counts = ended.then == Then::Final && ended.outcome == Outcome::Succeeded;
            if counts {
                return Err(format!("a member of {:?} succeeds alone", ended.task));
            }
            if ended.then == Then::WithGang && !view.ledger.is_whole(ended.task) {
                return Err(format!("{:?} has ended, and one of it counts as done", ended.task));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn begins(view: &View<'_>, task: TaskKey, members: u32) -> Result<(), String> {
    let run = view.ledger.run(task.run).ok_or("the run is not known")?;
    if !is_gang(view, task) || run.task(task.task).count != members {
        return Err(format!("{members} items of {task:?} begin together"));
    }
    let waits = |item: u32| {
        let status = run.item(task.task, ItemId(item)).map(|item| item.status);
        matches!(status, Some(TaskStatus::Ready | TaskStatus::Retrying))
    };
    if let Some(item) = (0..members).find(|&item| !waits(item)) {
        return Err(format!("{task:?} begins, and its member {item} does not wait"));
    }
    match run.admitted.concurrency {
        Some(limit) if run.live + members > limit => {
            Err(format!("{task:?} begins: its run has {} leased, of {limit}", run.live))
        }
        _ => Ok(()),
    }
}

/// Whether a task was drawn as a gang.
fn is_gang(view: &View<'_>, task: TaskKey) -> bool {
    let run = view.ledger.run(task.run);
    run.is_some_and(|run| run.graph.policy(task.task).gang)
}
