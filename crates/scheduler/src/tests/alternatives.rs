//! Work that can be done in several ways: the one in which it ends first is taken.

use alloc::vec;
use alloc::vec::Vec;

use super::super::{
    AllowanceId, Draw, Group, GroupKey, Lease, NodeId, Planner, Policy, Queue, QueueId, Quota,
    Refusal, Run, SPEED, Taken,
};
use super::optimum::least_makespan;
use super::world::{Task, play};
use super::{ALL_ITEMS, FUEL, Random, SECOND, cpus, gpus, makespan, node};

fn key(run: u64) -> GroupKey {
    GroupKey { run, task: 0, item: ALL_ITEMS }
}

/// A task that takes a GPU for so long, or else so many cores for so long.
fn either(run: u64, at: u64, gpu: u64, (cores, cpu): (u64, u64)) -> Task {
    let mut task = Task::new(run, gpus(1, 1_000), at * SECOND, gpu * SECOND);
    task.others.push((cpus(cores), cpu * SECOND));
    task
}

#[test]
fn the_way_in_which_it_ends_first_is_taken_the_wait_for_it_included() {
    let nodes = [node(8, 1, SPEED), node(16, 0, SPEED)];
    let played = |policy, cpu| -> Vec<(u8, u64)> {
        let tasks = [either(0, 0, 100, (16, cpu)), either(1, 1, 100, (16, cpu))];
        let fates = play(policy, &nodes, &tasks, None);
        fates.iter().map(|fate| (fate.way, fate.ended_at / SECOND)).collect()
    };
    for policy in [Policy::Autoglm, Policy::Heft] {
        // The second would have the GPU after 100 seconds: it ends after 200 with it.
        assert_eq!(played(policy, 150), [(0, 100), (1, 151)]);
        assert_eq!(played(policy, 300), [(0, 100), (0, 200)]);
        assert_eq!(played(policy, 199), [(0, 100), (0, 200)], "as early: the one listed first");
        assert_eq!(played(policy, 50), [(1, 50), (1, 100)]);
    }
    for policy in [Policy::Fifo, Policy::FifoBackfill, Policy::RoundRobin, Policy::Sjf] {
        assert_eq!(played(policy, 300), [(0, 100), (1, 301)], "{policy:?}: what has room");
        assert_eq!(played(policy, 50), [(0, 100), (1, 51)], "{policy:?}: the first that has");
    }
}

#[test]
fn a_place_that_is_waited_for_is_taken_for_the_next() {
    let nodes = [node(8, 1, SPEED), node(16, 0, SPEED)];
    let mut tasks = vec![Task::new(9, gpus(1, 1_000), 0, 100 * SECOND)];
    tasks.extend((0..3).map(|run| either(run, 1, 100, (16, 250))));
    let fates = play(Policy::Autoglm, &nodes, &tasks, None);
    let mut ended: Vec<(u64, u8)> =
        fates[1..].iter().map(|fate| (fate.ended_at / SECOND, fate.way)).collect();
    ended.sort_unstable();
    // The first waits for the GPU; for the second it would be free after 200 seconds only.
    assert_eq!(ended, [(200, 0), (251, 1), (300, 0)]);
}

#[test]
fn small_problems_are_solved_nearly_as_well_as_can_be() {
    let (mut sum, mut count) = (0, 0);
    for seed in 1..80 {
        let random = &mut Random(seed * 15_485_863);
        // Each node is filled by one item, whichever way it is done.
        let nodes = [node(1, 1, SPEED), node(1, 0, SPEED), node(1, 0, 500)];
        let tasks: Vec<Task> = (0..5)
            .map(|number: usize| {
                let takes = (1 + random.below(9)) * SECOND;
                let mut task = Task::new(0, gpus(1, 1_000), 0, takes);
                task.others.push((cpus(1), (1 + random.below(20)) * SECOND));
                if number > 0 && random.below(3) == 0 {
                    let before = random.below(number as u64);
                    task.after.push(usize::try_from(before).expect("small"));
                }
                task
            })
            .collect();
        let least = least_makespan(&nodes, &tasks);
        let ours = makespan(&play(Policy::Autoglm, &nodes, &tasks, None));
        assert!(ours >= least, "nothing is better than the best: seed {seed}");
        assert!(ours * 10 <= least * 18, "seed {seed}: {ours} against {least}");
        sum += ours * 1_000 / least;
        count += 1;
    }
    assert!(sum / count <= 1_150, "{} thousandths of the best", sum / count);
}

