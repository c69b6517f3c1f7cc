//! How a run is ended before it is done: by Ctrl-C, by `stop`, by `terminate`.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::binary::{Home, Running};
use crate::support::{processes, wait};

const PATIENCE: Duration = Duration::from_secs(20);

/// A task that takes long, ends when it is asked to, and is followed by handlers.
const FLOW: &str = r#"
tasks:
  - name: long
    script: |
      trap 'echo asked >> "$FOLDER/marks"; exit 1' TERM
      echo begun >> "$FOLDER/marks"
      while true; do sleep 0.05; done
  - {name: after, depends_on: long, script: echo after >> "$FOLDER/marks"}
  - {name: tidy, on: cancel, script: echo cancelled >> "$FOLDER/marks"}
  - {name: always, on: exit, script: echo over >> "$FOLDER/marks"}
  - {name: never, on: success, script: echo success >> "$FOLDER/marks"}
"#;

fn begin(home: &Home, how: &[&str]) -> Running {
    let flow = home.write("flow.yaml", FLOW);
    let running = home.start(&[&["run", &flow], how].concat());
    let begun = || home.lines("marks").contains(&"begun".to_owned()).then_some(());
    wait::until("the task has begun", PATIENCE, begun);
    running
}

/// The task was asked to end, and the handlers ran.
fn check_stopped(home: &Home) {
    let mut marks = home.lines("marks");
    marks.sort();
    assert_eq!(marks, ["asked", "begun", "cancelled", "over"]);
    assert_eq!(home.json(&["get", "1"])["run"]["status"], "cancelled");
    home.wait_until_quiet();
}

/// The task was killed, and nothing ran after it.
fn check_terminated(home: &Home) {
    assert_eq!(home.lines("marks"), ["begun"]);
    assert_eq!(home.json(&["get", "1"])["run"]["status"], "cancelled");
    home.wait_until_quiet();
}

#[test]
fn one_interrupt_stops_and_handlers_run() {
    let home = Home::new();
    let running = begin(&home, &[]);
    running.signal(Signal::INT);
    let finished = running.finish();
    assert_eq!(finished.code, 130, "{}", finished.stderr);
    check_stopped(&home);
}

#[test]
fn two_interrupts_terminate() {
    let home = Home::new();
    let flow = FLOW.replace("; exit 1' TERM", "' TERM").replace("asked", "deaf");
    // The shell hears it too late for its child, which ends.
    let flow = flow.replace("sleep 0.05", "sleep 0.05 || true");
    let flow = home.write("flow.yaml", &flow);
    let running = home.start(&["run", &flow]);
    wait::until("it has begun", PATIENCE, || (!home.lines("marks").is_empty()).then_some(()));
    running.signal(Signal::INT);
    wait::until("it hears", PATIENCE, || (home.lines("marks").len() > 1).then_some(()));
    running.signal(Signal::INT);
    let finished = running.finish_within(Duration::from_secs(8));
    assert_eq!(finished.code, 130, "{}", finished.stderr);
    assert_eq!(home.lines("marks"), ["begun", "deaf"], "no handler runs");
    home.wait_until_quiet();
}

#[test]
fn stop_is_graceful() {
    let home = Home::new();
    let running = begin(&home, &[]);
    let stopped = home.run(&["stop", "last", "--wait"]);
    assert_eq!(stopped.code, 3, "{}", stopped.stderr);
    assert_eq!(running.finish().code, 3, "it was not the one who ended it");
    check_stopped(&home);
}

#[test]
fn terminate_is_not() {
    let home = Home::new();
    let running = begin(&home, &[]);
    let terminated = home.run(&["terminate", "1", "--wait"]);
    assert_eq!(terminated.code, 3, "{}", terminated.stderr);
    assert_eq!(running.finish().code, 3);
    check_terminated(&home);
}

#[test]
fn what_was_left_by_a_kill_can_be_stopped() {
    let home = Home::new();
    let running = begin(&home, &[]);
    running.signal(Signal::KILL);
    running.finish();
    wait::until_gone("its task", PATIENCE, || processes::of_tasks(home.state()));
    let stopped = home.run(&["stop", "1", "--wait"]);
    assert_eq!(stopped.code, 3, "{}", stopped.stderr);
    assert!(home.lines("marks").contains(&"cancelled".to_owned()), "{:?}", home.lines("marks"));
    assert!(!home.lines("marks").contains(&"after".to_owned()));
    assert_eq!(home.json(&["get", "1"])["run"]["status"], "cancelled");
    home.wait_until_quiet();
}

#[test]
fn a_detached_holder_ends_by_itself() {
    let home = Home::new();
    let running = begin(&home, &["--detach"]);
    let finished = running.finish();
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "1\n"), "{}", finished.stderr);
    assert!(home.is_held(), "the holder outlives the command");
    let listed = home.json(&["list", "--status", "running"]);
    assert_eq!(listed["runs"][0]["run"], 1);
    assert_eq!(home.run(&["stop", "1", "--wait"]).code, 3);
    // Nobody tells it to end.
    check_stopped(&home);
}
