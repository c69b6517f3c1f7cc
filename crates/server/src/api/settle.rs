//! Saying to a task what it waits for: yes or no to an approval, or a signal.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::{Answer, Rejection};
use model::control::Verdict;
use model::limits::OUTPUT_BYTES_MAX;
use protocol::api::{RunSummary, Say, Settle};
use serde_json::{Value, json};
use spec::Awaited;

use super::Shared;
use super::extract::{Body, Target, task};
use super::problem::{self, Refusal};
use crate::views;

pub(super) async fn settle(
    State(service): State<Shared>,
    target: Target,
    Body(settle): Body<Settle>,
) -> Result<(StatusCode, Json<RunSummary>), Refusal> {
    let (verdict, output) = said(&settle)?;
    let (name, say) = (target.task.clone(), settle.verdict);
    let check = service.about(target.run, move |subject, view| {
        let id = task(subject, &name)?;
        let fits = match (subject.names.awaited(id), say) {
            (Some(Awaited::Approval), Say::Approve | Say::Reject) => Ok(()),
            (Some(Awaited::Signal), Say::Signal) => Ok(()),
            (Some(Awaited::Approval), Say::Signal) => {
                Err("waits for an approval, not for a signal")
            }
            (Some(Awaited::Signal), _) => Err("waits for a signal, not for an approval"),
            (None, _) => Err("never waits for anybody"),
        };
        fits.map_err(|why| problem::waits_for_nobody(subject.id, &name, why))?;
        problem::check_storage(view.storage)?;
        Ok(subject.key(id))
    });
    let key = check.await?;
    match service.context.handle.settle(key, verdict, output).await? {
        Answer::Settled => {}
        Answer::Rejected(Rejection::NotWaiting(status)) => {
            let why = format!("is {status}");
            return Err(problem::waits_for_nobody(key.run, &target.task, &why));
        }
        Answer::Rejected(Rejection::UnknownRun(run)) => return Err(problem::no_such_run(run)),
        other => {
            let detail = format!("an answer to another question: {other:?}");
            return Err(problem::internal(detail));
        }
    }
    let summary = service.about(key.run.into(), |subject, _| Ok(views::summary(subject))).await?;
    Ok((StatusCode::ACCEPTED, Json(summary)))
}

/// What the engine is told, and the outputs that the task gets by it.
fn said(settle: &Settle) -> Result<(Verdict, Vec<u8>), Refusal> {
    let approval = |approved: bool| {
        json!({
            "approved": approved,
            "by": settle.by,
            "comment": settle.comment,
        })
    };
    let (verdict, output) = match settle.verdict {
        Say::Approve => (Verdict::Approved, approval(true)),
        Say::Reject => (Verdict::Rejected, approval(false)),
        Say::Signal => (Verdict::Approved, Value::Object(settle.value.clone().unwrap_or_default())),
    };
    let output = output.to_string().into_bytes();
    if output.len() > OUTPUT_BYTES_MAX {
        let detail = format!("what is said is larger than {OUTPUT_BYTES_MAX} bytes");
        return Err(problem::bad_request(detail));
    }
    Ok((verdict, output))
}
