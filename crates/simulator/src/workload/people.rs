//! What is answered and said from outside: the answers of expressions, and of people.
//!
//! Answers are functions of the plan, the task, its round and its turn, so that whoever is asked
//! again says the same. A few are not: they change with the term in which they are asked, as an
//! expression would that reads the clock, and then only one of them may ever count.

use model::control::{ControlAnswer, Kind, Verdict};
use model::hash::mix;
use model::{Digest, Epoch, Graph, IdSet, Round, Span, TaskId, Timestamp};

use super::WAIT_MAX;
use crate::plan::RunPlan;
use crate::plan::features::Feature;
use crate::random::Random;

/// The longest that an answer takes.
pub const ANSWER_MAX: Span = Span::secs(20);
/// The most items that are worked out late.
pub const LATE_ITEMS_MAX: u32 = 300;

/// A question: of a task, in a round of it.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// The task.
    pub task: TaskId,
    /// Its round.
    pub round: Round,
    /// The turn, if it is a loop.
    pub turn: u16,
}

/// The answer to a question that is asked in this term, at this time.
#[must_use]
pub fn answer(
    run: &RunPlan,
    graph: &Graph,
    asked: Question,
    (term, now): (Epoch, Timestamp),
) -> ControlAnswer {
    let Question { task, round, turn } = asked;
    let place = u64::from(task.0) << 32 | u64::from(round.0) << 16 | u64::from(turn);
    let mut draw = Random::stream(mix(run.seed) ^ mix(place), "answer");
    if draw.per_mille(300) {
        draw = Random::stream(mix(draw.next()) ^ mix(term.0), "fickle answer");
    }
    if draw.per_mille(20) {
        return ControlAnswer::Invalid;
    }
    let dice = draw.below(100);
    match graph.policy(task).kind {
        Kind::Decision => ControlAnswer::Route(u16::try_from(draw.below(4)).expect("below four")),
        Kind::Loop { .. } => {
            let never = Random::stream(mix(run.seed) ^ u64::from(task.0), "never").per_mille(150);
            if never || dice < 50 { ControlAnswer::Again } else { ControlAnswer::Done }
        }
        Kind::Timer { .. } => match dice {
            // A time that is past is as good as any.
            0..60 => ControlAnswer::Until(Timestamp(
                (now.0 + draw.spread(1_000, WAIT_MAX.0)).saturating_sub(WAIT_MAX.0 / 100),
            )),
            60..85 => ControlAnswer::Begin,
            _ => ControlAnswer::Skip,
        },
        Kind::Work if graph.fan_out(task).is_none() && dice < 50 => {
            let items = match draw.below(20) {
                0..3 => 0,
                3..19 => draw.small(1, 20),
                _ => draw.small(50, LATE_ITEMS_MAX),
            };
            // Whoever works a list out anew keeps another one.
            let list = Digest([dice as u8 ^ (term.0 as u8).rotate_left(4); 32]);
            ControlAnswer::FanOut { items, list }
        }
        Kind::Work | Kind::Signal { .. } => match dice {
            0..75 => ControlAnswer::Begin,
            75..90 => ControlAnswer::Skip,
            _ => ControlAnswer::Cached,
        },
    }
}

/// What people say to a task that begins to wait for the `count`th time: when, and what.
#[must_use]
pub fn said(
    run: &RunPlan,
    task: TaskId,
    count: u32,
    timeout: Option<Span>,
) -> Vec<(Span, Verdict)> {
    let place = u64::from(task.0) << 32 | u64::from(count);
    let mut draw = Random::stream(mix(run.seed) ^ mix(place), "people");
    let mut delay = || Span(draw.spread(1_000, WAIT_MAX.0));
    let (first, second) = (delay(), delay());
    let verdict = if draw.per_mille(300) { Verdict::Rejected } else { Verdict::Approved };
    let other = if draw.per_mille(500) { Verdict::Rejected } else { Verdict::Approved };
    match (draw.below(10), timeout) {
        // Nobody says anything, or too late.
        (0..3, Some(_)) => vec![],
        (3, Some(timeout)) => vec![(Span(timeout.0 + first.0), verdict)],
        (4..6, _) => vec![(first, verdict), (second, other)],
        _ => vec![(first, verdict)],
    }
}

/// What people say to tasks that need not wait, or not yet: when, after the admission.
#[must_use]
pub fn said_in_vain(run: &RunPlan, graph: &Graph) -> Vec<(Span, TaskId, Verdict)> {
    let mut draw = Random::stream(run.seed, "in vain");
    if !run.features.has(Feature::Signals) || draw.per_mille(700) {
        return vec![];
    }
    let task = TaskId(u32::try_from(draw.below(graph.len() as u64)).expect("fewer tasks"));
    vec![(Span(draw.spread(1_000, WAIT_MAX.0)), task, Verdict::Approved)]
}

/// Which items a person lets run again instead of what did not succeed, as a number to draw from.
#[must_use]
pub fn retried_items(run: &RunPlan) -> Option<u64> {
    let mut draw = Random::stream(run.seed, "retried items");
    let chosen = run.features.has(Feature::Items) && draw.per_mille(700);
    chosen.then(|| draw.next())
}

/// When people edit a run, and what is drawn for it: two at the same time now and then.
#[must_use]
pub fn edits(run: &RunPlan) -> Vec<(Span, u64)> {
    let mut draw = Random::stream(run.seed, "edits");
    if !run.features.has(Feature::Edits) {
        return vec![];
    }
    let mut edits = Vec::new();
    for _ in 0..draw.small(1, super::version::EDITS_MAX) {
        let at = Span(draw.spread(1_000, WAIT_MAX.0));
        edits.push((at, draw.next()));
        if draw.per_mille(300) {
            edits.push((at, draw.next()));
        }
    }
    edits
}

/// When people hold tasks for ended, and what is drawn for it.
#[must_use]
pub fn marks(run: &RunPlan) -> Vec<(Span, u64)> {
    let mut draw = Random::stream(run.seed, "marks");
    if !run.features.has(Feature::Marks) {
        return vec![];
    }
    (0..draw.small(1, 4)).map(|_| (Span(draw.spread(1_000, WAIT_MAX.0)), draw.next())).collect()
}

/// Which items of a task that begins were done before, if it remembers any.
#[must_use]
pub fn cached(run: &RunPlan, asked: Question, items: u32) -> IdSet {
    let Question { task, round, .. } = asked;
    let place = u64::from(task.0) << 32 | u64::from(round.0);
    let mut draw = Random::stream(mix(run.seed) ^ mix(place), "cached");
    if !run.features.has(Feature::Cache) || draw.per_mille(400) {
        return IdSet::new();
    }
    let share = *draw.pick(&[100, 500, 1_000]);
    (0..items).filter(|_| draw.per_mille(share)).collect()
}

/// Where a person retries a run from, if not simply what did not succeed.
#[must_use]
pub fn retried_from(run: &RunPlan, graph: &Graph) -> Option<TaskId> {
    let mut draw = Random::stream(run.seed, "retried from");
    let chosen = run.flow > 0 && draw.per_mille(400);
    let task = TaskId(u32::try_from(draw.below(graph.len() as u64)).expect("fewer tasks"));
    chosen.then_some(task)
}
