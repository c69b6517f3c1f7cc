//! Taking away what ended runs have left, or saying what would go.

use axum::Json;
use axum::extract::State;
use model::Span;
use protocol::api::{Gc, GcReport, Storage};
use tokio::sync::oneshot;

use super::Shared;
use super::extract::Body;
use super::problem::{self, Refusal, bad_request};
use crate::follower::{Collect, Word};
use crate::handle::Gone;
use crate::retention::Keep;

/// Seconds of a day.
const DAY: u64 = 86_400;
/// Days that may be asked for: a hundred years.
const DAYS_MAX: u64 = 36_525;

pub(super) async fn gc(
    State(service): State<Shared>,
    Body(gc): Body<Gc>,
) -> Result<Json<GcReport>, Refusal> {
    if gc.keep_runs == Some(0) || gc.keep_days.is_some_and(|days| days == 0 || days > DAYS_MAX) {
        let detail = format!("keep_runs is 1 or more, keep_days 1 to {DAYS_MAX}");
        return Err(bad_request(detail));
    }
    let Some(follower) = &service.context.follower else {
        problem::check_storage(Storage::ReadOnly)?;
        return Err(Gone.into());
    };
    let age = gc.keep_days.map(|days| Span::secs(days * DAY));
    let keep = Keep { runs: gc.keep_runs, age, ..Keep::default() };
    let (reply, answer) = oneshot::channel();
    let collect = Collect { keep, is_preview: gc.preview, reply };
    follower.send(Word::Collect(collect)).map_err(|_| Gone)?;
    let report = answer.await.map_err(|_| Gone)?;
    report.map(Json).map_err(|reason| problem::not_collected(&reason))
}
