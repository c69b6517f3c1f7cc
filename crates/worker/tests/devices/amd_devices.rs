//! Devices of AMD, in trees that play `/sys`.

use model::{Device, DeviceUsage, PciAddress, Vendor};
use worker::devices::{Devices, Share, binding};

use crate::fake::{Machine, PATIENCE, ids, notes};

/// A card of a server: it has an id and a name.
fn server_card(machine: &Machine, name: &str, slot: &str, id: &str) {
    let file = |file: &str, text: &str| {
        machine.write(&format!("sys/class/drm/{name}/device/{file}"), text);
    };
    file("vendor", "0x1002\n");
    file("device", "0x74a1\n");
    file("uevent", &format!("DRIVER=amdgpu\nPCI_SLOT_NAME=0000:{slot}\nMODALIAS=x\n"));
    file("unique_id", &format!("{id}\n"));
    file("product_name", "AMD Instinct MI300X OAM\n");
    file("mem_info_vram_total", "206141652992\n");
    file("mem_info_vram_used", "299892736\n");
    file("gpu_busy_percent", "17\n");
    file("numa_node", "1\n");
}

/// A compute node of the kernel.
fn compute_node(machine: &Machine, number: u32, simd_count: u32, location: u32) {
    let text =
        format!("cpu_cores_count 0\nsimd_count {simd_count}\nlocation_id {location}\ndomain 0\n");
    machine.write(&format!("sys/class/kfd/kfd/topology/nodes/{number}/properties"), &text);
}

/// Two cards of a server and a small one without an id. ROCm counts them against the order of the
/// bus, behind two CPUs.
fn three_cards() -> Machine {
    let machine = Machine::new();
    machine.write("dev/kfd", "");
    server_card(&machine, "card0", "83:00.0", "00000000deadbeef");
    server_card(&machine, "card1", "03:00.0", "0234567890abcdef");
    server_card(&machine, "card10", "c3:02.1", "0");
    machine.write("sys/class/drm/card10/device/product_name", "\n");
    machine.write("sys/class/drm/card10/device/numa_node", "-1\n");
    // What stands beside the cards and is none.
    server_card(&machine, "card0-DP-1", "83:00.0", "a");
    server_card(&machine, "renderD128", "83:00.0", "b");
    server_card(&machine, "card2", "84:00.0", "c");
    machine.write("sys/class/drm/card2/device/vendor", "0x10de\n");
    compute_node(&machine, 0, 0, 0);
    compute_node(&machine, 1, 0, 0);
    compute_node(&machine, 2, 304, 0x8300);
    compute_node(&machine, 3, 304, 0x0300);
    compute_node(&machine, 10, 8, 0xc311);
    machine
}

#[test]
fn a_machine_without_devices_of_amd_says_where_it_looked() {
    let machine = Machine::new();
    let text = notes(&machine.find());
    assert!(text.contains("\namd: no card in "), "{text}");
    assert!(text.contains("/sys/class/drm is of this vendor"), "{text}");
}

#[test]
fn devices_of_amd_are_told_in_the_order_of_the_bus() {
    let found = three_cards().find();
    let at = |bus| Some(PciAddress { domain: 0, bus, device: 0, function: 0 });
    let first = Device {
        uuid: "GPU-0234567890abcdef".into(),
        vendor: Vendor::Amd,
        kind: "amd-instinct-mi300x-oam".into(),
        memory_bytes: 206_141_652_992,
        address: at(0x03),
        numa_node: Some(1),
        ordinal: Some(1),
        part: None,
    };
    let second = Device {
        uuid: "GPU-00000000deadbeef".into(),
        address: at(0x83),
        ordinal: Some(0),
        ..first.clone()
    };
    let third = Device {
        uuid: "0000:c3:02.1".into(),
        kind: "amd-74a1".into(),
        address: Some(PciAddress { domain: 0, bus: 0xc3, device: 2, function: 1 }),
        numa_node: None,
        ordinal: Some(2),
        ..first.clone()
    };
    assert_eq!(found.devices, [first, second, third]);
    assert_eq!(found.notes.len(), 1, "that NVIDIA has nothing here: {}", notes(&found));
}

