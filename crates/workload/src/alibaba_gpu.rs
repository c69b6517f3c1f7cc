//! Alibaba's GPU trace of 2023, "openb": lists of pods, and lists of nodes.
//!
//! Each pod is a job of one task: `cpu_milli`, `memory_mib`, `num_gpu` and `gpu_milli`, the part of
//! each GPU that it asks for. `gpu_spec` names the models that will do, with a `|` between. It
//! comes at its `creation_time` and runs from `scheduled_time` to `deletion_time`. A pod that was
//! never scheduled has no duration and is left out; how many were is noted. `qos` is its queue.
//!
//! Some lists have no times: they are for filling a cluster. There the pods come a second apart and
//! stay for ten years, which is noted, too.
//!
//! The kind of a pod is its shape. A mean estimate is that of the pods of the shape that came
//! before, and of one of ten minutes.

use crate::builder::{Builder, NewJob, NewTask};
use crate::cluster::{Cluster, Gpu, NodeKind};
use crate::code;
use crate::estimates::{Basis, Estimates};
use crate::fault::{Fault, Faults};
use crate::jobs_csv::kinds;
use crate::limits::{BYTES_MAX, CORES_MAX, DEVICES_MAX, NODES_MAX, SECONDS_MAX};
use crate::source::Source;
use crate::table::{Column, Row, Table, needed, optional};
use crate::units;
use crate::workload::Workload;

const NAME: usize = 0;
const CPU: usize = 1;
const MEMORY: usize = 2;
const GPUS: usize = 3;
const PART: usize = 4;
const SPEC: usize = 5;
const QOS: usize = 6;
const CREATED: usize = 7;
const DELETED: usize = 8;
const SCHEDULED: usize = 9;

pub(crate) const PODS: [Column; 10] = [
    needed(&["name"]),
    needed(&["cpu_milli"]),
    needed(&["memory_mib"]),
    needed(&["num_gpu"]),
    needed(&["gpu_milli"]),
    optional(&["gpu_spec"]),
    optional(&["qos"]),
    optional(&["creation_time"]),
    optional(&["deletion_time"]),
    optional(&["scheduled_time"]),
];

const NODES: [Column; 5] = [
    needed(&["sn"]),
    needed(&["cpu_milli"]),
    needed(&["memory_mib"]),
    needed(&["gpu"]),
    needed(&["model"]),
];

/// How long a pod stays of which no times are recorded, in microseconds.
const FOR_EVER_US: u64 = 10 * 365 * 86_400 * 1_000_000;
/// How long the one pod of a kind took that was thought of first, in microseconds.
const PRIOR_US: u64 = 600_000_000;

/// Reads a list of pods.
///
/// # Errors
/// A column is missing, or a cell cannot be what it stands for.
pub fn read(source: &Source, estimates: Estimates) -> Result<Workload, Faults> {
    let mut table = Table::open(source, &PODS)?;
    let times = [CREATED, DELETED, SCHEDULED].map(|column| table.header.has(column));
    let is_timed = times.contains(&true);
    if is_timed && times.contains(&false) {
        let message = "of `creation_time`, `scheduled_time` and `deletion_time` one is missing";
        let fault = Fault::at(source, 0..1, code::MISSING, message);
        return Err(Faults::one(source.name(), fault));
    }
    let mut builder = Builder::new(source.stem());
    let mut waiting = 0;
    let mut number = 0;
    table.each(|row| {
        let times = match is_timed {
            true => times_of(row),
            false => Some((number * 1_000_000, FOR_EVER_US)),
        };
        number += 1;
        match times {
            Some((submit_us, duration_us)) => pod(row, &mut builder, (submit_us, duration_us)),
            None => waiting += 1,
        }
    });
    let mut builder = table.faults.unless(Some(builder))?;
    if waiting > 0 {
        builder.note(format!("{waiting} pods were never scheduled, and are left out"));
    }
    if !is_timed {
        builder.note("no times are recorded: pods come a second apart and stay for ten years");
    }
    let mut workload = builder.finish().map_err(|defect| defect.into_faults(source, |_| 0..0))?;
    estimates.apply(&mut workload, Basis::Before { prior_us: PRIOR_US }, false);
    Ok(workload)
}

