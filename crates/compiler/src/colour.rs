//! Colour refinement: the coarsest classes of nodes such that two nodes of a class have the same
//! label and, for every class, as many predecessors and as many successors in it.
//!
//! Worklist of splitters with "all but the largest" (Hopcroft 1971; Paige and Tarjan 1987; with
//! counts: Cardon and Crochemore 1982; bounds: Berkholz, Bonsma and Grohe 2017), so it takes
//! O((nodes + edges) log nodes). The classes depend on the graph alone, not on how its nodes are
//! numbered. They never claim that nodes of a class are symmetrical, only that counting cannot
//! tell them apart: who joins whom is checked where edges are put into rules.

use alloc::vec;
use alloc::vec::Vec;

use crate::rows::Rows;

/// Classes of nodes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Colours {
    /// The class of each node. Classes are numbered by their smallest nodes.
    pub(crate) class_of: Vec<u32>,
    /// How many classes there are.
    pub(crate) count: u32,
}

impl Colours {
    /// Each node in a class of its own.
    pub(crate) fn discrete(nodes: usize) -> Self {
        Self { class_of: (0..nodes as u32).collect(), count: nodes as u32 }
    }

    /// The coarsest classes that nothing splits any more.
    pub(crate) fn refine(labels: &[u32], successors: &Rows, predecessors: &Rows) -> Self {
        let mut partition = Partition::new(labels, successors, predecessors);
        while let Some(splitter) = partition.agenda.pop() {
            partition.waits[splitter as usize] = false;
            let (begin, end) = partition.bounds[splitter as usize];
            partition.splitter.clear();
            partition.splitter.extend_from_slice(&partition.nodes[begin as usize..end as usize]);
            // No edge joins two nodes of a class, so neither direction splits the splitter.
            partition.split_by(successors);
            partition.split_by(predecessors);
        }
        partition.finish()
    }
}

struct Partition {
    /// All nodes, class by class.
    nodes: Vec<u32>,
    /// Of each node where it stands in `nodes`, and its class.
    place: Vec<u32>,
    class_of: Vec<u32>,
    /// Of each node whether nothing splits its class any more, since it has no other. It is most
    /// of what is looked at where a graph is irregular, and so has an array that stays in reach.
    alone: Vec<bool>,
    /// Of each class where it begins and ends in `nodes`, whether it is on the agenda, and how
    /// many of its nodes the splitter touches: these stand first.
    bounds: Vec<(u32, u32)>,
    waits: Vec<bool>,
    touched: Vec<u32>,
    agenda: Vec<u32>,
    /// Of each node how many edges join it to the splitter.
    counts: Vec<u32>,
    splitter: Vec<u32>,
    touched_nodes: Vec<u32>,
    touched_classes: Vec<u32>,
}

impl Partition {
    /// Splits by what refinement would find anyway, as it is cheap: the label, the longest path
    /// from a beginning and to an end, the numbers of neighbours. Because of the paths no edge
    /// joins two nodes of a class.
    fn new(labels: &[u32], successors: &Rows, predecessors: &Rows) -> Self {
        let depths = longest_paths(successors, predecessors);
        let heights = longest_paths(predecessors, successors);
        let count = labels.len() as u32;
        let mut keys: Vec<_> = (0..count)
            .map(|node| {
                let index = node as usize;
                let paths = (labels[index], depths[index], heights[index]);
                (paths, successors.row_len(node), predecessors.row_len(node), node)
            })
            .collect();
        keys.sort_unstable();
        let nodes: Vec<u32> = keys.iter().map(|key| key.3).collect();
        let mut partition = Self {
            place: vec![0; nodes.len()],
            class_of: vec![0; nodes.len()],
            alone: vec![false; nodes.len()],
            counts: vec![0; nodes.len()],
            bounds: Vec::new(),
            waits: Vec::new(),
            touched: Vec::new(),
            agenda: Vec::new(),
            splitter: Vec::new(),
            touched_nodes: Vec::new(),
            touched_classes: Vec::new(),
            nodes,
        };
        let mut begin = 0;
        for class in keys.chunk_by(|a, b| (a.0, a.1, a.2) == (b.0, b.1, b.2)) {
            let end = begin + class.len() as u32;
            let class = partition.add_class(begin, end);
            partition.call(class);
            begin = end;
        }
        partition
    }

