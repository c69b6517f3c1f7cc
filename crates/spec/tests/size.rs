//! Large files: checked in a time that grows with their size and no faster.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use model::{ItemId, TaskId};
use serde_json::json;
use spec::{Compiled, Definition, Source, TaskOutputs, check};

/// Tasks that each depend on up to three earlier ones and name an output of one of them.
fn file(tasks: usize) -> Source {
    let mut text = String::from("params: {rate: 0.1}\ntasks:\n");
    for number in 0..tasks {
        let earlier = [number.wrapping_sub(1), number / 2, number / 3];
        let mut names: Vec<String> =
            earlier.iter().filter(|&&it| it < number).map(|it| format!("task-{it}")).collect();
        names.dedup();
        let input = names.first().map(|name| format!("{{{{ tasks['{name}'].outputs.rows }}}}"));
        writeln!(text, "  - name: task-{number}\n    depends_on: [{}]", names.join(", ")).unwrap();
        let input = input.unwrap_or_default();
        writeln!(text, "    script: ./train.py --rate {{{{ params.rate }}}} --n {number} {input}")
            .unwrap();
        writeln!(text, "    retry: {{limit: 2, backoff: 5s}}").unwrap();
    }
    Source { name: "large.yaml".to_owned(), folder: PathBuf::from("/"), text: text.into() }
}

fn compile(source: &Source) -> (Compiled, Duration) {
    let start = Instant::now();
    let workflow = check(source).unwrap();
    let checked = start.elapsed();
    (workflow.bind(&BTreeMap::new()).unwrap().compile().unwrap(), checked)
}

#[test]
fn a_hundred_thousand_tasks_are_checked() {
    let source = file(100_000);
    let start = Instant::now();
    let (compiled, checked) = compile(&source);
    let all = start.elapsed();
    let bytes = compiled.definition.to_bytes();
    let definition = Definition::from_bytes(&bytes).unwrap();
    assert_eq!(definition.len(), 100_000);
    assert_eq!(definition.task("task-77777"), Some(TaskId(77_777)));
    println!(
        "100,000 tasks in {} bytes: checked in {checked:?}, compiled in {all:?}; {} bytes stored",
        source.text.len(),
        bytes.len()
    );
    // Ten times what a machine needs without optimisation: a bound on growth, not on speed.
    assert!(all < Duration::from_secs(60));
}

#[test]
fn time_grows_no_faster_than_the_file() {
    let small = (0..3).map(|_| compile(&file(2_000)).1).min().unwrap();
    let large = (0..3).map(|_| compile(&file(16_000)).1).min().unwrap();
    assert!(large < small * 24, "8 times the tasks took {large:?} instead of {small:?}");
}

#[test]
fn many_faults_are_told_within_bounds() {
    let mut text = String::from("tasks:\n");
    for number in 0..50_000 {
        writeln!(text, "  task-{number}: {{script: echo, depends_on: [tsk-{number}], retri: 1}}")
            .unwrap();
    }
    let source = Source { name: "bad.yaml".to_owned(), text: text.into(), ..Source::default() };
    let start = Instant::now();
    let diagnostics = check(&source).unwrap_err();
    println!("100,000 faults told in {:?}", start.elapsed());
    assert_eq!(diagnostics.diagnostics.len() + diagnostics.omitted, 100_000);
    assert!(diagnostics.diagnostics.len() <= spec::limits::DIAGNOSTICS_MAX);
    assert!(diagnostics.to_string().ends_with("are shown\n"));
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn rendering_is_cheap() {
    let text = "
env: {MODE: fast}
tasks:
  a: {script: echo}
  b: {foreach: {range: 10000}, depends_on: a, script: 'echo {{ item }} {{ tasks.a.outputs.k }}'}
";
    let source = Source { name: "f.yaml".to_owned(), text: text.into(), ..Source::default() };
    let (compiled, _) = compile(&source);
    let outputs = |_: TaskId| TaskOutputs::Single(json!({"k": 1}));
    for (task, what) in [(TaskId(0), "without"), (TaskId(1), "with")] {
        let start = Instant::now();
        for item in 0..10_000 {
            compiled.definition.render(task, ItemId(item), &outputs).unwrap();
        }
        println!("a rendering {what} templates takes {:?}", start.elapsed() / 10_000);
    }
}
