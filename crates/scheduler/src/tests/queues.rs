//! Queues: shares, guarantees, limits, and whose work ends early for whom.

mod reclaimed;

use alloc::vec;
use alloc::vec::Vec;

use super::super::{
    ClassId, Group, GroupKey, Lease, NodeId, Planner, Policy, Queue, QueueId, Quota, Refusal, Run,
    SPEED,
};
use super::{ALL_ITEMS, Ask, FUEL, Random, SECOND, cpus, gpus, node};

fn key(run: u64) -> GroupKey {
    GroupKey { run, task: 0, item: ALL_ITEMS }
}

fn cores(count: u64) -> Quota {
    Quota { amounts: vec![Some(count)], devices: None }
}

fn queue(parent: QueueId) -> Queue {
    let (guarantee, limit) = (Quota::default(), Quota::default());
    Queue { parent, weight: 1, guarantee, limit, policy: Policy::Autoglm, max_wait: None }
}

/// A planner on one node, and what has begun there.
struct House {
    planner: Planner,
    begun: Vec<(GroupKey, QueueId)>,
    /// How many have begun so far.
    count: u32,
    now: u64,
}

impl House {
    fn new(cores: u64, devices: u8) -> Self {
        let mut planner = Planner::new(Policy::Autoglm);
        planner.add_node(node(cores, devices, SPEED));
        Self { planner, begun: Vec::new(), count: 0, now: 0 }
    }

    fn add(&mut self, queue: Queue) -> QueueId {
        self.planner.add_queue(queue)
    }

    /// A run of so many items comes into a queue.
    fn come(&mut self, run: u64, queue: QueueId, ask: Ask, count: u32) {
        let class = self.planner.class(ask);
        self.planner.set_run(run, Run { queue, arrived_at: run, ..Run::default() });
        let group = Group { class, count, expected: 1_000 * SECOND, ..Group::default() };
        self.planner.set_group(self.now, key(run), group);
    }

    /// Plans, and begins what was planned; gives back what is to end early.
    fn plan(&mut self) -> Vec<GroupKey> {
        let plan = self.planner.plan(self.now, FUEL);
        for placed in plan.placements {
            let group = *self.planner.group(placed.group).expect("it waits");
            for _ in 0..placed.count {
                let item = GroupKey { item: self.count, ..placed.group };
                self.count += 1;
                let queue = self.queue_of(placed.group.run);
                self.begin(item, queue, group.class, placed.taken.clone());
            }
            let count = group.count - placed.count;
            self.planner.set_group(self.now, placed.group, Group { count, ..group });
        }
        plan.preemptions
    }

    fn begin(&mut self, item: GroupKey, queue: QueueId, class: ClassId, taken: super::Taken) {
        let (began_at, ends_at) = (self.now, self.now + 1_000 * SECOND);
        let saved_at = began_at;
        let lease = Lease { class, queue, taken, began_at, ends_at, saved_at, ..Lease::default() };
        self.planner.begin(item, NodeId(0), lease);
        self.begun.push((item, queue));
    }

    fn queue_of(&self, run: u64) -> QueueId {
        self.planner.backlog.queue(run)
    }

    /// How many cores a queue has.
    fn cores(&self, queue: QueueId) -> u64 {
        self.planner.queue_used(queue).0.first().copied().unwrap_or(0)
    }

    /// How many items of a queue are with the node.
    fn count(&self, queue: QueueId) -> usize {
        self.begun.iter().filter(|(_, of)| *of == queue).count()
    }

    fn end(&mut self, item: GroupKey) {
        self.planner.end(self.now, item);
        self.begun.retain(|&(known, _)| known != item);
    }
}

#[test]
fn those_who_compete_get_the_same_share_of_what_they_take_most_of() {
    let mut house = House::new(12, 0);
    let queues = [0; 3].map(|_| house.add(queue(QueueId::ROOT)));
    house.come(1, queues[0], cpus(1), 100);
    house.come(2, queues[1], cpus(2), 100);
    house.come(3, queues[2], cpus(4), 100);
    house.plan();
    assert_eq!(queues.map(|queue| house.count(queue)), [4, 2, 1]);
}

