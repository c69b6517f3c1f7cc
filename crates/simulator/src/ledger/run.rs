//! A run as the facts have it.
//!
//! Joins are worked out anew from the ends of the tasks before, each time one of these ends:
//! nothing is counted down, so that no count can be wrong in the way the engine's might be.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::control::{ControlAnswer, EdgeCondition, Join, Kind};
use model::fact::{RunAdmitted, StopCause};
use model::policy::{FailurePolicy, Priority, Trigger};
use model::shared::{Deadline, Shared};
use model::{
    Digest, Graph, IdSet, ItemId, Outcome, Round, RunStatus, Seq, TaskId, TaskStatus, Timestamp,
    Token, VariantId, WorkerId,
};

/// Stands for the worker of an item that no worker has.
pub const NOBODY: WorkerId = WorkerId(u32::MAX);

/// An item as the facts have it.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// Where it stands.
    pub status: TaskStatus,
    /// Failures and time-outs in this round.
    pub failures: u16,
    /// Losses in this round.
    pub losses: u16,
    /// How often in this round it asked for more memory than before.
    pub growths: u8,
    /// Its live lease, or the last one.
    pub token: Token,
    /// Who has that lease.
    pub worker: WorkerId,
    /// In which way it is, or was, done under it.
    pub variant: VariantId,
    /// The first of the ways in which it may be tried again.
    pub(super) retry_way: VariantId,
    /// When it started under it.
    pub started_at: Option<Timestamp>,
    /// Whether it was told that its time is up.
    pub overran: bool,
    /// Whether it was told to make room for others.
    pub leaving: bool,
    /// Since when it is ready, if it is.
    pub ready_at: Timestamp,
    /// Whether it has done its work, and waits for the others of its gang.
    pub done: bool,
    /// Whether it was told to end with its gang.
    pub dismissed: bool,
    /// When it may be leased again, if it is retrying.
    pub retry_at: Timestamp,
    /// How its last attempt ended.
    pub last: Option<Outcome>,
    /// Whether its last attempt may have been asked to end.
    pub asked: bool,
    /// Whether a lease of it was given back unused, or made room for others: its attempts then have
    /// other numbers than its plan counts by.
    pub returned: bool,
    /// Whether it is only held to have ended.
    pub marked: bool,
    /// Whether it ended because all of its task did, and not by an attempt of its own.
    pub with_task: bool,
}

impl Item {
    /// The first of the ways in which it may be done next. What is ready, for the first time or in
    /// a new round, may be done in all of them.
    #[must_use]
    pub fn first_way(&self) -> VariantId {
        match self.status {
            TaskStatus::Retrying => self.retry_way,
            _ => VariantId(0),
        }
    }
}

/// An item of which nothing is known.
pub(super) const FRESH: Item = Item {
    status: TaskStatus::Pending,
    failures: 0,
    losses: 0,
    growths: 0,
    token: Token(0),
    worker: NOBODY,
    variant: VariantId(0),
    retry_way: VariantId(0),
    started_at: None,
    overran: false,
    leaving: false,
    ready_at: Timestamp(0),
    done: false,
    dismissed: false,
    retry_at: Timestamp(0),
    last: None,
    asked: false,
    returned: false,
    marked: false,
    with_task: false,
};

/// A task of a run.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// Where its items begin in [`Run::items`].
    pub first: u32,
    /// How many there are.
    pub count: u32,
    /// How many of them have not ended.
    pub open: u32,
    /// How it has ended, if it has.
    pub end: Option<TaskStatus>,
    /// Whether its join was met, and its question answered if it had one.
    pub begun: bool,
    /// Whether its join was met, and its question is not answered.
    pub asks: bool,
    /// The last answer of this round.
    pub answer: Option<ControlAnswer>,
    /// How often it has been opened anew.
    pub round: Round,
    /// The turn, if it is a loop, from 1.
    pub turn: u16,
    /// It waits, and ends by itself at this time, if at any.
    pub waits: Option<Option<Timestamp>>,
    /// How often it has begun to wait.
    pub waited: u32,
    /// Whether its stage has been reached, if it is a handler.
    pub released: bool,
    /// Whether the time by which it had to end has passed in this round.
    pub overdue: Option<Timestamp>,
    /// Its items as its graph has them: a list that was worked out late replaces them for a round.
    pub(super) home: (u32, u32),
}