    /// Makes the nodes that stand at `begin..end` a class.
    fn add_class(&mut self, begin: u32, end: u32) -> u32 {
        let class = self.bounds.len() as u32;
        self.bounds.push((begin, end));
        self.waits.push(false);
        self.touched.push(0);
        for place in begin..end {
            let node = self.nodes[place as usize] as usize;
            self.place[node] = place;
            self.class_of[node] = class;
        }
        self.note_alone(begin, end);
        class
    }

    fn note_alone(&mut self, begin: u32, end: u32) {
        if begin + 1 == end {
            self.alone[self.nodes[begin as usize] as usize] = true;
        }
    }

    /// Puts a class on the agenda, if it is not there.
    fn call(&mut self, class: u32) {
        if !core::mem::replace(&mut self.waits[class as usize], true) {
            self.agenda.push(class);
        }
    }

    /// Splits every class by how many edges come to its nodes from the splitter along `edges`.
    fn split_by(&mut self, edges: &Rows) {
        for at in 0..self.splitter.len() {
            for &node in edges.row(self.splitter[at]) {
                if self.alone[node as usize] {
                    continue;
                }
                let count = &mut self.counts[node as usize];
                if *count == 0 {
                    self.touched_nodes.push(node);
                }
                *count += 1;
            }
        }
        for at in 0..self.touched_nodes.len() {
            self.touch(self.touched_nodes[at]);
        }
        while let Some(class) = self.touched_classes.pop() {
            self.split(class);
        }
        while let Some(node) = self.touched_nodes.pop() {
            self.counts[node as usize] = 0;
        }
    }

    /// Moves a node in front of those of its class that are not touched.
    fn touch(&mut self, node: u32) {
        let class = self.class_of[node as usize];
        let touched = &mut self.touched[class as usize];
        if *touched == 0 {
            self.touched_classes.push(class);
        }
        let front = self.bounds[class as usize].0 + *touched;
        *touched += 1;
        let place = self.place[node as usize];
        let other = self.nodes[front as usize];
        self.nodes.swap(front as usize, place as usize);
        self.place[node as usize] = front;
        self.place[other as usize] = place;
    }

    /// Splits a class by the counts of its nodes. The largest part need not be looked at unless
    /// the whole class waited to be: counts to the whole and to all other parts tell those to it.
    fn split(&mut self, class: u32) {
        let (begin, end) = self.bounds[class as usize];
        let middle = begin + core::mem::take(&mut self.touched[class as usize]);
        let front = &mut self.nodes[begin as usize..middle as usize];
        let counts = &self.counts;
        let count = |node: u32| counts[node as usize];
        let first = count(front[0]);
        if front.iter().all(|&node| count(node) == first) {
            if middle == end {
                return;
            }
        } else {
            front.sort_unstable_by_key(|&node| count(node));
        }
        // Parts as (begin, end). What is not touched keeps the number, since it has not to be
        // looked at for that; if all is touched, the largest part keeps it.
        let mut parts = Vec::new();
        let mut at = begin;
        for part in front.chunk_by(|&a, &b| count(a) == count(b)) {
            parts.push((at, at + part.len() as u32));
            at += part.len() as u32;
        }
        let size = |&(begin, end): &(u32, u32)| end - begin;
        if middle < end {
            self.bounds[class as usize] = (middle, end);
        } else {
            let largest = (0..parts.len()).max_by_key(|&part| size(&parts[part])).unwrap_or(0);
            let kept = parts.swap_remove(largest);
            self.bounds[class as usize] = kept;
            for place in kept.0..kept.1 {
                self.place[self.nodes[place as usize] as usize] = place;
            }
        }
        let (begin, end) = self.bounds[class as usize];
        self.note_alone(begin, end);
        let first_new = self.bounds.len() as u32;
        for (begin, end) in parts {
            self.add_class(begin, end);
        }
        let new = first_new..self.bounds.len() as u32;
        let largest = new.clone().chain([class]).max_by_key(|&part| {
            let size = size(&self.bounds[part as usize]);
            (size, part == class)
        });
        let spared = if self.waits[class as usize] { None } else { largest };
        for part in new.chain([class]).filter(|&part| Some(part) != spared) {
            self.call(part);
        }
    }

