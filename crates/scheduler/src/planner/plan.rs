//! One plan: groups in their order, those that have to be let forward before their time, and what
//! becomes of those behind a group that has no room. Which node is taken, `place` says.

use alloc::collections::{BTreeSet, BinaryHeap};
use alloc::vec::Vec;
use core::cmp::Reverse;

use model::collections::HashSet;

use super::Planner;
use super::ask::{Ask, Taken};
use super::backlog::{ClassId, Group, GroupKey, Place};
use super::deadline::promotions;
use super::draft::Draft;
use super::fragmentation::{Mix, wanted};
use super::likeness::Likeness;
use super::place::Rank;
use super::policy::{Behind, Choice};

/// Ends of work that are kept apart at most; beyond that all nodes are looked at again.
const FREED_MAX: usize = 4_096;

/// What the planner proposes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What begins now, in order.
    pub placements: Vec<Placement>,
}

/// An item that begins on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Of which group.
    pub group: GroupKey,
    /// The node's number.
    pub node: u32,
    /// What it takes there.
    pub taken: Taken,
}

impl Planner {
    /// Plans. The same planner that was told the same gives the same plan at the same time.
    pub fn plan(&mut self, now: u64) -> Plan {
        self.work_out_wanted();
        let planning = Planning {
            planner: self,
            draft: Draft::new(&self.nodes, now),
            mix: Mix::of(&self.classes),
            likeness: Likeness::new(self.nodes.len()),
            plan: Plan::default(),
            settled: HashSet::default(),
            reservations: 0,
            full: Vec::new(),
            roomy: Vec::new(),
            ranking: BinaryHeap::new(),
            unranked: None,
            turn: self.turn,
            now,
        };
        let Planned { plan, turn, full } = planning.run();
        self.turn = turn;
        let ends = self.freed.len();
        full.into_iter().for_each(|class| self.classes[class.0 as usize].full_at = Some(ends));
        if ends > FREED_MAX {
            self.forget_what_is_full();
        }
        plan
    }

    /// Works out how much each node is wanted, when there are new nodes or an eighth more items.
    fn work_out_wanted(&mut self) {
        if self.wanted.0.len() != self.nodes.len() || self.seen >= self.wanted.1 {
            let again_at = self.seen + self.seen / 8 + 16;
            self.wanted = (wanted(&self.nodes, &self.classes), again_at);
        }
    }
}

/// A plan that is being made.
pub(super) struct Planning<'a> {
    pub(super) planner: &'a Planner,
    pub(super) draft: Draft<'a>,
    pub(super) mix: Mix,
    pub(super) likeness: Likeness,
    plan: Plan,
    /// Groups that have had their turn.
    settled: HashSet<GroupKey>,
    pub(super) reservations: usize,
    /// Classes for which no node has room.
    full: Vec<ClassId>,
    /// Nodes that had room for an item of the group whose turn it is.
    pub(super) roomy: Vec<usize>,
    /// The same, the best first.
    pub(super) ranking: BinaryHeap<Reverse<(Rank, usize)>>,
    /// A node that has been taken out of it.
    pub(super) unranked: Option<usize>,
    /// The node that is next where nodes take turns.
    pub(super) turn: usize,
    pub(super) now: u64,
}

/// What came of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All items begin, or wait for a node where they end earlier than on one that has room.
    Settled,
    /// Some have no room before what is reserved.
    Kept,
    /// Some have no room.
    Full,
}

/// What a planning gives.
struct Planned {
    plan: Plan,
    turn: usize,
    full: Vec<ClassId>,
}

impl<'a> Planning<'a> {
    fn run(mut self) -> Planned {
        let backlog = &self.planner.backlog;
        let mut next: BinaryHeap<Reverse<(Turn, GroupKey)>> =
            backlog.heads().map(|(place, key)| Reverse((Turn::own(place), key))).collect();
        if self.planner.policy.behind() == Behind::Reserve {
            self.reserve();
            for it in promotions(backlog, self.now, self.planner.patience) {
                let heads = backlog.heads_of(it.run);
                next.extend(heads.map(|(place, key)| {
                    Reverse((Turn::promoted(it.lane, it.deadline, place), key))
                }));
            }
        }
        while let Some(Reverse((turn, key))) = next.pop() {
            let Some(waiting) = backlog.get(key) else { continue };
            let group = waiting.group;
            let outcome = self.take_turn(key, &group);
            if outcome != Outcome::Settled && self.planner.policy.behind() == Behind::Wait {
                break;
            }
            // Where one of a class has no room at all, those behind it have none either.
            if outcome != Outcome::Full {
                next.extend(self.after(turn, &group, (waiting.place, key)).map(Reverse));
            }
        }
        Planned { plan: self.plan, turn: self.turn, full: self.full }
    }

