//! Why something stays: what a plan found when it was the group's turn, never a second opinion.

use alloc::vec::Vec;

use model::collections::HashMap;
use model::resources::ResourceId;

use super::Planner;
use super::allowance::AllowanceId;
use super::ask::Ask;
use super::backlog::{Ahead, ClassId, GroupKey};
use super::fit::nearest_miss;
use super::fleet::{Node, NodeId};
use super::plan::{Planning, node_id};
use super::queue::{QueueId, Quota};

/// Why a group stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no node at all.
    NoNode,
    /// There are nodes, and none takes new work.
    NoneAccepts,
    /// No node could hold an item even if nothing ran.
    NeverFits,
    /// No node has room now.
    NoRoom,
    /// There is room now, and it is kept for others: an item would not end in time.
    Reserved,
    /// A node has room now, and it is kept for critical work.
    Kept(NodeId),
    /// There is room only elsewhere than where others of its task are, and it stays with them.
    Apart,
    /// A node that is busy until then ends it sooner than any that has room.
    Faster {
        /// The node.
        node: NodeId,
        /// When the item is expected to begin there, in microseconds.
        at: u64,
    },
    /// An allowance that each item of the class draws on does not have enough.
    Allowance(AllowanceId),
    /// Its queue, or one above that, has as much as it may.
    Queue(QueueId),
    /// Its run has as many items with nodes as it may.
    Run,
    /// Not all members of a gang have room at once.
    Gang {
        /// How many have.
        room: u32,
        /// When all will, if room is reserved for them, in microseconds.
        at: Option<u64>,
    },
    /// A gang has more members than all nodes together could hold, or an allowance could let begin,
    /// if nothing ran.
    Oversized {
        /// How many could begin.
        largest: u32,
    },
    /// Its turn did not come: it goes behind others.
    Behind,
}

/// What a node lacks most for an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The node.
    pub node: NodeId,
    /// What of.
    pub thing: Thing,
    /// What is asked for.
    pub asked: u64,
    /// What is free.
    pub free: u64,
    /// What the node has in all.
    pub capacity: u64,
    /// In which of the ways to do the item: where there are several, the one that lacks least.
    pub way: u8,
}

/// What a node may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// An amount.
    Amount(ResourceId),
    /// Devices that have of everything what is asked for of each: a count.
    Devices,
    /// Items of the class may not go there, whatever it has.
    Site,
}

/// Why what the last plan left stays.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals {
    groups: HashMap<GroupKey, Refusal>,
    classes: HashMap<(QueueId, ClassId), Refusal>,
    /// For whom room is kept: on which node, and from when on, in microseconds.
    booked: HashMap<GroupKey, (NodeId, u64)>,
}

impl Refusals {
    pub(super) fn of_group(&mut self, key: GroupKey, refusal: Refusal) {
        self.groups.insert(key, refusal);
    }

    /// What is true of a group and of all of its class behind it in its queue.
    pub(super) fn of_class(&mut self, class: (QueueId, ClassId), refusal: Refusal) {
        self.classes.entry(class).or_insert(refusal);
    }

    pub(super) fn book(&mut self, key: GroupKey, node: NodeId, at: u64) {
        self.booked.entry(key).or_insert((node, at));
    }

    pub(super) fn booked(&self, key: GroupKey) -> Option<(NodeId, u64)> {
        self.booked.get(&key).copied()
    }

    /// Room is reserved for a gang.
    pub(super) fn reserved_at(&mut self, key: GroupKey, start: u64) {
        let told = self.groups.entry(key).or_insert(Refusal::Gang { room: 0, at: None });
        if let Refusal::Gang { at, .. } = told {
            *at = Some(start);
        }
    }

    pub(super) fn forget(&mut self, key: GroupKey) {
        self.groups.remove(&key);
        self.booked.remove(&key);
    }
}

impl Planning<'_> {
    /// Why no node has room for those of a class.
    pub(super) fn why_full(&self, class: ClassId) -> Refusal {
        let fleet = &self.planner.fleet;
        if fleet.nodes.iter().all(|node| node.is_gone) {
            return Refusal::NoNode;
        }
        let holds = |node: &&Node| self.planner.asks(class).any(|ask| node.could_hold(ask));
        let mut could = fleet.nodes.iter().filter(holds);
        // Those that take new work are asked first: mostly one of the first does.
        if could.clone().any(|node| node.spec.accepts) {
            Refusal::NoRoom
        } else if could.next().is_some() {
            Refusal::NoneAccepts
        } else {
            Refusal::NeverFits
        }
    }

    /// Why no node has room for those of a class, told apart from room that is kept for what is
    /// critical.
    pub(super) fn why_no_room(&self, class: ClassId) -> Refusal {
        let is_critical = self.planner.classes[class.0 as usize].is_critical;
        let kept = || self.planner.asks(class).find_map(|ask| self.kept_from(ask));
        match self.why_full(class) {
            Refusal::NoRoom if !is_critical => {
                kept().map_or(Refusal::NoRoom, |node| Refusal::Kept(node_id(node)))
            }
            other => other,
        }
    }

    /// Something that is no node lets no more of a class begin. What no node can ever hold is told
    /// so, however long it waits for its turn.
    pub(super) fn bar(&mut self, class: (QueueId, ClassId), refusal: Refusal) {
        let refusal = match self.why_full(class.1) {
            Refusal::NoRoom => refusal,
            other => other,
        };
        self.refusals.of_class(class, refusal);
    }
}

