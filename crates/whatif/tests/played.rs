//! Tiny workloads whose right figures can be worked out by hand.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use model::Constraints;
use model::queue::QueueTree;
use model::site::Selector;
use whatif::{
    Cluster, Coming, End, Load, Played, Policy, Seen, Setup, Work, Workload, measure, play, prepare,
};
use workload::{Builder, Gpu, NewJob, NewTask, NodeKind, Terms};

const SECOND: u64 = 1_000_000;

fn nodes(kinds: &[(&str, u32, u64, u32)]) -> Cluster {
    let node = |&(name, count, cpu, speed_milli): &(&str, u32, u64, u32)| NodeKind {
        name: name.to_owned(),
        count,
        cpu_milli: cpu * 1_000,
        memory_bytes: 64 << 30,
        speed_milli,
        ..NodeKind::default()
    };
    Cluster { nodes: kinds.iter().map(node).collect() }
}

/// Jobs of one task each: when they come and how long they take, in seconds.
fn singles(jobs: &[(u64, u64)]) -> Workload {
    let mut builder = Builder::new("w");
    for &(at, took) in jobs {
        builder.job(&NewJob { submit_us: at * SECOND, ..NewJob::default() });
        builder.task(&NewTask { duration_us: took * SECOND, ..NewTask::default() });
    }
    builder.finish().unwrap()
}

fn work(workload: Workload, cluster: &Cluster, coming: Coming) -> Work {
    prepare(vec![workload], &[cluster], Load { coming, noise: None, seed: 1 }).unwrap()
}

fn see(work: &Work, cluster: &Cluster, failures: f64) -> (Played, Seen) {
    let setup = Setup {
        work,
        cluster,
        policy: Policy::Fifo,
        queues: &QueueTree::default(),
        failures,
        seed: 7,
    };
    let played = play(setup).unwrap();
    let seen = measure(&setup, &played);
    (played, seen)
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-3
}

#[test]
fn two_tasks_on_one_core_go_one_after_the_other() {
    let cluster = nodes(&[("n", 1, 1, 1_000)]);
    let work = work(singles(&[(0, 10), (0, 10)]), &cluster, Coming::Recorded);
    let (_, seen) = see(&work, &cluster, 0.0);
    let figures = &seen.figures;
    assert!(close(figures.wait.mean_s, 5.0) && close(figures.wait.max_s, 10.0), "{figures:?}");
    assert!(close(seen.waits[0], 0.0) && close(seen.waits[100], 10.0));
    assert!(close(figures.completion.mean_s, 15.0) && close(figures.makespan_s, 20.0));
    assert!(close(figures.makespan_by_bound, 1.0), "20 s of work on one core");
    assert!(close(figures.busy[0].part, 1.0), "all come at once: the whole of it counts");
    // Slowdowns are 1 and 2: (1 + 2)² / (2 · (1 + 4)).
    assert!(close(figures.fairness, 0.9), "{}", figures.fairness);
    assert!(figures.missed.iter().all(|missed| missed.part == 0.0));
}

#[test]
fn a_diamond_takes_its_longest_way_and_a_fast_node_half_as_long() {
    let mut builder = Builder::new("diamond");
    let took = [10, 20, 40, 10];
    let tasks = took
        .map(|took| builder.task(&NewTask { duration_us: took * SECOND, ..NewTask::default() }));
    for (task, on) in [(1, 0), (2, 0), (3, 1), (3, 2)] {
        builder.depend(tasks[task], tasks[on]);
    }
    let workload = builder.finish().unwrap();
    for (speed, makespan) in [(1_000, 60.0), (2_000, 30.0)] {
        let cluster = nodes(&[("n", 1, 4, speed)]);
        let work = work(workload.clone(), &cluster, Coming::Recorded);
        let (played, seen) = see(&work, &cluster, 0.0);
        let figures = &seen.figures;
        assert!(close(figures.makespan_s, makespan) && close(figures.makespan_by_bound, 1.0));
        assert!(close(figures.wait.max_s, 0.0), "there is room for both branches");
        let scale = if speed == 1_000 { 1 } else { 2 };
        let ready: Vec<u64> = played.ready_us.iter().map(|us| us * scale / SECOND).collect();
        assert_eq!(ready, [0, 10, 10, 50]);
    }
}

#[test]
fn a_closed_loop_keeps_as_many_jobs_as_it_says() {
    let cluster = nodes(&[("n", 1, 8, 1_000)]);
    let work = work(singles(&[(0, 10); 6]), &cluster, Coming::Closed(2));
    let (played, seen) = see(&work, &cluster, 0.0);
    let came: Vec<u64> = played.came_us.iter().map(|us| us / SECOND).collect();
    assert_eq!(came, [0, 0, 10, 10, 20, 20], "two at a time, though eight would fit");
    assert!(close(seen.figures.makespan_s, 30.0));
}

