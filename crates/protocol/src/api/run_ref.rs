//! How a caller names a run: by its number, or as the last one that was submitted.

use std::fmt;
use std::str::FromStr;

use model::RunId;

/// A run as a caller names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunRef {
    /// The one that was submitted last.
    #[default]
    Last,
    /// The one with this number.
    Id(RunId),
}

/// Text that names no run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunRefError;

impl From<RunId> for RunRef {
    fn from(run: RunId) -> Self {
        Self::Id(run)
    }
}

impl FromStr for RunRef {
    type Err = RunRefError;

    fn from_str(text: &str) -> Result<Self, RunRefError> {
        if text == "last" {
            return Ok(Self::Last);
        }
        let is_plain = !text.is_empty() && text.bytes().all(|sign| sign.is_ascii_digit());
        match text.parse() {
            Ok(number) if is_plain && number > 0 => Ok(Self::Id(RunId(number))),
            _ => Err(RunRefError),
        }
    }
}

impl fmt::Display for RunRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last => f.write_str("last"),
            Self::Id(run) => run.fmt(f),
        }
    }
}

impl fmt::Display for RunRefError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a run is named by its number, or by the word `last`")
    }
}

impl std::error::Error for RunRefError {}
