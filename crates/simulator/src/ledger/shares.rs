//! What all runs share, by the facts: who holds which lock, and what was spent of which budget.
//!
//! A budget is kept as the least time at which it can be full again: of all times from which on
//! one counts what was spent since, the latest that one gets. The time is in 2^-20 microseconds,
//! so that no rounding adds up.

use std::collections::BTreeMap;

use model::outcome::{Failure, Outcome, Spent};
use model::shared::{Shared, Spending, Unit};
use model::{ItemKey, Span, Timestamp};

const FINE: u32 = 20;

/// All of it.
#[derive(Debug, Default)]
pub struct Shares {
    locks: BTreeMap<Box<str>, Vec<(ItemKey, u32)>>,
    full_at: BTreeMap<Box<str>, u128>,
}

impl Shares {
    /// An attempt begins to take its share.
    pub(super) fn take(&mut self, shared: &Shared, item: ItemKey, at: Timestamp) {
        for lock in &shared.locks {
            let holders = self.locks.entry(lock.name.clone()).or_default();
            holders.push((item, lock.holders_max));
        }
        self.spend(shared, at);
    }

    /// An attempt gives back what it held.
    pub(super) fn give_back(&mut self, item: ItemKey) {
        self.locks.values_mut().for_each(|holders| holders.retain(|holder| holder.0 != item));
        self.locks.retain(|_, holders| !holders.is_empty());
    }

    /// What was spent, without who holds which lock.
    #[must_use]
    pub fn budgets(&self) -> Self {
        Self { locks: BTreeMap::new(), full_at: self.full_at.clone() }
    }

    /// An attempt spends what it takes of budgets.
    pub fn spend(&mut self, shared: &Shared, at: Timestamp) {
        for spending in &shared.budgets {
            let full_at = self.full_at.entry(spending.name.clone()).or_default();
            *full_at = (*full_at).max(fine(at)) + cost(spending);
        }
    }

    /// Sets right what was reserved for an attempt that says what it spent. Each time a microsecond
    /// is given, for what is rounded.
    pub(super) fn settle(
        &mut self,
        shared: &Shared,
        (outcome, spent): (Outcome, Spent),
        at: Timestamp,
    ) {
        // Whoever was told that it was too much has found less there than it reserved.
        let is_refused = outcome == Outcome::Failed(Failure::Status(429));
        for spending in shared.budgets.iter().filter(|_| spent != Spent::NOTHING) {
            let amount = match spending.unit {
                Unit::Attempts => continue,
                Unit::Requests => u64::from(spent.requests),
                Unit::Tokens => spent.tokens_in + spent.tokens_out,
            };
            let amount = if is_refused { amount.max(spending.amount.into()) } else { amount };
            let charged =
                fine(Timestamp(spending.per.0)) * u128::from(amount) / u128::from(spending.limit);
            let full_at = self.full_at.entry(spending.name.clone()).or_default();
            let settled = (*full_at).max(fine(at)) + charged;
            *full_at = settled.saturating_sub(cost(spending) + (1 << FINE)).max(fine(at));
        }
    }

    /// How many hold a lock, and how few any of them may be.
    #[must_use]
    pub fn holders(&self, name: &str) -> (usize, u32) {
        let holders = self.locks.get(name).map_or(&[][..], Vec::as_slice);
        (holders.len(), holders.iter().map(|holder| holder.1).min().unwrap_or(u32::MAX))
    }

    /// How long a budget has had enough for this when it is `now`, if it has.
    #[must_use]
    pub fn enough_since(&self, spending: &Spending, now: Timestamp) -> Option<Span> {
        let full_at = self.full_at.get(&spending.name).copied().unwrap_or_default();
        let enough_at = (full_at + cost(spending)).saturating_sub(fine(Timestamp(spending.per.0)));
        let since = fine(now).checked_sub(enough_at)? >> FINE;
        Some(Span(u64::try_from(since).unwrap_or(u64::MAX)))
    }
}

fn cost(spending: &Spending) -> u128 {
    fine(Timestamp(spending.per.0)) * u128::from(spending.amount) / u128::from(spending.limit)
}

fn fine(at: Timestamp) -> u128 {
    u128::from(at.0) << FINE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_has_its_limit_at_once_and_then_what_flows_back() {
        let spending = Spending {
            name: "calls".into(),
            unit: Unit::Attempts,
            amount: 2,
            limit: 4,
            per: Span::secs(10),
        };
        let shared = Shared { budgets: [spending.clone()].into(), ..Shared::default() };
        let key = ItemKey { run: model::RunId(1), task: model::TaskId(0), item: model::ItemId(0) };
        let (mut shares, at) = (Shares::default(), Timestamp(50_000_000));
        shares.take(&shared, key, at);
        assert_eq!(shares.enough_since(&spending, at), Some(Span::ZERO));
        shares.take(&shared, key, at);
        assert_eq!(shares.enough_since(&spending, at + Span::secs(4)), None);
        assert_eq!(shares.enough_since(&spending, at + Span::secs(7)), Some(Span::secs(2)));
    }
}
