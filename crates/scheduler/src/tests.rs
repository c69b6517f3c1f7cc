//! The planner in worlds small enough to know what is right.

mod alternatives;
mod bounds;
mod gangs;
mod lane;
mod optimum;
mod queues;
mod sites;
mod told;
mod world;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::{
    ALL_ITEMS, Ask, Device, DeviceAsk, Group, GroupKey, Lease, NodeSpec, Placement, Places,
    Planner, Policy, Run, SPEED, SiteId, Taken,
};
use optimum::least_makespan;
use world::{Fate, Task, play};

const SECOND: u64 = 1_000_000;
/// More than any plan costs.
const FUEL: u64 = u64::MAX;

/// Numbers that look random and are the same everywhere (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

fn node(cpu: u64, devices: u8, speed: u32) -> NodeSpec {
    let devices = (0..devices).map(|_| Device { kind: 0, memory: 80 }).collect();
    let capacity = vec![cpu, 1_000];
    NodeSpec { capacity, devices, speed, accepts: true, ..NodeSpec::default() }
}

fn cpus(cpu: u64) -> Ask {
    Ask { amounts: vec![cpu, 1], ..Ask::default() }
}

fn gpus(count: u16, share: u16) -> Ask {
    let devices = DeviceAsk { count, share, memory: 0, kinds: 0, tenant: 0 };
    Ask { amounts: vec![1, 1], devices, ..Ask::default() }
}

fn makespan(fates: &[Fate]) -> u64 {
    fates.iter().map(|fate| fate.ended_at).max().unwrap_or(0)
}

/// Work of all sorts on nodes of all sorts.
fn drawn(random: &mut Random, count: usize) -> (Vec<NodeSpec>, Vec<Task>) {
    let nodes: Vec<NodeSpec> = (0..1 + random.below(5))
        .map(|_| {
            let devices = u8::try_from(random.below(9)).expect("small");
            let speed = [500, 1_000, 1_000, 2_000][random.below(4) as usize];
            let site = SiteId(u32::try_from(random.below(3)).expect("small"));
            let reserved = random.below(5) == 0;
            NodeSpec { site, reserved, ..node(4 + random.below(8), devices, speed) }
        })
        .chain([node(8, 8, SPEED)])
        .collect();
    let mut at = 0;
    let mut tasks: Vec<Task> = Vec::new();
    for number in 0..count {
        at += random.below(20 * SECOND);
        let takes = ((1 + random.below(60)) * SECOND) << random.below(4);
        let ask = match random.below(6) {
            0 | 1 => cpus(1 + random.below(8)),
            2 => gpus(1, 1_000),
            3 => gpus(1, 100 + u16::try_from(random.below(900)).expect("small")),
            4 => gpus(2, 1_000),
            _ => gpus(8, 1_000),
        };
        let mut task = Task::new(number as u64 / 3, ask, at, takes);
        task.expected = takes * (1 + random.below(8)) / 4;
        if task.ask.devices.count == 1 && random.below(8) == 0 {
            task.gang = 2 + u32::try_from(random.below(3)).expect("small");
        }
        if random.below(4) == 0 {
            // The last node holds whatever comes, and is of the first site.
            let open = [0, 1 + u32::try_from(random.below(2)).expect("small")];
            let open = open.into_iter().map(SiteId).collect();
            let places = Places { open, unmet: vec![0, 1], ..Places::default() };
            task.ask.places = Some(Box::new(places));
        }
        if number % 3 > 0 && random.below(2) == 0 {
            task.after.push(number - 1);
        }
        if task.gang == 1 && random.below(4) == 0 {
            let ask = if random.below(2) == 0 { cpus(4) } else { gpus(1, 500) };
            task.others.push((ask, takes / 2 + random.below(takes * 3)));
        }
        tasks.push(task);
    }
    (nodes, tasks)
}

#[test]
fn whatever_comes_is_given_room_once_and_ends() {
    for seed in 1..60 {
        let (nodes, tasks) = drawn(&mut Random(seed), 60);
        for (policy, _) in Policy::ALL {
            let fates = play(policy, &nodes, &tasks, None);
            assert!(fates.iter().all(|fate| fate.ended_at > fate.began_at));
        }
    }
}

#[test]
fn small_problems_are_solved_nearly_as_well_as_can_be() {
    let (mut sum, mut count) = (0, 0);
    for seed in 1..120 {
        let random = &mut Random(seed * 7_919);
        let nodes: Vec<NodeSpec> = (0..2 + random.below(2))
            .map(|at| node(1, 0, [1_000, 500, 2_000][at as usize]))
            .collect();
        let tasks: Vec<Task> = (0..6)
            .map(|number: usize| {
                let mut task = Task::new(0, cpus(1), 0, (1 + random.below(9)) * SECOND);
                if number > 0 && random.below(2) == 0 {
                    let before = random.below(number as u64);
                    task.after.push(usize::try_from(before).expect("small"));
                }
                task
            })
            .collect();
        let least = least_makespan(&nodes, &tasks);
        let ours = makespan(&play(Policy::Autoglm, &nodes, &tasks, None));
        assert!(ours >= least, "nothing is better than the best: seed {seed}");
        assert!(ours * 2 <= least * 3, "seed {seed}: {ours} against {least}");
        sum += ours * 1_000 / least;
        count += 1;
    }
    assert!(sum / count <= 1_060, "{} thousandths of the best", sum / count);
}

