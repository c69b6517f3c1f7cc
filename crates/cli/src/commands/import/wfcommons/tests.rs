//! What comes of an instance is a workflow of the language, and says what it was made of.

use std::collections::BTreeMap;

use model::{Digest, Graph, TaskId};
use spec::{Does, Source};

use super::*;

const SAMPLE: &str = r#"{
  "name": "tiny 1", "description": "made {{ for }} a test", "schemaVersion": "1.5",
  "workflow": {
    "specification": {
      "tasks": [
        {"name": "split_ID1", "id": "split_ID1", "children": ["a/b", "a*b"],
         "inputFiles": ["in"], "outputFiles": ["part", "rest"]},
        {"name": "a/b", "id": "a/b", "inputFiles": ["part", "in"]},
        {"name": "a*b", "id": "a*b", "inputFiles": ["rest"], "outputFiles": ["far"]},
        {"name": "007", "id": "007", "parents": ["a/b", "a*b"], "inputFiles": ["part", "far"]}
      ],
      "files": [{"id": "in", "sizeInBytes": 1000}, {"id": "part", "sizeInBytes": 300},
                {"id": "rest", "sizeInBytes": 20}, {"id": "far", "sizeInBytes": 100}]
    },
    "execution": {"tasks": [
        {"id": "split_ID1", "runtimeInSeconds": 1.5, "command": {"program": "split"}},
        {"id": "a/b", "runtimeInSeconds": 2, "coreCount": 2, "memoryInBytes": 1048576},
        {"id": "a*b", "runtimeInSeconds": 0.1, "coreCount": 0.5, "memoryInBytes": 7},
        {"id": "007", "runtimeInSeconds": 0}
    ]}
  }
}"#;

fn command(work: Work, data: bool) -> WfCommons {
    let file = "dir/tiny.json.gz".into();
    WfCommons { file, time_scale: 100_000, work, data, to: None }
}

fn sample() -> Instance {
    let source = workload::Source::new("tiny.json", SAMPLE.into()).expect("text");
    instance(&source).expect("it is in order")
}

fn text(work: Work, data: bool) -> String {
    command(work, data).workflow(&sample()).expect("it has few files")
}

fn compiled(text: &str) -> spec::Compiled {
    let source = Source { name: "a.yaml".into(), folder: "/".into(), text: text.into() };
    let workflow = spec::check(&source).unwrap_or_else(|told| panic!("{told}\n{text}"));
    let bound = workflow.bind(&BTreeMap::new()).expect("it has no parameters");
    bound.compile().unwrap_or_else(|told| panic!("{told}"))
}

