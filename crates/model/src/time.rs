//! Points and lengths of time, in whole microseconds. Nothing here reads a clock.

use core::fmt;
use core::ops::{Add, Sub};

/// Microseconds since the Unix epoch, as the leader's clock told it; never goes back in a journal.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

/// A length of time in microseconds.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub u64);

impl Timestamp {
    /// The length of time from `earlier` to here; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A length in microseconds.
    #[must_use]
    pub const fn micros(us: u64) -> Self {
        Self(us)
    }

    /// A length in milliseconds.
    #[must_use]
    pub const fn millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000))
    }

    /// A length in seconds.
    #[must_use]
    pub const fn secs(s: u64) -> Self {
        Self(s.saturating_mul(1_000_000))
    }

    /// Whole milliseconds, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Add for Span {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;

    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}us", self.0)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Span {
    /// The two largest units: `1h 30m`, `2m 5s`, `1.250s`, `350ms`, `80us`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0;
        let (s, ms) = (us / 1_000_000, us / 1_000);
        match us {
            0..1_000 => write!(f, "{us}us"),
            1_000..1_000_000 => write!(f, "{ms}ms"),
            1_000_000..60_000_000 => write!(f, "{s}.{:03}s", ms % 1_000),
            60_000_000..3_600_000_000 => write!(f, "{}m {}s", s / 60, s % 60),
            3_600_000_000..86_400_000_000 => write!(f, "{}h {}m", s / 3_600, s / 60 % 60),
            _ => write!(f, "{}d {}h", s / 86_400, s / 3_600 % 24),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn spans_read_well() {
        let shown = [80, 350_000, 1_250_000, 125_000_000, 5_400_000_000, 90_000_000_000]
            .map(|us| Span(us).to_string());
        assert_eq!(shown, ["80us", "350ms", "1.250s", "2m 5s", "1h 30m", "1d 1h"]);
    }
}
