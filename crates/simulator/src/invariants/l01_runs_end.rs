//! L1: after healing every run ends, within a bound that is computed from the work and the capacity
//! there is. With the last run the last lease has returned (L4).

use model::control::Kind;
use model::limits::{ATTEMPT_LEASE, UNSATISFIABLE_GRACE};
use model::{Span, Timestamp};

use crate::clients::PAUSED_MAX;
use crate::ledger::Ledger;
use crate::plan::features::Feature;
use crate::plan::{Plan, RunPlan};
use crate::workload::calls::{ASKED_MAX, OPEN_MAX};
use crate::workload::people::{ANSWER_MAX, LATE_ITEMS_MAX};
use crate::workload::preemption::PREEMPTIONS_MAX;
use crate::workload::{self, WAIT_MAX};

/// How often a run pauses, at most: its limit is doubled each time.
const PAUSES_MAX: u64 = 40;

/// Tasks that are added to one run, at most.
const ADDED_MAX: u64 = 500;

/// How long the world may take to finish after everything has healed: the longest of the critical
/// path and the work in its worst form, one after the other on what can run at once (Graham 1969),
/// and the time in which the last leases of what broke run out.
#[must_use]
pub fn bound(plan: &Plan) -> Span {
    let stays = |index: &usize| !plan.loses(*index);
    let nodes = (0..plan.nodes.len()).filter(stays).map(|index| plan.nodes[index]);
    let light: u64 = nodes.clone().map(|node| node.cpu_milli / 500).sum();
    let heavy: u64 = nodes.map(|node| node.slots.min(node.cpu_milli / 1_000)).sum();
    // Where room is kept, or work waits for what it ends sooner with, one goes after the other.
    let waits = plan.runs.iter().any(|run| run.features.has(Feature::Alternatives));
    let is_narrow = waits || workload::queues::is_kept(plan);
    let at_once = if is_narrow { 1 } else { light.min(heavy).max(1) };
    let mut work = 0_u64;
    let forks = plan.runs.iter().filter(|run| run.fork.is_some());
    for run in plan.runs.iter().chain(forks) {
        let attempts = u64::from(run.retries) + 2;
        let calls = run.features.has(Feature::Calls);
        let asked = if calls { OPEN_MAX.0 + ASKED_MAX.0 } else { 0 };
        let backoff = (31_000_000 + asked) * attempts;
        let one = workload::attempt_max(run).0 * attempts + backoff;
        // Some devices are there only once, and some places.
        let alone = [Feature::Devices, Feature::Sites, Feature::Queues];
        let is_alone = alone.into_iter().any(|feature| run.features.has(feature));
        let alone = is_alone.then_some(1);
        let limit = alone.or(run.concurrency.map(u64::from)).unwrap_or(u64::MAX);
        let path = u64::from(run.size) + 10;
        let rounds = 2;
        let items = u64::from(run.size) + 10;
        work = work.saturating_add(rounds * one * items / at_once.min(limit).max(1));
        work = work.saturating_add(rounds * one * path.min(items));
        work = work.saturating_add(rounds * flow(run, one));
        work = work.saturating_add(rounds * changed(run, one));
        work = work.saturating_add(rounds * called(run, attempts));
        if workload::queues::are_set(plan) {
            // What is taken back begins anew, for each attempt to whom its room is owed.
            work = work.saturating_add(rounds * one * (items + ADDED_MAX));
        }
        if run.features.has(Feature::Preemption) {
            let again = u64::from(PREEMPTIONS_MAX) * workload::attempt_max(run).0;
            work = work.saturating_add(again * (items + ADDED_MAX));
        }
    }
    Span(work.saturating_add(4 * (ATTEMPT_LEASE.0 + UNSATISFIABLE_GRACE.0)))
}

/// What the features of a run may take, one after the other: each question and each wait in its
/// worst form, and each task of a body again in each of its turns.
fn flow(run: &RunPlan, one: u64) -> u64 {
    if run.flow == 0 {
        return 0;
    }
    let graph = workload::graph(run);
    let mut turns = vec![1_u64; graph.len()];
    for task in graph.tasks() {
        if let Kind::Loop { first, turns_max } = graph.policy(task).kind {
            let body = &mut turns[first.0 as usize..=task.0 as usize];
            body.iter_mut().for_each(|turns| *turns *= u64::from(turns_max));
        }
    }
    let wait = 3 * WAIT_MAX.0 + ANSWER_MAX.0;
    let each = graph.tasks().map(|task| {
        let late = if graph.policy(task).asks { LATE_ITEMS_MAX } else { 0 };
        let items = u64::from(graph.items(task)) + u64::from(late);
        turns[task.0 as usize] * (wait + one * items)
    });
    each.fold(0, u64::saturating_add)
}

/// What is added to a run while it goes on, and what it shares with others, one after the other.
fn changed(run: &RunPlan, one: u64) -> u64 {
    let scarce =
        [Feature::Locks, Feature::Budgets, Feature::Calls].iter().any(|&x| run.features.has(x));
    let grows = [Feature::Generation, Feature::Edits].iter().any(|&x| run.features.has(x));
    let share = if scarce { 60_000_000 + one } else { 0 } * (u64::from(run.size) + 10);
    share + if grows { ADDED_MAX * (one + 3 * WAIT_MAX.0) } else { 0 }
}

/// What breakers let through one after the other, and how long a run is paused in all.
fn called(run: &RunPlan, attempts: u64) -> u64 {
    let mut most = 0;
    if run.features.has(Feature::Calls) {
        let items = u64::from(run.size) + 10 + ADDED_MAX;
        most += 2 * OPEN_MAX.0 * attempts * items;
    }
    if run.features.has(Feature::Calls) || run.features.has(Feature::Pauses) {
        most += PAUSES_MAX * PAUSED_MAX.0;
    }
    most
}

/// Looks at the world after its bound, or when it says that it has finished.
///
/// # Errors
/// A run that has not ended, or a lease that has not returned.
pub fn check(ledger: &Ledger, deadline: Timestamp) -> Result<(), String> {
    let open = ledger.runs.iter().find(|(_, run)| !run.status.is_final());
    if let Some((id, run)) = open {
        let tasks = run.graph.tasks().filter(|task| run.tasks[task.0 as usize].open > 0);
        let first: Vec<_> = tasks
            .take(3)
            .map(|task| (task, run.items_of(task).iter().map(|item| item.status).max()))
            .collect();
        return Err(format!(
            "run {id} is {} at {deadline:?}, {} leased, open tasks: {first:?}",
            run.status, run.live
        ));
    }
    if ledger.live > 0 {
        return Err(format!("{} leases are live after the last run has ended", ledger.live));
    }
    Ok(())
}
