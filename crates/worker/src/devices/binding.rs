//! What binds an attempt to exactly its devices: the variables that its vendor's runtimes read.
//!
//! An attempt without devices is bound as well, to none: else it would find all of them, and take
//! memory that others were promised. The variables keep honest programs apart and nobody else; a
//! container is given its files alone (see `files`). Everything is always set, so that nothing is
//! inherited.

use model::{Device, Vendor};

/// How much of each of its devices an attempt was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Thousandths of each device; 1,000 is all of it, and nobody else is on it.
    pub thousandths: u16,
    /// Bytes of memory on each device; 0 if nothing was said of it.
    pub memory_bytes: u64,
}

impl Share {
    /// Whole devices.
    pub const WHOLE: Self = Self { thousandths: WHOLE, memory_bytes: 0 };
}

const WHOLE: u16 = 1_000;

/// The variables of an attempt that has these devices and no others, by name and value. They take
/// the place of what the attempt's own file says of the same names.
///
/// | Variable | With devices | Without | Read by |
/// |---|---|---|---|
/// | `CUDA_VISIBLE_DEVICES` | ids | empty | CUDA (1) |
/// | `NVIDIA_VISIBLE_DEVICES` | ids | `void` | the Container Toolkit (2) |
/// | `ROCR_VISIBLE_DEVICES` | ids, or numbers | empty | ROCm (3) |
/// | `HIP_VISIBLE_DEVICES` | `0,1,…` of the above | `-1` | HIP (3, 4) |
/// | `AUTOGLM_GPUS` | ids | empty | programs |
/// | `AUTOGLM_GPU_FRACTION` | `1`, `0.25` | `0` | programs |
/// | `AUTOGLM_GPU_MEMORY` | bytes on each device, 0 if unknown | `0` | programs |
///
/// A device of which nothing is known but its number is bound by that, for either vendor: numbers
/// are what people count by whose driver cannot be asked.
///
/// For a fraction of NVIDIA's devices there is also what their Multi-Process Service (5) holds a
/// client to, if its daemon runs: `CUDA_MPS_ACTIVE_THREAD_PERCENTAGE`, and
/// `CUDA_MPS_PINNED_DEVICE_MEM_LIMIT` where the memory is known. Without the daemon both are
/// ignored, and nothing but the program itself keeps to the fraction.
///
/// Of several parts of devices (MIG) CUDA shows a program the first alone.
///
/// 1. CUDA Programming Guide, 5.2.1.1: "If the variable is set to an empty string, no GPU devices
///    are visible." MIG User Guide, "Device Enumeration": of parts one is enumerated.
/// 2. NVIDIA Container Toolkit, "Specialized Configurations with Docker": `void` exposes neither
///    devices nor the driver.
/// 3. ROCm, "GPU isolation techniques": ids or numbers. `RvdFilter` in ROCR-Runtime: an empty list
///    selects no device, and a device without an id is named by its number alone.
/// 4. `Device::init` in clr counts what ROCR has left. It takes an empty list for none at all, and
///    then reads `CUDA_VISIBLE_DEVICES`; -1 names nothing, which ends the list.
/// 5. Multi-Process Service, "Appendix: Tools and Interface Reference", 4.2.5 and 4.2.7.
#[must_use]
pub fn binding(devices: &[&Device], share: Share) -> Vec<(&'static str, String)> {
    let named = |name: fn(&Device) -> Option<String>| {
        devices.iter().filter_map(|device| name(device)).collect::<Vec<String>>()
    };
    let (cuda, rocm) = (named(cuda_name), named(rocm_name));
    let ids: Vec<&str> = devices.iter().map(|device| &*device.uuid).collect();
    let or = |list: String, none: &str| if list.is_empty() { none.to_owned() } else { list };
    let memory = memory_bytes(devices, share);
    let mut variables = vec![
        ("CUDA_VISIBLE_DEVICES", cuda.join(",")),
        ("NVIDIA_VISIBLE_DEVICES", or(cuda.join(","), "void")),
        ("ROCR_VISIBLE_DEVICES", rocm.join(",")),
        ("HIP_VISIBLE_DEVICES", or(numbers(rocm.len()), "-1")),
        ("AUTOGLM_GPUS", ids.join(",")),
        ("AUTOGLM_GPU_FRACTION", fraction(if devices.is_empty() { 0 } else { share.thousandths })),
        ("AUTOGLM_GPU_MEMORY", memory.to_string()),
    ];
    if !cuda.is_empty() && share.thousandths < WHOLE {
        // A percent at least, since none would be no limit; downwards, so that shares add up.
        let percent = (share.thousandths / 10).max(1);
        variables.push(("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", percent.to_string()));
        if memory >= MIB {
            let limit = |number| format!("{number}={}M", memory / MIB);
            let limits: Vec<String> = (0..cuda.len()).map(limit).collect();
            variables.push(("CUDA_MPS_PINNED_DEVICE_MEM_LIMIT", limits.join(",")));
        }
    }
    variables
}

