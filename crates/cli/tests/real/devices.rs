//! Devices from the file to the process: what an attempt is given, and that nobody else has it.
//!
//! Devices are declared, or found by a made-up library in place of that of NVIDIA's driver.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::binary::{Finished, Home};
use crate::support::wait;

const PATIENCE: Duration = Duration::from_secs(60);

/// Writes a line with the name, the devices, and when it began and ended.
const STAMPED: &str = r#"
    script: |
      began=$(date +%s%N); sleep 0.15
      gpus="$CUDA_VISIBLE_DEVICES $AUTOGLM_GPU_FRACTION"
      echo "$AUTOGLM_TASK $gpus $began $(date +%s%N)" >> "$FOLDER/lines"
"#;

/// A task that has run.
#[derive(Debug)]
struct Ran {
    devices: Vec<String>,
    fraction: String,
    began: u64,
    ended: u64,
}

impl Ran {
    fn overlaps(&self, other: &Self) -> bool {
        self.began < other.ended && other.began < self.ended
    }
}

/// What has run, by the name of its task.
fn ran(home: &Home) -> Vec<(String, Ran)> {
    let read = |line: String| {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, devices, fraction, began, ended] = words[..] else { panic!("{line}") };
        let devices = devices.split(',').map(str::to_owned).collect();
        let number = |text: &str| text.parse().expect("a time");
        let (began, ended) = (number(began), number(ended));
        (name.to_owned(), Ran { devices, fraction: fraction.to_owned(), began, ended })
    };
    home.lines("lines").into_iter().map(read).collect()
}

fn succeeded(ended: &Finished) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

#[test]
fn whole_devices_are_nobody_elses_and_halves_share_one() {
    let home = Home::new();
    let wide = |name: &str, gpu: &str, count: u32| {
        let resources = format!("    resources: {{cpu: 10m, gpu: {gpu}}}\n");
        format!("  {name}:\n    foreach: {{range: {count}}}{STAMPED}{resources}")
    };
    let tasks = [wide("whole", "1", 4), wide("half", "0.5", 4), wide("both", "2", 2)].concat();
    home.write("flow.yaml", &format!("tasks:\n{tasks}"));
    succeeded(&home.run(&["run", "flow.yaml", "--resource", "gpu=2"]));
    let ran = ran(&home);
    assert_eq!(ran.len(), 10);
    for (name, one) in &ran {
        let (fraction, count) = match name.as_str() {
            "half" => ("0.5", 1),
            "whole" => ("1", 1),
            _ => ("1", 2),
        };
        assert_eq!((one.fraction.as_str(), one.devices.len()), (fraction, count), "{name}");
        assert!(one.devices.iter().all(|device| device == "0" || device == "1"), "{one:?}");
    }
    // At each begin no device is given away more than once.
    for (_, at) in &ran {
        let mut given: BTreeMap<&str, u32> = BTreeMap::new();
        for (name, one) in
            ran.iter().filter(|(_, one)| one.began <= at.began && at.began < one.ended)
        {
            let share = if name == "half" { 1 } else { 2 };
            one.devices.iter().for_each(|device| *given.entry(device).or_default() += share);
        }
        assert!(given.values().all(|halves| *halves <= 2), "{given:?} {ran:?}");
    }
    let halves: Vec<&Ran> =
        ran.iter().filter(|(name, _)| name == "half").map(|(_, one)| one).collect();
    let share = |one: &Ran, other: &Ran| one.overlaps(other) && one.devices == other.devices;
    let shared = (0..4).any(|at| (0..at).any(|other| share(halves[at], halves[other])));
    assert!(shared, "no two halves were on one device at a time: {halves:?}");
    home.wait_until_quiet();
}

#[test]
fn what_asks_for_no_device_sees_none_and_without_devices_all_stays_as_it_is() {
    let home = Home::new();
    let script = r#"echo "[${CUDA_VISIBLE_DEVICES-unset}]" >> "$FOLDER/lines""#;
    home.write("flow.yaml", &format!("tasks: {{a: {{script: '{script}'}}}}\n"));
    for (arguments, inherited) in [
        (&["run", "flow.yaml", "--new"][..], None),
        (&["run", "flow.yaml", "--new"], Some("3")),
        (&["run", "flow.yaml", "--new", "--resource", "gpu=1"], Some("3")),
        (&["run", "flow.yaml", "--new", "--resource", "gpu=0"], Some("3")),
    ] {
        let mut command = home.command(arguments);
        // What the machine of the test has is hidden.
        command.env("ROCR_VISIBLE_DEVICES", "").env("LD_LIBRARY_PATH", no_library(&home));
        if let Some(devices) = inherited {
            command.env("CUDA_VISIBLE_DEVICES", devices);
        }
        succeeded(&home.start_with(command).finish());
    }
    assert_eq!(home.lines("lines"), ["[unset]", "[3]", "[]", "[]"]);
    home.wait_until_quiet();
}

