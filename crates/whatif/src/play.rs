//! Letting time pass: what happens next is told to the engine, and what it says is done.
//!
//! At each time at which something happens, first attempts end, then jobs come, then the engine
//! plans, and what it grants starts at once. In between nothing happens.

mod attempts;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use engine::{Effect, Engine, Input};
use model::message::{AttemptEvent, LeaseId, Order, Report, ToWorker};
use model::queue::QueueTree;
use model::{Epoch, Fact, RunId, TaskKey, Timestamp};
use workload::Cluster;

use crate::chance::Chance;
use crate::come::Times;
use crate::graphs::submission;
use crate::house::{self, Policy};
use crate::node::Node;
use crate::paths::{Behind, number};
use crate::work::Work;

/// When every simulation begins: 2026-01-01T00:00:00Z.
const BEGINS_AT: u64 = 1_767_225_600_000_000;
/// Signs of life come as rarely as they may: the engine gives nothing to a node of which it has not
/// heard for three heartbeats.
const BEAT_US: u64 = 2_500_000;
/// The engine wants to look at what waits for a node that is expected to be free no sooner than
/// after this.
const LOOK_US: u64 = 250_000;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The work, prepared for this cluster.
    pub work: &'a Work,
    /// The nodes.
    pub cluster: &'a Cluster,
    /// By what is planned.
    pub policy: Policy,
    /// Who shares the nodes.
    pub queues: &'a QueueTree,
    /// The part of all attempts that fail, from 0 to less than 1.
    pub failures: f64,
    /// Which attempts fail, and when, is a function of this.
    pub seed: u64,
}

/// An attempt of a task, or of a member of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The task, by its number in the workload.
    pub task: u32,
    /// The node, counted over all kinds in their order.
    pub node: u32,
    /// When it began, in microseconds from the beginning of the simulation.
    pub began_us: u64,
    /// When it ended.
    pub ended_us: u64,
    /// What became of it.
    pub end: End,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It did its work.
    Succeeded,
    /// It did not.
    Failed,
    /// It made room for others: whatever it had done is done again.
    Preempted,
}

/// What happened. Times are in microseconds from the beginning of the simulation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// When each job came.
    pub came_us: Vec<u64>,
    /// When each job ended.
    pub ended_us: Vec<u64>,
    /// When each task could begin.
    pub ready_us: Vec<u64>,
    /// All attempts, in the order in which they began.
    pub attempts: Vec<Attempt>,
}

/// A simulation that came to a stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// How many jobs had not ended.
    pub jobs: usize,
}

impl From<Stuck> for crate::Trouble {
    fn from(stuck: Stuck) -> Self {
        let message = format!("nothing is left that could happen, and {} jobs wait", stuck.jobs);
        Self::new(crate::code::STUCK, message).hint("this is a defect: please tell us of it")
    }
}

/// Lets a workload go its way.
///
/// # Errors
/// Not all jobs end, which is a defect of the engine or of this crate.
pub fn play(setup: Setup<'_>) -> Result<Played, Stuck> {
    let mut play = Play::new(setup);
    play.begin();
    while let Some(next) = play.next() {
        play.now = next;
        play.turn();
    }
    match play.jobs.saturating_sub(play.ended) {
        0 => Ok(play.played),
        jobs => Err(Stuck { jobs }),
    }
}

/// Something that happens. Ends come before jobs that come at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// What runs in a slot ends, unless it was ended before.
    Ends {
        slot: u32,
    },
    Comes {
        job: u32,
    },
}

/// What runs.
#[derive(Clone, Copy, Debug)]
struct Running {
    lease: LeaseId,
    /// Its number among all attempts.
    attempt: u32,
    node: u32,
    fails: bool,
    /// Whether it was ended from outside.
    is_over: bool,
}

