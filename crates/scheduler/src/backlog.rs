//! What waits, in the order in which it is to go. It knows nothing of nodes.
//!
//! Runs are sorted into lanes by the work that is left of them, a quarter of an octave each: what
//! is nearly done goes first (shortest remaining processing time), and in a lane whoever came
//! first.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use model::collections::HashMap;

use super::policy::Order;

/// The number of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u32);

/// Stands in a [`GroupKey`] for all items of a task that are ready.
pub const ALL_ITEMS: u32 = u32::MAX;

/// Which group: one task of one run, or one item of it that is tried again. Of what a node has been
/// given, which item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// The run.
    pub run: u64,
    /// The task in it.
    pub task: u32,
    /// The item, or [`ALL_ITEMS`].
    pub item: u32,
}

/// Items of one task that may start now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// What each asks for.
    pub class: ClassId,
    /// How many.
    pub count: u32,
    /// Its task's place in its run: 0 to 100, higher first.
    pub priority: u8,
    /// How long what begins with one of them takes until its run ends, if nothing has to wait: the
    /// longest path of expected durations, in microseconds.
    pub rank: u64,
    /// Since when they could start, in microseconds.
    pub ready_at: u64,
    /// How long each is expected to take on a node of usual speed, in microseconds.
    pub expected: u64,
    /// Whether they start together or not at all.
    pub gang: bool,
    /// How many such items a place on a node gets through before anyone would miss it: so many more
    /// than have room may wait there. 0 if that is not known, or too few.
    pub lend: u32,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            class: ClassId(0),
            count: 0,
            priority: 50,
            rank: 0,
            ready_at: 0,
            expected: 0,
            gang: false,
            lend: 0,
        }
    }
}

/// What is known of a run as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// 0 to 100, higher first.
    pub priority: u8,
    /// How many more of its items may be with nodes.
    pub room: u32,
    /// When it came, in microseconds.
    pub arrived_at: u64,
    /// The work that is left of it, in microseconds of the whole fleet.
    pub work: u64,
    /// The longest path that is left of it, in microseconds.
    pub path: u64,
}

impl Default for Run {
    fn default() -> Self {
        Self { priority: 50, room: u32::MAX, arrived_at: 0, work: 0, path: 0 }
    }
}

/// The place of a group: the smaller goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) tier: u16,
    pub(super) lane: u16,
    first: u64,
    second: u64,
    third: u64,
    key: GroupKey,
}

/// The quarters of octaves up to a number.
pub(super) fn octaves(number: u64) -> u16 {
    let Some(top) = number.checked_ilog2() else { return 0 };
    let quarter = if top >= 2 { number >> (top - 2) & 3 } else { 0 };
    u16::try_from(u64::from(top) * 4 + quarter).unwrap_or(u16::MAX)
}

#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) group: Group,
    pub(super) place: Place,
    pub(super) work: u64,
    /// How much of the fleet an item takes, as patience counted it when it came.
    pub(super) share: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) run: Run,
    groups: BTreeSet<GroupKey>,
    by_class: BTreeMap<ClassId, BTreeSet<(Place, GroupKey)>>,
    by_age: BTreeSet<(u64, GroupKey)>,
    /// The work of all that waits of it.
    pub(super) work: u128,
}

impl GroupKey {
    const LAST: Self = Self { run: u64::MAX, task: u32::MAX, item: u32::MAX };
}

/// What goes before a group in order, whatever it takes. That it goes first does not mean that it
/// begins first: what finds no room lets others pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// How many items.
    pub items: u64,
    /// Of how many groups.
    pub groups: u64,
    /// Whether there is more than was counted.
    pub more: bool,
}

impl Known {
    fn since(&self) -> Option<u64> {
        self.by_age.first().map(|&(since, _)| since)
    }
}

/// Runs of which something waits, in one lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    /// The work of all that waits.
    pub(super) work: u128,
    /// By the time since which any of it waits.
    pub(super) since: BTreeSet<(u64, u64)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Backlog {
    order: Order,
    runs: HashMap<u64, Known>,
    groups: HashMap<GroupKey, Waiting>,
    by_class: BTreeMap<ClassId, BTreeSet<(Place, GroupKey)>>,
    by_lane: BTreeMap<(u16, u16), Lane>,
    by_age: BTreeSet<(u64, GroupKey)>,
}

