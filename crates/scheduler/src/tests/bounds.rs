//! What bounds a plan: fuel, the limits of runs and allowances, nodes that come, go and say
//! nothing; and why the rest stays.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::super::{
    AllowanceId, ClassId, Draw, Group, GroupKey, Lease, NodeId, Planner, Policy, Refusal, Run,
    SPEED, Taken, Thing,
};
use super::{ALL_ITEMS, FUEL, SECOND, cpus, gpus, node};

fn key(run: u64, task: u32) -> GroupKey {
    GroupKey { run, task, item: ALL_ITEMS }
}

/// A planner on one node of so many cores and two devices.
fn planner(cores: u64) -> Planner {
    let mut planner = Planner::new(Policy::Autoglm);
    planner.add_node(node(cores, 2, SPEED));
    planner
}

fn tell(planner: &mut Planner, key: GroupKey, class: ClassId, count: u32) {
    let group = Group { class, count, expected: SECOND, ..Group::default() };
    planner.set_group(0, key, group);
}

/// Begins what was planned; gives back how many items of each group.
fn begin(planner: &mut Planner, now: u64) -> Vec<(GroupKey, u32)> {
    let placements = planner.plan(now, FUEL).placements;
    let (mut begun, mut numbers) = (Vec::new(), 0..);
    for placement in placements {
        let group = *planner.group(placement.group).expect("it waits");
        for number in numbers.by_ref().take(placement.count as usize) {
            let item = GroupKey { item: number, ..placement.group };
            let lease = Lease {
                class: group.class,
                taken: placement.taken.clone(),
                began_at: now,
                ends_at: now + if group.expected > 0 { group.expected } else { SECOND },
                saved_at: now,
                ..Lease::default()
            };
            planner.begin(item, placement.node, lease);
        }
        let left = planner.group(placement.group).expect("it waits").count - placement.count;
        planner.set_group(now, placement.group, Group { count: left, ..group });
        begun.push((placement.group, placement.count));
    }
    begun
}

#[test]
fn without_fuel_a_plan_ends_and_the_next_goes_on() {
    let mut planner = planner(1_000);
    let class = planner.class(cpus(1));
    (0..40).for_each(|run| tell(&mut planner, key(run, 0), class, 10));
    let plan = planner.plan(0, 60);
    let placed: u32 = plan.placements.iter().map(|it| it.count).sum();
    assert!(plan.is_out_of_fuel && placed > 0 && placed < 100, "{placed}");
    let mut rounds = 0;
    let mut left = 400;
    while left > 0 {
        let plan = planner.plan(0, 60);
        for placement in plan.placements {
            let group = *planner.group(placement.group).expect("it waits");
            let count = group.count - placement.count;
            planner.set_group(0, placement.group, Group { count, ..group });
            left -= placement.count;
        }
        rounds += 1;
        assert!(rounds < 100, "every plan goes on where the one before had to end");
    }
    assert!(!planner.plan(0, 60).is_out_of_fuel, "nothing is left");
}

#[test]
fn a_run_has_no_more_with_nodes_than_it_may_and_others_pass_it() {
    let mut planner = planner(8);
    let class = planner.class(cpus(1));
    planner.set_run(1, Run { room: 3, work: 1, ..Run::default() });
    planner.set_run(2, Run { work: SECOND, ..Run::default() });
    (0..5).for_each(|task| tell(&mut planner, key(1, task), class, 2));
    tell(&mut planner, key(2, 0), class, 2);
    let begun = begin(&mut planner, 0);
    let of = |run| begun.iter().filter(|it| it.0.run == run).map(|it| it.1).sum::<u32>();
    assert_eq!((of(1), of(2)), (3, 2));
    assert_eq!(planner.why(key(1, 1)), Some(Refusal::Run));
    // Who was not even asked is told of its run, too, and not that it stands in a queue.
    planner.set_run(1, Run { room: 0, work: 1, ..Run::default() });
    planner.plan(1, FUEL);
    assert_eq!(planner.why(key(1, 4)), Some(Refusal::Run));
    assert_eq!(planner.why(key(2, 0)), None, "it does not wait");
}

