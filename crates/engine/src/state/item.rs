//! The state of one item in 32 bits: what makes a fan-out of a million items cheap.

use model::Attempt;
use model::fact::ItemImage;
use model::limits::GROWTHS_MAX;
use model::status::TaskStatus;

/// Status (4 bits), attempts (9), growths (3), failures (8) and losses (8) of an item in its round.
/// Counters stop at their largest value. All zero is a pending item.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Item(u32);

const ATTEMPTS_MAX: u32 = (1 << 9) - 1;
const GROWTHS_SHIFT: u32 = 13;

// A first attempt, and what may follow failures and losses, each counted up to 255.
const _: () = assert!(ATTEMPTS_MAX > 2 * u8::MAX as u32);
const _: () = assert!(GROWTHS_MAX == 7);

impl Item {
    /// An item that was never tried.
    #[must_use]
    pub const fn new(status: TaskStatus) -> Self {
        Self(status as u32)
    }

    /// Where it stands.
    #[must_use]
    pub const fn status(self) -> TaskStatus {
        TaskStatus::ALL[(self.0 & 0xf) as usize]
    }

    /// How many attempts it has had.
    #[must_use]
    pub const fn attempts(self) -> Attempt {
        Attempt((self.0 >> 4 & ATTEMPTS_MAX) as u16)
    }

    /// How many of them made the next ask for more memory.
    #[must_use]
    pub const fn growths(self) -> u8 {
        (self.0 >> GROWTHS_SHIFT) as u8 & GROWTHS_MAX
    }

    /// How many of them failed or overran.
    #[must_use]
    pub const fn failures(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// How many of them were lost with their worker.
    #[must_use]
    pub const fn losses(self) -> u8 {
        (self.0 >> 24) as u8
    }

    /// The same item elsewhere.
    #[must_use]
    pub const fn with_status(self, status: TaskStatus) -> Self {
        Self(self.0 & !0xf | status as u32)
    }

    /// The item with one more attempt, which is leased.
    #[must_use]
    pub const fn leased(self) -> Self {
        let attempts = self.attempts().0 as u32;
        let more = if attempts < ATTEMPTS_MAX { 1 << 4 } else { 0 };
        Self(self.0 + more).with_status(TaskStatus::Leased)
    }

    /// The item with one more failure.
    #[must_use]
    pub const fn failed(self) -> Self {
        if self.failures() == u8::MAX { self } else { Self(self.0 + (1 << 16)) }
    }

    /// The item, asking for more memory than before.
    #[must_use]
    pub const fn grown(self) -> Self {
        if self.growths() == GROWTHS_MAX { self } else { Self(self.0 + (1 << GROWTHS_SHIFT)) }
    }

    /// The item with one more loss.
    #[must_use]
    pub const fn lost(self) -> Self {
        if self.losses() == u8::MAX { self } else { Self(self.0 + (1 << 24)) }
    }

    /// For snapshots.
    #[must_use]
    pub const fn image(self) -> ItemImage {
        ItemImage {
            status: self.status(),
            attempts: self.attempts(),
            failures: self.failures(),
            losses: self.losses(),
            growths: self.growths(),
        }
    }
}

impl From<ItemImage> for Item {
    fn from(image: ItemImage) -> Self {
        let attempts = u32::from(image.attempts.0).min(ATTEMPTS_MAX);
        Self(
            image.status as u32
                | attempts << 4
                | u32::from(image.growths.min(GROWTHS_MAX)) << GROWTHS_SHIFT
                | u32::from(image.failures) << 16
                | u32::from(image.losses) << 24,
        )
    }
}

impl core::fmt::Debug for Item {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.image().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_stop_at_their_largest_value_and_touch_nothing_else() {
        let mut item = Item::new(TaskStatus::Ready);
        for _ in 0..5_000 {
            item = item.leased().failed().lost().grown();
        }
        let image = item.image();
        let counted = (image.attempts, image.failures, image.losses, image.growths);
        assert_eq!(counted, (Attempt(511), 255, 255, 7));
        assert_eq!(image.status, TaskStatus::Leased);
        assert_eq!(Item::from(image), item);
        assert_eq!(Item::default().status(), TaskStatus::Pending);
    }
}
