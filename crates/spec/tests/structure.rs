//! Files within files, copies of groups, tasks that are added to a run, and edits of how they are
//! run.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::control::{ControlAnswer, EdgeCondition};
use model::graph::GraphParts;
use model::{Digest, Graph, ItemId, RunId, TaskId, Timestamp, VariantId};
use serde_json::{Value, json};
use spec::{
    Compiled, Definition, Diagnostics, Edit, Extended, Fragment, Question, Source, TaskOutputs,
    check_with,
};

fn compiled(files: &[(&str, &str)]) -> Result<Compiled, Diagnostics> {
    let source = Source {
        name: files[0].0.to_owned(),
        folder: PathBuf::from("/w"),
        text: files[0].1.into(),
    };
    let read = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new("/w").join(name) == path);
        let found = found.map(|(_, text)| text.as_bytes().to_vec());
        found.ok_or_else(|| format!("there is no file {}", path.display()))
    };
    check_with(&source, &read)?.bind(&BTreeMap::new())?.compile_with(&read)
}

fn one(text: &str) -> Compiled {
    compiled(&[("main.yaml", text)]).unwrap_or_else(|told| panic!("{told}"))
}

/// Each task with what it waits for, in the order of their numbers.
fn shape(parts: &GraphParts, definition: &Definition) -> Vec<String> {
    let graph = Graph::new(Digest::default(), parts.clone()).unwrap();
    let name = |task| definition.task_name(task);
    let told = graph.tasks().map(|task| {
        let mut before = Vec::new();
        for from in graph.predecessors(task) {
            for (_, condition) in graph.edges_from(from).filter(|(to, _)| *to == task) {
                before.push(match condition {
                    EdgeCondition::Succeeded => name(from).to_owned(),
                    other => format!("{} {other:?}", name(from)),
                });
            }
        }
        format!("{} < {}", name(task), before.join(" "))
    });
    told.map(|line| line.trim_end().to_owned()).collect()
}

fn outputs(task: TaskId) -> TaskOutputs {
    TaskOutputs::Single(json!({"n": task.0, "rows": 7, "best": 1}))
}

fn script(definition: &Definition, name: &str) -> String {
    let task = definition.task(name).unwrap_or_else(|| panic!("no task {name}"));
    definition
        .render((task, ItemId(0)), VariantId(0), &outputs)
        .unwrap()
        .argv()
        .last()
        .unwrap()
        .clone()
}

fn answer(definition: &Definition, name: &str) -> (ControlAnswer, Value) {
    let task = definition.task(name).unwrap();
    let (now, run) = (Timestamp(0), RunId(1));
    let reply = definition.answer(&Question { task, turn: 1, upstream: &outputs, now, run });
    let output = reply.output.map(|bytes| serde_json::from_slice(&bytes).unwrap());
    (reply.answer, output.unwrap_or_default())
}

const PREP: &str = "
params: {lang: en, rows: {type: int, min: 1}}
env: {LANG: '{{ params.lang }}'}
outputs: {best: tasks.b.outputs.n + params.rows}
tasks:
  a: {script: 'echo {{ params.lang }} {{ params.rows }} {{ env.LANG }}'}
  b: {script: 'echo {{ tasks.a.outputs.n }}', depends_on: a}
";

#[test]
fn a_file_stands_in_the_place_of_the_task_that_names_it() {
    let main = "
params: {lang: de}
tasks:
  count: {script: echo}
  prep:
    workflow: ./sub/prep.yaml
    with: {lang: '{{ params.lang }}', rows: '{{ tasks.count.outputs.rows }}'}
    depends_on: count
  last: {script: 'echo {{ tasks.prep.outputs.best }}', depends_on: prep}
";
    let Compiled { parts, definition, .. } =
        compiled(&[("main.yaml", main), ("sub/prep.yaml", PREP)]).unwrap();
    let expected = ["count <", "prep.a < count", "prep.b < prep.a", "prep < prep.b", "last < prep"];
    assert_eq!(shape(&parts, &definition), expected);
    assert_eq!(script(&definition, "prep.a"), "echo de 7 de");
    assert_eq!(script(&definition, "prep.b"), "echo 1");
    let (route, output) = answer(&definition, "prep");
    assert_eq!((route, output), (ControlAnswer::Route(1), json!({"best": 9})));
    let task = definition.task("prep.a").unwrap();
    let rendered = definition.render((task, ItemId(0)), VariantId(0), &outputs).unwrap();
    assert_eq!(rendered.working_dir, Path::new("/w/sub"));
    // It is stored and read back as it was.
    let again = Definition::from_bytes(&definition.to_bytes()).unwrap();
    assert_eq!(script(&again, "prep.a"), "echo de 7 de");
}

