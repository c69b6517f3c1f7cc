//! A workload: jobs that come at their times, each made of tasks that wait for each other.
//!
//! It is plain data, made by a [`Builder`](crate::Builder) and never changed: tasks stand job by
//! job, and what each waits for comes as numbers of the same job. 64 bytes a task and 4 an edge,
//! beside the names.

use std::num::NonZeroU64;
use std::ops::Range;

use model::Constraints;
use model::policy::Priority;
use model::shared::Shared;

use crate::names::{NameId, Names};

/// Jobs with their tasks.
#[derive(Clone, Debug, Default)]
pub struct Workload {
    /// What it is called.
    pub name: String,
    /// When its jobs come.
    pub arrival: Arrival,
    /// By the time at which they come; of equal ones as in the file.
    pub jobs: Vec<Job>,
    /// Whether jobs of one name are runs of one workflow, and tasks of one kind the same work in
    /// all of them: then what that takes is learned from run to run, as a live system does.
    pub repeats: bool,
    /// What was left out or supposed when it was read, a sentence each, for whoever reports on it.
    pub notes: Vec<String>,
    pub(crate) tasks: Vec<Task>,
    /// Of each task where what it waits for begins in `edges`; one more for the end.
    pub(crate) begins: Vec<u32>,
    pub(crate) edges: Vec<u32>,
    pub(crate) names: Names,
    /// Distinct lists of kinds of devices; the first is empty.
    pub(crate) device_kinds: Vec<Box<[NameId]>>,
    /// Which tasks have terms, ascending, with the number in `terms`.
    pub(crate) having: Vec<(u32, u32)>,
    /// Each distinct.
    pub(crate) terms: Vec<Terms>,
}

/// What a task keeps to besides the amounts that it asks for. Most have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Terms {
    /// What it asks of the nodes that it goes to.
    pub constraints: Constraints,
    /// What it takes of what all jobs share: locks, and budgets of attempts.
    pub shared: Shared,
    /// Its place among the tasks that are ready, if not the usual one.
    pub priority: Option<Priority>,
}

impl Terms {
    /// Whether there is nothing to keep to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.constraints.is_empty() && self.shared.is_empty() && self.priority.is_none()
    }
}

/// The number of some terms in their workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TermsId(u32);

/// When jobs come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrival {
    /// At their times, whatever became of those before.
    #[default]
    Open,
    /// In their order, so that always as many are there and have not ended.
    Closed {
        /// How many, at least 1.
        outstanding: u32,
    },
}

/// A job: tasks that come together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// What it is called.
    pub name: NameId,
    /// When it comes, in microseconds from the beginning of the workload.
    pub submit_us: u64,
    /// Whose it is; empty if nobody's.
    pub tenant: NameId,
    /// The queue that it waits in; empty for none.
    pub queue: NameId,
    /// 0 to 100, higher goes first; 50 if nothing is said.
    pub priority: u8,
    /// Its tasks, by their numbers in the workload; at least one.
    pub tasks: Range<u32>,
}

/// A task: what it asks for, and how long it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// What it is called, by itself within its job.
    pub name: NameId,
    /// What it is one of: tasks of one kind do the same to other data.
    pub kind: NameId,
    /// How long it runs on a node of the common speed, in microseconds.
    pub duration_us: u64,
    /// How long it is expected to run, in microseconds, if anything is expected.
    pub estimate_us: Option<NonZeroU64>,
    /// Thousandths of a CPU that each of its members asks for.
    pub cpu_milli: u32,
    /// How many nodes' worth of it start together or not at all, at least 1: a gang.
    pub members: u32,
    /// Bytes of memory that each of its members asks for.
    pub memory_bytes: u64,
    /// Devices that each of its members asks for.
    pub devices: Devices,
    /// Bytes that it reads.
    pub input_bytes: u64,
    /// Bytes that it writes.
    pub output_bytes: u64,
}

/// Devices that a member of a task asks for, such as GPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Devices {
    /// How many; 0 for none.
    pub count: u32,
    /// How much of each, in thousandths: 1 to 1,000.
    pub share_milli: u16,
    /// Which kinds will do: see [`Workload::device_kinds`]. The default is any.
    pub kinds: KindsId,
}

/// The number of a list of kinds of devices in its workload. 0 is the empty list: any kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindsId(pub u16);

impl Default for Devices {
    fn default() -> Self {
        Self { count: 0, share_milli: 1_000, kinds: KindsId::default() }
    }
}

