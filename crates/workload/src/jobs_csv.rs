//! A trace of jobs as comma-separated values, for whoever brings a workload of their own.
//!
//! The first line names the columns, in any order:
//!
//! | Column | Also | Is |
//! |---|---|---|
//! | `submit_s` | `submit` | when the job comes, in seconds from the beginning; needed |
//! | `duration_s` | `duration`, `runtime` | how long the task runs, in seconds; needed |
//! | `estimate_s` | `estimate`, `walltime` | how long it is expected to run, in seconds |
//! | `cpu` | `cpus`, `cores` | CPUs as in workflow files: `4`, `0.5`, `500m`; 1 if left out |
//! | `memory` | `mem` | bytes as in workflow files: `16Gi`, `500M`; none if left out |
//! | `gpus` | `gpu` | whole GPUs, or a part of one such as `0.5` |
//! | `gpu_type` | `gpu_types` | the kinds that will do, with a `\|` between |
//! | `gang` | `nodes`, `members` | how many start together; cpu, memory and gpus are of each |
//! | `tenant` | `user`, `vc` | whose the job is |
//! | `queue` | | the queue that it waits in |
//! | `priority` | | 0 to 100, higher goes first; 50 if left out |
//! | `job` | | rows of one job; each row is one if the column is not there, or empty |
//! | `name` | `task` | the name of the task; the number of the row, from 1, if left out |
//! | `kind` | | what the task is one of; its name if left out |
//! | `depends_on` | | names of tasks of the same job, with a `;` between |
//! | `input_bytes` | | bytes that it reads: `1Gi`, or a number |
//! | `output_bytes` | | bytes that it writes |
//!
//! Other columns are passed over, and noted; one that is nearly a name of these is a fault. An
//! empty cell is one that was left out. A mean estimate is that of the tasks of the kind in the
//! jobs that came before, and of one of ten minutes.

use std::ops::Range;

use model::collections::HashMap;

use crate::builder::{Builder, NewJob, NewTask};
use crate::code;
use crate::estimates::{Basis, Estimates};
use crate::fault::{Fault, Faults};
use crate::limits::{DEVICES_MAX, TASKS_MAX};
use crate::source::Source;
use crate::table::{Column, Row, Table, needed, optional};
use crate::units::{self, short};
use crate::workload::Workload;

const SUBMIT: usize = 0;
const DURATION: usize = 1;
const ESTIMATE: usize = 2;
const CPU: usize = 3;
const MEMORY: usize = 4;
const GPUS: usize = 5;
const GPU_TYPE: usize = 6;
const GANG: usize = 7;
const TENANT: usize = 8;
const QUEUE: usize = 9;
const PRIORITY: usize = 10;
const JOB: usize = 11;
const NAME: usize = 12;
const KIND: usize = 13;
const DEPENDS_ON: usize = 14;
const INPUT: usize = 15;
const OUTPUT: usize = 16;

const COLUMNS: [Column; 17] = [
    needed(&["submit_s", "submit"]),
    needed(&["duration_s", "duration", "runtime"]),
    optional(&["estimate_s", "estimate", "walltime"]),
    optional(&["cpu", "cpus", "cores"]),
    optional(&["memory", "mem"]),
    optional(&["gpus", "gpu"]),
    optional(&["gpu_type", "gpu_types"]),
    optional(&["gang", "nodes", "members"]),
    optional(&["tenant", "user", "vc"]),
    optional(&["queue"]),
    optional(&["priority"]),
    optional(&["job"]),
    optional(&["name", "task"]),
    optional(&["kind"]),
    optional(&["depends_on"]),
    optional(&["input_bytes"]),
    optional(&["output_bytes"]),
];

/// How long the one task of a kind took that was thought of first, in microseconds.
const PRIOR_US: u64 = 600_000_000;

