//! The error codes of simulations, E0612 onwards, behind those of workloads. Each has a heading of
//! the same name in `docs/reference/errors.md`. A code never changes its meaning.

use model::code::Code;

/// A change of the cluster that cannot be read.
pub const BAD_EDIT: Code = Code("E0612");
/// A kind of nodes that the cluster does not have.
pub const UNKNOWN_NODE: Code = Code("E0613");
/// A policy that there is none of.
pub const UNKNOWN_POLICY: Code = Code("E0614");
/// No task fits the cluster.
pub const NOTHING_FITS: Code = Code("E0615");
/// A simulation that came to a stand before all jobs had ended.
pub const STUCK: Code = Code("E0616");
