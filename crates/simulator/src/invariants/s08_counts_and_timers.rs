//! S8: retries, time limits, leases and timers: never over, never early, and only what the rules of
//! a task let be tried again.

use model::fact::{AttemptsEnded, LossCause, StopCause};
use model::limits::RETRY_AFTER_MAX;
use model::message::LeaseId;
use model::outcome::Then;
use model::{Fact, ItemId, ItemKey, Outcome, TaskStatus, Timestamp, WorkerId};

use super::View;
use crate::truth::Process;
use crate::workload::calls;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let now = view.entry.at;
    if now < view.ledger.at {
        return Err(format!("time went back from {:?} to {now:?}", view.ledger.at));
    }
    match &view.entry.fact {
        Fact::AttemptsLeased { task, items, .. } => items.clone().try_for_each(|item| {
            let Some(item) = view.ledger.item(task.item(ItemId(item))) else { return Ok(()) };
            let early = item.status == TaskStatus::Retrying && now < item.retry_at;
            if early {
                Err(format!("{task:?} is tried again before {:?}", item.retry_at))
            } else {
                Ok(())
            }
        }),
        Fact::AttemptsEnded(ended) => retries(view, ended),
        Fact::AttemptOverran { item } => {
            let run = view.ledger.run(item.run).ok_or("the run is not known")?;
            let limit = run.graph.policy(item.task).timeout.ok_or("it has no time limit")?;
            let record = run.item(item.task, item.item).ok_or("the item is not known")?;
            let started = record.started_at.ok_or("it ran too long and has not started")?;
            if now < started + limit {
                Err(format!("{item:?} is told to end early"))
            } else {
                Ok(())
            }
        }
        Fact::RunStopping { run, cause: StopCause::TimedOut } => {
            let run = view.ledger.run(*run).ok_or("the run is not known")?;
            let limit = run.admitted.timeout.ok_or("the run has no time limit")?;
            if now < run.opened_at + limit {
                Err("the run is stopped early".to_owned())
            } else {
                Ok(())
            }
        }
        Fact::WorkerLost { worker, cause } => loss(view, *worker, *cause),
        _ => Ok(()),
    }
}

fn retries(view: &View<'_>, ended: &AttemptsEnded) -> Result<(), String> {
    let run = view.ledger.run(ended.task.run).ok_or("the run is not known")?;
    let policy = &run.graph.policy(ended.task.task).retry;
    for &(id, _) in &ended.ends {
        let Some(item) = run.item(ended.task.task, id) else { continue };
        // What follows for a member of a gang that has ended was said when it did.
        if item.dismissed {
            continue;
        }
        let (failures, losses) = match run.graph.policy(ended.task.task).gang {
            true => view.ledger.charged(ended.task),
            false => (item.failures, item.losses),
        };
        let over = match ended.outcome {
            Outcome::Lost => losses >= u16::from(policy.loss_limit),
            // It costs nothing, so it has no limit.
            Outcome::Preempted => false,
            outcome if view.ledger.is_failed_trial(ended.task.item(id), outcome) => {
                losses >= u16::from(policy.loss_limit) || policy.limit == 0
            }
            _ => failures >= u16::from(policy.limit),
        };
        let again = matches!(ended.then, Then::Retry { .. });
        if again && over {
            return Err(format!("{:?} is tried more often than it may be", ended.task));
        }
        if let (true, Outcome::Failed(failure)) = (again, ended.outcome)
            && !calls::lets_retry(run.graph.policy(ended.task.task), failure)
        {
            return Err(format!("{:?} is tried again after {failure:?}", ended.task));
        }
        if let Then::Retry { at } = ended.then {
            waits(view, ended.task.item(id), (ended.outcome, at))?;
        }
        let may_follow = matches!(
            ended.outcome,
            Outcome::Lost | Outcome::Preempted | Outcome::Failed(_) | Outcome::TimedOut
        );
        if again && !may_follow {
            return Err(format!("{:?} is tried again after {:?}", ended.task, ended.outcome));
        }
        let late = run.deadline(ended.task.task).is_some_and(|at| at <= view.entry.at);
        let told = item.overran || item.leaving && late;
        if ended.outcome == Outcome::TimedOut && !told {
            return Err(format!("{:?} timed out and was never told to end", ended.task));
        }
    }
    Ok(())
}

/// A retry waits for as long as the attempt before it was asked to, up to an hour.
fn waits(view: &View<'_>, key: ItemKey, (outcome, at): (Outcome, Timestamp)) -> Result<(), String> {
    let token = view.ledger.item(key).map(|item| item.token).unwrap_or_default();
    let process = view.truth.processes.get(&LeaseId { item: key, token });
    let told = |process: &&Process| {
        let failed = process.ended.is_some_and(|(_, really)| really != Outcome::Succeeded);
        failed && !matches!(outcome, Outcome::Lost | Outcome::Preempted)
    };
    let asked = process.filter(told).and_then(|process| process.retry_after);
    let until = view.entry.at + asked.unwrap_or_default().min(RETRY_AFTER_MAX);
    if at >= until {
        return Ok(());
    }
    Err(format!("{key:?} is tried again at {at:?}, it was asked to wait until {until:?}"))
}

/// A worker is given up when it has really been silent for as long as its leases last, or when its
/// node has really begun anew.
fn loss(view: &View<'_>, worker: WorkerId, cause: LossCause) -> Result<(), String> {
    let known = view.ledger.workers.get(&worker).ok_or("the worker is not known")?;
    let dead = view.truth.dead.contains_key(&known.instance);
    match cause {
        LossCause::Expired => {
            let lease = known.lease.ok_or("its leases never end")?;
            let heard = view.truth.heard.get(&known.instance).copied().unwrap_or_default();
            let until = heard + lease;
            let early = view.entry.at < until && !dead;
            if early {
                Err(format!("worker {worker} is given up before {until:?}"))
            } else {
                Ok(())
            }
        }
        LossCause::Replaced | LossCause::DiedWithLeader if dead => Ok(()),
        LossCause::Replaced => Err(format!("worker {worker} is replaced, and it lives")),
        LossCause::DiedWithLeader if known.lease.is_none() => Ok(()),
        LossCause::DiedWithLeader => Err(format!("worker {worker} did not die with a leader")),
    }
}
