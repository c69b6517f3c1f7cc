//! The planner is asked, and what it proposes is checked and becomes leases.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use model::collections::HashMap;
use model::fact::Fact;
use model::limits::PREFILL_MAX;
use model::status::TaskStatus;
use model::{ItemKey, RunId, TaskId, TaskKey, Timestamp, WorkerId};
use scheduler::{Class, Group, Node, Placement, Plan, Problem, RefusalReason, fits};

use super::deadline::may_start;
use super::{Turn, Volatile};
use crate::input::Effect;
use crate::state::{ClassId, Run, State};

/// Groups of one class that a problem holds at most; the rest waits for the next plan.
const GROUPS_MAX: usize = 4_096;

/// What was planned last, and whether anything has changed since.
#[derive(Debug, Default)]
pub(crate) struct Planning {
    /// Whether a fact or a worker's return has made the last plan old.
    pub(crate) changed: bool,
    /// When the last problem was made.
    pub(crate) planned_at: Timestamp,
    /// What the numbers of the problem under way stand for.
    asked: Option<Legend>,
}

/// What the numbers in a [`Problem`] stand for.
#[derive(Debug, Default)]
pub(crate) struct Legend {
    pub(crate) classes: Vec<ClassId>,
    pub(crate) groups: Vec<Vec<Origin>>,
    pub(crate) workers: Vec<WorkerId>,
}

/// Where a group comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The ready items of a task.
    Task(TaskKey),
    /// An item whose next attempt is due.
    Retry(ItemKey),
}

impl Origin {
    pub(crate) const fn task(self) -> TaskKey {
        match self {
            Self::Task(task) => task,
            Self::Retry(item) => item.task_key(),
        }
    }
}

/// The state as the planner is to see it.
pub(crate) fn problem(state: &State, volatile: &Volatile, now: Timestamp) -> (Problem, Legend) {
    let mut legend = Legend::default();
    let mut problem = Problem::default();
    for (id, worker) in state.workers().filter(|(_, worker)| !worker.gone) {
        let session = volatile.sessions.get(&id);
        legend.workers.push(id);
        problem.nodes.push(Node {
            worker: id,
            capacity: worker.capacity.clone(),
            free: worker.free(),
            unstarted: worker.unstarted,
            accepts: session.is_some_and(|session| session.is_lively(now)),
        });
    }
    let mut allowances = Allowances::default();
    for id in state.ready.classes() {
        let class = state.classes.get(id);
        let origins = origins(state, id, now, room(&problem.nodes, &class.amounts));
        let groups: Vec<_> = origins
            .iter()
            .map(|&(order, origin)| group(state, order, origin, &mut allowances))
            .collect();
        if groups.is_empty() {
            continue;
        }
        legend.classes.push(id);
        legend.groups.push(origins.into_iter().map(|(_, origin)| origin).collect());
        problem.classes.push(Class {
            request: class.amounts.clone(),
            mean_wall_us: class.mean_wall_us,
            groups,
        });
    }
    problem.allowances = allowances.left;
    (problem, legend)
}

/// How many items of a class a plan could place at most.
fn room(nodes: &[Node], request: &[u64]) -> u64 {
    let accepting = nodes.iter().filter(|node| node.accepts);
    let free: u64 = accepting.clone().map(|node| u64::from(fits(request, &node.free))).sum();
    free + u64::from(PREFILL_MAX) * accepting.count() as u64
}

/// The place of a group in the order in which work goes, over all classes: the smaller first.
pub(crate) type Order = (u64, u64, u64);

/// Where a group stands: an item whose next attempt is due goes before what is ready of its task.
pub(crate) fn order(run: &Run, origin: Origin) -> Order {
    let (_, key) = run.ready_key(origin.task());
    let item = match origin {
        Origin::Task(_) => u32::MAX,
        Origin::Retry(item) => item.item.0,
    };
    (key.urgency, key.run.0, u64::from(key.task.0) << 32 | u64::from(item))
}

/// What of a class may start now, in order: as much as there may be room for, and one group more,
/// so that somebody is refused. A run that has all it may have takes no room: of it only the first
/// group is asked about, so that its refusal is on record.
fn origins(state: &State, class: ClassId, now: Timestamp, room: u64) -> Vec<(Order, Origin)> {
    let mut chosen = Chosen { room, limits: HashMap::default(), origins: Vec::new() };
    for item in state.ready.due(class, now).take(GROUPS_MAX) {
        let Some(run) = startable(state, item.run) else { continue };
        if run.allowance(item.task) == Some(0) {
            continue;
        }
        let origin = Origin::Retry(item);
        chosen.take(order(run, origin), origin, run, 1);
    }
    let mut next = state.ready.first_task(class);
    while let Some(key) = next.filter(|_| chosen.wants_more()) {
        let Some(run) = startable(state, key.run) else {
            next = state.ready.task_after_run(class, key);
            continue;
        };
        let items = startable_items(run, key.task);
        if items == 0 {
            next = state.ready.task_after(class, key);
            continue;
        }
        let origin = Origin::Task(TaskKey { run: key.run, task: key.task });
        let full = chosen.take(order(run, origin), origin, run, items);
        next = match full {
            true => state.ready.task_after_run(class, key),
            false => state.ready.task_after(class, key),
        };
    }
    chosen.origins.sort_unstable_by_key(|&(order, _)| order);
    chosen.origins
}

/// How many of the ready items of a task may start by its own limit.
fn startable_items(run: &Run, task: TaskId) -> u32 {
    run.ready_items(task).min(run.allowance(task).unwrap_or(u32::MAX))
}

