//! What ends without having been run: marks, and deadlines that have passed.

use alloc::vec::Vec;

use model::fact::{ControlImage, Marked};
use model::status::TaskStatus;
use model::{IdSet, ItemId, Outcome, RunId, TaskId, TaskKey, Timestamp};

use crate::state::{MARKED, Run, State};

impl State {
    pub(super) fn marked(&mut self, marked: &Marked, at: Timestamp) {
        let id = marked.run;
        let Some(run) = self.runs.get_mut(&id) else { return };
        if run.status().is_final() {
            return;
        }
        let mut open = known_tasks(run, &marked.tasks);
        open.retain(|&task| !run.task(task).status().is_final());
        if let (Some(image), &[task]) = (marked.control, &open[..]) {
            run.put_back(task, image);
        }
        match (&marked.items, &open[..]) {
            (None, _) => {
                let tasks = open.iter().map(|task| task.0).collect();
                self.close_items(id, &tasks, marked.status, at);
            }
            (Some(items), &[task]) => {
                let pending = run.task(task).status() == TaskStatus::Pending;
                self.mark_items(TaskKey { run: id, task }, items, (marked.status, at));
                open.retain(|_| pending);
            }
            (Some(_), _) => return,
        }
        let Some(run) = self.runs.get_mut(&id) else { return };
        for task in open {
            let record = &mut run.tasks[task.0 as usize];
            if record.status().is_final() {
                record.undecided = MARKED;
            }
        }
    }

    fn mark_items(&mut self, key: TaskKey, items: &IdSet, how: (TaskStatus, Timestamp)) {
        let (status, at) = how;
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        for item in items.iter().map(ItemId) {
            let Some(old) = run.item(key.task, item) else { break };
            if matches!(old.status(), TaskStatus::Pending | TaskStatus::Ready) {
                run.set_item(key.task, item, old.with_status(status), at);
            }
        }
        if run.task(key.task).status().is_final() {
            run.asking.remove(&key.task);
        }
        self.index_task(key);
        self.follow(key, at);
    }

    /// What no worker holds has run out of time; what runs has been told to end.
    pub(super) fn deadline_passed(&mut self, id: RunId, tasks: &IdSet, at: Timestamp) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let tasks = known_tasks(run, tasks);
        let mut live = Vec::new();
        for &task in &tasks {
            live.extend(run.held_items(task).map(|item| TaskKey { run: id, task }.item(item)));
            if run.has_waiting_items(task) {
                run.note_trouble(task, Outcome::TimedOut);
            }
        }
        live.into_iter().for_each(|item| self.attempt_overran(item));
        let tasks = tasks.into_iter().map(|task| task.0).collect();
        self.close_items(id, &tasks, TaskStatus::TimedOut, at);
    }
}

fn known_tasks(run: &Run, tasks: &IdSet) -> Vec<TaskId> {
    let known = |task: &TaskId| (task.0 as usize) < run.graph().len();
    tasks.iter().map(TaskId).take_while(known).collect()
}

impl Run {
    /// Puts back what an answer had made of a task where it was run.
    fn put_back(&mut self, task: TaskId, image: ControlImage) {
        match image {
            ControlImage::FanOut { items, list } if self.fan(task).is_none() => {
                self.fan_out(task, items, list);
            }
            ControlImage::Route(_) | ControlImage::Turn(_) => {
                self.control.insert(task, image);
            }
            // The items of this one stand in the file; and what has ended does not wait.
            ControlImage::FanOut { .. } | ControlImage::Wait(_) => {}
        }
    }
}
