//! L7: nobody starves. What could begin if those before it had begun waits no longer than a few
//! times as long as all that was there together takes at the most, whatever keeps coming.
//!
//! Looked at in plans of which it is known how long work takes: those of plain runs in which
//! nothing fails by itself. What breaks meanwhile is allowed for.

use model::{ItemId, ItemKey, Span, TaskStatus, Timestamp};

use crate::plan::{EPOCH, Plan};
use crate::records::Records;
use crate::workload;

/// How often as long as all that was there takes, each item for as long as any may. The planner
/// lets forward whoever has waited for one and a half times as long, by its own measure.
const TIMES: u64 = 2;

/// What is always allowed: that much passes before anyone is let forward at all.
const LEAST: Span = Span::secs(180);

/// What something that breaks costs beyond its own length: leases that run out, work that is lost.
const FAULT: Span = Span::secs(90);

/// The most that has been there at once, as it is looked at again and again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch {
    /// In microseconds of all workers.
    most: u64,
}

impl Watch {
    /// Finds an item that has waited too long. O(items): for now and then.
    #[must_use]
    pub fn look(&mut self, plan: &Plan, records: &Records, now: Timestamp) -> Option<String> {
        if !is_known(plan) {
            return None;
        }
        let ledger = &records.ledger;
        let cores: u64 = ledger.workers.values().map(|known| known.offers.cpu_milli).sum();
        let (mut work, mut longest) = (0_u64, 0_u64);
        for (&id, run) in ledger.runs.iter().filter(|(_, run)| !run.status.is_final()) {
            let wall = records.work(id).map_or(0, |work| work.plan.wall_max.0);
            longest = longest.max(wall);
            for task in run.graph.tasks() {
                let cpu = run.graph.policy(task).request.cpu_milli;
                work += u64::from(run.task(task).open) * cpu * wall / cores.max(1);
            }
        }
        self.most = self.most.max(work);
        let calm = TIMES * (self.most + longest) + LEAST.0;
        let waiting = ledger.runs.iter().filter(|(_, run)| !run.status.is_final());
        let waiting = waiting.flat_map(|(&id, run)| {
            let of_task =
                move |task| (0..).map(ItemId).zip(run.items_of(task)).map(move |it| (task, it));
            let items = run.graph.tasks().flat_map(of_task);
            items.filter_map(move |(task, (item, known))| {
                let since = match known.status {
                    TaskStatus::Ready => known.ready_at,
                    TaskStatus::Retrying if known.retry_at <= now => known.retry_at,
                    _ => return None,
                };
                Some((ItemKey { run: id, task, item }, since))
            })
        });
        let mut waiting = waiting.map(|(key, since)| (key, since, calm + broken(plan, since, now)));
        let (key, since, bound) = waiting.find(|&(_, since, bound)| now.since(since).0 > bound)?;
        let (waited, bound) = (now.since(since), Span(bound));
        Some(format!("{key:?} has waited for {waited}, and {bound} is enough for all there was"))
    }
}

/// Whether it is known of all work how long it takes, and nothing but room keeps any of it.
fn is_known(plan: &Plan) -> bool {
    let is_plain = |run: &crate::plan::RunPlan| {
        run.flow == 0 && run.trouble == 0 && run.concurrency.is_none() && !run.handlers
    };
    plan.runs.iter().all(is_plain)
        && !workload::queues::are_set(plan)
        && !workload::queues::is_kept(plan)
}

/// What is allowed for what broke between two times.
fn broken(plan: &Plan, since: Timestamp, now: Timestamp) -> u64 {
    let between = plan.faults.iter().filter(|fault| {
        let (from, to) = (EPOCH + fault.at, EPOCH + fault.at + fault.length + FAULT);
        from <= now && to >= since
    });
    between.map(|fault| fault.length.0 + FAULT.0).sum()
}
