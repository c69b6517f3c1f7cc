//! Simulated work that is really run, too: both come to much the same.

use serde_json::Value;

use crate::support::binary::Home;

/// A node that is twice as fast as the other, a core each.
const NODES: &str = "nodes:\n\
    \x20 - {name: fast, cpu: 1, memory: 1Gi, speed: 2, gpus: 1}\n\
    \x20 - {name: usual, cpu: 1, memory: 1Gi}\n";

/// Long jobs, and behind them short ones that would rather not wait. One that fits nowhere is left
/// out.
const JOBS: &str = "job,name,submit_s,duration_s,estimate_s,cpu,gpus,depends_on\n\
    nowhere,a,0,10,10,1,9,\n\
    first,a,0,60,60,1,,\n\
    first,b,0,160,160,1,,a\n\
    second,a,1,100,100,1,0.5,\n\
    third,a,2,200,200,1,,\n\
    fourth,a,2,200,200,1,,\n\
    short-1,a,3,20,20,1,,\n\
    short-2,a,3,20,20,1,,\n\
    short-3,a,3,20,20,1,,\n\
    short-4,a,4,20,20,1,,\n";

fn figure(result: &Value, path: &str) -> f64 {
    result["figures"].pointer(path).and_then(Value::as_f64).expect("a figure")
}

#[test]
fn what_is_simulated_and_what_really_happens_are_much_the_same() {
    let home = Home::new();
    home.write("nodes.yaml", NODES);
    home.write("jobs.csv", JOBS);
    let told = home.json(&[
        "simulate",
        "jobs.csv",
        "--cluster",
        "nodes.yaml",
        "--compare",
        "fifo,sjf",
        "--rehearse",
        "0.01",
    ]);
    assert_eq!(told["simulated"]["time_scale"], 0.01);
    let results = told["results"].as_array().expect("a list");
    let names: Vec<_> = results.iter().map(|it| (&it["figures"]["policy"], &it["run"])).collect();
    let named = |policy: &'static str, run: &'static str| (Value::from(policy), Value::from(run));
    let expected = [
        named("fifo", "simulated"),
        named("fifo", "real"),
        named("sjf", "simulated"),
        named("sjf", "real"),
    ];
    assert_eq!(names, expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>());
    // A busy machine takes its time to start a process, and no less than the work takes.
    for pair in results.chunks(2) {
        for path in ["/makespan_s", "/completion/mean_s"] {
            let [simulated, real] = [&pair[0], &pair[1]].map(|it| figure(it, path));
            assert!(real > 0.99 * simulated && real < 1.25 * simulated + 0.3, "{path}: {told}");
        }
    }
    let [fifo, sjf] = [&results[1], &results[3]].map(|it| figure(it, "/completion/mean_s"));
    assert!(sjf < fifo, "who is short goes first also in truth: {told}");
    assert_eq!(figure(&results[1], "/attempts_failed"), 0.0);
    assert_eq!(home.run(&["list"]).code, 0);
    assert!(!home.state().exists(), "it has a state folder of its own");
}

#[test]
fn what_cannot_be_rehearsed_is_refused() {
    let home = Home::new();
    home.write("nodes.yaml", NODES);
    home.write("jobs.csv", JOBS);
    let files = ["simulate", "jobs.csv", "--cluster", "nodes.yaml", "--rehearse", "0.01"];
    for (options, said) in [
        (&["--arrivals", "closed:2"][..], "not in a closed loop"),
        (&["--what-if", "nodes.fast += 1"], "cannot be used with"),
        (&["--failures", "0.1"], "cannot be used with"),
    ] {
        let refused = home.run(&[&files[..], options].concat());
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
    home.write("nodes.yaml", "nodes: [{name: many, count: 1001, cpu: 1, memory: 1Gi, gpus: 1}]\n");
    let refused = home.run(&files);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("one machine stands for 1000 at most"), "{}", refused.stderr);
}

/// What bounds how many run at a time is known to a simulation of what has been, too.
#[test]
fn a_history_is_simulated_with_its_locks_and_limits() {
    for limit in ["locks: one", "max_parallel: 1"] {
        let home = Home::new();
        let flow = format!(
            "tasks: {{a: {{foreach: {{range: 4}}, script: sleep 0.4, resources: {{cpu: 100m}}, \
             {limit}}}}}\n"
        );
        home.write("flow.yaml", &flow);
        assert_eq!(home.run(&["run", "flow.yaml"]).code, 0);
        let told = home.json(&["simulate", "--history"]);
        assert_eq!(told["simulated"]["notes"], serde_json::json!([]), "{told}");
        let results = told["results"].as_array().expect("a list");
        for result in results {
            let makespan = figure(result, "/makespan_s");
            assert!((1.6..3.0).contains(&makespan), "one after the other: {told}");
        }
        assert_eq!(results.len(), 2, "recorded, and simulated");
        home.wait_until_quiet();
    }
}
