//! The simulator's own randomness: a seed, and independent streams below it.
//!
//! Streams are named, so that dropping a fault from a plan leaves the draws of the workload alone:
//! without that no failing seed could be shrunk. Nothing else in the simulator may be random.

use model::hash::mix;

/// A stream of numbers: SplitMix64 (Steele, Lea, Flood 2014), which passes the usual batteries and
/// needs one word of state.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of this name below a seed.
    #[must_use]
    pub fn stream(seed: u64, name: &str) -> Self {
        let named = name.bytes().fold(mix(seed), |state, byte| mix(state ^ u64::from(byte)));
        Self { state: named }
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        let drawn = mix(self.state);
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        drawn
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The bias of the multiplication is below 2^-32 for every bound used here.
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the product's upper half has 64 bits")
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// The same for small numbers.
    pub fn small(&mut self, low: u32, high: u32) -> u32 {
        u32::try_from(self.between(u64::from(low), u64::from(high))).expect("between two u32")
    }

    /// A number from `low` to `high` whose logarithm is evenly spread: as many of milliseconds as
    /// of hours.
    pub fn spread(&mut self, low: u64, high: u64) -> u64 {
        let (low_bits, high_bits) = (low.max(1).ilog2(), high.max(1).ilog2());
        let bits = self.between(u64::from(low_bits), u64::from(high_bits));
        let floor = 1 << bits;
        (floor + self.below(floor)).clamp(low, high)
    }

    /// True in so many of a thousand cases.
    pub fn per_mille(&mut self, share: u32) -> bool {
        self.below(1_000) < u64::from(share)
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).expect("below a length")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_the_same_again_and_differ_by_name() {
        let draw = |name| Random::stream(7, name).next();
        assert_eq!(draw("net"), draw("net"));
        assert_ne!(draw("net"), draw("disk"));
    }

    #[test]
    fn draws_stay_in_their_bounds_and_reach_them() {
        let mut random = Random::stream(1, "test");
        let mut seen = [false; 4];
        for _ in 0..200 {
            seen[random.small(0, 3) as usize] = true;
            let spread = random.spread(3, 1_000);
            assert!((3..=1_000).contains(&spread));
        }
        assert_eq!(seen, [true; 4]);
        assert_eq!(random.below(0), 0);
    }
}
