//! The devices of a node: what a GPU is called, where it sits, how busy it is.
//!
//! Words alone: nothing here looks for a device, chooses one or binds one to an attempt. That an
//! asked kind fits a device's kind is a question of words too, so that one function answers it for
//! whoever plans, checks and explains.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::limits::DEVICE_KIND_BYTES_MAX;

/// A GPU of a node, or a part of one that is handed out as if it were one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Device {
    /// What binds it: `GPU-…`, `MIG-…`, or its PCI address where its vendor gave it no id.
    pub uuid: Box<str>,
    /// Who made it, which says by which variables it is bound.
    pub vendor: Vendor,
    /// What files ask for it by: its product's name as [`kind`] writes it.
    pub kind: Box<str>,
    /// Bytes of its own memory; 0 if unknown.
    pub memory_bytes: u64,
    /// Where it sits; a part sits where the whole does.
    pub address: Option<PciAddress>,
    /// The NUMA node that it is attached to.
    pub numa_node: Option<u16>,
    /// Its number in the count of its vendor's runtime, where that is known. It binds what has no
    /// id of its own, and changes when devices come and go.
    pub ordinal: Option<u16>,
    /// Of what it is a part.
    pub part: Option<Part>,
}

impl Device {
    /// A device of which only this is known: who offers it says so, and no driver was asked.
    #[must_use]
    pub fn described(uuid: impl Into<Box<str>>, kind: impl Into<Box<str>>, memory: u64) -> Self {
        Self {
            uuid: uuid.into(),
            vendor: Vendor::Other,
            kind: kind.into(),
            memory_bytes: memory,
            address: None,
            numa_node: None,
            ordinal: None,
            part: None,
        }
    }
}

/// Who made a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vendor {
    /// Found by the library of its driver, bound by `CUDA_VISIBLE_DEVICES`.
    Nvidia,
    /// Found in `/sys`, bound by `ROCR_VISIBLE_DEVICES`.
    Amd,
    /// Anybody else: nothing is known of how it is bound.
    Other,
}

impl Vendor {
    /// The vendor's word, as it begins every kind.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nvidia => "nvidia",
            Self::Amd => "amd",
            Self::Other => "other",
        }
    }
}

/// Of what a device is a part: NVIDIA calls such parts MIG devices.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// The `uuid` of the whole, which is not handed out itself.
    pub parent: Box<str>,
    /// How much of it: `3g.40gb` is three sevenths of the cores and 40 GB of memory.
    pub profile: Box<str>,
}

/// How busy a device is, as far as its driver tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeviceUsage {
    /// Percent of the last moment, some tenths of a second, in which anything ran on it.
    pub utilisation_percent: Option<u8>,
    /// Bytes of its memory that are taken, by whomever.
    pub memory_used_bytes: Option<u64>,
}

/// Where a device sits on the PCI bus: `0000:3b:00.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    /// The domain; drivers know 32 bits, though four digits are what is shown of most.
    pub domain: u32,
    /// The bus.
    pub bus: u8,
    /// The device, at most 31.
    pub device: u8,
    /// The function, at most 7.
    pub function: u8,
}

/// A text is no PCI address such as `0000:3b:00.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PciAddressError;

impl fmt::Display for PciAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no PCI address such as 0000:3b:00.0")
    }
}

impl core::error::Error for PciAddressError {}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, device, function } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function:x}")
    }
}

impl FromStr for PciAddress {
    type Err = PciAddressError;

    /// Reads what the kernel writes (`0000:3b:00.0`) and what NVIDIA's library does
    /// (`00000000:3B:00.0`).
    fn from_str(text: &str) -> Result<Self, PciAddressError> {
        let read = || {
            let (slot, function) = text.rsplit_once('.')?;
            let (rest, device) = slot.rsplit_once(':')?;
            let (domain, bus) = rest.rsplit_once(':')?;
            Some(Self {
                domain: hex(domain, 4..=8, u32::MAX)?,
                bus: u8::try_from(hex(bus, 2..=2, 0xff)?).ok()?,
                device: u8::try_from(hex(device, 2..=2, 31)?).ok()?,
                function: u8::try_from(hex(function, 1..=1, 7)?).ok()?,
            })
        };
        read().ok_or(PciAddressError)
    }
}

