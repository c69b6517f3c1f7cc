//! Gangs: items that begin together, on one node or many, or not at all.

use alloc::vec::Vec;

use super::backlog::{Group, GroupKey};
use super::place::Slot;
use super::plan::{Outcome, Planning};

impl Planning<'_> {
    /// All items of a gang begin, on as few and as tight nodes as possible, or none.
    pub(super) fn place_gang(&mut self, key: GroupKey, group: &Group) -> Outcome {
        let ask = self.ask(group);
        self.spend(2 * self.planner.fleet.nodes.len());
        let mut nodes: Vec<(u64, usize, u32)> = Vec::new();
        for (node, known) in self.planner.fleet.nodes.iter().enumerate() {
            let duration = known.duration(group.expected);
            if self.lets(node) && self.draft.fits_now(node, ask, duration).is_some() {
                let times = self.draft.times(node, ask, (self.now, duration), group.count);
                nodes.push((self.slack(node, ask), node, times));
            }
        }
        nodes.sort_unstable();
        let room = nodes.iter().map(|&(_, _, times)| u64::from(times)).sum::<u64>();
        if room < u64::from(group.count) {
            return Outcome::Kept;
        }
        let mut left = group.count;
        for (_, node, times) in nodes {
            let duration = self.planner.fleet.nodes[node].duration(group.expected);
            for _ in 0..times.min(left) {
                let least = self.draft.fits_now(node, ask, duration);
                let Some(least) = least else { break };
                self.begin(key, node, &least, group);
                left -= 1;
            }
        }
        debug_assert_eq!(left, 0, "a gang begins as a whole");
        Outcome::Settled
    }

    /// Reserves the first time at which all items of a gang have room; says whether there is one.
    pub(super) fn book_gang(&mut self, group: &Group) -> bool {
        let ask = self.ask(group);
        let nodes = &self.planner.fleet.nodes;
        self.spend(2 * nodes.len());
        let mut starts: Vec<(u64, usize)> = Vec::new();
        for (node, known) in nodes.iter().enumerate() {
            let duration = known.duration(group.expected);
            let start = match self.lets(node) {
                true => self.draft.earliest(node, ask, duration),
                false => None,
            };
            starts.extend(start.map(|(start, ..)| (start, node)));
        }
        starts.sort_unstable();
        for (last, &(start, _)) in starts.iter().enumerate() {
            let mut left = group.count;
            let mut chosen = Vec::new();
            for &(_, node) in &starts[..=last] {
                let duration = nodes[node].duration(group.expected);
                let times = self.draft.times(node, ask, (start, duration), left);
                chosen.push((node, times));
                left -= times;
            }
            if left == 0 {
                self.book_all(&chosen, start, group);
                return true;
            }
        }
        false
    }

    fn book_all(&mut self, chosen: &[(usize, u32)], start: u64, group: &Group) {
        let ask = self.ask(group);
        for &(node, times) in chosen {
            let duration = self.planner.fleet.nodes[node].duration(group.expected);
            // One by one, since each takes devices of its own.
            for _ in 0..times {
                let Some(least) = self.draft.fits_at(node, ask, (start, duration)) else { break };
                self.book_at(&Slot { node, start, least }, group);
            }
        }
        self.reservations += 1;
    }
}
