//! Making a workload, task by task, and what is held to be true of every one.
//!
//! Tasks are added job by job. In the end the edges are put in order, and a circle is found: a
//! [`Workload`] has none. Nothing here knows of files: a [`Defect`] names tasks, and the reader
//! that knows their places tells them.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::Range;

use model::collections::HashMap;

use crate::code;
use crate::fault::{Fault, Faults};
use crate::limits::{DEVICE_KINDS_MAX, EDGES_MAX, TASKS_MAX};
use crate::names::NameId;
use crate::source::Source;
use crate::units::short;
use crate::workload::{Arrival, Devices, Job, KindsId, Task, Terms, Workload};

/// Makes a workload.
#[derive(Clone, Debug)]
pub struct Builder {
    workload: Workload,
    /// Which task waits for which, in no order.
    edges: Vec<(u32, u32)>,
    known_kinds: HashMap<Box<[NameId]>, u16>,
    known_terms: HashMap<Terms, u32>,
    /// More of something than there may be.
    too_many: Option<Defect>,
}

/// A job that is added.
#[derive(Clone, Copy, Debug)]
pub struct NewJob<'a> {
    /// What it is called.
    pub name: &'a str,
    /// When it comes, in microseconds.
    pub submit_us: u64,
    /// Whose it is.
    pub tenant: &'a str,
    /// The queue that it waits in.
    pub queue: &'a str,
    /// 0 to 100, higher goes first.
    pub priority: u8,
}

impl Default for NewJob<'_> {
    fn default() -> Self {
        Self { name: "", submit_us: 0, tenant: "", queue: "", priority: 50 }
    }
}

/// A task that is added.
#[derive(Clone, Copy, Debug)]
pub struct NewTask<'a> {
    /// What it is called.
    pub name: &'a str,
    /// What it is one of.
    pub kind: &'a str,
    /// How long it runs, in microseconds.
    pub duration_us: u64,
    /// How long it is expected to run, in microseconds.
    pub estimate_us: Option<u64>,
    /// Thousandths of a CPU that each member asks for.
    pub cpu_milli: u64,
    /// Bytes of memory that each member asks for.
    pub memory_bytes: u64,
    /// Devices that each member asks for, and how much of each in thousandths.
    pub devices: (u32, u16),
    /// Which kinds of them will do; empty for any.
    pub device_kinds: &'a [&'a str],
    /// What it keeps to besides its amounts, if there is anything.
    pub terms: Option<&'a Terms>,
    /// How many start together.
    pub members: u32,
    /// Bytes that it reads.
    pub input_bytes: u64,
    /// Bytes that it writes.
    pub output_bytes: u64,
}

impl Default for NewTask<'_> {
    fn default() -> Self {
        Self {
            name: "",
            kind: "",
            duration_us: 0,
            estimate_us: None,
            cpu_milli: 1_000,
            memory_bytes: 0,
            devices: (0, 1_000),
            device_kinds: &[],
            terms: None,
            members: 1,
            input_bytes: 0,
            output_bytes: 0,
        }
    }
}

/// Why tasks do not make a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Defect {
    /// There is no task.
    Empty,
    /// More of something than there may be.
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// This task waits for one that is not of its job.
    Outside {
        /// The task that waits.
        task: (u32, String),
        /// What it waits for.
        on: (u32, String),
    },
    /// Each of these tasks waits for the next, and the last for the first.
    Cycle(Vec<(u32, String)>),
}

impl Defect {
    /// The task to begin with when it is looked into.
    #[must_use]
    pub fn task(&self) -> Option<u32> {
        match self {
            Self::Outside { task, .. } => Some(task.0),
            Self::Cycle(tasks) => tasks.first().map(|task| task.0),
            Self::Empty | Self::TooMany { .. } => None,
        }
    }

    /// What is wrong with the file that the tasks were read from. `at` is where a task stands.
    pub(crate) fn into_faults(
        self,
        source: &Source,
        at: impl FnOnce(u32) -> Range<usize>,
    ) -> Faults {
        let code = match self {
            Self::Empty => code::EMPTY,
            Self::TooMany { .. } => code::TOO_LARGE,
            Self::Outside { .. } => code::CONFLICT,
            Self::Cycle(_) => code::CYCLE,
        };
        let fault = match self.task() {
            Some(task) => Fault::at(source, at(task), code, self.to_string()),
            None => Fault::nowhere(code, self.to_string()),
        };
        Faults::one(source.name(), fault)
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Tasks of a circle that are named.
        const NAMED_MAX: usize = 12;
        match self {
            Self::Empty => f.write_str("there is no task in it"),
            Self::TooMany { what, limit } => write!(f, "there are more than {limit} {what}"),
            Self::Outside { task, on } => {
                let [task, on] = [&task.1, &on.1].map(|name| short(name));
                write!(f, "task `{task}` waits for `{on}`, which is of another job")
            }
            Self::Cycle(tasks) => {
                let mut names: Vec<String> =
                    tasks.iter().take(NAMED_MAX).map(|task| short(&task.1)).collect();
                if tasks.len() > NAMED_MAX {
                    names.push(format!("… {} more", tasks.len() - NAMED_MAX));
                }
                write!(f, "tasks wait for each other in a circle: {}", names.join(", "))
            }
        }
    }
}

