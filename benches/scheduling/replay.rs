//! A workload on a cluster, decided by the planner alone, in virtual time.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use scheduler::{
    ALL_ITEMS, Ask, ClassId, Device, DeviceAsk, Group, GroupKey, Lease, NodeSpec, Planner, Policy,
    Run,
};
use workload::{Arrival, Cluster, Task, Workload};

use crate::{MICROS, amounts};

/// What came of a workload. Times are in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// The mean time from when a task could begin until it began.
    pub(crate) wait: f64,
    /// The longest.
    pub(crate) longest: f64,
    /// The mean time from when a job came until its last task had ended.
    pub(crate) completion: f64,
    pub(crate) makespan: f64,
    /// The part of all devices that was busy until the last job came.
    pub(crate) busy: f64,
}

/// Replays a workload.
pub(crate) fn replay(policy: Policy, workload: &Workload, cluster: &Cluster) -> Outcome {
    let mut replay = Replay::new(policy, workload, cluster);
    replay.run();
    replay.outcome()
}

/// Numbers of kinds of devices.
#[derive(Default)]
pub(crate) struct Kinds(HashMap<String, u8>);

impl Kinds {
    fn of(&mut self, name: &str) -> u8 {
        let next = u8::try_from(self.0.len()).expect("few kinds");
        *self.0.entry(name.to_owned()).or_insert(next)
    }
}

/// The nodes as the planner sees them.
pub(crate) fn specs(cluster: &Cluster, kinds: &mut Kinds) -> Vec<NodeSpec> {
    let node = |node: &workload::NodeKind| {
        let devices = node.gpus.iter().flat_map(|gpu| {
            let device = Device { kind: kinds.of(&gpu.kind), memory: gpu.memory_bytes };
            vec![device; gpu.count as usize]
        });
        let devices = devices.collect();
        let capacity = amounts(node.cpu_milli, node.memory_bytes);
        let spec = NodeSpec {
            capacity,
            devices,
            speed: node.speed_milli,
            accepts: true,
            ..NodeSpec::default()
        };
        vec![spec; node.count as usize]
    };
    cluster.nodes.iter().flat_map(node).collect()
}

/// What a task asks for of each of its nodes.
pub(crate) fn ask(workload: &Workload, task: &Task, kinds: &mut Kinds) -> Ask {
    let wanted = workload.device_kinds(task.devices.kinds);
    let devices = DeviceAsk {
        count: u16::try_from(task.devices.count).expect("few devices"),
        share: if task.devices.count == 0 { 0 } else { task.devices.share_milli },
        memory: 0,
        kinds: wanted.map(|name| 1 << kinds.of(name)).fold(0, |all, kind: u64| all | kind),
        tenant: 0,
    };
    Ask {
        amounts: amounts(u64::from(task.cpu_milli), task.memory_bytes),
        devices,
        ..Ask::default()
    }
}

/// Something that happens. Ends come before jobs that come at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ends { task: usize, lease: u64 },
    Comes { job: usize },
}

#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    ready_at: u64,
    began_at: u64,
    ended_at: u64,
}

struct JobState {
    came_at: u64,
    ended_at: u64,
    work: u64,
    /// The tasks that have not ended, by their paths.
    open: BTreeSet<(u64, usize)>,
}

struct Replay<'a> {
    workload: &'a Workload,
    planner: Planner,
    speeds: Vec<u32>,
    devices: u64,
    classes: Vec<ClassId>,
    ranks: Vec<u64>,
    job_of: Vec<usize>,
    behind: Vec<Vec<usize>>,
    waits_for: Vec<usize>,
    fates: Vec<Fate>,
    jobs: Vec<JobState>,
    running: Vec<u32>,
    events: BinaryHeap<Reverse<(u64, Event)>>,
    next_job: usize,
    leases: u64,
}