#[test]
fn a_share_goes_by_weight_level_by_level() {
    let mut house = House::new(16, 0);
    let heavy = house.add(Queue { weight: 3, ..queue(QueueId::ROOT) });
    let light = house.add(queue(QueueId::ROOT));
    let within = [0; 2].map(|_| house.add(queue(heavy)));
    house.come(1, within[0], cpus(1), 100);
    house.come(2, within[1], cpus(1), 100);
    house.come(3, light, cpus(1), 100);
    house.plan();
    assert_eq!(within.map(|queue| house.count(queue)), [6, 6]);
    assert_eq!(house.count(light), 4);
}

#[test]
fn what_nobody_else_wants_is_borrowed() {
    let mut house = House::new(8, 0);
    let rich = house.add(Queue { guarantee: cores(6), ..queue(QueueId::ROOT) });
    let poor = house.add(queue(QueueId::ROOT));
    house.come(1, poor, cpus(1), 100);
    house.plan();
    assert_eq!((house.count(rich), house.count(poor)), (0, 8));
}

#[test]
fn a_guarantee_goes_before_a_share() {
    let mut house = House::new(8, 0);
    let rich = house.add(Queue { guarantee: cores(6), ..queue(QueueId::ROOT) });
    let poor = house.add(Queue { weight: 100, ..queue(QueueId::ROOT) });
    house.come(1, rich, cpus(1), 100);
    house.come(2, poor, cpus(1), 100);
    house.plan();
    assert_eq!((house.count(rich), house.count(poor)), (6, 2));
}

#[test]
fn a_limit_holds_for_all_below_and_is_named() {
    let mut house = House::new(8, 0);
    let above = house.add(Queue { limit: cores(5), ..queue(QueueId::ROOT) });
    let first = house.add(Queue { limit: cores(2), ..queue(above) });
    let second = house.add(queue(above));
    house.come(1, first, cpus(1), 10);
    house.come(2, second, cpus(1), 10);
    house.plan();
    assert_eq!((house.count(first), house.count(second)), (2, 3));
    assert_eq!(house.planner.why(key(1)), Some(Refusal::Queue(first)));
    assert_eq!(house.planner.why(key(2)), Some(Refusal::Queue(above)));
    // Who comes behind them is told the same, though it was not asked.
    house.come(3, first, cpus(1), 1);
    house.plan();
    assert_eq!(house.planner.why(key(3)), Some(Refusal::Queue(first)));
}

#[test]
fn devices_have_a_limit_too() {
    let mut house = House::new(8, 4);
    let limit = Quota { amounts: Vec::new(), devices: Some(1_500) };
    let queue = house.add(Queue { limit, ..queue(QueueId::ROOT) });
    house.come(1, queue, gpus(1, 500), 10);
    house.plan();
    assert_eq!(house.count(queue), 3);
}

#[test]
fn what_was_borrowed_is_given_back_by_those_who_lose_least() {
    let mut house = House::new(8, 0);
    let rich = house.add(Queue { guarantee: cores(6), ..queue(QueueId::ROOT) });
    let poor = house.add(Queue { guarantee: cores(2), ..queue(QueueId::ROOT) });
    house.come(1, poor, cpus(1), 8);
    house.plan();
    // One after the other has saved its work.
    let items: Vec<GroupKey> = house.begun.iter().map(|&(item, _)| item).collect();
    for (number, &item) in (0..).zip(&items) {
        house.planner.checkpointed(item, number * SECOND);
    }
    house.now = 100 * SECOND;
    house.come(2, rich, cpus(1), 3);
    let ends = house.plan();
    assert_eq!(ends, [items[7], items[6], items[5]]);
    // While they leave nobody else is asked.
    ends.iter().for_each(|&item| house.planner.leaves(item, house.now + 30 * SECOND));
    house.now += SECOND;
    assert_eq!(house.plan(), []);
    // Nor is the room of those who have gone given to anyone else.
    house.come(3, poor, cpus(1), 5);
    ends.iter().for_each(|&item| house.end(item));
    assert_eq!(house.plan(), []);
    assert_eq!((house.count(rich), house.count(poor)), (3, 5));
    // What is guaranteed to the poor stays with them, however much the rich want.
    house.come(4, rich, cpus(1), 100);
    assert_eq!(house.plan().len(), 3);
}

