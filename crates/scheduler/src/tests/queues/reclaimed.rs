//! Who makes room for those to whom it is owed, and how much of it.

use alloc::vec::Vec;

use super::super::super::{Group, GroupKey, Queue, QueueId, Refusal, Run, SPEED};
use super::super::{SECOND, cpus, gpus, node};
use super::{House, cores, key, queue};

#[test]
fn no_more_is_asked_to_end_than_may_begin() {
    let mut house = House::new(8, 0);
    let owed = house.add(Queue { guarantee: cores(8), ..queue(QueueId::ROOT) });
    let other = house.add(queue(QueueId::ROOT));
    house.come(1, other, cpus(1), 8);
    house.plan();
    house.come(2, owed, cpus(1), 8);
    house.planner.set_run(2, Run { queue: owed, room: 2, ..Run::default() });
    assert_eq!(house.plan().len(), 2);
}

#[test]
fn who_has_borrowed_a_little_gives_back_a_little() {
    let mut house = House::new(8, 0);
    let owed = house.add(Queue { guarantee: cores(4), ..queue(QueueId::ROOT) });
    let other = house.add(Queue { guarantee: cores(7), ..queue(QueueId::ROOT) });
    house.come(1, other, cpus(1), 8);
    house.plan();
    // One of the eight is borrowed: that is not enough, so none is taken.
    house.come(2, owed, cpus(4), 1);
    assert_eq!(house.plan(), []);
    house.come(3, owed, cpus(1), 1);
    assert_eq!(house.plan().len(), 1);
}

#[test]
fn what_leaves_already_is_not_what_has_been_borrowed() {
    let mut house = House::new(8, 0);
    let owed = house.add(Queue { guarantee: cores(6), ..queue(QueueId::ROOT) });
    let other = house.add(Queue { guarantee: cores(6), ..queue(QueueId::ROOT) });
    house.come(1, other, cpus(1), 8);
    house.plan();
    house.come(2, owed, cpus(1), 2);
    let ends = house.plan();
    assert_eq!(ends.len(), 2);
    ends.iter().for_each(|&item| house.planner.leaves(item, 60 * SECOND));
    house.come(3, owed, cpus(1), 2);
    assert_eq!(house.plan(), [], "it has no more than it is guaranteed once they have gone");
}

#[test]
fn a_guarantee_holds_against_those_outside_whatever_is_above_it() {
    let mut house = House::new(8, 0);
    let above = house.add(queue(QueueId::ROOT));
    let owed = house.add(Queue { guarantee: cores(2), ..queue(above) });
    let other = house.add(queue(QueueId::ROOT));
    house.come(1, other, cpus(1), 8);
    house.plan();
    house.come(2, owed, cpus(1), 8);
    assert_eq!(house.plan().len(), 2);
}

#[test]
fn what_its_like_has_borrowed_is_taken_from_the_one_that_has() {
    let mut house = House::new(8, 0);
    let above = house.add(Queue { guarantee: cores(4), ..queue(QueueId::ROOT) });
    let modest = house.add(Queue { guarantee: cores(2), ..queue(above) });
    let greedy = house.add(queue(above));
    let owed = house.add(Queue { guarantee: cores(4), ..queue(QueueId::ROOT) });
    house.come(1, modest, cpus(1), 2);
    house.come(2, greedy, cpus(1), 6);
    house.plan();
    // The modest would lose least, and have nothing but what is theirs.
    house.now = 100 * SECOND;
    let modest: Vec<GroupKey> =
        house.begun.iter().map(|&(item, _)| item).filter(|item| item.run == 1).collect();
    modest.iter().for_each(|&item| house.planner.checkpointed(item, house.now));
    house.come(3, owed, cpus(1), 8);
    let ends = house.plan();
    assert_eq!(ends.len(), 4);
    assert!(ends.iter().all(|item| item.run == 2), "{ends:?}");
}

#[test]
fn a_limit_above_is_no_reason_to_go_without_what_is_guaranteed() {
    let mut house = House::new(16, 0);
    let above = house.add(Queue { limit: cores(8), ..queue(QueueId::ROOT) });
    let owed = house.add(Queue { guarantee: cores(4), ..queue(above) });
    let other = house.add(queue(above));
    house.come(1, other, cpus(1), 8);
    house.plan();
    house.come(2, owed, cpus(2), 1);
    let ends = house.plan();
    assert_eq!(ends.len(), 2);
    assert_eq!(house.planner.why(key(2)), Some(Refusal::Queue(above)));
    ends.iter().for_each(|&item| house.planner.leaves(item, 60 * SECOND));
    assert_eq!(house.plan(), [], "it is being made");
    ends.iter().for_each(|&item| house.end(item));
    house.plan();
    assert_eq!(house.count(owed), 1);
}

#[test]
fn those_who_are_late_and_large_take_turns_too() {
    let mut house = House::new(64, 8);
    house.planner.set_patience(SECOND);
    let (first, second) = (house.add(queue(QueueId::ROOT)), house.add(queue(QueueId::ROOT)));
    for at in 1..4 {
        house.planner.add_node(node(64, 8, SPEED));
        assert!(at < 8);
    }
    house.come(1, first, gpus(8, 1_000), 100);
    house.now = SECOND / 10;
    house.come(2, second, gpus(8, 1_000), 100);
    house.now = 10 * SECOND;
    house.plan();
    assert_eq!((house.count(first), house.count(second)), (2, 2));
}

#[test]
fn room_that_is_being_made_is_not_lent_to_anybody() {
    let mut house = House::new(2, 0);
    let owed = house.add(Queue { guarantee: cores(1), ..queue(QueueId::ROOT) });
    let other = house.add(queue(QueueId::ROOT));
    house.come(1, other, cpus(1), 2);
    house.plan();
    house.come(2, owed, cpus(1), 1);
    house.come(3, other, cpus(1), 50);
    let short = *house.planner.group(key(3)).expect("it waits");
    house.planner.set_group(house.now, key(3), Group { expected: 10_000, is_sure: true, ..short });
    let ends = house.plan();
    assert_eq!((ends.len(), house.begun.len()), (1, 2), "what is lent would begin in its place");
    house.planner.leaves(ends[0], 60 * SECOND);
    house.plan();
    assert_eq!(house.begun.len(), 2);
    house.end(ends[0]);
    house.plan();
    assert_eq!(house.count(owed), 1);
}
