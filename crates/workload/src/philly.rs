//! The trace of Microsoft's Philly clusters, of GPU jobs, in the two forms in which it goes around:
//! `timestamp,duration,num_gpus,gpu_time,cluster`, and `submit_s,duration_s,gpus,vc,estimate_s`.
//!
//! Each row is a job of one task. A timestamp is a date and a time; the first is the beginning.
//! Nodes have 8 GPUs there, so a job of more is a gang of as few members as hold it, with as many
//! GPUs each; where they do not come out even, each has the one more, and that is noted. Cores and
//! memory are not recorded: none are asked for. The virtual cluster is the tenant.
//!
//! The kind of a job is its virtual cluster and its number of GPUs. A mean estimate is that of the
//! jobs of the kind that came before, and of one of an hour.

use crate::builder::{Builder, NewJob, NewTask};
use crate::code;
use crate::estimates::{Basis, Estimates};
use crate::fault::{Fault, Faults};
use crate::limits::DEVICES_MAX;
use crate::source::Source;
use crate::table::{Column, Table, needed, optional};
use crate::units;
use crate::workload::Workload;

const SUBMIT: usize = 0;
const DURATION: usize = 1;
const GPUS: usize = 2;
const CLUSTER: usize = 3;
const ESTIMATE: usize = 4;

pub(crate) const COLUMNS: [Column; 5] = [
    needed(&["submit_s", "timestamp"]),
    needed(&["duration_s", "duration"]),
    needed(&["gpus", "num_gpus"]),
    needed(&["vc", "cluster"]),
    optional(&["estimate_s"]),
];

/// GPUs of a node.
const NODE_GPUS: u64 = 8;
/// How long the one job of a kind took that was thought of first, in microseconds.
const PRIOR_US: u64 = 3_600_000_000;

/// Reads a trace.
///
/// # Errors
/// A column is missing, or a cell cannot be what it stands for.
pub fn read(source: &Source, estimates: Estimates) -> Result<Workload, Faults> {
    let mut table = Table::open(source, &COLUMNS)?;
    let said = table.header.has(ESTIMATE);
    let mut rows: Vec<(i128, u64, u64, Option<u64>, String)> = Vec::new();
    table.each(|row| {
        let seconds = |text: &str| units::micros(units::decimal(text)?);
        let submit = row.need(SUBMIT, submit_us);
        let duration_us = row.need(DURATION, seconds);
        let gpus = row.need(GPUS, |text| match units::whole(text, DEVICES_MAX)? {
            0 => Err("a job of this trace has at least one GPU".to_owned()),
            gpus => Ok(gpus),
        });
        let estimate_us = row.read(ESTIMATE, seconds);
        if row.text(CLUSTER).is_empty() {
            row.wrong(CLUSTER, code::MISSING, "this job is of no virtual cluster".to_owned());
        }
        if let (Some(submit), Some(duration_us), Some(gpus)) = (submit, duration_us, gpus) {
            rows.push((submit, duration_us, gpus, estimate_us, row.text(CLUSTER).to_owned()));
        }
    });
    // Dates are counted from the first; seconds are as they are.
    let is_dated = rows.iter().any(|row| row.0 >= DATED_US);
    if is_dated && rows.iter().any(|row| row.0 < DATED_US) {
        let message = "some jobs come at dates, and others after so many seconds";
        table.faults.push(Fault::nowhere(code::CONFLICT, message));
    }
    let rows = table.faults.unless(Some(rows))?;
    let begin = if is_dated { rows.iter().map(|row| row.0).min().unwrap_or(0) } else { 0 };
    let mut builder = Builder::new(source.stem());
    let mut uneven = 0;
    for (number, (submit, duration_us, gpus, estimate_us, tenant)) in (1..).zip(&rows) {
        let members = gpus.div_ceil(NODE_GPUS);
        uneven += u64::from(gpus % members != 0);
        let name = format!("{number}");
        let submit_us = u64::try_from(submit - begin).unwrap_or(0);
        builder.job(&NewJob { name: &name, submit_us, tenant, ..NewJob::default() });
        builder.task(&NewTask {
            name: &name,
            kind: &format!("{tenant} x{gpus}"),
            duration_us: *duration_us,
            estimate_us: *estimate_us,
            cpu_milli: 0,
            devices: (u32::try_from(gpus.div_ceil(members)).unwrap_or(u32::MAX), 1_000),
            members: u32::try_from(members).unwrap_or(u32::MAX),
            ..NewTask::default()
        });
    }
    if uneven > 0 {
        builder.note(format!("{uneven} gangs do not come out even, and have a few GPUs more"));
    }
    let mut workload = builder.finish().map_err(|defect| defect.into_faults(source, |_| 0..0))?;
    estimates.apply(&mut workload, Basis::Before { prior_us: PRIOR_US }, said);
    Ok(workload)
}