/// A number of so many hexadecimal digits, no larger than `max`.
fn hex(text: &str, digits: core::ops::RangeInclusive<usize>, max: u32) -> Option<u32> {
    // `from_str_radix` would take a sign.
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u32::from_str_radix(text, 16).ok().filter(|_| is_hex)?;
    (digits.contains(&text.len()) && number <= max).then_some(number)
}

/// The word that stands in the kind of a part before its profile.
const PART_MARK: &str = "mig";

/// The kind of a product: its name in small letters, a dash for all that is no letter, digit, dot
/// or plus, and its vendor before it. `NVIDIA A100-SXM4-80GB` is `nvidia-a100-sxm4-80gb`, and a
/// part of it is `nvidia-a100-sxm4-80gb-mig-3g.40gb`. No more than [`DEVICE_KIND_BYTES_MAX`] bytes.
#[must_use]
pub fn kind(vendor: Vendor, product: &str) -> Box<str> {
    let mut slug = vendor.as_str().to_owned();
    let is_sign = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '+');
    let words = product.split(|sign| !is_sign(sign)).filter(|word| !word.is_empty());
    for word in words {
        let word = word.to_ascii_lowercase();
        if word != vendor.as_str() {
            push(&mut slug, &word);
        }
    }
    slug.truncate(DEVICE_KIND_BYTES_MAX);
    slug.trim_end_matches('-').into()
}

fn push(slug: &mut String, word: &str) {
    slug.push('-');
    slug.push_str(word);
}

/// Whether a device of kind `kind` is what a file that asks for `asked` means: all of the kind, or
/// one of its words, as `a100` is one of `nvidia-a100-sxm4-80gb`. Large and small letters are the
/// same.
///
/// A part is not the whole: of the kind of a part only the words from `mig` on count, so that
/// `a100` gets no seventh of one, and `mig` or `3g.40gb` gets a part of anything.
#[must_use]
pub fn is_of_kind(asked: &str, kind: &str) -> bool {
    if asked.eq_ignore_ascii_case(kind) {
        return true;
    }
    let words = || kind.split('-');
    let first = words().position(|word| word == PART_MARK).unwrap_or(0);
    words().skip(first).any(|word| !word.is_empty() && word.eq_ignore_ascii_case(asked))
}

