//! Suspended with SIGSTOP for longer than every heartbeat is missed, those that tasks may have too,
//! and continued: nothing is lost, and nothing runs twice.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::binary::Home;
use crate::support::{journal, processes, wait};

/// Longer than a worker may be silent before it is suspected (3 s).
const SUSPENDED: Duration = Duration::from_secs(5);
/// How soon the run must have got somewhere.
const ON_WITHIN: Duration = Duration::from_secs(20);

const FLOW: &str = r#"
version: 1
tasks:
  - name: first
    foreach: {range: 30}
    heartbeat: 2s
    script: |
      printf '%s\n' "$AUTOGLM_ITEM" >> "$FOLDER/begun"
      sleep 0.2
      echo "n=1" > "$AUTOGLM_OUTPUT"
  - name: then
    depends_on: first
    script: test "$NUMBERS" = 30
    env: {NUMBERS: "{{ tasks.first.outputs.n | length }}"}
"#;

/// Runs the workflow, suspends these two or one of them in the middle, and checks the end.
fn suspended(holder: bool, supervisor: bool) {
    let home = Home::new();
    let flow = home.write("flow.yaml", FLOW);
    let running = home.start(&["run", &flow]);
    wait::until("some items have begun", ON_WITHIN, || {
        (home.lines("begun").len() >= 6).then_some(())
    });
    let mut victims = Vec::new();
    if holder {
        victims.push(running.pid());
    }
    if supervisor {
        let found = processes::supervisors(home.state());
        victims.push(found.first().expect("there is one").pid);
    }
    for &pid in &victims {
        processes::signal(pid, Signal::STOP);
    }
    // The time itself is what is tested here.
    std::thread::sleep(SUSPENDED);
    for &pid in &victims {
        processes::signal(pid, Signal::CONT);
    }
    let finished = running.finish();
    assert_eq!(finished.code, 0, "{}", finished.stderr);

    let mut begun = home.lines("begun");
    begun.sort_by_key(|line| line.parse::<u32>().expect("a number"));
    let once: Vec<_> = (0..30).map(|item| item.to_string()).collect();
    assert_eq!(begun, once, "each item has begun once");
    let detail = home.json(&["get", "last"]);
    let tasks = detail["tasks"].as_array().expect("a list");
    let sum = |field: &str| tasks.iter().filter_map(|task| task[field].as_u64()).sum::<u64>();
    assert_eq!((sum("attempts"), sum("losses")), (31, 0));
    assert_eq!(detail["run"]["items"], serde_json::json!({ "succeeded": 31 }));
    let facts = journal::facts(&home);
    let is_once = |kind: &str| facts.iter().filter(|fact| fact.kind == kind).count() == 1;
    assert!(is_once("leader_started") && is_once("worker_joined"), "nobody took over");
    assert!(journal::ends(&facts).iter().all(|end| end.outcome == "succeeded"));
    journal::verify(&home);
}

#[test]
fn a_suspended_holder_goes_on() {
    suspended(true, false);
}

#[test]
fn a_suspended_supervisor_goes_on() {
    suspended(false, true);
}

#[test]
fn both_suspended_go_on() {
    suspended(true, true);
}

#[test]
fn others_are_told_that_the_holder_does_not_answer() {
    let home = Home::new();
    let flow = home.write("flow.yaml", FLOW);
    let running = home.start(&["run", &flow]);
    wait::until("some items have begun", ON_WITHIN, || {
        (home.lines("begun").len() >= 2).then_some(())
    });
    running.signal(Signal::STOP);
    let asked = home.run(&["list", "-o", "json"]);
    running.signal(Signal::CONT);
    assert_eq!(asked.code, 75, "{}", asked.stderr);
    let error: Value = serde_json::from_str(&asked.stderr).expect("JSON");
    assert_eq!(error["error"]["exit"], 75);
    assert_eq!(running.finish().code, 0);
}