#[test]
fn nothing_is_taken_from_who_has_no_more_than_it_is_guaranteed() {
    let mut house = House::new(8, 0);
    let rich = house.add(Queue { guarantee: cores(8), ..queue(QueueId::ROOT) });
    let poor = house.add(Queue { guarantee: cores(8), ..queue(QueueId::ROOT) });
    house.come(1, poor, cpus(2), 4);
    house.plan();
    house.come(2, rich, cpus(2), 4);
    assert_eq!(house.plan(), [], "more was promised than there is: whoever came first keeps it");
    assert_eq!(house.planner.why(key(2)), Some(Refusal::NoRoom));
}

#[test]
fn a_queue_takes_back_from_the_one_beside_it_below_the_same() {
    let mut house = House::new(8, 0);
    let above = house.add(Queue { guarantee: cores(4), ..queue(QueueId::ROOT) });
    let other = house.add(queue(QueueId::ROOT));
    let first = house.add(Queue { guarantee: cores(2), ..queue(above) });
    let second = house.add(queue(above));
    house.come(1, second, cpus(1), 4);
    house.come(2, other, cpus(1), 4);
    house.plan();
    assert_eq!((house.count(second), house.count(other)), (4, 4));
    house.come(3, first, cpus(1), 4);
    let ends = house.plan();
    // Above it all that is guaranteed is used: what it takes back is from its like.
    assert_eq!(ends.len(), 2);
    assert!(ends.iter().all(|item| item.run == 1), "{ends:?}");
}

#[test]
fn who_is_needed_to_make_room_for_something_large_and_who_is_not() {
    let mut house = House::new(8, 0);
    let rich = house.add(Queue { guarantee: cores(8), ..queue(QueueId::ROOT) });
    let poor = house.add(queue(QueueId::ROOT));
    house.come(1, poor, cpus(1), 3);
    house.plan();
    house.come(2, poor, cpus(5), 1);
    house.plan();
    house.now = 50 * SECOND;
    house.begun.clone().iter().filter(|(item, _)| item.run == 1).for_each(|&(item, _)| {
        house.planner.checkpointed(item, house.now);
    });
    // The small lose nothing, and are not enough: once the large one ends they are not needed.
    house.come(3, rich, cpus(5), 1);
    let ends = house.plan();
    assert_eq!(ends.iter().map(|item| item.run).collect::<Vec<_>>(), [2]);
}

#[test]
fn who_has_lost_before_is_not_asked_again_because_it_saves() {
    let mut house = House::new(2, 0);
    let rich = house.add(Queue { guarantee: cores(1), ..queue(QueueId::ROOT) });
    let poor = house.add(queue(QueueId::ROOT));
    let class = house.planner.class(cpus(1));
    let taken = super::Taken { amounts: cpus(1).amounts, ..super::Taken::default() };
    let lease = Lease { class, queue: poor, taken, ends_at: 1_000 * SECOND, ..Lease::default() };
    let (saves, never_saves) = (GroupKey { item: 0, ..key(1) }, GroupKey { item: 1, ..key(1) });
    let lost_before = Lease { saved_at: 59 * SECOND, loss: 90 * SECOND, ..lease.clone() };
    house.planner.begin(saves, NodeId(0), lost_before);
    house.planner.begin(never_saves, NodeId(0), lease);
    house.now = 60 * SECOND;
    house.come(2, rich, cpus(1), 1);
    assert_eq!(house.plan(), [never_saves]);
}

