//! Members that only crooked bundles tell apart: ordered by the places of what leads to them.
//!
//! It puts the pairs of a block in their order, and equal blocks in an equal order.

use alloc::vec;
use alloc::vec::Vec;

use super::parts::Parts;
use crate::bundle::Bundles;
use crate::rows::Rows;

/// Orders tied members by the places of their predecessors in crooked bundles, class by class, so
/// that predecessors have their places before. O(edges), but for sorting.
pub(super) fn straighten(ordered: Rows, parts: &Parts, crooked: &[u32], bundles: &Bundles) -> Rows {
    if crooked.is_empty() {
        return ordered;
    }
    let into: Vec<_> = crooked.iter().map(|&at| (bundles.list[at as usize].target, at)).collect();
    let into = Rows::new(ordered.len(), &into);
    let mut place: Vec<u32> = vec![0; ordered.entry_count()];
    let mut rows = vec![Vec::new(); ordered.len()];
    for class in topological_order(ordered.len(), bundles) {
        let mut row = ordered.row(class).to_vec();
        (0..).zip(&row).for_each(|(at, &member)| place[member as usize] = at);
        let is_tied = row.windows(2).any(|pair| parts.are_tied(pair[0], pair[1]));
        if is_tied && into.row_len(class) > 0 {
            let keys = places_of_predecessors(into.row(class), row.len(), &place, bundles);
            for run in row.chunk_by_mut(|&a, &b| parts.are_tied(a, b)) {
                run.sort_by_key(|&member| keys.row(place[member as usize]));
            }
            (0..).zip(&row).for_each(|(at, &member)| place[member as usize] = at);
        }
        rows[class as usize] = row;
    }
    let lengths: Vec<u32> = rows.iter().map(|row| row.len() as u32).collect();
    Rows::from_lengths(&lengths, rows.concat())
}

/// For each member of a class, by its place, the places of its predecessors in some bundles, bundle
/// by bundle. Every member has as many of each bundle, so that the rows can be compared.
fn places_of_predecessors(into: &[u32], members: usize, place: &[u32], bundles: &Bundles) -> Rows {
    let mut found = Vec::new();
    for &bundle in into {
        for &(from, to) in bundles.edges(&bundles.list[bundle as usize]) {
            found.push((place[to as usize], bundle, place[from as usize]));
        }
    }
    found.sort_unstable();
    let pairs: Vec<_> = found.into_iter().map(|(to, _, from)| (to, from)).collect();
    Rows::new(members, &pairs)
}

/// The classes, each after those that lead to it. No class leads to itself, since colours tell how
/// long the longest path to a node is.
fn topological_order(classes: usize, bundles: &Bundles) -> Vec<u32> {
    let edges: Vec<_> = bundles.list.iter().map(|bundle| (bundle.source, bundle.target)).collect();
    let successors = Rows::new(classes, &edges);
    let mut waiting = vec![0; classes];
    edges.iter().for_each(|&(_, target)| waiting[target as usize] += 1);
    let mut order: Vec<u32> = (0..).zip(&waiting).filter(|x| *x.1 == 0).map(|x| x.0).collect();
    let mut at = 0;
    while let Some(&class) = order.get(at) {
        at += 1;
        for &next in successors.row(class) {
            waiting[next as usize] -= 1;
            if waiting[next as usize] == 0 {
                order.push(next);
            }
        }
    }
    debug_assert_eq!(order.len(), classes, "classes lead in circles");
    order
}
