//! Which node an item goes to, and whether it waits for a better one.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::ask::Ask;
use super::backlog::Group;
use super::company::Wish;
use super::likeness::NodeCost;
use super::plan::Planning;
use super::policy::Choice;

/// A place for an item: a node, a time, and what is free there for as long as the item takes.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) node: usize,
    pub(super) start: u64,
    pub(super) least: Vec<u64>,
}

/// Of nodes with room: the fastest, then those that are liked most, then the cheapest, then the
/// tightest.
pub(super) type Rank = (Reverse<u32>, Wish, NodeCost);

/// The nodes that may take an item of the group whose turn it is, in one of the ways in which it
/// can be done.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Those that had room for an item when they were looked at.
    pub(super) roomy: Vec<usize>,
    /// The same, the best first.
    pub(super) ranking: BinaryHeap<Reverse<(Rank, usize)>>,
    /// A node that has been taken out of it.
    pub(super) unranked: Option<(usize, Rank)>,
}

impl Candidates {
    /// Whether a node has been taken out of those that are ranked.
    pub(super) fn is_unranked(&self, node: usize) -> bool {
        self.unranked.is_some_and(|(known, _)| known == node)
    }
}

impl Planning<'_> {
    /// A node on which an item may begin now: the first, the next in turn, or the tightest.
    pub(super) fn open(&mut self, choice: Choice, ask: &Ask, group: &Group) -> Option<Slot> {
        let count = self.candidates.roomy.len();
        self.spend(count);
        let turn = self.candidates.roomy.partition_point(|&node| node < self.turn);
        let first = if choice == Choice::Turn { turn } else { 0 };
        let mut best: Option<((Wish, u64), Slot)> = None;
        for step in 0..count {
            let node = self.candidates.roomy[(first + step) % count];
            let duration = self.planner.fleet.nodes[node].duration(group.expected);
            let Some(least) = self.draft.fits_now(node, ask, duration) else { continue };
            let slot = Slot { node, start: self.now, least };
            if choice != Choice::Tightest {
                self.turn = node + 1;
                return Some(slot);
            }
            let rank = (self.wish(node, ask), self.slack(node, ask));
            if best.as_ref().is_none_or(|best| rank < best.0) {
                best = Some((rank, slot));
            }
        }
        best.map(|(_, slot)| slot)
    }

    /// Ranks the nodes that have room for the items of a group.
    pub(super) fn rank(&mut self, group: &Group) {
        let roomy = core::mem::take(&mut self.candidates.roomy);
        self.spend(roomy.len());
        let ranked =
            roomy.iter().filter_map(|&node| Some(Reverse((self.rank_of(node, group)?, node))));
        self.candidates.ranking = ranked.collect::<Vec<_>>().into();
        self.candidates.roomy = roomy;
        self.candidates.unranked = None;
    }

    /// How a node ranks for an item that may begin there now.
    pub(super) fn rank_of(&mut self, node: usize, group: &Group) -> Option<Rank> {
        let ask = self.ask(group);
        let speed = self.planner.fleet.nodes[node].spec.speed;
        let cost = self.cost(node, ask, group)?;
        Some((Reverse(speed), self.wish(node, ask), cost))
    }

    /// Where an item ends first: of the fastest nodes with room that on which it costs least, or a
    /// faster one that has no room yet, if it ends earlier there in spite of the wait.
    ///
    /// With the time at which it ends there, if the wait is as long as it may be. None if no node
    /// has room: then there is nothing that it could give up by waiting.
    pub(super) fn earliest(&mut self, ask: &Ask, group: &Group) -> Option<(u64, Slot)> {
        let nodes = &self.planner.fleet.nodes;
        // Where the last item went, or would have if it did not wait for another.
        if let Some((node, _)) = self.candidates.unranked.take() {
            let rank = self.rank_of(node, group);
            self.candidates.ranking.extend(rank.map(|rank| Reverse((rank, node))));
        }
        let (node, rank) = loop {
            let Reverse((rank, node)) = self.candidates.ranking.pop()?;
            // What others of the group wait for may have been booked here since it was ranked.
            match self.rank_of(node, group) {
                Some(now) if now == rank => break (node, rank),
                now => self.candidates.ranking.extend(now.map(|now| Reverse((now, node)))),
            }
        };
        let least = self.draft.fits_now(node, ask, nodes[node].duration(group.expected))?;
        let end = self.now + nodes[node].duration(group.expected);
        let best = (end, Slot { node, start: self.now, least });
        self.candidates.unranked = Some((node, rank));
        let (Reverse(speed), ..) = rank;
        let is_fastest = speed >= self.planner.fleet.fastest;
        let faster = if is_fastest { None } else { self.sooner(group, speed, end) };
        Some(faster.unwrap_or(best))
    }

    /// Where an item ends first, and before `end`, on a node that is faster than `speed`, whether
    /// it has room now or later.
    pub(super) fn sooner(
        &mut self,
        group: &Group,
        speed: u32,
        mut end: u64,
    ) -> Option<(u64, Slot)> {
        let ask = self.ask(group);
        let nodes = &self.planner.fleet.nodes;
        self.spend(nodes.len());
        let mut best = None;
        for (node, known) in nodes.iter().enumerate().filter(|(_, it)| it.spec.speed > speed) {
            if !self.lets(node) {
                continue;
            }
            let duration = known.duration(group.expected);
            let earliest = self.draft.earliest(node, ask, duration);
            let Some((start, doubt, least)) = earliest else { continue };
            let wait = (start - self.now).saturating_add(doubt);
            let later = (self.now + duration).saturating_add(wait);
            if later < end {
                end = later;
                best = Some((end, Slot { node, start, least }));
            }
        }
        best
    }

    /// What an item costs on a node beyond what it takes, if it may begin there now: how much of
    /// the devices it makes useless and how much it takes of what others cannot do without; then
    /// how much stays free beside it.
    fn cost(&mut self, node: usize, ask: &Ask, group: &Group) -> Option<NodeCost> {
        if !self.draft.fits(node, ask) {
            return None;
        }
        let known = &self.planner.fleet.nodes[node];
        if self.draft.is_booked(node) {
            let least = self.draft.fits_now(node, ask, known.duration(group.expected))?;
            return Some(self.work_out_cost(node, ask, &least));
        }
        let mut likeness = core::mem::take(&mut self.likeness);
        let state = likeness.state(node, known.kind, self.draft.free(node));
        let cost = likeness
            .cost(group.class, state, || self.work_out_cost(node, ask, self.draft.free(node)));
        self.likeness = likeness;
        Some(cost)
    }

    fn work_out_cost(&self, node: usize, ask: &Ask, least: &[u64]) -> NodeCost {
        let known = &self.planner.fleet.nodes[node];
        let slack = self.slack(node, ask);
        if self.mix.is_empty() || known.spec.devices.is_empty() {
            return (BASE, slack);
        }
        let free = self.draft.free(node);
        let mut rest = free.to_vec();
        known.form.change(&mut rest, &known.form.choose(least, ask), false);
        let waste = |row: &[u64]| self.mix.waste(&known.form, row, &self.planner.classes);
        let wanted = self.planner.wanted.of_node[node].saturating_mul(ask.devices.total());
        let cost = (BASE + wanted).saturating_add(waste(&rest)).saturating_sub(waste(free));
        (cost, slack)
    }

    /// How much of a node stays free beside an item, in thousandths of each thing it has.
    pub(super) fn slack(&self, node: usize, ask: &Ask) -> u64 {
        let known = &self.planner.fleet.nodes[node];
        let free = self.draft.free(node);
        let part =
            |free: u64, whole: u64| free.saturating_mul(1_000).checked_div(whole).unwrap_or(0);
        let asked = ask.amounts.iter().copied().chain(core::iter::repeat(0));
        let amounts = free.iter().zip(&known.empty).zip(asked).take(known.form.amounts);
        let amounts =
            amounts.map(|((&free, &whole), asked)| part(free.saturating_sub(asked), whole));
        let devices = known.form.open_devices(free).saturating_sub(ask.devices.total());
        amounts.sum::<u64>() + part(devices, known.form.open_devices(&known.empty))
    }
}

/// A cost to which less waste can be added without going below zero.
const BASE: u64 = 1 << 50;
