//! The GPUs of this machine, and what there is to say of them.

use model::DeviceUsage;
use serde::Serialize;

use super::gc::size;
use crate::style::Tone;
use crate::table::{Cell, Table, printable};

/// What is printed for programs.
#[derive(Debug, Serialize)]
pub(crate) struct DeviceList {
    pub devices: Vec<Device>,
    pub notes: Vec<Note>,
}

/// A device and how busy it is. What its driver does not tell is `null`.
#[derive(Debug, Serialize)]
pub(crate) struct Device {
    /// Its place in this list, which is the same at each start while the machine is the same.
    pub index: usize,
    pub uuid: String,
    pub vendor: &'static str,
    pub kind: String,
    pub memory_bytes: Option<u64>,
    pub memory_used_bytes: Option<u64>,
    pub utilisation_percent: Option<u8>,
    pub numa_node: Option<u16>,
    pub address: Option<String>,
    pub part: Option<Part>,
}

/// Of what a device is a part.
#[derive(Debug, Serialize)]
pub(crate) struct Part {
    pub parent: String,
    pub profile: String,
}

/// Something to say of a vendor's devices.
#[derive(Debug, Serialize)]
pub(crate) struct Note {
    pub vendor: &'static str,
    pub text: String,
    /// Whether it says only that there is nothing of this vendor.
    pub is_absence: bool,
}

impl Device {
    pub(crate) fn new(index: usize, device: &model::Device, usage: DeviceUsage) -> Self {
        let part = device.part.as_ref();
        Self {
            index,
            uuid: device.uuid.to_string(),
            vendor: device.vendor.as_str(),
            kind: device.kind.to_string(),
            memory_bytes: Some(device.memory_bytes).filter(|bytes| *bytes > 0),
            memory_used_bytes: usage.memory_used_bytes,
            utilisation_percent: usage.utilisation_percent,
            numa_node: device.numa_node,
            address: device.address.map(|address| address.to_string()),
            part: part.map(|part| Part {
                parent: part.parent.to_string(),
                profile: part.profile.to_string(),
            }),
        }
    }
}

impl From<worker::devices::Note> for Note {
    fn from(note: worker::devices::Note) -> Self {
        let worker::devices::Note { vendor, text, is_absence } = note;
        Self { vendor: vendor.as_str(), text, is_absence }
    }
}

/// The devices as a table; `wide` adds where they sit.
pub(crate) fn render(devices: &[Device], wide: bool, tone: Tone) -> String {
    let mut heads = vec![">INDEX", "KIND", ">MEMORY", ">USED", ">BUSY", ">NUMA", "UUID", "PART OF"];
    if wide {
        heads.push("ADDRESS");
    }
    let mut table = Table::new(&heads);
    let or_none = |text: Option<String>| Cell::from(text.unwrap_or_else(|| "-".to_owned()));
    for device in devices {
        let mut cells = vec![
            Cell::from(device.index.to_string()),
            Cell::from(&device.kind),
            or_none(device.memory_bytes.map(size)),
            or_none(device.memory_used_bytes.map(size)),
            or_none(device.utilisation_percent.map(|percent| format!("{percent}%"))),
            or_none(device.numa_node.map(|node| node.to_string())),
            Cell::from(&device.uuid),
            or_none(device.part.as_ref().map(|part| part.parent.clone())),
        ];
        if wide {
            cells.push(or_none(device.address.clone()));
        }
        table.row(cells);
    }
    table.render(tone)
}

/// What is said beside the table: what cannot be used or is hidden, and where there is no device,
/// or all is to be told, what was looked for and not found.
pub(crate) fn said(list: &DeviceList, wide: bool) -> String {
    let is_empty = list.devices.is_empty();
    let mut lines = Vec::new();
    if is_empty {
        lines.push("There is no GPU here that this process may use.".to_owned());
    }
    let notes = list.notes.iter().filter(|note| is_empty || wide || !note.is_absence);
    lines.extend(notes.map(|note| {
        let vendor = note.vendor.to_uppercase();
        format!("{vendor}: {}.", printable(&note.text))
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use model::Vendor;

    use super::*;

    fn devices() -> Vec<Device> {
        let whole = model::Device {
            uuid: "GPU-8932f937".into(),
            vendor: Vendor::Nvidia,
            kind: "nvidia-h100-80gb-hbm3".into(),
            memory_bytes: 80 << 30,
            address: "0000:3b:00.0".parse().ok(),
            numa_node: Some(1),
            ordinal: None,
            part: None,
        };
        let part = model::device::Part { parent: "GPU-5f1e".into(), profile: "3g.40gb".into() };
        let part = model::Device {
            uuid: "MIG-b2".into(),
            kind: "nvidia-a100-mig-3g.40gb".into(),
            memory_bytes: 40 << 30,
            part: Some(part),
            ..whole.clone()
        };
        let unknown = model::Device {
            uuid: "0000:c3:00.0".into(),
            vendor: Vendor::Amd,
            kind: "amd-74a1".into(),
            memory_bytes: 0,
            address: None,
            numa_node: None,
            ..whole.clone()
        };
        let usage =
            DeviceUsage { utilisation_percent: Some(97), memory_used_bytes: Some(61 << 30) };
        let taken = DeviceUsage { utilisation_percent: None, memory_used_bytes: Some(5 << 30) };
        let all = [(whole, usage), (part, taken), (unknown, DeviceUsage::default())];
        all.iter().enumerate().map(|(at, (one, usage))| Device::new(at, one, *usage)).collect()
    }

    #[test]
    fn devices_are_a_table() {
        insta::assert_snapshot!(render(&devices(), false, Tone::PLAIN), @r"
        INDEX  KIND                       MEMORY      USED  BUSY  NUMA  UUID          PART OF
            0  nvidia-h100-80gb-hbm3    80.0 GiB  61.0 GiB   97%     1  GPU-8932f937  -
            1  nvidia-a100-mig-3g.40gb  40.0 GiB   5.0 GiB     -     1  MIG-b2        GPU-5f1e
            2  amd-74a1                        -         -     -     -  0000:c3:00.0  -
        ");
        let wide = render(&devices(), true, Tone::PLAIN);
        let row = wide.lines().nth(1).expect("there is a device");
        assert!(row.ends_with(" 0000:3b:00.0"), "{row}");
    }

    #[test]
    fn programs_are_told_the_same() {
        let devices = serde_json::to_value(devices()).expect("JSON");
        assert_eq!(devices[0]["memory_used_bytes"], 61_u64 << 30);
        assert_eq!(devices[1]["part"]["profile"], "3g.40gb");
        assert_eq!(devices[2]["memory_bytes"], serde_json::Value::Null, "unknown is not none");
    }

    #[test]
    fn where_nothing_is_found_it_is_said_why() {
        let note = |vendor: Vendor, text: &str, is_absence| Note {
            vendor: vendor.as_str(),
            text: text.to_owned(),
            is_absence,
        };
        let notes = || {
            vec![note(Vendor::Nvidia, "no library", true), note(Vendor::Amd, "no\u{7}kfd", false)]
        };
        let nothing = DeviceList { devices: Vec::new(), notes: notes() };
        insta::assert_snapshot!(said(&nothing, false), @r"
        There is no GPU here that this process may use.
        NVIDIA: no library.
        AMD: no�kfd.
        ");
        let some = DeviceList { devices: devices(), notes: notes() };
        assert_eq!(said(&some, false), "AMD: no\u{fffd}kfd.", "the rest is as it should be");
        assert_eq!(said(&some, true).lines().count(), 2);
    }
}