#[test]
fn the_more_urgent_take_from_those_who_may_be_interrupted() {
    let mut house = House::new(2, 0);
    let queue = QueueId::ROOT;
    let class = house.planner.class(cpus(1));
    let taken = super::Taken { amounts: cpus(1).amounts, ..super::Taken::default() };
    let (willing, unwilling) = (GroupKey { item: 0, ..key(1) }, GroupKey { item: 1, ..key(1) });
    let ends_at = 1_000 * SECOND;
    let lease = Lease { class, queue, taken, ends_at, priority: (20, 50), ..Lease::default() };
    house.planner.begin(unwilling, NodeId(0), lease.clone());
    house.planner.begin(willing, NodeId(0), Lease { preemptible: true, ..lease });
    house.come(2, queue, cpus(1), 2);
    let of = |priority| Run { priority, ..Run::default() };
    house.planner.set_run(2, of(20));
    assert_eq!(house.plan(), [], "it is no more urgent");
    house.planner.set_run(2, of(21));
    assert_eq!(house.plan(), [willing]);
}

#[test]
fn what_has_room_soon_is_taken_from_nobody() {
    let mut house = House::new(1, 0);
    let rich = house.add(Queue { guarantee: cores(1), ..queue(QueueId::ROOT) });
    let poor = house.add(queue(QueueId::ROOT));
    house.come(1, poor, cpus(1), 1);
    house.plan();
    house.come(2, rich, cpus(1), 1);
    house.now = 995 * SECOND;
    assert_eq!(house.plan(), []);
}

#[test]
fn each_queue_keeps_to_its_own_policy() {
    let mut house = House::new(4, 0);
    let strict = house.add(Queue { policy: Policy::Fifo, ..queue(QueueId::ROOT) });
    let free = house.add(queue(QueueId::ROOT));
    house.come(1, strict, cpus(3), 1);
    house.now = 1;
    house.come(2, strict, cpus(4), 1);
    house.now = 2;
    house.come(3, strict, cpus(1), 1);
    house.come(4, free, cpus(1), 1);
    house.plan();
    // The third could have begun, and waits behind the second as its queue asks for.
    assert_eq!((house.count(strict), house.count(free)), (1, 1));
    assert_eq!(house.planner.why(key(3)), Some(Refusal::Behind));
}

#[test]
fn a_run_that_changes_its_queue_is_counted_there() {
    let mut house = House::new(4, 0);
    let closed = house.add(Queue { limit: cores(0), ..queue(QueueId::ROOT) });
    let open = house.add(queue(QueueId::ROOT));
    house.come(1, closed, cpus(1), 2);
    house.plan();
    assert_eq!(house.planner.why(key(1)), Some(Refusal::Queue(closed)));
    house.planner.set_run(1, Run { queue: open, ..Run::default() });
    house.plan();
    assert_eq!((house.count(closed), house.count(open)), (0, 2));
}

#[test]
fn a_large_array_yields_often_enough_and_not_too_often() {
    let mut house = House::new(100_000, 0);
    house.planner.remove_node(NodeId(0));
    let spec = node(100_000, 0, SPEED);
    house.planner.add_node(super::super::NodeSpec { capacity: vec![100_000, 1 << 40], ..spec });
    let (first, second) = (house.add(queue(QueueId::ROOT)), house.add(queue(QueueId::ROOT)));
    house.come(1, first, cpus(1), 100_000);
    house.come(2, second, cpus(1), 100_000);
    let plan = house.planner.plan(0, FUEL);
    assert!(plan.placements.len() <= 600, "{}", plan.placements.len());
    let of = |run| -> u32 {
        plan.placements.iter().filter(|it| it.group.run == run).map(|it| it.count).sum()
    };
    assert_eq!(of(1) + of(2), 100_000);
    assert!(of(1).abs_diff(of(2)) <= 1_000, "{} and {}", of(1), of(2));
}

