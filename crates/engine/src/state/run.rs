//! A run: its tasks, the items of its fan-outs, and the counts that are kept of them.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use model::fact::{RunAdmitted, StopCause};
use model::status::{RunStatus, TaskStatus};
use model::{Graph, ItemId, Outcome, Round, Seq, Span, TaskId, TaskKey, Timestamp};

use super::{ClassId, Item, ReadyKey};

/// "Not yet" for the millisecond marks of a task.
pub const NOT_YET: u32 = u32::MAX;

/// How many items, or tasks, stand in each status; indexed by [`TaskStatus`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tally([u32; TaskStatus::ALL.len()]);

/// One execution of a workflow.
#[derive(Clone, Debug)]
pub struct Run {
    pub(crate) admitted: Box<RunAdmitted>,
    pub(crate) admitted_seq: Seq,
    pub(crate) admitted_at: Timestamp,
    pub(crate) graph: Arc<Graph>,
    pub(crate) status: RunStatus,
    pub(crate) cause: Option<StopCause>,
    pub(crate) ended_at: Option<Timestamp>,
    /// When the round that is open began: what the run's time limit counts from.
    pub(crate) opened_at: Timestamp,
    pub(crate) tasks: Vec<Task>,
    pub(crate) fans: BTreeMap<TaskId, Fan>,
    /// The class of each policy of the graph.
    pub(crate) classes: Vec<ClassId>,
    /// Items by status.
    pub(crate) items: Tally,
    /// Ordinary tasks, and handlers, that have not ended.
    pub(crate) open_tasks: u32,
    pub(crate) open_handlers: u32,
    /// Whether the handlers of this round have been told apart: those that run, and those skipped.
    pub(crate) handlers_released: bool,
    /// Tasks that ended in another way than well or skipped.
    pub(crate) troubled: u32,
}

/// A node of a run's graph: 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    /// Its only item; of a fan-out only the status counts, which sums up its items.
    pub(crate) item: Item,
    /// How many of its dependencies have not succeeded, and one more for a handler that is not
    /// released.
    pub(crate) waiting_for: u32,
    /// The turn it is in.
    pub(crate) round: Round,
    /// Milliseconds from the run's admission to its first start.
    pub(crate) started_ms: u32,
    /// Milliseconds from the run's admission to its end.
    pub(crate) ended_ms: u32,
    /// The last bad end of one of its attempts.
    pub(crate) trouble: Option<Outcome>,
}

const _: () = assert!(size_of::<Task>() <= 32);

/// The items of a fan-out: 4 bytes each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fan {
    pub(crate) items: Vec<Item>,
    pub(crate) tally: Tally,
    /// The ready ones, as start and end of ranges that do not touch.
    pub(crate) ready: BTreeMap<u32, u32>,
}

impl Tally {
    /// How many stand there.
    #[must_use]
    pub const fn of(&self, status: TaskStatus) -> u32 {
        self.0[status as usize]
    }

    /// Each status that anything stands in, with how many do.
    pub fn iter(&self) -> impl Iterator<Item = (TaskStatus, u32)> + '_ {
        let all = TaskStatus::ALL.iter().copied().zip(self.0);
        all.filter(|&(_, count)| count > 0)
    }

    /// How many there are in all.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    pub(crate) fn shift(&mut self, from: TaskStatus, to: TaskStatus, count: u32) {
        self.0[from as usize] -= count;
        self.0[to as usize] += count;
    }

    /// The status of a task whose items stand like this.
    fn sum_up(&self) -> TaskStatus {
        use TaskStatus::{
            Cancelled, Failed, Leased, Pending, Ready, Retrying, Running, Skipped, Succeeded,
            Terminated, TimedOut,
        };
        let any = |status| self.of(status) > 0;
        // A fan-out of which one part has ended and another waits is under way: it is running.
        let begun = [Succeeded, Failed, TimedOut, Terminated].into_iter().any(any);
        match [Running, Leased, Retrying, Ready, Pending].into_iter().find(|&status| any(status)) {
            Some(Ready | Leased | Retrying) if begun => Running,
            Some(open) => open,
            None => [Failed, TimedOut, Terminated, Cancelled, Skipped]
                .into_iter()
                .find(|&status| any(status))
                .unwrap_or(Succeeded),
        }
    }
}

impl Fan {
    pub(crate) fn new(items: u32, item: Item) -> Self {
        let mut tally = Tally::default();
        tally.0[item.status() as usize] = items;
        let mut ready = BTreeMap::new();
        if item.status() == TaskStatus::Ready && items > 0 {
            ready.insert(0, items);
        }
        Self { items: vec![item; items as usize], tally, ready }
    }

