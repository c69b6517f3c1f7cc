//! A task of a run: where it stands, and what it still waits for.

use model::status::TaskStatus;
use model::{Outcome, Round};

use super::Item;

/// "Not yet" for the millisecond marks of a task.
pub(crate) const NOT_YET: u32 = u32::MAX;

/// A node of a run's graph: 36 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    /// Its only item; of a fan-out only the status counts, which sums up its items.
    pub(crate) item: Item,
    /// How many of the edges into it must still be met, and one more for a handler that is not
    /// released.
    pub(crate) waiting_for: u32,
    /// How many of the edges into it are not decided, and one more for such a handler; or
    /// [`MARKED`], once it has ended.
    pub(crate) undecided: u32,
    /// The turn it is in.
    pub(crate) round: Round,
    /// Milliseconds from the run's admission to its first start.
    pub(crate) started_ms: u32,
    /// Milliseconds from the run's admission to its end.
    pub(crate) ended_ms: u32,
    /// The last bad end of one of its attempts.
    pub(crate) trouble: Option<Outcome>,
}

/// Stands for the count of undecided edges of a task that is only held to have ended.
pub(crate) const MARKED: u32 = u32::MAX;

const _: () = assert!(size_of::<Task>() <= 36);

/// What becomes of a pending task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its join is met.
    Begins,
    /// Its join can't be met any more.
    IsSkipped,
    /// More edges have to be decided.
    Waits,
}

impl Task {
    pub(crate) const fn new(waiting_for: u32, undecided: u32) -> Self {
        Self {
            item: Item::new(TaskStatus::Pending),
            waiting_for,
            undecided,
            round: Round(0),
            started_ms: NOT_YET,
            ended_ms: NOT_YET,
            trouble: None,
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn status(&self) -> TaskStatus {
        self.item.status()
    }

    /// Its only item; for a fan-out only the status means anything.
    #[must_use]
    pub const fn item(&self) -> Item {
        self.item
    }

    /// The turn it is in.
    #[must_use]
    pub const fn round(&self) -> Round {
        self.round
    }

    /// Whether it has ended because it is held to have, and not in its turn.
    #[must_use]
    pub const fn is_marked(&self) -> bool {
        self.undecided == MARKED && self.status().is_final()
    }

    /// What the edges that have been decided make of it, if it is pending.
    pub(crate) const fn fate(&self) -> Fate {
        if self.waiting_for == 0 {
            Fate::Begins
        } else if self.waiting_for > self.undecided {
            Fate::IsSkipped
        } else {
            Fate::Waits
        }
    }

    /// Milliseconds from the run's admission to its first start in this round.
    #[must_use]
    pub fn started_ms(&self) -> Option<u32> {
        (self.started_ms != NOT_YET).then_some(self.started_ms)
    }

    /// Milliseconds from the run's admission to its end in this round.
    #[must_use]
    pub fn ended_ms(&self) -> Option<u32> {
        (self.ended_ms != NOT_YET).then_some(self.ended_ms)
    }

    /// The last bad end of one of its attempts in this round.
    #[must_use]
    pub const fn trouble(&self) -> Option<Outcome> {
        self.trouble
    }
}
