//! The nodes, with what runs on each and until when. It knows nothing of what waits.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use model::collections::HashMap;
use model::resources::Amounts;

use super::ask::{Ask, Device, Form, Taken, WHOLE};
use super::backlog::{ClassId, GroupKey};
use super::queue::QueueId;
use super::site::SiteId;
use super::timeline::Timeline;

/// The speed of a node that is as fast as estimates assume.
pub const SPEED: u32 = 1_000;

/// What is expected to take longer, in microseconds, is taken to take so long: 36,000 years.
const DURATION_MAX: u64 = 1 << 60;

/// The number of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSpec {
    /// What it has of amounts.
    pub capacity: Amounts,
    /// Its devices, in their order on the node, 64 at most.
    pub devices: Vec<Device>,
    /// How fast it is; [`SPEED`] is what estimates assume, twice as much is twice as fast.
    pub speed: u32,
    /// Whether new work may go there.
    pub accepts: bool,
    /// What it is told apart by.
    pub site: SiteId,
    /// Whether only those may come that ask for sites, this one among them.
    pub reserved: bool,
}

/// An item that has been given to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Of which class it is.
    pub class: ClassId,
    /// The queue that it is counted in.
    pub queue: QueueId,
    /// What it takes.
    pub taken: Taken,
    /// When it began, in microseconds.
    pub began_at: u64,
    /// When it is expected to end, in microseconds, as was estimated before it began.
    pub ends_at: u64,
    /// When its work was last saved, in microseconds: when it began if it never was.
    pub saved_at: u64,
    /// When it is gone at the latest, in microseconds, if it has been told to end early.
    pub leaves_at: Option<u64>,
    /// The priorities of its run and of its task, higher first.
    pub priority: (u8, u8),
    /// Whether whoever is more urgent in its queue may have its room.
    pub preemptible: bool,
    /// What it costs to begin it anew, and what it has lost and waited because it had to before, in
    /// microseconds.
    pub loss: u64,
    /// Whether it is the member of a gang, all of which ends if it does.
    pub gang: bool,
}

impl Default for Lease {
    /// Of the first class, and gone in the moment in which it begins.
    fn default() -> Self {
        Self {
            class: ClassId(0),
            queue: QueueId::ROOT,
            taken: Taken::default(),
            began_at: 0,
            ends_at: 0,
            saved_at: 0,
            leaves_at: None,
            priority: (50, 50),
            preemptible: false,
            loss: 0,
            gang: false,
        }
    }
}

impl Lease {
    /// When it is expected to end. What has outlived its estimate may end at any moment, and goes
    /// on for half as long again as it has lasted if it does not: `is_hopeful` says which of the
    /// two is expected. The second number is how much later than hoped it may be.
    pub(super) fn expected_end(&self, now: u64, is_hopeful: bool) -> (u64, u64) {
        let promised = self.promised_end(now);
        if promised > now {
            return (promised, 0);
        }
        let age = self.looked_at_until(now) - self.began_at;
        let longer = age / 2;
        let late = self.began_at.saturating_add(age).saturating_add(longer);
        (if is_hopeful { now + 1 } else { late }, longer)
    }

    /// When it ends by what was said of it. One that leaves and has outlived its estimate is gone
    /// at the latest when it has to be.
    fn promised_end(&self, now: u64) -> u64 {
        match self.leaves_at {
            None => self.ends_at,
            Some(by) if self.ends_at > now => by.min(self.ends_at),
            Some(by) => by,
        }
    }

    /// Until when what is expected at a time is expected. What has outlived its estimate is looked
    /// at anew after each thirty-second of an octave of its age, not at every moment.
    fn looked_at_until(&self, now: u64) -> u64 {
        let promised = self.promised_end(now);
        if promised > now {
            return promised;
        }
        let age = now.saturating_sub(self.began_at).max(1);
        let step = 1 << age.ilog2().saturating_sub(5);
        self.began_at.saturating_add((age / step).saturating_add(1).saturating_mul(step))
    }
}

/// A node with what runs there.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) spec: NodeSpec,
    /// The number of its kind.
    pub(super) kind: u32,
    pub(super) form: Form,
    /// What is free now.
    pub(super) free: Vec<u64>,
    /// What is free when nothing runs.
    pub(super) empty: Vec<u64>,
    pub(super) leases: BTreeMap<GroupKey, Lease>,
    /// How many of its leases have been told to end early.
    pub(super) leaving: u32,
    /// What it has been lent ahead and has no room for, in the order in which it will begin.
    pub(super) lent: VecDeque<(GroupKey, Lease)>,
    /// When that was last asked back, in microseconds.
    pub(super) asked_back_at: u64,
    /// Whether it has been taken away.
    pub(super) is_gone: bool,
}

