//! Runs and what waits of them, as groups.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use model::status::TaskStatus;
use model::{ItemId, ItemKey, RunId, TaskId, TaskKey, Timestamp, VariantId};
use scheduler::Group;

use super::classes::Sort;
use super::estimates::{is_sure, times};
use super::forecast::{Expected, Forecast};
use super::{Origin, Planning};
use crate::decide::may_start;
use crate::state::{ClassId, Run, State};

impl Planning {
    /// Tells that a run has come, is gone, or goes on in another way.
    pub(super) fn tell_run(&mut self, state: &State, id: RunId, now: Timestamp) {
        let run = state.run(id).filter(|run| !run.status().is_final());
        let Some(run) = run.filter(|run| may_start(run.status())) else {
            self.planner.forget_run(now.0, id.0);
            self.due.retain(|item| item.run != id);
            if run.is_none() {
                self.forecasts.remove(&id);
            }
            return;
        };
        self.look_ahead(state, id, run, now);
        for key in run.graph().tasks().map(|task| TaskKey { run: id, task }) {
            let origin = Origin::Task(key);
            let is_known = self.planner.group(origin.key()).is_some();
            if run.ready_items(key.task) > 0 || run.is_waiting_gang(key.task) || is_known {
                self.tell_group(state, origin, now);
            }
            if run.is_gang(key.task) {
                continue;
            }
            for item in retrying(run, key.task) {
                self.tell_retry(state, key.item(item), now);
            }
        }
    }

    /// Works out what is left of a run, by the estimates of this moment.
    fn look_ahead(&mut self, state: &State, id: RunId, run: &Run, now: Timestamp) {
        let look = self.forecasts.remove(&id).map_or(0, |old| old.next_look());
        let classes: Vec<ClassId> = run.classes.clone();
        let tenant = self.queues.tenant(&run.admitted().queue);
        let item = |policy: usize| {
            let class = classes[policy];
            if !run.graph().policies()[policy].kind.is_work() {
                return Expected::default();
            }
            let times = times(state, run, policy, class);
            let critical = run.graph().policies()[policy].critical;
            let mut numbers = state.classes.with_alternatives(class).map(|class| {
                let sort = Sort { class, from: VariantId::default(), tenant, critical };
                self.class(state, sort, now)
            });
            let first = numbers.next().zip(times.first().copied());
            let (number, time) = first.expect("every class is one, and has a time");
            let others: Vec<_> = numbers.zip(times[1..].iter().copied()).collect();
            // What can be done in several ways counts as the first that can be had at all.
            let mut ways = core::iter::once((number, time)).chain(others);
            let had = ways.find(|&(number, _)| self.planner.could_ever_hold(number));
            let (number, time) = had.unwrap_or((number, time));
            Expected { time, work: self.planner.work(number, time), times }
        };
        let forecast = Forecast::new(run, item, look);
        self.forecasts.insert(id, forecast);
        self.tell_room(state, id);
    }

    /// Tells what is left of a run, and how many more of its items may be with workers.
    pub(super) fn tell_room(&mut self, state: &State, id: RunId) {
        let (Some(run), Some(forecast)) = (state.run(id), self.forecasts.get_mut(&id)) else {
            return;
        };
        let limit = run.admitted().concurrency;
        self.planner.set_run(
            id.0,
            scheduler::Run {
                queue: self.queues.number(&run.admitted().queue),
                priority: run.admitted().priority.0,
                room: limit.map_or(u32::MAX, |limit| limit.saturating_sub(run.live())),
                arrived_at: run.admitted_at().0,
                work: forecast.work(),
                path: forecast.path(),
            },
        );
    }

    /// Tells how a task stands now.
    pub(super) fn tell_task(&mut self, state: &State, key: TaskKey, now: Timestamp) {
        let (Some(run), Some(forecast)) = (state.run(key.run), self.forecasts.get_mut(&key.run))
        else {
            return;
        };
        if key.task.0 as usize >= run.graph().len() {
            return;
        }
        forecast.count(run, key.task);
        self.stirred.insert(key.run);
        self.tell_group(state, Origin::Task(key), now);
        let of_task = key.item(ItemId(0))..=key.item(ItemId(u32::MAX));
        let due: Vec<ItemKey> = self.due.range(of_task).copied().collect();
        due.into_iter().for_each(|item| self.tell_retry(state, item, now));
    }

    /// An attempt has ended; now and then that makes other estimates.
    pub(super) fn note_end(&mut self, state: &State, id: RunId, now: Timestamp) {
        let forecast = self.forecasts.get_mut(&id);
        if forecast.is_some_and(Forecast::attempt_ended) {
            self.tell_run(state, id, now);
        }
    }

    /// Tells whether an item waits for its next attempt, and its turn has come. A member of a gang
    /// has its turn with all others.
    pub(super) fn tell_retry(&mut self, state: &State, item: ItemKey, now: Timestamp) {
        if state.run(item.run).is_some_and(|run| run.is_gang(item.task)) {
            return self.tell_group(state, Origin::Task(item.task_key()), now);
        }
        let is_due = state.ready.retry_at(item).is_some_and(|at| at <= now);
        let may = state.run(item.run).is_some_and(|run| may_start(run.status()));
        if is_due && may {
            self.due.insert(item);
            self.tell_group(state, Origin::Retry(item), now);
        } else {
            self.forget_due(item, now);
        }
    }

