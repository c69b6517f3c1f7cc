//! From a seed to a plan: which machines, which work, which faults and how strong.
//!
//! Swarm testing (Groce and others, 2012): each seed leaves most kinds of faults out and makes the
//! others strong, since faults that are always there hide what the rare ones would show. One seed
//! in eight has none at all.

use model::Span;
use model::policy::FailurePolicy;

use crate::plan::features::{Feature, Features};
use crate::plan::{
    Boundary, DiskPlan, Fault, FaultKind, NetPlan, NodePlan, Plan, RunPlan, Shape, Tail,
};
use crate::random::Random;
use crate::workload::sites;

/// Items of all runs of a plan for one simulated hour, about.
const ITEMS_PER_HOUR: u64 = 6_000;
const SECOND: u64 = 1_000_000;

/// The plan of a seed, with work for this long.
#[must_use]
pub fn draw(seed: u64, length: Span) -> Plan {
    let mut hosts = Random::stream(seed, "hosts");
    let mut nodes = draw_nodes(&mut hosts);
    draw_devices(&mut Random::stream(seed, "devices"), &mut nodes);
    draw_sites(&mut Random::stream(seed, "sites"), &mut nodes);
    let crowd = &mut Random::stream(seed, "crowd");
    let runs = if crowd.per_mille(40) {
        draw_crowd(crowd, &mut nodes, length)
    } else {
        draw_runs(&mut Random::stream(seed, "workload"), &nodes, length)
    };
    let calm = hosts.per_mille(125);
    let is_local = nodes[0].local;
    let (mut net, mut disk, mut faults) = (NetPlan::default(), DiskPlan::default(), Vec::new());
    net.delay_max = Span(hosts.spread(100, 50_000));
    disk.latency_max = Span(hosts.spread(50, 20_000));
    if !calm {
        let net_stream = &mut Random::stream(seed, "net plan");
        if !is_local {
            draw_net(net_stream, &mut net);
        }
        disk.unknown = if net_stream.per_mille(300) { net_stream.small(1, 30) } else { 0 };
        faults = draw_faults(&mut Random::stream(seed, "faults"), &nodes, length);
    }
    Plan { seed, length, nodes, runs, net, disk, faults }
}

fn draw_nodes(random: &mut Random) -> Vec<NodePlan> {
    if random.per_mille(150) {
        let cpu_milli = 1_000 * random.between(1, 16);
        return vec![NodePlan { cpu_milli, slots: 2, gpus: 0, site: 0, local: true }];
    }
    let count = random.spread(1, 50);
    let even = random.per_mille(500);
    let first = 1_000 * random.between(1, 16);
    let node = |random: &mut Random| NodePlan {
        cpu_milli: if even { first } else { 1_000 * random.between(1, 16) },
        slots: random.below(4),
        gpus: 0,
        site: 0,
        local: false,
    };
    let mut nodes: Vec<NodePlan> = (0..count).map(|_| node(random)).collect();
    // Whatever a run asks for must fit somewhere, or it could not be told from a run that is stuck.
    let cpu_milli = nodes[0].cpu_milli.max(2_000);
    nodes[0] = NodePlan { cpu_milli, slots: 2, gpus: 0, site: 0, local: false };
    nodes
}

/// The first machine has one of each kind, so that it can hold whatever a run asks for.
fn draw_devices(random: &mut Random, nodes: &mut [NodePlan]) {
    for (index, node) in nodes.iter_mut().enumerate() {
        node.gpus = random.below(5).max(if index == 0 { 2 } else { 0 });
    }
}

/// The first machine is where all may go.
fn draw_sites(random: &mut Random, nodes: &mut [NodePlan]) {
    for (index, node) in nodes.iter_mut().enumerate() {
        node.site = if index == 0 { sites::FIRST } else { sites::draw(random) };
    }
}

