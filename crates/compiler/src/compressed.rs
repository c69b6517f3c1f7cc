//! A compressed graph: classes of like parts, rules for the edges between them, and who is who.
//!
//! It is everything that is left of the graph: what it was made from is not kept, and comes back
//! exactly. It never changes. Whoever has to treat a member apart from its class, since it failed
//! or was edited, finds it in the member table, which holds every node of every member at a place
//! that can be computed; splitting a class is a matter of that table and of rules between smaller
//! classes, and needs nothing that is not here.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::compress::Method;
use crate::graph::Graph;
use crate::rows::Rows;
use crate::rule::{Rule, Sides};
use crate::sequence::Sequence;
use crate::shape::{Placed, ShapeId, Shapes};

/// A graph made small by a [`Method`]. Classes are numbered `0..class_count`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compressed {
    pub(crate) method: Method,
    pub(crate) shapes: Shapes,
    pub(crate) classes: Classes,
    /// The nodes of all members of all classes, class by class.
    pub(crate) nodes: Sequence,
    /// Of each class the classes that it leads to.
    pub(crate) targets: Rows,
    /// As the entries of `targets`: which rule each bundle follows.
    pub(crate) rule_of: Sequence,
    /// Distinct rules.
    pub(crate) rules: Vec<Rule>,
    /// What no rule says: see [`Rule::Listed`].
    pub(crate) listed: Vec<u32>,
}

/// What each class looks like, and where its members stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Classes {
    pub(crate) shapes: Sequence,
    /// Of each class where it begins in the member table; one more for the end.
    pub(crate) begins: Sequence,
    /// Of each class 1 if its members stand leaf by leaf, and 0 if member by member.
    pub(crate) by_leaf: Sequence,
}

/// One class of a compressed graph: members that look the same.
#[derive(Clone, Copy, Debug)]
pub struct Class<'a> {
    graph: &'a Compressed,
    shape: ShapeId,
    /// Where its members begin in the member table.
    begin: u32,
    len: u32,
    by_leaf: bool,
}

/// The edges from one class to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The class that they come from.
    pub source: u32,
    /// The class that they lead to.
    pub target: u32,
    /// Which members they join. An edge between members stands for all edges from the ends of the
    /// one to the beginnings of the other.
    pub rule: Rule,
    /// How many members the two have.
    pub sides: Sides,
}

/// The first place where a compressed graph is not the graph that it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It has so many nodes.
    NodeCount(usize),
    /// This node has another label.
    Label(u32),
    /// This node has other successors.
    Successors(u32),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodeCount(count) => write!(f, "it expands to {count} nodes"),
            Self::Label(node) => write!(f, "node {node} expands with another label"),
            Self::Successors(node) => write!(f, "node {node} expands with other successors"),
        }
    }
}

impl core::error::Error for Difference {}

impl Compressed {
    /// How it was made.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// How many classes there are: the nodes that are left.
    #[must_use]
    pub fn class_count(&self) -> usize {
        self.classes.shapes.len()
    }

    /// How many edges are left: one for each bundle that follows a rule, and each that is listed.
    #[must_use]
    pub fn edge_count(&self) -> u64 {
        self.bundles().map(|bundle| bundle.rule.edge_count(bundle.sides)).sum()
    }

