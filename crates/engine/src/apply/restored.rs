//! The facts of a snapshot: each puts back a piece of what the facts before it had made.

use alloc::sync::Arc;
use alloc::vec::Vec;

use model::fact::{ItemImage, Restored, TaskImage};
use model::status::{RunStatus, TaskStatus};
use model::{IdSet, ItemId, RunId, Seq, TaskId, TaskKey, Timestamp};

use crate::state::{Item, Lease, State, is_trouble};

impl State {
    pub(super) fn restored(&mut self, restored: &Restored, recorded: (Seq, Timestamp)) {
        match restored {
            Restored::Counters { next_run, next_worker, mean_wall_us } => {
                (self.next_run, self.next_worker) = (*next_run, *next_worker);
                for (request, mean) in mean_wall_us {
                    self.classes.restore_mean(request, *mean);
                }
            }
            Restored::Run { run, status, cause, ended_at } => {
                self.disarm_run_timer(*run);
                let Some(found) = self.runs.get_mut(run) else { return };
                (found.status, found.cause, found.ended_at) = (*status, *cause, *ended_at);
                found.opened_at = recorded.1;
                if status.is_final() {
                    self.ended.push_back(*run);
                } else if *status == RunStatus::Running {
                    self.arm_run_timer(*run);
                }
            }
            Restored::Tasks { run, tasks, image } => self.restore_tasks(*run, tasks, image),
            Restored::Items { task, items, image } => self.restore_items(*task, items, *image),
            Restored::Lease { item, token, worker, started_at, overran } => {
                let Some(run) = self.runs.get(&item.run) else { return };
                let lease = Lease {
                    token: *token,
                    worker: *worker,
                    round: run.task(item.task).round(),
                    class: run.class(item.task),
                    leased_at: recorded.1,
                    started_at: None,
                    overran: false,
                };
                self.insert_lease(*item, lease);
                if let Some(started_at) = started_at {
                    self.start_lease(*item, *started_at);
                }
                if *overran {
                    self.attempt_overran(*item);
                }
            }
            Restored::Retry { item, at } => {
                let Some(run) = self.runs.get(&item.run) else { return };
                self.ready.insert_retry(run.class(item.task), *at, *item);
            }
            Restored::End { seq, at, epoch } => {
                (self.last, self.at, self.epoch) = (*seq, *at, *epoch);
                self.recount_runs();
            }
        }
    }

    fn restore_tasks(&mut self, id: RunId, tasks: &IdSet, image: &TaskImage) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        for task in tasks.iter() {
            let record = &mut run.tasks[task as usize];
            let old = record.item.status();
            record.item = Item::from(image.item);
            record.waiting_for = image.waiting_for;
            record.round = image.round;
            record.started_ms = image.started_ms;
            record.ended_ms = image.ended_ms;
            record.trouble = image.trouble;
            if run.fan(TaskId(task)).is_none() {
                run.items.shift(old, image.item.status, 1);
            }
        }
    }

    fn restore_items(&mut self, key: TaskKey, items: &IdSet, image: ItemImage) {
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        let Some(fan) = run.fans.get_mut(&key.task) else { return };
        for item in items.iter().map(ItemId) {
            let slot = &mut fan.items[item.0 as usize];
            fan.tally.shift(slot.status(), image.status, 1);
            run.items.shift(slot.status(), image.status, 1);
            *slot = Item::from(image);
        }
        fan.rebuild_ready();
    }

    /// Derives what a snapshot leaves out: how many tasks are open, and what is ready. An admission
    /// makes tasks ready that have long gone on, so the index is built anew.
    fn recount_runs(&mut self) {
        for run in self.runs.values_mut() {
            (run.open_tasks, run.open_handlers, run.troubled) = (0, 0, 0);
            run.handlers_released = false;
            let graph = Arc::clone(&run.graph);
            for task in graph.tasks() {
                let status = run.task(task).status();
                let handler = run.is_handler(task);
                let open = if handler { &mut run.open_handlers } else { &mut run.open_tasks };
                *open += u32::from(!status.is_final());
                run.troubled += u32::from(is_trouble(status));
                let waits = matches!(status, TaskStatus::Pending | TaskStatus::Skipped);
                run.handlers_released |= handler && !waits;
            }
        }
        self.ready.tasks.clear();
        let keys: Vec<_> = self
            .runs
            .iter()
            .filter(|(_, run)| run.items.of(TaskStatus::Ready) > 0)
            .flat_map(|(&id, run)| run.graph.tasks().map(move |task| TaskKey { run: id, task }))
            .collect();
        keys.into_iter().for_each(|key| self.index_task(key));
    }
}
