//! Recomputes what is kept by increments and compares (invariant S10), and checks the relations
//! that must hold in every state (S2, S3, S7, S15). For tests, the simulator and debug builds.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use model::fact::Standing;
use model::policy::Stage;
use model::resources::WHOLE_DEVICE;
use model::status::TaskStatus;
use model::{Attempt, ItemId, ItemKey, RunId, TaskId, TaskKey, WorkerId};

use crate::engine::Engine;
use crate::state::{DeviceUse, Fate, Item, ReadyIndex, Run, Shares, State, Timer, Timers, Worker};

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's id.
    pub id: &'static str,
    /// What was found.
    pub what: String,
}

fn ensure(holds: bool, id: &'static str, what: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { id, what: what() }) }
}

impl Engine {
    /// Checks everything. Cost grows with the whole state.
    ///
    /// # Errors
    /// The first violation.
    pub fn check(&self) -> Result<(), Violation> {
        let state = self.state();
        for (id, run) in state.runs() {
            check_counts(id, run)?;
            check_order(id, run)?;
            check_gangs(state, id, run)?;
        }
        check_leases(state)?;
        check_workers(state)?;
        check_locks(state)?;
        check_indexes(state)?;
        if state.changes.is_told() {
            let told = self.volatile().planning.is_true_to(state);
            told.map_err(|what| Violation { id: "S10", what })?;
        }
        Ok(())
    }
}

fn check_counts(id: RunId, run: &Run) -> Result<(), Violation> {
    let mut items: BTreeMap<TaskStatus, u32> = BTreeMap::new();
    let (mut open, mut troubled, mut waits) = ([0; Stage::ALL.len()], 0, 0);
    for task in run.graph().tasks() {
        let status = run.task(task).status();
        open[run.stage(task) as usize] += u32::from(!status.is_final());
        troubled += u32::from(run.is_troubled_by(task, status));
        waits += u32::from(run.wait(task).is_some());
        match run.fan(task) {
            Some(fan) => {
                fan.items().iter().for_each(|item| *items.entry(item.status()).or_default() += 1);
                let mut fresh = fan.clone();
                fresh.rebuild_ready();
                ensure(fresh == *fan, "S10", || format!("ready ranges of {id}/{task}"))?;
            }
            None => *items.entry(status).or_default() += 1,
        }
    }
    let (kept, found) = ((run.open, run.troubled, run.waits), (open, troubled, waits));
    ensure(kept == found, "S10", || format!("run {id} counts {kept:?}, not {found:?}"))?;
    let same = run.items().iter().eq(items);
    ensure(same, "S10", || format!("item counts of run {id}"))?;
    ensure(!run.status().is_final() || open == [0; Stage::ALL.len()], "S7", || {
        format!("run {id} has ended with open tasks")
    })
}

/// Nothing has begun before its join was met (S3), what is counted of edges is so (S10), and what
/// may go on does: it has begun, asks, or is skipped (S15).
fn check_order(id: RunId, run: &Run) -> Result<(), Violation> {
    for (task, counts) in run.graph().tasks().zip(run.edge_counts()) {
        let record = run.task(task);
        match record.status() {
            TaskStatus::Pending => {
                let kept = (record.waiting_for, record.undecided);
                ensure(kept == counts, "S10", || {
                    format!("{id}/{task} counts its edges {kept:?}, not {counts:?}")
                })?;
                let asks = run.asking.contains(&task);
                let due = record.fate() == Fate::Begins;
                ensure(asks == due && record.fate() != Fate::IsSkipped, "S15", || {
                    format!("{id}/{task} is {:?} and asks: {asks}", record.fate())
                })?;
            }
            TaskStatus::Skipped | TaskStatus::Cancelled | TaskStatus::Terminated => {}
            status if status.is_final() && may_precede_its_turn(run, task) => {}
            status => {
                let (waiting_for, _) = counts;
                ensure(waiting_for == 0, "S3", || {
                    format!("{id}/{task} is {status} and waits for {waiting_for} edges more")
                })?;
            }
        }
    }
    let left = run.asking().all(|task| run.task(task).status() == TaskStatus::Pending);
    ensure(left, "S15", || format!("a task of {id} asks and is not pending"))
}

/// Whether a task that has ended may have done so before its turn: it, or an item of it, is only
/// held to have ended, or its deadline came first.
fn may_precede_its_turn(run: &Run, task: TaskId) -> bool {
    let record = run.task(task);
    let late = record.status() == TaskStatus::TimedOut && run.task_deadline(task).is_some();
    let held = |item: &Item| {
        let status = item.status();
        let ended = matches!(status, TaskStatus::Succeeded | TaskStatus::Failed);
        ended && item.attempts() == Attempt::default()
    };
    let in_part = run.fan(task).is_some_and(|fan| fan.items().iter().any(held));
    late || record.is_marked() || in_part
}

