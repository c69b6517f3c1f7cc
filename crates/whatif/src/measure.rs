//! What came of a simulation: waits, completions, utilisation, fairness, and what was lost.
//!
//! Everything is worked out from what happened, after it has: nothing here can change it. Times are
//! in seconds. Utilisation is taken while jobs come, never over the drain behind the last of them.

mod fragmentation;
mod picture;
mod queues;
mod usage;

use model::queue::QueueTree;
use serde::Serialize;
use workload::{Cluster, Task};

use crate::bound::{least_makespan, takes};
use crate::paths::Paths;
use crate::play::{Attempt, End, Played, Setup};
use crate::{Work, name_of};
pub use picture::{Bar, Gantt, Lane, Picture};
pub use queues::OfQueue;
pub(crate) use usage::Timeline;

/// The resources that are looked at, by the names that are shown.
pub const RESOURCES: [&str; 3] = ["CPU", "memory", "GPU"];
/// Critical paths after its arrival by which a job must have ended, in the synthetic deadlines.
pub const DEADLINES: [u32; 2] = [3, 5];

/// A distribution of times, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// The mean.
    pub mean_s: f64,
    /// Half are not longer.
    pub p50_s: f64,
    /// 95 of 100 are not longer.
    pub p95_s: f64,
    /// The longest.
    pub max_s: f64,
}

/// How much of a resource was busy while jobs came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Busy {
    /// The resource, as in [`RESOURCES`].
    pub resource: &'static str,
    /// The part of all nodes' amounts, from 0 to 1.
    pub part: f64,
}

/// Jobs that missed a synthetic deadline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Missed {
    /// The deadline, in critical paths of the job after its arrival.
    pub critical_paths: u32,
    /// The part of all jobs, from 0 to 1.
    pub part: f64,
}

/// The figures of one policy on one cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// What the policy is called.
    pub policy: &'static str,
    /// How long tasks waited: from when a task could begin until all its members had.
    pub wait: Spread,
    /// How long jobs took: from when a job came until its last task had ended.
    pub completion: Spread,
    /// From the first arrival to the last end, in seconds.
    pub makespan_s: f64,
    /// That against what no schedule can be shorter than.
    pub makespan_by_bound: f64,
    /// What was busy, of what any task asks for.
    pub busy: Vec<Busy>,
    /// The part of all devices that is free and that tasks of this mix cannot use, as a mean over
    /// time from 0 to 1; nothing if none asks for devices.
    pub fragmentation: Option<f64>,
    /// Jain's index of the slowdown of jobs: 1 if all are slowed down alike.
    pub fairness: f64,
    /// Misses of synthetic deadlines: recorded workloads have none.
    pub missed: Vec<Missed>,
    /// How many attempts failed.
    pub attempts_failed: u64,
    /// The time that they had run, in seconds.
    pub lost_s: f64,
    /// How many attempts made room for others.
    pub preempted: u64,
    /// The time that they had run, in seconds, which is done again.
    pub redone_s: f64,
    /// Queue by queue, by their names, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<OfQueue>,
}

/// What is seen of a simulation: figures, and what is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The figures.
    pub figures: Figures,
    /// Waits of tasks at 0, 1, … 100 %, in seconds.
    pub waits: Vec<f64>,
    /// Completions of jobs at 0, 1, … 100 %, in seconds.
    pub completions: Vec<f64>,
    /// Nodes and resources over time.
    pub picture: Picture,
}

/// Looks at what happened.
#[must_use]
pub fn measure(setup: &Setup<'_>, played: &Played) -> Seen {
    look(name_of(setup.policy), (setup.work, setup.cluster), setup.queues, played)
}

/// Looks at what has happened under this name, on a cluster.
pub(crate) fn look(
    policy: &'static str,
    (work, cluster): (&Work, &Cluster),
    tree: &QueueTree,
    played: &Played,
) -> Seen {
    let workload = &work.workload;
    let queues = queues::of_each((work, cluster), tree, played);
    let waits = sorted(waits(work, played).map(|(_, wait)| wait).collect());
    let completions: Vec<u64> =
        played.ended_us.iter().zip(&played.came_us).map(|(end, came)| end - came).collect();
    let critical = Paths::of(workload).critical(workload);
    let fastest = cluster.nodes.iter().map(|node| node.speed_milli).max().unwrap_or(1_000);
    let slowdown = |(took, path): (&u64, &u64)| {
        *took as f64 * f64::from(fastest) / 1e3 / (*path).max(1) as f64
    };
    let slowdowns: Vec<f64> = completions.iter().zip(&critical).map(slowdown).collect();
    let missed = missed(completions.iter().copied().zip(critical.iter().copied()));
    let first = played.came_us.iter().copied().min().unwrap_or(0);
    let end = played.ended_us.iter().copied().max().unwrap_or(0);
    let makespan_s = seconds(end - first);
    let came = work.outstanding().is_none().then_some(&*played.came_us);
    let (attempts_failed, lost_s) = in_vain(&played.attempts, End::Failed);
    let (preempted, redone_s) = in_vain(&played.attempts, End::Preempted);
    let usage = usage::Usage::of(work, cluster, played);
    let sorted_completions = sorted(completions);
    let figures = Figures {
        policy,
        wait: spread(&waits),
        completion: spread(&sorted_completions),
        makespan_s,
        makespan_by_bound: makespan_s / least_makespan(workload, cluster, came).max(1e-6),
        busy: usage.busy(),
        fragmentation: fragmentation::mean(work, cluster, played),
        fairness: fairness(&slowdowns),
        missed,
        attempts_failed,
        lost_s,
        preempted,
        redone_s,
        queues,
    };
    Seen {
        figures,
        waits: percents(&waits),
        completions: percents(&sorted_completions),
        picture: picture::draw(work, cluster, played),
    }
}

