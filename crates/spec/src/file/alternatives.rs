//! With what else a task can be done. Nothing here compares it with what the task says itself.

use super::foreign;
use super::resources::Resources;
use super::values::Duration;
use crate::read::{Placed, record};

record! {
    /// Other amounts with which a task can be done.
    struct AlternativeFile(
        "an alternative",
        "an alternative such as `{resources: {cpu: 16}, expected: 2h}`"
    ) {
        /// What an attempt asks for then. What is left out it does not ask for, but for one CPU.
        resources: Box<Resources>,
        /// How long an attempt is expected to take then. As long as otherwise if it is left out.
        expected: Placed<Duration>,
    }
    foreign: foreign::ALTERNATIVE
}
