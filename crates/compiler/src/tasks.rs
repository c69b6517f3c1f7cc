//! Graphs of the engine: what makes two tasks like each other there, and the way back.
//!
//! Tasks get the same label if they share a policy, a number of items, the condition that they wait
//! for, and whatever else the caller holds to be a difference, such as the script. Labels decide
//! only what may be merged; nothing here reads a policy. A task that waits for different things of
//! those it depends on is like no other, since its edges differ.

use alloc::vec;
use alloc::vec::Vec;

use model::collections::HashMap;
use model::control::EdgeCondition;
use model::graph::GraphParts;
use model::policy::Policy;
use model::{Graph as TaskGraph, TaskId};

use crate::graph::{Graph, GraphError};

/// What the labels of a graph mean: by label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskKinds {
    kinds: Vec<TaskKind>,
    /// What tasks that wait for different things wait for: each by ascending dependency.
    conditions: Vec<EdgeCondition>,
}

/// What tasks with one label have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskKind {
    /// The index of their policy.
    pub policy: u32,
    /// How many items each has, if they are fan-outs.
    pub items: Option<u32>,
    /// What they wait for.
    pub waits: Waits,
    /// What the caller said of them.
    pub look: u32,
}

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waits {
    /// The same of all that it depends on.
    For(EdgeCondition),
    /// Something else of each: it begins here in the list of such conditions.
    Mixed(u32),
}

impl TaskKinds {
    /// The graph of some tasks, and what its labels mean. `look` tells tasks apart that are not to
    /// be merged, whatever else they share. O(tasks + edges).
    ///
    /// # Errors
    /// An edge that is there twice.
    pub fn of(
        tasks: &TaskGraph,
        look: impl Fn(TaskId) -> u32,
    ) -> Result<(Graph, Self), GraphError> {
        let mut edges = Vec::with_capacity(tasks.edge_count());
        let mut incoming = vec![Vec::new(); tasks.len()];
        for from in tasks.tasks() {
            for (to, condition) in tasks.edges_from(from) {
                edges.push((from.0, to.0));
                // Ascending by dependency, since these are.
                incoming[to.0 as usize].push(condition);
            }
        }
        let mut found = Self::default();
        let mut known = HashMap::<TaskKind, u32>::default();
        let labels = tasks.tasks().zip(&incoming).map(|(task, conditions)| {
            let kind = TaskKind {
                policy: tasks.policy_index(task) as u32,
                items: tasks.fan_out(task),
                waits: found.waits(conditions),
                look: look(task),
            };
            *known.entry(kind).or_insert_with(|| {
                found.kinds.push(kind);
                found.kinds.len() as u32 - 1
            })
        });
        let labels = labels.collect();
        Ok((Graph::new(labels, &edges)?, found))
    }

    fn waits(&mut self, conditions: &[EdgeCondition]) -> Waits {
        let first = conditions.first().copied().unwrap_or_default();
        if conditions.iter().all(|&condition| condition == first) {
            return Waits::For(first);
        }
        let begin = self.conditions.len() as u32;
        self.conditions.extend_from_slice(conditions);
        Waits::Mixed(begin)
    }

    /// What a label means.
    ///
    /// # Panics
    /// If no task has it.
    #[must_use]
    pub fn kind(&self, label: u32) -> &TaskKind {
        &self.kinds[label as usize]
    }

    /// The parts that the tasks were made of, given their graph, expanded or not yet compressed,
    /// and their policies. The edges of a task come by ascending dependent. O(tasks + edges).
    ///
    /// # Panics
    /// If these labels are not those of the graph.
    #[must_use]
    pub fn parts(&self, graph: &Graph, policies: Vec<Policy>) -> GraphParts {
        let kind = |task: u32| self.kind(graph.labels()[task as usize]);
        let mut parts = GraphParts { policies, ..GraphParts::default() };
        for task in 0..graph.len() as u32 {
            parts.policy_of.push(kind(task).policy);
            parts.fan_outs.extend(kind(task).items.map(|items| (task, items)));
        }
        // Of each task how many of its dependencies have come by.
        let mut seen = vec![0; graph.len()];
        for (from, to) in graph.edges() {
            let place = seen[to as usize];
            seen[to as usize] += 1;
            parts.edges.push((from, to));
            parts.conditions.push(match kind(to).waits {
                Waits::For(condition) => condition,
                Waits::Mixed(begin) => self.conditions[begin as usize + place],
            });
        }
        if parts.conditions.iter().all(|&condition| condition == EdgeCondition::default()) {
            parts.conditions.clear();
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::{Method, compress};
    use EdgeCondition::{Failed, Finished, Succeeded};
    use model::Digest;

    #[test]
    fn tasks_go_both_ways_through_a_compressed_graph() {
        // 0 -> {1, 2, 3} -> 4, which waits for the failure of 2; 5 waits for any end of 1 and 2.
        let edges = [(0, 1), (0, 2), (0, 3), (1, 4), (1, 5), (2, 4), (2, 5), (3, 4)];
        let failed = |&(from, to): &(u32, u32)| match (from, to) {
            (2, 4) => Failed,
            (_, 5) => Finished,
            _ => Succeeded,
        };
        let parts = GraphParts {
            policies: vec![Policy::default(); 2],
            policy_of: vec![0, 1, 1, 1, 0, 0],
            edges: edges.to_vec(),
            conditions: edges.iter().map(failed).collect(),
            fan_outs: vec![(1, 10), (2, 10), (3, 11)],
        };
        let tasks = TaskGraph::new(Digest::default(), parts.clone()).unwrap();
        let (graph, kinds) = TaskKinds::of(&tasks, |_| 0).unwrap();
        assert_eq!(graph.labels(), [0, 1, 1, 2, 3, 4]);
        assert!(matches!(kinds.kind(3).waits, Waits::Mixed(0)));
        assert_eq!(kinds.kind(4).waits, Waits::For(Finished));
        for method in [Method::QUOTIENT, Method::FIXPOINT_QUOTIENT] {
            let expanded = compress(&graph, method).expand();
            assert_eq!(kinds.parts(&expanded, parts.policies.clone()), parts);
        }
    }

    #[test]
    fn what_the_caller_tells_apart_is_apart() {
        let parts = GraphParts {
            policies: vec![Policy::default()],
            policy_of: vec![0; 3],
            ..GraphParts::default()
        };
        let tasks = TaskGraph::new(Digest::default(), parts.clone()).unwrap();
        let (graph, kinds) = TaskKinds::of(&tasks, |task| task.0 / 2).unwrap();
        assert_eq!(graph.labels(), [0, 0, 1]);
        assert_eq!(kinds.parts(&graph, parts.policies.clone()), parts);
    }
}
