//! One plan: groups in their order, those that have to be let forward before their time, and what
//! becomes of those behind a group that has no room. Which node is taken, `place` says.
//!
//! A plan costs fuel: a unit for each node that is looked at and for each item that is placed. When
//! that is used up it ends with what it has, and says so.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cmp::Reverse;

use model::collections::{HashMap, HashSet};

use super::allowance::{AllowanceId, Purse};
use super::ask::{Ask, Taken};
use super::backlog::{ClassId, Group, GroupKey};
use super::company::{Circle, Company};
use super::decision::Decision;
use super::draft::Draft;
use super::fleet::{Future, NodeId};
use super::fragmentation::{Mix, wanted};
use super::lane::OpenLane;
use super::likeness::Likeness;
use super::place::{Candidates, Slot};
use super::policy::{Behind, Choice, Policy};
use super::queue::{QueueId, Queues};
use super::refusal::{Refusal, Refusals};
use super::turns::Line;
use super::{Class, Planner, Wanted};

/// Ends of work that are kept apart at most; beyond that all nodes are looked at again.
const FREED_MAX: usize = 4_096;

/// What the planner proposes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What begins now, in order.
    pub placements: Vec<Placement>,
    /// What is to end so that others, to whom its room belongs, can have it. Each is with a node,
    /// and was not told to leave before.
    pub preemptions: Vec<GroupKey>,
    /// What waits at nodes and is to come back if it has not begun.
    pub returns: Vec<GroupKey>,
    /// Whether the fuel ended before everyone had a turn.
    pub is_out_of_fuel: bool,
    /// When room is expected that something waits for, in microseconds, if any is.
    pub look_at: Option<u64>,
}

/// Items of a group that begin on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Of which group.
    pub group: GroupKey,
    /// The node.
    pub node: NodeId,
    /// How many; 1 if they take devices.
    pub count: u32,
    /// In which of the ways that its class has: 0 is what the class itself asks for.
    pub way: u8,
    /// What each takes there.
    pub taken: Taken,
}

impl Planner {
    /// Plans, for `fuel` units at most. The same planner that was told the same gives the same plan
    /// at the same time.
    pub fn plan(&mut self, now: u64, fuel: u64) -> Plan {
        self.weigh();
        self.work_out_wanted();
        self.work_out_gangs();
        self.patience.waits(self.waiting_work());
        let futures = core::mem::take(&mut self.fleet.futures);
        let planning = Planning {
            planner: self,
            draft: Draft::new(&self.fleet.nodes, futures, now),
            lane: OpenLane::new(self),
            critical_waits: false,
            mix: Mix::of(&self.classes),
            likeness: Likeness::new(self.fleet.nodes.len()),
            plan: Plan::default(),
            refusals: Refusals::default(),
            decisions: Vec::new(),
            purse: Purse::new(&self.allowances),
            queues: self.queues.clone(),
            later: None,
            counts: !self.queues.is_one() || self.fleet.has_preemptible(),
            begun: HashMap::default(),
            ending: HashSet::default(),
            made: HashMap::default(),
            circle: None,
            joined: Company::default(),
            rooms: HashMap::default(),
            kept: HashMap::default(),
            scarce: HashMap::default(),
            lent: HashMap::default(),
            short: HashMap::default(),
            settled: HashSet::default(),
            is_owed: false,
            reservations: 0,
            booked: HashSet::default(),
            full: Vec::new(),
            candidates: Candidates::default(),
            patience: self.patience(now),
            turn: self.turn,
            now,
            fuel,
        };
        let Planned { plan, turn, full, refusals, decisions, futures } = planning.run();
        self.decisions.add(decisions);
        (self.turn, self.refusals, self.fleet.futures) = (turn, refusals, futures);
        self.note_asked_back(now, &plan.returns);
        let ends = self.fleet.freed.len();
        full.into_iter().for_each(|class| self.classes[class.0 as usize].full_at = Some(ends));
        if ends > FREED_MAX {
            self.forget_what_is_full();
        }
        plan
    }

    /// Works out how much each node is wanted, when there are other nodes or an eighth more items.
    fn work_out_wanted(&mut self) {
        if self.wanted.fleet != Some(self.fleet.version) || self.seen >= self.wanted.again_at {
            self.wanted = Wanted {
                of_node: wanted(&self.fleet.nodes, &self.classes),
                fleet: Some(self.fleet.version),
                again_at: self.seen + self.seen / 8 + 16,
            };
        }
    }
}

