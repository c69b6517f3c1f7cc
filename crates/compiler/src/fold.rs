//! Folding: chains become one node, siblings become one node, until nothing is left to fold.
//!
//! These are the two rules by which series-parallel graphs are recognised (Valdes, Tarjan and
//! Lawler 1982), restricted as the caller says. Both are exact: a node that stands for several is
//! joined to another by all edges from the ends of the one to the beginnings of the other, and to
//! nobody else. Nothing is merged that has another label, other predecessors or other successors,
//! unless the caller wants whole series-parallel parts.
//!
//! All in time linear in nodes and edges, because of one fact: a fold never changes who is alike.
//! Siblings that are merged have the same neighbours, so each neighbour has either all or none of
//! them; and the inside of a chain is nobody's neighbour. Who has equal neighbours in the graph as
//! it is given can therefore be worked out once ([`Twins`]), and holds to the end. For the same
//! reason a group is complete before it becomes a link of a chain: as long as a like sibling is
//! elsewhere, their common neighbour has two.

use alloc::vec;
use alloc::vec::Vec;

use model::collections::HashMap;

use crate::graph::Graph;
use crate::pieces::{Pieces, Placer};
use crate::rows::Rows;
use crate::shape::{ShapeId, Shapes};
use crate::twins::Twins;

/// What may be folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Folding {
    /// Nothing.
    Nothing,
    /// Chains: where the one depends on nothing else and nothing else depends on the other. Labels
    /// do not matter; each link stays what it is, with its own retries and its own checkpoint.
    Chains,
    /// Siblings: nodes of the same label with the same predecessors and the same successors.
    Siblings,
    /// Both, by turns, until nothing changes. Siblings are parts that look the same.
    #[default]
    Fixpoint,
    /// Both, and siblings need not look the same: a series-parallel part becomes a single node.
    SeriesParallel,
}

/// A folded graph.
pub(crate) struct Folded {
    pub(crate) shapes: Shapes,
    pub(crate) placer: Placer,
    /// The piece of each node that is left, by the smallest node in it.
    pub(crate) pieces: Vec<u32>,
    /// Between what is left.
    pub(crate) successors: Rows,
    pub(crate) predecessors: Rows,
}

/// Folds a graph. O(nodes + edges), but for sorting members.
pub(crate) fn fold(graph: &Graph, folding: Folding) -> Folded {
    let predecessors = graph.rows().transposed(graph.len());
    let mut folder = Folder::new(graph, &predecessors, folding);
    if folding != Folding::Nothing {
        folder.run();
    }
    folder.finish()
}

/// Nothing in its place.
const NONE: u32 = u32::MAX;

struct Folder<'a> {
    successors: &'a Rows,
    predecessors: &'a Rows,
    /// What is left, by the node that it began as.
    units: Vec<Unit>,
    /// Of each node the unit that it is the head of: the node whose predecessors are the unit's.
    owner_of_head: Vec<u32>,
    /// Of each node the unit that it is the tail of: the node whose successors are the unit's.
    owner_of_tail: Vec<u32>,
    /// Of each tail how many units come after it, of each head how many come before it.
    after: Vec<u32>,
    before: Vec<u32>,
    pieces: Pieces,
    chains: bool,
    siblings: Option<Siblings>,
    /// Units to look at again, since a neighbour of theirs has become their only one.
    agenda: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Unit {
    head: u32,
    tail: u32,
    piece: u32,
}

struct Siblings {
    by_predecessors: Twins,
    by_successors: Twins,
    /// Whether siblings may look different.
    mixed: bool,
    /// For each pair of classes what was found there first.
    first: HashMap<(u32, u32), u32>,
    /// Where there were two: for each look what stands for all that look so.
    groups: HashMap<(u32, u32, ShapeId), u32>,
}

impl<'a> Folder<'a> {
    fn new(graph: &'a Graph, predecessors: &'a Rows, folding: Folding) -> Self {
        let nodes = graph.len() as u32;
        let successors = graph.rows();
        let siblings =
            matches!(folding, Folding::Siblings | Folding::Fixpoint | Folding::SeriesParallel)
                .then(|| Siblings {
                    by_predecessors: Twins::new(successors, graph.len()),
                    by_successors: Twins::new(predecessors, graph.len()),
                    mixed: folding == Folding::SeriesParallel,
                    first: HashMap::default(),
                    groups: HashMap::default(),
                });
        Self {
            successors,
            predecessors,
            units: (0..nodes).map(|node| Unit { head: node, tail: node, piece: node }).collect(),
            owner_of_head: (0..nodes).collect(),
            owner_of_tail: (0..nodes).collect(),
            after: (0..nodes).map(|node| successors.row_len(node)).collect(),
            before: (0..nodes).map(|node| predecessors.row_len(node)).collect(),
            pieces: Pieces::new(graph.labels()),
            chains: folding != Folding::Siblings,
            siblings,
            agenda: Vec::new(),
        }
    }

