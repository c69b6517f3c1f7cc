//! Runs that change while they go on, and runs that are made from others: tasks that write tasks,
//! edits, marks, single items again, forks, and what is taken from the cache.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::binary::Home;
use crate::support::wait;

const PATIENCE: Duration = Duration::from_secs(20);

/// Writes two tasks, one after the other, and something waits for all of it. With a file `slow`
/// what was written takes until there is a file `go`.
const WRITES: &str = r#"
name: writes
tasks:
  - name: train
    script: |
      echo train >> "$FOLDER/marks"
      cp "$FOLDER/fragment.yaml" "$AUTOGLM_TASKS"
  - {name: last, depends_on: train, script: echo last >> "$FOLDER/marks"}
"#;

const FRAGMENT: &str = r#"
tasks:
  - name: a
    script: |
      echo a >> "$FOLDER/marks"
      test ! -e "$FOLDER/slow" || until test -e "$FOLDER/go"; do sleep 0.02; done
  - {name: b, depends_on: a, script: echo b >> "$FOLDER/marks"}
"#;

/// Goes on when the file `go` is there.
const LINE: &str = r#"
name: line
tasks:
  - name: first
    script: |
      echo first >> "$FOLDER/marks"
      until test -e "$FOLDER/go"; do sleep 0.02; done
  - {name: second, depends_on: first, script: echo second >> "$FOLDER/marks"}
  - {name: third, depends_on: second, script: echo third >> "$FOLDER/marks"}
  - name: fourth
    depends_on: third
    script: 'echo fourth {{ tasks.third.outputs.rows }} >> "$FOLDER/marks"'
  - {name: fifth, depends_on: first, script: echo fifth >> "$FOLDER/marks"}
"#;

/// Outputs of every kind, all of them used at the end.
const CHAIN: &str = r#"
name: chain
params: {who: you}
tasks:
  - name: first
    script: |
      echo first >> "$FOLDER/marks"
      echo '{"n": 5}' > "$AUTOGLM_OUTPUT"
  - name: many
    depends_on: first
    foreach: {range: 5}
    script: |
      echo 'many {{ item }}' >> "$FOLDER/marks"
      echo '{"i": {{ item }}}' > "$AUTOGLM_OUTPUT"
  - name: late
    depends_on: many
    foreach: "{{ tasks.many.outputs.i }}"
    script: |
      echo '{"j": {{ item }}}' > "$AUTOGLM_OUTPUT"
  - name: end
    depends_on: [first, late]
    script: >-
      echo end {{ params.who }} {{ tasks.first.outputs.n }} {{ tasks.late.outputs.j | sum }}
      >> "$FOLDER/marks"
"#;

fn wait_for_mark(home: &Home, mark: &str) {
    let there = || home.lines("marks").iter().any(|line| line == mark).then_some(());
    wait::until(&format!("the mark {mark}"), PATIENCE, there);
}

fn texts(home: &Home, run: &str) -> Vec<String> {
    let finished = home.run(&["events", run, "-o", "jsonl"]);
    let events = finished
        .stdout
        .lines()
        .map(|line| -> Value { serde_json::from_str(line).expect("each line is an event") });
    events.map(|event| event["text"].as_str().expect("text").to_owned()).collect()
}

fn has(texts: &[String], wanted: &str) -> bool {
    texts.iter().any(|text| text == wanted)
}

/// The task of this name, as `get` shows it.
fn task(home: &Home, run: &str, name: &str) -> Value {
    let detail = home.json(&["get", run]);
    let tasks = detail["tasks"].as_array().expect("a list");
    tasks.iter().find(|task| task["name"] == name).expect("there is such a task").clone()
}

