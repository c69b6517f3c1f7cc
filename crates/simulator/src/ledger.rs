//! What the durable facts say, kept a second time and in the plainest way.
//!
//! The engine's state is packed and indexed; this one is arrays of structs, so that a mistake in
//! one is not repeated in the other. It is fed in the order of the journal, and only with what is
//! durable. The invariants read it; nothing of the product ever does.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::collections::HashMap;
use model::fact::{AttemptsEnded, RoundScope, RunAdmitted, StopCause, WorkerJoined};
use model::hash::mix;
use model::outcome::Then;
use model::{
    Digest, Epoch, Fact, Graph, IdSet, ItemId, ItemKey, Outcome, RunId, RunStatus, Seq, TaskId,
    TaskKey, TaskStatus, Timestamp, Token, WorkerId,
};

use crate::invariants::s07_transitions;

/// An item as the facts have it.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// Where it stands.
    pub status: TaskStatus,
    /// Failures and time-outs in this round.
    pub failures: u16,
    /// Losses in this round.
    pub losses: u16,
    /// Its live lease, or the last one.
    pub token: Token,
    /// Who has that lease.
    pub worker: WorkerId,
    /// When it started under it.
    pub started_at: Option<Timestamp>,
    /// Whether it was told that its time is up.
    pub overran: bool,
    /// When it may be leased again, if it is retrying.
    pub retry_at: Timestamp,
    /// How its last attempt ended.
    pub last: Option<Outcome>,
    /// Whether its last attempt may have been asked to end.
    pub asked: bool,
}

/// A task of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Task {
    /// Where its items begin in [`Run::items`].
    pub first: u32,
    /// How many there are.
    pub count: u32,
    /// How many of them have not ended.
    pub open: u32,
    /// Whether one of them ended badly.
    pub bad: bool,
    /// How many dependencies have not succeeded; one more for a handler that is not released.
    pub waits_for: u32,
}

/// A run.
#[derive(Debug)]
pub struct Run {
    /// As it was admitted.
    pub admitted: RunAdmitted,
    /// Its graph.
    pub graph: Arc<Graph>,
    /// When its present round began.
    pub opened_at: Timestamp,
    /// Its tasks.
    pub tasks: Vec<Task>,
    /// The items of all tasks.
    pub items: Vec<Item>,
    /// Where it stands.
    pub status: RunStatus,
    /// Why it is to end early.
    pub cause: Option<StopCause>,
    /// Live leases.
    pub live: u32,
    /// Whether tasks of it were given up because no worker could hold them.
    pub gave_up: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The last fact.
    pub last: Seq,
    /// Its time.
    pub at: Timestamp,
    /// Its term.
    pub epoch: Epoch,
    /// A hash over all facts so far.
    pub hash: u64,
    /// The fingerprint of each fact, from the first on.
    pub fingerprints: Vec<u64>,
    /// Runs that are not forgotten.
    pub runs: BTreeMap<RunId, Run>,
    /// Keys ever admitted.
    pub keys: HashMap<Digest, RunId>,
    /// Workers that are not lost.
    pub workers: BTreeMap<WorkerId, WorkerJoined>,
    /// Live leases of all runs.
    pub live: usize,
    /// The first transition that no table allows.
    pub illegal: Option<String>,
}

impl Run {
    fn new(admitted: &RunAdmitted, graph: Arc<Graph>, at: Timestamp) -> Self {
        let fresh = Item {
            status: TaskStatus::Pending,
            failures: 0,
            losses: 0,
            token: Token(0),
            worker: WorkerId(0),
            started_at: None,
            overran: false,
            retry_at: Timestamp(0),
            last: None,
            asked: false,
        };
        let mut tasks = Vec::with_capacity(graph.len());
        let mut first = 0;
        for (task, dependencies) in graph.tasks().zip(graph.dependency_counts()) {
            let count = graph.items(task);
            let handler = u32::from(graph.policy(task).trigger.is_handler());
            let waits_for = dependencies + handler;
            tasks.push(Task { first, count, open: count, bad: false, waits_for });
            first += count;
        }
        Self {
            admitted: admitted.clone(),
            graph,
            opened_at: at,
            tasks,
            items: vec![fresh; first as usize],
            status: RunStatus::Running,
            cause: None,
            live: 0,
            gave_up: false,
        }
    }

