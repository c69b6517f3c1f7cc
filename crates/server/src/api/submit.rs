//! Submissions: what becomes of a file that may have been submitted before.
//!
//! A file with the same canonical path, parameters and environment is the same thing. While a run
//! of it has not ended, submitting it again means that run; two such submissions at once must make
//! one run. The engine sees to that by idempotency keys: a submission without one gets a key made
//! of what it is and of the run of it that came before, which both of two rivals find the same.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use engine::Answer;
use engine::state::Run;
use model::queue::{DEFAULT_QUEUE, QueueTree, SEPARATOR};
use model::{Digest, RunId, TaskStatus, Timestamp};
use protocol::api::{Disposition, IDEMPOTENCY_KEY, Submit, Submitted};

use super::Shared;
use super::extract::Body;
use super::problem::{self, Refusal, bad_request};
use crate::handle::{Gone, Unadmitted, View};
use crate::submission::{self, Prepared};
use crate::views::plural;

/// Bytes of an idempotency key.
const KEY_BYTES_MAX: usize = 256;

pub(super) async fn submit(
    State(service): State<Shared>,
    headers: HeaderMap,
    Body(submit): Body<Submit>,
) -> Result<(StatusCode, Json<Submitted>), Refusal> {
    let key = given_key(&headers, &submit)?;
    let is_new = submit.new;
    let prepared =
        tokio::task::spawn_blocking(move || submission::prepare(&submit).map_err(Refusal::from))
            .await
            .map_err(|_| problem::internal("the check of the workflow file broke off"))??;
    let Prepared { mut admission, identity, content, name } = prepared;
    let wanted = Wanted { identity, content, key, is_new, since: service.context.since };

    let handle = &service.context.handle;
    let queue = admission.run.queue.clone();
    let find = move |view: &View<'_>| -> Result<Found, Refusal> {
        let found = wanted.find(view)?;
        // A run that is there stays where it is, whatever is set by now.
        if let Found::Nothing { .. } = found {
            queue_is_there(&view.engine.rules().queues, &queue)?;
        }
        Ok(found)
    };
    let found = handle.ask(find).await??;
    let key = match found {
        Found::Run(submitted) => return Ok((StatusCode::CREATED, Json(submitted))),
        Found::Nothing { key } => key,
    };
    admission.run.key = key;
    let answer = handle.admit(admission).await.map_err(|error| match error {
        Unadmitted::Gone => Refusal::from(Gone),
        Unadmitted::Storage(reason) => problem::not_stored(&reason),
    });
    match answer? {
        Answer::Admitted { run, again: false } => {
            let note = format!("run {run} of {name} was accepted");
            let disposition = Disposition::New;
            let submitted = Submitted { run, name, disposition, note };
            Ok((StatusCode::CREATED, Json(submitted)))
        }
        // Somebody else was quicker with the same key.
        Answer::Admitted { run, again: true } => {
            let look =
                service.about(run.into(), move |subject, _| wanted.answer(subject.id, subject.run));
            look.await.map(|submitted| (StatusCode::CREATED, Json(submitted)))
        }
        other => Err(problem::internal(format!("an answer to another question: {other:?}"))),
    }
}

/// Runs stand in queues that are set and have none below them. Where none is set, all are one.
fn queue_is_there(tree: &QueueTree, queue: &str) -> Result<(), Refusal> {
    if tree.takes_runs(queue) {
        return Ok(());
    }
    let above = tree.find(queue);
    let within = |path: &str| match above {
        Some(_) => path.strip_prefix(queue).is_some_and(|rest| rest.starts_with(SEPARATOR)),
        None => true,
    };
    let paths = tree.queues.iter().map(|it| &*it.path).chain(
        // It is there whether it is set or not.
        tree.find(DEFAULT_QUEUE).is_none().then_some(DEFAULT_QUEUE),
    );
    let within: Vec<&str> = paths.filter(|path| within(path) && tree.takes_runs(path)).collect();
    let detail = match above {
        Some(_) => format!("the queue `{queue}` has queues of its own"),
        None => format!("there is no queue `{queue}`"),
    };
    let named: Vec<String> = within.iter().take(8).map(|path| format!("`{path}`")).collect();
    let more = if within.len() > named.len() { ", and others: `autoglm get queues`" } else { "" };
    Err(problem::no_such_queue(detail, format!("name one of {}{more}", named.join(", "))))
}

