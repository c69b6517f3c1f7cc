//! How a run changes with its facts, and what follows by itself when its tasks end.
//!
//! Only the ledger calls these, in the order of the journal.

use std::sync::Arc;

use model::control::{ControlAnswer, Kind, Verdict};
use model::fact::RoundScope;
use model::policy::Trigger;
use model::{IdSet, ItemId, Round, RunStatus, Seq, TaskId, TaskStatus, Timestamp};

use super::run::{FRESH, Followed, Joined, NOBODY, Only, Run, Task};
use crate::invariants::s07_transitions;

impl Run {
    /// Sets the status of an item and what follows from it for its task and those after it.
    pub(super) fn set(
        &mut self,
        (task, item): (TaskId, ItemId),
        status: TaskStatus,
        at: Timestamp,
    ) -> Result<(), String> {
        let legal = self.put(task, item, status);
        if status == TaskStatus::Ready {
            let first = self.task(task).first;
            self.items[(first + item.0) as usize].ready_at = at;
        }
        self.follow(vec![task], at);
        legal
    }

    /// Sets the status of an item, and how its task has ended if that was the last.
    pub(super) fn put(
        &mut self,
        task: TaskId,
        item: ItemId,
        status: TaskStatus,
    ) -> Result<(), String> {
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
        let (first, count) = (record.first, record.count);
        for item in (0..count).map(ItemId) {
            let from = self.item(task, item).map(|item| item.status);
            if from.is_some_and(|from| !from.is_final()) {
                self.put(task, item, status)?;
                self.items[(first + item.0) as usize].with_task = true;
            }
        }
        Ok(())
    }

    /// Lets those go on that depend on tasks which have ended, and those that depend on them.
    pub(super) fn follow(&mut self, mut ended: Vec<TaskId>, at: Timestamp) {
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
            Joined::Met => {
                self.followed.push(Followed::Spoilt(task));
                self.put_all(task, TaskStatus::Failed).expect("what is pending may fail");
            }
            Joined::Impossible => {
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
                pending.for_each(|item| (item.status, item.ready_at) = (TaskStatus::Ready, at));
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
            ControlAnswer::Begin => return self.go_on(task, None, at),
            ControlAnswer::Until(until) => return self.go_on(task, Some(until), at),
            ControlAnswer::FanOut { items, .. } => {
                (record.first, record.count, record.open) =
                    (u32::try_from(self.items.len()).expect("few items"), items, items);
                self.items.resize(self.items.len() + items as usize, FRESH);
                return self.go_on(task, None, at);
            }
            ControlAnswer::Again => match self.graph.policy(task).kind {
                Kind::Loop { first, turns_max } if self.task(task).turn < turns_max => {
                    return self.turn_again(first, task, at);
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

    fn go_on(
        &mut self,
        task: TaskId,
        until: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<(), String> {
        self.begin(task, until, at);
        self.follow(vec![task], at);
        Ok(())
    }

    /// The body of a loop runs again.
    fn turn_again(&mut self, first: TaskId, task: TaskId, at: Timestamp) -> Result<(), String> {
        let turn = self.task(task).turn;
        (first.0..=task.0).for_each(|member| self.open_anew(TaskId(member), true));
        self.tasks[task.0 as usize].turn = turn + 1;
        self.restart((first.0..=task.0).map(TaskId).collect(), at);
        Ok(())
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
        (record.round, record.open, record.overdue) = (Round(record.round.0 + 1), 0, None);
        for index in record.first..record.first + record.count {
            let item = &mut self.items[index as usize];
            if whole || item.status != TaskStatus::Succeeded {
                (item.status, item.failures, item.losses) = (TaskStatus::Pending, 0, 0);
                item.growths = 0;
                (item.marked, item.with_task) = (false, false);
                record.open += 1;
            }
        }
    }

    pub(super) fn restart(&mut self, tasks: Vec<TaskId>, at: Timestamp) {
        let ended = tasks.into_iter().filter(|&task| self.advance(task, at)).collect();
        self.follow(ended, at);
    }

    /// A person has retried the run.
    pub(super) fn reopen(&mut self, tasks: &IdSet, scope: RoundScope, at: Timestamp) {
        self.note_owed(tasks);
        self.wake(at);
        for task in tasks.iter().map(TaskId) {
            let succeeded = self.task(task).end == Some(TaskStatus::Succeeded);
            self.open_anew(task, scope == RoundScope::All || succeeded);
            self.tasks[task.0 as usize].released = false;
        }
        self.restart(tasks.iter().map(TaskId).collect(), at);
    }

    fn wake(&mut self, at: Timestamp) {
        if self.status.is_final() {
            self.only = None;
        }
        (self.cause, self.opened_at, self.reopened) = (None, at, true);
        self.changed_at = at;
    }

    /// What is kept of an ended run rests on nothing that runs again, unless enough else is kept.
    fn note_owed(&mut self, tasks: &IdSet) {
        let rests = |task: &TaskId| {
            let mut inputs = self.inputs(*task).iter();
            inputs.any(|&(from, condition)| {
                tasks.contains(from.0) && self.is_met(from, condition) == Some(true)
            })
        };
        let all = |task: &TaskId| self.graph.policy(*task).join == model::control::Join::All;
        let begun = self.graph.tasks().filter(|&task| self.task(task).begun);
        let owed: Vec<_> = begun.filter(|task| all(task) && rests(task)).collect();
        self.owed.extend(owed);
        self.owed.retain(|task| !tasks.contains(task.0));
    }

    /// A round may be opened by several facts, of which the first begins it.
    pub(super) fn open_round(&mut self) -> Result<(), String> {
        if self.status == RunStatus::Running { Ok(()) } else { self.turn(RunStatus::Running) }
    }

    /// A person has let some items run again.
    pub(super) fn reopen_items(
        &mut self,
        task: TaskId,
        (items, since): (&IdSet, Seq),
        at: Timestamp,
    ) {
        self.note_owed(&IdSet::one(task.0));
        self.wake(at);
        self.undone.remove(&task);
        let record = &mut self.tasks[task.0 as usize];
        (record.end, record.begun, record.asks, record.waits) = (None, false, false, None);
        (record.round, record.open, record.overdue) = (Round(record.round.0 + 1), 0, None);
        record.released = false;
        for index in items.iter().filter(|index| *index < record.count) {
            let item = &mut self.items[(record.first + index) as usize];
            (item.status, item.failures, item.losses) = (TaskStatus::Pending, 0, 0);
            item.growths = 0;
            (item.marked, item.with_task) = (false, false);
            record.open += 1;
        }
        let round = self.task(task).round;
        self.only = Some(Only { task, round, items: items.clone(), since });
        self.restart(vec![task], at);
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