    /// What members look like inside.
    #[must_use]
    pub const fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// A class by its number. O(log classes).
    ///
    /// # Panics
    /// If there is no such class.
    #[must_use]
    pub fn class(&self, number: u32) -> Class<'_> {
        let Classes { shapes, begins, by_leaf } = &self.classes;
        let bounds = (begins.get(number), begins.get(number + 1));
        self.make_class(shapes.get(number), bounds, by_leaf.get(number))
    }

    /// All classes, by their numbers. O(classes).
    pub fn classes(&self) -> impl ExactSizeIterator<Item = Class<'_>> {
        let begins = self.classes.begins.to_vec();
        let shapes = self.classes.shapes.to_vec().into_iter();
        let by_leaf = self.classes.by_leaf.to_vec();
        let looks = shapes.zip(by_leaf).enumerate();
        looks.map(move |(number, (shape, by_leaf))| {
            self.make_class(shape, (begins[number], begins[number + 1]), by_leaf)
        })
    }

    fn make_class(&self, shape: u32, (begin, end): (u32, u32), by_leaf: u32) -> Class<'_> {
        let shape = ShapeId(shape);
        let len = (end - begin) / self.shapes.leaves(shape);
        Class { graph: self, shape, begin, len, by_leaf: by_leaf != 0 }
    }

    /// All bundles, by the classes that they come from. O(classes + bundles).
    pub fn bundles(&self) -> impl Iterator<Item = Bundle> + '_ {
        let sizes: Vec<u32> = self.classes().map(|class| class.len()).collect();
        let pairs = self.targets.iter();
        let pairs = pairs.flat_map(|(source, row)| row.iter().map(move |&target| (source, target)));
        pairs.zip(self.rule_of.to_vec()).map(move |((source, target), rule)| {
            let [sources, targets] = [source, target].map(|class| sizes[class as usize]);
            let rule = self.rules[rule as usize];
            Bundle { source, target, rule, sides: Sides { sources, targets } }
        })
    }

    /// Calls `found` with each pair of members that a bundle joins, by source.
    pub fn each_edge(&self, bundle: &Bundle, mut found: impl FnMut(u32, u32)) {
        let mut row = Vec::new();
        for source in 0..bundle.sides.sources {
            row.clear();
            bundle.rule.row(source, bundle.sides, &self.listed, &mut row);
            row.iter().for_each(|&target| found(source, target));
        }
    }

    /// The graph that it was made of: the same nodes, labels and edges. O(nodes + edges).
    #[must_use]
    pub fn expand(&self) -> Graph {
        let nodes = self.nodes.to_vec();
        let mut labels = vec![0; nodes.len()];
        let mut edges = Vec::new();
        let classes: Vec<Class<'_>> = self.classes().collect();
        for class in &classes {
            for member in 0..class.len() {
                let placed = class.placed(member);
                self.shapes.each_task(placed, |place, label| {
                    labels[nodes[place as usize] as usize] = label;
                });
                self.shapes.each_edge(placed, |from, to| {
                    edges.push((nodes[from as usize], nodes[to as usize]));
                });
            }
        }
        let (mut ends, mut begins) = (Vec::new(), Vec::new());
        for bundle in self.bundles() {
            let [source, target] =
                [bundle.source, bundle.target].map(|class| classes[class as usize]);
            self.each_edge(&bundle, |from, to| {
                self.shapes.ends(source.placed(from), &mut ends);
                self.shapes.begins(target.placed(to), &mut begins);
                for &from in &ends {
                    let from = nodes[from as usize];
                    edges.extend(begins.iter().map(|&to| (from, nodes[to as usize])));
                }
            });
        }
        Graph::from_edges(labels, &edges)
    }

    /// Expands it and compares, node by node. O(nodes + edges).
    ///
    /// # Errors
    /// The first difference from `graph`.
    pub fn check(&self, graph: &Graph) -> Result<(), Difference> {
        let expanded = self.expand();
        if expanded.len() != graph.len() {
            return Err(Difference::NodeCount(expanded.len()));
        }
        for node in 0..graph.len() as u32 {
            if expanded.labels()[node as usize] != graph.labels()[node as usize] {
                return Err(Difference::Label(node));
            }
            if expanded.successors(node) != graph.successors(node) {
                return Err(Difference::Successors(node));
            }
        }
        Ok(())
    }

    /// What it takes, in bytes: shapes, classes, the member table, bundles, rules and lists.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let rule = size_of::<Rule>() as u64;
        self.shapes.bytes()
            + self.classes.shapes.bytes()
            + self.classes.begins.bytes()
            + self.classes.by_leaf.bytes()
            + self.nodes.bytes()
            + self.targets.bytes()
            + self.rule_of.bytes()
            + rule * self.rules.len() as u64
            + 4 * self.listed.len() as u64
    }
}

