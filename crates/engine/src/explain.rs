//! Why an item waits: answered by the planner's own refusal, not by a second opinion.

use alloc::vec;
use alloc::vec::Vec;

use model::control::Kind;
use model::limits::UNSATISFIABLE_GRACE;
use model::status::TaskStatus;
use model::wait::{Blocker, Miss};
use model::{ItemId, ItemKey, Outcome, TaskKey, Timestamp};
use scheduler::{Refusal, RefusalReason, Shortage};

use crate::decide::{Legend, Limit, Order, Origin, Way, first_way, order, problem, startable};
use crate::engine::Engine;
use crate::state::{Circuit, ClassId, Run, State};

/// Tasks that are looked at to say how much goes before something.
const LOOKS_MAX: usize = 10_000;

/// Holders of a lock that are named.
const HOLDERS_MAX: usize = 8;

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
    /// Whether there is more than was counted.
    pub more: bool,
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
        if let Some(cause) = run.paused() {
            let (cost_micro, limit_micro) =
                (run.spent().cost_micro, run.admitted().cost_limit_micro);
            return vec![Blocker::Paused { cause, cost_micro, limit_micro }];
        }
        if let (Some(0), Some(limit)) = (run.allowance(task), run.policy(task).concurrency) {
            return vec![Blocker::TaskConcurrency { limit }];
        }
        let (problem, legend) = problem(self.state(), self.volatile(), self.now());
        let plan = scheduler::plan(&problem, FUEL);
        let way = self.way(run, origin);
        let behind = Blocker::Behind { items: ahead.items, tasks: ahead.tasks };
        let Some(class) = legend.classes.iter().position(|&known| known == way) else {
            return vec![Blocker::Run(run.status())];
        };
        let Some(group) = legend.groups[class].iter().position(|&known| known == origin) else {
            // What is true of the class is true of it, and what is true of its run, too.
            let concerns = |refusal: &&Refusal| match refusal.reason {
                RefusalReason::Group { .. } => {
                    let refused = legend.groups[refusal.class as usize][refusal.group as usize];
                    refused.task().run == origin.task().run
                }
                RefusalReason::Draw { .. } => refusal.class as usize == class,
                _ => false,
            };
            return match plan.refusals.iter().find(concerns) {
                Some(refusal) => vec![self.blocker(run, way, (&refusal.reason, &legend))],
                None => vec![behind],
            };
        };
        let concerns = |refusal: &&Refusal| {
            let first = refusal.group as usize;
            let alone = matches!(refusal.reason, RefusalReason::Group { .. });
            refusal.class as usize == class && if alone { first == group } else { first <= group }
        };
        let Some(refusal) = plan.refusals.iter().find(concerns) else {
            let placed = plan.placements.iter().any(|placement| {
                (placement.class as usize, placement.group as usize) == (class, group)
            });
            return if placed { Vec::new() } else { vec![behind] };
        };
        let mut blockers = vec![self.blocker(run, way, (&refusal.reason, &legend))];
        if matches!(refusal.reason, RefusalReason::NoRoom(_)) && ahead.items > 0 {
            blockers.push(behind);
        }
        blockers
    }

    /// The class of what waits, and the way in which it would be done now.
    fn way(&self, run: &Run, origin: Origin) -> Way {
        let class = match origin {
            Origin::Task(key) => run.class(key.task),
            Origin::Retry(item) => run.class_of(item.task, item.item),
        };
        let state = self.state();
        Way { class, variant: state.way(class, first_way(state, origin), self.now()) }
    }

    fn blocker(&self, run: &Run, way: Way, (reason, legend): (&RefusalReason, &Legend)) -> Blocker {
        let misses = |shortages: &[Shortage]| shortages.iter().map(|s| self.miss(s)).collect();
        match reason {
            RefusalReason::Group { .. } => {
                Blocker::Concurrency { limit: run.admitted().concurrency.unwrap_or(0) }
            }
            RefusalReason::Draw { allowance } => {
                self.shared_blocker(run, way, &legend.limits[*allowance as usize])
            }
            RefusalReason::NoNode => Blocker::NoWorker,
            RefusalReason::NoRoom(shortages) => Blocker::NoRoom { misses: misses(shortages) },
            RefusalReason::NeverFits(shortages) => {
                let since: Option<&Timestamp> = self.volatile().never_fits.get(&way.class);
                let since = since.copied().unwrap_or(self.now());
                let fails_at = since + UNSATISFIABLE_GRACE;
                Blocker::NeverFits { misses: misses(shortages), fails_at }
            }
        }
    }

    /// What of the things that all runs share keeps a class.
    fn shared_blocker(&self, run: &Run, way: Way, limit: &Limit) -> Blocker {
        let (state, shared) = (self.state(), &way.taken(self.state().classes()).shared);
        match limit {
            Limit::Breaker(name) => {
                let breaker = shared.breakers.iter().find(|breaker| breaker.name == *name);
                let circuit = state.shares().circuit(name);
                Blocker::Breaker {
                    name: name.clone(),
                    until: state.shares().open_until(name, self.now()),
                    failures: circuit.map_or(0, Circuit::failures),
                    last: circuit.map_or(Outcome::Succeeded, Circuit::last),
                    trials: breaker.map_or(0, |breaker| breaker.trials),
                }
            }
            Limit::Run(_) => {
                Blocker::Concurrency { limit: run.admitted().concurrency.unwrap_or(0) }
            }
            Limit::Lock(name) => {
                let lock = shared.locks.iter().find(|lock| lock.name == *name);
                Blocker::Lock {
                    name: name.clone(),
                    holders: state.shares().holders(name).take(HOLDERS_MAX).collect(),
                    limit: lock.map_or(0, |lock| state.shares().limit(lock)),
                }
            }
            Limit::Budget(name) => {
                let spending = shared.budgets.iter().find(|spending| spending.name == *name);
                let enough = |spending| state.shares().enough_at(spending, self.now());
                let until = spending.map_or(self.now(), enough);
                Blocker::Budget { name: name.clone(), until }
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
    /// the planner takes them. No more than [`LOOKS_MAX`] tasks are looked at.
    fn ahead(&self, run: &Run, item: ItemKey, origin: Origin) -> Ahead {
        let state = self.state();
        let mut count =
            Count { own: order(run, origin), looks: LOOKS_MAX, ahead: Ahead::default() };
        for class in state.ready.classes() {
            count.ready(state, class);
            count.due(state, (class, self.now()));
        }
        let Count { mut ahead, looks, .. } = count;
        ahead.more = looks == 0;
        if let (Origin::Task(task), Some(fan)) = (origin, run.fan(item.task)) {
            let before = fan.ready_before(item.item.0);
            ahead.items += u64::from(before);
            let (class, key) = run.ready_key(task);
            let counted = state.ready.due(class, key, self.now()).next().is_some();
            ahead.tasks += u64::from(before > 0 && !counted);
        }
        ahead
    }
}

/// What goes before something, as it is counted.
struct Count {
    own: Order,
    /// How many more tasks may be looked at.
    looks: usize,
    ahead: Ahead,
}

impl Count {
    fn look(&mut self) -> bool {
        self.looks = self.looks.saturating_sub(1);
        self.looks > 0
    }

    fn ready(&mut self, state: &State, class: ClassId) {
        for key in state.ready.tasks(class) {
            if !self.look() {
                return;
            }
            let Some(run) = startable(state, key.run) else { continue };
            if order(run, Origin::Task(TaskKey { run: key.run, task: key.task })) >= self.own {
                return;
            }
            self.ahead.items += u64::from(run.ready_items(key.task));
            self.ahead.tasks += 1;
        }
    }

    fn due(&mut self, state: &State, (class, now): (ClassId, Timestamp)) {
        let mut at = None;
        while let Some(key) = state.ready.next_retry(class, at) {
            at = Some(key);
            if !self.look() {
                return;
            }
            let Some(run) = startable(state, key.run) else { continue };
            let of =
                |item| order(run, Origin::Retry(ItemKey { run: key.run, task: key.task, item }));
            if of(ItemId(0)) >= self.own {
                return;
            }
            let due = state.ready.due(class, key, now).filter(|&item| of(item) < self.own);
            let due = due.take(self.looks).count();
            self.looks -= due;
            self.ahead.items += due as u64;
            // A task with ready items that go first has been counted with them.
            let task = Origin::Task(TaskKey { run: key.run, task: key.task });
            let counted = run.ready_items(key.task) > 0 && order(run, task) < self.own;
            self.ahead.tasks += u64::from(due > 0 && !counted);
        }
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
