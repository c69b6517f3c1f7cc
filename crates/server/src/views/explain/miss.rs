//! By how much a worker misses what a task asks for, in words. Devices are told as the file asks
//! for them, since a number alone does not say which. What is missing is the engine's to say.

use model::device::of_each_kind;
use model::wait::{Lack, Miss, Shortfall};
use model::{Device, DeviceRequest, VariantId, WorkerId};

use super::super::words::amount;
use super::Text;

/// What the engine calls devices.
const GPU: &str = "gpu";

impl Text<'_, '_> {
    /// A worker that could hold it if it were free.
    pub(super) fn has_no_room(&self, miss: &Miss) -> String {
        let short = match &miss.lack {
            Lack::Amount(short) => short,
            Lack::Site(obstacle) => return obstacle.to_string(),
        };
        let variant = miss.variant;
        let asked = self.asked(variant, short);
        if self.devices(variant, short).is_some() {
            return format!(
                "it asks for {asked}, {} of {} such are free",
                short.free, short.capacity
            );
        }
        let [free, capacity] =
            [short.free, short.capacity].map(|value| amount(&short.resource, value));
        format!("it asks for {asked}, {free} of {capacity} are free")
    }

    /// A worker that cannot hold it.
    pub(super) fn never_fits(&self, miss: &Miss) -> String {
        let short = match &miss.lack {
            Lack::Amount(short) => short,
            Lack::Site(obstacle) => return obstacle.to_string(),
        };
        let variant = miss.variant;
        let asked = self.asked(variant, short);
        if self.devices(variant, short).is_some() {
            let (has, such) = (self.has(miss.worker), short.capacity);
            return match such {
                0 => format!("it asks for {asked}, the worker has {has}"),
                _ => format!("it asks for {asked}, the worker has {such} such: {has}"),
            };
        }
        let capacity = amount(&short.resource, short.capacity);
        format!("it asks for {asked}, there are {capacity} in all")
    }

    /// What is asked for.
    pub(super) fn asked(&self, variant: VariantId, short: &Shortfall) -> String {
        match self.devices(variant, short) {
            Some(devices) => devices.to_string(),
            None => amount(&short.resource, short.asked),
        }
    }

    /// What is missing of that.
    pub(super) fn missing(&self, variant: VariantId, short: &Shortfall, count: u64) -> String {
        let devices = u16::try_from(count).unwrap_or(u16::MAX);
        match self.devices(variant, short) {
            Some(asked) => DeviceRequest { count: devices, ..asked.clone() }.to_string(),
            None => amount(&short.resource, count),
        }
    }

    /// The devices that are asked for, if it is those that are missing, and not an amount of the
    /// same name.
    fn devices(&self, variant: VariantId, short: &Shortfall) -> Option<&DeviceRequest> {
        let policy = self.subject.run.graph().policy(self.key.task);
        let (request, _) = policy.variants().nth(usize::from(variant.0))?;
        Some(&request.devices).filter(|devices| devices.count > 0 && *short.resource == *GPU)
    }

    /// The devices that the worker has.
    fn has(&self, worker: WorkerId) -> String {
        let worker = self.subject.engine.state().worker(worker);
        let devices: &[Device] = worker.map_or(&[], |worker| &worker.devices);
        of_each_kind(devices.iter())
    }
}
