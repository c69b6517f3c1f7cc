//! Looking at runs, tasks and items.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::State;
use protocol::api::{
    ExplainQuery, Explanation, ItemList, ItemsQuery, RunDetail, RunList, RunsQuery, TasksQuery,
};

use super::Shared;
use super::extract::{Query, Target, page, task};
use super::problem::{self, Refusal};
use crate::views;

pub(super) async fn list(
    State(service): State<Shared>,
    Query(query): Query<RunsQuery>,
) -> Result<Json<RunList>, Refusal> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let (asked, limit) = (query.clone(), page.limit);
    let listed = service.context.handle.ask(move |view| views::list(view, &asked, page)).await?;
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
    Ok(Json(RunList { runs, next }))
}

pub(super) async fn detail(
    State(service): State<Shared>,
    target: Target,
    Query(query): Query<TasksQuery>,
) -> Result<Json<RunDetail>, Refusal> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let look =
        service.about(target.run, move |subject, _| Ok(views::detail(subject, query.status, page)));
    look.await.map(Json)
}

pub(super) async fn items(
    State(service): State<Shared>,
    target: Target,
    Query(query): Query<ItemsQuery>,
) -> Result<Json<ItemList>, Refusal> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let look = service.about(target.run, move |subject, _| {
        let task = task(subject, &target.task)?;
        Ok(views::items(subject, task, query.status, page))
    });
    look.await.map(Json)
}

pub(super) async fn explain(
    State(service): State<Shared>,
    target: Target,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<Explanation>, Refusal> {
    let look = service.about(target.run, move |subject, _| {
        let id = task(subject, &target.task)?;
        views::explain(subject, id, query.item)
            .ok_or_else(|| problem::no_such_item(subject.id, &target.task, query.item.unwrap_or(0)))
    });
    look.await.map(Json)
}