impl Task {
    /// A task that waits, with its items.
    pub(super) const fn new(first: u32, count: u32) -> Self {
        Self {
            first,
            count,
            open: count,
            end: None,
            begun: false,
            asks: false,
            answer: None,
            round: Round(0),
            turn: 1,
            waits: None,
            waited: 0,
            released: false,
            overdue: None,
            home: (first, count),
        }
    }
}

/// Items that a person has let run again.
#[derive(Clone, Debug)]
pub struct Only {
    /// Their task.
    pub task: TaskId,
    /// The round of it that was opened.
    pub round: Round,
    /// Which.
    pub items: IdSet,
    /// The fact that opened it.
    pub since: Seq,
}

/// Something that followed from a fact by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// A task began, or asked.
    Went(TaskId),
    /// A task was skipped.
    Skipped(TaskId),
    /// A loop failed with its body.
    Spoilt(TaskId),
    /// A task began to wait.
    Waits(TaskId),
}

/// A run.
#[derive(Debug)]
pub struct Run {
    /// As it was admitted.
    pub admitted: RunAdmitted,
    /// What it has gone by, the admission first.
    pub versions: Vec<(Digest, Priority, Option<u32>)>,
    /// Its graph.
    pub graph: Arc<Graph>,
    /// How many tasks it was admitted with.
    pub original: usize,
    /// When its present round began.
    pub opened_at: Timestamp,
    /// When its graph or its round last changed.
    pub changed_at: Timestamp,
    /// Its tasks.
    pub tasks: Vec<Task>,
    /// The items of all tasks.
    pub items: Vec<Item>,
    /// Where it stands.
    pub status: RunStatus,
    /// Why it is to end early.
    pub cause: Option<StopCause>,
    /// What its attempts have cost that have ended.
    pub cost_micro: u64,
    /// Live leases.
    pub live: u32,
    /// Whether tasks of it were given up because no worker could hold them.
    pub gave_up: bool,
    /// Whether a person has retried it.
    pub reopened: bool,
    /// What rests on something that runs again, and has to run again, too: by the facts that
    /// follow at once.
    pub owed: BTreeSet<TaskId>,
    /// Which items a person has let run again, and no others of their task, in this round.
    pub only: Option<Only>,
    /// Loops, each with the first task of its body.
    pub loops: Vec<(TaskId, TaskId)>,
    /// Tasks that have been undone and not run again.
    pub undone: BTreeSet<TaskId>,
    /// What followed by itself since somebody last looked.
    pub followed: Vec<Followed>,
    /// The edges into each task.
    inputs: Vec<Vec<(TaskId, EdgeCondition)>>,
}

/// What the edges into a task make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// It goes on.
    Met,
    /// It never will.
    Impossible,
    /// More tasks have to end.
    Open,
}

impl Run {
    pub(super) fn new(admitted: &RunAdmitted, graph: Arc<Graph>, at: Timestamp) -> Self {
        let mut tasks = Vec::with_capacity(graph.len());
        let mut first = 0;
        for task in graph.tasks() {
            let count = graph.items(task);
            tasks.push(Task::new(first, count));
            first += count;
        }
        let mut run = Self {
            admitted: admitted.clone(),
            versions: vec![(admitted.graph, admitted.priority, admitted.concurrency)],
            graph,
            original: tasks.len(),
            opened_at: at,
            changed_at: at,
            tasks,
            items: vec![FRESH; first as usize],
            status: RunStatus::Running,
            cause: None,
            cost_micro: 0,
            live: 0,
            gave_up: false,
            reopened: false,
            only: None,
            owed: BTreeSet::new(),
            loops: Vec::new(),
            undone: BTreeSet::new(),
            followed: Vec::new(),
            inputs: Vec::new(),
        };
        run.read_edges();
        run
    }