/// A timeline of a node that holds until a time, if nothing begins or ends there before.
#[derive(Clone, Debug)]
pub(super) struct Future {
    pub(super) timeline: Timeline,
    pub(super) until: u64,
}

impl Node {
    fn new(spec: NodeSpec, kind: u32) -> Self {
        let form = Form { amounts: spec.capacity.len(), devices: spec.devices.clone() };
        let empty = form.empty(&spec.capacity);
        Self {
            spec,
            kind,
            form,
            free: empty.clone(),
            empty,
            leases: BTreeMap::new(),
            leaving: 0,
            lent: VecDeque::new(),
            asked_back_at: 0,
            is_gone: false,
        }
    }

    /// What is free here now and later, if work that has outlived its estimate goes on.
    pub(super) fn future(&self, now: u64) -> Future {
        let until = self.leases.values().map(|lease| lease.looked_at_until(now)).min();
        Future { timeline: Timeline::of(self, now, false), until: until.unwrap_or(u64::MAX) }
    }

    fn begin(&mut self, item: GroupKey, lease: Lease) {
        if self.form.holds(&self.free, &lease.taken) {
            self.form.change(&mut self.free, &lease.taken, false);
            self.leases.insert(item, lease);
        } else {
            self.lent.push_back((item, lease));
        }
    }

    fn end(&mut self, item: GroupKey) -> Option<Lease> {
        let Some(lease) = self.leases.remove(&item) else {
            let at = self.lent.iter().position(|&(known, _)| known == item)?;
            return Some(self.lent.remove(at)?.1);
        };
        self.form.change(&mut self.free, &lease.taken, true);
        // A worker begins what it was lent in that order, as soon as there is room.
        while let Some((_, next)) = self.lent.front()
            && self.form.holds(&self.free, &next.taken)
        {
            let Some((item, next)) = self.lent.pop_front() else { break };
            self.form.change(&mut self.free, &next.taken, false);
            self.leases.insert(item, next);
        }
        Some(lease)
    }

    /// Whether items may come here, by where the node is.
    pub(super) fn admits(&self, ask: &Ask) -> bool {
        match &ask.places {
            None => !self.spec.reserved,
            Some(places) => places.open.contains(self.spec.site),
        }
    }

    /// The lease of an item that was given to this node, whether it has begun or not.
    fn lease_mut(&mut self, item: GroupKey) -> Option<&mut Lease> {
        let lent = self.lent.iter_mut().find(|(known, _)| *known == item).map(|(_, lease)| lease);
        self.leases.get_mut(&item).or(lent)
    }

    /// The same, to be looked at.
    pub(super) fn lease(&self, item: GroupKey) -> Option<&Lease> {
        let lent = self.lent.iter().find(|(known, _)| *known == item).map(|(_, lease)| lease);
        self.leases.get(&item).or(lent)
    }

    /// Whether an item may begin here with what is free now.
    pub(super) fn fits(&self, ask: &Ask) -> bool {
        self.is_open() && self.admits(ask) && self.form.fits(&self.free, ask)
    }

    /// Whether anything may begin here at once. What a node was lent goes before whatever comes,
    /// even where that would fit beside it.
    pub(super) fn is_open(&self) -> bool {
        self.spec.accepts && self.lent.is_empty()
    }

    /// Whether an item could begin here if nothing ran.
    pub(super) fn could_hold(&self, ask: &Ask) -> bool {
        !self.is_gone && self.admits(ask) && self.form.fits(&self.empty, ask)
    }

    /// How long work takes here that takes `expected` at [`SPEED`].
    pub(super) fn duration(&self, expected: u64) -> u64 {
        let time = expected.saturating_mul(u64::from(SPEED)) / u64::from(self.spec.speed.max(1));
        time.clamp(1, DURATION_MAX)
    }
}

/// What makes nodes alike: capacity, devices, speed, site, and whether they are reserved.
type Kind = (Vec<u64>, Vec<Device>, u32, SiteId, bool);

/// What some nodes have together.
#[derive(Clone, Debug, Default)]
pub(super) struct Total {
    pub(super) amounts: Vec<u64>,
    /// In thousandths.
    pub(super) devices: u64,
}