#[test]
fn arrivals_at_random_ask_for_the_load() {
    let cluster = nodes(&[("n", 4, 4, 1_000)]);
    let jobs: Vec<(u64, u64)> = (0..2_000).map(|at| (at, 30)).collect();
    let work = work(singles(&jobs), &cluster, Coming::Poisson(0.7));
    assert!((work.load.unwrap() - 0.7).abs() < 0.05, "{:?}", work.load);
    let (_, seen) = see(&work, &cluster, 0.0);
    assert!((seen.figures.busy[0].part - 0.7).abs() < 0.05, "{:?}", seen.figures.busy);
}

#[test]
fn what_fails_is_tried_again_until_it_succeeds() {
    let cluster = nodes(&[("n", 2, 8, 1_000)]);
    let work = work(singles(&[(0, 10); 400]), &cluster, Coming::Recorded);
    let (played, seen) = see(&work, &cluster, 0.25);
    let figures = &seen.figures;
    // Of n attempts a quarter fails, so that there are 400 / 0.75 of them in the mean.
    assert!((90..180).contains(&figures.attempts_failed), "{}", figures.attempts_failed);
    let succeeded = played.attempts.iter().filter(|attempt| attempt.end == End::Succeeded).count();
    assert_eq!(succeeded, 400);
    let lost_each = figures.lost_s / figures.attempts_failed as f64;
    assert!((lost_each - 5.0).abs() < 0.8, "they fail half way in the mean: {lost_each}");
    assert_eq!(see(&work, &cluster, 0.0).1.figures.attempts_failed, 0);
}

#[test]
fn tasks_go_only_to_nodes_that_have_what_they_select_and_that_they_tolerate() {
    let mut cluster = nodes(&[("a", 2, 4, 1_000), ("b", 2, 4, 1_000), ("c", 1, 4, 1_000)]);
    cluster.nodes[1].labels.insert("disk".to_owned(), "ssd".to_owned());
    cluster.nodes[2].taints.insert("reserved".to_owned());
    let asking = |constraints: Constraints| Terms { constraints, ..Terms::default() };
    let select = |key: &str, value: &str| {
        let select = [Selector { key: key.into(), values: [value.into()].into() }].into();
        asking(Constraints { select, ..Constraints::default() })
    };
    let kinds = [
        (None, &[0, 1, 2, 3][..]),
        (Some(select("disk", "ssd")), &[2, 3]),
        (Some(select("hostname", "a-2")), &[1]),
        (
            Some(asking(Constraints {
                tolerate: ["reserved".into()].into(),
                ..Constraints::default()
            })),
            &[0, 1, 2, 3, 4],
        ),
    ];
    let mut builder = Builder::new("w");
    for at in 0..80 {
        builder.job(&NewJob { submit_us: at * SECOND, ..NewJob::default() });
        builder.task(&NewTask {
            duration_us: (5 + at * 7 % 60) * SECOND,
            terms: kinds[at as usize % 4].0.as_ref(),
            ..NewTask::default()
        });
    }
    // No node has it, so it is left out.
    builder.job(&NewJob::default());
    let nvme = select("disk", "nvme");
    builder.task(&NewTask { terms: Some(&nvme), ..NewTask::default() });
    let work = work(builder.finish().unwrap(), &cluster, Coming::Recorded);
    assert_eq!(work.workload().jobs.len(), 80, "{:?}", work.notes);
    for policy in [Policy::Fifo, Policy::Autoglm] {
        let setup = Setup {
            work: &work,
            cluster: &cluster,
            policy,
            queues: &QueueTree::default(),
            failures: 0.0,
            seed: 7,
        };
        let played = play(setup).unwrap();
        let mut used = [0; 5];
        for attempt in &played.attempts {
            let may = kinds[attempt.task as usize % 4].1;
            assert!(may.contains(&attempt.node), "task {} on {}", attempt.task, attempt.node);
            used[attempt.node as usize] += 1;
        }
        assert!(used.iter().all(|&used| used > 0), "{used:?}");
    }
}

#[test]
fn nothing_runs_where_there_is_no_room_for_it() {
    let cluster = nodes(&[("a", 3, 4, 1_000), ("b", 2, 2, 500)]);
    let mut builder = Builder::new("w");
    for at in 0..300 {
        builder.job(&NewJob { submit_us: at * SECOND, ..NewJob::default() });
        builder.task(&NewTask {
            duration_us: (5 + at * 7 % 60) * SECOND,
            cpu_milli: 500 * (1 + at % 8),
            memory_bytes: (at % 5) << 30,
            ..NewTask::default()
        });
    }
    let work = work(builder.finish().unwrap(), &cluster, Coming::Recorded);
    let (played, _) = see(&work, &cluster, 0.1);
    let mut events: Vec<(u64, bool, u32, u64)> = Vec::new();
    for attempt in &played.attempts {
        let asked = u64::from(work.workload().tasks()[attempt.task as usize].cpu_milli);
        events.push((attempt.began_us, true, attempt.node, asked));
        events.push((attempt.ended_us, false, attempt.node, asked));
        assert!(attempt.began_us >= played.ready_us[attempt.task as usize]);
    }
    events.sort_unstable();
    let mut busy = [0_u64; 5];
    for (_, begins, node, asked) in events {
        let node = node as usize;
        busy[node] = if begins { busy[node] + asked } else { busy[node] - asked };
        assert!(busy[node] <= if node < 3 { 4_000 } else { 2_000 });
    }
}

