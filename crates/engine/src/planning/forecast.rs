//! What is left of a run: its work, its longest path by expected durations, and how urgent each
//! task is by what waits for it.
//!
//! Estimates change as attempts end. What follows from them is worked out anew only now and then,
//! so that it costs a part of what the run itself does.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use model::policy::Priority;
use model::status::TaskStatus;
use model::{Graph, TaskId, VariantId};

use crate::state::Run;

/// Attempts that end before estimates are looked at for the first time.
const FIRST_LOOK: u32 = 8;

/// What is expected of an item of a task.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    /// How long it takes, in microseconds.
    pub(super) time: u64,
    /// Its work, in microseconds of the whole fleet.
    pub(super) work: u64,
    /// How long it takes in each of the ways to do it, in microseconds, the first first.
    pub(super) times: Box<[u64]>,
}

/// What is expected of a run.
#[derive(Debug)]
pub(super) struct Forecast {
    /// The graph that it was made for: the run may have another by now, and nobody has said so yet.
    graph: Arc<Graph>,
    /// What is expected of an item, by policy.
    items: Vec<Expected>,
    /// The longest path that begins with each task, in microseconds.
    ranks: Vec<u64>,
    /// The tasks, those with the longest paths first.
    order: Vec<u32>,
    /// The priority of each task, with what it inherits; empty if each has its own.
    priorities: Vec<u8>,
    /// By when each task has to start, in microseconds, so that nothing misses a deadline; empty if
    /// nothing has any.
    latest: Vec<u64>,
    /// How many of them have ended, at the front of the order.
    ended: usize,
    /// How many items of each task are counted as open.
    open: Vec<u32>,
    /// The work of all items that are counted as open.
    work: u128,
    /// Attempts that have ended since estimates were looked at, and how many may.
    looks: (u32, u32),
}

impl Forecast {
    /// `item` says what is expected of an item of a policy.
    pub(super) fn new(run: &Run, item: impl FnMut(usize) -> Expected, look: u32) -> Self {
        let graph = run.graph();
        let items: Vec<Expected> = (0..graph.policies().len()).map(item).collect();
        let (ranks, order) = ranks(graph, |task| items[graph.policy_index(task)].time);
        let priorities = inherited(graph);
        let latest = latest(
            graph,
            |task| items[graph.policy_index(task)].time,
            |task| {
                let ends = [run.task_deadline(task), run.deadline()];
                ends.into_iter().flatten().min().map(|at| at.0)
            },
        );
        let mut forecast = Self {
            graph: Arc::clone(graph),
            items,
            ranks,
            order,
            priorities,
            latest,
            ended: 0,
            open: vec![0; graph.len()],
            work: 0,
            looks: (0, look.max(FIRST_LOOK)),
        };
        graph.tasks().for_each(|task| forecast.count(run, task));
        forecast
    }

    /// How long an item of a task is expected to take in one of the ways to do it, in microseconds.
    pub(super) fn time(&self, task: TaskId, way: VariantId) -> u64 {
        let Some(item) = self.item(task) else { return 0 };
        item.times.get(usize::from(way.0)).or(item.times.first()).copied().unwrap_or(0)
    }

    /// The same for each of the ways but the first.
    pub(super) fn other_times(&self, task: TaskId) -> &[u64] {
        self.item(task).and_then(|item| item.times.get(1..)).unwrap_or_default()
    }

    fn item(&self, task: TaskId) -> Option<&Expected> {
        let is_known = (task.0 as usize) < self.graph.len();
        is_known.then(|| &self.items[self.graph.policy_index(task)])
    }

    /// The longest path that begins with a task, in microseconds.
    pub(super) fn rank(&self, task: TaskId) -> u64 {
        self.ranks.get(task.0 as usize).copied().unwrap_or(0)
    }

    /// The priority that a task inherits from something urgent that waits for it, if anything is
    /// inherited in its run.
    pub(super) fn inherited(&self, task: TaskId) -> Option<u8> {
        self.priorities.get(task.0 as usize).copied()
    }

    /// By when a task has to start, in microseconds, if anything that comes of it has a deadline.
    pub(super) fn starts_by(&self, task: TaskId) -> Option<u64> {
        self.latest.get(task.0 as usize).copied().filter(|&by| by < u64::MAX)
    }

    /// Takes in how a task stands now.
    pub(super) fn count(&mut self, run: &Run, task: TaskId) {
        let index = task.0 as usize;
        let each = self.item(task).map_or(0, |item| item.work);
        let Some(counted) = self.open.get_mut(index) else { return };
        let now = open_items(run, task);
        let each = u128::from(each);
        self.work = self.work - u128::from(*counted) * each + u128::from(now) * each;
        let is_opened = *counted == 0 && now > 0;
        *counted = now;
        if is_opened {
            let before = |&other: &u32| self.ranks[other as usize] > self.ranks[index];
            self.ended = self.ended.min(self.order.partition_point(before));
        }
    }

