//! Waiting for something to become true, with a deadline. A test that needs time to pass says what
//! for.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(2);

/// The first answer that `look` gives within `patience`.
///
/// # Panics
/// When there is none.
pub(crate) fn until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        std::thread::sleep(POLL);
    }
}

/// Waits until `look` finds nothing any more.
///
/// # Panics
/// When something is left after `patience`.
pub(crate) fn until_gone<T: Debug>(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> Vec<T>,
) -> Duration {
    let begin = Instant::now();
    loop {
        let left = look();
        if left.is_empty() {
            return begin.elapsed();
        }
        assert!(begin.elapsed() < patience, "still there after {patience:?}: {what}: {left:#?}");
        std::thread::sleep(POLL);
    }
}
