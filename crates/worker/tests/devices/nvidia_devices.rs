//! Devices of NVIDIA, by a library that plays their driver's.

use std::fs;
use std::time::{Duration, Instant};

use model::device::Part;
use model::{Device, DeviceUsage, PciAddress, Vendor};
use worker::devices::{Devices, Share, binding};

use crate::fake::{Machine, PATIENCE, ids, notes};

#[test]
fn no_library_is_no_error_and_is_said() {
    let machine = Machine::new();
    let found = machine.find();
    assert_eq!(found.devices, []);
    let text = notes(&found);
    assert!(text.starts_with("nvidia: the library of the driver cannot be loaded: "), "{text}");
    assert!(text.contains("libnvidia-ml.so.1"), "{text}");
    // In a container the kernel may have a driver all the same.
    machine.write("proc/driver/nvidia/version", "NVRM version: 550");
    let text = notes(&machine.find());
    assert!(text.starts_with("!nvidia: the kernel has the driver, but the library"), "{text}");
}

#[test]
fn a_library_that_is_none_is_said() {
    let machine = Machine::new();
    machine.write("libnvidia-ml.so.1", "no library");
    let found = machine.find();
    assert_eq!(found.devices, []);
    assert!(notes(&found).contains("cannot be loaded"), "{}", notes(&found));
}

#[test]
fn a_library_without_a_driver_is_said() {
    let found = Machine::with_library(&["INIT=9"]).find();
    assert_eq!(found.devices, []);
    let text = notes(&found);
    assert!(text.contains("is there, but the kernel has not loaded the driver"), "{text}");
    let found = Machine::with_library(&["INIT=18"]).find();
    assert!(notes(&found).contains("does not begin: "), "{}", notes(&found));
}

#[test]
fn a_driver_without_devices_is_said() {
    let found = Machine::with_library(&["COUNT=0"]).find();
    assert_eq!(found.devices, []);
    let text = notes(&found);
    assert!(text.starts_with("nvidia: the driver is there and has no device\n"), "{text}");
}

#[test]
fn two_devices_are_told_in_the_order_of_the_bus() {
    let machine = Machine::with_library(&["COUNT=2"]);
    machine.write("sys/bus/pci/devices/0000:ef:00.0/numa_node", "1\n");
    machine.write("sys/bus/pci/devices/0000:f0:00.0/numa_node", "-1\n");
    let found = machine.find();
    let second = Device {
        uuid: "GPU-000000a0-0000-0000-0000-000000000000".into(),
        vendor: Vendor::Nvidia,
        kind: "nvidia-a100-sxm4-80gb".into(),
        memory_bytes: 80 << 30,
        address: Some(PciAddress { domain: 0, bus: 0xf0, device: 0, function: 0 }),
        numa_node: None,
        ordinal: None,
        part: None,
    };
    let first = Device {
        uuid: "GPU-000000a1-0000-0000-0000-000000000000".into(),
        kind: "nvidia-h100-80gb-hbm3".into(),
        address: Some(PciAddress { domain: 0, bus: 0xef, device: 0, function: 0 }),
        numa_node: Some(1),
        ..second.clone()
    };
    assert_eq!(found.devices, [first, second]);
    // Nothing is said but that AMD has nothing here.
    assert_eq!(found.notes.len(), 1, "{}", notes(&found));
}

#[test]
fn parts_of_devices_take_the_place_of_the_whole() {
    let found = Machine::with_library(&["COUNT=2", "CUT=0"]).find();
    assert_eq!(ids(&found.devices), ["GPU-000000a1", "MIG-000000b0", "MIG-000000b2"]);
    let [_, large, small] = &found.devices[..] else { panic!("three devices") };
    let parent = "GPU-000000a0-0000-0000-0000-000000000000";
    let part = |profile: &str| Some(Part { parent: parent.into(), profile: profile.into() });
    assert_eq!((&large.part, &small.part), (&part("3g.40gb"), &part("1g.10gb+me")));
    assert_eq!(&*large.kind, "nvidia-a100-sxm4-80gb-mig-3g.40gb");
    assert_eq!((large.memory_bytes, small.memory_bytes), (40 << 30, 10 << 30));
    assert_eq!(large.address.map(|address| address.bus), Some(0xf0), "where the whole sits");
}

#[test]
fn devices_in_mig_mode_without_parts_are_left_out_and_said() {
    let found = Machine::with_library(&["COUNT=1", "CUT=0", "PARTS=0"]).find();
    assert_eq!(found.devices, []);
    let text = notes(&found);
    assert!(text.contains("is in MIG mode, and has no part that this process may use"), "{text}");
}

#[test]
fn devices_that_cannot_be_reached_do_not_hide_the_others() {
    let found = Machine::with_library(&["COUNT=3", "LOST=1"]).find();
    assert_eq!(ids(&found.devices), ["GPU-000000a2", "GPU-000000a0"]);
    assert!(notes(&found).starts_with("!nvidia: device 1 cannot be used: "), "{}", notes(&found));
}

