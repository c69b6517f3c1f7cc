//! What compressing a graph has saved, in numbers that say what they count.

use alloc::vec::Vec;

use crate::compressed::Compressed;
use crate::graph::Graph;
use crate::rule::RuleKind;

/// A graph before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Nodes and edges of the graph.
    pub before: Counts,
    /// Classes that are left, and edges: one for each bundle that follows a rule, and each that is
    /// listed.
    pub after: Counts,
    /// Distinct shapes, single tasks among them. They are no nodes, but what nodes look like.
    pub shapes: u64,
    /// The graph as compressed sparse rows, in bytes: 4 for the label and 4 for the offset of each
    /// node, 4 for each edge.
    pub rows_bytes: u64,
    /// The graph as a list of edges, in bytes: 4 for the label of each node, 8 for each edge.
    pub list_bytes: u64,
    /// All that is kept of it, in bytes, the table of which node is which member included.
    pub bytes: u64,
    /// How many bundles follow a rule of each kind, by kind; those that occur.
    pub rules: Vec<(RuleKind, u32)>,
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Nodes.
    pub nodes: u64,
    /// Edges.
    pub edges: u64,
}

impl Report {
    /// Compares a graph to what it was compressed to.
    #[must_use]
    pub fn new(graph: &Graph, compressed: &Compressed) -> Self {
        let mut kinds: Vec<RuleKind> =
            compressed.bundles().map(|bundle| bundle.rule.kind(bundle.sides)).collect();
        kinds.sort_unstable();
        let kinds = kinds.chunk_by(|a, b| a == b);
        let [nodes, edges] = [graph.len() as u64, graph.edge_count() as u64];
        Self {
            before: Counts { nodes, edges },
            after: Counts {
                nodes: compressed.class_count() as u64,
                edges: compressed.edge_count(),
            },
            shapes: compressed.shapes().len() as u64,
            rows_bytes: graph.bytes(),
            list_bytes: 4 * nodes + 8 * edges,
            bytes: compressed.bytes(),
            rules: kinds.map(|same| (same[0], same.len() as u32)).collect(),
        }
    }

    /// How many nodes are gone, in hundredths of a percent, rounded down.
    #[must_use]
    pub const fn nodes_saved(&self) -> u64 {
        saved(self.before.nodes, self.after.nodes)
    }

    /// How many edges are gone, in hundredths of a percent, rounded down.
    #[must_use]
    pub const fn edges_saved(&self) -> u64 {
        saved(self.before.edges, self.after.edges)
    }
}

const fn saved(before: u64, after: u64) -> u64 {
    match (before.saturating_sub(after) * 10_000).checked_div(before) {
        Some(saved) => saved,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::{Method, compress};
    use crate::fold::Folding;

    #[test]
    fn before_and_after_are_counted_by_name() {
        // A beginning, a thousand tasks, and an end.
        let edges: Vec<_> = (1..=1_000).flat_map(|node| [(0, node), (node, 1_001)]).collect();
        let mut labels = alloc::vec![1; 1_002];
        (labels[0], labels[1_001]) = (0, 2);
        let graph = Graph::new(labels, &edges).unwrap();
        let report = Report::new(&graph, &compress(&graph, Method::QUOTIENT));
        assert_eq!(report.before, Counts { nodes: 1_002, edges: 2_000 });
        assert_eq!(report.after, Counts { nodes: 3, edges: 2 });
        assert_eq!((report.nodes_saved(), report.edges_saved()), (9_970, 9_990));
        assert_eq!(report.rows_bytes, 4 * (1_002 + 1_003 + 2_000));
        assert_eq!(report.list_bytes, 4 * 1_002 + 8 * 2_000);
        assert_eq!(report.rules, [(RuleKind::AllToAll, 2)]);
        assert!(report.bytes < 250, "{report:?}");
        let whole = Report::new(&graph, &compress(&graph, Method::fold(Folding::Fixpoint)));
        assert_eq!((whole.after, whole.shapes), (Counts { nodes: 1, edges: 0 }, 5));
    }

    #[test]
    fn nothing_saves_nothing() {
        let graph = Graph::new(alloc::vec![], &[]).unwrap();
        let report = Report::new(&graph, &compress(&graph, Method::QUOTIENT));
        assert_eq!((report.nodes_saved(), report.edges_saved()), (0, 0));
    }
}
