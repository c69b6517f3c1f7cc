//! How long anyone may be made to wait for others: little more than whoever came first first served
//! would have made the unluckiest wait.
//!
//! Two measures of that, the larger counts, and neither needs good estimates. The first is what
//! has been: the share of the fleet that was asked for, and the share that was given, as two
//! curves over time. Between the moment at which one reaches a height and the moment at which the
//! other does lies the time which the item at that height would have waited in the order of
//! arrival, in whatever order items really went. The second is what is to come: the work that
//! waits, made shorter by what estimates were too long by so far.

use alloc::collections::VecDeque;

/// Nobody is let forward before this time has passed, in microseconds.
const LEAST: u64 = 60_000_000;

/// What has been counts this often, in hundredths.
const PAST: u64 = 150;
/// What is to come counts this often, in hundredths.
const AHEAD: u64 = 145;

/// What patience is measured by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    came: u128,
    began: u128,
    /// Heights that the first curve has reached and the second has not, and when.
    open: VecDeque<(u128, u64)>,
    longest: u64,
    /// The work that what has ended was expected to be, and that it was.
    expected: u128,
    measured: u128,
    most: u64,
    /// Since when nothing waits.
    idle_since: Option<u64>,
}

impl Patience {
    /// An item may begin from now on; it takes this share of the fleet.
    pub fn comes(&mut self, now: u64, share: u64) {
        // What happened before a pause that was longer than any wait says nothing of now.
        if let Some(since) = self.idle_since.take()
            && now.saturating_sub(since) > self.longest.max(LEAST)
        {
            (self.longest, self.most) = (0, 0);
        }
        self.came += u128::from(share);
        match self.open.back_mut() {
            Some(last) if last.1 == now => last.0 = self.came,
            _ => self.open.push_back((self.came, now)),
        }
    }

    /// An item has begun, or never will.
    pub fn begins(&mut self, now: u64, share: u64) {
        self.began += u128::from(share);
        while let Some(&(height, at)) = self.open.front()
            && height <= self.began
        {
            self.longest = self.longest.max(now.saturating_sub(at));
            self.open.pop_front();
        }
    }

    /// Nothing waits any more.
    pub fn rests(&mut self, now: u64) {
        self.open.clear();
        self.began = self.came;
        self.idle_since.get_or_insert(now);
    }

    /// An item has ended: the work that it was expected to be, and that it was.
    pub fn ends(&mut self, expected: u128, measured: u128) {
        self.expected = self.expected.saturating_add(expected);
        self.measured = self.measured.saturating_add(measured);
    }

    /// So much work waits.
    pub fn waits(&mut self, work: u64) {
        let shorter = self.measured.min(self.expected).max(1);
        let work = u128::from(work).saturating_mul(shorter) / self.expected.max(1);
        self.most = self.most.max(u64::try_from(work).unwrap_or(u64::MAX));
    }

    /// How long anyone may be made to wait, in microseconds.
    #[must_use]
    pub fn get(&self, now: u64) -> u64 {
        let open = self.open.front().map_or(0, |&(_, at)| now.saturating_sub(at));
        let past = (self.longest.max(open) / 100).saturating_mul(PAST);
        past.max((self.most / 100).saturating_mul(AHEAD)).max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn the_wait_in_order_of_arrival_is_seen_through_any_order() {
        let mut patience = Patience::default();
        // Two come one after the other, and the second goes first.
        patience.comes(0, 10);
        patience.comes(100 * SECOND, 10);
        patience.begins(150 * SECOND, 10);
        patience.begins(1_000 * SECOND, 10);
        // In order of arrival they would have begun after 150 and after 900 seconds.
        assert_eq!(patience.get(1_000 * SECOND), 900 * SECOND / 100 * PAST);
    }

    #[test]
    fn who_still_waits_counts() {
        let mut patience = Patience::default();
        assert_eq!(patience.get(0), LEAST);
        patience.comes(0, 1);
        assert_eq!(patience.get(500 * SECOND), 500 * SECOND / 100 * PAST);
    }

    #[test]
    fn estimates_that_were_too_long_count_less() {
        let mut patience = Patience::default();
        patience.ends(1_000, 100);
        patience.waits(10_000 * SECOND);
        assert_eq!(patience.get(0), 1_000 * SECOND / 100 * AHEAD);
        let mut patience = Patience::default();
        patience.ends(100, 1_000);
        patience.waits(10_000 * SECOND);
        assert_eq!(patience.get(0), 10_000 * SECOND / 100 * AHEAD);
    }

    #[test]
    fn what_never_began_is_not_waited_for_when_nothing_waits() {
        let mut patience = Patience::default();
        patience.comes(0, 10);
        // It was given up, and who gave it up counted it for less than it had come for.
        patience.begins(10 * SECOND, 9);
        patience.rests(10 * SECOND);
        patience.comes(20 * SECOND, 10);
        patience.begins(20 * SECOND, 10);
        assert_eq!(patience.get(5_000 * SECOND), LEAST);
    }

    #[test]
    fn long_waits_of_long_ago_count_no_more() {
        let long = || {
            let mut patience = Patience::default();
            patience.comes(0, 1);
            patience.begins(1_000 * SECOND, 1);
            patience.rests(1_000 * SECOND);
            patience
        };
        let again = |pause: u64| {
            let (mut patience, at) = (long(), (1_000 + pause) * SECOND);
            patience.comes(at, 1);
            patience.begins(at, 1);
            patience.get(at)
        };
        assert_eq!(again(500), 1_000 * SECOND / 100 * PAST, "a short pause is no end");
        assert_eq!(again(1_001), LEAST);
    }
}
