//! Room that is kept for critical work: where it stands, who begins there, and who does not.

use alloc::vec;
use alloc::vec::Vec;

use super::super::{
    Ask, Group, GroupKey, Kept, LaneUse, Lease, NodeId, NodeSpec, Planner, Policy, Queue, QueueId,
    Quota, Refusal, Run, SPEED,
};
use super::world::{Task, play, play_with_lane};
use super::{ALL_ITEMS, FUEL, Random, SECOND, cpus, drawn, gpus, node};

fn key(run: u64) -> GroupKey {
    GroupKey { run, task: 0, item: ALL_ITEMS }
}

fn kept(cpu: u64, devices: u64) -> Kept {
    Kept { amounts: vec![cpu, 0], devices }
}

/// A planner of some nodes on which so much is kept.
fn planner(nodes: &[NodeSpec], kept: &Kept) -> Planner {
    let mut planner = Planner::new(Policy::Autoglm);
    let nodes: Vec<NodeId> = nodes.iter().map(|node| planner.add_node(node.clone())).collect();
    planner.keep(kept, &nodes);
    planner
}

/// Where so much is kept: the node, of its cores and of its devices.
fn stands(nodes: &[NodeSpec], kept: &Kept) -> Vec<(u32, u64, u64)> {
    let planner = planner(nodes, kept);
    let place = |it: LaneUse| (it.node.0, it.amounts[0].0, it.devices.0 / 1_000);
    planner.lane().map(place).collect()
}

fn tell(planner: &mut Planner, run: u64, ask: Ask, count: u32, is_critical: bool) -> GroupKey {
    let class = planner.add_class(ask);
    if is_critical {
        planner.set_critical(class);
    }
    let group = Group { class, count, expected: 10 * SECOND, ..Group::default() };
    planner.set_run(run, Run { work: 1 + run, ..planner.run(run) });
    planner.set_group(0, key(run), group);
    key(run)
}

impl Planner {
    fn run(&self, run: u64) -> Run {
        self.backlog.run(run).map(|known| known.run.clone()).unwrap_or_default()
    }
}

/// What begins at a time, as (run, node, count).
fn begin(planner: &mut Planner, now: u64) -> Vec<(u64, u32, u32)> {
    let placed = planner.plan(now, FUEL).placements;
    for placement in &placed {
        let group = *planner.group(placement.group).expect("it waits");
        for number in 0..placement.count {
            let item = GroupKey { item: now as u32 + number, ..placement.group };
            let (taken, ends_at) = (placement.taken.clone(), now + 10 * SECOND);
            let class = group.class;
            let lease = Lease { class, taken, began_at: now, ends_at, ..Lease::default() };
            planner.begin(item, placement.node, lease);
        }
        let count = group.count - placement.count;
        planner.set_group(now, placement.group, Group { count, ..group });
    }
    let mut begun: Vec<(u64, u32, u32)> = Vec::new();
    for it in placed {
        match begun.last_mut() {
            Some(last) if (last.0, last.1) == (it.group.run, it.node.0) => last.2 += it.count,
            _ => begun.push((it.group.run, it.node.0, it.count)),
        }
    }
    begun
}

#[test]
fn it_stands_on_as_few_nodes_as_possible_and_on_the_smallest_that_will_do() {
    let nodes = [node(8, 0, SPEED), node(4, 0, SPEED), node(16, 4, SPEED), node(4, 0, SPEED)];
    assert_eq!(stands(&nodes, &kept(4, 0)), [(1, 4, 0)], "the first of those that are alike");
    assert_eq!(stands(&nodes, &kept(5, 0)), [(0, 5, 0)]);
    assert_eq!(stands(&nodes, &kept(2, 1)), [(2, 2, 1)], "all of it is on one node");
    assert_eq!(stands(&nodes, &kept(20, 1)), [(1, 4, 0), (2, 16, 1)]);
    assert_eq!(stands(&nodes, &kept(99, 9)).len(), 4, "more than there is: all there is");
    assert_eq!(stands(&nodes, &kept(0, 0)), []);
    let mut closed = nodes.clone();
    closed[1].reserved = true;
    assert_eq!(stands(&closed, &kept(4, 0)), [(3, 4, 0)], "not where only some may go");
}

