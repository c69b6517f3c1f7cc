//! Nodes that are made up: one machine runs what several described ones are given.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::support::binary::Home;
use crate::support::wait;

const NODES: &str = "nodes:\n\
    \x20 - {name: big, count: 2, cpu: 64, memory: 1Ti, gpus: {type: A100, count: 2}}\n\
    \x20 - {name: slow, cpu: 2, memory: 4Gi, speed: 0.5, labels: {disk: hdd}}\n";

/// Twelve items of 32 cores and a task on the slow node, each of which writes what it was told.
const FLOW: &str = r#"
tasks:
  wide:
    foreach: {range: 12}
    resources: {cpu: 32, gpu: 1}
    script: |
      echo "$AUTOGLM_NODE $AUTOGLM_NODE_SPEED $AUTOGLM_GPUS [$CUDA_VISIBLE_DEVICES]" >> told
      sleep 0.3
  slow:
    select: {disk: hdd}
    script: echo "$AUTOGLM_NODE $AUTOGLM_NODE_SPEED" > slow
"#;

fn lines(home: &Home, file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(home.folder().join(file)).expect("it was written");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn tasks_go_to_nodes_that_are_made_up_and_are_told_where_they_are() {
    let home = Home::new();
    home.write("nodes.yaml", NODES);
    home.write("flow.yaml", FLOW);
    let ran = home.run(&["run", "flow.yaml", "--cluster", "nodes.yaml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(lines(&home, "slow"), ["slow 0.5"]);
    let mut places = BTreeMap::<String, u32>::new();
    for line in lines(&home, "told") {
        let words: Vec<&str> = line.split(' ').collect();
        let [node, "1", gpu, "[]"] = words[..] else { panic!("{line}") };
        *places.entry(format!("{node} {gpu}")).or_default() += 1;
    }
    let places: BTreeSet<&str> = places.keys().map(String::as_str).collect();
    // A GPU each, and none that the machine has.
    assert_eq!(
        places,
        BTreeSet::from(["big-1 gpu-0", "big-1 gpu-1", "big-2 gpu-0", "big-2 gpu-1"])
    );
    assert!(home.run(&["logs", "last"]).code == 0, "the output of all is in one place");
    home.wait_until_quiet();
}

#[test]
fn what_fits_none_of_them_is_refused_before_anything_is_there() {
    let home = Home::new();
    home.write("nodes.yaml", NODES);
    home.write("flow.yaml", "tasks: {a: {script: 'true', resources: {cpu: 65}}}\n");
    let refused = home.run(&["run", "flow.yaml", "--cluster", "nodes.yaml"]);
    assert_eq!(refused.code, 4);
    assert!(refused.stderr.contains("E0170"), "{}", refused.stderr);
    let mixed = home.run(&["run", "flow.yaml", "--cluster", "nodes.yaml", "--cpu", "2"]);
    assert_eq!(mixed.code, 2);
    assert!(mixed.stderr.contains("cannot be used with '--c"), "{}", mixed.stderr);
    home.write("nodes.yaml", "nodes: [{name: a, cpu: 1}]\n");
    let wrong = home.run(&["run", "flow.yaml", "--cluster", "nodes.yaml"]);
    assert_eq!(wrong.code, 4);
    assert!(wrong.stderr.contains("this node has no `memory`"), "{}", wrong.stderr);
}

#[test]
fn they_live_as_long_as_their_holder_and_are_added_to_nobody_elses() {
    const PATIENCE: Duration = Duration::from_secs(30);
    let home = Home::new();
    home.write("nodes.yaml", NODES);
    home.write("flow.yaml", "tasks: {a: {script: 'echo $AUTOGLM_NODE > told; sleep 600'}}\n");
    home.write("other.yaml", "tasks: {a: {script: 'true'}}\n");
    let detached = home.run(&["run", "flow.yaml", "--cluster", "nodes.yaml", "--detach"]);
    assert_eq!(detached.code, 0, "{}", detached.stderr);
    wait::until("it has begun", PATIENCE, || {
        home.folder().join("told").metadata().is_ok_and(|file| file.len() > 0).then_some(())
    });
    assert_eq!(lines(&home, "told"), ["big-1"]);
    let refused = home.run(&["run", "other.yaml", "--cluster", "nodes.yaml"]);
    assert_eq!(refused.code, 75);
    assert!(refused.stderr.contains("E0504"), "{}", refused.stderr);
    assert!(refused.stderr.contains("leave --cluster out"), "{}", refused.stderr);
    assert_eq!(home.run(&["run", "other.yaml"]).code, 0, "its nodes take it");
    home.run(&["terminate", "1"]);
    home.wait_until_quiet();
}
