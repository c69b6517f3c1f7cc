//! Runs begin, go on and end.

use alloc::sync::Arc;
use alloc::vec::Vec;

use model::fact::{PauseCause, RoundScope, RunAdmitted, StopCause};
use model::outcome::{Failure, Outcome};
use model::policy::Stage;
use model::status::{RunStatus, TaskStatus};
use model::{Graph, IdSet, ItemId, RunId, Seq, TaskId, TaskKey, Timestamp};

use crate::state::{Change, Run, State, Timer};

impl State {
    pub(super) fn run_admitted(
        &mut self,
        admitted: &RunAdmitted,
        graph: Arc<Graph>,
        recorded: (Seq, Timestamp),
    ) {
        let id = admitted.run;
        let run = self.insert_run(admitted, graph, recorded);
        let free: Vec<_> =
            run.graph.tasks().filter(|&task| run.task(task).waiting_for == 0).collect();
        self.advance_all(id, free, recorded.1);
        self.arm_run_timer(id);
    }

    /// Lets those of some pending tasks go on that may, and what follows from it happen.
    pub(super) fn advance_all(&mut self, id: RunId, tasks: Vec<TaskId>, at: Timestamp) {
        let mut ended = tasks;
        ended.retain(|&task| self.advance(TaskKey { run: id, task }, at));
        self.follow_all(id, ended, at);
    }

    pub(super) fn insert_run(
        &mut self,
        admitted: &RunAdmitted,
        graph: Arc<Graph>,
        recorded: (Seq, Timestamp),
    ) -> &Run {
        let id = admitted.run;
        let policies = graph.policies().iter();
        let classes = policies.map(|policy| self.classes.intern(policy, Clone::clone));
        let classes = classes.collect();
        if let Some(key) = admitted.key {
            self.by_key.insert(key, id);
        }
        self.next_run = self.next_run.max(RunId(id.0 + 1));
        self.changes.push(Change::Run(id));
        let run = Run::new(admitted.clone(), graph, classes, recorded);
        self.runs.entry(id).insert_entry(run).into_mut()
    }

    pub(super) fn arm_run_timer(&mut self, id: RunId) {
        let deadline = self.runs.get(&id).and_then(Run::deadline);
        if let Some(deadline) = deadline {
            self.timers.insert((deadline, Timer::Run(id)));
        }
    }

    pub(super) fn disarm_run_timer(&mut self, id: RunId) {
        let deadline = self.runs.get(&id).and_then(Run::deadline);
        if let Some(deadline) = deadline {
            self.timers.remove(&(deadline, Timer::Run(id)));
        }
    }