    /// Takes the edges and the loops from the graph.
    pub(super) fn read_edges(&mut self) {
        let mut inputs = vec![Vec::new(); self.graph.len()];
        self.loops.clear();
        for task in self.graph.tasks() {
            if let Kind::Loop { first, .. } = self.graph.policy(task).kind {
                self.loops.push((first, task));
            }
            for (to, condition) in self.graph.edges_from(task) {
                inputs[to.0 as usize].push((task, condition));
            }
        }
        self.inputs = inputs;
    }

    /// By when a task must have ended.
    #[must_use]
    pub fn deadline(&self, task: TaskId) -> Option<Timestamp> {
        self.graph.policy(task).deadline.map(|deadline| match deadline {
            Deadline::After(span) => self.opened_at + span,
            Deadline::At(at) => at,
        })
    }

    /// An item, if it exists.
    #[must_use]
    pub fn item(&self, task: TaskId, item: ItemId) -> Option<&Item> {
        let task = self.tasks.get(task.0 as usize).filter(|task| item.0 < task.count)?;
        self.items.get((task.first + item.0) as usize)
    }

    /// What the live lease of an item takes of what all runs share.
    #[must_use]
    pub fn taken(&self, task: TaskId, item: ItemId) -> &Shared {
        let variant = self.item(task, item).map_or(VariantId(0), |item| item.variant);
        self.graph.policy(task).shared_of(variant)
    }

    /// A task.
    #[must_use]
    pub fn task(&self, task: TaskId) -> &Task {
        &self.tasks[task.0 as usize]
    }

    /// The items of a task.
    #[must_use]
    pub fn items_of(&self, task: TaskId) -> &[Item] {
        let Task { first, count, .. } = self.tasks[task.0 as usize];
        &self.items[first as usize..(first + count) as usize]
    }

    /// The edges into a task.
    #[must_use]
    pub fn inputs(&self, task: TaskId) -> &[(TaskId, EdgeCondition)] {
        &self.inputs[task.0 as usize]
    }

    /// Whether a task is a handler.
    #[must_use]
    pub fn is_handler(&self, task: TaskId) -> bool {
        self.graph.policy(task).trigger != Trigger::Dependencies
    }

    /// How many items of a task are leased.
    #[must_use]
    pub fn live_items(&self, task: TaskId) -> usize {
        if self.task(task).waits.is_some() {
            return 0;
        }
        self.items_of(task).iter().filter(|item| item.status.is_live()).count()
    }

    /// Whether an edge is met: `None` while the task that it comes from has not ended.
    #[must_use]
    pub fn is_met(&self, from: TaskId, condition: EdgeCondition) -> Option<bool> {
        let task = self.task(from);
        let end = task.end?;
        let failed = matches!(end, TaskStatus::Failed | TaskStatus::TimedOut);
        Some(match condition {
            EdgeCondition::Succeeded => end == TaskStatus::Succeeded,
            EdgeCondition::Failed => failed,
            EdgeCondition::Finished => failed || end == TaskStatus::Succeeded,
            EdgeCondition::Skipped => end == TaskStatus::Skipped,
            EdgeCondition::Route(route) => {
                end == TaskStatus::Succeeded && task.answer == Some(ControlAnswer::Route(route))
            }
        })
    }

