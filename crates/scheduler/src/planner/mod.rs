//! The planner that keeps what it knows: it is told what changes, and asked for a plan.
//!
//! A plan is a pure function of what the planner was told and of the time: integers only, the same
//! answer on every machine. It changes nothing; whoever asked begins what it agrees with and tells.
//!
//! How it decides, in the order in which the pages stand: `backlog` sorts what waits, `deadline`
//! lets forward whoever would wait too long, `reserve` keeps room for what is hard to place, and
//! `place` chooses the node.

mod ask;
mod backlog;
mod deadline;
mod draft;
mod fleet;
mod fragmentation;
mod gang;
mod likeness;
mod patience;
mod place;
mod plan;
mod policy;
mod reserve;
mod timeline;

use alloc::vec::Vec;

use model::collections::HashMap;

pub use ask::{Ask, Device, DeviceAsk, Kinds, Taken, WHOLE};
pub use backlog::{ClassId, Group, GroupKey, Run};
pub use fleet::{Lease, NodeSpec, SPEED};
pub use patience::Patience;
pub use plan::{Placement, Plan};
pub use policy::Policy;

use backlog::Backlog;
use fleet::Node;

/// What the planner knows.
#[derive(Clone, Debug)]
pub struct Planner {
    policy: Policy,
    classes: Vec<Class>,
    by_ask: HashMap<Ask, ClassId>,
    nodes: Vec<Node>,
    /// The number of each kind of node: nodes of one kind differ in nothing but what runs there.
    kinds: HashMap<(Vec<u64>, Vec<Device>, u32), u32>,
    /// The node of each lease.
    leases: HashMap<u64, u32>,
    backlog: Backlog,
    /// The speed of the fastest node.
    fastest: u32,
    /// How long anyone may be made to wait for others, in microseconds.
    patience: u64,
    /// What all nodes have together, a fast node more than a slow one.
    total: Vec<u64>,
    /// The same of devices, in thousandths.
    total_devices: u64,
    /// Items that have been asked for.
    seen: u64,
    /// How much each node is wanted, and how many items must have been asked for before that is
    /// worked out again.
    wanted: (Vec<u64>, u64),
    /// The nodes on which work has ended, one after the other, since this was last cut short.
    freed: Vec<u32>,
    /// The node that is next where nodes take turns.
    turn: usize,
}

/// A request, with what is known of those who make it.
#[derive(Clone, Debug)]
struct Class {
    ask: Ask,
    /// The largest part that an item takes of anything that all nodes have together, in millionths
    /// (the dominant share of Ghodsi et al., NSDI 2011).
    share: u64,
    /// How many items have asked for it so far.
    seen: u64,
    /// When it was last seen that no node has room for one, in ends of work: of the nodes only
    /// those on which work has ended since have to be looked at again.
    full_at: Option<usize>,
}