    /// The items, by number.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// How many stand where.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The first ready items that follow each other, at most `count`.
    #[must_use]
    pub fn first_ready(&self, count: u32) -> Option<Range<u32>> {
        let (&start, &end) = self.ready.first_key_value()?;
        Some(start..end.min(start.saturating_add(count)))
    }

    fn make_ready(&mut self, item: u32) {
        let (mut start, mut end) = (item, item + 1);
        if let Some((&before, &until)) = self.ready.range(..item).next_back()
            && until == item
        {
            start = before;
        }
        if let Some(after) = self.ready.remove(&end) {
            end = after;
        }
        self.ready.insert(start, end);
    }

    fn make_unready(&mut self, item: u32) {
        let Some((&start, &end)) = self.ready.range(..=item).next_back() else { return };
        if item >= end {
            return;
        }
        self.ready.remove(&start);
        if start < item {
            self.ready.insert(start, item);
        }
        if item + 1 < end {
            self.ready.insert(item + 1, end);
        }
    }

    fn set(&mut self, item: ItemId, new: Item) {
        let slot = &mut self.items[item.0 as usize];
        let (from, to) = (slot.status(), new.status());
        *slot = new;
        self.tally.shift(from, to, 1);
        match (from == TaskStatus::Ready, to == TaskStatus::Ready) {
            (false, true) => self.make_ready(item.0),
            (true, false) => self.make_unready(item.0),
            _ => {}
        }
    }
}

impl Run {
    pub(crate) fn new(
        admitted: RunAdmitted,
        graph: Arc<Graph>,
        classes: Vec<ClassId>,
        (seq, at): (Seq, Timestamp),
    ) -> Self {
        let mut items = Tally::default();
        let fans: BTreeMap<_, _> = graph
            .fan_outs()
            .iter()
            .map(|&(task, count)| (task, Fan::new(count, Item::default())))
            .collect();
        let in_fans: u32 = fans.values().map(|fan| fan.tally.total()).sum();
        let plain = u32::try_from(graph.len() - fans.len()).expect("within TASKS_PER_RUN_MAX");
        items.0[TaskStatus::Pending as usize] = in_fans + plain;
        let mut open_handlers = 0;
        let tasks: Vec<_> = graph
            .tasks()
            .zip(graph.dependency_counts())
            .map(|(task, dependencies)| {
                let handler = u32::from(graph.policy(task).trigger.is_handler());
                open_handlers += handler;
                Task::new(dependencies + handler)
            })
            .collect();
        let open_tasks = u32::try_from(tasks.len()).expect("within TASKS_PER_RUN_MAX");
        Self {
            admitted: Box::new(admitted),
            admitted_seq: seq,
            admitted_at: at,
            graph,
            status: RunStatus::Running,
            cause: None,
            ended_at: None,
            opened_at: at,
            tasks,
            fans,
            classes,
            items,
            open_tasks: open_tasks - open_handlers,
            open_handlers,
            handlers_released: false,
            troubled: 0,
        }
    }

    /// What was admitted.
    #[must_use]
    pub const fn admitted(&self) -> &RunAdmitted {
        &self.admitted
    }

    /// When it was admitted.
    #[must_use]
    pub const fn admitted_at(&self) -> Timestamp {
        self.admitted_at
    }

    /// The fact of its admission.
    #[must_use]
    pub const fn admitted_seq(&self) -> Seq {
        self.admitted_seq
    }

    /// When it ended.
    #[must_use]
    pub const fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    /// When it was admitted, or last retried by hand: what its time limit counts from.
    #[must_use]
    pub const fn opened_at(&self) -> Timestamp {
        self.opened_at
    }

    /// Its graph.
    #[must_use]
    pub const fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// Where it stands.
    #[must_use]
    pub const fn status(&self) -> RunStatus {
        self.status
    }

    /// Why it is to end, or has ended, before it is done.
    #[must_use]
    pub const fn cause(&self) -> Option<StopCause> {
        self.cause
    }

    /// Its items by status.
    #[must_use]
    pub const fn items(&self) -> &Tally {
        &self.items
    }

    /// How many of its items workers hold.
    #[must_use]
    pub const fn live(&self) -> u32 {
        self.items.of(TaskStatus::Leased) + self.items.of(TaskStatus::Running)
    }

    /// A task. Panics if `task` is not one of this run's.
    #[must_use]
    pub fn task(&self, task: TaskId) -> &Task {
        &self.tasks[task.0 as usize]
    }

    /// The items of a fan-out.
    #[must_use]
    pub fn fan(&self, task: TaskId) -> Option<&Fan> {
        self.fans.get(&task)
    }

