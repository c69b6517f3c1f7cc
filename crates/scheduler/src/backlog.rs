//! What waits, in the order in which it is to go. It knows nothing of nodes.
//!
//! Groups that share a seat stand in a row, and rows stand in line. When a run moves to another
//! lane its rows move as a whole, however many groups stand in them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use model::collections::HashMap;

use super::policy::Order;
use super::queue::QueueId;
use super::seat::{LaneId, Place, Seat, lane, own_seat, place};

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
    /// Its task's place among those of all runs with the same priority: 0 to 100, higher first.
    pub priority: u8,
    /// How long what begins with one of them takes until its run ends, if nothing has to wait: the
    /// longest path of expected durations, in microseconds.
    pub rank: u64,
    /// Since when they could start, in microseconds.
    pub ready_at: u64,
    /// By when they have to start, or something that has a deadline ends too late, in microseconds.
    pub starts_by: Option<u64>,
    /// How long each is expected to take on a node of usual speed, in microseconds.
    pub expected: u64,
    /// Whether they start together or not at all.
    pub gang: bool,
    /// Whether what is expected of an item is known well enough to make others wait for its end.
    pub is_sure: bool,
}

impl Group {
    /// How many items of it begin together, or not at all.
    pub(super) const fn together(&self) -> u32 {
        if self.gang { self.count } else { 1 }
    }
}

impl Default for Group {
    fn default() -> Self {
        Self {
            class: ClassId(0),
            count: 0,
            priority: 50,
            rank: 0,
            ready_at: 0,
            starts_by: None,
            expected: 0,
            gang: false,
            is_sure: false,
        }
    }
}

/// What is known of a run as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The queue in which it stands.
    pub queue: QueueId,
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
        Self { queue: QueueId::ROOT, priority: 50, room: u32::MAX, arrived_at: 0, work: 0, path: 0 }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) group: Group,
    pub(super) work: u64,
    /// How much of the fleet an item takes, as patience counted it when it came.
    pub(super) share: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) run: Run,
    /// How many groups it has of each class and priority.
    rows: BTreeMap<(ClassId, u8), usize>,
    by_age: BTreeSet<(u64, GroupKey)>,
    /// The work of all that waits of it.
    pub(super) work: u128,
}

/// What goes before a group in order, whatever it takes. That it goes first does not mean that it
/// begins first: what finds no room lets others pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// How many items.
    pub items: u64,
    /// Of how many groups.
    pub groups: u64,
    /// What they take, in microseconds of the whole fleet.
    pub work: u64,
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

/// Groups that share a seat, by their places there.
type Row = BTreeSet<(u64, GroupKey)>;
/// The rows of a class in a queue.
type Line = BTreeMap<Seat, Row>;

#[derive(Clone, Debug, Default)]
pub(super) struct Backlog {
    /// By queue.
    orders: Vec<Order>,
    runs: HashMap<u64, Known>,
    groups: HashMap<GroupKey, Waiting>,
    lines: BTreeMap<(QueueId, ClassId), Line>,
    lanes: BTreeMap<(QueueId, LaneId), Lane>,
    by_age: BTreeSet<(u64, GroupKey)>,
    /// What has to start by some time, by queue and then by that.
    hurried: BTreeSet<(QueueId, u64, GroupKey)>,
}

impl Backlog {
    pub(super) fn new(order: Order) -> Self {
        Self { orders: alloc::vec![order], ..Self::default() }
    }

    /// A queue is added, with an order of its own.
    pub(super) fn add_queue(&mut self, order: Order) {
        self.orders.push(order);
    }

    fn order(&self, queue: QueueId) -> Order {
        self.orders[queue.0 as usize]
    }

    /// The queue of a run.
    pub(super) fn queue(&self, run: u64) -> QueueId {
        self.runs.get(&run).map_or(QueueId::ROOT, |known| known.run.queue)
    }

    pub(super) fn set_run(&mut self, key: u64, run: Run) {
        let known = self.runs.entry(key).or_default();
        if known.run.queue != run.queue {
            return self.change_queue(key, run);
        }
        let is_moved = lane(&known.run) != lane(&run) || known.run.arrived_at != run.arrived_at;
        if !is_moved {
            known.run = run;
            return;
        }
        self.leave_lane(key);
        let known = self.runs.entry(key).or_default();
        let before = core::mem::replace(&mut known.run, run);
        let rows: Vec<(ClassId, u8)> = known.rows.keys().copied().collect();
        if self.order(before.queue) == Order::Remaining {
            rows.into_iter().for_each(|row| self.move_row(key, row, &before));
        } else if before.priority != self.runs[&key].run.priority {
            self.line_up_anew(key, &before);
        }
        self.enter_lane(key);
    }

