//! Alibaba's batch trace of 2018 in the form without a header: start, job, task, duration, cpu,
//! memory and instances; and beside it, if it is there, how long each instance took.
//!
//! A task of the trace is named by what it waits for: `M3_1_2` is number 3 of its job and waits for
//! 1 and 2; `task_...` waits for nothing. It has so many instances, each of which is a task here,
//! of the kind of that name. Where several wait for several, what each of them waits for is one
//! task more, which takes no time and asks for nothing: its edges grow with the sum of both and not
//! with their product. How many of these there are is noted.
//!
//! Times are seconds, 100 of `cpu` are a core, and 1 of `memory` is a hundredth of a machine, which
//! is not recorded: it is taken for 400 GiB, so that 1 is 4 GiB. The durations of instances are
//! run-length coded: `4x17 5` is 17 of 4 s and one of 5 s. Without them all take as long as the
//! task.
//!
//! A mean estimate is that of the instances of the task.

use std::ops::Range;

use model::collections::HashMap;

use crate::builder::{Builder, NewJob, NewTask};
use crate::code;
use crate::estimates::{Basis, Estimates};
use crate::fault::{Fault, Faults};
use crate::limits::{CORES_MAX, TASKS_MAX};
use crate::source::Source;
use crate::table::{Cell, Rows};
use crate::units::{self, short};
use crate::workload::Workload;

/// Bytes that 1 of memory stands for.
const MEMORY_UNIT: (u64, &str) = (4 << 30, "hundredths of a machine");
/// The kind of the tasks that stand between several and several.
const BARRIER: &str = "barrier";

/// How many instances take how long, in microseconds.
type Runs = Vec<(u64, u64)>;

/// A task of the trace.
struct Batch {
    /// Where its row begins.
    at: Range<usize>,
    name: String,
    cpu_milli: u64,
    memory_bytes: u64,
    runs: Runs,
    /// Its number in the job, if it has one.
    number: Option<u32>,
    waits_for: Vec<u32>,
}

struct Job {
    name: String,
    submit_us: u64,
    tasks: Vec<Batch>,
}

/// Reads the tasks of a trace, and the durations of their instances if they are given.
///
/// # Errors
/// A row has other cells than it should, a cell cannot be what it stands for, a task waits for one
/// that its job has not or for itself, or the durations are not those of the instances.
pub fn read(
    tasks: &Source,
    durations: Option<&Source>,
    estimates: Estimates,
) -> Result<Workload, Faults> {
    let durations = durations.map(read_durations).transpose()?;
    let mut reader = Reader { source: tasks, faults: Faults::of(tasks.name()), instances: 0 };
    let jobs = reader.jobs(durations.as_ref());
    let jobs = reader.faults.unless(Some(jobs))?;
    let mut faults = Faults::of(tasks.name());
    let mut builder = Builder::new(tasks.stem());
    let mut barriers = 0;
    for job in &jobs {
        barriers += build(job, &mut builder, (tasks, &mut faults));
    }
    let mut builder = faults.unless(Some(builder))?;
    if barriers > 0 {
        builder
            .note(format!("{barriers} tasks that take no time stand between several and several"));
    }
    builder.note("1 of memory is taken for 4 GiB: what a machine has is not recorded");
    let mut workload = builder.finish().map_err(|defect| defect.into_faults(tasks, |_| 0..0))?;
    estimates.apply(&mut workload, Basis::Job, false);
    Ok(workload)
}

/// The durations of instances, by job and task.
fn read_durations(source: &Source) -> Result<HashMap<(&str, &str), Runs>, Faults> {
    let mut faults = Faults::of(source.name());
    let mut found = HashMap::default();
    each_row(source, 3, &mut faults, |cells, faults| {
        let text = source.text();
        let [job, task] = [0, 1].map(|at| text.get(cells[at].at.clone()).unwrap_or_default());
        match runs(&cells[2].text) {
            Ok(runs) => {
                if found.insert((job, task), runs).is_some() {
                    let message = format!("task `{}` stands twice", short(task));
                    let at = cells[1].at.clone();
                    faults.push(Fault::at(source, at, code::DUPLICATE, message));
                }
            }
            Err(message) => {
                faults.push(Fault::at(source, cells[2].at.clone(), code::BAD_VALUE, message));
            }
        }
    });
    faults.unless(Some(found))
}