fn draw_net(random: &mut Random, net: &mut NetPlan) {
    let mut share = |most: u32| {
        if random.per_mille(400) { random.small(1, most) } else { 0 }
    };
    (net.loss, net.duplicate, net.reorder) = (share(200), share(200), share(200));
}

fn draw_faults(random: &mut Random, nodes: &[NodePlan], length: Span) -> Vec<Fault> {
    let is_local = nodes[0].local;
    let mut faults = Vec::new();
    // For each kind: is it there, and how often in an hour.
    for kind in 0..10 {
        let allowed = !is_local || matches!(kind, 2 | 5 | 7 | 8);
        if !random.per_mille(400) || !allowed {
            continue;
        }
        let per_hour = random.spread(1, 60);
        let count = (per_hour * length.0 / (3_600 * SECOND)).max(1);
        for _ in 0..count {
            let node = u32::try_from(random.below(nodes.len() as u64)).expect("at most 50 nodes");
            faults.push(Fault {
                at: Span(random.below(length.0)),
                length: Span(random.spread(SECOND / 10, 200 * SECOND)),
                kind: draw_fault(random, kind, node),
            });
        }
    }
    faults.sort_by_key(|fault| fault.at);
    faults
}

fn draw_fault(random: &mut Random, kind: u32, node: u32) -> FaultKind {
    const BOUNDARIES: [Boundary; 4] =
        [Boundary::Decided, Boundary::Appended, Boundary::Acknowledged, Boundary::Effects];
    match kind {
        0 => FaultKind::NodeCrash { node },
        1 => FaultKind::NodePause { node },
        2 => FaultKind::NodeSlow { node },
        3 => FaultKind::CutTo { node },
        4 => FaultKind::CutFrom { node },
        5 => FaultKind::CoordinatorCrash {
            boundary: *random.pick(&BOUNDARIES),
            tail: *random.pick(&[Tail::Kept, Tail::Lost, Tail::Torn]),
        },
        6 => FaultKind::Takeover,
        7 => FaultKind::SyncError,
        // The first machine can hold all work, so it always comes back.
        9 if node > 0 => FaultKind::NodeGone { node },
        _ => FaultKind::DiskFull,
    }
}

fn draw_runs(random: &mut Random, nodes: &[NodePlan], length: Span) -> Vec<RunPlan> {
    let cores: u64 = nodes.iter().map(|node| node.cpu_milli / 1_000).sum();
    // Work for between a third and all of the cores' time, and no more items than the plan's share.
    let load = random.between(300, 1_000);
    let mut work_left = length.0 / 1_000 * load * cores;
    let mut items_left = ITEMS_PER_HOUR * length.0 / (3_600 * SECOND) + 200;
    let mut runs = Vec::new();
    while work_left > 0 && items_left > 0 && runs.len() < 400 {
        let run = draw_run(random, length, items_left.min(10_000));
        let work = u64::from(run.size) * (run.wall_min.0 + run.wall_max.0) / 2;
        work_left = work_left.saturating_sub(work);
        items_left = items_left.saturating_sub(u64::from(run.size));
        runs.push(run);
    }
    runs.sort_by_key(|run| run.at);
    // What is kept for critical work may leave no room for a gang, which then waits for ever.
    let other = if random.per_mille(500) { Feature::Gangs } else { Feature::Critical };
    runs.iter_mut().for_each(|run| run.features = run.features.without(other));
    runs
}

