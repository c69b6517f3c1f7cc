//! Who shares a cluster: what each queue waited and was given, and what making room costs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use model::queue::{QueueSpec, QueueTree, Quota};
use whatif::{
    Cluster, End, Figures, Load, OfQueue, Played, Policy, Setup, Workload, measure, play, prepare,
};
use workload::{Builder, NewJob, NewTask, NodeKind};

const SECOND: u64 = 1_000_000;

/// Two queues at the top, of which `serving` is guaranteed a core.
fn queues() -> QueueTree {
    let queue = |path: &str, cpu_milli| QueueSpec {
        path: path.into(),
        parent: None,
        weight: 1,
        guarantee: Quota { cpu_milli, ..Quota::default() },
        ..QueueSpec::default()
    };
    let queues = vec![queue("batch", None), queue("serving", Some(1_000))];
    QueueTree { queues, ..QueueTree::default() }
}

/// Two long tasks of `batch`, and a short one of `serving` that comes after 100 s.
fn workload() -> Workload {
    let mut builder = Builder::new("w");
    for (queue, at, took) in [("batch", 0, 600), ("batch", 0, 600), ("serving", 100, 10)] {
        builder.job(&NewJob { queue, submit_us: at * SECOND, ..NewJob::default() });
        let (duration_us, estimate_us) = (took * SECOND, Some(took * SECOND));
        builder.task(&NewTask { duration_us, estimate_us, ..NewTask::default() });
    }
    builder.finish().unwrap()
}

fn played(workload: Workload, queues: &QueueTree) -> (Played, Figures) {
    let (cpu_milli, memory_bytes) = (2_000, 1 << 30);
    let node = NodeKind { name: "n".into(), cpu_milli, memory_bytes, ..NodeKind::default() };
    let cluster = Cluster { nodes: vec![node] };
    let work = prepare(vec![workload], &[&cluster], Load::default()).unwrap();
    let policy = Policy::Autoglm;
    let setup = Setup { work: &work, cluster: &cluster, policy, queues, failures: 0.0, seed: 1 };
    let played = play(setup).unwrap();
    let figures = measure(&setup, &played).figures;
    (played, figures)
}

#[test]
fn what_makes_room_does_all_of_its_work_again() {
    let (played, figures) = played(workload(), &queues());
    let ends: Vec<_> = played
        .attempts
        .iter()
        .filter(|attempt| attempt.end == End::Preempted)
        .map(|attempt| (attempt.began_us / SECOND, attempt.ended_us / SECOND))
        .collect();
    assert_eq!(ends, [(0, 100)], "one of the two leaves as soon as its core is asked for");
    assert_eq!((figures.preempted, figures.redone_s), (1, 100.0));
    assert_eq!((figures.attempts_failed, figures.lost_s), (0, 0.0), "that is no failure");
    // It begins anew when the short task has ended, and takes its 600 s once more.
    assert_eq!(figures.makespan_s, 710.0);
}

#[test]
fn each_queue_has_its_figures() {
    let [batch, serving] = &played(workload(), &queues()).1.queues[..] else {
        panic!("two queues")
    };
    let told = |of: &OfQueue| (of.queue.clone(), of.jobs, of.preempted, of.redone_s);
    assert_eq!(told(batch), ("batch".to_owned(), 2, 1, 100.0));
    assert_eq!(told(serving), ("serving".to_owned(), 1, 0, 0.0));
    assert_eq!((serving.wait.max_s, serving.completion.mean_s), (0.0, 10.0));
    assert_eq!(batch.completion.mean_s, (600.0 + 710.0) / 2.0);
    // Jobs come for 100 s, in which the guaranteed core was lent.
    assert_eq!((batch.given, serving.given), (1.0, 0.0));
    assert_eq!((batch.missed[0].part, serving.missed[0].part), (0.0, 0.0));
}

#[test]
fn tenants_are_told_apart_without_a_tree_and_one_queue_is_not_told() {
    let mut builder = Builder::new("w");
    for (tenant, queue) in [("lab", "night"), ("lab", "night"), ("shop", "")] {
        builder.job(&NewJob { tenant, queue, ..NewJob::default() });
        builder.task(&NewTask { duration_us: 10 * SECOND, ..NewTask::default() });
    }
    let queues = played(builder.finish().unwrap(), &QueueTree::default()).1.queues;
    let told: Vec<_> = queues.iter().map(|of| (of.queue.as_str(), of.jobs)).collect();
    assert_eq!(told, [("lab/night", 2), ("shop", 1)]);
    let parts: f64 = queues.iter().map(|of| of.given).sum();
    assert!((parts - 1.0).abs() < 1e-9, "{queues:?}");
    let mut builder = Builder::new("w");
    builder.task(&NewTask { duration_us: SECOND, ..NewTask::default() });
    assert_eq!(played(builder.finish().unwrap(), &QueueTree::default()).1.queues, []);
}
