//! Whatever the graph: nothing is lost, nothing grows, and how nodes are numbered does not matter.
//!
//! Graphs are drawn of the kinds that matter (any, series-parallel, arrays, copies of a part), and
//! all small ones are tried. Only what is public is used.

use compiler::{Compressed, Folding, Graph, Method, Report, compress};
use proptest::collection::vec;
use proptest::prelude::*;

const FOLDINGS: [Folding; 5] = [
    Folding::Nothing,
    Folding::Chains,
    Folding::Siblings,
    Folding::Fixpoint,
    Folding::SeriesParallel,
];

#[derive(Clone, Debug, Default)]
struct Drawn {
    labels: Vec<u32>,
    edges: Vec<(u32, u32)>,
}

impl Drawn {
    fn graph(&self) -> Graph {
        Graph::new(self.labels.clone(), &self.edges).expect("what is drawn is a graph")
    }

    /// The same with other numbers: node `n` becomes the place of `n` among `order`.
    fn renumbered(&self, order: &[u64]) -> Self {
        let mut nodes: Vec<usize> = (0..self.labels.len()).collect();
        nodes.sort_by_key(|&node| (order.get(node), node));
        let mut number = vec![0; nodes.len()];
        (0..).zip(&nodes).for_each(|(new, &node)| number[node] = new);
        let new = |node: u32| number[node as usize];
        Self {
            labels: nodes.iter().map(|&node| self.labels[node]).collect(),
            edges: self.edges.iter().map(|&(from, to)| (new(from), new(to))).collect(),
        }
    }

    fn node(&mut self, label: u32) -> u32 {
        self.labels.push(label);
        self.labels.len() as u32 - 1
    }

    fn join(&mut self, from: &[u32], to: &[u32]) {
        let pairs = from.iter().flat_map(|&from| to.iter().map(move |&to| (from, to)));
        self.edges.extend(pairs);
    }
}

/// Any graph: edges lead from smaller to larger numbers, of which there are few or many.
fn any_graph() -> impl Strategy<Value = Drawn> {
    (1u32..4, 1usize..40, 0.0..1.0).prop_flat_map(|(kinds, nodes, share)| {
        let pairs = nodes * (nodes - 1) / 2;
        let labels = vec(0..kinds, nodes);
        let edges = vec(prop::bool::weighted(share * share), pairs);
        (labels, edges).prop_map(|(labels, taken)| {
            let nodes = labels.len() as u32;
            let pairs = (0..nodes).flat_map(|from| (from + 1..nodes).map(move |to| (from, to)));
            let edges = pairs.zip(taken).filter(|pair| pair.1).map(|pair| pair.0).collect();
            Drawn { labels, edges }
        })
    })
}

/// A series-parallel graph, as a tree of which each inner node says how its parts are joined.
#[derive(Clone, Debug)]
enum Tree {
    Task(u32),
    Series(Vec<Tree>),
    Parallel(Vec<Tree>),
    Copies(Box<Tree>, u32),
}

fn tree() -> impl Strategy<Value = Tree> {
    (0u32..3).prop_map(Tree::Task).prop_recursive(5, 60, 4, |part| {
        let parts = vec(part.clone(), 1..4);
        prop_oneof![
            parts.clone().prop_map(Tree::Series),
            parts.prop_map(Tree::Parallel),
            (part, 2u32..4).prop_map(|(part, count)| Tree::Copies(Box::new(part), count)),
        ]
    })
}

/// Adds a tree, and gives its beginnings and its ends.
fn grow(tree: &Tree, drawn: &mut Drawn) -> (Vec<u32>, Vec<u32>) {
    match tree {
        Tree::Task(label) => {
            let node = drawn.node(*label);
            (vec![node], vec![node])
        }
        Tree::Series(parts) => {
            let mut grown = parts.iter().map(|part| grow(part, drawn)).collect::<Vec<_>>();
            for pair in grown.windows(2) {
                drawn.join(&pair[0].1, &pair[1].0);
            }
            let ends = grown.last().expect("there are parts").1.clone();
            (grown.swap_remove(0).0, ends)
        }
        Tree::Parallel(parts) => {
            let grown: Vec<_> = parts.iter().map(|part| grow(part, drawn)).collect();
            side_by_side(grown)
        }
        Tree::Copies(part, count) => {
            let grown: Vec<_> = (0..*count).map(|_| grow(part, drawn)).collect();
            side_by_side(grown)
        }
    }
}

