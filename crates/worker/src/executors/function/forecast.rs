//! For how long it pays to keep a process that has nothing to do: told from how long processes of
//! its pool have waited for their next call before.
//!
//! A histogram of these gaps, in powers of two: a process is kept for as long as 99 of 100 gaps
//! were, as the hybrid policy of Shahrad et al. does ("Serverless in the Wild", USENIX ATC 2020,
//! section 4.2). Where the gaps are too long for that, or too few are known, a fixed time is as
//! good as any. Old gaps weigh less and less. It starts and ends nothing.

use std::time::Duration;

/// How long a process is kept while nothing better is known.
pub(super) const UNKNOWN: Duration = Duration::from_secs(5 * 60);
/// No process is kept for less: starting one takes a good part of a second.
const SHORTEST: Duration = Duration::from_secs(30);
/// Nor for longer: a process that waits for hours holds memory that others may want.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// So many gaps must be known.
const ENOUGH: u32 = 10;
/// With so many all count for half as much from then on.
const MANY: u32 = 400;
/// Gaps by the power of two of their milliseconds: up to 2^24, more than four hours.
const BUCKETS: usize = 25;

/// The gaps of a pool.
#[derive(Clone, Debug, Default)]
pub(super) struct Forecast {
    gaps: [u32; BUCKETS],
}

impl Forecast {
    /// A process, or the pool, had waited so long for its next call.
    pub(super) fn learn(&mut self, gap: Duration) {
        if self.known() >= MANY {
            self.gaps.iter_mut().for_each(|count| *count /= 2);
        }
        self.gaps[bucket(gap)] += 1;
    }

    /// How long a process is kept.
    pub(super) fn keep(&self) -> Duration {
        let known = self.known();
        if known < ENOUGH {
            return UNKNOWN;
        }
        let most = known - known / 100;
        let mut sum = 0;
        let longest = self.gaps.iter().position(|count| {
            sum += count;
            sum >= most
        });
        let millis = 1_u64 << (longest.unwrap_or(BUCKETS) + 1);
        match Duration::from_millis(millis) {
            too_long if too_long > LONGEST => UNKNOWN,
            keep => keep.max(SHORTEST),
        }
    }

    fn known(&self) -> u32 {
        self.gaps.iter().sum()
    }
}

fn bucket(gap: Duration) -> usize {
    let millis = u64::try_from(gap.as_millis()).unwrap_or(u64::MAX);
    let power = millis.checked_ilog2().unwrap_or(0);
    usize::try_from(power).map_or(BUCKETS - 1, |power| power.min(BUCKETS - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(gaps: &[(u32, u64)]) -> Forecast {
        let mut forecast = Forecast::default();
        for &(times, secs) in gaps {
            (0..times).for_each(|_| forecast.learn(Duration::from_secs(secs)));
        }
        forecast
    }

    #[test]
    fn a_process_stays_as_long_as_the_next_call_mostly_takes_to_come() {
        let keeps = [
            after(&[]),
            after(&[(9, 600)]),
            after(&[(10, 600)]),
            after(&[(10, 1)]),
            after(&[(99, 1), (1, 1_200)]),
            after(&[(98, 1), (2, 1_200)]),
        ];
        let secs = keeps.map(|forecast| forecast.keep().as_secs());
        assert_eq!(secs, [300, 300, 1_048, 30, 30, 2_097]);
    }

    #[test]
    fn gaps_that_are_too_long_to_wait_for_are_not_waited_for() {
        assert_eq!(after(&[(50, 100_000)]).keep(), UNKNOWN);
        assert_eq!(after(&[(50, u64::MAX / 2_000)]).keep(), UNKNOWN);
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut forecast = after(&[(400, 1_200)]);
        assert_eq!(forecast.keep().as_secs(), 2_097);
        (0..2_000).for_each(|_| forecast.learn(Duration::from_secs(2)));
        assert_eq!(forecast.keep(), SHORTEST);
    }
}