impl Backlog {
    pub(super) fn new(order: Order) -> Self {
        Self { order, ..Self::default() }
    }

    pub(super) fn set_run(&mut self, key: u64, run: Run) {
        let known = self.runs.entry(key).or_default();
        let groups = known.groups.clone();
        if lane(&known.run) == lane(&run) {
            known.run = run;
            return;
        }
        let taken: BTreeMap<_, _> =
            groups.into_iter().filter_map(|key| Some((key, self.take(key)?))).collect();
        self.runs.entry(key).or_default().run = run;
        for (key, waiting) in taken {
            self.put(key, waiting.group, (waiting.work, waiting.share));
        }
    }

    /// Forgets a run; gives back what waited of it.
    pub(super) fn forget_run(&mut self, key: u64) -> Vec<(GroupKey, Waiting)> {
        let groups = self.runs.get(&key).map(|known| known.groups.clone());
        let groups = groups.into_iter().flatten();
        let taken = groups.filter_map(|group| Some((group, self.take(group)?))).collect();
        self.runs.remove(&key);
        taken
    }

    /// Sets a group, with its work and the share that an item takes.
    pub(super) fn set(&mut self, key: GroupKey, group: Group, cost: (u64, u64)) {
        self.take(key);
        self.put(key, group, cost);
    }

    /// Forgets a group; gives back what waited.
    pub(super) fn forget(&mut self, key: GroupKey) -> Option<Waiting> {
        let waiting = self.take(key);
        if let Some(known) = self.runs.get_mut(&key.run) {
            known.groups.remove(&key);
        }
        waiting
    }

    fn put(&mut self, key: GroupKey, group: Group, (work, share): (u64, u64)) {
        self.leave_lane(key.run);
        let known = self.runs.entry(key.run).or_default();
        let place = place(self.order, key, &group, &known.run);
        known.groups.insert(key);
        known.by_class.entry(group.class).or_default().insert((place, key));
        known.by_age.insert((group.ready_at, key));
        known.work += u128::from(work);
        self.enter_lane(key.run);
        self.by_class.entry(group.class).or_default().insert((place, key));
        self.by_age.insert((group.ready_at, key));
        self.groups.insert(key, Waiting { group, place, work, share });
    }

    fn take(&mut self, key: GroupKey) -> Option<Waiting> {
        let waiting = self.groups.remove(&key)?;
        self.leave_lane(key.run);
        let class = waiting.group.class;
        if let Some(known) = self.runs.get_mut(&key.run) {
            known.by_age.remove(&(waiting.group.ready_at, key));
            known.work -= u128::from(waiting.work);
            drop_from(&mut known.by_class, class, (waiting.place, key));
        }
        self.enter_lane(key.run);
        drop_from(&mut self.by_class, class, (waiting.place, key));
        self.by_age.remove(&(waiting.group.ready_at, key));
        Some(waiting)
    }

    fn leave_lane(&mut self, run: u64) {
        let Some(known) = self.runs.get(&run) else { return };
        let Some(since) = known.since() else { return };
        let at = lane(&known.run);
        if let Some(lane) = self.by_lane.get_mut(&at) {
            lane.work -= known.work;
            lane.since.remove(&(since, run));
            if lane.since.is_empty() {
                self.by_lane.remove(&at);
            }
        }
    }

    fn enter_lane(&mut self, run: u64) {
        let Some(known) = self.runs.get(&run) else { return };
        let Some(since) = known.since() else { return };
        let lane = self.by_lane.entry(lane(&known.run)).or_default();
        lane.work += known.work;
        lane.since.insert((since, run));
    }

    pub(super) fn run(&self, key: u64) -> Option<&Known> {
        self.runs.get(&key)
    }

    /// The first group of each class of one run.
    pub(super) fn heads_of(&self, run: u64) -> impl Iterator<Item = (Place, GroupKey)> {
        let known = self.runs.get(&run).into_iter();
        known.flat_map(|known| known.by_class.values()).filter_map(|groups| groups.first().copied())
    }

    /// The group of a class in its run that follows one.
    pub(super) fn after_in_run(
        &self,
        class: ClassId,
        at: (Place, GroupKey),
    ) -> Option<(Place, GroupKey)> {
        use core::ops::Bound::{Excluded, Unbounded};
        let groups = self.runs.get(&at.1.run)?.by_class.get(&class)?;
        groups.range((Excluded(at), Unbounded)).next().copied()
    }

