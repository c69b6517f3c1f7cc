//! Which worker is given which members of a gang.
//!
//! Plain data, as all facts.

use core::ops::Range;

use crate::{DeviceSet, WorkerId};

/// Members of a gang that a worker is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GangPart {
    /// Which items; one if they take devices.
    pub items: Range<u32>,
    /// Who runs them.
    pub worker: WorkerId,
    /// The worker's devices that the item takes, by their places there.
    pub devices: DeviceSet,
}