/// A planner of some nodes, with a group whose items take a GPU or else 4 cores.
fn planner(nodes: &[(u64, u8)], count: u32) -> Planner {
    let mut planner = Planner::new(Policy::Autoglm);
    for &(cpu, devices) in nodes {
        planner.add_node(node(cpu, devices, SPEED));
    }
    let (class, other) = (planner.add_class(gpus(1, 1_000)), planner.add_class(cpus(4)));
    planner.set_alternatives(class, &[other]);
    planner.set_run(1, Run::default());
    let group = Group { class, count, expected: 10 * SECOND, ..Group::default() };
    planner.set_group(0, key(1), group);
    planner.set_durations(key(1), &[15 * SECOND]);
    planner
}

/// In which ways, and on which nodes, so many items begin.
fn ways(planner: &mut Planner) -> Vec<(u8, u32, u32)> {
    let placed = planner.plan(0, FUEL).placements;
    placed.into_iter().map(|it| (it.way, it.node.0, it.count)).collect()
}

#[test]
fn many_items_take_what_there_is_of_each() {
    let mut planner = planner(&[(9, 1), (4, 0)], 9);
    assert_eq!(ways(&mut planner), [(0, 0, 1), (1, 1, 1), (1, 0, 2)]);
    assert_eq!(planner.why(key(1)), Some(Refusal::NoRoom));
}

#[test]
fn it_never_fits_only_if_it_does_in_no_way() {
    let refused = |nodes: &[(u64, u8)]| {
        let mut planner = planner(nodes, 2);
        planner.plan(0, FUEL);
        planner.why(key(1))
    };
    assert_eq!(refused(&[(2, 0)]), Some(Refusal::NeverFits));
    assert_eq!(refused(&[(4, 0)]), Some(Refusal::NoRoom));
    assert_eq!(refused(&[(3, 1)]), Some(Refusal::NoRoom));
}

#[test]
fn what_a_queue_may_have_is_counted_as_it_is_taken() {
    let mut planner = Planner::new(Policy::Autoglm);
    let limit = Quota { amounts: vec![Some(5)], devices: Some(1_000) };
    let guarantee = Quota::default();
    let parent = QueueId::ROOT;
    let queue =
        Queue { parent, weight: 1, guarantee, limit, policy: Policy::Autoglm, max_wait: None };
    let queue = planner.add_queue(queue);
    planner.add_node(node(64, 8, SPEED));
    let (class, other) = (planner.add_class(gpus(1, 1_000)), planner.add_class(cpus(4)));
    planner.set_alternatives(class, &[other]);
    planner.set_run(1, Run { queue, ..Run::default() });
    let group = Group { class, count: 4, expected: SECOND, ..Group::default() };
    planner.set_group(0, key(1), group);
    planner.set_durations(key(1), &[9 * SECOND]);
    // One GPU with its core, and the four cores that are left.
    assert_eq!(ways(&mut planner), [(0, 0, 1), (1, 0, 1)]);
    assert_eq!(planner.why(key(1)), Some(Refusal::Queue(queue)));
}

#[test]
fn allowances_are_drawn_on_in_every_way() {
    let mut planner = planner(&[(16, 1)], 4);
    let class = planner.group(key(1)).expect("it waits").class;
    let draw =
        Draw { allowance: AllowanceId(0), cost: 1, excess: (0, 1), reserve: 0, most: u32::MAX };
    planner.set_allowances(vec![2], vec![(class, [draw].into())]);
    assert_eq!(ways(&mut planner), [(0, 0, 1), (1, 0, 1)]);
    assert_eq!(planner.why(key(1)), Some(Refusal::Allowance(AllowanceId(0))));
}

#[test]
fn who_waits_long_has_room_reserved_in_the_way_in_which_it_ends_first() {
    let mut planner = planner(&[(5, 1)], 1);
    planner.set_patience(100 * SECOND);
    let class = planner.group(key(1)).expect("it waits").class;
    let small = planner.class(cpus(1));
    // All cores are taken, one of them for longer than the others; the GPU is free.
    for (number, ends_at) in [(0, 900), (1, 500), (2, 90), (3, 90), (4, 90)] {
        let taken = Taken { amounts: vec![1, 1], ..Taken::default() };
        let ends_at = ends_at * SECOND;
        let lease = Lease { class: small, taken, ends_at, ..Lease::default() };
        planner.begin(GroupKey { run: 7, task: 0, item: number }, NodeId(0), lease);
    }
    let plan = planner.plan(60 * SECOND, FUEL);
    assert!(plan.placements.is_empty());
    assert_eq!(plan.look_at, Some(90 * SECOND), "a core and the GPU are free then");
    let group = *planner.group(key(1)).expect("it waits");
    assert_eq!(group.class, class);
}