/// A plan that is being made.
pub(super) struct Planning<'a> {
    pub(super) planner: &'a Planner,
    pub(super) draft: Draft<'a>,
    pub(super) lane: OpenLane,
    /// Whether critical work found no room.
    pub(super) critical_waits: bool,
    pub(super) mix: Mix,
    pub(super) likeness: Likeness,
    plan: Plan,
    pub(super) refusals: Refusals,
    pub(super) decisions: Vec<Decision>,
    pub(super) purse: Purse,
    /// What each queue has if what is planned so far begins, and before anything ends.
    pub(super) queues: Queues,
    /// The same once what is to end has ended, and the same again once those have begun for whom it
    /// does. Made when the first is to end.
    pub(super) later: Option<[Queues; 2]>,
    /// Whether it matters how many items of each group begin: queues compete, or work may be
    /// interrupted.
    pub(super) counts: bool,
    /// Of each group, how many items begin or have a place to wait for.
    pub(super) begun: HashMap<GroupKey, u32>,
    /// What is to end so that others begin.
    pub(super) ending: HashSet<GroupKey>,
    /// What will be free on nodes where something is to end, beside those for whom it ends.
    pub(super) made: HashMap<usize, Vec<u64>>,
    /// What the group whose turn it is sees of the others of its task, if it looks at them.
    pub(super) circle: Option<Circle<'a>>,
    /// Where the items are of tasks of which some begin in this plan, those included.
    pub(super) joined: Company,
    /// How many more items of a run may be with nodes, where there is a limit.
    rooms: HashMap<u64, u32>,
    /// Of each class in each queue, how many groups found what room there is kept for others.
    pub(super) kept: HashMap<(QueueId, ClassId), u32>,
    /// Of each class, how many members the smallest gang has that found too little room, and how
    /// much that was: for larger ones it is too little, too.
    pub(super) scarce: HashMap<ClassId, (u32, u32)>,
    /// What each node has been lent in this plan.
    pub(super) lent: HashMap<usize, u32>,
    /// How many short items begin on each node in this plan.
    pub(super) short: HashMap<usize, u32>,
    /// Groups that have had their turn.
    pub(super) settled: HashSet<GroupKey>,
    /// Whether anything waits that is guaranteed to its queue.
    pub(super) is_owed: bool,
    pub(super) reservations: usize,
    /// Queues of which something has a reservation.
    pub(super) booked: HashSet<QueueId>,
    /// Classes for which no node has room.
    full: Vec<ClassId>,
    /// The nodes that may take an item of the group whose turn it is.
    pub(super) candidates: Candidates,
    /// How long anyone may be made to wait for others, in microseconds.
    pub(super) patience: u64,
    /// The node that is next where nodes take turns.
    pub(super) turn: usize,
    pub(super) now: u64,
    fuel: u64,
}

/// What came of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All items begin, or wait for a node where they end earlier than on one that has room.
    Settled,
    /// Some have no room before what is reserved.
    Kept,
    /// Some have no room where others of their task are, and there may be some elsewhere.
    Apart,
    /// Some have no room.
    Full,
    /// Their run has as many as it may.
    RunFull,
    /// An allowance of their class is used up.
    Barred(AllowanceId),
    /// Their queue, or one above it, has as much as it may.
    QueueFull(QueueId),
    /// Not all of a gang can begin, for a reason that is true of it alone.
    Alone(Refusal),
    /// As many begin as may before other queues have had their turn.
    Yields,
}

/// How many items more of a group may begin beside what is with nodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) of_run: u32,
    pub(super) of_queue: u32,
}

impl Outcome {
    /// Whether it is for want of room on nodes that some have not begun.
    pub(super) const fn is_left_by_nodes(self) -> bool {
        matches!(self, Self::Kept | Self::Apart | Self::Full | Self::Alone(Refusal::Gang { .. }))
    }
}

/// What a planning gives.
struct Planned {
    plan: Plan,
    turn: usize,
    full: Vec<ClassId>,
    refusals: Refusals,
    decisions: Vec<Decision>,
    futures: Vec<Option<Future>>,
}

