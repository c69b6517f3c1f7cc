//! Attempts that save their work, and people who make them leave their places.

use model::{AttemptId, IdSet, ItemId, RunId, Span, TaskId, TaskKey};

use crate::ledger::Run;
use crate::plan::RunPlan;
use crate::plan::features::Feature;
use crate::random::Random;

/// How often people ask for it in a run, at most.
pub const PREEMPTIONS_MAX: u32 = 8;

/// How often an attempt saves its work, if it does.
#[must_use]
pub fn saves_every(run: &RunPlan, attempt: AttemptId) -> Option<Span> {
    if !run.features.has(Feature::Preemption) {
        return None;
    }
    let place = u64::from(attempt.key.task.0) << 32 | u64::from(attempt.key.item.0);
    let mut random = Random::stream(run.seed ^ place, "saves");
    random.per_mille(500).then(|| Span(random.spread(200_000, 60_000_000)))
}

/// When people ask that something of a run makes room, after its admission, and what, drawn.
#[must_use]
pub fn preemptions(run: &RunPlan) -> Vec<(Span, u64)> {
    let mut random = Random::stream(run.seed, "preemptions");
    if !run.features.has(Feature::Preemption) {
        return vec![];
    }
    let when = |random: &mut Random| Span(random.spread(1_000, super::WAIT_MAX.0));
    (0..random.small(1, PREEMPTIONS_MAX)).map(|_| (when(&mut random), random.next())).collect()
}

/// What is to make room: mostly something that is live; all of a task, or one of its items.
#[must_use]
pub fn chosen(id: RunId, run: &Run, seed: u64) -> (TaskKey, Option<IdSet>) {
    let mut random = Random::stream(seed, "chosen");
    let live: Vec<(TaskId, ItemId)> = run
        .graph
        .tasks()
        .flat_map(|task| (0..).map(ItemId).zip(run.items_of(task)).map(move |it| (task, it)))
        .filter(|(_, (_, item))| item.status.is_live())
        .map(|(task, (item, _))| (task, item))
        .collect();
    let all = live.is_empty() || random.per_mille(300);
    let (task, item) = match live.is_empty() || random.per_mille(50) {
        true => {
            let count = run.graph.len() as u64;
            (TaskId(u32::try_from(random.below(count)).unwrap_or_default()), ItemId(0))
        }
        false => *random.pick(&live),
    };
    (TaskKey { run: id, task }, (!all).then(|| IdSet::one(item.0)))
}
