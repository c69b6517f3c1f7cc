//! Why an item waits: answered by the planner's own refusal, not by a second opinion.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use model::control::Kind;
use model::limits::UNSATISFIABLE_GRACE;
use model::status::TaskStatus;
use model::wait::{Blocker, Miss};
use model::{ItemKey, TaskKey, Timestamp};
use scheduler::{Refusal, RefusalReason, Shortage};

use crate::decide::{Origin, order, problem, startable};
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
    /// What goes before it, if it queues.
    pub ahead: Option<Ahead>,
}

/// What goes before an item in the planner's order, of whatever size it is. That it goes first does
/// not mean that it starts first: what finds no room lets others pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// How many items.
    pub items: u64,
    /// Of how many tasks, its own included.
    pub tasks: u64,
}

impl Engine {
    /// Explains an item by the state of this moment; `None` if there is no such item.
    #[must_use]
    pub fn explain(&self, item: ItemKey) -> Option<Explanation> {
        let run = self.state().run(item.run)?;
        let status = run.item(item.task, item.item)?.status();
        let origin = match status {
            TaskStatus::Ready => Some(Origin::Task(item.task_key())),
            TaskStatus::Retrying => {
                let until = self.state().ready.retry_at(item)?;
                if until > self.now() {
                    let blockers = vec![Blocker::Backoff { until }];
                    return Some(Explanation { status, blockers, ahead: None });
                }
                Some(Origin::Retry(item))
            }
            _ => None,
        };
        let Some(origin) = origin else {
            let blockers = match status {
                TaskStatus::Pending => dependencies(run, item.task_key()),
                TaskStatus::Running => wait(run, item.task_key()),
                _ => Vec::new(),
            };
            return Some(Explanation { status, blockers, ahead: None });
        };
        let ahead = startable(self.state(), item.run).map(|_| self.ahead(run, item, origin));
        let blockers = self.refusal(run, origin, ahead.unwrap_or_default());
        Some(Explanation { status, blockers, ahead })
    }

    fn refusal(&self, run: &Run, origin: Origin, ahead: Ahead) -> Vec<Blocker> {
        let task = origin.task().task;
        if let (Some(0), Some(limit)) = (run.allowance(task), run.policy(task).concurrency) {
            return vec![Blocker::TaskConcurrency { limit }];
        }
        let (problem, legend) = problem(self.state(), self.volatile(), self.now());
        let plan = scheduler::plan(&problem, FUEL);
        let class_id = run.class(origin.task().task);
        let behind = Blocker::Behind { items: ahead.items, tasks: ahead.tasks };
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
                false => vec![behind],
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
            return if placed { Vec::new() } else { vec![behind] };
        };
        let mut blockers = vec![self.blocker(run, class_id, &refusal.reason)];
        if matches!(refusal.reason, RefusalReason::NoRoom(_)) && ahead.items > 0 {
            blockers.push(behind);
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

    /// What goes before an item: ready work and due attempts of all classes, in the order in which
    /// the planner takes them. O(what goes before).
    fn ahead(&self, run: &Run, item: ItemKey, origin: Origin) -> Ahead {
        let state = self.state();
        let own = order(run, origin);
        let mut ahead = Ahead::default();
        let mut due = BTreeSet::new();
        for class in state.ready.classes() {
            for key in state.ready.tasks(class) {
                let Some(run) = startable(state, key.run) else { continue };
                if order(run, Origin::Task(TaskKey { run: key.run, task: key.task })) >= own {
                    break;
                }
                ahead.items += u64::from(run.ready_items(key.task));
                ahead.tasks += 1;
            }
            for item in state.ready.due(class, self.now()) {
                let run = startable(state, item.run);
                if run.is_some_and(|run| order(run, Origin::Retry(item)) < own) {
                    ahead.items += 1;
                    due.insert(item.task_key());
                }
            }
        }
        if let (Origin::Task(task), Some(fan)) = (origin, run.fan(item.task)) {
            let before = fan.items().iter().take(item.item.0 as usize);
            let ready = before.filter(|other| other.status() == TaskStatus::Ready).count();
            ahead.items += ready as u64;
            if ready > 0 {
                due.insert(task);
            }
        }
        // A task with ready items before this one has been counted with them.
        let is_counted = |key: &&TaskKey| {
            let run = state.run(key.run);
            run.is_some_and(|run| {
                run.ready_items(key.task) > 0 && order(run, Origin::Task(**key)) < own
            })
        };
        ahead.tasks += due.iter().filter(|key| !is_counted(key)).count() as u64;
        ahead
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
