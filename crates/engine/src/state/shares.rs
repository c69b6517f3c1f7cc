//! What all runs share: who holds which lock, how much of each budget is spent, which circuit
//! breakers are open.
//!
//! Who holds a lock is derived from the live leases. A budget is a token bucket, kept as one time:
//! when it would be full again if nothing more were spent (the generic cell rate algorithm as
//! virtual scheduling: ITU-T I.371; ATM Forum, Traffic Management 4.1, section 4.4.2). An amount
//! costs its share of the time in which the bucket fills, in whole microseconds, rounded up, so
//! that never more is spent than there is. What is only known in the end is reserved first, and set
//! right then: the bucket may then be in debt, and is never more than full.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use model::outcome::{Outcome, Spent};
use model::shared::{Breaker, Lock, Shared, Spending};
use model::{ItemKey, Span, Timestamp};

use super::circuit::{Circuit, Stand};

/// All locks that are held, all budgets of which something was spent, and all breakers that have
/// something to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// By name, who holds it, and how many may as it says.
    pub(crate) holders: BTreeMap<Box<str>, BTreeMap<ItemKey, u32>>,
    /// When each budget would be full again. Those that are full may be missing.
    pub(crate) full_at: BTreeMap<Box<str>, Timestamp>,
    /// The breakers that are not closed, or have counted a failure.
    pub(crate) circuits: BTreeMap<Box<str>, Circuit>,
}

/// What one spending costs: the time in which as much flows back, rounded up. At least 1 us.
#[must_use]
pub fn cost(spending: &Spending) -> Span {
    cost_of(spending, spending.amount.into()).max(Span(1))
}

/// What so many spendings together cost: that is rounded up once.
fn cost_together(spending: &Spending, count: u32) -> Span {
    cost_of(spending, u64::from(spending.amount) * u64::from(count)).max(Span(1))
}

/// How much of what one spending costs is because it is rounded up: so much, divided by that.
pub(crate) fn excess(spending: &Spending) -> (u64, u64) {
    let limit = u64::from(spending.limit.max(1));
    let rest = u128::from(spending.amount) * u128::from(spending.per.0) % u128::from(limit);
    (u64::try_from(rest).map_or(0, |rest| (limit - rest) % limit), limit)
}

