//! The changes that a run's tasks go through, with all that is counted of them.
//!
//! Only `apply` calls these. None of them decides or follows an edge.

use model::fact::{ControlImage, StopCause};
use model::status::{RunStatus, TaskStatus};
use model::{Digest, IdSet, ItemId, Outcome, Round, Span, TaskId, Timestamp};

use super::run::is_trouble;
use super::task::NOT_YET;
use super::{Fan, Item, Run};

impl Run {
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
        let stage = self.stage(task);
        let troubled = is_trouble(new) && self.is_troubled_by(task, new);
        let record = &mut self.tasks[task.0 as usize];
        if new == TaskStatus::Running && record.started_ms == NOT_YET {
            record.started_ms = mark;
        }
        if new.is_final() && !old.is_final() {
            record.ended_ms = mark;
            self.open[stage as usize] -= 1;
            self.troubled += u32::from(troubled);
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
        // That others were to have its place says nothing of the task.
        let is_bad = !matches!(outcome, Outcome::Succeeded | Outcome::Preempted);
        if is_bad && (!follows || record.trouble.is_none()) {
            record.trouble = Some(outcome);
        }
    }

    /// Notes how a task went wrong without an attempt.
    pub(crate) fn note_trouble(&mut self, task: TaskId, outcome: Outcome) {
        if let Some(record) = self.tasks.get_mut(task.0 as usize) {
            record.trouble = Some(outcome);
        }
    }

    /// Begins a new round of a task: the items that `again` chooses are pending once more.
    pub(crate) fn reopen(&mut self, task: TaskId, again: impl Fn(ItemId, TaskStatus) -> bool) {
        self.asking.remove(&task);
        let index = task.0 as usize;
        let fan = self.fans.get(&task);
        self.preempted.retain(|&(of, item), _| {
            let status = fan.and_then(|fan| fan.items.get(item.0 as usize)).map(|it| it.status());
            of != task || status.is_some_and(|status| !again(item, status))
        });
        let old = self.tasks[index].item.status();
        let after = match self.fans.get_mut(&task) {
            Some(fan) => {
                for (index, item) in (0..).zip(&mut fan.items) {
                    if !again(ItemId(index), item.status()) {
                        continue;
                    }
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
        if old.is_final() && !after.status().is_final() {
            self.open[self.stage(task) as usize] += 1;
            self.troubled -= u32::from(self.is_troubled_by(task, old));
        }
        let record = &mut self.tasks[index];
        record.item = after;
        record.round = Round(record.round.0.saturating_add(1));
        (record.started_ms, record.ended_ms, record.trouble) = (NOT_YET, NOT_YET, None);
    }

    /// Gives a task the items that were worked out for it, all pending.
    pub(crate) fn fan_out(&mut self, task: TaskId, items: u32, list: Digest) {
        self.items.shrink(self.task(task).status(), 1);
        self.items.grow(TaskStatus::Pending, items);
        self.fans.insert(task, Fan::new(items, Item::default()));
        self.control.insert(task, ControlImage::FanOut { items, list });
    }

    /// Forgets what was answered about a task: it will ask again.
    pub(crate) fn forget_answer(&mut self, task: TaskId) {
        if let Some(ControlImage::FanOut { .. }) = self.control.remove(&task)
            && let Some(fan) = self.fans.remove(&task)
        {
            fan.tally().iter().for_each(|(status, count)| self.items.shrink(status, count));
            self.items.grow(self.task(task).status(), 1);
        }
    }

    /// A task begins to wait for time or for somebody.
    pub(crate) fn begin_wait(&mut self, task: TaskId, until: Option<Timestamp>, at: Timestamp) {
        if self.set_items(task, TaskStatus::Pending, TaskStatus::Running, at) == TaskStatus::Running
        {
            self.control.insert(task, ControlImage::Wait(until));
            self.waits += 1;
        }
    }

    /// A task no longer waits for time or for somebody: it has ended as `status`.
    pub(crate) fn end_wait(&mut self, task: TaskId, status: TaskStatus, at: Timestamp) {
        if self.wait(task).is_some() {
            self.control.remove(&task);
            self.waits -= 1;
            self.set_items(task, TaskStatus::Running, status, at);
        }
    }

    /// Sets, for each of `tasks`, how many edges into it must still be met, and how many are not
    /// decided. One pass over all edges.
    pub(crate) fn recount_edges(&mut self, tasks: &IdSet) {
        for (task, (waiting_for, undecided)) in self.graph.tasks().zip(self.edge_counts()) {
            if tasks.contains(task.0) {
                let record = &mut self.tasks[task.0 as usize];
                (record.waiting_for, record.undecided) = (waiting_for, undecided);
            }
        }
    }
}
