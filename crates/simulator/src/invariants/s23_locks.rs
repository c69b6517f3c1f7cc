//! S23: at no moment more attempts hold a lock than any of them allows, neither by the facts nor
//! counted on the machines.

use std::collections::BTreeMap;

use model::message::LeaseId;
use model::{Span, Timestamp};

use super::View;
use crate::ledger::Ledger;
use crate::truth::Truth;

/// How long a worker that wakes has to notice that its leases are over.
const WAKING: Span = Span::secs(2);

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let Some((task, count, variant)) = view.begun() else { return Ok(()) };
    let run = view.ledger.run(task.run).ok_or("the run is not known")?;
    for lock in &run.graph.policy(task.task).shared_of(variant).locks {
        let (held, least) = view.ledger.shares.holders(&lock.name);
        let (held, least) = (held + count as usize, least.min(lock.holders_max));
        if held > least as usize {
            return Err(format!("`{}` is held {held} times and may be {least} times", lock.name));
        }
    }
    Ok(())
}

/// Counts the living processes. One that is being killed, or whose worker sleeps or has just woken,
/// may have lost its lock already.
///
/// # Errors
/// A lock that too many of them hold.
pub fn really(ledger: &Ledger, truth: &Truth, now: Timestamp) -> Result<(), String> {
    let mut held: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for (&item, tokens) in &truth.alive {
        let Some(run) = ledger.run(item.run) else { continue };
        for &token in tokens {
            let process = truth.processes[&LeaseId { item, token }];
            let awake = truth.awake_since[process.node as usize];
            if process.doomed || awake.is_none_or(|since| now.since(since) <= WAKING) {
                continue;
            }
            for lock in &run.graph.policy(item.task).shared_of(process.variant).locks {
                let (count, least) = held.entry(&lock.name).or_insert((0, u32::MAX));
                (*count, *least) = (*count + 1, (*least).min(lock.holders_max));
            }
        }
    }
    match held.iter().find(|(_, (count, least))| count > least) {
        Some((name, (count, least))) => {
            Err(format!("{count} processes live that hold `{name}`, which {least} may"))
        }
        None => Ok(()),
    }
}
