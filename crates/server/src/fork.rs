//! A run that is made from another: what it keeps of what was done there.
//!
//! Kept is what ended well in the old run, is the same task in the new one, and depends on nothing
//! that runs again. Whether it would come to the same with other parameters is for whoever forks to
//! know: they say where to begin. Nothing here reads files or changes a run.

use std::cmp::Reverse;

use engine::state::Run;
use model::control::Kind;
use model::fact::{ControlImage, MarkCause, Marked};
use model::outcome::OutputRef;
use model::policy::Trigger;
use model::{Digest, Graph, IdSet, ItemId, RunId, TaskId, TaskStatus};
use spec::Definition;

/// What a new run is made from.
pub(crate) struct Old<'a> {
    pub run: &'a Run,
    pub definition: &'a Definition,
}

/// What a new run is.
pub(crate) struct New<'a> {
    pub graph: &'a Graph,
    pub definition: &'a Definition,
    /// Where it begins.
    pub from: TaskId,
}

/// A task that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub old: TaskId,
    pub new: TaskId,
    pub status: TaskStatus,
    /// How many items it has.
    pub items: u32,
    pub is_fan_out: bool,
    pub control: Option<ControlImage>,
}

impl Kept {
    /// The list of items that was worked out late.
    pub(crate) fn list(&self) -> Option<Digest> {
        match self.control {
            Some(ControlImage::FanOut { list, .. }) => Some(list),
            _ => None,
        }
    }

    /// The items whose outputs may be there.
    pub(crate) fn with_outputs(&self) -> impl Iterator<Item = ItemId> + use<> {
        let count = if self.status == TaskStatus::Succeeded { self.items } else { 0 };
        (0..count).map(ItemId)
    }
}

/// The tasks that the new run keeps, ascending.
pub(crate) fn kept(old: &Old<'_>, new: &New<'_>) -> Vec<Kept> {
    let graph = new.graph;
    let mut found: Vec<Option<Kept>> = graph.tasks().map(|task| same(old, new, task)).collect();
    found[new.from.0 as usize] = None;
    // What comes later has a lower rank.
    let mut order: Vec<TaskId> = graph.tasks().collect();
    order.sort_by_key(|&task| Reverse(graph.rank(task)));
    loop {
        for &task in &order {
            if found[task.0 as usize].is_none() {
                graph.successors(task).for_each(|next| found[next.0 as usize] = None);
            }
        }
        if !drop_broken_loop(graph, &mut found) {
            return found.into_iter().flatten().collect();
        }
    }
}

/// A loop is kept whole, with its body, or not at all. Says whether one was dropped.
fn drop_broken_loop(graph: &Graph, found: &mut [Option<Kept>]) -> bool {
    let mut is_dropped = false;
    for end in graph.tasks() {
        let Kind::Loop { first, .. } = graph.policy(end).kind else { continue };
        let whole = &mut found[first.0 as usize..=end.0 as usize];
        let kept = whole.iter().flatten().count();
        if kept > 0 && kept < whole.len() {
            whole.fill(None);
            is_dropped = true;
        }
    }
    is_dropped
}

/// What the old run made of a task of the new one, if that is the same task and has ended well.
fn same(old: &Old<'_>, new: &New<'_>, task: TaskId) -> Option<Kept> {
    let policy = new.graph.policy(task);
    let name = new.definition.task_name(task);
    let was = old.definition.task(name)?;
    let before = old.run.policy(was);
    let is_same = policy.trigger == Trigger::Dependencies
        && before.trigger == Trigger::Dependencies
        && std::mem::discriminant(&policy.kind) == std::mem::discriminant(&before.kind)
        && policy.must_ask() == before.must_ask();
    let status = old.run.task(was).status();
    if !is_same || !matches!(status, TaskStatus::Succeeded | TaskStatus::Skipped) {
        return None;
    }
    let fan = old.run.fan(was);
    let items = fan.map_or(1, |fan| u32::try_from(fan.items().len()).unwrap_or(u32::MAX));
    let control = image(old.run, was);
    let is_late = matches!(control, Some(ControlImage::FanOut { .. }));
    let known = fan.map(|_| items).filter(|_| !is_late);
    if new.graph.fan_out(task) != known {
        return None;
    }
    let is_fan_out = fan.is_some();
    Some(Kept { old: was, new: task, status, items, is_fan_out, control })
}

/// What an answer had made of a task.
fn image(run: &Run, task: TaskId) -> Option<ControlImage> {
    if let Some(list) = run.item_list(task) {
        return Some(ControlImage::FanOut { items: run.item_count(task), list });
    }
    match run.policy(task).kind {
        Kind::Decision => run.route(task).map(ControlImage::Route),
        Kind::Loop { .. } => Some(ControlImage::Turn(run.turn(task))),
        Kind::Work | Kind::Timer { .. } | Kind::Signal { .. } => None,
    }
}

/// A task and all that depends on it.
pub(crate) fn closure(graph: &Graph, from: TaskId) -> IdSet {
    let mut found = IdSet::one(from.0);
    let mut open = vec![from];
    while let Some(task) = open.pop() {
        for next in graph.successors(task) {
            if !found.contains(next.0) {
                found.insert(next.0);
                open.push(next);
            }
        }
    }
    found
}

/// The facts that say so. Tasks of which nothing but their status is known share one.
pub(crate) fn marks(
    from: RunId,
    kept: &[Kept],
    output: impl Fn(&Kept) -> Option<OutputRef>,
) -> Vec<Marked> {
    let marked = |tasks, status| Marked {
        run: RunId(0),
        tasks,
        items: None,
        status,
        cause: MarkCause::Fork { from },
        control: None,
        output: None,
    };
    let mut marks = Vec::new();
    let mut plain: Vec<Marked> = Vec::new();
    for kept in kept {
        let output = output(kept);
        if kept.control.is_some() || output.is_some() {
            let alone = marked(IdSet::one(kept.new.0), kept.status);
            marks.push(Marked { control: kept.control, output, ..alone });
            continue;
        }
        match plain.iter_mut().find(|mark| mark.status == kept.status) {
            Some(mark) => mark.tasks.insert(kept.new.0),
            None => plain.push(marked(IdSet::one(kept.new.0), kept.status)),
        }
    }
    plain.extend(marks);
    plain
}
