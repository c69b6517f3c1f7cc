//! Why something waits, where it runs, or how it ended: the engine's blockers in plain words.
//!
//! Reasons are the planner's own refusals; here they only get names, numbers and units.

use model::fact::StopCause;
use model::wait::Blocker;
use model::{ItemId, ItemKey, TaskId, TaskStatus, WorkerId};
use protocol::api;

mod because;
mod blocker;
mod expected;
mod miss;

use super::bounds::limits;
use super::skips::why_skipped;
use super::subject::Subject;
use super::words::trouble;
use blocker::kind;

/// Blockers that are spelled out; more are counted.
const BLOCKERS_MAX: usize = 100;
/// Names in one sentence.
const NAMED_MAX: usize = 3;

/// Explains an item of a task; without one, the item that has come least far. `None` if there is
/// no such item.
pub(crate) fn explain(
    subject: &Subject<'_>,
    task: TaskId,
    item: Option<u32>,
) -> Option<api::Explanation> {
    let fan = subject.run.fan(task);
    let item = match item {
        Some(item) => ItemId(item),
        None => fan.map_or(ItemId(0), |_| least_far(subject, task)),
    };
    let key = subject.key(task).item(item);
    let text = Text { subject, key };
    let Some(explained) = subject.engine.explain(key) else {
        let is_empty = fan.is_some_and(|fan| fan.items().is_empty()) && item == ItemId(0);
        return is_empty.then(|| text.of_no_items(task));
    };
    let blockers = &explained.blockers;
    Some(api::Explanation {
        run: subject.id,
        task: subject.names.task(task),
        item: fan.map(|_| item.0),
        status: explained.status,
        summary: text.summary(explained.status, blockers),
        reason: None,
        decided: None,
        blockers: text.blockers(blockers),
        position: explained.ahead.map(|ahead| ahead.items),
        position_tasks: explained.ahead.map(|ahead| ahead.tasks),
        unblock: text.unblock(blockers),
        expected: text.expected(blockers),
        placed: text.placement(),
        limits: limits(subject, task, text.lease().map(|lease| lease.worker)),
        as_of: None,
    })
}

/// The first item of a fan-out in the earliest status that any has.
fn least_far(subject: &Subject<'_>, task: TaskId) -> ItemId {
    let Some(fan) = subject.run.fan(task) else { return ItemId(0) };
    let earliest = fan.tally().iter().next().map(|(status, _)| status);
    let found = (0..).zip(fan.items()).find(|(_, item)| Some(item.status()) == earliest);
    ItemId(found.map_or(0, |(number, _)| number))
}

/// Sentences about one item.
struct Text<'s, 'a> {
    subject: &'s Subject<'a>,
    key: ItemKey,
}

impl Text<'_, '_> {
    /// A fan-out whose list is empty: the status of the task is all there is.
    fn of_no_items(&self, task: TaskId) -> api::Explanation {
        api::Explanation {
            run: self.subject.id,
            task: self.subject.names.task(task),
            item: None,
            status: self.subject.run.task(task).status(),
            summary: "its list of items is empty".to_owned(),
            reason: None,
            decided: None,
            blockers: Vec::new(),
            position: None,
            position_tasks: None,
            unblock: None,
            expected: None,
            placed: None,
            limits: None,
            as_of: None,
        }
    }

    /// One sentence, to follow "it is ready: ".
    fn summary(&self, status: TaskStatus, blockers: &[Blocker]) -> String {
        match status {
            TaskStatus::Pending | TaskStatus::Ready | TaskStatus::Retrying => {
                self.waiting(status, blockers)
            }
            TaskStatus::Leased => {
                format!("worker {} has it and starts it when it has room", self.worker_name())
            }
            TaskStatus::Running if let [first, ..] = blockers => self.blocker(first),
            TaskStatus::Running => match self.lease().and_then(|lease| lease.started_at) {
                Some(started) => {
                    let span = self.subject.now.since(started);
                    match self.subject.names.looked_for(self.key.task) {
                        Some(what) => format!("it waits for {what}, and has for {span}"),
                        None => format!("it has run on worker {} for {span}", self.worker_name()),
                    }
                }
                None => "it runs".to_owned(),
            },
            TaskStatus::Succeeded => format!("it succeeded{}", self.after_attempts()),
            TaskStatus::Failed => {
                let trouble = self.subject.run.task(self.key.task).trouble().and_then(trouble);
                let trouble = trouble.unwrap_or_else(|| "no attempt succeeded".to_owned());
                let fan = self.subject.run.fan(self.key.task);
                // Of a task the last failure is kept, and not that of each item.
                match fan.map_or(0, |fan| fan.tally().of(TaskStatus::Failed)) {
                    0 | 1 => format!("{trouble}{}", self.after_attempts()),
                    failed => format!(
                        "no attempt succeeded{}; of the {failed} items that failed the last did \
                         so with: {trouble}",
                        self.after_attempts()
                    ),
                }
            }
            TaskStatus::TimedOut if self.subject.names.awaited(self.key.task).is_some() => {
                "nobody answered it in time".to_owned()
            }
            TaskStatus::TimedOut => self.timed_out(),
            TaskStatus::Cancelled => self.cancelled(),
            TaskStatus::Skipped => {
                why_skipped(self.subject.run, self.key.task, &self.subject.names)
            }
            TaskStatus::Terminated => "its run was terminated before it could end".to_owned(),
        }
    }