const MIB: u64 = 1 << 20;

/// What CUDA calls a device.
fn cuda_name(device: &Device) -> Option<String> {
    match device.vendor {
        Vendor::Nvidia => Some(device.uuid.to_string()),
        Vendor::Amd => None,
        Vendor::Other => device.ordinal.map(|ordinal| ordinal.to_string()),
    }
}

/// What ROCm calls a device: its id, or its number where it has none.
fn rocm_name(device: &Device) -> Option<String> {
    match (device.vendor, device.ordinal) {
        (Vendor::Nvidia, _) | (Vendor::Other, None) => None,
        (Vendor::Amd, Some(ordinal)) if !device.uuid.starts_with("GPU-") => {
            Some(ordinal.to_string())
        }
        (Vendor::Amd, _) => Some(device.uuid.to_string()),
        (Vendor::Other, Some(ordinal)) => Some(ordinal.to_string()),
    }
}

/// `0,1,2` for three.
fn numbers(count: usize) -> String {
    let numbers: Vec<String> = (0..count).map(|number| number.to_string()).collect();
    numbers.join(",")
}

/// Bytes that an attempt has on each of its devices: what it was given, or its share of the
/// smallest; 0 if that is not known.
fn memory_bytes(devices: &[&Device], share: Share) -> u64 {
    let smallest = devices.iter().map(|device| device.memory_bytes).min().unwrap_or(0);
    match share.memory_bytes {
        _ if devices.is_empty() => 0,
        // In this order: the memory of a device times a thousand fits, and less gets lost.
        0 => smallest.saturating_mul(u64::from(share.thousandths.min(WHOLE))) / u64::from(WHOLE),
        bytes => bytes,
    }
}

