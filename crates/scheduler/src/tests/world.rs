//! A world in which plans are carried out: work comes, runs for as long as it takes, and ends. It
//! checks at every step what must hold whatever is planned.

use alloc::collections::{BTreeMap, BTreeSet, BinaryHeap};
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::super::ask::Form;
use super::super::{
    ALL_ITEMS, Ask, Group, GroupKey, Lease, NodeId, NodeSpec, Planner, Policy, Run, WHOLE,
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
}

impl Task {
    pub(super) fn new(run: u64, ask: Ask, comes_at: u64, takes: u64) -> Self {
        Self { run, ask, comes_at, takes, expected: takes, gang: 1, after: Vec::new() }
    }
}

/// What became of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) ready_at: u64,
    pub(super) began_at: u64,
    pub(super) ended_at: u64,
    pub(super) node: NodeId,
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
        let class = self.planner.class(task.ask.clone());
        let group = Group {
            class,
            count: task.gang,
            rank: self.ranks[at],
            ready_at: now,
            expected: task.expected,
            gang: task.gang > 1,
            ..Group::default()
        };
        self.planner.set_group(now, key(task.run, at), group);
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
            assert!(node.accepts && form.fits(row, &task.ask), "what begins has room");
            let may = match &task.ask.places {
                None => !node.reserved,
                Some(places) => places.open.contains(node.site),
            };
            assert!(may, "and goes only where it may");
            let taken = placement.taken;
            assert_eq!(taken.devices.len(), u32::from(task.ask.devices.count));
            for device in taken.devices.iter() {
                let free = row[form.amounts + usize::from(device)];
                assert!(free >= u64::from(taken.share), "no device is given twice");
                let kind = task.ask.devices.kinds;
                assert!(kind == 0 || kind >> node.devices[usize::from(device)].kind & 1 == 1);
            }
            form.change(row, &taken, false);
            let slower = |time: u64| (time * 1_000 / u64::from(node.speed)).max(1);
            let id = now << 20 | number as u64;
            let class = self.planner.class(task.ask.clone());
            let (taken_too, ends_at) = (taken.clone(), now + slower(task.expected));
            let lease =
                Lease { class, taken: taken_too, began_at: now, ends_at, ..Lease::default() };
            self.planner.begin(item(id), placement.node, lease);
            self.events.push(Reverse((now + slower(task.takes), true, at, id)));
            self.leases.insert(id, (at, placement.node, taken));
            self.running[at] += 1;
            self.fates[at] = Fate { began_at: now, node: placement.node, ..self.fates[at] };
        }
        for (at, count) in begun {
            assert_eq!(count, self.tasks[at].gang, "a gang begins as a whole, and everything once");
            self.planner.set_group(now, key(self.tasks[at].run, at), Group::default());
        }
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
