//! Gangs: where they go, what keeps them, what they keep from nobody, and who makes room for them.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::super::{
    Domain, Group, GroupKey, Lease, NodeId, NodeSpec, Places, Plan, Planner, Policy, Queue,
    QueueId, Quota, Refusal, Run, SPEED, SiteId, Sites, Taken,
};
use super::{ALL_ITEMS, Ask, FUEL, SECOND, cpus, gpus, node};

const fn key(run: u64) -> GroupKey {
    GroupKey { run, task: 0, item: ALL_ITEMS }
}

fn planner(cores: &[u64]) -> Planner {
    let mut planner = Planner::new(Policy::Autoglm);
    for &cores in cores {
        planner.add_node(node(cores, 0, SPEED));
    }
    planner
}

fn come(planner: &mut Planner, run: u64, queue: QueueId, ask: Ask, count: u32, gang: bool) {
    let class = planner.class(ask);
    planner.set_run(run, Run { queue, arrived_at: run, ..Run::default() });
    let group = Group { class, count, gang, expected: 1_000 * SECOND, ..Group::default() };
    planner.set_group(0, key(run), group);
}

/// Of each node, how many items of a run begin there.
fn begun(plan: &Plan, run: u64) -> Vec<(u32, u32)> {
    let of_run = plan.placements.iter().filter(|placement| placement.group.run == run);
    let mut counts = std::collections::BTreeMap::new();
    of_run.for_each(|it| *counts.entry(it.node.0).or_insert(0) += it.count);
    counts.into_iter().collect()
}

/// A planner that has begun `count` items of one core of a run on a node.
fn run_on(planner: &mut Planner, run: u64, queue: QueueId, place: (u32, u32), gang: bool) {
    let class = planner.class(cpus(1));
    let (node, count) = place;
    for item in 0..count {
        let item = GroupKey { run, task: 0, item: node * 100 + item };
        let taken = Taken { amounts: vec![1], ..Taken::default() };
        let ends_at = 1_000 * SECOND;
        let lease = Lease { class, queue, taken, ends_at, gang, ..Lease::default() };
        planner.begin(item, NodeId(node), lease);
    }
}

#[test]
fn a_gang_goes_to_as_few_nodes_as_hold_it() {
    let begins = |cores: &[u64], count| {
        let mut planner = planner(cores);
        come(&mut planner, 1, QueueId::ROOT, cpus(1), count, true);
        begun(&planner.plan(SECOND, FUEL), 1)
    };
    assert_eq!(begins(&[2, 8, 5, 4], 4), [(3, 4)], "the tightest that holds all");
    assert_eq!(begins(&[2, 8, 5, 4], 9), [(0, 1), (1, 8)], "and the tightest for the rest");
    assert_eq!(begins(&[2, 8, 5, 4], 18), [(0, 1), (1, 8), (2, 5), (3, 4)]);
    assert_eq!(begins(&[2, 8, 5, 4], 20), [], "or nowhere");
}

/// Nodes of two cores each at sites 0, 0, 1, 1, and 1.
fn zones() -> Planner {
    let mut planner = Planner::new(Policy::Autoglm);
    for site in [0, 0, 1, 1, 1] {
        planner.add_node(NodeSpec { site: SiteId(site), ..node(2, 0, SPEED) });
    }
    planner
}

fn placed(places: Places) -> Ask {
    let open: Sites = [SiteId(0), SiteId(1)].into_iter().collect();
    Ask { places: Some(Box::new(Places { open, unmet: vec![0, 0], ..places })), ..cpus(1) }
}

#[test]
fn members_stay_together_or_are_spread_where_that_is_asked_for() {
    let zone = || Domain::Site(vec![0, 1]);
    let together = placed(Places { together: Some(zone()), ..Places::default() });
    let mut planner = zones();
    come(&mut planner, 1, QueueId::ROOT, together.clone(), 5, true);
    assert_eq!(begun(&planner.plan(SECOND, FUEL), 1), [(2, 2), (3, 2), (4, 1)]);
    let mut planner = zones();
    come(&mut planner, 1, QueueId::ROOT, together, 7, true);
    assert_eq!(begun(&planner.plan(SECOND, FUEL), 1), [], "neither zone holds seven");
    assert_eq!(planner.why(key(1)), Some(Refusal::Oversized { largest: 6 }));
    let mut planner = zones();
    let spread = placed(Places { spread: Some(Domain::Node), ..Places::default() });
    come(&mut planner, 1, QueueId::ROOT, spread, 5, true);
    assert_eq!(begun(&planner.plan(SECOND, FUEL), 1), [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)]);
}

#[test]
fn a_gang_that_is_to_be_together_waits_for_a_place_that_holds_it() {
    let zone = Domain::Site(vec![0, 1]);
    let together = placed(Places { together: Some(zone), ..Places::default() });
    let mut planner = zones();
    for node in 2..5 {
        run_on(&mut planner, 9, QueueId::ROOT, (node, 2), false);
    }
    planner.set_patience(SECOND);
    come(&mut planner, 1, QueueId::ROOT, together, 5, true);
    let plan = planner.plan(10 * SECOND, FUEL);
    assert_eq!(begun(&plan, 1), []);
    // The other zone has room now, and never enough.
    let at = Some(1_000 * SECOND);
    assert_eq!(planner.why(key(1)), Some(Refusal::Gang { room: 4, at }));
}