/// The members of a gang are with workers all together and work, or none of them is, or those that
/// are have been told to leave (S41).
fn check_gangs(state: &State, id: RunId, run: &Run) -> Result<(), Violation> {
    for task in run.graph().tasks() {
        let key = TaskKey { run: id, task };
        let held = run.held_items(task).filter_map(|item| state.lease(key.item(item)));
        let (mut working, mut done, mut dismissed) = (0, 0, 0);
        held.for_each(|lease| match lease.standing {
            Standing::Working => working += 1,
            Standing::Done => done += 1,
            Standing::Dismissed(_) => dismissed += 1,
        });
        let holds = match (run.is_gang(task), working + done) {
            (false, _) => done + dismissed == 0,
            (true, 0) => true,
            (true, whole) => dismissed == 0 && working > 0 && whole == run.item_count(task),
        };
        ensure(holds, "S41", || {
            format!("of {id}/{task} {working} members work, {done} have, and {dismissed} leave")
        })?;
    }
    Ok(())
}

fn check_leases(state: &State) -> Result<(), Violation> {
    let mut live = 0;
    for (&item, lease) in &state.leases {
        let record = state.run(item.run).and_then(|run| run.item(item.task, item.item));
        let expected =
            if lease.started_at.is_some() { TaskStatus::Running } else { TaskStatus::Leased };
        ensure(record.is_some_and(|record| record.status() == expected), "S2", || {
            format!("lease of {item:?} beside {record:?}")
        })?;
        live += 1;
    }
    let expected: u32 = state.runs().map(|(_, run)| run.live()).sum();
    ensure(live == expected, "S2", || format!("{live} leases for {expected} live items"))
}

fn check_workers(state: &State) -> Result<(), Violation> {
    let named = state.workers.iter().filter(|(_, worker)| !worker.gone);
    let named = named.map(|(&id, worker)| (worker.name.clone(), id)).collect();
    ensure(state.by_name == named, "S10", || "workers by their names".into())?;
    for (id, worker) in state.workers() {
        let held: BTreeSet<ItemKey> =
            state.leases.iter().filter(|(_, lease)| lease.worker == id).map(|x| *x.0).collect();
        ensure(held == worker.items, "S10", || format!("items of worker {id}"))?;
        let unstarted = held.iter().filter(|item| state.leases[*item].started_at.is_none());
        ensure(unstarted.count() == worker.unstarted as usize, "S10", || {
            format!("unstarted leases of worker {id}")
        })?;
        let mut sum = worker.leased.clone();
        for item in &held {
            let amounts = &state.classes.get(state.leases[item].class).amounts;
            sum.iter_mut().zip(amounts).for_each(|(sum, asked)| *sum = sum.wrapping_sub(*asked));
        }
        ensure(sum.iter().all(|&rest| rest == 0), "S10", || format!("amounts of worker {id}"))?;
        check_devices(state, id, worker)?;
    }
    Ok(())
}

/// What is taken of each device follows from the live leases, and none is given twice.
fn check_devices(state: &State, id: WorkerId, worker: &Worker) -> Result<(), Violation> {
    let mut uses = alloc::vec![DeviceUse::default(); worker.devices.len()];
    for item in &worker.items {
        let lease = &state.leases[item];
        let asked = &state.classes.get(lease.class).request.devices;
        for place in lease.devices.iter().map(usize::from) {
            if let Some(used) = uses.get_mut(place) {
                used.share += u64::from(asked.share);
                used.memory_bytes += asked.memory_bytes;
            }
        }
    }
    ensure(uses == worker.device_use, "S10", || format!("devices of worker {id}"))?;
    let mut both = uses.iter().zip(&worker.devices);
    let holds = both.all(|(used, device)| {
        used.share <= u64::from(WHOLE_DEVICE) && used.memory_bytes <= device.memory_bytes
    });
    ensure(holds, "S31", || format!("a device of worker {id} is given twice: {uses:?}"))
}

/// Who holds which lock, and who tries which breaker, follows from the live leases.
fn check_locks(state: &State) -> Result<(), Violation> {
    let mut shares = Shares { full_at: state.shares.full_at.clone(), ..Shares::default() };
    shares.circuits.clone_from(&state.shares.circuits);
    shares.circuits.values_mut().for_each(|circuit| circuit.trials.clear());
    for (&item, lease) in &state.leases {
        shares.hold(&state.classes.get(lease.class).shared, item, lease.leased_at);
        let class = state.run(item.run).map(|run| run.class_of(item.task, item.item));
        let class = class.map(|class| state.classes.variant(class, lease.variant));
        ensure(class == Some(lease.class), "S10", || {
            format!("the class of the lease of {item:?}")
        })?;
    }
    ensure(shares == state.shares, "S10", || {
        String::from("the holders of locks, or the trials of breakers")
    })
}

