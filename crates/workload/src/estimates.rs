//! How long tasks are expected to run: what the file says, what is true, or what earlier tasks of
//! the kind have taken.
//!
//! A planner that knows each duration beforehand is no product. A mean of the kind is what one can
//! come to know; the true duration is there to tell what better knowledge would be worth.

use std::num::NonZeroU64;

use model::collections::HashMap;

use crate::names::NameId;
use crate::workload::Workload;

/// How long tasks are expected to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Estimates {
    /// As the file says; the mean for formats that never say it.
    #[default]
    Recorded,
    /// Exactly as long as they do.
    Exact,
    /// As long as the others of their kind: see the page of each format.
    Mean,
    /// Nothing is expected.
    None,
}

/// Which others a mean is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// The tasks of the kind in the same job, itself and later ones included.
    Job,
    /// The tasks of the kind in the jobs that came before, and one that was thought of first.
    Before {
        /// How long that one took, in microseconds.
        prior_us: u64,
    },
}

/// Tasks of a kind so far.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    us: u128,
    count: u128,
}

impl Sum {
    fn add(&mut self, us: u64) {
        self.us += u128::from(us);
        self.count += 1;
    }

    fn mean(self) -> Option<NonZeroU64> {
        let mean = (self.us + self.count / 2).checked_div(self.count)?;
        Some(at_least_one(u64::try_from(mean).unwrap_or(u64::MAX)))
    }
}

fn at_least_one(us: u64) -> NonZeroU64 {
    NonZeroU64::new(us).unwrap_or(NonZeroU64::MIN)
}

impl Estimates {
    /// Sets what is expected of each task. `said` is whether the format may say it.
    pub(crate) fn apply(self, workload: &mut Workload, basis: Basis, said: bool) {
        match (self, basis) {
            (Self::Recorded, _) if said => {}
            (Self::None, _) => workload.tasks.iter_mut().for_each(|task| task.estimate_us = None),
            (Self::Exact, _) => workload
                .tasks
                .iter_mut()
                .for_each(|task| task.estimate_us = Some(at_least_one(task.duration_us))),
            (Self::Recorded | Self::Mean, Basis::Job) => of_the_job(workload),
            (Self::Recorded | Self::Mean, Basis::Before { prior_us }) => before(workload, prior_us),
        }
    }
}

impl Workload {
    /// The same with other expectations, for one that was not read from a file. What is expected as
    /// recorded may be learned from run to run; what is given is not. `prior_us` is expected of a
    /// kind that no job before had a task of, in microseconds.
    #[must_use]
    pub fn expecting(mut self, estimates: Estimates, prior_us: u64) -> Self {
        self.repeats &= estimates == Estimates::Recorded;
        estimates.apply(&mut self, Basis::Before { prior_us }, true);
        self
    }
}

fn of_the_job(workload: &mut Workload) {
    let mut sums = HashMap::<NameId, Sum>::default();
    for job in &workload.jobs {
        let tasks = &mut workload.tasks[job.tasks.start as usize..job.tasks.end as usize];
        sums.clear();
        tasks.iter().for_each(|task| sums.entry(task.kind).or_default().add(task.duration_us));
        for task in tasks {
            task.estimate_us = sums.get(&task.kind).and_then(|sum| sum.mean());
        }
    }
}

fn before(workload: &mut Workload, prior_us: u64) {
    let prior = Sum { us: u128::from(prior_us), count: 1 };
    let mut sums = HashMap::<NameId, Sum>::default();
    // Jobs come by their times. What a job takes is known to those behind it, not to itself.
    for job in &workload.jobs {
        let tasks = &mut workload.tasks[job.tasks.start as usize..job.tasks.end as usize];
        for task in &mut *tasks {
            task.estimate_us = sums.get(&task.kind).copied().unwrap_or(prior).mean();
        }
        tasks.iter().for_each(|task| sums.entry(task.kind).or_insert(prior).add(task.duration_us));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{Builder, NewJob, NewTask};

    /// Jobs of tasks: kind and duration.
    fn workload(jobs: &[&[(&str, u64)]]) -> Workload {
        let mut builder = Builder::new("w");
        for (submit_us, tasks) in (0..).zip(jobs) {
            builder.job(&NewJob { submit_us, ..NewJob::default() });
            for &(kind, duration_us) in *tasks {
                let estimate_us = Some(7);
                builder.task(&NewTask { kind, duration_us, estimate_us, ..NewTask::default() });
            }
        }
        builder.finish().unwrap()
    }

    fn estimates(workload: &Workload) -> Vec<Option<u64>> {
        workload.tasks.iter().map(|task| task.estimate_us.map(NonZeroU64::get)).collect()
    }

    #[test]
    fn the_mean_is_that_of_the_kind_in_the_job() {
        let jobs: [&[_]; 2] = [&[("a", 1), ("b", 5), ("a", 4)], &[("a", 100)]];
        let mut workload = workload(&jobs);
        Estimates::Recorded.apply(&mut workload, Basis::Job, true);
        assert_eq!(estimates(&workload), [Some(7); 4]);
        Estimates::Recorded.apply(&mut workload, Basis::Job, false);
        assert_eq!(estimates(&workload), [Some(3), Some(5), Some(3), Some(100)]);
        Estimates::Exact.apply(&mut workload, Basis::Job, true);
        assert_eq!(estimates(&workload), [Some(1), Some(5), Some(4), Some(100)]);
        Estimates::None.apply(&mut workload, Basis::Job, true);
        assert_eq!(estimates(&workload), [None; 4]);
    }

    #[test]
    fn only_what_is_expected_as_recorded_may_be_learned() {
        let mut builder = Builder::new("w");
        builder.repeat(true);
        builder.task(&NewTask { duration_us: 5, estimate_us: Some(7), ..NewTask::default() });
        let workload = builder.finish().unwrap();
        let expecting = |how| {
            let workload = workload.clone().expecting(how, 9);
            (workload.repeats, estimates(&workload)[0])
        };
        assert_eq!(expecting(Estimates::Recorded), (true, Some(7)));
        assert_eq!(expecting(Estimates::Exact), (false, Some(5)));
        assert_eq!(expecting(Estimates::Mean), (false, Some(9)));
        assert_eq!(expecting(Estimates::None), (false, None));
    }

    #[test]
    fn or_that_of_the_jobs_before() {
        let jobs: [&[_]; 3] = [&[("a", 2_449)], &[("a", 2_517)], &[("a", 0), ("b", 0)]];
        let mut workload = workload(&jobs);
        Estimates::Mean.apply(&mut workload, Basis::Before { prior_us: 3_600 }, true);
        let expected = [3_600, 3_025, 2_855, 3_600].map(Some);
        assert_eq!(estimates(&workload), expected);
    }
}
