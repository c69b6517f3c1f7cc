//! What all runs share: who holds which lock, and how much of each budget is spent.
//!
//! Who holds a lock is derived from the live leases. A budget is a token bucket, kept as one time:
//! when it would be full again if nothing more were spent (the generic cell rate algorithm as
//! virtual scheduling: ITU-T I.371; ATM Forum, Traffic Management 4.1, section 4.4.2). An amount
//! costs its share of the time in which the bucket fills, in whole microseconds, rounded up, so
//! that never more is spent than there is.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use model::shared::{Lock, Shared, Spending};
use model::{ItemKey, Span, Timestamp};

/// All locks that are held and all budgets of which something was spent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// By name, who holds it, and how many may as it says.
    pub(crate) holders: BTreeMap<Box<str>, BTreeMap<ItemKey, u32>>,
    /// When each budget would be full again. Those that are full may be missing.
    pub(crate) full_at: BTreeMap<Box<str>, Timestamp>,
}

/// What one spending costs: the time in which as much flows back, rounded up. At least 1 us.
#[must_use]
pub fn cost(spending: &Spending) -> Span {
    let limit = u128::from(spending.limit.max(1));
    let cost = (u128::from(spending.amount) * u128::from(spending.per.0)).div_ceil(limit);
    Span(u64::try_from(cost).unwrap_or(u64::MAX).max(1))
}