#[test]
fn a_parameter_that_is_known_late_is_held_to_its_rules_late() {
    let main = "
tasks:
  count: {script: echo}
  prep: {workflow: prep.yaml, with: {rows: '{{ 0 - tasks.count.outputs.rows }}'}, depends_on: count}
";
    let built = compiled(&[("main.yaml", main), ("prep.yaml", PREP)]).unwrap();
    let task = built.definition.task("prep.a").unwrap();
    let told = built.definition.render((task, ItemId(0)), VariantId(0), &outputs).unwrap_err();
    assert!(told.message.contains("`rows`") && told.message.contains("at least 1"), "{told}");
}

#[test]
fn conditions_loops_and_copies_hold_for_a_file() {
    let main = "
tasks:
  first: {script: echo}
  prep:
    workflow: prep.yaml
    with: {rows: 3}
    depends_on: first
    when: tasks.first.outputs.rows > 3
    until: tasks.prep.outputs.best > 3
    max_rounds: 3
  each: {workflow: prep.yaml, foreach: [4, 5], with: {rows: '{{ item }}'}, depends_on: prep}
  last: {script: 'echo {{ tasks.each.outputs.best }}', depends_on: each}
";
    let Compiled { parts, definition, .. } =
        compiled(&[("main.yaml", main), ("prep.yaml", PREP)]).unwrap();
    let expected = [
        "first <",
        "prep.when < first",
        "prep.a < prep.when Route(1)",
        "prep.b < prep.a",
        "prep < prep.b",
        "prep.until < prep.a prep.b prep",
        "each.0.a < prep.until",
        "each.0.b < each.0.a",
        "each.0 < each.0.b",
        "each.1.a < prep.until",
        "each.1.b < each.1.a",
        "each.1 < each.1.b",
        "each < prep.until each.0 each.1",
        "last < each",
    ];
    assert_eq!(shape(&parts, &definition), expected);
    assert_eq!(script(&definition, "each.1.a"), "echo en 5 en");
    assert_eq!(script(&definition, "last"), "echo [1,1]");
}

#[test]
fn a_group_is_there_once_for_each_item() {
    let text = "
params: {langs: [en, de]}
tasks:
  before: {script: echo}
  g:
    foreach: '{{ params.langs }}'
    depends_on: before
    env: {L: '{{ item }}'}
    tasks:
      a: {script: 'echo {{ item }} {{ index }}', compensate: {script: 'undo {{ item }}'}}
      b: {script: 'echo {{ tasks.a.outputs.n }}', depends_on: a, foreach: [8]}
      deep: {foreach: '{{ [item, item] }}', depends_on: a, tasks: {z: {script: 'echo {{ item }}'}}}
  last: {script: 'echo {{ tasks.g.a.outputs.n }} {{ tasks.g.deep.z.outputs.n }}', depends_on: g}
";
    let Compiled { parts, definition, .. } = one(text);
    let expected = [
        "before <",
        "g.0.a < before",
        "g.0.b < g.0.a",
        "g.0.deep.0.z < g.0.a",
        "g.0.deep.1.z < g.0.a",
        "g.0.deep < g.0.a g.0.deep.0.z g.0.deep.1.z",
        "g.1.a < before",
        "g.1.b < g.1.a",
        "g.1.deep.0.z < g.1.a",
        "g.1.deep.1.z < g.1.a",
        "g.1.deep < g.1.a g.1.deep.0.z g.1.deep.1.z",
        "g < before g.0.b g.0.deep g.1.b g.1.deep",
        "last < g",
        "g.0.a.compensate <",
        "g.1.a.compensate <",
    ];
    assert_eq!(shape(&parts, &definition), expected);
    assert_eq!(script(&definition, "g.1.a"), "echo de 1");
    assert_eq!(script(&definition, "g.1.b"), "echo 6");
    assert_eq!(script(&definition, "g.0.deep.1.z"), "echo en");
    assert_eq!(script(&definition, "g.1.a.compensate"), "undo de");
    assert_eq!(script(&definition, "last"), "echo [1,6] [3,4,8,9]");
}

