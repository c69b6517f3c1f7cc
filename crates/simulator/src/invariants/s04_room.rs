//! S4: what is started on a node never exceeds it, no device is started on twice, and an item has
//! at most one process there.

use model::collections::HashMap;
use model::resources::WHOLE_DEVICE;
use model::{DeviceSet, ItemKey, Request};

use crate::node::device_memory;
use crate::plan::NodePlan;

/// What runs on a node, counted by the world.
#[derive(Debug, Default)]
pub struct Room {
    running: HashMap<ItemKey, (Request, DeviceSet)>,
    cpu_milli: u64,
    slots: u64,
    /// Of each device: thousandths of it, and bytes of its memory.
    devices: HashMap<u8, (u64, u64)>,
}

impl Room {
    /// A process starts.
    ///
    /// # Errors
    /// It does not fit, or another of the same item is there.
    pub fn start(
        &mut self,
        node: &NodePlan,
        item: ItemKey,
        (request, devices): (&Request, DeviceSet),
    ) -> Result<(), String> {
        self.cpu_milli += request.cpu_milli;
        self.slots += slots(request);
        self.change(request, devices, |used, by| *used += by);
        if self.running.insert(item, (request.clone(), devices)).is_some() {
            return Err(format!("two processes of {item:?} live on one node"));
        }
        if self.cpu_milli > node.cpu_milli || self.slots > node.slots {
            return Err(format!(
                "{} milli-cores and {} slots are started on a node of {} and {}",
                self.cpu_milli, self.slots, node.cpu_milli, node.slots
            ));
        }
        self.devices_hold(node)
    }

    fn devices_hold(&self, node: &NodePlan) -> Result<(), String> {
        let mut used = self.devices.iter();
        let over = used.find(|&(&place, &(share, memory))| {
            let place = u64::from(place);
            let is_there = place < node.gpus || share == 0;
            !is_there || share > u64::from(WHOLE_DEVICE) || memory > device_memory(place)
        });
        match over {
            None => Ok(()),
            Some((place, used)) => Err(format!("device {place} is started on twice: {used:?}")),
        }
    }

    fn change(&mut self, request: &Request, devices: DeviceSet, by: impl Fn(&mut u64, u64)) {
        for place in devices.iter() {
            let (share, memory) = self.devices.entry(place).or_default();
            by(share, request.devices.share.into());
            by(memory, request.devices.memory_bytes);
        }
    }

    /// A process is gone.
    pub fn end(&mut self, item: ItemKey) {
        if let Some((request, devices)) = self.running.remove(&item) {
            self.change(&request, devices, |used, by| *used -= by);
            self.cpu_milli -= request.cpu_milli;
            self.slots -= slots(&request);
        }
    }

    /// How many processes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }
}

fn slots(request: &Request) -> u64 {
    request.custom.iter().map(|(_, amount)| amount).sum()
}