/// Reads `4x17 5`.
fn runs(text: &str) -> Result<Runs, String> {
    text.split_whitespace()
        .map(|run| {
            let (seconds, count) = run.split_once('x').unwrap_or((run, "1"));
            let us = units::micros(units::decimal(seconds)?)?;
            match units::whole(count, TASKS_MAX as u64)? {
                0 => Err(format!("`{}` is the duration of no instance", short(run))),
                count => Ok((us, count)),
            }
        })
        .collect()
}

/// Goes through the rows of a file without a header.
fn each_row<'s>(
    source: &'s Source,
    width: usize,
    faults: &mut Faults,
    mut take: impl FnMut(&[Cell<'s>], &mut Faults),
) {
    let mut rows = Rows::new(source.text());
    let mut cells = Vec::new();
    loop {
        match rows.next(&mut cells) {
            Ok(false) => return,
            Ok(true) if cells.len() == width => take(&cells, faults),
            Ok(true) => {
                let message = format!("this row has {} cells, and not {width}", cells.len());
                let at = cells.first().map_or(0..0, |first| first.at.clone());
                faults.push(Fault::at(source, at, code::SYNTAX, message));
            }
            Err(at) => {
                faults.push(Fault::at(source, at, code::SYNTAX, "this quote is not closed"));
                return;
            }
        }
    }
}

struct Reader<'s> {
    source: &'s Source,
    faults: Faults,
    /// How many there are so far.
    instances: u64,
}

impl<'s> Reader<'s> {
    fn jobs(&mut self, durations: Option<&HashMap<(&str, &str), Runs>>) -> Vec<Job> {
        let (mut jobs, mut number_of) = (Vec::<Job>::new(), HashMap::<&str, usize>::default());
        let mut faults = std::mem::take(&mut self.faults);
        let source = self.source;
        each_row(source, 7, &mut faults, |cells, faults| {
            let name = source.text().get(cells[1].at.clone()).unwrap_or_default();
            let Some((submit_us, batch)) = self.row(cells, durations, faults) else { return };
            let job = *number_of.entry(name).or_insert_with(|| {
                jobs.push(Job { name: name.to_owned(), submit_us, tasks: Vec::new() });
                jobs.len() - 1
            });
            let job = &mut jobs[job];
            job.submit_us = job.submit_us.min(submit_us);
            job.tasks.push(batch);
        });
        self.faults = faults;
        jobs
    }

