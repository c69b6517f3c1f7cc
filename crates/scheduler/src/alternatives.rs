//! Items that can be done in several ways, each with an ask and a time of its own: which is taken.
//!
//! Where ends are compared, the way in which an item ends first, the wait for it included; of those
//! in which it ends at the same time the first. Where they are not, the first that has room.

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::Planner;
use super::ask::Ask;
use super::backlog::{ClassId, Group, GroupKey};
use super::place::{Candidates, Slot};
use super::plan::{Outcome, Planning};
use super::policy::Choice;
use super::queue::QueueId;

impl Planner {
    /// Says that those of a class can be done in other ways, too: what each asks for is a class of
    /// its own. Allowances are drawn on in every way as in the first.
    pub fn set_alternatives(&mut self, id: ClassId, others: &[ClassId]) {
        if let Some(class) = self.classes.get_mut(id.0 as usize) {
            class.others = others.into();
        }
    }

    /// Tells how long an item of a group takes in each of the other ways that its class has, in
    /// microseconds on a node of usual speed. Where nothing is told it is as long as in the first.
    pub fn set_durations(&mut self, key: GroupKey, others: &[u64]) {
        if others.is_empty() {
            self.durations.remove(&key);
        } else {
            self.durations.insert(key, others.into());
        }
    }

    /// Whether any node could hold an item of a class in this way if nothing ran there.
    #[must_use]
    pub fn could_ever_hold(&self, class: ClassId) -> bool {
        let ask = self.classes.get(class.0 as usize).map(|class| &class.ask);
        ask.is_some_and(|ask| self.fleet.nodes.iter().any(|node| node.could_hold(ask)))
    }

    /// A class, and those of the other ways to do the same.
    pub(super) fn ways_of(&self, class: ClassId) -> impl Iterator<Item = ClassId> {
        let others = self.classes[class.0 as usize].others.iter().copied();
        core::iter::once(class).chain(others)
    }

    /// What an item of a class asks for, in each of the ways to do it.
    pub(super) fn asks(&self, class: ClassId) -> impl Iterator<Item = &Ask> {
        self.ways_of(class).map(|class| &self.classes[class.0 as usize].ask)
    }
}

/// A way to do the items of the group whose turn it is.
struct Way {
    /// The group as if there was this way alone.
    group: Group,
    /// The nodes that may take an item.
    candidates: Candidates,
}

impl Planning<'_> {
    /// A group as if there was one way alone to do its items, for each way. Not empty.
    pub(super) fn ways(&self, key: GroupKey, group: &Group) -> Vec<Group> {
        let told = self.planner.durations.get(&key);
        let time = |at: usize| match at.checked_sub(1) {
            None => group.expected,
            Some(at) => told.and_then(|told| told.get(at)).copied().unwrap_or(group.expected),
        };
        let classes = self.planner.ways_of(group.class).enumerate();
        classes.map(|(at, class)| Group { class, expected: time(at), ..*group }).collect()
    }

    /// Which of the ways to do the items of a group is that of a class.
    pub(super) fn way_of(&self, key: GroupKey, class: ClassId) -> u8 {
        let own = self.planner.backlog.get(key).map_or(class, |waiting| waiting.group.class);
        let at = self.planner.ways_of(own).position(|other| other == class);
        at.and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
    }

    /// Items of a group begin, each in the way that is best for it, `most` of them at most.
    pub(super) fn place_each_in_ways(
        &mut self,
        key: GroupKey,
        group: &Group,
        most: u32,
    ) -> Outcome {
        let (queue, choice) = (self.planner.backlog.queue(key.run), self.policy(key.run).choice());
        let groups = self.ways(key, group);
        let mut ways: Vec<Way> = groups.into_iter().map(|it| self.look(it, choice)).collect();
        for begun in 0..most {
            if self.is_out_of_fuel() {
                self.run_dry();
                return Outcome::Settled;
            }
            self.spend(1);
            let Some((at, slot)) = self.best(&mut ways, choice, queue) else {
                return self.why_none(&ways, queue);
            };
            core::mem::swap(&mut self.candidates, &mut ways[at].candidates);
            self.take_slot(key, &slot, (&ways[at].group, begun));
            core::mem::swap(&mut self.candidates, &mut ways[at].candidates);
            self.rank_again(&mut ways, (at, slot.node), choice);
        }
        Outcome::Settled
    }

    /// Looks for nodes that have room for an item that is done in one way.
    fn look(&mut self, group: Group, choice: Choice) -> Way {
        self.candidates = Candidates::default();
        let none = self.look_for_room(&group);
        if none.is_none() && choice == Choice::Earliest {
            self.rank(&group);
        }
        Way { group, candidates: core::mem::take(&mut self.candidates) }
    }

    /// The way in which an item of the group ends first, and where.
    fn best(&mut self, ways: &mut [Way], choice: Choice, queue: QueueId) -> Option<(usize, Slot)> {
        let mut best: Option<(u64, usize, Slot)> = None;
        let mut is_roomy = Vec::with_capacity(ways.len());
        for (at, way) in ways.iter_mut().enumerate() {
            let ask = self.ask(&way.group);
            let may = !way.candidates.roomy.is_empty() && self.queues.lets(queue, ask).is_ok();
            core::mem::swap(&mut self.candidates, &mut way.candidates);
            let found = match choice {
                _ if !may => None,
                Choice::Earliest => self.earliest(ask, &way.group),
                _ => self.open(choice, ask, &way.group).map(|slot| (self.now, slot)),
            };
            core::mem::swap(&mut self.candidates, &mut way.candidates);
            is_roomy.push(found.is_some());
            if let Some((end, slot)) = found
                && best.as_ref().is_none_or(|best| end < best.0)
            {
                best = Some((end, at, slot));
            }
        }
        // Where it has room in no way there is nothing that it could give up by waiting.
        let mut best = best?;
        for (at, way) in ways.iter().enumerate() {
            let ask = self.ask(&way.group);
            let waits = choice == Choice::Earliest && !is_roomy[at];
            if !waits || self.queues.lets(queue, ask).is_err() {
                continue;
            }
            // Of two in which it ends at the same time the first is taken.
            let before = best.0.saturating_add(u64::from(at < best.1));
            if let Some((end, slot)) = self.sooner(&way.group, 0, before) {
                best = (end, at, slot);
            }
        }
        Some((best.1, best.2))
    }

    /// An item begins on a node in one way: what the node is worth in the others has changed.
    fn rank_again(&mut self, ways: &mut [Way], (taken, node): (usize, usize), choice: Choice) {
        if choice != Choice::Earliest {
            return;
        }
        for (_, way) in ways.iter_mut().enumerate().filter(|&(at, _)| at != taken) {
            if way.candidates.roomy.contains(&node) && !way.candidates.is_unranked(node) {
                let rank = self.rank_of(node, &way.group);
                way.candidates.ranking.extend(rank.map(|rank| Reverse((rank, node))));
            }
        }
    }

    /// Why an item begins in none of the ways.
    fn why_none(&mut self, ways: &[Way], queue: QueueId) -> Outcome {
        let full = ways.iter().map(|way| self.queues.lets(queue, self.ask(&way.group)).err());
        let full: Option<Vec<QueueId>> = full.collect();
        if let Some(&first) = full.as_ref().and_then(|full| full.first()) {
            return Outcome::QueueFull(first);
        }
        let is_kept = ways.iter().any(|way| {
            let ask = self.ask(&way.group);
            way.candidates.roomy.iter().any(|&node| self.draft.fits(node, ask))
        });
        if is_kept { Outcome::Kept } else { Outcome::Full }
    }
}
