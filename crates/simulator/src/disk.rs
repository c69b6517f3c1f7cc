//! The disk under the journal: what happens to the next operation.
//!
//! The world arms it; the journal asks it. It remembers what it did, so that marks can be counted.

use journal::memory::{Fault, FaultPlan, Leftover, Operation};
use model::Span;

use crate::plan::{DiskPlan, Tail};
use crate::random::Random;

/// The faults of one disk.
#[derive(Debug)]
pub struct FaultyDisk {
    random: Random,
    plan: DiskPlan,
    /// The next append ends like this.
    pub next: Option<Fault>,
    /// Nothing can be written now.
    pub is_full: bool,
    /// What the next power cut leaves.
    pub tail: Tail,
    /// The last fault that happened.
    pub happened: Fault,
}

impl FaultyDisk {
    /// A disk that does what its plan says.
    #[must_use]
    pub fn new(seed: u64, plan: DiskPlan) -> Self {
        Self {
            random: Random::stream(seed, "disk"),
            plan,
            next: None,
            is_full: false,
            tail: Tail::Kept,
            happened: Fault::None,
        }
    }

    /// Ends all that is wrong.
    pub fn heal(&mut self) {
        (self.plan.unknown, self.is_full, self.next) = (0, false, None);
    }
}

impl FaultPlan for FaultyDisk {
    fn fault(&mut self, operation: Operation) -> Fault {
        let fault = match operation {
            Operation::Read | Operation::Acquire | Operation::Renew => return Fault::None,
            Operation::Snapshot | Operation::Cut if self.is_full => Fault::NoSpace,
            Operation::Snapshot | Operation::Cut => Fault::None,
            Operation::Append if self.is_full => Fault::NoSpace,
            Operation::Append => {
                let unknown = self.random.per_mille(self.plan.unknown);
                let committed = self.random.per_mille(500);
                let drawn = if unknown { Fault::Unknown { committed } } else { Fault::None };
                self.next.take().unwrap_or(drawn)
            }
        };
        self.happened = fault;
        fault
    }

    fn latency(&mut self, _: Operation) -> Span {
        Span(self.random.between(20, self.plan.latency_max.0.max(20)))
    }

    fn leftover(&mut self, unsynced: usize) -> Leftover {
        match self.tail {
            Tail::Kept => Leftover { bytes: unsynced, is_garbled: false },
            Tail::Lost => Leftover::default(),
            Tail::Torn => {
                let bytes = usize::try_from(self.random.below(unsynced as u64)).unwrap_or(0);
                Leftover { bytes, is_garbled: self.random.per_mille(500) }
            }
        }
    }
}
