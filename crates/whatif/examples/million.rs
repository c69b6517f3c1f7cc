//! A million tasks on a hundred nodes, and how long it takes to simulate them.
//!
//! ```text
//! cargo run --release -p whatif --example million [TASKS [POLICY [NODES [LOAD]]]]
//! ```
//!
//! Nodes are half with GPUs and half without. At a load of 0 all jobs come at once.

use model::queue::QueueTree;
use std::time::Instant;

use whatif::{Coming, Load, Setup, measure, play, prepare};
use workload::{Builder, Cluster, Gpu, NewJob, NewTask, NodeKind, Workload};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let tasks = arguments.next().and_then(|it| it.parse().ok()).unwrap_or(1_000_000);
    let policy = arguments.next().unwrap_or_else(|| "autoglm".to_owned());
    let policy = whatif::policy(&policy).unwrap_or_else(|trouble| panic!("{trouble}"));
    let nodes = arguments.next().and_then(|it| it.parse().ok()).unwrap_or(100);
    let load = arguments.next().and_then(|it| it.parse().ok()).unwrap_or(0.8);
    let begin = Instant::now();
    let (workload, cluster) = (workload(tasks), cluster(nodes));
    let coming = if load > 0.0 { Coming::Poisson(load) } else { Coming::Recorded };
    let load = Load { coming, ..Load::default() };
    let work = prepare(vec![workload], &[&cluster], load).unwrap_or_else(|it| panic!("{it}"));
    let made = begin.elapsed();
    let setup = Setup {
        work: &work,
        cluster: &cluster,
        policy,
        queues: &QueueTree::default(),
        failures: 0.0,
        seed: 1,
    };
    let played = play(setup).unwrap_or_else(|stuck| panic!("{stuck:?}"));
    let took = begin.elapsed() - made;
    let seen = measure(&setup, &played);
    let measured = begin.elapsed() - made - took;
    println!("{} tasks on {} nodes", work.workload().tasks().len(), cluster.len());
    println!("made in {made:.1?}, simulated in {took:.1?}, measured in {measured:.1?}");
    println!("{:#?}", seen.figures);
}

/// Jobs of ten tasks: one, eight that wait for it, and one that waits for them.
fn workload(tasks: u32) -> Workload {
    let mut random = 88_172_645_463_325_252_u64;
    let mut below = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) % bound
    };
    let mut builder = Builder::new("a million");
    for _ in 0..tasks / 10 {
        builder.job(&NewJob { submit_us: 0, ..NewJob::default() });
        let first = builder.next();
        for at in 0..10 {
            let duration_us = 10_000_000 + below(110_000_000);
            let task = NewTask {
                kind: ["load", "work", "join"][if at == 0 { 0 } else { 1 + usize::from(at == 9) }],
                duration_us,
                estimate_us: Some(duration_us / 10_000_000 * 10_000_000),
                cpu_milli: 1_000 * (1 + below(4)),
                memory_bytes: (1 + below(4)) << 30,
                devices: (u32::from(at % 4 == 1), 500),
                ..NewTask::default()
            };
            let task = builder.task(&task);
            match at {
                0 => {}
                9 => (first + 1..task).for_each(|on| builder.depend(task, on)),
                _ => builder.depend(task, first),
            }
        }
    }
    builder.finish().expect("jobs without circles")
}

fn cluster(nodes: u32) -> Cluster {
    let gpu = Gpu { kind: "A100".to_owned(), count: 4, memory_bytes: 80 << 30 };
    let node = |name: &str, count, gpus| NodeKind {
        name: name.to_owned(),
        count,
        cpu_milli: 32_000,
        memory_bytes: 128 << 30,
        gpus,
        ..NodeKind::default()
    };
    Cluster {
        nodes: vec![node("gpu", nodes.div_ceil(2), vec![gpu]), node("cpu", nodes / 2, Vec::new())],
    }
}
