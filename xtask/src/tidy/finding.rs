//! A finding: where, which rule, what is wrong, and what to do about it.
//!
//! Every rule speaks through this one type, so that an editor can jump to each line of the output.

use std::fmt;

/// One broken rule at one place.
#[derive(Debug)]
pub(crate) struct Finding {
    /// From the root of the repository.
    pub(crate) path: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// The rule's short name.
    pub(crate) rule: &'static str,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) advice: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule, message, advice } = self;
        write!(f, "{path}:{line}: {rule}: {message}; {advice}")
    }
}
