//! The devices of NVIDIA, as the library of its driver tells them (NVML).
//!
//! The library is loaded when it is first needed, and a machine without it is a machine without
//! such devices. Every call may hang, so all of this runs on the thread of a line. What the library
//! does not tell of a device is left open; what keeps a device from being bound leaves it out.

use model::device::{Part, kind};
use model::{Device, DeviceUsage, PciAddress, Vendor};
use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

use super::{Driver, Found, Note, Sources, topology, visible};

/// The driver of NVIDIA's devices.
pub(super) struct Nvidia {
    sources: Sources,
    /// The library, while it is loaded and has found its driver.
    nvml: Option<Nvml>,
}

/// A device, and the number by which CUDA may be told of it: a part has that of the whole.
pub(super) struct Counted {
    pub(super) index: u32,
    pub(super) device: Device,
}

type Library<'l> = nvml_wrapper::Device<'l>;

impl Nvidia {
    pub(super) fn new(sources: Sources) -> Self {
        Self { sources, nvml: None }
    }
}

impl Driver for Nvidia {
    fn find(&mut self) -> Found {
        // Opened anew: the driver may have been replaced since, and devices cut into other parts.
        self.nvml = None;
        match Nvml::builder().lib_path(&self.sources.nvml).init() {
            Ok(nvml) => {
                let found = list(&nvml, &self.sources);
                self.nvml = Some(nvml);
                found
            }
            Err(error) => {
                Found { devices: Vec::new(), notes: vec![why_not(&error, &self.sources)] }
            }
        }
    }

    fn usage(&mut self, device: &Device) -> DeviceUsage {
        if self.nvml.is_none() {
            self.nvml = Nvml::builder().lib_path(&self.sources.nvml).init().ok();
        }
        let Some(Ok(known)) = self.nvml.as_ref().map(|nvml| nvml.device_by_uuid(&*device.uuid))
        else {
            return DeviceUsage::default();
        };
        let percent = known.utilization_rates().ok().and_then(|rates| rates.gpu.try_into().ok());
        DeviceUsage {
            utilisation_percent: percent.filter(|percent| *percent <= 100),
            memory_used_bytes: known.memory_info().ok().map(|memory| memory.used),
        }
    }
}

/// Why there is no list at all.
fn why_not(error: &NvmlError, sources: &Sources) -> Note {
    let library = sources.nvml.display();
    match error {
        NvmlError::LibloadingError(error) => {
            let reason = format!("the library of the driver cannot be loaded: {error}");
            // In a container the kernel may have what the image has not.
            match sources.proc.join("driver/nvidia/version").exists() {
                true => Note::trouble(
                    Vendor::Nvidia,
                    format!("the kernel has the driver, but {reason}"),
                ),
                false => Note::absence(Vendor::Nvidia, reason),
            }
        }
        NvmlError::DriverNotLoaded | NvmlError::LibraryNotFound => {
            let reason = format!("{library} is there, but the kernel has not loaded the driver");
            Note::trouble(Vendor::Nvidia, reason)
        }
        error => Note::trouble(Vendor::Nvidia, format!("{library} does not begin: {error}")),
    }
}

fn list(nvml: &Nvml, sources: &Sources) -> Found {
    let count = match nvml.device_count() {
        Ok(count) => count,
        Err(error) => {
            let text = format!("the driver does not count its devices: {error}");
            return Found { devices: Vec::new(), notes: vec![Note::trouble(Vendor::Nvidia, text)] };
        }
    };
    let (mut all, mut notes) = (Vec::new(), Vec::new());
    // CUDA counts what this process may reach and nothing else.
    let mut index = 0;
    for number in 0..count {
        match nvml.device_by_index(number).and_then(|whole| read(&whole, sources, &mut notes)) {
            Ok(devices) => {
                all.extend(devices.into_iter().map(|device| Counted { index, device }));
            }
            Err(NvmlError::NoPermission) => {
                let text = format!("device {number} is not to be used by this process");
                notes.push(Note::trouble(Vendor::Nvidia, text));
                continue;
            }
            Err(error) => {
                let text = format!("device {number} cannot be used: {error}");
                notes.push(Note::trouble(Vendor::Nvidia, text));
            }
        }
        index += 1;
    }
    if count == 0 {
        notes.push(Note::absence(Vendor::Nvidia, "the driver is there and has no device"));
    }
    let devices = visible::of_nvidia(all, sources, &mut notes);
    Found { devices, notes }
}

/// A device, or the parts into which it is cut: the whole is then of no use to anybody.
fn read(
    whole: &Library<'_>,
    sources: &Sources,
    notes: &mut Vec<Note>,
) -> Result<Vec<Device>, NvmlError> {
    let uuid = whole.uuid()?;
    let address = whole.pci_info().ok().and_then(|pci| pci.bus_id.parse().ok());
    let place = (address, sources);
    // A device that cannot be cut says so by an error.
    let is_cut = whole.mig_mode().is_ok_and(|mode| mode.current == 1);
    if !is_cut {
        return Ok(vec![describe(whole, uuid.into(), place, None)]);
    }
    let mut parts = Vec::new();
    for at in 0..whole.mig_device_count()? {
        let part = match whole.mig_device_by_index(at) {
            Ok(part) => part,
            // Numbers of parts that have been taken away stay free; others are for other processes.
            Err(NvmlError::NotFound | NvmlError::InvalidArg | NvmlError::NoPermission) => continue,
            Err(error) => return Err(error),
        };
        let of = Part { parent: uuid.as_str().into(), profile: profile(&part.name()?) };
        parts.push(describe(&part, part.uuid()?.into(), place, Some(of)));
    }
    if parts.is_empty() {
        let text = format!(
            "{uuid} is in MIG mode, and has no part that this process may use: it is left out"
        );
        notes.push(Note::trouble(Vendor::Nvidia, text));
    }
    Ok(parts)
}

/// The profile at the end of a part's name: `NVIDIA A100-SXM4-80GB MIG 3g.40gb`.
fn profile(name: &str) -> Box<str> {
    name.rsplit_once("MIG ").map_or(name, |(_, profile)| profile).trim().into()
}

fn describe(
    known: &Library<'_>,
    uuid: Box<str>,
    (address, sources): (Option<PciAddress>, &Sources),
    part: Option<Part>,
) -> Device {
    Device {
        uuid,
        vendor: Vendor::Nvidia,
        kind: kind(Vendor::Nvidia, &known.name().unwrap_or_default()),
        // Devices that share the memory of the machine have none of their own to tell.
        memory_bytes: known.memory_info().map_or(0, |memory| memory.total),
        address,
        numa_node: address.and_then(|address| topology::numa_node(sources, address)),
        ordinal: None,
        part,
    }
}
