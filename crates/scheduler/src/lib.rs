//! The planner: which ready work goes to which node, and why the rest stays.
//!
//! It keeps what it knows: it is told what changes, and asked for a plan. A plan is a pure function
//! of what it was told and of the time: integers only, the same answer on every machine. It changes
//! nothing outside; whoever asked begins what it agrees with, and tells.
//!
//! How it decides, in the order in which the pages stand: `queue` says whose turn it is among those
//! who share the fleet, `lane` keeps room for what is critical, `seat` and `backlog` sort what
//! waits in a queue, `deadline` lets forward whoever would wait too long, `reserve` keeps room for
//! what is hard to place, `place` chooses the node, among those that `site` leaves open and
//! `company` with others of the same task, `alternatives` chooses the way to do what can be done in
//! several, `lend` gives a node a little more than it can start at once, `preempt` takes back what
//! is owed to others. `refusal` remembers why something stays, `decision` why it went where it is,
//! and `outlook` says when what stays is expected to begin.
//!
//! It knows asks, groups and nodes. It must never know runs' graphs, journals, clocks or floats.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod allowance;
mod alternatives;
mod ask;
mod backlog;
mod company;
mod deadline;
mod decision;
mod draft;
mod fit;
mod fleet;
mod fragmentation;
mod gang;
mod lane;
mod lend;
mod likeness;
mod outlook;
mod patience;
mod place;
mod plan;
mod policy;
mod preempt;
mod queue;
mod refusal;
mod reserve;
mod seat;
mod site;
mod timeline;
mod turns;

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use model::collections::HashMap;

pub use allowance::{AllowanceId, Draw};
pub use ask::{Ask, Device, DeviceAsk, DeviceSet, Kinds, Taken, WHOLE};
pub use backlog::{ALL_ITEMS, Ahead, ClassId, Group, GroupKey, Run};
pub use decision::{Candidate, Decision};
pub use fit::fits;
pub use fleet::{Lease, NodeId, NodeSpec, SPEED};
pub use lane::{Kept, LaneUse};
pub use outlook::{Outlook, Spread};
pub use plan::{Placement, Plan};
pub use policy::Policy;
pub use queue::{Queue, QueueId, Quota};
pub use refusal::{Refusal, Shortage, Thing};
pub use site::{Domain, Places, SiteId, Sites};

use backlog::Backlog;
use company::Company;
use decision::Decisions;
use fleet::Fleet;
use lane::Lane;
use outlook::Accuracy;
use patience::Patience;
use queue::Queues;
use refusal::Refusals;

/// What the planner knows.
#[derive(Clone, Debug)]
pub struct Planner {
    queues: Queues,
    classes: Vec<Class>,
    by_ask: HashMap<Ask, ClassId>,
    fleet: Fleet,
    /// Where the items are of tasks that spread or stay together.
    company: Company,
    backlog: Backlog,
    /// Classes of which there has been a gang.
    gangs: BTreeSet<ClassId>,
    /// How much of each limit that nodes know nothing of is left.
    allowances: Vec<u64>,
    /// How long anyone may be made to wait for others.
    patience: Patience,
    /// The same as it was set, in microseconds, whatever has been measured.
    patience_set: Option<u64>,
    /// Items that have been asked for.
    seen: u64,
    /// How much each node is wanted.
    wanted: Wanted,
    /// What is kept on nodes for critical work.
    lane: Lane,
    /// Whether anything ever was critical.
    has_critical: bool,
    /// How long items take in each of the other ways to do them, by group.
    durations: HashMap<GroupKey, Box<[u64]>>,
    /// Why what the last plan left stays.
    refusals: Refusals,
    /// Why the last items are where they are.
    decisions: Decisions,
    /// How far estimates are to be trusted.
    accuracy: Accuracy,
    /// The node that is next where nodes take turns.
    turn: usize,
    /// The version of the fleet by which what waits was weighed.
    weighed: u64,
}

/// What an item takes of the whole fleet in a time, if it takes a share of it, in millionths.
fn work(share: u64, time: u64) -> u64 {
    let work = u128::from(time) * u128::from(share) / 1_000_000;
    u64::try_from(work).unwrap_or(u64::MAX).max(1)
}

/// How much each node is wanted, of which version of the fleet that is true, and how many items
/// must have been asked for before it is worked out again.
#[derive(Clone, Debug, Default)]
struct Wanted {
    of_node: Vec<u64>,
    fleet: Option<u64>,
    again_at: u64,
}