#[test]
fn what_draws_on_an_allowance_gets_what_is_left_of_it() {
    let mut planner = planner(8);
    let (first, second) = (planner.add_class(cpus(1)), planner.add_class(cpus(1)));
    let draw = |cost, reserve| -> Box<[Draw]> {
        [Draw { allowance: AllowanceId(0), cost, excess: (0, 1), reserve, most: u32::MAX }].into()
    };
    planner.set_allowances(vec![5], vec![(first, draw(2, 0)), (second, draw(1, 2))]);
    tell(&mut planner, key(1, 0), first, 1);
    tell(&mut planner, key(2, 0), second, 4);
    let begun = begin(&mut planner, 0);
    // Five less two; the other has to leave two of the three untouched.
    assert_eq!(begun, [(key(1, 0), 1), (key(2, 0), 1)]);
    assert_eq!(planner.why(key(2, 0)), Some(Refusal::Allowance(AllowanceId(0))));
    let refused: Vec<_> = planner.refused().collect();
    assert_eq!(refused, [(second, Refusal::Allowance(AllowanceId(0)))]);
}

#[test]
fn short_work_is_lent_ahead_and_begins_in_its_turn() {
    let mut planner = planner(2);
    let class = planner.class(cpus(1));
    let group = Group { class, count: 50, expected: 12_500, is_sure: true, ..Group::default() };
    planner.set_group(0, key(1, 0), group);
    let begun = begin(&mut planner, 0);
    assert_eq!(begun.iter().map(|it| it.1).sum::<u32>(), 2 + 8, "four more for each place");
    assert!(begin(&mut planner, 1).is_empty(), "no more than that waits at a node");
    assert_eq!(planner.why(key(1, 0)), Some(Refusal::NoRoom));
    // One ends, one that was lent takes its place, and one more is lent.
    planner.end(2, GroupKey { item: 0, ..key(1, 0) });
    assert_eq!(planner.fleet.nodes[0].leases.len(), 2);
    assert_eq!(begin(&mut planner, 2).iter().map(|it| it.1).sum::<u32>(), 1);
}

#[test]
fn what_draws_takes_devices_or_is_not_short_is_never_lent() {
    let mut planner = planner(1);
    let (drawing, holding) = (planner.add_class(cpus(1)), planner.add_class(gpus(2, 1_000)));
    let plain = planner.add_class(cpus(1));
    let draws =
        [Draw { allowance: AllowanceId(0), cost: 1, excess: (0, 1), reserve: 0, most: u32::MAX }]
            .into();
    planner.set_allowances(vec![100], vec![(drawing, draws)]);
    for (run, class, is_sure) in [(1, drawing, true), (2, holding, true), (3, plain, false)] {
        let group = Group { class, count: 9, expected: 1_000, is_sure, ..Group::default() };
        planner.set_group(0, key(run, 0), group);
    }
    assert_eq!(begin(&mut planner, 0), [(key(1, 0), 1)]);
}

#[test]
fn who_stays_is_told_why() {
    let mut planner = Planner::new(Policy::Autoglm);
    let (small, large) = (planner.class(cpus(2)), planner.class(cpus(9)));
    let picky = planner.class(gpus(3, 1_000));
    tell(&mut planner, key(1, 0), small, 1);
    tell(&mut planner, key(2, 0), large, 1);
    tell(&mut planner, key(3, 0), picky, 1);
    assert!(planner.plan(0, FUEL).placements.is_empty());
    assert_eq!(planner.why(key(1, 0)), Some(Refusal::NoNode));
    let silent = planner.add_node(super::NodeSpec { accepts: false, ..node(4, 2, SPEED) });
    planner.plan(1, FUEL);
    assert_eq!(planner.why(key(1, 0)), Some(Refusal::NoneAccepts));
    assert_eq!(planner.why(key(2, 0)), Some(Refusal::NeverFits));
    planner.set_accepts(silent, true);
    assert_eq!(begin(&mut planner, 2), [(key(1, 0), 1)]);
    assert_eq!(planner.why(key(3, 0)), Some(Refusal::NeverFits));
    let short = planner.shortages(picky, true, 8);
    assert_eq!((short[0].thing, short[0].asked, short[0].free), (Thing::Devices, 3, 2));
    // What two cores are taken of has two, and what asks for three waits for them.
    let middle = planner.class(cpus(3));
    tell(&mut planner, key(4, 0), middle, 1);
    planner.plan(3, FUEL);
    assert_eq!(planner.why(key(4, 0)), Some(Refusal::NoRoom));
    let short = planner.shortages(middle, false, 8);
    assert_eq!((short[0].node, short[0].asked, short[0].free), (silent, 3, 2));
    assert!(planner.shortages(large, false, 8).is_empty(), "no end of work makes room for it");
}