    /// A run goes over to another queue, with all that waits of it.
    fn change_queue(&mut self, key: u64, run: Run) {
        let of_run = self.runs[&key].by_age.clone();
        let taken = of_run.into_iter().filter_map(|(_, group)| Some((group, self.forget(group)?)));
        let taken: Vec<(GroupKey, Waiting)> = taken.collect();
        self.runs.entry(key).or_default().run = run;
        for (group, waiting) in taken {
            self.set(group, waiting.group, (waiting.work, waiting.share));
        }
    }

    fn move_row(&mut self, key: u64, (class, priority): (ClassId, u8), before: &Run) {
        let Some(known) = self.runs.get(&key) else { return };
        let Some(line) = self.lines.get_mut(&(known.run.queue, class)) else { return };
        if let Some(row) = line.remove(&own_seat(key, priority, before)) {
            line.insert(own_seat(key, priority, &known.run), row);
        }
    }

    /// The priority of a run has changed, where every group stands for itself.
    fn line_up_anew(&mut self, key: u64, before: &Run) {
        let of_run = self.runs[&key].by_age.iter().map(|&(_, group)| group);
        let groups: Vec<GroupKey> = of_run.collect();
        for key in groups {
            let (group, now) = (self.groups[&key].group, self.runs[&key.run].run.clone());
            let order = self.order(now.queue);
            self.leave_line(key, group.class, place(order, key, &group, before));
            self.enter_line(key, group.class, place(order, key, &group, &now));
        }
    }

    /// Forgets a run; gives back what waited of it.
    pub(super) fn forget_run(&mut self, key: u64) -> Vec<(GroupKey, Waiting)> {
        let groups = self.runs.get(&key).map(|known| known.by_age.clone());
        let groups = groups.into_iter().flatten();
        let taken = groups.filter_map(|(_, group)| Some((group, self.forget(group)?))).collect();
        self.runs.remove(&key);
        taken
    }

    /// Sets a group, with its work and the share that an item takes.
    pub(super) fn set(&mut self, key: GroupKey, group: Group, (work, share): (u64, u64)) {
        self.forget(key);
        self.leave_lane(key.run);
        let order = self.order(self.queue(key.run));
        let known = self.runs.entry(key.run).or_default();
        *known.rows.entry((group.class, group.priority)).or_default() += 1;
        known.by_age.insert((group.ready_at, key));
        known.work += u128::from(work);
        let place = place(order, key, &group, &known.run);
        self.enter_lane(key.run);
        self.enter_line(key, group.class, place);
        self.by_age.insert((group.ready_at, key));
        let queue = self.queue(key.run);
        self.hurried.extend(group.starts_by.map(|by| (queue, by, key)));
        self.groups.insert(key, Waiting { group, work, share });
    }

    /// Works out anew what the work of all groups is.
    pub(super) fn weigh(&mut self, work: impl Fn(&Group) -> u64) {
        self.lanes.values_mut().for_each(|lane| lane.work = 0);
        self.runs.values_mut().for_each(|known| known.work = 0);
        for (key, waiting) in &mut self.groups {
            waiting.work = work(&waiting.group);
            if let Some(known) = self.runs.get_mut(&key.run) {
                known.work += u128::from(waiting.work);
            }
        }
        for known in self.runs.values().filter(|known| known.since().is_some()) {
            if let Some(lane) = self.lanes.get_mut(&(known.run.queue, lane(&known.run))) {
                lane.work += known.work;
            }
        }
    }

    /// Forgets a group; gives back what waited.
    pub(super) fn forget(&mut self, key: GroupKey) -> Option<Waiting> {
        let place = self.place(key)?;
        let waiting = self.groups.remove(&key)?;
        self.leave_lane(key.run);
        let row = (waiting.group.class, waiting.group.priority);
        if let Some(known) = self.runs.get_mut(&key.run) {
            known.by_age.remove(&(waiting.group.ready_at, key));
            known.work -= u128::from(waiting.work);
            if let Some(count) = known.rows.get_mut(&row) {
                *count -= 1;
                if *count == 0 {
                    known.rows.remove(&row);
                }
            }
        }
        self.enter_lane(key.run);
        self.leave_line(key, waiting.group.class, place);
        self.by_age.remove(&(waiting.group.ready_at, key));
        if let Some(by) = waiting.group.starts_by {
            self.hurried.remove(&(self.queue(key.run), by, key));
        }
        Some(waiting)
    }

