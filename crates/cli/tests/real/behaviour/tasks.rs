//! What the workflow file promises of tasks: timeouts, retries, outputs, resources, environment.

use std::time::Duration;

use serde_json::Value;

use crate::support::binary::Home;
use crate::support::{processes, wait};

const PATIENCE: Duration = Duration::from_secs(20);

/// The task of the last run with this name.
fn task(home: &Home, name: &str) -> Value {
    let detail = home.json(&["get", "last"]);
    let tasks = detail["tasks"].as_array().expect("a list");
    tasks.iter().find(|task| task["name"] == name).expect("it is there").clone()
}

#[test]
fn a_task_that_takes_too_long_is_ended_for_good() {
    let home = Home::new();
    let flow = home.write(
        "flow.yaml",
        r#"
on_failure: continue
tasks:
  - {name: long, timeout: 200ms, script: sleep 60}
  - name: deaf
    timeout: 200ms
    grace: 300ms
    script: trap '' TERM; while true; do sleep 0.05; done
  - {name: quick, timeout: 30s, script: 'true'}
"#,
    );
    let finished = home.run(&["run", &flow]);
    assert_eq!(finished.code, 1, "{}", finished.stderr);
    assert_eq!(task(&home, "long")["status"], "timed_out");
    assert_eq!(task(&home, "deaf")["status"], "timed_out");
    assert_eq!(task(&home, "quick")["status"], "succeeded");
    home.wait_until_quiet();
}

#[test]
fn a_run_that_takes_too_long_fails() {
    let home = Home::new();
    let flow = home.write("flow.yaml", "timeout: 300ms\ntasks: [{name: long, script: sleep 60}]\n");
    let finished = home.run(&["run", &flow]);
    assert_eq!(finished.code, 1, "{}", finished.stderr);
    assert_eq!(home.json(&["get"])["run"]["status"], "failed");
    home.wait_until_quiet();
}

#[test]
fn exit_codes_decide_what_is_tried_again() {
    let home = Home::new();
    let flow = home.write(
        "flow.yaml",
        r#"
on_failure: continue
x-again: &again {limit: 4, backoff: 10ms, exit_codes: [7]}
tasks:
  - {name: third, retry: *again, script: test "$AUTOGLM_ATTEMPT" -ge 3 || exit 7}
  - {name: other, retry: *again, script: exit 8}
  - {name: never, retry: *again, script: exit 7}
"#,
    );
    assert_eq!(home.run(&["run", &flow]).code, 1);
    let seen = |name| (task(&home, name)["status"].clone(), task(&home, name)["attempts"].clone());
    assert_eq!(seen("third"), ("succeeded".into(), 3.into()));
    assert_eq!(seen("other"), ("failed".into(), 1.into()));
    assert_eq!(seen("never"), ("failed".into(), 5.into()));
    assert_eq!(task(&home, "other")["trouble"], "exit 8");
}

#[test]
fn outputs_reach_what_follows() {
    let home = Home::new();
    let flow = home.write(
        "flow.yaml",
        r#"
params: {factor: 3}
tasks:
  - name: part
    foreach: {range: 5}
    script: echo "value=$(( {{ item }} * {{ params.factor }} ))" > "$AUTOGLM_OUTPUT"
  - name: object
    command: [sh, -c, 'echo "{\"deep\": {\"list\": [1, 2]}}" > "$AUTOGLM_OUTPUT"']
  - name: all
    depends_on: [part, object]
    env: {VALUES: "{{ tasks.part.outputs.value | join('+') }}"}
    script: echo "$VALUES {{ tasks.object.outputs.deep.list[1] }}"
"#,
    );
    let finished = home.run(&["run", &flow, "-p", "factor=2"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert_eq!(home.run(&["logs", "last", "all"]).stdout, "0+2+4+6+8 2\n");
}

#[test]
fn what_can_never_fit_is_explained() {
    let home = Home::new();
    let flow =
        home.write("flow.yaml", "tasks: [{name: big, resources: {license: 5}, script: 'true'}]\n");
    let finished = home.run(&["run", &flow, "--detach", "--resource", "license=2"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    // Before the worker has come there is nobody whose room could be too small.
    let explained = wait::until("somebody says that it never fits", PATIENCE, || {
        let explained = home.json(&["explain", "last", "big"]);
        (explained["blockers"][0]["kind"] == "never_fits").then_some(explained)
    });
    let text = explained["blockers"][0]["text"].as_str().expect("text");
    assert!(text.contains("license"), "it names what is missing: {text}");
    assert_eq!(home.run(&["terminate", "last", "--wait"]).code, 3);
    home.wait_until_quiet();
}

#[test]
fn amounts_are_never_exceeded() {
    let home = Home::new();
    let flow = home.write(
        "flow.yaml",
        r#"
tasks:
  - name: licensed
    foreach: {range: 8}
    resources: {cpu: 100m, license: 1}
    script: |
      echo + >> "$FOLDER/marks"; sleep 0.03; echo - >> "$FOLDER/marks"
"#,
    );
    let finished = home.run(&["run", &flow, "--resource", "license=2"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let mut now = 0_i32;
    let mut most = 0;
    for mark in home.lines("marks") {
        now += if mark == "+" { 1 } else { -1 };
        most = most.max(now);
    }
    assert_eq!(most, 2, "as many as there are licences, and no more");
}

#[test]
fn a_task_has_no_stdin_and_its_own_folder() {
    let home = Home::new();
    let flow = home.write(
        "flow.yaml",
        r#"
env: {COLOUR: red}
tasks:
  - name: look
    env: {SHAPE: "{{ env.COLOUR }} box"}
    script: |
      test -z "$(cat)"
      test -d "$AUTOGLM_WORKDIR"
      echo "$COLOUR, $SHAPE, $AUTOGLM_TASK, $AUTOGLM_RUN_ID, $AUTOGLM_ATTEMPT, $(basename "$PWD")"
      test -n "$TRACEPARENT"
"#,
    );
    let finished = home.run(&["run", &flow, "-e", "COLOUR=blue"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let folder = home.folder().file_name().expect("it has one").to_string_lossy().into_owned();
    let said = home.run(&["logs"]).stdout;
    assert!(said.contains("blue, blue box, look, 1, 1, ") && said.contains(&folder), "{said}");
}

#[test]
fn what_a_task_leaves_running_ends_with_it() {
    let home = Home::new();
    let flow = home.write(
        "flow.yaml",
        r#"
tasks:
  - name: parent
    script: |
      sleep 300 > /dev/null 2>&1 &
      (setsid sleep 300 > /dev/null 2>&1 &)
  - name: wait
    script: until test -e "$FOLDER/go"; do sleep 0.02; done
"#,
    );
    let running = home.start(&["run", &flow]);
    wait::until("the parent has ended", PATIENCE, || {
        (home.is_held() && task_ended(&home, "parent")).then_some(())
    });
    let sleeping = || {
        let all = processes::of_tasks(home.state());
        all.into_iter().filter(|process| process.command.contains("sleep 300")).collect()
    };
    wait::until_gone("what the parent has left", Duration::from_secs(5), sleeping);
    home.write("go", "");
    assert_eq!(running.finish().code, 0);
    home.wait_until_quiet();
}

fn task_ended(home: &Home, name: &str) -> bool {
    let detail = crate::support::api::get(home.state(), "runs/last");
    let tasks = detail.and_then(|detail| detail["tasks"].as_array().cloned()).unwrap_or_default();
    tasks.iter().any(|task| task["name"] == name && task["status"] == "succeeded")
}
