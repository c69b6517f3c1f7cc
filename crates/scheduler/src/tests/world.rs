//! A world in which plans are carried out: work comes, runs for as long as it takes, and ends. It
//! checks at every step what must hold whatever is planned.

use alloc::collections::{BTreeMap, BTreeSet, BinaryHeap};
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::super::ask::Form;
use super::super::{
    ALL_ITEMS, Ask, ClassId, Group, GroupKey, Kept, Lease, NodeId, NodeSpec, Planner, Policy, Run,
    WHOLE,
};

/// More than any plan costs.
const FUEL: u64 = u64::MAX;

/// A task of a run of its own, or of a run with others.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) run: u64,
    pub(super) ask: Ask,
    pub(super) comes_at: u64,
    pub(super) takes: u64,
    pub(super) expected: u64,
    /// How many begin together; 1 for most.
    pub(super) gang: u32,
    /// Tasks that have to end before.
    pub(super) after: Vec<usize>,
    /// With what else it can be done, and how long it takes then.
    pub(super) others: Vec<(Ask, u64)>,
    /// Whether it goes before all that is not.
    pub(super) critical: bool,
}

impl Task {
    pub(super) fn new(run: u64, ask: Ask, comes_at: u64, takes: u64) -> Self {
        let (after, others) = (Vec::new(), Vec::new());
        let (gang, critical) = (1, false);
        Self { run, ask, comes_at, takes, expected: takes, gang, after, others, critical }
    }

    /// What it asks for and how long it takes in one of the ways to do it, and how long it is
    /// expected to take.
    fn way(&self, way: u8) -> (&Ask, u64, u64) {
        let other = usize::from(way).checked_sub(1).map(|at| &self.others[at]);
        other.map_or((&self.ask, self.takes, self.expected), |(ask, takes)| (ask, *takes, *takes))
    }
}

/// What became of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) ready_at: u64,
    pub(super) began_at: u64,
    pub(super) ended_at: u64,
    pub(super) node: NodeId,
    pub(super) way: u8,
}

/// Carries out what a policy plans until all has ended; gives back what became of each task.
pub(super) fn play(
    policy: Policy,
    nodes: &[NodeSpec],
    tasks: &[Task],
    patience: Option<u64>,
) -> Vec<Fate> {
    World::new(policy, nodes, tasks, patience).play()
}

/// The same where room is kept for what is critical.
pub(super) fn play_with_lane(
    policy: Policy,
    nodes: &[NodeSpec],
    tasks: &[Task],
    kept: &Kept,
) -> Vec<Fate> {
    let mut world = World::new(policy, nodes, tasks, None);
    let all: Vec<NodeId> = (0..).map(NodeId).take(nodes.len()).collect();
    world.planner.keep(kept, &all);
    world.play()
}

struct World<'a> {
    planner: Planner,
    nodes: &'a [NodeSpec],
    tasks: &'a [Task],
    free: Vec<(Form, Vec<u64>)>,
    fates: Vec<Fate>,
    ranks: Vec<u64>,
    /// (time, whether something ends, task, lease).
    events: BinaryHeap<Reverse<(u64, bool, usize, u64)>>,
    leases: BTreeMap<u64, (usize, NodeId, super::super::Taken)>,
    waits_for: Vec<BTreeSet<usize>>,
    running: Vec<u32>,
}