    /// The first group of a class of a run that comes after the one of `at`, where runs stand one
    /// after the other; else the group that follows.
    pub(super) fn after_run(
        &self,
        class: ClassId,
        at: (Place, GroupKey),
    ) -> Option<(Place, GroupKey)> {
        let last = match self.order {
            Order::Remaining => Place { third: u64::MAX, key: GroupKey::LAST, ..at.0 },
            Order::Arrival | Order::Shortest | Order::Rank => at.0,
        };
        self.after(class, (last, at.1))
    }

    /// How many groups go before one, of how many items; `more` if not all were looked at.
    pub(super) fn before(&self, key: GroupKey, looks: usize) -> Ahead {
        let mut ahead = Ahead::default();
        let Some(own) = self.groups.get(&key) else { return ahead };
        let mut left = looks;
        for groups in self.by_class.values() {
            for (_, other) in groups.range(..(own.place, key)) {
                if left == 0 {
                    return Ahead { more: true, ..ahead };
                }
                left -= 1;
                ahead.groups += 1;
                ahead.items += self.groups.get(other).map_or(0, |it| u64::from(it.group.count));
            }
        }
        ahead
    }

    pub(super) fn get(&self, key: GroupKey) -> Option<&Waiting> {
        self.groups.get(&key)
    }

    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn is_waited_for(&self, class: ClassId) -> bool {
        self.by_class.contains_key(&class)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The first group of each class.
    pub(super) fn heads(&self) -> impl Iterator<Item = (Place, GroupKey)> {
        self.by_class.values().filter_map(|groups| groups.first().copied())
    }

    /// The group of a class that follows one.
    pub(super) fn after(&self, class: ClassId, at: (Place, GroupKey)) -> Option<(Place, GroupKey)> {
        use core::ops::Bound::{Excluded, Unbounded};
        self.by_class.get(&class)?.range((Excluded(at), Unbounded)).next().copied()
    }

    /// All groups, whoever waits longest first.
    pub(super) fn oldest(&self) -> impl Iterator<Item = (u64, GroupKey)> {
        self.by_age.iter().copied()
    }

    /// The lanes in order.
    pub(super) fn lanes(&self) -> impl Iterator<Item = ((u16, u16), &Lane)> {
        self.by_lane.iter().map(|(&at, lane)| (at, lane))
    }
}

fn drop_from(
    by_class: &mut BTreeMap<ClassId, BTreeSet<(Place, GroupKey)>>,
    class: ClassId,
    entry: (Place, GroupKey),
) {
    if let Some(groups) = by_class.get_mut(&class) {
        groups.remove(&entry);
        if groups.is_empty() {
            by_class.remove(&class);
        }
    }
}

/// How many steps of a task's priority there are.
const PRIORITIES: u16 = 101;

fn tier(run: &Run, priority: u8) -> u16 {
    let inverse = |priority: u8| 100 - u16::from(priority.min(100));
    inverse(run.priority) * PRIORITIES + inverse(priority)
}

/// The lane of a run. A run that its longest path holds back, and not the fleet, is worth more than
/// its work says: it takes little and gives its results soon.
fn lane(run: &Run) -> (u16, u16) {
    let (work, path) = (octaves(run.work), octaves(run.path));
    let lane = work.saturating_sub(path.saturating_sub(work) * 3 / 10);
    (tier(run, Group::default().priority), lane)
}

fn place(order: Order, key: GroupKey, group: &Group, run: &Run) -> Place {
    let (tier, (_, lane)) = (tier(run, group.priority), lane(run));
    let fifo = Place { tier, first: group.ready_at, second: key.run, key, ..Place::default() };
    match order {
        Order::Arrival => fifo,
        Order::Shortest => {
            Place { first: group.expected, second: group.ready_at, third: key.run, ..fifo }
        }
        Order::Rank => Place { first: u64::MAX - group.rank, second: group.ready_at, ..fifo },
        Order::Remaining => Place {
            lane,
            first: run.arrived_at,
            second: key.run,
            third: u64::MAX - group.rank,
            ..fifo
        },
    }
}
