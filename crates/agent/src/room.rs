//! The worker's own account of its capacity: what has been started and has not ended.
//!
//! This is where it is enforced that started attempts never exceed the node, and that no device is
//! started on twice (invariant S4): the coordinator may be wrong about what still runs here, this
//! account may not.

use alloc::boxed::Box;
use alloc::vec::Vec;

use model::message::Grant;
use model::resources::WHOLE_DEVICE;
use model::{DeviceRequest, DeviceSet, Offers, Request};

/// What a node offers, and what of it is free.
#[derive(Debug)]
pub(crate) struct Room {
    offers: Offers,
    /// What is free when nothing runs.
    whole: Free,
    free: Free,
}

/// What is free of a node.
#[derive(Debug, PartialEq, Eq)]
struct Free {
    cpu_milli: u64,
    memory_bytes: u64,
    custom: Box<[(Box<str>, u64)]>,
    /// Of each device: thousandths of it, and bytes of its memory.
    devices: Vec<(u64, u64)>,
}

impl From<&Offers> for Free {
    fn from(offers: &Offers) -> Self {
        let devices = offers.devices.iter();
        Self {
            cpu_milli: offers.cpu_milli,
            memory_bytes: offers.memory_bytes,
            custom: offers.custom.clone(),
            devices: devices.map(|it| (u64::from(WHOLE_DEVICE), it.memory_bytes)).collect(),
        }
    }
}

impl Free {
    fn holds(&self, request: &Request, devices: DeviceSet) -> bool {
        let asked = &request.devices;
        request.cpu_milli <= self.cpu_milli
            && request.memory_bytes <= self.memory_bytes
            && request.custom.iter().all(|(name, asked)| *asked <= self.custom(name))
            && devices.len() == u32::from(asked.count)
            && devices.iter().all(|place| self.has_device(place, asked))
    }

    fn has_device(&self, place: u8, asked: &DeviceRequest) -> bool {
        self.devices.get(usize::from(place)).is_some_and(|&(share, memory_bytes)| {
            u64::from(asked.share) <= share && asked.memory_bytes <= memory_bytes
        })
    }

    fn custom(&self, name: &str) -> u64 {
        self.find(name).map_or(0, |index| self.custom[index].1)
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.custom.binary_search_by_key(&name, |(name, _): &(Box<str>, u64)| name).ok()
    }

    fn change(&mut self, Grant { request, devices, .. }: &Grant, by: impl Fn(&mut u64, u64)) {
        by(&mut self.cpu_milli, request.cpu_milli);
        by(&mut self.memory_bytes, request.memory_bytes);
        for (name, asked) in &request.custom {
            if let Some(index) = self.find(name) {
                by(&mut self.custom[index].1, *asked);
            }
        }
        for place in devices.iter() {
            if let Some((share, memory_bytes)) = self.devices.get_mut(usize::from(place)) {
                by(share, request.devices.share.into());
                by(memory_bytes, request.devices.memory_bytes);
            }
        }
    }
}

impl Room {
    /// A node on which nothing runs.
    pub(crate) fn new(offers: Offers) -> Self {
        Self { whole: (&offers).into(), free: (&offers).into(), offers }
    }

    /// What the node offers in all.
    pub(crate) fn offers(&self) -> &Offers {
        &self.offers
    }

    /// Whether what is granted would fit if nothing ran.
    pub(crate) fn could_hold(&self, grant: &Grant) -> bool {
        self.whole.holds(&grant.request, grant.devices)
    }

    /// Takes what is granted if it fits now; otherwise changes nothing.
    pub(crate) fn take(&mut self, grant: &Grant) -> bool {
        let holds = self.free.holds(&grant.request, grant.devices);
        if holds {
            self.free.change(grant, |free, asked| *free -= asked);
        }
        holds
    }

    /// Gives back what [`Room::take`] took.
    pub(crate) fn give_back(&mut self, grant: &Grant) {
        self.free.change(grant, |free, asked| *free += asked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{
        Attempt, AttemptId, Device, ItemId, ItemKey, Round, RunId, Span, TaskId, Token, VariantId,
        Vendor,
    };

    fn grant(cpu_milli: u64, license: u64) -> Grant {
        let custom: Box<[_]> =
            if license > 0 { [("license".into(), license)].into() } else { [].into() };
        Grant {
            attempt: AttemptId {
                key: ItemKey { run: RunId(1), task: TaskId(0), item: ItemId(0) },
                round: Round(0),
                attempt: Attempt(1),
            },
            token: Token(1),
            request: Request { cpu_milli, custom, ..Request::default() },
            devices: DeviceSet::EMPTY,
            grace: Span::ZERO,
            variant: VariantId(0),
        }
    }

    fn of_device(place: u8, share: u16, memory_bytes: u64) -> Grant {
        let mut grant = grant(0, 0);
        grant.devices = DeviceSet::one(place);
        grant.request.devices = DeviceRequest { share, memory_bytes, ..DeviceRequest::whole(1) };
        grant
    }

    fn device(memory_bytes: u64) -> Device {
        Device {
            uuid: "GPU-1".into(),
            vendor: Vendor::Nvidia,
            kind: "nvidia-t4".into(),
            memory_bytes,
            address: None,
            numa_node: None,
            ordinal: None,
            part: None,
        }
    }

    #[test]
    fn what_does_not_fit_takes_nothing() {
        let mut room = Room::new(grant(2_000, 1).request.into());
        assert!(room.take(&grant(1_000, 1)));
        assert!(!room.take(&grant(1_000, 1)), "the only license is taken");
        assert!(room.take(&grant(1_000, 0)));
        assert!(!room.take(&grant(1, 0)));
        room.give_back(&grant(1_000, 1));
        assert!(room.take(&grant(500, 1)));
    }

    #[test]
    fn what_the_node_lacks_never_fits() {
        let room = Room::new(grant(2_000, 0).request.into());
        assert!(!room.could_hold(&grant(0, 1)));
        assert!(!room.could_hold(&grant(2_001, 0)));
        assert!(!room.could_hold(&of_device(0, 100, 0)));
        assert!(room.could_hold(&grant(2_000, 0)));
    }

    #[test]
    fn no_device_is_started_on_twice_and_fractions_share_it() {
        let devices = [device(80), device(80)].into();
        let mut room = Room::new(Offers { devices, ..Offers::default() });
        assert!(room.take(&of_device(0, 600, 40)));
        assert!(!room.take(&of_device(0, 500, 0)), "there are 400 thousandths left");
        assert!(!room.take(&of_device(0, 100, 41)), "there are 40 bytes left");
        assert!(room.take(&of_device(0, 400, 40)));
        assert!(room.take(&of_device(1, WHOLE_DEVICE, 80)), "the other one is free");
        room.give_back(&of_device(0, 600, 40));
        assert!(room.take(&of_device(0, 600, 40)));
        let mut two = of_device(0, WHOLE_DEVICE, 0);
        two.request.devices.count = 2;
        assert!(!room.could_hold(&two), "two are asked for, and one is named");
    }
}
