//! The devices of a container: those that its attempt was granted, or what its file says is seen.
//!
//! NVIDIA's are asked of the engine by their ids, AMD's are given as device files. A device of
//! which nothing but a number is known cannot be given: then `gpus` of the container says what is
//! seen, as it does for an attempt without devices.

use model::work::container::Gpus;
use model::{Device, Vendor};
use serde_json::{Value as Json, json};

use crate::devices::{Devices, binding};
use crate::executors::Granted;

/// Tells the engine which devices a container gets.
pub(super) fn give(host: &mut Json, granted: &Granted, gpus: Gpus) {
    let of = |vendor: Vendor| {
        let devices = granted.devices.iter();
        devices.filter(move |device| device.vendor == vendor).collect::<Vec<&Device>>()
    };
    let (nvidia, amd) = (of(Vendor::Nvidia), of(Vendor::Amd));
    let capabilities = json!([["gpu"]]);
    if nvidia.is_empty() && amd.is_empty() {
        let count = match gpus {
            Gpus::None => return,
            Gpus::Some(count) => i64::from(count),
            Gpus::All => -1,
        };
        host["DeviceRequests"] = json!([{"Count": count, "Capabilities": capabilities}]);
        return;
    }
    if !nvidia.is_empty() {
        let ids: Vec<&str> = nvidia.iter().map(|device| &*device.uuid).collect();
        host["DeviceRequests"] = json!([{"DeviceIDs": ids, "Capabilities": capabilities}]);
    }
    if !amd.is_empty() {
        let files = Devices::of_this_machine().files(&amd);
        let files = files.iter().map(
            |file| json!({"PathOnHost": file, "PathInContainer": file, "CgroupPermissions": "rwm"}),
        );
        host["Devices"] = files.collect();
    }
}

/// The variables that bind what runs in a container.
pub(super) fn variables(granted: &Granted, gpus: Gpus) -> Vec<(&'static str, String)> {
    if !granted.is_bound {
        return Vec::new();
    }
    let is_given = |device: &Device| device.vendor != Vendor::Other;
    let is_any = !granted.devices.is_empty();
    match gpus {
        _ if is_any && granted.devices.iter().any(is_given) => inside(granted),
        Gpus::None => granted.variables(),
        // All are seen, and counted as outside.
        Gpus::All if is_any => granted.variables(),
        // The file says what is seen, and the engine which those are.
        Gpus::All | Gpus::Some(_) => Vec::new(),
    }
}

/// Within a container its devices alone are counted.
fn inside(granted: &Granted) -> Vec<(&'static str, String)> {
    let mut devices = granted.devices.clone();
    let amd = devices.iter_mut().filter(|device| device.vendor == Vendor::Amd);
    amd.zip(0..).for_each(|(device, number)| device.ordinal = Some(number));
    let mut variables = binding(&devices.iter().collect::<Vec<_>>(), granted.share);
    // The engine sets it from what it was asked for.
    variables.retain(|(name, _)| *name != "NVIDIA_VISIBLE_DEVICES");
    variables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::Share;

    fn device(vendor: Vendor, uuid: &str, ordinal: Option<u16>) -> Device {
        let kind = model::device::kind(vendor, "some");
        let (address, numa_node, part) = (None, None, None);
        let uuid = uuid.into();
        Device { uuid, vendor, kind, memory_bytes: 1 << 30, address, numa_node, ordinal, part }
    }

    fn granted(devices: Vec<Device>) -> Granted {
        Granted { devices, share: Share::WHOLE, is_bound: true }
    }

    fn told(granted: &Granted, gpus: Gpus) -> Json {
        let mut host = json!({});
        give(&mut host, granted, gpus);
        host
    }

    fn value(variables: &[(&str, String)], name: &str) -> Option<String> {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn granted_devices_are_given_by_their_ids_whatever_the_file_says() {
        let granted = granted(vec![
            device(Vendor::Nvidia, "GPU-b", None),
            device(Vendor::Nvidia, "MIG-a", None),
        ]);
        let expected = json!({
            "DeviceRequests": [{"DeviceIDs": ["GPU-b", "MIG-a"], "Capabilities": [["gpu"]]}]
        });
        for gpus in [Gpus::None, Gpus::All, Gpus::Some(7)] {
            assert_eq!(told(&granted, gpus), expected);
            let variables = variables(&granted, gpus);
            assert_eq!(value(&variables, "CUDA_VISIBLE_DEVICES").as_deref(), Some("GPU-b,MIG-a"));
            assert_eq!(value(&variables, "NVIDIA_VISIBLE_DEVICES"), None);
        }
    }

    #[test]
    fn devices_of_amd_are_counted_anew_and_not_asked_of_the_engine() {
        let granted = granted(vec![device(Vendor::Amd, "0000:03:00.0", Some(5))]);
        assert!(told(&granted, Gpus::All).get("DeviceRequests").is_none());
        let variables = variables(&granted, Gpus::None);
        assert_eq!(value(&variables, "ROCR_VISIBLE_DEVICES").as_deref(), Some("0"));
    }

    #[test]
    fn without_devices_the_file_says_what_is_seen() {
        let none = granted(Vec::new());
        let all = json!({"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]});
        assert_eq!((told(&none, Gpus::None), told(&none, Gpus::All)), (json!({}), all.clone()));
        assert_eq!(told(&none, Gpus::Some(2))["DeviceRequests"][0]["Count"], json!(2));
        assert_eq!(variables(&none, Gpus::All), []);
        let hidden = variables(&none, Gpus::None);
        assert_eq!(value(&hidden, "NVIDIA_VISIBLE_DEVICES").as_deref(), Some("void"));
        // Of what has a number alone the engine cannot be asked.
        let placeholder = granted(vec![device(Vendor::Other, "gpu-1", Some(1))]);
        assert_eq!(told(&placeholder, Gpus::All), all);
        let bound = variables(&placeholder, Gpus::All);
        assert_eq!(value(&bound, "CUDA_VISIBLE_DEVICES").as_deref(), Some("1"));
        assert_eq!(variables(&placeholder, Gpus::Some(1)), []);
        let unbound = Granted { is_bound: false, ..none };
        assert_eq!(variables(&unbound, Gpus::None), []);
    }
}