    fn enter_line(&mut self, key: GroupKey, class: ClassId, at: Place) {
        let line = self.lines.entry((self.queue(key.run), class)).or_default();
        line.entry(at.seat).or_default().insert((at.within, key));
    }

    fn leave_line(&mut self, key: GroupKey, class: ClassId, at: Place) {
        let of = (self.queue(key.run), class);
        let Some(line) = self.lines.get_mut(&of) else { return };
        let Some(row) = line.get_mut(&at.seat) else { return };
        row.remove(&(at.within, key));
        if row.is_empty() {
            line.remove(&at.seat);
        }
        if line.is_empty() {
            self.lines.remove(&of);
        }
    }

    fn leave_lane(&mut self, run: u64) {
        let Some(known) = self.runs.get(&run) else { return };
        let Some(since) = known.since() else { return };
        let at = (known.run.queue, lane(&known.run));
        if let Some(lane) = self.lanes.get_mut(&at) {
            lane.work -= known.work;
            lane.since.remove(&(since, run));
            if lane.since.is_empty() {
                self.lanes.remove(&at);
            }
        }
    }

    fn enter_lane(&mut self, run: u64) {
        let Some(known) = self.runs.get(&run) else { return };
        let Some(since) = known.since() else { return };
        let lane = self.lanes.entry((known.run.queue, lane(&known.run))).or_default();
        lane.work += known.work;
        lane.since.insert((since, run));
    }

    pub(super) fn run(&self, key: u64) -> Option<&Known> {
        self.runs.get(&key)
    }

    pub(super) fn get(&self, key: GroupKey) -> Option<&Waiting> {
        self.groups.get(&key)
    }

    /// Where a group stands.
    pub(super) fn place(&self, key: GroupKey) -> Option<Place> {
        let (waiting, known) = (self.groups.get(&key)?, self.runs.get(&key.run)?);
        Some(place(self.order(known.run.queue), key, &waiting.group, &known.run))
    }

    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub(super) fn is_waited_for(&self, class: ClassId) -> bool {
        let mut queues = (0..).map(QueueId).take(self.orders.len());
        queues.any(|queue| self.lines.contains_key(&(queue, class)))
    }

    /// The first group of each class in each queue.
    pub(super) fn heads(&self) -> impl Iterator<Item = (QueueId, Place, GroupKey)> {
        self.lines.iter().filter_map(|(&(queue, _), line)| {
            let (place, key) = line.iter().find_map(head)?;
            Some((queue, place, key))
        })
    }

    /// The group of a class that follows one in its queue.
    pub(super) fn after(&self, class: ClassId, at: (Place, GroupKey)) -> Option<(Place, GroupKey)> {
        let (Place { seat, within }, key) = at;
        let line = self.lines.get(&(self.queue(key.run), class))?;
        let here = line.get(&seat).and_then(|row| next_in(row, (within, key)));
        here.map(|(within, key)| (Place { seat, within }, key)).or_else(|| next_row(line, seat))
    }

    /// The first group of a class that stands in its queue after the seat of one: of another run,
    /// where all of a run share a seat.
    pub(super) fn after_seat(
        &self,
        class: ClassId,
        (at, key): (Place, GroupKey),
    ) -> Option<(Place, GroupKey)> {
        next_row(self.lines.get(&(self.queue(key.run), class))?, at.seat)
    }

    /// The first group of each class of one run that goes by the work that is left of it.
    pub(super) fn heads_of(&self, run: u64) -> impl Iterator<Item = (Place, GroupKey)> {
        let known = self.runs.get(&run);
        let rows = known.into_iter().flat_map(|known| known.rows.keys());
        let mut classes: Vec<ClassId> = rows.map(|&(class, _)| class).collect();
        classes.dedup();
        classes.into_iter().filter_map(move |class| self.row_of(run, class, u8::MAX))
    }

