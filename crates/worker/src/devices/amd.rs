//! The devices of AMD, as the kernel's driver tells them in `/sys/class/drm`.
//!
//! No library is needed for that. A file that is not there leaves open what it would say; only a
//! device that nothing could bind is left out.

use std::fs;
use std::path::{Path, PathBuf};

use model::device::kind;
use model::{Device, DeviceUsage, PciAddress, Vendor};

use super::topology::{rocm_ordinals, text};
use super::{Driver, Found, Note, Sources, visible};

/// AMD on the PCI bus.
const VENDOR_ID: &str = "0x1002";

/// The driver of AMD's devices.
pub(super) struct Amd {
    sources: Sources,
}

impl Amd {
    pub(super) fn new(sources: Sources) -> Self {
        Self { sources }
    }
}

impl Driver for Amd {
    fn find(&mut self) -> Found {
        let cards = cards(&self.sources);
        if cards.is_empty() {
            let folder = self.sources.sys.join("class/drm");
            let text = format!("no card in {} is of this vendor", folder.display());
            return Found { devices: Vec::new(), notes: vec![Note::absence(Vendor::Amd, text)] };
        }
        let mut notes = Vec::new();
        let ordinals = rocm_ordinals(&self.sources);
        if !self.sources.dev.join("kfd").exists() {
            let kfd = self.sources.dev.join("kfd");
            let text = format!("{} is not there: programs of ROCm find no device", kfd.display());
            notes.push(Note::trouble(Vendor::Amd, text));
        }
        let mut devices = Vec::new();
        for (address, folder) in cards {
            let ordinal = ordinals.get(&address).copied();
            let uuid = unique_id(&folder).or_else(|| ordinal.map(|_| address.to_string()));
            match uuid {
                Some(uuid) => devices.push(describe(&folder, address, (uuid, ordinal))),
                None => {
                    let text = format!(
                        "the device at {address} has neither an id nor a number in ROCm: nothing \
                         binds it, so it is left out"
                    );
                    notes.push(Note::trouble(Vendor::Amd, text));
                }
            }
        }
        let devices = visible::of_amd(devices, &self.sources, &mut notes);
        Found { devices, notes }
    }

    fn usage(&mut self, device: &Device) -> DeviceUsage {
        let cards = cards(&self.sources);
        let here = cards.iter().find(|(address, _)| Some(*address) == device.address);
        let Some((_, folder)) = here else { return DeviceUsage::default() };
        DeviceUsage {
            utilisation_percent: number(folder, "gpu_busy_percent")
                .and_then(|percent| u8::try_from(percent).ok())
                .filter(|percent| *percent <= 100),
            memory_used_bytes: number(folder, "mem_info_vram_used"),
        }
    }
}

/// The cards of this vendor: where they sit, and the folders that tell of them. Outputs of a card,
/// such as `card0-DP-1`, stand beside it and are none.
fn cards(sources: &Sources) -> Vec<(PciAddress, PathBuf)> {
    let entries = fs::read_dir(sources.sys.join("class/drm")).into_iter().flatten().flatten();
    let is_card = |name: &str| {
        let number = name.strip_prefix("card");
        number.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let cards = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_card));
    let folders = cards.map(|card| card.path().join("device"));
    let of_vendor =
        folders.filter(|folder| text(&folder.join("vendor")).as_deref() == Some(VENDOR_ID));
    of_vendor.filter_map(|folder| Some((address(&folder)?, folder))).collect()
}

fn address(folder: &Path) -> Option<PciAddress> {
    let events = text(&folder.join("uevent"))?;
    events.lines().find_map(|line| line.strip_prefix("PCI_SLOT_NAME="))?.trim().parse().ok()
}

fn number(folder: &Path, name: &str) -> Option<u64> {
    text(&folder.join(name))?.parse().ok()
}

/// The id by which ROCm knows a device: sixteen hexadecimal digits behind `GPU-`. Small devices
/// have none, or zero.
fn unique_id(folder: &Path) -> Option<String> {
    let text = text(&folder.join("unique_id"))?;
    let id = u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()?;
    (id != 0).then(|| format!("GPU-{id:016x}"))
}

fn describe(folder: &Path, address: PciAddress, (uuid, ordinal): (String, Option<u16>)) -> Device {
    // Only cards for servers tell what they are called; the others have a number of their chip.
    let chip = || text(&folder.join("device")).map(|id| id.trim_start_matches("0x").to_owned());
    let product = text(&folder.join("product_name")).or_else(chip).unwrap_or_default();
    Device {
        uuid: uuid.into(),
        vendor: Vendor::Amd,
        kind: kind(Vendor::Amd, &product),
        memory_bytes: number(folder, "mem_info_vram_total").unwrap_or(0),
        address: Some(address),
        numa_node: number(folder, "numa_node").and_then(|node| u16::try_from(node).ok()),
        ordinal,
        part: None,
    }
}