/// All nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Fleet {
    pub(super) nodes: Vec<Node>,
    /// Numbers of nodes that are gone.
    vacant: Vec<NodeId>,
    /// The number of each kind of node: nodes of one kind differ in nothing but what runs there.
    kinds: HashMap<Kind, u32>,
    /// The node of each item that has been given to one.
    leases: HashMap<GroupKey, NodeId>,
    /// The speed of the fastest node.
    pub(super) fastest: u32,
    /// The most devices that a node has.
    pub(super) largest: usize,
    /// What all nodes have that are not reserved.
    total: Total,
    /// What all nodes have, however fast they are.
    pub(super) whole: Total,
    /// How often nodes have come and gone.
    pub(super) version: u64,
    /// The nodes on which work has ended, one after the other, since this was last cut short.
    pub(super) freed: Vec<u32>,
    /// What is free of each node now and later, as far as it has been worked out and holds.
    pub(super) futures: Vec<Option<Future>>,
    /// The priorities of items with nodes that may be interrupted, by queue, with how many there
    /// are of each.
    preemptible: BTreeMap<(QueueId, (u8, u8)), usize>,
    /// The members of gangs that have been given to nodes.
    members: BTreeSet<GroupKey>,
}

impl Fleet {
    /// # Panics
    /// There are 2³² nodes.
    pub(super) fn add(&mut self, spec: NodeSpec) -> NodeId {
        let kind = self.kind(&spec);
        let node = Node::new(spec, kind);
        let id = if let Some(id) = self.vacant.pop() {
            self.nodes[id.0 as usize] = node;
            id
        } else {
            self.nodes.push(node);
            NodeId(u32::try_from(self.nodes.len() - 1).expect("fewer nodes than numbers"))
        };
        self.futures.resize(self.nodes.len(), None);
        self.futures[id.0 as usize] = None;
        self.sum_up();
        id
    }

    fn kind(&mut self, spec: &NodeSpec) -> u32 {
        let next = u32::try_from(self.kinds.len()).expect("fewer kinds than nodes");
        let NodeSpec { capacity, devices, speed, site, reserved, .. } = spec;
        let kind = (capacity.clone(), devices.clone(), *speed, *site, *reserved);
        *self.kinds.entry(kind).or_insert(next)
    }

    /// Says what a node is told apart by from now on; whether that changes anything.
    pub(super) fn set_site(&mut self, id: NodeId, site: SiteId) -> bool {
        let node = self.nodes.get_mut(id.0 as usize).filter(|node| !node.is_gone);
        let Some(node) = node.filter(|node| node.spec.site != site) else { return false };
        node.spec.site = site;
        let spec = node.spec.clone();
        self.nodes[id.0 as usize].kind = self.kind(&spec);
        self.version += 1;
        true
    }

    /// The node that has been given an item.
    pub(super) fn node_of(&self, item: GroupKey) -> Option<NodeId> {
        self.leases.get(&item).copied()
    }

    /// The members of a gang that have been given to nodes, the one that is named among them.
    pub(super) fn gang_of(&self, item: GroupKey) -> impl Iterator<Item = (GroupKey, &Lease)> {
        let of_task = GroupKey { item: 0, ..item }..=GroupKey { item: u32::MAX, ..item };
        self.members.range(of_task).filter_map(|&member| {
            let node = &self.nodes[self.leases.get(&member)?.0 as usize];
            Some((member, node.leases.get(&member)?))
        })
    }

    /// Takes a node away; gives back what was there.
    pub(super) fn remove(&mut self, id: NodeId) -> Vec<Lease> {
        let Some(node) = self.nodes.get_mut(id.0 as usize).filter(|node| !node.is_gone) else {
            return Vec::new();
        };
        let gone = Node { is_gone: true, ..Node::new(NodeSpec::default(), u32::MAX) };
        let Node { leases, lent, .. } = core::mem::replace(node, gone);
        let items = leases.into_iter().chain(lent);
        let mut gone = Vec::new();
        for (item, lease) in items {
            self.leases.remove(&item);
            self.members.remove(&item);
            self.forget_preemptible(&lease);
            gone.push(lease);
        }
        self.vacant.push(id);
        self.futures[id.0 as usize] = None;
        self.sum_up();
        gone
    }

    fn forget_preemptible(&mut self, lease: &Lease) {
        let of = (lease.queue, lease.priority);
        if let Some(count) = self.preemptible.get_mut(&of).filter(|_| lease.preemptible) {
            *count -= 1;
            if *count == 0 {
                self.preemptible.remove(&of);
            }
        }
    }

    /// Whether anything may be interrupted.
    pub(super) fn has_preemptible(&self) -> bool {
        !self.preemptible.is_empty()
    }

    /// Whether anything of a queue may be interrupted for what has such priorities.
    pub(super) fn yields_to(&self, queue: QueueId, priority: (u8, u8)) -> bool {
        let of_queue = (queue, (0, 0))..(queue, priority);
        self.preemptible.range(of_queue).next().is_some()
    }

