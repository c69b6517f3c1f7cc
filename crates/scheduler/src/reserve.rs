//! Reservations: room at a later time, for what would never find any if others kept going before
//! it.
//!
//! A reservation lasts for one plan and is made anew in the next: nothing has to be taken back
//! when work ends early or late. What goes before it has to end in time (conservative backfill;
//! Feitelson and Weil, IPPS 1998).

use super::ask::DeviceAsk;
use super::backlog::{Group, GroupKey};
use super::place::Slot;
use super::plan::{Planning, node_id};
use super::policy::Behind;
use super::queue::QueueId;

/// Reservations in a plan at most.
const RESERVATIONS_MAX: usize = 8;

/// Of what has waited longest, so many groups are looked at.
const LOOKS_MAX: usize = 1_024;

/// Whoever has waited for so much of patience gets one where it finds no room, in hundredths.
const LATE: u64 = 50;
/// For whoever has waited for so much of patience, what has outlived its estimate on its node is
/// expected to end at any moment, so that less goes before it. In hundredths.
const VERY_LATE: u64 = 60;

impl Planning<'_> {
    /// How long those in a queue may be made to wait for others.
    pub(super) fn patience_of(&self, queue: QueueId) -> u64 {
        self.planner.max_wait_of(queue).unwrap_or(self.patience)
    }

    /// Whether a group has waited for so many hundredths of the patience of its queue.
    fn has_waited(&self, (run, since): (u64, u64), hundredths: u64) -> bool {
        let patience = self.patience_of(self.planner.backlog.queue(run));
        self.now.saturating_sub(since) >= patience / 100 * hundredths
    }

    /// Whether a group has waited so long that it gets a reservation where it finds no room.
    pub(super) fn is_late(&self, key: GroupKey, group: &Group) -> bool {
        self.has_waited((key.run, group.ready_at), LATE)
    }

    /// Those that are late and hard to place begin or get a reservation before anyone has a turn,
    /// whoever has waited longest first.
    pub(super) fn reserve(&mut self) {
        let (backlog, largest) = (&self.planner.backlog, self.planner.fleet.largest);
        let mut looks = 0;
        for (since, key) in backlog.oldest() {
            if looks == LOOKS_MAX || self.reservations >= RESERVATIONS_MAX {
                return;
            }
            if !self.has_waited((key.run, since), LATE) {
                // Whoever comes next has waited less, and may still have waited longer than it may.
                match self.planner.queues.have_own_waits() {
                    true => continue,
                    false => return,
                }
            }
            looks += 1;
            let Some(waiting) = backlog.get(key).filter(|_| !self.is_critical(key)) else {
                continue;
            };
            let reserves = self.policy(key.run).behind() == Behind::Reserve;
            let mut group = waiting.group;
            if !self.queues.is_one() && !group.gang {
                group.count = group.count.min(self.turn_of(key, &group));
            }
            let mut asks = self.planner.asks(group.class);
            let is_hard = group.gang || asks.all(|ask| is_hard(ask.devices, largest));
            if !is_hard || !reserves || !self.may_reserve(key, &group) {
                continue;
            }
            let outcome = self.place(key, &group);
            // What has begun some of its items has its turn beside others for the rest.
            if outcome.is_left_by_nodes() || self.queues.is_one() {
                self.settled.insert(key);
            }
            if outcome.is_left_by_nodes() {
                self.book(key, &group);
            }
        }
    }

    /// Whether a group may keep room from others: where it is guaranteed to its queue, or to nobody
    /// who waits.
    fn may_reserve(&self, key: GroupKey, group: &Group) -> bool {
        let queue = self.planner.backlog.queue(key.run);
        let (mut asks, least) = (self.planner.asks(group.class), group.together());
        !self.is_owed || asks.any(|ask| self.queues.guarantees(queue, ask, least))
    }

    /// Reserves the first time at which an item, or a gang, has room, if its group may: of the ways
    /// in which an item can be done, in the one in which it ends first. Says whether there is one.
    pub(super) fn book(&mut self, key: GroupKey, group: &Group) -> bool {
        if self.reservations >= RESERVATIONS_MAX || !self.may_reserve(key, group) {
            return false;
        }
        if group.gang {
            return self.book_gang(key, group).is_some();
        }
        let queue = self.planner.backlog.queue(key.run);
        let mut best: Option<(u64, Slot, Group)> = None;
        for way in self.ways(key, group) {
            let ask = self.ask(&way);
            let may = !self.is_owed || self.queues.is_guaranteed(queue, ask);
            let Some(slot) = self.first_room(&way).filter(|_| may) else { continue };
            let duration = self.planner.fleet.nodes[slot.node].duration(way.expected);
            let end = slot.start.saturating_add(duration);
            if best.as_ref().is_none_or(|best| end < best.0) {
                best = Some((end, slot, way));
            }
        }
        let Some((_, mut slot, way)) = best else { return false };
        if self.has_waited((key.run, group.ready_at), VERY_LATE) {
            self.draft.hope(slot.node);
            let duration = self.planner.fleet.nodes[slot.node].duration(way.expected);
            let again = self.draft.earliest(slot.node, self.ask(&way), duration);
            (slot.start, slot.least) = again.map_or((slot.start, slot.least), |it| (it.0, it.2));
        }
        self.book_at(&slot, &way);
        self.refusals.book(key, node_id(slot.node), slot.start);
        self.reservations += 1;
        true
    }

    /// Where an item of a group has room first: there where it is tightest.
    fn first_room(&mut self, group: &Group) -> Option<Slot> {
        let ask = self.ask(group);
        self.spend(self.planner.fleet.nodes.len());
        let mut best: Option<(u64, u64, Slot)> = None;
        for (node, known) in self.planner.fleet.nodes.iter().enumerate() {
            let duration = known.duration(group.expected);
            if !self.lets(node) {
                continue;
            }
            let Some((start, _, least)) = self.draft.earliest(node, ask, duration) else {
                continue;
            };
            if best.as_ref().is_some_and(|best| start > best.0) {
                continue;
            }
            let slack = self.slack(node, ask);
            if best.as_ref().is_none_or(|best| (start, slack) < (best.0, best.1)) {
                best = Some((start, slack, Slot { node, start, least }));
            }
        }
        best.map(|(_, _, slot)| slot)
    }

    /// Takes a slot from what others may have.
    pub(super) fn book_at(&mut self, slot: &Slot, group: &Group) {
        let taken = self.draft.form(slot.node).choose(&slot.least, self.ask(group));
        let end =
            slot.start.saturating_add(self.planner.fleet.nodes[slot.node].duration(group.expected));
        self.draft.book(slot.node, (slot.start, end), &taken);
        self.expect_room(slot.start);
    }
}

/// Whether an item takes several devices and more than half of what the largest node has, so that
/// room for it does not come by itself.
fn is_hard(devices: DeviceAsk, largest: usize) -> bool {
    devices.count > 1 && usize::from(devices.count) * 2 > largest
}
