//! Tasks that wait for somebody: whoever watches the run is told so, and how to answer.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::binary::Home;
use crate::support::{processes, wait};

const PATIENCE: Duration = Duration::from_secs(60);

const FLOW: &str = r#"
params: {target: production}
tasks:
  count: {script: 'echo rows=3 >> "$AUTOGLM_OUTPUT"'}
  gate:
    depends_on: count
    approval: "Release {{ tasks.count.outputs.rows }} rows to {{ params.target }}?"
  bell: {depends_on: gate, signal: {timeout: 1h}}
  pause: {depends_on: bell, wait: 1s}
"#;

/// Six tasks to say something to, and one that holds the run up meanwhile.
const GATES: &str = r#"
on_failure: continue
tasks:
  gate: {approval: go on?}
  door: {approval: go on?}
  last: {approval: go on?}
  bell: {signal: {timeout: 1h}}
  marked: {depends_on: last, script: "true"}
  passed: {depends_on: last, script: "true"}
  late: {depends_on: last, script: "true"}
"#;

#[test]
fn what_nobody_answers_in_time_says_so() {
    let home = Home::new();
    home.write("flow.yaml", "tasks: {bell: {signal: {timeout: 1s}}}\n");
    let ended = home.run(&["run", "flow.yaml"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("\n✗ bell: timed out\n"), "{}", ended.stderr);
    assert_eq!(home.json(&["explain", "1", "bell"])["summary"], "nobody answered it in time");
    home.wait_until_quiet();
}

#[test]
fn a_run_that_waits_says_for_what_and_how_to_answer() {
    let home = Home::new();
    home.write("flow.yaml", FLOW);
    let run = home.start(&["run", "flow.yaml"]);
    let says = |line: &str| {
        let lines = || run.said().lines().filter(|said| *said == line).count();
        wait::until(line, PATIENCE, || (lines() > 0).then_some(()));
        assert_eq!(lines(), 1, "{}", run.said());
    };
    says("? gate waits for an approval: Release … rows to production? (autoglm approve 1 gate)");
    let explained = home.json(&["explain", "1", "gate"]);
    assert_eq!(explained["summary"], "it waits for an approval");
    assert_eq!(home.run(&["approve", "1", "gate"]).code, 0);

    says("? bell waits for 1h for a signal (autoglm signal 1 bell)");
    let explained = home.json(&["explain", "1", "bell"]);
    let summary = explained["summary"].as_str().expect("a text");
    assert!(summary.starts_with("it waits for a signal, for 59m "), "{summary}");
    assert_eq!(home.run(&["signal", "1", "bell"]).code, 0);

    says("… pause waits for 1s");
    let ended = run.finish();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    home.wait_until_quiet();
}

/// Whoever said something to a run that nobody held has not to wait for its end.
#[test]
fn what_is_said_to_a_run_that_nobody_holds_returns_at_once_and_the_run_goes_on() {
    let home = Home::new();
    home.write("flow.yaml", GATES);
    let run = home.start(&["run", "flow.yaml"]);
    let waits = || run.said().contains("? gate waits for an approval").then_some(());
    wait::until("the approval", PATIENCE, waits);
    run.signal(Signal::KILL);
    run.finish();
    home.wait_until_quiet();

    for said in [
        &["approve", "1", "gate"][..],
        &["edit", "1", "late", "--set", "priority=80", "--yes"],
        &["mark", "1", "marked", "--as", "succeeded"],
        &["skip", "1", "passed"],
        &["signal", "1", "bell"],
        &["reject", "1", "door"],
    ] {
        let ended = home.run(said);
        assert_eq!(ended.code, 0, "{said:?}: {}", ended.stderr);
        let told = ended.stderr.contains("A background process goes on with run 1.\n");
        assert!(told, "{said:?}: {}", ended.stderr);
        assert!(home.is_held(), "{said:?}: the run goes on");
        let holder = home.holder();
        processes::signal(holder, Signal::KILL);
        home.wait_until_quiet();
    }
    let tasks = home.json(&["get", "1"])["tasks"].clone();
    let status = |name: &str| {
        let task = tasks.as_array().expect("tasks").iter().find(|task| task["name"] == name);
        task.expect("it is there")["status"].clone()
    };
    for (name, expected) in [
        ("gate", "succeeded"),
        ("marked", "succeeded"),
        ("passed", "skipped"),
        ("bell", "succeeded"),
        ("door", "failed"),
    ] {
        assert_eq!(status(name), expected, "{name}");
    }
    // The last word that the run waited for: it ends in the background.
    let ended = home.run(&["approve", "1", "last"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    home.wait_until_quiet();
    assert_eq!(home.json(&["get", "1"])["run"]["status"], "failed");
    let refused = home.run(&["approve", "1", "last"]);
    assert_eq!(refused.code, 6, "{}", refused.stderr);
    home.wait_until_quiet();
}
