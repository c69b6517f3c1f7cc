//! What ends without having been run: marks, and deadlines that have passed.

use model::control::ControlAnswer;
use model::fact::{ControlImage, Marked};
use model::{IdSet, ItemId, TaskId, TaskStatus, Timestamp};

use super::run::{FRESH, Run};

impl Run {
    pub(super) fn mark(&mut self, marked: &Marked, at: Timestamp) -> Result<(), String> {
        let open = |task: &TaskId| self.task(*task).end.is_none();
        let tasks: Vec<TaskId> = marked.tasks.iter().map(TaskId).filter(open).collect();
        if let (Some(image), &[task]) = (marked.control, &tasks[..]) {
            self.put_back(task, image);
        }
        for &task in &tasks {
            let count = self.task(task).count;
            let all = IdSet::range(0, count);
            for item in marked.items.as_ref().unwrap_or(&all).iter().map(ItemId) {
                let Some(&known) = self.item(task, item) else { continue };
                // What a fork brings along may have begun to wait with its admission, unseen.
                let first = self.task(task).first;
                let waits = self.task(task).waits.is_some();
                if waits {
                    self.items[(first + item.0) as usize].status = TaskStatus::Pending;
                }
                if waits || matches!(known.status, TaskStatus::Pending | TaskStatus::Ready) {
                    self.put(task, item, marked.status)?;
                    self.items[(first + item.0) as usize].marked = true;
                }
            }
            let record = &mut self.tasks[task.0 as usize];
            if count == 0 && marked.items.is_none() {
                record.end = Some(marked.status);
            }
            if record.end.is_some() {
                (record.asks, record.waits) = (false, None);
            }
        }
        self.follow(tasks, at);
        Ok(())
    }

    /// What an answer had made of a task where it was run.
    fn put_back(&mut self, task: TaskId, image: ControlImage) {
        let record = &mut self.tasks[task.0 as usize];
        match image {
            ControlImage::Route(route) => record.answer = Some(ControlAnswer::Route(route)),
            ControlImage::FanOut { items, list } if self.graph.fan_out(task).is_none() => {
                record.answer = Some(ControlAnswer::FanOut { items, list });
                record.first = u32::try_from(self.items.len()).expect("few items");
                (record.count, record.open) = (items, items);
                self.items.resize(self.items.len() + items as usize, FRESH);
            }
            ControlImage::FanOut { .. } | ControlImage::Wait(_) | ControlImage::Turn(_) => {}
        }
    }

    /// What no worker holds has run out of time, what runs is told to end.
    pub(super) fn run_out(&mut self, tasks: &IdSet, at: Timestamp) -> Result<(), String> {
        for task in tasks.iter() {
            let record = &mut self.tasks[task as usize];
            record.overdue = Some(at);
            if record.waits.is_some() {
                continue;
            }
            let items = record.first as usize..(record.first + record.count) as usize;
            let live = self.items[items].iter_mut().filter(|item| item.status.is_live());
            live.for_each(|item| item.overran = true);
        }
        self.close(tasks, TaskStatus::TimedOut, at)
    }
}
