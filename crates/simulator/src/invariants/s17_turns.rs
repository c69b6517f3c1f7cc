//! S17: a loop never has more turns than it may, and its body rests once the loop has ended.

use model::control::Kind;
use model::{Fact, TaskKey};

use super::View;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    match &view.entry.fact {
        Fact::AttemptsLeased { task, .. } | Fact::TaskSettled { task, .. } => rests(view, *task),
        Fact::TaskAnswered(answered) => rests(view, answered.task),
        _ => Ok(()),
    }
}

/// A task that goes on is in no body whose loop has ended.
fn rests(view: &View<'_>, key: TaskKey) -> Result<(), String> {
    let run = view.ledger.run(key.run).ok_or("the run is not known")?;
    // What runs in a body is waited for, so a loop that has ended is never found around it.
    let around = run.loops.iter().filter(|&&(first, last)| first <= key.task && key.task < last);
    for &(_, last) in around {
        let Kind::Loop { turns_max, .. } = run.graph.policy(last).kind else { continue };
        let known = run.task(last);
        if known.turn > turns_max {
            return Err(format!("loop {last} is in turn {} of {turns_max}", known.turn));
        }
        if let Some(end) = known.end {
            return Err(format!("{key:?} goes on, its loop {last} has ended: {end}"));
        }
    }
    Ok(())
}
