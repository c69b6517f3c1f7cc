//! What all runs share: circuit breakers, budgets, and queues.

use axum::Json;
use axum::extract::State;
use protocol::api::{BreakerList, BudgetList, QueueList};

use super::Shared;
use super::problem::Refusal;
use crate::views;

pub(super) async fn breakers(State(service): State<Shared>) -> Result<Json<BreakerList>, Refusal> {
    let breakers = service.context.handle.ask(views::breakers).await?;
    Ok(Json(BreakerList { breakers }))
}

pub(super) async fn budgets(State(service): State<Shared>) -> Result<Json<BudgetList>, Refusal> {
    let budgets = service.context.handle.ask(views::budgets).await?;
    Ok(Json(BudgetList { budgets }))
}

pub(super) async fn queues(State(service): State<Shared>) -> Result<Json<QueueList>, Refusal> {
    Ok(Json(service.context.handle.ask(views::queue_list).await?))
}