    /// One item; `None` if there is no such task or item.
    #[must_use]
    pub fn item(&self, task: TaskId, item: ItemId) -> Option<Item> {
        match self.fans.get(&task) {
            Some(fan) => fan.items.get(item.0 as usize).copied(),
            None if item == ItemId(0) => Some(self.tasks.get(task.0 as usize)?.item),
            None => None,
        }
    }

    /// How many items of a task are ready.
    #[must_use]
    pub fn ready_items(&self, task: TaskId) -> u32 {
        match self.fans.get(&task) {
            Some(fan) => fan.tally.of(TaskStatus::Ready),
            None => u32::from(self.task(task).status() == TaskStatus::Ready),
        }
    }

    /// The first ready items of a task that follow each other, at most `count`.
    #[must_use]
    pub fn first_ready(&self, task: TaskId, count: u32) -> Option<Range<u32>> {
        match self.fans.get(&task) {
            Some(fan) => fan.first_ready(count),
            None => (self.ready_items(task) > 0).then_some(0..1),
        }
    }

    /// The class of what a task asks for.
    #[must_use]
    pub fn class(&self, task: TaskId) -> ClassId {
        self.classes[self.graph.policy_index(task)]
    }

    /// When the run has taken as long as it may.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.admitted.timeout.map(|timeout| self.opened_at + timeout)
    }

    /// Whether a task is a handler.
    #[must_use]
    pub fn is_handler(&self, task: TaskId) -> bool {
        self.graph.policy(task).trigger.is_handler()
    }

    /// The class of a task and its place among what is ready.
    #[must_use]
    pub fn ready_key(&self, key: TaskKey) -> (ClassId, ReadyKey) {
        let priority = self.graph.policy(key.task).priority;
        let inverse = |value: u8| u64::from(u8::MAX - value);
        let urgency = inverse(self.admitted.priority.0) << 40
            | inverse(priority.0) << 32
            | u64::from(u32::MAX - self.graph.rank(key.task));
        (self.class(key.task), ReadyKey { urgency, run: key.run, task: key.task })
    }

    /// Milliseconds from admission to `at`.
    fn mark(&self, at: Timestamp) -> u32 {
        u32::try_from(at.since(self.admitted_at).as_millis())
            .map_or(NOT_YET - 1, |ms| ms.min(NOT_YET - 1))
    }

    /// Sets an item, keeps all counts, and says where its task stands now.
    pub(crate) fn set_item(
        &mut self,
        task: TaskId,
        item: ItemId,
        new: Item,
        at: Timestamp,
    ) -> TaskStatus {
        let index = task.0 as usize;
        let old = self.tasks[index].item.status();
        let (from, after) = match self.fans.get_mut(&task) {
            Some(fan) => {
                let from = fan.items[item.0 as usize].status();
                fan.set(item, new);
                (from, Item::new(fan.tally.sum_up()))
            }
            None => (old, new),
        };
        self.items.shift(from, new.status(), 1);
        self.tasks[index].item = after;
        self.note_task(task, old, after.status(), at);
        after.status()
    }

    /// Sets all items of a task that stand in `from`, keeps all counts, and says where it stands.
    pub(crate) fn set_items(
        &mut self,
        task: TaskId,
        from: TaskStatus,
        to: TaskStatus,
        at: Timestamp,
    ) -> TaskStatus {
        let index = task.0 as usize;
        let old = self.tasks[index].item.status();
        let after = match self.fans.get_mut(&task) {
            Some(fan) if fan.items.is_empty() && old == from => {
                // Without items, what is allowed to begin has succeeded.
                Item::new(if to == TaskStatus::Ready { TaskStatus::Succeeded } else { to })
            }
            Some(fan) => {
                let count = fan.tally.of(from);
                if count == 0 {
                    return old;
                }
                let moving = fan.items.iter_mut().filter(|item| item.status() == from);
                moving.for_each(|item| *item = item.with_status(to));
                fan.tally.shift(from, to, count);
                fan.rebuild_ready();
                self.items.shift(from, to, count);
                Item::new(fan.tally.sum_up())
            }
            None if old == from => {
                self.items.shift(from, to, 1);
                self.tasks[index].item.with_status(to)
            }
            None => return old,
        };
        self.tasks[index].item = after;
        self.note_task(task, old, after.status(), at);
        after.status()
    }

    fn note_task(&mut self, task: TaskId, old: TaskStatus, new: TaskStatus, at: Timestamp) {
        let mark = self.mark(at);
        let handler = self.is_handler(task);
        let record = &mut self.tasks[task.0 as usize];
        if new == TaskStatus::Running && record.started_ms == NOT_YET {
            record.started_ms = mark;
        }
        if new.is_final() && !old.is_final() {
            record.ended_ms = mark;
            *(if handler { &mut self.open_handlers } else { &mut self.open_tasks }) -= 1;
            self.troubled += u32::from(is_trouble(new));
        }
    }

    /// Where an item stands when its last attempt is lost: it has failed, unless its run was being
    /// stopped and would have ended it anyway.
    pub(crate) fn status_when_lost(&self, task: TaskId) -> TaskStatus {
        let ending = self.status == RunStatus::Stopping && !self.is_handler(task);
        let cause = self.cause.filter(|_| ending);
        cause.map_or(TaskStatus::Failed, StopCause::task_status)
    }

    /// Notes when an attempt that has ended had begun, if nobody said so before, and how it went
    /// wrong. That others were cancelled because of it does not hide what went wrong first.
    pub(crate) fn note_end(&mut self, task: TaskId, outcome: Outcome, wall_us: u64, at: Timestamp) {
        let began = self.mark(at - Span(wall_us));
        let record = &mut self.tasks[task.0 as usize];
        if record.started_ms == NOT_YET && wall_us > 0 {
            record.started_ms = began;
        }
        let follows = matches!(outcome, Outcome::Cancelled | Outcome::Terminated);
        if outcome != Outcome::Succeeded && (!follows || record.trouble.is_none()) {
            record.trouble = Some(outcome);
        }
    }

    /// Begins a new round of a task: the items that `again` chooses are pending once more.
    pub(crate) fn reopen(&mut self, task: TaskId, again: impl Fn(TaskStatus) -> bool) {
        let index = task.0 as usize;
        let old = self.tasks[index].item.status();
        let after = match self.fans.get_mut(&task) {
            Some(fan) => {
                for item in fan.items.iter_mut().filter(|item| again(item.status())) {
                    fan.tally.shift(item.status(), TaskStatus::Pending, 1);
                    self.items.shift(item.status(), TaskStatus::Pending, 1);
                    *item = Item::default();
                }
                fan.rebuild_ready();
                let empty = fan.items.is_empty();
                Item::new(if empty { TaskStatus::Pending } else { fan.tally.sum_up() })
            }
            None => {
                self.items.shift(old, TaskStatus::Pending, 1);
                Item::default()
            }
        };
        let handler = self.is_handler(task);
        if old.is_final() && !after.status().is_final() {
            *(if handler { &mut self.open_handlers } else { &mut self.open_tasks }) += 1;
            self.troubled -= u32::from(is_trouble(old));
        }
        let record = &mut self.tasks[index];
        record.item = after;
        record.round = Round(record.round.0.saturating_add(1));
        (record.started_ms, record.ended_ms, record.trouble) = (NOT_YET, NOT_YET, None);
    }
}