struct Play<'a> {
    setup: Setup<'a>,
    engine: Engine,
    now: u64,
    nodes: Vec<Node>,
    beat_at: u64,
    /// What will happen; the number in the middle tells apart what happens at one time.
    events: BinaryHeap<Reverse<(u64, bool, u64, Event)>>,
    scheduled: u64,
    slots: Vec<Running>,
    free_slots: Vec<u32>,
    /// The nodes that have something to say.
    speakers: Vec<u32>,
    effects: Vec<Effect>,
    /// Whether a node has given something back since the engine last planned.
    has_given_back: bool,
    /// The job of each run, by the number of the run less 1.
    job_of_run: Vec<u32>,
    behind: Behind,
    /// What each task still waits for, and how many of its members have not succeeded.
    open: Vec<(u32, u32)>,
    jobs: usize,
    next_job: usize,
    ended: usize,
    chance: Chance,
    played: Played,
}

impl<'a> Play<'a> {
    fn new(setup: Setup<'a>) -> Self {
        let workload = &setup.work.workload;
        let tasks = workload.tasks();
        let kinds = setup.cluster.nodes.iter();
        let nodes = kinds.flat_map(|kind| (0..kind.count).map(|at| Node::new(kind, at)));
        let waits_for = |task: u32| number(workload.depends_on(task).len());
        let open = (0..).zip(tasks).map(|(at, task)| (waits_for(at), task.members));
        let jobs = workload.jobs.len();
        Self {
            engine: house::engine(setup.policy, setup.queues),
            now: 0,
            nodes: nodes.collect(),
            beat_at: 0,
            events: BinaryHeap::new(),
            scheduled: 0,
            slots: Vec::new(),
            free_slots: Vec::new(),
            speakers: Vec::new(),
            effects: Vec::new(),
            has_given_back: false,
            job_of_run: Vec::with_capacity(jobs),
            behind: Behind::of(workload),
            open: open.collect(),
            jobs,
            next_job: 0,
            ended: 0,
            chance: Chance::new(setup.seed, 0x6661_696c),
            played: Played {
                came_us: vec![0; jobs],
                ended_us: vec![0; jobs],
                ready_us: vec![0; tasks.len()],
                attempts: Vec::with_capacity(tasks.len()),
            },
            setup,
        }
    }

    fn begin(&mut self) {
        self.step(Input::Lead { epoch: Epoch(1) });
        let mut node = 0;
        for kind in &self.setup.cluster.nodes {
            for _ in 0..kind.count {
                let hello = self.nodes[node].hello(kind);
                self.step(Input::Worker(hello));
                node += 1;
            }
        }
        match &self.setup.work.times {
            Times::At(times) => {
                for (job, &at) in (0..).zip(times) {
                    self.schedule(at, Event::Comes { job });
                }
            }
            Times::Closed(outstanding) => (0..*outstanding).for_each(|_| self.admit()),
        }
    }

    /// Lets the next job of a closed loop come.
    fn admit(&mut self) {
        if self.next_job < self.jobs {
            let job = number(self.next_job);
            self.schedule(self.now, Event::Comes { job });
            self.next_job += 1;
        }
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.scheduled += 1;
        let comes = matches!(event, Event::Comes { .. });
        self.events.push(Reverse((at, comes, self.scheduled, event)));
    }

    /// When something happens next, or the engine wants to look at something.
    fn next(&self) -> Option<u64> {
        let event = self.events.peek().map(|&Reverse((at, ..))| at);
        // It asks all nodes, which is dear, and there is nothing to retry.
        let is_soon = event.is_some_and(|at| at - self.now <= LOOK_US);
        if is_soon && self.setup.failures == 0.0 {
            return event;
        }
        let deadline = self.engine.next_deadline().map(|at| at.0.saturating_sub(BEGINS_AT));
        let deadline = deadline.filter(|&at| at > self.now && self.ended < self.jobs);
        event.into_iter().chain(deadline).min()
    }