#[test]
fn devices_of_others_are_not_counted() {
    let machine = Machine::with_library(&["COUNT=3", "FORBIDDEN=0"]);
    let found = machine.find();
    assert_eq!(ids(&found.devices), ["GPU-000000a2", "GPU-000000a1"]);
    let text = notes(&found);
    assert!(text.starts_with("!nvidia: device 0 is not to be used by this process\n"), "{text}");
    // So CUDA counts in a job of a batch system.
    let found = machine.variable("CUDA_VISIBLE_DEVICES", "0").find();
    assert_eq!(ids(&found.devices), ["GPU-000000a1"]);
    let machine = Machine::with_library(&["COUNT=3", "FORBIDDEN=0"]);
    let found = machine.variable("CUDA_VISIBLE_DEVICES", "1").find();
    assert_eq!(ids(&found.devices), ["GPU-000000a2"]);
    // One that is out of order keeps its number.
    let machine = Machine::with_library(&["COUNT=3", "LOST=0"]);
    let found = machine.variable("CUDA_VISIBLE_DEVICES", "1").find();
    assert_eq!(ids(&found.devices), ["GPU-000000a1"]);
}

#[test]
fn devices_of_an_old_driver_have_what_it_tells() {
    let found = Machine::with_library(&["COUNT=1", "OLD"]).find();
    assert_eq!(ids(&found.devices), ["GPU-000000a0"]);
    assert_eq!(found.devices[0].memory_bytes, 0, "unknown");
}

#[test]
fn devices_beyond_what_a_node_has_are_left_out_and_said() {
    let found = Machine::with_library(&["COUNT=70"]).find();
    assert_eq!(found.devices.len(), 64);
    // The first on the bus is the last that is counted.
    assert_eq!(ids(&found.devices[..1]), ["GPU-000000e5"]);
    let text = notes(&found);
    assert!(text.contains("6 of 70 devices are left out: a node has at most 64"), "{text}");
}

#[test]
fn devices_say_how_busy_they_are() {
    let machine = Machine::with_library(&["CUT=0"]);
    let mut devices = machine.devices();
    let found = devices.find().devices;
    let usage: Vec<_> = found.iter().map(|device| devices.usage(device)).collect();
    let whole = DeviceUsage { utilisation_percent: Some(31), memory_used_bytes: Some(1 << 30) };
    // Nobody counts how busy a part is.
    let part = DeviceUsage { utilisation_percent: None, memory_used_bytes: Some(1 << 29) };
    assert_eq!(usage, [whole, part, part]);
    let gone = Device { uuid: "GPU-gone".into(), ..found[0].clone() };
    assert_eq!(devices.usage(&gone), DeviceUsage::default());
    // Also who has not looked for them first is told.
    assert_eq!(machine.devices().usage(&found[0]), whole);
    assert_eq!(Machine::new().devices().usage(&found[0]), DeviceUsage::default());
}

#[test]
fn a_hung_driver_of_devices_holds_nobody_up() {
    let folder = Machine::new();
    let gate = folder.at("gate");
    let machine = Machine::with_library(&[&format!("GATE=\"{}\"", gate.display())]);
    machine.write("sys/class/drm/card0/device/vendor", "0x1002\n");
    machine.write("sys/class/drm/card0/device/uevent", "PCI_SLOT_NAME=0000:03:00.0\n");
    machine.write("sys/class/drm/card0/device/unique_id", "ab\n");
    let patience = Duration::from_millis(300);
    let mut devices = Devices::new(machine.sources.clone(), patience);

    let asked = Instant::now();
    let found = devices.find();
    assert!((patience..PATIENCE).contains(&asked.elapsed()), "{:?}", asked.elapsed());
    assert_eq!(ids(&found.devices), ["GPU-00000000"], "those of others are told");
    let text = notes(&found);
    assert!(text.starts_with("!nvidia: the driver has not answered for 0.3 s"), "{text}");

    // While it hangs nobody waits for it again, and no thread is added.
    let device = Device { vendor: Vendor::Nvidia, ..found.devices[0].clone() };
    let asked = Instant::now();
    assert_eq!(devices.usage(&device), DeviceUsage::default());
    assert_eq!(ids(&devices.find().devices), ["GPU-00000000"]);
    assert!(asked.elapsed() < patience, "{:?}", asked.elapsed());
    let calls = |what| fs::read(folder.at(what)).map_or(0, |text| text.len());
    assert_eq!(calls("gate.asked"), 1);

    // It comes to itself, and is asked again.
    fs::write(gate, "").expect("written");
    let deadline = Instant::now() + PATIENCE;
    while devices.find().devices.len() != 3 {
        assert!(Instant::now() < deadline, "it has not come back");
    }
    // Dropped, its thread ends and closes the library.
    let before = calls("gate.over");
    drop(devices);
    while calls("gate.over") == before {
        assert!(Instant::now() < deadline, "its thread goes on");
    }
}

