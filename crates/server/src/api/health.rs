//! Who holds the state folder, and how it and the processes of functions fare.

use axum::Json;
use axum::extract::State;
use protocol::api::{Health, PoolList, Time};

use super::Shared;
use super::problem::Refusal;
use crate::handle::View;

pub(super) async fn health(State(service): State<Shared>) -> Result<Json<Health>, Refusal> {
    let context = &service.context;
    let look = context.handle.peek(|view| {
        let state = view.engine.state();
        (view.storage, state.runs().count() - state.ended().len())
    });
    let (storage, runs_active) = look.await?;
    Ok(Json(Health {
        pid: std::process::id(),
        version: context.version.to_owned(),
        epoch: context.epoch.0,
        home: context.home.root().to_string_lossy().into_owned(),
        since: Time(context.since),
        storage,
        runs_active: runs_active as u64,
    }))
}

pub(super) async fn pools(State(service): State<Shared>) -> Result<Json<PoolList>, Refusal> {
    let look = |view: &View<'_>| view.pools.iter().map(Into::into).collect();
    let pools = service.context.handle.peek(look).await?;
    Ok(Json(PoolList { pools }))
}
