//! Ending a run before it is done, and running it once more.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::{Answer, Rejection};
use model::RunId;
use model::fact::StopCause;
use protocol::api::{Retry, RetryPlan, RunSummary, Stop, StopMode};

use super::Shared;
use super::extract::{Body, Target, task};
use super::problem::{self, Refusal};
use crate::views;

pub(super) async fn stop(
    State(service): State<Shared>,
    target: Target,
    Body(stop): Body<Stop>,
) -> Result<(StatusCode, Json<RunSummary>), Refusal> {
    let check = service.about(target.run, |subject, view| {
        let status = subject.run.status();
        if status.is_final() {
            return Err(problem::run_ended(subject.id, status));
        }
        problem::check_storage(view.storage)?;
        Ok(subject.id)
    });
    let run = check.await?;
    let cause = match stop.kind {
        StopMode::Stop => StopCause::Stopped,
        StopMode::Terminate => StopCause::Terminated,
    };
    match service.context.handle.stop(run, cause).await? {
        Answer::Stopping { .. } => {}
        other => return Err(rejected(run, &other)),
    }
    let summary = service.about(run.into(), |subject, _| Ok(views::summary(subject))).await?;
    Ok((StatusCode::ACCEPTED, Json(summary)))
}

pub(super) async fn retry(
    State(service): State<Shared>,
    target: Target,
    Body(retry): Body<Retry>,
) -> Result<Json<RetryPlan>, Refusal> {
    let preview = retry.preview;
    let run = service.number(target.run).await?;
    let look = service.in_memory(run, move |subject, view| {
        let status = subject.run.status();
        if !status.is_final() {
            return Err(problem::run_not_ended(subject.id, status));
        }
        let from = retry.from.map(|name| task(subject, &name)).transpose()?;
        let plan = views::retry(subject, from);
        if plan.tasks_total == 0 {
            return Err(problem::nothing_to_retry(subject.id));
        }
        if !preview {
            problem::check_storage(view.storage)?;
        }
        Ok((plan, from))
    });
    let Ok((plan, from)) = look.await? else {
        // Found by its number alone: it is not in memory, or it would not have been given back.
        let look = service.about(run.into(), |subject, _| Ok(subject.names.path()));
        return Err(problem::archived(run, &look.await?));
    };
    if !preview {
        match service.context.handle.retry(plan.run, from).await? {
            Answer::Reopened { .. } => {}
            other => return Err(rejected(plan.run, &other)),
        }
    }
    Ok(Json(plan))
}

/// The engine's own refusal: the state has changed since it was looked at.
fn rejected(run: RunId, answer: &Answer) -> Refusal {
    match answer {
        Answer::Rejected(Rejection::UnknownRun(run)) => problem::no_such_run(*run),
        Answer::Rejected(Rejection::UnknownTask(task)) => {
            problem::no_such_task(run, &format!("task {task}"))
        }
        Answer::Rejected(Rejection::NotEnded(status)) => problem::run_not_ended(run, *status),
        Answer::Rejected(Rejection::NothingToRetry) => problem::nothing_to_retry(run),
        other => problem::internal(format!("an answer to another question: {other:?}")),
    }
}
