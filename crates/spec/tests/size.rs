//! Large files: checked in a time that grows with their size and no faster.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use model::control::ControlAnswer;
use model::limits::WORKFLOW_FILE_BYTES_MAX;
use model::{ItemId, RunId, TaskId, Timestamp, VariantId};
use serde_json::json;
use spec::{Compiled, Definition, Question, Source, TaskOutputs, check};

/// Without optimisation everything takes ten times as long.
const TASKS: usize = if cfg!(debug_assertions) { 20_000 } else { 100_000 };

/// How long this thread has been on a core: what others do at the same time does not count.
struct Stopwatch(Duration);

impl Stopwatch {
    fn start() -> Self {
        Self(Self::now())
    }

    fn elapsed(&self) -> Duration {
        Self::now() - self.0
    }

    fn now() -> Duration {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Duration::from_nanos(told.split(' ').next().unwrap().parse().unwrap())
    }
}

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
    let start = Stopwatch::start();
    let workflow = check(source).unwrap();
    let checked = start.elapsed();
    (workflow.bind(&BTreeMap::new()).unwrap().compile().unwrap(), checked)
}

#[test]
fn a_large_file_is_checked_and_stored() {
    let source = file(TASKS);
    let start = Stopwatch::start();
    let (compiled, checked) = compile(&source);
    let all = start.elapsed();
    let bytes = compiled.definition.to_bytes();
    let definition = Definition::from_bytes(&bytes).unwrap();
    assert_eq!(definition.len(), TASKS);
    assert_eq!(definition.task("task-7777"), Some(TaskId(7_777)));
    println!(
        "{TASKS} tasks in {} bytes: checked in {checked:?}, compiled in {all:?}; {} bytes stored",
        source.text.len(),
        bytes.len()
    );
    // Many times what it needs: a bound against accidents, not a measurement.
    assert!(all < Duration::from_secs(30));
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
    for number in 0..TASKS / 2 {
        writeln!(text, "  task-{number}: {{script: echo, depends_on: [tsk-{number}], retri: 1}}")
            .unwrap();
    }
    let source = Source { name: "bad.yaml".to_owned(), text: text.into(), ..Source::default() };
    let start = Stopwatch::start();
    let diagnostics = check(&source).unwrap_err();
    println!("{TASKS} faults told in {:?}", start.elapsed());
    assert_eq!(diagnostics.diagnostics.len() + diagnostics.omitted, TASKS);
    assert!(diagnostics.diagnostics.len() <= spec::limits::DIAGNOSTICS_MAX);
    assert!(diagnostics.to_string().ends_with("are shown\n"));
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn what_is_too_large_is_refused() {
    let code = |text: Vec<u8>| {
        let source = Source { name: "f.yaml".to_owned(), text, ..Source::default() };
        check(&source).unwrap_err().code()
    };
    assert_eq!(code(vec![0; WORKFLOW_FILE_BYTES_MAX + 1]), spec::code::TOO_LARGE);
    let script = "x".repeat(spec::limits::ARGUMENT_BYTES_MAX);
    assert_eq!(code(format!("tasks: {{a: {{script: {script}}}}}").into()), spec::code::TOO_LARGE);
}

#[test]
fn the_walk_for_ancestors_is_bounded() {
    // A chain of which each task names an output that only a walk finds to be known.
    let chain = |named: fn(usize) -> usize| {
        let mut text = String::from("tasks:\n  t0: {script: echo}\n");
        for number in 1..24_000 {
            let script = format!("echo {{{{ tasks.t{}.outputs.k }}}}", named(number));
            let before = number - 1;
            writeln!(text, "  t{number}: {{depends_on: t{before}, script: '{script}'}}").unwrap();
        }
        check(&Source { name: "f.yaml".to_owned(), text: text.into(), ..Source::default() })
    };
    assert!(chain(|_| 0).is_ok());
    assert!(chain(|number| number.saturating_sub(3)).is_ok());
    let start = Stopwatch::start();
    assert_eq!(chain(|number| number / 2).unwrap_err().code(), spec::code::TOO_LARGE);
    println!("given up after {:?}", start.elapsed());
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
        let start = Stopwatch::start();
        for item in 0..10_000 {
            compiled.definition.render((task, ItemId(item)), VariantId(0), &outputs).unwrap();
        }
        println!("a rendering {what} templates takes {:?}", start.elapsed() / 10_000);
    }
}

