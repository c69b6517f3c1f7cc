//! A registered worker: what it offers and what its leases take.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use model::resources::{Amounts, WHOLE_DEVICE};
use model::{Device, DeviceRequest, DeviceSet, ItemKey, Site, Span};

use super::{Class, Lease};

/// A worker that is connected, or whose leases have not ended yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// The node's name.
    pub name: Box<str>,
    /// Tells this start of the worker from all others.
    pub instance: u64,
    /// How long its leases last without a renewal.
    pub lease: Option<Span>,
    /// What it offers of amounts.
    pub capacity: Amounts,
    /// The devices that it offers.
    pub devices: Box<[Device]>,
    /// How fast it is, in thousandths of what estimates assume.
    pub speed: u32,
    /// What it is told apart by.
    pub site: Site,
    /// What its leases ask for together; may exceed the capacity by what is lent ahead.
    pub leased: Amounts,
    /// What its leases take of each device.
    pub device_use: Vec<DeviceUse>,
    /// The items that it holds.
    pub items: BTreeSet<ItemKey>,
    /// How many of them have not started.
    pub unstarted: u32,
    /// Whether it is gone for good and only its leases are left to end.
    pub gone: bool,
}

/// What leases take of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceUse {
    /// In thousandths of it.
    pub share: u64,
    /// Of its memory, in bytes.
    pub memory_bytes: u64,
}

impl Worker {
    /// What no lease takes of amounts.
    #[must_use]
    pub fn free(&self) -> Amounts {
        let leased = self.leased.iter().copied().chain(core::iter::repeat(0));
        self.capacity.iter().zip(leased).map(|(all, leased)| all.saturating_sub(leased)).collect()
    }

    /// Whether an attempt may be given these devices beside all that has been given.
    #[must_use]
    pub fn has_devices(&self, asked: &DeviceRequest, devices: DeviceSet) -> bool {
        let mut given = devices.iter().map(|place| {
            let place = usize::from(place);
            self.devices.get(place).zip(self.device_use.get(place))
        });
        devices.len() == u32::from(asked.count)
            && given.all(|known| {
                known.is_some_and(|(device, used)| {
                    used.share + u64::from(asked.share) <= u64::from(WHOLE_DEVICE)
                        && used.memory_bytes + asked.memory_bytes <= device.memory_bytes
                })
            })
    }

    pub(crate) fn take(&mut self, item: ItemKey, class: &Class, devices: DeviceSet) {
        let request = &class.amounts;
        if self.leased.len() < request.len() {
            self.leased.resize(request.len(), 0);
        }
        self.leased.iter_mut().zip(request).for_each(|(leased, asked)| *leased += asked);
        let asked = &class.request.devices;
        self.each_device(devices, |used| {
            used.share += u64::from(asked.share);
            used.memory_bytes += asked.memory_bytes;
        });
        self.items.insert(item);
        self.unstarted += 1;
    }

    pub(crate) fn give_back(&mut self, item: ItemKey, class: &Class, lease: &Lease) {
        let request = &class.amounts;
        self.leased.iter_mut().zip(request).for_each(|(leased, asked)| *leased -= asked);
        let asked = &class.request.devices;
        self.each_device(lease.devices, |used| {
            used.share -= u64::from(asked.share);
            used.memory_bytes -= asked.memory_bytes;
        });
        self.items.remove(&item);
        self.unstarted -= u32::from(lease.started_at.is_none());
    }

    fn each_device(&mut self, devices: DeviceSet, change: impl Fn(&mut DeviceUse)) {
        let uses = &mut self.device_use;
        let known = devices.iter().filter(|&place| usize::from(place) < uses.len());
        known
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|place| change(&mut uses[usize::from(place)]));
    }
}
