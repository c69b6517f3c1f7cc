//! Queues that runs stand in, and what the coordinator is told of them.
//!
//! The limits are wide enough for any item of ours, and narrow enough to be met.

use engine::Rules;
use model::Span;
use model::queue::{QueueSpec, QueueTree, Quota};

use crate::mutant::Mutant;
use crate::plan::features::Feature;
use crate::plan::{Plan, RunPlan};
use crate::random::Random;

/// The queues that runs name. The last is none of those that are set.
const PATHS: [&str; 5] = ["team/limited", "team/free", "owed", "default", "nowhere"];

/// Whether the coordinator of a plan has queues.
#[must_use]
pub fn are_set(plan: &Plan) -> bool {
    plan.runs.iter().any(|run| run.features.has(Feature::Queues))
}

/// The queue of a run.
#[must_use]
pub fn of(run: &RunPlan) -> &'static str {
    if !run.features.has(Feature::Queues) {
        return "default";
    }
    let mut random = Random::stream(run.seed, "queue");
    random.pick::<&str>(&PATHS)
}

/// Whether room is kept for critical work: where there is enough beside it for whatever a run asks.
#[must_use]
pub fn is_kept(plan: &Plan) -> bool {
    let is_critical = plan.runs.iter().any(|run| run.features.has(Feature::Critical));
    is_critical && plan.nodes[0].cpu_milli >= 2_000 && plan.nodes[0].slots > 1
}

/// What is kept then.
#[must_use]
pub fn kept() -> Quota {
    Quota { cpu_milli: Some(500), custom: Box::new([("slot".into(), 1)]), ..Quota::default() }
}

/// All queues that are set.
#[must_use]
pub fn tree() -> QueueTree {
    let cpu = |cores: u64| Quota { cpu_milli: Some(cores * 1_000), ..Quota::default() };
    let queue = |path: &str, parent| QueueSpec {
        path: path.into(),
        parent,
        weight: 1,
        ..QueueSpec::default()
    };
    let queues = vec![
        QueueSpec { weight: 2, limit: cpu(6), ..queue("team", None) },
        QueueSpec { limit: cpu(2), ..queue("team/limited", Some(0)) },
        QueueSpec { guarantee: cpu(1), ..queue("team/free", Some(0)) },
        QueueSpec { guarantee: cpu(2), limit: cpu(5), ..queue("owed", None) },
        QueueSpec { guarantee: cpu(1), ..queue("default", None) },
    ];
    QueueTree { queues, ..QueueTree::default() }
}

/// What the coordinator of a plan goes by.
#[must_use]
pub fn rules(plan: &Plan, mutant: Option<Mutant>) -> Rules {
    let mut queues = if are_set(plan) { tree() } else { QueueTree::default() };
    if mutant == Some(Mutant::EndlessPatience) {
        queues.max_wait = Some(Span::secs(1 << 32));
    }
    if is_kept(plan) && mutant != Some(Mutant::LaneForgotten) {
        queues.kept = kept();
    }
    for queue in &mut queues.queues {
        match mutant {
            Some(Mutant::NoQuotas) => queue.limit = Quota::default(),
            Some(Mutant::GuaranteesForgotten) if *queue.path != *"owed" => {
                queue.guarantee = Quota::default();
            }
            _ => {}
        }
    }
    Rules { queues, ..Rules::default() }
}
