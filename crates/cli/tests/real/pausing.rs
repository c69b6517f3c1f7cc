//! Runs that are paused by hand, and what all runs share as `get` shows it: breakers and budgets,
//! in text and in JSON, also where there are none. Nothing here may be known by waiting a while.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::binary::{Finished, Home};
use crate::support::{processes, wait};

const PATIENCE: Duration = Duration::from_secs(60);
/// The code of problems with a run that is not there, and that of one that has ended.
const NO_SUCH_RUN: (i32, &str) = (5, "E0202");
const RUN_ENDED: (i32, &str) = (6, "E0205");

/// Each item of `work` notes that it has begun, and ends when there is a file `go`.
const FLOW: &str = r#"
tasks:
  work:
    foreach: {range: 4}
    script: 'echo "$AUTOGLM_ITEM" >> begun; while ! test -e go; do sleep 0.05; done'
  then: {depends_on: work, script: 'echo then >> begun'}
"#;

/// What takes long enough for others to begin, if they may.
const OTHER: &str = "tasks: {a: {script: sleep 0.2}, b: {depends_on: a, script: sleep 0.2}}\n";

/// A budget of which two of three are spent, and a breaker that one failure opens.
const SHARED: &str = r#"
rates: {calls: 3/h}
breakers: {service: {failures: 1, open: 1h}}
tasks:
  call: {foreach: {range: 2}, rate: calls, script: 'true'}
  ask: {breaker: service, retry: {limit: 3, backoff: 10ms}, script: exit 7}
"#;

/// How a command is refused that prints for people, and one that prints for programs.
fn assert_refused(home: &Home, arguments: &[&str], (exit, code): (i32, &str)) {
    let ended = home.run(arguments);
    assert_eq!(ended.code, exit, "{arguments:?}: {}", ended.stderr);
    assert!(ended.stderr.starts_with(&format!("error[{code}]: ")), "{}", ended.stderr);
    assert_eq!(ended.stdout, "", "{arguments:?}");
    let ended = home.run(&[arguments, &["-o", "json"]].concat());
    assert_eq!(ended.code, exit, "{arguments:?}: {}", ended.stderr);
    let told: Value = serde_json::from_str(&ended.stderr).expect("JSON");
    assert_eq!((&told["error"]["code"], &told["error"]["exit"]), (&json!(code), &json!(exit)));
}

fn good(home: &Home, arguments: &[&str]) -> Finished {
    let ended = home.run(arguments);
    assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.stderr);
    ended
}

fn status(home: &Home) -> Value {
    let run = home.json(&["get", "1"])["run"].clone();
    json!([run["status"], run["paused"]])
}

fn begun(home: &Home, count: usize) {
    wait::until("so much has begun", PATIENCE, || {
        (home.lines("begun").len() >= count).then_some(())
    });
}

