//! What is asked for and what is offered, as records, messages and graphs share it.

use model::device::Part;
use model::resources::USUAL_SPEED;
use model::{Device, DeviceRequest, Offers, Request, Site, Vendor};

use crate::error::DecodeError;
use crate::noun::{Numbered, narrow};

/// What is asked for.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Amounts {
    #[prost(uint64, tag = "1")]
    cpu_milli: u64,
    #[prost(uint64, tag = "2")]
    memory_bytes: u64,
    #[prost(message, repeated, tag = "3")]
    custom: Vec<Custom>,
    #[prost(message, optional, boxed, tag = "4")]
    devices: Option<Box<DevicesAsked>>,
}

/// A custom amount.
#[derive(Clone, PartialEq, prost::Message)]
struct Custom {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint64, tag = "2")]
    amount: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct DevicesAsked {
    #[prost(uint32, tag = "1")]
    count: u32,
    #[prost(uint32, tag = "2")]
    share: u32,
    #[prost(uint64, tag = "3")]
    memory_bytes: u64,
    #[prost(string, repeated, tag = "4")]
    kinds: Vec<String>,
}

/// What a worker offers: amounts as they are asked for, devices, and what it is told apart by.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Offered {
    #[prost(uint64, tag = "1")]
    cpu_milli: u64,
    #[prost(uint64, tag = "2")]
    memory_bytes: u64,
    #[prost(message, repeated, tag = "3")]
    custom: Vec<Custom>,
    #[prost(message, repeated, tag = "5")]
    devices: Vec<DeviceOffered>,
    /// In thousandths; 0 if it is the usual one.
    #[prost(uint32, tag = "6")]
    speed: u32,
    #[prost(message, repeated, tag = "7")]
    labels: Vec<LabelForm>,
    #[prost(string, repeated, tag = "8")]
    taints: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LabelForm {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct DeviceOffered {
    #[prost(string, tag = "1")]
    uuid: String,
    #[prost(uint32, tag = "2")]
    vendor: u32,
    #[prost(string, tag = "3")]
    kind: String,
    #[prost(uint64, tag = "4")]
    memory_bytes: u64,
    /// As people write it; empty if it is not known.
    #[prost(string, tag = "5")]
    address: String,
    #[prost(uint32, optional, tag = "6")]
    numa_node: Option<u32>,
    #[prost(uint32, optional, tag = "7")]
    ordinal: Option<u32>,
    /// Empty if it is no part.
    #[prost(string, tag = "8")]
    parent: String,
    #[prost(string, tag = "9")]
    profile: String,
}

fn write_custom(custom: &[(Box<str>, u64)]) -> Vec<Custom> {
    let one = |(name, amount): &(Box<str>, u64)| Custom { name: name.to_string(), amount: *amount };
    custom.iter().map(one).collect()
}

fn read_custom(custom: Vec<Custom>) -> Box<[(Box<str>, u64)]> {
    custom.into_iter().map(|one| (one.name.into_boxed_str(), one.amount)).collect()
}

impl Amounts {
    /// Whether it asks for devices.
    pub(crate) const fn has_devices(&self) -> bool {
        self.devices.is_some()
    }
}

impl From<&Request> for Amounts {
    fn from(request: &Request) -> Self {
        let devices = &request.devices;
        Self {
            cpu_milli: request.cpu_milli,
            memory_bytes: request.memory_bytes,
            custom: write_custom(&request.custom),
            devices: (devices.count > 0).then(|| {
                Box::new(DevicesAsked {
                    count: devices.count.into(),
                    share: devices.share.into(),
                    memory_bytes: devices.memory_bytes,
                    kinds: devices.kinds.iter().map(ToString::to_string).collect(),
                })
            }),
        }
    }
}

impl TryFrom<Amounts> for Request {
    type Error = DecodeError;

    fn try_from(form: Amounts) -> Result<Self, DecodeError> {
        let read = |devices: Box<DevicesAsked>| {
            Ok::<_, DecodeError>(DeviceRequest {
                count: narrow("devices", devices.count)?,
                share: narrow("share of a device", devices.share)?,
                memory_bytes: devices.memory_bytes,
                kinds: devices.kinds.into_iter().map(String::into_boxed_str).collect(),
            })
        };
        Ok(Self {
            cpu_milli: form.cpu_milli,
            memory_bytes: form.memory_bytes,
            custom: read_custom(form.custom),
            devices: form.devices.map(read).transpose()?.unwrap_or_default(),
        })
    }
}

impl From<&Offers> for Offered {
    fn from(offers: &Offers) -> Self {
        Self {
            cpu_milli: offers.cpu_milli,
            memory_bytes: offers.memory_bytes,
            custom: write_custom(&offers.custom),
            devices: offers.devices.iter().map(write_device).collect(),
            speed: if offers.speed == USUAL_SPEED { 0 } else { offers.speed },
            labels: offers.site.labels.iter().map(write_label).collect(),
            taints: offers.site.taints.iter().map(ToString::to_string).collect(),
        }
    }
}

impl TryFrom<Offered> for Offers {
    type Error = DecodeError;

    fn try_from(form: Offered) -> Result<Self, DecodeError> {
        Ok(Self {
            cpu_milli: form.cpu_milli,
            memory_bytes: form.memory_bytes,
            custom: read_custom(form.custom),
            devices: form.devices.into_iter().map(read_device).collect::<Result<_, _>>()?,
            speed: if form.speed == 0 { USUAL_SPEED } else { form.speed },
            site: Site::new(
                form.labels.into_iter().map(|form| (form.key.into(), form.value.into())),
                form.taints.into_iter().map(String::into_boxed_str),
            ),
        })
    }
}

fn write_label((key, value): &(Box<str>, Box<str>)) -> LabelForm {
    LabelForm { key: key.to_string(), value: value.to_string() }
}

fn write_device(device: &Device) -> DeviceOffered {
    let part = device.part.as_ref();
    DeviceOffered {
        uuid: device.uuid.to_string(),
        vendor: device.vendor.number(),
        kind: device.kind.to_string(),
        memory_bytes: device.memory_bytes,
        address: device.address.map(|address| address.to_string()).unwrap_or_default(),
        numa_node: device.numa_node.map(u32::from),
        ordinal: device.ordinal.map(u32::from),
        parent: part.map(|part| part.parent.to_string()).unwrap_or_default(),
        profile: part.map(|part| part.profile.to_string()).unwrap_or_default(),
    }
}

fn read_device(form: DeviceOffered) -> Result<Device, DecodeError> {
    let part = || Part { parent: form.parent.as_str().into(), profile: form.profile.into() };
    Ok(Device {
        uuid: form.uuid.into_boxed_str(),
        vendor: Vendor::from_number(form.vendor)?,
        kind: form.kind.into_boxed_str(),
        memory_bytes: form.memory_bytes,
        // What cannot be read says less of the device, and takes nothing away from it.
        address: form.address.parse().ok(),
        numa_node: form.numa_node.map(|node| narrow("NUMA node", node)).transpose()?,
        ordinal: form.ordinal.map(|number| narrow("ordinal", number)).transpose()?,
        part: (!form.parent.is_empty()).then(part),
    })
}