#[test]
fn devices_that_are_hidden_from_this_process_are_not_told() {
    let all = ["GPU-000000a1", "MIG-000000b0", "MIG-000000b2"];
    let part = "MIG-000000b2-0000-0000-0000-000000000000";
    let cases: &[(&str, &[usize])] = &[
        ("", &[]),
        ("-1", &[]),
        ("NoDevFiles", &[]),
        ("1", &[0]),
        ("0", &[1, 2]),
        ("1, 0", &[0, 1, 2]),
        ("1,-1,0", &[0]),
        ("1,7,0", &[0]),
        ("GPU-000000a1", &[0]),
        ("GPU-000000a0", &[1, 2]),
        // Whichever is meant, it is not said.
        ("GPU-", &[]),
        ("MIG-", &[]),
        (part, &[2]),
        ("MIG-000000b0,1", &[0, 1]),
        ("GPU-nobody,1", &[]),
    ];
    let machine = Machine::with_library(&["CUT=0"]);
    for (list, left) in cases {
        let mut sources = machine.sources.clone();
        sources.variables.push(("CUDA_VISIBLE_DEVICES".into(), (*list).into()));
        let found = Devices::new(sources, PATIENCE).find();
        let expected: Vec<_> = left.iter().map(|&at| all[at]).collect();
        assert_eq!(ids(&found.devices), expected, "CUDA_VISIBLE_DEVICES={list}");
        let hidden = 3 - left.len();
        let told =
            format!("!nvidia: {hidden} of 3 devices hidden by CUDA_VISIBLE_DEVICES={list}\n");
        assert_eq!(notes(&found).contains(&told), hidden > 0, "{list}: {}", notes(&found));
    }
}

#[test]
fn devices_of_a_container_are_those_that_its_ids_name() {
    let cases: &[(&str, &[&str])] = &[
        ("GPU-000000a1", &["GPU-000000a1"]),
        ("GPU-000000a0-0000-0000-0000-000000000000,GPU-elsewhere", &["GPU-000000a0"]),
        ("GPU-elsewhere", &[]),
        // The runtime has done what these say; in a container with CDI it is `void`.
        ("void", &["GPU-000000a1", "GPU-000000a0"]),
        ("all", &["GPU-000000a1", "GPU-000000a0"]),
        // The host's number.
        ("5", &["GPU-000000a1", "GPU-000000a0"]),
        ("", &["GPU-000000a1", "GPU-000000a0"]),
    ];
    for (list, expected) in cases {
        let machine = Machine::with_library(&[]).variable("NVIDIA_VISIBLE_DEVICES", list);
        assert_eq!(ids(&machine.find().devices), *expected, "{list}");
    }
    let both = Machine::with_library(&[])
        .variable("NVIDIA_VISIBLE_DEVICES", "GPU-000000a1")
        .variable("CUDA_VISIBLE_DEVICES", "0,1");
    assert_eq!(ids(&both.find().devices), ["GPU-000000a1"], "what both leave");
}

#[test]
fn numbers_of_devices_that_differ_are_doubtful() {
    let machine = Machine::with_library(&[]).variable("CUDA_VISIBLE_DEVICES", "0");
    let text = notes(&machine.find());
    assert!(text.contains("names devices of several kinds by number"), "{text}");
    let machine = machine.variable("CUDA_DEVICE_ORDER", "PCI_BUS_ID");
    let alike = Machine::with_library(&["COUNT=1"]).variable("CUDA_VISIBLE_DEVICES", "0");
    for machine in [machine, alike] {
        let text = notes(&machine.find());
        assert!(!text.contains("several kinds"), "{text}");
    }
}

#[test]
fn a_worker_within_an_attempt_sees_the_devices_of_the_attempt() {
    let machine = Machine::with_library(&["CUT=0"]);
    let found = machine.find().devices;
    for chosen in [&found[..0], &found[..1], &found[1..2], &found[..]] {
        let devices: Vec<&Device> = chosen.iter().collect();
        let mut sources = machine.sources.clone();
        let variables = binding(&devices, Share::WHOLE).into_iter();
        sources.variables = variables.map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(Devices::new(sources, PATIENCE).find().devices, chosen);
    }
}

#[test]
fn devices_have_files_for_containers() {
    let machine = Machine::with_library(&[]);
    let found = machine.find().devices;
    for file in ["nvidia0", "nvidia3", "nvidiactl", "nvidia-uvm"] {
        machine.write(&format!("dev/{file}"), "");
    }
    let information = "Model: \t\t NVIDIA H100 80GB HBM3\nDevice Minor: \t 3\nGPU Excluded:\t No\n";
    machine.write("proc/driver/nvidia/gpus/0000:ef:00.0/information", information);
    let devices = machine.devices();
    let files = devices.files(&[&found[0], &found[0]]);
    let expected = ["nvidia-uvm", "nvidia3", "nvidiactl"].map(|file| machine.at("dev").join(file));
    assert_eq!(files, expected, "those that are there, each once");
    assert!(devices.files(&[]).is_empty(), "without devices there is none");
}
