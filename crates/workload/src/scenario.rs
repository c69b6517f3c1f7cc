//! Scenarios: a cluster and the tasks that come to it, in one JSON file.
//!
//! ```json
//! {"note": "...", "outstanding": 64,
//!  "nodes": [{"name": "n0", "cpu": 96, "mem_gib": 384, "gpu": 8, "gpu_type": "G2", "speed": 1.0}],
//!  "tasks": [{"id": 0, "job": 0, "submit": 0.0, "duration": 9.5, "estimate": 60, "cpu": 16,
//!             "mem_gib": 32, "gpu": 0.5, "gpu_types": ["G2"], "qos": "LS", "depends_on": [3]}]}
//! ```
//!
//! Times are seconds; `gpu` is a number of whole GPUs, or a part of one. Tasks of one `job` come
//! together and may wait for each other; a task without one is a job. `qos` or `queue` is the
//! queue. With `outstanding`, or a note that begins with `closed loop: keep 64 tasks`, as many jobs
//! are there at a time. Other keys are passed over.
//!
//! The kind of a task is its `kind`, or else what it asks for. A mean estimate is that of the tasks
//! of the kind in the jobs that came before, and of one of ten minutes.

use std::fmt;
use std::ops::Range;

use model::collections::HashMap;
use serde::{Deserialize, Deserializer, de};

use crate::builder::{Builder, NewJob, NewTask};
use crate::cluster::{Cluster, Gpu, NodeKind};
use crate::code;
use crate::estimates::{Basis, Estimates};
use crate::fault::{Fault, Faults};
use crate::json::Step::{At, Key};
use crate::json::{Cores, Gibibytes, Parts, Seconds, Step, locate, parse};
use crate::limits::{NODES_MAX, SPEED_MILLI_MAX};
use crate::source::Source;
use crate::units::short;
use crate::workload::{Arrival, Workload};

/// How long the one task of a kind took that was thought of first, in microseconds.
const PRIOR_US: u64 = 600_000_000;

/// Reads a scenario.
///
/// # Errors
/// A key is missing, a value cannot be what it stands for, tasks of a job come at different times,
/// a task waits for one that its job has not, or for itself.
pub fn read(source: &Source, estimates: Estimates) -> Result<(Workload, Cluster), Faults> {
    let file: File = parse(source)?;
    let cluster = nodes(source, &file.nodes)?;
    let reader = Reader { source, tasks: &file.tasks };
    let (mut builder, order) = reader.build()?;
    let note = file.note.unwrap_or_default();
    if let Some(outstanding) = file.outstanding.or_else(|| outstanding(&note)) {
        builder.arrive(Arrival::Closed { outstanding: outstanding.max(1) });
    }
    if !note.is_empty() {
        builder.note(note);
    }
    let at = |task: u32| reader.place(order.get(task as usize).copied().unwrap_or(0), &[]);
    let mut workload = builder.finish().map_err(|defect| defect.into_faults(source, at))?;
    let said = file.tasks.iter().any(|task| task.estimate.is_some());
    estimates.apply(&mut workload, Basis::Before { prior_us: PRIOR_US }, said);
    Ok((workload, cluster))
}

#[derive(Deserialize)]
struct File {
    note: Option<String>,
    outstanding: Option<u32>,
    nodes: Vec<NodeFile>,
    tasks: Vec<TaskFile>,
}

#[derive(Deserialize)]
struct NodeFile {
    name: Option<String>,
    count: Option<u32>,
    cpu: Cores,
    mem_gib: Gibibytes,
    gpu: Option<u32>,
    gpu_type: Option<String>,
    speed: Option<Cores>,
}

#[derive(Deserialize)]
struct TaskFile {
    id: Option<Id>,
    name: Option<String>,
    kind: Option<String>,
    job: Option<Id>,
    submit: Seconds,
    duration: Seconds,
    estimate: Option<Seconds>,
    cpu: Option<Cores>,
    mem_gib: Option<Gibibytes>,
    gpu: Option<Parts>,
    gpu_type: Option<String>,
    gpu_types: Option<Vec<String>>,
    gang: Option<u32>,
    tenant: Option<String>,
    #[serde(alias = "queue")]
    qos: Option<String>,
    priority: Option<u8>,
    depends_on: Option<Vec<Id>>,
}