    fn row(
        &mut self,
        cells: &[Cell<'s>],
        durations: Option<&HashMap<(&str, &str), Runs>>,
        faults: &mut Faults,
    ) -> Option<(u64, Batch)> {
        let source = self.source;
        let mut read = |at: usize, read: &dyn Fn(&str) -> Result<u64, String>| {
            let Cell { text, at } = &cells[at];
            let told = |message| Fault::at(source, at.clone(), code::BAD_VALUE, message);
            read(text).map_err(|message| faults.push(told(message))).ok()
        };
        let seconds = |text: &str| units::micros(units::decimal(text)?);
        let submit_us = read(0, &seconds);
        let duration_us = read(3, &seconds);
        let cpu_milli = read(4, &|text| {
            let cpu = units::cores(units::decimal(text)? / 100.0)?;
            Ok(cpu.min(CORES_MAX * 1_000))
        });
        let memory_bytes =
            read(5, &|text| units::units_of_bytes(units::decimal(text)?, MEMORY_UNIT));
        let instances = read(6, &|text| match units::whole(text, TASKS_MAX as u64)? {
            0 => Err("a task has at least one instance".to_owned()),
            instances => Ok(instances),
        });
        let (submit_us, duration_us, instances) = (submit_us?, duration_us?, instances?);
        self.instances += instances;
        if self.instances > TASKS_MAX as u64 {
            // Told once, and before there is room for them.
            if self.instances - instances <= TASKS_MAX as u64 {
                let message = format!("there are more than {TASKS_MAX} instances");
                let fault = Fault::at(source, cells[6].at.clone(), code::TOO_LARGE, message);
                faults.push(fault.hint("take a part of the jobs"));
            }
            return None;
        }
        let key = [1, 2].map(|at| source.text().get(cells[at].at.clone()).unwrap_or_default());
        let runs = match durations {
            None => vec![(duration_us, instances)],
            Some(durations) => match durations.get(&(key[0], key[1])) {
                Some(runs) if runs.iter().map(|run| run.1).sum::<u64>() == instances => {
                    runs.clone()
                }
                found => {
                    let count = found.map_or(0, |runs| runs.iter().map(|run| run.1).sum());
                    let message = format!("there are {instances} instances, and {count} durations");
                    let at = cells[6].at.clone();
                    faults.push(Fault::at(source, at, code::CONFLICT, message));
                    return None;
                }
            },
        };
        let (number, waits_for) = numbers(key[1]);
        let batch = Batch {
            at: cells[2].at.clone(),
            name: key[1].to_owned(),
            cpu_milli: cpu_milli?,
            memory_bytes: memory_bytes?,
            runs,
            number,
            waits_for,
        };
        Some((submit_us, batch))
    }
}

/// The number of a task and those that it waits for: 3, and 1 and 2, of `M3_1_2` and `M3_1_2_Stg7`.
fn numbers(name: &str) -> (Option<u32>, Vec<u32>) {
    let mut parts = name.trim_start_matches(|sign: char| sign.is_ascii_alphabetic()).split('_');
    let number = parts.next().and_then(|number| number.parse().ok());
    match number {
        Some(number) => (Some(number), parts.map_while(|part| part.parse().ok()).collect()),
        None => (None, Vec::new()),
    }
}

/// Adds a job, and says how many tasks stand between others.
fn build(job: &Job, builder: &mut Builder, told: (&Source, &mut Faults)) -> u64 {
    let (source, faults) = told;
    builder.job(&NewJob { name: &job.name, submit_us: job.submit_us, ..NewJob::default() });
    let mut of_number = HashMap::<u32, usize>::default();
    let mut instances: Vec<Range<u32>> = Vec::with_capacity(job.tasks.len());
    for (at, batch) in job.tasks.iter().enumerate() {
        if let Some(number) = batch.number
            && of_number.insert(number, at).is_some()
        {
            let message = format!("job `{}` has two tasks of number {number}", short(&job.name));
            faults.push(Fault::at(source, batch.at.clone(), code::DUPLICATE, message));
        }
        let first = builder.next();
        let count: u64 = batch.runs.iter().map(|run| run.1).sum();
        let each = batch.runs.iter().flat_map(|&(us, count)| (0..count).map(move |_| us));
        for (number, duration_us) in each.enumerate() {
            let name = match count {
                1 => batch.name.clone(),
                _ => format!("{}[{number}]", batch.name),
            };
            builder.task(&NewTask {
                name: &name,
                kind: &batch.name,
                duration_us,
                cpu_milli: batch.cpu_milli,
                memory_bytes: batch.memory_bytes,
                ..NewTask::default()
            });
        }
        instances.push(first..builder.next());
    }
    let mut barriers = HashMap::<usize, u32>::default();
    for (at, batch) in job.tasks.iter().enumerate() {
        for number in &batch.waits_for {
            let Some(&on) = of_number.get(number) else {
                let message = format!("job `{}` has no task of number {number}", short(&job.name));
                faults.push(Fault::at(source, batch.at.clone(), code::NO_SUCH_TASK, message));
                continue;
            };
            if on == at {
                let message = format!("task `{}` waits for itself", short(&batch.name));
                faults.push(Fault::at(source, batch.at.clone(), code::CYCLE, message));
                continue;
            }
            let (from, to) = (instances[on].clone(), instances[at].clone());
            let before = match from.len() > 1 && to.len() > 1 {
                false => from,
                true => {
                    let barrier = *barriers.entry(on).or_insert_with(|| {
                        let name = format!("{}.end", job.tasks[on].name);
                        let barrier = builder.task(&NewTask {
                            name: &name,
                            kind: BARRIER,
                            cpu_milli: 0,
                            ..NewTask::default()
                        });
                        from.for_each(|task| builder.depend(barrier, task));
                        barrier
                    });
                    barrier..barrier + 1
                }
            };
            to.for_each(|task| before.clone().for_each(|on| builder.depend(task, on)));
        }
    }
    barriers.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, text: &str) -> Source {
        Source::new(name, text.into()).unwrap()
    }

    const TASKS: &str = "\
7,j_1,R2_1,9,50.0,0.25,3
5,j_1,M1,4,100.0,0.5,2
5,j_1,J3_1_2_Stg7,1,50.0,0.5,1
0,j_2,task_LTYx=,2,10.0,0.5,1
";

