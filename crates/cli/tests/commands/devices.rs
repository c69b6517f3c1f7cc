//! `devices`, with a made-up library in place of that of NVIDIA's driver. It is found as the real
//! one is: by its name, in the folders of the loader.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::{stderr, stdout};

/// The binary on a machine whose library plays what the definitions say; without them it is one
/// that has none. What the machine has of AMD is hidden.
fn devices(definitions: Option<&[&str]>, arguments: &[&str]) -> Output {
    let folder = TempDir::new().expect("a folder");
    let library = folder.path().join("libnvidia-ml.so.1");
    let Some(definitions) = definitions else {
        std::fs::write(library, "no library").expect("written");
        return run(&folder, arguments);
    };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../worker/tests/devices/nvml.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(library).arg(source);
    compiler.args(definitions.iter().map(|definition| format!("-D{definition}")));
    let made = compiler.output().unwrap_or_else(|error| {
        panic!("these tests need a C compiler under the name `cc`: {error}")
    });
    assert!(made.status.success(), "{}", stderr(&made));
    run(&folder, arguments)
}

fn run(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_autoglm"));
    command.env_clear().env("HOME", folder.path()).env("LD_LIBRARY_PATH", folder.path());
    command.env("ROCR_VISIBLE_DEVICES", "");
    command.arg("devices").args(arguments).output().expect("it starts")
}

#[test]
fn devices_are_listed_with_how_busy_they_are() {
    let output = devices(Some(&["COUNT=2", "CUT=0"]), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let rows: Vec<Vec<&str>> = stdout(&output)
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    let whole = "GPU-000000a1-0000-0000-0000-000000000000";
    let part = "MIG-000000b0-0000-0000-0000-000000000000";
    let parent = "GPU-000000a0-0000-0000-0000-000000000000";
    assert_eq!(rows.len(), 4, "{rows:?}");
    let kind = "nvidia-a100-sxm4-80gb-mig-3g.40gb";
    assert_eq!(rows[1][..5], ["0", "nvidia-h100-80gb-hbm3", "80.0 GiB", "1.0 GiB", "31%"]);
    assert_eq!(rows[1][6..], [whole, "-"]);
    assert_eq!(rows[2][..5], ["1", kind, "40.0 GiB", "512.0 MiB", "-"]);
    assert_eq!(rows[2][6..], [part, parent]);
}

#[test]
fn devices_are_told_to_programs() {
    let output = devices(Some(&["COUNT=1"]), &["-o", "json"]);
    let told: serde_json::Value = serde_json::from_str(stdout(&output)).expect("JSON");
    assert_eq!(told["devices"][0]["address"], "0000:f0:00.0");
    assert_eq!(told["devices"][0]["memory_bytes"], 80_u64 << 30);
    let output = devices(Some(&["COUNT=2"]), &["-o", "name"]);
    assert_eq!(stdout(&output).lines().count(), 2, "{}", stdout(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn no_devices_are_no_failure_and_it_is_said_why() {
    let output = devices(None, &[]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), ""));
    let said = stderr(&output);
    assert!(
        said.starts_with("There is no GPU here that this process may use.\nNVIDIA: "),
        "{said}"
    );
    assert!(said.contains("libnvidia-ml.so.1") && said.contains("\nAMD: "), "{said}");
    let output = devices(Some(&["INIT=9"]), &["-o", "json"]);
    let told: serde_json::Value = serde_json::from_str(stdout(&output)).expect("JSON");
    assert_eq!(told["devices"], serde_json::json!([]));
    assert_eq!(told["notes"][0]["is_absence"], false);
}
