//! Whose work ends early so that others have its room: those to whom that room is guaranteed, or
//! who are more urgent than work that says it may be interrupted.
//!
//! Of all who could make room those are asked who lose least by it: their work since they last
//! saved it, what beginning anew costs them, and what they have lost and waited for the same reason
//! before. Without the last, whoever saves often would be asked again and again, and be worse off
//! than whoever never does. Nothing is taken where room comes soon by itself, or is being made.

use alloc::vec::Vec;

use super::ask::{Ask, Taken};
use super::backlog::{ClassId, Group, GroupKey};
use super::fleet::Lease;
use super::plan::Planning;
use super::queue::{QueueId, Queues};

/// Room that is expected within this time, in microseconds, is waited for.
const SOON: u64 = 10_000_000;

/// Leases that one plan may end at most.
const PREEMPTIONS_MAX: usize = 256;

/// Leases of one node that could make room for an item, and what that costs.
struct Victims {
    cost: u128,
    node: usize,
    items: Vec<GroupKey>,
    /// What is free there once they have ended and the item has begun.
    left: Vec<u64>,
}

impl Planning<'_> {
    /// Makes room for the items of a group that found none: whether all that are left will have
    /// some without anything else being done.
    pub(super) fn make_room(&mut self, key: GroupKey, group: &Group) -> bool {
        // Room for a gang would have to be made on several nodes at once: it waits for that.
        if group.gang || !self.counts {
            return false;
        }
        let queue = self.planner.backlog.queue(key.run);
        // As many as may begin otherwise.
        let class = &self.planner.classes[group.class.0 as usize];
        let more = self.room_of_run(key.run).min(self.purse.lets(class).unwrap_or(0));
        let left = group.count.saturating_sub(self.begun_of(key));
        let is_urgent = self.planner.fleet.yields_to(queue, self.priority(key, group));
        let ways = self.ways(key, group);
        for _ in 0..left.min(more) {
            let made = ways.iter().find(|way| {
                let (ask, begun) = (self.ask(way), self.later()[1]);
                let may = is_urgent || begun.is_guaranteed(queue, ask);
                may && begun.lets(queue, ask).is_ok() && self.make_room_for_one(key, way)
            });
            let Some(way) = made else { return false };
            let taken = whatever(self.ask(way));
            self.later_mut()[1].take(queue, &taken, 1);
        }
        left <= more
    }

    fn priority(&self, key: GroupKey, group: &Group) -> (u8, u8) {
        let run = self.planner.backlog.run(key.run).map_or(0, |known| known.run.priority);
        (run, group.priority)
    }

    /// What each queue has once what is to end has ended, and once those have begun for whom it
    /// does.
    fn later(&self) -> [&Queues; 2] {
        self.later.as_ref().map_or([&self.queues; 2], |later| later.each_ref())
    }

    /// The same, made when it is first asked for: what leaves is not there any more.
    fn later_mut(&mut self) -> &mut [Queues; 2] {
        let (queues, nodes) = (&self.queues, &self.planner.fleet.nodes);
        self.later.get_or_insert_with(|| {
            let mut ended = queues.clone();
            let leaving = nodes.iter().filter(|node| node.leaving > 0);
            let leases = leaving.flat_map(|node| node.leases.values());
            for lease in leases.filter(|lease| lease.leaves_at.is_some()) {
                ended.give_back(lease.queue, &lease.taken);
            }
            [ended.clone(), ended]
        })
    }

    fn make_room_for_one(&mut self, key: GroupKey, group: &Group) -> bool {
        self.later_mut();
        self.spend(self.planner.fleet.nodes.len());
        if self.is_out_of_fuel() {
            return false;
        }
        if self.is_coming(group) {
            return self.book(key, group);
        }
        let Some(victims) = self.cheapest(key, group) else { return false };
        if self.ending.len() + victims.items.len() > PREEMPTIONS_MAX {
            return false;
        }
        let node = &self.planner.fleet.nodes[victims.node];
        for item in victims.items {
            if let Some(lease) = node.leases.get(&item) {
                self.end_early(item, lease);
            }
        }
        // Nobody else begins there until this plan has been carried out.
        self.draft.lend(victims.node);
        self.made.insert(victims.node, victims.left);
        true
    }

    /// A lease ends early, and with the member of a gang all of that.
    fn end_early(&mut self, item: GroupKey, lease: &Lease) {
        let planner = self.planner;
        let members = lease.gang.then(|| planner.fleet.gang_of(item)).into_iter().flatten();
        let others = members.filter(|(other, _)| *other != item);
        for (item, lease) in others.chain([(item, lease)]) {
            if lease.leaves_at.is_none() && self.ending.insert(item) {
                let later = self.later_mut().iter_mut();
                later.for_each(|later| later.give_back(lease.queue, &lease.taken));
                self.propose_end(item);
            }
        }
    }

    /// A queue has its limit, and others in it have what is guaranteed to a group: whoever loses
    /// least makes way for one item, wherever that is.
    pub(super) fn make_way(&mut self, key: GroupKey, group: &Group, full: QueueId) {
        let (ask, queue) = (self.ask(group), self.planner.backlog.queue(key.run));
        self.later_mut();
        if group.gang || self.is_out_of_fuel() || self.later()[1].lets(queue, ask).is_ok() {
            return;
        }
        let mut eligible: Vec<(u128, GroupKey, &Lease)> = Vec::new();
        for node in &self.planner.fleet.nodes {
            self.spend(node.leases.len());
            let stays = node
                .leases
                .iter()
                .filter(|(item, lease)| lease.leaves_at.is_none() && !self.ending.contains(*item));
            let below = stays.filter(|(_, lease)| self.queues.is_within(lease.queue, full));
            let may_end = below.filter(|(_, lease)| self.may_end(key, group, ask, lease));
            eligible.extend(may_end.map(|(&item, lease)| (self.loss(item, lease), item, lease)));
        }
        eligible.sort_unstable_by_key(|&(loss, item, _)| (loss, item));
        let mut ended = self.later()[0].clone();
        let mut chosen = Vec::new();
        for (_, item, lease) in eligible {
            if ended.lets(queue, ask).is_ok() {
                break;
            }
            if self.still_may(key, group, &ended, lease) {
                ended.give_back(lease.queue, &lease.taken);
                chosen.push((item, lease));
            }
        }
        if ended.lets(queue, ask).is_err() || self.ending.len() + chosen.len() > PREEMPTIONS_MAX {
            return;
        }
        chosen.into_iter().for_each(|(item, lease)| self.end_early(item, lease));
        self.later_mut()[1].take(queue, &whatever(ask), 1);
    }

    /// Whether a node has room for an item soon, or what ends there early makes some.
    fn is_coming(&mut self, group: &Group) -> bool {
        let ask = self.ask(group);
        let nodes = &self.planner.fleet.nodes;
        for (index, node) in nodes.iter().enumerate() {
            if !self.lets(index) {
                continue;
            }
            let mut by = self.now + SOON;
            if node.leaving > 0 {
                self.spend(node.leases.len());
                let leaving = node.leases.values().filter_map(|lease| lease.leaves_at).max();
                by = by.max(leaving.unwrap_or(0));
            }
            let found = self.draft.earliest(index, ask, node.duration(group.expected));
            if found.is_some_and(|(start, doubt, _)| start.saturating_add(doubt) <= by) {
                return true;
            }
        }
        false
    }

    /// Those that lose least by making room for an item.
    fn cheapest(&mut self, key: GroupKey, group: &Group) -> Option<Victims> {
        let ask = self.ask(group);
        let mut best: Option<Victims> = None;
        for (index, node) in self.planner.fleet.nodes.iter().enumerate() {
            // What a node was lent begins there before anything else does.
            let is_lent = !node.lent.is_empty() || self.lent.contains_key(&index);
            let is_open = node.spec.accepts && !is_lent && self.lets(index);
            if !is_open || !node.could_hold(ask) {
                continue;
            }
            self.spend(node.leases.len());
            let victims = self.victims(index, (key, group), ask);
            let is_better = |it: &Victims| {
                let known = best.as_ref().map(|best| (best.cost, best.items.len()));
                known.is_none_or(|known| (it.cost, it.items.len()) < known)
            };
            best = victims.filter(is_better).or(best);
        }
        best
    }

    /// The leases of a node that make room for an item, and that cost least.
    fn victims(
        &self,
        index: usize,
        (key, group): (GroupKey, &Group),
        ask: &Ask,
    ) -> Option<Victims> {
        let node = &self.planner.fleet.nodes[index];
        let leases = || node.leases.iter().filter(|&(item, _)| !self.ending.contains(item));
        let mut row = self.made.get(&index).cloned().unwrap_or_else(|| {
            let mut row = self.draft.free(index).to_vec();
            for (_, lease) in leases().filter(|(_, lease)| lease.leaves_at.is_some()) {
                node.form.change(&mut row, &lease.taken, true);
            }
            row
        });
        let stays = leases().filter(|(_, lease)| lease.leaves_at.is_none());
        let eligible = stays.filter(|(_, lease)| self.may_end(key, group, ask, lease));
        let mut eligible: Vec<(u128, GroupKey, &Lease)> =
            eligible.map(|(&item, lease)| (self.loss(item, lease), item, lease)).collect();
        eligible.sort_unstable_by_key(|&(loss, item, _)| (loss, item));
        let mut chosen = Vec::new();
        let mut ended: Option<Queues> = None;
        for victim in eligible {
            if node.form.fits(&row, ask) {
                break;
            }
            // Who has borrowed a little gives back a little, and then no more.
            let ended = ended.get_or_insert_with(|| self.later()[0].clone());
            if self.still_may(key, group, ended, victim.2) {
                ended.give_back(victim.2.queue, &victim.2.taken);
                node.form.change(&mut row, &victim.2.taken, true);
                chosen.push(victim);
            }
        }
        if !node.form.fits(&row, ask) {
            return None;
        }
        // Who turns out not to be needed stays, beginning with whoever would lose most.
        for at in (0..chosen.len()).rev() {
            let mut without = row.clone();
            node.form.change(&mut without, &chosen[at].2.taken, false);
            if node.form.fits(&without, ask) {
                row = without;
                chosen.remove(at);
            }
        }
        let taken = node.form.choose(&row, ask);
        node.form.change(&mut row, &taken, false);
        let cost = chosen.iter().map(|&(loss, ..)| loss).sum();
        let items = chosen.into_iter().map(|(_, item, _)| item).collect();
        Some(Victims { cost, node: index, items, left: row })
    }

    /// Whether a lease may be ended for an item.
    fn may_end(&self, key: GroupKey, group: &Group, ask: &Ask, lease: &Lease) -> bool {
        let queue = self.planner.backlog.queue(key.run);
        let [ended, begun] = self.later();
        // What it leaves free would be kept for what is critical.
        let is_critical = |class: ClassId| self.planner.classes[class.0 as usize].is_critical;
        if is_critical(lease.class) && !is_critical(group.class) {
            return false;
        }
        self.is_urgent(key, group, lease)
            || (begun.is_owed_by(queue, ask, lease.queue)
                && ended.is_borrowed(queue, lease.queue, &lease.taken))
    }

    /// The same when some have ended already, as far as it goes by them.
    fn still_may(&self, key: GroupKey, group: &Group, ended: &Queues, lease: &Lease) -> bool {
        let queue = self.planner.backlog.queue(key.run);
        self.is_urgent(key, group, lease) || ended.is_borrowed(queue, lease.queue, &lease.taken)
    }

    fn is_urgent(&self, key: GroupKey, group: &Group, lease: &Lease) -> bool {
        let queue = self.planner.backlog.queue(key.run);
        lease.queue == queue && lease.preemptible && self.priority(key, group) > lease.priority
    }

    /// What is lost if a lease ends early, in microseconds of the whole fleet: of the member of a
    /// gang, what all of it loses.
    fn loss(&self, item: GroupKey, lease: &Lease) -> u128 {
        if !lease.gang {
            return self.own_loss(lease);
        }
        self.planner.fleet.gang_of(item).map(|(_, lease)| self.own_loss(lease)).sum()
    }

    fn own_loss(&self, lease: &Lease) -> u128 {
        let lost = self.now.saturating_sub(lease.saved_at).saturating_add(lease.loss);
        u128::from(self.planner.work(lease.class, lost))
    }
}

/// What an item takes, whatever devices it is given.
fn whatever(ask: &Ask) -> Taken {
    Taken {
        amounts: ask.amounts.clone(),
        share: ask.devices.share,
        devices: (0..64).take(ask.devices.count.into()).collect(),
        ..Taken::default()
    }
}