    /// What the edges into a task make of it, whether its stage has been reached or not.
    #[must_use]
    pub fn joined(&self, task: TaskId) -> Joined {
        let edges = self.inputs(task);
        let decided = |&(from, condition): &(TaskId, EdgeCondition)| self.is_met(from, condition);
        let count = |wanted: Option<bool>| edges.iter().filter(|x| decided(x) == wanted).count();
        let (met, open) = (count(Some(true)), count(None));
        let needed = match self.graph.policy(task).join {
            Join::AllDone => return if open == 0 { Joined::Met } else { Joined::Open },
            Join::All => edges.len(),
            Join::Any => edges.len().min(1),
            Join::AtLeast(least) => edges.len().min(least as usize),
        };
        match () {
            () if met >= needed => Joined::Met,
            () if met + open < needed => Joined::Impossible,
            () => Joined::Open,
        }
    }

    /// Whether somebody who depends on a task counts on its failure, or on that of the loop that
    /// fails with it.
    #[must_use]
    pub fn is_expected(&self, task: TaskId) -> bool {
        let is_loop = |next: TaskId| matches!(self.graph.policy(next).kind, Kind::Loop { .. });
        self.is_caught(task)
            || self.graph.successors(task).any(|next| is_loop(next) && self.is_expected(next))
    }

    /// Whether somebody other than a loop around it counts on the failure of a task.
    fn is_caught(&self, task: TaskId) -> bool {
        self.graph.edges_from(task).any(|(next, condition)| {
            let policy = self.graph.policy(next);
            matches!(condition, EdgeCondition::Failed | EdgeCondition::Finished)
                || policy.join == Join::AllDone && !matches!(policy.kind, Kind::Loop { .. })
        })
    }

    /// Whether the end of a task makes the run a failed one.
    #[must_use]
    pub fn is_trouble(&self, task: TaskId) -> bool {
        self.went_wrong(task) && !self.is_expected(task)
    }

    fn went_wrong(&self, task: TaskId) -> bool {
        use TaskStatus::{Failed, Terminated, TimedOut};
        matches!(self.task(task).end, Some(Failed | TimedOut | Terminated))
    }

    /// Whether a failure of a task stops the run.
    #[must_use]
    pub fn fails_fast(&self, task: TaskId) -> bool {
        let policy = self.graph.policy(task).failure.unwrap_or(self.admitted.failure);
        policy == FailurePolicy::FailFast && !self.is_handler(task) && !self.is_expected(task)
    }

    /// How the run ends, if all that has not ended ends well.
    #[must_use]
    pub fn outcome(&self) -> RunStatus {
        match self.cause {
            Some(StopCause::TaskFailed | StopCause::TimedOut) => RunStatus::Failed,
            Some(StopCause::Stopped | StopCause::Terminated) => RunStatus::Cancelled,
            None if self.graph.tasks().any(|task| self.is_trouble(task)) => RunStatus::Failed,
            // Something was cancelled in a round before, and nobody has let it run since.
            None if self.has_cancelled() => RunStatus::Failed,
            None => RunStatus::Succeeded,
        }
    }

    fn has_cancelled(&self) -> bool {
        let cancelled = |item: &Item| item.status == TaskStatus::Cancelled;
        self.reopened && self.graph.tasks().any(|task| self.items_of(task).iter().any(cancelled))
    }

    /// Whether a handler is to run, as the run stands.
    #[must_use]
    pub fn is_due(&self, task: TaskId) -> bool {
        match self.graph.policy(task).trigger {
            Trigger::Dependencies => false,
            Trigger::Success => self.outcome() == RunStatus::Succeeded,
            Trigger::Failure => self.outcome() == RunStatus::Failed,
            Trigger::Cancel => self.outcome() == RunStatus::Cancelled,
            Trigger::Exit | Trigger::Finally => true,
            Trigger::Compensation { of } => {
                self.outcome() == RunStatus::Failed
                    && self.task(of).end == Some(TaskStatus::Succeeded)
            }
        }
    }

    /// Whether a task is a loop, and its body went wrong in this turn.
    pub(super) fn is_spoilt(&self, task: TaskId) -> bool {
        let Kind::Loop { first, .. } = self.graph.policy(task).kind else { return false };
        let mut body = (first.0..task.0).map(TaskId);
        body.any(|member| self.went_wrong(member) && !self.is_caught(member))
    }
}
