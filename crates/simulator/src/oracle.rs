//! The oracle: a sequential model that says how a run may end, from its plan alone.
//!
//! It looks at each task once, with no time, no workers and no faults: an item does what its plan
//! says, a task succeeds when all of its items do, what depends on another end is skipped. What
//! faults or people may change is left open, and nothing else.

use model::fact::StopCause;
use model::policy::{FailurePolicy, Trigger};
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
    let is_bad = |task: TaskId| !run.is_handler(task) && run.tasks[task.0 as usize].bad;
    let failed = run.graph.tasks().any(is_bad);
    let allowed = match run.cause {
        Some(StopCause::Stopped | StopCause::Terminated) => asked,
        Some(StopCause::TimedOut) => plan.timeout.is_some(),
        Some(StopCause::TaskFailed) => plan.failure == FailurePolicy::FailFast && failed,
        None if failed => plan.failure == FailurePolicy::Continue && status == RunStatus::Failed,
        // A failed handler may fail the run.
        None => status == RunStatus::Succeeded || plan.handlers && status == RunStatus::Failed,
    };
    if allowed { Ok(()) } else { Err(format!("a run ended {status} for {:?}", run.cause)) }
}

fn check_task(plan: &RunPlan, run: &Run, task: TaskId, undisturbed: bool) -> Result<(), String> {
    let blocked = run.graph.predecessors(task).any(|from| !is_good(run, from));
    for (index, item) in (0..).zip(run.items_of(task)) {
        let fate = fate(plan, &run.graph, (task, ItemId(index)), undisturbed);
        let allowed = match item.status {
            TaskStatus::Skipped => blocked,
            // A termination may outdo an earlier stop, so all causes can cancel.
            TaskStatus::Cancelled => run.cause.is_some(),
            TaskStatus::Terminated => run.cause == Some(StopCause::Terminated),
            // Who was asked to end may have finished well after all, perhaps in an earlier round.
            TaskStatus::Succeeded => !blocked && (fate != Fate::Fails || item.asked),
            TaskStatus::Failed | TaskStatus::TimedOut => {
                let ended_early = run.cause.is_some() && fate == Fate::Succeeds;
                !blocked
                    && (fate != Fate::Succeeds
                        || run.gave_up
                        || may_fail_when_stopped(item.last, ended_early))
            }
            _ => false,
        };
        if !allowed {
            return Err(format!(
                "item {index} is {}, its fate was {fate:?}, blocked: {blocked}, run: {:?}",
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
    if run.cause == Some(StopCause::Terminated) {
        return Ok(());
    }
    let trigger = run.graph.policy(task).trigger;
    let due = match trigger {
        Trigger::Dependencies => return Ok(()),
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

fn is_good(run: &Run, task: TaskId) -> bool {
    let record = &run.tasks[task.0 as usize];
    record.open == 0 && !record.bad
}