#[test]
fn a_task_writes_tasks_that_run_before_what_waits_for_it() {
    let home = Home::new();
    home.write("fragment.yaml", FRAGMENT);
    let flow = home.write("flow.yaml", WRITES);
    let ran = home.run(&["run", &flow]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(home.lines("marks"), ["train", "a", "b", "last"]);
    assert!(has(&texts(&home, "1"), "train wrote 2 tasks: train.a and train.b"));
    assert_eq!(task(&home, "1", "train.b")["written_by"], "train");
    let shown = home.run(&["get", "1"]).stdout;
    assert!(shown.contains("\n  train.a "), "{shown}");
    // The same tasks again are the same tasks: nothing is added, and they run again behind it.
    let retried = home.run(&["retry", "1", "--from", "train", "--yes"]);
    assert_eq!(retried.code, 0, "{}", retried.stderr);
    assert_eq!(home.lines("marks")[4..], ["train", "a", "b", "last"]);
    assert_eq!(home.json(&["get", "1"])["tasks"].as_array().map(Vec::len), Some(4));
    // Others need another run.
    home.write("fragment.yaml", &FRAGMENT.replace("name: b", "name: c"));
    assert_eq!(home.run(&["retry", "1", "--from", "train", "--yes"]).code, 1);
    let forked = home.run(&["fork", "1", "--from", "train"]);
    assert_eq!(forked.code, 0, "{}", forked.stderr);
    assert_eq!(task(&home, "2", "train.c")["status"], "succeeded");
    assert_eq!(home.run(&["journal", "verify"]).code, 0);
}

#[test]
fn what_was_written_outlives_a_holder_that_is_killed() {
    let home = Home::new();
    home.write("fragment.yaml", FRAGMENT);
    home.write("slow", "");
    let flow = home.write("flow.yaml", WRITES);
    let killed = home.start(&["run", &flow]);
    wait_for_mark(&home, "a");
    killed.signal(Signal::KILL);
    killed.finish();
    home.write("go", "");
    let resumed = home.run(&["resume", "1"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let marks = home.lines("marks");
    assert_eq!(marks.iter().filter(|mark| *mark == "train").count(), 1, "{marks:?}");
    assert_eq!(marks[marks.len() - 2..], ["b", "last"], "{marks:?}");
    assert_eq!(task(&home, "1", "train.a")["status"], "succeeded");
    assert_eq!(home.run(&["journal", "verify"]).code, 0);
    home.wait_until_quiet();
}

#[test]
fn tasks_that_cannot_be_added_fail_their_writer_with_the_reason() {
    let home = Home::new();
    home.write("fragment.yaml", "tasks: [{name: a, depends_on: nobody, script: 'true'}]\n");
    let flow = home.write("flow.yaml", WRITES);
    let ran = home.run(&["run", &flow]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(home.lines("marks"), ["train"], "nothing else has run");
    let reason = task(&home, "1", "train")["reason"].as_str().expect("told").to_owned();
    assert!(reason.contains("$AUTOGLM_TASKS:1:"), "{reason}");
    assert!(reason.contains("nobody"), "{reason}");
}

/// What is wrong with a file names it; a need that no worker has is told; the words are those of a
/// file.
fn edits_tell_what_they_come_to(home: &Home) {
    home.write("bad.yaml", "tasks: {x: {script: \"true\", depends_on: nope}}\n");
    let bad = home.run(&["edit", "1", "--add", "bad.yaml", "--yes"]);
    assert!(bad.stderr.contains(" --> bad.yaml:1:"), "{}", bad.stderr);
    let plan = home.json(&["edit", "1", "--set", "max_parallel=3", "--preview"]);
    assert_eq!(plan["changes"][0]["to"], "3");
    let plan = home.json(&["edit", "1", "third", "--set", "retry=3", "--preview"]);
    assert_eq!(
        (&plan["changes"][0]["key"], &plan["changes"][0]["to"]),
        (&"retry.limit".into(), &"3".into())
    );
    let large = ["edit", "1", "third", "--set", "resources.cpu=100", "--preview"];
    let warned = home.run(&large);
    let warning = "warning: no worker has room for third, which is to need 100 CPU\n";
    assert!(warned.stdout.contains(warning), "{}", warned.stdout);
    assert_eq!(
        home.json(&["edit", "1", "third", "--set", "resources.cpu=2", "--preview"])["warnings"],
        Value::Null
    );
}

#[test]
fn a_run_is_edited_and_tasks_are_passed_over_while_it_goes_on() {
    let home = Home::new();
    let flow = home.write("flow.yaml", LINE);
    let more = home.write(
        "more.yaml",
        "tasks: [{name: more, depends_on: second, script: echo more >> \"$FOLDER/marks\"}]\n",
    );
    let running = home.start(&["run", &flow]);
    wait_for_mark(&home, "first");
    let plan = home.json(&["edit", "1", "second", "--set", "priority=80", "--preview"]);
    assert_eq!(plan["changes"][0]["from"], "50");
    let unasked = home.run(&["edit", "1", "second", "--set", "priority=80"]);
    assert_eq!(unasked.code, 2, "nobody can be asked: {}", unasked.stderr);
    for arguments in [
        &["edit", "1", "second", "--set", "priority=80", "--set", "retry.limit=3", "--yes"][..],
        &["edit", "1", "--set", "concurrency=2", "--yes"],
        &["edit", "1", "--add", &more, "--yes"],
        &["mark", "1", "third", "--as", "succeeded", "--outputs", "{\"rows\": 12}"],
        &["skip", "1", "fifth"],
    ] {
        let done = home.run(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {}", done.stderr);
    }
    for (arguments, code) in [
        (&["edit", "1", "first", "--set", "priority=80", "--yes"][..], 6),
        (&["skip", "1", "first"], 6),
        (&["skip", "1", "nobody"], 5),
        (&["edit", "1", "second", "--set", "color=red", "--yes"], 4),
    ] {
        let refused = home.run(arguments);
        assert_eq!(refused.code, code, "{arguments:?}: {}", refused.stderr);
    }
    edits_tell_what_they_come_to(&home);
    home.write("go", "");
    let ran = running.finish();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut marks = home.lines("marks");
    marks.sort();
    assert_eq!(marks, ["first", "fourth 12", "more", "second"]);
    assert_eq!(task(&home, "1", "third")["note"], "marked");
    let texts = texts(&home, "1");
    for text in [
        "edited: priority of second 50 -> 80, retry.limit of second 0 -> 3",
        "edited: max_parallel any -> 2",
        "edited: 1 task added: more",
        "third marked as succeeded",
        "fifth marked as skipped",
    ] {
        assert!(has(&texts, text), "{text}: {texts:#?}");
    }
    assert_eq!(home.run(&["skip", "1", "second"]).code, 6, "the run has ended");
    assert_eq!(home.run(&["journal", "verify"]).code, 0);
    home.wait_until_quiet();
}

#[test]
fn some_items_run_again_and_what_follows_them() {
    let home = Home::new();
    let flow = home.write("flow.yaml", CHAIN);
    assert_eq!(home.run(&["run", &flow]).code, 0);
    let before = home.lines("marks").len();
    let plan = home.json(&["retry", "1", "--items", "many[1,3]", "--preview"]);
    assert_eq!((&plan["tasks_total"], &plan["tasks"][0]["items"]), (&3.into(), &2.into()));
    let retried = home.run(&["retry", "1", "--items", "many[1,3]", "--yes"]);
    assert_eq!(retried.code, 0, "{}", retried.stderr);
    let mut again = home.lines("marks")[before..].to_vec();
    again.sort();
    assert_eq!(again, ["end you 5 10", "many 1", "many 3"]);
    assert_eq!(home.run(&["retry", "1", "--item", "many[5]", "--yes"]).code, 5);
    assert_eq!(home.run(&["retry", "1", "--item", "many", "--yes"]).code, 2);
}

#[test]
fn a_fork_keeps_what_was_done_with_its_outputs() {
    let home = Home::new();
    let flow = home.write("flow.yaml", CHAIN);
    assert_eq!(home.run(&["run", &flow]).code, 0);
    let before = home.lines("marks").len();
    fs::remove_file(&flow).expect("the file is not needed any more");
    let forked = home.run(&["fork", "1", "--from", "end", "-p", "who=me"]);
    assert_eq!(forked.code, 0, "{}", forked.stderr);
    assert!(forked.stderr.contains("made from run 1: 3 of 4 tasks are kept"), "{}", forked.stderr);
    assert_eq!(home.lines("marks")[before..], ["end me 5 10"]);
    let detail = home.json(&["get", "2"]);
    assert_eq!((&detail["forked_from"], &detail["params"]["who"]), (&1.into(), &"me".into()));
    assert_eq!(task(&home, "2", "late")["note"], "from run 1");
    // A fork of a fork, from where items are worked out late.
    let forked = home.run(&["fork", "2", "--from", "late"]);
    assert_eq!(forked.code, 0, "{}", forked.stderr);
    assert_eq!(home.lines("marks")[before + 1..], ["end me 5 10"]);
    assert_eq!(home.run(&["fork", "1", "--from", "nobody"]).code, 5);
    assert_eq!(home.run(&["fork", "1", "--from", "end", "-p", "unknown=1"]).code, 4);
    assert_eq!(home.run(&["journal", "verify"]).code, 0);
}

#[test]
fn what_was_done_before_is_taken_from_the_cache() {
    let home = Home::new();
    let flow = home.write(
        "flow.yaml",
        r#"
name: cached
tasks:
  - name: one
    cache: {files: [data.csv]}
    script: |
      echo one >> "$FOLDER/marks"
      echo '{"v": 1}' > "$AUTOGLM_OUTPUT"
  - name: fan
    cache: true
    foreach: [2, 3]
    script: |
      echo 'fan {{ item }}' >> "$FOLDER/marks"
      echo '{"v": {{ item }}}' > "$AUTOGLM_OUTPUT"
  - name: end
    depends_on: [one, fan]
    script: 'echo end {{ tasks.one.outputs.v }} {{ tasks.fan.outputs.v | sum }} >> "$FOLDER/marks"'
"#,
    );
    home.write("data.csv", "1\n");
    let run = |more: &[&str]| {
        let before = home.lines("marks").len();
        let ran = home.run(&[&["run", &flow], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let mut marks = home.lines("marks")[before..].to_vec();
        marks.sort();
        marks
    };
    assert_eq!(run(&[]), ["end 1 5", "fan 2", "fan 3", "one"]);
    // Entries are written behind the run: a holder that has ended has written them.
    home.wait_until_quiet();
    assert_eq!(run(&[]), ["end 1 5"]);
    assert_eq!(task(&home, "2", "one")["note"], "cached");
    assert_eq!(task(&home, "2", "fan")["note"], "cached");
    assert!(has(&texts(&home, "2"), "one has succeeded: from the cache"));
    assert_eq!(run(&["--no-cache"]), ["end 1 5", "fan 2", "fan 3", "one"]);
    home.write("data.csv", "2\n");
    assert_eq!(run(&[]), ["end 1 5", "one"], "a file that counts has changed");
    let retried = home.run(&["retry", "2", "--from", "one", "--yes"]);
    assert_eq!(retried.code, 0, "{}", retried.stderr);
    let marks = home.lines("marks");
    assert_eq!(marks[marks.len() - 2..], ["one", "end 1 5"], "who asks for it again gets it");
}

/// The first item holds the others up.
const WIDE: &str = r#"
tasks:
  each:
    foreach: {range: 10}
    max_parallel: 1
    script: 'until test -e "$FOLDER/go"; do sleep 0.02; done'
"#;

#[test]
fn items_that_have_begun_are_named_and_not_their_task() {
    let home = Home::new();
    let flow = home.write("flow.yaml", WIDE);
    let running = home.start(&["run", &flow]);
    let skipped = || (home.run(&["skip", "1", "each[8-9]"]).code == 0).then_some(());
    wait::until("the run is there", PATIENCE, skipped);
    let again = home.run(&["skip", "1", "each[7-9]"]);
    assert_eq!(again.code, 6, "{}", again.stderr);
    let why = "item `each[8]` of run 1 is skipped, and so on: 2 of the 3 items that were named";
    assert!(again.stderr.contains(why), "{}", again.stderr);
    home.write("go", "");
    assert_eq!(running.finish().code, 0);
    home.wait_until_quiet();
}