/// A request, with what is known of those who make it.
#[derive(Clone, Debug)]
struct Class {
    ask: Ask,
    /// The classes of the other ways to do the same.
    others: Box<[ClassId]>,
    /// Whether it goes before all that is not.
    is_critical: bool,
    /// What each item takes of allowances.
    draws: Box<[Draw]>,
    /// The largest part that an item takes of anything that all nodes have together, in millionths
    /// (the dominant share of Ghodsi et al., NSDI 2011).
    share: u64,
    /// The same as it was when what waits was weighed by it.
    weighed: u64,
    /// How many items have asked for it so far.
    seen: u64,
    /// When it was last seen that no node has room for one, in ends of work: of the nodes only
    /// those on which work has ended since have to be looked at again.
    full_at: Option<usize>,
    /// Of which version of the fleet it is known how many members a gang of it may have where
    /// nothing runs, and how many.
    members_max: Option<(u64, u32)>,
}

impl Planner {
    /// A planner without nodes and work.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            queues: Queues::new(policy),
            classes: Vec::new(),
            by_ask: HashMap::default(),
            fleet: Fleet::default(),
            company: Company::default(),
            backlog: Backlog::new(policy.order()),
            gangs: BTreeSet::new(),
            allowances: Vec::new(),
            patience: Patience::default(),
            patience_set: None,
            seen: 0,
            wanted: Wanted::default(),
            lane: Lane::default(),
            has_critical: false,
            durations: HashMap::default(),
            refusals: Refusals::default(),
            decisions: Decisions::default(),
            accuracy: Accuracy::default(),
            turn: 0,
            weighed: 0,
        }
    }

    /// How it decides where no queue says something else.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.queues.get(QueueId::ROOT).policy
    }

    /// How those in a queue are ordered and placed.
    #[must_use]
    pub fn policy_of(&self, queue: QueueId) -> Policy {
        self.queues.get(queue).policy
    }

    /// How long those in a queue may be made to wait for others, in microseconds, if that is set.
    #[must_use]
    pub fn max_wait_of(&self, queue: QueueId) -> Option<u64> {
        self.queues.get(queue).max_wait
    }

    /// What a queue has, with all below it: amounts, and devices in thousandths.
    #[must_use]
    pub fn queue_used(&self, queue: QueueId) -> (&[u64], u64) {
        self.queues.used(queue)
    }

    /// Adds a queue below one that is there, before there is any run.
    ///
    /// # Panics
    /// There is no such queue above it.
    pub fn add_queue(&mut self, queue: Queue) -> QueueId {
        self.backlog.add_queue(queue.policy.order());
        self.queues.add(queue)
    }

    /// Says what a queue is guaranteed and may have from now on.
    pub fn set_quotas(&mut self, queue: QueueId, guarantee: Quota, limit: Quota) {
        self.queues.set_quotas(queue, guarantee, limit);
    }

    /// Adds a node; gives back its number, which may be that of one that is gone.
    pub fn add_node(&mut self, spec: NodeSpec) -> NodeId {
        let id = self.fleet.add(spec);
        self.fleet_changed();
        id
    }

    /// Takes a node away, and all that runs there.
    pub fn remove_node(&mut self, node: NodeId) {
        for lease in self.fleet.remove(node) {
            self.queues.give_back(lease.queue, &lease.taken);
        }
        self.company.forget(node.0 as usize);
        self.lane.remove(&(node.0 as usize));
        self.fleet_changed();
    }

    /// Says what some nodes are told apart by from now on.
    pub fn set_sites(&mut self, sites: impl IntoIterator<Item = (NodeId, SiteId)>) {
        let mut is_changed = false;
        for (node, site) in sites {
            is_changed |= self.fleet.set_site(node, site);
        }
        if is_changed {
            self.fleet_changed();
        }
    }

    /// Says whether new work may go to a node.
    pub fn set_accepts(&mut self, node: NodeId, accepts: bool) {
        if self.fleet.set_accepts(node, accepts) {
            self.forget_what_is_full();
        }
    }

    fn fleet_changed(&mut self) {
        self.forget_what_is_full();
        for index in 0..self.classes.len() {
            self.classes[index].share = self.fleet.share(&self.classes[index].ask);
        }
    }

    /// The number of a class of those who ask for this and draw on nothing, made if it is new.
    pub fn class(&mut self, ask: Ask) -> ClassId {
        if let Some(&known) = self.by_ask.get(&ask) {
            return known;
        }
        let id = self.add_class(ask.clone());
        self.by_ask.insert(ask, id);
        id
    }

    /// A new class, whoever else asks for the same.
    ///
    /// # Panics
    /// There are 2³² classes.
    pub fn add_class(&mut self, ask: Ask) -> ClassId {
        let id = ClassId(u32::try_from(self.classes.len()).expect("fewer classes than numbers"));
        let share = self.fleet.share(&ask);
        let (others, draws) = (Box::default(), Box::default());
        let (is_critical, seen, full_at, members_max) = (false, 0, None, None);
        let weighed = share;
        let class =
            Class { ask, others, is_critical, draws, share, weighed, seen, full_at, members_max };
        self.classes.push(class);
        id
    }

    /// Says what those of a class ask for from now on, if it is not what they asked for so far.
    pub fn set_ask(&mut self, id: ClassId, ask: &Ask) {
        let Some(class) = self.classes.get_mut(id.0 as usize).filter(|it| it.ask != *ask) else {
            return;
        };
        class.ask = ask.clone();
        (class.full_at, class.members_max) = (None, None);
        class.share = self.fleet.share(ask);
    }

    /// Says what is left of each allowance, and what each item of some classes takes of them; those
    /// of all others take of none.
    pub fn set_allowances(&mut self, left: Vec<u64>, draws: Vec<(ClassId, Box<[Draw]>)>) {
        self.allowances = left;
        self.classes.iter_mut().for_each(|class| class.draws = Box::default());
        for (id, draws) in draws {
            let others = self.classes.get(id.0 as usize).map(|class| class.others.clone());
            for other in others.into_iter().flatten() {
                self.set_draws(other, draws.clone());
            }
            self.set_draws(id, draws);
        }
    }

    fn set_draws(&mut self, id: ClassId, draws: Box<[Draw]>) {
        if let Some(class) = self.classes.get_mut(id.0 as usize) {
            class.draws = draws;
        }
    }

    /// The work of an item of a class that takes `time` microseconds, in microseconds of the whole
    /// fleet.
    #[must_use]
    pub fn work(&self, class: ClassId, time: u64) -> u64 {
        work(self.classes[class.0 as usize].share, time)
    }

    /// Works out anew what work takes of the fleet, if that is another than it was by more than an
    /// eighth; says whether it is. Then the work of runs has to be told anew.
    pub fn weigh(&mut self) -> bool {
        let differs = |class: &Class| class.share.abs_diff(class.weighed) > class.weighed / 8;
        if self.weighed == self.fleet.version || !self.classes.iter().any(differs) {
            self.weighed = self.fleet.version;
            return false;
        }
        self.weighed = self.fleet.version;
        self.classes.iter_mut().for_each(|class| class.weighed = class.share);
        let shares: Vec<u64> = self.classes.iter().map(|class| class.share).collect();
        self.backlog.weigh(|group| {
            let each = work(shares[group.class.0 as usize], group.expected);
            each.saturating_mul(u64::from(group.count))
        });
        true
    }

    /// The work of all that waits, in microseconds of the whole fleet.
    #[must_use]
    pub fn waiting_work(&self) -> u64 {
        let work: u128 = self.backlog.all_lanes().map(|lane| lane.work).sum();
        u64::try_from(work).unwrap_or(u64::MAX)
    }

    /// Says how long anyone may be made to wait for others, in microseconds, whatever is measured.
    pub fn set_patience(&mut self, patience: u64) {
        self.patience_set = Some(patience);
    }

    /// How long anyone may be made to wait for others, in microseconds.
    #[must_use]
    pub fn patience(&self, now: u64) -> u64 {
        self.patience_set.unwrap_or_else(|| self.patience.get(now))
    }

    /// Tells what is known of a run.
    pub fn set_run(&mut self, key: u64, run: Run) {
        self.backlog.set_run(key, run);
    }

    /// Forgets a run and what waits of it.
    pub fn forget_run(&mut self, now: u64, key: u64) {
        for (group, waiting) in self.backlog.forget_run(key) {
            self.patience.begins(now, waiting.share.saturating_mul(waiting.group.count.into()));
            self.refusals.forget(group);
            self.durations.remove(&group);
        }
        self.rest_if_idle(now);
    }

    /// Tells what waits; a group of no items no longer does.
    pub fn set_group(&mut self, now: u64, key: GroupKey, group: Group) {
        if group.count == 0 {
            return self.forget_group(now, key);
        }
        if group.gang {
            self.gangs.insert(group.class);
        }
        let before = self.backlog.get(key).map(|it| (it.group.count, it.share));
        let (count, share) = before.unwrap_or_else(|| (0, self.share_of(group.class)));
        if group.count > count {
            let more = u64::from(group.count - count);
            self.see(group.class, more);
            self.patience.comes(now, share.saturating_mul(more));
        } else {
            self.patience.begins(now, share.saturating_mul(u64::from(count - group.count)));
        }
        let each = self.work(group.class, group.expected);
        let work = each.saturating_mul(u64::from(group.count));
        self.backlog.set(key, group, (work, share));
    }

    fn forget_group(&mut self, now: u64, key: GroupKey) {
        if let Some(waiting) = self.backlog.forget(key) {
            self.patience.begins(now, waiting.share.saturating_mul(waiting.group.count.into()));
            self.refusals.forget(key);
            self.durations.remove(&key);
            self.rest_if_idle(now);
        }
    }

    /// How much of the fleet an item of a class takes, as patience counts it.
    fn share_of(&self, class: ClassId) -> u64 {
        self.work(class, 1 << 30)
    }

    fn rest_if_idle(&mut self, now: u64) {
        if self.backlog.is_empty() {
            self.patience.rests(now);
        }
    }

    /// Tells that a class is asked for: what is asked for often is what room is kept useful for.
    pub fn see(&mut self, class: ClassId, items: u64) {
        if let Some(class) = self.classes.get_mut(class.0 as usize) {
            class.seen = class.seen.saturating_add(items);
            self.seen = self.seen.saturating_add(items);
        }
    }

    /// Tells that an item has been given to a node. What finds no room there waits at the node
    /// until there is, first come, first served.
    pub fn begin(&mut self, item: GroupKey, node: NodeId, lease: Lease) {
        let places = self.classes.get(lease.class.0 as usize).and_then(|it| it.ask.places.as_ref());
        let looks_at_others = places.is_some_and(|places| places.looks_at_others());
        let (queue, taken) = (lease.queue, lease.taken.clone());
        if !self.fleet.begin(item, node, lease) {
            return;
        }
        self.queues.take(queue, &taken, 1);
        if looks_at_others {
            self.company.comes(item, node.0 as usize);
        }
    }

    /// Tells that an item has saved its work, at a time in microseconds.
    pub fn checkpointed(&mut self, item: GroupKey, at: u64) {
        self.fleet.checkpointed(item, at);
    }

    /// Tells that an item was told to leave its node, and is gone at the latest at `by`, in
    /// microseconds: what waits for its place may count on that.
    pub fn leaves(&mut self, item: GroupKey, by: u64) {
        self.fleet.leaves(item, by);
    }

    /// Tells that an item is no longer with its node.
    pub fn end(&mut self, now: u64, item: GroupKey) {
        if let Some(node) = self.fleet.node_of(item) {
            self.company.goes(item, node.0 as usize);
        }
        let ended = self.fleet.end(item);
        if let Some(ended) = &ended {
            self.accuracy.observe(now, ended);
            self.queues.give_back(ended.queue, &ended.taken);
        }
        if let Some(ended) = ended
            && let Some(class) = self.classes.get(ended.class.0 as usize)
        {
            let work = |time: u64| u128::from(time) * u128::from(class.share) / 1_000_000;
            let expected = work(ended.ends_at.saturating_sub(ended.began_at));
            self.patience.ends(expected, work(now.saturating_sub(ended.began_at)));
        }
    }

    /// Looks at all nodes again for every class.
    fn forget_what_is_full(&mut self) {
        self.fleet.freed.clear();
        self.classes.iter_mut().for_each(|class| class.full_at = None);
    }

    /// A group that waits, as it was told.
    #[must_use]
    pub fn group(&self, key: GroupKey) -> Option<&Group> {
        self.backlog.get(key).map(|waiting| &waiting.group)
    }

    /// How many groups wait.
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.backlog.len()
    }

    /// Whether anything of a class waits.
    #[must_use]
    pub fn is_waited_for(&self, class: ClassId) -> bool {
        self.backlog.is_waited_for(class)
    }

    /// How long work takes on a node that takes `expected` at [`SPEED`], in microseconds.
    #[must_use]
    pub fn duration(&self, node: NodeId, expected: u64) -> u64 {
        self.fleet.nodes.get(node.0 as usize).map_or(expected, |it| it.duration(expected))
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.backlog.is_empty()
    }
}

#[cfg(test)]
mod tests;
