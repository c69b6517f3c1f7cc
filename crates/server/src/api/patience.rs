//! No question waits for ever. An answer is told when what it was made from is durable. If the disk
//! takes nothing any more before that, it is asked once more: then what is durable already answers.
//!
//! Only for questions: whoever asks for a change must learn what became of it.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::problem;

/// How long an answer may wait for the disk, each time. A stream counts until it begins.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn bounded(
    State(service): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    // A question has no body.
    let again = Request::from_parts(parts.clone(), Body::empty());
    let mut answer = std::pin::pin!(next.clone().run(Request::from_parts(parts, body)));
    if let Ok(response) = tokio::time::timeout(PATIENCE, &mut answer).await {
        return response;
    }
    // Only the disk is a reason to give up; a driver that is busy will answer.
    if is_stored(&service).await.is_ok() {
        return answer.await;
    }
    if let Ok(response) = tokio::time::timeout(PATIENCE, next.run(again)).await {
        return response;
    }
    match is_stored(&service).await {
        Ok(()) => answer.await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Whether what is decided can be stored at the moment.
async fn is_stored(service: &Shared) -> Result<(), problem::Refusal> {
    service.context.handle.peek(|view| problem::check_storage(view.storage)).await?
}