#[test]
fn who_needs_a_whole_node_is_not_starved_by_small_work() {
    let nodes = [node(8, 8, SPEED)];
    let mut tasks: Vec<Task> =
        (0..400).map(|at| Task::new(at, gpus(1, 1_000), at * 5 * SECOND, 42 * SECOND)).collect();
    tasks.push(Task::new(1_000, gpus(8, 1_000), 100 * SECOND, 10 * SECOND));
    let wait = |policy| {
        let fate = *play(policy, &nodes, &tasks, None).last().expect("it is there");
        (fate.began_at - fate.ready_at) / SECOND
    };
    assert!(wait(Policy::Sjf) > 1_000, "shortest first alone starves it");
    assert!(wait(Policy::FifoBackfill) < 60);
    let waited = wait(Policy::Autoglm);
    assert!(waited < 120, "soon after it has waited for a while: {waited} s");
}

#[test]
fn who_is_long_waits_no_longer_than_patience() {
    let nodes = [node(1, 0, SPEED)];
    let mut tasks: Vec<Task> =
        (0..600).map(|at| Task::new(at, cpus(1), at * 10 * SECOND, 10 * SECOND)).collect();
    tasks.push(Task::new(1_000, cpus(1), 15 * SECOND, 300 * SECOND));
    let wait = |policy, patience| {
        let fates = play(policy, &nodes, &tasks, Some(patience * SECOND));
        let fate = fates.last().expect("it is there");
        (fate.began_at - fate.ready_at) / SECOND
    };
    assert!(wait(Policy::Sjf, 900) > 5_000, "shortest first alone starves it");
    let waited = wait(Policy::Autoglm, 900);
    assert!((500..=900).contains(&waited), "as late as it may, and no later: {waited} s");
}

#[test]
fn backfill_delays_nobody_who_has_a_reservation() {
    let nodes = [node(2, 0, SPEED)];
    let tasks = [
        Task::new(0, cpus(1), 0, 100 * SECOND),
        Task::new(1, cpus(2), SECOND, 10 * SECOND),
        Task::new(2, cpus(1), 2 * SECOND, 98 * SECOND),
        Task::new(3, cpus(1), 2 * SECOND, 99 * SECOND),
    ];
    let began = |policy: Policy| -> Vec<u64> {
        let fates = play(policy, &nodes, &tasks, None);
        fates.iter().map(|fate| fate.began_at / SECOND).collect()
    };
    assert_eq!(began(Policy::Fifo), [0, 100, 110, 110]);
    assert_eq!(began(Policy::FifoBackfill), [0, 100, 2, 110]);
    assert_eq!(began(Policy::Sjf), [0, 100, 2, 110], "it finds room by chance");
}

#[test]
fn it_waits_for_a_fast_node_if_it_ends_earlier_there() {
    let nodes = [node(1, 0, 4_000), node(1, 0, 1_000)];
    let tasks =
        [Task::new(0, cpus(1), 0, 40 * SECOND), Task::new(1, cpus(1), SECOND, 100 * SECOND)];
    let ended = |policy| makespan(&play(policy, &nodes, &tasks, None)) / SECOND;
    assert_eq!(ended(Policy::Fifo), 101);
    assert_eq!(ended(Policy::Heft), 35);
    assert_eq!(ended(Policy::Autoglm), 35);
}

#[test]
fn what_fits_anywhere_leaves_alone_what_others_need() {
    // The first node in order is the only one with the kind that half of the work needs.
    let mut rare = node(8, 2, SPEED);
    rare.devices.iter_mut().for_each(|device| device.kind = 1);
    let nodes = [rare, node(8, 2, SPEED), node(8, 2, SPEED)];
    let mut picky = gpus(1, 1_000);
    picky.devices.kinds = 2;
    let tasks: Vec<Task> = (0..30)
        .map(|at: u64| {
            let ask = if at % 3 == 2 { picky.clone() } else { gpus(1, 1_000) };
            Task::new(at, ask, at * 10 * SECOND, 40 * SECOND)
        })
        .collect();
    let waited = |policy| {
        let fates = play(policy, &nodes, &tasks, None);
        // Before it has seen what people ask for it cannot know.
        let waits = fates.iter().skip(9).map(|fate| fate.began_at - fate.ready_at);
        waits.filter(|&wait| wait > 0).count()
    };
    assert_eq!(waited(Policy::Autoglm), 0);
    assert!(waited(Policy::FifoBackfill) > 3);
}