impl<'a> World<'a> {
    fn new(policy: Policy, nodes: &'a [NodeSpec], tasks: &'a [Task], fixed: Option<u64>) -> Self {
        let mut planner = Planner::new(policy);
        fixed.into_iter().for_each(|patience| planner.set_patience(patience));
        for node in nodes {
            planner.add_node(node.clone());
        }
        let free = nodes.iter().map(|node| {
            let form = Form { amounts: node.capacity.len(), devices: node.devices.clone() };
            let row = form.empty(&node.capacity);
            (form, row)
        });
        let mut ranks = vec![0; tasks.len()];
        for at in (0..tasks.len()).rev() {
            ranks[at] += tasks[at].expected;
            for &before in &tasks[at].after {
                ranks[before] = ranks[before].max(ranks[at]);
            }
        }
        let events =
            tasks.iter().enumerate().map(|(at, task)| Reverse((task.comes_at, false, at, 0)));
        Self {
            planner,
            nodes,
            tasks,
            free: free.collect(),
            fates: vec![Fate::default(); tasks.len()],
            ranks,
            events: events.collect(),
            leases: BTreeMap::new(),
            waits_for: tasks.iter().map(|task| task.after.iter().copied().collect()).collect(),
            running: vec![0; tasks.len()],
        }
    }

    fn play(mut self) -> Vec<Fate> {
        let mut came = vec![false; self.tasks.len()];
        while let Some(&Reverse((now, ..))) = self.events.peek() {
            while let Some(&Reverse((at, is_end, task, lease))) = self.events.peek()
                && at == now
            {
                self.events.pop();
                if is_end {
                    self.end(task, lease, now, &came);
                } else {
                    came[task] = true;
                    if self.waits_for[task].is_empty() {
                        self.ready(task, now);
                    }
                }
            }
            self.plan(now);
        }
        assert!(self.planner.is_idle(), "all that fits anywhere begins some time");
        self.fates
    }

    fn ready(&mut self, at: usize, now: u64) {
        let task = &self.tasks[at];
        self.fates[at].ready_at = now;
        self.tell_run(task.run);
        let class = self.class(at);
        let group = Group {
            class,
            count: task.gang,
            rank: self.ranks[at],
            ready_at: now,
            expected: task.expected,
            gang: task.gang > 1,
            ..Group::default()
        };
        let times: Vec<u64> = task.others.iter().map(|&(_, takes)| takes).collect();
        self.planner.set_group(now, key(task.run, at), group);
        self.planner.set_durations(key(task.run, at), &times);
    }

    /// The class of a task: one of its own if there are several ways to do it.
    fn class(&mut self, at: usize) -> ClassId {
        let task = &self.tasks[at];
        if task.others.is_empty() && !task.critical {
            return self.planner.class(task.ask.clone());
        }
        let others: Vec<ClassId> =
            task.others.iter().map(|(ask, _)| self.planner.add_class(ask.clone())).collect();
        let class = self.planner.add_class(task.ask.clone());
        for &class in others.iter().chain([&class]).filter(|_| task.critical) {
            self.planner.set_critical(class);
        }
        self.planner.set_alternatives(class, &others);
        class
    }

    fn tell_run(&mut self, run: u64) {
        let of_run = self.tasks.iter().enumerate().filter(|(_, task)| task.run == run);
        let open = of_run.filter(|&(at, _)| self.fates[at].ended_at == 0);
        let (mut work, mut path, mut arrived_at) = (0, 0, u64::MAX);
        for (at, task) in open {
            let class = self.planner.class(task.ask.clone());
            work += self.planner.work(class, task.expected) * u64::from(task.gang);
            path = path.max(self.ranks[at]);
            arrived_at = arrived_at.min(task.comes_at);
        }
        self.planner.set_run(run, Run { arrived_at, work, path, ..Run::default() });
    }

