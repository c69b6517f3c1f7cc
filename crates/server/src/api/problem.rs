//! Refusals: problem details (RFC 9457) with a code, what is wrong, and what to do.

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use model::code::Code;
use model::limits::ENDED_RUNS_MAX;
use model::{RunId, RunStatus, Seq};
use protocol::api::{PROBLEM_JSON, Problem, Storage, Time, code};
use stores::StoreError;

use crate::handle::Gone;
use crate::views::money;

/// Why a request is not answered as asked.
#[derive(Debug)]
pub(crate) struct Refusal(Box<Problem>);

impl Refusal {
    fn new(status: StatusCode, code: Code, title: &str, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem {
            status: status.as_u16(),
            code: code.to_string(),
            title: title.to_owned(),
            detail: detail.into(),
            ..Problem::default()
        }))
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    fn run(mut self, run: RunId) -> Self {
        self.0.run = Some(run.0);
        self
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<Box<Problem>> for Refusal {
    fn from(problem: Box<Problem>) -> Self {
        Self(problem)
    }
}

impl From<Gone> for Refusal {
    fn from(_: Gone) -> Self {
        let detail = "the process that holds the state folder is ending";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code::INTERNAL, "The holder is ending", detail)
            .hint("Send the request again: another process will hold the folder.")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.0)).into_response();
        let kind = HeaderValue::from_static(PROBLEM_JSON);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

pub(super) fn bad_request(detail: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, code::BAD_REQUEST, "The request is malformed", detail)
}

pub(super) fn bad_cursor() -> Refusal {
    bad_request("the cursor is none that this server gave")
        .hint("Leave it out to begin with the first page.")
}

pub(super) fn too_large(bytes_max: usize) -> Refusal {
    let detail = format!("the request is larger than {bytes_max} bytes");
    let title = "The request is too large";
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, code::BAD_REQUEST, title, detail)
}

pub(super) fn no_such_route(uri: &Uri) -> Refusal {
    let detail = format!("there is nothing at {}", uri.path());
    Refusal::new(StatusCode::NOT_FOUND, code::NO_SUCH_ROUTE, "No such path", detail)
        .hint("All paths begin with /api/v1; a newer client may know more of them.")
}

pub(super) fn wrong_method(method: &Method, uri: &Uri) -> Refusal {
    let detail = format!("{} does not take {method}", uri.path());
    let title = "The path does not take this method";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, code::NO_SUCH_ROUTE, title, detail)
}

fn not_found(code: Code, title: &str, detail: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, code, title, detail)
}

pub(super) fn no_such_run(run: RunId) -> Refusal {
    not_found(code::NO_SUCH_RUN, "No such run", format!("there is no run {run}"))
        .hint("`autoglm list` shows the runs that there are.")
}

pub(super) fn no_runs() -> Refusal {
    not_found(code::NO_SUCH_RUN, "No such run", "there are no runs yet, so there is no last one")
        .hint("`autoglm run FILE` starts one.")
}

pub(crate) fn no_such_task(run: RunId, name: &str) -> Refusal {
    let detail = format!("run {run} has no task `{name}`");
    not_found(code::NO_SUCH_TASK, "No such task", detail)
        .hint(format!("`autoglm get {run}` shows its tasks."))
        .run(run)
}

pub(super) fn no_such_artifact(digest: &str) -> Refusal {
    let detail = format!("the content {digest} is not stored");
    not_found(code::NO_SUCH_ARTIFACT, "No such artifact", detail)
        .hint("It goes with the last run that names it; `autoglm retry` makes it again.")
}

pub(super) fn no_such_item(run: RunId, name: &str, item: u32) -> Refusal {
    let detail = format!("task `{name}` of run {run} has no item {item}");
    not_found(code::NO_SUCH_TASK, "No such item", detail)
        .hint("Items are counted from 0; `autoglm get RUN TASK` shows them.")
        .run(run)
}

pub(super) fn no_such_attempt(run: RunId, attempt: u16, attempts: u16) -> Refusal {
    let detail = format!("there is no attempt {attempt}: there have been {attempts} so far");
    not_found(code::NO_SUCH_TASK, "No such attempt", detail)
        .hint("Attempts are counted from 1, anew in each round: --round names an earlier one.")
        .run(run)
}

pub(super) fn no_such_round(run: RunId, round: u32, rounds: u16) -> Refusal {
    let detail = format!("there is no round {round}: there have been {rounds} so far");
    not_found(code::NO_SUCH_TASK, "No such round", detail)
        .hint(format!("`autoglm get {run} TASK` lists the rounds of a task."))
        .run(run)
}

