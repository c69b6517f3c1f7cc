//! What is held to have ended without having been run: marks of people, items whose outputs were
//! kept, and what a run brings along from the one that it was made from.

use alloc::boxed::Box;
use alloc::vec::Vec;

use model::control::Kind;
use model::fact::{ControlImage, Fact, MarkCause, Marked};
use model::limits::{ITEMS_PER_FACT_MAX, ITEMS_PER_TASK_MAX};
use model::status::{RunStatus, TaskStatus};
use model::{Graph, IdSet, TaskId, TaskKey};

use super::Turn;
use crate::input::{Answer, Rejection, RequestId};
use crate::state::{Fan, Run, loops};

impl Turn<'_> {
    /// Tasks, or items, that have not begun are held to have ended.
    pub(super) fn mark(&mut self, request: RequestId, mark: Marked) {
        if let Err(rejection) = self.may_mark(&mark) {
            return self.reject(request, rejection);
        }
        let (run, tasks, status) = (mark.run, mark.tasks.clone(), mark.status);
        let some = mark.items.is_some();
        self.record(Fact::Marked(Box::new(mark)));
        for task in tasks.iter().map(TaskId) {
            let ended = self.state.run(run).map(|run| run.task(task).status());
            // Of a fan-out one item is enough, as if it had been run.
            if status == TaskStatus::Failed && (some || ended == Some(status)) {
                self.task_failed(TaskKey { run, task });
            }
        }
        self.reply(request, Answer::Marked { tasks: tasks.len() });
        self.progress(run);
    }

    fn may_mark(&self, mark: &Marked) -> Result<(), Rejection> {
        let Some(run) = self.state.run(mark.run) else {
            return Err(Rejection::UnknownRun(mark.run));
        };
        let status = run.status();
        if status.is_final() || status == RunStatus::Stopping {
            return Err(Rejection::RunEnded(status));
        }
        check_mark(run.graph(), mark)?;
        check_loops(run.graph(), &mark.tasks)?;
        match &mark.items {
            None => match mark.tasks.iter().map(TaskId).find(|&task| run.has_begun(task)) {
                Some(task) => Err(Rejection::Begun(task)),
                None => Ok(()),
            },
            Some(items) => check_items(run, mark, items),
        }
    }

    /// Items of a task that begins were done before.
    pub(super) fn mark_cached(&mut self, key: TaskKey, cached: &IdSet) {
        if cached.is_empty() {
            return;
        }
        let Some(fan) = self.state.run(key.run).and_then(|run| run.fan(key.task)) else { return };
        let known = cached.iter().map(|id| id as usize).take_while(|&id| id < fan.items().len());
        let ready = known.filter(|&id| fan.items()[id].status() == TaskStatus::Ready);
        let items: IdSet = ready.filter_map(|id| u32::try_from(id).ok()).collect();
        // As many ranges as keep a record small.
        let parts: Vec<IdSet> = items
            .ranges()
            .chunks(ITEMS_PER_FACT_MAX)
            .map(|ranges| ranges.iter().cloned().flatten().collect())
            .collect();
        for items in parts {
            self.record(Fact::Marked(Box::new(Marked {
                run: key.run,
                tasks: IdSet::one(key.task.0),
                items: Some(items),
                status: TaskStatus::Succeeded,
                cause: MarkCause::Cache,
                control: None,
                output: None,
            })));
        }
    }
}

fn check_items(run: &Run, mark: &Marked, items: &IdSet) -> Result<(), Rejection> {
    let task = mark.tasks.iter().next().map_or(TaskId(0), TaskId);
    let Some(fan) = run.fan(task) else {
        return Err(Rejection::Unfit("a task without a fan-out is marked as a whole"));
    };
    check_range(fan, items)?;
    if run.is_gang(task) {
        return Err(Rejection::Unfit("a gang is marked as a whole"));
    }
    let waits = |id: u32| {
        let status = fan.items()[id as usize].status();
        matches!(status, TaskStatus::Pending | TaskStatus::Ready)
    };
    if items.iter().all(waits) { Ok(()) } else { Err(Rejection::Begun(task)) }
}

/// Whether a fan-out has these items.
pub(super) fn check_range(fan: &Fan, items: &IdSet) -> Result<(), Rejection> {
    let known = items.ranges().last().is_none_or(|last| last.end as usize <= fan.items().len());
    if known { Ok(()) } else { Err(Rejection::Unfit("the task does not have that many items")) }
}

/// What a run brings along names each task once, in a way that fits the graph.
pub(super) fn check_done(graph: &Graph, done: &[Marked]) -> Result<(), Rejection> {
    let mut all = IdSet::new();
    for mark in done {
        check_mark(graph, mark)?;
        if mark.items.is_some() {
            return Err(Rejection::Unfit("what was done before is brought along as whole tasks"));
        }
        if mark.tasks.iter().any(|task| all.contains(task)) {
            return Err(Rejection::Unfit("a task is marked twice"));
        }
        mark.tasks.ranges().iter().for_each(|range| all.insert_range(range.clone()));
    }
    if all.is_empty() { Ok(()) } else { check_loops(graph, &all) }
}

/// What must hold of a mark whatever has become of the run.
fn check_mark(graph: &Graph, mark: &Marked) -> Result<(), Rejection> {
    let Some(last) = mark.tasks.ranges().last() else {
        return Err(Rejection::Unfit("no task is named"));
    };
    if last.end as usize > graph.len() {
        return Err(Rejection::UnknownTask(TaskId(last.end - 1)));
    }
    if mark.items.as_ref().is_some_and(IdSet::is_empty) {
        return Err(Rejection::Unfit("no item is named"));
    }
    let single = (mark.tasks.len() == 1).then_some(TaskId(last.start));
    if single.is_none() && (mark.items.is_some() || mark.control.is_some() || mark.output.is_some())
    {
        return Err(Rejection::Unfit("items and outputs belong to one task"));
    }
    let ended = [TaskStatus::Succeeded, TaskStatus::Failed, TaskStatus::Skipped];
    if !ended.contains(&mark.status) {
        return Err(Rejection::Unfit("a task is marked as succeeded, failed or skipped"));
    }
    match (single, mark.control) {
        (Some(task), Some(image)) if !fits_kind(graph, task, image) => {
            Err(Rejection::Unfit("the task is not of a kind that has such an answer"))
        }
        _ => Ok(()),
    }
}

fn fits_kind(graph: &Graph, task: TaskId, image: ControlImage) -> bool {
    let kind = graph.policy(task).kind;
    match image {
        ControlImage::FanOut { items, .. } => {
            kind.is_work() && graph.fan_out(task).is_none() && items <= ITEMS_PER_TASK_MAX
        }
        ControlImage::Route(_) => kind == Kind::Decision,
        ControlImage::Turn(_) => matches!(kind, Kind::Loop { .. }),
        // What has ended does not wait.
        ControlImage::Wait(_) => false,
    }
}

/// A loop is marked with its whole body or not at all: nothing of a turn can be left out.
fn check_loops(graph: &Graph, tasks: &IdSet) -> Result<(), Rejection> {
    for end in loops(graph) {
        let Kind::Loop { first, .. } = graph.policy(end).kind else { continue };
        let mut whole = first.0..end.0 + 1;
        let some = whole.clone().any(|task| tasks.contains(task));
        if some && !whole.all(|task| tasks.contains(task)) {
            return Err(Rejection::Unfit("a task of a loop is marked with the whole loop"));
        }
    }
    Ok(())
}