impl<'a> Planning<'a> {
    fn run(mut self) -> Planned {
        self.is_owed = self.is_any_owed();
        if self.planner.has_critical {
            let lines = self.line_up_critical();
            self.take_turns(lines);
        }
        self.close_lane();
        if !self.is_out_of_fuel() {
            let lines = self.line_up();
            self.take_turns(lines);
        }
        self.ask_back();
        let Self { plan, turn, full, refusals, decisions, draft, .. } = self;
        Planned { plan, turn, full, refusals, decisions, futures: draft.into_futures() }
    }

    /// The groups of some lines have their turns, until there is none left or no fuel.
    fn take_turns(&mut self, mut lines: BTreeMap<QueueId, Line>) {
        while let Some(queue) = self.next_queue(&lines) {
            let Some(line) = lines.get_mut(&queue) else { break };
            let Some(Reverse((turn, key))) = line.pop() else {
                lines.remove(&queue);
                continue;
            };
            let Some(waiting) = self.planner.backlog.get(key) else { continue };
            if self.is_out_of_fuel() {
                self.plan.is_out_of_fuel = true;
                break;
            }
            let group = waiting.group;
            let outcome = self.take_turn(key, &group, lines.len() > 1);
            let holds_up = self.planner.queues.get(queue).policy.behind() == Behind::Wait;
            if outcome.is_left_by_nodes() && holds_up {
                lines.remove(&queue);
                continue;
            }
            let next = self.after(turn, &group, (turn.place, key), outcome).map(Reverse);
            if let Some(line) = lines.get_mut(&queue) {
                line.extend(next);
            }
        }
    }

    /// How those of a run are ordered and placed.
    pub(super) fn policy(&self, run: u64) -> Policy {
        self.planner.queues.get(self.planner.backlog.queue(run)).policy
    }