    fn run(&mut self) {
        for unit in 0..self.units.len() as u32 {
            self.look_at(unit);
            while let Some(again) = self.agenda.pop() {
                self.look_at(again);
            }
        }
    }

    fn is_left(&self, unit: u32) -> bool {
        self.owner_of_head[self.units[unit as usize].head as usize] == unit
    }

    /// Makes a unit as long a chain as it can be, then looks for siblings of it.
    fn look_at(&mut self, unit: u32) {
        if !self.is_left(unit) {
            return;
        }
        let mut unit = unit;
        if self.chains {
            while let Some(next) = self.only_after(unit) {
                self.join(unit, next);
            }
            while let Some(last) = self.only_before(unit) {
                self.join(last, unit);
                unit = last;
            }
        }
        if let Some(sibling) = self.sibling_of(unit) {
            self.merge(sibling, unit);
        }
    }

    /// The unit that alone comes after this one, and that comes after no other.
    fn only_after(&self, unit: u32) -> Option<u32> {
        let tail = self.units[unit as usize].tail;
        if self.after[tail as usize] != 1 {
            return None;
        }
        let mut heads = self.successors.row(tail).iter();
        let head = heads.find(|&&head| self.owner_of_head[head as usize] != NONE);
        let head = *head.expect("one is counted");
        (self.before[head as usize] == 1).then(|| self.owner_of_head[head as usize])
    }

    /// The unit that alone comes before this one, and that comes before no other.
    fn only_before(&self, unit: u32) -> Option<u32> {
        let head = self.units[unit as usize].head;
        if self.before[head as usize] != 1 {
            return None;
        }
        let mut tails = self.predecessors.row(head).iter();
        let tail = tails.find(|&&tail| self.owner_of_tail[tail as usize] != NONE);
        let tail = *tail.expect("one is counted");
        (self.after[tail as usize] == 1).then(|| self.owner_of_tail[tail as usize])
    }

    /// Makes `after` a part of `before`.
    fn join(&mut self, before: u32, after: u32) {
        let next = self.units[after as usize];
        let unit = &mut self.units[before as usize];
        self.owner_of_tail[unit.tail as usize] = NONE;
        self.owner_of_head[next.head as usize] = NONE;
        self.owner_of_tail[next.tail as usize] = before;
        unit.tail = next.tail;
        unit.piece = self.pieces.join(unit.piece, next.piece);
    }

    /// What `unit` is to be merged with: what looks the same and has the same neighbours.
    fn sibling_of(&mut self, unit: u32) -> Option<u32> {
        let Self { siblings, pieces, units, owner_of_head, .. } = self;
        let Siblings { by_predecessors, by_successors, mixed, first, groups } =
            siblings.as_mut()?;
        let Unit { head, tail, piece } = units[unit as usize];
        if pieces.is_group(piece) || by_predecessors.is_alone(head) || by_successors.is_alone(tail)
        {
            // A group has met all that look like its members.
            return None;
        }
        let place = (by_predecessors.class(head), by_successors.class(tail));
        let there = first.entry(place).or_insert(unit);
        let other = units[*there as usize];
        let is_left = owner_of_head[other.head as usize] == *there;
        if (by_predecessors.class(other.head), by_successors.class(other.tail)) != place || !is_left
        {
            // It went into a chain, and will not be back.
            *there = unit;
        }
        if *there == unit {
            return None;
        }
        // A group stands where its members look for it already.
        let is_group = pieces.is_group(other.piece);
        let mut look = |piece| {
            let shape = if *mixed { ShapeId(NONE) } else { pieces.intern(piece) };
            (place.0, place.1, shape)
        };
        if !is_group {
            groups.entry(look(other.piece)).or_insert(*there);
        }
        let like = *groups.entry(look(piece)).or_insert(unit);
        (like != unit).then_some(like)
    }

    /// Makes `unit` a member of the group that `into` is or becomes.
    fn merge(&mut self, into: u32, unit: u32) {
        let Unit { head, tail, piece } = self.units[unit as usize];
        let group = &mut self.units[into as usize];
        if !self.pieces.is_group(group.piece) {
            group.piece = self.pieces.group(group.piece);
        }
        self.pieces.add(group.piece, piece);
        self.owner_of_head[head as usize] = NONE;
        self.owner_of_tail[tail as usize] = NONE;
        for &before in self.predecessors.row(head) {
            let count = &mut self.after[before as usize];
            *count -= 1;
            if *count == 1 && self.owner_of_tail[before as usize] != NONE {
                self.agenda.push(self.owner_of_tail[before as usize]);
            }
        }
        for &after in self.successors.row(tail) {
            let count = &mut self.before[after as usize];
            *count -= 1;
            if *count == 1 && self.owner_of_head[after as usize] != NONE {
                self.agenda.push(self.owner_of_head[after as usize]);
            }
        }
    }

