//! Looking at runs, tasks and items.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::State;
use model::{ItemId, RunId, Seq, TaskId, TaskKey, TaskStatus};
use protocol::api::{
    ExplainQuery, Explanation, ItemList, ItemsQuery, RunDetail, RunList, RunsQuery, TaskSummary,
    TasksQuery,
};

use super::Shared;
use super::extract::{Query, Target, page, task};
use super::problem::{self, Refusal};
use super::reasons::Facts;
use super::source::Source;
use super::stored::{Stored, blocking};
use crate::handle::View;
use crate::sources::Given;
use crate::views::{self, Names, Subject};

pub(super) async fn list(
    State(service): State<Shared>,
    Query(query): Query<RunsQuery>,
) -> Result<Json<RunList>, Refusal> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let (asked, limit) = (query.clone(), page.limit);
    let look = move |view: &View<'_>| (views::list(view, &asked, page), views::tenants(view));
    let (listed, tenants) = service.context.handle.ask(look).await?;
    // Memory was asked first: what leaves it from now on is in both, and left out here.
    let older = service.consult(move |history| {
        history.list(&query, page.from, &listed.in_memory, limit + 1).map(|older| (listed, older))
    });
    let (listed, older) = older.await?;
    let mut runs = listed.runs;
    runs.extend(older);
    runs.sort_unstable_by_key(|run| Reverse(run.run));
    let next = runs.get(limit).map(|next| next.run.to_string());
    runs.truncate(limit);
    Ok(Json(RunList { runs, next, tenants }))
}

pub(super) async fn detail(
    State(service): State<Shared>,
    target: Target,
    Query(query): Query<TasksQuery>,
) -> Result<Json<RunDetail>, Refusal> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let look = service.find(target.run, move |subject, _| {
        let detail = views::detail(subject, query.status, page);
        let tasks = detail.tasks.iter().map(|task| TaskId(task.id));
        let reasons = tasks.map(|task| views::reason_at(subject, task, None)).collect::<Vec<_>>();
        let run = subject.run;
        let seen = (subject.id, run.admitted_seq(), run.admitted().identity);
        Ok((detail, reasons, seen))
    });
    let ((mut detail, reasons, (run, admitted, identity)), source) = look.await?;
    let context = service.context.clone();
    let given = blocking(move || Stored::open(&context)?.object(&identity)).await?;
    let given = given.and_then(|bytes| Given::from_bytes(&bytes));
    detail.forked_from = given.and_then(|given| given.fork_of).map(RunId);
    note_unrun(&service, (run, admitted, source.clone()), &mut detail.tasks).await;
    let reasons = service.reasons(reasons, Facts { run, source, admitted }).await;
    detail.tasks.iter_mut().zip(reasons).for_each(|(task, reason)| task.reason = reason);
    Ok(Json(detail))
}

pub(super) async fn items(
    State(service): State<Shared>,
    target: Target,
    Query(query): Query<ItemsQuery>,
) -> Result<Json<ItemList>, Refusal> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let look = service.find(target.run, move |subject, _| {
        let task = task(subject, &target.task)?;
        let list = views::items(subject, task, query.status, page);
        let items = list.items.iter().map(|item| ItemId(item.item));
        let reasons = items.map(|item| views::reason_at(subject, task, Some(item))).collect();
        let again = (subject.run.task(task).round().0 > 0).then_some((subject.id, task));
        let left = (views::with_outputs(subject, task, &list), made(subject, task));
        Ok((list, reasons, again, left, (subject.id, subject.run.admitted_seq())))
    });
    let ((mut list, reasons, again, left, (run, admitted)), source) = look.await?;
    let (outputs, made) = left;
    service.lay_outputs(outputs, &mut list).await;
    if let Some((names, task)) = made {
        list.decided = service.decided(names, task).await;
    }
    if let Some(task) = again {
        list.rounds = service.rounds(task, source.clone(), admitted).await;
    }
    let reasons = service.reasons(reasons, Facts { run, source, admitted }).await;
    list.items.iter_mut().zip(reasons).for_each(|(item, reason)| item.reason = reason);
    Ok(Json(list))
}

pub(super) async fn explain(
    State(service): State<Shared>,
    target: Target,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<Explanation>, Refusal> {
    if let Some(moment) = query.at {
        return service.explain_at(target, query.item, moment).await.map(Json);
    }
    let look = service.find(target.run, move |subject, _| {
        let id = task(subject, &target.task)?;
        let explanation = views::explain(subject, id, query.item).ok_or_else(|| {
            problem::no_such_item(subject.id, &target.task, query.item.unwrap_or(0))
        })?;
        let reason = views::reason_at(subject, id, explanation.item.map(ItemId));
        let route = subject.run.route(id).map(|route| subject.names.route(id, route));
        let made = made(subject, id).zip(route);
        Ok((explanation, reason, made, (subject.id, subject.run.admitted_seq())))
    });
    let ((mut explanation, reason, made, (run, admitted)), source) = look.await?;
    if let Some(((names, task), route)) = made
        && let Some(decided) = service.decided(names, task).await
    {
        explanation.summary = format!("it has decided: {}", views::decided(&decided, route));
        explanation.decided = Some(decided);
    }
    let reasons = service.reasons(vec![reason], Facts { run, source, admitted }).await;
    explanation.reason = reasons.into_iter().next().flatten();
    Ok(Json(explanation))
}

/// A task that has succeeded, which may be a decision that was made.
fn made(subject: &Subject<'_>, task: TaskId) -> Option<(Names, TaskKey)> {
    let has_succeeded = subject.run.task(task).status() == TaskStatus::Succeeded;
    has_succeeded.then(|| (subject.names.clone(), subject.key(task)))
}

/// Notes why tasks have ended that were never run. Facts are read only if there is such a task.
async fn note_unrun(
    service: &Shared,
    (run, admitted, source): (RunId, Seq, Source),
    tasks: &mut [TaskSummary],
) {
    let is_unrun = |task: &&mut TaskSummary| {
        task.attempts == 0 && matches!(task.status, TaskStatus::Succeeded | TaskStatus::Failed)
    };
    let unrun: Vec<_> = tasks.iter_mut().filter(is_unrun).collect();
    if unrun.is_empty() {
        return;
    }
    let ids: Vec<TaskId> = unrun.iter().map(|task| TaskId(task.id)).collect();
    let notes = service.aside((run, admitted), source, move |aside| {
        ids.into_iter().map(|task| aside.note(task).map(str::to_owned)).collect::<Vec<_>>()
    });
    let notes = notes.await.unwrap_or_default();
    unrun.into_iter().zip(notes).for_each(|(task, note)| task.note = note);
}
