//! The oracle: a sequential model that says how a run may end, from its plan alone.
//!
//! It looks at each task once, with no time, no workers and no faults: an item does what its plan
//! says, a task succeeds when all of its items do, what depends on another end is skipped. What
//! faults or people may change is left open, and nothing else.

use model::control::Kind;
use model::fact::StopCause;
use model::outcome::Failure;
use model::policy::Trigger;
use model::{ItemId, Outcome, RunStatus, TaskId, TaskStatus};

use crate::ledger::Run;
use crate::plan::{Plan, RunPlan};
use crate::workload::{Fate, fate};

/// Whether nothing breaks in this plan but the work itself.
#[must_use]
pub fn is_undisturbed(plan: &Plan) -> bool {
    let net = plan.net;
    plan.faults.is_empty()
        && (net.loss, net.duplicate, net.reorder) == (0, 0, 0)
        && plan.disk.unknown == 0
}

/// Holds the end of a run against what the model allows. `asked` is whether a person asked for its
/// end.
///
/// # Errors
/// How it differs.
pub fn check(
    plan: &RunPlan,
    run: &Run,
    status: RunStatus,
    (undisturbed, asked): (bool, bool),
) -> Result<(), String> {
    check_cause(plan, run, status, asked)?;
    for task in run.graph.tasks().filter(|&task| !run.is_handler(task)) {
        check_task(plan, run, task, undisturbed).map_err(|what| format!("task {task}: {what}"))?;
    }
    let handlers = run.graph.tasks().filter(|&task| run.is_handler(task));
    for task in handlers {
        check_handler(run, task, status).map_err(|what| format!("handler {task}: {what}"))?;
    }
    Ok(())
}

fn check_cause(plan: &RunPlan, run: &Run, status: RunStatus, asked: bool) -> Result<(), String> {
    let bad = |task: TaskId| {
        let ends = run.items_of(task).iter().map(|item| item.status);
        // A fan-out without items has an end of its own.
        let ends = ends.chain(run.task(task).end);
        ends.into_iter().any(|end| matches!(end, TaskStatus::Failed | TaskStatus::TimedOut))
    };
    let fast = run.graph.tasks().any(|task| bad(task) && run.fails_fast(task));
    let allowed = match run.cause {
        Some(StopCause::Stopped | StopCause::Terminated) => asked,
        Some(StopCause::TimedOut) => plan.timeout.is_some(),
        Some(StopCause::TaskFailed) => fast,
        // A round that begins at one task keeps the failures of others.
        None => (!fast || run.reopened) && status == run.outcome(),
    };
    if allowed { Ok(()) } else { Err(format!("a run ended {status} for {:?}", run.cause)) }
}

/// What is skipped, answered or settled is so by rules that the ledger has; attempts are held
/// against the plan.
fn check_task(plan: &RunPlan, run: &Run, task: TaskId, undisturbed: bool) -> Result<(), String> {
    let known = run.task(task);
    for (index, item) in (0..).zip(run.items_of(task)) {
        let fate = fate(plan, &run.graph, (task, ItemId(index)), undisturbed);
        let limited = run.graph.policy(task).deadline.is_some();
        let some_marked = run.items_of(task).iter().any(|item| item.marked);
        let allowed = match item.status {
            _ if item.marked => true,
            // What it wrote was refused, and S21 knows whether it had to be.
            TaskStatus::Failed if item.last == Some(Outcome::Failed(Failure::Tasks)) => true,
            TaskStatus::Failed | TaskStatus::TimedOut if limited => true,
            // Items that are retried are skipped when what they rest on did not succeed.
            TaskStatus::Skipped => {
                known.end == Some(TaskStatus::Skipped) || run.only.is_some() || some_marked
            }
            // A termination may outdo an earlier stop, so all causes can cancel; a round that
            // begins at one task leaves others as they were.
            TaskStatus::Cancelled => run.cause.is_some() || run.reopened,
            TaskStatus::Terminated => run.cause == Some(StopCause::Terminated) || run.reopened,
            _ if run.graph.policy(task).kind != Kind::Work || !known.begun => known.end.is_some(),
            // All of its task ended so in a round before, and only others of it ran again since.
            TaskStatus::Failed | TaskStatus::Succeeded if item.with_task => run.reopened,
            // Who was asked to end may have finished well after all, perhaps in an earlier round.
            TaskStatus::Succeeded => fate != Fate::Fails || item.asked || item.returned,
            TaskStatus::Failed | TaskStatus::TimedOut => {
                let was_stopped = run.cause.is_some() || run.reopened;
                let ended_early = was_stopped && fate == Fate::Succeeds;
                fate != Fate::Succeeds
                    || run.gave_up
                    || may_fail_when_stopped(item.last, ended_early)
            }
            _ => false,
        };
        if !allowed {
            return Err(format!(
                "item {index} is {}, its fate was {fate:?}, run: {:?}",
                item.status, run.cause
            ));
        }
    }
    Ok(())
}

/// An attempt that fails in a run which is being stopped is not tried again.
fn may_fail_when_stopped(last: Option<Outcome>, ended_early: bool) -> bool {
    ended_early && matches!(last, Some(Outcome::Failed(_) | Outcome::Lost | Outcome::TimedOut))
}

fn check_handler(run: &Run, task: TaskId, status: RunStatus) -> Result<(), String> {
    let ran = run.items_of(task).iter().all(|item| {
        !matches!(item.status, TaskStatus::Skipped | TaskStatus::Terminated | TaskStatus::Cancelled)
    });
    let marked = run.items_of(task).iter().any(|item| item.marked);
    if run.cause == Some(StopCause::Terminated) || marked {
        return Ok(());
    }
    let trigger = run.graph.policy(task).trigger;
    let due = match trigger {
        // Whether these are due is known when they are released (S3, S18).
        Trigger::Dependencies | Trigger::Compensation { .. } | Trigger::Finally => return Ok(()),
        Trigger::Success => status == RunStatus::Succeeded,
        Trigger::Failure => status == RunStatus::Failed,
        Trigger::Cancel => status == RunStatus::Cancelled,
        Trigger::Exit => true,
    };
    // A run may be stopped, or a handler fail, between the choice of handlers and the end.
    let settled = run.cause.is_none() && status == RunStatus::Succeeded;
    if due == ran || !settled {
        return Ok(());
    }
    Err(format!("{trigger:?} ran: {ran}, and the run is {status}"))
}