/// Whether the time of a run in this status counts.
const fn is_timed(status: model::RunStatus) -> bool {
    matches!(status, model::RunStatus::Running | model::RunStatus::Paused)
}

fn check_indexes(state: &State) -> Result<(), Violation> {
    let mut ready = ReadyIndex::default();
    let mut timers = Timers::new();
    for (id, run) in state.runs() {
        for task in run.graph().tasks() {
            let key = TaskKey { run: id, task };
            if run.ready_items(task) > 0 {
                ready.insert(run.class(task), key);
            }
            let items = run.fan(task).map_or(1, |fan| fan.items().len());
            for item in (0u32..).take(items).map(ItemId) {
                let retrying = run.item(task, item).map(|item| item.status());
                if retrying == Some(TaskStatus::Retrying) {
                    let due = state.ready.waiting.get(&key.item(item)).copied().unwrap_or_default();
                    ready.insert_retry(run.class_of(task, item), key.item(item), due);
                }
            }
        }
        if let Some(deadline) = run.deadline().filter(|_| is_timed(run.status())) {
            timers.insert((deadline, Timer::Run(id)));
        }
    }
    for (id, run) in state.runs() {
        let waits = run.graph().tasks().filter_map(|task| Some((task, run.wait(task)??)));
        timers.extend(waits.map(|(task, until)| (until, Timer::Wait(TaskKey { run: id, task }))));
    }
    for (&item, lease) in state.leases.iter().filter(|(_, lease)| !lease.is_ending()) {
        let timeout = state.run(item.run).and_then(|run| run.graph().policy(item.task).timeout);
        if let (Some(started_at), Some(timeout)) = (lease.started_at, timeout) {
            timers.insert((started_at + timeout, Timer::Attempt(item)));
        }
    }
    ensure(ready == state.ready, "S10", || String::from("the ready index"))?;
    ensure(timers == state.timers, "S10", || String::from("the timers"))
}

#[cfg(test)]
mod tests {
    //! What the check would say of an index that was not kept: the one fault that can't be planted
    //! from outside, because nothing outside can write state.

    use super::*;
    use crate::input::{Input, RequestId, Submission};
    use alloc::boxed::Box;
    use alloc::sync::Arc;
    use model::fact::RunAdmitted;
    use model::graph::GraphParts;
    use model::policy::{FailurePolicy, Policy, Priority};
    use model::{Digest, Graph, TaskId, Timestamp};

    fn engine() -> Engine {
        let parts = GraphParts {
            policies: vec![Policy::default()],
            policy_of: vec![0, 0],
            edges: vec![(0, 1)],
            fan_outs: vec![(1, 3)],
            ..GraphParts::default()
        };
        let graph = Arc::new(Graph::new(Digest::default(), parts).unwrap());
        let run = RunAdmitted {
            run: RunId(0),
            key: None,
            tenant: "default".into(),
            queue: "default".into(),
            name: "checked".into(),
            identity: Digest::default(),
            content: Digest::default(),
            graph: Digest::default(),
            definition: Digest::default(),
            priority: Priority::default(),
            failure: FailurePolicy::FailFast,
            timeout: None,
            concurrency: None,
            cost_limit_micro: None,
            trace: 1,
        };
        let mut engine = Engine::new();
        let submission = Submission { request: RequestId(1), run, graph, done: Vec::new() };
        engine.step(Timestamp(1), Input::Submit(Box::new(submission)));
        engine.check().expect("nothing is wrong yet");
        engine
    }

    fn violation(change: impl FnOnce(&mut State)) -> Option<&'static str> {
        let mut engine = engine();
        change(engine.state_mut());
        engine.check().err().map(|violation| violation.id)
    }

    #[test]
    fn an_index_that_was_not_cleaned_breaks_s10() {
        let key = TaskKey { run: RunId(1), task: TaskId(1) };
        let stale = violation(|state| {
            state.ready.insert(state.runs[&key.run].class(key.task), key);
        });
        assert_eq!(stale, Some("S10"));
        let missing = violation(|state| state.ready.tasks.clear());
        assert_eq!(missing, Some("S10"));
        let timer = violation(|state| {
            state.timers.insert((Timestamp(5), Timer::Run(key.run)));
        });
        assert_eq!(timer, Some("S10"));
    }

    #[test]
    fn a_count_that_was_not_kept_breaks_s10() {
        let kept = violation(|state| {
            state.runs.get_mut(&RunId(1)).expect("admitted").open[0] = 1;
        });
        assert_eq!(kept, Some("S10"));
    }
}
