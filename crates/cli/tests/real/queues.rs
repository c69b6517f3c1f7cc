//! Queues on the real binary: what is set holds, is told, and is refused where it makes no sense.

use std::time::Duration;

use crate::support::binary::Home;
use crate::support::wait;

const PATIENCE: Duration = Duration::from_secs(60);

const QUEUES: &str = "queues:\n\
    \x20 - {name: research, queues: [{name: vision, limit: {cpu: 1}}, {name: text}]}\n\
    \x20 - {name: serving, guarantee: {cpu: 1}}\n";

/// Three items of ten minutes that each take a core, in a queue.
fn flow(queue: &str) -> String {
    format!(
        "queue: {queue}\ntasks:\n  work: {{foreach: {{range: 3}}, script: sleep 600, \
         expected: 10m, resources: {{cpu: 1}}}}\n"
    )
}

#[test]
fn a_limit_holds_and_is_told() {
    let home = Home::new();
    home.write("queues.yaml", QUEUES);
    home.write("vision.yaml", &flow("research/vision"));
    let started = home.run(&["run", "vision.yaml", "--detach", "--queues", "queues.yaml"]);
    assert_eq!(started.code, 0, "{}", started.stderr);
    wait::until("one of them runs", PATIENCE, || {
        let list = home.json(&["get", "queues"]);
        let vision = &list["queues"][1];
        (vision["queue"] == "research/vision" && vision["running"] == 1).then_some(())
    });
    // A machine has two cores at least, and the other stays free.
    let told = home.json(&["explain", "1", "work"]);
    assert_eq!(told["blockers"][0]["kind"], "queue", "{told}");
    let text = home.run(&["explain", "1", "work"]).stdout;
    let said = "the queue research/vision has 1 CPU, of at most 1 CPU, and it asks for 1 CPU";
    assert!(text.contains(said), "{text}");
    let table = home.run(&["get", "queues"]).stdout;
    assert!(table.contains("research/vision") && table.contains("serving"), "{table}");
    assert_eq!(home.run(&["terminate", "1"]).code, 0);
    home.wait_until_quiet();
}

#[test]
fn a_queue_that_takes_no_runs_is_refused_with_those_that_do() {
    let home = Home::new();
    home.write("queues.yaml", QUEUES);
    for (queue, said) in [
        ("research", "the queue `research` has queues of its own"),
        ("servig", "there is no queue `servig`"),
    ] {
        home.write("flow.yaml", &flow(queue));
        let refused = home.run(&["run", "flow.yaml", "--detach", "--queues", "queues.yaml"]);
        assert_ne!(refused.code, 0);
        assert!(refused.stderr.contains("E0222"), "{}", refused.stderr);
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
        assert!(refused.stderr.contains("`research/vision`"), "{}", refused.stderr);
    }
    home.wait_until_quiet();
}

#[test]
fn a_wrong_queues_file_is_told_with_its_place_and_nothing_is_started() {
    let home = Home::new();
    home.write("queues.yaml", "queues:\n  - {name: a, guarantee: {gpus: 1}}\n");
    home.write("flow.yaml", &flow("a"));
    for detach in [&["--detach"][..], &[]] {
        let arguments = ["run", "flow.yaml", "--queues", "queues.yaml"];
        let refused = home.run(&[&arguments, detach].concat());
        assert_ne!(refused.code, 0);
        assert!(refused.stderr.contains("queues.yaml:2:"), "{}", refused.stderr);
        assert!(refused.stderr.contains("write `gpu`"), "{}", refused.stderr);
    }
}

/// Work of others ends early where a queue wants what it is guaranteed, and goes on afterwards.
#[test]
fn what_was_borrowed_is_given_back() {
    let home = Home::new();
    let both = "queues: [{name: batch}, {name: serving, guarantee: {cpu: 1}}]\n";
    home.write("queues.yaml", both);
    home.write("batch.yaml", &flow("batch"));
    home.write("serving.yaml", "queue: serving\ntasks: {answer: {script: echo served}}\n");
    let options = ["--detach", "--queues", "queues.yaml", "--cpu", "2"];
    let started = home.run(&[&["run", "batch.yaml"], &options[..]].concat());
    assert_eq!(started.code, 0, "{}", started.stderr);
    wait::until("both cores are taken", PATIENCE, || {
        let list = home.json(&["get", "queues"]);
        (list["queues"][0]["running"] == 2).then_some(())
    });
    let started = home.run(&[&["run", "serving.yaml"], &options[..]].concat());
    assert_eq!(started.code, 0, "{}", started.stderr);
    wait::until("what is guaranteed has run", PATIENCE, || {
        (home.json(&["get", "2"])["run"]["status"] == "succeeded").then_some(())
    });
    wait::until("what made room goes on", PATIENCE, || {
        let list = home.json(&["get", "queues"]);
        // One more may be lent ahead.
        list["queues"][0]["running"].as_u64().is_some_and(|count| count >= 2).then_some(())
    });
    let work = home.json(&["get", "1"]);
    assert_eq!(work["tasks"][0]["preempted"], 1, "{work}");
    assert_eq!(home.run(&["terminate", "1"]).code, 0);
    home.wait_until_quiet();
}

/// Room that is kept stays free of other work, is told, and is there for what is critical.
#[test]
fn what_is_kept_for_critical_work_is_told_and_is_there_at_once() {
    let home = Home::new();
    home.write("queues.yaml", "critical: {keep: {cpu: 1}}\n");
    home.write("usual.yaml", &flow("default"));
    home.write("answer.yaml", "tasks: {answer: {script: echo answered, critical: true}}\n");
    let options = ["--detach", "--queues", "queues.yaml", "--cpu", "2"];
    let started = home.run(&[&["run", "usual.yaml"], &options[..]].concat());
    assert_eq!(started.code, 0, "{}", started.stderr);
    wait::until("the other core is kept", PATIENCE, || {
        let told = home.json(&["explain", "1", "work"]);
        (told["blockers"][0]["kind"] == "kept").then_some(())
    });
    let text = home.run(&["explain", "1", "work"]).stdout;
    assert!(text.contains("1 CPU is kept for critical work on worker local"), "{text}");
    let kept = &home.json(&["get", "queues"])["critical"][0]["resources"][0];
    assert_eq!((&kept["kept"], &kept["used"]), (&1.0.into(), &0.0.into()), "{kept}");
    let table = home.run(&["get", "queues"]).stdout;
    assert!(table.contains("KEPT FOR CRITICAL WORK") && table.contains("1 cpu"), "{table}");
    let started = home.run(&[&["run", "answer.yaml"], &options[..]].concat());
    assert_eq!(started.code, 0, "{}", started.stderr);
    wait::until("critical work has run", PATIENCE, || {
        (home.json(&["get", "2"])["run"]["status"] == "succeeded").then_some(())
    });
    assert_eq!(home.run(&["terminate", "1"]).code, 0);
    home.wait_until_quiet();
}
