//! Workflows made of what was recorded elsewhere: they run here, in the order and with the files
//! that were recorded.

use std::time::Instant;

use serde_json::Value;

use crate::support::binary::Home;

/// Three tasks in a row, whose names the language does not take as they are.
const INSTANCE: &str = r#"{
  "name": "three in a row", "schemaVersion": "1.5",
  "workflow": {
    "specification": {
      "tasks": [
        {"name": "first", "id": "first", "children": ["dir/second"],
         "inputFiles": ["given"], "outputFiles": ["made"]},
        {"name": "second", "id": "dir/second", "inputFiles": ["made"], "outputFiles": ["end"]},
        {"name": "third", "id": "third*", "parents": ["dir/second"], "inputFiles": ["made", "end"]}
      ],
      "files": [{"id": "given", "sizeInBytes": 5000}, {"id": "made", "sizeInBytes": 30000},
                {"id": "end", "sizeInBytes": 10}]
    },
    "execution": {"tasks": [
      {"id": "first", "runtimeInSeconds": 2, "command": {"program": "first"}},
      {"id": "dir/second", "runtimeInSeconds": 3, "coreCount": 2, "memoryInBytes": 1048576},
      {"id": "third*", "runtimeInSeconds": 0}
    ]}
  }
}"#;

fn statuses(home: &Home) -> Vec<(String, String)> {
    let run = home.json(&["get", "last"]);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let tasks = run["tasks"].as_array().expect("a list").iter();
    tasks.map(|task| (text(&task["name"]), text(&task["status"]))).collect()
}

#[test]
fn an_instance_runs_with_its_files() {
    let home = Home::new();
    home.write("instance.json", INSTANCE);
    let made = home.run(&[
        "import",
        "wfcommons",
        "instance.json",
        "--time-scale",
        "0.1",
        "--data",
        "--to",
        "w.yaml",
    ]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert_eq!(made.stdout, "w.yaml: 3 tasks. To run it: autoglm run w.yaml\n");
    assert_eq!(home.run(&["validate", "w.yaml"]).code, 0);
    let begun = Instant::now();
    let ran = home.run(&["run", "w.yaml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(begun.elapsed().as_millis() >= 500, "two of them sleep one after the other");
    let names = ["first", "dir_second", "third_"].map(|name| (name.to_owned(), "succeeded".into()));
    assert_eq!(statuses(&home), names);
    let size = |name: &str| {
        let path = home.folder().join("data/run-1").join(name);
        path.metadata().map(|file| file.len()).unwrap_or_default()
    };
    assert_eq!((size("f1"), size("f2"), size("f0")), (3_000, 1, 0));
    home.wait_until_quiet();
}

#[test]
fn a_busy_one_keeps_its_cores_at_work_and_leaves_nothing_running() {
    let home = Home::new();
    home.write("instance.json", INSTANCE);
    let made = home.run(&[
        "import",
        "wfcommons",
        "instance.json",
        "--time-scale",
        "0.1",
        "--work",
        "busy",
    ]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    home.write("w.yaml", &made.stdout);
    let ran = home.run(&["run", "w.yaml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // Times on cores stand in the facts: 0.2 s on one core and 0.3 s on two, less what the machine
    // gave to others.
    let exported = home.run(&["journal", "export"]);
    let facts = exported.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let ends = facts.flat_map(|fact: Value| fact["fact"]["ends"].as_array().cloned());
    let on_cores = ends.flatten().filter_map(|end| end["cpu_seconds"].as_f64());
    let on_cores: f64 = on_cores.sum();
    assert!(on_cores > 0.1, "{on_cores} s: {}", exported.stdout);
    let told = home.run(&["logs", "last"]);
    assert_eq!((told.code, told.stdout.as_str()), (0, ""), "{}", told.stderr);
    home.wait_until_quiet();
}

#[test]
fn what_is_no_instance_is_refused_with_its_place() {
    let home = Home::new();
    home.write(
        "instance.json",
        &INSTANCE.replace("\"runtimeInSeconds\": 3", "\"runtimeInSeconds\": -3"),
    );
    let refused = home.run(&["import", "wfcommons", "instance.json", "--to", "w.yaml"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (4, ""), "{}", refused.stderr);
    assert!(refused.stderr.starts_with("error[E0605]: -3 seconds are less than none"));
    assert!(refused.stderr.contains(" --> instance.json:16:48"), "{}", refused.stderr);
    assert!(!home.folder().join("w.yaml").exists());
    let refused = home.run(&["import", "wfcommons", "instance.json", "--time-scale", "0"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let missing = home.run(&["import", "wfcommons", "nowhere.json"]);
    assert_eq!(missing.code, 5, "{}", missing.stderr);
}

#[test]
fn a_plan_shows_what_the_compiler_makes_of_it() {
    let home = Home::new();
    home.write("instance.json", INSTANCE);
    let of_instance = home.json(&["plan", "instance.json", "--compile"]);
    assert_eq!(of_instance["before"]["form"], "CSR with u32");
    assert_eq!(of_instance["before"]["tasks"], 3);
    let chains = &of_instance["after"][0];
    assert_eq!((&chains["form"], &chains["tasks"]), (&"chains".into(), &1.into()));
    home.write("w.yaml", "tasks: {a: {script: x}, b: {script: x}, c: {script: y}}");
    let of_workflow = home.json(&["plan", "w.yaml", "--compile"]);
    assert_eq!(of_workflow["classes"][0]["names"], serde_json::json!([["a"], ["b"]]));
    let refused = home.run(&["plan", "instance.json", "--compile", "-p", "a=1"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
}