    /// An item, if it exists.
    #[must_use]
    pub fn item(&self, task: TaskId, item: ItemId) -> Option<&Item> {
        let task = self.tasks.get(task.0 as usize).filter(|task| item.0 < task.count)?;
        self.items.get((task.first + item.0) as usize)
    }

    /// The items of a task.
    #[must_use]
    pub fn items_of(&self, task: TaskId) -> &[Item] {
        let Task { first, count, .. } = self.tasks[task.0 as usize];
        &self.items[first as usize..(first + count) as usize]
    }

    /// Whether a task is a handler.
    #[must_use]
    pub fn is_handler(&self, task: TaskId) -> bool {
        self.graph.policy(task).trigger.is_handler()
    }

    /// Sets the status of an item and what follows from it for its task and those after it.
    fn set(&mut self, task: TaskId, item: ItemId, status: TaskStatus) -> Result<(), String> {
        let record = &mut self.tasks[task.0 as usize];
        let slot = &mut self.items[(record.first + item.0) as usize];
        let from = std::mem::replace(&mut slot.status, status);
        let legal = s07_transitions::item(from, status);
        if !from.is_final() && status.is_final() {
            record.open -= 1;
            record.bad |= status != TaskStatus::Succeeded;
            if record.open == 0 && !record.bad {
                self.release_after(task);
            }
        }
        legal.map_err(|what| format!("task {task} item {item}: {what}"))
    }

    fn release_after(&mut self, task: TaskId) {
        let graph = Arc::clone(&self.graph);
        for next in graph.successors(task) {
            let record = &mut self.tasks[next.0 as usize];
            record.waits_for = record.waits_for.saturating_sub(1);
            if record.waits_for == 0 {
                self.make_ready(next);
            }
        }
    }

    fn release_handlers(&mut self, tasks: &IdSet) {
        for task in tasks.iter() {
            let record = &mut self.tasks[task as usize];
            record.waits_for = record.waits_for.saturating_sub(1);
            if record.waits_for == 0 {
                self.make_ready(TaskId(task));
            }
        }
    }

    fn turn(&mut self, status: RunStatus) -> Result<(), String> {
        let from = std::mem::replace(&mut self.status, status);
        s07_transitions::run(from, status)
    }

    fn make_ready(&mut self, task: TaskId) {
        let Task { first, count, .. } = self.tasks[task.0 as usize];
        for item in &mut self.items[first as usize..(first + count) as usize] {
            if item.status == TaskStatus::Pending {
                item.status = TaskStatus::Ready;
            }
        }
    }

    fn reopen(&mut self, tasks: &IdSet, scope: RoundScope) {
        for id in tasks.iter() {
            let handler = self.graph.policy(TaskId(id)).trigger.is_handler();
            let task = &mut self.tasks[id as usize];
            (task.open, task.bad) = (0, false);
            for index in task.first..task.first + task.count {
                let item = &mut self.items[index as usize];
                // The run ends anew, so its handlers run anew.
                if scope == RoundScope::All || handler || item.status != TaskStatus::Succeeded {
                    (item.status, item.failures, item.losses) = (TaskStatus::Pending, 0, 0);
                    task.open += 1;
                }
            }
            task.waits_for = u32::from(handler);
        }
        for from in self.graph.tasks() {
            let Task { open, bad, .. } = self.tasks[from.0 as usize];
            if open > 0 || bad {
                for next in self.graph.successors(from).filter(|next| tasks.contains(next.0)) {
                    self.tasks[next.0 as usize].waits_for += 1;
                }
            }
        }
        for id in
            tasks.iter().filter(|&id| self.tasks[id as usize].waits_for == 0).collect::<Vec<_>>()
        {
            self.make_ready(TaskId(id));
        }
    }
}

impl Ledger {
    /// A run that is not forgotten.
    #[must_use]
    pub fn run(&self, run: RunId) -> Option<&Run> {
        self.runs.get(&run)
    }

    /// An item of such a run.
    #[must_use]
    pub fn item(&self, key: ItemKey) -> Option<&Item> {
        self.run(key.run)?.item(key.task, key.item)
    }

    /// Takes in the next durable fact. `graph` is the graph of a run that it admits.
    pub fn apply(&mut self, entry: &journal::Entry, graph: impl FnOnce(&Digest) -> Arc<Graph>) {
        self.last = entry.seq;
        self.at = entry.at;
        self.epoch = entry.epoch;
        let fingerprint = fingerprint(entry);
        self.hash = mix(self.hash ^ fingerprint);
        self.fingerprints.push(fingerprint);
        if let Err(what) = self.apply_fact(entry, graph) {
            self.illegal.get_or_insert(what);
        }
    }

