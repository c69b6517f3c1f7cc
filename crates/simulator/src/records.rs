//! The durable facts as they come: held against the invariants, then taken into the ledger.
//!
//! It reads them back from the journal, through the codec, and never from the engine's memory.

mod calls;
mod change;
mod flow;

use std::ops::ControlFlow;
use std::sync::Arc;

use journal::memory::{MemoryJournal, Removed};
use journal::{Entry, Journal};
use model::collections::{HashMap, HashSet};
use model::fact::{AttemptsEnded, LossCause, PauseCause, StopCause};
use model::outcome::Then;
use model::{Digest, Fact, Graph, ItemId, Outcome, RunId, RunStatus, Seq, TaskKey, Timestamp};

use crate::clients::{PATIENCE, PAUSED_MAX};
use crate::disk::FaultyDisk;
use crate::event::{Event, Wish};
use crate::invariants::s06_replay::GraphStore;
use crate::invariants::{View, Violation, on_fact};
use crate::ledger::Ledger;
use crate::mark::Mark;
use crate::mutant::Mutant;
use crate::oracle;
use crate::plan::{Plan, RunPlan};
use crate::server::Writers;
use crate::stage::Stage;
use crate::workload;

/// Where things rest.
#[derive(Debug)]
pub struct Store {
    /// The journal.
    pub journal: MemoryJournal<FaultyDisk>,
    /// The graphs of all runs.
    pub graphs: GraphStore,
    /// The plan of the run of each graph.
    pub plans: HashMap<Digest, RunPlan>,
    /// The graphs as they were drawn, without planted faults.
    pub drawn: HashMap<Digest, Arc<Graph>>,
    /// Who wrote the tasks of each version.
    pub writers: HashMap<Digest, Writers>,
}

impl Store {
    /// An empty store for a plan.
    #[must_use]
    pub fn new(plan: &Plan, mutant: Option<Mutant>) -> Self {
        let removed = Removed {
            fence: mutant == Some(Mutant::NoJournalFence),
            sync: mutant == Some(Mutant::NoSync),
            rewrite: false,
        };
        let disk = FaultyDisk::new(plan.seed, plan.disk);
        let journal = MemoryJournal::with_removed(disk, removed);
        Self {
            journal,
            graphs: GraphStore::default(),
            plans: HashMap::default(),
            drawn: HashMap::default(),
            writers: HashMap::default(),
        }
    }
}

/// A run of the plan, ready to be submitted.
#[derive(Debug)]
pub struct Work {
    /// Its plan.
    pub plan: RunPlan,
    /// Its graph.
    pub graph: Arc<Graph>,
    /// The same as the engine gets it.
    pub planted: Arc<Graph>,
}

impl Work {
    fn new(plan: RunPlan, mutant: Option<Mutant>) -> Self {
        let graph = workload::graph(&plan);
        let planted = workload::planted(&graph, mutant);
        Self { plan, graph, planted }
    }
}

/// What has been recorded.
#[derive(Debug)]
pub struct Records {
    /// The durable facts.
    pub ledger: Ledger,
    /// The runs of the plan.
    pub works: Vec<Work>,
    /// Runs whose end a client has asked for, and when it last did.
    pub asked: HashMap<RunId, Timestamp>,
    /// Ended runs, in the order of their ends.
    pub ended: Vec<RunId>,
    /// How many items have ended for good.
    pub items_ended: u64,
    by_graph: HashMap<Digest, usize>,
    /// The plan of each run that is not forgotten.
    of_run: HashMap<RunId, usize>,
    retried: HashSet<RunId>,
    /// Runs that were forked, and forks.
    forked: HashSet<RunId>,
    undisturbed: bool,
}

impl Records {
    /// Nothing recorded yet.
    #[must_use]
    pub fn new(plan: &Plan, store: &mut Store, mutant: Option<Mutant>) -> Self {
        let works: Vec<Work> = plan.runs.iter().map(|&run| Work::new(run, mutant)).collect();
        for work in &works {
            store.graphs.insert(Arc::clone(&work.planted));
            store.plans.insert(work.graph.digest(), work.plan);
            store.drawn.insert(work.graph.digest(), Arc::clone(&work.graph));
        }
        let by_graph = works.iter().enumerate().map(|(index, work)| (work.graph.digest(), index));
        Self {
            ledger: Ledger::default(),
            by_graph: by_graph.collect(),
            of_run: HashMap::default(),
            works,
            asked: HashMap::default(),
            ended: Vec::new(),
            items_ended: 0,
            retried: HashSet::default(),
            forked: HashSet::default(),
            undisturbed: oracle::is_undisturbed(plan),
        }
    }

