//! Changing a run that goes on: other settings, more tasks, tasks that are passed over.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engine::{Answer, Rejection};
use model::fact::{MarkCause, Marked};
use model::limits::OUTPUT_BYTES_MAX;
use model::{IdSet, ItemId, RunId, TaskId, TaskStatus};
use protocol::api::{self, EditPlan, Mark, MarkReport, Part};

use super::Shared;
use super::extract::{Body, Target, task};
use super::problem::{self, Refusal};
use crate::amend::{self, Base, Settings};
use crate::handle::{Gone, Unadmitted, Version};
use crate::views::{self, Side, Subject};

/// How often an edit is made anew because the run was amended meanwhile.
const TRIES: usize = 16;

/// Holds tasks, or some items of one, to have ended.
pub(super) async fn mark(
    State(service): State<Shared>,
    target: Target,
    Body(mark): Body<Mark>,
) -> Result<Json<MarkReport>, Refusal> {
    let output = output(&mark)?;
    let (parts, status) = (mark.tasks, mark.status);
    let check = service.about(target.run, move |subject, view| {
        let run = subject.id;
        if subject.run.status().is_final() {
            return Err(problem::run_ended(run, subject.run.status()));
        }
        let (tasks, items) = chosen(subject, &parts)?;
        problem::check_storage(view.storage)?;
        let (cause, control) = (MarkCause::Person, None);
        Ok(Marked { run, tasks, items, status, cause, control, output: None })
    });
    let marked = check.await?;
    let named = marked.clone();
    let (run, items) = (marked.run, marked.items.as_ref().map(|items| items.len() as u64));
    match service.context.handle.mark(marked, output).await? {
        Answer::Marked { tasks } => {
            Ok(Json(MarkReport { run, marked: items.unwrap_or(tasks as u64), status }))
        }
        Answer::Rejected(Rejection::Begun(_)) if items.is_some() => {
            Err(begun_items(&service, named).await)
        }
        other => Err(refused(&service, run, &other).await),
    }
}

/// Which of the items that were named have begun, or ended.
async fn begun_items(service: &Shared, named: Marked) -> Refusal {
    let run = named.run;
    let look = service.about(run.into(), move |subject, _| {
        let task = TaskId(named.tasks.iter().next().unwrap_or_default());
        let items = named.items.iter().flat_map(IdSet::iter);
        let status = |item| Some((item, subject.run.item(task, ItemId(item))?.status()));
        let waits = |status| matches!(status, TaskStatus::Pending | TaskStatus::Ready);
        let begun = items.filter_map(status).filter(|&(_, status)| !waits(status));
        let begun: Vec<_> = begun.collect();
        let named = named.items.as_ref().map_or(0, IdSet::len);
        Ok((subject.names.task(task), begun.first().copied(), begun.len(), named))
    });
    match look.await {
        Ok((task, Some((item, status)), begun, named)) => {
            problem::begun_items(run, (&task, item), &format!("is {status}"), (begun, named))
        }
        Ok((task, ..)) => problem::begun(run, &task, "has begun"),
        Err(refusal) => refusal,
    }
}

/// The outputs that come with a mark, as they are stored.
fn output(mark: &Mark) -> Result<Option<Vec<u8>>, Refusal> {
    if !matches!(mark.status, TaskStatus::Succeeded | TaskStatus::Failed | TaskStatus::Skipped) {
        let detail = format!("a task cannot be marked as {}", mark.status);
        let hint = "It can be marked as succeeded, failed or skipped.";
        return Err(problem::bad_request(detail).hint(hint));
    }
    let Some(outputs) = &mark.outputs else { return Ok(None) };
    if !matches!(mark.tasks.as_slice(), [Part { items: None, .. }]) {
        return Err(problem::bad_request("outputs are given to one task, not to several"));
    }
    let bytes = serde_json::to_vec(outputs).expect("JSON values by text");
    if bytes.len() > OUTPUT_BYTES_MAX {
        let detail = format!("the outputs are larger than {OUTPUT_BYTES_MAX} bytes");
        return Err(problem::bad_request(detail));
    }
    Ok(Some(bytes))
}

/// The tasks that are named, or the items of the only one.
fn chosen(subject: &Subject<'_>, parts: &[Part]) -> Result<(IdSet, Option<IdSet>), Refusal> {
    match parts {
        [] => Err(problem::bad_request("no task is named")),
        [Part { task: name, items: Some(items) }] => {
            let task = task(subject, name)?;
            let count = subject.run.fan(task).map_or(0, |fan| fan.items().len());
            match items.0.iter().find(|&item| item as usize >= count) {
                Some(item) => Err(problem::no_such_item(subject.id, name, item)),
                None => Ok((IdSet::one(task.0), Some(items.0.clone()))),
            }
        }
        _ => {
            let mut tasks = IdSet::new();
            for part in parts {
                if part.items.is_some() {
                    let detail = "items are named of one task at a time, and nothing beside them";
                    return Err(problem::bad_request(detail));
                }
                tasks.insert(task(subject, &part.task)?.0);
            }
            Ok((tasks, None))
        }
    }
}

