//! What a plan costs: a million ready items of 500 classes on nodes that fill up, and then the plan
//! after ten of them have ended; and what it costs to ask of the last in line why it waits, behind
//! whom, and until when.

use std::time::Instant;

use scheduler::{
    ALL_ITEMS, Ask, ClassId, Device, DeviceAsk, Group, GroupKey, Lease, NodeSpec, Planner, Policy,
    Run,
};

use crate::amounts;

/// What was measured.
pub(crate) struct Cost {
    pub(crate) first_ms: f64,
    pub(crate) next_ms: f64,
    pub(crate) told_ms: f64,
    pub(crate) placements_per_second: f64,
}

/// Items of each group.
const ITEMS: u32 = 100;
const GROUPS: u64 = 10_000;
const CLASSES: u64 = 500;
/// Groups that are looked at to say what goes before one.
const LOOKS: usize = 10_000;
/// More than any plan costs.
const FUEL: u64 = u64::MAX;
const GIB: u64 = 1 << 30;

/// The median of some measurements, since one second of a machine is not like the next.
pub(crate) fn cost(nodes: u64) -> Cost {
    let mut costs: Vec<Cost> = (0..5).map(|_| once(nodes)).collect();
    costs.sort_by(|a, b| a.first_ms.total_cmp(&b.first_ms));
    costs.swap_remove(2)
}

fn once(nodes: u64) -> Cost {
    let mut random = 88_172_645_463_325_252_u64;
    let mut below = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) % bound
    };
    let mut planner = Planner::new(Policy::Autoglm);
    (0..nodes).for_each(|at| {
        planner.add_node(node(at % 20));
    });
    let classes: Vec<ClassId> = (0..CLASSES).map(|at| planner.class(ask(at))).collect();
    for run in 0..GROUPS {
        let (work, path) = (1 + below(100_000_000), 1 + below(100_000_000));
        planner.set_run(run, Run { arrived_at: run, work, path, ..Run::default() });
        let group = Group {
            class: classes[below(CLASSES) as usize],
            count: ITEMS,
            rank: path,
            ready_at: run,
            expected: 1_000_000 + below(600_000_000),
            ..Group::default()
        };
        planner.set_group(run, GroupKey { run, task: 0, item: ALL_ITEMS }, group);
    }
    let begin = Instant::now();
    let plan = planner.plan(GROUPS, FUEL);
    let first = begin.elapsed().as_secs_f64();
    let count: u32 = plan.placements.iter().map(|it| it.count).sum();
    let mut leases = (0..).map(|run| GroupKey { run, task: 0, item: 0 });
    for placement in plan.placements {
        for item in leases.by_ref().take(placement.count as usize) {
            let lease = Lease {
                class: ClassId(0),
                taken: placement.taken.clone(),
                began_at: GROUPS,
                ends_at: GROUPS + 1_000_000 + below(600_000_000),
                saved_at: GROUPS,
                ..Lease::default()
            };
            planner.begin(item, placement.node, lease);
        }
    }
    let nothing = planner.plan(GROUPS + 1, FUEL).placements.len();
    (0..10).for_each(|id| {
        planner.end(GROUPS + 2, GroupKey { run: id * 17, task: 0, item: 0 });
    });
    let begin = Instant::now();
    let next = planner.plan(GROUPS + 2, FUEL).placements.len();
    let next_ms = begin.elapsed().as_secs_f64() * 1e3;
    assert!(nothing == 0 && next > 0, "full until something ends");
    let told_ms = told(&planner);
    let placements_per_second = f64::from(count) / first;
    Cost { first_ms: first * 1e3, next_ms, told_ms, placements_per_second }
}

/// How long it takes to ask all that `explain` does, of a group far behind.
fn told(planner: &Planner) -> f64 {
    let groups = (0..GROUPS).step_by(100).map(|run| GroupKey { run, task: 0, item: ALL_ITEMS });
    let waiting = groups.filter(|&group| planner.group(group).is_some());
    let last = waiting.max_by_key(|&group| planner.ahead(group, LOOKS).groups);
    let last = last.expect("most waits");
    let class = planner.group(last).expect("it waits").class;
    let begin = Instant::now();
    let why = planner.why(last);
    let ahead = planner.ahead(last, LOOKS);
    let short = planner.shortages(class, false, 8);
    let outlook = planner.outlook(GROUPS + 2, last, LOOKS);
    let took = begin.elapsed().as_secs_f64() * 1e3;
    assert!(why.is_some() && ahead.groups > 0 && outlook.is_some(), "{short:?}");
    took
}

fn node(at: u64) -> NodeSpec {
    let devices = [8, 4, 2, 0][at as usize % 4];
    let kind = u8::try_from(at % 3).expect("small");
    NodeSpec {
        capacity: amounts(32_000 + 16_000 * (at % 4), (128 + 64 * (at % 5)) * GIB),
        devices: vec![Device { kind, memory: 0 }; devices],
        speed: 1_000,
        accepts: true,
        ..NodeSpec::default()
    }
}

fn ask(at: u64) -> Ask {
    let devices = DeviceAsk {
        count: 1,
        share: [1_000, 500, 250, 100][at as usize % 4],
        ..DeviceAsk::default()
    };
    let devices = if at.is_multiple_of(3) { devices } else { DeviceAsk::default() };
    Ask { amounts: amounts(500 + 250 * (at % 20), (1 + at / 20) * GIB), devices, ..Ask::default() }
}
