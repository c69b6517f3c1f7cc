//! S28: nothing of a paused run is leased, and nothing of one that has cost as much as it may. A
//! run pauses because it has, or because somebody asks, and goes on when somebody asks and it may.
//! What is recorded as spent was spent.

use model::fact::{AttemptsEnded, PauseCause};
use model::message::LeaseId;
use model::outcome::Spent;
use model::{Fact, Outcome, RunStatus};

use super::View;
use crate::ledger::Run;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    match &view.entry.fact {
        Fact::AttemptsLeased { task, .. } => {
            let run = view.ledger.run(task.run).ok_or("the run is not known")?;
            let stops = run.status == RunStatus::Stopping;
            match (run.status, is_reached(run) && !stops) {
                (RunStatus::Paused, _) => Err(format!("{task:?} is leased, its run is paused")),
                (_, true) => Err(format!("{task:?} is leased, its run has cost what it may")),
                _ => Ok(()),
            }
        }
        Fact::RunPaused { run, cause } => {
            let known = view.ledger.run(*run).ok_or("the run is not known")?;
            let due = match cause {
                PauseCause::Asked => view.truth.pauses.contains(&(*run, true)),
                PauseCause::CostLimit => is_reached(known),
            };
            if due { Ok(()) } else { Err(format!("run {run} pauses for no reason: {cause:?}")) }
        }
        Fact::RunResumed { run } => {
            let known = view.ledger.run(*run).ok_or("the run is not known")?;
            if is_reached(known) {
                return Err(format!("run {run} goes on and has cost what it may"));
            }
            let asked = view.truth.pauses.contains(&(*run, false));
            if asked { Ok(()) } else { Err(format!("run {run} goes on, nobody asked")) }
        }
        Fact::AttemptsEnded(ended) => spent(view, ended),
        _ => Ok(()),
    }
}

fn is_reached(run: &Run) -> bool {
    run.admitted.cost_limit_micro.is_some_and(|limit| run.cost_micro >= limit)
}

fn spent(view: &View<'_>, ended: &AttemptsEnded) -> Result<(), String> {
    for &(item, end) in &ended.ends {
        let key = ended.task.item(item);
        let record = view.ledger.item(key).ok_or("the item is not known")?;
        let process = view.truth.processes.get(&LeaseId { item: key, token: record.token });
        // What leaves may be lost, too: nobody says then what it spent.
        let left = ended.outcome == Outcome::Preempted
            && !view.ledger.workers.contains_key(&record.worker);
        let told = process.filter(|_| ended.outcome != Outcome::Lost && !left);
        let really = told.map_or(Spent::NOTHING, |process| process.spent);
        if end.spent != really {
            return Err(format!("{key:?} spent {really:?}, recorded is {:?}", end.spent));
        }
    }
    Ok(())
}