    /// The group of a class in its run that follows one, in a run that goes by the work that is
    /// left of it.
    pub(super) fn after_in_run(
        &self,
        class: ClassId,
        at: (Place, GroupKey),
    ) -> Option<(Place, GroupKey)> {
        let (Place { seat, within }, key) = at;
        let row = self.lines.get(&(self.queue(key.run), class))?.get(&seat);
        let here = row.and_then(|row| next_in(row, (within, key)));
        let priority = self.groups.get(&key)?.group.priority;
        here.map(|(within, key)| (Place { seat, within }, key))
            .or_else(|| self.row_of(key.run, class, priority.checked_sub(1)?))
    }

    /// The first group of the row of a run and class with the highest priority up to one.
    fn row_of(&self, run: u64, class: ClassId, most: u8) -> Option<(Place, GroupKey)> {
        let known = self.runs.get(&run)?;
        let (&(_, priority), _) = known.rows.range((class, 0)..=(class, most)).next_back()?;
        let seat = own_seat(run, priority, &known.run);
        head((&seat, self.lines.get(&(known.run.queue, class))?.get(&seat)?))
    }

    /// How many groups go before one in its queue, of how many items. No more than `looks` are
    /// looked at.
    pub(super) fn before(
        &self,
        key: GroupKey,
        looks: usize,
        is_critical: impl Fn(ClassId) -> bool,
    ) -> Ahead {
        let mut ahead = Ahead::default();
        let Some(own) = self.place(key) else { return ahead };
        let mut left = looks;
        let queue = self.queue(key.run);
        let of_queue = (queue, ClassId(0))..=(queue, ClassId(u32::MAX));
        let Some(class) = self.groups.get(&key).map(|waiting| waiting.group.class) else {
            return ahead;
        };
        for (&(_, other), line) in self.lines.range(of_queue) {
            // What is critical goes before all else, wherever it stands.
            let all = match (is_critical(class), is_critical(other)) {
                (true, false) => continue,
                (false, true) => true,
                _ => false,
            };
            for (&seat, row) in line.iter().take_while(|&(&seat, _)| all || seat <= own.seat) {
                let before = |&&(within, other): &&(u64, GroupKey)| {
                    all || (Place { seat, within }, other) < (own, key)
                };
                for (_, other) in row.iter().take_while(before) {
                    if left == 0 {
                        return Ahead { more: true, ..ahead };
                    }
                    left -= 1;
                    ahead.groups += 1;
                    if let Some(other) = self.groups.get(other) {
                        ahead.items += u64::from(other.group.count);
                        ahead.work = ahead.work.saturating_add(other.work);
                    }
                }
            }
        }
        ahead
    }

    /// All groups, whoever waits longest first.
    pub(super) fn oldest(&self) -> impl Iterator<Item = (u64, GroupKey)> {
        self.by_age.iter().copied()
    }

    /// What of a queue has to start by some time, and when, whoever has least time first.
    pub(super) fn hurried(&self, queue: QueueId) -> impl Iterator<Item = (u64, GroupKey)> {
        let least = GroupKey { run: 0, task: 0, item: 0 };
        let of_queue = self.hurried.range((queue, 0, least)..);
        of_queue.take_while(move |it| it.0 == queue).map(|&(_, by, key)| (by, key))
    }

    /// The lane of a run of which something waits.
    pub(super) fn lane_of(&self, run: u64) -> Option<LaneId> {
        self.runs.get(&run).map(|known| lane(&known.run))
    }

    /// The lanes of all queues.
    pub(super) fn all_lanes(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.values()
    }

    /// The lanes of a queue in order.
    pub(super) fn lanes(&self, queue: QueueId) -> impl Iterator<Item = (LaneId, &Lane)> {
        let of_queue = (queue, (0, 0))..=(queue, (u16::MAX, u16::MAX));
        self.lanes.range(of_queue).map(|(&(_, at), lane)| (at, lane))
    }
}

fn head((&seat, row): (&Seat, &Row)) -> Option<(Place, GroupKey)> {
    row.first().map(|&(within, key)| (Place { seat, within }, key))
}

fn next_in(row: &Row, at: (u64, GroupKey)) -> Option<(u64, GroupKey)> {
    use core::ops::Bound::{Excluded, Unbounded};
    row.range((Excluded(at), Unbounded)).next().copied()
}

fn next_row(line: &Line, seat: Seat) -> Option<(Place, GroupKey)> {
    use core::ops::Bound::{Excluded, Unbounded};
    line.range((Excluded(seat), Unbounded)).find_map(head)
}
