//! The terms of tasks that are simulated item by item: each is a task of its own.
//!
//! What bounds how many items run at a time is a lock here that they hold: to the planner both are
//! the same, so many at a time. Nothing here decides who holds it.

use model::policy::{Policy, Priority};
use model::shared::{Lock, Shared, Spending, Unit};
use model::{Constraints, TaskId};
use workload::Terms;

/// What the name of a lock begins with that each job has for itself. No file can say it.
const OWN: char = '\u{0}';

/// A lock that each job has for itself, for what may be done of it so many times at a time. Jobs
/// that are alike say the same name.
#[must_use]
pub fn own_lock(what: &str, holders_max: u32) -> Lock {
    Lock { name: format!("{OWN}{what}").into(), holders_max: holders_max.max(1) }
}

/// The terms as they hold in a job: locks that each has for itself are told apart.
pub(crate) fn of_job(mut terms: Terms, job: usize) -> Terms {
    for lock in terms.shared.locks.iter_mut().filter(|lock| lock.name.starts_with(OWN)) {
        lock.name = format!("{} of job {job}", lock.name).into();
    }
    terms.shared.locks.sort_by(|a, b| a.name.cmp(&b.name));
    terms
}

/// What items of a task keep to, as far as it is simulated.
pub(crate) fn of(policy: &Policy, task: TaskId) -> Terms {
    // Items are tasks of their own, which do not look at each other; a gang is one.
    let constraints = match policy.gang {
        true => policy.constraints.clone(),
        false => Constraints { spread: None, together: None, ..policy.constraints.clone() },
    };
    let at_a_time = policy.concurrency.map(|most| own_lock(&format!("task {task}"), most));
    let locks = policy.shared.locks.iter().cloned().chain(at_a_time);
    let shared = shared(locks.collect(), policy.shared.budgets.to_vec());
    let priority = Some(policy.priority).filter(|&priority| priority != Priority::default());
    Terms { constraints, shared, priority }
}

/// Locks and budgets, each in its order. Only what counts attempts is known before it is spent.
#[must_use]
pub fn shared(mut locks: Vec<Lock>, mut budgets: Vec<Spending>) -> Shared {
    budgets.retain(|budget| budget.unit == Unit::Attempts);
    locks.sort_by(|a, b| a.name.cmp(&b.name));
    locks.dedup_by(|a, b| a.name == b.name);
    budgets.sort_by(|a, b| a.name.cmp(&b.name));
    Shared { locks: locks.into(), budgets: budgets.into(), ..Shared::default() }
}

#[cfg(test)]
mod tests {
    use model::Span;

    use super::*;

    #[test]
    fn what_bounds_items_is_a_lock_that_each_job_has_for_itself() {
        let name = |name: &str| Lock { name: name.into(), holders_max: 1 };
        let budget =
            |unit| Spending { name: "api".into(), unit, amount: 1, limit: 5, per: Span::secs(1) };
        let policy = Policy {
            concurrency: Some(3),
            shared: Shared {
                locks: [name("database")].into(),
                budgets: [budget(Unit::Tokens), budget(Unit::Attempts)].into(),
                ..Shared::default()
            },
            ..Policy::default()
        };
        let terms = of(&policy, TaskId(7));
        assert_eq!(*terms.shared.locks, [own_lock("task 7", 3), name("database")]);
        assert_eq!(*terms.shared.budgets, [budget(Unit::Attempts)], "tokens are known afterwards");
        assert_eq!(terms.priority, None, "the usual one");
        let [one, other] = [1, 2].map(|job| of_job(terms.clone(), job));
        assert_ne!(one.shared.locks[0].name, other.shared.locks[0].name);
        assert_eq!(one.shared.locks[1], other.shared.locks[1]);
    }
}