    pub(super) fn ask(&self, group: &Group) -> &'a Ask {
        let planner: &'a Planner = self.planner;
        &planner.classes[group.class.0 as usize].ask
    }

    /// Items of a group begin, as many as can; what stays has a reason.
    pub(super) fn place(&mut self, key: GroupKey, group: &Group) -> Outcome {
        self.spend(1);
        self.look_at_others(key, group);
        let outcome = self.place_some(key, group);
        let class = (self.planner.backlog.queue(key.run), group.class);
        match outcome {
            Outcome::Settled | Outcome::Yields => {}
            Outcome::Kept => self.refusals.of_group(key, Refusal::Reserved),
            Outcome::Apart => self.refusals.of_group(key, Refusal::Apart),
            Outcome::RunFull => self.refusals.of_group(key, Refusal::Run),
            Outcome::Alone(refusal) => self.refusals.of_group(key, refusal),
            Outcome::Full => self.refusals.of_class(class, self.why_no_room(group.class)),
            Outcome::Barred(allowance) => self.bar(class, Refusal::Allowance(allowance)),
            Outcome::QueueFull(queue) => self.bar(class, Refusal::Queue(queue)),
        }
        outcome
    }

    fn place_some(&mut self, key: GroupKey, group: &Group) -> Outcome {
        if let Some(refusal) = self.is_oversized(group) {
            return Outcome::Alone(refusal);
        }
        let class = &self.planner.classes[group.class.0 as usize];
        let of_run = self.room_of_run(key.run);
        if of_run == 0 {
            return Outcome::RunFull;
        }
        let drawn = match self.purse.lets(class) {
            Ok(most) => most,
            Err(allowance) => return Outcome::Barred(allowance),
        };
        if !class.others.is_empty() {
            return self.place_in_ways(key, group, of_run.min(drawn));
        }
        let of_queue = match self.queues.lets(self.planner.backlog.queue(key.run), &class.ask) {
            Ok(most) => most,
            Err(queue) => return Outcome::QueueFull(queue),
        };
        if group.gang {
            return self.place_gang(key, group, Limits { of_run, of_queue });
        }
        let most = group.count.min(of_run).min(drawn).min(of_queue);
        let in_lane = self.begin_in_lane(key, group, most);
        let (begun, mut outcome) = match most - in_lane {
            0 => (0, Outcome::Settled),
            rest => self.place_each(key, group, rest),
        };
        let mut left = most - in_lane - begun;
        if outcome == Outcome::Full {
            left -= self.lend(key, group, left);
            if left == 0 {
                outcome = Outcome::Settled;
            }
        }
        match outcome {
            Outcome::Settled if most == group.count => Outcome::Settled,
            Outcome::Settled if most == of_run => Outcome::RunFull,
            Outcome::Settled => match self.purse.lets(class) {
                Ok(_) => self.queue_full(key, class),
                Err(allowance) => Outcome::Barred(allowance),
            },
            other => other,
        }
    }

    /// The same of items that can be done in several ways, `most` of them at most.
    fn place_in_ways(&mut self, key: GroupKey, group: &Group, most: u32) -> Outcome {
        let most = group.count.min(most);
        let begun = self.begin_in_lane(key, group, most);
        match self.place_each_in_ways(key, group, most - begun) {
            Outcome::Settled if most == group.count => Outcome::Settled,
            Outcome::Settled if self.room_of_run(key.run) == 0 => Outcome::RunFull,
            Outcome::Settled => {
                let class = &self.planner.classes[group.class.0 as usize];
                self.purse.lets(class).map_or_else(Outcome::Barred, |_| Outcome::Settled)
            }
            other => other,
        }
    }

    /// Items of a group begin in the lane, if they may; says how many.
    fn begin_in_lane(&mut self, key: GroupKey, group: &Group, most: u32) -> u32 {
        let is_critical = self.planner.classes[group.class.0 as usize].is_critical;
        if is_critical { self.place_in_lane(key, group, most) } else { 0 }
    }

    /// What is left of a group exceeds what its queue may have.
    fn queue_full(&self, key: GroupKey, class: &Class) -> Outcome {
        let queue = self.planner.backlog.queue(key.run);
        match self.queues.tightest(queue, &class.ask) {
            Some(full) => Outcome::QueueFull(full),
            None => Outcome::Settled,
        }
    }

    /// Items of a group begin, each for itself: how many found a place, of `most`.
    fn place_each(&mut self, key: GroupKey, group: &Group, most: u32) -> (u32, Outcome) {
        let ask = self.ask(group);
        if let Some(none) = self.look_for_room(group) {
            return (0, none);
        }
        let choice = self.policy(key.run).choice();
        if choice == Choice::Earliest {
            self.rank(group);
        }
        for begun in 0..most {
            if self.is_out_of_fuel() {
                self.plan.is_out_of_fuel = true;
                return (begun, Outcome::Settled);
            }
            self.spend(1);
            let slot = match choice {
                Choice::Earliest => self.earliest(ask, group).map(|(_, slot)| slot),
                Choice::First | Choice::Tightest | Choice::Turn => self.open(choice, ask, group),
            };
            let Some(slot) = slot else {
                let none = if self.is_bound() { Outcome::Apart } else { Outcome::Full };
                return (begun, if self.is_kept(ask) { Outcome::Kept } else { none });
            };
            self.take_slot(key, &slot, (group, begun));
        }
        (most, Outcome::Settled)
    }

    /// Whether a node that had room for the group whose turn it is has some, and keeps it.
    pub(super) fn is_kept(&self, ask: &Ask) -> bool {
        self.candidates.roomy.iter().any(|&node| self.draft.fits(node, ask))
    }

    /// An item begins, or waits for a node where it ends sooner than on any that has room.
    /// So many of its group have begun in this turn.
    pub(super) fn take_slot(&mut self, key: GroupKey, slot: &Slot, (group, begun): (&Group, u32)) {
        if slot.start > self.now {
            let node = node_id(slot.node);
            self.refusals.of_group(key, Refusal::Faster { node, at: slot.start });
            self.refusals.book(key, node, slot.start);
            self.count_begun(key, 1);
            self.book_at(slot, group);
        } else {
            self.note_decision(key, group, (slot.node, begun));
            self.begin(key, slot.node, &slot.least, group);
        }
    }

    pub(super) fn room_of_run(&self, run: u64) -> u32 {
        let known = || self.planner.backlog.run(run).map_or(u32::MAX, |known| known.run.room);
        self.rooms.get(&run).copied().unwrap_or_else(known)
    }

    /// Finds the nodes that have room for an item of a group, whatever is reserved there. If there
    /// is none, says why.
    pub(super) fn look_for_room(&mut self, group: &Group) -> Option<Outcome> {
        let (ask, planner) = (self.ask(group), self.planner);
        let look: Vec<usize> = match planner.classes[group.class.0 as usize].full_at {
            None => (0..planner.fleet.nodes.len()).collect(),
            Some(ends) => {
                let freed = planner.fleet.freed[ends..].iter().map(|&node| node as usize);
                freed.collect::<BTreeSet<usize>>().into_iter().collect()
            }
        };
        self.spend(look.len());
        self.candidates.roomy =
            look.iter().copied().filter(|&node| self.draft.fits(node, ask)).collect();
        // What begins in this plan may not begin after all: that something is full because of it
        // is not remembered.
        let is_full = |&node: &usize| !planner.fleet.nodes[node].fits(ask);
        if self.candidates.roomy.is_empty() && look.iter().all(is_full) {
            self.full.push(group.class);
        }
        if self.candidates.roomy.is_empty() {
            return Some(Outcome::Full);
        }
        self.stay_together(ask, group.count);
        self.candidates.roomy.is_empty().then_some(Outcome::Apart)
    }

    /// An item begins on a node, within `least`.
    pub(super) fn begin(&mut self, key: GroupKey, node: usize, least: &[u64], group: &Group) {
        let taken = self.draft.form(node).choose(least, self.ask(group));
        let end = self.now + self.planner.fleet.nodes[node].duration(group.expected);
        self.draft.book(node, (self.now, end), &taken);
        if self.planner.classes[group.class.0 as usize].is_critical {
            self.lane.begin(self.draft.form(node), (node, end), &taken);
        }
        self.likeness.changed(node);
        self.join(key, node);
        self.note_short(node, group);
        self.purse.take(&self.planner.classes[group.class.0 as usize]);
        self.take_of_queue(key, &taken, 1);
        self.count_in(key, 1);
        let way = self.way_of(key, group.class);
        self.propose(Placement { group: key, node: node_id(node), count: 1, way, taken });
    }

    /// Items are given to a node that has no room for them yet.
    pub(super) fn give(&mut self, key: GroupKey, node: usize, count: u32, ask: &Ask) {
        self.count_in(key, count);
        self.draft.lend(node);
        let taken = Taken { amounts: ask.amounts.clone(), ..Taken::default() };
        self.take_of_queue(key, &taken, count);
        self.propose(Placement { group: key, node: node_id(node), count, way: 0, taken });
    }

    fn take_of_queue(&mut self, key: GroupKey, taken: &Taken, count: u32) {
        let queue = self.planner.backlog.queue(key.run);
        self.queues.take(queue, taken, count);
        for later in self.later.iter_mut().flatten() {
            later.take(queue, taken, count);
        }
    }

    fn propose(&mut self, placement: Placement) {
        match self.plan.placements.last_mut() {
            Some(last)
                if last.group == placement.group
                    && last.node == placement.node
                    && last.way == placement.way
                    && last.taken == placement.taken
                    && last.taken.devices.is_empty() =>
            {
                last.count += placement.count;
            }
            _ => self.plan.placements.push(placement),
        }
    }

    /// What is to end is told so.
    pub(super) fn propose_end(&mut self, item: GroupKey) {
        self.plan.preemptions.push(item);
    }

    /// What waits at nodes is to come back.
    pub(super) fn propose_return(&mut self, items: impl Iterator<Item = GroupKey>) {
        self.plan.returns.extend(items);
    }

    /// Something waits for room that is expected at a time.
    pub(super) fn expect_room(&mut self, at: u64) {
        self.plan.look_at = Some(self.plan.look_at.map_or(at, |known| known.min(at)));
    }

    fn count_in(&mut self, key: GroupKey, count: u32) {
        let room = self.room_of_run(key.run);
        if room < u32::MAX {
            self.rooms.insert(key.run, room.saturating_sub(count));
        }
        self.count_begun(key, count);
    }

    /// Items of a group begin, or have a place to wait for: they are not asked again.
    fn count_begun(&mut self, key: GroupKey, count: u32) {
        if self.counts {
            *self.begun.entry(key).or_default() += count;
        }
    }

    /// Takes units of the fuel that is left.
    pub(super) fn spend(&mut self, units: usize) {
        self.fuel = self.fuel.saturating_sub(units as u64);
    }

    /// The plan ends before everyone has had a turn.
    pub(super) const fn run_dry(&mut self) {
        self.plan.is_out_of_fuel = true;
    }

    pub(super) const fn is_out_of_fuel(&self) -> bool {
        self.fuel == 0
    }
}

pub(super) fn node_id(node: usize) -> NodeId {
    NodeId(u32::try_from(node).expect("fewer nodes than numbers"))
}
