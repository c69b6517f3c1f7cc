//! What is drawn: a function of the seed and of what it is drawn for, so that each draw is the same
//! under every policy and on every cluster.

use model::hash::mix;

/// Draws for one purpose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// Draws of a seed for a purpose.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Self(mix(seed ^ mix(purpose)))
    }

    /// A number at least 0 and less than 1.
    pub(crate) fn part(self, what: u64) -> f64 {
        (mix(self.0 ^ mix(what)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The gap between events that come at random, of mean 1.
    pub(crate) fn gap(self, what: u64) -> f64 {
        -(1.0 - self.part(what)).ln()
    }

    /// A draw of the normal distribution (Box and Muller 1958).
    pub(crate) fn normal(self, what: u64) -> f64 {
        let (radius, angle) = (self.gap(2 * what), self.part(2 * what + 1));
        (2.0 * radius).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_of_their_distributions() {
        let chance = Chance::new(7, 1);
        let mean = |draw: &dyn Fn(u64) -> f64| (0..20_000).map(draw).sum::<f64>() / 20_000.0;
        assert!((mean(&|it| chance.part(it)) - 0.5).abs() < 0.01);
        assert!((mean(&|it| chance.gap(it)) - 1.0).abs() < 0.03);
        assert!(mean(&|it| chance.normal(it)).abs() < 0.03);
        assert!((mean(&|it| chance.normal(it).powi(2)) - 1.0).abs() < 0.05);
        assert_ne!(chance.part(1).to_bits(), Chance::new(8, 1).part(1).to_bits());
    }
}