    fn plan(&mut self, now: u64) {
        let mut forgetful = self.planner.clone();
        forgetful.forget_what_is_full();
        forgetful.fleet.futures.fill(None);
        let (again, afresh) = (self.planner.clone().plan(now, FUEL), forgetful.plan(now, FUEL));
        let plan = self.planner.plan(now, FUEL);
        assert_eq!(plan, again, "the same problem has the same plan");
        assert_eq!(plan, afresh, "what is remembered changes no plan");
        let mut begun: BTreeMap<usize, u32> = BTreeMap::new();
        for (number, placement) in plan.placements.into_iter().enumerate() {
            let at = placement.group.task as usize;
            let task = &self.tasks[at];
            assert_eq!(
                placement.count, 1,
                "only gangs have more items here, and none begins alone"
            );
            *begun.entry(at).or_default() += 1;
            let node = &self.nodes[placement.node.0 as usize];
            let (form, row) = &mut self.free[placement.node.0 as usize];
            let (ask, takes, expected) = task.way(placement.way);
            assert!(node.accepts && form.fits(row, ask), "what begins has room");
            let may = match &ask.places {
                None => !node.reserved,
                Some(places) => places.open.contains(node.site),
            };
            assert!(may, "and goes only where it may");
            let taken = placement.taken;
            assert_eq!(taken.devices.len(), u32::from(ask.devices.count));
            for device in taken.devices.iter() {
                let free = row[form.amounts + usize::from(device)];
                assert!(free >= u64::from(taken.share), "no device is given twice");
                let kind = ask.devices.kinds;
                assert!(kind == 0 || kind >> node.devices[usize::from(device)].kind & 1 == 1);
            }
            form.change(row, &taken, false);
            let slower = |time: u64| (time * 1_000 / u64::from(node.speed)).max(1);
            let id = now << 20 | number as u64;
            let class = self.planner.group(placement.group).expect("it waits").class;
            let class = self.planner.ways_of(class).nth(placement.way.into()).expect("a way");
            let (taken_too, ends_at) = (taken.clone(), now + slower(expected));
            let lease =
                Lease { class, taken: taken_too, began_at: now, ends_at, ..Lease::default() };
            self.planner.begin(item(id), placement.node, lease);
            self.events.push(Reverse((now + slower(takes), true, at, id)));
            self.leases.insert(id, (at, placement.node, taken));
            self.running[at] += 1;
            assert!(task.critical || self.is_kept(placement.node), "what is kept stays free");
            let (node, way) = (placement.node, placement.way);
            self.fates[at] = Fate { began_at: now, node, way, ..self.fates[at] };
        }
        for (at, count) in begun {
            assert_eq!(count, self.tasks[at].gang, "a gang begins as a whole, and everything once");
            self.planner.set_group(now, key(self.tasks[at].run, at), Group::default());
        }
    }

    /// Whether what is kept on a node for critical work, and not used by any, is free.
    fn is_kept(&self, node: NodeId) -> bool {
        let (form, row) = &self.free[node.0 as usize];
        let Some(kept) = self.planner.lane().find(|it| it.node == node) else { return true };
        let whole = &row[form.amounts..form.amounts + form.devices.len()];
        let whole = whole.iter().filter(|&&share| share == u64::from(WHOLE)).count() as u64;
        let left = |(kept, used): (u64, u64)| kept - used;
        kept.amounts.iter().zip(row).all(|(&kept, &free)| free >= left(kept))
            && whole >= left(kept.devices) / u64::from(WHOLE)
    }

    fn end(&mut self, at: usize, lease: u64, now: u64, came: &[bool]) {
        let (_, node, taken) = self.leases.remove(&lease).expect("it runs");
        let (form, row) = &mut self.free[node.0 as usize];
        form.change(row, &taken, true);
        assert!((0..form.devices.len()).all(|it| row[form.amounts + it] <= u64::from(WHOLE)));
        self.planner.end(now, item(lease));
        self.running[at] -= 1;
        if self.running[at] > 0 {
            return;
        }
        self.fates[at].ended_at = now;
        self.tell_run(self.tasks[at].run);
        for (next, &came) in came.iter().enumerate() {
            if self.waits_for[next].remove(&at) && self.waits_for[next].is_empty() && came {
                self.ready(next, now);
            }
        }
    }
}

fn key(run: u64, task: usize) -> GroupKey {
    GroupKey { run, task: u32::try_from(task).expect("few tasks"), item: ALL_ITEMS }
}

/// The name of a lease.
fn item(lease: u64) -> GroupKey {
    GroupKey { run: lease, task: 0, item: 0 }
}
