//! A circuit breaker: closed, open until a time, then open to a few trials.
//!
//! Derived from leases and their ends alone. What is closed and has nothing against it is as if it
//! had never been, and is not kept.

use alloc::collections::BTreeSet;

use model::fact::BreakerImage;
use model::outcome::Outcome;
use model::shared::{Breaker, Sign};
use model::{ItemKey, Timestamp};

/// The state of a circuit breaker that has something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circuit {
    /// How many attempts have failed in a row.
    pub(crate) failures: u32,
    /// How often it has been opened since it was last closed.
    pub(crate) openings: u8,
    /// It is open until then, and lets trials through from then on; `None` if it is closed.
    pub(crate) open_until: Option<Timestamp>,
    /// The last failure that counted.
    pub(crate) last: Outcome,
    /// The live leases that were given as trials: since `open_until`.
    pub(crate) trials: BTreeSet<ItemKey>,
}

/// Where a circuit breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It lets all through.
    Closed,
    /// It lets nobody through until this time.
    Open(Timestamp),
    /// It lets a few through that try.
    HalfOpen,
}

impl Circuit {
    /// One that has counted nothing yet.
    fn closed(last: Outcome) -> Self {
        let (failures, openings, open_until) = (0, 0, None);
        Self { failures, openings, open_until, last, trials: BTreeSet::new() }
    }

    /// Where it stands at `now`.
    #[must_use]
    pub const fn stand(&self, now: Timestamp) -> Stand {
        match self.open_until {
            None => Stand::Closed,
            Some(until) if until.0 > now.0 => Stand::Open(until),
            Some(_) => Stand::HalfOpen,
        }
    }

    /// How many attempts have failed in a row.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// How often it has been opened since it was last closed.
    #[must_use]
    pub const fn openings(&self) -> u8 {
        self.openings
    }

    /// The last failure that counted.
    #[must_use]
    pub const fn last(&self) -> Outcome {
        self.last
    }

    /// Who is trying whether it may close again, ascending.
    pub fn trials(&self) -> impl ExactSizeIterator<Item = ItemKey> + '_ {
        self.trials.iter().copied()
    }

    /// Whether what is leased at `at` is a trial.
    pub(crate) fn is_trial(&self, at: Timestamp) -> bool {
        self.open_until.is_some_and(|until| at >= until)
    }

    /// What becomes of a breaker when an attempt of `item` has ended at `at`; `None` if it is
    /// closed with nothing against it. While it is not closed only trials count: what began before
    /// says nothing of now.
    pub(crate) fn after(
        known: Option<Self>,
        breaker: &Breaker,
        (item, outcome): (ItemKey, Outcome),
        at: Timestamp,
    ) -> Option<Self> {
        let counts = |circuit: &Self| match circuit.open_until {
            None => true,
            Some(_) => circuit.trials.contains(&item),
        };
        let sign = breaker.sign(outcome);
        if known.as_ref().is_some_and(|circuit| !counts(circuit)) || sign == Sign::Nothing {
            return known;
        }
        if sign == Sign::Works {
            return None;
        }
        let mut circuit = known.unwrap_or_else(|| Self::closed(outcome));
        circuit.failures = circuit.failures.saturating_add(1);
        circuit.last = outcome;
        if circuit.open_until.is_some() || circuit.failures >= breaker.failures {
            circuit.open_until = Some(at + breaker.open_for(circuit.openings));
            circuit.openings = circuit.openings.saturating_add(1);
            circuit.trials.clear();
        }
        Some(circuit)
    }

    /// For snapshots. Trials follow from the leases that come after.
    pub(crate) fn image(&self, name: &str) -> BreakerImage {
        BreakerImage {
            name: name.into(),
            failures: self.failures,
            openings: self.openings,
            open_until: self.open_until,
            last: self.last,
        }
    }
}

impl From<&BreakerImage> for Circuit {
    fn from(image: &BreakerImage) -> Self {
        Self {
            failures: image.failures,
            openings: image.openings,
            open_until: image.open_until,
            last: image.last,
            trials: BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::outcome::Failure;
    use model::{ItemId, RunId, Span, TaskId};

    const DOWN: Outcome = Outcome::Failed(Failure::Status(503));

    fn breaker() -> Breaker {
        Breaker {
            name: "api".into(),
            failures: 3,
            open: Span::secs(30),
            open_max: Span::secs(100),
            trials: 1,
            counts_transient: false,
        }
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp(secs * 1_000_000)
    }

    fn item(item: u32) -> ItemKey {
        ItemKey { run: RunId(1), task: TaskId(0), item: ItemId(item) }
    }

    fn ends(known: Option<Circuit>, which: u32, outcome: Outcome, secs: u64) -> Option<Circuit> {
        Circuit::after(known, &breaker(), (item(which), outcome), at(secs))
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_a_good_end_forgets_them() {
        let two = ends(ends(None, 1, DOWN, 1), 2, DOWN, 2);
        assert_eq!(two.as_ref().map(|it| it.stand(at(2))), Some(Stand::Closed));
        assert_eq!(ends(two.clone(), 3, Outcome::Succeeded, 3), None);
        assert_eq!(ends(two.clone(), 3, Outcome::Cancelled, 3), two);
        let open = ends(two, 3, DOWN, 3).expect("it has three failures");
        assert_eq!(open.stand(at(32)), Stand::Open(at(33)));
        assert_eq!(open.stand(at(33)), Stand::HalfOpen);
    }

    #[test]
    fn only_trials_count_while_it_is_not_closed() {
        let open = (1..=3).fold(None, |known, n| ends(known, n, DOWN, u64::from(n)));
        assert_eq!(ends(open.clone(), 9, DOWN, 4), open);
        assert_eq!(ends(open.clone(), 9, Outcome::Succeeded, 40), open);
        let mut tried = open.expect("it is open");
        assert!(!tried.is_trial(at(32)) && tried.is_trial(at(33)));
        tried.trials.insert(item(4));
        assert_eq!(ends(Some(tried.clone()), 4, Outcome::Succeeded, 40), None);
        let again = ends(Some(tried), 4, DOWN, 40).expect("its trial failed");
        assert_eq!((again.stand(at(40)), again.failures), (Stand::Open(at(100)), 4));
        assert_eq!(again.trials().len(), 0);
    }
}
