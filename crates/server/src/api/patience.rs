//! No question waits for ever. An answer is told when what it was made from is durable; while the
//! disk takes nothing, that may never be, and whoever asked is told so instead.
//!
//! Only for questions: whoever asks for a change must learn what became of it.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::problem;

/// How long an answer may wait for the disk. A stream counts until it begins.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn bounded(
    State(service): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let mut answer = std::pin::pin!(next.run(request));
    if let Ok(response) = tokio::time::timeout(PATIENCE, &mut answer).await {
        return response;
    }
    // Only the disk is a reason to give up; a driver that is busy will answer.
    let handle = &service.context.handle;
    match handle.peek(|view| problem::check_storage(view.storage)).await {
        Ok(Err(refusal)) => refusal.into_response(),
        Ok(Ok(())) => answer.await,
        Err(gone) => problem::Refusal::from(gone).into_response(),
    }
}
