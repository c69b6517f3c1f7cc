//! The figures of each queue: how long its tasks waited, and what it had of the cluster.
//!
//! Who shares the cluster is looked at here, and nowhere changed.

use std::collections::BTreeMap;

use model::queue::{QueueTree, SEPARATOR};
use serde::Serialize;
use workload::Cluster;

use super::usage::{amounts, asked, used};
use super::{Missed, Spread, in_vain, missed, sorted, spread, waits};
use crate::Work;
use crate::graphs::queue_of;
use crate::paths::Paths;
use crate::play::{Attempt, End, Played};

/// The figures of a queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfQueue {
    /// Its path; without a tree of queues what the workload says: the tenant and the queue.
    pub queue: String,
    /// How many jobs stood in it.
    pub jobs: usize,
    /// How long its tasks waited, as of all tasks.
    pub wait: Spread,
    /// How long its jobs took.
    pub completion: Spread,
    /// Its part of what was given to all queues while jobs came, from 0 to 1, of the resource that
    /// was given most of.
    pub given: f64,
    /// Misses of synthetic deadlines.
    pub missed: Vec<Missed>,
    /// How many of its attempts failed.
    pub attempts_failed: u64,
    /// How many of its attempts made room for others.
    pub preempted: u64,
    /// The time that those had run, in seconds, which is done again.
    pub redone_s: f64,
}

/// What is known of a queue.
#[derive(Default)]
struct Of<'a> {
    jobs: Vec<usize>,
    waits: Vec<u64>,
    attempts: Vec<&'a Attempt>,
}

/// The figures of each queue, by their names; none if all jobs stand in one.
pub(super) fn of_each(
    (work, cluster): (&Work, &Cluster),
    tree: &QueueTree,
    played: &Played,
) -> Vec<OfQueue> {
    let workload = &work.workload;
    let names: Vec<String> = (0..workload.jobs.len()).map(|job| name(work, tree, job)).collect();
    if names.windows(2).all(|pair| pair[0] == pair[1]) {
        return Vec::new();
    }
    let mut found = BTreeMap::<&str, Of<'_>>::new();
    let mut job_of = vec![0; workload.tasks().len()];
    for (job, it) in workload.jobs.iter().enumerate() {
        job_of[it.tasks.start as usize..it.tasks.end as usize].fill(job);
        found.entry(&names[job]).or_default().jobs.push(job);
    }
    let name_of = |task: u32| names[job_of[task as usize]].as_str();
    for (task, wait) in waits(work, played) {
        found.entry(name_of(task)).or_default().waits.push(wait);
    }
    for attempt in &played.attempts {
        found.entry(name_of(attempt.task)).or_default().attempts.push(attempt);
    }
    let critical = Paths::of(workload).critical(workload);
    let scarce = scarce((work, cluster), played);
    let all = used(work, played, &played.attempts)[scarce];
    let figures = |(queue, of): (&str, Of<'_>)| {
        let took = |job: usize| played.ended_us[job] - played.came_us[job];
        let (preempted, redone_s) = in_vain(of.attempts.iter().copied(), End::Preempted);
        let given = used(work, played, of.attempts.iter().copied())[scarce];
        OfQueue {
            queue: queue.to_owned(),
            jobs: of.jobs.len(),
            wait: spread(&sorted(of.waits)),
            completion: spread(&sorted(of.jobs.iter().map(|&job| took(job)).collect())),
            given: if all > 0.0 { given / all } else { 0.0 },
            missed: missed(of.jobs.iter().map(|&job| (took(job), critical[job]))),
            attempts_failed: in_vain(of.attempts.iter().copied(), End::Failed).0,
            preempted,
            redone_s,
        }
    };
    found.into_iter().map(figures).collect()
}

/// What the queue of a job is called.
fn name(work: &Work, tree: &QueueTree, job: usize) -> String {
    let queue = queue_of(work, tree, job);
    let it = &work.workload.jobs[job];
    match (tree.find(&queue), work.workload.text(it.tenant)) {
        (Some(_), _) | (None, "") => queue.into(),
        (None, tenant) => match work.workload.text(it.queue) {
            "" => tenant.to_owned(),
            queue => format!("{tenant}{SEPARATOR}{queue}"),
        },
    }
}

/// The resource of which the greatest part was given.
fn scarce((work, cluster): (&Work, &Cluster), played: &Played) -> usize {
    let used = used(work, played, &played.attempts);
    let (all, asked) = (amounts(cluster), asked(work));
    let part = |at: usize| if asked[at] && all[at] > 0.0 { used[at] / all[at] } else { -1.0 };
    (0..3).rev().max_by(|&a, &b| part(a).total_cmp(&part(b))).unwrap_or(0)
}
