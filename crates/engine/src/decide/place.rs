//! The planner is asked, and what it proposes is checked and becomes leases.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use model::fact::Fact;
use model::limits::PREFILL_MAX;
use model::status::TaskStatus;
use model::{ItemKey, TaskKey, Timestamp, WorkerId};
use scheduler::{Placement, Plan, RefusalReason, fits};

use super::Turn;
use super::allowances::Limit;
use super::deadline::may_start;
use super::problem::{Legend, Origin, Way, problem};
use crate::input::Effect;

/// What was planned last, and whether anything has changed since.
#[derive(Debug, Default)]
pub(crate) struct Planning {
    /// Whether a fact or a worker's return has made the last plan old.
    pub(crate) changed: bool,
    /// When the last problem was made.
    pub(crate) planned_at: Timestamp,
    /// When a budget that has refused something will have enough for it, or a breaker that did
    /// lets somebody try.
    pub(crate) enough_at: Option<Timestamp>,
    /// What the numbers of the problem under way stand for.
    asked: Option<Legend>,
}

impl Turn<'_> {
    /// Asks for a plan if anything has changed since the last, or a retry has become due.
    pub(super) fn request_plan(&mut self) {
        let planning = &self.volatile.planning;
        let due = self.state.ready.next_due(planning.planned_at).is_some_and(|at| at <= self.now);
        let enough = planning.enough_at.is_some_and(|at| at <= self.now);
        if !planning.changed && !due && !enough {
            return;
        }
        let (problem, legend) = problem(self.state, self.volatile, self.now);
        let planning = &mut self.volatile.planning;
        (planning.changed, planning.planned_at) = (false, self.now);
        planning.enough_at = None;
        if problem.classes.is_empty() {
            self.volatile.never_fits.clear();
            return;
        }
        planning.asked = Some(legend);
        self.effect(Effect::Plan(Box::new(problem)));
    }

    /// Makes leases of what was proposed and still holds.
    pub(super) fn dispose(&mut self, plan: &Plan) {
        let Some(legend) = self.volatile.planning.asked.take() else { return };
        let mut granted: BTreeMap<WorkerId, Vec<ItemKey>> = BTreeMap::new();
        for placement in &plan.placements {
            self.lease(&legend, placement, &mut granted);
        }
        self.note_shares(&legend, plan);
        for (worker, items) in granted {
            self.grant(worker, items);
        }
        self.note_hopeless(&legend, plan);
        self.volatile.planning.changed = plan.out_of_fuel || self.has_other_ways(&legend, plan);
    }

    /// Whether something was refused that may be done in another way, now that a breaker has as
    /// many who try as it lets.
    fn has_other_ways(&self, legend: &Legend, plan: &Plan) -> bool {
        plan.refusals.iter().any(|refusal| {
            let Way { class, variant } = legend.classes[refusal.class as usize];
            let is_shared = matches!(refusal.reason, RefusalReason::Draw { .. });
            is_shared && self.state.way(class, variant, self.now) != variant
        })
    }

    fn lease(
        &mut self,
        legend: &Legend,
        placement: &Placement,
        granted: &mut BTreeMap<WorkerId, Vec<ItemKey>>,
    ) {
        let worker = legend.workers[placement.node as usize];
        let origin = legend.groups[placement.class as usize][placement.group as usize];
        let way = legend.classes[placement.class as usize];
        let mut left = placement.count.min(self.acceptable(worker, origin.task(), way));
        while left > 0 {
            let items = match origin {
                Origin::Task(key) => {
                    let run = self.state.run(key.run);
                    run.and_then(|run| run.first_ready(key.task, left))
                }
                Origin::Retry(item) => self.is_due(item).then_some(item.item.0..item.item.0 + 1),
            };
            let Some(items) = items else { return };
            left -= items.end - items.start;
            let task = origin.task();
            let keys = items.clone().map(|item| task.item(model::ItemId(item)));
            granted.entry(worker).or_default().extend(keys);
            self.record(Fact::AttemptsLeased { task, items, worker, variant: way.variant });
            if matches!(origin, Origin::Retry(_)) {
                return;
            }
        }
    }

    /// How many items of a task a worker may take by the state of this moment.
    fn acceptable(&self, worker: WorkerId, key: TaskKey, way: Way) -> u32 {
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
        if fits(request, &known.capacity) == 0 {
            return 0;
        }
        // What takes a lock, spends of a budget or keeps to a breaker does not wait at a worker.
        let alone = !class.shared.is_empty();
        let ahead = if alone { 0 } else { PREFILL_MAX.saturating_sub(known.unstarted) };
        let room = fits(request, &known.free()).saturating_add(ahead);
        let limit = run.admitted().concurrency;
        let of_run = limit.map_or(u32::MAX, |limit| limit.saturating_sub(run.live()));
        let shared = self.state.shares.allowed(&class.shared, self.now);
        room.min(of_run).min(shared).min(run.allowance(key.task).unwrap_or(u32::MAX))
    }

    /// Remembers when the first class that a budget or a breaker has refused may try again.
    fn note_shares(&mut self, legend: &Legend, plan: &Plan) {
        let enough = plan.refusals.iter().filter_map(|refusal| {
            let RefusalReason::Draw { allowance } = refusal.reason else { return None };
            let shares = &self.state.shares;
            match &legend.limits[allowance as usize] {
                Limit::Run(_) | Limit::Lock(_) => None,
                Limit::Breaker(name) => shares.open_until(name, self.now),
                Limit::Budget(_) => {
                    let way = legend.classes[refusal.class as usize];
                    let budgets = way.taken(&self.state.classes).shared.budgets.iter();
                    budgets.map(|spending| shares.enough_at(spending, self.now)).max()
                }
            }
        });
        self.volatile.planning.enough_at = enough.filter(|&at| at > self.now).min();
    }

    fn is_due(&self, item: ItemKey) -> bool {
        let record = self.state.run(item.run).and_then(|run| run.item(item.task, item.item));
        record.is_some_and(|record| record.status() == TaskStatus::Retrying)
            && self.state.ready.retry_at(item).is_some_and(|at| at <= self.now)
    }

    /// Remembers since when a class is said never to fit, and forgets it when it is said no more.
    fn note_hopeless(&mut self, legend: &Legend, plan: &Plan) {
        let never = plan.refusals.iter().filter_map(|refusal| match refusal.reason {
            RefusalReason::NeverFits(_) => Some(legend.classes[refusal.class as usize].class),
            _ => None,
        });
        let never: Vec<_> = never.collect();
        self.volatile.never_fits.retain(|class, _| never.contains(class));
        for class in never {
            self.volatile.never_fits.entry(class).or_insert(self.now);
        }
    }
}