/// Reads a trace.
///
/// # Errors
/// A column is missing or unknown, a cell cannot be what it stands for, rows of a job contradict
/// each other, a task waits for one that its job has not, or for itself.
pub fn read(source: &Source, estimates: Estimates) -> Result<Workload, Faults> {
    let mut table = Table::open(source, &COLUMNS)?;
    let mut jobs = Jobs::default();
    let has_jobs = table.header.has(JOB);
    let mut number = 0;
    table.each(|row| {
        number += 1;
        if number <= TASKS_MAX && !row.faults.is_full() {
            jobs.take(row, number, has_jobs);
        }
    });
    if number > TASKS_MAX {
        let message = format!("there are {number} rows, and there may be {TASKS_MAX}");
        table.faults.push(Fault::nowhere(code::TOO_LARGE, message));
    }
    let Table { header, mut faults, .. } = table;
    let (builder, places) = jobs.build(source, &mut faults);
    let mut builder = faults.unless(Some(builder))?;
    if !header.passed_over.is_empty() {
        let columns = header.passed_over.join(", ");
        builder.note(format!("these columns were passed over: {columns}"));
    }
    let at = |task: u32| places.get(task as usize).cloned().unwrap_or_default();
    let mut workload = builder.finish().map_err(|defect| defect.into_faults(source, at))?;
    estimates.apply(&mut workload, Basis::Before { prior_us: PRIOR_US }, true);
    Ok(workload)
}

/// A row, as far as it was read.
struct Read {
    /// Where it stands.
    at: Range<usize>,
    name: String,
    kind: String,
    duration_us: u64,
    estimate_us: Option<u64>,
    cpu_milli: u64,
    memory_bytes: u64,
    devices: (u32, u16),
    device_kinds: Vec<String>,
    members: u32,
    input_bytes: u64,
    output_bytes: u64,
    /// What it waits for, and where that stands.
    depends_on: Vec<(String, Range<usize>)>,
}

/// A job with its rows so far.
#[derive(Default)]
struct Rows {
    name: String,
    submit_us: u64,
    tenant: String,
    queue: String,
    priority: u8,
    tasks: Vec<Read>,
}

/// Jobs in the order of their first rows.
#[derive(Default)]
struct Jobs {
    list: Vec<Rows>,
    number_of: HashMap<String, usize>,
}

impl Jobs {
    fn take(&mut self, row: &mut Row<'_, '_>, number: usize, has_jobs: bool) {
        let seconds = |text: &str| units::micros(units::decimal(text)?);
        let submit_us = row.need(SUBMIT, seconds);
        let duration_us = row.need(DURATION, seconds);
        let estimate_us = row.read(ESTIMATE, seconds);
        let priority = row.read(PRIORITY, |text| units::whole(text, 100));
        let read = read_row(row, number, (duration_us.unwrap_or(0), estimate_us));
        let own = format!("{number}");
        let job = match row.text(JOB) {
            "" => &own,
            job => job,
        };
        let rows = Rows {
            name: job.to_owned(),
            submit_us: submit_us.unwrap_or(0),
            tenant: row.text(TENANT).to_owned(),
            queue: row.text(QUEUE).to_owned(),
            priority: priority.and_then(|it| u8::try_from(it).ok()).unwrap_or(50),
            tasks: Vec::new(),
        };
        let known = self.number_of.get(job).copied().filter(|_| has_jobs);
        let job = match known {
            Some(known) => {
                self.agree(known, &rows, row);
                known
            }
            None => {
                if has_jobs {
                    self.number_of.insert(job.to_owned(), self.list.len());
                }
                self.list.push(rows);
                self.list.len() - 1
            }
        };
        self.list[job].tasks.push(read);
    }

    /// A job comes once, and is of one tenant, queue and priority.
    fn agree(&self, job: usize, rows: &Rows, row: &mut Row<'_, '_>) {
        let first = &self.list[job];
        let differs = [
            (SUBMIT, first.submit_us != rows.submit_us),
            (TENANT, first.tenant != rows.tenant),
            (QUEUE, first.queue != rows.queue),
            (PRIORITY, first.priority != rows.priority),
        ];
        for (column, _) in differs.iter().filter(|(_, differs)| *differs) {
            let name = COLUMNS[*column].names[0];
            let message =
                format!("`{name}` is another in the first row of job `{}`", short(&first.name));
            row.wrong(*column, code::CONFLICT, message);
        }
    }

