//! What tasks wrote is found again: after a kill, and never in the place of another's.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::binary::Home;
use crate::support::{processes, wait};

const PATIENCE: Duration = Duration::from_secs(30);

/// The first attempt writes and waits to be killed; the second one ends.
const FLOW: &str = r#"
version: 1
tasks:
  - name: work
    foreach: {range: 2}
    script: |
      echo "attempt $AUTOGLM_ATTEMPT of item $AUTOGLM_ITEM"
      test "$AUTOGLM_ATTEMPT" = 2 || sleep 600
"#;

const OTHER: &str = "tasks: [{name: other, script: 'echo something else'}]\n";

fn logs(home: &Home, arguments: &[&str]) -> Vec<String> {
    let shown = home.run(&[&["logs"], arguments].concat());
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let mut lines: Vec<_> = shown.stdout.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Waits until what the first attempts wrote is shown.
fn wait_for_first(home: &Home) {
    let so_far = ["work[0] | attempt 1 of item 0", "work[1] | attempt 1 of item 1"];
    wait::until("what the first attempts wrote is shown", PATIENCE, || {
        let shown = home.run(&["logs", "1"]);
        let mut lines: Vec<_> = shown.stdout.lines().collect();
        lines.sort_unstable();
        (lines == so_far).then_some(())
    });
}

#[test]
fn what_a_lost_attempt_wrote_is_shown() {
    let home = Home::new();
    let flow = home.write("flow.yaml", FLOW);
    let running = home.start(&["run", &flow]);
    let first = [
        "work[0] | attempt 1 of item 0",
        "work[0] | autoglm: the attempt was lost here",
        "work[1] | attempt 1 of item 1",
        "work[1] | autoglm: the attempt was lost here",
    ];
    wait_for_first(&home);
    running.signal(Signal::KILL);
    running.finish();
    home.wait_until_quiet();

    assert_eq!(logs(&home, &["1"]), first, "nobody goes on with them yet");
    let followed = home.run(&["logs", "1", "-f"]);
    assert!(followed.stderr.contains("autoglm resume 1"), "{}", followed.stderr);
    let item = logs(&home, &["1", "work", "--item", "1", "--tail", "1"]);
    assert_eq!(item, ["attempt 1 of item 1", "autoglm: the attempt was lost here"]);

    assert_eq!(home.run(&["run", &flow]).code, 0);
    let last = ["work[0] | attempt 2 of item 0", "work[1] | attempt 2 of item 1"];
    assert_eq!(logs(&home, &["1"]), last);
    assert_eq!(logs(&home, &["1", "--attempt", "1"]), first);
    home.wait_until_quiet();
}

#[test]
fn what_was_lost_with_its_supervisor_is_shown() {
    let home = Home::new();
    let flow = home.write("flow.yaml", FLOW);
    let running = home.start(&["run", &flow]);
    wait_for_first(&home);
    for supervisor in processes::supervisors(home.state()) {
        processes::signal(supervisor.pid, Signal::KILL);
    }
    let finished = running.finish();
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let first = logs(&home, &["1", "work", "--attempt", "1", "--item", "0"]);
    assert_eq!(first, ["attempt 1 of item 0", "autoglm: the attempt was lost here"]);
    home.wait_until_quiet();
}

/// Fails until there is a file `ok`, and writes more each time.
const AGAIN: &str = r#"
tasks:
  work: {script: 'echo x >> marks; echo "try $(wc -l < marks)"; test -e ok', retry: 1}
  turn:
    script: 'echo "turn {{ round }}"; echo "n={{ round }}" >> "$AUTOGLM_OUTPUT"'
    until: tasks.turn.outputs.n >= 3
"#;

#[test]
fn what_was_written_before_a_retry_by_hand_is_shown_by_its_round() {
    let home = Home::new();
    let flow = home.write("flow.yaml", AGAIN);
    assert_eq!(home.run(&["run", &flow]).code, 1);
    home.write("ok", "");
    assert_eq!(home.run(&["retry", "1", "--yes"]).code, 0);
    home.wait_until_quiet();
    let shown = |arguments: &[&str]| home.run(&[&["logs", "1"], arguments].concat()).stdout;
    assert_eq!(shown(&["work"]), "try 3\n");
    assert_eq!(shown(&["work", "--attempt", "1"]), "try 3\n");
    assert_eq!(shown(&["work", "--round", "1"]), "try 2\n", "the last attempt of that round");
    assert_eq!(shown(&["work", "--round", "1", "--attempt", "1"]), "try 1\n");
    assert_eq!(shown(&["work", "--round", "2"]), "try 3\n");
    let all = "── round 1, attempt 1 ──\ntry 1\n── round 1, attempt 2 ──\ntry 2\n\
               ── round 2, attempt 1 ──\ntry 3\n";
    assert_eq!(shown(&["work", "--all"]), all);
    let none = home.run(&["logs", "1", "work", "--round", "3"]);
    assert_eq!(none.code, 5, "{}", none.stderr);
    assert!(
        none.stderr.contains("there is no round 3: there have been 2 so far"),
        "{}",
        none.stderr
    );

    let turns = "turn 1\n── round 2, attempt 1 ──\nturn 2\n── round 3, attempt 1 ──\nturn 3\n";
    assert_eq!(shown(&["turn"]), turns);
    assert_eq!(shown(&["turn", "--attempt", "1"]), turns);
    assert_eq!(shown(&["turn", "--round", "2"]), "turn 2\n");
    let lines = shown(&["turn", "-o", "jsonl"]);
    let rounds = lines.lines().map(|line| {
        let chunk: serde_json::Value = serde_json::from_str(line).expect("JSON");
        chunk["round"].as_u64().expect("a number")
    });
    assert_eq!(rounds.collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn output_that_was_deleted_is_gone_and_not_anothers() {
    let home = Home::new();
    let flow = home.write("flow.yaml", OTHER);
    assert_eq!(home.run(&["run", &flow]).code, 0);
    home.wait_until_quiet();
    assert_eq!(logs(&home, &["1"]), ["other | something else"]);
    fs::remove_dir_all(home.state().join("logs")).expect("deleted");
    let gone = "other | the output is gone: 00000000.log is no longer there";
    assert_eq!(logs(&home, &["1"]), [gone]);
    assert_eq!(home.run(&["run", &flow]).code, 0);
    home.wait_until_quiet();
    assert_eq!(logs(&home, &["2"]), ["other | something else"]);
    let gone = "other | the output is gone: 00000000.log holds that of another attempt now";
    assert_eq!(logs(&home, &["1"]), [gone]);
}

#[test]
fn events_tell_a_run_from_its_beginning_to_its_end() {
    let home = Home::new();
    let flow = home.write("flow.yaml", OTHER);
    assert_eq!(home.run(&["run", &flow]).code, 0);
    let lines = |arguments: &[&str]| {
        let shown = home.run(&[&["events"], arguments].concat());
        assert_eq!(shown.code, 0, "{}", shown.stderr);
        shown.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let table = lines(&["last", "-f"]);
    assert!(table[0].starts_with("TIME"), "{table:#?}");
    assert!(table[1].contains("run 1 of flow was accepted"), "{table:#?}");
    assert!(table[table.len() - 1].ends_with("the run has ended: succeeded"), "{table:#?}");
    let numbers = lines(&["1", "-o", "name"]);
    assert_eq!(numbers.len(), table.len() - 1);
    let rest = lines(&["1", "--after", &numbers[numbers.len() - 2], "-o", "jsonl"]);
    assert_eq!(rest.len(), 1);
    assert!(rest[0].contains(r#""kind":"run_ended""#), "{rest:?}");
}

#[test]
fn an_artifact_that_finds_no_place_says_why() {
    let home = Home::new();
    let text = "tasks:\n  \
        - {name: a, artifacts: {out: {r: x}}, script: 'echo 1 > x'}\n  \
        - {name: c, artifacts: {out: {r: y}}, script: 'echo 2 > y'}\n  \
        - {name: b, depends_on: [a, c], script: 'true', \
        artifacts: {in: [{from: a/r, to: p}, {from: c/r, to: p}]}}\n";
    let flow = home.write("flow.yaml", text);
    assert_eq!(home.run(&["run", &flow]).code, 1);
    let shown = home.run(&["explain", "1", "b"]);
    for told in ["it could not be prepared", "`a/r` and `c/r` would both be put at p"] {
        assert!(shown.stdout.contains(told), "{}", shown.stdout);
    }
}