impl std::error::Error for Defect {}

impl Builder {
    /// A workload without jobs so far.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let empty: Box<[NameId]> = Box::default();
        let workload = Workload {
            name: name.to_owned(),
            device_kinds: vec![empty.clone()],
            ..Workload::default()
        };
        Self {
            workload,
            edges: Vec::new(),
            known_kinds: std::iter::once((empty, 0)).collect(),
            known_terms: HashMap::default(),
            too_many: None,
        }
    }

    /// Says when its jobs come.
    pub const fn arrive(&mut self, arrival: Arrival) {
        self.workload.arrival = arrival;
    }

    /// Says that jobs of one name are runs of one workflow.
    pub const fn repeat(&mut self, repeats: bool) {
        self.workload.repeats = repeats;
    }

    /// Notes what was left out or supposed.
    pub fn note(&mut self, note: impl Into<String>) {
        self.workload.notes.push(note.into());
    }

    /// Begins a job: the tasks that are added from now on are its.
    pub fn job(&mut self, job: &NewJob<'_>) {
        let here = self.next();
        let [name, tenant, queue] = [job.name, job.tenant, job.queue].map(|text| self.name(text));
        let NewJob { submit_us, priority, .. } = *job;
        let tasks = here..here;
        self.workload.jobs.push(Job { name, submit_us, tenant, queue, priority, tasks });
    }

    /// Adds a task to the job that was begun last, and gives its number. If none was begun, one is.
    pub fn task(&mut self, task: &NewTask<'_>) -> u32 {
        let number = self.next();
        if self.workload.jobs.is_empty() {
            self.job(&NewJob::default());
        }
        if number as usize >= TASKS_MAX {
            self.too_many("tasks", TASKS_MAX);
            return number;
        }
        let [name, kind] = [task.name, task.kind].map(|text| self.name(text));
        let (count, share_milli) = task.devices;
        let kinds = if count == 0 { KindsId::default() } else { self.kinds(task.device_kinds) };
        let share_milli = share_milli.clamp(1, 1_000);
        self.workload.tasks.push(Task {
            name,
            kind,
            duration_us: task.duration_us,
            estimate_us: task.estimate_us.and_then(|us| NonZeroU64::new(us.max(1))),
            cpu_milli: u32::try_from(task.cpu_milli).unwrap_or(u32::MAX),
            members: task.members.max(1),
            memory_bytes: task.memory_bytes,
            devices: Devices { count, share_milli, kinds },
            input_bytes: task.input_bytes,
            output_bytes: task.output_bytes,
        });
        if let Some(terms) = task.terms.filter(|terms| !terms.is_empty()) {
            self.keep_to(number, terms);
        }
        if let Some(job) = self.workload.jobs.last_mut() {
            job.tasks.end = number + 1;
        }
        number
    }

    /// Notes what a task keeps to.
    fn keep_to(&mut self, task: u32, terms: &Terms) {
        let known = &mut self.workload.terms;
        let number = match self.known_terms.get(terms) {
            Some(&number) => number,
            None => {
                let number = u32::try_from(known.len()).unwrap_or(u32::MAX);
                known.push(terms.clone());
                self.known_terms.insert(terms.clone(), number);
                number
            }
        };
        self.workload.having.push((task, number));
    }

    /// Says that a task waits for another. What is said twice counts once.
    pub fn depend(&mut self, task: u32, on: u32) {
        if self.edges.len() < EDGES_MAX {
            self.edges.push((task, on));
        } else {
            self.too_many("dependencies", EDGES_MAX);
        }
    }

    /// The number that the next task gets.
    #[must_use]
    pub fn next(&self) -> u32 {
        u32::try_from(self.workload.tasks.len()).unwrap_or(u32::MAX)
    }

    /// The workload, its jobs by the time at which they come. O(tasks + edges), and sorting jobs.
    ///
    /// # Errors
    /// There is no task, or too many; a task waits for one of another job, or for itself, directly
    /// or through others.
    pub fn finish(self) -> Result<Workload, Defect> {
        let Self { mut workload, edges, too_many, .. } = self;
        if let Some(defect) = too_many {
            return Err(defect);
        }
        workload.jobs.retain(|job| !job.tasks.is_empty());
        if workload.tasks.is_empty() {
            return Err(Defect::Empty);
        }
        check_jobs(&workload, &edges)?;
        (workload.begins, workload.edges) = rows(workload.tasks.len(), edges);
        check_circles(&workload)?;
        workload.jobs.sort_by_key(|job| job.submit_us);
        workload.tasks.shrink_to_fit();
        Ok(workload)
    }

    fn name(&mut self, text: &str) -> NameId {
        self.workload.names.intern(text).unwrap_or_else(|| {
            self.too_many("bytes of names", crate::limits::NAMES_BYTES_MAX);
            NameId::default()
        })
    }

    fn kinds(&mut self, kinds: &[&str]) -> KindsId {
        let list: Box<[NameId]> = kinds.iter().map(|kind| self.name(kind)).collect();
        if let Some(&known) = self.known_kinds.get(&list) {
            return KindsId(known);
        }
        let number = match u16::try_from(self.workload.device_kinds.len()) {
            Ok(number) if usize::from(number) < DEVICE_KINDS_MAX => number,
            _ => {
                self.too_many("lists of kinds of devices", DEVICE_KINDS_MAX);
                return KindsId::default();
            }
        };
        self.workload.device_kinds.push(list.clone());
        self.known_kinds.insert(list, number);
        KindsId(number)
    }

    fn too_many(&mut self, what: &'static str, limit: usize) {
        self.too_many.get_or_insert(Defect::TooMany { what, limit });
    }
}

