//! What a folder of recorded workloads comes to: counts of each file, and how long reading took.
//!
//! ```text
//! cargo bench -p workload --bench recorded -- DIR
//! ```
//!
//! It looks into the folder and those in it. A file that is no workload is passed over; one that
//! cannot be read is told, and makes the whole fail. Without a folder it measures a generated one
//! of a million tasks.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use workload::{
    Arrival, Cluster, Estimates, Faults, Format, Options, Source, Workload, alibaba_batch,
    alibaba_gpu, read,
};

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let good = match arguments.next() {
        Some(folder) => recorded(Path::new(&folder)),
        None => generated(),
    };
    std::process::exit(i32::from(!good));
}

/// All files below a folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn recorded(folder: &Path) -> bool {
    let mut good = true;
    println!(
        "{:42} {:13} {:>7} {:>9} {:>9} {:>6} {:>12} {:>9}  {:>8} {:>8}",
        "FILE", "FORMAT", "JOBS", "TASKS", "EDGES", "KINDS", "CPU s", "GPU h", "BYTES/T", "ms"
    );
    for path in files(folder) {
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        let begun = Instant::now();
        let source = match open(&name, &path) {
            Ok(source) => source,
            Err(_) => continue,
        };
        if name.contains("node_list") {
            let nodes = alibaba_gpu::nodes(&source);
            good &= nodes.is_ok();
            nodes.map_or_else(|faults| print!("{faults}"), |nodes| say_cluster(&name, &nodes));
            continue;
        }
        let Some(format) = Format::of(&source) else { continue };
        let read = match format {
            Format::AlibabaBatch => batch(&source, &path).map(|workload| (workload, None)),
            _ => read(&source, &Options::default()).map(|read| (read.workload, read.cluster)),
        };
        match read {
            Ok((workload, cluster)) => {
                say(&name, format.as_str(), &workload, begun.elapsed());
                if let Some(cluster) = cluster {
                    say_cluster("  its cluster", &cluster);
                }
            }
            Err(faults) => {
                good = false;
                print!("{faults}");
            }
        }
    }
    good
}

fn open(name: &str, path: &Path) -> Result<Source, Faults> {
    Source::new(name, std::fs::read(path).expect("it can be read"))
}

/// A batch trace, with the durations of its instances if they lie beside it.
fn batch(tasks: &Source, path: &Path) -> Result<Workload, Faults> {
    let beside = path.with_file_name("instance_durations.csv.gz");
    let durations = beside.exists().then(|| open("instance_durations.csv.gz", &beside));
    alibaba_batch::read(tasks, durations.transpose()?.as_ref(), Estimates::Recorded)
}

fn say(name: &str, format: &str, workload: &Workload, took: Duration) {
    let (mut cpu, mut gpu) = (0_f64, 0_f64);
    let mut kinds: Vec<_> = workload.tasks().iter().map(|task| task.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for task in workload.tasks() {
        let seconds = task.duration_us as f64 / 1e6 * f64::from(task.members);
        cpu += seconds * f64::from(task.cpu_milli) / 1e3;
        let devices = f64::from(task.devices.count) * f64::from(task.devices.share_milli) / 1e3;
        gpu += seconds * devices / 3_600.0;
    }
    let tasks = workload.tasks().len();
    println!(
        "{name:42} {format:13} {:>7} {tasks:>9} {:>9} {:>6} {cpu:>12.0} {gpu:>9.0}  {:>8.1} \
         {:>8.0}",
        workload.jobs.len(),
        workload.edge_count(),
        kinds.len(),
        workload.bytes() as f64 / tasks as f64,
        took.as_secs_f64() * 1e3,
    );
    if let Arrival::Closed { outstanding } = workload.arrival {
        println!("  closed: {outstanding} outstanding");
    }
    workload.notes.iter().for_each(|note| println!("  note: {note}"));
}

fn say_cluster(name: &str, cluster: &Cluster) {
    let each = |value: &dyn Fn(&workload::NodeKind) -> u64| {
        cluster.nodes.iter().map(|node| u64::from(node.count) * value(node)).sum::<u64>()
    };
    let gpus = each(&|node| node.gpus.iter().map(|gpu| u64::from(gpu.count)).sum());
    println!(
        "{name:42} {} nodes, {} cores, {} GiB, {gpus} GPUs",
        cluster.len(),
        each(&|node| node.cpu_milli) / 1_000,
        each(&|node| node.memory_bytes) >> 30,
    );
}

/// A million tasks as comma-separated values: jobs of a hundred, each in a row.
fn generated() -> bool {
    let mut text = String::from("submit,duration,job,name,kind,depends_on,cpu,memory,gpus\n");
    for task in 0..1_000_000_u32 {
        let (job, number) = (task / 100, task % 100);
        let on = if number > 0 { format!("t{}", number - 1) } else { String::new() };
        let kind = number % 7;
        text += &format!("{job},{}.5,j{job},t{number},k{kind},{on},2,4Gi,0.5\n", task % 900);
    }
    let begun = Instant::now();
    let source = Source::new("generated", text.into_bytes()).expect("text");
    let recorded = read(&source, &Options::default()).expect("it is in order");
    say("generated", "jobs", &recorded.workload, begun.elapsed());
    begun.elapsed() < Duration::from_secs(60)
}
