//! What tasks ask for and workers offer: milli-CPU, memory, custom amounts by name, and devices.
//!
//! Amounts are integers in fixed units. Nothing here compares a request with a worker: fitting is
//! the planner's and the agent's business, on dense vectors of the same amounts. Which devices a
//! request means, and how that is said, is the same for whoever checks, plans and explains.

use alloc::boxed::Box;
use core::fmt;

use crate::device::is_of_kind;
use crate::{Device, Site};

/// What one attempt asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// Thousandths of a CPU core.
    pub cpu_milli: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Custom amounts, sorted by name, each name once, no zero amounts.
    pub custom: Box<[(Box<str>, u64)]>,
    /// Devices, all of one worker.
    pub devices: DeviceRequest,
}

/// Devices that one attempt asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceRequest {
    /// How many; 0 for none.
    pub count: u16,
    /// How much of each, in thousandths, 1 to [`WHOLE_DEVICE`]. What asks for less than a whole one
    /// may share it with others.
    pub share: u16,
    /// How much memory of each, in bytes; 0 if that does not matter.
    pub memory_bytes: u64,
    /// Of which kinds, as a file names them; any if empty.
    pub kinds: Box<[Box<str>]>,
}

/// A whole device, in thousandths.
pub const WHOLE_DEVICE: u16 = 1_000;

impl DeviceRequest {
    /// So many whole devices of any kind.
    #[must_use]
    pub fn whole(count: u16) -> Self {
        let share = if count == 0 { 0 } else { WHOLE_DEVICE };
        Self { count, share, ..Self::default() }
    }

    /// Whether a device that nobody uses is one of those that are meant. A device whose memory is
    /// not known is none that has so much of it.
    #[must_use]
    pub fn means(&self, device: &Device) -> bool {
        let mut kinds = self.kinds.iter();
        (self.kinds.is_empty() || kinds.any(|asked| is_of_kind(asked, &device.kind)))
            && device.memory_bytes >= self.memory_bytes
    }
}

/// As a file says it in the fewest words: `2 gpu`, `0.5 gpu`, `2 a100 or h100 gpu`,
/// `2 of 0.25 gpu with 20Gi`; nothing for none.
impl fmt::Display for DeviceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_whole = self.share >= WHOLE_DEVICE;
        match self.count {
            0 => return Ok(()),
            1 if !is_whole => {}
            count if is_whole => write!(f, "{count}")?,
            count => write!(f, "{count} of ")?,
        }
        if !is_whole {
            write_fraction(f, self.share)?;
        }
        for (at, kind) in self.kinds.iter().enumerate() {
            write!(f, "{} {kind}", if at == 0 { "" } else { " or" })?;
        }
        f.write_str(" gpu")?;
        if self.memory_bytes > 0 {
            f.write_str(" with ")?;
            write_bytes(f, self.memory_bytes)?;
        }
        Ok(())
    }
}

/// Thousandths below a whole as a decimal: `0.5`, `0.125`.
fn write_fraction(f: &mut fmt::Formatter<'_>, thousandths: u16) -> fmt::Result {
    let (mut digits, mut width) = (thousandths, 3);
    while width > 1 && digits % 10 == 0 {
        (digits, width) = (digits / 10, width - 1);
    }
    write!(f, "0.{digits:0width$}")
}

