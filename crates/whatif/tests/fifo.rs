//! First come, first served has figures that can be had in other ways: of a queue before alike
//! servers, and of the planner without an engine.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use model::queue::QueueTree;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use scheduler::{ALL_ITEMS, Ask, Group, GroupKey, Lease, NodeSpec, Planner, Policy, Run};
use whatif::{Coming, Load, Setup, measure, play, prepare};
use workload::{Builder, Cluster, NewJob, NewTask, NodeKind, Task, Workload};

const NODES: u32 = 4;
const CORES: u64 = 8;

fn cluster() -> Cluster {
    let node = NodeKind {
        name: "n".into(),
        count: NODES,
        cpu_milli: CORES * 1_000,
        memory_bytes: 1,
        ..NodeKind::default()
    };
    Cluster { nodes: vec![node] }
}

/// Jobs of a task each, in a load that makes them wait; `cpus` gives how many each asks for.
fn workload(cpus: impl Fn(u64) -> u64, gap_us: u64) -> Workload {
    let mut random = 88_172_645_463_325_252_u64;
    let mut below = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) % bound
    };
    let (mut builder, mut at) = (Builder::new("w"), 0);
    for job in 0..3_000 {
        at += below(2 * gap_us);
        builder.job(&NewJob { submit_us: at, ..NewJob::default() });
        builder.task(&NewTask {
            duration_us: 1_000_000 + below(60_000_000),
            cpu_milli: cpus(job) * 1_000,
            ..NewTask::default()
        });
    }
    builder.finish().unwrap()
}

/// Mean wait and mean completion in seconds, by the engine.
fn simulated(workload: &Workload) -> (f64, f64) {
    let (cluster, coming) = (cluster(), Coming::Recorded);
    let load = Load { coming, noise: None, seed: 1 };
    let work = prepare(vec![workload.clone()], &[&cluster], load).unwrap();
    let policy = Policy::Fifo;
    let setup = Setup {
        work: &work,
        cluster: &cluster,
        policy,
        queues: &QueueTree::default(),
        failures: 0.0,
        seed: 1,
    };
    let figures = measure(&setup, &play(setup).unwrap()).figures;
    (figures.wait.mean_s, figures.completion.mean_s)
}

fn means(workload: &Workload, began: impl Iterator<Item = u64>) -> (f64, f64) {
    let count = workload.jobs.len() as f64;
    let (mut waits, mut completions) = (0.0, 0.0);
    for (job, began) in workload.jobs.iter().zip(began) {
        let wait = (began - job.submit_us) as f64 / 1e6;
        waits += wait / count;
        completions += (wait + workload.tasks_of(job)[0].duration_us as f64 / 1e6) / count;
    }
    (waits, completions)
}

fn is_near((a, b): (f64, f64), (c, d): (f64, f64)) -> bool {
    a > 1.0 && (a / c - 1.0).abs() < 0.01 && (b / d - 1.0).abs() < 0.01
}

#[test]
fn tasks_of_one_core_are_a_queue_before_alike_servers() {
    let workload = workload(|_| 1, 1_000_000);
    let mut free: BinaryHeap<Reverse<u64>> =
        (0..u64::from(NODES) * CORES).map(|_| Reverse(0)).collect();
    let began = workload.jobs.iter().map(|job| {
        let Reverse(at) = free.pop().unwrap();
        let began = at.max(job.submit_us);
        free.push(Reverse(began + workload.tasks_of(job)[0].duration_us));
        began
    });
    let expected = means(&workload, began);
    let found = simulated(&workload);
    assert!(is_near(found, expected), "{found:?} and not {expected:?}");
}

fn key(job: u64) -> GroupKey {
    GroupKey { run: job, task: 0, item: ALL_ITEMS }
}

fn ask(task: &Task) -> Ask {
    Ask { amounts: vec![u64::from(task.cpu_milli), 0], ..Ask::default() }
}

/// When each job begins if the planner alone decides.
fn planned(workload: &Workload) -> Vec<u64> {
    let mut planner = Planner::new(Policy::Fifo);
    let capacity = vec![CORES * 1_000, 1];
    for _ in 0..NODES {
        let capacity = capacity.clone();
        planner.add_node(NodeSpec { capacity, speed: 1_000, accepts: true, ..NodeSpec::default() });
    }
    let mut began = vec![0; workload.jobs.len()];
    // Ends, numbered from 0, before jobs that come at the same time.
    let mut events: BinaryHeap<Reverse<(u64, bool, u64)>> =
        (0..).zip(&workload.jobs).map(|(job, it)| Reverse((it.submit_us, true, job))).collect();
    while let Some(&Reverse((now, ..))) = events.peek() {
        while let Some(&Reverse((at, comes, job))) = events.peek()
            && at == now
        {
            events.pop();
            if !comes {
                planner.end(now, key(job));
                continue;
            }
            let task = &workload.tasks()[job as usize];
            let class = planner.class(ask(task));
            planner.set_run(job, Run { arrived_at: now, ..Run::default() });
            let (count, ready_at, expected) = (1, now, 1);
            let group = Group { class, count, ready_at, expected, ..Group::default() };
            planner.set_group(now, key(job), group);
        }
        for placed in planner.plan(now, u64::MAX).placements {
            let job = placed.group.run;
            let task = &workload.tasks()[job as usize];
            let (class, ends_at) = (planner.class(ask(task)), now + task.duration_us);
            began[job as usize] = now;
            let lease =
                Lease { class, taken: placed.taken, began_at: now, ends_at, ..Lease::default() };
            planner.begin(key(job), placed.node, lease);
            planner.forget_run(now, job);
            events.push(Reverse((ends_at, false, job)));
        }
    }
    began
}

#[test]
fn the_planner_alone_begins_as_a_queue_does() {
    let workload = workload(|_| 1, 1_000_000);
    let expected = means(&workload, planned(&workload).into_iter());
    let found = simulated(&workload);
    assert!(is_near(found, expected), "{found:?} and not {expected:?}");
}

#[test]
fn tasks_of_several_sizes_go_as_the_planner_alone_says() {
    let workload = workload(|job| 1 + job * 7 % 6, 4_000_000);
    let expected = means(&workload, planned(&workload).into_iter());
    let found = simulated(&workload);
    assert!(is_near(found, expected), "{found:?} and not {expected:?}");
}