    /// Everything that happens now.
    fn turn(&mut self) {
        while let Some(&Reverse((at, _, _, event))) = self.events.peek()
            && at == self.now
        {
            self.events.pop();
            match event {
                Event::Ends { slot } => self.end(slot),
                Event::Comes { job } => {
                    // Whatever has ended is known before somebody new comes.
                    self.speak();
                    self.come(job);
                }
            }
        }
        self.speak();
        self.beat();
        loop {
            self.has_given_back = false;
            self.step(Input::Tick);
            self.act();
            // Whoever was told to end or to give something back has done so: somebody waits for it.
            if !self.has_given_back {
                break;
            }
        }
    }

    fn beat(&mut self) {
        if self.now - self.beat_at < BEAT_US {
            return;
        }
        self.beat_at = self.now;
        for node in 0..self.nodes.len() {
            let beat = self.nodes[node].beat();
            self.step(Input::Worker(beat));
        }
    }

    /// Does what the engine says, until it says nothing more.
    fn act(&mut self) {
        while !self.effects.is_empty() {
            for effect in std::mem::take(&mut self.effects) {
                match effect {
                    Effect::Send { worker, message } => self.hear(worker.0 - 1, message),
                    // Runs are known by the order in which they were submitted.
                    _ => continue,
                }
            }
            self.speak();
        }
    }

    fn hear(&mut self, node: u32, message: ToWorker) {
        match message.order {
            Order::Assign(grants) => {
                grants.iter().for_each(|grant| self.grant(node, grant));
                self.start(node);
            }
            Order::Stop { leases, how } => {
                leases.into_iter().for_each(|lease| self.stop(node, lease, how));
                self.start(node);
            }
            _ => {}
        }
    }

    fn come(&mut self, job: u32) {
        let tasks = self.setup.work.workload.jobs[job as usize].tasks.clone();
        self.played.came_us[job as usize] = self.now;
        for task in tasks {
            if self.open[task as usize].0 == 0 {
                self.played.ready_us[task as usize] = self.now;
            }
        }
        self.job_of_run.push(job);
        let submission = submission(self.setup.work, self.setup.queues, job as usize);
        self.step(Input::Submit(Box::new(submission)));
    }

    fn report(&mut self, node: u32, lease: LeaseId, event: AttemptEvent) {
        self.nodes[node as usize].note(Report { lease, event });
        self.speakers.push(node);
    }

    /// Every node says what it has to say.
    fn speak(&mut self) {
        let mut speakers = std::mem::take(&mut self.speakers);
        speakers.sort_unstable();
        speakers.dedup();
        for &node in &speakers {
            if let Some(message) = self.nodes[node as usize].tell() {
                self.step(Input::Worker(message));
            }
        }
        speakers.clear();
        if self.speakers.is_empty() {
            self.speakers = speakers;
        }
    }

    /// One step of the engine. A run that has ended is forgotten.
    fn step(&mut self, input: Input) {
        let now = Timestamp(self.now.saturating_add(BEGINS_AT));
        let step = self.engine.step(now, input);
        self.effects.extend(step.effects);
        for fact in step.facts {
            match fact {
                Fact::RunEnded { run, .. } => self.run_ended(run, now),
                Fact::AttemptsEnded(ended) if ended.then.is_again() => self.begins_anew(ended.task),
                _ => {}
            }
        }
    }

    fn run_ended(&mut self, run: RunId, now: Timestamp) {
        let job = self.job_of_run[run.0 as usize - 1];
        self.played.ended_us[job as usize] = self.now;
        self.ended += 1;
        self.engine.step(now, Input::Forget { run });
        if matches!(self.setup.work.times, Times::Closed(_)) {
            self.admit();
        }
    }

    /// Of a gang that is tried again no member has succeeded.
    fn begins_anew(&mut self, key: TaskKey) {
        let workload = &self.setup.work.workload;
        let job = self.job_of_run[key.run.0 as usize - 1];
        let task = workload.jobs[job as usize].tasks.start + key.task.0;
        let members = workload.tasks()[task as usize].members;
        if members > 1 {
            self.open[task as usize].1 = members;
        }
    }
}
