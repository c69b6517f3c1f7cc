//! Short work is lent ahead: a node that runs such items gets a few more than it can start at once,
//! so that a place there does not wait for a commit.
//!
//! What draws on an allowance is never lent, since it would keep others from having it while it
//! waits; nor is what takes devices, which are given by name, nor a gang, nor what is critical,
//! nor what looks where others of its task are: those may be elsewhere when there is room. As long
//! as critical work waits nothing is lent: it would go before that. Nothing is lent behind work
//! that is not short, and what comes to wait behind such all the same is asked back.

use alloc::vec::Vec;
use core::cmp::Reverse;

use model::limits::PREFILL_MAX;

use super::backlog::{Group, GroupKey};
use super::fit::fits;
use super::fleet::{Lease, Node};
use super::plan::Planning;

/// What is lent begins within about this time, in microseconds: several commits of a slow disk, and
/// too short for anyone to miss a node that stands idle elsewhere.
const HORIZON: u64 = 50_000;

/// What was lent and has not begun after this time is asked back, in microseconds; and again after
/// the same time, as long as it has not come.
const PATIENCE: u64 = 1_000_000;

/// How many items of a group one place gets through within the horizon; 0 if it is not known for
/// sure how long they take.
fn times(group: &Group) -> u32 {
    let times = if group.is_sure { HORIZON / group.expected.max(1) } else { 0 };
    u32::try_from(times).unwrap_or(u32::MAX)
}

impl Lease {
    /// Whether it is expected to end at any moment: it is short, and has not outlived what is
    /// expected of it by much.
    fn is_short(&self, now: u64) -> bool {
        let expected = self.ends_at.saturating_sub(self.began_at);
        expected <= HORIZON && now.saturating_sub(self.began_at) <= PATIENCE
    }
}

impl Node {
    /// How many places turn over at any moment.
    fn short_items(&self, now: u64) -> u32 {
        let short = self.leases.values().filter(|lease| lease.is_short(now)).count();
        u32::try_from(short).unwrap_or(u32::MAX)
    }

    /// When what was lent here is to be asked back, if anything is.
    fn asks_back_at(&self) -> Option<u64> {
        let (_, first) = self.lent.front()?;
        Some(first.began_at.max(self.asked_back_at).saturating_add(PATIENCE))
    }
}

impl Planning<'_> {
    /// An item begins on a node: if it is short, others may wait there for its place.
    pub(super) fn note_short(&mut self, node: usize, group: &Group) {
        if times(group) > 0 {
            *self.short.entry(node).or_default() += 1;
        }
    }

    /// Gives nodes that have no room `most` items of a group at most; says how many.
    pub(super) fn lend(&mut self, key: GroupKey, group: &Group, most: u32) -> u32 {
        let class = &self.planner.classes[group.class.0 as usize];
        let (ask, times) = (&class.ask, times(group));
        let is_alone =
            group.gang || ask.devices.count > 0 || !class.draws.is_empty() || class.is_critical;
        if times == 0 || is_alone || self.looks_at_others() || self.critical_waits {
            return 0;
        }
        self.spend(self.planner.fleet.nodes.len());
        let mut keen: Vec<_> = self.planner.fleet.nodes.iter().enumerate().collect();
        // What is lent goes before all that comes: where room is kept for others it would take
        // that, again and again.
        keen.retain(|&(index, node)| {
            let is_promised = node.leaving > 0 || self.made.contains_key(&index);
            let is_kept = is_promised || self.draft.is_booked(index) || self.lane.is_on(index);
            node.spec.accepts && node.admits(ask) && !is_kept
        });
        let keen = keen.into_iter().map(|(index, node)| {
            let begun = self.short.get(&index).copied().unwrap_or(0);
            let short = node.short_items(self.now).saturating_add(begun);
            let places = fits(&ask.amounts, &node.spec.capacity).min(short);
            let depth = places.saturating_mul(times).min(PREFILL_MAX);
            let lent = self.lent.get(&index).copied().unwrap_or(0);
            let lent = lent.saturating_add(u32::try_from(node.lent.len()).unwrap_or(u32::MAX));
            (Reverse(depth.saturating_sub(lent)), index)
        });
        let mut keen: Vec<_> = keen.filter(|&(Reverse(room), _)| room > 0).collect();
        keen.sort_unstable();
        let mut left = most;
        for (Reverse(room), node) in keen {
            let count = room.min(left);
            if count == 0 || self.is_out_of_fuel() {
                break;
            }
            self.spend(1);
            *self.lent.entry(node).or_default() += count;
            self.give(key, node, count, ask);
            left -= count;
        }
        most - left
    }

    /// What was lent, and waits behind work that was not as short as expected, is asked back: it
    /// may begin elsewhere, and nothing else begins here before it.
    pub(super) fn ask_back(&mut self) {
        for node in &self.planner.fleet.nodes {
            let Some(at) = node.asks_back_at() else { continue };
            if at > self.now {
                self.expect_room(at);
                continue;
            }
            self.expect_room(self.now.saturating_add(PATIENCE));
            self.propose_return(node.lent.iter().map(|&(item, _)| item));
        }
    }
}

impl super::Planner {
    /// Notes whose items were asked back.
    pub(super) fn note_asked_back(&mut self, now: u64, items: &[GroupKey]) {
        for item in items {
            let node = self.fleet.node_of(*item);
            if let Some(node) = node.and_then(|id| self.fleet.nodes.get_mut(id.0 as usize)) {
                node.asked_back_at = now;
            }
        }
    }
}