fn side_by_side(grown: Vec<(Vec<u32>, Vec<u32>)>) -> (Vec<u32>, Vec<u32>) {
    let (begins, ends): (Vec<_>, Vec<_>) = grown.into_iter().unzip();
    (begins.concat(), ends.concat())
}

fn series_parallel() -> impl Strategy<Value = Drawn> {
    tree().prop_map(|tree| {
        let mut drawn = Drawn::default();
        grow(&tree, &mut drawn);
        drawn
    })
}

/// Jobs of stages, each stage joined to the one before by one of `rules`; they may end in one node.
fn arrays(rules: std::ops::Range<u8>) -> impl Strategy<Value = (Drawn, usize)> {
    let stages = vec((rules, 1u32..4), 1..5);
    (1u32..4, 1u32..4, stages, any::<bool>()).prop_map(|(jobs, width, stages, ends)| {
        let mut drawn = Drawn::default();
        let end = ends.then(|| drawn.node(90));
        for _ in 0..jobs {
            let mut before = vec![drawn.node(91)];
            for (number, &(rule, factor)) in (0..).zip(&stages) {
                before = stage_after(&mut drawn, &before, (rule, number), width * factor);
            }
            drawn.join(&before, &Vec::from_iter(end));
        }
        (drawn, 1 + stages.len() + usize::from(ends))
    })
}

fn stage_after(drawn: &mut Drawn, before: &[u32], rule: (u8, u32), width: u32) -> Vec<u32> {
    let count = before.len() as u32;
    let count_of_next = match rule.0 {
        0 => count * width,
        1 => 1,
        _ => count,
    };
    let next: Vec<u32> = (0..count_of_next).map(|_| drawn.node(rule.1)).collect();
    for (at, &node) in (0..).zip(&next) {
        let from: Vec<u32> = match rule.0 {
            0 => vec![before[(at / width) as usize]],
            1 | 2 => before.to_vec(),
            3 => vec![before[at as usize]],
            4 => vec![before[((at + 1) % count) as usize]],
            _ => before.iter().copied().skip(at as usize / 2 * 2).take(2).collect(),
        };
        drawn.join(&from, &[node]);
    }
    next
}

/// Copies of any graph, all of which begin or end in common nodes, or do not.
fn copies() -> impl Strategy<Value = Drawn> {
    (any_graph(), 2u32..5, any::<bool>(), any::<bool>()).prop_map(|(part, count, begins, ends)| {
        let mut drawn = Drawn::default();
        let size = part.labels.len() as u32;
        for copy in 0..count {
            drawn.labels.extend(&part.labels);
            let begin = copy * size;
            drawn.edges.extend(part.edges.iter().map(|&(from, to)| (begin + from, begin + to)));
        }
        let all: Vec<u32> = (0..drawn.labels.len() as u32).collect();
        let begin = begins.then(|| drawn.node(70));
        let end = ends.then(|| drawn.node(71));
        let is_free = |side: fn(&(u32, u32)) -> u32, node: &u32| {
            !drawn.edges.iter().any(|edge| side(edge) == *node)
        };
        let firsts: Vec<u32> = all.iter().copied().filter(|n| is_free(|e| e.1, n)).collect();
        let lasts: Vec<u32> = all.iter().copied().filter(|n| is_free(|e| e.0, n)).collect();
        drawn.join(&Vec::from_iter(begin), &firsts);
        drawn.join(&lasts, &Vec::from_iter(end));
        drawn
    })
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let kinds = prop_oneof![
        any_graph(),
        series_parallel(),
        arrays(0..6).prop_map(|(drawn, _)| drawn),
        copies(),
    ];
    (kinds, vec(any::<u64>(), 0..200)).prop_map(|(drawn, order)| drawn.renumbered(&order))
}

/// Compresses in every way. What must hold of each alone is checked here.
fn in_all_ways(graph: &Graph) -> Vec<[Compressed; 2]> {
    let way = |folding, quotient| {
        let compressed = compress(graph, Method { folding, quotient });
        assert_eq!(compressed.check(graph), Ok(()), "{graph:?}");
        assert_eq!(compressed.expand(), *graph);
        compressed
    };
    FOLDINGS.map(|folding| [false, true].map(|quotient| way(folding, quotient))).into()
}

fn nodes_left(ways: &[[Compressed; 2]]) -> Vec<[usize; 2]> {
    ways.iter().map(|ways| [0, 1].map(|at| ways[at].class_count())).collect()
}

