//! What is told to who asks: when something will begin, and why something is where it is.

use alloc::vec;
use alloc::vec::Vec;

use super::super::{ClassId, Group, GroupKey, Lease, NodeId, Planner, Policy, Run, SPEED, Taken};
use super::{ALL_ITEMS, FUEL, SECOND, cpus, node};

fn key(run: u64) -> GroupKey {
    GroupKey { run, task: 0, item: ALL_ITEMS }
}

fn runs(planner: &mut Planner, item: GroupKey, class: ClassId, (at, cores): (NodeId, u64)) {
    let taken = Taken { amounts: vec![cores, 1], ..Taken::default() };
    let lease = Lease { class, taken, began_at: 0, ends_at: 10 * SECOND, ..Lease::default() };
    planner.begin(item, at, lease);
}

#[test]
fn who_waits_begins_when_there_is_room_and_those_before_have_had_their_turn() {
    let mut planner = Planner::new(Policy::Fifo);
    let only = planner.add_node(node(2, 0, SPEED));
    let class = planner.class(cpus(2));
    runs(&mut planner, key(1), class, (only, 2));
    for run in 2..=4 {
        planner.set_run(run, Run { arrived_at: run, ..Run::default() });
        let group = Group { class, count: 1, expected: 5 * SECOND, ..Group::default() };
        planner.set_group(run, key(run), Group { ready_at: run, ..group });
    }
    assert!(planner.plan(5, FUEL).placements.is_empty());
    let at = |run| planner.outlook(5, key(run), 100).map(|outlook| outlook.at);
    assert_eq!([at(2), at(3), at(4)], [10, 15, 20].map(|seconds| Some(seconds * SECOND)));
    assert_eq!(at(1), None, "it does not wait");
    let one = planner.outlook(5, key(4), 1).expect("it waits");
    assert!(one.is_least && one.at == 15 * SECOND && one.spread.is_none(), "{one:?}");
    assert_eq!(planner.end_of(5, key(1)), Some(10 * SECOND));
}

#[test]
fn who_has_room_kept_is_told_where_and_when() {
    let mut planner = Planner::new(Policy::FifoBackfill);
    let nodes = [2, 2].map(|cores| planner.add_node(node(cores, 0, SPEED)));
    let (narrow, wide) = (planner.class(cpus(1)), planner.class(cpus(2)));
    runs(&mut planner, key(1), narrow, (nodes[0], 1));
    runs(&mut planner, key(2), wide, (nodes[1], 2));
    planner.leaves(key(2), 7 * SECOND);
    let group = Group { class: wide, count: 1, expected: SECOND, ..Group::default() };
    planner.set_group(1, key(3), group);
    planner.plan(1, FUEL);
    let outlook = planner.outlook(1, key(3), 100).expect("it waits");
    let told = (outlook.at, outlook.booked, outlook.is_made);
    assert_eq!(told, (7 * SECOND, Some(nodes[1]), true));
}

#[test]
fn where_something_went_is_told_with_what_else_had_room() {
    let mut planner = Planner::new(Policy::Autoglm);
    let speeds = [SPEED, 2 * SPEED, 2 * SPEED, SPEED, SPEED, SPEED];
    let nodes = speeds.map(|speed| planner.add_node(node(2, 0, speed)));
    let narrow = planner.class(cpus(1));
    runs(&mut planner, key(1), narrow, (nodes[2], 1));
    let group = Group { class: narrow, count: 1, expected: SECOND, ..Group::default() };
    planner.set_group(1, key(2), group);
    let placed = planner.plan(1, FUEL).placements;
    assert_eq!(placed[0].node, nodes[2], "fast, and tight");
    let decision = planner.decision(1, key(2), nodes[2]).expect("it is remembered");
    assert_eq!((decision.roomy, decision.taken.ends_at), (6, 1 + SECOND / 2));
    let others: Vec<_> = decision.others.iter().map(|it| (it.node, it.speed)).collect();
    let slow = (nodes[0], SPEED);
    assert_eq!(others, [(nodes[1], 2 * SPEED), slow, (nodes[3], SPEED)]);
    assert!(decision.others[0].slack > decision.taken.slack);
    assert_eq!(planner.decision(2, key(2), nodes[2]), None, "of another time");
}

#[test]
fn what_came_before_there_were_nodes_is_weighed_when_there_are() {
    let mut planner = Planner::new(Policy::Fifo);
    let class = planner.class(cpus(1));
    for run in 1..=3 {
        planner.set_run(run, Run { arrived_at: run, ..Run::default() });
        let group = Group { class, count: 1, expected: 5 * SECOND, ..Group::default() };
        planner.set_group(run, key(run), Group { ready_at: run, ..group });
    }
    let at = |planner: &Planner| planner.outlook(5, key(3), 100).map(|outlook| outlook.at);
    assert_eq!(at(&planner), None, "there is no node");
    planner.add_node(node(1, 0, SPEED));
    assert!(planner.weigh() && !planner.weigh());
    assert_eq!(at(&planner), Some(5 + 10 * SECOND));
    planner.add_node(node(1, 0, SPEED));
    planner.plan(5, 0);
    assert_eq!(at(&planner), Some(5 + 5 * SECOND), "two nodes take half as long");
    // What was weighed is taken away as it was counted.
    planner.set_group(6, key(1), Group { count: 0, ..*planner.group(key(1)).expect("it waits") });
    assert_eq!(planner.waiting_work(), 5 * SECOND);
}