    pub(super) fn forget_due(&mut self, item: ItemKey, now: Timestamp) {
        if self.due.remove(&item) {
            self.planner.set_group(now.0, Origin::Retry(item).key(), Group::default());
        }
    }

    fn tell_group(&mut self, state: &State, origin: Origin, now: Timestamp) {
        let group = self.group(state, origin, now);
        self.planner.set_group(now.0, origin.key(), group.unwrap_or_default());
        let key = origin.task();
        let forecast = self.forecasts.get(&key.run).filter(|_| group.is_some());
        let times = forecast.map_or(&[][..], |forecast| forecast.other_times(key.task));
        self.planner.set_durations(origin.key(), times);
    }

    fn group(&mut self, state: &State, origin: Origin, now: Timestamp) -> Option<Group> {
        let key = origin.task();
        let run = state.run(key.run).filter(|run| may_start(run.status()))?;
        let allowed = run.allowance(key.task).unwrap_or(u32::MAX);
        let gang = run.is_gang(key.task);
        let (count, class, from) = match origin {
            Origin::Task(task) if gang => {
                (due_members(state, task, now), run.class(task.task), VariantId::default())
            }
            Origin::Task(task) => {
                (run.ready_items(task.task), run.class(task.task), VariantId::default())
            }
            Origin::Retry(item) => {
                (1, run.class_of(item.task, item.item), state.ready.first_way(item))
            }
        };
        let forecast = self.forecasts.get(&key.run)?;
        let rank = forecast.rank(key.task);
        let starts_by = forecast.starts_by(key.task);
        let expected = forecast.time(key.task, VariantId::default());
        let critical = run.policy(key.task).critical;
        let own = run.policy(key.task).priority.0;
        let priority = forecast.inherited(key.task).unwrap_or(own);
        let tenant = self.queues.tenant(&run.admitted().queue);
        let since = self.planner.group(origin.key()).map(|known| known.ready_at);
        Some(Group {
            class: self.class(state, Sort { class, from, tenant, critical }, now),
            count: count.min(allowed),
            priority,
            rank,
            ready_at: since.unwrap_or(now.0),
            starts_by,
            expected,
            gang,
            is_sure: is_sure(state, run, run.graph().policy_index(key.task)),
        })
    }

    /// The priorities of the run and the task of an item.
    pub(super) fn priority(&self, state: &State, item: ItemKey) -> (u8, u8) {
        let Some(run) = state.run(item.run) else { return (0, 0) };
        let forecast = self.forecasts.get(&item.run);
        let inherited = forecast.and_then(|forecast| forecast.inherited(item.task));
        let own = run.policy(item.task).priority.0;
        (run.admitted().priority.0, inherited.unwrap_or(own))
    }

    /// How long an item that is with a worker is expected to take, in the way in which it is done.
    pub(super) fn expected_item(&self, item: ItemKey, way: VariantId) -> u64 {
        self.forecasts.get(&item.run).map_or(0, |forecast| forecast.time(item.task, way))
    }
}

/// How many members of a gang may begin: all, or none.
fn due_members(state: &State, key: TaskKey, now: Timestamp) -> u32 {
    let is_due = state.gang_due(key).is_some_and(|at| at <= now);
    let run = state.run(key.run).filter(|_| is_due);
    run.map_or(0, |run| run.item_count(key.task))
}

/// The items of a task that wait for their next attempt.
fn retrying(run: &Run, task: TaskId) -> Vec<ItemId> {
    let is_retrying = |status: TaskStatus| status == TaskStatus::Retrying;
    match run.fan(task) {
        Some(fan) if fan.tally().of(TaskStatus::Retrying) == 0 => Vec::new(),
        Some(fan) => {
            let numbered = (0..).map(ItemId).zip(fan.items());
            numbered.filter(|(_, item)| is_retrying(item.status())).map(|(item, _)| item).collect()
        }
        None if is_retrying(run.task(task).status()) => alloc::vec![ItemId(0)],
        None => Vec::new(),
    }
}

/// Compares what the planner was told with the state.
pub(super) fn check(planning: &Planning, state: &State) -> Result<(), String> {
    let mut known = 0;
    for (id, run) in state.runs().filter(|(_, run)| may_start(run.status())) {
        for task in run.graph().tasks() {
            let key = TaskKey { run: id, task };
            let count = match run.is_gang(task) {
                true => due_members(state, key, planning.planned_at),
                false => run.ready_items(task),
            };
            let count = count.min(run.allowance(task).unwrap_or(u32::MAX));
            known += usize::from(count > 0);
            let told = planning.planner.group(Origin::Task(key).key()).map_or(0, |it| it.count);
            if told != count {
                return Err(format!("{count} items of {id}/{task} wait, and {told} were told"));
            }
        }
    }
    for &item in &planning.due {
        let is_due = state.ready.retry_at(item).is_some_and(|at| at <= planning.planned_at);
        let told = planning.planner.group(Origin::Retry(item).key()).map_or(0, |it| it.count);
        let may = state.run(item.run).and_then(|run| run.allowance(item.task)) != Some(0);
        if !is_due || told != u32::from(may) {
            return Err(format!("{item:?}: due {is_due}, told {told}"));
        }
        known += usize::from(told > 0);
    }
    match planning.planner.group_count() {
        told if told == known => Ok(()),
        told => Err(format!("{known} groups wait, and {told} were told")),
    }
}