/// Thousandths as a decimal that every language reads: `1`, `0.5`, `0.125`.
fn fraction(thousandths: u16) -> String {
    if thousandths >= WHOLE {
        return "1".to_owned();
    }
    let text = format!("0.{thousandths:03}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use model::PciAddress;
    use model::device::Part;

    use super::*;

    fn device(vendor: Vendor, uuid: &str, ordinal: Option<u16>) -> Device {
        Device {
            uuid: uuid.into(),
            vendor,
            kind: "some".into(),
            memory_bytes: 80 << 30,
            address: Some(PciAddress { domain: 0, bus: 1, device: 0, function: 0 }),
            numa_node: None,
            ordinal,
            part: None,
        }
    }

    fn shown(devices: &[&Device], share: Share) -> String {
        let lines = binding(devices, share);
        lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
    }

    #[test]
    fn an_attempt_without_devices_sees_none() {
        let expected = "CUDA_VISIBLE_DEVICES=\n\
                        NVIDIA_VISIBLE_DEVICES=void\n\
                        ROCR_VISIBLE_DEVICES=\n\
                        HIP_VISIBLE_DEVICES=-1\n\
                        AUTOGLM_GPUS=\n\
                        AUTOGLM_GPU_FRACTION=0\n\
                        AUTOGLM_GPU_MEMORY=0\n";
        assert_eq!(shown(&[], Share::WHOLE), expected);
        assert_eq!(shown(&[], Share { thousandths: 500, memory_bytes: 7 }), expected);
    }

    #[test]
    fn whole_devices_of_nvidia_are_bound_by_their_ids_in_order() {
        let (first, second) =
            (device(Vendor::Nvidia, "GPU-b", None), device(Vendor::Nvidia, "GPU-a", None));
        let expected = "CUDA_VISIBLE_DEVICES=GPU-b,GPU-a\n\
                        NVIDIA_VISIBLE_DEVICES=GPU-b,GPU-a\n\
                        ROCR_VISIBLE_DEVICES=\n\
                        HIP_VISIBLE_DEVICES=-1\n\
                        AUTOGLM_GPUS=GPU-b,GPU-a\n\
                        AUTOGLM_GPU_FRACTION=1\n\
                        AUTOGLM_GPU_MEMORY=85899345920\n";
        assert_eq!(shown(&[&first, &second], Share::WHOLE), expected);
    }

    #[test]
    fn devices_of_amd_are_bound_by_id_or_number_and_counted_anew() {
        let by_id = device(Vendor::Amd, "GPU-00000000000000ab", Some(3));
        let by_number = device(Vendor::Amd, "0000:03:00.0", Some(2));
        let half = Share { thousandths: 500, memory_bytes: 0 };
        let expected = "CUDA_VISIBLE_DEVICES=\n\
                        NVIDIA_VISIBLE_DEVICES=void\n\
                        ROCR_VISIBLE_DEVICES=GPU-00000000000000ab,2\n\
                        HIP_VISIBLE_DEVICES=0,1\n\
                        AUTOGLM_GPUS=GPU-00000000000000ab,0000:03:00.0\n\
                        AUTOGLM_GPU_FRACTION=0.5\n\
                        AUTOGLM_GPU_MEMORY=42949672960\n";
        assert_eq!(shown(&[&by_id, &by_number], half), expected, "there is no MPS for AMD");
    }

    #[test]
    fn what_has_a_number_alone_is_bound_by_that() {
        let (first, other) =
            (device(Vendor::Other, "gpu-2", Some(2)), device(Vendor::Other, "x", None));
        let expected = "CUDA_VISIBLE_DEVICES=2\n\
                        NVIDIA_VISIBLE_DEVICES=2\n\
                        ROCR_VISIBLE_DEVICES=2\n\
                        HIP_VISIBLE_DEVICES=0\n\
                        AUTOGLM_GPUS=gpu-2,x\n\
                        AUTOGLM_GPU_FRACTION=1\n\
                        AUTOGLM_GPU_MEMORY=85899345920\n";
        assert_eq!(shown(&[&first, &other], Share::WHOLE), expected);
    }

    #[test]
    fn a_fraction_of_devices_is_told_to_the_program_and_to_mps() {
        let whole = device(Vendor::Nvidia, "GPU-a", None);
        let told = |share| shown(&[&whole, &whole], share);
        let quarter = told(Share { thousandths: 250, memory_bytes: 0 });
        let expected = "AUTOGLM_GPU_FRACTION=0.25\n\
                        AUTOGLM_GPU_MEMORY=21474836480\n\
                        CUDA_MPS_ACTIVE_THREAD_PERCENTAGE=25\n\
                        CUDA_MPS_PINNED_DEVICE_MEM_LIMIT=0=20480M,1=20480M\n";
        assert!(quarter.ends_with(expected), "{quarter}");
        let said = told(Share { thousandths: 999, memory_bytes: 5 << 30 });
        let expected = "AUTOGLM_GPU_FRACTION=0.999\n\
                        AUTOGLM_GPU_MEMORY=5368709120\n\
                        CUDA_MPS_ACTIVE_THREAD_PERCENTAGE=99\n\
                        CUDA_MPS_PINNED_DEVICE_MEM_LIMIT=0=5120M,1=5120M\n";
        assert!(said.ends_with(expected), "{said}");
        let little = told(Share { thousandths: 5, memory_bytes: 1 });
        assert!(little.ends_with("=1\nCUDA_MPS_ACTIVE_THREAD_PERCENTAGE=1\n"), "{little}");
        let unknown = Device { memory_bytes: 0, ..whole };
        let unknown = shown(&[&unknown], Share { thousandths: 100, memory_bytes: 0 });
        let expected = "=0.1\nAUTOGLM_GPU_MEMORY=0\nCUDA_MPS_ACTIVE_THREAD_PERCENTAGE=10\n";
        assert!(unknown.ends_with(expected), "{unknown}");
    }

    #[test]
    fn parts_of_devices_are_bound_by_their_own_ids() {
        let part = Part { parent: "GPU-a".into(), profile: "3g.40gb".into() };
        let part = Device { part: Some(part), ..device(Vendor::Nvidia, "MIG-7", None) };
        let text = shown(&[&part], Share::WHOLE);
        assert!(text.starts_with("CUDA_VISIBLE_DEVICES=MIG-7\nNVIDIA_VISIBLE_DEVICES=MIG-7\n"));
    }
}