impl Class<'_> {
    /// What each member looks like.
    #[must_use]
    pub const fn shape(&self) -> ShapeId {
        self.shape
    }

    /// How many members there are, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "no class is empty")]
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// The nodes of a member, by the leaves of its shape. O(leaves log runs).
    ///
    /// # Panics
    /// If there is no such member.
    #[must_use]
    pub fn nodes(&self, member: u32) -> Vec<u32> {
        assert!(member < self.len, "there is no member {member}");
        let shapes = &self.graph.shapes;
        let mut leaves = Vec::new();
        shapes.each_task(Placed::alone(self.shape, 0), |leaf, _| leaves.push(leaf));
        let mut nodes = vec![0; leaves.len()];
        let mut leaves = leaves.into_iter();
        // Tasks come in the same order wherever a shape is placed.
        shapes.each_task(self.placed(member), |place, _| {
            let leaf = leaves.next().expect("as many as before");
            nodes[leaf as usize] = self.graph.nodes.get(place);
        });
        nodes
    }

    fn placed(&self, member: u32) -> Placed {
        let first = Placed::alone(self.shape, self.begin);
        if self.by_leaf {
            first.one_of(self.len, member)
        } else {
            let leaves = self.graph.shapes.leaves(self.shape);
            Placed { begin: self.begin + member * leaves, ..first }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::compress;
    use crate::fold::Folding;

    /// Two jobs of a beginning, three pairs in a row each, and an end; and two crooked stages.
    fn sample() -> Graph {
        let (mut labels, mut edges) = (Vec::new(), Vec::new());
        for job in 0..2 {
            let begin = 8 * job;
            labels.extend([0, 1, 1, 1, 2, 2, 2, 3]);
            let middle = (1..4).flat_map(|at| [(0, at), (at, at + 3), (at + 3, 7)]);
            edges.extend(middle.map(|(from, to)| (begin + from, begin + to)));
        }
        labels.extend([4, 4, 4, 4, 5, 5, 5, 5]);
        edges.extend((0..4).flat_map(|at| [(16 + at, 20 + at), (16 + at, 20 + (at + 1) % 4)]));
        Graph::new(labels, &edges).unwrap()
    }

    fn compressed(quotient: bool) -> (Graph, Compressed) {
        let folding = if quotient { Folding::Nothing } else { Folding::Fixpoint };
        let graph = sample();
        let compressed = compress(&graph, Method { folding, quotient });
        assert_eq!(compressed.check(&graph), Ok(()));
        (graph, compressed)
    }

    #[test]
    fn classes_and_bundles_can_be_looked_at() {
        let (graph, compressed) = compressed(true);
        assert_eq!(compressed.class_count(), 6);
        let sizes: Vec<_> = compressed.classes().map(|class| class.len()).collect();
        assert_eq!(sizes, [2, 6, 6, 2, 4, 4]);
        let class = compressed.class(1);
        assert_eq!(class.nodes(4), [10]);
        let mut edges = Vec::new();
        for bundle in compressed.bundles() {
            let [source, target] = [bundle.source, bundle.target].map(|c| compressed.class(c));
            compressed.each_edge(&bundle, |from, to| {
                let [from, to] = [source.nodes(from)[0], target.nodes(to)[0]];
                edges.push((from, to));
            });
        }
        edges.sort_unstable();
        assert!(graph.edges().eq(edges));
        assert_eq!(compressed.edge_count(), 3 + 8);
    }

    #[test]
    fn members_of_several_nodes_have_them_by_leaf() {
        let (graph, compressed) = compressed(false);
        let job = compressed.classes().find(|class| class.shape() != ShapeId(4)).unwrap();
        let nodes = job.nodes(0);
        let labels: Vec<u32> = nodes.iter().map(|&node| graph.labels()[node as usize]).collect();
        // The two jobs stand side by side, leaf by leaf.
        assert_eq!(nodes[..2], [0, 8]);
        assert_eq!(labels, [0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3]);
    }

    #[test]
    fn a_rule_that_says_something_else_is_found_out() {
        let (graph, good) = compressed(true);
        for number in 0..good.rules.len() {
            let mut bad = good.clone();
            bad.rules[number] = match bad.rules[number] {
                Rule::Digits { radix, source_stride, target_stride, shift } => {
                    Rule::Digits { radix, source_stride, target_stride, shift: shift + 1 }
                }
                Rule::Pairs { .. } => continue,
                Rule::Listed { first, degree, copies } => {
                    bad.listed.swap(0, 1);
                    bad.listed[0] = bad.listed[3];
                    Rule::Listed { first, degree, copies }
                }
            };
            assert!(matches!(bad.check(&graph), Err(Difference::Successors(_))), "{number}");
        }
    }

    #[test]
    fn whatever_else_is_changed_is_found_out() {
        let (graph, good) = compressed(true);
        let change = |change: &dyn Fn(&mut Compressed)| {
            let mut bad = good.clone();
            change(&mut bad);
            bad.check(&graph).unwrap_err()
        };
        let nodes = good.nodes.to_vec();
        let swapped = |a: usize, b: usize| {
            let mut nodes = nodes.clone();
            nodes.swap(a, b);
            Sequence::new(&nodes)
        };
        // Two of one class, and two of different classes.
        let found = change(&|bad| bad.nodes = swapped(2, 7));
        assert!(matches!(found, Difference::Successors(_)), "{found}");
        let found = change(&|bad| bad.nodes = swapped(0, 2));
        assert_eq!(found, Difference::Label(0));
        let found = change(&|bad| {
            bad.targets = Rows::from_lengths(&[0; 6], Vec::new());
            bad.rule_of = Sequence::default();
        });
        assert_eq!(found, Difference::Successors(0));
        let found = change(&|bad| {
            bad.nodes = Sequence::default();
            bad.classes = Classes::default();
            bad.targets = Rows::from_lengths(&[], Vec::new());
            bad.rule_of = Sequence::default();
        });
        assert_eq!(found, Difference::NodeCount(0));
    }
}
