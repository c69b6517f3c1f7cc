//! What the tasks of a run have left: the list of it from their outputs, and the content of each.
//!
//! Outputs are read where they are stored, on threads that may wait for the disk.

use std::fs::File;
use std::io::{self, Read};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use http_body_util::channel::{Channel, Sender};
use model::{ItemId, ItemKey, TaskKey};
use protocol::api::{Artifact, ArtifactList, ArtifactsQuery};
use spec::Artifact as Left;

use super::Shared;
use super::extract::{Query, Target, task};
use super::problem::{self, Refusal};
use super::stream::Cut;

/// Artifacts in one answer.
const ARTIFACTS_MAX: usize = 10_000;
/// Outputs that are looked at for one answer.
const OUTPUTS_MAX: usize = 100_000;
/// Bytes that are sent at once, and how many such pieces are on their way to a slow client.
const PIECE_BYTES: usize = 256 << 10;
const PIECES_MAX: usize = 4;

/// The items of a task that may have left something.
struct Source {
    task: String,
    is_fan_out: bool,
    items: Vec<ItemKey>,
}

pub(super) async fn list(
    State(service): State<Shared>,
    target: Target,
    Query(query): Query<ArtifactsQuery>,
) -> Result<Json<ArtifactList>, Refusal> {
    let look = service.about(target.run, move |subject, _| {
        let only = query.task.as_deref().map(|name| task(subject, name)).transpose()?;
        let mut sources = Vec::new();
        let mut left = OUTPUTS_MAX;
        for id in subject.run.graph().tasks() {
            if only.is_some_and(|only| only != id) || !subject.names.has_artifacts(id) {
                continue;
            }
            let fan = subject.run.fan(id);
            let count = fan.map_or(1, |fan| fan.items().len()).min(left);
            left -= count;
            let key = TaskKey { run: subject.id, task: id };
            let items = (0..).take(count).map(|item| key.item(ItemId(item)));
            let items = items.collect();
            sources.push(Source { task: subject.names.task(id), is_fan_out: fan.is_some(), items });
        }
        Ok((subject.id, sources, left == 0))
    });
    let (run, sources, is_cut) = look.await?;
    let read = service.consult(move |history| {
        let mut artifacts = Vec::new();
        for source in &sources {
            let outputs = history.outputs(&source.items)?;
            for (item, bytes) in source.items.iter().zip(outputs) {
                let outputs = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
                let all = outputs.as_ref().map(Left::all_of).unwrap_or_default();
                artifacts.extend(all.into_iter().map(|(name, left)| Artifact {
                    task: source.task.clone(),
                    item: source.is_fan_out.then_some(item.item.0),
                    name,
                    path: left.path,
                    digest: left.digest,
                    bytes: left.bytes,
                    executable: left.executable,
                }));
                if artifacts.len() > ARTIFACTS_MAX {
                    return Ok(artifacts);
                }
            }
        }
        Ok(artifacts)
    });
    let mut artifacts = read.await?;
    let more = is_cut || artifacts.len() > ARTIFACTS_MAX;
    artifacts.truncate(ARTIFACTS_MAX);
    Ok(Json(ArtifactList { run, artifacts, more }))
}

/// The content of an artifact, as it is stored. Who receives it can hold it against its name.
pub(super) async fn content(
    State(service): State<Shared>,
    Path(digest): Path<String>,
) -> Result<Response, Refusal> {
    let is_name = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_name {
        return Err(problem::bad_request(format!("`{digest}` is not the name of an artifact")));
    }
    let (first, rest) = digest.split_at(2);
    let path = service.context.home.artifacts().join(first).join(rest);
    let opened = tokio::task::spawn_blocking(move || {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok::<_, io::Error>((file, length))
    });
    let opened = opened.await.map_err(|_| problem::internal("a thread that reads broke off"))?;
    let (file, length) = opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => problem::no_such_artifact(&digest),
        _ => problem::internal(format!("the artifact cannot be read: {error}")),
    })?;
    let (sender, body) = Channel::new(PIECES_MAX);
    tokio::spawn(send(file, sender));
    let length = [(header::CONTENT_LENGTH, length)];
    Ok((length, Body::new(body)).into_response())
}

async fn send(mut file: File, mut sender: Sender<Bytes, Cut>) {
    loop {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; PIECE_BYTES];
            let length = file.read(&mut piece)?;
            piece.truncate(length);
            Ok::<_, io::Error>((file, piece))
        });
        let piece = match read.await {
            Ok(Ok((rest, piece))) => {
                file = rest;
                piece
            }
            _ => return sender.abort(Cut::Ending),
        };
        if piece.is_empty() || sender.send_data(piece.into()).await.is_err() {
            return;
        }
    }
}