impl Workload {
    /// All tasks, by their numbers.
    #[must_use]
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// The tasks of a job.
    ///
    /// # Panics
    /// If the job is of another workload.
    #[must_use]
    pub fn tasks_of(&self, job: &Job) -> &[Task] {
        &self.tasks[job.tasks.start as usize..job.tasks.end as usize]
    }

    /// What a task waits for, ascending: tasks of its own job, by their numbers in the workload.
    ///
    /// # Panics
    /// If there is no such task.
    #[must_use]
    pub fn depends_on(&self, task: u32) -> &[u32] {
        let [begin, end] = [task, task + 1].map(|at| self.begins[at as usize] as usize);
        &self.edges[begin..end]
    }

    /// How many times a task waits for another.
    #[must_use]
    pub fn edge_count(&self) -> usize {
        self.edges.len()
    }

    /// A name by its number.
    #[must_use]
    pub fn text(&self, name: NameId) -> &str {
        self.names.get(name)
    }

    /// All names.
    #[must_use]
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// The kinds of devices that a task takes; none if it takes any.
    pub fn device_kinds(&self, kinds: KindsId) -> impl ExactSizeIterator<Item = &str> {
        let kinds = self.device_kinds.get(kinds.0 as usize).map_or(&[][..], |kinds| kinds);
        kinds.iter().map(|&kind| self.names.get(kind))
    }

    /// What a task asks of the nodes that it goes to, if it has any terms.
    #[must_use]
    pub fn constraints(&self, task: u32) -> Option<&Constraints> {
        self.terms(task).map(|terms| &terms.constraints)
    }

    /// What a task keeps to besides its amounts, if there is anything.
    #[must_use]
    pub fn terms(&self, task: u32) -> Option<&Terms> {
        self.terms_id(task).map(|id| self.terms_of(id))
    }

    /// The number of the terms of a task, if it has any: those with the same number have the same.
    #[must_use]
    pub fn terms_id(&self, task: u32) -> Option<TermsId> {
        let at = self.having.binary_search_by_key(&task, |&(task, _)| task).ok()?;
        Some(TermsId(self.having[at].1))
    }

    /// What such a number stands for.
    ///
    /// # Panics
    /// It is not a number of this workload.
    #[must_use]
    pub fn terms_of(&self, id: TermsId) -> &Terms {
        &self.terms[id.0 as usize]
    }

    /// The same work in other time: whatever lasts, is expected or comes, times so many millionths.
    /// Nothing that lasts comes to last no time.
    #[must_use]
    pub fn scaled(mut self, millionths: u64) -> Self {
        let scale = |us: u64| {
            let scaled = u128::from(us) * u128::from(millionths) / 1_000_000;
            u64::try_from(scaled).unwrap_or(u64::MAX)
        };
        let lasting = |us: u64| scale(us).max(us.min(1));
        self.jobs.iter_mut().for_each(|job| job.submit_us = scale(job.submit_us));
        for task in &mut self.tasks {
            task.duration_us = lasting(task.duration_us);
            let expected = task.estimate_us.map(|us| lasting(us.get()));
            task.estimate_us = expected.and_then(NonZeroU64::new);
        }
        self
    }

    /// What it takes, in bytes: tasks, edges, jobs and names.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.tasks.capacity() * size_of::<Task>()
            + 4 * (self.begins.capacity() + self.edges.capacity())
            + self.jobs.capacity() * size_of::<Job>()
            + self.names.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaled_work_comes_and_lasts_by_the_factor() {
        let mut builder = crate::Builder::new("w");
        builder.job(&crate::NewJob { submit_us: 9_000_000, ..Default::default() });
        for (duration_us, estimate_us) in [(5_000_000, Some(7)), (0, None), (3, Some(2_000_000))] {
            builder.task(&crate::NewTask { duration_us, estimate_us, ..Default::default() });
        }
        let scaled = builder.finish().expect("it is a workload").scaled(10_000);
        assert_eq!(scaled.jobs[0].submit_us, 90_000);
        let times =
            scaled.tasks().iter().map(|it| (it.duration_us, it.estimate_us.map(|it| it.get())));
        let times: Vec<_> = times.collect();
        assert_eq!(times, [(50_000, Some(1)), (0, None), (1, Some(20_000))]);
    }

    #[test]
    fn a_task_takes_64_bytes() {
        assert_eq!((size_of::<Task>(), size_of::<Job>()), (64, 32));
    }
}
