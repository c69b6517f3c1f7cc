//! Why an item waits: answered by the planner's own refusal, not by a second opinion.

use alloc::vec;
use alloc::vec::Vec;

use model::control::Kind;
use model::fact::Standing;
use model::limits::UNSATISFIABLE_GRACE;
use model::status::TaskStatus;
use model::wait::{Blocker, Lack, Miss, Shortfall};
use model::{ItemKey, Outcome, TaskKey, Timestamp, VariantId};
use scheduler::{Refusal, Shortage, Thing};

use crate::decide::may_start;
use crate::engine::Engine;
use crate::planning::{KeptRoom, Limit, Origin, Planning, QueueMiss, Way};
use crate::state::{Circuit, Run};

/// Groups that are looked at to say how much goes before something.
const LOOKS_MAX: usize = 10_000;

/// Holders of a lock that are named.
const HOLDERS_MAX: usize = 8;

/// Workers that are named with what they lack: those that come nearest.
const MISSES_MAX: usize = 8;

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
    /// Explains an item by the state of this moment, as the last plan found it; `None` if there is
    /// no such item.
    #[must_use]
    pub fn explain(&self, item: ItemKey) -> Option<Explanation> {
        let run = self.state().run(item.run)?;
        let status = run.item(item.task, item.item)?.status();
        if let Some(explanation) = self.explain_member(run, item, status) {
            return Some(explanation);
        }
        let origin = match status {
            TaskStatus::Ready => Some(Origin::Task(item.task_key())),
            TaskStatus::Retrying if run.is_gang(item.task) => Some(Origin::Task(item.task_key())),
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
        if self.is_placed(item, origin) {
            return Some(Explanation { status, blockers: Vec::new(), ahead: None });
        }
        let ahead = may_start(run.status()).then(|| self.ahead(run, item, origin));
        let blockers = self.refusal(run, origin, ahead.unwrap_or_default());
        Some(Explanation { status, blockers, ahead })
    }

    /// Explains the member of a gang, if it is what the others do that keeps it.
    fn explain_member(&self, run: &Run, item: ItemKey, status: TaskStatus) -> Option<Explanation> {
        let (key, state) = (item.task_key(), self.state());
        if !run.is_gang(item.task) || status.is_final() || status == TaskStatus::Pending {
            return None;
        }
        let lease = state.lease(item);
        let blocker = match (lease, state.gang_due(key)) {
            (Some(lease), _) if lease.standing == Standing::Done => {
                Blocker::Members { left: state.working_members(key) }
            }
            (Some(_), _) => return None,
            (None, None) => Blocker::Members { left: state.working_members(key) },
            (None, Some(until)) if until > self.now() => Blocker::Backoff { until },
            (None, Some(_)) => return None,
        };
        Some(Explanation { status, blockers: vec![blocker], ahead: None })
    }

    fn refusal(&self, run: &Run, origin: Origin, ahead: Ahead) -> Vec<Blocker> {
        let task = origin.task().task;
        if let Some(cause) = run.paused() {
            let (cost_micro, limit_micro) =
                (run.spent().cost_micro, run.admitted().cost_limit_micro);
            return vec![Blocker::Paused { cause, cost_micro, limit_micro }];
        }
        if !may_start(run.status()) {
            return vec![Blocker::Run(run.status())];
        }
        if let (Some(0), Some(limit)) = (run.allowance(task), run.policy(task).concurrency) {
            return vec![Blocker::TaskConcurrency { limit }];
        }
        let (planning, key) = (&self.volatile().planning, Planning::key(origin));
        let behind = Blocker::Behind { items: ahead.items, tasks: ahead.tasks };
        // What has come since the last plan has its turn in the next.
        let known = planning.way(key).zip(planning.planner().why(key));
        let Some((way, refusal)) = known else {
            return match self.state().workers().next() {
                None => vec![Blocker::NoWorker],
                Some(_) => vec![behind],
            };
        };
        let misses = |ever| self.misses(planning, key, ever);
        let blocker = match refusal {
            Refusal::Behind => behind.clone(),
            Refusal::Run => Blocker::Concurrency { limit: run.admitted().concurrency.unwrap_or(0) },
            Refusal::NoNode => Blocker::NoWorker,
            Refusal::NoneAccepts => Blocker::Silent,
            Refusal::NoRoom => Blocker::NoRoom { misses: misses(false) },
            Refusal::Reserved => Blocker::Reserved,
            Refusal::Kept(node) => {
                planning.kept_room(self.state(), node).map_or_else(|| behind.clone(), kept)
            }
            Refusal::Apart => match &way.taken(self.state().classes()).constraints.together {
                Some(domain) => Blocker::Apart { domain: domain.clone() },
                None => behind.clone(),
            },
            Refusal::Faster { node, at } => match planning.worker(node) {
                Some(worker) => Blocker::Faster { worker, at: Timestamp(at) },
                None => behind.clone(),
            },
            Refusal::Allowance(allowance) => {
                let together = if run.is_gang(task) { run.item_count(task) } else { 1 };
                let blocker = |limit| self.shared_blocker(way, limit, together);
                planning.limit(allowance).map_or_else(|| behind.clone(), blocker)
            }
            Refusal::Queue(queue) => {
                let miss = planning.queue_miss(self.state(), queue, key);
                miss.map_or_else(|| behind.clone(), queue_blocker)
            }
            Refusal::Gang { room, at } => Blocker::Gang {
                members: run.item_count(task),
                room,
                at: at.map(Timestamp),
                misses: misses(false),
            },
            Refusal::Oversized { largest } => {
                let since = self.volatile().oversized.get(&origin.task());
                let (members, fails_at) = (run.item_count(task), self.fails_at(since));
                Blocker::Oversized { members, largest, fails_at }
            }
            Refusal::NeverFits => {
                let fails_at = self.fails_at(self.volatile().never_fits.get(&way.class));
                Blocker::NeverFits { misses: misses(true), fails_at }
            }
        };
        let by_nodes = matches!(refusal, Refusal::NoRoom | Refusal::Gang { .. });
        core::iter::once(blocker).chain((by_nodes && ahead.items > 0).then_some(behind)).collect()
    }

    /// When something fails that has been said since a time never to fit.
    fn fails_at(&self, since: Option<&Timestamp>) -> Timestamp {
        since.copied().unwrap_or(self.now()) + UNSATISFIABLE_GRACE
    }

    /// What of the things that all runs share keeps so many of a class that begin together.
    fn shared_blocker(&self, way: Way, limit: &Limit, together: u32) -> Blocker {
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
                let enough = |spending| state.shares().enough_at(spending, together, self.now());
                let until = spending.and_then(enough).unwrap_or(self.now());
                Blocker::Budget { name: name.clone(), until }
            }
        }
    }

    fn misses(&self, planning: &Planning, key: scheduler::GroupKey, ever: bool) -> Vec<Miss> {
        let Some(class) = planning.planner().group(key).map(|group| group.class) else {
            return Vec::new();
        };
        let shortages = planning.planner().shortages(class, ever, MISSES_MAX);
        let way = planning.way(key);
        let miss = |shortage| self.miss(planning, way?, shortage);
        shortages.iter().filter_map(miss).collect()
    }

    fn miss(&self, planning: &Planning, way: Way, shortage: &Shortage) -> Option<Miss> {
        let worker = planning.worker(shortage.node)?;
        let variant = VariantId(shortage.way);
        let resource = match shortage.thing {
            Thing::Amount(resource) => self.state().classes().resource_name(resource),
            Thing::Devices => "gpu",
            Thing::Site => {
                let constraints = &way.taken(self.state().classes()).constraints;
                let obstacle = constraints.obstacle(&self.state().worker(worker)?.site)?;
                return Some(Miss { worker, variant, lack: Lack::Site(obstacle) });
            }
        };
        let Shortage { asked, free, capacity, .. } = *shortage;
        let lack = Lack::Amount(Shortfall { resource: resource.into(), asked, free, capacity });
        Some(Miss { worker, variant, lack })
    }

    /// What goes before an item, in the order in which the planner takes it. No more than
    /// [`LOOKS_MAX`] groups are looked at.
    fn ahead(&self, run: &Run, item: ItemKey, origin: Origin) -> Ahead {
        let planner = self.volatile().planning.planner();
        let scheduler::Ahead { items, groups, more, .. } =
            planner.ahead(Planning::key(origin), LOOKS_MAX);
        let mut ahead = Ahead { items, tasks: groups, more };
        let fan = run.fan(item.task).filter(|_| !run.is_gang(item.task));
        if let (Origin::Task(_), Some(fan)) = (origin, fan) {
            let before = fan.ready_before(item.item.0);
            ahead.items += u64::from(before);
            ahead.tasks += u64::from(before > 0);
        }
        ahead
    }
}

/// What a worker keeps that no critical work has.
fn kept(room: KeptRoom) -> Blocker {
    let left = room.resources.into_iter().map(|it| (it.resource, it.kept - it.used));
    let amounts = left.filter(|&(_, left)| left > 0).collect();
    Blocker::Kept { worker: room.worker, amounts }
}

fn queue_blocker(miss: QueueMiss) -> Blocker {
    let QueueMiss { queue, resource, asked, used, limit } = miss;
    Blocker::Queue { queue, resource, asked, used, limit }
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