/// How many of each kind some devices are, in their order: `2 nvidia-a100-sxm4-80gb gpu, 1 gpu`;
/// `no gpu` for none.
#[must_use]
pub fn of_each_kind<'d>(devices: impl Iterator<Item = &'d Device>) -> String {
    let mut counts: Vec<(&str, u32)> = Vec::new();
    for device in devices {
        match counts.iter_mut().find(|(kind, _)| *kind == &*device.kind) {
            Some((_, count)) => *count += 1,
            None => counts.push((&device.kind, 1)),
        }
    }
    let mut text = String::new();
    for (kind, count) in &counts {
        let comma = if text.is_empty() { "" } else { ", " };
        let shown = match *kind {
            // Nothing is known of it.
            "gpu" => format!("{comma}{count} gpu"),
            kind => format!("{comma}{count} {kind} gpu"),
        };
        text.push_str(&shown);
    }
    if text.is_empty() { "no gpu".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn products_have_kinds_that_ask_for_devices() {
        let cases = [
            (Vendor::Nvidia, "NVIDIA A100-SXM4-80GB", "nvidia-a100-sxm4-80gb"),
            (Vendor::Nvidia, "Tesla V100-SXM2-16GB", "nvidia-tesla-v100-sxm2-16gb"),
            (Vendor::Nvidia, "NVIDIA GeForce RTX 4090", "nvidia-geforce-rtx-4090"),
            (
                Vendor::Nvidia,
                "NVIDIA A100-SXM4-80GB MIG 3g.40gb",
                "nvidia-a100-sxm4-80gb-mig-3g.40gb",
            ),
            (
                Vendor::Nvidia,
                "NVIDIA H100 80GB HBM3 MIG 1g.10gb+me",
                "nvidia-h100-80gb-hbm3-mig-1g.10gb+me",
            ),
            (Vendor::Amd, "AMD INSTINCT MI250 (MCM) OAM", "amd-instinct-mi250-mcm-oam"),
            (Vendor::Amd, "Radeon\u{2122} Pro W7900/W7800\n", "amd-radeon-pro-w7900-w7800"),
            (Vendor::Other, "", "other"),
        ];
        for (vendor, product, slug) in cases {
            assert_eq!(&*kind(vendor, product), slug);
        }
        let long = kind(Vendor::Nvidia, &"x".repeat(500));
        assert_eq!(long.len(), DEVICE_KIND_BYTES_MAX);
        let cut = kind(Vendor::Amd, &format!("{} z", "y".repeat(DEVICE_KIND_BYTES_MAX - 5)));
        assert!(!cut.ends_with('-'), "{cut}");
    }

    #[test]
    fn a_word_or_the_whole_kind_asks_for_devices() {
        let whole = "nvidia-a100-sxm4-80gb";
        for asked in ["a100", "A100", "80gb", "nvidia", whole, "NVIDIA-A100-SXM4-80GB"] {
            assert!(is_of_kind(asked, whole), "{asked}");
        }
        for asked in ["", "-", "a10", "100", "h100", "nvidia-a100", "a100-sxm4", "a100-sxm4-80gb"] {
            assert!(!is_of_kind(asked, whole), "{asked}");
        }
        // The shorter name is another product.
        assert!(!is_of_kind("nvidia-geforce-rtx-4090", "nvidia-geforce-rtx-4090-laptop-gpu"));
        assert!(!is_of_kind("", "nvidia--x"));
    }

    #[test]
    fn parts_of_devices_are_asked_for_as_parts() {
        let part = "nvidia-a100-sxm4-80gb-mig-3g.40gb";
        for asked in ["mig", "3g.40gb", "3G.40GB", part] {
            assert!(is_of_kind(asked, part), "{asked}");
        }
        for asked in ["a100", "nvidia", "80gb", "1g.10gb", "3g", "nvidia-a100-sxm4-80gb"] {
            assert!(!is_of_kind(asked, part), "{asked}");
        }
        assert!(!is_of_kind("mig", "nvidia-a100-sxm4-80gb"));
    }

    #[test]
    fn addresses_of_devices_are_read_and_written() {
        let at = |text: &str| text.parse::<PciAddress>();
        let address = PciAddress { domain: 0, bus: 0x3b, device: 0x1f, function: 7 };
        assert_eq!(at("0000:3b:1f.7"), Ok(address));
        assert_eq!(at("00000000:3B:1F.7"), Ok(address));
        assert_eq!(address.to_string(), "0000:3b:1f.7");
        let far = PciAddress { domain: 0x1_0000, bus: 0, device: 0, function: 0 };
        assert_eq!((at("10000:00:00.0"), far.to_string().as_str()), (Ok(far), "10000:00:00.0"));
        let bad = [
            "",
            "3b:00.0",
            "0000:3b:00",
            "0000:3b:20.0",
            "0000:3b:00.8",
            "0000:3b:00.00",
            "000000000:3b:00.0",
            "000:3b:00.0",
            "0000:3b0:00.0",
            "0000:3g:00.0",
            "0000:+b:00.0",
            "0000:3b:00.0 ",
            "00:00:3b:00.0",
        ];
        for text in bad {
            assert_eq!(at(text), Err(PciAddressError), "{text}");
        }
        let smaller = |left: &str, right: &str| at(left).expect(left) < at(right).expect(right);
        assert!(smaller("0000:ff:1f.7", "0001:00:00.0") && smaller("0000:3b:00.1", "0000:3b:01.0"));
    }
}