impl Planner {
    /// A planner without nodes and work.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            classes: Vec::new(),
            by_ask: HashMap::default(),
            nodes: Vec::new(),
            kinds: HashMap::default(),
            leases: HashMap::default(),
            backlog: Backlog::new(policy.order()),
            fastest: 0,
            patience: u64::MAX / 4,
            total: Vec::new(),
            total_devices: 0,
            seen: 0,
            wanted: (Vec::new(), 0),
            freed: Vec::new(),
            turn: 0,
        }
    }

    /// Adds a node; gives back its number.
    ///
    /// # Panics
    /// There are 2³² nodes.
    pub fn add_node(&mut self, spec: NodeSpec) -> u32 {
        let speedy = |amount: u64| amount.saturating_mul(u64::from(spec.speed)) / u64::from(SPEED);
        let dimensions = self.total.len().max(spec.capacity.len());
        self.total.resize(dimensions, 0);
        for (total, &amount) in self.total.iter_mut().zip(&spec.capacity) {
            *total = total.saturating_add(speedy(amount));
        }
        self.total_devices += speedy(spec.devices.len() as u64 * u64::from(WHOLE));
        self.fastest = self.fastest.max(spec.speed);
        let next = u32::try_from(self.kinds.len()).expect("fewer kinds than nodes");
        let kind = (spec.capacity.clone(), spec.devices.clone(), spec.speed);
        let kind = *self.kinds.entry(kind).or_insert(next);
        self.nodes.push(Node::new(spec, kind));
        self.forget_what_is_full();
        for index in 0..self.classes.len() {
            self.classes[index].share = self.share(&self.classes[index].ask);
        }
        u32::try_from(self.nodes.len() - 1).expect("fewer nodes than numbers")
    }

    /// The number of a class, made if it is new.
    ///
    /// # Panics
    /// There are 2³² classes.
    pub fn class(&mut self, ask: Ask) -> ClassId {
        if let Some(&known) = self.by_ask.get(&ask) {
            return known;
        }
        let id = ClassId(u32::try_from(self.classes.len()).expect("fewer classes than numbers"));
        self.classes.push(Class {
            share: self.share(&ask),
            ask: ask.clone(),
            seen: 0,
            full_at: None,
        });
        self.by_ask.insert(ask, id);
        id
    }

    fn share(&self, ask: &Ask) -> u64 {
        let part = |asked: u64, total: u64| {
            let part = u128::from(asked) * 1_000_000 / u128::from(total.max(1));
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        let amounts = ask.amounts.iter().zip(&self.total);
        let amounts = amounts.map(|(&asked, &total)| part(asked, total));
        let devices = part(ask.devices.total(), self.total_devices);
        amounts.chain([devices]).max().unwrap_or(0).max(1)
    }

    /// The work of an item of a class that takes `time` microseconds, in microseconds of the whole
    /// fleet.
    #[must_use]
    pub fn work(&self, class: ClassId, time: u64) -> u64 {
        let work = u128::from(time) * u128::from(self.classes[class.0 as usize].share) / 1_000_000;
        u64::try_from(work).unwrap_or(u64::MAX).max(1)
    }

    /// The work of all that waits, in microseconds of the whole fleet.
    #[must_use]
    pub fn waiting_work(&self) -> u64 {
        let work: u128 = self.backlog.lanes().map(|(_, lane)| lane.work).sum();
        u64::try_from(work).unwrap_or(u64::MAX)
    }

    /// Says how long anyone may be made to wait for others, in microseconds.
    pub fn set_patience(&mut self, patience: u64) {
        self.patience = patience;
    }

    /// Tells what is known of a run.
    pub fn set_run(&mut self, key: u64, run: Run) {
        self.backlog.set_run(key, run);
    }

    /// Forgets a run and what waits of it.
    pub fn forget_run(&mut self, key: u64) {
        self.backlog.forget_run(key);
    }

    /// Tells what waits; a group of no items no longer does.
    pub fn set_group(&mut self, key: GroupKey, group: Group) {
        if self.backlog.get(key).is_none() {
            self.see(group.class, u64::from(group.count));
        }
        let each = self.work(group.class, group.expected);
        self.backlog.set(key, group, each.saturating_mul(u64::from(group.count)));
    }

    /// Tells that a class is asked for: what is asked for often is what room is kept useful for.
    pub fn see(&mut self, class: ClassId, items: u64) {
        if let Some(class) = self.classes.get_mut(class.0 as usize) {
            class.seen += items;
            self.seen += items;
        }
    }

    /// Tells that work has begun on a node; `id` is the caller's.
    pub fn begin(&mut self, id: u64, node: u32, lease: Lease) {
        self.nodes[node as usize].begin(id, lease);
        self.leases.insert(id, node);
    }

    /// Tells that work has ended.
    pub fn end(&mut self, id: u64) {
        if let Some(node) = self.leases.remove(&id) {
            self.nodes[node as usize].end(id);
            self.freed.push(node);
        }
    }

    /// Looks at all nodes again for every class.
    fn forget_what_is_full(&mut self) {
        self.freed.clear();
        self.classes.iter_mut().for_each(|class| class.full_at = None);
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.backlog.is_empty()
    }
}

#[cfg(test)]
mod tests;
