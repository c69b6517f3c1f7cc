//! A registered worker: what it offers and what its leases take.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;

use model::resources::Amounts;
use model::{ItemKey, Span};

/// A worker that is connected, or whose leases have not ended yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// The node's name.
    pub name: Box<str>,
    /// Tells this start of the worker from all others.
    pub instance: u64,
    /// How long its leases last without a renewal.
    pub lease: Option<Span>,
    /// What it offers.
    pub capacity: Amounts,
    /// What its leases ask for together; may exceed the capacity by what is lent ahead.
    pub leased: Amounts,
    /// The items that it holds.
    pub items: BTreeSet<ItemKey>,
    /// How many of them have not started.
    pub unstarted: u32,
    /// Whether it is gone for good and only its leases are left to end.
    pub gone: bool,
}

impl Worker {
    /// What no lease takes.
    #[must_use]
    pub fn free(&self) -> Amounts {
        let leased = self.leased.iter().copied().chain(core::iter::repeat(0));
        self.capacity.iter().zip(leased).map(|(all, leased)| all.saturating_sub(leased)).collect()
    }

    pub(crate) fn take(&mut self, item: ItemKey, request: &[u64]) {
        if self.leased.len() < request.len() {
            self.leased.resize(request.len(), 0);
        }
        self.leased.iter_mut().zip(request).for_each(|(leased, asked)| *leased += asked);
        self.items.insert(item);
        self.unstarted += 1;
    }

    pub(crate) fn give_back(&mut self, item: ItemKey, request: &[u64], started: bool) {
        self.leased.iter_mut().zip(request).for_each(|(leased, asked)| *leased -= asked);
        self.items.remove(&item);
        self.unstarted -= u32::from(!started);
    }
}
