//! Groups: the connected parts of each bundle, and who belongs to them.
//!
//! Only bundles that fall apart have groups. A bundle all of whose groups have all their edges asks
//! for nothing but that its groups stay together; any other is called crooked.

use alloc::vec;
use alloc::vec::Vec;

use super::sets::Sets;
use crate::bundle::Bundles;
use crate::rows::Rows;

/// The groups of all bundles, bundle by bundle.
pub(super) struct Groups {
    /// Of each group its members, of both classes.
    pub(super) members: Rows,
    /// Of each group its bundle.
    pub(super) bundle: Vec<u32>,
    /// Of each group the smallest of its members of the smaller class: by it groups are numbered.
    pub(super) smallest: Vec<u32>,
    /// The bundles that have an edge missing inside a group.
    pub(super) crooked: Vec<u32>,
}

impl Groups {
    /// Finds them. O(nodes + edges), nearly.
    pub(super) fn new(members: &Rows, nodes: usize, bundles: &Bundles) -> Self {
        let mut sets = Sets::new(nodes);
        let mut group_of = vec![0; nodes];
        let mut joined = Vec::new();
        let (mut bundle_of, mut smallest, mut crooked) = (Vec::new(), Vec::new(), Vec::new());
        for (number, bundle) in (0..).zip(&bundles.list) {
            let (sources, targets) = (members.row(bundle.source), members.row(bundle.target));
            let edges = bundles.edges(bundle);
            let pairs = Bundles::sides(bundle, members).pairs();
            if u64::from(bundle.len()) == pairs {
                continue;
            }
            sources.iter().chain(targets).for_each(|&member| sets.reset(member));
            edges.iter().for_each(|&(from, to)| sets.unite(from, to));
            let first = smallest.len() as u32;
            let smaller = if sources.len() <= targets.len() { sources } else { targets };
            // Nobody has a place yet that is not `u32::MAX`.
            sources.iter().chain(targets).for_each(|&m| group_of[m as usize] = u32::MAX);
            for &member in smaller {
                let group = &mut group_of[sets.find(member) as usize];
                if *group == u32::MAX {
                    *group = smallest.len() as u32;
                    smallest.push(member);
                }
            }
            let count = smallest.len() - first as usize;
            // Each target has `edges / targets` sources. If its group has no more, it has all.
            if count as u64 * u64::from(bundle.len()) != pairs {
                crooked.push(number);
            }
            if count == 1 {
                smallest.pop();
                continue;
            }
            bundle_of.resize(smallest.len(), number);
            let all = sources.iter().chain(targets);
            joined.extend(all.map(|&member| (group_of[sets.find(member) as usize], member)));
        }
        let members = Rows::new(smallest.len(), &joined);
        Self { members, bundle: bundle_of, smallest, crooked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_fall_apart_into_groups_and_some_are_crooked() {
        // Two blocks of two by two; a pair of pairs in a ring; a star, which is in one piece.
        let mut edges = alloc::vec![];
        edges.extend([(0, 4), (0, 5), (1, 4), (1, 5), (2, 6), (2, 7), (3, 6), (3, 7)]);
        edges.extend([(0, 8), (1, 8), (1, 9), (2, 9), (2, 10), (3, 10), (3, 11), (0, 11)]);
        edges.extend([(0, 12), (1, 12), (2, 12), (3, 12)]);
        let class_of = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3];
        let members = Rows::group(4, &class_of);
        let bundles = Bundles::new(&Rows::new(13, &edges), &members, &class_of);
        let groups = Groups::new(&members, 13, &bundles);
        assert_eq!(groups.members.row(0), [0, 1, 4, 5]);
        assert_eq!(groups.members.row(1), [2, 3, 6, 7]);
        assert_eq!((groups.bundle, groups.smallest), (alloc::vec![0, 0], alloc::vec![0, 2]));
        assert_eq!(groups.crooked, [1]);
    }
}