#[test]
fn what_keeps_a_gang_keeps_no_other_of_its_class() {
    let mut planner = planner(&[3, 3]);
    let limit = Quota { amounts: vec![Some(4)], devices: None };
    let (guarantee, policy) = (Quota::default(), Policy::Autoglm);
    let queue =
        Queue { parent: QueueId::ROOT, weight: 1, guarantee, limit, policy, max_wait: None };
    let queue = planner.add_queue(queue);
    come(&mut planner, 1, queue, cpus(1), 5, true);
    come(&mut planner, 2, queue, cpus(1), 7, true);
    come(&mut planner, 3, queue, cpus(1), 2, true);
    come(&mut planner, 4, queue, cpus(1), 1, false);
    let plan = planner.plan(SECOND, FUEL);
    assert_eq!((begun(&plan, 3).len(), begun(&plan, 4).len()), (1, 1));
    assert_eq!(planner.why(key(1)), Some(Refusal::Queue(queue)), "the queue never has five");
    assert_eq!(planner.why(key(2)), Some(Refusal::Oversized { largest: 6 }));
    assert_eq!(planner.oversized().collect::<Vec<_>>(), [key(2)]);
    let limit = Quota { amounts: vec![Some(4)], devices: None };
    let miss = planner.quota_miss(queue, &limit, key(1)).expect("it is too large");
    assert_eq!((miss.1, miss.3), (5, 4));
}

#[test]
fn a_gang_without_room_says_how_many_have_and_larger_ones_are_not_looked_for() {
    let mut planner = planner(&[4, 4]);
    run_on(&mut planner, 9, QueueId::ROOT, (0, 3), false);
    come(&mut planner, 1, QueueId::ROOT, cpus(1), 6, true);
    come(&mut planner, 2, QueueId::ROOT, cpus(1), 8, true);
    come(&mut planner, 3, QueueId::ROOT, cpus(1), 5, true);
    let plan = planner.plan(1, FUEL);
    assert_eq!(begun(&plan, 3), [(0, 1), (1, 4)]);
    assert_eq!(planner.why(key(1)), Some(Refusal::Gang { room: 5, at: None }));
    assert_eq!(planner.why(key(2)), Some(Refusal::Gang { room: 5, at: None }));
}

/// Two nodes of four cores, and a queue to which six are guaranteed.
fn owed() -> (Planner, QueueId, QueueId) {
    let mut planner = planner(&[4, 4]);
    let queue = |guarantee| Queue {
        parent: QueueId::ROOT,
        weight: 1,
        guarantee: Quota { amounts: vec![guarantee], devices: None },
        limit: Quota::default(),
        policy: Policy::Autoglm,
        max_wait: None,
    };
    let (owner, other) = (planner.add_queue(queue(Some(6))), planner.add_queue(queue(None)));
    (planner, owner, other)
}

#[test]
fn a_gang_that_makes_room_ends_as_a_whole_and_loses_as_much() {
    let (mut planner, owner, other) = owed();
    run_on(&mut planner, 8, other, (0, 1), true);
    run_on(&mut planner, 8, other, (1, 3), true);
    run_on(&mut planner, 9, other, (0, 3), false);
    run_on(&mut planner, 7, other, (1, 1), false);
    come(&mut planner, 1, owner, cpus(1), 1, false);
    let runs = |plan: Plan| plan.preemptions.iter().map(|it| it.run).collect::<Vec<_>>();
    let ended = runs(planner.plan(SECOND, FUEL));
    assert!(ended == [9] || ended == [7], "one that is alone loses less: {ended:?}");
    for (run, count) in [(9, 3), (7, 1)] {
        for item in 0..count {
            let node = if run == 9 { 0 } else { 100 };
            planner.end(SECOND, GroupKey { run, task: 0, item: node + item });
        }
        let node = u32::from(run == 7);
        run_on(&mut planner, 20 + run, owner, (node, count), false);
    }
    assert_eq!(runs(planner.plan(SECOND, FUEL)), [8; 4]);
}

#[test]
fn devices_of_members_are_their_own() {
    let mut planner = Planner::new(Policy::Autoglm);
    planner.add_node(node(8, 2, SPEED));
    planner.add_node(node(8, 4, SPEED));
    come(&mut planner, 1, QueueId::ROOT, gpus(1, 1_000), 5, true);
    let plan = planner.plan(SECOND, FUEL);
    let devices = plan.placements.iter().map(|it| (it.node.0, it.count, it.taken.devices));
    let devices: std::collections::BTreeSet<_> = devices.collect();
    assert_eq!(devices.len(), 5);
    assert_eq!(begun(&plan, 1), [(0, 1), (1, 4)]);
}
