//! Why an item waits: answered by the planner's own refusal, not by a second opinion.

use alloc::vec;
use alloc::vec::Vec;

use model::control::Kind;
use model::limits::UNSATISFIABLE_GRACE;
use model::status::TaskStatus;
use model::wait::{Blocker, Miss};
use model::{ItemKey, TaskKey, Timestamp};
use scheduler::{Refusal, RefusalReason, Shortage};

use crate::decide::{Origin, problem};
use crate::engine::Engine;
use crate::state::{ClassId, Run};

/// Units that a plan for an explanation may cost.
const FUEL: u64 = 1_000_000;

/// Where an item stands, and what keeps it from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Where it stands.
    pub status: TaskStatus,
    /// What keeps it; empty if nothing does.
    pub blockers: Vec<Blocker>,
}

impl Engine {
    /// Explains an item by the state of this moment; `None` if there is no such item.
    #[must_use]
    pub fn explain(&self, item: ItemKey) -> Option<Explanation> {
        let run = self.state().run(item.run)?;
        let status = run.item(item.task, item.item)?.status();
        let blockers = match status {
            TaskStatus::Pending => dependencies(run, item.task_key()),
            TaskStatus::Ready => self.refusal(run, Origin::Task(item.task_key())),
            TaskStatus::Retrying => {
                let until = self.state().ready.retry_at(item)?;
                if until > self.now() {
                    vec![Blocker::Backoff { until }]
                } else {
                    self.refusal(run, Origin::Retry(item))
                }
            }
            TaskStatus::Running => wait(run, item.task_key()),
            _ => Vec::new(),
        };
        Some(Explanation { status, blockers })
    }

    fn refusal(&self, run: &Run, origin: Origin) -> Vec<Blocker> {
        let task = origin.task().task;
        if let (Some(0), Some(limit)) = (run.allowance(task), run.policy(task).concurrency) {
            return vec![Blocker::TaskConcurrency { limit }];
        }
        let (problem, legend) = problem(self.state(), self.volatile(), self.now());
        let plan = scheduler::plan(&problem, FUEL);
        let class_id = run.class(origin.task().task);
        let behind = || vec![Blocker::Behind { items: self.items_ahead(class_id, origin) }];
        let Some(class) = legend.classes.iter().position(|&class| class == class_id) else {
            return vec![Blocker::Run(run.status())];
        };
        let Some(group) = legend.groups[class].iter().position(|&known| known == origin) else {
            let limited = plan.refusals.iter().any(|refusal| {
                let refused = legend.groups[refusal.class as usize][refusal.group as usize];
                let own = refused.task().run == origin.task().run;
                own && refusal.reason == RefusalReason::Allowance
            });
            return match limited {
                true => vec![self.blocker(run, class_id, &RefusalReason::Allowance)],
                false => behind(),
            };
        };
        let concerns = |refusal: &&Refusal| {
            let first = refusal.group as usize;
            let alone = refusal.reason == RefusalReason::Allowance;
            refusal.class as usize == class && if alone { first == group } else { first <= group }
        };
        let Some(refusal) = plan.refusals.iter().find(concerns) else {
            let placed = plan.placements.iter().any(|placement| {
                (placement.class as usize, placement.group as usize) == (class, group)
            });
            return if placed { Vec::new() } else { behind() };
        };
        let mut blockers = vec![self.blocker(run, class_id, &refusal.reason)];
        if matches!(refusal.reason, RefusalReason::NoRoom(_)) {
            let items = self.items_ahead(class_id, origin);
            if items > 0 {
                blockers.push(Blocker::Behind { items });
            }
        }
        blockers
    }

    fn blocker(&self, run: &Run, class: ClassId, reason: &RefusalReason) -> Blocker {
        let misses = |shortages: &[Shortage]| shortages.iter().map(|s| self.miss(s)).collect();
        match reason {
            RefusalReason::Allowance => {
                Blocker::Concurrency { limit: run.admitted().concurrency.unwrap_or(0) }
            }
            RefusalReason::NoNode => Blocker::NoWorker,
            RefusalReason::NoRoom(shortages) => Blocker::NoRoom { misses: misses(shortages) },
            RefusalReason::NeverFits(shortages) => {
                let since: Option<&Timestamp> = self.volatile().never_fits.get(&class);
                let since = since.copied().unwrap_or(self.now());
                let fails_at = since + UNSATISFIABLE_GRACE;
                Blocker::NeverFits { misses: misses(shortages), fails_at }
            }
        }
    }

    fn miss(&self, shortage: &Shortage) -> Miss {
        Miss {
            worker: shortage.worker,
            resource: self.state().classes().resource_name(shortage.resource).into(),
            asked: shortage.asked,
            free: shortage.free,
            capacity: shortage.capacity,
        }
    }

    /// How many ready items of the same class go before this one.
    fn items_ahead(&self, class: ClassId, origin: Origin) -> u64 {
        let state = self.state();
        let Some(run) = state.run(origin.task().run) else { return 0 };
        let (_, own) = run.ready_key(origin.task());
        let ahead = state.ready.tasks(class).take_while(|&&key| key < own);
        ahead.filter_map(|key| Some(u64::from(state.run(key.run)?.ready_items(key.task)))).sum()
    }
}

fn dependencies(run: &Run, key: TaskKey) -> Vec<Blocker> {
    if run.asking.contains(&key.task) {
        return vec![Blocker::Question];
    }
    let mut blockers: Vec<_> = run
        .graph()
        .predecessors(key.task)
        .map(|task| (task, run.task(task).status()))
        .filter(|(_, status)| !status.is_final())
        .map(|(task, status)| Blocker::Dependency { task, status })
        .collect();
    if run.stage(key.task) > run.released {
        blockers.push(Blocker::Handler);
    }
    blockers
}

/// What a task waits for that no worker runs.
fn wait(run: &Run, key: TaskKey) -> Vec<Blocker> {
    match (run.wait(key.task), run.policy(key.task).kind) {
        (Some(until), Kind::Signal { .. }) => vec![Blocker::Person { until }],
        (Some(Some(until)), _) => vec![Blocker::Time { until }],
        _ => Vec::new(),
    }
}
