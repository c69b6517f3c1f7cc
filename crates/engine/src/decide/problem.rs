//! The state as the planner is to see it: what may start, in order, and what there is to take.

use alloc::vec::Vec;

use model::collections::HashMap;
use model::limits::PREFILL_MAX;
use model::{ItemKey, RunId, TaskId, TaskKey, Timestamp, VariantId, WorkerId};
use scheduler::{Group, Node, Problem, fits};

use super::Volatile;
use super::allowances::{Allowances, Limit, Seen};
use super::deadline::may_start;
use crate::state::{Class, ClassId, Classes, ReadyKey, Run, State};

/// Groups of one class that a problem holds at most; the rest waits for the next plan.
const GROUPS_MAX: usize = 4_096;

/// What the numbers in a [`Problem`] stand for.
#[derive(Debug, Default)]
pub(crate) struct Legend {
    pub(crate) classes: Vec<Way>,
    pub(crate) groups: Vec<Vec<Origin>>,
    pub(crate) workers: Vec<WorkerId>,
    /// What each allowance is left of.
    pub(crate) limits: Vec<Limit>,
}

/// A class, and the way in which what it stands for is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) class: ClassId,
    pub(crate) variant: VariantId,
}

impl Way {
    /// What is taken in this way.
    pub(crate) fn taken(self, classes: &Classes) -> &Class {
        classes.get(classes.variant(self.class, self.variant))
    }
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
    let seen = Seen { shares: &state.shares, now };
    for id in state.ready.classes() {
        let room = room_of_ways(state, id, (&problem.nodes, now));
        for (way, origins) in by_way(state, id, (origins(state, id, now, room), now)) {
            let groups: Vec<_> = origins
                .iter()
                .map(|&(order, origin)| group(state, order, origin, &mut allowances))
                .collect();
            let taken = way.taken(&state.classes);
            allowances.widen(&taken.shared, seen);
            problem.classes.push(scheduler::Class {
                request: taken.amounts.clone(),
                mean_wall_us: state.classes.mean_wall_us(id),
                draws: Vec::new(),
                groups,
            });
            legend.classes.push(way);
            legend.groups.push(origins.into_iter().map(|(_, origin)| origin).collect());
        }
    }
    for (class, way) in problem.classes.iter_mut().zip(&legend.classes) {
        class.draws = allowances.draws(&way.taken(&state.classes).shared, seen);
    }
    (problem.allowances, legend.limits) = allowances.finish(seen);
    (problem, legend)
}

/// How many items of a class a plan could place at most, in whatever way, and one more, so that
/// somebody is refused and it is known why.
fn room_of_ways(state: &State, id: ClassId, (nodes, now): (&[Node], Timestamp)) -> u64 {
    let classes = core::iter::once(id).chain(state.classes.get(id).others.iter().copied());
    let of_way = |id: ClassId| {
        let class = state.classes.get(id);
        let allowed = u64::from(state.shares.allowed(&class.shared, now)) + 1;
        room(nodes, &class.amounts).min(allowed)
    };
    classes.map(of_way).fold(0, u64::saturating_add)
}

/// What may start now, in order.
type Origins = Vec<(Order, Origin)>;

/// What of a class may start now, by the way in which it is done. That is the first that no breaker
/// keeps from being tried.
fn by_way(
    state: &State,
    class: ClassId,
    (origins, now): (Origins, Timestamp),
) -> impl Iterator<Item = (Way, Origins)> {
    let mut ways: Vec<Origins> = Vec::new();
    if state.classes.get(class).others.is_empty() {
        ways.push(origins);
    } else {
        ways.resize(state.classes.get(class).others.len() + 1, Vec::new());
        for (order, origin) in origins {
            let way = state.way(class, first_way(state, origin), now);
            ways[usize::from(way.0)].push((order, origin));
        }
    }
    let numbered = (0..).map(VariantId).zip(ways).filter(|(_, origins)| !origins.is_empty());
    numbered.map(move |(variant, origins)| (Way { class, variant }, origins))
}

/// The first of the ways in which something may be done.
pub(crate) fn first_way(state: &State, origin: Origin) -> VariantId {
    match origin {
        Origin::Task(_) => VariantId::default(),
        Origin::Retry(item) => state.ready.first_way(item),
    }
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
fn origins(state: &State, class: ClassId, now: Timestamp, room: u64) -> Origins {
    let mut chosen = Chosen { room, limits: HashMap::default(), origins: Vec::new() };
    let retries = |after| state.ready.next_retry(class, after);
    walk(state, retries, |key, run| {
        if !chosen.wants_more(GROUPS_MAX) {
            return Walk::Stop;
        }
        let may = run.allowance(key.task).map_or(GROUPS_MAX, |allowance| allowance as usize);
        for item in state.ready.due(class, key, now).take(may.min(GROUPS_MAX)) {
            let origin = Origin::Retry(ItemKey { run: key.run, task: key.task, item });
            if chosen.take(order(run, origin), origin, run, 1) {
                return Walk::NextRun;
            }
        }
        Walk::Next
    });
    // What is tried again may be less urgent: it takes nothing from what is ready.
    chosen.room = room;
    let tasks = |after| state.ready.next_task(class, after);
    walk(state, tasks, |key, run| {
        if !chosen.wants_more(2 * GROUPS_MAX) {
            return Walk::Stop;
        }
        let items = startable_items(run, key.task);
        if items == 0 {
            return Walk::Next;
        }
        let origin = Origin::Task(TaskKey { run: key.run, task: key.task });
        match chosen.take(order(run, origin), origin, run, items) {
            true => Walk::NextRun,
            false => Walk::Next,
        }
    });
    chosen.origins.sort_unstable_by_key(|&(order, _)| order);
    chosen.origins
}

/// How a walk over an index goes on.
enum Walk {
    /// With the next task.
    Next,
    /// With the next run: nothing more of this one can start.
    NextRun,
    /// Not at all.
    Stop,
}

/// Visits the tasks of an index, in order, whose runs let anything start.
fn walk(
    state: &State,
    next: impl Fn(Option<ReadyKey>) -> Option<ReadyKey>,
    mut visit: impl FnMut(ReadyKey, &Run) -> Walk,
) {
    let mut at = None;
    while let Some(key) = next(at) {
        let go = startable(state, key.run).map_or(Walk::NextRun, |run| visit(key, run));
        at = Some(match go {
            Walk::Next => key,
            Walk::NextRun => key.last_of_run(),
            Walk::Stop => return,
        });
    }
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
    origins: Origins,
}

impl Chosen {
    fn wants_more(&self, groups_max: usize) -> bool {
        self.room > 0 && self.origins.len() < groups_max
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

fn group(state: &State, order: Order, origin: Origin, allowances: &mut Allowances<'_>) -> Group {
    let key = origin.task();
    let run = state.run(key.run);
    let count = match origin {
        Origin::Task(task) => run.map_or(0, |run| startable_items(run, task.task)),
        Origin::Retry(_) => 1,
    };
    Group { order, count, allowance: run.and_then(|run| allowances.of(key.run, run)) }
}