impl Shares {
    /// Who holds a lock, ascending.
    pub fn holders(&self, name: &str) -> impl Iterator<Item = ItemKey> + '_ {
        self.holders.get(name).into_iter().flatten().map(|(&item, _)| item)
    }

    /// How many hold a lock.
    #[must_use]
    pub fn held(&self, name: &str) -> u32 {
        let held = self.holders.get(name).map_or(0, BTreeMap::len);
        u32::try_from(held).unwrap_or(u32::MAX)
    }

    /// How many may hold a lock beside those who do: nobody who holds it allows more.
    #[must_use]
    pub fn limit(&self, lock: &Lock) -> u32 {
        let holders = self.holders.get(&lock.name).into_iter().flatten();
        holders.map(|(_, &limit)| limit).fold(lock.holders_max, u32::min)
    }

    /// How long a budget needs from `now` to be full.
    #[must_use]
    pub fn backlog(&self, name: &str, now: Timestamp) -> Span {
        self.full_at.get(name).map_or(Span::ZERO, |full_at| full_at.since(now))
    }

    /// How many attempts that take `shared` may be leased at `now`.
    #[must_use]
    pub fn allowed(&self, shared: &Shared, now: Timestamp) -> u32 {
        let locks =
            shared.locks.iter().map(|lock| self.limit(lock).saturating_sub(self.held(&lock.name)));
        let budgets = shared.budgets.iter().map(|spending| {
            let open = spending.per.0.saturating_sub(self.backlog(&spending.name, now).0);
            u32::try_from(open / cost(spending).0).unwrap_or(u32::MAX)
        });
        locks.chain(budgets).min().unwrap_or(u32::MAX)
    }

    /// When a budget has enough for one spending, if nobody spends of it before.
    #[must_use]
    pub fn enough_at(&self, spending: &Spending, now: Timestamp) -> Timestamp {
        let backlog = self.backlog(&spending.name, now).0;
        now + Span(backlog.saturating_add(cost(spending).0).saturating_sub(spending.per.0))
    }

    pub(crate) fn hold(&mut self, shared: &Shared, item: ItemKey) {
        for Lock { name, holders_max } in &shared.locks {
            match self.holders.get_mut(name) {
                Some(holders) => {
                    holders.insert(item, *holders_max);
                }
                None => {
                    self.holders.insert(name.clone(), BTreeMap::from([(item, *holders_max)]));
                }
            }
        }
    }

    pub(crate) fn release(&mut self, shared: &Shared, item: ItemKey) {
        for Lock { name, .. } in &shared.locks {
            let Some(holders) = self.holders.get_mut(name) else { continue };
            holders.remove(&item);
            if holders.is_empty() {
                self.holders.remove(name);
            }
        }
    }

    /// Spends what `count` attempts take at `at`.
    pub(crate) fn spend(&mut self, shared: &Shared, count: u32, at: Timestamp) {
        for spending in &shared.budgets {
            let cost = Span(cost(spending).0.saturating_mul(u64::from(count)));
            match self.full_at.get_mut(&spending.name) {
                Some(full_at) => *full_at = at.max(*full_at) + cost,
                None => {
                    // Names come and go with files: those of full buckets are not kept.
                    self.full_at.retain(|_, full_at| *full_at > at);
                    self.full_at.insert(spending.name.clone(), at + cost);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::hash::mix;
    use model::{ItemId, RunId, TaskId};

    fn spending(amount: u32, limit: u32, per: Span) -> Spending {
        Spending { name: "api".into(), amount, limit, per }
    }

    fn budget(spending: Spending) -> Shared {
        Shared { budgets: [spending].into(), ..Shared::default() }
    }

    #[test]
    fn a_full_bucket_has_its_limit_and_then_what_flows_back() {
        let shared = budget(spending(1, 60, Span::secs(60)));
        let (mut shares, now) = (Shares::default(), Timestamp(1_000_000));
        assert_eq!(shares.allowed(&shared, now), 60);
        shares.spend(&shared, 60, now);
        assert_eq!(shares.allowed(&shared, now), 0);
        assert_eq!(shares.enough_at(&shared.budgets[0], now), now + Span::secs(1));
        assert_eq!(shares.allowed(&shared, now + Span(999_999)), 0);
        assert_eq!(shares.allowed(&shared, now + Span::secs(1)), 1);
        assert_eq!(shares.allowed(&shared, now + Span::secs(3_600)), 60);
    }

    #[test]
    fn never_more_is_spent_than_flowed_in_and_was_there() {
        let mut seed = 5;
        let mut draw = |below: u64| {
            seed = mix(seed);
            seed % below
        };
        for _ in 0..300 {
            let (limit, per) = (1 + draw(5_000), 1_000 + draw(3_000_000));
            let (mut shares, mut now, mut spent) = (Shares::default(), Timestamp(7), 0);
            for _ in 0..200 {
                now = now + Span(draw(per / 4 + 1));
                let amount = 1 + draw(limit);
                let shared = budget(spending(amount as u32, limit as u32, Span(per)));
                let may = u64::from(shares.allowed(&shared, now));
                let count = draw(may + 1);
                shares.spend(&shared, count as u32, now);
                spent += amount * count;
                let flowed = u128::from(now.0 - 7) * u128::from(limit) / u128::from(per);
                assert!(u128::from(spent) <= u128::from(limit) + flowed + 1);
                let until = shares.enough_at(&shared.budgets[0], now);
                assert!(shares.allowed(&shared, until) > 0, "{until:?} is not enough");
                assert!(until == now || shares.allowed(&shared, until - Span(1)) == 0);
            }
        }
    }

    #[test]
    fn each_who_asks_for_a_lock_sees_all_who_hold_it() {
        let lock = |holders_max| Shared {
            locks: [Lock { name: "db".into(), holders_max }].into(),
            ..Shared::default()
        };
        let mut shares = Shares::default();
        let item = |item| ItemKey { run: RunId(1), task: TaskId(0), item: ItemId(item) };
        shares.hold(&lock(3), item(0));
        shares.hold(&lock(3), item(1));
        let allowed = |shares: &Shares| [1, 2, 3].map(|n| shares.allowed(&lock(n), Timestamp(1)));
        assert_eq!(allowed(&shares), [0, 0, 1]);
        shares.hold(&lock(1), item(2));
        // Who holds it alone lets nobody in, whatever the others say.
        shares.release(&lock(3), item(0));
        shares.release(&lock(3), item(1));
        assert_eq!(allowed(&shares), [0, 0, 0]);
        shares.release(&lock(1), item(2));
        shares.hold(&lock(3), item(0));
        shares.hold(&lock(3), item(1));
        shares.release(&lock(3), item(0));
        shares.release(&lock(3), item(1));
        assert_eq!((allowed(&shares), shares), ([1, 2, 3], Shares::default()));
    }
}
