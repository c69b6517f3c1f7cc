//! What handlers take of a request, each with a problem for what cannot be read.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use http_body_util::LengthLimitError;
use model::TaskId;
use model::limits::WORKFLOW_FILE_BYTES_MAX;
use protocol::api::RunRef;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::{self, Refusal, bad_request};
use crate::views::{Page, Subject};

/// The run and the task that a path names.
pub(super) struct Target {
    /// The run.
    pub run: RunRef,
    /// The task's name; empty where the path has none.
    pub task: String,
}

/// The parameters of a route.
#[derive(Deserialize)]
struct Segments {
    run: String,
    #[serde(default)]
    task: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path(segments) = Path::<Segments>::from_request_parts(parts, state)
            .await
            .map_err(|error| bad_request(error.body_text()))?;
        let Segments { run, task } = segments;
        let run = run.parse().map_err(|error| bad_request(format!("`{run}`: {error}")))?;
        Ok(Self { run, task })
    }
}

/// The query of a request; what it does not say has its default.
pub(super) struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let read = axum::extract::Query::try_from_uri(&parts.uri);
        read.map(|axum::extract::Query(query)| Self(query))
            .map_err(|error| bad_request(error.body_text()))
    }
}

/// The JSON body of a request, whatever its media type says.
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let bytes = axum::body::to_bytes(request.into_body(), WORKFLOW_FILE_BYTES_MAX)
            .await
            .map_err(|error| {
                let source = std::error::Error::source(&error);
                if source.is_some_and(|source| source.is::<LengthLimitError>()) {
                    problem::too_large(WORKFLOW_FILE_BYTES_MAX)
                } else {
                    bad_request(format!("the request broke off: {error}"))
                }
            })?;
        let read = serde_json::from_slice(&bytes);
        read.map(Self).map_err(|error| bad_request(format!("the body is not as expected: {error}")))
    }
}

/// The page that a query asks for.
pub(super) fn page(limit: Option<usize>, cursor: Option<&str>) -> Result<Page, Refusal> {
    Page::new(limit, cursor).ok_or_else(problem::bad_cursor)
}

/// The task of a name.
pub(super) fn task(subject: &Subject<'_>, name: &str) -> Result<TaskId, Refusal> {
    subject.names.find(name).ok_or_else(|| problem::no_such_task(subject.id, name))
}
