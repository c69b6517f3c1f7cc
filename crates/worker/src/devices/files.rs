//! The device files behind devices: what a container has to be given to reach them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use model::{Device, PciAddress, Vendor};

use super::Sources;
use super::topology::text;

/// The files of all of them, those that a vendor's devices share included, as far as they are
/// there.
pub(super) fn files(sources: &Sources, devices: &[&Device]) -> Vec<PathBuf> {
    let dev = &sources.dev;
    let mut files = BTreeSet::new();
    for device in devices {
        match device.vendor {
            Vendor::Nvidia => {
                files.extend(["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"].map(|n| dev.join(n)));
                let minor = device.address.and_then(|address| minor(sources, address));
                files.extend(minor.map(|minor| dev.join(format!("nvidia{minor}"))));
            }
            Vendor::Amd => {
                files.insert(dev.join("kfd"));
                let address = device.address;
                files.extend(address.into_iter().flat_map(|at| render_nodes(sources, at)));
            }
            Vendor::Other => {}
        }
    }
    files.into_iter().filter(|file| file.exists()).collect()
}

/// The number in the name of a device's file. It need not be the one by which it is counted.
fn minor(sources: &Sources, address: PciAddress) -> Option<u32> {
    let folder = sources.proc.join("driver/nvidia/gpus").join(address.to_string());
    let text = text(&folder.join("information"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Device Minor:"))?;
    line.trim().parse().ok()
}

/// The files by which programs compute on a card without showing anything.
fn render_nodes(sources: &Sources, address: PciAddress) -> Vec<PathBuf> {
    let folder = sources.sys.join("bus/pci/devices").join(address.to_string()).join("drm");
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let render = names.filter(|name| name.starts_with("renderD"));
    render.map(|name| sources.dev.join("dri").join(name)).collect()
}