/// What is asked of an earlier time was not there then.
fn not_then(detail: impl Into<String>) -> Refusal {
    not_found(code::NOT_THEN, "It was not there at that time", detail)
}

pub(super) fn not_yet(run: RunId, (seq, at): (Seq, Time)) -> Refusal {
    not_then(format!("run {run} was submitted later: by fact {seq}, at {at}"))
        .hint(format!("`autoglm events {run}` lists what happened to it, and when."))
        .run(run)
}

pub(super) fn no_such_fact(seq: Seq, last: Seq) -> Refusal {
    not_then(format!("there is no fact {seq} yet: the last one is {last}"))
        .hint("`autoglm events RUN` shows the numbers of facts.")
}

pub(super) fn in_the_future(time: Time) -> Refusal {
    not_then(format!("{time} has not come yet"))
        .hint("Leave the time out to ask about this moment; times are in UTC.")
}

/// More facts would have to be replayed than are for one answer.
pub(super) fn too_far(facts_max: usize) -> Refusal {
    let detail =
        format!("more than {facts_max} facts would have to be replayed to know how things stood");
    let title = "Too many facts lie before it";
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, code::TOO_FAR, title, detail)
        .hint("Ask about a later time, or read what happened: `autoglm events RUN`.")
}

/// The journal, or what it names, cannot be read.
pub(super) fn unreadable_journal(reason: &str) -> Refusal {
    let title = "The facts of that time cannot be read";
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, journal::error::DAMAGED, title, reason)
        .hint("`autoglm journal verify` says what is wrong with the journal.")
}

fn conflict(code: Code, title: &str, detail: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::CONFLICT, code, title, detail)
}

pub(super) fn content_changed(run: RunId) -> Refusal {
    let detail = format!("run {run} of this file has not ended, and the file has changed since");
    conflict(code::CONTENT_CHANGED, "The file has changed", detail)
        .hint(format!(
            "`autoglm resume {run}` goes on with the file as it was; `autoglm run FILE --new` \
             starts a run of the file as it is."
        ))
        .run(run)
}

pub(super) fn run_ended(run: RunId, status: RunStatus) -> Refusal {
    conflict(code::RUN_ENDED, "The run has ended", format!("run {run} has ended: {status}"))
        .run(run)
}

pub(super) fn cost_limit(run: RunId, cost_micro: u64, limit_micro: u64) -> Refusal {
    let [cost, limit] = [cost_micro, limit_micro].map(money);
    let detail = format!("the attempts of run {run} have cost {cost}, of at most {limit}");
    conflict(code::COST_LIMIT, "The run has cost as much as it may", detail)
        .hint(format!("Raise the limit first: `autoglm edit {run} --set cost_limit=...`."))
        .run(run)
}

pub(super) fn run_not_ended(run: RunId, status: RunStatus) -> Refusal {
    let detail = format!("run {run} is {status}; only what has ended can be retried");
    conflict(code::RUN_NOT_ENDED, "The run has not ended", detail)
        .hint(format!("Wait for its end, or end it: `autoglm stop {run}`."))
        .run(run)
}

pub(super) fn nothing_to_retry(run: RunId) -> Refusal {
    let detail = format!("every task of run {run} succeeded");
    conflict(code::NOTHING_TO_RETRY, "Nothing to retry", detail)
        .hint(format!("`autoglm retry {run} --from TASK` runs a task and all that follows it."))
        .run(run)
}

pub(super) fn nothing_to_preempt(run: RunId) -> Refusal {
    let detail = format!("nothing of what is named of run {run} runs, or all of it ends already");
    conflict(code::NOTHING_TO_PREEMPT, "Nothing to preempt", detail)
        .hint(format!("`autoglm get {run} --status running` shows what runs."))
        .run(run)
}

pub(super) fn waits_for_nobody(run: RunId, name: &str, why: &str) -> Refusal {
    let detail = format!("task `{name}` of run {run} {why}");
    conflict(code::WAITS_FOR_NOBODY, "The task waits for nobody", detail)
        .hint(format!("`autoglm explain {run} {name}` says what it waits for."))
        .run(run)
}

/// What is to be changed has begun, or has ended.
pub(super) fn begun(run: RunId, name: &str, why: &str) -> Refusal {
    let detail = format!("task `{name}` of run {run} {why}: it cannot be changed any more");
    conflict(code::BEGUN, "The task has begun", detail)
        .hint(format!("`autoglm fork {run} --from {name}` begins there again in a new run."))
        .run(run)
}