/// When a pod comes and how long it runs; nothing if it was never scheduled.
fn times_of(row: &mut Row<'_, '_>) -> Option<(u64, u64)> {
    let seconds = |text: &str| units::micros(units::decimal(text)?);
    let created = row.need(CREATED, seconds);
    row.cell(SCHEDULED)?;
    let scheduled = row.read(SCHEDULED, seconds);
    let deleted = row.need(DELETED, seconds);
    let (created, scheduled, deleted) = (created?, scheduled?, deleted?);
    match deleted.checked_sub(scheduled) {
        Some(duration) => Some((created, duration)),
        None => {
            let message = "this pod was deleted before it was scheduled".to_owned();
            row.wrong(DELETED, code::CONFLICT, message);
            None
        }
    }
}

fn pod(row: &mut Row<'_, '_>, builder: &mut Builder, (submit_us, duration_us): (u64, u64)) {
    let cpu = row.need(CPU, |text| units::whole(text, CORES_MAX * 1_000));
    let memory = row.need(MEMORY, mebibytes);
    let count = row.need(GPUS, |text| units::whole(text, DEVICES_MAX));
    let part = row.need(PART, |text| units::whole(text, 1_000));
    let (Some(cpu_milli), Some(memory_bytes), Some(count), Some(part)) = (cpu, memory, count, part)
    else {
        return;
    };
    if count > 0 && part == 0 {
        row.wrong(PART, code::BAD_VALUE, "this pod asks for no part of its GPUs".to_owned());
    }
    let names = kinds(row.text(SPEC));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let name = row.text(NAME);
    let kind = format!(
        "{cpu_milli}m {}Mi {count}x{part} {}",
        memory_bytes >> 20,
        if names.is_empty() { "any" } else { row.text(SPEC) }
    );
    builder.job(&NewJob { name, submit_us, queue: row.text(QOS), ..NewJob::default() });
    builder.task(&NewTask {
        name,
        kind: &kind,
        duration_us,
        cpu_milli,
        memory_bytes,
        devices: (u32::try_from(count).unwrap_or(u32::MAX), u16::try_from(part).unwrap_or(1_000)),
        device_kinds: &names,
        ..NewTask::default()
    });
}

fn mebibytes(text: &str) -> Result<u64, String> {
    units::whole(text, BYTES_MAX >> 20).map(|mebibytes| mebibytes << 20)
}

/// Reads a list of nodes: `sn,cpu_milli,memory_mib,gpu,model`. Each is a kind of its own, so that
/// their order stays.
///
/// # Errors
/// A column is missing, or a cell cannot be what it stands for.
pub fn nodes(source: &Source) -> Result<Cluster, Faults> {
    let mut table = Table::open(source, &NODES)?;
    let mut nodes = Vec::new();
    table.each(|row| {
        let cpu = row.need(CPU, |text| units::whole(text, CORES_MAX * 1_000));
        let memory = row.need(MEMORY, mebibytes);
        let count = row.need(GPUS, |text| units::whole(text, DEVICES_MAX));
        let (Some(cpu_milli), Some(memory_bytes), Some(count)) = (cpu, memory, count) else {
            return;
        };
        let kind = match row.text(PART) {
            "" => "gpu",
            model => model,
        };
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let gpu = Gpu { kind: kind.to_owned(), count, memory_bytes: 0 };
        nodes.push(NodeKind {
            name: row.text(NAME).to_owned(),
            cpu_milli,
            memory_bytes,
            gpus: Some(gpu).filter(|gpu| gpu.count > 0).into_iter().collect(),
            ..NodeKind::default()
        });
    });
    if nodes.is_empty() && table.faults.count() == 0 {
        table.faults.push(Fault::nowhere(code::EMPTY, "there is no node in it"));
    }
    if nodes.len() as u64 > NODES_MAX {
        let message = format!("there are {} nodes, and there may be {NODES_MAX}", nodes.len());
        table.faults.push(Fault::nowhere(code::TOO_LARGE, message));
    }
    table.faults.unless(Some(Cluster { nodes }))
}

