//! What is left of a run as its tasks come and go.

use alloc::vec;

use super::{inherited, ranks};
use model::graph::GraphParts;
use model::policy::{Policy, Priority};
use model::{Digest, Graph, TaskId};

#[test]
fn the_longest_path_counts_time_and_not_tasks() {
    // 0 leads to a chain of three short tasks, and to one long one.
    let parts = GraphParts {
        policies: vec![Policy::default()],
        policy_of: vec![0; 5],
        edges: vec![(0, 1), (1, 2), (2, 3), (0, 4)],
        ..GraphParts::default()
    };
    let graph = Graph::new(Digest::default(), parts).expect("it is a graph");
    let (ranks, order) = ranks(&graph, |task: TaskId| if task.0 == 4 { 100 } else { 10 });
    assert_eq!(ranks, [110, 30, 20, 10, 100]);
    assert_eq!(order, [0, 4, 1, 2, 3]);
}

/// 0 leads to 1 and 2; 1 leads to 3.
fn tree(priorities: [u8; 4]) -> Graph {
    let of = |priority| Policy { priority: Priority(priority), ..Policy::default() };
    let parts = GraphParts {
        policies: priorities.map(of).into(),
        policy_of: vec![0, 1, 2, 3],
        edges: vec![(0, 1), (0, 2), (1, 3)],
        ..GraphParts::default()
    };
    Graph::new(Digest::default(), parts).expect("it is a graph")
}

#[test]
fn what_something_urgent_waits_for_is_as_urgent() {
    assert_eq!(inherited(&tree([10, 50, 50, 90])), [90, 90, 50, 90]);
    assert_eq!(inherited(&tree([95, 60, 50, 90])), [95, 90, 50, 90]);
}

#[test]
fn what_is_as_urgent_as_usual_makes_nothing_urgent() {
    assert_eq!(inherited(&tree([10, 50, 20, 50])), [], "each has its own");
    assert_eq!(inherited(&tree([10, 50, 60, 50])), [60, 50, 60, 50]);
}

#[test]
fn what_something_in_a_hurry_waits_for_starts_in_time() {
    let due = |at| [None, None, None, Some(at)];
    let latest = |due: [Option<u64>; 4]| {
        super::latest(&tree([50; 4]), |task| 40 * u64::from(task.0 + 1), |it| due[it.0 as usize])
    };
    // 3 takes 160, 1 takes 80 and 0 takes 40, each a quarter more.
    assert_eq!(latest(due(1_000)), [650, 700, u64::MAX, 800]);
    assert_eq!(latest([Some(100), None, None, Some(1_000)]), [50, 700, u64::MAX, 800]);
    assert_eq!(latest(due(100)), [0, 0, u64::MAX, 0], "it is too late already");
    assert_eq!(latest([None; 4]), []);
}
