//! What tasks of all runs share, drawn: locks, budgets, and the times by which they must have
//! ended.
//!
//! The names are few, so that runs meet. How scarce something is follows from the work of the run,
//! so that nobody has to wait for days. It reads the plan and nothing else.

use model::policy::Policy;
use model::shared::{Deadline, Lock, Spending, Unit};
use model::{Span, Timestamp};

use crate::plan::features::Feature;
use crate::plan::{EPOCH, RunPlan};
use crate::random::Random;

const LOCKS: [&str; 3] = ["crane", "dock", "gate"];
const BUDGETS: [&str; 2] = ["calls", "tokens"];
/// A run has no more work than this behind one lock, or one budget, about.
const BEHIND_MAX: Span = Span::secs(60);

/// Gives a policy its share of what is scarce. `is_work` is whether workers run it.
pub(super) fn share(run: &RunPlan, random: &mut Random, policy: &mut Policy, is_work: bool) {
    let mut draws = |feature, share| {
        let (selected, drawn) = (random.per_mille(run.flow), random.per_mille(share));
        selected && drawn && run.features.has(feature)
    };
    let (locked, budgeted) = (draws(Feature::Locks, 800), draws(Feature::Budgets, 800));
    let limited = draws(Feature::Deadlines, 500);
    if locked && is_work {
        policy.shared.locks = locks(run, random);
    }
    if budgeted && is_work {
        policy.shared.budgets = budgets(run, random);
    }
    if limited {
        policy.deadline = Some(deadline(run, random));
    }
}

/// One or two locks. Each run says how many may hold a name, and always the same.
pub fn locks(run: &RunPlan, random: &mut Random) -> Box<[Lock]> {
    let work = u64::from(run.size) * run.wall_max.0;
    let least = u32::try_from(work / BEHIND_MAX.0).unwrap_or(u32::MAX - 8) + 1;
    let mut lock = |name: &str| {
        let holders_max = least + Random::stream(run.seed, name).small(0, 3);
        random.per_mille(600).then(|| Lock { name: name.into(), holders_max })
    };
    LOCKS.iter().filter_map(|name| lock(name)).collect()
}

/// One budget, or both. Each run says how much there is of a name, and always the same.
pub fn budgets(run: &RunPlan, random: &mut Random) -> Box<[Spending]> {
    let mut spending = |name: &str| {
        let own = &mut Random::stream(run.seed, name);
        let limit = own.small(1, 30);
        let amount = random.small(1, limit.min(5));
        let longest = BEHIND_MAX.0 * u64::from(limit) / (u64::from(run.size.max(1)) * 5);
        let per = Span(own.spread(20_000, 60_000_000).min(longest.max(10_000)));
        random.per_mille(700).then(|| Spending {
            name: name.into(),
            unit: Unit::Attempts,
            amount,
            limit,
            per,
        })
    };
    BUDGETS.iter().filter_map(|name| spending(name)).collect()
}

/// A time soon after the admission, or one of the world's.
pub fn deadline(run: &RunPlan, random: &mut Random) -> Deadline {
    let after = Span(random.spread(1_000_000, 4_000_000_000));
    if random.per_mille(700) {
        return Deadline::After(after);
    }
    Deadline::At(Timestamp(EPOCH.0 + run.at.0 + after.0))
}