/// Whatever comes and goes, no queue ever has more than it may, and all that is counted is given
/// back.
#[test]
fn limits_hold_in_drawn_worlds() {
    for seed in 1..200 {
        let random = &mut Random(seed);
        let mut house = House::new(8 + random.below(9), 4);
        let mut queues: Vec<(QueueId, Option<u64>)> = Vec::new();
        for _ in 0..1 + random.below(6) {
            let parent = match random.below(queues.len() as u64 + 1) {
                0 => QueueId::ROOT,
                at => queues[usize::try_from(at - 1).expect("few")].0,
            };
            let limit = (random.below(2) == 0).then(|| random.below(10));
            let quota = |most: Option<u64>| Quota { amounts: vec![most], devices: None };
            let guarantee = (random.below(2) == 0).then(|| random.below(6));
            let id = house.add(Queue {
                weight: 1 + u32::try_from(random.below(3)).expect("small"),
                guarantee: quota(guarantee),
                limit: quota(limit),
                ..queue(parent)
            });
            queues.push((id, limit));
        }
        for run in 1..40 {
            house.now += SECOND;
            let (queue, _) = queues[usize::try_from(random.below(queues.len() as u64)).expect("")];
            let count = 1 + u32::try_from(random.below(6)).expect("small");
            house.come(run, queue, cpus(1 + random.below(3)), count);
            for item in house.plan() {
                house.planner.leaves(item, house.now + SECOND);
                house.end(item);
            }
            for (id, limit) in &queues {
                let used = house.cores(*id);
                assert!(limit.is_none_or(|limit| used <= limit), "seed {seed}: {id:?} has {used}");
            }
            if random.below(2) == 0 && !house.begun.is_empty() {
                let at = usize::try_from(random.below(house.begun.len() as u64)).expect("few");
                let (item, _) = house.begun[at];
                house.end(item);
            }
        }
        house.begun.clone().into_iter().for_each(|(item, _)| house.end(item));
        assert!(queues.iter().all(|&(id, _)| house.cores(id) == 0));
    }
}

/// So much of a device for a tenant.
fn part(share: u16, tenant: u16) -> Ask {
    let mut ask = gpus(1, share);
    ask.devices.tenant = tenant;
    ask
}

#[test]
fn a_device_is_never_shared_between_tenants() {
    let mut house = House::new(8, 2);
    house.come(1, QueueId::ROOT, part(300, 1), 1);
    house.plan();
    house.come(2, QueueId::ROOT, part(300, 2), 5);
    house.come(3, QueueId::ROOT, part(300, 1), 5);
    house.plan();
    // Each has three parts of a device of its own.
    let of = |house: &House, run| house.begun.iter().filter(|(item, _)| item.run == run).count();
    assert_eq!((of(&house, 1), of(&house, 2), of(&house, 3)), (1, 3, 2));
    assert_eq!(house.planner.why(key(2)), Some(Refusal::NoRoom));
    // When the last of one has gone the other may have its device.
    let first: Vec<GroupKey> =
        house.begun.iter().map(|&(item, _)| item).filter(|item| item.run != 2).collect();
    house.planner.forget_run(house.now, 3);
    for (ended, item) in (1..).zip(first) {
        house.end(item);
        house.plan();
        assert_eq!(of(&house, 2), if ended < 3 { 3 } else { 5 });
    }
}

#[test]
fn a_device_that_is_kept_for_one_tenant_is_not_shared_with_another_meanwhile() {
    let mut house = House::new(8, 1);
    house.planner.set_patience(SECOND);
    house.come(1, QueueId::ROOT, part(600, 1), 1);
    house.plan();
    // The other tenant waits for the device, and has a reservation by now.
    house.come(2, QueueId::ROOT, part(600, 2), 1);
    house.now = 10 * SECOND;
    house.plan();
    house.come(3, QueueId::ROOT, part(100, 2), 1);
    house.plan();
    assert_eq!(house.planner.why(key(3)), Some(Refusal::NoRoom));
    let short = Group { expected: SECOND, ..*house.planner.group(key(3)).expect("it waits") };
    house.come(4, QueueId::ROOT, part(100, 1), 1);
    let class = house.planner.class(part(100, 1));
    house.planner.set_group(house.now, key(4), Group { class, ..short });
    house.plan();
    assert_eq!(house.begun.iter().filter(|(item, _)| item.run == 4).count(), 1, "it ends in time");
}