    pub(super) fn handlers_released(&mut self, id: RunId, tasks: &IdSet, at: Timestamp) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let known = |task: &TaskId| (task.0 as usize) < run.graph().len();
        let tasks: Vec<_> = tasks.iter().map(TaskId).filter(known).collect();
        for &task in &tasks {
            run.released = run.released.max(run.stage(task));
            let waiting = &mut run.tasks[task.0 as usize];
            waiting.waiting_for = waiting.waiting_for.saturating_sub(1);
            waiting.undecided = waiting.undecided.saturating_sub(1);
        }
        self.advance_all(id, tasks, at);
    }

    pub(super) fn tasks_skipped(&mut self, id: RunId, tasks: &IdSet, at: Timestamp) {
        self.close_items(id, tasks, TaskStatus::Skipped, at);
    }

    pub(super) fn tasks_cancelled(&mut self, id: RunId, tasks: &IdSet, at: Timestamp) {
        let cause = self.runs.get(&id).and_then(|run| run.cause);
        let status = cause.map_or(TaskStatus::Cancelled, StopCause::task_status);
        self.close_items(id, tasks, status, at);
    }

    pub(super) fn tasks_unsatisfiable(&mut self, id: RunId, tasks: &IdSet, at: Timestamp) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        for task in tasks.iter().map(TaskId) {
            run.note_trouble(task, Outcome::Failed(Failure::Unsatisfiable));
        }
        self.close_items(id, tasks, TaskStatus::Failed, at);
    }

    /// Ends what no worker holds of some tasks.
    pub(super) fn close_items(
        &mut self,
        id: RunId,
        tasks: &IdSet,
        status: TaskStatus,
        at: Timestamp,
    ) {
        for task in tasks.iter().map(TaskId) {
            self.drop_retries(TaskKey { run: id, task });
            self.end_wait(TaskKey { run: id, task }, status, at);
            let Some(run) = self.runs.get_mut(&id) else { return };
            run.asking.remove(&task);
            for from in [TaskStatus::Pending, TaskStatus::Ready, TaskStatus::Retrying] {
                run.set_items(task, from, status, at);
            }
            self.index_task(TaskKey { run: id, task });
        }
        // Only when all of them are closed: none of them is to be skipped because of another.
        self.follow_all(id, tasks.iter().map(TaskId).collect(), at);
    }

    fn drop_retries(&mut self, key: TaskKey) {
        let Some(run) = self.runs.get(&key.run) else { return };
        let Some(fan) = run.fan(key.task) else {
            let class = run.class_of(key.task, ItemId(0));
            return self.ready.remove_retry(class, key.item(ItemId(0)));
        };
        if fan.tally().of(TaskStatus::Retrying) == 0 {
            return;
        }
        let numbered = (0..).map(ItemId).zip(fan.items());
        for (item, _) in numbered.filter(|(_, item)| item.status() == TaskStatus::Retrying) {
            self.ready.remove_retry(run.class_of(key.task, item), key.item(item));
        }
    }

    /// Its time goes on while it is paused.
    pub(super) fn run_paused(&mut self, id: RunId, cause: PauseCause) {
        self.changes.push(Change::Run(id));
        let Some(run) = self.runs.get_mut(&id) else { return };
        if run.status == RunStatus::Running {
            (run.status, run.paused) = (RunStatus::Paused, Some(cause));
        }
    }

    pub(super) fn run_resumed(&mut self, id: RunId) {
        self.changes.push(Change::Run(id));
        let Some(run) = self.runs.get_mut(&id) else { return };
        if run.status == RunStatus::Paused {
            (run.status, run.paused) = (RunStatus::Running, None);
        }
    }

    pub(super) fn run_stopping(&mut self, id: RunId, cause: StopCause) {
        self.changes.push(Change::Run(id));
        self.disarm_run_timer(id);
        let Some(run) = self.runs.get_mut(&id) else { return };
        (run.status, run.paused) = (RunStatus::Stopping, None);
        run.cause = Some(cause);
    }

    pub(super) fn run_ended(&mut self, id: RunId, status: RunStatus, at: Timestamp) {
        self.changes.push(Change::Run(id));
        self.disarm_run_timer(id);
        let Some(run) = self.runs.get_mut(&id) else { return };
        (run.status, run.paused) = (status, None);
        run.ended_at = Some(at);
        self.ended.push_back(id);
    }

    pub(super) fn round_opened(
        &mut self,
        id: RunId,
        tasks: &IdSet,
        scope: RoundScope,
        at: Timestamp,
    ) {
        let Some(run) = self.open_anew(id, at) else { return };
        for task in tasks.iter().map(TaskId) {
            // A task that had succeeded is only named to be run again whole.
            let whole =
                scope == RoundScope::All || run.task(task).status() == TaskStatus::Succeeded;
            if whole || run.item_list(task).is_none() {
                run.forget_answer(task);
            }
            run.reopen(task, |_, status| whole || status != TaskStatus::Succeeded);
        }
        self.restart(id, tasks, at);
        self.arm_run_timer(id);
    }

    pub(super) fn items_reopened(&mut self, key: TaskKey, items: &IdSet, at: Timestamp) {
        let Some(run) = self.open_anew(key.run, at) else { return };
        run.reopen(key.task, |item, _| items.contains(item.0));
        self.restart(key.run, &IdSet::one(key.task.0), at);
        self.arm_run_timer(key.run);
    }

    /// An ended run goes on.
    fn open_anew(&mut self, id: RunId, at: Timestamp) -> Option<&mut Run> {
        self.changes.push(Change::Run(id));
        self.ended.retain(|&ended| ended != id);
        self.disarm_run_timer(id);
        let run = self.runs.get_mut(&id)?;
        (run.status, run.cause, run.ended_at, run.opened_at) = (RunStatus::Running, None, None, at);
        run.released = Stage::Ordinary;
        Some(run)
    }

    pub(super) fn run_forgotten(&mut self, id: RunId) {
        self.changes.push(Change::Run(id));
        let Some(run) = self.runs.remove(&id) else { return };
        self.ended.retain(|&ended| ended != id);
        if let Some(key) = run.admitted.key {
            self.by_key.remove(&key);
        }
    }
}
