//! What is left of a run as its tasks come and go.

use alloc::vec;

use super::ranks;
use model::graph::GraphParts;
use model::policy::Policy;
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