    fn apply_fact(
        &mut self,
        entry: &journal::Entry,
        graph: impl FnOnce(&Digest) -> Arc<Graph>,
    ) -> Result<(), String> {
        match &entry.fact {
            Fact::LeaderStarted { .. } => Ok(()),
            Fact::WorkerJoined(joined) => {
                self.workers.insert(joined.worker, (**joined).clone());
                Ok(())
            }
            Fact::WorkerLost { worker, .. } => {
                self.workers.remove(worker).map(|_| ()).ok_or(format!("{worker:?} is not known"))
            }
            Fact::RunAdmitted(admitted) => self.admit(admitted, graph(&admitted.graph), entry.at),
            Fact::AttemptsLeased { task, items, worker } => {
                let worker = (Token::from(entry.seq), *worker);
                items.clone().try_for_each(|item| self.lease(task.item(ItemId(item)), worker))
            }
            Fact::AttemptsStarted { task, items } => items.iter().try_for_each(|item| {
                let key = task.item(ItemId(item));
                self.item_mut(key)?.started_at = Some(entry.at);
                self.set(key, TaskStatus::Running)
            }),
            Fact::AttemptOverran { item } => self.item_mut(*item).map(|item| item.overran = true),
            Fact::AttemptsEnded(ended) => self.end(ended),
            Fact::LeasesReturned { task, items } => items.iter().try_for_each(|item| {
                self.unlease(task.run);
                self.set(task.item(ItemId(item)), TaskStatus::Ready)
            }),
            Fact::HandlersReleased { run, tasks } => {
                self.run_mut(*run)?.release_handlers(tasks);
                Ok(())
            }
            Fact::TasksSkipped { run, tasks } => self.close(*run, tasks, TaskStatus::Skipped),
            Fact::TasksCancelled { run, tasks } => {
                let cause = self.run_mut(*run)?.cause;
                let status = cause.map_or(TaskStatus::Cancelled, StopCause::task_status);
                self.close(*run, tasks, status)
            }
            Fact::TasksUnsatisfiable { run, tasks } => {
                self.run_mut(*run)?.gave_up = true;
                self.close(*run, tasks, TaskStatus::Failed)
            }
            Fact::RunStopping { run, cause } => {
                let run = self.run_mut(*run)?;
                run.cause = Some(*cause);
                // A termination may outdo a stop: the status then stays what it is.
                let stops = run.status != RunStatus::Stopping;
                if stops { run.turn(RunStatus::Stopping) } else { Ok(()) }
            }
            Fact::RunEnded { run, status } => self.run_mut(*run)?.turn(*status),
            Fact::RoundOpened { run, tasks, scope } => {
                let run = self.run_mut(*run)?;
                (run.cause, run.opened_at) = (None, entry.at);
                run.reopen(tasks, *scope);
                run.turn(RunStatus::Running)
            }
            Fact::RunForgotten { run } => {
                let forgotten = self.runs.remove(run).ok_or("the run is not known")?;
                if let Some(key) = forgotten.admitted.key {
                    self.keys.remove(&key);
                }
                Ok(())
            }
            Fact::Restored(_) => Err("a fact of snapshots stands in the journal".to_owned()),
        }
    }

    fn admit(&mut self, run: &RunAdmitted, graph: Arc<Graph>, at: Timestamp) -> Result<(), String> {
        if let Some(key) = run.key {
            self.keys.insert(key, run.run);
        }
        let mut fresh = Run::new(run, graph, at);
        for task in fresh.graph.tasks() {
            if fresh.tasks[task.0 as usize].waits_for == 0 {
                fresh.make_ready(task);
            }
        }
        match self.runs.insert(run.run, fresh) {
            Some(_) => Err(format!("run {} is admitted twice", run.run)),
            None => Ok(()),
        }
    }

    fn lease(&mut self, key: ItemKey, (token, worker): (Token, WorkerId)) -> Result<(), String> {
        self.live += 1;
        self.run_mut(key.run)?.live += 1;
        let item = self.item_mut(key)?;
        (item.token, item.worker, item.started_at, item.overran) = (token, worker, None, false);
        self.set(key, TaskStatus::Leased)
    }

    fn unlease(&mut self, run: RunId) {
        self.live = self.live.saturating_sub(1);
        if let Some(run) = self.runs.get_mut(&run) {
            run.live = run.live.saturating_sub(1);
        }
    }

