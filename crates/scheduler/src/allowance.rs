//! Limits that nodes know nothing of: of each, how much is left, and what an item takes of it.
//!
//! What they stand for (locks, budgets, breakers) only the caller knows.

use alloc::vec::Vec;

use super::Class;

/// The place of an allowance among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllowanceId(pub u32);

/// What an item takes of an allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The allowance.
    pub allowance: AllowanceId,
    /// How much an item takes, at least 1.
    pub cost: u64,
    /// How much of that is because it is rounded up: so much, divided by that.
    pub excess: (u64, u64),
    /// How much has to be left untouched: whoever sees a narrower limit than others do.
    pub reserve: u64,
    /// How many items may ever begin together, if others take nothing.
    pub most: u32,
}

impl Draw {
    /// How much so many items take that begin together.
    fn cost_of(&self, count: u32) -> u64 {
        let (excess, of) = (u128::from(self.excess.0), u128::from(self.excess.1.max(1)));
        let count = u128::from(count);
        let cost = (count * u128::from(self.cost)).saturating_sub(count * excess / of);
        u64::try_from(cost).unwrap_or(u64::MAX)
    }
}

/// The allowances while a plan is made.
#[derive(Debug)]
pub(super) struct Purse {
    left: Vec<u64>,
}

impl Purse {
    pub(super) fn new(left: &[u64]) -> Self {
        Self { left: left.to_vec() }
    }

    fn left(&self, draw: &Draw) -> u64 {
        let left = self.left.get(draw.allowance.0 as usize).copied().unwrap_or(0);
        left.saturating_sub(draw.reserve)
    }

    fn open(&self, draw: &Draw) -> u64 {
        self.left(draw) / draw.cost.max(1)
    }

    /// How many items of a class may begin, and what lets no more begin if not even one may.
    pub(super) fn lets(&self, class: &Class) -> Result<u32, AllowanceId> {
        let mut least = u64::MAX;
        for draw in &class.draws {
            least = least.min(self.open(draw));
            if least == 0 {
                return Err(draw.allowance);
            }
        }
        Ok(u32::try_from(least).unwrap_or(u32::MAX))
    }

    /// What does not let so many items of a class begin together: their cost is rounded up once.
    pub(super) fn too_scarce(&self, class: &Class, count: u32) -> Option<AllowanceId> {
        let lacks = |draw: &&Draw| self.left(draw) < draw.cost_of(count);
        class.draws.iter().find(lacks).map(|draw| draw.allowance)
    }

    /// An item of a class begins.
    pub(super) fn take(&mut self, class: &Class) {
        for draw in &class.draws {
            if let Some(left) = self.left.get_mut(draw.allowance.0 as usize) {
                *left = left.saturating_sub(draw.cost);
            }
        }
    }
}
