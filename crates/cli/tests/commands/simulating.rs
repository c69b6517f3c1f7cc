//! `autoglm simulate`, by the real binary: files in, tables and JSON and a page out.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::{stderr, stdout};

const NODES: &str = "nodes:\n  - {name: gpu, count: 2, cpu: 8, memory: 32Gi, gpus: 1}\n";

/// Two jobs that want both GPUs at once, and one that comes later.
const JOBS: &str = "submit_s,duration_s,cpu,gpus,job,name,depends_on
0,10,1,,a,load,
0,100,2,1,a,train,load
0,100,2,1,b,train,
0,100,2,1,c,train,
";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.write("nodes.yaml", NODES);
        folder.write("jobs.csv", JOBS);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    fn simulate(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_autoglm"));
        command.env_clear().env("AUTOGLM_HOME", self.path("home")).current_dir(self.0.path());
        command.arg("simulate").args(arguments).output().expect("it starts")
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.simulate(&[arguments, &["-o", "json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_str(stdout(&output)).expect("JSON")
    }
}

const FILES: [&str; 3] = ["jobs.csv", "--cluster", "nodes.yaml"];

#[test]
fn a_trace_is_simulated_and_nothing_is_left_behind() {
    let folder = Folder::new();
    let told = folder.json(&FILES);
    let simulated = &told["simulated"];
    assert_eq!((&simulated["tasks"], &simulated["jobs"]), (&4.into(), &3.into()));
    assert_eq!(simulated["nodes"], serde_json::json!([2]));
    let figures = &told["results"][0]["figures"];
    assert_eq!(figures["makespan_s"], 200.0, "three times 100 s on two GPUs");
    assert_eq!(figures["wait"]["max_s"], 90.0, "`a` waits for a GPU when it has loaded");
    assert_eq!(told, folder.json(&FILES), "the same seed, the same figures");
    assert!(!folder.path("home").exists(), "a simulation makes no state");
}

#[test]
fn what_if_shows_before_and_after_and_the_change() {
    let folder = Folder::new();
    let output = folder.simulate(&[&FILES[..], &["--what-if", "nodes.gpu += 1"]].concat());
    insta::assert_snapshot!(stdout(&output), @r"
    jobs: 4 tasks in 3 jobs on 2 and then 3 nodes, all at once
    What if: nodes.gpu += 1

    POLICY   CLUSTER    WAIT  WAIT P95  WAIT MAX    DONE  DONE P95  MAKESPAN  BOUND     CPU     GPU
    autoglm  before    22.5s    1m 30s    1m 30s  2m 13s    3m 20s    3m 20s   1.33  19.1 %  75.0 %
    autoglm  after        0s        0s        0s  1m 43s    1m 50s    1m 50s   1.00  23.1 %  90.9 %
             change   -100 %    -100 %    -100 %   -23 %     -45 %     -45 %  -25 %   +21 %   +21 %

    WAIT: of tasks that could begin, until they did. DONE: of jobs, from coming to end.
    BOUND: the makespan, by what no schedule is shorter than. CPU, GPU: busy while jobs come.
    ");
    assert!(stderr(&output).starts_with("Simulated in "));
}

#[test]
fn policies_are_compared_in_the_order_in_which_they_are_named() {
    let folder = Folder::new();
    let told = folder.json(&[&FILES[..], &["--compare", "fifo,heft,autoglm"]].concat());
    let names = told["results"].as_array().expect("a list").iter();
    let names: Vec<&Value> = names.map(|result| &result["figures"]["policy"]).collect();
    assert_eq!(names, ["fifo", "heft", "autoglm"]);
}

#[test]
fn a_workflow_takes_what_it_says_or_is_told() {
    let folder = Folder::new();
    folder.write(
        "flow.yaml",
        "tasks:\n  - {name: a, script: 'true', timeout: 30s}\n  \
         - {name: b, script: 'true', depends_on: a}\n",
    );
    let arguments = ["flow.yaml", "--cluster", "nodes.yaml"];
    let told = folder.json(&arguments);
    assert_eq!(told["results"][0]["figures"]["makespan_s"], 90.0);
    let notes = ["its timeout", "60 s"]
        .map(|time| format!("flow: without a --duration, 1 task is taken to last {time}"));
    assert_eq!(told["simulated"]["notes"], serde_json::json!(notes));
    let told = folder.json(&[&arguments[..], &["--duration", "b=2m"]].concat());
    assert_eq!(told["results"][0]["figures"]["makespan_s"], 150.0);
    let output = folder.simulate(&[&arguments[..], &["--duration", "c=2m"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("flow.yaml has no task `c`"));
}

#[test]
fn a_report_is_written_over_a_report_and_over_nothing_else() {
    let folder = Folder::new();
    let arguments = |to| [&FILES[..], &["--report", to]].concat();
    for _ in 0..2 {
        let output = folder.simulate(&arguments("out.html"));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stderr(&output).contains("The report is in out.html."));
    }
    let page = std::fs::read_to_string(folder.path("out.html")).expect("written");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    let output = folder.simulate(&arguments("jobs.csv"));
    assert_eq!(output.status.code(), Some(6));
    assert!(stderr(&output).contains("jobs.csv is there already, and is no report"));
    assert_eq!(std::fs::read_to_string(folder.path("jobs.csv")).expect("there"), JOBS);
}

#[test]
fn what_is_wrong_is_told_with_what_to_do() {
    let folder = Folder::new();
    let told = |arguments: &[&str]| {
        let output = folder.simulate(&[&FILES[..], arguments].concat());
        (output.status.code(), stderr(&output).to_owned())
    };
    let (code, text) = told(&["--what-if", "nodes.gup += 2"]);
    assert_eq!(code, Some(2));
    let expected = "error[E0613]: the cluster has no nodes named `gup`\n\
                    hint: did you mean `gpu`?\n";
    assert_eq!(text, expected);
    let (code, text) = told(&["--compare", "fifo,autoglmm"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("E0614") && text.contains("did you mean `autoglm`?"), "{text}");
    assert!(told(&["--arrivals", "poisson"]).1.contains("is none of: recorded, poisson:LOAD"));
    let output = folder.simulate(&["jobs.csv"]);
    assert!(stderr(&output).contains("the file says nothing of nodes"), "{}", stderr(&output));
    let output = folder.simulate(&["nodes.csv", "--cluster", "nodes.yaml"]);
    assert_eq!(output.status.code(), Some(5));
    folder.write("big.csv", "submit_s,duration_s,gpus\n0,1,8\n");
    let output = folder.simulate(&["big.csv", "--cluster", "nodes.yaml"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("E0615"), "{}", stderr(&output));
}
