//! What really happened in the world: which processes lived where, what clients were told.
//!
//! The product never sees this; the invariants hold what it recorded against it.

use model::collections::{HashMap, HashSet};
use model::control::{ControlAnswer, Verdict};
use model::fact::{Marked, StopCause};
use model::message::LeaseId;
use model::outcome::Spent;
use model::policy::Priority;
use model::{
    Digest, Epoch, IdSet, ItemKey, Outcome, Round, RunId, Seq, Span, TaskId, TaskKey, TaskStatus,
    Timestamp, Token, VariantId,
};

/// A process that was started for an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// Where.
    pub node: u32,
    /// Which of the ways of its task it is: what it holds is what that way takes.
    pub variant: VariantId,
    /// When it ended, and how, as its executor saw it; `None` while it lives.
    pub ended: Option<(Timestamp, Outcome)>,
    /// Whether its worker has been told, or has decided, to kill it.
    pub doomed: bool,
    /// Whether it writes tasks for its run if it ends well.
    pub writes: bool,
    /// What it spends.
    pub spent: Spent,
    /// How long it asks to be left alone, if it fails.
    pub retry_after: Option<Span>,
    /// How much memory it was given.
    pub memory: u64,
    /// When it first saved its work, or an earlier process of its lease did.
    pub saved_at: Option<Timestamp>,
}

/// Facts about the world.
#[derive(Debug, Default)]
pub struct Truth {
    /// The newest process of each lease.
    pub processes: HashMap<LeaseId, Process>,
    /// Living processes of each item.
    pub alive: HashMap<ItemKey, Vec<Token>>,
    /// For each node, since when its worker is awake; `None` while it sleeps or is down.
    pub awake_since: Vec<Option<Timestamp>>,
    /// The instances that each node has really had, the last one running.
    pub instances: Vec<Vec<u64>>,
    /// When a coordinator last took in a heartbeat or a hello of each instance.
    pub heard: HashMap<u64, Timestamp>,
    /// When each instance was last down for good, if it is.
    pub dead: HashMap<u64, Timestamp>,
    /// When the present leader began.
    pub leads_since: Timestamp,
    /// How many processes were ever started.
    pub started: u64,
    /// What clients were told of their submissions.
    pub acknowledged: HashMap<RunId, Option<Digest>>,
    /// The run that the client of each key was told.
    pub told: HashMap<Digest, RunId>,
    /// Stops that clients were told of, with the last fact that was durable then.
    pub stopped: HashMap<RunId, (StopCause, Seq)>,
    /// What the evaluator of each term has said to each question.
    pub given: HashMap<(TaskKey, Round, Epoch), ControlAnswer>,
    /// The last term in which each question was asked.
    pub questions: HashMap<(TaskKey, Round), Epoch>,
    /// How often people have said this to a task.
    pub said: HashMap<(TaskKey, Verdict), u32>,
    /// How many people were told that what they said to a task counts.
    pub settled: HashMap<TaskKey, u32>,
    /// What came of the tasks that an attempt wrote, as each term's server has said: the graph that
    /// they were made for, and the graph with them.
    pub written: HashMap<(LeaseId, Epoch), Option<(Digest, Digest)>>,
    /// The graph that each other version was made from.
    pub bases: HashMap<Digest, Digest>,
    /// The settings that people asked for, by run.
    pub edits: HashSet<(RunId, Digest, Priority, Option<u32>)>,
    /// The ends that people held tasks for to have.
    pub marks: HashSet<(RunId, TaskId, TaskStatus)>,
    /// The items that people asked to run again.
    pub items: HashMap<TaskKey, Vec<IdSet>>,
    /// Items that the evaluator of each term has said to be done.
    pub cached: HashMap<(TaskKey, Round, Epoch), IdSet>,
    /// What each fork was to bring along, by its trace.
    pub forks: HashMap<u128, Vec<Marked>>,
    /// Tasks that people asked to make room for others.
    pub preempted: HashSet<TaskKey>,
    /// Runs that people asked to pause, and to go on.
    pub pauses: HashSet<(RunId, bool)>,
    /// The last fact that has been acknowledged as durable.
    pub durable: Seq,
}

impl Truth {
    /// A process begins.
    pub fn start(&mut self, lease: LeaseId, process: Process) {
        self.alive.entry(lease.item).or_default().push(lease.token);
        self.started += 1;
        let before = self.processes.get(&lease).and_then(|before| before.saved_at);
        self.processes.insert(lease, Process { saved_at: before, ..process });
    }

    /// A process ends.
    pub fn end(&mut self, lease: LeaseId, at: Timestamp, outcome: Outcome) {
        let Some(process) = self.processes.get_mut(&lease) else { return };
        process.ended = Some((at, outcome));
        if let Some(alive) = self.alive.get_mut(&lease.item) {
            alive.retain(|&known| known != lease.token);
            if alive.is_empty() {
                self.alive.remove(&lease.item);
            }
        }
    }

    /// A process saves its work.
    pub fn save(&mut self, lease: LeaseId, at: Timestamp) {
        if let Some(process) = self.processes.get_mut(&lease) {
            process.saved_at.get_or_insert(at);
        }
    }

    /// A process is to be killed.
    pub fn doom(&mut self, lease: LeaseId) {
        if let Some(process) = self.processes.get_mut(&lease) {
            process.doomed = true;
        }
    }
}
