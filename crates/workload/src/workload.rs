//! A workload: jobs that come at their times, each made of tasks that wait for each other.
//!
//! It is plain data, made by a [`Builder`](crate::Builder) and never changed: tasks stand job by
//! job, and what each waits for comes as numbers of the same job. 64 bytes a task and 4 an edge,
//! beside the names.

use std::num::NonZeroU64;
use std::ops::Range;

use model::Constraints;

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
    /// What some tasks ask of the nodes that they go to, ascending by task, by its number in
    /// `constraints`.
    pub(crate) asking: Vec<(u32, u32)>,
    /// Each distinct.
    pub(crate) constraints: Vec<Constraints>,
}

/// What some tasks ask of the nodes that they go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConstraintsId(u32);

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

    /// What a task asks of the nodes that it goes to, if it asks for anything.
    #[must_use]
    pub fn constraints(&self, task: u32) -> Option<&Constraints> {
        self.constraints_id(task).map(|id| self.constraints_of(id))
    }

    /// The number of what a task asks of the nodes that it goes to, if it asks for anything: those
    /// with the same number ask for the same.
    #[must_use]
    pub fn constraints_id(&self, task: u32) -> Option<ConstraintsId> {
        let at = self.asking.binary_search_by_key(&task, |&(task, _)| task).ok()?;
        Some(ConstraintsId(self.asking[at].1))
    }

    /// What such a number stands for.
    ///
    /// # Panics
    /// It is not a number of this workload.
    #[must_use]
    pub fn constraints_of(&self, id: ConstraintsId) -> &Constraints {
        &self.constraints[id.0 as usize]
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
    fn a_task_takes_64_bytes() {
        assert_eq!((size_of::<Task>(), size_of::<Job>()), (64, 32));
    }
}