    fn end(&mut self, ended: &AttemptsEnded) -> Result<(), String> {
        for &(item, _) in &ended.ends {
            let key = ended.task.item(item);
            self.unlease(key.run);
            let run = self.run_mut(key.run)?;
            let stops = run.cause.is_some();
            let handler = run.graph.policy(key.task).trigger.is_handler();
            let ending = run.cause.filter(|_| !handler);
            let lost = ending.map_or(TaskStatus::Failed, StopCause::task_status);
            let record = self.item_mut(key)?;
            record.last = Some(ended.outcome);
            record.asked = stops || record.overran;
            match ended.outcome {
                Outcome::Lost => record.losses += 1,
                Outcome::Failed(_) | Outcome::TimedOut => record.failures += 1,
                Outcome::Succeeded | Outcome::Cancelled | Outcome::Terminated => {}
            }
            let status = match (ended.then, ended.outcome) {
                (Then::Retry { at }, _) => {
                    record.retry_at = at;
                    TaskStatus::Retrying
                }
                (Then::Final, Outcome::Succeeded) => TaskStatus::Succeeded,
                (Then::Final, Outcome::Failed(_)) => TaskStatus::Failed,
                // Whoever stopped the run would have ended it anyway.
                (Then::Final, Outcome::Lost) => lost,
                (Then::Final, Outcome::TimedOut) => TaskStatus::TimedOut,
                (Then::Final, Outcome::Cancelled) => TaskStatus::Cancelled,
                (Then::Final, Outcome::Terminated) => TaskStatus::Terminated,
            };
            self.set(key, status)?;
        }
        Ok(())
    }

    /// Ends what no worker holds of some tasks.
    fn close(&mut self, id: RunId, tasks: &IdSet, status: TaskStatus) -> Result<(), String> {
        let run = self.run_mut(id)?;
        for task in tasks.iter().map(TaskId) {
            for item in (0..run.tasks[task.0 as usize].count).map(ItemId) {
                let from = run.item(task, item).map(|item| item.status);
                if from.is_some_and(|from| !from.is_final() && !from.is_live()) {
                    run.set(task, item, status)?;
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, key: ItemKey, status: TaskStatus) -> Result<(), String> {
        self.item_mut(key)?;
        self.run_mut(key.run)?.set(key.task, key.item, status)
    }

    fn run_mut(&mut self, run: RunId) -> Result<&mut Run, String> {
        self.runs.get_mut(&run).ok_or_else(|| format!("run {run} is not known"))
    }

    fn item_mut(&mut self, key: ItemKey) -> Result<&mut Item, String> {
        let run = self.run_mut(key.run)?;
        let task = run.tasks.get(key.task.0 as usize).filter(|task| key.item.0 < task.count);
        let first = task.ok_or_else(|| format!("{key:?} is not in its run"))?.first;
        Ok(&mut run.items[(first + key.item.0) as usize])
    }
}

/// What tells an entry of the journal from another: its place, its time, its kind and its items.
#[must_use]
pub fn fingerprint(entry: &journal::Entry) -> u64 {
    let at = |key: TaskKey, items: u64| {
        mix(key.run.0 ^ u64::from(key.task.0) << 40) ^ mix(items).rotate_left(9)
    };
    let set = |items: &IdSet| {
        items
            .ranges()
            .iter()
            .fold(0, |hash, range| mix(hash ^ u64::from(range.start) << 32 ^ u64::from(range.end)))
    };
    let fact = match &entry.fact {
        Fact::AttemptsLeased { task, items, worker } => {
            at(*task, u64::from(items.start) << 32 | u64::from(items.end)) ^ u64::from(worker.0)
        }
        Fact::AttemptsStarted { task, items } => at(*task, set(items)) ^ 1,
        Fact::LeasesReturned { task, items } => at(*task, set(items)) ^ 2,
        Fact::AttemptsEnded(ended) => {
            let items = ended.ends.iter().fold(3, |hash, end| mix(hash ^ u64::from(end.0.0)));
            at(ended.task, items ^ u64::from(ended.outcome == Outcome::Succeeded))
        }
        Fact::RunAdmitted(run) => mix(run.run.0) ^ 4,
        Fact::RunEnded { run, status } => mix(run.0) ^ (5 + *status as u64),
        _ => 15,
    };
    mix(entry.seq.0) ^ mix(entry.at.0 ^ entry.epoch.0.rotate_left(32)).rotate_left(21) ^ fact
}
