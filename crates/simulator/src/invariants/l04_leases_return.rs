//! L4: all leases return: a machine that is dead is given up, however it died.

use model::limits::ATTEMPT_LEASE;
use model::{Span, Timestamp};

use crate::ledger::Ledger;
use crate::truth::Truth;

/// How long a dead worker may be held for alive: its lease, and the longest that a disk is full.
const PATIENCE: Span = Span(ATTEMPT_LEASE.0 + 300_000_000);

/// Looks for workers that have been dead for long, under one leader, and are not given up.
///
/// # Errors
/// Such a worker.
pub fn check(ledger: &Ledger, truth: &Truth, now: Timestamp) -> Result<(), String> {
    let forgotten = ledger.workers.values().find(|joined| {
        let dead = truth.dead.get(&joined.instance);
        dead.is_some_and(|&since| now.since(since.max(truth.leads_since)) > PATIENCE)
    });
    match forgotten {
        Some(joined) => Err(format!("worker {} is dead for long and not given up", joined.worker)),
        None => Ok(()),
    }
}