    /// Who is next of a class, in its run where that has been let forward.
    fn after(&self, turn: Turn, group: &Group, at: (Place, GroupKey)) -> Option<(Turn, GroupKey)> {
        let backlog = &self.planner.backlog;
        if turn.is_own {
            let (place, key) = backlog.after(group.class, at)?;
            return Some((Turn::own(place), key));
        }
        let (place, key) = backlog.after_in_run(group.class, at)?;
        Some((Turn { place, ..turn }, key))
    }

    fn take_turn(&mut self, key: GroupKey, group: &Group) -> Outcome {
        if !self.settled.insert(key) {
            return Outcome::Settled;
        }
        let outcome = self.place(key, group);
        if outcome == Outcome::Settled {
            return outcome;
        }
        match self.planner.policy.behind() {
            Behind::Backfill if self.reservations == 0 => self.book(group),
            Behind::Reserve if self.is_late(group) => self.book(group),
            Behind::Wait | Behind::Go | Behind::Backfill | Behind::Reserve => {}
        }
        outcome
    }

    /// Gives a group its turn before all others.
    pub(super) fn place_first(&mut self, key: GroupKey, group: &Group) -> Outcome {
        self.settled.insert(key);
        self.place(key, group)
    }

    pub(super) fn ask(&self, group: &Group) -> &'a Ask {
        let planner: &'a Planner = self.planner;
        &planner.classes[group.class.0 as usize].ask
    }

    /// Items of a group begin, as many as can.
    fn place(&mut self, key: GroupKey, group: &Group) -> Outcome {
        let ask = self.ask(group);
        self.look_for_room(group);
        if self.roomy.is_empty() {
            return Outcome::Full;
        }
        if group.gang {
            return self.place_gang(key, group);
        }
        if self.planner.policy.choice() == Choice::Earliest {
            self.rank(ask, group);
        }
        for _ in 0..group.count {
            let slot = match self.planner.policy.choice() {
                Choice::Earliest => self.earliest(ask, group),
                Choice::First | Choice::Tightest | Choice::Turn => self.open(ask, group),
            };
            let Some(slot) = slot else {
                let is_kept = self.roomy.iter().any(|&node| self.draft.fits(node, ask));
                return if is_kept { Outcome::Kept } else { Outcome::Full };
            };
            if slot.start > self.now {
                self.book_at(&slot, group);
            } else {
                self.begin(key, slot.node, &slot.least, group);
            }
        }
        Outcome::Settled
    }

    /// Finds the nodes that have room for an item of a group, whatever is reserved there.
    fn look_for_room(&mut self, group: &Group) {
        let (ask, planner) = (self.ask(group), self.planner);
        let look: Vec<usize> = match planner.classes[group.class.0 as usize].full_at {
            None => (0..planner.nodes.len()).collect(),
            Some(ends) => {
                let freed = planner.freed[ends..].iter().map(|&node| node as usize);
                freed.collect::<BTreeSet<usize>>().into_iter().collect()
            }
        };
        self.roomy = look.iter().copied().filter(|&node| self.draft.fits(node, ask)).collect();
        // What begins in this plan may not begin after all: that something is full because of it
        // is not remembered.
        let is_full = |&node: &usize| !planner.nodes[node].fits(ask);
        if self.roomy.is_empty() && look.iter().all(is_full) {
            self.full.push(group.class);
        }
    }

    /// An item begins on a node, within `least`.
    pub(super) fn begin(&mut self, key: GroupKey, node: usize, least: &[u64], group: &Group) {
        let taken = self.draft.form(node).choose(least, self.ask(group));
        let end = self.now + self.planner.nodes[node].duration(group.expected);
        self.draft.book(node, (self.now, end), &taken);
        self.likeness.changed(node);
        let node = u32::try_from(node).expect("fewer nodes than numbers");
        self.plan.placements.push(Placement { group: key, node, taken });
    }
}

/// When a group has its turn: at its place, or before a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    tier: u8,
    lane: u16,
    is_own: bool,
    deadline: u64,
    place: Place,
}

impl Turn {
    fn own(place: Place) -> Self {
        Self { tier: place.tier, lane: place.lane, is_own: true, deadline: 0, place }
    }

    fn promoted((tier, lane): (u8, u16), deadline: u64, place: Place) -> Self {
        Self { tier, lane, is_own: false, deadline, place }
    }
}
