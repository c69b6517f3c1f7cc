//! The error codes of recorded workloads and of clusters, E0601 onwards. Each has a heading of the
//! same name in `docs/reference/errors.md`. A code never changes its meaning.

use model::code::Code;

/// The file is damaged, or not of the notation that it should be of.
pub const SYNTAX: Code = Code("E0601");
/// The file is in order, and of no form that is known.
pub const UNKNOWN_FORM: Code = Code("E0602");
/// A key or a column that must be there is missing.
pub const MISSING: Code = Code("E0603");
/// A key or a column that there is none of.
pub const UNKNOWN_KEY: Code = Code("E0604");
/// A value that cannot be what it stands for.
pub const BAD_VALUE: Code = Code("E0605");
/// A task that waits for one that is not there.
pub const NO_SUCH_TASK: Code = Code("E0606");
/// Tasks that wait for each other in a circle.
pub const CYCLE: Code = Code("E0607");
/// Two things of one name.
pub const DUPLICATE: Code = Code("E0608");
/// More of something than the limit allows.
pub const TOO_LARGE: Code = Code("E0609");
/// There is nothing in the file.
pub const EMPTY: Code = Code("E0610");
/// Two places of the file that contradict each other.
pub const CONFLICT: Code = Code("E0611");
