//! Bundles: all edges between two classes.
//!
//! They are only collected here. What rule a bundle follows is found in `rule`.

use alloc::vec;
use alloc::vec::Vec;

use crate::rows::Rows;
use crate::rule::Sides;

/// The edges from one class to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// The classes.
    pub(crate) source: u32,
    pub(crate) target: u32,
    /// Where the edges begin and end in [`Bundles::edges`].
    begin: u32,
    end: u32,
}

impl Bundle {
    /// How many edges it has.
    pub(crate) const fn len(&self) -> u32 {
        self.end - self.begin
    }
}

/// All bundles, by their sources.
pub(crate) struct Bundles {
    pub(crate) list: Vec<Bundle>,
    /// As (source, target), bundle by bundle, by ascending source.
    edges: Vec<(u32, u32)>,
}

impl Bundles {
    /// Collects the edges of a graph by the classes of their nodes. O(nodes + edges).
    pub(crate) fn new(successors: &Rows, members: &Rows, class_of: &[u32]) -> Self {
        let mut list: Vec<Bundle> = Vec::new();
        let mut edges = vec![(0, 0); successors.entry_count()];
        // Of each class the bundle that leads to it, if it is of the source at hand.
        let mut bundle_to = vec![u32::MAX; members.len()];
        let mut begin = 0;
        for (source, nodes) in members.iter() {
            let first = list.len();
            let targets = || nodes.iter().flat_map(|&node| successors.row(node));
            for &node in targets() {
                let target = class_of[node as usize];
                let bundle = &mut bundle_to[target as usize];
                if (*bundle as usize) < first || *bundle == u32::MAX {
                    *bundle = list.len() as u32;
                    list.push(Bundle { source, target, begin: 0, end: 0 });
                }
                list[*bundle as usize].end += 1;
            }
            for bundle in &mut list[first..] {
                bundle.begin = begin;
                begin += bundle.end;
                bundle.end = bundle.begin;
            }
            for &node in nodes {
                for &next in successors.row(node) {
                    let bundle = &mut list[bundle_to[class_of[next as usize] as usize] as usize];
                    edges[bundle.end as usize] = (node, next);
                    bundle.end += 1;
                }
            }
        }
        Self { list, edges }
    }

    /// The edges of a bundle, by ascending source.
    pub(crate) fn edges(&self, bundle: &Bundle) -> &[(u32, u32)] {
        &self.edges[bundle.begin as usize..bundle.end as usize]
    }

    /// How many members its classes have.
    pub(crate) fn sides(bundle: &Bundle, members: &Rows) -> Sides {
        let [sources, targets] = [bundle.source, bundle.target].map(|class| members.row_len(class));
        Sides { sources, targets }
    }

    /// The targets of each source of a bundle, ascending, by the places of members. Every source
    /// of a bundle has as many targets.
    pub(crate) fn rows(&self, bundle: &Bundle, place: &[u32], sides: Sides) -> Vec<u32> {
        let edges = self.edges(bundle);
        let degree = edges.len() / sides.sources as usize;
        let mut rows = vec![0; edges.len()];
        // Edges come source by source.
        for edges in edges.chunks_exact(degree) {
            let begin = place[edges[0].0 as usize] as usize * degree;
            let row = &mut rows[begin..begin + degree];
            row.iter_mut().zip(edges).for_each(|(slot, edge)| *slot = place[edge.1 as usize]);
            row.sort_unstable();
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_collected_by_the_classes_of_their_nodes() {
        let successors = Rows::new(5, &[(0, 2), (1, 3), (0, 4), (1, 4)]);
        let class_of = [0, 0, 1, 1, 2];
        let members = Rows::group(3, &class_of);
        let bundles = Bundles::new(&successors, &members, &class_of);
        let found: Vec<_> = bundles
            .list
            .iter()
            .map(|bundle| (bundle.source, bundle.target, bundles.edges(bundle)))
            .collect();
        assert_eq!(found, [(0, 1, &[(0, 2), (1, 3)][..]), (0, 2, &[(0, 4), (1, 4)][..])]);
    }
}