/// Of what is left after folding alone, edges too are a matter of the graph and not of its numbers.
fn edges_left(ways: &[[Compressed; 2]]) -> Vec<u64> {
    ways.iter().map(|ways| ways[0].edge_count()).collect()
}

/// Each node is in one member, at a leaf of its own label.
fn check_members(graph: &Graph, compressed: &Compressed) {
    let mut seen = vec![false; graph.len()];
    for (number, class) in (0..).zip(compressed.classes()) {
        assert_eq!(compressed.class(number).shape(), class.shape());
        for member in 0..class.len() {
            for node in class.nodes(member) {
                assert!(!std::mem::replace(&mut seen[node as usize], true));
            }
        }
    }
    assert!(seen.into_iter().all(|seen| seen));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn nothing_is_lost_and_nothing_grows(drawn in drawn()) {
        let graph = drawn.graph();
        let ways = in_all_ways(&graph);
        for (folding, [folded, quotient]) in FOLDINGS.iter().zip(&ways) {
            let [folded, quotient] = [folded, quotient].map(|way| {
                check_members(&graph, way);
                Report::new(&graph, way)
            });
            prop_assert!(folded.after.nodes <= folded.before.nodes, "{folding:?}");
            prop_assert!(folded.after.edges <= folded.before.edges, "{folding:?}");
            prop_assert!(quotient.after.nodes <= folded.after.nodes, "{folding:?}");
            prop_assert!(quotient.after.edges <= folded.after.edges, "{folding:?}");
        }
        let left = nodes_left(&ways);
        let [nothing, chains, siblings, fixpoint, whole] = left[..] else { unreachable!() };
        prop_assert_eq!(nothing[0], graph.len());
        prop_assert!(fixpoint[0] <= chains[0].min(siblings[0]) && whole[0] <= fixpoint[0]);
    }

    #[test]
    fn how_nodes_are_numbered_does_not_matter(drawn in drawn(), order in vec(any::<u64>(), 200)) {
        let (one, other) = (drawn.graph(), drawn.renumbered(&order).graph());
        let (one, other) = (in_all_ways(&one), in_all_ways(&other));
        prop_assert_eq!(nodes_left(&one), nodes_left(&other));
        prop_assert_eq!(edges_left(&one), edges_left(&other));
    }

    #[test]
    fn series_parallel_graphs_become_one_node(drawn in series_parallel()) {
        let method = Method::fold(Folding::SeriesParallel);
        prop_assert_eq!(compress(&drawn.graph(), method).class_count(), 1);
    }

    #[test]
    fn jobs_of_regular_stages_leave_a_node_and_an_edge_a_stage(
        (drawn, stages) in arrays(0..4),
        order in vec(any::<u64>(), 400),
    ) {
        // Fan-out, fan-in, all to all and one to one, nested as it comes, numbered at random.
        let graph = drawn.renumbered(&order).graph();
        let method = Method { folding: Folding::Nothing, quotient: true };
        let compressed = compress(&graph, method);
        prop_assert_eq!(compressed.check(&graph), Ok(()));
        prop_assert_eq!(compressed.class_count(), stages);
        prop_assert_eq!(compressed.edge_count(), stages as u64 - 1);
    }

    #[test]
    fn what_is_no_graph_is_refused(nodes in 0usize..12, edges in vec((0u32..14, 0u32..14), 0..40)) {
        // Never a panic; and what is taken is compressed without a loss.
        if let Ok(graph) = Graph::new(vec![0; nodes], &edges) {
            in_all_ways(&graph);
        }
    }
}

#[test]
fn every_graph_of_up_to_five_nodes_comes_back() {
    for nodes in 0..=5u32 {
        let pairs: Vec<(u32, u32)> =
            (0..nodes).flat_map(|from| (from + 1..nodes).map(move |to| (from, to))).collect();
        for taken in 0u32..1 << pairs.len() {
            let taken = |at: &usize| taken >> at & 1 == 1;
            let edges: Vec<_> = (0..pairs.len()).filter(taken).map(|at| pairs[at]).collect();
            // All labels the same, all apart, and some of each.
            for labels in [[0; 5], [0, 1, 2, 3, 4], [0, 0, 1, 1, 0], [0, 1, 0, 1, 1]] {
                let labels = labels[..nodes as usize].to_vec();
                in_all_ways(&Graph::new(labels, &edges).unwrap());
            }
        }
    }
}