// The longest stay is within what is allowed.
const _: () = assert!(FOR_EVER_US <= SECONDS_MAX * 1_000_000);

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("pods.csv", text.into()).unwrap()
    }

    const HEADER: &str = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,\
        creation_time,deletion_time,scheduled_time";

    #[test]
    fn pods_are_jobs_of_one_task() {
        let text = format!(
            "{HEADER}\np0,12000,16384,1,460,,LS,Running,0,100,5\n\
             p1,6000,12288,8,1000,V100M16|V100M32,BE,Failed,7,60,50\np2,1,1,0,0,,LS,Pending,8,9,\n"
        );
        let workload = read(&source(&text), Estimates::Recorded).unwrap();
        assert_eq!((workload.jobs.len(), workload.notes.len()), (2, 1));
        let [a, b] = workload.tasks() else { panic!("two tasks") };
        assert_eq!((a.duration_us, a.cpu_milli, a.memory_bytes), (95_000_000, 12_000, 16 << 30));
        assert_eq!((a.devices.count, a.devices.share_milli), (1, 460));
        assert_eq!((b.devices.count, b.devices.share_milli), (8, 1_000));
        let kinds: Vec<_> = workload.device_kinds(b.devices.kinds).collect();
        assert_eq!(kinds, ["V100M16", "V100M32"]);
        let job = &workload.jobs[1];
        assert_eq!((workload.text(job.queue), job.submit_us), ("BE", 7_000_000));
        assert_eq!(workload.text(b.kind), "6000m 12288Mi 8x1000 V100M16|V100M32");
        assert_eq!(a.estimate_us.map(u64::from), Some(600_000_000));
    }

    #[test]
    fn a_list_without_times_fills_a_cluster() {
        let text = "name,cpu_milli,memory_mib,num_gpu,gpu_milli\na,1,1,1,1000\nb,1,1,0,0\n";
        let workload = read(&source(text), Estimates::None).unwrap();
        let times: Vec<u64> = workload.jobs.iter().map(|job| job.submit_us).collect();
        assert_eq!(times, [0, 1_000_000]);
        assert_eq!(workload.tasks()[0].duration_us, FOR_EVER_US);
        assert_eq!((workload.notes.len(), workload.tasks()[1].devices.count), (1, 0));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let told = |row: &str| {
            let text = format!("{HEADER}\n{row}\n");
            let told = read(&source(&text), Estimates::Recorded).unwrap_err().to_string();
            told.lines().next().unwrap().trim_start_matches("pods.csv").to_owned()
        };
        assert_eq!(
            told("a,1,1,1,0,,LS,Running,0,9,5"),
            ":2:9: error[E0605]: this pod asks for no part of its GPUs"
        );
        assert_eq!(told("a,1,1,1,1001,,,,0,9,5"), ":2:9: error[E0605]: 1001 is more than 1000");
        assert_eq!(
            told("a,1,1,1,1000,,,,0,4,5"),
            ":2:19: error[E0611]: this pod was deleted before it was scheduled"
        );
        assert_eq!(told("a,1,1,1,1000,,,,0,,5").matches("E0603").count(), 1);
        let text = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,creation_time\n";
        let told = read(&source(text), Estimates::Recorded).unwrap_err().to_string();
        assert!(told.contains("one is missing"), "{told}");
    }

    #[test]
    fn nodes_keep_their_order() {
        let text = "sn,cpu_milli,memory_mib,gpu,model\nn0,32000,262144,0,\nn1,96000,1024,8,G2\n";
        let cluster = nodes(&source(text)).unwrap();
        assert_eq!((cluster.len(), cluster.nodes[0].gpus.len()), (2, 0));
        let gpu = &cluster.nodes[1].gpus[0];
        assert_eq!(
            (gpu.kind.as_str(), gpu.count, cluster.nodes[1].memory_bytes),
            ("G2", 8, 1 << 30)
        );
        assert!(nodes(&source("sn,cpu_milli,memory_mib,gpu,model\n")).is_err());
        assert!(nodes(&source("sn,cpu_milli,memory_mib,gpu,model\na,x,1,1,\n")).is_err());
    }
}