#[test]
fn the_nearest_miss_is_the_smallest_part_of_what_is_asked_for() {
    let mut planner = Planner::new(Policy::Autoglm);
    // A node that lacks one of two cores, and one that lacks 200 of 900 bytes.
    let nodes = [vec![1, 1_000], vec![8, 700]]
        .map(|capacity| planner.add_node(super::NodeSpec { capacity, ..node(1, 0, SPEED) }));
    let class = planner.class(super::Ask { amounts: vec![2, 900], ..super::Ask::default() });
    let short: Vec<NodeId> = planner.shortages(class, true, 8).iter().map(|it| it.node).collect();
    assert_eq!(short, [nodes[1], nodes[0]]);
}

#[test]
fn a_node_that_goes_takes_its_work_along_and_its_number_is_used_again() {
    let mut planner = planner(4);
    let class = planner.class(cpus(4));
    tell(&mut planner, key(1, 0), class, 1);
    assert_eq!(begin(&mut planner, 0), [(key(1, 0), 1)]);
    planner.remove_node(NodeId(0));
    planner.end(1, GroupKey { item: 0, ..key(1, 0) });
    tell(&mut planner, key(2, 0), class, 1);
    assert!(planner.plan(1, FUEL).placements.is_empty());
    assert_eq!(planner.why(key(2, 0)), Some(Refusal::NoNode));
    assert_eq!(planner.add_node(node(4, 0, SPEED)), NodeId(0));
    assert_eq!(begin(&mut planner, 2), [(key(2, 0), 1)], "the new one is free");
}

#[test]
fn what_waits_for_a_faster_node_says_so_and_when_to_look_again() {
    let mut planner = Planner::new(Policy::Autoglm);
    let fast = planner.add_node(node(1, 0, 4_000));
    planner.add_node(node(1, 0, 1_000));
    let class = planner.class(cpus(1));
    let lease = Lease {
        class,
        taken: Taken { amounts: vec![1, 1], ..Taken::default() },
        began_at: 0,
        ends_at: 10 * SECOND,
        ..Lease::default()
    };
    planner.begin(key(9, 9), fast, lease);
    let group = Group { class, count: 1, expected: 100 * SECOND, ..Group::default() };
    planner.set_group(SECOND, key(1, 0), group);
    let plan = planner.plan(SECOND, FUEL);
    assert!(plan.placements.is_empty());
    assert_eq!(plan.look_at, Some(10 * SECOND));
    assert_eq!(planner.why(key(1, 0)), Some(Refusal::Faster { node: fast, at: 10 * SECOND }));
}

#[test]
fn a_run_that_moves_to_another_lane_takes_all_its_groups_along() {
    let mut planner = planner(1);
    let class = planner.class(cpus(1));
    planner.set_run(1, Run { work: 100 * SECOND, path: 100 * SECOND, ..Run::default() });
    planner.set_run(2, Run { work: 10 * SECOND, path: 10 * SECOND, ..Run::default() });
    (0..3).for_each(|task| tell(&mut planner, key(1, task), class, 1));
    tell(&mut planner, key(2, 0), class, 5);
    assert_eq!(planner.ahead(key(1, 2), 99).groups, 3);
    assert_eq!(planner.ahead(key(1, 2), 99).items, 2 + 5);
    planner.set_run(1, Run { work: SECOND, path: SECOND, ..Run::default() });
    assert_eq!(planner.ahead(key(1, 2), 99).groups, 2);
    assert_eq!(planner.ahead(key(2, 0), 99).groups, 3);
    assert!(planner.ahead(key(2, 0), 2).more, "no more than that is looked at");
    assert_eq!(begin(&mut planner, 0)[0].0.run, 1);
    planner.forget_run(0, 1);
    assert_eq!(planner.group_count(), 1);
}

#[test]
fn a_task_of_higher_priority_goes_before_those_of_all_runs_of_its_own() {
    let mut planner = planner(1);
    let class = planner.class(cpus(1));
    planner.set_run(1, Run { work: 100 * SECOND, path: 100 * SECOND, ..Run::default() });
    planner.set_run(2, Run { work: SECOND, path: SECOND, ..Run::default() });
    planner.set_run(3, Run { priority: 51, work: 500 * SECOND, ..Run::default() });
    tell(&mut planner, key(2, 0), class, 1);
    let urgent = Group { class, count: 1, priority: 60, expected: SECOND, ..Group::default() };
    planner.set_group(0, key(1, 0), urgent);
    assert_eq!((planner.ahead(key(2, 0), 9).groups, planner.ahead(key(1, 0), 9).groups), (1, 0));
    tell(&mut planner, key(3, 0), class, 1);
    assert_eq!(planner.ahead(key(1, 0), 9).groups, 1, "the run's priority counts more");
}