/// Items that are to be marked have begun, or have ended: the first of them, and how many there are
/// among those that were named.
pub(super) fn begun_items(
    run: RunId,
    (task, item): (&str, u32),
    why: &str,
    (begun, named): (usize, usize),
) -> Refusal {
    let others = match begun {
        1 => String::new(),
        _ => format!(", and so on: {begun} of the {named} items that were named have begun"),
    };
    let detail = format!("item `{task}[{item}]` of run {run} {why}{others}; nothing was changed");
    conflict(code::BEGUN, "The item has begun", detail)
        .hint(format!(
            "`autoglm get {run} {task}` shows the items: name those that have not begun."
        ))
        .run(run)
}

/// What is asked does not fit the run.
pub(crate) fn unfit(run: RunId, why: &str) -> Refusal {
    let detail = format!("run {run} cannot be changed like that: {why}");
    conflict(code::UNFIT, "This does not fit the run", detail).run(run)
}

/// What a run was made from is not stored.
pub(super) fn no_sources(run: RunId) -> Refusal {
    let detail = format!(
        "the file that run {run} was made from is not stored with it: the run is of an earlier \
         version of the program"
    );
    conflict(code::NO_SOURCES, "The file of the run is not stored", detail)
        .hint("Without other parameters and another environment it can be forked.")
        .run(run)
}

pub(super) fn archived(run: RunId, path: &str) -> Refusal {
    let detail = format!(
        "run {run} is in the archive: it can be looked at as before, but not run again, which only \
         the {ENDED_RUNS_MAX} runs that ended last can"
    );
    conflict(code::ARCHIVED, "The run is in the archive", detail)
        .hint(format!(
            "`autoglm run '{path}'` runs the file anew, as it is now and from its first task. \
             `autoglm get {run}` shows which parameters run {run} had, and what succeeded."
        ))
        .run(run)
}

pub(super) fn key_reused(run: RunId) -> Refusal {
    let detail = format!("the idempotency key was used before, for run {run} of something else");
    conflict(code::KEY_REUSED, "The idempotency key was used before", detail)
        .hint("Use another key: one names one submission.")
        .run(run)
}

/// Whether something new can be accepted.
pub(super) fn check_storage(storage: Storage) -> Result<(), Refusal> {
    let (code, title, detail) = match storage {
        Storage::Ok => return Ok(()),
        Storage::Full => (journal::error::NO_SPACE, "The disk is full", "there is no room left"),
        Storage::ReadOnly => {
            (journal::error::READ_ONLY, "The disk is read-only", "nothing can be written")
        }
    };
    let detail = format!("nothing new is accepted: {detail} where the state folder is");
    Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, code, title, detail)
        .hint("What runs goes on, and new work is accepted once the disk takes writes again."))
}

/// A large graph or text did not fit on the disk.
pub(super) fn not_stored(reason: &str) -> Refusal {
    let detail = format!("the workflow could not be stored: {reason}");
    let (code, title) = (journal::error::NO_SPACE, "The disk takes no objects");
    Refusal::new(StatusCode::INSUFFICIENT_STORAGE, code, title, detail)
        .hint("Nothing was changed. Make room where the state folder is, and submit again.")
}

/// A run cannot stand where it is to.
pub(super) fn no_such_queue(detail: impl Into<String>, hint: impl Into<String>) -> Refusal {
    let title = "No run can stand in this queue";
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, code::NO_SUCH_QUEUE, title, detail).hint(hint)
}

/// What has left memory cannot be read.
pub(super) fn unreadable(error: &StoreError) -> Refusal {
    let detail = format!("{}: {}", error.path.display(), error.message);
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Refusal::new(status, error.code, "The archive cannot be read", detail)
        .hint("Runs in memory are not concerned. `autoglm list` shows which there are.")
}

/// Nothing was taken away, or not all.
pub(super) fn not_collected(reason: &str) -> Refusal {
    let title = "Not everything could be removed";
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, title, reason)
        .hint("What was removed is removed whole; ask again for the rest.")
}

/// A defect, or a part of this process that has failed.
pub(super) fn internal(detail: impl Into<String>) -> Refusal {
    let title = "The server met something unexpected";
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, title, detail)
        .hint("This is a defect: please report it with this message.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_sent_as_a_problem() {
        let response = no_such_run(RunId(7)).into_response();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        let refusal = content_changed(RunId(7)).0;
        assert_eq!((refusal.status, refusal.run), (409, Some(7)));
    }

    #[test]
    fn a_disk_without_room_is_a_problem_of_storage() {
        assert!(check_storage(Storage::Ok).is_ok());
        let refused = |storage| {
            let refusal = check_storage(storage).expect_err("nothing new is accepted");
            (refusal.0.status, refusal.0.code.clone())
        };
        assert_eq!(refused(Storage::Full), (507, "E0303".to_owned()));
        assert_eq!(refused(Storage::ReadOnly), (507, "E0304".to_owned()));
    }
}
