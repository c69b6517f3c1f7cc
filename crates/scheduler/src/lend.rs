//! Short work is lent ahead: a node that runs such items gets a few more than it can start at once,
//! so that a place there does not wait for a commit.
//!
//! What draws on an allowance is never lent, since it would keep others from having it while it
//! waits; nor is what takes devices, which are given by name, nor a gang, nor what looks where
//! others of its task are: those may be elsewhere when there is room.

use model::limits::PREFILL_MAX;

use super::backlog::{Group, GroupKey};
use super::fit::fits;
use super::plan::Planning;

impl Planning<'_> {
    /// Gives nodes that have no room `most` items of a group at most; says how many.
    pub(super) fn lend(&mut self, key: GroupKey, group: &Group, most: u32) -> u32 {
        let class = &self.planner.classes[group.class.0 as usize];
        let is_alone = group.gang || class.ask.devices.count > 0 || !class.draws.is_empty();
        if group.lend == 0 || is_alone || self.looks_at_others() {
            return 0;
        }
        let mut left = most;
        while left > 0 && !self.is_out_of_fuel() {
            self.spend(self.planner.fleet.nodes.len());
            let nodes = self.planner.fleet.nodes.iter().enumerate();
            // What is lent goes before all that comes: where room is kept for others it would take
            // that, again and again.
            let nodes = nodes.filter(|&(index, node)| {
                let is_promised = node.leaving > 0 || self.made.contains_key(&index);
                let is_kept = is_promised || self.draft.is_booked(index);
                node.spec.accepts && node.admits(&class.ask) && !is_kept
            });
            let keen = nodes.map(|(index, node)| {
                let places = fits(&class.ask.amounts, &node.spec.capacity);
                let depth = places.saturating_mul(group.lend).min(PREFILL_MAX);
                let lent = self.lent.get(&index).copied().unwrap_or(0);
                let lent = lent.saturating_add(u32::try_from(node.lent.len()).unwrap_or(u32::MAX));
                (depth.saturating_sub(lent), core::cmp::Reverse(index))
            });
            let Some((room @ 1.., core::cmp::Reverse(node))) = keen.max() else { break };
            let count = room.min(left);
            *self.lent.entry(node).or_default() += count;
            self.give(key, node, count, &class.ask);
            left -= count;
        }
        most - left
    }
}
