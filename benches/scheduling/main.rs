//! What the planner makes of recorded workloads, beside what the best known heuristics make of
//! them.
//!
//! ```text
//! cargo bench -p benches --bench scheduling -- DATA_FOLDER [ROW…]
//! ```
//!
//! The folder holds `wfinstances` (WfCommons), `scenarios` (streams of workflows, GPU pods, gangs)
//! and `alibaba-gpu-v2023` (pods and nodes). The planner is told what comes and ends, and nothing
//! else is between it and the figures: no engine, no log, no network. Nothing is timed but for the
//! last column and the rows of `cost`, and two runs give the same.
//!
//! Each row says what it is compared with and the limit that it chases. Times are in seconds.

mod cost;
mod fill;
mod replay;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use model::resources::Amounts;
use scheduler::Policy;
use whatif::bound::{least_makespan, work_and_path};
use workload::{Cluster, Estimates, NodeKind, Options, Source, Workload, read};

use replay::{Outcome, replay};

const MICROS: f64 = 1e6;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let Some(folder) = arguments.next().map(PathBuf::from) else {
        println!("no data folder is given; nothing is measured");
        return ExitCode::SUCCESS;
    };
    let rows: Vec<String> = arguments.collect();
    let wants = |row: &str| rows.is_empty() || rows.iter().any(|it| row.starts_with(it.as_str()));
    let mut table = Table::default();
    if wants("single") {
        single(&folder, &mut table);
    }
    for (name, of, limits) in SCENARIOS {
        if wants(name) {
            scenario(&folder, name, *of, limits, &mut table);
        }
    }
    for (variant, least) in [("default", 95.2), ("multigpu50", 97.1), ("gpuspec33", 93.5)] {
        if wants("fill") {
            table.fill(variant, fill::fill(&folder, variant), least);
        }
    }
    if wants("cost") {
        for (nodes, per_second) in [(1_000, 100_000.0), (10_000, 50_000.0)] {
            table.cost(nodes, &cost::cost(nodes), per_second);
        }
    }
    // Only when it is asked for: it holds nothing against a limit.
    if rows.iter().any(|row| row == "policies") {
        policies(&folder);
    }
    println!("{} of {} limits are kept", table.kept, table.kept + table.missed);
    ExitCode::SUCCESS
}

/// What a scenario is measured by.
#[derive(Clone, Copy)]
enum Measure {
    /// The mean time from a job's coming to its end, against first come first served; the longest
    /// wait of a task.
    Completion,
    /// The mean wait, in seconds; the longest.
    Wait,
    /// The mean wait against a number of seconds; the longest.
    WaitAgainst(f64),
    /// The part of all devices that is busy; the longest wait.
    Busy,
}

/// (scenario, measure, [(estimates, limit of the measure, limit of the longest wait)]).
type Row = (&'static str, Measure, &'static [(Estimates, f64, f64)]);

const SCENARIOS: &[Row] = &[
    ("stream-mixed-85", Measure::Completion, &[(Estimates::Recorded, 0.43, 884.0)]),
    ("stream-equal-95", Measure::Completion, &[(Estimates::Recorded, 0.52, 1_922.0)]),
    (
        "gpu-open-64",
        Measure::Wait,
        &[(Estimates::Exact, 110.0, 12_600.0), (Estimates::Recorded, 222.0, 12_600.0)],
    ),
    (
        "gpu-closed-64",
        Measure::Busy,
        &[(Estimates::Exact, 0.87, 400.0), (Estimates::Recorded, 0.84, 400.0)],
    ),
    // Strict first come first served has a mean of 6,307 s where nodes are packed best.
    ("philly-72", Measure::WaitAgainst(6_307.0), &[(Estimates::Recorded, 0.42, 83_900.0)]),
];

/// Replays every scenario by every policy, with the estimates that are recorded.
fn policies(folder: &Path) {
    for (name, ..) in SCENARIOS {
        let Some(path) = scenario_file(folder, name) else {
            println!("{name:18} is not there");
            continue;
        };
        let (workload, cluster) = open(&path, Estimates::Recorded);
        let cluster = cluster.unwrap_or_else(|| gpu_nodes(72));
        for (policy, called) in Policy::ALL {
            let Outcome { wait, longest, completion, busy, .. } =
                replay(policy, &workload, &cluster);
            println!(
                "{name:18} {called:14} wait {wait:8.0} s, longest {longest:8.0} s, completion \
                 {completion:8.0} s, busy {busy:.3}"
            );
        }
    }
}

/// The file of a scenario, if it is there.
fn scenario_file(folder: &Path, name: &str) -> Option<PathBuf> {
    let files = ["json.gz", "csv.gz"].map(|end| folder.join(format!("scenarios/{name}.{end}")));
    files.into_iter().find(|path| path.exists())
}

/// Replays a scenario in the order of arrival and by the planner's own policy.
fn scenario(
    folder: &Path,
    name: &str,
    measure: Measure,
    limits: &[(Estimates, f64, f64)],
    table: &mut Table,
) {
    let Some(path) = scenario_file(folder, name) else {
        return println!("{name:18} is not there");
    };
    for &(estimates, most, longest) in limits {
        let (workload, cluster) = open(&path, estimates);
        let cluster = cluster.unwrap_or_else(|| gpu_nodes(72));
        let first = replay(Policy::Fifo, &workload, &cluster);
        let begin = Instant::now();
        let ours = replay(Policy::Autoglm, &workload, &cluster);
        let took = begin.elapsed().as_secs_f64();
        let value = |outcome: &Outcome| match measure {
            Measure::Completion => outcome.completion,
            Measure::Wait | Measure::WaitAgainst(_) => outcome.wait,
            Measure::Busy => outcome.busy,
        };
        let (ours_is, what, is_kept) = match measure {
            Measure::Completion => {
                let ratio = value(&ours) / value(&first);
                (ratio, "completion / fifo", ratio <= most)
            }
            Measure::Wait => (ours.wait, "mean wait, s", ours.wait <= most),
            Measure::WaitAgainst(base) => {
                (ours.wait / base, "wait / strict fifo", ours.wait / base <= most)
            }
            Measure::Busy => (ours.busy, "devices busy", ours.busy >= most),
        };
        let row = format!("{name} {}", knowledge(estimates));
        table.line(&row, what, (ours_is, most, is_kept), took);
        table.line(&row, "longest wait, s", (ours.longest, longest, ours.longest <= longest), took);
    }
}