fn of_text(text: &str) -> Compiled {
    let source = Source { name: "f.yaml".to_owned(), text: text.into(), ..Source::default() };
    compile(&source).0
}

#[test]
fn a_million_items_cost_little_unless_they_are_written_out() {
    let text = "
tasks:
  a: {foreach: {range: [0, 3000000, 3]}, script: echo}
  b: {foreach: {matrix: {a: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], b: AXIS, c: AXIS}}, script: echo}
";
    let axis = format!("[{}]", (0..316).map(|it| it.to_string()).collect::<Vec<_>>().join(","));
    let start = Stopwatch::start();
    let compiled = of_text(&text.replace("AXIS", &axis));
    assert_eq!(compiled.parts.fan_outs, [(0, 1_000_000), (1, 998_560)]);
    assert!(compiled.definition.to_bytes().len() < 10_000);
    let label = compiled.definition.item_label(TaskId(1), ItemId(998_559));
    assert_eq!(label.as_deref(), Some(r#"{"a":10,"b":315,"c":315}"#));
    println!("two million items in {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_million_late_items_are_listed_within_their_bound() {
    let text = "
tasks:
  a: {script: echo}
  b: {depends_on: a, foreach: {range: '{{ tasks.a.outputs.n }}'}, script: echo}
";
    let compiled = of_text(text);
    let reply = |n: u32| {
        let upstream = move |_: TaskId| TaskOutputs::Single(json!({"n": n}));
        let (now, run) = (Timestamp(0), RunId::default());
        let question = Question { task: TaskId(1), turn: 1, upstream: &upstream, now, run };
        compiled.definition.answer(&question)
    };
    let start = Stopwatch::start();
    let million = reply(1_000_000);
    println!("a million items are worked out in {:?}", start.elapsed());
    assert!(matches!(million.answer, ControlAnswer::FanOut { items: 1_000_000, .. }));
    assert!(million.list.is_some_and(|list| list.len() < 8 << 20));
    assert_eq!(reply(1_000_001).answer, ControlAnswer::Invalid);
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn groups_and_patterns_are_taken_apart_in_time() {
    let mut text = String::from("tasks:\n");
    for group in 0..TASKS / 40 {
        writeln!(text, "  g{group}:\n    until: round > 2\n    tasks:").unwrap();
        for member in 0..8 {
            writeln!(text, "      m{member}: {{script: echo, compensate: {{script: undo}}}}")
                .unwrap();
        }
        writeln!(text, "      last: {{script: echo, depends_on: 'm*'}}").unwrap();
    }
    writeln!(text, "  end: {{script: echo, depends_on: 'g*', join: all_done}}").unwrap();
    let start = Stopwatch::start();
    let compiled = of_text(&text);
    println!("{} tasks in groups in {:?}", compiled.definition.len(), start.elapsed());
    assert_eq!(compiled.definition.len(), TASKS / 40 * 18 + 1);
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn patterns_that_fit_too_much_are_refused() {
    let mut text = String::from("tasks:\n");
    for number in 0..20_000 {
        writeln!(text, "  t{number}: {{script: echo, depends_on: 'x*'}}").unwrap();
    }
    let source = Source { name: "f.yaml".to_owned(), text: text.into(), ..Source::default() };
    let start = Stopwatch::start();
    assert!(check(&source).is_err());
    println!("given up after {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn groups_lie_in_each_other_as_deep_as_values_may() {
    let nested = |depth: usize| {
        let (open, close) = ("{tasks: {g: ".repeat(depth), "}}".repeat(depth));
        let text = format!("tasks: {{g: {open}{{script: echo}}{close}}}");
        check(&Source { name: "f.yaml".to_owned(), text: text.into(), ..Source::default() })
    };
    assert_eq!(nested(25).unwrap().task_count(), 1);
    assert_eq!(nested(40).unwrap_err().code(), spec::code::ALIASES);
}
