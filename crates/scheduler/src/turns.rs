//! Whose turn it is in a plan: among queues, among the groups of a queue, and what becomes of a
//! group that has had its turn. Where its items go, `place` says.

use alloc::collections::{BTreeMap, BinaryHeap};
use core::cmp::Reverse;

use super::ask::Ask;
use super::backlog::{Group, GroupKey};
use super::deadline::promotions;
use super::plan::{Outcome, Planning};
use super::policy::Behind;
use super::queue::{QueueId, asked};
use super::refusal::Refusal;
use super::seat::{LaneId, Place};

/// Groups of a class that find the room that there is kept for others: after so many, those behind
/// them are not asked.
const KEPT_MAX: u32 = 32;

/// Those of a queue that have not had their turn, by it.
pub(super) type Line = BinaryHeap<Reverse<(Turn, GroupKey)>>;

/// When a group has its turn: at its place, or before a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    tier: u16,
    lane: u16,
    is_own: bool,
    deadline: u64,
    pub(super) place: Place,
}

impl Turn {
    fn own(place: Place) -> Self {
        Self { tier: place.seat.tier, lane: place.seat.lane, is_own: true, deadline: 0, place }
    }

    fn promoted((tier, lane): LaneId, deadline: u64, place: Place) -> Self {
        Self { tier, lane, is_own: false, deadline, place }
    }
}

