//! What no schedule of a workload can be shorter than.
//!
//! The largest of: the way through each task on the fastest node, from when its job comes; and for
//! every set of tasks with at least so much before and so much behind each, the least that is
//! before, the time that all nodes together need for the set by one resource, and the least that is
//! behind. A set has another time that it needs: among the k·m + 1 longest tasks of it one of the m
//! places that there are for the smallest of all tasks has k + 1.

use workload::{Cluster, Task, Workload};

use crate::paths::Paths;

/// Steps in which what is before and behind is cut.
const QUANTILES: usize = 24;
/// Tasks up to which places are counted, which takes a sort for each set.
const PLACES_TASKS_MAX: usize = 20_000;
/// CPUs, memory, devices.
const RESOURCES: usize = 3;

/// All task-seconds of a workload, and those of its longest path.
#[must_use]
pub fn work_and_path(workload: &Workload) -> (f64, f64) {
    let work: f64 = workload.tasks().iter().map(|task| seconds(task.duration_us)).sum();
    let paths = Paths::of(workload).critical(workload);
    (work, seconds(paths.into_iter().max().unwrap_or(0)))
}

/// The bound in seconds, from the first arrival. `came_us` says when each job comes, in
/// microseconds; without it all come at once.
#[must_use]
pub fn least_makespan(workload: &Workload, cluster: &Cluster, came_us: Option<&[u64]>) -> f64 {
    let nodes = || cluster.nodes.iter();
    let fastest = nodes().map(|node| f64::from(node.speed_milli) / 1e3).fold(0.0, f64::max);
    let all = capacities(cluster);
    let paths = Paths::of(workload);
    let first = came_us.and_then(|came| came.iter().min().copied()).unwrap_or(0);
    let mut heads: Vec<f64> = paths.heads.iter().map(|&us| seconds(us) / fastest).collect();
    let tails: Vec<f64> = paths.tails.iter().map(|&us| seconds(us) / fastest).collect();
    for (job, came) in workload.jobs.iter().zip(came_us.unwrap_or_default()) {
        let tasks = job.tasks.start as usize..job.tasks.end as usize;
        heads[tasks].iter_mut().for_each(|head| *head += seconds(came - first));
    }
    let tasks = workload.tasks();
    let took = |task: usize| seconds(tasks[task].duration_us);
    let through = (0..tasks.len()).map(|task| heads[task] + took(task) / fastest + tails[task]);
    let mut bound = through.fold(0.0, f64::max);
    let mut order: Vec<usize> = (0..tasks.len()).collect();
    order.sort_by(|&a, &b| heads[b].total_cmp(&heads[a]));
    for tail in quantiles(&tails) {
        let (mut work, mut least_tail) = ([0.0; RESOURCES], f64::MAX);
        for &task in order.iter().filter(|&&task| tails[task] >= tail) {
            least_tail = least_tail.min(tails[task]);
            for (work, asked) in work.iter_mut().zip(asked(&tasks[task])) {
                *work += asked * took(task);
            }
            let needs = work.iter().zip(all).filter(|&(_, all)| all > 0.0);
            let needs = needs.map(|(work, all)| work / all).fold(0.0, f64::max);
            bound = f64::max(bound, heads[task] + needs + least_tail);
        }
    }
    if tasks.len() > PLACES_TASKS_MAX {
        return bound;
    }
    let places = places(workload, cluster);
    for head in quantiles(&heads) {
        for tail in quantiles(&tails) {
            let inside = |&task: &usize| heads[task] >= head && tails[task] >= tail;
            let set: Vec<usize> = (0..tasks.len()).filter(inside).collect();
            let least = |of: &[f64]| set.iter().map(|&task| of[task]).fold(f64::MAX, f64::min);
            let mut longest: Vec<f64> = set.iter().map(|&task| took(task)).collect();
            longest.sort_by(|a, b| b.total_cmp(a));
            let needs = (1..6).filter_map(|k| {
                longest.get(k * places).map(|took| (k + 1) as f64 * took / fastest)
            });
            let needs = needs.fold(0.0, f64::max);
            if !set.is_empty() {
                bound = f64::max(bound, least(&heads) + needs + least(&tails));
            }
        }
    }
    bound
}

/// How much work all nodes together do in a second of each resource.
pub(crate) fn capacities(cluster: &Cluster) -> [f64; RESOURCES] {
    let mut all = [0.0; RESOURCES];
    for node in &cluster.nodes {
        let speed = f64::from(node.speed_milli) / 1e3 * f64::from(node.count);
        all.iter_mut().zip(has(node)).for_each(|(all, has)| *all += has as f64 * speed);
    }
    all
}

/// CPUs in thousandths, bytes, devices in thousandths.
pub(crate) fn has(node: &workload::NodeKind) -> [u64; RESOURCES] {
    let devices: u64 = node.gpus.iter().map(|gpu| u64::from(gpu.count) * 1_000).sum();
    [node.cpu_milli, node.memory_bytes, devices]
}

/// What each member of a task takes of them.
pub(crate) fn takes(task: &Task) -> [u64; RESOURCES] {
    let devices = u64::from(task.devices.count) * u64::from(task.devices.share_milli);
    [u64::from(task.cpu_milli), task.memory_bytes, devices]
}

/// What all members of a task take of them.
pub(crate) fn asked(task: &Task) -> [f64; RESOURCES] {
    takes(task).map(|amount| amount as f64 * f64::from(task.members))
}

/// How many tasks can run at a time at the most: of the smallest amounts that any asks for.
fn places(workload: &Workload, cluster: &Cluster) -> usize {
    let tasks = workload.tasks();
    let smallest = |resource: usize| tasks.iter().map(|task| takes(task)[resource]).min();
    let smallest: Vec<u64> = (0..RESOURCES).map(|it| smallest(it).unwrap_or(0)).collect();
    let on_node = |node: &workload::NodeKind| {
        let times =
            has(node).into_iter().zip(&smallest).filter_map(|(has, &asked)| has.checked_div(asked));
        times.min().unwrap_or(u64::MAX).saturating_mul(u64::from(node.count))
    };
    let all = cluster.nodes.iter().map(on_node).fold(0, u64::saturating_add);
    usize::try_from(all).unwrap_or(usize::MAX).clamp(1, tasks.len().max(1))
}

fn quantiles(of: &[f64]) -> Vec<f64> {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return Vec::new() };
    let mut cuts: Vec<f64> =
        (0..QUANTILES).map(|step| sorted[step * last / (QUANTILES - 1)]).collect();
    cuts.dedup();
    cuts
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
