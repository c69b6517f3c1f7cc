//! Where devices sit, as the kernel tells in `/sys`: NUMA nodes, and in what order ROCm counts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use model::PciAddress;

use super::Sources;

/// The text of a small file, without what surrounds it. One that is not there, cannot be read or
/// is empty says nothing.
pub(super) fn text(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The NUMA node of what sits there. The kernel says -1 where there is only one.
pub(super) fn numa_node(sources: &Sources, address: PciAddress) -> Option<u16> {
    let folder = sources.sys.join("bus/pci/devices").join(address.to_string());
    text(&folder.join("numa_node"))?.parse().ok()
}

/// The numbers by which ROCm counts devices: the order of the kernel's compute nodes, those that
/// are no GPU and those that this process may not see left out. The runtime does the same:
/// `hsaKmtGetNodeProperties` and `RvdFilter` in ROCR-Runtime.
pub(super) fn rocm_ordinals(sources: &Sources) -> BTreeMap<PciAddress, u16> {
    let Ok(entries) = fs::read_dir(sources.sys.join("class/kfd/kfd/topology/nodes")) else {
        return BTreeMap::new();
    };
    let number = |name: &str| name.parse::<u32>().ok();
    let entries = entries.flatten();
    let nodes: BTreeMap<u32, _> = entries
        .filter_map(|entry| Some((number(entry.file_name().to_str()?)?, entry.path())))
        .collect();
    let gpus = nodes.values().filter_map(|node| gpu(&node.join("properties")));
    let mut ordinals = BTreeMap::new();
    for (address, ordinal) in gpus.zip(0..) {
        // A device that is cut into partitions has several numbers: the first is that of the whole.
        ordinals.entry(address).or_insert(ordinal);
    }
    ordinals
}

/// Where the GPU of a compute node sits; `None` for a CPU.
fn gpu(properties: &Path) -> Option<PciAddress> {
    let text = text(properties)?;
    let value = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        value.trim().parse::<u32>().ok()
    };
    value("simd_count").filter(|count| *count > 0)?;
    // Bus, device and function, as the PCI bus writes them into one number.
    let [_, _, bus, place] = value("location_id")?.to_be_bytes();
    let domain = value("domain").unwrap_or(0);
    Some(PciAddress { domain, bus, device: place >> 3, function: place & 7 })
}
