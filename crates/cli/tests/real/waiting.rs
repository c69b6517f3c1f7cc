//! Tasks that wait for somebody: whoever watches the run is told so, and how to answer.

use std::time::Duration;

use crate::support::binary::Home;
use crate::support::wait;

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
