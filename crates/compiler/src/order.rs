//! The order of members within their classes, chosen so that bundles follow rules.
//!
//! A rule speaks of places, so one order has to suit all bundles of a class at once. It is made
//! from the outside in. Each bundle falls apart into **groups**: the connected parts of its edges.
//! Groups that hang together through shared members are **parts** of the graph: jobs, chromosomes,
//! whatever is there several times. Parts are put one behind the other, in the same order for all
//! classes. Inside a part, a bundle that is in one piece has nothing more to say and is let go, so
//! that the part falls apart further; and so on. Where nothing falls apart, as in a grid, whose
//! rows and columns cross, the bundle with the fewest groups is set aside, and decides the order of
//! what it joins only where nothing else does.
//!
//! It is a heuristic for size and can do no harm: whether a bundle follows a rule is checked edge
//! by edge elsewhere, and what follows none is listed. The time is linear in nodes and edges times
//! the depth of the nesting, which is cut off, but for sorting.

mod crooked;
mod groups;
mod parts;
mod sets;

use crate::bundle::Bundles;
use crate::rows::Rows;
use groups::Groups;
use parts::Parts;

/// The members of each class in their order. `members` has them ascending.
pub(crate) fn order(members: &Rows, class_of: &[u32], bundles: &Bundles) -> Rows {
    let groups = Groups::new(members, class_of.len(), bundles);
    if groups.members.len() == 0 && groups.crooked.is_empty() {
        return members.clone();
    }
    let parts = Parts::new(class_of.len()).take_apart(&groups);
    let ordered = parts.in_classes(members.len(), class_of);
    crooked::straighten(ordered, &parts, &groups.crooked, bundles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Rule, RuleKind};
    use alloc::vec::Vec;

    /// The kinds of the rules that the bundles of a graph with these classes follow once its
    /// members are in order.
    fn kinds(class_of: &[u32], edges: &[(u32, u32)]) -> Vec<RuleKind> {
        let successors = Rows::new(class_of.len(), edges);
        let members = Rows::group(1 + *class_of.iter().max().unwrap() as usize, class_of);
        let bundles = Bundles::new(&successors, &members, class_of);
        let ordered = order(&members, class_of, &bundles);
        let mut place = alloc::vec![0; class_of.len()];
        for (_, row) in ordered.iter() {
            (0..).zip(row).for_each(|(at, &member)| place[member as usize] = at);
        }
        let kind = |bundle| {
            let sides = Bundles::sides(bundle, &members);
            Rule::find(&bundles.rows(bundle, &place, sides), sides, &mut Vec::new()).kind(sides)
        };
        bundles.list.iter().map(kind).collect()
    }

    /// Numbers that look as if they were drawn: all below `count`, once each.
    fn shuffled(count: u32) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..count).collect();
        numbers.sort_by_key(|&number| model::hash::mix(u64::from(number)));
        numbers
    }

    /// The same after the nodes have been numbered anew.
    fn kinds_of_shuffled(class_of: &[u32], edges: &[(u32, u32)]) -> Vec<RuleKind> {
        let number = shuffled(class_of.len() as u32);
        let mut classes = alloc::vec![0; class_of.len()];
        (0..).zip(class_of).for_each(|(node, &c)| classes[number[node as usize] as usize] = c);
        let new = |node: u32| number[node as usize];
        let edges: Vec<_> = edges.iter().map(|&(from, to)| (new(from), new(to))).collect();
        let mut found = kinds(&classes, &edges);
        found.sort_unstable();
        found
    }

    #[test]
    fn jobs_within_jobs_are_put_one_behind_the_other() {
        use RuleKind::{FanIn, FanOut, OneToOne};
        // 5 roots with 4 groups each, of 3 pairs each; the groups and the roots end in one node.
        let (mut class_of, mut edges) = (Vec::new(), Vec::new());
        let mut node = |class| {
            class_of.push(class);
            class_of.len() as u32 - 1
        };
        for _ in 0..5 {
            let (root, last) = (node(0), node(4));
            for _ in 0..4 {
                let end = node(3);
                edges.push((end, last));
                for _ in 0..3 {
                    let (begin, second) = (node(1), node(2));
                    edges.extend([(root, begin), (begin, second), (second, end)]);
                }
            }
        }
        let expected = [OneToOne, FanOut, FanIn, FanIn];
        assert_eq!(kinds_of_shuffled(&class_of, &edges), expected);
    }

    #[test]
    fn rows_and_columns_of_a_grid_both_find_a_rule() {
        // 4 rows and 5 columns, both of which lead to their crossings, which lead to another each.
        for count in [1, 3] {
            let (mut class_of, mut edges) = (Vec::new(), Vec::new());
            for grid in 0..count {
                let begin = grid * 49;
                class_of.extend((0..49).map(|at| match at {
                    0..4 => 0,
                    4..9 => 1,
                    9..29 => 2,
                    _ => 3,
                }));
                for (row, column) in (0..4).flat_map(|r| (0..5).map(move |c| (r, c))) {
                    let crossing = begin + 9 + row * 5 + column;
                    edges.push((begin + row, crossing));
                    edges.push((begin + 4 + column, crossing));
                    edges.push((crossing, crossing + 20));
                }
            }
            let found = kinds_of_shuffled(&class_of, &edges);
            let expected = match count {
                1 => [RuleKind::OneToOne, RuleKind::FanOut, RuleKind::FanOut],
                // No digit says both which grid and which column.
                _ => [RuleKind::OneToOne, RuleKind::FanOut, RuleKind::Repeated],
            };
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn pairs_are_put_in_their_order() {
        // Three blocks of 6, each pair of which has a node; each block ends in one.
        let (mut class_of, mut edges) = (Vec::new(), Vec::new());
        for block in 0..3 {
            let begin = block * 22;
            class_of.extend([0; 6]);
            for (low, high) in (0..6).flat_map(|low| (low + 1..6).map(move |high| (low, high))) {
                let pair = class_of.len() as u32;
                class_of.push(1);
                edges.extend([(begin + low, pair), (begin + high, pair), (pair, begin + 21)]);
            }
            class_of.push(2);
        }
        assert_eq!(kinds_of_shuffled(&class_of, &edges), [RuleKind::FanIn, RuleKind::Pairs]);
    }
}
