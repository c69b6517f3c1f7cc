//! Whose work ends early so that others have its room: those to whom that room is guaranteed, or
//! who are more urgent than work that says it may be interrupted.
//!
//! Of all who could make room those are asked who lose least by it: their work since they last
//! saved it, what beginning anew costs them, and what they have lost and waited for the same reason
//! before. Without the last, whoever saves often would be asked again and again, and be worse off
//! than whoever never does. Nothing is taken where room comes soon by itself, or is being made.

use alloc::vec::Vec;

use super::ask::{Ask, Taken};
use super::backlog::{Group, GroupKey};
use super::fleet::Lease;
use super::plan::Planning;
use super::queue::Queues;

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
        if group.gang || !self.counts {
            return false;
        }
        let ask = self.ask(group);
        let queue = self.planner.backlog.queue(key.run);
        let may = |later: &Queues, is_urgent| {
            (is_urgent || later.is_guaranteed(queue, ask)) && later.lets(queue, ask).is_ok()
        };
        for _ in self.begun_of(key)..group.count {
            let is_urgent = self.planner.fleet.preemptible > 0;
            if !may(self.later()[1], is_urgent) || !self.make_room_for_one(key, group) {
                return false;
            }
            let taken = Taken {
                amounts: ask.amounts.clone(),
                share: ask.devices.share,
                devices: (0..64).take(ask.devices.count.into()).collect(),
                ..Taken::default()
            };
            self.later_mut()[1].take(queue, &taken, 1);
        }
        true
    }

    /// What each queue has once what is to end has ended, and once those have begun for whom it
    /// does.
    fn later(&self) -> [&Queues; 2] {
        self.later.as_ref().map_or([&self.queues; 2], |later| later.each_ref())
    }

    fn later_mut(&mut self) -> &mut [Queues; 2] {
        let queues = &self.queues;
        self.later.get_or_insert_with(|| [queues.clone(), queues.clone()])
    }

    fn make_room_for_one(&mut self, key: GroupKey, group: &Group) -> bool {
        self.spend(self.planner.fleet.nodes.len());
        if self.is_coming(group) {
            return self.book(group);
        }
        let Some(victims) = self.cheapest(key, group) else { return false };
        if self.ending.len() + victims.items.len() > PREEMPTIONS_MAX {
            return false;
        }
        let node = &self.planner.fleet.nodes[victims.node];
        for item in victims.items {
            if let Some(lease) = node.leases.get(&item) {
                let later = self.later_mut().iter_mut();
                later.for_each(|later| later.give_back(lease.queue, &lease.taken));
            }
            self.ending.insert(item);
            self.propose_end(item);
        }
        // Nobody else begins there until this plan has been carried out.
        self.draft.lend(victims.node);
        self.made.insert(victims.node, victims.left);
        true
    }

    /// Whether a node has room for an item soon, or what ends there early makes some.
    fn is_coming(&mut self, group: &Group) -> bool {
        let ask = self.ask(group);
        let nodes = &self.planner.fleet.nodes;
        for (index, node) in nodes.iter().enumerate() {
            if !self.lets(index) {
                continue;
            }
            let leaving = node.leases.values().filter_map(|lease| lease.leaves_at).max();
            let by = leaving.unwrap_or(0).max(self.now + SOON);
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
            let is_open = node.spec.accepts && node.lent.is_empty() && self.lets(index);
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
        let mut eligible: Vec<(u128, GroupKey, &Taken)> =
            eligible.map(|(&item, lease)| (self.loss(lease), item, &lease.taken)).collect();
        eligible.sort_unstable_by_key(|&(loss, item, _)| (loss, item));
        let mut chosen = Vec::new();
        for victim in eligible {
            if node.form.fits(&row, ask) {
                break;
            }
            node.form.change(&mut row, victim.2, true);
            chosen.push(victim);
        }
        if !node.form.fits(&row, ask) {
            return None;
        }
        // Who turns out not to be needed stays, beginning with whoever would lose most.
        for at in (0..chosen.len()).rev() {
            let mut without = row.clone();
            node.form.change(&mut without, chosen[at].2, false);
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
        let backlog = &self.planner.backlog;
        let queue = backlog.queue(key.run);
        let run = backlog.run(key.run).map_or(0, |known| known.run.priority);
        let is_urgent =
            lease.queue == queue && lease.preemptible && (run, group.priority) > lease.priority;
        let [ended, begun] = self.later();
        let is_owed = begun.is_owed_by(queue, ask, lease.queue);
        is_urgent || (is_owed && ended.is_borrowed(queue, lease.queue, &lease.taken))
    }

    /// What is lost if a lease ends early, in microseconds of the whole fleet.
    fn loss(&self, lease: &Lease) -> u128 {
        let lost = self.now.saturating_sub(lease.saved_at).saturating_add(lease.loss);
        u128::from(self.planner.work(lease.class, lost))
    }
}