/// The idempotency key of the header or the body, hashed.
fn given_key(headers: &HeaderMap, submit: &Submit) -> Result<Option<Digest>, Refusal> {
    let header = match headers.get(IDEMPOTENCY_KEY).map(|value| value.to_str()) {
        Some(Err(_)) => return Err(bad_request("the idempotency key is no plain text")),
        Some(Ok(text)) => Some(text),
        None => None,
    };
    let field = submit.idempotency_key.as_deref();
    if let (Some(header), Some(field)) = (header, field)
        && header != field
    {
        return Err(bad_request("header and body name different idempotency keys"));
    }
    let Some(key) = header.or(field) else { return Ok(None) };
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        let detail = format!("an idempotency key has 1 to {KEY_BYTES_MAX} bytes");
        return Err(bad_request(detail));
    }
    Ok(Some(hash("given", &[key.as_bytes()])))
}

/// A hash of some parts, of different meaning for each `kind`.
fn hash(kind: &str, parts: &[&[u8]]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for part in [kind.as_bytes()].iter().chain(parts) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    Digest(*hasher.finalize().as_bytes())
}

/// What is submitted, for comparison with the runs that there are.
#[derive(Clone, Copy)]
struct Wanted {
    identity: Digest,
    content: Digest,
    key: Option<Digest>,
    is_new: bool,
    /// When this process began to hold the state: runs accepted before are resumed by it.
    since: Timestamp,
}

enum Found {
    /// It is this run.
    Run(Submitted),
    /// It is none yet: admit it with this key.
    Nothing { key: Option<Digest> },
}

impl Wanted {
    fn find(&self, view: &View<'_>) -> Result<Found, Refusal> {
        let state = view.engine.state();
        let named = self.key.and_then(|key| state.run_by_key(&key));
        if let Some((id, run)) = named.and_then(|id| Some((id, state.run(id)?))) {
            return self.answer(id, run).map(Found::Run);
        }
        let mut before = None;
        if !self.is_new {
            let same =
                state.runs().rev().filter(|(_, run)| run.admitted().identity == self.identity);
            for (id, run) in same {
                before = before.or(Some(id));
                if !run.status().is_final() {
                    return self.answer(id, run).map(Found::Run);
                }
            }
        }
        problem::check_storage(view.storage)?;
        let before = before.unwrap_or(RunId(0)).0.to_le_bytes();
        let derived = hash("derived", &[&self.identity.0, &before]);
        Ok(Found::Nothing { key: self.key.or((!self.is_new).then_some(derived)) })
    }

    /// The answer when the submission means this run.
    fn answer(&self, id: RunId, run: &Run) -> Result<Submitted, Refusal> {
        let admitted = run.admitted();
        let is_same = admitted.identity == self.identity && admitted.content == self.content;
        if !is_same {
            let is_named = self.key.is_some() && admitted.key == self.key;
            return Err(if is_named {
                problem::key_reused(id)
            } else {
                problem::content_changed(id)
            });
        }
        let is_resumed = !run.status().is_final() && run.admitted_at() < self.since;
        let (disposition, note) = if is_resumed {
            (Disposition::Resumed, resumed(id, run))
        } else {
            (Disposition::Attached, format!("run {id} is of the same file and parameters"))
        };
        Ok(Submitted { run: id, name: admitted.name.as_ref().to_owned(), disposition, note })
    }
}

fn resumed(id: RunId, run: &Run) -> String {
    let done = u64::from(run.items().of(TaskStatus::Succeeded));
    let total = plural(u64::from(run.items().total()), "item");
    format!("run {id} goes on where it stopped: {done} of {total} had succeeded")
}