#[test]
fn what_has_waited_long_is_not_kept_waiting_by_what_is_lent() {
    let mut planner = planner(2);
    planner.set_patience(10 * SECOND);
    let (short, wide) = (planner.class(cpus(1)), planner.class(cpus(2)));
    let large = Group { class: wide, count: 1, expected: SECOND, ..Group::default() };
    planner.set_group(0, key(2, 0), large);
    planner.set_run(2, Run { work: 1 << 40, ..Run::default() });
    let mut here: Vec<GroupKey> = Vec::new();
    let mut number = 0;
    for now in (0..20 * SECOND).step_by(10_000) {
        // One place after the other is free, and there is always more that is short.
        if here.len() >= 2 {
            planner.end(now, here.remove(0));
        }
        let many = Group { class: short, count: 50, expected: 10_000, is_sure: true, ..large };
        planner.set_group(now, key(1, 0), Group { ready_at: now, ..many });
        for placed in planner.plan(now, FUEL).placements {
            if placed.group == key(2, 0) {
                assert!(now <= 10 * SECOND, "{now}");
                return;
            }
            for _ in 0..placed.count {
                number += 1;
                let item = GroupKey { item: number, ..placed.group };
                let (began_at, ends_at) = (now, now + 10_000);
                let taken = placed.taken.clone();
                let lease = Lease { class: short, taken, began_at, ends_at, ..Lease::default() };
                planner.begin(item, placed.node, lease);
                here.push(item);
            }
        }
        // Where nothing has come, what is there ends all the same.
        if here.len() == 1 {
            planner.end(now, here.remove(0));
        }
    }
    panic!("it never began");
}

#[test]
fn nothing_begins_beside_what_a_node_was_lent() {
    let mut planner = planner(3);
    let (wide, narrow) = (planner.class(cpus(2)), planner.class(cpus(1)));
    let group =
        Group { class: wide, count: 2, expected: 50_000, is_sure: true, ..Group::default() };
    planner.set_group(0, key(1, 0), group);
    assert_eq!(begin(&mut planner, 0), [(key(1, 0), 2)]);
    // One core is left, and whoever was lent goes first: what it waits for may be long in coming.
    tell(&mut planner, key(2, 0), narrow, 1);
    assert!(planner.plan(1, FUEL).placements.is_empty());
    let other = planner.add_node(node(1, 0, SPEED));
    assert_eq!(planner.plan(2, FUEL).placements[0].node, other);
    planner.remove_node(other);
    planner.end(3, GroupKey { item: 0, ..key(1, 0) });
    assert_eq!(begin(&mut planner, 3), [(key(2, 0), 1)]);
}

#[test]
fn nothing_begins_beside_what_a_node_is_lent_in_the_same_plan() {
    let mut planner = planner(3);
    let (wide, narrow) = (planner.class(cpus(2)), planner.class(cpus(1)));
    planner.set_run(1, Run { work: 1, ..Run::default() });
    planner.set_run(2, Run { work: SECOND, ..Run::default() });
    let group =
        Group { class: wide, count: 2, expected: 50_000, is_sure: true, ..Group::default() };
    planner.set_group(0, key(1, 0), group);
    tell(&mut planner, key(2, 0), narrow, 1);
    assert_eq!(begin(&mut planner, 0), [(key(1, 0), 2)]);
}