#[test]
fn a_kind_that_no_worker_has_waits_and_it_is_said_what_there_is() {
    let home = Home::new();
    home.write("flow.yaml", "tasks: {a: {script: 'true', resources: {gpu: 'a100:2'}}}\n");
    let run = home.start(&["run", "flow.yaml", "--resource", "gpu=4"]);
    let explained = wait::until("an explanation", PATIENCE, || {
        let told = home.run(&["explain", "1", "a"]);
        told.stdout.contains("never fits").then_some(told.stdout)
    });
    let said = "worker local: it asks for 2 a100 gpu, the worker has 4 gpu; it fails in ";
    assert!(explained.contains(said), "{explained}");
    assert!(explained.contains("a worker with at least 2 a100 gpu"), "{explained}");
    assert_eq!(home.run(&["stop", "1"]).code, 0);
    run.finish();
    home.wait_until_quiet();
}

/// The same to its end, which comes when a minute has passed.
#[test]
fn a_kind_that_no_worker_has_fails_in_the_end() {
    let home = Home::new();
    home.write("flow.yaml", "tasks: {a: {script: 'true', resources: {gpu: a100}}}\n");
    let ended =
        home.start(&["run", "flow.yaml", "--resource", "gpu=1"]).finish_within(PATIENCE * 3);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    home.wait_until_quiet();
}

/// A folder for the loader, in which the library of the driver is none.
fn no_library(home: &Home) -> String {
    let folder = home.folder().join("none");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("libnvidia-ml.so.1"), "no library").expect("written");
    folder.to_str().expect("UTF-8").to_owned()
}

/// A folder for the loader with a library that plays what the definitions say.
fn library(home: &Home, definitions: &[&str]) -> String {
    let folder = home.folder().join("library");
    std::fs::create_dir_all(&folder).expect("a folder");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../worker/tests/devices/nvml.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(folder.join("libnvidia-ml.so.1")).arg(source);
    compiler.args(definitions.iter().map(|definition| format!("-D{definition}")));
    let made = compiler.output().unwrap_or_else(|error| {
        panic!("these tests need a C compiler under the name `cc`: {error}")
    });
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder.to_str().expect("UTF-8").to_owned()
}

#[test]
fn devices_that_are_found_are_bound_by_their_ids_and_asked_for_by_kind_and_memory() {
    let home = Home::new();
    let task = |name: &str, gpu: &str| {
        let seen = "$CUDA_VISIBLE_DEVICES $AUTOGLM_GPUS $AUTOGLM_GPU_MEMORY";
        let line = format!(r#"echo "{name} {seen}" >> "$FOLDER/lines""#);
        format!("  {name}: {{script: '{line}', resources: {{cpu: 10m, gpu: {gpu}}}}}\n")
    };
    let tasks = [
        task("all", "2"),
        task("kind", "h100"),
        task("part", "{type: h100, share: 0.25, memory: 20Gi}"),
    ];
    home.write("flow.yaml", &format!("tasks:\n{}", tasks.concat()));
    home.write("huge.yaml", "tasks: {a: {script: 'true', resources: {gpu: {memory: 81Gi}}}}\n");
    let library = library(&home, &["COUNT=2"]);
    let run = |arguments: &[&str]| {
        let mut command = home.command(arguments);
        command.env("LD_LIBRARY_PATH", &library).env("ROCR_VISIBLE_DEVICES", "");
        home.start_with(command).finish()
    };
    succeeded(&run(&["run", "flow.yaml"]));
    let mut lines = home.lines("lines");
    lines.sort();
    let id = |end: &str| format!("GPU-000000a{end}-0000-0000-0000-000000000000");
    let (first, second) = (id("1"), id("0"));
    assert_eq!(lines[0], format!("all {first},{second} {first},{second} {}", 80_u64 << 30));
    for (line, name, memory) in [(&lines[1], "kind", 80_u64 << 30), (&lines[2], "part", 20 << 30)] {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!((words[0], words[3]), (name, memory.to_string().as_str()), "{line}");
        assert!(
            words[1] == words[2] && [&first, &second].contains(&&words[1].to_owned()),
            "{line}"
        );
    }
    let dry = run(&["run", "flow.yaml", "--dry-run"]);
    assert!(!dry.stdout.contains("warning"), "{}", dry.stdout);
    assert!(dry.stdout.contains("0.25 h100 gpu with 20Gi"), "{}", dry.stdout);
    let dry = run(&["run", "huge.yaml", "--dry-run"]);
    assert!(dry.stdout.contains("a asks for more than this machine offers"), "{}", dry.stdout);
    home.wait_until_quiet();
}