    /// The plan of a run.
    #[must_use]
    pub fn work(&self, run: RunId) -> Option<&Work> {
        self.index(run).map(|index| &self.works[index])
    }

    /// The place of the plan of a run.
    #[must_use]
    pub fn index(&self, run: RunId) -> Option<usize> {
        self.of_run.get(&run).copied()
    }

    /// Takes in what has become durable, up to `up_to`.
    pub fn take_in(&mut self, stage: &mut Stage, store: &mut Store, up_to: Seq) {
        let mut entries = Vec::new();
        let read = store.journal.read(self.ledger.last, &mut |entry| {
            if entry.seq > up_to {
                return ControlFlow::Break(());
            }
            entries.push(entry);
            ControlFlow::Continue(())
        });
        stage.judge("S1", read.map_err(|error| format!("the journal cannot be read: {error}")));
        for entry in entries {
            stage.tell(|| format!("{:?} {:?}", entry.seq, entry.fact));
            self.take_one(stage, store, &entry);
        }
    }

    fn take_one(&mut self, stage: &mut Stage, store: &Store, entry: &Entry) {
        let (ledger, truth, drawn) = (&self.ledger, &stage.truth, &store.drawn);
        let view = View { ledger, truth, drawn, entry, now: stage.now };
        if let Err(violation) = on_fact(&view) {
            stage.violation.get_or_insert(violation);
        }
        if let Fact::RunAdmitted(run) = &entry.fact
            && let Some(&index) = self.by_graph.get(&run.graph)
        {
            self.of_run.insert(run.run, index);
        }
        self.mark(stage, entry);
        self.flow_marks(stage, &entry.fact);
        self.change_marks(stage, entry);
        self.call_marks(stage, entry);
        self.follow(stage, entry);
        self.ledger.apply(entry, |digest| Arc::clone(&store.drawn[digest]));
        self.follow_flow(stage, &entry.fact);
        if let Some(what) = self.ledger.illegal.take() {
            let what = format!("{what} ({:?}: {:?})", entry.seq, entry.fact);
            stage.violation.get_or_insert(Violation { id: "S7", at: stage.now, what });
        }
    }

    /// What the rest of the world does because of a fact.
    fn follow(&mut self, stage: &mut Stage, entry: &Entry) {
        match &entry.fact {
            Fact::RunEnded { run, status } => {
                self.ended.push(*run);
                let (Some(work), Some(record)) = (self.work(*run), self.ledger.run(*run)) else {
                    return;
                };
                let context = (self.undisturbed, self.asked.contains_key(run));
                let judged = oracle::check(&work.plan, record, *status, context);
                stage.judge("S3", judged.map_err(|what| format!("run {run}: {what}")));
                let (plan, from) =
                    (work.plan, workload::people::retried_from(&work.plan, &work.graph));
                if let Some(after) = plan.retry.filter(|_| self.retried.insert(*run)) {
                    stage.wishes += 1;
                    let wish = match workload::people::retried_items(&plan) {
                        Some(seed) => Wish::RetryItems { run: *run, seed },
                        None => Wish::Retry { run: *run, from },
                    };
                    stage.after(after, Event::Ask { wish });
                }
                let index = self.index(*run).filter(|_| !self.forked.contains(run));
                if let (Some(after), Some(index)) = (plan.fork, index) {
                    self.forked.insert(*run);
                    stage.wishes += 1;
                    stage.after(after, Event::Ask { wish: Wish::Fork { run: *run, index } });
                }
            }
            Fact::RoundOpened { run, .. }
            | Fact::ItemsReopened { task: TaskKey { run, .. }, .. } => {
                stage.truth.stopped.remove(run);
                // A stop may be asked for before the round that it is meant for is durable, and
                // reach the coordinator after it.
                let is_old = |asked_at: &Timestamp| *asked_at + PATIENCE < entry.at;
                if self.asked.get(run).is_some_and(is_old) {
                    self.asked.remove(run);
                }
                self.ended.retain(|ended| ended != run);
            }
            Fact::RunPaused { run, .. } => {
                stage.wishes += 1;
                let after = stage.draw_span(1_000, PAUSED_MAX.0);
                stage.after(after, Event::Ask { wish: Wish::Resume { run: *run } });
            }
            Fact::RunForgotten { run } => {
                let key = self.ledger.run(*run).and_then(|run| run.admitted.key);
                key.map(|key| stage.truth.told.remove(&key));
                self.of_run.remove(run);
                self.ended.retain(|ended| ended != run);
            }
            Fact::AttemptsEnded(ended) if ended.then == Then::Final => {
                self.items_ended += ended.ends.len() as u64;
            }
            _ => {}
        }
    }