#[test]
fn the_place_of_what_leaves_is_expected_when_it_is_gone_at_the_latest() {
    let mut planner = planner(1);
    let class = planner.class(cpus(1));
    let lease = Lease {
        class,
        taken: Taken { amounts: vec![1, 1], ..Taken::default() },
        began_at: 0,
        ends_at: 100 * SECOND,
        saved_at: 0,
        leaves_at: None,
        ..Lease::default()
    };
    planner.begin(key(9, 9), NodeId(0), lease);
    tell(&mut planner, key(1, 0), class, 1);
    let expected = |planner: &Planner, now| {
        assert!(planner.fleet.futures[0].is_none(), "what was expected is forgotten");
        planner.fleet.nodes[0].leases[&key(9, 9)].expected_end(now, true).0
    };
    assert_eq!(expected(&planner, SECOND), 100 * SECOND);
    let mut leaves = |by, now| {
        planner.plan(now, FUEL);
        planner.leaves(key(9, 9), by);
        expected(&planner, now)
    };
    assert_eq!(leaves(11 * SECOND, SECOND), 11 * SECOND);
    assert_eq!(leaves(200 * SECOND, SECOND), 100 * SECOND, "its estimate may still be the sooner");
    assert_eq!(leaves(200 * SECOND, 150 * SECOND), 200 * SECOND, "it has outlived its estimate");
    assert_eq!(leaves(11 * SECOND, 12 * SECOND), 12 * SECOND + 1, "it may be gone at any moment");
}

#[test]
fn an_item_that_saves_its_work_loses_less() {
    let mut planner = planner(1);
    let class = planner.class(cpus(1));
    tell(&mut planner, key(1, 0), class, 1);
    begin(&mut planner, 5);
    let item = GroupKey { item: 0, ..key(1, 0) };
    let saved_at = |planner: &Planner| planner.fleet.nodes[0].leases[&item].saved_at;
    assert_eq!(saved_at(&planner), 5);
    planner.checkpointed(item, 9);
    planner.checkpointed(item, 7);
    planner.checkpointed(key(2, 0), 11);
    assert_eq!(saved_at(&planner), 9);
}

/// Two nodes of one place each; on the first runs an item that is expected to take so long.
fn one_runs(expected: u64) -> (Planner, Group) {
    let mut planner = planner(1);
    let class = planner.class(cpus(1));
    let long = Group { class, count: 1, expected, is_sure: true, ..Group::default() };
    planner.set_group(0, key(1, 0), long);
    assert_eq!(begin(&mut planner, 0), [(key(1, 0), 1)]);
    planner.set_group(0, key(1, 0), Group { count: 0, ..long });
    planner.add_node(node(1, 0, SPEED));
    let short = Group { class, count: 9, expected: 25_000, is_sure: true, ..Group::default() };
    (planner, short)
}

#[test]
fn nothing_is_lent_behind_what_is_not_short() {
    let (mut planner, short) = one_runs(SECOND);
    planner.set_group(1, key(2, 0), short);
    let plan = planner.plan(1, FUEL);
    let mut nodes: Vec<u32> = plan.placements.iter().map(|it| it.node.0).collect();
    nodes.dedup();
    assert_eq!(nodes, [1], "{plan:?}");
    assert_eq!(plan.placements.iter().map(|it| it.count).sum::<u32>(), 1 + 2);
}

#[test]
fn what_was_lent_behind_what_is_long_after_all_is_asked_back() {
    let (mut planner, short) = one_runs(1_000);
    planner.set_group(1, key(2, 0), short);
    let begun = begin(&mut planner, 1);
    assert_eq!(begun.iter().map(|it| it.1).sum::<u32>(), 1 + 2 + 2);
    let lent: Vec<GroupKey> = planner.fleet.nodes[0].lent.iter().map(|it| it.0).collect();
    assert_eq!(lent.len(), 2);
    // Of the other node all have ended.
    let others: Vec<GroupKey> = planner.fleet.nodes[1].leases.keys().copied().collect();
    let others = others.into_iter().chain(planner.fleet.nodes[1].lent.iter().map(|it| it.0));
    others.collect::<Vec<_>>().into_iter().for_each(|item| planner.end(2, item));
    planner.set_group(2, key(2, 0), Group { count: 0, ..short });
    let plan = planner.plan(3, FUEL);
    assert_eq!((plan.returns, plan.look_at), (vec![], Some(1 + SECOND)));
    assert_eq!(planner.plan(1 + SECOND, FUEL).returns, lent);
    assert_eq!(planner.plan(2 + SECOND, FUEL).returns, [], "once is enough for a while");
    assert_eq!(planner.plan(2 * SECOND + 1, FUEL).returns, lent, "it may not have been heard");
    // Back in the queue it goes elsewhere.
    lent.iter().for_each(|&item| planner.end(2 * SECOND + 2, item));
    planner.set_group(2 * SECOND + 2, key(2, 0), Group { count: 2, ..short });
    let plan = planner.plan(2 * SECOND + 2, FUEL);
    assert!(plan.placements.iter().all(|it| it.node == NodeId(1)), "{plan:?}");
}