impl Planning<'_> {
    /// The first of each class in each queue that is critical.
    pub(super) fn line_up_critical(&self) -> BTreeMap<QueueId, Line> {
        self.heads(true)
    }

    fn heads(&self, is_critical: bool) -> BTreeMap<QueueId, Line> {
        let mut lines: BTreeMap<QueueId, Line> = BTreeMap::new();
        for (queue, place, key) in self.planner.backlog.heads() {
            if self.is_critical(key) == is_critical {
                lines.entry(queue).or_default().push(Reverse((Turn::own(place), key)));
            }
        }
        lines
    }

    /// Whether a group that waits is critical.
    pub(super) fn is_critical(&self, key: GroupKey) -> bool {
        self.planner.has_critical && {
            let waiting = self.planner.backlog.get(key);
            waiting.is_some_and(|it| self.planner.classes[it.group.class.0 as usize].is_critical)
        }
    }

    /// Whether anything waits that is guaranteed to its queue.
    pub(super) fn is_any_owed(&self) -> bool {
        let backlog = &self.planner.backlog;
        !self.queues.is_one() && {
            let mut heads = backlog.heads();
            heads.any(|(queue, _, key)| {
                let Some(waiting) = backlog.get(key) else { return false };
                let class = &self.planner.classes[waiting.group.class.0 as usize];
                // What waits for something else than room keeps none from others.
                let least = waiting.group.together();
                let could = |ask: &Ask| {
                    self.queues.guarantees(queue, ask, least)
                        && self.queues.lets(queue, ask).is_ok_and(|most| most >= least)
                        && self.planner.fleet.nodes.iter().any(|node| node.could_hold(ask))
                };
                self.purse.too_scarce(class, least).is_none()
                    && self.is_oversized(&waiting.group).is_none()
                    && self.room_of_run(key.run) >= least
                    && self.planner.asks(waiting.group.class).any(could)
            })
        }
    }

    /// The first of each class in each queue that is not critical, and those that have to be let
    /// forward in it; whoever is late and hard to place has had its turn.
    pub(super) fn line_up(&mut self) -> BTreeMap<QueueId, Line> {
        let backlog = &self.planner.backlog;
        let mut lines = self.heads(false);
        let reserves =
            |queue: QueueId| self.planner.queues.get(queue).policy.behind() == Behind::Reserve;
        if lines.keys().any(|&queue| reserves(queue)) {
            self.reserve();
        }
        for (&queue, line) in lines.iter_mut().filter(|&(&queue, _)| reserves(queue)) {
            for it in promotions(backlog, queue, self.now, self.patience_of(queue)) {
                let heads = backlog.heads_of(it.run).filter(|&(_, key)| !self.is_critical(key));
                line.extend(heads.map(|(place, key)| {
                    Reverse((Turn::promoted(it.lane, it.deadline, place), key))
                }));
            }
        }
        lines
    }

    /// The queue whose turn it is.
    pub(super) fn next_queue(&self, lines: &BTreeMap<QueueId, Line>) -> Option<QueueId> {
        if lines.len() <= 1 {
            return lines.keys().next().copied();
        }
        let planner = self.planner;
        let offers = lines.iter().map(|(&queue, line)| {
            let first = line.peek().and_then(|Reverse((_, key))| planner.backlog.get(*key));
            let ask = first.map(|it| asked(&planner.classes[it.group.class.0 as usize].ask));
            (queue, ask.unwrap_or_default())
        });
        self.queues.next(offers, &planner.fleet.whole)
    }

    /// Whose turn it is of a class after a group, in its run where that has been let forward.
    pub(super) fn after(
        &mut self,
        turn: Turn,
        group: &Group,
        at: (Place, GroupKey),
        outcome: Outcome,
    ) -> Option<(Turn, GroupKey)> {
        let (backlog, class) = (&self.planner.backlog, group.class);
        let queue = backlog.queue(at.1.run);
        let follows = match outcome {
            // Where one of a class has no room at all, those behind it have none either.
            Outcome::Full | Outcome::Barred(_) | Outcome::QueueFull(_) => return None,
            Outcome::Yields => return Some((turn, at.1)),
            Outcome::Kept => {
                let kept = self.kept.entry((queue, class)).or_default();
                *kept += 1;
                if *kept > KEPT_MAX {
                    self.refusals.of_class((queue, class), Refusal::Reserved);
                    return None;
                }
                backlog.after(class, at)
            }
            Outcome::RunFull => backlog.after_seat(class, at),
            Outcome::Settled | Outcome::Apart | Outcome::Alone(_) => backlog.after(class, at),
        };
        if turn.is_own {
            let (place, key) = follows?;
            return Some((Turn::own(place), key));
        }
        let (place, key) = backlog.after_in_run(class, at)?;
        (outcome != Outcome::RunFull).then_some((Turn { place, ..turn }, key))
    }

    /// A group has its turn; where others compete, a short one.
    pub(super) fn take_turn(&mut self, key: GroupKey, group: &Group, is_short: bool) -> Outcome {
        if self.settled.contains(&key) {
            return Outcome::Settled;
        }
        let left = Group { count: group.count.saturating_sub(self.begun_of(key)), ..*group };
        if left.count == 0 {
            return Outcome::Settled;
        }
        let most = if is_short && !group.gang { self.turn_of(key, group) } else { u32::MAX };
        if most < left.count {
            let outcome = self.place(key, &Group { count: most, ..left });
            return match outcome {
                Outcome::Settled => Outcome::Yields,
                other => self.settle(key, group, other),
            };
        }
        let outcome = self.place(key, &left);
        self.settle(key, group, outcome)
    }

    /// How many items of a group begin so far.
    pub(super) fn begun_of(&self, key: GroupKey) -> u32 {
        self.begun.get(&key).copied().unwrap_or(0)
    }

    /// How many items of a group begin before other queues have had their turn.
    pub(super) fn turn_of(&self, key: GroupKey, group: &Group) -> u32 {
        let queue = self.planner.backlog.queue(key.run);
        self.queues.turn(queue, self.ask(group), &self.planner.fleet.whole)
    }

    /// A group has had its turn: what finds no room gets it from those to whom it does not belong,
    /// or at a later time.
    fn settle(&mut self, key: GroupKey, group: &Group, outcome: Outcome) -> Outcome {
        self.settled.insert(key);
        self.critical_waits |= outcome.is_left_by_nodes() && self.is_critical(key);
        if let Outcome::QueueFull(full) = outcome {
            self.make_way(key, group, full);
        }
        if !outcome.is_left_by_nodes() || self.make_room(key, group) {
            return outcome;
        }
        let queue = self.planner.backlog.queue(key.run);
        let books = match self.policy(key.run).behind() {
            Behind::Backfill => !self.booked.contains(&queue),
            Behind::Reserve => self.is_late(key, group),
            Behind::Wait | Behind::Go => false,
        };
        if books && self.book(key, group) {
            self.booked.insert(queue);
        }
        outcome
    }
}