#[test]
fn a_group_without_items_is_passed_through() {
    let text = "
tasks:
  a: {script: echo}
  g: {foreach: [], depends_on: a, tasks: {m: {script: echo}}}
  z: {script: 'echo {{ tasks.g.m.outputs.n | default(0) }}', depends_on: g}
";
    let Compiled { parts, definition, .. } = one(text);
    assert_eq!(shape(&parts, &definition), ["a <", "g < a", "z < g"]);
    assert_eq!(script(&definition, "z"), "echo 0");
}

fn told(files: &[(&str, &str)]) -> String {
    compiled(files).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_name() {
    let main = "tasks: {p: {workflow: sub/p.yaml}}";
    let wrong = told(&[("main.yaml", main), ("sub/p.yaml", "tasks:\n  a: {scrip: x}\n")]);
    assert!(wrong.contains("sub/p.yaml:2:7") && wrong.contains("did you mean"), "{wrong}");
    let late = told(&[
        ("main.yaml", main),
        ("sub/p.yaml", "params: {n: 0}\ntasks:\n  a: {script: x, foreach: '{{ params.n }}'}\n"),
    ]);
    assert!(late.contains("sub/p.yaml:3:27"), "{late}");
    let circle =
        told(&[("main.yaml", main), ("sub/p.yaml", "tasks: {a: {workflow: ../main.yaml}}")]);
    assert!(
        circle.contains("E0119") && circle.contains("main.yaml → p.yaml → main.yaml"),
        "{circle}"
    );
    assert!(told(&[("main.yaml", main)]).contains("there is no file /w/sub/p.yaml"));
    let handler = told(&[("main.yaml", main), ("sub/p.yaml", "tasks: {a: {script: x, on: exit}}")]);
    assert!(handler.contains("`a` is a handler"), "{handler}");
    let given = "tasks: {p: {workflow: p.yaml, with: {lan: 1, rows: 0}}, q: {workflow: p.yaml}}";
    let given = told(&[("main.yaml", given), ("p.yaml", PREP)]);
    for part in ["did you mean `lang`?", "must be at least 1", "its parameter `rows`"] {
        assert!(given.contains(part), "{part}: {given}");
    }
    let output = "
tasks:
  p: {workflow: p.yaml, with: {rows: 1}}
  q: {script: 'echo {{ tasks.p.outputs.bst }}', depends_on: p}
";
    let output = told(&[("main.yaml", output), ("p.yaml", PREP)]);
    assert!(output.contains("did you mean `best`?"), "{output}");
    let dynamic = "
tasks:
  a: {script: echo}
  g: {foreach: '{{ tasks.a.outputs.list }}', depends_on: a, tasks: {m: {script: echo}}}
";
    assert!(told(&[("main.yaml", dynamic)]).contains("$AUTOGLM_TASKS"));
}

const RUN: &str = "
params: {lang: en}
tasks:
  early: {script: echo, compensate: {script: undo}}
  other: {script: echo}
  g: {script: echo, depends_on: early, priority: 70}
  after: {script: echo, depends_on: g, compensate: {script: undo}}
  if_failed: {script: echo, depends_on: {g: failed}}
";

fn extend(built: &Compiled, by: Option<&str>, text: &str) -> Result<Extended, Diagnostics> {
    let by = by.map(|by| built.definition.task(by).unwrap());
    built.definition.extend(&built.parts, Fragment { by, item: None, text: text.as_bytes() })
}

#[test]
fn what_a_task_writes_is_waited_for_by_what_waits_for_the_task() {
    let built = one(RUN);
    let text = "
- {name: m, script: 'echo {{ params.lang }} {{ tasks.early.outputs.n }}', compensate: {script: u}}
- {name: n, script: 'echo {{ tasks.m.outputs.n }}', depends_on: [m, early]}
";
    let grown = extend(&built, Some("g"), text).unwrap();
    assert_eq!(grown.added, 3);
    let expected = [
        "early <",
        "other <",
        "g < early",
        "after < g g.n",
        "if_failed < g Failed",
        "early.compensate < after.compensate g.m.compensate",
        "after.compensate <",
        "g.m < g",
        "g.n < early g.m",
        "g.m.compensate < after.compensate",
    ];
    assert_eq!(shape(&grown.parts, &grown.definition), expected);
    assert_eq!(script(&grown.definition, "g.m"), "echo en 0");
    assert_eq!(script(&grown.definition, "g.n"), "echo 7");
    let graph = Graph::new(Digest::default(), grown.parts.clone()).unwrap();
    assert_eq!(graph.policy(TaskId(7)).priority.0, 70);
    // The same again, in another form, adds nothing; anything else is refused.
    let again = |text: &str| {
        let by = Some(TaskId(2));
        grown.definition.extend(&grown.parts, Fragment { by, item: None, text: text.as_bytes() })
    };
    let same = again(&format!("# again\n{text}")).unwrap();
    assert_eq!((same.added, same.parts), (0, grown.parts.clone()));
    assert!(again("- {name: x, script: echo}").unwrap_err().to_string().contains("fork"));
}

#[test]
fn an_item_writes_tasks_under_its_number() {
    let built =
        one("tasks: {g: {script: echo, foreach: [1, 2]}, z: {script: echo, depends_on: g}}");
    let written = |item| Fragment {
        by: Some(TaskId(0)),
        item: Some(ItemId(item)),
        text: b"{\"tasks\": {\"m\": {\"script\": \"echo\", \"foreach\": [1, 2, 3]}}}",
    };
    let one = built.definition.extend(&built.parts, written(1)).unwrap();
    let both = one.definition.extend(&one.parts, written(0)).unwrap();
    let expected = ["g <", "z < g g.1.m g.0.m", "g.1.m <", "g.0.m <"];
    assert_eq!(shape(&both.parts, &both.definition), expected);
    assert_eq!(both.parts.fan_outs, [(0, 2), (2, 3), (3, 3)]);
}

#[test]
fn what_may_not_be_added_is_told() {
    let built = one(RUN);
    let told = |by, text: &str| extend(&built, by, text).unwrap_err().to_string();
    for (text, part) in [
        ("- {name: m, script: 'echo {{ tasks.other.outputs.n }}'}", "need not have ended"),
        ("- {name: m, script: echo, depends_on: after}", "need not have ended"),
        ("- {name: m, script: 'echo {{ tasks.g.outputs.n }}'}", "add `g` to the `depends_on`"),
        ("- {name: m, script: echo, depends_on: nowhere}", "no task `nowhere`"),
        ("- {name: m, script: echo, on: exit}", "handler"),
        ("{env: {A: b}, tasks: {m: {script: echo}}}", "no `env`"),
        ("- {name: m, workflow: x.yaml}", "names no file"),
        ("- {name: m, script: 'echo {{ params.x }}'}", "no parameter `x`"),
        ("[", "E0101"),
        ("", "E0103"),
        ("tasks: {}", "no tasks"),
    ] {
        let told = told(Some("g"), text);
        assert!(told.contains(part), "{text}: {told}");
    }
    let looped = one("tasks: {g: {script: echo, until: round > 2}}");
    let told = extend(&looped, Some("g"), "- {name: m, script: echo}").unwrap_err().to_string();
    assert!(told.contains("repeated by a loop"), "{told}");
    let many = json!({"tasks": (0..10_001).map(|n| json!({"name": format!("m{n}"), "script": "x"}))
        .collect::<Vec<_>>()});
    let told = extend(&built, Some("g"), &many.to_string()).unwrap_err();
    assert_eq!(told.code().0, "E0104");
    let copies = "- {name: m, foreach: {range: 20000}, tasks: {x: {script: echo}}}";
    assert_eq!(extend(&built, Some("g"), copies).unwrap_err().code().0, "E0104");
}

#[test]
fn a_person_adds_tasks_under_their_own_names() {
    let built = one(RUN);
    let text =
        "tasks: {new: {script: 'echo {{ tasks.early.outputs.n }}', depends_on: [after, other]}}";
    let grown = extend(&built, None, text).unwrap();
    assert_eq!(shape(&grown.parts, &grown.definition).last().unwrap(), "new < other after");
    assert_eq!(script(&grown.definition, "new"), "echo 0");
    let twice = extend(&built, None, "- {name: g, script: echo}").unwrap_err().to_string();
    assert!(twice.contains("there is a task `g` already"), "{twice}");
    let order = extend(&built, None, "- {name: n, script: 'echo {{ tasks.g.outputs.n }}'}");
    assert_eq!(order.unwrap_err().code().0, "E0125");
}

fn edit(task: &str, key: &str, value: &str) -> Edit {
    Edit { task: task.to_owned(), key: key.to_owned(), value: value.to_owned() }
}

#[test]
fn edits_change_policies_alone() {
    let text = "
tasks:
  a-1: {script: echo, retry: {limit: 1, backoff: 2s}, resources: {cpu: 2, license: 1}}
  a-2: {script: echo, foreach: [1]}
  gate: {approval: true}
";
    let built = one(text);
    let edits = [
        edit("a-*", "retry.limit", "5"),
        edit("a-1", "resources.memory", "8Gi"),
        edit("a-1", "resources.license", "0"),
        edit("a-2", "concurrency", "4"),
        edit("*", "priority", "80"),
        edit("a-2", "timeout", "5m"),
    ];
    let changed = built.definition.amend(&built.parts, &edits).unwrap();
    let graph = Graph::new(Digest::default(), changed.parts.clone()).unwrap();
    let policy = |task| graph.policy(TaskId(task));
    assert_eq!((policy(0).retry.limit, policy(1).retry.limit), (5, 5));
    assert_eq!(policy(0).retry.backoff, model::Span::secs(2));
    assert_eq!(policy(0).request.memory_bytes, 8 << 30);
    assert_eq!((policy(0).request.cpu_milli, policy(0).request.custom.len()), (2_000, 0));
    assert_eq!((policy(1).concurrency, policy(1).timeout), (Some(4), Some(model::Span::secs(300))));
    assert!([0, 1, 2].iter().all(|&task| policy(task).priority.0 == 80));
    assert_eq!(changed.parts.edges, built.parts.edges);
    for (edit, part) in [
        (edit("a-1", "priority", "101"), "101"),
        (edit("a-1", "retry.limt", "1"), "did you mean"),
        (edit("a-3", "priority", "1"), "no task `a-3`"),
        (edit("gate", "retry.limit", "1"), "`gate` takes no `retry.limit`"),
        (edit("a-1", "timeout", "0s"), "longer than nothing"),
        (edit("a-1", "script", "x"), "cannot be changed"),
        (edit("a-1", "resources.cpu", "many"), "E0111"),
    ] {
        let told = built.definition.amend(&built.parts, &[edit]).unwrap_err().to_string();
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_definition_that_was_stored_before_there_were_frames_is_read() {
    let stored = br#"{"name": "n", "path": "f.yaml", "folder": "/w", "shell": ["sh"],
        "params": {"p": 3}, "env": {"E": "x"},
        "tasks": [{"name": "a", "action": {"script": "echo {{ params.p }} {{ env.E }}"}}]}"#;
    let definition = Definition::from_bytes(stored).unwrap();
    assert_eq!(script(&definition, "a"), "echo 3 x");
    assert!(!String::from_utf8(definition.to_bytes()).unwrap().contains("frame"));
}