    /// Puts the jobs together, and says where each task stands; what depends on nothing that is
    /// there is told.
    fn build(&self, source: &Source, faults: &mut Faults) -> (Builder, Vec<Range<usize>>) {
        let mut places = Vec::new();
        let mut builder = Builder::new(source.stem());
        for job in &self.list {
            builder.job(&NewJob {
                name: &job.name,
                submit_us: job.submit_us,
                tenant: &job.tenant,
                queue: &job.queue,
                priority: job.priority,
            });
            let first = builder.next();
            let is_alone = job.tasks.len() == 1 && job.tasks[0].depends_on.is_empty();
            let mut number_of = HashMap::<&str, u32>::default();
            for task in &job.tasks {
                let number = builder.task(&task.as_new(&task.kinds()));
                places.push(task.at.clone());
                if is_alone {
                    continue;
                }
                if number_of.insert(&task.name, number).is_some() {
                    let (name, job) = (short(&task.name), short(&job.name));
                    let message = format!("job `{job}` has two tasks named `{name}`");
                    let at = task.at.clone();
                    faults.push(Fault::at(source, at, code::DUPLICATE, message));
                }
            }
            for (number, task) in (first..).zip(&job.tasks) {
                for (name, at) in &task.depends_on {
                    match number_of.get(&**name) {
                        Some(&on) => builder.depend(number, on),
                        None => {
                            let (name, job) = (short(name), short(&job.name));
                            let message = format!("job `{job}` has no task `{name}`");
                            let at = at.clone();
                            faults.push(Fault::at(source, at, code::NO_SUCH_TASK, message));
                        }
                    }
                }
            }
        }
        (builder, places)
    }
}

impl Read {
    fn kinds(&self) -> Vec<&str> {
        self.device_kinds.iter().map(String::as_str).collect()
    }

    fn as_new<'a>(&'a self, kinds: &'a [&'a str]) -> NewTask<'a> {
        NewTask {
            name: &self.name,
            kind: &self.kind,
            duration_us: self.duration_us,
            estimate_us: self.estimate_us,
            cpu_milli: self.cpu_milli,
            memory_bytes: self.memory_bytes,
            devices: self.devices,
            device_kinds: kinds,
            terms: None,
            members: self.members,
            input_bytes: self.input_bytes,
            output_bytes: self.output_bytes,
        }
    }
}

fn read_row(row: &mut Row<'_, '_>, number: usize, times: (u64, Option<u64>)) -> Read {
    let name = match row.text(NAME) {
        "" => number.to_string(),
        name => name.to_owned(),
    };
    let kind = match row.text(KIND) {
        "" => row.text(NAME).to_owned(),
        kind => kind.to_owned(),
    };
    let members = row.read(GANG, |text| match units::whole(text, DEVICES_MAX)? {
        0 => Err("a gang has at least one member".to_owned()),
        members => Ok(members),
    });
    let depends_on = match row.cell(DEPENDS_ON) {
        Some(cell) => {
            let names = cell.text.split(';').map(str::trim).filter(|name| !name.is_empty());
            names.map(|name| (name.to_owned(), cell.at.clone())).collect()
        }
        None => Vec::new(),
    };
    Read {
        at: row.at(NAME),
        name,
        kind,
        duration_us: times.0,
        estimate_us: times.1,
        cpu_milli: row.read(CPU, units::cpu_milli).unwrap_or(1_000),
        memory_bytes: row.read(MEMORY, units::bytes).unwrap_or(0),
        devices: row.read(GPUS, |text| units::devices(units::decimal(text)?)).unwrap_or((0, 1_000)),
        device_kinds: kinds(row.text(GPU_TYPE)),
        members: members.and_then(|it| u32::try_from(it).ok()).unwrap_or(1),
        input_bytes: row.read(INPUT, units::bytes).unwrap_or(0),
        output_bytes: row.read(OUTPUT, units::bytes).unwrap_or(0),
        depends_on,
    }
}

