//! S14: memory, log and queues stay under the limits.

use journal::Entry;
use model::collections::HashMap;
use model::limits::{ITEMS_PER_FACT_MAX, PREFILL_MAX};
use model::{Fact, WorkerId};

use crate::ledger::Ledger;

/// Effects that may wait for their facts.
const WAITING_MAX: usize = 200_000;

/// Holds the size of a fact against its limit.
///
/// # Errors
/// It names too many items.
pub fn fact(entry: &Entry) -> Result<(), String> {
    let items = match &entry.fact {
        Fact::AttemptsEnded(ended) => ended.ends.len(),
        Fact::AttemptsStarted { items, .. } | Fact::LeasesReturned { items, .. } => {
            items.ranges().len()
        }
        _ => 0,
    };
    if items <= ITEMS_PER_FACT_MAX {
        return Ok(());
    }
    Err(format!("fact {} names {items} items", entry.seq))
}

/// Holds the number of waiting effects against its limit.
///
/// # Errors
/// Too many wait.
pub fn waiting(effects: usize) -> Result<(), String> {
    if effects <= WAITING_MAX { Ok(()) } else { Err(format!("{effects} effects wait")) }
}

/// Holds the leases of each worker against what it can run at once and what may be lent ahead.
///
/// # Errors
/// A worker with more.
pub fn leases(ledger: &Ledger) -> Result<(), String> {
    let mut counts: HashMap<WorkerId, usize> = HashMap::default();
    let items = ledger.runs.values().flat_map(|run| &run.items);
    for item in items.filter(|item| item.status.is_live()) {
        *counts.entry(item.worker).or_default() += 1;
    }
    for (id, joined) in &ledger.workers {
        // Nothing that is drawn asks for less than half a core.
        let at_once = usize::try_from(joined.offers.cpu_milli / 500).unwrap_or(usize::MAX);
        let most = at_once + PREFILL_MAX as usize;
        let held = counts.get(id).copied().unwrap_or(0);
        if held > most {
            return Err(format!("worker {id} holds {held} leases of {most}"));
        }
    }
    Ok(())
}
