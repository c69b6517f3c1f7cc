//! What live leases take of the devices of workers, by the facts.

use std::collections::BTreeMap;

use model::{DeviceRequest, DeviceSet, ItemKey, WorkerId};

/// What is taken of a device: thousandths of it, and bytes of its memory.
type Taken = (u64, u64);

/// All of it.
#[derive(Debug, Default)]
pub struct Devices {
    taken: BTreeMap<(WorkerId, u8), Taken>,
    held: BTreeMap<ItemKey, (WorkerId, DeviceSet, Taken)>,
}

impl Devices {
    pub(super) fn take(
        &mut self,
        item: ItemKey,
        (worker, devices): (WorkerId, DeviceSet),
        asked: &DeviceRequest,
    ) {
        let each = (u64::from(asked.share), asked.memory_bytes);
        for place in devices.iter() {
            let taken = self.taken.entry((worker, place)).or_default();
            *taken = (taken.0 + each.0, taken.1 + each.1);
        }
        if !devices.is_empty() {
            self.held.insert(item, (worker, devices, each));
        }
    }

    pub(super) fn give_back(&mut self, item: ItemKey) {
        let Some((worker, devices, each)) = self.held.remove(&item) else { return };
        for place in devices.iter() {
            if let Some(taken) = self.taken.get_mut(&(worker, place)) {
                *taken = (taken.0 - each.0, taken.1 - each.1);
            }
        }
    }

    /// What is taken of a device: thousandths of it, and bytes of its memory.
    #[must_use]
    pub fn taken(&self, worker: WorkerId, place: u8) -> (u64, u64) {
        self.taken.get(&(worker, place)).copied().unwrap_or_default()
    }
}
