//! Calls with devices: a process sees those that it was started for, and serves no others.

use std::time::{Duration, Instant};

use crate::house::{Ended, House, call};

pub const ALL: &[(&str, fn())] = &[
    ("a_process_belongs_to_its_devices", a_process_belongs_to_its_devices),
    ("an_idle_process_leaves_a_device_to_others", an_idle_process_leaves_a_device_to_others),
];

const FUNCTIONS: &str = r#"
import os
def seen(): return [os.getpid(), os.environ["CUDA_VISIBLE_DEVICES"], os.environ["AUTOGLM_GPUS"]]
"#;

/// The process that answered, and what it saw.
fn seen(ended: &Ended) -> (u64, String) {
    let text = ended.outputs.as_deref().expect("it returned something");
    let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let result = &value["result"];
    let text = |at: usize| result[at].as_str().expect("a text");
    (result[0].as_u64().expect("a number"), format!("{} {}", text(1), text(2)))
}

fn a_process_belongs_to_its_devices() {
    let mut house = House::with_devices(3, 4, FUNCTIONS);
    let (first, saw) = seen(&house.one_on(&[1], call("seen", "[]")));
    assert_eq!(saw, "1 gpu-1");
    let (again, _) = seen(&house.one_on(&[1], call("seen", "[]")));
    assert_eq!(again, first, "it stays warm for its device");
    let (other, saw) = seen(&house.one_on(&[0, 2], call("seen", "[]")));
    assert_eq!((other == first, saw.as_str()), (false, "0,2 gpu-0,gpu-2"));
    let (none, saw) = seen(&house.one_on(&[], call("seen", "[]")));
    assert_eq!((none == first || none == other, saw.as_str()), (false, " "));
    let (again, _) = seen(&house.one_on(&[1], call("seen", "[]")));
    assert_eq!(again, first, "nobody else was given its device");
}

fn an_idle_process_leaves_a_device_to_others() {
    let mut house = House::with_devices(2, 4, FUNCTIONS);
    let (first, _) = seen(&house.one_on(&[1], call("seen", "[]")));
    let (both, _) = seen(&house.one_on(&[0, 1], call("seen", "[]")));
    assert_ne!(first, both);
    let until = Instant::now() + Duration::from_secs(30);
    while house.processes().iter().any(|pid| u64::from(*pid) == first) {
        assert!(Instant::now() < until, "it keeps what it holds of the device");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(house.processes().iter().any(|pid| u64::from(*pid) == both));
}