/// The part of the simulation in which jobs come, in microseconds; all of it if all come at once.
pub(crate) fn window(played: &Played) -> (u64, u64) {
    let first = played.came_us.iter().copied().min().unwrap_or(0);
    let last = played.came_us.iter().copied().max().unwrap_or(0);
    let end = played.ended_us.iter().copied().max().unwrap_or(0);
    (first, if last > first { last } else { end })
}

/// Of each task from when it could begin until as many attempts had begun as it has members, with
/// its number.
fn waits(work: &Work, played: &Played) -> impl Iterator<Item = (u32, u64)> {
    let tasks = work.workload.tasks();
    let mut begun = vec![0_u32; tasks.len()];
    played.attempts.iter().filter_map(move |attempt| {
        let task = attempt.task as usize;
        if is_nothing(&tasks[task]) {
            return None;
        }
        begun[task] += 1;
        let has_begun = begun[task] == tasks[task].members;
        let wait = attempt.began_us.saturating_sub(played.ready_us[task]);
        has_begun.then_some((attempt.task, wait))
    })
}

/// Which part of jobs missed the synthetic deadlines: of each its completion and its critical path.
fn missed(jobs: impl Iterator<Item = (u64, u64)> + Clone) -> Vec<Missed> {
    let all = jobs.clone().count().max(1) as f64;
    let missed = |critical_paths: u32| {
        // A schedule may be late by the microsecond to which each task is rounded.
        let is_late = |(took, path): &(u64, u64)| *took > path * u64::from(critical_paths) + 1_000;
        Missed { critical_paths, part: jobs.clone().filter(is_late).count() as f64 / all }
    };
    DEADLINES.map(missed).to_vec()
}

/// How many attempts came to such an end, and the time that they had run, in seconds.
fn in_vain<'a>(attempts: impl IntoIterator<Item = &'a Attempt>, end: End) -> (u64, f64) {
    let mut found = (0, 0);
    for attempt in attempts.into_iter().filter(|attempt| attempt.end == end) {
        found = (found.0 + 1, found.1 + attempt.ended_us - attempt.began_us);
    }
    (found.0, seconds(found.1))
}

/// Whether a task only orders others: nobody waits for it to begin.
fn is_nothing(task: &Task) -> bool {
    task.duration_us == 0 && takes(task) == [0; 3]
}

fn sorted(mut times: Vec<u64>) -> Vec<u64> {
    times.sort_unstable();
    times
}

fn at_percent(sorted: &[u64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(rank).map_or(0.0, |&us| seconds(us))
}

fn percents(sorted: &[u64]) -> Vec<f64> {
    (0..=100).map(|percent| at_percent(sorted, percent)).collect()
}

fn spread(sorted: &[u64]) -> Spread {
    let sum: f64 = sorted.iter().map(|&us| seconds(us)).sum();
    Spread {
        mean_s: sum / sorted.len().max(1) as f64,
        p50_s: at_percent(sorted, 50),
        p95_s: at_percent(sorted, 95),
        max_s: at_percent(sorted, 100),
    }
}

/// Jain's index (Jain, Chiu and Hawe 1984).
fn fairness(of: &[f64]) -> f64 {
    let (sum, squares) = of.iter().fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
    if squares == 0.0 { 1.0 } else { sum * sum / (of.len() as f64 * squares) }
}

pub(crate) fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let times: Vec<u64> = (1..=200).map(|s| s * 1_000_000).collect();
        let of = spread(&times);
        assert_eq!((of.mean_s, of.p50_s, of.p95_s, of.max_s), (100.5, 100.0, 190.0, 200.0));
        assert_eq!(spread(&[]), Spread::default());
        let percents = percents(&times);
        assert_eq!((percents.len(), percents[0], percents[100]), (101, 1.0, 200.0));
    }

    #[test]
    fn fairness_is_one_among_equals_and_one_nth_if_one_bears_it_all() {
        assert!((fairness(&[2.0; 5]) - 1.0).abs() < 1e-9);
        assert!((fairness(&[1.0, 0.0, 0.0, 0.0]) - 0.25).abs() < 1e-9);
        assert!((fairness(&[]) - 1.0).abs() < 1e-9);
    }
}
