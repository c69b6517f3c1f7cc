//! S14: memory, log and queues stay under the limits.

use journal::Entry;
use model::limits::{ITEMS_PER_FACT_MAX, PREFILL_MAX};
use model::{Fact, Request};

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

/// Holds what a worker has queued against what may be lent ahead to it.
///
/// # Errors
/// It has more leases than it can run at once, and the prefill beside.
pub fn leases(held: usize, offers: &Request) -> Result<(), String> {
    // Nothing that is drawn asks for less than half a core.
    let at_once = usize::try_from(offers.cpu_milli / 500).unwrap_or(usize::MAX);
    let most = at_once + PREFILL_MAX as usize;
    if held <= most { Ok(()) } else { Err(format!("a worker holds {held} leases of {most}")) }
}