/// Changes settings of a run or of a task, or adds tasks.
pub(super) async fn edit(
    State(service): State<Shared>,
    target: Target,
    Body(edit): Body<api::Edit>,
) -> Result<Json<EditPlan>, Refusal> {
    if edit.set.is_empty() && edit.add.is_none() {
        return Err(problem::bad_request("nothing is to be changed")
            .hint("Name what is to be set, such as `priority`, or tasks to add."));
    }
    let run = service.number(target.run).await?;
    for _ in 0..TRIES {
        let (plan, version) = plan(&service, run, &edit).await?;
        if edit.preview {
            return Ok(Json(plan));
        }
        if let Some(first) = plan.refused.first() {
            return Err(problem::begun(run, &first.task, &first.reason));
        }
        let answer = service.context.handle.amend(version).await.map_err(|error| match error {
            Unadmitted::Gone => Refusal::from(Gone),
            Unadmitted::Storage(reason) => problem::not_stored(&reason),
        });
        match answer? {
            Answer::Amended => return Ok(Json(plan)),
            Answer::Rejected(Rejection::Outdated) => {}
            other => return Err(refused(&service, run, &other).await),
        }
    }
    Err(problem::unfit(run, "it is being amended by its own tasks all the time")
        .hint("Try again in a moment."))
}

/// What an edit changes, and the version that it makes from the run as it is now.
async fn plan(
    service: &Shared,
    run: RunId,
    edit: &api::Edit,
) -> Result<(EditPlan, Version), Refusal> {
    let look = service.about(run.into(), move |subject, view| {
        let status = subject.run.status();
        if status.is_final() {
            return Err(problem::run_ended(run, status));
        }
        problem::check_storage(view.storage)?;
        let base = Base::of(view.engine.state(), view.shelf, run);
        base.ok_or_else(|| problem::internal("the text of the run is not there"))
    });
    let base = look.await?;
    let edit = edit.clone();
    let making = tokio::task::spawn_blocking(move || -> Result<_, Refusal> {
        let version = amend::edited(&base, &edit)?;
        let version = base.version(version).map_err(problem::internal)?;
        Ok((base, version))
    });
    let (base, version) =
        making.await.map_err(|_| problem::internal("the making of an edit broke off"))??;
    let after = version.amendment.clone();
    let text = Arc::clone(&version.definition);
    let look = service.about(run.into(), move |subject, _| {
        let before =
            Side { graph: &base.graph, definition: &base.definition, settings: base.settings };
        let settings = Settings {
            priority: after.priority,
            concurrency: after.concurrency,
            cost_limit_micro: after.cost_limit_micro,
        };
        let after = Side { graph: &after.graph, definition: &text, settings };
        Ok(views::edit(subject, &before, &after))
    });
    Ok((look.await?, version))
}

/// The engine's own refusal, with names.
pub(super) async fn refused(service: &Shared, run: RunId, answer: &Answer) -> Refusal {
    let Answer::Rejected(rejection) = answer else {
        return problem::internal(format!("an answer to another question: {answer:?}"));
    };
    match rejection {
        Rejection::UnknownRun(run) => problem::no_such_run(*run),
        Rejection::UnknownTask(task) => problem::no_such_task(run, &format!("task {task}")),
        Rejection::NotEnded(status) => problem::run_not_ended(run, *status),
        Rejection::RunEnded(status) => problem::run_ended(run, *status),
        Rejection::NothingToPreempt => problem::nothing_to_preempt(run),
        Rejection::NothingToRetry => problem::nothing_to_retry(run),
        Rejection::Unfit(reason) => problem::unfit(run, reason),
        Rejection::CostLimit { cost_micro, limit_micro } => {
            problem::cost_limit(run, *cost_micro, *limit_micro)
        }
        Rejection::Begun(task) => {
            let task = *task;
            let look = service.about(run.into(), move |subject, _| {
                Ok((subject.names.task(task), subject.run.task(task).status()))
            });
            match look.await {
                Ok((name, status)) => problem::begun(run, &name, &format!("is {status}")),
                Err(refusal) => refusal,
            }
        }
        other => problem::internal(format!("an answer to another question: {other:?}")),
    }
}
