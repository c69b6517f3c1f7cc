//! Why items were placed where they are: which nodes had room, and how they ranked in the plan that
//! chose. A record for who asks, of the last placements only: no plan goes by it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::Planner;
use super::backlog::{Group, GroupKey};
use super::fleet::NodeId;
use super::place::Rank;
use super::plan::{Planning, node_id};

/// Decisions that are remembered.
const REMEMBERED: usize = 4_096;

/// Decisions of one turn of a group that are noted: of the others the ranking is much the same.
const OF_TURN: u32 = 8;

/// Nodes that are named beside the one that was taken.
const OTHERS: usize = 3;

/// In a binary heap the first so many entries hold the [`OTHERS`] least.
const TOP_OF_HEAP: usize = (1 << OTHERS) - 1;

/// Where items of a group went in a plan, and where else they could have gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// When it was planned, in microseconds.
    pub at: u64,
    /// The group.
    pub group: GroupKey,
    /// How many nodes had room.
    pub roomy: u32,
    /// The node that was taken.
    pub taken: Candidate,
    /// The next best, the best first. None where nodes are not ranked, but taken in order.
    pub others: Vec<Candidate>,
}

/// A node as it ranks for an item: by speed, then by what it misses of what is liked, then by how
/// many others of its task are there, then by what would be wasted, then by what would stay free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The node.
    pub node: NodeId,
    /// Its speed, in thousandths of the usual.
    pub speed: u32,
    /// How much of what the task prefers is missing.
    pub unmet: u8,
    /// How many others of its task are there, if they are to be apart.
    pub crowd: u32,
    /// How much of devices it makes useless for others, and takes of what others cannot do without.
    /// Only the differences between nodes mean anything.
    pub waste: u64,
    /// How much stays free beside it, in thousandths of each thing the node has, all together.
    pub slack: u64,
    /// When it is expected to end there, in microseconds.
    pub ends_at: u64,
}

/// The last decisions, the newest last.
#[derive(Clone, Debug, Default)]
pub(super) struct Decisions(VecDeque<Decision>);

impl Decisions {
    pub(super) fn add(&mut self, decisions: Vec<Decision>) {
        let more = (self.0.len() + decisions.len()).saturating_sub(REMEMBERED);
        self.0.drain(..more.min(self.0.len()));
        self.0.extend(decisions);
    }
}

impl Planner {
    /// Why items of a group that were planned at a time went to a node, if that is remembered.
    #[must_use]
    pub fn decision(&self, at: u64, group: GroupKey, node: NodeId) -> Option<&Decision> {
        let last = self.decisions.0.iter().rev().take_while(|decision| decision.at >= at);
        last.into_iter().find(|it| it.at == at && it.group == group && it.taken.node == node)
    }
}

impl Planning<'_> {
    /// Notes that an item of a group begins on a node, and what else had room; `begun` of the group
    /// have begun in this turn.
    pub(super) fn note_decision(
        &mut self,
        key: GroupKey,
        group: &Group,
        (node, begun): (usize, u32),
    ) {
        let is_next = self
            .decisions
            .last()
            .is_some_and(|last| last.group == key && last.taken.node.0 as usize == node);
        if begun >= OF_TURN || is_next {
            return;
        }
        let ranked = self.candidates.unranked.filter(|&(known, _)| known == node);
        let Some(rank) = ranked.map(|(_, rank)| rank).or_else(|| self.rank_of(node, group)) else {
            return;
        };
        let taken = self.candidate(node, rank, group);
        let mut others: Vec<(Rank, usize)> = match ranked {
            Some(_) => {
                let top = self.candidates.ranking.as_slice().iter().take(TOP_OF_HEAP);
                top.map(|&Reverse(known)| known).collect()
            }
            None => Vec::new(),
        };
        others.sort_unstable();
        others.truncate(OTHERS);
        let others =
            others.into_iter().map(|(rank, node)| self.candidate(node, rank, group)).collect();
        let roomy = u32::try_from(self.candidates.roomy.len()).unwrap_or(u32::MAX);
        self.decisions.push(Decision { at: self.now, group: key, roomy, taken, others });
    }

    fn candidate(&self, node: usize, rank: Rank, group: &Group) -> Candidate {
        let (Reverse(speed), (unmet, crowd), (waste, slack)) = rank;
        let ends_at =
            self.now.saturating_add(self.planner.fleet.nodes[node].duration(group.expected));
        let node = node_id(node);
        Candidate { node, speed, unmet, crowd, waste, slack, ends_at }
    }
}
