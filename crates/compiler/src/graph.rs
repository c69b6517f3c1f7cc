//! What the compiler reads and what it gives back: nodes with labels, and edges between them.
//!
//! A graph is checked when it is built and never changes: numbers in range, no edge twice, no
//! cycle, sizes within the limits of a run. Everything behind it may rely on that. It holds no
//! name, no policy and no state: what a label means is the caller's.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use model::limits::{EDGES_MAX, TASKS_PER_RUN_MAX};

use crate::rows::Rows;

/// A checked directed acyclic graph. Its nodes are `0..len`; 8 bytes a node and 4 an edge.
///
/// Two graphs are equal when they have the same nodes, labels and edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    labels: Vec<u32>,
    /// Each row ascending.
    successors: Rows,
}

/// Why numbers do not make a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphError {
    /// More of something than a run may have.
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// This edge begins or ends at a node that does not exist.
    NoSuchNode(u32, u32),
    /// This edge is there twice.
    Repeated(u32, u32),
    /// This node depends on itself, directly or through others: the smallest of a cycle.
    Cycle(u32),
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { what, count, limit } => {
                write!(f, "{count} {what}, at most {limit}")
            }
            Self::NoSuchNode(from, to) => write!(f, "the edge {from} -> {to} leaves the graph"),
            Self::Repeated(from, to) => write!(f, "the edge {from} -> {to} is there twice"),
            Self::Cycle(node) => write!(f, "node {node} depends on itself"),
        }
    }
}

impl core::error::Error for GraphError {}

impl Graph {
    /// Checks and builds a graph of one node for each label. An edge is (dependency, dependent);
    /// their order does not matter. Nodes whose labels are equal may be merged, and only those.
    /// O(nodes + edges).
    ///
    /// # Errors
    /// A size above its limit, a number out of range, an edge that is there twice, a cycle.
    pub fn new(labels: Vec<u32>, edges: &[(u32, u32)]) -> Result<Self, GraphError> {
        let sizes = [("nodes", labels.len(), TASKS_PER_RUN_MAX), ("edges", edges.len(), EDGES_MAX)];
        for (what, count, limit) in sizes {
            if count > limit {
                return Err(GraphError::TooLarge { what, count, limit });
            }
        }
        let nodes = labels.len();
        let outside = |&&(from, to): &&(u32, u32)| from as usize >= nodes || to as usize >= nodes;
        if let Some(&(from, to)) = edges.iter().find(outside) {
            return Err(GraphError::NoSuchNode(from, to));
        }
        let graph = Self::from_edges(labels, edges);
        for (from, row) in graph.successors.iter() {
            if let Some(pair) = row.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(GraphError::Repeated(from, pair[0]));
            }
        }
        graph.check_acyclic()?;
        Ok(graph)
    }

    /// A graph of edges that are known to be good.
    pub(crate) fn from_edges(labels: Vec<u32>, edges: &[(u32, u32)]) -> Self {
        let nodes = labels.len();
        let successors = Rows::new(nodes, edges).transposed(nodes).transposed(nodes);
        Self { labels, successors }
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no nodes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// How many edges there are.
    #[must_use]
    pub fn edge_count(&self) -> usize {
        self.successors.entry_count()
    }

    /// The label of each node.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The nodes that depend on `node`, ascending.
    ///
    /// # Panics
    /// If there is no such node.
    #[must_use]
    pub fn successors(&self, node: u32) -> &[u32] {
        self.successors.row(node)
    }

    /// All edges, ascending.
    pub fn edges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.successors.iter().flat_map(|(from, row)| row.iter().map(move |&to| (from, to)))
    }

    /// What it takes as compressed sparse rows, in bytes: an offset and a label for each node, and
    /// each edge once, all of 4 bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.successors.bytes() + 4 * self.labels.len() as u64
    }

    pub(crate) const fn rows(&self) -> &Rows {
        &self.successors
    }

    /// Takes away what waits for nothing until nothing is left (Kahn 1962). Of what is left, each
    /// node has a predecessor that is left: walking back repeats one.
    fn check_acyclic(&self) -> Result<(), GraphError> {
        let predecessors = self.successors.transposed(self.len());
        let mut waiting: Vec<u32> = predecessors.iter().map(|(_, row)| row.len() as u32).collect();
        let mut free: Vec<u32> = (0..).zip(&waiting).filter(|x| *x.1 == 0).map(|x| x.0).collect();
        let mut taken = 0;
        while let Some(node) = free.pop() {
            taken += 1;
            for &next in self.successors.row(node) {
                waiting[next as usize] -= 1;
                if waiting[next as usize] == 0 {
                    free.push(next);
                }
            }
        }
        if taken == self.len() {
            return Ok(());
        }
        let stuck = |node: u32| waiting[node as usize] > 0;
        let back = |node: u32| {
            let mut row = predecessors.row(node).iter().copied();
            row.find(|&before| stuck(before)).expect("what waits waits for something that waits")
        };
        let mut seen = vec![false; self.len()];
        let mut at = (0..self.len() as u32).find(|&node| stuck(node)).expect("not all were taken");
        while !core::mem::replace(&mut seen[at as usize], true) {
            at = back(at);
        }
        let mut smallest = at;
        let mut before = back(at);
        while before != at {
            smallest = smallest.min(before);
            before = back(before);
        }
        Err(GraphError::Cycle(smallest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn graph(nodes: usize, edges: &[(u32, u32)]) -> Result<Graph, GraphError> {
        Graph::new(vec![0; nodes], edges)
    }

    #[test]
    fn the_order_of_edges_does_not_matter() {
        let diamond = graph(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]).unwrap();
        assert_eq!(diamond, graph(4, &[(2, 3), (0, 2), (1, 3), (0, 1)]).unwrap());
        assert_eq!(diamond.successors(0), [1, 2]);
        assert_eq!((diamond.len(), diamond.edge_count()), (4, 4));
        assert_eq!(diamond.bytes(), 4 * (4 + 5 + 4));
    }

    #[test]
    fn nothing_and_one_node_are_graphs() {
        assert!(graph(0, &[]).unwrap().is_empty());
        assert_eq!(graph(1, &[]).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_graph_is_refused_with_its_place() {
        assert_eq!(graph(2, &[(0, 2)]), Err(GraphError::NoSuchNode(0, 2)));
        assert_eq!(graph(2, &[(u32::MAX, 1)]), Err(GraphError::NoSuchNode(u32::MAX, 1)));
        assert_eq!(graph(2, &[(0, 1), (0, 1)]), Err(GraphError::Repeated(0, 1)));
        assert_eq!(graph(2, &[(1, 1)]), Err(GraphError::Cycle(1)));
        let tail = [(0, 1), (3, 4), (4, 2), (2, 3), (3, 5)];
        assert_eq!(graph(6, &tail), Err(GraphError::Cycle(2)));
        assert_eq!(GraphError::Cycle(2).to_string(), "node 2 depends on itself");
        let many = vec![0; TASKS_PER_RUN_MAX + 1];
        assert!(matches!(Graph::new(many, &[]), Err(GraphError::TooLarge { .. })));
    }
}
