//! A lease: who runs an item, and what fences it.

use model::{DeviceSet, Round, Timestamp, Token, VariantId, WorkerId};

use super::ClassId;

/// The live lease of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The sequence number of the fact that made it.
    pub token: Token,
    /// Who runs it.
    pub worker: WorkerId,
    /// The round of its task.
    pub round: Round,
    /// In which way the work is done.
    pub variant: VariantId,
    /// The devices of the worker that it takes.
    pub devices: DeviceSet,
    /// What it takes of the worker, and of what is shared.
    pub class: ClassId,
    /// When it was given.
    pub leased_at: Timestamp,
    /// When it started, if it has.
    pub started_at: Option<Timestamp>,
    /// Whether it has run for longer than it may.
    pub overran: bool,
}