    /// What is left, in the order of the smallest nodes, and the edges between.
    fn finish(mut self) -> Folded {
        let mut left: Vec<u32> =
            (0..self.units.len() as u32).filter(|&unit| self.is_left(unit)).collect();
        left.sort_unstable_by_key(|&unit| self.pieces.least(self.units[unit as usize].piece));
        let mut pieces = Vec::with_capacity(left.len());
        for &unit in &left {
            let piece = self.units[unit as usize].piece;
            self.pieces.intern(piece);
            pieces.push(piece);
        }
        // What owned a head is numbered anew by its place.
        let mut place_of = vec![NONE; self.units.len()];
        (0..).zip(&left).for_each(|(place, &unit)| place_of[unit as usize] = place);
        let mut lengths = Vec::with_capacity(left.len());
        let mut entries = Vec::new();
        for &unit in &left {
            let heads = self.successors.row(self.units[unit as usize].tail).iter();
            let owners = heads.map(|&head| self.owner_of_head[head as usize]);
            let before = entries.len();
            entries.extend(owners.filter(|&o| o != NONE).map(|owner| place_of[owner as usize]));
            lengths.push((entries.len() - before) as u32);
        }
        entries.shrink_to_fit();
        let successors = Rows::from_lengths(&lengths, entries);
        let predecessors = successors.transposed(left.len());
        let (shapes, placer) = self.pieces.finish();
        Folded { shapes, placer, pieces, successors, predecessors }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Shape;
    use std::collections::BTreeSet;

    const ALL: [Folding; 5] = [
        Folding::Nothing,
        Folding::Chains,
        Folding::Siblings,
        Folding::Fixpoint,
        Folding::SeriesParallel,
    ];

    /// Nodes and edges that are left by each way of folding.
    fn left(labels: &[u32], edges: &[(u32, u32)]) -> [(usize, usize); 5] {
        let graph = Graph::new(labels.to_vec(), edges).unwrap();
        ALL.map(|folding| {
            let folded = fold(&graph, folding);
            (folded.pieces.len(), folded.successors.entry_count())
        })
    }

    #[test]
    fn a_chain_is_one_node_whatever_its_labels() {
        let one = (1, 0);
        assert_eq!(left(&[1, 2, 3], &[(2, 0), (0, 1)]), [(3, 2), one, (3, 2), one, one]);
    }

    #[test]
    fn siblings_are_one_node_if_their_labels_are_the_same() {
        // Four beside each other, of which one is of another kind.
        let edges: Vec<_> = (1..5).flat_map(|node| [(0, node), (node, 5)]).collect();
        let kinds = [0, 1, 1, 2, 1, 0];
        assert_eq!(left(&kinds, &edges), [(6, 8), (6, 8), (4, 4), (4, 4), (1, 0)]);
        assert_eq!(left(&[0, 1, 1, 1, 1, 0], &edges)[3], (1, 0));
    }

    #[test]
    fn chains_beside_each_other_need_both_rules() {
        // 0 -> {1 -> 2, 3 -> 4, 5 -> 6} -> 7
        let edges: Vec<_> =
            [1, 3, 5].iter().flat_map(|&n| [(0, n), (n, n + 1), (n + 1, 7)]).collect();
        let kinds = [0, 1, 2, 1, 2, 1, 2, 0];
        assert_eq!(left(&kinds, &edges), [(8, 9), (5, 6), (8, 9), (1, 0), (1, 0)]);
        let graph = Graph::new(kinds.to_vec(), &edges).unwrap();
        let folded = fold(&graph, Folding::Fixpoint);
        let Shape::Series(parts) = folded.shapes.get(folded.placer.shape(folded.pieces[0])) else {
            panic!("a series");
        };
        let Shape::Parallel(inner) = folded.shapes.get(parts[1].shape) else { panic!("a group") };
        assert_eq!(inner[0].count, 3);
    }

    #[test]
    fn what_waits_for_a_late_sibling_waits() {
        // 0 -> {1, 2 -> {3, 4} -> 5} -> 6: 1 is never like 2..5, which fold among themselves.
        let edges = [(0, 1), (0, 2), (2, 3), (2, 4), (3, 5), (4, 5), (5, 6), (1, 6)];
        assert_eq!(left(&[0; 7], &edges)[3..], [(4, 4), (1, 0)]);
    }

    #[test]
    fn nodes_without_edges_are_siblings() {
        assert_eq!(left(&[5; 1000], &[]).map(|left| left.0), [1000, 1000, 1, 1, 1]);
        assert_eq!(left(&[], &[]), [(0, 0); 5]);
        assert_eq!(left(&[3], &[]), [(1, 0); 5]);
    }

    #[test]
    fn what_is_not_series_parallel_stays() {
        // The N of Valdes, Tarjan and Lawler.
        assert_eq!(left(&[0; 4], &[(0, 2), (1, 2), (1, 3)]), [(4, 3); 5]);
    }

    /// What is left by the definition: all chains, then all siblings, and so on, each time looking
    /// at everything. Looks are spelt out.
    fn left_by_definition(labels: &[u32], edges: &[(u32, u32)], mixed: bool) -> (usize, usize) {
        let mut looks: Vec<Option<String>> = labels.iter().map(|l| Some(l.to_string())).collect();
        let mut edges: BTreeSet<(usize, usize)> =
            edges.iter().map(|&(from, to)| (from as usize, to as usize)).collect();
        loop {
            let side = |node: usize, out: bool| -> Vec<usize> {
                let turn =
                    move |&(from, to): &(usize, usize)| if out { (from, to) } else { (to, from) };
                edges.iter().map(turn).filter(|edge| edge.0 == node).map(|edge| edge.1).collect()
            };
            let chain = edges
                .iter()
                .find(|&&(from, to)| side(from, true).len() == 1 && side(to, false).len() == 1);
            if let Some(&(from, to)) = chain {
                let [a, b] = [from, to].map(|node| looks[node].take().unwrap());
                let inside = |look: String| {
                    look.strip_prefix("s[")
                        .map_or(look.clone(), |rest| rest[..rest.len() - 1].to_owned())
                };
                looks[from] = Some(format!("s[{},{}]", inside(a), inside(b)));
                let moved = |&(a, b): &(usize, usize)| if a == to { (from, b) } else { (a, b) };
                edges.remove(&(from, to));
                edges = edges.iter().map(moved).collect();
                continue;
            }
            let key = |node: usize| {
                let look = looks[node].clone().filter(|_| !mixed);
                (look, side(node, false), side(node, true))
            };
            let nodes: Vec<usize> = (0..looks.len()).filter(|&n| looks[n].is_some()).collect();
            let like = |&&node: &&usize| nodes.iter().filter(|&&n| key(n) == key(node)).count() > 1;
            let Some(&first) = nodes.iter().find(like) else { return (nodes.len(), edges.len()) };
            let group: Vec<usize> =
                nodes.iter().copied().filter(|&node| key(node) == key(first)).collect();
            let mut parts: Vec<String> =
                group.iter().map(|&node| looks[node].take().unwrap()).collect();
            parts.sort();
            looks[first] = Some(format!("p[{}]", parts.join("|")));
            edges.retain(|(from, to)| {
                let is_gone = |node| group.contains(node) && *node != first;
                !is_gone(from) && !is_gone(to)
            });
        }
    }

    #[test]
    fn random_graphs_fold_as_by_the_definition() {
        let mut state = 2;
        let mut draw = |below: u32| {
            state = model::hash::mix(state);
            (state % u64::from(below)) as u32
        };
        for round in 0..3_000 {
            let nodes = 1 + draw(14);
            let labels: Vec<u32> = (0..nodes).map(|_| draw(1 + round % 3)).collect();
            let pairs = (0..nodes).flat_map(|from| (from + 1..nodes).map(move |to| (from, to)));
            let sparse = 2 + draw(8);
            let edges: Vec<_> = pairs.filter(|_| draw(sparse) == 0).collect();
            let found = left(&labels, &edges);
            for (place, mixed) in [(3, false), (4, true)] {
                let expected = left_by_definition(&labels, &edges, mixed);
                assert_eq!(found[place], expected, "{labels:?} {edges:?}");
            }
        }
    }

    #[test]
    fn a_chain_of_diamonds_and_a_deep_nest_fold_to_one_node_in_linear_time() {
        let count = 100_000;
        let diamonds: Vec<_> = (0..count)
            .flat_map(|n| {
                let n = 3 * n;
                [(n, n + 1), (n, n + 2), (n + 1, n + 3), (n + 2, n + 3)]
            })
            .collect();
        assert_eq!(left(&vec![0; 3 * count as usize + 1], &diamonds)[3..], [(1, 0), (1, 0)]);
        // Each level is a node, then the rest beside another node, then a node.
        let nodes = 3 * count + 1;
        let nest: Vec<_> = (0..count)
            .flat_map(|level| {
                let (begin, side, end) = (level, count + level, nodes - 1 - level);
                let inner = if level + 1 < count { level + 1 } else { 2 * count };
                [(begin, inner), (end - 1, end), (begin, side), (side, end)]
            })
            .collect();
        let graph = Graph::new(vec![0; nodes as usize], &nest).unwrap();
        assert_eq!(fold(&graph, Folding::SeriesParallel).pieces.len(), 1);
    }
}