/// What a task or a job is referred to by: a number or a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Id {
    Number(u64),
    Text(Box<str>),
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number or a text")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Id, E> {
                Ok(Id::Number(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                Ok(Id::Text(text.into()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// How many jobs are there at a time, if a note says so.
fn outstanding(note: &str) -> Option<u32> {
    let rest = note.strip_prefix("closed loop: keep ")?;
    rest.split(' ').next()?.parse().ok()
}

fn nodes(source: &Source, files: &[NodeFile]) -> Result<Cluster, Faults> {
    let mut faults = Faults::of(source.name());
    let mut nodes: Vec<NodeKind> = Vec::with_capacity(files.len());
    let mut known = HashMap::<String, usize>::default();
    for (at, file) in files.iter().enumerate() {
        let mut tell = |key, code, message: String| {
            let way: &[Step<'_>] = &[Key("nodes"), At(at), Key(key)];
            faults.push(Fault::at(source, locate(source.text(), way), code, message));
        };
        let name = file.name.clone().unwrap_or_else(|| format!("node{}", at + 1));
        if known.insert(name.clone(), at).is_some() {
            let message = format!("there are two nodes named `{}`", short(&name));
            tell("name", code::DUPLICATE, message);
        }
        let speed = file.speed.map_or(1_000, |speed| speed.0);
        if !(1..=SPEED_MILLI_MAX).contains(&speed) {
            tell("speed", code::BAD_VALUE, "this is not a speed such as 0.5, 1 or 2".to_owned());
        }
        if file.count == Some(0) {
            tell("count", code::BAD_VALUE, "there is at least one".to_owned());
        }
        let kind = file.gpu_type.clone().unwrap_or_else(|| "gpu".to_owned());
        let gpu = Gpu { kind, count: file.gpu.unwrap_or(0), memory_bytes: 0 };
        nodes.push(NodeKind {
            name,
            count: file.count.unwrap_or(1),
            cpu_milli: file.cpu.0,
            memory_bytes: file.mem_gib.0,
            gpus: Some(gpu).filter(|gpu| gpu.count > 0).into_iter().collect(),
            speed_milli: u32::try_from(speed).unwrap_or(1_000),
            ..NodeKind::default()
        });
    }
    let cluster = Cluster { nodes };
    if faults.count() == 0 && (cluster.is_empty() || cluster.len() > NODES_MAX) {
        let message = format!("a cluster has 1 to {NODES_MAX} nodes, and this {}", cluster.len());
        faults.push(Fault::nowhere(code::EMPTY, message));
    }
    faults.unless(Some(cluster))
}

struct Reader<'s> {
    source: &'s Source,
    tasks: &'s [TaskFile],
}

impl Reader<'_> {
    /// Where a value of a task stands, or the task.
    fn place(&self, task: usize, steps: &[Step<'_>]) -> Range<usize> {
        let mut way = vec![Key("tasks"), At(task)];
        way.extend(steps);
        locate(self.source.text(), &way)
    }

    /// The tasks by their jobs, these in the order of their first tasks.
    fn jobs(&self) -> Vec<Vec<usize>> {
        let mut jobs: Vec<Vec<usize>> = Vec::new();
        let mut number_of = HashMap::<&Id, usize>::default();
        for (at, task) in self.tasks.iter().enumerate() {
            let known = task.job.as_ref().and_then(|job| number_of.get(job).copied());
            match known {
                Some(known) => jobs[known].push(at),
                None => {
                    if let Some(job) = &task.job {
                        number_of.insert(job, jobs.len());
                    }
                    jobs.push(vec![at]);
                }
            }
        }
        jobs
    }

    /// The tasks as a workload, and which of the file each is.
    fn build(&self) -> Result<(Builder, Vec<usize>), Faults> {
        let mut faults = Faults::of(self.source.name());
        let mut builder = Builder::new(self.source.stem());
        let mut order = Vec::with_capacity(self.tasks.len());
        let mut number_of = HashMap::<&Id, u32>::default();
        for job in self.jobs() {
            self.job(&job, &mut builder, &mut faults);
            for &at in &job {
                let number = self.task(&self.tasks[at], at, &mut builder);
                order.push(at);
                if let Some(id) = &self.tasks[at].id
                    && number_of.insert(id, number).is_some()
                {
                    let message =
                        format!("there are two tasks of the id `{}`", short(&id.to_string()));
                    let place = self.place(at, &[Key("id")]);
                    faults.push(Fault::at(self.source, place, code::DUPLICATE, message));
                }
            }
        }
        for (number, &at) in (0..).zip(&order) {
            for (which, id) in self.tasks[at].depends_on.iter().flatten().enumerate() {
                match number_of.get(id) {
                    Some(&on) => builder.depend(number, on),
                    None => {
                        let message = format!("there is no task `{}`", short(&id.to_string()));
                        let place = self.place(at, &[Key("depends_on"), At(which)]);
                        faults.push(Fault::at(self.source, place, code::NO_SUCH_TASK, message));
                    }
                }
            }
        }
        faults.unless(Some((builder, order)))
    }

    /// Begins a job of some tasks, which have to come together.
    fn job(&self, tasks: &[usize], builder: &mut Builder, faults: &mut Faults) {
        let first = &self.tasks[tasks[0]];
        for &at in tasks.iter().filter(|&&at| self.tasks[at].submit != first.submit) {
            let message = "this task comes at another time than the first one of its job";
            let place = self.place(at, &[Key("submit")]);
            faults.push(Fault::at(self.source, place, code::CONFLICT, message));
        }
        for &at in tasks.iter().filter(|&&at| self.tasks[at].gang == Some(0)) {
            let place = self.place(at, &[Key("gang")]);
            let message = "a gang has at least one member";
            faults.push(Fault::at(self.source, place, code::BAD_VALUE, message));
        }
        if first.priority.is_some_and(|priority| priority > 100) {
            let place = self.place(tasks[0], &[Key("priority")]);
            let message = "a priority is a number from 0 to 100";
            faults.push(Fault::at(self.source, place, code::BAD_VALUE, message));
        }
        let id = first.job.as_ref().or(first.id.as_ref()).map(Id::to_string);
        builder.job(&NewJob {
            name: &id.unwrap_or_else(|| tasks[0].to_string()),
            submit_us: first.submit.0,
            tenant: first.tenant.as_deref().unwrap_or_default(),
            queue: first.qos.as_deref().unwrap_or_default(),
            priority: first.priority.unwrap_or(50),
        });
    }

    fn task(&self, task: &TaskFile, at: usize, builder: &mut Builder) -> u32 {
        let mut kinds: Vec<&str> = task.gpu_types.iter().flatten().map(String::as_str).collect();
        kinds.extend(task.gpu_type.as_deref().filter(|kind| !kinds.contains(kind)));
        let cpu_milli = task.cpu.map_or(1_000, |cpu| cpu.0);
        let memory_bytes = task.mem_gib.map_or(0, |memory| memory.0);
        let devices = task.gpu.map_or((0, 1_000), |gpu| gpu.0);
        let shape = || {
            let (count, part) = devices;
            format!("{cpu_milli}m {}Mi {count}x{part} {}", memory_bytes >> 20, kinds.join("|"))
        };
        let name = match (&task.name, &task.id) {
            (Some(name), _) => name.clone(),
            (None, Some(id)) => id.to_string(),
            (None, None) => at.to_string(),
        };
        builder.task(&NewTask {
            name: &name,
            kind: &task.kind.clone().unwrap_or_else(shape),
            duration_us: task.duration.0,
            estimate_us: task.estimate.map(|estimate| estimate.0),
            cpu_milli,
            memory_bytes,
            devices,
            device_kinds: &kinds,
            members: task.gang.unwrap_or(1),
            ..NewTask::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"{"note": "closed loop: keep 64 tasks submitted",
 "nodes": [{"name": "n0", "cpu": 96, "mem_gib": 384, "gpu": 8, "gpu_type": "G2", "speed": 0.5},
           {"cpu": 8.5, "mem_gib": 0.5, "gpu": 0, "gpu_type": null, "count": 3}],
 "tasks": [
  {"id": 0, "job": 7, "submit": 1.5, "duration": 205.431, "estimate": 600, "cpu": 3.152,
   "mem_gib": 5.4688, "gpu": 0.46, "gpu_types": ["P100", "T4"], "qos": "LS", "depends_on": [2]},
  {"id": "x", "submit": 0, "duration": 1, "gpu": 2, "gpu_type": "G2"},
  {"id": 2, "job": 7, "submit": 1.5, "duration": 0.5, "estimate": null}]}"#;

    fn source(text: &str) -> Source {
        Source::new("s.json", text.into()).unwrap()
    }

    #[test]
    fn a_scenario_is_a_workload_and_a_cluster() {
        let (workload, cluster) = read(&source(SAMPLE), Estimates::Recorded).unwrap();
        assert_eq!(workload.arrival, Arrival::Closed { outstanding: 64 });
        let names: Vec<&str> = workload.jobs.iter().map(|job| workload.text(job.name)).collect();
        assert_eq!(names, ["x", "7"], "by the times at which they come");
        let [first, second] = workload.tasks_of(&workload.jobs[1]) else { panic!("two tasks") };
        assert_eq!((first.duration_us, first.cpu_milli), (205_431_000, 3_152));
        assert_eq!((first.devices.count, first.devices.share_milli), (1, 460));
        assert_eq!(first.estimate_us.map(u64::from), Some(600_000_000));
        assert_eq!((second.estimate_us, second.cpu_milli), (None, 1_000));
        let kinds: Vec<_> = workload.device_kinds(first.devices.kinds).collect();
        assert_eq!(kinds, ["P100", "T4"]);
        let tasks = workload.jobs[1].tasks.clone();
        assert_eq!(workload.depends_on(tasks.start), [tasks.start + 1]);
        assert_eq!((cluster.len(), cluster.nodes[0].speed_milli), (4, 500));
        assert_eq!((cluster.nodes[1].name.as_str(), cluster.nodes[1].gpus.len()), ("node2", 0));
        assert_eq!(cluster.nodes[1].memory_bytes, 1 << 29);
    }

    #[test]
    fn how_many_are_there_at_a_time_may_be_said_by_a_key() {
        let text = SAMPLE.replacen("{\"note\"", "{\"outstanding\": 3, \"note\"", 1);
        let (workload, _) = read(&source(&text), Estimates::None).unwrap();
        assert_eq!(workload.arrival, Arrival::Closed { outstanding: 3 });
        let text = SAMPLE.replacen("closed loop: ", "", 1);
        assert_eq!(read(&source(&text), Estimates::None).unwrap().0.arrival, Arrival::Open);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let with = |from: &str, to: &str| {
            let text = SAMPLE.replacen(from, to, 1);
            let told = read(&source(&text), Estimates::Recorded).unwrap_err().to_string();
            told.lines().next().unwrap().trim_start_matches("s.json").to_owned()
        };
        assert_eq!(with("on\": [2]", "on\": [9]"), ":6:93: error[E0606]: there is no task `9`");
        assert_eq!(
            with("on\": [2]", "on\": [0]"),
            ":5:3: error[E0607]: tasks wait for each other in a circle: 0"
        );
        assert_eq!(
            with("on\": [2]", "on\": [\"x\"]"),
            ":5:3: error[E0611]: task `0` waits for `x`, which is of another job"
        );
        assert_eq!(
            with("\"submit\": 1.5, \"duration\": 0.5", "\"submit\": 2, \"duration\": 0.5"),
            ":8:33: error[E0611]: this task comes at another time than the first one of its job"
        );
        assert_eq!(
            with("{\"id\": 2", "{\"id\": 0"),
            ":8:10: error[E0608]: there are two tasks of the id `0`"
        );
        assert_eq!(with("205.431", "-1"), ":5:50: error[E0605]: -1 seconds are less than none");
        assert_eq!(
            with("0.46", "1.46"),
            ":6:30: error[E0605]: 1.46 devices are neither whole ones nor a part of one"
        );
        assert_eq!(with("\"gpu\": 2", "\"gang\": 0").matches("E0605").count(), 1);
        assert_eq!(with("\"speed\": 0.5", "\"speed\": 0").matches("E0605").count(), 1);
        assert_eq!(with("\"duration\": 1,", "").matches("E0603").count(), 1);
        assert_eq!(with("\"cpu\": 96,", "").matches("E0603").count(), 1);
    }
}
