//! The real binary against a holder that plays its part: what it prints where, what it asks for,
//! and how it ends.

mod devices;
mod fake;
mod simulating;
mod workflow_tests;

use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

use fake::{Fake, Play};
use model::RunStatus;
use protocol::api::StopMode;

const FLOW: &str = "tasks:\n  - {name: split, script: 'true'}\n";

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

#[test]
fn a_run_that_fails_shows_why_and_ends_with_one() {
    let fake = Fake::serve(Play::Ends(RunStatus::Failed));
    fake.workflow(FLOW);
    let output = fake.run(&["run", "flow.yaml", "-e", "A=b"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "", "nothing but the machine's result goes there");
    insta::assert_snapshot!(stderr(&output), @r"
    Run 7 of flow is going on: watching it.
    ✓ split 20ms
    ✗ train 2/2 exit 3

    ✗ train: 2 of 2 items failed; the last of them: exit 3
        Traceback:
        ValueError: 3
      All that it wrote: autoglm logs 7 train --item 4

    Run 7 (flow) failed in 1.5s: 1 succeeded, 1 failed
    What did not succeed can run again: autoglm retry 7
    ");
    let requests = fake.requests();
    assert!(requests[0].starts_with(r#"submit {} {"A": "b"} new=false"#), "{requests:?}");
    let tail = "/api/v1/runs/7/logs?task=train&item=4&follow=false&tail=10";
    assert!(requests.iter().any(|request| request == tail), "{requests:?}");
}

#[test]
fn a_run_that_succeeds_ends_with_zero_and_its_result() {
    let fake = Fake::serve(Play::Ends(RunStatus::Succeeded));
    fake.workflow(FLOW);
    let output = fake.run(&["run", "flow.yaml", "-o", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let result: serde_json::Value = serde_json::from_str(stdout(&output)).expect("JSON");
    assert_eq!(result["run"]["status"], "succeeded");
}

#[test]
fn a_cancelled_run_is_neither() {
    let fake = Fake::serve(Play::Ends(RunStatus::Cancelled));
    fake.workflow(FLOW);
    assert_eq!(fake.run(&["run", "flow.yaml"]).status.code(), Some(3));
}

#[test]
fn detached_is_accepted_and_left() {
    let fake = Fake::serve(Play::UntilEnded(StopMode::Stop));
    fake.workflow(FLOW);
    let output = fake.run(&["run", "flow.yaml", "--detach"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), "7\n"));
}

#[test]
fn a_changed_file_is_a_conflict_with_two_ways_out() {
    let fake = Fake::serve(Play::Changed);
    fake.workflow(FLOW);
    let output = fake.run(&["run", "flow.yaml"]);
    assert_eq!(output.status.code(), Some(6));
    let said = stderr(&output);
    assert!(said.starts_with("error[E0204]: run 7 of this file has not ended"), "{said}");
    assert!(said.contains("`autoglm resume 7`"), "{said}");
    assert!(said.contains("`autoglm run flow.yaml --new`"), "{said}");
    let output = fake.run(&["run", "flow.yaml", "--new", "--detach"]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_bad_file_is_refused_before_anything_is_asked() {
    let fake = Fake::serve(Play::Ends(RunStatus::Succeeded));
    fake.workflow("tasks:\n  - {name: a, scirpt: 'true'}\n");
    let output = fake.run(&["run", "flow.yaml"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("did you mean `script`?"), "{}", stderr(&output));
    assert_eq!(fake.requests(), Vec::<String>::new());
}

/// Presses Ctrl-C each time the command has said the next of `after`, and returns how it ended.
fn interrupted(fake: &Fake, after: &[&str]) -> (Option<i32>, String) {
    fake.workflow(FLOW);
    let mut child = fake
        .command(&["run", "flow.yaml"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let pid = rustix::process::Pid::from_child(&child);
    let lines = BufReader::new(child.stderr.take().expect("it was asked for")).lines();
    let mut said = String::new();
    let mut after = after.iter().peekable();
    for line in lines {
        let line = line.expect("text");
        if after.next_if(|start| line.starts_with(**start)).is_some() {
            rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("sent");
        }
        said.push_str(&line);
        said.push('\n');
    }
    (child.wait().expect("it ends").code(), said)
}

#[test]
fn one_interrupt_stops() {
    let fake = Fake::serve(Play::UntilEnded(StopMode::Stop));
    let (code, said) = interrupted(&fake, &["Run 7"]);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("Stopping:") && said.contains("cancelled"), "{said}");
    assert!(fake.requests().contains(&"stop Stop".to_owned()));
}

#[test]
fn two_interrupts_terminate() {
    let fake = Fake::serve(Play::UntilEnded(StopMode::Terminate));
    let (code, said) = interrupted(&fake, &["Run 7", "Stopping:"]);
    assert_eq!(code, Some(130), "{said}");
    let requests = fake.requests();
    // The second may come before the first has been asked for.
    let last = requests.iter().rfind(|request| request.starts_with("stop"));
    assert_eq!(last.map(String::as_str), Some("stop Terminate"));
    assert!(said.contains("Stopping:") && said.contains("Terminating:"), "{said}");
}

#[test]
fn three_interrupts_leave_and_say_how_to_come_back() {
    let fake = Fake::serve(Play::Endless);
    let (code, said) = interrupted(&fake, &["Run 7", "Stopping:", "Terminating:"]);
    assert_eq!(code, Some(130), "{said}");
    let last = said.lines().last().expect("it says something");
    assert_eq!(
        last,
        "Left run 7: it goes on to its end in the process that holds it. To watch it again: \
         autoglm resume 7"
    );
}

#[test]
fn lists_go_to_standard_output_in_every_format() {
    let fake = Fake::serve(Play::Ends(RunStatus::Succeeded));
    let list = |format| {
        let output = fake.run(&["list", "-o", format]);
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
        stdout(&output).to_owned()
    };
    assert_eq!(list("name"), "7\n");
    assert!(list("table").starts_with("RUN  NAME"));
    assert!(list("wide").contains("/flow.yaml"));
    let one: serde_json::Value = serde_json::from_str(&list("json")).expect("one value");
    assert_eq!(one["runs"][0]["run"], 7);
    let line: serde_json::Value = serde_json::from_str(&list("jsonl")).expect("a line");
    assert_eq!(line["status"], "succeeded");
}

#[test]
fn logs_are_whole_lines() {
    let fake = Fake::serve(Play::Ends(RunStatus::Succeeded));
    let output = fake.run(&["logs", "7", "train", "-f"]);
    assert_eq!(stdout(&output), "Traceback:\nValueError: 3\n");
    assert_eq!(stdout(&fake.run(&["logs"])), "train[4] | Traceback:\ntrain[4] | ValueError: 3\n");
    let asked = fake.requests();
    assert_eq!(asked[0], "/api/v1/runs/7/logs?task=train&follow=true");
    assert_eq!(stdout(&fake.run(&["logs", "-o", "jsonl"])).lines().count(), 2);
}

#[test]
fn events_are_rows_or_values() {
    let fake = Fake::serve(Play::Ends(RunStatus::Succeeded));
    let output = fake.run(&["events", "7", "-f", "--after", "2"]);
    insta::assert_snapshot!(stdout(&output), @r"
    TIME                             SEQ  KIND                 TASK      TEXT
    2026-11-20T10:00:00.000000Z        3  run_admitted         -         run 7 of flow was accepted
    2026-11-20T10:00:00.000000Z        6  attempts_started     train     train[4] started
    ");
    assert_eq!(fake.requests(), ["/api/v1/runs/7/events?after=2&follow=true"]);
    for format in ["json", "jsonl"] {
        let output = fake.run(&["events", "-o", format]);
        let kinds = stdout(&output).lines().map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
            event["kind"].as_str().expect("text").to_owned()
        });
        assert_eq!(kinds.collect::<Vec<_>>(), ["run_admitted", "attempts_started"]);
    }
    assert_eq!(stdout(&fake.run(&["events", "-o", "name"])), "3\n6\n");
}

#[test]
fn an_explanation_names_its_blockers() {
    let fake = Fake::serve(Play::Ends(RunStatus::Succeeded));
    let output = fake.run(&["explain", "last", "train"]);
    insta::assert_snapshot!(stdout(&output), @r"
    train of run 7 (pending): it waits for a task
      - dependency: split has not ended
    What would let it start: the success of split
    ");
    assert_eq!(stdout(&fake.run(&["explain", "last", "train", "-o", "name"])), "dependency\n");
}

#[test]
fn a_retry_shows_its_plan_first() {
    let fake = Fake::serve(Play::Ends(RunStatus::Succeeded));
    let preview = fake.run(&["retry", "7", "--from", "train", "--preview"]);
    assert!(stdout(&preview).starts_with("In run 7, 1 task (2 items) will run again"));
    assert_eq!(fake.requests(), [r#"retry Some("train") preview=true"#]);

    let output = fake.run(&["retry", "7", "--yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let asked = fake.requests();
    assert_eq!(asked[1..3], ["retry None preview=true", "retry None preview=false"]);
}

#[test]
fn stop_returns_when_it_is_accepted_or_when_it_has_happened() {
    let fake = Fake::serve(Play::UntilEnded(StopMode::Stop));
    let output = fake.run(&["stop", "7", "--wait"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let fake = Fake::serve(Play::UntilEnded(StopMode::Terminate));
    assert_eq!(fake.run(&["terminate", "7"]).status.code(), Some(0));
    assert_eq!(fake.requests(), ["stop Terminate"]);
}

#[test]
fn what_meets_a_holder_that_is_ending_is_told_to_the_next() {
    let fake = Fake::serve(Play::Ending);
    let output = fake.run(&["stop", "7"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(fake.requests(), ["stop Stop", "stop Stop"]);
}

#[test]
fn resume_of_an_ended_run_is_a_conflict() {
    let fake = Fake::serve(Play::Ends(RunStatus::Failed));
    let output = fake.run(&["resume", "7", "-o", "json"]);
    assert_eq!(output.status.code(), Some(6));
    let error: serde_json::Value = serde_json::from_str(stderr(&output)).expect("JSON");
    assert_eq!(error["error"]["code"], "E0205");
}

#[test]
fn nothing_there_is_said_kindly() {
    let home = tempfile::tempdir().expect("a folder");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_autoglm"));
    command.env_clear().env("HOME", home.path()).arg("list");
    let output = command.output().expect("it starts");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stderr(&output), "No runs yet. Start one: autoglm run FILE\n");
}

/// The binary with a state folder of its own, and a holder of its own where it needs one.
fn alone(home: &std::path::Path, arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_autoglm"));
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin");
    command.args(arguments).current_dir(home).output().expect("it starts")
}

#[test]
fn gc_shows_what_goes_and_removes_it_only_when_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let nothing = alone(home, &["gc"]);
    assert_eq!(stdout(&nothing), "There is nothing to remove; 0 ended runs kept.\n");
    assert!(!home.join(".local/state/autoglm").exists(), "looking makes no state");

    let flow = "tasks:\n  - {name: a, script: 'touch $AUTOGLM_WORKDIR/left'}\n";
    std::fs::write(home.join("flow.yaml"), flow).expect("written");
    for _ in 0..3 {
        let output = alone(home, &["run", "flow.yaml"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    let work = home.join(".local/state/autoglm/work");
    let shown = alone(home, &["gc", "--keep-runs", "1"]);
    assert!(stdout(&shown).starts_with("This would be removed:\n  2 ended runs, "), "{shown:?}");
    assert!(stdout(&shown).ends_with("\n  2 work folders\n1 ended run kept.\n"), "{shown:?}");
    assert!(stderr(&shown).contains("autoglm gc --yes"), "{}", stderr(&shown));
    assert!(work.join("1").exists());

    let done = alone(home, &["gc", "--keep-runs", "1", "--yes", "-o", "json"]);
    let report: serde_json::Value = serde_json::from_str(stdout(&done)).expect("JSON");
    assert_eq!((&report["runs"], &report["runs_kept"]), (&2.into(), &1.into()), "{report}");
    assert!(!work.join("1").exists() && !work.join("2").exists() && work.join("3").exists());
    assert_eq!(stdout(&alone(home, &["list", "-o", "name"])), "3\n");
    assert_eq!(alone(home, &["get", "1"]).status.code(), Some(5));
    assert_eq!(alone(home, &["get", "3"]).status.code(), Some(0));
    assert_eq!(alone(home, &["gc", "--keep-runs", "0"]).status.code(), Some(2));
}