#[test]
fn what_is_not_critical_never_begins_in_it_and_what_is_begins_at_once() {
    let mut planner = planner(&[node(8, 0, SPEED)], &kept(3, 0));
    let usual = tell(&mut planner, 1, cpus(1), 20, false);
    assert_eq!(begin(&mut planner, 0), [(1, 0, 5)]);
    assert_eq!(planner.why(usual), Some(Refusal::Kept(NodeId(0))));
    tell(&mut planner, 2, cpus(1), 2, true);
    assert_eq!(begin(&mut planner, 1), [(2, 0, 2)]);
    let used: Vec<_> = planner.lane().map(|it| it.amounts[0]).collect();
    assert_eq!(used, [(3, 2)]);
    // What critical work leaves is kept again: none of it goes to the others.
    planner.end(2, GroupKey { item: 1, ..key(2) });
    assert_eq!(begin(&mut planner, 2), []);
    planner.end(3, GroupKey { item: 0, ..key(1) });
    assert_eq!(begin(&mut planner, 3), [(1, 0, 1)], "what others leave does");
}

#[test]
fn what_the_lane_cannot_hold_competes_for_the_rest_and_goes_first() {
    let mut planner = planner(&[node(4, 0, SPEED), node(8, 0, SPEED)], &kept(2, 0));
    let usual = tell(&mut planner, 1, cpus(2), 9, false);
    let large = tell(&mut planner, 2, cpus(6), 2, true);
    // It is behind by what is left of its run, and has its turn first all the same.
    assert_eq!(begin(&mut planner, 0), [(2, 1, 1), (1, 1, 1), (1, 0, 1)]);
    assert_eq!(planner.why(large), Some(Refusal::NoRoom));
    assert_eq!(planner.why(usual), Some(Refusal::Kept(NodeId(0))));
    assert_eq!(planner.ahead(usual, 99).items, 1);
    assert_eq!(planner.ahead(large, 99).items, 0);
}

#[test]
fn the_lane_is_used_before_the_rest_and_what_uses_it_counts_against_it() {
    // The second node is faster, and has room: the lane is used first all the same.
    let mut planner = planner(&[node(4, 0, SPEED), node(9, 0, 4 * SPEED)], &kept(4, 0));
    tell(&mut planner, 1, cpus(1), 6, true);
    assert_eq!(begin(&mut planner, 0), [(1, 0, 4), (1, 1, 2)]);
    tell(&mut planner, 2, cpus(1), 20, false);
    assert_eq!(begin(&mut planner, 1), [(2, 1, 7)]);
}

#[test]
fn kept_devices_are_some_of_the_node_and_no_others() {
    let mut planner = planner(&[node(16, 4, SPEED)], &kept(3, 2));
    let usual = tell(&mut planner, 1, gpus(1, 1_000), 4, false);
    let placed = planner.plan(0, FUEL).placements;
    let places: Vec<u64> = placed.iter().map(|it| it.taken.devices.0).collect();
    assert_eq!(places, [1, 2], "the last two are kept");
    assert_eq!(planner.why(usual), Some(Refusal::Kept(NodeId(0))));
    planner.set_group(0, usual, Group::default());
    tell(&mut planner, 2, gpus(1, 500), 3, true);
    let placed = planner.plan(0, FUEL).placements;
    let places: Vec<u64> = placed.iter().map(|it| it.taken.devices.0).collect();
    assert_eq!(places, [4, 4, 8], "parts, too");
}

#[test]
fn a_limit_of_a_queue_holds_in_the_lane() {
    let mut planner = Planner::new(Policy::Autoglm);
    let limit = Quota { amounts: vec![Some(2)], devices: None };
    let (parent, guarantee) = (QueueId::ROOT, Quota::default());
    let queue =
        Queue { parent, weight: 1, guarantee, limit, policy: Policy::Autoglm, max_wait: None };
    let queue = planner.add_queue(queue);
    let at = planner.add_node(node(8, 0, SPEED));
    planner.keep(&kept(8, 0), &[at]);
    planner.set_run(1, Run { queue, ..Run::default() });
    let group = tell(&mut planner, 1, cpus(1), 5, true);
    assert_eq!(begin(&mut planner, 0), [(1, 0, 2)]);
    assert_eq!(planner.why(group), Some(Refusal::Queue(queue)));
}

