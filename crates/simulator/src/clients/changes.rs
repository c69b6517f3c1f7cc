//! What people change of runs that are there: edits, marks, items that run again, forks.
//!
//! They look at what is durable, as anybody may, and are sometimes too late.

use std::sync::Arc;

use engine::{Amendment, Input, Rejection, RequestId, Submission};
use model::control::{ControlAnswer, Kind};
use model::fact::{ControlImage, MarkCause, Marked};
use model::{Graph, IdSet, RunId, TaskId, TaskKey, TaskStatus};

use super::Clients;
use crate::event::{Event, Wish};
use crate::invariants::{s20_versions, s22_marks};
use crate::ledger::Run;
use crate::mark::Mark;
use crate::mutant::Mutant;
use crate::random::Random;
use crate::records::{Records, Store};
use crate::server;
use crate::stage::Stage;
use crate::workload;

/// How long a person needs to make an edit anew.
const MADE_ANEW: model::Span = model::Span::secs(1);

impl Clients {
    /// A wish about a run as it stands; nothing if there is nothing to ask for.
    pub(super) fn change(
        &mut self,
        stage: &mut Stage,
        (records, store): (&mut Records, &mut Store),
        (request, wish): (RequestId, Wish),
    ) -> Option<Input> {
        match wish {
            Wish::Edit { run, seed } => {
                let known = records.ledger.run(run)?;
                let base = known.graph.digest();
                let (amendment, amended) = server::edit(stage, store, (known, base, seed))?;
                let Amendment { priority, concurrency, .. } = amendment;
                stage.truth.edits.insert((run, amended, priority, concurrency));
                self.edits.insert(request, amendment.clone());
                Some(Input::Amend { request, amendment: Box::new(amendment) })
            }
            Wish::Mark { run, seed } => {
                let mark = draw_mark(records.ledger.run(run)?, seed)?;
                let tasks = mark.tasks.iter().map(|task| (run, TaskId(task), mark.status));
                stage.truth.marks.extend(tasks);
                self.marks.insert(request, mark.clone());
                Some(Input::Mark { request, mark: Box::new(mark) })
            }
            Wish::RetryItems { run, seed } => {
                let (task, items) = draw_items(records.ledger.run(run)?, seed)?;
                let task = TaskKey { run, task };
                stage.truth.items.entry(task).or_default().push(items.clone());
                if stage.has(Mutant::ItemsAllAgain) {
                    let all = records.ledger.run(run)?.task(task.task).count;
                    return Some(Input::RetryItems { request, task, items: IdSet::range(0, all) });
                }
                Some(Input::RetryItems { request, task, items })
            }
            Wish::Fork { run, index } => {
                let submission = fork(stage, records, (request, run, index))?;
                Some(Input::Submit(Box::new(submission)))
            }
            _ => None,
        }
    }

    /// An edit was refused.
    pub(super) fn edit_refused(
        &mut self,
        stage: &mut Stage,
        (records, store): (&Records, &Store),
        (edit, wish): (&Amendment, Wish),
        rejection: &Rejection,
    ) {
        let drawn = &store.drawn[&edit.graph.digest()];
        let judged = s20_versions::refused(&records.ledger, edit, drawn, rejection);
        stage.judge("S20", judged);
        stage.hit(match rejection {
            Rejection::Outdated => Mark::EditOutdated,
            Rejection::Begun(_) => Mark::EditBegun,
            Rejection::RunEnded(_) | Rejection::UnknownRun(_) => Mark::EditEnded,
            _ => Mark::EditUnfit,
        });
        if let (Wish::Edit { run, seed }, Rejection::Outdated) = (wish, rejection) {
            stage.wishes += 1;
            let seed = model::hash::mix(seed);
            stage.after(MADE_ANEW, Event::Ask { wish: Wish::Edit { run, seed } });
        }
    }

    /// A mark was refused.
    pub(super) fn mark_refused(
        stage: &mut Stage,
        records: &Records,
        mark: &Marked,
        rejection: &Rejection,
    ) {
        stage.judge("S22", s22_marks::refused(&records.ledger, mark, rejection));
        match rejection {
            Rejection::Begun(_) => stage.hit(Mark::MarkBegun),
            Rejection::Unfit(_) => stage.hit(Mark::MarkUnfit),
            _ => {}
        }
    }
}

fn any_task(random: &mut Random, graph: &Graph) -> TaskId {
    TaskId(u32::try_from(random.below(graph.len() as u64)).expect("fewer tasks"))
}

