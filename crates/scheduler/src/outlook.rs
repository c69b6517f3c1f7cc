//! When what waits is expected to begin, and how far that is to be trusted. For who asks: no plan
//! goes by it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Planner;
use super::ask::Ask;
use super::backlog::GroupKey;
use super::fleet::{Lease, NodeId};
use super::timeline::Timeline;

/// Ends of work of which it is remembered how far they were from what was expected.
const REMEMBERED: usize = 256;

/// With fewer than so many, nothing is said of how far estimates are to be trusted.
const ENOUGH: usize = 10;

/// What is over sooner says little of estimates: most of it is spent on beginning, in microseconds.
const TELLING: u64 = 100_000;

/// How far what was expected of the last work was from what it took.
#[derive(Clone, Debug, Default)]
pub(super) struct Accuracy {
    /// What it took against what was expected, in thousandths, the oldest first.
    ratios: VecDeque<u64>,
}

impl Accuracy {
    /// Work has ended. What was told to end early says nothing.
    pub(super) fn observe(&mut self, now: u64, ended: &Lease) {
        let expected = ended.ends_at.saturating_sub(ended.began_at);
        let took = now.saturating_sub(ended.began_at);
        if ended.leaves_at.is_some() || expected.max(took) < TELLING {
            return;
        }
        if self.ratios.len() == REMEMBERED {
            self.ratios.pop_front();
        }
        self.ratios.push_back(took.saturating_mul(1_000) / expected.max(1));
    }

    /// Between what parts of what was expected, in thousandths, eight of ten of the last ends were;
    /// nothing if there were too few.
    fn spread(&self) -> Option<Spread> {
        if self.ratios.len() < ENOUGH {
            return None;
        }
        let mut sorted: Vec<u64> = self.ratios.iter().copied().collect();
        sorted.sort_unstable();
        let at = |tenths: usize| sorted[(sorted.len() * tenths / 10).min(sorted.len() - 1)];
        Some(Spread { least: at(1), most: at(9), ends: sorted.len() })
    }
}

/// How far the last work was from what was expected of it: eight of ten took between two parts of
/// that, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// One of ten took less.
    pub least: u64,
    /// One of ten took more.
    pub most: u64,
    /// How many ends that is known from.
    pub ends: usize,
}

/// When something is expected to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// When, in microseconds. What comes later and goes first is not counted.
    pub at: u64,
    /// The node on which room is kept for it from then on, if any is.
    pub booked: Option<NodeId>,
    /// Whether work there was told to end so that it has room.
    pub is_made: bool,
    /// Whether more goes before it than was counted.
    pub is_least: bool,
    /// How far estimates are to be trusted; nothing if too little was measured.
    pub spread: Option<Spread>,
}

impl Planner {
    /// When the next item of a group that waits is expected to begin, if nothing but room keeps it.
    /// No more than `looks` groups before it are looked at.
    ///
    /// It is when a node has room for it as those that run are expected to end, and then as much
    /// later as the whole fleet takes for what goes before it.
    #[must_use]
    pub fn outlook(&self, now: u64, key: GroupKey, looks: usize) -> Option<Outlook> {
        let waiting = self.backlog.get(key)?;
        let spread = self.accuracy.spread();
        if let Some((node, at)) = self.refusals.booked(key) {
            let is_made = self.fleet.nodes.get(node.0 as usize).is_some_and(|it| it.leaving > 0);
            return Some(Outlook { at, booked: Some(node), is_made, is_least: false, spread });
        }
        let asks = self.asks(waiting.group.class);
        let room =
            asks.filter_map(|ask| self.first_room(now, ask, waiting.group.expected)).min()?;
        let ahead = self.ahead(key, looks);
        let at = room.max(now).saturating_add(ahead.work);
        Some(Outlook { at, booked: None, is_made: false, is_least: ahead.more, spread })
    }

    /// When a node has room for an item first, as those that run are expected to end.
    fn first_room(&self, now: u64, ask: &Ask, expected: u64) -> Option<u64> {
        let nodes = self.fleet.nodes.iter().zip(&self.fleet.futures);
        let open = nodes.filter(|(node, _)| node.spec.accepts && node.could_hold(ask));
        let room = open.filter_map(|(node, future)| {
            let duration = node.duration(expected);
            let known = future.as_ref().filter(|future| now < future.until);
            let found = match known {
                Some(future) => future.timeline.earliest(&node.form, ask, duration),
                None => Timeline::of(node, now, false).earliest(&node.form, ask, duration),
            };
            found.map(|(at, ..)| at)
        });
        room.min()
    }

    /// How far estimates are to be trusted; nothing if too little was measured.
    #[must_use]
    pub fn spread(&self) -> Option<Spread> {
        self.accuracy.spread()
    }

    /// When an item that is with a node is expected to end, in microseconds.
    #[must_use]
    pub fn end_of(&self, now: u64, item: GroupKey) -> Option<u64> {
        let node = self.fleet.node_of(item)?;
        let node = self.fleet.nodes.get(node.0 as usize)?;
        Some(node.lease(item)?.expected_end(now, false).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(expected: u64) -> Lease {
        Lease { began_at: 0, ends_at: expected, ..Lease::default() }
    }

    #[test]
    fn eight_of_ten_are_within_the_spread() {
        let mut accuracy = Accuracy::default();
        for tenth in 1..=9 {
            accuracy.observe(tenth * 100_000, &ended(1_000_000));
        }
        assert_eq!(accuracy.spread(), None, "nine are too few");
        accuracy.observe(5_000_000, &ended(1_000_000));
        let spread = Spread { least: 200, most: 5_000, ends: 10 };
        assert_eq!(accuracy.spread(), Some(spread));
        // What is short, and what was told to end, says nothing.
        accuracy.observe(99_000, &ended(1_000));
        accuracy.observe(1, &Lease { leaves_at: Some(1), ..ended(1_000_000) });
        assert_eq!(accuracy.spread(), Some(spread));
        // What is long past is forgotten.
        (0..REMEMBERED).for_each(|_| accuracy.observe(1_000_000, &ended(1_000_000)));
        let exact = Spread { least: 1_000, most: 1_000, ends: REMEMBERED };
        assert_eq!(accuracy.spread(), Some(exact));
    }
}
