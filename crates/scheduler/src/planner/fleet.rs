//! The nodes, with what runs on each and until when. It knows nothing of what waits.

use alloc::vec::Vec;

use model::resources::Amounts;

use super::ask::{Ask, Device, Form, Taken};

/// The speed of a node that is as fast as estimates assume.
pub const SPEED: u32 = 1_000;

/// What is expected to take longer, in microseconds, is taken to take so long: 36,000 years.
const DURATION_MAX: u64 = 1 << 60;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// What it has of amounts.
    pub capacity: Amounts,
    /// Its devices, in their order on the node.
    pub devices: Vec<Device>,
    /// How fast it is; [`SPEED`] is what estimates assume, twice as much is twice as fast.
    pub speed: u32,
    /// Whether new work may go there.
    pub accepts: bool,
}

/// Work on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it takes.
    pub taken: Taken,
    /// When it began, in microseconds.
    pub began_at: u64,
    /// When it is expected to end, in microseconds, as was estimated before it began.
    pub ends_at: u64,
}

impl Lease {
    /// When it is expected to end. What has outlived its estimate may end at any moment, and goes
    /// on for half as long again as it has lasted if it does not: `is_hopeful` says which of the
    /// two is expected. The second number is how much later than hoped it may be.
    pub(super) fn expected_end(&self, now: u64, is_hopeful: bool) -> (u64, u64) {
        if self.ends_at > now {
            return (self.ends_at, 0);
        }
        let longer = now.saturating_sub(self.began_at) / 2;
        (now + 1 + if is_hopeful { 0 } else { longer }, longer)
    }
}

/// A node with what runs there.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) spec: NodeSpec,
    /// The number of its kind.
    pub(super) kind: u32,
    pub(super) form: Form,
    /// What is free now.
    pub(super) free: Vec<u64>,
    /// What is free when nothing runs.
    pub(super) empty: Vec<u64>,
    pub(super) leases: Vec<(u64, Lease)>,
}

impl Node {
    pub(super) fn new(spec: NodeSpec, kind: u32) -> Self {
        let form = Form { amounts: spec.capacity.len(), devices: spec.devices.clone() };
        let empty = form.empty(&spec.capacity);
        Self { spec, kind, form, free: empty.clone(), empty, leases: Vec::new() }
    }

    pub(super) fn begin(&mut self, id: u64, lease: Lease) {
        self.form.change(&mut self.free, &lease.taken, false);
        self.leases.push((id, lease));
    }

    pub(super) fn end(&mut self, id: u64) {
        let Some(at) = self.leases.iter().position(|&(known, _)| known == id) else { return };
        let (_, lease) = self.leases.swap_remove(at);
        self.form.change(&mut self.free, &lease.taken, true);
    }

    /// Whether an item may begin here with what is free now.
    pub(super) fn fits(&self, ask: &Ask) -> bool {
        self.spec.accepts && self.form.fits(&self.free, ask)
    }

    /// How long work takes here that takes `expected` at [`SPEED`].
    pub(super) fn duration(&self, expected: u64) -> u64 {
        let time = expected.saturating_mul(u64::from(SPEED)) / u64::from(self.spec.speed.max(1));
        time.clamp(1, DURATION_MAX)
    }
}