/// What is later than this stood there as a date: dates are counted from the year 0.
const DATED_US: i128 = 1_000 * 365 * 86_400 * 1_000_000;

/// When a job comes: seconds, or `2017-10-09 07:01:55`.
fn submit_us(text: &str) -> Result<i128, String> {
    if !text.contains(':') {
        return units::micros(units::decimal(text)?).map(i128::from);
    }
    let told = || format!("`{}` is not a time such as `2017-10-09 07:01:55`", units::short(text));
    let (date, time) = text.split_once([' ', 'T']).ok_or_else(told)?;
    let [year, month, day] = parts(date, '-').ok_or_else(told)?;
    let [hour, minute, second] = parts(time.trim_end_matches('Z'), ':').ok_or_else(told)?;
    let is_date = (1_001..=9_999).contains(&year) && (1..=12).contains(&month);
    if !is_date || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return Err(told());
    }
    // Days of the calendar, with the year beginning in March, so that the odd day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Ok(i128::from(seconds) * 1_000_000)
}

fn parts(text: &str, between: char) -> Option<[u64; 3]> {
    let mut parts = text.split(between).map(|part| {
        let is_number = part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u64>().ok().filter(|_| is_number)
    });
    let found = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("philly.csv", text.into()).unwrap()
    }

    #[test]
    fn more_than_a_node_holds_is_a_gang() {
        let text = "submit_s,duration_s,gpus,vc,estimate_s
6.0,2449.0,1,6214e9,3600.0
12.0,2517.0,16,6214e9,3024.5
14.0,1,12,a,
15.0,1,17,a,9
";
        let workload = read(&source(text), Estimates::Recorded).unwrap();
        let shown = workload.tasks().iter().map(|task| (task.members, task.devices.count));
        assert_eq!(shown.collect::<Vec<_>>(), [(1, 1), (2, 8), (2, 6), (3, 6)]);
        let job = &workload.jobs[1];
        assert_eq!((workload.text(job.tenant), job.submit_us), ("6214e9", 12_000_000));
        let task = workload.tasks_of(job)[0];
        assert_eq!((workload.text(task.kind), task.cpu_milli), ("6214e9 x16", 0));
        assert_eq!(task.estimate_us.map(u64::from), Some(3_024_500_000));
        assert_eq!(workload.notes.len(), 1);
    }

    #[test]
    fn dates_are_counted_from_the_first() {
        let text = "timestamp,duration,num_gpus,gpu_time,cluster
2017-03-01 00:00:05,66.0,1,66.0,11cb48
2017-02-28 23:59:55,30.0,1,30.0,11cb48
";
        let workload = read(&source(text), Estimates::Recorded).unwrap();
        let times: Vec<u64> = workload.jobs.iter().map(|job| job.submit_us).collect();
        assert_eq!(times, [0, 10_000_000]);
        let estimates = workload.jobs.iter().map(|job| workload.tasks_of(job)[0].estimate_us);
        let estimates: Vec<u64> = estimates.map(|it| it.unwrap().get()).collect();
        assert_eq!(estimates, [3_600_000_000, 1_815_000_000], "in the order of arrival");
        // Four hundred years are a whole number of days, weeks and leap years.
        let day = |text: &str| submit_us(text).unwrap() / 86_400_000_000;
        assert_eq!(day("2400-03-01 00:00:00") - day("2000-03-01 00:00:00"), 146_097);
        assert_eq!(day("2000-03-01 00:00:00") - day("2000-02-28 00:00:00"), 2);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let told = |row: &str| {
            let text = format!("submit_s,duration_s,gpus,vc\n{row}\n");
            let told = read(&source(&text), Estimates::Recorded).unwrap_err().to_string();
            told.lines().next().unwrap().trim_start_matches("philly.csv").to_owned()
        };
        assert_eq!(told("1,2,0,a"), ":2:5: error[E0605]: a job of this trace has at least one GPU");
        assert_eq!(told("1,2,1,"), ":2:7: error[E0603]: this job is of no virtual cluster");
        assert_eq!(told("-1,2,1,a"), ":2:1: error[E0605]: -1 seconds are less than none");
        let date = told("2017-13-01 00:00:00,1,1,a");
        assert!(date.starts_with(":2:1: error[E0605]: `2017-13-01 00:00:00` is not a time"));
        assert!(told("2017-1-1 0:0,1,1,a").contains("is not a time"));
        assert!(told("1,1,1,a\n2017-01-01 00:00:00,1,1,a").contains("some jobs come at dates"));
    }
}
