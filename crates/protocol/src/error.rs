//! Why bytes are not a record, a frame, a message or a graph, and why a fact cannot become bytes.

use core::fmt;

/// Why some bytes could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// They are not the binary form at all.
    Syntax(prost::DecodeError),
    /// They end too early.
    Truncated,
    /// The checksum does not match: they are not what was written.
    Checksum,
    /// A required part is not there.
    Missing(&'static str),
    /// A number stands for nothing here, or is out of its range.
    Number {
        /// What it should have been.
        what: &'static str,
        /// What it is.
        number: u64,
    },
    /// A list has another length than it must have.
    Length(&'static str),
    /// A newer version wrote them.
    Newer {
        /// What is newer: `facts`, `frame` or `graph`.
        what: &'static str,
        /// Its version.
        version: u32,
        /// The newest version that this build reads.
        known: u32,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => write!(f, "not a valid encoding: {error}"),
            Self::Truncated => write!(f, "the bytes end too early"),
            Self::Checksum => write!(f, "the checksum does not match"),
            Self::Missing(what) => write!(f, "{what} is missing"),
            Self::Number { what, number } => write!(f, "{number} is no valid {what}"),
            Self::Length(what) => write!(f, "the list of {what} has a wrong length"),
            Self::Newer { what, version, known } => write!(
                f,
                "{what} of version {version} were written by a newer autoglm; \
                 this one reads up to version {known}"
            ),
        }
    }
}

impl core::error::Error for DecodeError {}

impl From<prost::DecodeError> for DecodeError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Syntax(error)
    }
}

/// Why a fact cannot be written: it breaks a promise that facts make. A defect of its author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// It names more items than [`model::limits::ITEMS_PER_FACT_MAX`].
    TooManyItems(usize),
    /// Its items are not in ascending order.
    NotAscending,
    /// Its record does not fit into a frame; this many bytes.
    TooLarge(usize),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyItems(count) => write!(f, "a fact names {count} items"),
            Self::NotAscending => write!(f, "a fact names its items out of order"),
            Self::TooLarge(bytes) => write!(f, "a fact takes {bytes} bytes, more than a frame"),
        }
    }
}

impl core::error::Error for EncodeError {}