    /// Numbers the classes by their smallest nodes.
    fn finish(self) -> Colours {
        let mut number_of = vec![u32::MAX; self.bounds.len()];
        let mut count = 0;
        let mut class_of = self.class_of;
        for class in &mut class_of {
            let number = &mut number_of[*class as usize];
            if *number == u32::MAX {
                *number = count;
                count += 1;
            }
            *class = *number;
        }
        Colours { class_of, count }
    }
}

/// Of each node the number of edges on the longest path to it.
fn longest_paths(successors: &Rows, predecessors: &Rows) -> Vec<u32> {
    let mut depths = vec![0; successors.len()];
    let mut waiting: Vec<u32> = predecessors.iter().map(|(_, row)| row.len() as u32).collect();
    let mut free: Vec<u32> = (0..).zip(&waiting).filter(|x| *x.1 == 0).map(|x| x.0).collect();
    while let Some(node) = free.pop() {
        let depth = depths[node as usize] + 1;
        for &next in successors.row(node) {
            let next_depth = &mut depths[next as usize];
            *next_depth = depth.max(*next_depth);
            waiting[next as usize] -= 1;
            if waiting[next as usize] == 0 {
                free.push(next);
            }
        }
    }
    depths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refine(labels: &[u32], edges: &[(u32, u32)]) -> Vec<u32> {
        let successors = Rows::new(labels.len(), edges);
        let predecessors = successors.transposed(labels.len());
        Colours::refine(labels, &successors, &predecessors).class_of
    }

    /// The definition, step by step, until nothing changes.
    fn refine_by_definition(labels: &[u32], edges: &[(u32, u32)]) -> Vec<u32> {
        let mut colours = labels.to_vec();
        loop {
            let look = |node: u32| {
                let side = |other: fn(&(u32, u32)) -> (u32, u32)| {
                    let mut side: Vec<u32> = edges
                        .iter()
                        .map(other)
                        .filter(|x| x.0 == node)
                        .map(|x| colours[x.1 as usize])
                        .collect();
                    side.sort_unstable();
                    side
                };
                (colours[node as usize], side(|e| *e), side(|e| (e.1, e.0)))
            };
            let looks: Vec<_> = (0..labels.len() as u32).map(look).collect();
            let mut distinct: Vec<_> = looks.iter().collect();
            distinct.sort_unstable();
            distinct.dedup();
            let place = |look| distinct.binary_search(&look).unwrap() as u32;
            let next: Vec<u32> = looks.iter().map(place).collect();
            let mut before = colours.clone();
            before.sort_unstable();
            before.dedup();
            let stable = before.len() == distinct.len();
            colours = next;
            if stable {
                return colours;
            }
        }
    }

    #[test]
    fn what_counting_tells_apart_is_apart() {
        // Two pairs, and a fan of two.
        let edges = [(0, 1), (2, 3), (4, 5), (4, 6)];
        assert_eq!(refine(&[0; 7], &edges), [0, 1, 0, 1, 2, 3, 3]);
        assert_eq!(refine(&[0, 0, 1, 0, 0, 0, 0], &edges), [0, 1, 2, 3, 4, 5, 5]);
        assert_eq!(refine(&[], &[]), [0; 0]);
    }

    #[test]
    fn a_long_chain_has_a_class_for_each_node() {
        let edges: Vec<_> = (1..2_000).map(|node| (node - 1, node)).collect();
        assert_eq!(refine(&[0; 2_000], &edges), (0..2_000).collect::<Vec<_>>());
    }

    #[test]
    fn random_graphs_get_the_classes_of_the_definition() {
        let mut state = 1;
        let mut draw = |below: u32| {
            state = model::hash::mix(state);
            (state % u64::from(below)) as u32
        };
        for _ in 0..300 {
            let nodes = 2 + draw(24);
            let labels: Vec<_> = (0..nodes).map(|_| draw(2)).collect();
            let mut edges = Vec::new();
            for _ in 0..draw(40) {
                let (a, b) = (draw(nodes), draw(nodes));
                if a < b {
                    edges.push((a, b));
                }
            }
            edges.sort_unstable();
            edges.dedup();
            let (found, expected) =
                (refine(&labels, &edges), refine_by_definition(&labels, &edges));
            let pairs = (0..nodes as usize).flat_map(|a| (0..a).map(move |b| (a, b)));
            for (a, b) in pairs {
                let (is, should) = (found[a] == found[b], expected[a] == expected[b]);
                assert_eq!(is, should, "{labels:?} {edges:?} {a} {b}");
            }
        }
    }
}
