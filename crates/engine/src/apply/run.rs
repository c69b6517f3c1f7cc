//! Runs begin, go on and end.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use model::fact::{RoundScope, RunAdmitted, StopCause};
use model::outcome::{Failure, Outcome};
use model::status::{RunStatus, TaskStatus};
use model::{Graph, IdSet, ItemId, RunId, Seq, TaskId, TaskKey, Timestamp};

use crate::state::{Run, State, Timer};

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
        for task in free {
            self.make_ready(TaskKey { run: id, task }, recorded.1);
        }
        self.arm_run_timer(id);
    }

    pub(super) fn insert_run(
        &mut self,
        admitted: &RunAdmitted,
        graph: Arc<Graph>,
        recorded: (Seq, Timestamp),
    ) -> &Run {
        let id = admitted.run;
        let policies = graph.policies().iter();
        let classes = policies.map(|policy| self.classes.intern(&policy.request)).collect();
        if let Some(key) = admitted.key {
            self.by_key.insert(key, id);
        }
        self.next_run = self.next_run.max(RunId(id.0 + 1));
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

    /// Makes the pending items of a task ready. A fan-out without items has then succeeded.
    fn make_ready(&mut self, key: TaskKey, at: Timestamp) {
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        let before = run.task(key.task).status();
        let after = run.set_items(key.task, TaskStatus::Pending, TaskStatus::Ready, at);
        self.index_task(key);
        if after == TaskStatus::Succeeded && before != after {
            self.release_successors(key, at);
        }
    }

    /// A task has succeeded: what waited for it alone is ready. A chain of empty fan-outs is
    /// followed with a list, not with recursion.
    pub(super) fn release_successors(&mut self, key: TaskKey, at: Timestamp) {
        let mut succeeded = vec![key.task];
        while let Some(task) = succeeded.pop() {
            let Some(run) = self.runs.get_mut(&key.run) else { return };
            let graph = Arc::clone(&run.graph);
            for next in graph.successors(task) {
                let Some(run) = self.runs.get_mut(&key.run) else { return };
                let waiting = &mut run.tasks[next.0 as usize];
                waiting.waiting_for = waiting.waiting_for.saturating_sub(1);
                if waiting.waiting_for > 0 || waiting.status() != TaskStatus::Pending {
                    continue;
                }
                let status = run.set_items(next, TaskStatus::Pending, TaskStatus::Ready, at);
                if status == TaskStatus::Succeeded {
                    succeeded.push(next);
                } else {
                    self.index_task(TaskKey { run: key.run, task: next });
                }
            }
        }
    }

    pub(super) fn handlers_released(&mut self, id: RunId, tasks: &IdSet, at: Timestamp) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.handlers_released = true;
        for task in tasks.iter().map(TaskId) {
            let Some(run) = self.runs.get_mut(&id) else { return };
            let waiting = &mut run.tasks[task.0 as usize];
            waiting.waiting_for = waiting.waiting_for.saturating_sub(1);
            if waiting.waiting_for == 0 {
                self.make_ready(TaskKey { run: id, task }, at);
            }
        }
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
        self.close_items(id, tasks, TaskStatus::Failed, at);
        let Some(run) = self.runs.get_mut(&id) else { return };
        for task in tasks.iter() {
            run.tasks[task as usize].trouble = Some(Outcome::Failed(Failure::Unsatisfiable));
        }
    }

    /// Ends what no worker holds of some tasks.
    fn close_items(&mut self, id: RunId, tasks: &IdSet, status: TaskStatus, at: Timestamp) {
        for task in tasks.iter().map(TaskId) {
            self.drop_retries(TaskKey { run: id, task });
            let Some(run) = self.runs.get_mut(&id) else { return };
            for from in [TaskStatus::Pending, TaskStatus::Ready, TaskStatus::Retrying] {
                run.set_items(task, from, status, at);
            }
            self.index_task(TaskKey { run: id, task });
        }
    }

    fn drop_retries(&mut self, key: TaskKey) {
        let Some(run) = self.runs.get(&key.run) else { return };
        let class = run.class(key.task);
        let Some(fan) = run.fan(key.task) else {
            return self.ready.remove_retry(class, key.item(ItemId(0)));
        };
        if fan.tally().of(TaskStatus::Retrying) == 0 {
            return;
        }
        for (item, _) in (0..).zip(fan.items()).filter(|x| x.1.status() == TaskStatus::Retrying) {
            self.ready.remove_retry(class, key.item(ItemId(item)));
        }
    }

    pub(super) fn run_stopping(&mut self, id: RunId, cause: StopCause) {
        self.disarm_run_timer(id);
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.status = RunStatus::Stopping;
        run.cause = Some(cause);
    }

    pub(super) fn run_ended(&mut self, id: RunId, status: RunStatus, at: Timestamp) {
        self.disarm_run_timer(id);
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.status = status;
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
        self.ended.retain(|&ended| ended != id);
        let Some(run) = self.runs.get_mut(&id) else { return };
        (run.status, run.cause, run.ended_at, run.opened_at) = (RunStatus::Running, None, None, at);
        run.handlers_released = false;
        let again = |status| scope == RoundScope::All || status != TaskStatus::Succeeded;
        tasks.iter().for_each(|task| run.reopen(TaskId(task), again));
        run.recount_dependencies(tasks);
        let free: Vec<_> =
            tasks.iter().map(TaskId).filter(|&task| run.task(task).waiting_for == 0).collect();
        for task in free {
            self.make_ready(TaskKey { run: id, task }, at);
        }
        self.arm_run_timer(id);
    }

    pub(super) fn run_forgotten(&mut self, id: RunId) {
        let Some(run) = self.runs.remove(&id) else { return };
        self.ended.retain(|&ended| ended != id);
        if let Some(key) = run.admitted.key {
            self.by_key.remove(&key);
        }
    }
}

impl Run {
    /// Sets, for each of `tasks`, how many dependencies have not succeeded. One pass over edges.
    fn recount_dependencies(&mut self, tasks: &IdSet) {
        for task in tasks.iter().map(TaskId) {
            let handler = u32::from(self.is_handler(task));
            self.tasks[task.0 as usize].waiting_for = handler;
        }
        let graph = Arc::clone(&self.graph);
        for from in graph.tasks() {
            if self.task(from).status() == TaskStatus::Succeeded {
                continue;
            }
            for to in graph.successors(from).filter(|to| tasks.contains(to.0)) {
                self.tasks[to.0 as usize].waiting_for += 1;
            }
        }
    }
}