#[test]
fn nothing_is_lent_where_room_is_kept() {
    let lent = |kept: &Kept| {
        let mut planner = planner(&[node(2, 0, SPEED)], kept);
        let class = planner.add_class(cpus(1));
        let group = Group { class, count: 50, expected: 12_500, is_sure: true, ..Group::default() };
        planner.set_run(1, Run::default());
        planner.set_group(0, key(1), group);
        begin(&mut planner, 0).iter().map(|it| it.2).sum::<u32>()
    };
    assert_eq!(lent(&Kept::default()), 2 + 8);
    assert_eq!(lent(&kept(1, 0)), 1);
}

#[test]
fn nothing_is_lent_while_critical_work_waits() {
    let mut planner = planner(&[node(2, 0, SPEED)], &Kept::default());
    tell(&mut planner, 1, cpus(1), 3, true);
    let class = planner.add_class(cpus(1));
    let group = Group { class, count: 50, expected: 12_500, is_sure: true, ..Group::default() };
    planner.set_run(2, Run::default());
    planner.set_group(0, key(2), group);
    assert_eq!(begin(&mut planner, 0), [(1, 0, 2)], "it would begin before the third");
}

#[test]
fn critical_work_never_waits_behind_a_long_plan() {
    let mut planner = planner(&[node(1_000, 0, SPEED)], &kept(1, 0));
    for run in 0..500 {
        tell(&mut planner, run, cpus(1), 9, false);
    }
    tell(&mut planner, 900, cpus(1), 1, true);
    let plan = planner.plan(0, 40);
    assert!(plan.is_out_of_fuel);
    assert_eq!(plan.placements[0].group, key(900));
}

#[test]
fn a_reservation_does_not_count_on_what_critical_work_will_leave_to_the_lane() {
    let mut planner = planner(&[node(4, 0, SPEED)], &kept(2, 0));
    planner.set_patience(10 * SECOND);
    tell(&mut planner, 1, cpus(2), 1, true);
    assert_eq!(begin(&mut planner, 0), [(1, 0, 1)]);
    let usual = tell(&mut planner, 2, cpus(2), 1, false);
    assert_eq!(begin(&mut planner, 1), [(2, 0, 1)]);
    let late = tell(&mut planner, 3, cpus(2), 1, false);
    let plan = planner.plan(8 * SECOND, FUEL);
    // The critical item ends at 10 seconds, and the other a moment later.
    assert_eq!(plan.look_at, Some(10 * SECOND + 1));
    assert!(planner.why(late).is_some() && planner.why(usual).is_none());
}

#[test]
fn whatever_comes_what_is_kept_stays_free_and_all_ends_that_can() {
    for seed in 1..40 {
        let random = &mut Random(seed * 32_452_843);
        let (nodes, mut tasks) = drawn(random, 40);
        let kept = kept(1 + random.below(4), random.below(2));
        for task in &mut tasks {
            task.critical = random.below(4) == 0;
            // The whole of the last node is not there for what is not critical.
            if task.ask.devices.count > 6 {
                task.critical = true;
            }
        }
        for (policy, _) in Policy::ALL {
            let fates = play_with_lane(policy, &nodes, &tasks, &kept);
            assert!(fates.iter().all(|fate| fate.ended_at > fate.began_at), "seed {seed}");
        }
    }
}

#[test]
fn without_a_lane_what_is_critical_goes_first_and_nothing_else_is_new() {
    let nodes = [node(1, 0, SPEED)];
    let mut tasks: Vec<Task> =
        (0..6).map(|run| Task::new(run, cpus(1), 0, (run + 1) * SECOND)).collect();
    tasks[5].critical = true;
    for (policy, _) in Policy::ALL {
        let fates = play(policy, &nodes, &tasks, None);
        assert_eq!(fates[5].began_at, 0, "{policy:?}");
    }
}