impl<'a> Replay<'a> {
    fn new(policy: Policy, workload: &'a Workload, cluster: &Cluster) -> Self {
        let (mut planner, mut kinds) = (Planner::new(policy), Kinds::default());
        let specs = specs(cluster, &mut kinds);
        let devices = specs.iter().map(|spec| spec.devices.len() as u64).sum();
        let speeds = specs.iter().map(|spec| spec.speed).collect();
        specs.into_iter().for_each(|spec| {
            planner.add_node(spec);
        });
        let tasks = workload.tasks();
        let asks = tasks.iter().map(|task| planner.class(ask(workload, task, &mut kinds)));
        let classes: Vec<ClassId> = asks.collect();
        let mut job_of = vec![0; tasks.len()];
        let mut behind = vec![Vec::new(); tasks.len()];
        let mut waits_for = vec![0; tasks.len()];
        for (number, job) in workload.jobs.iter().enumerate() {
            for task in job.tasks.clone() {
                job_of[task as usize] = number;
                let on = workload.depends_on(task);
                waits_for[task as usize] = on.len();
                on.iter().for_each(|&on| behind[on as usize].push(task as usize));
            }
        }
        let ranks = ranks(workload, &behind, &waits_for);
        let job = |job: &workload::Job| {
            let of_job = || job.tasks.clone().map(|task| task as usize);
            let work = |task: usize| {
                let each = planner.work(classes[task], expected(&tasks[task]));
                each * u64::from(tasks[task].members)
            };
            let open = of_job().map(|task| (ranks[task], task)).collect();
            JobState { came_at: 0, ended_at: 0, work: of_job().map(work).sum(), open }
        };
        let jobs = workload.jobs.iter().map(job).collect();
        Self {
            workload,
            speeds,
            devices,
            job_of,
            behind,
            waits_for,
            fates: vec![Fate::default(); tasks.len()],
            running: vec![0; tasks.len()],
            events: BinaryHeap::new(),
            next_job: 0,
            leases: 0,
            planner,
            classes,
            ranks,
            jobs,
        }
    }

    fn run(&mut self) {
        match self.workload.arrival {
            Arrival::Open => {
                let comes = self.workload.jobs.iter().enumerate();
                let comes = comes.map(|(job, it)| Reverse((it.submit_us, Event::Comes { job })));
                self.events.extend(comes);
            }
            Arrival::Closed { outstanding } => (0..outstanding).for_each(|_| self.admit(0)),
        }
        while let Some(&Reverse((now, _))) = self.events.peek() {
            while let Some(&Reverse((at, event))) = self.events.peek()
                && at == now
            {
                self.events.pop();
                match event {
                    Event::Ends { task, lease } => self.end(task, lease, now),
                    Event::Comes { job } => self.come(job, now),
                }
            }
            self.plan(now);
        }
        assert!(self.planner.is_idle(), "something never fits");
    }

    /// Lets the next job of a closed loop come.
    fn admit(&mut self, now: u64) {
        if self.next_job < self.workload.jobs.len() {
            self.events.push(Reverse((now, Event::Comes { job: self.next_job })));
            self.next_job += 1;
        }
    }

    fn come(&mut self, job: usize, now: u64) {
        self.jobs[job].came_at = now;
        self.tell(job);
        for task in self.workload.jobs[job].tasks.clone() {
            if self.waits_for[task as usize] == 0 {
                self.ready(task as usize, now);
            }
        }
    }

    fn tell(&mut self, job: usize) {
        let JobState { came_at, work, ref open, .. } = self.jobs[job];
        let path = open.last().map_or(0, |&(path, _)| path);
        let priority = self.workload.jobs[job].priority;
        self.planner.set_run(
            job as u64,
            Run { priority, arrived_at: came_at, work, path, ..Run::default() },
        );
    }

    fn ready(&mut self, task: usize, now: u64) {
        let it = &self.workload.tasks()[task];
        self.fates[task].ready_at = now;
        let group = Group {
            class: self.classes[task],
            count: it.members,
            rank: self.ranks[task],
            ready_at: now,
            expected: expected(it),
            gang: it.members > 1,
            ..Group::default()
        };
        self.planner.set_group(now, self.key(task), group);
    }

    fn key(&self, task: usize) -> GroupKey {
        let number = u32::try_from(task).expect("numbers of tasks are 32 bits");
        GroupKey { run: self.job_of[task] as u64, task: number, item: ALL_ITEMS }
    }

