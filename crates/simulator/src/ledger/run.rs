//! A run as the facts have it, and what follows by itself when its tasks end.
//!
//! The joins are worked out anew from the ends of the tasks before, each time one of these ends:
//! nothing is counted down, so that no count can be wrong in the way the engine's might be.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::control::{ControlAnswer, EdgeCondition, Join, Kind, Verdict};
use model::fact::{RoundScope, RunAdmitted, StopCause};
use model::policy::{FailurePolicy, Trigger};
use model::{
    Graph, IdSet, ItemId, Outcome, Round, RunStatus, TaskId, TaskStatus, Timestamp, Token, WorkerId,
};

use crate::invariants::s07_transitions;

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

const FRESH: Item = Item {
    status: TaskStatus::Pending,
    failures: 0,
    losses: 0,
    token: Token(0),
    worker: NOBODY,
    started_at: None,
    overran: false,
    retry_at: Timestamp(0),
    last: None,
    asked: false,
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
    /// Its items as its graph has them: a list that was worked out late replaces them for a round.
    home: (u32, u32),
}

/// Something that followed from a fact by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// A task began, or asked.
    Went(TaskId),
    /// A task was skipped.
    Skipped(TaskId),
    /// A task began to wait.
    Waits(TaskId),
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
    /// Whether a person has retried it.
    pub reopened: bool,
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
        let mut inputs = vec![Vec::new(); graph.len()];
        let mut loops = Vec::new();
        let mut first = 0;
        for task in graph.tasks() {
            if let Kind::Loop { first, .. } = graph.policy(task).kind {
                loops.push((first, task));
            }
            let count = graph.items(task);
            tasks.push(Task {
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
                home: (first, count),
            });
            first += count;
            for (to, condition) in graph.edges_from(task) {
                inputs[to.0 as usize].push((task, condition));
            }
        }
        Self {
            admitted: admitted.clone(),
            graph,
            opened_at: at,
            tasks,
            items: vec![FRESH; first as usize],
            status: RunStatus::Running,
            cause: None,
            live: 0,
            gave_up: false,
            reopened: false,
            loops,
            undone: BTreeSet::new(),
            followed: Vec::new(),
            inputs,
        }
    }

    /// An item, if it exists.
    #[must_use]
    pub fn item(&self, task: TaskId, item: ItemId) -> Option<&Item> {
        let task = self.tasks.get(task.0 as usize).filter(|task| item.0 < task.count)?;
        self.items.get((task.first + item.0) as usize)
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

    /// Whether somebody who depends on a task counts on its failure.
    #[must_use]
    pub fn is_expected(&self, task: TaskId) -> bool {
        self.graph.edges_from(task).any(|(next, condition)| {
            let policy = self.graph.policy(next);
            matches!(condition, EdgeCondition::Failed | EdgeCondition::Finished)
                || policy.join == Join::AllDone && !matches!(policy.kind, Kind::Loop { .. })
        })
    }

    /// Whether the end of a task makes the run a failed one.
    #[must_use]
    pub fn is_trouble(&self, task: TaskId) -> bool {
        use TaskStatus::{Failed, Terminated, TimedOut};
        matches!(self.task(task).end, Some(Failed | TimedOut | Terminated))
            && !self.is_expected(task)
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
            None => RunStatus::Succeeded,
        }
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
    fn is_spoilt(&self, task: TaskId) -> bool {
        let Kind::Loop { first, .. } = self.graph.policy(task).kind else { return false };
        (first.0..task.0).any(|member| self.is_trouble(TaskId(member)))
    }

    /// Sets the status of an item and what follows from it for its task and those after it.
    pub(super) fn set(
        &mut self,
        (task, item): (TaskId, ItemId),
        status: TaskStatus,
        at: Timestamp,
    ) -> Result<(), String> {
        let legal = self.put(task, item, status);
        self.follow(vec![task], at);
        legal
    }

    /// Sets the status of an item, and how its task has ended if that was the last.
    fn put(&mut self, task: TaskId, item: ItemId, status: TaskStatus) -> Result<(), String> {
        let record = &mut self.tasks[task.0 as usize];
        let slot = &mut self.items[(record.first + item.0) as usize];
        let from = std::mem::replace(&mut slot.status, status);
        if !from.is_final() && status.is_final() {
            record.open -= 1;
            if record.open == 0 {
                self.tasks[task.0 as usize].end = Some(self.sum(task));
                self.note_undone(task);
            }
        }
        let legal = s07_transitions::item(from, status);
        legal.map_err(|what| format!("task {task} item {item}: {what}"))
    }

    fn note_undone(&mut self, task: TaskId) {
        let done = self.task(task).end == Some(TaskStatus::Succeeded);
        if let (true, Trigger::Compensation { of }) = (done, self.graph.policy(task).trigger) {
            self.undone.insert(of);
        }
    }

    /// How a task has ended whose items all have: the worst of them counts.
    fn sum(&self, task: TaskId) -> TaskStatus {
        use TaskStatus::{Cancelled, Failed, Skipped, Succeeded, Terminated, TimedOut};
        let worst = [Failed, TimedOut, Terminated, Cancelled, Skipped];
        let has = |&status: &TaskStatus| self.items_of(task).iter().any(|x| x.status == status);
        worst.into_iter().find(has).unwrap_or(Succeeded)
    }

    /// Sets what has not ended of a task.
    fn put_all(&mut self, task: TaskId, status: TaskStatus) -> Result<(), String> {
        let record = &mut self.tasks[task.0 as usize];
        (record.asks, record.waits) = (false, None);
        if record.count == 0 {
            record.end = Some(status);
        }
        for item in (0..record.count).map(ItemId) {
            let from = self.item(task, item).map(|item| item.status);
            if from.is_some_and(|from| !from.is_final()) {
                self.put(task, item, status)?;
            }
        }
        Ok(())
    }

    /// Lets those go on that depend on tasks which have ended, and those that depend on them.
    fn follow(&mut self, mut ended: Vec<TaskId>, at: Timestamp) {
        let graph = Arc::clone(&self.graph);
        while let Some(task) = ended.pop() {
            if self.task(task).end.is_some() {
                ended.extend(graph.successors(task).filter(|&next| self.advance(next, at)));
            }
        }
    }

    /// Lets a task go on if it may. Says whether it has ended by that.
    fn advance(&mut self, task: TaskId, at: Timestamp) -> bool {
        let Task { begun, asks, end, released, answer, .. } = *self.task(task);
        if begun || asks || end.is_some() {
            return false;
        }
        let policy = self.graph.policy(task);
        let is_listed = matches!(answer, Some(ControlAnswer::FanOut { .. }));
        let must_ask = policy.asks || matches!(policy.kind, Kind::Decision | Kind::Loop { .. });
        match self.joined(task) {
            Joined::Open => return false,
            Joined::Met if self.is_handler(task) && !released => return false,
            Joined::Met if !self.is_spoilt(task) => {
                self.followed.push(Followed::Went(task));
                if must_ask && !is_listed {
                    self.tasks[task.0 as usize].asks = true;
                } else {
                    self.begin(task, None, at);
                }
            }
            Joined::Met | Joined::Impossible => {
                self.followed.push(Followed::Skipped(task));
                self.put_all(task, TaskStatus::Skipped).expect("what is pending may be skipped");
            }
        }
        self.task(task).end.is_some()
    }

    /// A task begins.
    fn begin(&mut self, task: TaskId, until: Option<Timestamp>, at: Timestamp) {
        let until = match self.graph.policy(task).kind {
            Kind::Timer { wait } => until.or(Some(at + wait)),
            Kind::Signal { timeout, .. } => timeout.map(|timeout| at + timeout),
            Kind::Work | Kind::Decision | Kind::Loop { .. } => {
                let record = &mut self.tasks[task.0 as usize];
                record.begun = true;
                if record.count == 0 {
                    record.end = Some(TaskStatus::Succeeded);
                }
                let (first, count) = (record.first as usize, record.count as usize);
                let items = &mut self.items[first..first + count];
                let pending = items.iter_mut().filter(|x| x.status == TaskStatus::Pending);
                pending.for_each(|item| item.status = TaskStatus::Ready);
                return;
            }
        };
        let record = &mut self.tasks[task.0 as usize];
        (record.begun, record.waits, record.waited) = (true, Some(until), record.waited + 1);
        let item = &mut self.items[record.first as usize];
        (item.status, item.worker) = (TaskStatus::Running, NOBODY);
        self.followed.push(Followed::Waits(task));
    }

    /// What a task asked has been answered.
    pub(super) fn answer(
        &mut self,
        task: TaskId,
        answer: ControlAnswer,
        at: Timestamp,
    ) -> Result<(), String> {
        let record = &mut self.tasks[task.0 as usize];
        if !std::mem::replace(&mut record.asks, false) {
            return Err(format!("task {task} is answered and does not ask"));
        }
        record.answer = Some(answer);
        let ends = match answer {
            ControlAnswer::Begin => return Ok(self.go_on(task, None, at)),
            ControlAnswer::Until(until) => return Ok(self.go_on(task, Some(until), at)),
            ControlAnswer::FanOut { items, .. } => {
                (record.first, record.count, record.open) =
                    (u32::try_from(self.items.len()).expect("few items"), items, items);
                self.items.resize(self.items.len() + items as usize, FRESH);
                return Ok(self.go_on(task, None, at));
            }
            ControlAnswer::Again => match self.graph.policy(task).kind {
                Kind::Loop { first, turns_max } if self.task(task).turn < turns_max => {
                    return Ok(self.turn_again(first, task, at));
                }
                _ => TaskStatus::Failed,
            },
            ControlAnswer::Invalid => TaskStatus::Failed,
            ControlAnswer::Skip => TaskStatus::Skipped,
            ControlAnswer::Route(_) | ControlAnswer::Done | ControlAnswer::Cached => {
                TaskStatus::Succeeded
            }
        };
        let legal = self.put_all(task, ends);
        self.follow(vec![task], at);
        legal
    }

    fn go_on(&mut self, task: TaskId, until: Option<Timestamp>, at: Timestamp) {
        self.begin(task, until, at);
        self.follow(vec![task], at);
    }

    /// The body of a loop runs again.
    fn turn_again(&mut self, first: TaskId, task: TaskId, at: Timestamp) {
        let turn = self.task(task).turn;
        (first.0..=task.0).for_each(|member| self.open_anew(TaskId(member), true));
        self.tasks[task.0 as usize].turn = turn + 1;
        self.restart((first.0..=task.0).map(TaskId).collect(), at);
    }

    /// Opens a task anew, all of it or what has not succeeded.
    fn open_anew(&mut self, task: TaskId, whole: bool) {
        self.undone.remove(&task);
        let record = &mut self.tasks[task.0 as usize];
        let is_listed = matches!(record.answer, Some(ControlAnswer::FanOut { .. }));
        if whole || !is_listed {
            (record.first, record.count) = record.home;
            (record.answer, record.turn) = (None, 1);
        }
        (record.end, record.begun, record.asks, record.waits) = (None, false, false, None);
        (record.released, record.round, record.open) = (false, Round(record.round.0 + 1), 0);
        for index in record.first..record.first + record.count {
            let item = &mut self.items[index as usize];
            if whole || item.status != TaskStatus::Succeeded {
                (item.status, item.failures, item.losses) = (TaskStatus::Pending, 0, 0);
                record.open += 1;
            }
        }
    }

    fn restart(&mut self, tasks: Vec<TaskId>, at: Timestamp) {
        let ended = tasks.into_iter().filter(|&task| self.advance(task, at)).collect();
        self.follow(ended, at);
    }

    /// A person has retried the run.
    pub(super) fn reopen(&mut self, tasks: &IdSet, scope: RoundScope, at: Timestamp) {
        (self.cause, self.opened_at, self.reopened) = (None, at, true);
        for task in tasks.iter().map(TaskId) {
            let succeeded = self.task(task).end == Some(TaskStatus::Succeeded);
            self.open_anew(task, scope == RoundScope::All || succeeded);
        }
        self.restart(tasks.iter().map(TaskId).collect(), at);
    }

    pub(super) fn start(&mut self, at: Timestamp) {
        self.restart(self.graph.tasks().collect(), at);
    }

    pub(super) fn release_handlers(&mut self, tasks: &IdSet, at: Timestamp) {
        tasks.iter().for_each(|task| self.tasks[task as usize].released = true);
        self.restart(tasks.iter().map(TaskId).collect(), at);
    }

    /// A wait has ended.
    pub(super) fn settle(
        &mut self,
        task: TaskId,
        verdict: Verdict,
        at: Timestamp,
    ) -> Result<(), String> {
        if self.task(task).waits.is_none() {
            return Err(format!("task {task} is settled and does not wait"));
        }
        let legal = self.put_all(
            task,
            match verdict {
                Verdict::Elapsed | Verdict::Approved => TaskStatus::Succeeded,
                Verdict::Rejected => TaskStatus::Failed,
                Verdict::Expired => TaskStatus::TimedOut,
            },
        );
        self.follow(vec![task], at);
        legal
    }

    /// Ends what no worker holds of some tasks, and then what follows from all of them.
    pub(super) fn close(
        &mut self,
        tasks: &IdSet,
        status: TaskStatus,
        at: Timestamp,
    ) -> Result<(), String> {
        for task in tasks.iter().map(TaskId) {
            let record = &mut self.tasks[task.0 as usize];
            record.asks = false;
            if record.count == 0 && record.end.is_none() {
                record.end = Some(status);
            }
            let waited = record.waits.take().is_some();
            for item in (0..record.count).map(ItemId) {
                let from = self.item(task, item).map(|item| item.status);
                if from.is_some_and(|from| !from.is_final() && (waited || !from.is_live())) {
                    self.put(task, item, status)?;
                }
            }
        }
        self.follow(tasks.iter().map(TaskId).collect(), at);
        Ok(())
    }

    pub(super) fn turn(&mut self, status: RunStatus) -> Result<(), String> {
        let from = std::mem::replace(&mut self.status, status);
        s07_transitions::run(from, status)
    }
}
