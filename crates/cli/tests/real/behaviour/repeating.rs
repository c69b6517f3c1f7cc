//! The same file again: watched, resumed, refused or begun anew; and what did not succeed, retried.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::binary::Home;
use crate::support::wait;

const PATIENCE: Duration = Duration::from_secs(20);

/// Goes on when the file `go` is there.
const WAITS: &str = r#"
tasks:
  - name: waits
    script: |
      echo begun >> "$FOLDER/marks"
      until test -e "$FOLDER/go"; do sleep 0.02; done
  - {name: then, depends_on: waits, script: echo then >> "$FOLDER/marks"}
"#;

fn wait_for_marks(home: &Home, count: usize) {
    let there = || (home.lines("marks").len() >= count).then_some(());
    wait::until("the task has begun", PATIENCE, there);
}

#[test]
fn a_run_that_goes_on_is_watched() {
    let home = Home::new();
    let flow = home.write("flow.yaml", WAITS);
    let first = home.start(&["run", &flow]);
    wait_for_marks(&home, 1);
    let second = home.start(&["run", &flow]);
    let said = || second.said().contains("is going on").then_some(());
    wait::until("the second says that it watches", PATIENCE, said);

    let changed = home.write("flow.yaml", &WAITS.replace("echo then", "echo other"));
    let refused = home.run(&["run", &changed]);
    assert_eq!(refused.code, 6, "{}", refused.stderr);
    assert!(refused.stderr.contains("resume 1") && refused.stderr.contains("--new"));

    home.write("go", "");
    assert_eq!((first.finish().code, second.finish().code), (0, 0));
    assert_eq!(home.lines("marks"), ["begun", "then"], "there was one run");
    assert_eq!(home.json(&["list"])["runs"].as_array().map(Vec::len), Some(1));
    home.wait_until_quiet();
}

#[test]
fn whoever_watches_takes_over_from_a_holder_that_dies() {
    let home = Home::new();
    let flow = home.write("flow.yaml", WAITS);
    let first = home.start(&["run", &flow]);
    wait_for_marks(&home, 1);
    let second = home.start(&["run", &flow]);
    let said = || second.said().contains("is going on").then_some(());
    wait::until("the second says that it watches", PATIENCE, said);
    first.signal(Signal::KILL);
    first.finish();
    wait_for_marks(&home, 2);
    home.write("go", "");
    let finished = second.finish();
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert_eq!(home.lines("marks"), ["begun", "begun", "then"]);
    home.wait_until_quiet();
}

#[test]
fn a_changed_file_is_resumed_with_its_old_text() {
    let home = Home::new();
    let flow = home.write("flow.yaml", WAITS);
    let killed = home.start(&["run", &flow]);
    wait_for_marks(&home, 1);
    killed.signal(Signal::KILL);
    killed.finish();
    home.write("flow.yaml", &WAITS.replace("echo then", "echo other"));
    assert_eq!(home.run(&["run", &flow]).code, 6);
    home.write("go", "");
    let resumed = home.run(&["resume", "1"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    assert_eq!(home.lines("marks"), ["begun", "begun", "then"], "the old text");
    assert_eq!(home.run(&["run", &flow]).code, 0);
    assert_eq!(home.lines("marks").last().map(String::as_str), Some("other"), "the new one");
    assert_eq!(home.run(&["list", "-o", "name"]).stdout, "2\n1\n");
}

#[test]
fn new_begins_beside_the_old() {
    let home = Home::new();
    let flow = home.write("flow.yaml", WAITS);
    let first = home.start(&["run", &flow, "--detach"]).finish();
    let second = home.start(&["run", &flow, "--detach", "--new"]).finish();
    assert_eq!((first.stdout.as_str(), second.stdout.as_str()), ("1\n", "2\n"));
    wait_for_marks(&home, 2);
    home.write("go", "");
    home.wait_until_quiet();
    assert_eq!(
        home.json(&["list", "--status", "succeeded"])["runs"].as_array().map(Vec::len),
        Some(2)
    );
}

#[test]
fn an_idempotency_key_names_one_run() {
    let home = Home::new();
    let flow = home.write("flow.yaml", "tasks: [{name: a, script: 'true'}]\n");
    for _ in 0..3 {
        let arguments = ["run", &flow, "--new", "--idempotency-key", "k1", "-o", "name"];
        assert_eq!(home.run(&arguments).stdout, "1\n");
    }
}

#[test]
fn a_retry_runs_what_did_not_succeed_and_what_follows() {
    let home = Home::new();
    let flow = home.write(
        "flow.yaml",
        r#"
on_failure: continue
tasks:
  - {name: fine, script: echo fine >> "$FOLDER/marks"}
  - name: some
    foreach: [a, b, c]
    script: echo "{{ item }}" >> "$FOLDER/marks"; test "{{ item }}" != b || test -e "$FOLDER/go"
  - {name: last, depends_on: [fine, some], script: echo last >> "$FOLDER/marks"}
"#,
    );
    assert_eq!(home.run(&["run", &flow]).code, 1);
    let mut marks = home.lines("marks");
    marks.sort();
    assert_eq!(marks, ["a", "b", "c", "fine"]);
    let preview = home.json(&["retry", "1", "--preview"]);
    assert_eq!((&preview["tasks_total"], &preview["items_total"]), (&2.into(), &2.into()));
    home.write("go", "");
    let retried = home.run(&["retry", "1", "--failed", "--yes"]);
    assert_eq!(retried.code, 0, "{}", retried.stderr);
    assert_eq!(home.lines("marks")[4..], ["b", "last"]);
    // The plan comes first; then what has run, and nothing else.
    let (_, said) = retried.stderr.split_once("Run 1 runs again").expect("it says so");
    assert!(said.starts_with("; 1 task is kept as it ended.\n"), "{said}");
    let lines = said.lines().filter(|line| line.starts_with('✓'));
    let names: Vec<_> = lines.filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(names, ["some", "last"], "{said}");

    let again = home.run(&["retry", "1", "--from", "fine", "--yes"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(home.lines("marks")[6..], ["fine", "last"]);
    let detail = home.json(&["get", "1"]);
    assert_eq!(detail["run"]["status"], "succeeded");
    assert_eq!(detail["run"]["round"], 2);
}