#[test]
fn devices_of_amd_that_nothing_binds_are_left_out_and_said() {
    let machine = Machine::new();
    server_card(&machine, "card0", "03:00.0", "0");
    server_card(&machine, "card1", "83:00.0", "ab");
    let found = machine.find();
    assert_eq!(ids(&found.devices), ["GPU-00000000"]);
    let text = notes(&found);
    assert!(text.contains("kfd is not there: programs of ROCm find no device"), "{text}");
    assert!(text.contains("!amd: the device at 0000:03:00.0 has neither an id nor"), "{text}");
}

#[test]
fn devices_of_amd_say_how_busy_they_are() {
    let machine = three_cards();
    let mut devices = machine.devices();
    let found = devices.find().devices;
    let usage = DeviceUsage { utilisation_percent: Some(17), memory_used_bytes: Some(299_892_736) };
    assert_eq!(devices.usage(&found[0]), usage);
    machine.write("sys/class/drm/card1/device/gpu_busy_percent", "101\n");
    machine.write("sys/class/drm/card1/device/mem_info_vram_used", "much\n");
    assert_eq!(devices.usage(&found[0]), DeviceUsage::default());
    let gone = Device { address: None, ..found[0].clone() };
    assert_eq!(devices.usage(&gone), DeviceUsage::default());
}

#[test]
fn devices_of_amd_that_are_hidden_from_this_process_are_not_told() {
    let (first, second, third) = ("GPU-02345678", "GPU-00000000", "0000:c3:02.1");
    // What ROCR, HIP and CUDA are told, and what is left.
    type Case = (Option<&'static str>, Option<&'static str>, Option<&'static str>);
    let cases: &[(Case, &[&str])] = &[
        ((Some(""), None, None), &[]),
        ((Some("0"), None, None), &[second]),
        ((Some("2,1"), None, None), &[first, third]),
        ((Some("1,1,0"), None, None), &[first]),
        ((Some("1,9,0"), None, None), &[first]),
        ((Some("gpu-0234,0"), None, None), &[first, second]),
        ((Some("GPU-"), None, None), &[]),
        // Two begin so.
        ((Some("GPU-0"), None, None), &[]),
        ((None, Some("-1"), None), &[]),
        ((None, Some("0,2"), None), &[second, third]),
        ((None, Some("GPU-0234567890abcdef"), None), &[first]),
        ((None, Some(""), None), &[first, second, third]),
        ((None, Some(""), Some("1")), &[first]),
        ((None, None, Some("")), &[first, second, third]),
        ((None, Some("0"), Some("1")), &[second]),
        // The second counts what the first has left.
        ((Some("2,1"), Some("0"), None), &[third]),
        ((Some("2,1"), Some("2"), None), &[]),
        ((Some("2"), Some("GPU-0234567890abcdef"), None), &[]),
    ];
    let machine = three_cards();
    let names = ["ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"];
    for (case, expected) in cases {
        let mut sources = machine.sources.clone();
        let values = names.into_iter().zip([case.0, case.1, case.2]);
        let set = values.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        sources.variables = set.collect();
        let found = Devices::new(sources, PATIENCE).find();
        assert_eq!(ids(&found.devices), *expected, "{case:?}");
        let is_said = notes(&found).contains("devices hidden by ");
        assert_eq!(is_said, expected.len() < 3, "{case:?}: {}", notes(&found));
    }
}

#[test]
fn a_worker_within_an_attempt_sees_the_devices_of_amd_of_the_attempt() {
    let machine = three_cards();
    let found = machine.find().devices;
    for chosen in [&found[..0], &found[..1], &found[1..], &found[2..], &found[..]] {
        let devices: Vec<&Device> = chosen.iter().collect();
        let mut sources = machine.sources.clone();
        let variables = binding(&devices, Share::WHOLE).into_iter();
        sources.variables = variables.map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(Devices::new(sources, PATIENCE).find().devices, chosen);
    }
}

#[test]
fn devices_of_amd_have_files_for_containers() {
    let machine = three_cards();
    machine.write("sys/bus/pci/devices/0000:03:00.0/drm/renderD129/dev", "226:129\n");
    machine.write("sys/bus/pci/devices/0000:03:00.0/drm/card1/dev", "226:1\n");
    machine.write("dev/dri/renderD129", "");
    machine.write("dev/dri/renderD128", "");
    machine.write("dev/dri/card1", "");
    let found = machine.find().devices;
    let files = machine.devices().files(&[&found[0]]);
    assert_eq!(files, ["dev/dri/renderD129", "dev/kfd"].map(|file| machine.at(file)));
}
