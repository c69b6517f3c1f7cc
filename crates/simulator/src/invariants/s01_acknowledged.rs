//! S1: what was acknowledged survives every crash.
//!
//! After each recovery the journal must begin with exactly the facts that were known to be durable
//! before, and every run that a client was told of must be there or have been forgotten by a fact.

use journal::Entry;
use model::Seq;

use crate::ledger::{Ledger, fingerprint};
use crate::truth::Truth;

/// Holds a fact of a recovered journal against what was durable in its place before.
///
/// # Errors
/// It is another one.
pub fn recovered(ledger: &Ledger, entry: &Entry) -> Result<(), String> {
    let index = usize::try_from(entry.seq.0 - 1).expect("a journal in memory is small");
    match ledger.fingerprints.get(index) {
        Some(&known) if known != fingerprint(entry) => {
            Err(format!("fact {} was durable and is another one: {:?}", entry.seq, entry.fact))
        }
        _ => Ok(()),
    }
}

/// Holds the end of a recovered journal against what was durable before.
///
/// # Errors
/// Facts are missing.
pub fn complete(ledger: &Ledger, last: Seq) -> Result<(), String> {
    if last < ledger.last {
        return Err(format!("facts up to {} were durable, {last} are there", ledger.last));
    }
    Ok(())
}

/// Holds the runs that clients know against the durable facts.
///
/// # Errors
/// A run that is missing.
pub fn runs(ledger: &Ledger, truth: &Truth) -> Result<(), String> {
    let newest = ledger.runs.keys().next_back();
    let lost = truth.acknowledged.keys().filter(|run| newest.is_none_or(|newest| newest < run));
    match lost.min() {
        Some(run) => Err(format!("run {run} was acknowledged and is nowhere")),
        None => Ok(()),
    }
}