    fn plan(&mut self, now: u64) {
        for placement in self.planner.plan(now, u64::MAX).placements {
            let task = placement.group.task as usize;
            let it = &self.workload.tasks()[task];
            let speed = u64::from(self.speeds[placement.node.0 as usize]);
            let takes = |time: u64| (time * 1_000 / speed).max(1);
            for _ in 0..placement.count {
                let lease = Lease {
                    class: self.classes[task],
                    taken: placement.taken.clone(),
                    began_at: now,
                    ends_at: now + takes(expected(it)),
                    saved_at: now,
                    ..Lease::default()
                };
                self.planner.begin(item(self.leases), placement.node, lease);
                let ends = Event::Ends { task, lease: self.leases };
                self.events.push(Reverse((now + takes(it.duration_us), ends)));
                self.leases += 1;
                self.running[task] += 1;
            }
            self.fates[task].began_at = now;
            if self.running[task] == it.members {
                self.planner.set_group(now, placement.group, Group::default());
            }
        }
    }

    fn end(&mut self, task: usize, lease: u64, now: u64) {
        self.planner.end(now, item(lease));
        self.running[task] -= 1;
        if self.running[task] > 0 {
            return;
        }
        let it = &self.workload.tasks()[task];
        self.fates[task].ended_at = now;
        let was_expected = self.planner.work(self.classes[task], expected(it));
        let number = self.job_of[task];
        let job = &mut self.jobs[number];
        job.work = job.work.saturating_sub(was_expected * u64::from(it.members));
        job.open.remove(&(self.ranks[task], task));
        if job.open.is_empty() {
            job.ended_at = now;
            self.planner.forget_run(now, number as u64);
            if matches!(self.workload.arrival, Arrival::Closed { .. }) {
                self.admit(now);
            }
        } else {
            self.tell(number);
        }
        for next in std::mem::take(&mut self.behind[task]) {
            self.waits_for[next] -= 1;
            if self.waits_for[next] == 0 {
                self.ready(next, now);
            }
        }
    }

    fn outcome(&self) -> Outcome {
        let last = self.jobs.iter().map(|job| job.came_at).max().unwrap_or(0);
        // A closed loop is first to fill.
        let is_closed = matches!(self.workload.arrival, Arrival::Closed { .. });
        let first = if is_closed { last / 20 } else { 0 };
        let counted = self.fates.iter().filter(|fate| fate.ready_at >= first);
        let waits: Vec<u64> = counted.map(|fate| fate.began_at - fate.ready_at).collect();
        let mean = |values: &[u64]| {
            values.iter().map(|&it| it as f64).sum::<f64>() / values.len() as f64 / MICROS
        };
        let longest = waits.iter().copied().max().unwrap_or(0) as f64 / MICROS;
        let completions: Vec<u64> =
            self.jobs.iter().map(|job| job.ended_at - job.came_at).collect();
        let busy = self.fates.iter().zip(self.workload.tasks()).map(|(fate, task)| {
            let devices = f64::from(task.devices.count * task.members);
            let share = f64::from(task.devices.share_milli) / 1e3;
            let time = fate.ended_at.min(last).saturating_sub(fate.began_at);
            devices * share * time as f64
        });
        let all = self.devices as f64 * last as f64;
        let makespan = self.fates.iter().map(|fate| fate.ended_at).max().unwrap_or(0);
        Outcome {
            wait: mean(&waits),
            longest,
            completion: mean(&completions),
            makespan: makespan as f64 / MICROS,
            busy: busy.sum::<f64>() / all.max(1.0),
        }
    }
}

/// The name of a lease.
fn item(lease: u64) -> GroupKey {
    GroupKey { run: lease, task: 0, item: 0 }
}

fn expected(task: &Task) -> u64 {
    task.estimate_us.map_or(1, std::num::NonZeroU64::get)
}

/// The tasks, each after all that it waits for; `open` is how many of those each has.
fn in_order(behind: &[Vec<usize>], mut open: Vec<usize>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..open.len()).filter(|&task| open[task] == 0).collect();
    let mut at = 0;
    while at < order.len() {
        for &next in &behind[order[at]] {
            open[next] -= 1;
            if open[next] == 0 {
                order.push(next);
            }
        }
        at += 1;
    }
    order
}

/// The longest path of expected durations that begins with each task.
fn ranks(workload: &Workload, behind: &[Vec<usize>], waits_for: &[usize]) -> Vec<u64> {
    let order = in_order(behind, waits_for.to_vec());
    let mut ranks = vec![0; order.len()];
    for &task in order.iter().rev() {
        let longest = behind[task].iter().map(|&next| ranks[next]).max().unwrap_or(0);
        ranks[task] = longest + expected(&workload.tasks()[task]);
    }
    ranks
}