    fn mark(&self, stage: &mut Stage, entry: &Entry) {
        let mark = match &entry.fact {
            Fact::LeaderStarted { .. } if self.ledger.live > 0 => Mark::Adopted,
            Fact::WorkerLost { cause, .. } => match cause {
                LossCause::Expired => Mark::Expired,
                LossCause::Replaced => Mark::Replaced,
                LossCause::DiedWithLeader => Mark::DiedWithLeader,
            },
            Fact::AttemptsLeased { task, items, .. } => {
                if items.len() > 1 {
                    stage.hit(Mark::ManyItems);
                }
                self.mark_lease(stage, *task, items.clone());
                return;
            }
            Fact::GangLeased { task, parts } => {
                let apart = parts.iter().any(|part| part.worker != parts[0].worker);
                if apart {
                    stage.hit(Mark::GangApart);
                }
                for part in parts {
                    self.mark_lease(stage, *task, part.items.clone());
                }
                Mark::GangBegun
            }
            Fact::AttemptOverran { .. } => Mark::Overran,
            Fact::AttemptsCheckpointed { .. } => Mark::Checkpointed,
            Fact::AttemptsEnded(ended) => {
                match self.gang_mark(ended).or_else(|| self.end_mark(ended)) {
                    Some(mark) => mark,
                    None => return,
                }
            }
            Fact::LeasesReturned { .. } => Mark::Returned,
            Fact::HandlersReleased { .. } => Mark::Handled,
            Fact::TasksSkipped { .. } => Mark::Skipped,
            Fact::RunStopping { cause, .. } => match cause {
                StopCause::TaskFailed => Mark::FailedFast,
                StopCause::TimedOut => Mark::RunTimedOut,
                StopCause::Stopped => Mark::Stopped,
                StopCause::Terminated => Mark::Terminated,
            },
            Fact::RoundOpened { .. } | Fact::ItemsReopened { .. } => Mark::Reopened,
            Fact::RunPaused { cause, .. } => match cause {
                PauseCause::Asked => Mark::PausedByHand,
                PauseCause::CostLimit => Mark::PausedByCost,
            },
            Fact::RunResumed { .. } => Mark::Resumed,
            Fact::RunEnded { run, .. }
                if self.ledger.run(*run).is_some_and(|run| run.status == RunStatus::Paused) =>
            {
                Mark::PausedAtEnd
            }
            _ => return,
        };
        stage.hit(mark);
    }

    fn mark_lease(&self, stage: &mut Stage, task: TaskKey, items: std::ops::Range<u32>) {
        let Some(run) = self.ledger.run(task.run) else { return };
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        if run.admitted.concurrency == Some(run.live + count) {
            stage.hit(Mark::Concurrency);
        }
        if items.map(|item| task.item(ItemId(item))).any(|key| stage.truth.alive.contains_key(&key))
        {
            stage.hit(Mark::Zombie);
        }
    }

    fn gang_mark(&self, ended: &AttemptsEnded) -> Option<Mark> {
        let run = self.ledger.run(ended.task.run)?;
        let members = run.items_of(ended.task.task);
        let done = members.iter().filter(|item| item.done).count();
        match ended.then {
            Then::WithGang => (done + 1 == members.len()).then_some(Mark::GangDone),
            _ => (done > 0).then_some(Mark::GangInVain),
        }
    }

    fn end_mark(&self, ended: &AttemptsEnded) -> Option<Mark> {
        let (first, _) = ended.ends.first()?;
        let item = self.ledger.item(ended.task.item(*first))?;
        let is_known = self.ledger.workers.contains_key(&item.worker);
        match (ended.outcome, ended.then) {
            (Outcome::Lost, Then::Retry { .. }) => Some(Mark::RetriedAfterLoss),
            (Outcome::Preempted, _) if !is_known => Some(Mark::LostLeaving),
            (Outcome::Preempted, _) => Some(Mark::Preempted),
            (Outcome::Succeeded, _) if item.leaving => Some(Mark::SucceededLeaving),
            (Outcome::Succeeded, _) if item.overran => Some(Mark::SucceededLate),
            (_, Then::Retry { .. }) => Some(Mark::Retried),
            (Outcome::Failed(_) | Outcome::Lost, Then::Final) => Some(Mark::OutOfRetries),
            _ => None,
        }
    }
}
