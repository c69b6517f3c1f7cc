//! What the planner is told, and what it answers.
//!
//! The planner keeps what it knows; here it is told what has changed, in its own words: workers are
//! nodes, tasks with ready items are groups, leases take what their classes ask for. Nothing here
//! decides anything, and nothing here is durable: a new leader tells its planner everything anew.

mod allowances;
mod classes;
mod estimates;
mod forecast;
mod lane;
mod nodes;
mod queues;
mod sites;
mod waiting;

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use model::collections::HashMap;
use model::{ItemId, ItemKey, RunId, Span, TaskId, TaskKey, Timestamp, WorkerId};
use scheduler::{ALL_ITEMS, GroupKey, Plan, Planner};

use crate::decide::Session;
use crate::rules::Rules;
use crate::state::{Change, State};
pub(crate) use allowances::Limit;
pub(crate) use classes::Way;
pub use lane::{KeptResource, KeptRoom};
pub(crate) use queues::QueueMiss;
pub use queues::QueueUse;

use classes::{Sort, Ways};
use forecast::Forecast;
use lane::Lane;
use nodes::Nodes;
use queues::Queues;

/// Units that one plan may cost: some tens of milliseconds. What is left has its turn in the next.
const FUEL: u64 = 1_000_000;

/// What waits for a time that the planner expects is looked at again at that time, and no sooner
/// than after this.
const LOOK_AGAIN: Span = Span::millis(250);

/// The planner, and what it has been told.
#[derive(Debug)]
pub(crate) struct Planning {
    rules: Rules,
    planner: Planner,
    queues: Queues,
    nodes: Nodes,
    ways: Ways,
    lane: Lane,
    /// What the allowances of the last plan stand for.
    limits: Vec<Limit>,
    forecasts: HashMap<RunId, Forecast>,
    /// Items that wait for their next attempt, and whose turn it is.
    due: BTreeSet<ItemKey>,
    /// Runs of which the planner is still to be told what is left.
    stirred: BTreeSet<RunId>,
    /// Whether anything has made the last plan old.
    pub(crate) changed: bool,
    /// When the last plan was made.
    pub(crate) planned_at: Timestamp,
    /// When something that was refused may find what it needs, if nothing happens before.
    pub(crate) look_at: Option<Timestamp>,
}

/// The names of what waits, as the planner uses them: the ready items of a task, or one item that
/// is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The ready items of a task.
    Task(TaskKey),
    /// An item whose next attempt is due.
    Retry(ItemKey),
}

impl Origin {
    pub(crate) const fn task(self) -> TaskKey {
        match self {
            Self::Task(task) => task,
            Self::Retry(item) => item.task_key(),
        }
    }

    /// The item, if it is one.
    pub(crate) const fn item(self) -> Option<ItemKey> {
        match self {
            Self::Task(_) => None,
            Self::Retry(item) => Some(item),
        }
    }

    const fn key(self) -> GroupKey {
        let (task, item) = match self {
            Self::Task(task) => (task, ALL_ITEMS),
            Self::Retry(item) => (item.task_key(), item.item.0),
        };
        GroupKey { run: task.run.0, task: task.task.0, item }
    }
}

impl From<GroupKey> for Origin {
    fn from(key: GroupKey) -> Self {
        let task = TaskKey { run: RunId(key.run), task: TaskId(key.task) };
        if key.item == ALL_ITEMS {
            Self::Task(task)
        } else {
            Self::Retry(task.item(ItemId(key.item)))
        }
    }
}

impl Planning {
    pub(crate) fn new(rules: &Rules) -> Self {
        let mut planner = Planner::new(rules.policy);
        Self {
            queues: Queues::new(&rules.queues, &mut planner),
            rules: rules.clone(),
            planner,
            nodes: Nodes::default(),
            ways: Ways::default(),
            lane: Lane::default(),
            limits: Vec::new(),
            forecasts: HashMap::default(),
            due: BTreeSet::new(),
            stirred: BTreeSet::new(),
            changed: false,
            planned_at: Timestamp::default(),
            look_at: None,
        }
    }

    /// Forgets what the planner was told, and tells it all there is.
    pub(crate) fn begin(&mut self, state: &mut State, now: Timestamp) {
        let anew = Self::new(&self.rules);
        *self = Self { changed: true, planned_at: now, ..anew };
        state.changes.keep();
        let workers: Vec<WorkerId> = state.workers().map(|(id, _)| id).collect();
        workers.into_iter().for_each(|worker| self.tell_worker(state, worker));
        let runs: Vec<RunId> = state.runs().map(|(id, _)| id).collect();
        runs.into_iter().for_each(|run| self.tell_run(state, run, now));
        let leases: Vec<ItemKey> = state.leases.keys().copied().collect();
        leases.into_iter().for_each(|item| self.tell_lease(state, item, now));
    }