#[test]
fn each_task_sleeps_for_its_time() {
    let text = text(Work::Sleep, false);
    insta::assert_snapshot!(text, @r#"
    # Made of tiny.json.gz by `autoglm import wfcommons`.
    # tiny 1 (WfFormat 1.5): 4 tasks, 4 dependencies.
    # Each task sleeps 0.1 times as long as it ran.
    # That is 0.36 s of work, of which 0.35 s on the longest way.
    version: 1
    name: "tiny 1"
    description: "made { { for }} a test"
    templates:
      work:
        params: {seconds: {type: float, min: 0}}
        script: exec sleep "$(awk "BEGIN {print {{ with.seconds }} / $AUTOGLM_NODE_SPEED}")"
    tasks:
      split_ID1: {work: {seconds: 0.15}}
      a_b:
        description: "a/b"
        work: {seconds: 0.2}
        resources: {cpu: 2, memory: 1Mi}
        depends_on: split_ID1
      a_b-2:
        description: "a*b"
        work: {seconds: 0.01}
        resources: {cpu: 500m, memory: 7}
        depends_on: split_ID1
      "007": {work: {seconds: 0}, depends_on: [a_b, a_b-2]}
    "#);
    let compiled = compiled(&text);
    let names: Vec<_> = (0..4).map(|task| compiled.definition.task_name(TaskId(task))).collect();
    assert_eq!(names, ["split_ID1", "a_b", "a_b-2", "007"]);
    let graph = Graph::new(Digest::default(), compiled.parts).expect("a graph");
    assert_eq!((graph.len(), graph.edge_count()), (4, 4));
    let request = &graph.policy(TaskId(1)).request;
    assert_eq!((request.cpu_milli, request.memory_bytes), (2_000, 1 << 20));
    let sketch = compiled.definition.sketch(TaskId(0)).expect("a task");
    let Does::Script { text, .. } = &sketch.does else { panic!("another kind") };
    let slept = r#"exec sleep "$(awk "BEGIN {print 0.15 / $AUTOGLM_NODE_SPEED}")""#;
    assert_eq!(text.text, slept, "on a node of any speed");
}

#[test]
fn or_keeps_its_cores_at_work_and_has_its_files() {
    let text = text(Work::Busy, true);
    insta::assert_snapshot!(text, @r#"
    # Made of tiny.json.gz by `autoglm import wfcommons`.
    # tiny 1 (WfFormat 1.5): 4 tasks, 4 dependencies.
    # Each task keeps its cores at work 0.1 times as long as it ran.
    # Its files have 0.1 times their size.
    # That is 0.36 s of work, of which 0.35 s on the longest way.
    version: 1
    name: "tiny 1"
    description: "made { { for }} a test"
    templates:
      work:
        params:
          seconds: {type: float, min: 0}
          cores: 1
          reads: ""   # files that other tasks have written
          zeros: 0    # bytes of files that nobody wrote
          writes: ""  # files, and how many bytes each has
        env: {DATA: "data/run-{{ run.id }}"}
        script: |
          mkdir -p "$DATA"
          for file in {{ with.reads }}; do cat "$DATA/$file" > /dev/null; done
          head -c {{ with.zeros }} /dev/zero > /dev/null
          busy=
          for core in $(seq {{ with.cores }}); do
            while :; do :; done &
            busy="$busy $!"
          done
          sleep "$(awk "BEGIN {print {{ with.seconds }} / $AUTOGLM_NODE_SPEED}")"
          kill $busy
          wait
          for file in {{ with.writes }}; do
            head -c "${file#*:}" /dev/zero > "$DATA/${file%:*}"
          done
    tasks:
      split_ID1: {work: {seconds: 0.15, writes: "f1:30 f2:2", zeros: 100}}
      a_b:
        description: "a/b"
        work: {seconds: 0.2, cores: 2, reads: "f1", zeros: 100}
        resources: {cpu: 2, memory: 1Mi}
        depends_on: split_ID1
      a_b-2:
        description: "a*b"
        work: {seconds: 0.01, reads: "f2", writes: "f3:10"}
        resources: {cpu: 500m, memory: 7}
        depends_on: split_ID1
      "007": {work: {seconds: 0, reads: "f1 f3"}, depends_on: [a_b, a_b-2]}
    "#);
    let compiled = compiled(&text);
    let Some(Does::Script { text, .. }) = compiled.definition.sketch(TaskId(1)).map(|it| it.does)
    else {
        panic!("a script")
    };
    assert!(text.text.contains("$(seq 2)") && text.text.contains("for file in ; do"), "{text:?}");
}

#[test]
fn all_forms_are_valid() {
    for work in [Work::Sleep, Work::Busy] {
        for data in [false, true] {
            compiled(&text(work, data));
        }
    }
}

#[test]
fn a_file_that_a_reader_does_not_wait_for_is_not_taken_for_written() {
    let mut instance = sample();
    // `part` is read by 007, which waits for its writer through others alone.
    assert_eq!(written(&instance), [false, true, true, true]);
    // `far` is read by a task beside the one that writes it.
    instance.tasks[1].reads.push(3);
    assert_eq!(written(&instance), [false, true, true, false]);
}

#[test]
fn the_longest_way_is_told() {
    assert_eq!(lengths(&sample()), (3_600_000, 3_500_000));
}

#[test]
fn a_file_is_never_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("a.yaml");
    write(&to, "mine").expect("it is new");
    let error = write(&to, "other").expect_err("it is there");
    assert_eq!((error.exit, error.code.as_str()), (Exit::Conflict, "E0510"));
    assert_eq!(std::fs::read_to_string(&to).expect("it is there"), "mine");
    assert_eq!(write(folder.path(), "x").expect_err("a folder").exit, Exit::Conflict);
    let nowhere = folder.path().join("no/a.yaml");
    assert_eq!(write(&nowhere, "x").expect_err("no folder").exit, Exit::Storage);
}