/// Bytes in the largest binary unit that they are a whole number of: `20Gi`.
fn write_bytes(f: &mut fmt::Formatter<'_>, bytes: u64) -> fmt::Result {
    const UNITS: [(&str, u32); 4] = [("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];
    match UNITS.iter().find(|(_, shift)| bytes.is_multiple_of(1 << shift)) {
        Some((unit, shift)) => write!(f, "{}{unit}", bytes >> shift),
        None => write!(f, "{bytes} bytes"),
    }
}

/// What one worker offers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Offers {
    /// Thousandths of a CPU core.
    pub cpu_milli: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Custom amounts, sorted by name, each name once, no zero amounts.
    pub custom: Box<[(Box<str>, u64)]>,
    /// Devices, in an order that stays as long as the worker does: 64 at most.
    pub devices: Box<[Device]>,
    /// How fast it is, in thousandths of what estimates assume.
    pub speed: u32,
    /// What it is told apart by.
    pub site: Site,
}

/// The speed of a worker that is as fast as estimates assume.
pub const USUAL_SPEED: u32 = 1_000;

impl Default for Offers {
    fn default() -> Self {
        Request::default().into()
    }
}

impl From<Request> for Offers {
    /// As much as one such attempt takes, apart from devices, at the usual speed.
    fn from(Request { cpu_milli, memory_bytes, custom, .. }: Request) -> Self {
        Self {
            cpu_milli,
            memory_bytes,
            custom,
            devices: Box::default(),
            speed: USUAL_SPEED,
            site: Site::default(),
        }
    }
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

/// Devices of a node, by their places there: 64 at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceSet(pub u64);

impl DeviceSet {
    /// No device.
    pub const EMPTY: Self = Self(0);

    /// How many devices a node may have.
    pub const DEVICES_MAX: u8 = 64;

    /// One device; none where no device can be.
    #[must_use]
    pub const fn one(place: u8) -> Self {
        if place < Self::DEVICES_MAX { Self(1 << place) } else { Self::EMPTY }
    }

    /// Whether it has no device.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many devices.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether a device is among them.
    #[must_use]
    pub const fn contains(self, place: u8) -> bool {
        place < Self::DEVICES_MAX && self.0 >> place & 1 == 1
    }

    /// The places, ascending.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        let mut left = self.0;
        core::iter::from_fn(move || {
            let place = u8::try_from(left.trailing_zeros()).ok()?;
            left = left.checked_sub(1)? & left;
            Some(place)
        })
    }
}

impl FromIterator<u8> for DeviceSet {
    fn from_iter<I: IntoIterator<Item = u8>>(places: I) -> Self {
        Self(places.into_iter().fold(0, |set, place| set | Self::one(place).0))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::Vendor;

    #[test]
    fn devices_are_asked_for_in_the_words_of_a_file() {
        let asked = |count, share, memory_bytes, kinds: &[&str]| {
            let kinds = kinds.iter().map(|&kind| kind.into()).collect();
            DeviceRequest { count, share, memory_bytes, kinds }.to_string()
        };
        assert_eq!(asked(0, 0, 0, &[]), "");
        assert_eq!(asked(2, 1_000, 0, &[]), "2 gpu");
        assert_eq!(asked(1, 500, 0, &[]), "0.5 gpu");
        assert_eq!(asked(1, 5, 0, &["a100"]), "0.005 a100 gpu");
        assert_eq!(asked(2, 1_000, 20 << 30, &["a100", "h100"]), "2 a100 or h100 gpu with 20Gi");
        assert_eq!(asked(2, 250, 1_000, &[]), "2 of 0.25 gpu with 1000 bytes");
    }

    #[test]
    fn a_device_is_meant_by_its_kind_and_its_memory() {
        let device = Device {
            uuid: "GPU-1".into(),
            vendor: Vendor::Nvidia,
            kind: "nvidia-a100-sxm4-80gb".into(),
            memory_bytes: 80 << 30,
            address: None,
            numa_node: None,
            ordinal: None,
            part: None,
        };
        let kinds = |kinds: &[&str]| kinds.iter().map(|&kind| kind.into()).collect::<Box<[_]>>();
        let whole = DeviceRequest::whole(1);
        let of = |names: &[&str]| DeviceRequest { kinds: kinds(names), ..whole.clone() };
        assert!(whole.means(&device) && of(&["h100", "a100"]).means(&device));
        assert!(!of(&["h100"]).means(&device));
        let with = |memory_bytes| DeviceRequest { memory_bytes, ..whole.clone() };
        assert!(with(80 << 30).means(&device) && !with((80 << 30) + 1).means(&device));
        let unknown = Device { memory_bytes: 0, ..device };
        assert!(whole.means(&unknown) && !with(1).means(&unknown));
    }
}