#[test]
fn the_same_seed_gives_the_same_and_another_does_not() {
    let cluster = nodes(&[("n", 3, 4, 1_000)]);
    let jobs: Vec<(u64, u64)> = (0..200).map(|at| (at / 3, 5 + at * 11 % 40)).collect();
    let seen = |seed| {
        let load = Load { coming: Coming::Poisson(0.9), noise: Some(1.0), seed };
        let work = prepare(vec![singles(&jobs)], &[&cluster], load).unwrap();
        let setup = Setup {
            work: &work,
            cluster: &cluster,
            policy: Policy::Autoglm,
            queues: &QueueTree::default(),
            failures: 0.1,
            seed,
        };
        serde_json::to_string(&measure(&setup, &play(setup).unwrap()).figures).unwrap()
    };
    assert_eq!(seen(3), seen(3));
    assert_ne!(seen(3), seen(4));
}

#[test]
fn what_fits_nowhere_is_left_out_and_told() {
    let cluster = nodes(&[("n", 1, 4, 1_000)]);
    let mut builder = Builder::new("w");
    for cpus in [1, 16] {
        builder.job(&NewJob::default());
        builder.task(&NewTask { cpu_milli: cpus * 1_000, ..NewTask::default() });
    }
    let workload = builder.finish().unwrap();
    let work = work(workload, &cluster, Coming::Recorded);
    assert_eq!(work.workload().tasks().len(), 1);
    assert_eq!(work.notes, ["1 of 2 jobs have tasks that no node could run, and were left out"]);
    let none = nodes(&[("n", 1, 4, 1_000)]);
    let mut builder = Builder::new("w");
    builder.task(&NewTask { devices: (1, 1_000), ..NewTask::default() });
    let trouble = prepare(vec![builder.finish().unwrap()], &[&none], Load::default()).unwrap_err();
    assert_eq!(trouble.code.to_string(), "E0615");
}

#[test]
fn free_devices_that_nobody_can_use_are_fragments() {
    let gpu = Gpu { kind: "A100".into(), count: 2, memory_bytes: 0 };
    let mut cluster = nodes(&[("n", 1, 4, 1_000)]);
    cluster.nodes[0].gpus = vec![gpu];
    let mut builder = Builder::new("w");
    let task = |cpu, at| {
        (
            NewJob { submit_us: at * SECOND, ..NewJob::default() },
            NewTask {
                cpu_milli: cpu,
                devices: (1, 1_000),
                duration_us: 10 * SECOND,
                ..NewTask::default()
            },
        )
    };
    // All CPUs are taken: the second device is of no use for ten seconds of twenty, half of it all.
    for (job, task) in [task(4_000, 0), task(4_000, 20)] {
        builder.job(&job);
        builder.task(&task);
    }
    let work = work(builder.finish().unwrap(), &cluster, Coming::Recorded);
    let (_, seen) = see(&work, &cluster, 0.0);
    assert!(close(seen.figures.fragmentation.unwrap(), 0.25), "{:?}", seen.figures.fragmentation);
    assert!(close(seen.figures.busy[1].part, 0.25), "one of two for ten of twenty seconds");
}

#[test]
fn devices_of_a_kind_are_only_on_nodes_that_have_it() {
    let gpu = |kind: &str| vec![Gpu { kind: kind.into(), count: 1, memory_bytes: 0 }];
    let mut cluster = nodes(&[("a", 1, 8, 1_000), ("b", 1, 8, 1_000)]);
    (cluster.nodes[0].gpus, cluster.nodes[1].gpus) = (gpu("T4"), gpu("A100"));
    let mut builder = Builder::new("w");
    for _ in 0..3 {
        builder.job(&NewJob::default());
        let device_kinds = &["A100"];
        let duration_us = SECOND;
        builder.task(&NewTask {
            devices: (1, 1_000),
            device_kinds,
            duration_us,
            ..NewTask::default()
        });
    }
    let work = work(builder.finish().unwrap(), &cluster, Coming::Recorded);
    let (played, seen) = see(&work, &cluster, 0.0);
    assert!(played.attempts.iter().all(|attempt| attempt.node == 1));
    assert!(close(seen.figures.makespan_s, 3.0));
}