/// What so much of a budget costs.
fn cost_of(spending: &Spending, amount: u64) -> Span {
    let limit = u128::from(spending.limit.max(1));
    let cost = (u128::from(amount) * u128::from(spending.per.0)).div_ceil(limit);
    Span(u64::try_from(cost).unwrap_or(u64::MAX))
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
        let budgets = shared.budgets.iter().map(|spending| {
            let open = self.open(spending, now).0;
            u32::try_from(open / cost(spending).0).unwrap_or(u32::MAX)
        });
        budgets.min().unwrap_or(u32::MAX).min(self.allowed_at_once(shared, now))
    }

    /// Whether so many attempts that take `shared` may be leased together at `now`.
    #[must_use]
    pub fn lets(&self, shared: &Shared, count: u32, now: Timestamp) -> bool {
        let mut budgets = shared.budgets.iter();
        budgets.all(|spending| cost_together(spending, count) <= self.open(spending, now))
            && self.allowed_at_once(shared, now) >= count
    }

    /// How many attempts locks and breakers allow at `now`.
    fn allowed_at_once(&self, shared: &Shared, now: Timestamp) -> u32 {
        let locks =
            shared.locks.iter().map(|lock| self.limit(lock).saturating_sub(self.held(&lock.name)));
        let breakers = shared.breakers.iter().map(|breaker| {
            let trying = self.trying(&breaker.name);
            self.passes(breaker, now).saturating_sub(trying)
        });
        locks.chain(breakers).min().unwrap_or(u32::MAX)
    }

    /// How much of a budget may be spent at `now`.
    fn open(&self, spending: &Spending, now: Timestamp) -> Span {
        Span(spending.per.0.saturating_sub(self.backlog(&spending.name, now).0))
    }

    /// A circuit breaker that is not closed, or has counted a failure.
    #[must_use]
    pub fn circuit(&self, name: &str) -> Option<&Circuit> {
        self.circuits.get(name)
    }

    /// All such breakers, by name.
    pub fn circuits(&self) -> impl Iterator<Item = (&str, &Circuit)> {
        self.circuits.iter().map(|(name, circuit)| (&**name, circuit))
    }

    /// All budgets of which something was spent and has not flowed back at `now`, by name, with how
    /// long each needs to be full.
    pub fn backlogs(&self, now: Timestamp) -> impl Iterator<Item = (&str, Span)> {
        let spent = self.full_at.iter().filter(move |&(_, &full_at)| full_at > now);
        spent.map(move |(name, &full_at)| (&**name, full_at.since(now)))
    }

    /// How many live leases try whether a breaker may close again.
    #[must_use]
    pub fn trying(&self, name: &str) -> u32 {
        let trials = self.circuits.get(name).map_or(0, |circuit| circuit.trials.len());
        u32::try_from(trials).unwrap_or(u32::MAX)
    }

    /// Whether the live lease of an item tries whether a breaker may close again.
    #[must_use]
    pub fn is_trial(&self, name: &str, item: ItemKey) -> bool {
        self.circuits.get(name).is_some_and(|circuit| circuit.trials.contains(&item))
    }

    /// Whether a breaker among these is not closed.
    #[must_use]
    pub fn is_any_open(&self, breakers: &[Breaker]) -> bool {
        let circuits = breakers.iter().filter_map(|breaker| self.circuits.get(&breaker.name));
        circuits.into_iter().any(|circuit| circuit.open_until.is_some())
    }

    /// Whether one more attempt that keeps to these breakers may be leased at `now`.
    #[must_use]
    pub fn lets_try(&self, breakers: &[Breaker], now: Timestamp) -> bool {
        breakers.iter().all(|breaker| self.passes(breaker, now) > self.trying(&breaker.name))
    }

    /// How many attempts a breaker lets through at `now`, those that are trying it included.
    #[must_use]
    pub fn passes(&self, breaker: &Breaker, now: Timestamp) -> u32 {
        match self.circuits.get(&breaker.name).map(|circuit| circuit.stand(now)) {
            None | Some(Stand::Closed) => u32::MAX,
            Some(Stand::Open(_)) => 0,
            Some(Stand::HalfOpen) => breaker.trials,
        }
    }

    /// When a breaker that is open lets somebody try.
    #[must_use]
    pub fn open_until(&self, name: &str, now: Timestamp) -> Option<Timestamp> {
        match self.circuits.get(name)?.stand(now) {
            Stand::Open(until) => Some(until),
            Stand::Closed | Stand::HalfOpen => None,
        }
    }

    /// When a budget has enough for so many spendings together, if nobody spends of it before;
    /// `None` if it never has so much.
    #[must_use]
    pub fn enough_at(&self, spending: &Spending, count: u32, now: Timestamp) -> Option<Timestamp> {
        let (backlog, cost) = (self.backlog(&spending.name, now), cost_together(spending, count));
        let rest = spending.per.0.checked_sub(cost.0)?;
        Some(now + Span(backlog.0.saturating_sub(rest)))
    }

    /// An attempt that takes `shared` is leased at `at`.
    pub(crate) fn hold(&mut self, shared: &Shared, item: ItemKey, at: Timestamp) {
        for Breaker { name, .. } in &shared.breakers {
            if let Some(circuit) = self.circuits.get_mut(name).filter(|it| it.is_trial(at)) {
                circuit.trials.insert(item);
            }
        }
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

    /// The lease is over.
    pub(crate) fn release(&mut self, shared: &Shared, item: ItemKey) {
        for Breaker { name, .. } in &shared.breakers {
            if let Some(circuit) = self.circuits.get_mut(name) {
                circuit.trials.remove(&item);
            }
        }
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

impl Shares {
    /// Sets right what was reserved for an attempt that has ended at `at`, where it says what it
    /// spent.
    pub(crate) fn settle(
        &mut self,
        shared: &Shared,
        (outcome, spent): (Outcome, Spent),
        at: Timestamp,
    ) {
        for spending in &shared.budgets {
            let Some(charged) = spending.charged(outcome, spent) else { continue };
            let (reserved, charged) = (cost(spending), cost_of(spending, charged));
            let full_at = self.full_at.get(&spending.name).copied().unwrap_or(at).max(at);
            let settled = (full_at + charged - reserved).max(at);
            if settled > at {
                self.full_at.insert(spending.name.clone(), settled);
            } else {
                self.full_at.remove(&spending.name);
            }
        }
    }

    /// Lets the breakers of an attempt know how it ended. Before its lease is released.
    pub(crate) fn learn(
        &mut self,
        shared: &Shared,
        (item, outcome): (ItemKey, Outcome),
        at: Timestamp,
    ) {
        for breaker in &shared.breakers {
            let known = self.circuits.remove(&breaker.name);
            if let Some(circuit) = Circuit::after(known, breaker, (item, outcome), at) {
                self.circuits.insert(breaker.name.clone(), circuit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::hash::mix;
    use model::outcome::Failure;
    use model::shared::Unit;
    use model::{ItemId, RunId, TaskId};

    fn spending(amount: u32, limit: u32, per: Span) -> Spending {
        Spending { name: "api".into(), unit: Unit::Attempts, amount, limit, per }
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
        assert_eq!(shares.enough_at(&shared.budgets[0], 1, now), Some(now + Span::secs(1)));
        assert_eq!(shares.enough_at(&shared.budgets[0], 60, now), Some(now + Span::secs(60)));
        assert_eq!(shares.enough_at(&shared.budgets[0], 61, now), None);
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
                let until = shares.enough_at(&shared.budgets[0], 1, now).expect("not too much");
                assert!(shares.allowed(&shared, until) > 0, "{until:?} is not enough");
                assert!(until == now || shares.allowed(&shared, until - Span(1)) == 0);
            }
        }
    }

    #[test]
    fn what_was_reserved_is_set_right_in_the_end() {
        let tokens = Spending { unit: Unit::Tokens, ..spending(100, 600, Span::secs(60)) };
        let (shared, now) = (budget(tokens), Timestamp(1_000_000));
        let spent = |tokens_in| Spent { requests: 1, tokens_in, ..Spent::NOTHING };
        let backlog = |ends: &[Spent], later: u64| {
            let mut shares = Shares::default();
            shares.spend(&shared, 1, now);
            let at = now + Span::secs(later);
            let good = |&end: &Spent| (Outcome::Succeeded, end);
            ends.iter().map(good).for_each(|end| shares.settle(&shared, end, at));
            shares.backlog("api", at)
        };
        assert_eq!(backlog(&[spent(100)], 0), Span::secs(10));
        assert_eq!(backlog(&[spent(40)], 0), Span::secs(4));
        // What has flowed back in the meantime does not flow back twice.
        assert_eq!(backlog(&[spent(40)], 5), Span::ZERO);
        // More than there ever is: a debt.
        assert_eq!(backlog(&[spent(900)], 0), Span::secs(90));
        assert_eq!(backlog(&[spent(900)], 20), Span::secs(80));
        assert_eq!(backlog(&[Spent::NOTHING], 0), Span::secs(10));
        assert_eq!(backlog(&[spent(0)], 0), Span::ZERO);
    }

    #[test]
    fn who_was_refused_gets_nothing_back() {
        let tokens = Spending { unit: Unit::Tokens, ..spending(100, 600, Span::secs(60)) };
        let (shared, now) = (budget(tokens), Timestamp(1_000_000));
        let backlog = |status, tokens_in| {
            let mut shares = Shares::default();
            shares.spend(&shared, 1, now);
            let outcome = Outcome::Failed(Failure::Status(status));
            let spent = Spent { requests: 2, tokens_in, ..Spent::NOTHING };
            shares.settle(&shared, (outcome, spent), now);
            shares.backlog("api", now)
        };
        assert_eq!(backlog(429, 0), Span::secs(10));
        assert_eq!(backlog(429, 150), Span::secs(15));
        assert_eq!(backlog(503, 0), Span::ZERO);
    }

    #[test]
    fn each_who_asks_for_a_lock_sees_all_who_hold_it() {
        let lock = |holders_max| Shared {
            locks: [Lock { name: "db".into(), holders_max }].into(),
            ..Shared::default()
        };
        let mut shares = Shares::default();
        let item = |item| ItemKey { run: RunId(1), task: TaskId(0), item: ItemId(item) };
        shares.hold(&lock(3), item(0), Timestamp(1));
        shares.hold(&lock(3), item(1), Timestamp(1));
        let allowed = |shares: &Shares| [1, 2, 3].map(|n| shares.allowed(&lock(n), Timestamp(1)));
        assert_eq!(allowed(&shares), [0, 0, 1]);
        shares.hold(&lock(1), item(2), Timestamp(1));
        // Who holds it alone lets nobody in, whatever the others say.
        shares.release(&lock(3), item(0));
        shares.release(&lock(3), item(1));
        assert_eq!(allowed(&shares), [0, 0, 0]);
        shares.release(&lock(1), item(2));
        shares.hold(&lock(3), item(0), Timestamp(1));
        shares.hold(&lock(3), item(1), Timestamp(1));
        shares.release(&lock(3), item(0));
        shares.release(&lock(3), item(1));
        assert_eq!((allowed(&shares), shares), ([1, 2, 3], Shares::default()));
    }
}
