//! When jobs come: as recorded, at random at a load, or so that always as many are there.

use workload::{Arrival, Cluster, Workload};

use crate::bound::{asked, capacities};
use crate::chance::Chance;

/// When jobs are to come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Coming {
    /// As the workload says.
    #[default]
    Recorded,
    /// In their order, with gaps drawn at random, so that of the resource that is asked for most
    /// this part is asked for in the mean: 0.8 for 80 %.
    Poisson(f64),
    /// In their order, so that always as many are there and have not ended.
    Closed(u32),
}

/// When jobs come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// Each at its time, in microseconds.
    At(Vec<u64>),
    /// As many at a time.
    Closed(u32),
}

impl Coming {
    /// The times of the jobs of a workload. A load is measured on this cluster.
    pub(crate) fn times(self, workload: &Workload, cluster: &Cluster, seed: u64) -> Times {
        let recorded = || workload.jobs.iter().map(|job| job.submit_us).collect();
        match (self, workload.arrival) {
            (Self::Closed(outstanding), _) | (Self::Recorded, Arrival::Closed { outstanding }) => {
                Times::Closed(outstanding.max(1))
            }
            (Self::Recorded, Arrival::Open) => Times::At(recorded()),
            (Self::Poisson(load), _) => {
                let chance = Chance::new(seed, 0x636f_6d65);
                let mean_s = work_s(workload, cluster) / load / workload.jobs.len() as f64;
                let mut at = 0.0;
                let times = (0..workload.jobs.len() as u64).map(|job| {
                    at += if job == 0 { 0.0 } else { chance.gap(job) * mean_s * 1e6 };
                    at as u64
                });
                Times::At(times.collect())
            }
        }
    }
}

/// The seconds that the whole cluster needs for a workload, by the resource that it needs most of.
pub(crate) fn work_s(workload: &Workload, cluster: &Cluster) -> f64 {
    let all = capacities(cluster);
    let mut work = [0.0; 3];
    for task in workload.tasks() {
        let took = task.duration_us as f64 / 1e6;
        work.iter_mut().zip(asked(task)).for_each(|(work, asked)| *work += asked * took);
    }
    let needs = work.iter().zip(all).filter(|&(_, all)| all > 0.0);
    needs.map(|(work, all)| work / all).fold(0.0, f64::max)
}