    fn timed_out(&self) -> String {
        let policy = self.subject.run.graph().policy(self.key.task);
        match (policy.timeout, self.subject.names.heartbeat(self.key.task)) {
            (Some(limit), None) => format!("it ran longer than its limit of {limit}"),
            (Some(limit), Some(silence)) => {
                format!("it ran longer than its limit of {limit}, or was silent for {silence}")
            }
            (None, Some(silence)) if policy.deadline.is_none() => {
                format!("it was silent for {silence}")
            }
            (None, _) => "it ran out of time".to_owned(),
        }
    }

    fn waiting(&self, status: TaskStatus, blockers: &[Blocker]) -> String {
        match blockers {
            [] if status == TaskStatus::Pending => "what it depends on is about to end".to_owned(),
            [] => "nothing keeps it, it starts next".to_owned(),
            [Blocker::Dependency { .. }, ..] => {
                format!("it waits for {}", self.dependencies(blockers))
            }
            [Blocker::Gang { members, room, .. }, ..] => {
                format!("{room} of the {members} members of its gang have room")
            }
            [Blocker::Oversized { .. }, ..] => "its gang is too large to ever begin".to_owned(),
            [Blocker::NoRoom { .. }, ..] => "no worker has room for it".to_owned(),
            [Blocker::NeverFits { .. }, ..] => "it is too large for every worker".to_owned(),
            [first, ..] => self.blocker(first),
        }
    }

    fn dependencies(&self, blockers: &[Blocker]) -> String {
        let tasks = blockers.iter().filter_map(|blocker| match blocker {
            Blocker::Dependency { task, .. } => Some(*task),
            _ => None,
        });
        let total = tasks.clone().count();
        self.subject.names.some(tasks, total)
    }

    fn cancelled(&self) -> String {
        let why = match self.subject.run.cause() {
            Some(StopCause::TaskFailed) => "another task of its run failed",
            Some(StopCause::TimedOut) => "its run ran out of time",
            Some(StopCause::Stopped) => "its run was stopped",
            Some(StopCause::Terminated) => "its run was terminated",
            None => "its run ended",
        };
        format!("{why} before it could end")
    }

    fn after_attempts(&self) -> String {
        let item = self.subject.run.item(self.key.task, self.key.item);
        match item.map_or(0, |item| item.attempts().0) {
            0 | 1 => String::new(),
            attempts => format!(" after {attempts} attempts"),
        }
    }

    fn blockers(&self, blockers: &[Blocker]) -> Vec<api::Blocker> {
        let mut shown: Vec<_> = blockers
            .iter()
            .take(BLOCKERS_MAX)
            .map(|blocker| api::Blocker {
                kind: kind(blocker).to_owned(),
                text: self.blocker(blocker),
            })
            .collect();
        let more = blockers.len() - shown.len();
        if more > 0 {
            let text = format!("it depends on {more} more tasks that have not succeeded");
            shown.push(api::Blocker { kind: "dependency".to_owned(), text });
        }
        shown
    }

    /// How a task that waits for somebody is answered.
    fn who_answers(&self) -> String {
        let (run, task) = (self.subject.id, self.subject.names.task(self.key.task));
        match self.subject.names.awaited(self.key.task) {
            Some(spec::Awaited::Signal) => format!("`autoglm signal {run} {task}`"),
            _ => format!("`autoglm approve {run} {task}`, or `autoglm reject {run} {task}`"),
        }
    }

    fn placement(&self) -> Option<api::Placement> {
        let lease = self.lease()?;
        let item = self.subject.run.item(self.key.task, self.key.item)?;
        Some(api::Placement {
            worker: self.worker_name(),
            attempt: item.attempts().0,
            alternative: self.subject.run.policy(self.key.task).alternative(lease.variant),
            token: lease.token.0,
            started: lease.started_at.map(api::Time),
            checkpointed: lease.saved_at.map(api::Time),
            because: self.because(),
        })
    }

    fn lease(&self) -> Option<&engine::state::Lease> {
        self.subject.engine.state().lease(self.key)
    }

    fn worker_name(&self) -> String {
        self.lease().map_or_else(|| "?".to_owned(), |lease| self.worker(lease.worker))
    }

    fn worker(&self, id: WorkerId) -> String {
        let worker = self.subject.engine.state().worker(id);
        worker.map_or_else(|| format!("number {id}"), |worker| worker.name.to_string())
    }
}

#[cfg(test)]
mod tests;