/// A task with its name.
fn named(workload: &Workload, task: u32) -> (u32, String) {
    let name = workload.tasks.get(task as usize).map(|task| workload.text(task.name));
    (task, name.unwrap_or_default().to_owned())
}

/// Holds each edge to the tasks of one job.
fn check_jobs(workload: &Workload, edges: &[(u32, u32)]) -> Result<(), Defect> {
    let mut job_of = vec![0_u32; workload.tasks.len()];
    for (number, job) in (0..).zip(&workload.jobs) {
        job_of[job.tasks.start as usize..job.tasks.end as usize].fill(number);
    }
    let job = |task: u32| job_of.get(task as usize);
    let outside = |&&(task, on): &&(u32, u32)| job(on).is_none() || job(task) != job(on);
    match edges.iter().find(outside) {
        Some(&(task, on)) => {
            Err(Defect::Outside { task: named(workload, task), on: named(workload, on) })
        }
        None => Ok(()),
    }
}

/// Puts edges into rows, each ascending and without repetition.
fn rows(tasks: usize, mut edges: Vec<(u32, u32)>) -> (Vec<u32>, Vec<u32>) {
    edges.sort_unstable();
    edges.dedup();
    let mut begins = vec![0_u32; tasks + 1];
    for &(task, _) in &edges {
        begins[task as usize + 1] += 1;
    }
    for at in 0..tasks {
        begins[at + 1] += begins[at];
    }
    (begins, edges.into_iter().map(|(_, on)| on).collect())
}

