//! Graphs that somebody made to hurt: a million nodes in a row, side by side, or one inside the
//! other. They take seconds at most, never recurse, and come back as they were.

use compiler::{Compressed, Folding, Graph, Method, compress};

const MILLION: u32 = 1_000_000;

const METHODS: [Method; 5] = [
    Method::fold(Folding::Nothing),
    Method::fold(Folding::Fixpoint),
    Method::fold(Folding::SeriesParallel),
    Method::QUOTIENT,
    Method::FIXPOINT_QUOTIENT,
];

/// Compresses, makes sure that nothing is lost, and says how many classes and bytes are left.
fn left(labels: Vec<u32>, edges: &[(u32, u32)]) -> Vec<(usize, u64)> {
    let graph = Graph::new(labels, edges).expect("it is a graph");
    let compressed = METHODS.map(|method| compress(&graph, method));
    let left = |compressed: &Compressed| {
        assert_eq!(compressed.check(&graph), Ok(()));
        (compressed.class_count(), compressed.bytes())
    };
    compressed.iter().map(left).collect()
}

#[test]
fn a_million_nodes_in_a_row() {
    let edges: Vec<_> = (1..MILLION).map(|node| (node - 1, node)).collect();
    let like = left(vec![7; MILLION as usize], &edges);
    assert!(like[1..].iter().all(|&(classes, bytes)| classes == 1 && bytes < 200), "{like:?}");
    let unlike = left((0..MILLION).collect(), &edges);
    assert!(unlike[1..].iter().all(|left| left.0 == 1), "{unlike:?}");
}

#[test]
fn a_million_nodes_side_by_side() {
    let like = left(vec![7; MILLION as usize], &[]);
    assert!(like[1..].iter().all(|&(classes, bytes)| classes == 1 && bytes < 200), "{like:?}");
    let unlike = left((0..MILLION).collect(), &[]);
    let classes: Vec<usize> = unlike.iter().map(|left| left.0).collect();
    let all = MILLION as usize;
    assert_eq!(classes, [all, all, 1, all, all]);
}

#[test]
fn a_star_and_one_that_is_turned() {
    let edges: Vec<_> = (1..MILLION).flat_map(|node| [(0, node), (node, MILLION)]).collect();
    let found = left(vec![0; MILLION as usize + 1], &edges);
    assert!(found[1..].iter().all(|&(classes, bytes)| classes <= 3 && bytes < 300), "{found:?}");
}

#[test]
fn a_nest_of_nodes_beside_nodes() {
    // Level by level: begin -> {the rest, a node} -> end.
    let levels = 100_000;
    let nodes = 3 * levels + 1;
    let edges: Vec<_> = (0..levels)
        .flat_map(|level| {
            let (begin, side, end) = (level, levels + level, nodes - 1 - level);
            let inner = if level + 1 < levels { level + 1 } else { 2 * levels };
            [(begin, inner), (end - 1, end), (begin, side), (side, end)]
        })
        .collect();
    let found = left(vec![0; nodes as usize], &edges);
    assert_eq!(found[2].0, 1);
}

#[test]
fn a_tree_of_twenty_levels() {
    let nodes = (1 << 20) - 1;
    let down: Vec<_> = (1..nodes).map(|node| ((node - 1) / 2, node)).collect();
    let found = left(vec![0; nodes as usize], &down);
    assert!(found[1..].iter().all(|left| left.0 <= 20), "{found:?}");
    let up: Vec<_> = down.iter().map(|&(from, to)| (nodes - 1 - from, nodes - 1 - to)).collect();
    let up: Vec<_> = up.iter().map(|&(from, to)| (to, from)).collect();
    let found = left(vec![0; nodes as usize], &up);
    assert!(found[1..].iter().all(|left| left.0 <= 20), "{found:?}");
}

#[test]
fn a_grid_of_waves() {
    // Each node waits for the one above and the one to the left.
    let side = 700;
    let at = |row: u32, column: u32| row * side + column;
    let cells = (0..side).flat_map(|row| (0..side).map(move |column| (row, column)));
    let edges: Vec<_> = cells
        .flat_map(|(row, column)| {
            let down = (row + 1 < side).then(|| (at(row, column), at(row + 1, column)));
            let right = (column + 1 < side).then(|| (at(row, column), at(row, column + 1)));
            down.into_iter().chain(right)
        })
        .collect();
    left(vec![0; (side * side) as usize], &edges);
}

#[test]
fn a_butterfly_of_sixteen_stages() {
    let (stages, width) = (16, 1u32 << 15);
    let edges: Vec<_> = (1..stages)
        .flat_map(|stage| {
            (0..width).flat_map(move |line| {
                let before = (stage - 1) * width;
                let partner = line ^ 1 << (stage - 1);
                let node = stage * width + line;
                [(before + line, node), (before + partner, node)]
            })
        })
        .collect();
    let found = left(vec![0; (stages * width) as usize], &edges);
    assert_eq!(found[3].0, stages as usize);
}

#[test]
fn a_cycle_of_a_million_is_refused() {
    let edges: Vec<_> = (0..MILLION).map(|node| (node, (node + 1) % MILLION)).collect();
    assert!(Graph::new(vec![0; MILLION as usize], &edges).is_err());
}
