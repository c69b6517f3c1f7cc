//! Gangs are one unit of work: they begin as a whole, and how one member ends badly is how the
//! gang does.
//!
//! A member that has done its work waits for the others, whose ends decide whether that counts. The
//! first that ends badly is charged with it, and says what follows for all: the others are told to
//! leave, and what they come to then changes nothing any more.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use model::fact::{Fact, GangPart, Standing};
use model::message::{LeaseId, StopKind};
use model::outcome::{Outcome, Then};
use model::status::RunStatus;
use model::{ItemId, ItemKey, Span, TaskKey, WorkerId};
use scheduler::{Placement, fits};

use super::Turn;
use crate::planning::{Origin, Way};

impl Turn<'_> {
    /// Whether an item is the member of a gang.
    pub(super) fn is_of_gang(&self, item: ItemKey) -> bool {
        self.state.run(item.run).is_some_and(|run| run.is_gang(item.task))
    }

    /// The item, with all other members of its gang that workers hold, if it is of one.
    pub(super) fn with_its_gang(&self, item: ItemKey) -> Vec<ItemKey> {
        let run = self.state.run(item.run).filter(|run| run.is_gang(item.task));
        let Some(run) = run else { return vec![item] };
        run.held_items(item.task).map(|member| item.task_key().item(member)).collect()
    }

    /// How the end of a member counts, and what follows. See [`Turn::verdict`].
    pub(super) fn verdict_of_gang(
        &self,
        item: ItemKey,
        outcome: Outcome,
        asked: Option<Span>,
    ) -> Option<(Outcome, Then)> {
        let run = self.state.run(item.run)?;
        if run.is_whole_gang(item.task) {
            if outcome == Outcome::Succeeded {
                return Some((outcome, Then::WithGang));
            }
            let left = self.after_leaving(item, outcome);
            return left.or_else(|| Some((outcome, self.then(item, outcome, asked)?)));
        }
        let ending = run.status() == RunStatus::Stopping && !run.is_handler(item.task);
        let is_over =
            ending || self.is_late(run, item.task) || run.end_of_gang(item.task).is_some();
        let then = if is_over { Then::Final } else { Then::Retry { at: self.now } };
        let made_room = self.state.lease(item)?.leaving_since.is_some() && !is_over;
        let outcome = match outcome {
            _ if made_room => Outcome::Preempted,
            // It counts no more that it has done its work.
            Outcome::Succeeded => Outcome::Cancelled,
            other => other,
        };
        Some((outcome, then))
    }

    /// Records what ends leases of a task. If that ends a gang, the others of it are told to leave.
    pub(super) fn record_ends(&mut self, task: TaskKey, fact: Fact) {
        let was_whole = self.state.is_whole_gang(task);
        self.record(fact);
        if !was_whole {
            return;
        }
        let Some(run) = self.state.run(task.run) else { return };
        let left = run.held_items(task.task).filter_map(|member| {
            let (item, lease) = (task.item(member), self.state.lease(task.item(member))?);
            let is_told = matches!(lease.standing, Standing::Dismissed(_));
            is_told.then_some((lease.worker, LeaseId { item, token: lease.token }))
        });
        let mut told: Vec<(WorkerId, LeaseId)> = left.collect();
        told.sort_unstable();
        for group in told.chunk_by(|a, b| a.0 == b.0) {
            let leases = group.iter().map(|&(_, lease)| lease).collect();
            self.send_stop(group[0].0, leases, StopKind::Cancel);
        }
    }

    /// Makes leases of all members of a gang as was proposed, if that holds by the state of this
    /// moment, or of none; says whether.
    pub(super) fn lease_gang(
        &mut self,
        placements: &[Placement],
        granted: &mut BTreeMap<WorkerId, Vec<ItemKey>>,
    ) -> bool {
        let Some(parts) = self.parts(placements) else { return false };
        let task = Origin::from(placements[0].group).task();
        for part in &parts {
            let members = part.items.clone().map(|item| task.item(ItemId(item)));
            granted.entry(part.worker).or_default().extend(members);
        }
        self.record(Fact::GangLeased { task, parts });
        true
    }

    /// Who would have which members; `None` if one of them cannot be begun.
    fn parts(&self, placements: &[Placement]) -> Option<Vec<GangPart>> {
        let planning = &self.volatile.planning;
        let group = placements.first()?.group;
        let (task, way) = (Origin::from(group).task(), planning.way(group)?);
        let run = self.state.run(task.run)?;
        let total: u32 = placements.iter().map(|placement| placement.count).sum();
        let is_due = self.state.gang_due(task).is_some_and(|at| at <= self.now);
        if !is_due || total != run.item_count(task.task) || !self.is_allowed(task, way, total) {
            return None;
        }
        let mut next = 0;
        let mut of_worker: BTreeMap<WorkerId, u32> = BTreeMap::new();
        let mut parts = Vec::with_capacity(placements.len());
        for placement in placements {
            let (worker, devices) = (planning.worker(placement.node)?, placement.taken.devices);
            if self.acceptable(worker, task, way, devices) < placement.count {
                return None;
            }
            *of_worker.entry(worker).or_default() += placement.count;
            parts.push(GangPart { items: next..next + placement.count, worker, devices });
            next += placement.count;
        }
        let request = &way.taken(&self.state.classes).amounts;
        let holds = |(&worker, &count): (&WorkerId, &u32)| {
            self.state.worker(worker).is_some_and(|known| fits(request, &known.free()) >= count)
        };
        of_worker.iter().all(holds).then_some(parts)
    }

    /// Whether so many members may begin together, as far as it is not their workers' to say.
    fn is_allowed(&self, task: TaskKey, way: Way, total: u32) -> bool {
        let Some(run) = self.state.run(task.run) else { return false };
        let shared = &way.taken(&self.state.classes).shared;
        let limit = run.admitted().concurrency;
        let of_run = limit.map_or(u32::MAX, |limit| limit.saturating_sub(run.live()));
        total <= of_run && self.state.shares.lets(shared, total, self.now)
    }
}