    /// The work that is left, in microseconds of the whole fleet.
    pub(super) fn work(&self) -> u64 {
        u64::try_from(self.work).unwrap_or(u64::MAX)
    }

    /// The longest path that is left, in microseconds.
    pub(super) fn path(&mut self) -> u64 {
        while let Some(&task) = self.order.get(self.ended)
            && self.open[task as usize] == 0
        {
            self.ended += 1;
        }
        self.order.get(self.ended).map_or(0, |&task| self.ranks[task as usize])
    }

    /// An attempt has ended: whether estimates are to be looked at anew.
    pub(super) fn attempt_ended(&mut self) -> bool {
        self.looks.0 += 1;
        self.is_due()
    }

    const fn is_due(&self) -> bool {
        self.looks.0 >= self.looks.1
    }

    /// After how many attempts whatever takes its place is to look at estimates: twice as many once
    /// it has been looked at for that reason.
    pub(super) const fn next_look(&self) -> u32 {
        if self.is_due() { self.looks.1.saturating_mul(2) } else { self.looks.1 }
    }
}

/// How many items of a task have not ended.
fn open_items(run: &Run, task: TaskId) -> u32 {
    let is_open = |status: TaskStatus| !status.is_final();
    match run.fan(task) {
        Some(fan) if !fan.items().is_empty() => {
            fan.tally().iter().filter(|&(status, _)| is_open(status)).map(|(_, count)| count).sum()
        }
        _ => u32::from(is_open(run.task(task).status())),
    }
}

/// The priority of each task: what is more urgent than usual makes all that it waits for as urgent,
/// or what is less urgent would go before it (priority inheritance; Sha, Rajkumar, Lehoczky 1990).
/// That a task is no more urgent than usual says nothing of those before it. Empty if nothing is
/// inherited.
fn inherited(graph: &Graph) -> Vec<u8> {
    let usual = Priority::default().0;
    if graph.policies().iter().all(|policy| policy.priority.0 <= usual) {
        return Vec::new();
    }
    let mut order: Vec<TaskId> = graph.tasks().collect();
    // Whatever depends on a task has fewer tasks behind it than the task has.
    order.sort_by_key(|&task| graph.rank(task));
    let mut priorities: Vec<u8> = graph.tasks().map(|task| graph.policy(task).priority.0).collect();
    for task in order {
        let behind = graph.successors(task).map(|next| priorities[next.0 as usize]);
        let urgent = behind.filter(|&priority| priority > usual).max();
        let own = &mut priorities[task.0 as usize];
        *own = (*own).max(urgent.unwrap_or(0));
    }
    priorities
}

/// By when each task has to start, so that it and all that waits for it end in time, if each takes
/// a quarter longer than expected; [`u64::MAX`] if nothing of that has a deadline. Empty if nothing
/// has any.
fn latest(
    graph: &Graph,
    time: impl Fn(TaskId) -> u64,
    deadline: impl Fn(TaskId) -> Option<u64>,
) -> Vec<u64> {
    if graph.tasks().all(|task| deadline(task).is_none()) {
        return Vec::new();
    }
    let mut order: Vec<TaskId> = graph.tasks().collect();
    // Whatever depends on a task has fewer tasks behind it than the task has.
    order.sort_by_key(|&task| graph.rank(task));
    let mut latest = vec![u64::MAX; graph.len()];
    for task in order {
        let behind = graph.successors(task).map(|next| latest[next.0 as usize]);
        let ends_by = behind.chain(deadline(task)).min().unwrap_or(u64::MAX);
        if ends_by < u64::MAX {
            latest[task.0 as usize] = ends_by.saturating_sub(time(task) / 4 * 5);
        }
    }
    latest
}

/// The longest path that begins with each task, by the time that tasks take, and the tasks by that,
/// the longest first. Topcuoglu et al. 2002 call it the upward rank.
fn ranks(graph: &Graph, time: impl Fn(TaskId) -> u64) -> (Vec<u64>, Vec<u32>) {
    let mut order: Vec<u32> = graph.tasks().map(|task| task.0).collect();
    // Whatever depends on a task has fewer tasks behind it than the task has.
    order.sort_by_key(|&task| graph.rank(TaskId(task)));
    let mut ranks = vec![0_u64; graph.len()];
    for &task in &order {
        let behind = graph.successors(TaskId(task)).map(|next| ranks[next.0 as usize]).max();
        ranks[task as usize] = time(TaskId(task)).saturating_add(behind.unwrap_or(0));
    }
    order.sort_by_key(|&task| (core::cmp::Reverse(ranks[task as usize]), task));
    (ranks, order)
}

#[cfg(test)]
mod tests;