const fn knowledge(estimates: Estimates) -> &'static str {
    match estimates {
        Estimates::Exact => "exact",
        Estimates::Recorded | Estimates::Mean => "mean",
        Estimates::None => "none",
    }
}

/// Single workflows on as many cores as work by critical path, equal nodes and mixed ones.
fn single(folder: &Path, table: &mut Table) {
    let Ok(files) = fs::read_dir(folder.join("wfinstances")) else {
        return println!("wfinstances is not there");
    };
    let mut files: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "gz"));
    files.sort();
    let cases = [
        ("equal", Estimates::Exact, [1_000; 4], 1.037),
        ("equal", Estimates::Mean, [1_000; 4], 1.11),
        ("mixed", Estimates::Exact, [500, 1_000, 1_000, 2_000], 1.10),
        ("mixed", Estimates::Mean, [500, 1_000, 1_000, 2_000], 1.25),
    ];
    for (nodes, estimates, speeds, limit) in cases {
        let begin = Instant::now();
        let mut logs = 0.0;
        for file in &files {
            let (mut workload, _) = open(file, estimates);
            let cluster = cores(&mut workload, speeds);
            let took = replay(Policy::Autoglm, &workload, &cluster).makespan;
            logs += (took / least_makespan(&workload, &cluster, None)).ln() / files.len() as f64;
        }
        let row = format!("single {nodes} {}", knowledge(estimates));
        let mean = logs.exp();
        let took = begin.elapsed().as_secs_f64();
        table.line(&row, "makespan / bound", (mean, limit, mean <= limit), took);
    }
}

/// Nodes of four cores, as many as the work of a workflow can keep busy along its critical path,
/// two at least. Tasks there take a core each, and memory is no matter.
fn cores(workload: &mut Workload, speeds: [u32; 4]) -> Cluster {
    let (work, path) = work_and_path(workload);
    let count = ((work / path / 4.0).round() as usize).max(2);
    let node = |at: usize| NodeKind {
        name: format!("n{at}"),
        cpu_milli: 4_000,
        memory_bytes: u64::MAX >> 8,
        speed_milli: speeds[at % 4],
        ..NodeKind::default()
    };
    Cluster { nodes: (0..count).map(node).collect() }
}

fn gpu_nodes(count: u32) -> Cluster {
    let gpu = workload::Gpu { kind: "gpu".into(), count: 8, memory_bytes: 0 };
    let (cpu_milli, memory_bytes) = (1_000_000, u64::MAX >> 8);
    let name = "n".into();
    let gpus = vec![gpu];
    let node = NodeKind { name, count, cpu_milli, memory_bytes, gpus, ..NodeKind::default() };
    Cluster { nodes: vec![node] }
}

fn open(path: &Path, estimates: Estimates) -> (Workload, Option<Cluster>) {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let options = Options { estimates, outstanding: None };
    let source = Source::new(&name, bytes).unwrap_or_else(|faults| panic!("{faults}"));
    let recorded = read(&source, &options).unwrap_or_else(|faults| panic!("{faults}"));
    (recorded.workload, recorded.cluster)
}

/// What a task asks for of amounts.
fn amounts(cpu_milli: u64, memory_bytes: u64) -> Amounts {
    vec![cpu_milli, memory_bytes]
}

/// The lines that are printed, and how many limits are kept.
#[derive(Default)]
struct Table {
    kept: u32,
    missed: u32,
}

impl Table {
    fn line(&mut self, row: &str, what: &str, (is, limit, is_kept): (f64, f64, bool), took: f64) {
        *if is_kept { &mut self.kept } else { &mut self.missed } += 1;
        let told = if is_kept { "kept" } else { "MISSED" };
        println!("{row:26} {what:20} {is:10.3}  limit {limit:10.3}  {told:6}  {took:5.1} s");
    }

    fn cost(&mut self, nodes: u64, cost: &cost::Cost, per_second: f64) {
        let row = format!("cost {nodes} nodes");
        let speed = cost.placements_per_second;
        self.line(&row, "placements/s", (speed, per_second, speed >= per_second), 0.0);
        if nodes == 1_000 {
            self.line(&row, "first plan, ms", (cost.first_ms, 50.0, cost.first_ms <= 50.0), 0.0);
            self.line(&row, "next plan, ms", (cost.next_ms, 1.0, cost.next_ms <= 1.0), 0.0);
            self.line(&row, "explain, ms", (cost.told_ms, 10.0, cost.told_ms <= 10.0), 0.0);
        }
    }

    fn fill(&mut self, variant: &str, filled: Option<(f64, f64)>, least: f64) {
        match filled {
            Some((is, took)) => {
                let row = format!("fill {variant}");
                self.line(&row, "allocated, %", (is, least, is >= least), took);
            }
            None => println!("fill {variant:13} is not there"),
        }
    }
}
