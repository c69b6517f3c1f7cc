//! The facts of a snapshot: each puts back a piece of what the facts before it had made.

use alloc::sync::Arc;
use alloc::vec::Vec;

use model::fact::{ControlImage, ItemImage, LeaseImage, Restored, TaskImage};
use model::policy::Stage;
use model::status::{RunStatus, TaskStatus};
use model::{IdSet, ItemId, RunId, Seq, TaskId, TaskKey, Timestamp};

use crate::state::{Circuit, Fate, Item, Lease, State, Timer};

impl State {
    pub(super) fn restored(&mut self, restored: &Restored, recorded: (Seq, Timestamp)) {
        match restored {
            Restored::Counters { next_run, next_worker, mean_wall_us } => {
                (self.next_run, self.next_worker) = (*next_run, *next_worker);
                for (request, mean) in mean_wall_us {
                    self.classes.restore_mean(request, *mean);
                }
            }
            Restored::Run { run, status, cause, ended_at, released, paused } => {
                self.disarm_run_timer(*run);
                self.forget_begun_waits(*run);
                let Some(found) = self.runs.get_mut(run) else { return };
                (found.status, found.cause, found.ended_at) = (*status, *cause, *ended_at);
                (found.opened_at, found.released) = (recorded.1, *released);
                found.paused = *paused;
                if status.is_final() {
                    self.ended.push_back(*run);
                } else if matches!(status, RunStatus::Running | RunStatus::Paused) {
                    self.arm_run_timer(*run);
                }
            }
            Restored::Tasks { run, tasks, image } => self.restore_tasks(*run, tasks, image),
            Restored::Items { task, items, image } => self.restore_items(*task, items, *image),
            Restored::Control { task, image } => self.restore_control(*task, *image),
            Restored::Lease(image) => self.restore_lease(*image, recorded.1),
            Restored::Preempted { item, image } => {
                if let Some(run) = self.runs.get_mut(&item.run) {
                    run.preempted.insert((item.task, item.item), *image);
                }
            }
            Restored::Retry { item, at, variant } => {
                self.insert_retry(item.task_key(), item.item, (*at, *variant));
            }
            Restored::Budget { name, full_at } => {
                self.shares.full_at.insert(name.clone(), *full_at);
            }
            Restored::Breaker(image) => {
                self.shares.circuits.insert(image.name.clone(), Circuit::from(&**image));
            }
            Restored::RunSpent { run, totals } => {
                if let Some(run) = self.runs.get_mut(run) {
                    run.spent = *totals;
                }
            }
            Restored::Durations { workflow, policy, variant, recent_ms } => {
                self.durations.restore(workflow, (*policy, *variant), recent_ms);
            }
            Restored::TenantSpent { tenant, totals } => {
                self.spent.insert(tenant.clone(), *totals);
            }
            Restored::End { seq, at, epoch } => {
                (self.last, self.at, self.epoch) = (*seq, *at, *epoch);
                self.recount_runs();
            }
        }
    }

    fn restore_lease(&mut self, image: LeaseImage, leased_at: Timestamp) {
        let LeaseImage { item, token, worker, variant, devices, .. } = image;
        let Some(run) = self.runs.get(&item.run) else { return };
        let lease = Lease {
            token,
            worker,
            round: run.task(item.task).round(),
            variant,
            devices,
            class: self.classes.variant(run.class_of(item.task, item.item), variant),
            leased_at,
            started_at: None,
            saved_at: image.saved_at,
            overran: false,
            leaving_since: image.leaving_since,
            standing: image.standing,
        };
        self.insert_lease(item, lease);
        if let Some(started_at) = image.started_at {
            self.start_lease(item, started_at);
        }
        if image.overran {
            self.attempt_overran(item);
        }
    }

    /// The admission has let those tasks wait that wait for nothing else. Whether they still do is
    /// said by what follows.
    fn forget_begun_waits(&mut self, id: RunId) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        for (task, image) in core::mem::take(&mut run.control) {
            if let ControlImage::Wait(Some(until)) = image {
                self.timers.remove(&(until, Timer::Wait(TaskKey { run: id, task })));
            }
        }
        run.waits = 0;
    }

    fn restore_tasks(&mut self, id: RunId, tasks: &IdSet, image: &TaskImage) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        for task in tasks.iter() {
            let record = &mut run.tasks[task as usize];
            let old = record.item.status();
            record.item = Item::from(image.item);
            (record.waiting_for, record.undecided) = (image.waiting_for, image.undecided);
            record.round = image.round;
            record.started_ms = image.started_ms;
            record.ended_ms = image.ended_ms;
            record.trouble = image.trouble;
            if run.fan(TaskId(task)).is_none() {
                run.items.shift(old, image.item.status, 1);
            }
        }
        for task in tasks.iter().map(TaskId) {
            self.intern_grown(TaskKey { run: id, task }, image.item.growths);
        }
    }

    /// Stands before the state of the task, which is then that of the fan-out, or of the wait.
    fn restore_control(&mut self, key: TaskKey, image: ControlImage) {
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        match image {
            ControlImage::FanOut { items, list } => run.fan_out(key.task, items, list),
            ControlImage::Route(_) | ControlImage::Turn(_) => {
                run.control.insert(key.task, image);
            }
            ControlImage::Wait(until) => {
                run.control.insert(key.task, image);
                run.waits += 1;
                if let Some(until) = until {
                    self.timers.insert((until, Timer::Wait(key)));
                }
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
        self.intern_grown(key, image.growths);
    }

    /// Derives what a snapshot leaves out: how many tasks are open, and what is ready. An admission
    /// makes tasks ready that have long gone on, so the index is built anew.
    fn recount_runs(&mut self) {
        for run in self.runs.values_mut() {
            (run.open, run.troubled) = ([0; Stage::ALL.len()], 0);
            run.asking.clear();
            let graph = Arc::clone(&run.graph);
            for task in graph.tasks() {
                let record = *run.task(task);
                let (status, stage) = (record.status(), run.stage(task));
                if status == TaskStatus::Pending && record.fate() == Fate::Begins {
                    run.asking.insert(task);
                }
                run.open[stage as usize] += u32::from(!status.is_final());
                run.troubled += u32::from(run.is_troubled_by(task, status));
                // Snapshots of earlier versions do not say what has been released. What is only
                // held to have ended, or was never begun, says nothing of it.
                let begun = match status {
                    TaskStatus::Pending => false,
                    status => !status.is_final() || record.started_ms().is_some(),
                };
                if begun {
                    run.released = run.released.max(stage);
                }
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