/// A few machines on which small runs keep coming, as many as there is room for or a little more,
/// and a larger one that comes among them.
fn draw_crowd(random: &mut Random, nodes: &mut Vec<NodePlan>, length: Span) -> Vec<RunPlan> {
    nodes.truncate(usize::try_from(random.between(1, 4)).expect("few"));
    for node in nodes.iter_mut() {
        (node.cpu_milli, node.slots) = (1_000 * random.between(2, 4), 4);
    }
    let cores: u64 = nodes.iter().map(|node| node.cpu_milli / 1_000).sum();
    let load = random.between(950, 1_080);
    let mut work_left = length.0 / 1_000 * load * cores;
    let plain = RunPlan {
        shape: Shape::FanOut,
        trouble: 0,
        retries: 3,
        losses: 200,
        concurrency: None,
        handlers: false,
        flow: 0,
        features: Features::default(),
        submissions: 1,
        timeout: None,
        stop: None,
        terminate: None,
        retry: None,
        fork: None,
        priority: 50,
        ..draw_run(random, length, 10)
    };
    let run = |random: &mut Random, at: u64, size: (u32, u32), wall: (u64, u64)| RunPlan {
        seed: random.next(),
        at: Span(at),
        size: random.small(size.0, size.1),
        wall_min: Span(wall.0 * SECOND),
        wall_max: Span(wall.1 * SECOND),
        ..plain
    };
    let mut runs = vec![run(random, length.0 / 20, (15, 25), (30, 40))];
    while work_left > 0 {
        let at = random.below(length.0);
        let next = run(random, at, (2, 8), (10, 30));
        // An item asks for two thirds of a core, in the middle.
        let work = u64::from(next.size + 2) * 20 * SECOND * 2 / 3;
        work_left = work_left.saturating_sub(work);
        runs.push(next);
    }
    runs.sort_by_key(|run| run.at);
    runs
}

fn draw_run(random: &mut Random, length: Span, size_max: u64) -> RunPlan {
    let shape =
        *random.pick(&[Shape::Chain, Shape::FanOut, Shape::Diamond, Shape::Layers, Shape::Random]);
    let size_max = if shape == Shape::FanOut { size_max } else { size_max.min(300) };
    let wall_max = random.spread(1_000, length.0 / 8);
    let size = random.spread(1, size_max.min(length.0 * 4 / wall_max).max(1));
    let longest = 10 * length.0;
    let mut option = |share: u32, low: u64, high: u64| {
        random.per_mille(share).then(|| Span(random.spread(low, high)))
    };
    let (timeout, stop) = (option(80, SECOND, longest), option(80, 1_000, length.0));
    let (terminate, retry) = (option(80, 1_000, length.0), option(200, 1_000, length.0 / 4));
    let fail_fast = random.per_mille(500);
    let plain = RunPlan {
        seed: random.next(),
        at: Span(random.below(length.0)),
        shape,
        size: u32::try_from(size).expect("at most 10,000 items"),
        wall_min: Span(random.spread(1_000, wall_max)),
        wall_max: Span(wall_max),
        trouble: if random.per_mille(400) { random.small(1, 200) } else { 0 },
        retries: u8::try_from(random.below(5)).expect("below 5"),
        losses: if random.per_mille(200) { 1 } else { 200 },
        failure: if fail_fast { FailurePolicy::FailFast } else { FailurePolicy::Continue },
        priority: u8::try_from(random.below(101)).expect("below 101"),
        timeout,
        concurrency: random.per_mille(150).then(|| random.small(1, 20)),
        handlers: random.per_mille(200),
        flow: 0,
        features: Features::default(),
        submissions: if random.per_mille(300) { random.small(2, 4) } else { 1 },
        stop,
        terminate,
        retry,
        fork: None,
    };
    let (flow, features) = draw_features(&mut Random::stream(plain.seed, "features"));
    let forked = &mut Random::stream(plain.seed, "forked");
    let fork = forked.per_mille(100).then(|| Span(forked.spread(1_000, length.0 / 4)));
    RunPlan { flow, features, fork, ..plain }
}

/// A third of the runs is as plain as can be; the others use some of the language, or much of it.
fn draw_features(random: &mut Random) -> (u32, Features) {
    if random.per_mille(330) {
        return (0, Features::default());
    }
    let share = *random.pick(&[200, 500, 900]);
    let used = Feature::ALL.iter().filter(|_| random.per_mille(share));
    let features = used.fold(Features::default(), |set, (_, feature)| set.with(*feature));
    if features == Features::default() { (0, features) } else { (random.small(30, 400), features) }
}
