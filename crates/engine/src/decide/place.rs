//! The planner is asked, and what it proposes is checked and becomes leases.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use model::fact::Fact;
use model::limits::PREFILL_MAX;
use model::status::TaskStatus;
use model::{DeviceSet, ItemKey, TaskKey, VariantId, WorkerId};
use scheduler::{Placement, Plan, Refusal, fits};

use super::Turn;
use super::deadline::may_start;
use crate::planning::{Limit, Origin, Planning, Way};

impl Turn<'_> {
    /// Plans if anything has changed since the last plan, or something has become due.
    pub(super) fn plan(&mut self) {
        let planning = &self.volatile.planning;
        let due = self.state.ready.next_due(planning.planned_at).is_some_and(|at| at <= self.now);
        let look = planning.look_at.is_some_and(|at| at <= self.now);
        if !planning.changed && !due && !look {
            return;
        }
        let plan = self.volatile.planning.plan(self.state, &self.volatile.sessions, self.now);
        self.carry_out(&plan);
        self.volatile.planning.changed = self.has_other_ways();
    }

    /// Begins what was planned and holds by the state of this moment, and tells those to leave that
    /// are to make room.
    pub(super) fn carry_out(&mut self, plan: &Plan) {
        let mut granted: BTreeMap<WorkerId, Vec<ItemKey>> = BTreeMap::new();
        for placements in plan.placements.chunk_by(|a, b| a.group == b.group) {
            let task = Origin::from(placements[0].group).task();
            let is_begun = match self.is_of_gang(task.item(model::ItemId(0))) {
                true => self.lease_gang(placements, &mut granted),
                false => placements.iter().fold(true, |all, placement| {
                    all & (self.lease(placement, &mut granted) == placement.count)
                }),
            };
            if !is_begun {
                self.volatile.planning.look_again(self.now);
            }
        }
        let leaving = plan.preemptions.iter().copied().map(Origin::from);
        self.preempt(leaving.filter_map(Origin::item));
        let returning = plan.returns.iter().copied().map(Origin::from);
        self.ask_back(returning.filter_map(Origin::item));
        self.volatile.planning.tell_changes(self.state, self.now);
        self.note_shares();
        for (worker, items) in granted {
            self.grant(worker, items);
        }
        self.note_hopeless();
    }

    /// Whether something was refused that may be done in another way, now that a breaker has as
    /// many who try as it lets.
    fn has_other_ways(&self) -> bool {
        self.volatile.planning.refused().any(|(Way { class, variant, .. }, refusal)| {
            let is_shared = matches!(refusal, Refusal::Allowance(_));
            is_shared && self.state.way(class, variant, self.now) != variant
        })
    }

    /// Makes leases of what was proposed and holds by the state of this moment; says how many.
    ///
    /// What one placement takes may be what another counted on: a lock whose holder allows fewer,
    /// or the limit of a task. The next plan knows.
    fn lease(
        &mut self,
        placement: &Placement,
        granted: &mut BTreeMap<WorkerId, Vec<ItemKey>>,
    ) -> u32 {
        let planning = &self.volatile.planning;
        let origin = Origin::from(placement.group);
        let known = planning.worker(placement.node).zip(planning.way(placement.group));
        let Some((worker, way)) = known else { return 0 };
        let way = self.chosen(way, placement);
        let devices = placement.taken.devices;
        let acceptable = self.acceptable(worker, origin.task(), way, devices);
        let most = placement.count.min(acceptable).min(self.allowed(origin.task(), way));
        let mut left = most;
        while left > 0 {
            let items = match origin {
                Origin::Task(key) => {
                    let run = self.state.run(key.run);
                    run.and_then(|run| run.first_ready(key.task, left))
                }
                Origin::Retry(item) => self.is_due(item).then_some(item.item.0..item.item.0 + 1),
            };
            let Some(items) = items else { break };
            left -= items.end - items.start;
            let task = origin.task();
            let keys = items.clone().map(|item| task.item(model::ItemId(item)));
            granted.entry(worker).or_default().extend(keys);
            let variant = way.variant;
            self.record(Fact::AttemptsLeased { task, items, worker, variant, devices });
            if matches!(origin, Origin::Retry(_)) {
                break;
            }
        }
        most - left
    }

    /// The way in which items are done: of alternatives the one that the planner has chosen, else
    /// that which is open.
    fn chosen(&self, way: Way, placement: &Placement) -> Way {
        match self.state.classes.get(way.class).alternatives.is_empty() {
            true => way,
            false => Way { variant: VariantId(placement.way), ..way },
        }
    }

    /// How many items of a task a worker may take by the state of this moment, as far as it is the
    /// worker's to say.
    pub(super) fn acceptable(
        &self,
        worker: WorkerId,
        key: TaskKey,
        way: Way,
        devices: DeviceSet,
    ) -> u32 {
        let (Some(known), Some(run)) = (self.state.worker(worker), self.state.run(key.run)) else {
            return 0;
        };
        let session = self.volatile.sessions.get(&worker);
        let lively = session.is_some_and(|session| session.is_lively(self.now));
        let class = way.taken(&self.state.classes);
        let request = &class.amounts;
        let late = run.task_deadline(key.task).is_some_and(|deadline| deadline <= self.now);
        if known.gone || !lively || late || !may_start(run.status()) {
            return 0;
        }
        let asked = &class.request.devices;
        if !class.constraints.admits(&known.site) {
            return 0;
        }
        if fits(request, &known.capacity) == 0 || !known.has_devices(asked, devices) {
            return 0;
        }
        // What takes a lock, spends of a budget or keeps to a breaker does not wait at a worker,
        // nor does what is given devices by their names.
        let alone = !class.shared.is_empty() || asked.count > 0;
        let ahead = if alone { 0 } else { PREFILL_MAX.saturating_sub(known.unstarted) };
        let room = fits(request, &known.free()).saturating_add(ahead);
        // The planner's account of a worker's room and this one are one: who finds them apart would
        // see the same placed and refused again and again.
        debug_assert!(room > 0 || known.unstarted >= PREFILL_MAX, "no room on {worker}: {known:?}");
        let each = if asked.count > 0 { 1 } else { u32::MAX };
        room.min(each)
    }

    /// How many items of a task may begin, as far as it is not their workers' to say.
    fn allowed(&self, key: TaskKey, way: Way) -> u32 {
        let Some(run) = self.state.run(key.run) else { return 0 };
        let limit = run.admitted().concurrency;
        let of_run = limit.map_or(u32::MAX, |limit| limit.saturating_sub(run.live()));
        let shared = &way.taken(&self.state.classes).shared;
        let of_task = run.allowance(key.task).unwrap_or(u32::MAX);
        self.state.shares.allowed(shared, self.now).min(of_run).min(of_task)
    }

    /// Remembers when the first class, or gang, that a budget or a breaker has refused may try
    /// again.
    fn note_shares(&mut self) {
        let planning = &self.volatile.planning;
        let classes = planning.refused().map(|(way, refusal)| (way, 1, refusal));
        let gangs = planning.planner().refused_alone().filter_map(|(key, refusal)| {
            let members = planning.planner().group(key)?.count;
            Some((planning.way(key)?, members, refusal))
        });
        let enough = classes.chain(gangs).filter_map(|(way, count, refusal)| {
            let Refusal::Allowance(allowance) = refusal else { return None };
            let shares = &self.state.shares;
            match planning.limit(allowance)? {
                Limit::Lock(_) => None,
                Limit::Breaker(name) => shares.open_until(name, self.now),
                Limit::Budget(_) => {
                    let mut budgets = way.taken(&self.state.classes).shared.budgets.iter();
                    budgets.try_fold(self.now, |latest, spending| {
                        Some(latest.max(shares.enough_at(spending, count, self.now)?))
                    })
                }
            }
        });
        let enough = enough.filter(|&at| at > self.now).min();
        let planning: &mut Planning = &mut self.volatile.planning;
        planning.look_at = planning.look_at.into_iter().chain(enough).min();
    }

    fn is_due(&self, item: ItemKey) -> bool {
        let record = self.state.run(item.run).and_then(|run| run.item(item.task, item.item));
        record.is_some_and(|record| record.status() == TaskStatus::Retrying)
            && self.state.ready.retry_at(item).is_some_and(|at| at <= self.now)
    }

    /// Remembers since when a class, or a gang, is said never to fit, and forgets it when it is
    /// said no more.
    fn note_hopeless(&mut self) {
        let refused = self.volatile.planning.refused();
        let never = refused.filter(|(_, refusal)| *refusal == Refusal::NeverFits);
        let mut never: Vec<_> = never.map(|(way, _)| way.class).collect();
        never.sort_unstable();
        self.volatile.never_fits.retain(|class, _| never.binary_search(class).is_ok());
        for class in never {
            self.volatile.never_fits.entry(class).or_insert(self.now);
        }
        let oversized = self.volatile.planning.planner().oversized();
        let oversized: BTreeSet<TaskKey> = oversized.map(|key| Origin::from(key).task()).collect();
        self.volatile.oversized.retain(|task, _| oversized.contains(task));
        for task in oversized {
            self.volatile.oversized.entry(task).or_insert(self.now);
        }
    }
}