    /// Tells the planner what has changed, and asks it for a plan.
    pub(crate) fn plan(
        &mut self,
        state: &mut State,
        sessions: &HashMap<WorkerId, Session>,
        now: Timestamp,
    ) -> Plan {
        self.tell_changes(state, now);
        let due: Vec<ItemKey> = state.ready.due_between(self.planned_at, now).collect();
        due.into_iter().for_each(|item| self.tell_retry(state, item, now));
        for (worker, node) in self.nodes.iter() {
            let session = sessions.get(&worker);
            self.planner.set_accepts(node, session.is_some_and(|it| it.is_lively(now)));
        }
        self.tell_sites(state);
        if self.planner.weigh() {
            let runs: Vec<RunId> = state.runs().map(|(id, _)| id).collect();
            runs.into_iter().for_each(|run| self.tell_run(state, run, now));
        }
        self.tell_ways(state, now);
        self.tell_quotas(state);
        self.tell_lane(state);
        (self.changed, self.planned_at) = (false, now);
        let plan = self.planner.plan(now.0, FUEL);
        let soonest = now + LOOK_AGAIN;
        self.look_at = match plan.is_out_of_fuel {
            // What cannot even be looked at is looked at again, and not at once: a plan that places
            // nothing would begin at the same place.
            true if plan.placements.is_empty() => Some(soonest),
            true => Some(now),
            false => plan.look_at.map(|at| Timestamp(at).max(soonest)),
        };
        plan
    }

    /// Not all that was planned could be: the next plan comes soon, and not at once.
    pub(crate) fn look_again(&mut self, now: Timestamp) {
        let soonest = now + LOOK_AGAIN;
        self.look_at = Some(self.look_at.map_or(soonest, |at| at.min(soonest)));
    }

    /// Tells the planner what facts have changed.
    pub(crate) fn tell_changes(&mut self, state: &mut State, now: Timestamp) {
        for change in state.changes.take() {
            match change {
                Change::Worker(worker) => self.tell_worker(state, worker),
                Change::Run(run) => self.tell_run(state, run, now),
                Change::Task(task) => self.tell_task(state, task, now),
                Change::Retry(item) => self.tell_retry(state, item, now),
                Change::Leased(item) => self.tell_lease(state, item, now),
                Change::Leaves(item) => self.tell_leaving(state, item),
                Change::Returned(item) => self.tell_return(state, item, now),
            }
        }
        for item in state.changes.take_saved() {
            self.tell_saved(state, item);
        }
        for run in core::mem::take(&mut self.stirred) {
            self.tell_room(state, run);
        }
    }

    /// What it goes by.
    pub(crate) const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The worker that a node stands for.
    pub(crate) fn worker(&self, node: scheduler::NodeId) -> Option<WorkerId> {
        self.nodes.worker(node)
    }

    /// The node that stands for a worker.
    pub(crate) fn node(&self, worker: WorkerId) -> Option<scheduler::NodeId> {
        self.nodes.node(worker)
    }

    /// How the items of a group would be done now; `None` if it does not wait.
    pub(crate) fn way(&self, key: GroupKey) -> Option<Way> {
        Some(self.ways.get(self.planner.group(key)?.class))
    }

    /// What of the last plan's refusals is true of whole classes.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (Way, scheduler::Refusal)> + '_ {
        self.planner.refused().map(|(class, refusal)| (self.ways.get(class), refusal))
    }

    /// What an allowance of the last plan stands for.
    pub(crate) fn limit(&self, allowance: scheduler::AllowanceId) -> Option<&Limit> {
        self.limits.get(allowance.0 as usize)
    }

    /// The planner itself, to be asked.
    pub(crate) const fn planner(&self) -> &Planner {
        &self.planner
    }

    /// The name by which the planner knows what waits.
    pub(crate) const fn key(origin: Origin) -> GroupKey {
        origin.key()
    }

    /// Whether the planner knows as much as it would be told if it was told all anew: for checks.
    pub(crate) fn is_true_to(&self, state: &State) -> Result<(), String> {
        waiting::check(self, state)?;
        queues::check(self, state)
    }

    fn class(&mut self, state: &State, sort: Sort, now: Timestamp) -> scheduler::ClassId {
        self.ways.class(state, sort, now, &mut self.planner)
    }
}
