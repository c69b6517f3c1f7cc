//! Pausing a run, ending it before it is done, and running it once more.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::Answer;
use model::fact::StopCause;
use model::{IdSet, RunId, TaskId, TaskKey};
use protocol::api::{
    Items, Part, Preempt, Preempted, Retry, RetryPlan, RunSummary, Stop, StopMode,
};

use super::Shared;
use super::change::refused;
use super::extract::{Body, Target, task};
use super::problem::{self, Refusal};
use crate::views::{self, Subject};

pub(super) async fn stop(
    State(service): State<Shared>,
    target: Target,
    Body(stop): Body<Stop>,
) -> Result<(StatusCode, Json<RunSummary>), Refusal> {
    let run = may_change(&service, target).await?;
    let cause = match stop.kind {
        StopMode::Stop => StopCause::Stopped,
        StopMode::Terminate => StopCause::Terminated,
    };
    match service.context.handle.stop(run, cause).await? {
        Answer::Stopping { .. } => {}
        other => return Err(refused(&service, run, &other).await),
    }
    told(&service, run).await
}

pub(super) async fn pause(
    State(service): State<Shared>,
    target: Target,
) -> Result<(StatusCode, Json<RunSummary>), Refusal> {
    let run = may_change(&service, target).await?;
    match service.context.handle.pause(run).await? {
        Answer::Paused => told(&service, run).await,
        other => Err(refused(&service, run, &other).await),
    }
}

pub(super) async fn resume(
    State(service): State<Shared>,
    target: Target,
) -> Result<(StatusCode, Json<RunSummary>), Refusal> {
    let run = may_change(&service, target).await?;
    match service.context.handle.resume(run).await? {
        Answer::Resumed => told(&service, run).await,
        other => Err(refused(&service, run, &other).await),
    }
}

pub(super) async fn preempt(
    State(service): State<Shared>,
    target: Target,
    Body(Preempt { task: part }): Body<Preempt>,
) -> Result<(StatusCode, Json<Preempted>), Refusal> {
    let run = may_change(&service, target).await?;
    let look = service.about(run.into(), move |subject, _| match part.items {
        None => Ok((task(subject, &part.task)?, None)),
        Some(_) => some_items(subject, part).map(|(task, items)| (task, Some(items))),
    });
    let (task, items) = look.await?;
    match service.context.handle.preempt(TaskKey { run, task }, items).await? {
        Answer::Preempted { items } => {
            let preempted = Preempted { run, preempted: items as u64 };
            Ok((StatusCode::ACCEPTED, Json(preempted)))
        }
        other => Err(refused(&service, run, &other).await),
    }
}

/// A run that has not ended, when facts can be stored.
async fn may_change(service: &Shared, target: Target) -> Result<RunId, Refusal> {
    let look = service.about(target.run, |subject, view| {
        let status = subject.run.status();
        if status.is_final() {
            return Err(problem::run_ended(subject.id, status));
        }
        problem::check_storage(view.storage)?;
        Ok(subject.id)
    });
    look.await
}

/// Where a run stands that has heard what it was told.
async fn told(service: &Shared, run: RunId) -> Result<(StatusCode, Json<RunSummary>), Refusal> {
    let summary = service.about(run.into(), |subject, _| Ok(views::summary(subject))).await?;
    Ok((StatusCode::ACCEPTED, Json(summary)))
}

pub(super) async fn retry(
    State(service): State<Shared>,
    target: Target,
    Body(retry): Body<Retry>,
) -> Result<Json<RetryPlan>, Refusal> {
    let Retry { from, items, preview } = retry;
    if from.is_some() && items.is_some() {
        return Err(problem::bad_request("a retry begins at a task or at items of one, not both"));
    }
    let run = service.number(target.run).await?;
    let look = service.in_memory(run, move |subject, view| {
        let status = subject.run.status();
        if !status.is_final() {
            return Err(problem::run_not_ended(subject.id, status));
        }
        let from = from.map(|name| task(subject, &name)).transpose()?;
        let some = items.map(|part| some_items(subject, part)).transpose()?;
        let plan = match &some {
            Some((task, items)) => views::retry_items(subject, *task, items),
            None => views::retry(subject, from),
        };
        if plan.tasks_total == 0 {
            return Err(problem::nothing_to_retry(subject.id));
        }
        if !preview {
            problem::check_storage(view.storage)?;
        }
        Ok((plan, from, some))
    });
    let Ok((plan, from, some)) = look.await? else {
        // Found by its number alone: it is not in memory, or it would not have been given back.
        let look = service.about(run.into(), |subject, _| Ok(subject.names.path()));
        return Err(problem::archived(run, &look.await?));
    };
    if !preview {
        let handle = &service.context.handle;
        let answer = match some {
            Some((task, items)) => handle.retry_items(TaskKey { run, task }, items).await?,
            None => handle.retry(plan.run, from).await?,
        };
        match answer {
            Answer::Reopened { .. } => {}
            other => return Err(refused(&service, plan.run, &other).await),
        }
    }
    Ok(Json(plan))
}

/// The items that are named; those of a task without a fan-out are none.
fn some_items(subject: &Subject<'_>, part: Part) -> Result<(TaskId, IdSet), Refusal> {
    let id = task(subject, &part.task)?;
    let Some(Items(items)) = part.items else {
        return Err(problem::bad_request(format!("no items of `{}` are named", part.task))
            .hint(format!("Name them by their numbers: {}[0-9,12].", part.task)));
    };
    let count = subject.run.fan(id).map_or(0, |fan| fan.items().len());
    let missing = items.iter().find(|&item| item as usize >= count);
    match missing {
        Some(item) => Err(problem::no_such_item(subject.id, &part.task, item)),
        None => Ok((id, items)),
    }
}
