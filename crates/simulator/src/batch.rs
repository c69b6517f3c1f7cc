//! Many seeds, one after the other, and what they came to together.

use model::Span;

use crate::draw::draw;
use crate::invariants::Violation;
use crate::mark::Marks;
use crate::mutant::Mutant;
use crate::world;

/// Every so many seeds one runs twice and must give the same hash.
const TWICE_EVERY: u64 = 20;

/// What a batch came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Seeds that ran.
    pub seeds: u64,
    /// Virtual time that passed.
    pub length: Span,
    /// Inputs that engines took.
    pub inputs: u64,
    /// Items that ended for good.
    pub items: u64,
    /// Things that broke.
    pub faults: u64,
    /// What was reached.
    pub marks: Marks,
    /// The first seed that broke an invariant.
    pub failure: Option<(u64, Violation)>,
}

impl Summary {
    /// Adds another batch; of two failures the one of the smaller seed stays.
    pub fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.length = Span(self.length.0 + other.length.0);
        self.inputs += other.inputs;
        self.items += other.items;
        self.faults += other.faults;
        self.marks.add(&other.marks);
        let failures = [self.failure.take(), other.failure].into_iter().flatten();
        self.failure = failures.min_by_key(|&(seed, _)| seed);
    }
}

/// Runs `count` seeds from `first` on, with work for `length` each, until one fails.
#[must_use]
pub fn run(first: u64, count: u64, length: Span, mutant: Option<Mutant>) -> Summary {
    let mut summary = Summary::default();
    for seed in first..first.saturating_add(count) {
        let plan = draw(seed, length);
        let outcome = world::run(&plan, mutant, false);
        summary.seeds += 1;
        summary.length = Span(summary.length.0 + outcome.length.0);
        summary.inputs += outcome.inputs;
        summary.items += outcome.items;
        summary.faults += outcome.faults;
        summary.marks.add(&outcome.marks);
        let mut violation = outcome.violation;
        if violation.is_none() && seed % TWICE_EVERY == 0 {
            let again = world::run(&plan, mutant, false).hash;
            violation = (again != outcome.hash).then(|| differs(outcome.hash, again));
        }
        if let Some(violation) = violation {
            summary.failure = Some((seed, violation));
            break;
        }
    }
    summary
}

fn differs(first: u64, second: u64) -> Violation {
    let what = format!("the same plan gave {first:016x} and then {second:016x}");
    Violation { id: "S6", at: crate::plan::EPOCH, what }
}