/// What a person holds for ended: more often than not something that may be.
fn draw_mark(run: &Run, seed: u64) -> Option<Marked> {
    let mut random = Random::stream(seed, "mark");
    let idle: Vec<TaskId> = run.graph.tasks().filter(|&task| !run.has_begun(task)).collect();
    let free = random.per_mille(800) && !idle.is_empty();
    let task = if free { *random.pick(&idle) } else { any_task(&mut random, &run.graph) };
    let status = match random.below(10) {
        0..6 => TaskStatus::Succeeded,
        6 => TaskStatus::Failed,
        _ => TaskStatus::Skipped,
    };
    let count = run.task(task).count;
    let some = run.graph.fan_out(task).is_some() && count > 0 && random.per_mille(500);
    let items: Option<IdSet> = some.then(|| (0..count).filter(|_| random.per_mille(300)).collect());
    let mut tasks = IdSet::one(task.0);
    if !some && random.per_mille(200) {
        let other = any_task(&mut random, &run.graph);
        tasks = [task.0.min(other.0), task.0.max(other.0)].into_iter().collect();
    }
    let route = run.graph.policy(task).kind == Kind::Decision && random.per_mille(500);
    let control = (route && tasks.len() == 1 && status == TaskStatus::Succeeded)
        .then(|| ControlImage::Route(u16::try_from(random.below(4)).expect("below four")));
    let (run, cause) = (run.admitted.run, MarkCause::Person);
    Some(Marked { run, tasks, items, status, cause, control, output: None })
}

/// Some items of a task that has more than one.
fn draw_items(run: &Run, seed: u64) -> Option<(TaskId, IdSet)> {
    let mut random = Random::stream(seed, "items");
    let fans: Vec<TaskId> = run.graph.tasks().filter(|&task| run.task(task).count > 1).collect();
    if fans.is_empty() {
        return None;
    }
    let task = *random.pick(&fans);
    let share = *random.pick(&[50, 300, 1_000]);
    let count = run.task(task).count;
    let mut items: IdSet = (0..count).filter(|_| random.per_mille(share)).collect();
    if items.is_empty() {
        items = IdSet::one(u32::try_from(random.below(u64::from(count))).expect("below count"));
    }
    Some((task, items))
}

/// A new run of the same plan, with what has succeeded or was skipped outside of all that follows
/// from one task.
fn fork(
    stage: &mut Stage,
    records: &Records,
    (request, from, index): (RequestId, RunId, usize),
) -> Option<Submission> {
    let old = records.ledger.run(from).filter(|run| run.status.is_final())?;
    let work = &records.works[index];
    let mut random = Random::stream(work.plan.seed, "fork");
    let start = any_task(&mut random, &work.graph);
    let mut admission = workload::admission(&work.plan, &work.graph);
    admission.key = Some(workload::digest(work.plan.seed, 7));
    admission.trace = u128::from(work.plan.seed) << 32 | u128::from(from.0);
    let done = done(old, &work.graph, start, MarkCause::Fork { from });
    stage.truth.forks.insert(admission.trace, done.clone());
    let graph = Arc::clone(&work.planted);
    let done = if stage.has(Mutant::ForkForgets) { Vec::new() } else { done };
    Some(Submission { request, run: admission, graph, done })
}

fn done(old: &Run, graph: &Graph, from: TaskId, cause: MarkCause) -> Vec<Marked> {
    let mut again = vec![false; graph.len()];
    let mut stack = vec![from];
    while let Some(task) = stack.pop() {
        if !std::mem::replace(&mut again[task.0 as usize], true) {
            stack.extend(graph.successors(task));
        }
    }
    let is_kept = |&task: &TaskId| {
        !again[task.0 as usize] && !old.is_handler(task) && !workload::version::in_body(graph, task)
    };
    let mut plain = [(TaskStatus::Succeeded, IdSet::new()), (TaskStatus::Skipped, IdSet::new())];
    let mut marks = Vec::new();
    let mark = |tasks, status, control| {
        let run = RunId(0);
        Marked { run, tasks, items: None, status, cause, control, output: None }
    };
    for task in graph.tasks().filter(is_kept) {
        let known = old.task(task);
        let image = match known.answer {
            Some(ControlAnswer::FanOut { items, list }) => {
                Some(ControlImage::FanOut { items, list })
            }
            Some(ControlAnswer::Route(route)) => Some(ControlImage::Route(route)),
            _ => None,
        };
        match (known.end, image) {
            (Some(status @ TaskStatus::Succeeded), Some(_)) => {
                marks.push(mark(IdSet::one(task.0), status, image));
            }
            (Some(status), _) => {
                let set = plain.iter_mut().find(|(known, _)| *known == status);
                set.into_iter().for_each(|(_, set)| set.insert(task.0));
            }
            (None, _) => {}
        }
    }
    let plain = plain.into_iter().filter(|(_, set)| !set.is_empty());
    marks.extend(plain.map(|(status, set)| mark(set, status, None)));
    marks
}