/// Takes away tasks for which nothing waits until none is left (Kahn 1962). Of what is left each is
/// waited for by one that is left, so that walking that way comes round.
fn check_circles(workload: &Workload) -> Result<(), Defect> {
    let tasks = workload.tasks.len();
    let mut dependents = vec![0_u32; tasks];
    workload.edges.iter().for_each(|&on| dependents[on as usize] += 1);
    let numbers = 0..u32::try_from(tasks).unwrap_or(u32::MAX);
    let mut free: Vec<u32> = numbers.filter(|&task| dependents[task as usize] == 0).collect();
    let mut taken = 0;
    while let Some(task) = free.pop() {
        taken += 1;
        for &on in workload.depends_on(task) {
            dependents[on as usize] -= 1;
            if dependents[on as usize] == 0 {
                free.push(on);
            }
        }
    }
    if taken == tasks {
        return Ok(());
    }
    // Whoever is left and waits for a task that is left: the last such, for each.
    let is_left = |task: u32| dependents[task as usize] > 0;
    let mut waits = vec![None; tasks];
    for task in (0..u32::try_from(tasks).unwrap_or(u32::MAX)).filter(|&task| is_left(task)) {
        for &on in workload.depends_on(task) {
            waits[on as usize] = Some(task);
        }
    }
    let mut order: Vec<u32> = Vec::new();
    let mut seen = vec![false; tasks];
    let mut at = waits.iter().position(Option::is_some).and_then(|at| u32::try_from(at).ok());
    while let Some(task) = at.filter(|&task| !seen[task as usize]) {
        seen[task as usize] = true;
        order.push(task);
        at = waits[task as usize];
    }
    let first = order.iter().position(|&task| Some(task) == at).unwrap_or(0);
    let mut circle = order.split_off(first);
    // Each was waited for by the next; told is who waits for whom, from the smallest on.
    circle.reverse();
    let smallest = circle.iter().enumerate().min_by_key(|&(_, &task)| task).map_or(0, |it| it.0);
    circle.rotate_left(smallest);
    Err(Defect::Cycle(circle.into_iter().map(|task| named(workload, task)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder(tasks: u32, edges: &[(u32, u32)]) -> Builder {
        let mut builder = Builder::new("w");
        builder.job(&NewJob::default());
        for number in 0..tasks {
            builder.task(&NewTask { name: &number.to_string(), ..NewTask::default() });
        }
        edges.iter().for_each(|&(task, on)| builder.depend(task, on));
        builder
    }

    #[test]
    fn edges_come_in_order_and_once() {
        let workload = builder(4, &[(3, 2), (3, 1), (1, 0), (3, 1), (0, 2)]).finish().unwrap();
        let rows: Vec<&[u32]> = (0..4).map(|task| workload.depends_on(task)).collect();
        assert_eq!(rows, [&[2][..], &[0], &[], &[1, 2]]);
        assert_eq!((workload.edge_count(), workload.jobs.len()), (4, 1));
    }

    #[test]
    fn circles_are_told_from_their_smallest_task() {
        let cycle = |tasks, edges: &[_]| builder(tasks, edges).finish().unwrap_err();
        assert_eq!(cycle(1, &[(0, 0)]), Defect::Cycle(vec![(0, "0".to_owned())]));
        // 3 waits for 1, 1 for 2, 2 for 3; 0 and 4 stand before and behind.
        let edges = [(3, 1), (1, 2), (2, 3), (0, 1), (3, 4)];
        let told = cycle(5, &edges);
        assert_eq!(told.to_string(), "tasks wait for each other in a circle: 1, 2, 3");
        assert_eq!(told.task(), Some(1));
    }

    #[test]
    fn a_task_waits_for_its_own_job_alone() {
        let mut builder = builder(2, &[]);
        builder.job(&NewJob { submit_us: 5, ..NewJob::default() });
        let task = builder.task(&NewTask::default());
        builder.depend(task, 1);
        let told = builder.finish().unwrap_err();
        assert_eq!(told.to_string(), "task `` waits for `1`, which is of another job");
        let told = self::builder(1, &[(0, 9)]).finish().unwrap_err();
        assert_eq!(told.task(), Some(0), "{told}");
        assert_eq!(self::builder(0, &[]).finish().unwrap_err(), Defect::Empty);
    }

    #[test]
    fn jobs_come_by_their_times() {
        let mut builder = Builder::new("w");
        for (name, submit_us) in [("late", 9), ("early", 1), ("none", 0), ("also late", 9)] {
            builder.job(&NewJob { name, submit_us, ..NewJob::default() });
            if name != "none" {
                builder.task(&NewTask { kind: name, ..NewTask::default() });
            }
        }
        let workload = builder.finish().unwrap();
        let names: Vec<&str> = workload.jobs.iter().map(|job| workload.text(job.name)).collect();
        assert_eq!(names, ["early", "late", "also late"]);
        let kind = workload.tasks_of(&workload.jobs[0])[0].kind;
        assert_eq!(workload.text(kind), "early");
    }

    #[test]
    fn lists_of_devices_are_kept_once() {
        let mut builder = Builder::new("w");
        for kinds in [&["A", "B"][..], &[], &["A", "B"], &["B"]] {
            builder.task(&NewTask { devices: (1, 460), device_kinds: kinds, ..NewTask::default() });
        }
        let workload = builder.finish().unwrap();
        let kinds = workload.tasks().iter().map(|task| task.devices.kinds.0);
        assert_eq!(kinds.collect::<Vec<_>>(), [1, 0, 1, 2]);
        assert_eq!(workload.device_kinds(KindsId(1)).collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(workload.device_kinds(KindsId(0)).len(), 0);
    }

    #[test]
    fn a_million_tasks_take_little() {
        let mut builder = Builder::new("w");
        for number in 0..1_000_000_u32 {
            let name = format!("t{number}");
            let task = builder.task(&NewTask { name: &name, kind: "k", ..NewTask::default() });
            if number > 0 {
                builder.depend(task, number - 1);
            }
        }
        let workload = builder.finish().unwrap();
        assert!(workload.bytes() < 110_000_000, "{} bytes", workload.bytes());
    }
}
