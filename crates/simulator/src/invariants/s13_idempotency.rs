//! S13: the same idempotency key is the same run.

use model::Fact;

use super::View;
use crate::truth::Truth;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let Fact::RunAdmitted(run) = &view.entry.fact else { return Ok(()) };
    let known = run.key.and_then(|key| view.ledger.keys.get(&key));
    match known {
        Some(known) => Err(format!("run {} has the key of run {known}", run.run)),
        None => Ok(()),
    }
}

/// Holds an answer against earlier ones to the same key.
///
/// # Errors
/// The client was told another run before.
pub fn answered(
    truth: &mut Truth,
    key: Option<model::Digest>,
    run: model::RunId,
) -> Result<(), String> {
    let Some(key) = key else { return Ok(()) };
    match truth.told.insert(key, run) {
        Some(before) if before != run => {
            Err(format!("a client was told run {before} and then run {run} for one key"))
        }
        _ => Ok(()),
    }
}
