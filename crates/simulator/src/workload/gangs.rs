//! Fan-outs whose items are the members of a gang, drawn.

use model::graph::GraphParts;
use model::policy::Policy;

use crate::plan::RunPlan;
use crate::plan::features::Feature;
use crate::random::Random;

/// The most members that a gang has: mostly there is room for them, and not always.
pub(super) const MEMBERS_MAX: u32 = 5;

/// Makes gangs of fan-outs whose items are known, and of other tasks.
pub(super) fn make(run: &RunPlan, parts: &mut GraphParts) {
    if !run.features.has(Feature::Gangs) {
        return;
    }
    let mut random = Random::stream(run.seed, "gangs");
    for task in 0..u32::try_from(parts.policy_of.len()).unwrap_or(u32::MAX) {
        let policy = &parts.policies[parts.policy_of[task as usize] as usize];
        let known = parts.fan_outs.iter().position(|&(fan, _)| fan == task);
        let is_alone =
            policy.others.is_empty() && policy.alternatives.is_empty() && policy.shared.is_empty();
        let may = policy.kind.is_work() && !policy.asks && is_alone;
        let share = if known.is_some() { 600 } else { 150 };
        if !may || !random.per_mille(share) {
            continue;
        }
        // More than its run or its queue may ever have would wait for ever.
        let most = run.concurrency.unwrap_or(MEMBERS_MAX).min(MEMBERS_MAX);
        let most = if run.features.has(Feature::Queues) { most.min(2) } else { most };
        let members = random.small(1, most.max(1));
        match known {
            Some(at) => parts.fan_outs[at].1 = members,
            None => parts.fan_outs.push((task, members)),
        }
        let mut policy = Policy { gang: true, concurrency: None, ..policy.clone() };
        policy.retry.memory = None;
        let known = parts.policies.iter().position(|other| *other == policy);
        let number = known.unwrap_or_else(|| {
            parts.policies.push(policy);
            parts.policies.len() - 1
        });
        parts.policy_of[task as usize] = u32::try_from(number).expect("few policies");
    }
    parts.fan_outs.sort_unstable();
}