    /// Whether that changes anything.
    pub(super) fn set_accepts(&mut self, id: NodeId, accepts: bool) -> bool {
        let node = self.nodes.get_mut(id.0 as usize);
        node.is_some_and(|node| core::mem::replace(&mut node.spec.accepts, accepts) != accepts)
    }

    fn sum_up(&mut self) {
        self.version += 1;
        self.total = self.together(|node| !node.spec.reserved, true);
        self.whole = self.together(|_| true, false);
        let nodes = || self.nodes.iter().filter(|node| !node.is_gone).map(|node| &node.spec);
        let fastest = nodes().map(|spec| spec.speed).max().unwrap_or(0);
        let largest = nodes().map(|spec| spec.devices.len()).max().unwrap_or(0);
        (self.fastest, self.largest) = (fastest, largest);
    }

    /// What some nodes have together; a fast one more than a slow one, if speed matters.
    fn together(&self, is_one: impl Fn(&Node) -> bool, by_speed: bool) -> Total {
        let speedy = |amount: u64, speed: u32| match by_speed {
            true => amount.saturating_mul(u64::from(speed)) / u64::from(SPEED),
            false => amount,
        };
        let mut total = Total::default();
        for Node { spec, .. } in self.nodes.iter().filter(|node| !node.is_gone && is_one(node)) {
            let dimensions = total.amounts.len().max(spec.capacity.len());
            total.amounts.resize(dimensions, 0);
            for (total, &amount) in total.amounts.iter_mut().zip(&spec.capacity) {
                *total = total.saturating_add(speedy(amount, spec.speed));
            }
            total.devices += speedy(spec.devices.len() as u64 * u64::from(WHOLE), spec.speed);
        }
        total
    }

    /// The largest part that an item takes of anything that the nodes to which it may go have
    /// together, in millionths, at least 1.
    pub(super) fn share(&self, ask: &Ask) -> u64 {
        let part = |asked: u64, total: u64| {
            let part = u128::from(asked) * 1_000_000 / u128::from(total.max(1));
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        let few = ask.places.as_ref().map(|_| self.together(|node| node.admits(ask), true));
        let total = few.as_ref().unwrap_or(&self.total);
        let amounts = ask.amounts.iter().zip(&total.amounts);
        let amounts = amounts.map(|(&asked, &total)| part(asked, total));
        let devices = part(ask.devices.total(), total.devices);
        amounts.chain([devices]).max().unwrap_or(0).max(1)
    }

    /// An item is given to a node; whether there is such a node.
    pub(super) fn begin(&mut self, item: GroupKey, id: NodeId, lease: Lease) -> bool {
        let Some(node) = self.nodes.get_mut(id.0 as usize).filter(|node| !node.is_gone) else {
            return false;
        };
        if lease.preemptible {
            *self.preemptible.entry((lease.queue, lease.priority)).or_default() += 1;
        }
        node.leaving += u32::from(lease.leaves_at.is_some());
        if lease.gang {
            self.members.insert(item);
        }
        node.begin(item, lease);
        self.futures[id.0 as usize] = None;
        self.leases.insert(item, id);
        true
    }

    /// An item has saved its work.
    pub(super) fn checkpointed(&mut self, item: GroupKey, at: u64) {
        if let Some((_, lease)) = self.lease_mut(item) {
            lease.saved_at = lease.saved_at.max(at);
        }
    }

    /// An item is to be gone by some time: what is expected of its node is worked out anew.
    pub(super) fn leaves(&mut self, item: GroupKey, by: u64) {
        let Some((id, lease)) = self.lease_mut(item) else { return };
        let is_new = lease.leaves_at.replace(by).is_none();
        self.nodes[id.0 as usize].leaving += u32::from(is_new);
        self.futures[id.0 as usize] = None;
    }

    fn lease_mut(&mut self, item: GroupKey) -> Option<(NodeId, &mut Lease)> {
        let id = *self.leases.get(&item)?;
        Some((id, self.nodes.get_mut(id.0 as usize)?.lease_mut(item)?))
    }

    pub(super) fn end(&mut self, item: GroupKey) -> Option<Lease> {
        let id = self.leases.remove(&item)?;
        self.freed.push(id.0);
        self.futures[id.0 as usize] = None;
        self.members.remove(&item);
        let node = self.nodes.get_mut(id.0 as usize)?;
        let ended = node.end(item)?;
        node.leaving -= u32::from(ended.leaves_at.is_some());
        self.forget_preemptible(&ended);
        Some(ended)
    }
}
