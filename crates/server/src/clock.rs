//! The driver's clock: wall time at the start, monotonic time from there on.
//!
//! A clock that is set while the process runs moves no deadline; one that stands before the
//! journal's last fact waits for it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use model::Timestamp;

/// Gives times that never go back.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Timestamp,
    started: Instant,
}

impl Clock {
    /// A clock that starts at the wall's time, and not before `floor`.
    pub fn starting(floor: Timestamp) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = Timestamp(u64::try_from(wall.as_micros()).unwrap_or(u64::MAX));
        Self { origin: wall.max(floor), started: Instant::now() }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Timestamp(self.origin.0.saturating_add(elapsed))
    }

    /// How long from now until `at`; zero if it has passed.
    pub fn until(&self, at: Timestamp) -> std::time::Duration {
        std::time::Duration::from_micros(at.since(self.now()).0)
    }
}