/// Tells a planner of work that waits, in groups of several items of some classes.
fn tell_groups(planner: &mut Planner, random: &mut Random) {
    let asks = [gpus(1, 1_000), gpus(1, 300), gpus(2, 1_000), cpus(3)];
    let classes = asks.map(|ask| planner.class(ask));
    for run in 0..12 {
        let class = classes[random.below(4) as usize];
        let count = 1 + u32::try_from(random.below(9)).expect("small");
        let expected = (1 + random.below(9)) * SECOND;
        planner.set_run(run, Run { work: expected, path: expected, ..Run::default() });
        let key = GroupKey { run, task: 0, item: ALL_ITEMS };
        planner.set_group(0, key, Group { class, count, expected, ..Group::default() });
    }
}

#[test]
fn many_at_a_time_go_where_they_would_one_by_one() {
    for seed in 1..40 {
        let random = &mut Random(seed * 104_729);
        let mut planner = Planner::new(Policy::Autoglm);
        for _ in 0..4 {
            planner.add_node(node(4 + random.below(8), [2, 4, 8][random.below(3) as usize], SPEED));
        }
        tell_groups(&mut planner, random);
        let together = one_by_one(planner.clone().plan(0, FUEL).placements);
        let mut left: BTreeMap<GroupKey, Group> = BTreeMap::new();
        for (number, expected) in (0..).zip(together) {
            let next = one_by_one(planner.plan(0, FUEL).placements).swap_remove(0);
            assert_eq!(next, expected, "seed {seed}, item {number}");
            let key = next.group;
            let waiting = planner.backlog.get(key).expect("it waits").group;
            let group = left.entry(key).or_insert(waiting);
            group.count -= 1;
            planner.set_group(0, key, *group);
            let lease = Lease {
                class: group.class,
                taken: next.taken,
                began_at: 0,
                ends_at: group.expected,
                ..Lease::default()
            };
            planner.begin(GroupKey { run: number, ..key }, next.node, lease);
        }
        assert!(planner.plan(0, FUEL).placements.is_empty(), "seed {seed}");
    }
}

fn one_by_one(placements: Vec<Placement>) -> Vec<Placement> {
    let one = |it: Placement| vec![Placement { count: 1, ..it.clone() }; it.count as usize];
    placements.into_iter().flat_map(one).collect()
}

#[test]
fn what_is_planned_and_does_not_begin_takes_no_room() {
    let mut planner = Planner::new(Policy::Autoglm);
    planner.add_node(node(8, 1, SPEED));
    let (first, second) = (planner.class(gpus(1, 1_000)), planner.class(gpus(1, 999)));
    let keys = [0, 1].map(|run| GroupKey { run, task: 0, item: ALL_ITEMS });
    for (key, class) in keys.into_iter().zip([first, second]) {
        let group = Group { class, count: 1, expected: SECOND, ..Group::default() };
        planner.set_run(key.run, Run { work: 1 + key.run * SECOND, ..Run::default() });
        planner.set_group(0, key, group);
    }
    let planned = |planner: &mut Planner| -> Vec<GroupKey> {
        planner.plan(0, FUEL).placements.into_iter().map(|it| it.group).collect()
    };
    assert_eq!(planned(&mut planner), [keys[0]]);
    planner.set_group(0, keys[0], Group::default());
    assert_eq!(planned(&mut planner), [keys[1]]);
}

#[test]
fn nothing_overflows() {
    let mut planner = Planner::new(Policy::Autoglm);
    planner.add_node(node(8, 8, 1));
    for run in 0..3 {
        let class = planner.class(gpus(8, 1_000));
        let (count, expected) = (u32::MAX, u64::MAX);
        let group = Group { class, count, rank: u64::MAX, expected, ..Group::default() };
        let key = GroupKey { run, ..GroupKey::default() };
        planner.set_run(run, Run { work: u64::MAX, path: u64::MAX, ..Run::default() });
        planner.set_group(0, key, group);
    }
    assert_eq!(planner.waiting_work(), u64::MAX);
    let placed = planner.plan(u64::MAX / 2, FUEL).placements;
    assert_eq!(placed.len(), 1);
    (0..3).for_each(|run| planner.forget_run(0, run));
    assert_eq!(planner.waiting_work(), 0);
}

#[test]
fn a_gang_waits_for_all_its_places_and_gets_them() {
    let nodes = [node(8, 2, SPEED), node(8, 2, SPEED)];
    let mut tasks: Vec<Task> =
        (0..100).map(|at| Task::new(at, gpus(1, 1_000), at * 10 * SECOND, 35 * SECOND)).collect();
    let mut gang = Task::new(1_000, gpus(2, 1_000), 50 * SECOND, 10 * SECOND);
    gang.gang = 2;
    tasks.push(gang);
    let fates = play(Policy::Autoglm, &nodes, &tasks, None);
    let gang = fates.last().expect("it is there");
    assert!(gang.began_at - gang.ready_at < 60 * SECOND);
}
