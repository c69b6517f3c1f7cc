//! What the durable facts say, kept a second time and in the plainest way.
//!
//! The engine's state is packed and indexed; this one is arrays of structs, so that a mistake in
//! one is not repeated in the other. It is fed in the order of the journal, and only with what is
//! durable. The invariants read it; nothing of the product ever does.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::collections::HashMap;
use model::fact::{AmendCause, AttemptsEnded, RunAdmitted, StopCause, WorkerJoined};
use model::hash::mix;
use model::outcome::{Failure, Spent, Then};
use model::{
    DeviceSet, Digest, Epoch, Fact, Graph, IdSet, ItemId, ItemKey, Outcome, RunId, RunStatus, Seq,
    TaskKey, TaskStatus, Timestamp, Token, VariantId, WorkerId,
};

pub mod breakers;
mod change;
mod devices;
mod gang;
pub mod lane;
mod mark;
mod queues;
mod run;
mod shares;
mod version;

use self::breakers::{Breakers, Turned};
use self::lane::Lane;
use self::queues::Queues;
pub use devices::Devices;
pub use run::{Followed, Item, Joined, Run};
pub use shares::Shares;
pub use version::Fit;

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
    /// What all runs share.
    pub shares: Shares,
    /// What each queue has.
    pub queues: Queues,
    /// Whether the coordinator has queues.
    pub has_queues: bool,
    /// What is taken of devices.
    pub devices: Devices,
    /// What is kept for critical work.
    pub lane: Lane,
    /// What all runs depend on.
    pub breakers: Breakers,
    /// The fact with which the present leader began.
    pub led_since: Seq,
    /// The attempt whose tasks were the last fact: its end must be the next.
    pub wrote: Option<ItemKey>,
    /// Live leases of all runs.
    pub live: usize,
    /// The first transition that no table allows.
    pub illegal: Option<String>,
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
        self.wrote = None;
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
            Fact::LeaderStarted { .. } => {
                self.led_since = entry.seq;
                Ok(())
            }
            Fact::WorkerJoined(joined) => {
                self.workers.insert(joined.worker, (**joined).clone());
                Ok(())
            }
            Fact::WorkerLost { worker, .. } => {
                self.workers.remove(worker).map(|_| ()).ok_or(format!("{worker:?} is not known"))
            }
            Fact::RunAdmitted(admitted) => self.admit(admitted, graph(&admitted.graph), entry.at),
            Fact::RunAmended(amended) => {
                if let AmendCause::Generated { task, item } = amended.cause {
                    self.wrote = Some(ItemKey { run: amended.run, task, item });
                }
                let graph = graph(&amended.graph);
                self.run_mut(amended.run)?.amend(amended, graph, entry.at);
                Ok(())
            }
            Fact::AttemptsLeased { task, items, worker, variant, devices } => {
                let given = (Token::from(entry.seq), *worker, *variant, *devices);
                items.clone().try_for_each(|item| self.lease(task.item(ItemId(item)), given))
            }
            Fact::GangLeased { task, parts } => parts.iter().try_for_each(|part| {
                let given = (Token::from(entry.seq), part.worker, VariantId(0), part.devices);
                part.items.clone().try_for_each(|item| self.lease(task.item(ItemId(item)), given))
            }),
            Fact::AttemptsStarted { task, items } => items.iter().try_for_each(|item| {
                let key = task.item(ItemId(item));
                self.item_mut(key)?.started_at = Some(entry.at);
                self.set(key, TaskStatus::Running)
            }),
            Fact::AttemptsCheckpointed { .. } => Ok(()),
            Fact::AttemptsPreempted { task, items } => items.iter().try_for_each(|item| {
                self.item_mut(task.item(ItemId(item)))?.leaving = true;
                Ok(())
            }),
            Fact::AttemptOverran { item } => self.item_mut(*item).map(|item| item.overran = true),
            Fact::AttemptsEnded(ended) => self.end(ended),
            Fact::LeasesReturned { task, items } => self.returned(*task, items),
            Fact::RunForgotten { run } => {
                let forgotten = self.runs.remove(run).ok_or("the run is not known")?;
                if let Some(key) = forgotten.admitted.key {
                    self.keys.remove(&key);
                }
                Ok(())
            }
            Fact::Restored(_) => Err("a fact of snapshots stands in the journal".to_owned()),
            fact => self.apply_to_run(fact, entry.at),
        }
    }

    /// A fact about how a run goes on.
    fn apply_to_run(&mut self, fact: &Fact, at: Timestamp) -> Result<(), String> {
        match fact {
            Fact::HandlersReleased { run, tasks } => {
                self.run_mut(*run)?.release_handlers(tasks, at);
                Ok(())
            }
            Fact::TaskAnswered(answered) => {
                let run = self.run_mut(answered.task.run)?;
                run.answer(answered.task.task, answered.answer, at)
            }
            Fact::TaskSettled { task, verdict, .. } => {
                self.run_mut(task.run)?.settle(task.task, *verdict, at)
            }
            Fact::TasksSkipped { run, tasks } => {
                self.run_mut(*run)?.close(tasks, TaskStatus::Skipped, at)
            }
            Fact::TasksCancelled { run, tasks } => {
                let run = self.run_mut(*run)?;
                let status = run.cause.map_or(TaskStatus::Cancelled, StopCause::task_status);
                run.close(tasks, status, at)
            }
            Fact::TasksUnsatisfiable { run, tasks } => {
                let run = self.run_mut(*run)?;
                run.gave_up = true;
                run.close(tasks, TaskStatus::Failed, at)
            }
            Fact::RunStopping { run, cause } => {
                let run = self.run_mut(*run)?;
                run.cause = Some(*cause);
                // A termination may outdo a stop: the status then stays what it is.
                let stops = run.status != RunStatus::Stopping;
                if stops { run.turn(RunStatus::Stopping) } else { Ok(()) }
            }
            Fact::RunPaused { run, .. } => self.run_mut(*run)?.turn(RunStatus::Paused),
            Fact::RunResumed { run } => self.run_mut(*run)?.turn(RunStatus::Running),
            Fact::RunEnded { run, status } => self.run_mut(*run)?.turn(*status),
            Fact::RoundOpened { run, tasks, scope } => {
                let run = self.run_mut(*run)?;
                run.reopen(tasks, *scope, at);
                run.open_round()
            }
            Fact::ItemsReopened { task, items } => {
                let since = self.last;
                let run = self.run_mut(task.run)?;
                run.reopen_items(task.task, (items, since), at);
                run.open_round()
            }
            Fact::Marked(marked) => self.run_mut(marked.run)?.mark(marked, at),
            Fact::DeadlinePassed { run, tasks } => self.run_mut(*run)?.run_out(tasks, at),
            _ => Err("the fact is not known".to_owned()),
        }
    }

    fn admit(&mut self, run: &RunAdmitted, graph: Arc<Graph>, at: Timestamp) -> Result<(), String> {
        if let Some(key) = run.key {
            self.keys.insert(key, run.run);
        }
        let mut fresh = Run::new(run, graph, at);
        fresh.start(at);
        match self.runs.insert(run.run, fresh) {
            Some(_) => Err(format!("run {} is admitted twice", run.run)),
            None => Ok(()),
        }
    }

    fn lease(
        &mut self,
        key: ItemKey,
        (token, worker, variant, devices): (Token, WorkerId, VariantId, DeviceSet),
    ) -> Result<(), String> {
        self.live += 1;
        let run = self.runs.get_mut(&key.run).ok_or("the run is not known")?;
        run.live += 1;
        let policy = run.graph.policy(key.task);
        if let Some((request, _)) = policy.variants().nth(usize::from(variant.0)) {
            self.devices.take(key, (worker, devices), &request.devices);
            self.lane.take(key, (worker, policy.critical), request);
            self.queues.take(key, &run.admitted.queue, request.cpu_milli);
        }
        let shared = policy.shared_of(variant);
        self.shares.take(shared, key, self.at);
        self.breakers.lease(&shared.breakers, key, self.at);
        let item = self.item_mut(key)?;
        (item.token, item.worker, item.variant) = (token, worker, variant);
        (item.started_at, item.overran, item.leaving) = (None, false, false);
        (item.done, item.dismissed) = (false, false);
        self.set(key, TaskStatus::Leased)
    }

    fn returned(&mut self, task: TaskKey, items: &IdSet) -> Result<(), String> {
        let (was_whole, at) = (self.is_whole(task), self.at);
        for item in items.iter() {
            let key = task.item(ItemId(item));
            self.unlease(key);
            let gang = self.run_mut(key.run)?.graph.policy(key.task).gang;
            let record = self.item_mut(key)?;
            // What asks for more than its task is none of its ready items, nor is who waits for
            // the others of its gang.
            let waits = record.growths > 0 || gang;
            (record.retry_at, record.returned) = (at, true);
            record.retry_way = VariantId(0);
            self.set(key, if waits { TaskStatus::Retrying } else { TaskStatus::Ready })?;
        }
        if was_whole { self.disband(task, Then::Retry { at }) } else { Ok(()) }
    }

    fn unlease(&mut self, key: ItemKey) {
        self.shares.give_back(key);
        self.devices.give_back(key);
        self.lane.give_back(key);
        self.queues.give_back(key);
        self.breakers.unlease(key);
        self.live = self.live.saturating_sub(1);
        if let Some(run) = self.runs.get_mut(&key.run) {
            run.live = run.live.saturating_sub(1);
        }
    }

    fn end(&mut self, ended: &AttemptsEnded) -> Result<(), String> {
        let now = self.at;
        for &(item, end) in &ended.ends {
            let key = ended.task.item(item);
            let trial = self.is_failed_trial(key, ended.outcome);
            self.account(key, ended.outcome, end.spent)?;
            if ended.then == Then::WithGang {
                self.member_done(key)?;
                continue;
            }
            let was_whole = self.is_whole(ended.task);
            let failed = self.end_of_gang(ended.task);
            self.unlease(key);
            let run = self.run_mut(key.run)?;
            let gang = run.graph.policy(key.task).gang;
            let growing = run.graph.policy(key.task).retry.memory.is_some();
            let in_order = run.graph.policy(key.task).alternatives.is_empty();
            let stops = run.cause.is_some();
            let handler = run.graph.policy(key.task).trigger.is_handler();
            let ending = run.cause.filter(|_| !handler);
            let lost = ending.map_or(TaskStatus::Failed, StopCause::task_status);
            let record = self.item_mut(key)?;
            record.last = Some(ended.outcome);
            let hungry = ended.outcome == Outcome::Failed(Failure::OutOfMemory);
            if growing && hungry && ended.then != Then::Final {
                record.growths = (record.growths + 1).min(7);
            }
            record.asked = stops || record.overran || record.leaving || record.dismissed;
            record.returned |= ended.outcome == Outcome::Preempted;
            match ended.outcome {
                // One member is charged for all.
                _ if gang && !was_whole => {}
                _ if matches!(ended.then, Then::Instead(_)) => {}
                _ if trial => record.losses += 1,
                Outcome::Lost => record.losses += 1,
                Outcome::Failed(_) | Outcome::TimedOut => record.failures += 1,
                Outcome::Succeeded
                | Outcome::Cancelled
                | Outcome::Terminated
                | Outcome::Preempted => {}
            }
            let same = in_order && matches!(ended.outcome, Outcome::Lost | Outcome::Preempted);
            record.retry_way = if same { record.variant } else { VariantId(0) };
            let status = match (ended.then, ended.outcome) {
                (Then::Retry { at }, _) => {
                    record.retry_at = at;
                    TaskStatus::Retrying
                }
                (Then::Instead(variant), _) => {
                    (record.retry_at, record.retry_way) = (now, variant);
                    TaskStatus::Retrying
                }
                (_, Outcome::Succeeded) => TaskStatus::Succeeded,
                (_, Outcome::Failed(_)) => TaskStatus::Failed,
                // Whoever stopped the run would have ended it anyway.
                (_, Outcome::Lost) => lost,
                (_, Outcome::TimedOut) => TaskStatus::TimedOut,
                (_, Outcome::Cancelled | Outcome::Preempted) => {
                    failed.filter(|_| gang).unwrap_or(TaskStatus::Cancelled)
                }
                (_, Outcome::Terminated) => TaskStatus::Terminated,
            };
            self.set(key, status)?;
            if was_whole {
                self.disband(ended.task, ended.then)?;
            }
        }
        Ok(())
    }

    /// Whether such an end is that of a trial which opens a breaker again.
    #[must_use]
    pub fn is_failed_trial(&self, key: ItemKey, outcome: Outcome) -> bool {
        let Some(run) = self.run(key.run) else { return false };
        let breakers = &run.taken(key.task, key.item).breakers;
        self.breakers.turned(breakers, (key, outcome), self.at) == Some(Turned::OpenedAgain)
    }

    /// What an end means beyond its item. Before the lease is over.
    fn account(&mut self, key: ItemKey, outcome: Outcome, spent: Spent) -> Result<(), String> {
        let run = self.runs.get_mut(&key.run).ok_or("the run is not known")?;
        run.cost_micro += spent.cost_micro;
        let shared = run.taken(key.task, key.item);
        self.shares.settle(shared, (outcome, spent), self.at);
        self.breakers.end(&shared.breakers, (key, outcome), self.at);
        Ok(())
    }

    fn set(&mut self, key: ItemKey, status: TaskStatus) -> Result<(), String> {
        self.item_mut(key)?;
        let at = self.at;
        self.run_mut(key.run)?.set((key.task, key.item), status, at)
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
        Fact::AttemptsLeased { task, items, worker, variant, devices } => {
            at(*task, u64::from(items.start) << 32 | u64::from(items.end))
                ^ u64::from(worker.0)
                ^ u64::from(variant.0).rotate_right(8)
                ^ mix(devices.0)
        }
        Fact::GangLeased { task, parts } => parts.iter().fold(at(*task, 16), |hash, part| {
            let given = u64::from(part.items.end) << 32 | u64::from(part.worker.0);
            mix(hash ^ given) ^ mix(part.devices.0)
        }),
        Fact::AttemptsStarted { task, items } => at(*task, set(items)) ^ 1,
        Fact::LeasesReturned { task, items } => at(*task, set(items)) ^ 2,
        Fact::AttemptsEnded(ended) => {
            let items = ended.ends.iter().fold(3, |hash, end| mix(hash ^ u64::from(end.0.0)));
            at(ended.task, items ^ u64::from(ended.outcome == Outcome::Succeeded))
        }
        Fact::TaskAnswered(answered) => at(answered.task, 6),
        Fact::TaskSettled { task, verdict, .. } => at(*task, 7 + *verdict as u64),
        Fact::RunAdmitted(run) => mix(run.run.0) ^ 4,
        Fact::RunAmended(amended) => {
            let word = amended.graph.0.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
            mix(amended.run.0 ^ word.rotate_left(11)) ^ 8
        }
        Fact::Marked(marked) => mix(marked.run.0 ^ set(&marked.tasks)) ^ 9,
        Fact::ItemsReopened { task, items } => at(*task, set(items)) ^ 10,
        Fact::DeadlinePassed { run, tasks } => mix(run.0 ^ set(tasks)) ^ 12,
        Fact::RunEnded { run, status } => mix(run.0) ^ (5 + *status as u64),
        _ => 15,
    };
    mix(entry.seq.0) ^ mix(entry.at.0 ^ entry.epoch.0.rotate_left(32)).rotate_left(21) ^ fact
}
