//! The work that is simulated: a workload that fits, when its jobs come, and what is expected.

use std::num::NonZeroU64;

use workload::{Cluster, Workload};

use crate::chance::Chance;
use crate::come::{Coming, Times, work_s};
use crate::fit::fits;
use crate::graphs::Kinds;
use crate::merge::merge;
use crate::{Trouble, code};

/// How the work is laid out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// When jobs come.
    pub coming: Coming,
    /// How wrong expectations are: each is what a task takes, times a draw of the lognormal
    /// distribution with this sigma. Without it they are those of the workload.
    pub noise: Option<f64>,
    /// What is drawn is a function of this.
    pub seed: u64,
}

/// Work that is ready to be simulated on any of the clusters that it was prepared for.
#[derive(Clone, Debug)]
pub struct Work {
    pub(crate) workload: Workload,
    pub(crate) times: Times,
    /// How long each task is expected to take, in microseconds; 0 for nothing.
    pub(crate) expected: Vec<u64>,
    /// Of each workflow that jobs are runs of, the kinds of its work.
    pub(crate) kinds: Kinds,
    /// Of each job that was given, in their order, whether it was kept.
    pub(crate) kept: Vec<bool>,
    /// What was left out or supposed, a sentence each.
    pub notes: Vec<String>,
    /// The part of the cluster that is asked for while jobs come; nothing in a closed loop, or if
    /// all come at once.
    pub load: Option<f64>,
}

impl Work {
    /// What is simulated.
    #[must_use]
    pub const fn workload(&self) -> &Workload {
        &self.workload
    }

    /// When each job comes, in microseconds from the beginning; nothing in a closed loop.
    #[must_use]
    pub fn arrivals_us(&self) -> Option<&[u64]> {
        match &self.times {
            Times::At(times) => Some(times),
            Times::Closed(_) => None,
        }
    }

    /// How long a task is expected to take, in microseconds, if anything is expected.
    #[must_use]
    pub fn expected_us(&self, task: u32) -> Option<u64> {
        self.expected.get(task as usize).copied().filter(|&us| us > 0)
    }

    /// How many jobs are there at a time, if that is what decides when they come.
    #[must_use]
    pub const fn outstanding(&self) -> Option<u32> {
        match self.times {
            Times::At(_) => None,
            Times::Closed(outstanding) => Some(outstanding),
        }
    }
}

/// Makes workloads into work for clusters, of which the first is the one as described. Jobs with a
/// task that one of the clusters could never run are left out.
///
/// # Errors
/// No job is left, or there are more tasks than there may be.
pub fn prepare(
    workloads: Vec<Workload>,
    clusters: &[&Cluster],
    load: Load,
) -> Result<Work, Trouble> {
    let mut unfit = Vec::new();
    let mut jobs = 0_usize;
    for workload in &workloads {
        for job in &workload.jobs {
            let fits =
                |cluster: &&&Cluster| job.tasks.clone().all(|task| fits(workload, task, cluster));
            jobs += 1;
            unfit.push(!clusters.iter().all(|cluster| fits(&cluster)));
        }
    }
    let left_out = unfit.iter().filter(|&&unfit| unfit).count();
    let mut number = unfit.iter();
    let is_one = workloads.len() == 1;
    let merged = match <[Workload; 1]>::try_from(workloads) {
        Ok([workload]) if left_out == 0 => Some(workload),
        Ok([workload]) => merge(&[workload], |_, _| number.next() == Some(&false)),
        Err(workloads) => merge(&workloads, |_, _| number.next() == Some(&false)),
    };
    let Some(workload) = merged else {
        let message = match (left_out == jobs, is_one) {
            (true, _) => format!("no node could run what the {jobs} jobs ask for"),
            (false, _) => "the files have more tasks together than a workload may have".to_owned(),
        };
        let hint = "compare what tasks ask for with the nodes of the cluster";
        return Err(Trouble::new(code::NOTHING_FITS, message).hint(hint));
    };
    let mut notes = workload.notes.clone();
    if left_out > 0 {
        notes.push(format!(
            "{left_out} of {jobs} jobs have tasks that no node could run, and were left out"
        ));
    }
    let cluster = clusters.first().copied().cloned().unwrap_or_default();
    let times = load.coming.times(&workload, &cluster, load.seed);
    let expected = expected(&workload, load);
    let span = match &times {
        Times::At(times) => times.iter().max().zip(times.iter().min()).map(|(a, b)| a - b),
        Times::Closed(_) => None,
    };
    let span = span.filter(|&span| span > 0);
    let load = span.map(|span| work_s(&workload, &cluster) / (span as f64 / 1e6));
    let kinds = Kinds::of(&workload, &expected);
    let kept = unfit.into_iter().map(|unfit| !unfit).collect();
    Ok(Work { workload, times, expected, kinds, kept, notes, load })
}

fn expected(workload: &Workload, load: Load) -> Vec<u64> {
    let tasks = workload.tasks().iter();
    match load.noise {
        None => tasks.map(|task| task.estimate_us.map_or(0, NonZeroU64::get)).collect(),
        Some(sigma) => {
            let chance = Chance::new(load.seed, 0x6e6f_6973);
            let wrong = |took: u64, draw: f64| ((took as f64 * (sigma * draw).exp()) as u64).max(1);
            (0..).zip(tasks).map(|(at, task)| wrong(task.duration_us, chance.normal(at))).collect()
        }
    }
}
