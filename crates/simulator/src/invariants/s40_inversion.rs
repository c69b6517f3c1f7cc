//! S40: no priority inversion. Of one run nothing begins that is less urgent than something else
//! that asks for the same, could begin, and has waited for it. What something urgent waits for is
//! as urgent itself (Sha, Rajkumar and Lehoczky, 1990).

use model::policy::{Policy, Priority};
use model::{Fact, Graph, Span, TaskId, TaskStatus, Timestamp};

use super::View;
use crate::ledger::{Ledger, Run};

/// How long something has to wait before it counts: a plan, and a commit that is under way.
const COUNTS: Span = Span::secs(2);

/// What has waited for so long may go first, whatever is more urgent: room is kept for it.
const LATE: Span = Span::secs(25);

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let Fact::AttemptsLeased { task: key, items, .. } = &view.entry.fact else { return Ok(()) };
    let run = view.ledger.run(key.run).ok_or("the run is not known")?;
    let (graph, at) = (&run.graph, view.entry.at);
    let usual = graph.policies().first().map(|policy| policy.priority);
    if graph.policies().iter().all(|policy| Some(policy.priority) == usual) {
        return Ok(());
    }
    let begins = graph.policy(key.task);
    let first = run.items_of(key.task).get(items.start as usize);
    let fresh = first.filter(|item| item.status == TaskStatus::Ready);
    if begins.trigger.is_handler() || fresh.is_none_or(|item| at.since(item.ready_at) >= LATE) {
        return Ok(());
    }
    let own = urgency(graph, key.task);
    let others = graph.tasks().filter(|&other| other != key.task);
    let mut waiting = others.filter(|&other| could_begin(run, other, begins, at));
    let Some(other) = waiting.find(|&other| urgency(graph, other) > own) else { return Ok(()) };
    if keeps_room(view.ledger, at) {
        return Ok(());
    }
    let urgent = urgency(graph, other);
    Err(format!(
        "{key:?} begins, which is of priority {}, and task {other} of its run waits, of {}",
        own.0, urgent.0
    ))
}

/// How urgent a task is: as urgent as the most urgent that waits for it, if that is more urgent
/// than usual.
fn urgency(graph: &Graph, task: TaskId) -> Priority {
    let (mut seen, mut next) = (vec![false; graph.len()], vec![task]);
    let mut most = graph.policy(task).priority;
    while let Some(task) = next.pop() {
        for behind in graph.successors(task) {
            if !std::mem::replace(&mut seen[behind.0 as usize], true) {
                next.push(behind);
            }
        }
    }
    let behind = graph.tasks().filter(|task| seen[task.0 as usize]);
    for priority in behind.map(|task| graph.policy(task).priority) {
        if priority > Priority::default() {
            most = most.max(priority);
        }
    }
    most
}

/// Whether an item of a task has waited, and could have begun wherever another begins.
fn could_begin(run: &Run, task: TaskId, begins: &Policy, at: Timestamp) -> bool {
    let policy = run.graph.policy(task);
    let is_alike = policy.request == begins.request
        && policy.constraints == begins.constraints
        && policy.constraints.is_empty()
        && policy.shared == begins.shared
        && policy.shared.is_empty()
        && policy.critical == begins.critical
        && !policy.gang
        && !begins.gang
        && policy.alternatives.is_empty()
        && begins.alternatives.is_empty()
        && policy.others.is_empty()
        && begins.others.is_empty()
        && policy.deadline.is_none();
    let is_full = policy.concurrency.is_some_and(|limit| run.live_items(task) >= limit as usize);
    let waits = || {
        let mut items = run.items_of(task).iter();
        items.any(|it| it.status == TaskStatus::Ready && at.since(it.ready_at) >= COUNTS)
    };
    is_alike && !is_full && waits()
}

/// Whether room may be kept for anything: then what ends before that is wanted goes before what
/// does not.
fn keeps_room(ledger: &Ledger, at: Timestamp) -> bool {
    let is_late = |run: &Run| {
        run.items.iter().any(|item| match item.status {
            TaskStatus::Ready => at.since(item.ready_at) >= LATE,
            TaskStatus::Retrying => item.retry_at <= at && at.since(item.retry_at) >= LATE,
            _ => false,
        })
    };
    let may_leave = |run: &Run| run.graph.policies().iter().any(|policy| policy.preemptible);
    ledger.has_queues || ledger.runs.values().any(|run| is_late(run) || may_leave(run))
}