/// A run of which anything may start.
pub(crate) fn startable(state: &State, id: RunId) -> Option<&Run> {
    state.run(id).filter(|run| may_start(run.status()))
}

/// What has been chosen for a problem so far.
struct Chosen {
    /// How many more items there may be room for.
    room: u64,
    /// How many more items of each run with a limit may be leased, and whether it was said that
    /// none may.
    limits: HashMap<RunId, (u32, bool)>,
    origins: Vec<(Order, Origin)>,
}

impl Chosen {
    fn wants_more(&self) -> bool {
        self.room > 0 && self.origins.len() < 2 * GROUPS_MAX
    }

    /// Takes a group in; says whether its run has all that it may have.
    fn take(&mut self, order: Order, origin: Origin, run: &Run, items: u32) -> bool {
        let limit = run.admitted().concurrency;
        let left = limit.map_or(u32::MAX, |limit| limit.saturating_sub(run.live()));
        let (left, told) = self.limits.entry(run.admitted().run).or_insert((left, false));
        let count = items.min(*left);
        if count == 0 && core::mem::replace(told, true) {
            return true;
        }
        if limit.is_some() {
            *left -= count;
        }
        self.room = self.room.saturating_sub(u64::from(count));
        self.origins.push((order, origin));
        count == 0
    }
}

fn group(state: &State, order: Order, origin: Origin, allowances: &mut Allowances) -> Group {
    let key = origin.task();
    let run = state.run(key.run);
    let count = match origin {
        Origin::Task(task) => run.map_or(0, |run| startable_items(run, task.task)),
        Origin::Retry(_) => 1,
    };
    Group { order, count, allowance: run.and_then(|run| allowances.of(key.run, run)) }
}

/// Runs with a limit on how many of their attempts may be leased at a time.
#[derive(Default)]
struct Allowances {
    left: Vec<u32>,
    index: HashMap<RunId, u32>,
}

impl Allowances {
    fn of(&mut self, id: RunId, run: &Run) -> Option<u32> {
        let limit = run.admitted().concurrency?;
        let next = u32::try_from(self.left.len()).expect("at most one a group");
        let index = *self.index.entry(id).or_insert(next);
        if index == next {
            self.left.push(limit.saturating_sub(run.live()));
        }
        Some(index)
    }
}

impl Turn<'_> {
    /// Asks for a plan if anything has changed since the last, or a retry has become due.
    pub(super) fn request_plan(&mut self) {
        let planning = &self.volatile.planning;
        let due = self.state.ready.next_due(planning.planned_at).is_some_and(|at| at <= self.now);
        if !planning.changed && !due {
            return;
        }
        let (problem, legend) = problem(self.state, self.volatile, self.now);
        let planning = &mut self.volatile.planning;
        (planning.changed, planning.planned_at) = (false, self.now);
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
        for (worker, items) in granted {
            self.grant(worker, items);
        }
        self.note_hopeless(&legend, plan);
        self.volatile.planning.changed = plan.out_of_fuel;
    }

    fn lease(
        &mut self,
        legend: &Legend,
        placement: &Placement,
        granted: &mut BTreeMap<WorkerId, Vec<ItemKey>>,
    ) {
        let worker = legend.workers[placement.node as usize];
        let origin = legend.groups[placement.class as usize][placement.group as usize];
        let mut left = placement.count.min(self.acceptable(worker, origin.task()));
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
            self.record(Fact::AttemptsLeased { task, items, worker });
            if matches!(origin, Origin::Retry(_)) {
                return;
            }
        }
    }

    /// How many items of a task a worker may take by the state of this moment.
    fn acceptable(&self, worker: WorkerId, key: TaskKey) -> u32 {
        let (Some(known), Some(run)) = (self.state.worker(worker), self.state.run(key.run)) else {
            return 0;
        };
        let session = self.volatile.sessions.get(&worker);
        let lively = session.is_some_and(|session| session.is_lively(self.now));
        let request = &self.state.classes.get(run.class(key.task)).amounts;
        if known.gone || !lively || !may_start(run.status()) || fits(request, &known.capacity) == 0
        {
            return 0;
        }
        let ahead = PREFILL_MAX.saturating_sub(known.unstarted);
        let room = fits(request, &known.free()).saturating_add(ahead);
        let limit = run.admitted().concurrency;
        let of_run = limit.map_or(u32::MAX, |limit| limit.saturating_sub(run.live()));
        room.min(of_run).min(run.allowance(key.task).unwrap_or(u32::MAX))
    }

    fn is_due(&self, item: ItemKey) -> bool {
        let record = self.state.run(item.run).and_then(|run| run.item(item.task, item.item));
        record.is_some_and(|record| record.status() == TaskStatus::Retrying)
            && self.state.ready.retry_at(item).is_some_and(|at| at <= self.now)
    }

    /// Remembers since when a class is said never to fit, and forgets it when it is said no more.
    fn note_hopeless(&mut self, legend: &Legend, plan: &Plan) {
        let never = plan.refusals.iter().filter_map(|refusal| match refusal.reason {
            RefusalReason::NeverFits(_) => Some(legend.classes[refusal.class as usize]),
            _ => None,
        });
        let never: Vec<_> = never.collect();
        self.volatile.never_fits.retain(|class, _| never.contains(class));
        for class in never {
            self.volatile.never_fits.entry(class).or_insert(self.now);
        }
    }
}