    #[test]
    fn instances_are_tasks_and_wait_for_all_of_the_others() {
        let durations = "j_1,M1,4 6\nj_1,R2_1,8x2 11\nj_1,J3_1_2_Stg7,1\nj_2,task_LTYx=,2\n";
        let (tasks, durations) = (source("t.csv", TASKS), source("d.csv", durations));
        let workload = read(&tasks, Some(&durations), Estimates::Recorded).unwrap();
        assert_eq!((workload.jobs.len(), workload.notes.len()), (2, 2));
        let job = &workload.jobs[1];
        assert_eq!((workload.text(job.name), job.submit_us), ("j_1", 5_000_000));
        let of = |task: u32| {
            let shown = workload.tasks()[task as usize];
            let on = workload.depends_on(task).iter();
            let on: Vec<&str> =
                on.map(|&on| workload.text(workload.tasks()[on as usize].name)).collect();
            (workload.text(shown.name), shown.duration_us / 1_000_000, on.join(" "))
        };
        let shown: Vec<_> = job.tasks.clone().map(of).collect();
        let expected = [
            ("R2_1[0]", 8, "M1.end"),
            ("R2_1[1]", 8, "M1.end"),
            ("R2_1[2]", 11, "M1.end"),
            ("M1[0]", 4, ""),
            ("M1[1]", 6, ""),
            ("J3_1_2_Stg7", 1, "R2_1[0] R2_1[1] R2_1[2] M1[0] M1[1]"),
            ("M1.end", 0, "M1[0] M1[1]"),
        ];
        assert_eq!(shown, expected.map(|(name, s, on)| (name, s, on.to_owned())));
        let first = workload.tasks_of(job)[0];
        assert_eq!((first.cpu_milli, first.memory_bytes), (500, 1 << 30));
        assert_eq!(first.estimate_us.map(u64::from), Some(9_000_000));
    }

    #[test]
    fn without_durations_all_take_as_long_as_the_task() {
        let workload = read(&source("t.csv", TASKS), None, Estimates::Exact).unwrap();
        let times: Vec<u64> = workload.tasks().iter().map(|task| task.duration_us).collect();
        assert_eq!(times.iter().filter(|&&us| us == 9_000_000).count(), 3);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let told = |text: &str| {
            let told = read(&source("t.csv", text), None, Estimates::Recorded).unwrap_err();
            told.to_string().lines().next().unwrap_or_default().to_owned()
        };
        assert_eq!(
            told("0,j,M1,1,50,0.1"),
            "t.csv:1:1: error[E0601]: this row has 6 cells, and not 7"
        );
        assert_eq!(
            told("0,j,M1,NaN,50,0.1,1"),
            "t.csv:1:8: error[E0605]: NaN is not a number of seconds"
        );
        assert_eq!(
            told("0,j,M1,1,50,0.1,0"),
            "t.csv:1:17: error[E0605]: a task has at least one instance"
        );
        assert_eq!(
            told("0,j,M2_1,1,50,0.1,1"),
            "t.csv:1:5: error[E0606]: job `j` has no task of number 1"
        );
        assert_eq!(
            told("0,j,M2_2,1,50,0.1,1"),
            "t.csv:1:5: error[E0607]: task `M2_2` waits for itself"
        );
        let circle = "0,j,M1_2,1,50,0.1,2\n0,j,M2_1,1,50,0.1,2\n";
        assert!(told(circle).contains("in a circle"), "{}", told(circle));
        assert!(told("0,j,M1,1,50,0.1,1\n0,j,R1,1,50,0.1,1\n").contains("two tasks of number 1"));
        assert!(told("0,j,M1,1,50,0.1,4000000\n0,j,M2,1,50,0.1,4000000\n").contains("4000000"));
        assert!(told("").contains("there is no task"));
        let few = source("d.csv", "j_1,M1,4\n");
        let told = read(&source("t.csv", TASKS), Some(&few), Estimates::None).unwrap_err();
        assert!(told.to_string().contains("there are 2 instances, and 1 durations"), "{told}");
        let bad = source("d.csv", "j_1,M1,4x\nj_1,M1,0x0\n");
        let told = read(&source("t.csv", TASKS), Some(&bad), Estimates::None).unwrap_err();
        assert_eq!((told.file.as_str(), told.count()), ("d.csv", 2));
    }

    #[test]
    fn names_say_what_a_task_waits_for() {
        assert_eq!(numbers("J25_16_18_24"), (Some(25), vec![16, 18, 24]));
        assert_eq!(numbers("M1"), (Some(1), vec![]));
        assert_eq!(numbers("R3_2_Stg5_9"), (Some(3), vec![2]));
        assert_eq!(numbers("task_12=="), (None, vec![]));
        assert_eq!(numbers("MergeTask"), (None, vec![]));
    }
}
