//! What was: explained as of an earlier time, and simulated anew from the system's own history.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::binary::Home;
use crate::support::{api, wait};

const PATIENCE: Duration = Duration::from_secs(60);
/// Three tasks that each take both cores: one at a time has room.
const QUEUE: &str = "name: queue\ntasks:\n\
    \x20 a: {script: sleep 0.4, resources: {cpu: 2}}\n\
    \x20 b: {script: sleep 0.4, resources: {cpu: 2}}\n\
    \x20 c: {script: sleep 0.4, resources: {cpu: 2}}\n";

fn events(home: &Home, run: &str) -> Vec<Value> {
    let told = home.run(&["events", run, "-o", "jsonl"]).stdout;
    told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The kind of what keeps a task, and the whole answer.
fn kept(home: &Home, task: &str, at: &str) -> (Value, Value) {
    let told = home.json(&["explain", "1", task, "--at", at]);
    (told["blockers"][0]["kind"].clone(), told)
}

#[test]
fn why_the_second_waited_is_told_when_all_is_done() {
    let home = Home::new();
    home.write("queue.yaml", QUEUE);
    assert_eq!(home.run(&["run", "queue.yaml"]).code, 0);
    let events = events(&home, "1");
    let started = |nth: usize| {
        let of_kind = events.iter().filter(|event| event["kind"] == "attempts_started");
        of_kind.clone().nth(nth).expect("it started").clone()
    };
    let (first, second) = (started(0), started(1));
    let waited = second["task"].as_str().expect("a name");
    // While the first ran the second had no room, by the number of the fact and by its time.
    for at in [first["seq"].to_string(), first["time"].as_str().expect("a time").to_owned()] {
        let (kind, told) = kept(&home, waited, &at);
        assert_eq!((kind, &told["status"]), ("no_room".into(), &"ready".into()), "{told}");
        assert_eq!(told["as_of"]["seq"], first["seq"]);
    }
    let ran = kept(&home, first["task"].as_str().expect("a name"), &first["seq"].to_string()).1;
    assert_eq!(ran["status"], "running");
    let shown = home.run(&["explain", "1", waited, "--at", &first["seq"].to_string()]).stdout;
    assert!(shown.contains("it asks for 2 CPU, 0 CPU of 2 CPU are free"), "{shown}");
    assert!(shown.contains(&format!("fact {}.", first["seq"])), "{shown}");
    assert!(shown.contains("Not known: whether workers were heard of"), "{shown}");

    let early = home.run(&["explain", "1", waited, "--at", "1h"]);
    assert_eq!(early.code, 5, "{}", early.stderr);
    assert!(early.stderr.contains("E0220") && early.stderr.contains("submitted later"));
}

fn figures(told: &Value, policy: &str) -> Value {
    let results = told["results"].as_array().expect("results");
    let found = results.iter().find(|result| result["figures"]["policy"] == policy);
    found.expect("it was simulated")["figures"].clone()
}

#[test]
fn what_was_really_done_is_simulated_beside_what_happened() {
    let home = Home::new();
    home.write("queue.yaml", QUEUE);
    let simulate =
        |arguments: &[&str]| home.json(&[&["simulate", "--history"], arguments].concat());
    let nothing = home.run(&["simulate", "--history"]);
    assert_eq!(nothing.code, 5, "{}", nothing.stderr);
    assert!(nothing.stderr.contains("there are no runs yet"), "{}", nothing.stderr);
    for _ in 0..2 {
        assert_eq!(home.run(&["run", "queue.yaml", "--new"]).code, 0);
    }
    // Nobody holds the state.
    let told = simulate(&["--compare", "fifo,autoglm"]);
    let found = &told["simulated"]["history"];
    assert_eq!((&found["runs"], &found["attempts"]), (&2.into(), &6.into()), "{found}");
    assert_eq!(told["simulated"]["nodes"], serde_json::json!([1]), "this machine");
    let seconds = |of: &Value, key: &str| of[key].as_f64().expect("a number");
    let (real, fifo) = (figures(&told, "recorded"), figures(&told, "fifo"));
    let [real_s, fifo_s] = [&real, &fifo].map(|it| seconds(it, "makespan_s"));
    assert!(fifo_s > 2.3 && fifo_s <= real_s, "{fifo_s} s simulated, {real_s} s in truth");
    assert!(seconds(&real["wait"], "max_s") > 0.7, "the third waited for two others: {real}");
    let more = figures(&simulate(&["--what-if", "nodes.local += 2"]), "autoglm");
    assert!(more["wait"].is_object());

    // Somebody does, and something goes on.
    home.write("long.yaml", "name: long\ntasks: {a: {script: sleep 600}}\n");
    let served = home.start(&["serve"]);
    wait::until("it serves", PATIENCE, || api::get(home.state(), "health"));
    assert_eq!(home.run(&["run", "long.yaml", "--detach"]).code, 0);
    wait::until("it runs", PATIENCE, || {
        (home.json(&["get", "3"])["tasks"][0]["status"] == "running").then_some(())
    });
    let told = simulate(&[]);
    let found = &told["simulated"]["history"];
    assert_eq!((&found["runs"], &found["going_on"]), (&3.into(), &1.into()), "{found}");
    let shown = home.run(&["simulate", "--history"]).stdout;
    let first = shown.lines().next().expect("a line");
    let expected = "3 runs, 7 attempts of the last 7 days; 1 run was still going on: taken as far \
                    as it had come.";
    assert_eq!(first, expected);
    let none = home.run(&["simulate", "--history", "--since", "9d", "--until", "8d"]);
    assert_eq!(none.code, 5, "{}", none.stderr);
    assert!(none.stderr.contains("look further back"), "{}", none.stderr);
    served.signal(Signal::TERM);
    served.finish();
}
