//! L2: no ready item waits for long while a worker that could take it idles. L6: that holds for
//! those, too, that take a share of what is scarce: a lock that is free, or a budget that has
//! enough, is not kept from who waits for it.

use model::collections::HashMap;
use model::device::is_of_kind;
use model::{
    Device, DeviceRequest, ItemKey, Offers, Request, RunId, RunStatus, Span, TaskId, TaskStatus,
    Timestamp, VariantId, WorkerId,
};

use crate::ledger::lane::Amounts;
use crate::ledger::{Ledger, Run};

/// How long an item may be ready beside an idle worker. Covers a commit, a plan and a heartbeat.
pub const PATIENCE: Span = Span::secs(10);

/// Finds a task with a ready item that would fit on a worker with nothing to do. Runs at their
/// concurrency limit are left out. O(tasks): for quiet moments only.
#[must_use]
pub fn neglected(ledger: &Ledger, now: Timestamp) -> Option<(RunId, TaskId)> {
    let mut idle: HashMap<WorkerId, &Offers> =
        ledger.workers.iter().map(|(&id, joined)| (id, &joined.offers)).collect();
    for run in ledger.runs.values() {
        for item in run.items.iter().filter(|item| item.status.is_live()) {
            idle.remove(&item.worker);
        }
    }
    if idle.is_empty() {
        return None;
    }
    for (&id, run) in &ledger.runs {
        let full = run.admitted.concurrency.is_some_and(|limit| run.live >= limit);
        let queue = ledger.queues.find(&run.admitted.queue);
        let kept = ledger.has_queues && !ledger.queues.lets(queue, 1_000);
        if run.status.is_final() || run.status == RunStatus::Paused || full || kept {
            continue;
        }
        for task in run.graph.tasks().filter(|&task| run.task(task).open > 0 && !is_full(run, task))
        {
            // It may wait for what it ends sooner with.
            if !run.graph.policy(task).alternatives.is_empty() {
                continue;
            }
            let request = &run.graph.policy(task).request;
            let is_critical = run.graph.policy(task).critical;
            let mut ways: Vec<VariantId> = run
                .items_of(task)
                .iter()
                .filter_map(|item| {
                    let waits = match item.status {
                        TaskStatus::Ready => true,
                        TaskStatus::Retrying => item.retry_at <= now,
                        _ => false,
                    };
                    waits.then_some(item.first_way())
                })
                .collect();
            ways.sort_unstable();
            ways.dedup();
            let waits = ways.into_iter().any(|way| has_share(ledger, run, (task, way), now));
            let asked = &run.graph.policy(task).constraints;
            // Where the others of a task are may be full.
            let is_bound = asked.together.is_some() && run.live_items(task) > 0;
            let mut open = idle.iter().filter(|(_, offers)| asked.admits(&offers.site));
            let holds = |offers: &Offers| match run.graph.policy(task).gang {
                true => holds_gang(run, task, offers),
                false => fits(offers, request),
            };
            let takes = |(&worker, &offers): (&WorkerId, &&Offers)| {
                let kept = ledger.lane.left_on(worker, &ledger.workers);
                match kept.filter(|_| !is_critical) {
                    None => holds(offers),
                    Some(kept) => holds(&without(offers, kept)),
                }
            };
            if waits && !is_bound && open.any(takes) {
                return Some((id, task));
            }
        }
    }
    None
}

/// Under which id it is told.
#[must_use]
pub fn id(ledger: &Ledger, (run, task): (RunId, TaskId)) -> &'static str {
    let shares = |run: &Run| !run.graph.policy(task).shared.is_empty();
    if ledger.run(run).is_some_and(shares) { "L6" } else { "L2" }
}

/// How it is told.
#[must_use]
pub fn complaint(task: (RunId, TaskId)) -> String {
    let key = ItemKey { run: task.0, task: task.1, item: model::ItemId(0) };
    format!("{:?} is ready for {PATIENCE} beside an idle worker that could take it", key.task_key())
}

/// Whether the locks of a task are free, and its budgets have had enough for long, in the first
/// way, from one on, that no breaker keeps from being tried.
fn has_share(
    ledger: &Ledger,
    run: &Run,
    (task, from): (TaskId, VariantId),
    now: Timestamp,
) -> bool {
    let lets = |breaker| ledger.breakers.lets(breaker, now) > 0;
    let mut ways = run.graph.policy(task).variants().skip(usize::from(from.0));
    let open = ways.find(|(_, shared)| shared.breakers.iter().all(lets));
    let Some((_, shared)) = open else { return false };
    let free = |lock: &model::shared::Lock| {
        let (held, least) = ledger.shares.holders(&lock.name);
        held < lock.holders_max.min(least) as usize
    };
    let enough = |spending| {
        let since = ledger.shares.enough_since(spending, now);
        since.is_some_and(|since| since > PATIENCE)
    };
    shared.locks.iter().all(free) && shared.budgets.iter().all(enough)
}

/// Whether a task has as many items leased as it may.
fn is_full(run: &Run, task: TaskId) -> bool {
    let limit = run.graph.policy(task).concurrency;
    limit.is_some_and(|limit| run.live_items(task) >= limit as usize)
}

/// Whether a device that nobody has is one of those that are asked for.
fn suits(device: &Device, asked: &DeviceRequest) -> bool {
    let mut kinds = asked.kinds.iter();
    let is_kind = asked.kinds.is_empty() || kinds.any(|kind| is_of_kind(kind, &device.kind));
    is_kind && asked.memory_bytes <= device.memory_bytes
}

/// What is offered but for what is kept of it.
fn without(offers: &Offers, [cpu_milli, slots]: Amounts) -> Offers {
    let mut rest = offers.clone();
    rest.cpu_milli = rest.cpu_milli.saturating_sub(cpu_milli);
    let slot = rest.custom.iter_mut().find(|(name, _)| **name == *"slot");
    slot.into_iter().for_each(|(_, amount)| *amount = amount.saturating_sub(slots));
    rest
}

/// Whether a worker could take a gang alone that waits as a whole. Where several would have to, or
/// it takes of what is scarce, that is not looked for.
fn holds_gang(run: &Run, task: TaskId, offers: &Offers) -> bool {
    let (policy, members) = (run.graph.policy(task), run.items_of(task));
    let waits = |status| matches!(status, TaskStatus::Ready | TaskStatus::Retrying);
    let count = members.len() as u64;
    let room = run.admitted.concurrency.map_or(u64::MAX, |limit| (limit - run.live).into());
    let mut whole = policy.request.clone();
    whole.cpu_milli *= count;
    whole.memory_bytes *= count;
    whole.custom.iter_mut().for_each(|(_, asked)| *asked *= count);
    members.iter().all(|item| waits(item.status))
        && policy.shared.is_empty()
        && policy.request.devices.count == 0
        && count <= room
        && fits(offers, &whole)
}

fn fits(offers: &Offers, request: &Request) -> bool {
    let has = |name: &str| {
        let found = offers.custom.iter().find(|(known, _)| **known == *name);
        found.map_or(0, |(_, amount)| *amount)
    };
    request.cpu_milli <= offers.cpu_milli
        && request.memory_bytes <= offers.memory_bytes
        && request.custom.iter().all(|(name, asked)| *asked <= has(name))
        && offers.devices.iter().filter(|device| suits(device, &request.devices)).count()
            >= usize::from(request.devices.count)
}