#[test]
fn the_room_of_what_is_to_end_is_nobodys_before_it_has() {
    let mut house = House::new(6, 0);
    house.planner.add_node(node(1, 0, SPEED));
    let limited = house.add(Queue { limit: cores(4), ..queue(QueueId::ROOT) });
    let owed = house.add(Queue { guarantee: cores(4), ..queue(QueueId::ROOT) });
    house.come(1, limited, cpus(2), 2);
    house.plan();
    house.come(2, owed, cpus(4), 1);
    // It would fit on the other node, and its queue has all that it may have until others end.
    house.come(3, limited, cpus(1), 1);
    assert_eq!(house.plan().len(), 1);
    assert_eq!(house.count(limited), 2);
    assert_eq!(house.planner.why(key(3)), Some(Refusal::Queue(limited)));
}

#[test]
fn who_will_have_more_than_it_is_guaranteed_is_asked_for_nothing_before_it_has() {
    let mut house = House::new(6, 0);
    let first = house.add(Queue { guarantee: cores(3), ..queue(QueueId::ROOT) });
    let second = house.add(Queue { guarantee: cores(3), ..queue(QueueId::ROOT) });
    let third = house.add(queue(QueueId::ROOT));
    house.come(1, third, cpus(1), 2);
    house.come(2, first, cpus(1), 2);
    house.come(3, second, cpus(1), 2);
    house.plan();
    // Both may have one more, and each has only what is its own.
    house.come(4, first, cpus(1), 3);
    house.come(5, second, cpus(1), 3);
    let ends = house.plan();
    assert_eq!(ends.iter().map(|item| item.run).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_queue_says_itself_how_long_those_in_it_may_wait() {
    let first_after = |max_wait: Option<u64>, seconds: u64| {
        let mut house = House::new(2, 0);
        let own = house.add(Queue { max_wait, ..queue(QueueId::ROOT) });
        let class = house.planner.class(cpus(2));
        let group = Group { class, count: 1, expected: SECOND, ..Group::default() };
        for (run, work) in [(1, 1 << 50), (2, SECOND)] {
            house.planner.set_run(run, Run { queue: own, work, ..Run::default() });
            house.planner.set_group(0, key(run), group);
        }
        house.planner.plan(seconds * SECOND, FUEL).placements[0].group.run
    };
    assert_eq!(first_after(Some(10 * SECOND), 5), 2, "least is left of it");
    assert_eq!(first_after(Some(10 * SECOND), 11), 1, "it has waited for long enough");
    assert_eq!(first_after(None, 11), 2, "it is short beside the work that waits");
}

#[test]
fn who_has_a_deadline_goes_as_far_forward_as_it_has_to() {
    let first_at = |seconds: u64, starts_by: Option<u64>| {
        let mut house = House::new(2, 0);
        let class = house.planner.class(cpus(2));
        let group = Group { class, count: 1, expected: 20 * SECOND, ..Group::default() };
        // The second has least to do and goes first, unless the first has no time for that.
        for (run, work, by) in [(1, 1 << 40, starts_by), (2, 20 * SECOND, None)] {
            house.planner.set_run(run, Run { work, path: work, ..Run::default() });
            house.planner.set_group(0, key(run), Group { starts_by: by, ..group });
        }
        house.planner.plan(seconds * SECOND, FUEL).placements[0].group.run
    };
    assert_eq!(first_at(0, None), 2);
    assert_eq!(first_at(0, Some(50 * SECOND)), 2, "there is time for both");
    assert_eq!(first_at(0, Some(20 * SECOND)), 1);
    assert_eq!(first_at(30, Some(20 * SECOND)), 1, "it is late, and may be quicker than expected");
}

#[test]
fn who_has_time_waits_for_those_who_came_first() {
    let first = |starts_by: u64| {
        let mut house = House::new(2, 0);
        let class = house.planner.class(cpus(2));
        let group = Group { class, count: 1, expected: 20 * SECOND, ..Group::default() };
        for (run, by) in [(1, None), (2, Some(starts_by))] {
            let work = 20 * SECOND;
            let run_of = Run { work, path: work, arrived_at: run, ..Run::default() };
            house.planner.set_run(run, run_of);
            house.planner.set_group(0, key(run), Group { starts_by: by, ..group });
        }
        house.planner.plan(0, FUEL).placements[0].group.run
    };
    assert_eq!((first(3_600 * SECOND), first(30 * SECOND), first(10 * SECOND)), (1, 1, 2));
}