#[test]
fn where_there_is_nothing_it_is_said_and_nothing_is_made() {
    let home = Home::new();
    for (what, said) in [
        ("breakers", "No run that has not ended keeps to a circuit breaker.\n"),
        ("budgets", "No run that has not ended spends of a rate.\n"),
    ] {
        let ended = good(&home, &["get", what]);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", said));
        assert_eq!(home.json(&["get", what]), json!({what: []}));
        assert_eq!(good(&home, &["get", what, "-o", "jsonl"]).stdout, "");
        assert_eq!(good(&home, &["get", what, "-o", "name"]).stdout, "");
    }
    for arguments in [&["pause", "1"][..], &["pause", "last"], &["resume", "1"], &["resume"]] {
        assert_refused(&home, arguments, NO_SUCH_RUN);
    }
    assert!(!home.state().exists(), "whoever only asks makes no state");

    home.write("flow.yaml", "tasks: {a: {script: 'true'}}\n");
    good(&home, &["run", "flow.yaml"]);
    assert_eq!(home.json(&["get", "breakers"]), json!({"breakers": []}));
    assert_eq!(home.json(&["get", "budgets"]), json!({"budgets": []}));
    assert_refused(&home, &["pause", "2"], NO_SUCH_RUN);
    assert_refused(&home, &["resume", "2"], NO_SUCH_RUN);
    assert_refused(&home, &["pause", "1"], RUN_ENDED);
    assert_refused(&home, &["resume", "1"], RUN_ENDED);
    let wrong = home.run(&["pause", "first"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    home.wait_until_quiet();
}

#[test]
fn a_paused_run_ends_what_runs_and_starts_nothing_until_it_is_resumed() {
    let home = Home::new();
    home.write("flow.yaml", FLOW);
    let run = home.start(&["run", "flow.yaml"]);
    begun(&home, 2);
    let paused = "Run 1 (flow) is paused: autoglm resume 1 goes on.\n";
    assert_eq!(good(&home, &["pause", "1"]).stderr, paused);
    // Whoever pauses it again hears the same.
    assert_eq!(good(&home, &["pause", "last"]).stderr, paused);
    let told = home.json(&["pause", "1"]);
    assert_eq!([&told["status"], &told["paused"]], [&json!("paused"), &json!("asked")]);
    assert_eq!(good(&home, &["pause", "1", "-o", "name"]).stdout, "1\n");
    wait::until("whoever watches is told", PATIENCE, || {
        run.said()
            .contains("Run 1 is paused: nothing more of it starts (autoglm resume 1)\n")
            .then_some(())
    });

    home.write("go", "");
    let succeeded = || {
        let work = &home.json(&["get", "1"])["tasks"][0];
        (work["items"] == json!({"ready": 2, "succeeded": 2})).then_some(())
    };
    wait::until("what ran has ended", PATIENCE, succeeded);
    assert_eq!(status(&home), json!(["paused", "asked"]));
    let explained = home.json(&["explain", "1", "work", "--item", "2"]);
    assert_eq!(explained["blockers"][0]["kind"], "paused");
    assert_eq!(explained["unblock"], "`autoglm resume 1`");
    let text = good(&home, &["get", "1"]).stdout;
    assert!(text.starts_with("Run 1 of flow: paused (asked) for "), "{text}");
    assert_eq!(home.lines("begun").len(), 2, "nothing more has begun");

    let resumed = home.start(&["resume", "1"]);
    assert_eq!(resumed.finish().code, 0);
    assert_eq!(run.finish().code, 0);
    assert_eq!(home.lines("begun").len(), 5);
    home.wait_until_quiet();
}

#[test]
fn a_pause_survives_a_kill() {
    let home = Home::new();
    home.write("other.yaml", OTHER);
    home.write("flow.yaml", FLOW);
    let run = home.start(&["run", "flow.yaml"]);
    begun(&home, 2);
    good(&home, &["pause", "1"]);
    processes::signal(home.holder(), Signal::KILL);
    run.finish();
    home.wait_until_quiet();
    assert_eq!(status(&home), json!(["paused", "asked"]), "nobody holds it");

    home.write("go", "");
    let again = home.start(&["run", "flow.yaml"]);
    wait::until("whoever goes on is told", PATIENCE, || {
        again.said().contains("Run 1 is paused: nothing more of it starts").then_some(())
    });
    // What the dead worker had is lost, and is given back to nobody.
    let lost = || {
        let work = &home.json(&["get", "1"])["tasks"][0];
        (work["losses"] == json!(2)).then_some(())
    };
    wait::until("the losses are known", PATIENCE, lost);
    // The worker is there, and has room: another run passes this one by.
    good(&home, &["run", "other.yaml"]);
    assert_eq!(status(&home), json!(["paused", "asked"]));
    assert_eq!(home.lines("begun").len(), 2);
    good(&home, &["resume", "1", "--detach"]);
    let ended = again.finish();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(home.lines("begun").len(), 2 + 4 + 1, "two were begun twice");
    home.wait_until_quiet();
}

#[test]
fn what_is_shared_is_shown_in_words_and_in_numbers() {
    let home = Home::new();
    home.write("flow.yaml", SHARED);
    let run = home.start(&["run", "flow.yaml"]);
    let open = || home.json(&["get", "breakers"])["breakers"][0]["state"] == "open";
    wait::until("it is open", PATIENCE, || open().then_some(()));
    let shown = home.json(&["get", "breakers"])["breakers"].clone();
    assert_eq!(shown.as_array().expect("a list").len(), 1);
    let breaker = &shown[0];
    for (key, value) in [
        ("name", json!("service")),
        ("failures", json!(1)),
        ("last", json!("exit 7")),
        ("openings", json!(1)),
        ("trials", json!(0)),
    ] {
        assert_eq!(breaker[key], value, "{key}");
    }
    assert!(breaker["until"].as_str().expect("a time").ends_with('Z'), "{breaker}");
    let text = good(&home, &["get", "breakers"]).stdout;
    let mut lines = text.lines();
    let head = "BREAKER  STATE  OPEN FOR  FAILURES  TRIALS  LAST FAILURE";
    assert_eq!(lines.next(), Some(head));
    let words: Vec<&str> = lines.next().expect("a line").split_whitespace().collect();
    assert_eq!((words[0], words[1], words[2]), ("service", "open", "59m"), "{text}");
    assert_eq!(words[4..], ["1", "0", "exit", "7"], "{text}");
    assert_eq!(good(&home, &["get", "breakers", "-o", "name"]).stdout, "service\n");

    let call = || home.json(&["get", "1"])["tasks"][0]["status"] == "succeeded";
    wait::until("both have spent", PATIENCE, || call().then_some(()));
    let shown = home.json(&["get", "budgets"])["budgets"].clone();
    assert_eq!(shown.as_array().expect("a list").len(), 1);
    let budget = &shown[0];
    for (key, value) in [
        ("name", json!("calls")),
        ("unit", json!("attempts")),
        ("limit", json!(3)),
        ("per_seconds", json!(3_600.0)),
        ("available", json!(1)),
    ] {
        assert_eq!(budget[key], value, "{key}");
    }
    let full_in = budget["full_in_seconds"].as_f64().expect("a number");
    assert!((2_300.0..=2_400.0).contains(&full_in), "{budget}");
    let text = good(&home, &["get", "budgets"]).stdout;
    let words: Vec<&str> = text.lines().nth(1).expect("a line").split_whitespace().collect();
    assert_eq!(words[..6], ["calls", "1", "3", "attempts", "1h", "0m"], "{text}");
    assert_eq!(good(&home, &["get", "budgets", "-o", "name"]).stdout, "calls\n");
    let line = good(&home, &["get", "budgets", "-o", "jsonl"]).stdout;
    assert_eq!(line.lines().count(), 1, "{line}");

    assert_eq!(home.run(&["terminate", "1"]).code, 0);
    run.finish();
    home.wait_until_quiet();
    // Nobody spends of it any more; what is open stays so.
    assert_eq!(home.json(&["get", "budgets"]), json!({"budgets": []}));
    assert_eq!(home.json(&["get", "breakers"])["breakers"][0]["state"], "open");
}
