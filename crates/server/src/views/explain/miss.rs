//! By how much a worker misses what a task asks for, in words. Devices are told as the file asks
//! for them, since a number alone does not say which. What is missing is the engine's to say.

use model::device::of_each_kind;
use model::wait::Miss;
use model::{Device, DeviceRequest};

use super::super::words::amount;
use super::Text;

/// What the engine calls devices.
const GPU: &str = "gpu";

impl Text<'_, '_> {
    /// A worker that could hold it if it were free.
    pub(super) fn has_no_room(&self, miss: &Miss) -> String {
        let asked = self.asked(miss);
        if self.devices(miss).is_some() {
            return format!(
                "it asks for {asked}, {} of {} such are free",
                miss.free, miss.capacity
            );
        }
        let [free, capacity] =
            [miss.free, miss.capacity].map(|value| amount(&miss.resource, value));
        format!("it asks for {asked}, {free} of {capacity} are free")
    }

    /// A worker that cannot hold it.
    pub(super) fn never_fits(&self, miss: &Miss) -> String {
        let asked = self.asked(miss);
        if self.devices(miss).is_some() {
            let (has, such) = (self.has(miss), miss.capacity);
            return match such {
                0 => format!("it asks for {asked}, the worker has {has}"),
                _ => format!("it asks for {asked}, the worker has {such} such: {has}"),
            };
        }
        let capacity = amount(&miss.resource, miss.capacity);
        format!("it asks for {asked}, there are {capacity} in all")
    }

    /// What is asked for.
    pub(super) fn asked(&self, miss: &Miss) -> String {
        match self.devices(miss) {
            Some(devices) => devices.to_string(),
            None => amount(&miss.resource, miss.asked),
        }
    }

    /// What is missing of that.
    pub(super) fn short(&self, miss: &Miss, short: u64) -> String {
        let count = u16::try_from(short).unwrap_or(u16::MAX);
        match self.devices(miss) {
            Some(devices) => DeviceRequest { count, ..devices.clone() }.to_string(),
            None => amount(&miss.resource, short),
        }
    }

    /// The devices that are asked for, if it is those that are missing, and not an amount of the
    /// same name.
    fn devices(&self, miss: &Miss) -> Option<&DeviceRequest> {
        let request = &self.subject.run.graph().policy(self.key.task).request;
        Some(&request.devices).filter(|devices| devices.count > 0 && *miss.resource == *GPU)
    }

    /// The devices that the worker has.
    fn has(&self, miss: &Miss) -> String {
        let worker = self.subject.engine.state().worker(miss.worker);
        let devices: &[Device] = worker.map_or(&[], |worker| &worker.devices);
        of_each_kind(devices.iter())
    }
}
