//! The GPUs of this machine: which there are, how busy they are, and what binds an attempt to some.
//!
//! ```text
//!   find, usage ─▶ a line for each vendor ─▶ NVIDIA: the library of the driver
//!                  (a thread of its own)  ─▶ AMD: /sys
//! ```
//!
//! A driver that hangs takes a thread along and nothing else: whoever asks waits ten seconds at
//! most, and gets the answer of the others. It is never said that there is nothing without saying
//! why. Nothing here chooses a device for an attempt, and nothing changes one.

mod amd;
mod binding;
mod files;
mod line;
mod nvidia;
mod topology;
mod visible;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use model::limits::DEVICES_PER_NODE_MAX;
use model::{Device, DeviceUsage, Vendor};

use line::Line;

pub use binding::{Share, binding};

/// How long a driver may take to answer. One that is asleep needs seconds for each of its devices.
const PATIENCE: Duration = Duration::from_secs(10);

/// The GPUs that this process may use, and what there is to say of them. Waits for ten seconds at
/// most, which is too long for a loop: call it from a thread, or before the loop begins.
#[must_use]
pub fn find() -> Found {
    Devices::of_this_machine().find()
}

/// Where devices are looked for.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The library of NVIDIA's driver: its name, or a path to it.
    pub nvml: OsString,
    /// Where `/sys` is mounted.
    pub sys: PathBuf,
    /// Where `/proc` is mounted.
    pub proc: PathBuf,
    /// Where device files are.
    pub dev: PathBuf,
    /// The variables of this process. Those that hide devices are kept to.
    pub variables: Vec<(String, String)>,
}

impl Sources {
    /// This machine, seen from this process.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            nvml: "libnvidia-ml.so.1".into(),
            sys: "/sys".into(),
            proc: "/proc".into(),
            dev: "/dev".into(),
            variables: std::env::vars_os().filter_map(text).collect(),
        }
    }

    /// The value of a variable. An empty one is not the same as none.
    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// In a stable order: by where they sit, then by the driver's order of parts. At most
    /// [`DEVICES_PER_NODE_MAX`].
    pub devices: Vec<Device>,
    /// What there is to say: what is not there, what cannot be used, what is hidden.
    pub notes: Vec<Note>,
}

/// Something to say of the devices of a vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Whose.
    pub vendor: Vendor,
    /// A sentence, for people.
    pub text: String,
    /// Whether it says only that there is nothing of this vendor, which is as it should be on most
    /// machines.
    pub is_absence: bool,
}

impl Note {
    fn absence(vendor: Vendor, text: impl Into<String>) -> Self {
        Self { vendor, text: text.into(), is_absence: true }
    }

    fn trouble(vendor: Vendor, text: impl Into<String>) -> Self {
        Self { vendor, text: text.into(), is_absence: false }
    }
}

/// The way to the drivers. It keeps the library of NVIDIA's driver open, so that a device need not
/// be woken for each question; dropping it closes that.
#[derive(Debug)]
pub struct Devices {
    sources: Sources,
    patience: Duration,
    nvidia: Line,
    amd: Line,
}

/// What a driver is asked, on its own thread.
trait Driver {
    /// Which devices there are. What they are ordered by is the caller's to say.
    fn find(&mut self) -> Found;
    /// How busy one of them is.
    fn usage(&mut self, device: &Device) -> DeviceUsage;
}

impl Devices {
    /// Those of this machine.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::new(Sources::of_this_machine(), PATIENCE)
    }

    /// Those that are found elsewhere, by drivers that may take as long as that to answer.
    #[must_use]
    pub fn new(sources: Sources, patience: Duration) -> Self {
        let (of_nvidia, of_amd) = (sources.clone(), sources.clone());
        Self {
            sources,
            patience,
            nvidia: Line::new("nvidia", move || Box::new(nvidia::Nvidia::new(of_nvidia))),
            amd: Line::new("amd", move || Box::new(amd::Amd::new(of_amd))),
        }
    }

    /// Which there are. Drivers are asked anew, all at the same time.
    pub fn find(&mut self) -> Found {
        let deadline = Instant::now() + self.patience;
        let asked = [(Vendor::Nvidia, self.nvidia.find()), (Vendor::Amd, self.amd.find())];
        let mut found = Found::default();
        for (vendor, answer) in asked {
            match answer.and_then(|answer| answer.wait(deadline)) {
                Some(Found { devices, notes }) => {
                    found.devices.extend(devices);
                    found.notes.extend(notes);
                }
                None => {
                    let text = format!(
                        "the driver has not answered for {} s; its devices are left out",
                        self.patience.as_secs_f32(),
                    );
                    found.notes.push(Note::trouble(vendor, text));
                }
            }
        }
        in_order(found)
    }

    /// How busy a device is. What cannot be told is `None`, and so is all of it when the driver
    /// does not answer in time.
    pub fn usage(&mut self, device: &Device) -> DeviceUsage {
        let deadline = Instant::now() + self.patience;
        let answer = match device.vendor {
            Vendor::Nvidia => self.nvidia.usage(device),
            Vendor::Amd => self.amd.usage(device),
            Vendor::Other => None,
        };
        answer.and_then(|answer| answer.wait(deadline)).unwrap_or_default()
    }

    /// The files that give access to devices, for those that see only the files they are given:
    /// containers. In a stable order, none twice. Reads `/sys` and `/proc`, and asks no driver.
    ///
    /// A part of a device needs a file of its own beside these, `/dev/nvidia-caps/…`, whose number
    /// is not to be had from here: parts are given to containers by their ids, as the vendor's
    /// own tools do.
    #[must_use]
    pub fn files(&self, devices: &[&Device]) -> Vec<PathBuf> {
        files::files(&self.sources, devices)
    }
}

/// In the order that does not change from one start to the next, and no more than a node has.
fn in_order(mut found: Found) -> Found {
    // Stable: parts of a device stay in the order in which its driver counts them.
    found.devices.sort_by_key(|device| (device.address.is_none(), device.address));
    let count = found.devices.len();
    if let Some(first) = found.devices.get(DEVICES_PER_NODE_MAX) {
        let (vendor, left_out) = (first.vendor, count - DEVICES_PER_NODE_MAX);
        let text = format!(
            "{left_out} of {count} devices are left out: a node has at most {DEVICES_PER_NODE_MAX}"
        );
        found.notes.push(Note::trouble(vendor, text));
        found.devices.truncate(DEVICES_PER_NODE_MAX);
    }
    found
}
