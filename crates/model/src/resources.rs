//! What tasks ask for and workers offer: milli-CPU, memory, and custom amounts by name.
//!
//! Amounts are integers in fixed units. Nothing here compares a request with a worker: fitting is
//! the planner's and the agent's business, on dense vectors of the same amounts.

use alloc::boxed::Box;

/// Amounts that one attempt asks for, or that one worker offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// Thousandths of a CPU core.
    pub cpu_milli: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Custom amounts, sorted by name, each name once, no zero amounts.
    pub custom: Box<[(Box<str>, u64)]>,
}

/// The custom amount of which a container takes one, and which a worker has where it can run them.
pub const CONTAINER: &str = "container";

/// Dense amounts, indexed by [`ResourceId`]; what is missing at the end is zero.
pub type Amounts = alloc::vec::Vec<u64>;

/// The index of a resource in [`Amounts`]. 0 and 1 are fixed, custom names get the next free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId(pub u16);

impl ResourceId {
    /// Milli-CPU.
    pub const CPU: Self = Self(0);
    /// Bytes of memory.
    pub const MEMORY: Self = Self(1);
    /// The first index that custom resources get.
    pub const FIRST_CUSTOM: u16 = 2;
}