impl Planner {
    /// Why a group stayed in the last plan; `None` if it does not wait.
    #[must_use]
    pub fn why(&self, key: GroupKey) -> Option<Refusal> {
        let waiting = self.backlog.get(key)?;
        let own = self.refusals.groups.get(&key);
        let class = (self.backlog.queue(key.run), waiting.group.class);
        let refusal = own.or_else(|| self.refusals.classes.get(&class));
        // Of a run that has all it may, only the first of a class was asked.
        let is_full = || self.backlog.run(key.run).is_some_and(|known| known.run.room == 0);
        let unasked = || if is_full() { Refusal::Run } else { Refusal::Behind };
        Some(refusal.copied().unwrap_or_else(unasked))
    }

    /// The classes that the last plan could place nowhere, for a reason that is true of all in it.
    pub fn refused(&self) -> impl Iterator<Item = (ClassId, Refusal)> + '_ {
        self.refusals.classes.iter().map(|(&(_, class), &refusal)| (class, refusal))
    }

    /// The groups that stayed in the last plan for a reason that is true of them alone.
    pub fn refused_alone(&self) -> impl Iterator<Item = (GroupKey, Refusal)> + '_ {
        let groups = self.refusals.groups.iter().map(|(&key, &refusal)| (key, refusal));
        groups.filter(|&(key, _)| self.backlog.get(key).is_some())
    }

    /// The gangs that are larger than could ever begin.
    pub fn oversized(&self) -> impl Iterator<Item = GroupKey> + '_ {
        let refused = self.refused_alone();
        refused.filter(|it| matches!(it.1, Refusal::Oversized { .. })).map(|(key, _)| key)
    }

    /// What goes before a group. No more than `looks` groups are looked at.
    #[must_use]
    pub fn ahead(&self, key: GroupKey, looks: usize) -> Ahead {
        self.backlog.before(key, looks, |class| self.classes[class.0 as usize].is_critical)
    }

    /// What an item of a group that waits, or a gang as a whole, misses most of a limit that its
    /// queue has: what of, how much is asked for, used and allowed.
    #[must_use]
    pub fn quota_miss(
        &self,
        queue: QueueId,
        limit: &Quota,
        key: GroupKey,
    ) -> Option<(Thing, u64, u64, u64)> {
        let group = self.backlog.get(key)?.group;
        let ask = &self.classes.get(group.class.0 as usize)?.ask;
        self.queues.miss((queue, limit), ask, if group.gang { group.count } else { 1 })
    }

    /// What nodes lack for an item of a class: those that come nearest, `most` at most; `ever` asks
    /// what they lack if nothing runs there.
    #[must_use]
    pub fn shortages(&self, class: ClassId, ever: bool, most: usize) -> Vec<Shortage> {
        if class.0 as usize >= self.classes.len() {
            return Vec::new();
        }
        let nodes = (0..).map(NodeId).zip(&self.fleet.nodes).filter(|(_, node)| !node.is_gone);
        let mut shortages: Vec<_> = nodes
            .filter_map(|(id, node)| {
                let ways = (0..).zip(self.asks(class));
                let lacks = ways.filter_map(|(way, ask)| shortage(ask, way, (id, node), ever));
                lacks.min_by_key(Shortage::part)
            })
            .collect();
        shortages.sort_by_key(Shortage::part);
        shortages.truncate(most);
        shortages
    }
}

impl Shortage {
    /// The part that is missing, in millionths: bytes and devices do not compare.
    fn part(&self) -> u128 {
        let missing = u128::from(self.asked.saturating_sub(self.free)) * 1_000_000;
        missing / u128::from(self.asked.max(1))
    }
}

/// What a node lacks for an item that is done in one way.
fn shortage(ask: &Ask, way: u8, (id, node): (NodeId, &Node), ever: bool) -> Option<Shortage> {
    // Where it could never run, nothing that ends makes room for it.
    if !ever && !node.could_hold(ask) {
        return None;
    }
    if !node.admits(ask) {
        let (thing, asked) = (Thing::Site, 1);
        return Some(Shortage { node: id, thing, asked, free: 0, capacity: 0, way });
    }
    let row = if ever { &node.empty } else { &node.free };
    let capacity = &node.spec.capacity;
    if let Some((resource, asked, free)) = nearest_miss(&ask.amounts, &row[..capacity.len()]) {
        let capacity = capacity.get(usize::from(resource.0)).copied().unwrap_or(0);
        return Some(Shortage {
            node: id,
            thing: Thing::Amount(resource),
            asked,
            free,
            capacity,
            way,
        });
    }
    let count = |row: &[u64]| node.form.open_count(row, ask.devices) as u64;
    let (asked, free) = (u64::from(ask.devices.count), count(row));
    let capacity = count(&node.empty);
    (free < asked).then_some(Shortage {
        node: id,
        thing: Thing::Devices,
        asked,
        free,
        capacity,
        way,
    })
}