/// Kinds of devices with a `|` between.
pub(crate) fn kinds(text: &str) -> Vec<String> {
    text.split('|').map(str::trim).filter(|kind| !kind.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("jobs.csv", text.into()).unwrap()
    }

    fn told(text: &str) -> Vec<String> {
        let told = read(&source(text), Estimates::Recorded).unwrap_err().to_string();
        told.lines().filter(|line| line.starts_with("jobs.csv")).map(str::to_owned).collect()
    }

    #[test]
    fn rows_are_tasks_of_their_jobs() {
        let text = "\
submit,duration_s,job,name,depends_on,cpu,memory,gpus,gpu_type,gang,user,queue,priority,estimate,at
5,60,b,,,,,,,,,,,,x
1.5,10,a,fetch,,500m,1Gi,,,,ada,night,70,12,x
1.5,20,a,train,fetch,2,4Gi,0.5,A100|T4,,ada,night,70,,x
1.5,30,a,report,train; fetch,1,,8,,4,ada,night,70,,x
";
        let workload = read(&source(text), Estimates::Recorded).unwrap();
        assert_eq!((workload.jobs.len(), workload.edge_count()), (2, 3));
        let first = &workload.jobs[0];
        assert_eq!((workload.text(first.name), first.submit_us), ("a", 1_500_000));
        assert_eq!((workload.text(first.tenant), workload.text(first.queue)), ("ada", "night"));
        assert_eq!(first.priority, 70);
        let [fetch, train, report] = workload.tasks_of(first) else { panic!("three tasks") };
        assert_eq!((fetch.cpu_milli, fetch.memory_bytes), (500, 1 << 30));
        assert_eq!(fetch.estimate_us.map(u64::from), Some(12_000_000));
        assert_eq!((train.devices.count, train.devices.share_milli), (1, 500));
        let kinds: Vec<_> = workload.device_kinds(train.devices.kinds).collect();
        assert_eq!(kinds, ["A100", "T4"]);
        assert_eq!((report.devices.count, report.members), (8, 4));
        assert_eq!(workload.depends_on(first.tasks.start + 2).len(), 2);
        let alone = workload.tasks_of(&workload.jobs[1])[0];
        assert_eq!((workload.text(alone.name), alone.cpu_milli, alone.members), ("1", 1_000, 1));
        assert_eq!(workload.notes, ["these columns were passed over: at"]);
    }

    #[test]
    fn without_a_column_of_jobs_each_row_is_one() {
        let text = "duration,submit,kind\n10,0,k\n30,1,k\n20,2,k\n";
        let workload = read(&source(text), Estimates::Mean).unwrap();
        assert_eq!(workload.jobs.len(), 3);
        let estimates = workload.tasks().iter().map(|task| task.estimate_us.map(u64::from));
        let expected = [600_000_000, 305_000_000, 213_333_333].map(Some);
        assert_eq!(estimates.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_place() {
        let text = "\
submit,duration,job,name,depends_on,gpus,gang,cpu
0,NaN,a,x,,,,
0,,a,y,z,,,
1,-5,a,x,,1.5,0,m
";
        assert_eq!(
            told(text),
            [
                "jobs.csv:2:3: error[E0605]: NaN is not a number of seconds",
                "jobs.csv:3:3: error[E0603]: this row has nothing in a column that each row needs",
                "jobs.csv:4:3: error[E0605]: -5 seconds are less than none",
                "jobs.csv:4:15: error[E0605]: a gang has at least one member",
                "jobs.csv:4:17: error[E0605]: `m` is not a number of CPUs such as 4, 0.5 or 500m",
                "jobs.csv:4:11: error[E0605]: 1.5 devices are neither whole ones nor a part of one",
                "jobs.csv:4:1: error[E0611]: `submit_s` is another in the first row of job `a`",
                "jobs.csv:4:8: error[E0608]: job `a` has two tasks named `x`",
                "jobs.csv:3:8: error[E0606]: job `a` has no task `z`",
            ]
        );
    }

    #[test]
    fn circles_and_columns_are_told() {
        let text = "submit,duration,job,name,depends_on\n0,1,a,x,y\n0,1,a,y,x\n";
        assert_eq!(
            told(text),
            ["jobs.csv:2:7: error[E0607]: tasks wait for each other in a circle: x, y"]
        );
        let columns = told("submit,duration,estimat_s\n");
        assert_eq!(columns, ["jobs.csv:1:17: error[E0604]: there is no column `estimat_s`"]);
        assert_eq!(told("submit,duration\n"), ["jobs.csv: error[E0610]: there is no task in it"]);
        assert!(told("duration,x\n")[0].contains("there is no column `submit_s`"));
    }
}