/// Whether a task that ended like this makes its run a failed one.
pub(crate) const fn is_trouble(status: TaskStatus) -> bool {
    matches!(status, TaskStatus::Failed | TaskStatus::TimedOut | TaskStatus::Terminated)
}

impl Fan {
    pub(crate) fn rebuild_ready(&mut self) {
        self.ready.clear();
        if self.tally.of(TaskStatus::Ready) == 0 {
            return;
        }
        let mut start = None;
        for (index, item) in (0u32..).zip(&self.items) {
            match (item.status() == TaskStatus::Ready, start) {
                (true, None) => start = Some(index),
                (false, Some(from)) => {
                    self.ready.insert(from, index);
                    start = None;
                }
                _ => {}
            }
        }
        if let (Some(from), Ok(end)) = (start, u32::try_from(self.items.len())) {
            self.ready.insert(from, end);
        }
    }
}

impl Task {
    const fn new(waiting_for: u32) -> Self {
        Self {
            item: Item::new(TaskStatus::Pending),
            waiting_for,
            round: Round(0),
            started_ms: NOT_YET,
            ended_ms: NOT_YET,
            trouble: None,
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn status(&self) -> TaskStatus {
        self.item.status()
    }

    /// Its only item; for a fan-out only the status means anything.
    #[must_use]
    pub const fn item(&self) -> Item {
        self.item
    }

    /// The turn it is in.
    #[must_use]
    pub const fn round(&self) -> Round {
        self.round
    }

    /// How many of its dependencies have not succeeded.
    #[must_use]
    pub const fn waiting_for(&self) -> u32 {
        self.waiting_for
    }

    /// Milliseconds from the run's admission to its first start in this round.
    #[must_use]
    pub fn started_ms(&self) -> Option<u32> {
        (self.started_ms != NOT_YET).then_some(self.started_ms)
    }

    /// Milliseconds from the run's admission to its end in this round.
    #[must_use]
    pub fn ended_ms(&self) -> Option<u32> {
        (self.ended_ms != NOT_YET).then_some(self.ended_ms)
    }

    /// The last bad end of one of its attempts in this round.
    #[must_use]
    pub const fn trouble(&self) -> Option<Outcome> {
        self.trouble
    }
}
