//! What holds for every input: graphs come out as they went in, and nothing panics.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::collections::{BTreeMap, BTreeSet};

use model::{Digest, Graph};
use proptest::prelude::*;
use proptest::sample::SizeRange;
use serde_json::{Value, json};
use spec::{Definition, check};

#[path = "fuzz/survival.rs"]
mod survival;

use survival::{source, survives};

/// Names of tasks: Unicode, with everything that YAML could stumble over.
fn name() -> impl Strategy<Value = String> {
    let plain = "[a-zA-Z_-]{1,12}";
    let strange = "[\\pL\\pN :#'\"{}\\[\\],&*!|>%@`.?=-]{1,12}";
    prop_oneof![3 => plain, 1 => strange]
        .prop_map(|name: String| name.trim().to_owned())
        .prop_filter("a name", |name| !name.is_empty() && name != "." && name != "..")
}

/// A graph without circles: names, and edges from an earlier to a later one.
fn dag() -> impl Strategy<Value = (Vec<String>, BTreeSet<(usize, usize)>)> {
    let names = proptest::collection::btree_set(name(), SizeRange::from(1..24));
    names.prop_map(|names| names.into_iter().collect::<Vec<_>>()).prop_shuffle().prop_flat_map(
        |names| {
            let count = names.len();
            let edges = proptest::collection::btree_set((0..count, 0..count), 0..count * 3);
            let edges = edges.prop_map(|edges| {
                let apart = edges.into_iter().filter(|(one, other)| one != other);
                apart.map(|(one, other)| (one.min(other), one.max(other))).collect()
            });
            (Just(names), edges)
        },
    )
}

/// What is drawn of a task: its kind, the earlier tasks that it depends on and in which way, its
/// join, and whether it has a condition and is a loop.
type Drawn = (u8, Vec<(usize, u8)>, u8, bool, bool);

/// Tasks of every kind, each after earlier ones in any way that the language has.
fn control_flow() -> impl Strategy<Value = Vec<Drawn>> {
    let earlier = proptest::collection::vec((0..8_usize, 0..5_u8), 0..4);
    proptest::collection::vec((0..9_u8, earlier, 0..5_u8, any::<bool>(), any::<bool>()), 1..8)
}

/// The task that was drawn, and the edges that must come of it.
fn drawn(number: usize, all: &[Drawn], edges: &mut BTreeSet<(String, String)>) -> Value {
    let (kind, earlier, join, has_condition, is_loop) = &all[number];
    let is_group = |number: usize| all[number].0 == 7;
    let mut task = match kind {
        0 => json!({"script": "echo", "foreach": {"range": [9, 0, -2], "batch": 2}}),
        1 => json!({"script": "echo", "foreach": "range(params.n) | list"}),
        2 => json!({"script": "echo", "foreach": {"values": "[round]", "max_parallel": 1}}),
        3 => json!({"decision": [{"rule": "n > 1", "action": {"value": 1}}]}),
        4 => json!({"approval": {"timeout": "1h", "default": "approve"}}),
        5 => json!({"wait": {"until": "params.n"}}),
        6 => json!({"script": "echo", "compensate": {"script": "undo"}}),
        7 => {
            json!({"tasks": {"m": {"script": "echo"}, "t0": {"script": "echo", "depends_on": "m"}}})
        }
        _ => json!({"command": ["echo"], "max_rounds": 7, "until": "round > 3"}),
    };
    if *has_condition {
        task["when"] = json!("params.n > 2");
    }
    if *is_loop && *kind != 8 {
        task["until"] = json!("run.id == 'x' or round > 2");
    }
    let conditions = ["succeeded", "failed", "finished", "skipped"];
    let is_all_done = *join == 3;
    let mut seen = BTreeSet::new();
    let mut depends_on = Vec::new();
    for (earlier, condition) in earlier.iter().filter(|_| number > 0) {
        let earlier = earlier % number;
        if !seen.insert(earlier) {
            continue;
        }
        let name = format!("t{earlier}");
        depends_on.push(match conditions.get(usize::from(*condition)).filter(|_| !is_all_done) {
            Some(condition) => json!({&name: condition}),
            None => json!(&name),
        });
        let end = match (is_group(earlier), all[earlier].4 || all[earlier].0 == 8) {
            (_, true) => format!("{name}.until"),
            (true, false) => format!("{name}.t0"),
            (false, false) => name,
        };
        let start = match (*kind, *has_condition || (1..4).contains(join)) {
            (7, true) => format!("t{number}.when"),
            (7, false) => format!("t{number}.m"),
            _ => format!("t{number}"),
        };
        edges.insert((end, start));
    }
    task["depends_on"] = Value::Array(depends_on);
    let at_least = json!({"at_least": seen.len().min(2)});
    let joins = [json!("all"), json!("any"), at_least, json!("all_done")];
    if let Some(join) = joins.get(usize::from(*join)).filter(|_| !seen.is_empty()) {
        task["join"] = join.clone();
    }
    task
}

/// The file of a graph, its tasks in the order `order`, in one of the forms.
fn file(names: &[String], edges: &BTreeSet<(usize, usize)>, form: u8) -> String {
    let task = |number: usize| {
        let earlier: Vec<&str> = edges
            .iter()
            .filter(|edge| edge.1 == number)
            .map(|edge| names[edge.0].as_str())
            .collect();
        match (earlier.as_slice(), form) {
            ([one], 0) => json!({"script": "echo", "depends_on": one}),
            _ => json!({"script": "echo", "depends_on": earlier}),
        }
    };
    let quoted = |text: &str| Value::from(text).to_string();
    match form {
        0 => {
            let tasks: BTreeMap<&str, Value> =
                (0..names.len()).map(|number| (names[number].as_str(), task(number))).collect();
            json!({"task_graph": tasks}).to_string()
        }
        1 => {
            let tasks = (0..names.len()).rev().map(|number| {
                let mut task = task(number);
                task["name"] = json!(names[number]);
                task
            });
            format!("{:#}", json!({"tasks": tasks.collect::<Vec<_>>()}))
        }
        _ => {
            let mut text = "tasks:\n".to_owned();
            for (number, name) in names.iter().enumerate() {
                text += &format!("  {}:\n    script: |\n      echo\n", quoted(name));
                text += "    depends_on:\n";
                let task = task(number);
                let earlier = task["depends_on"].as_array().unwrap();
                if earlier.is_empty() {
                    text.truncate(text.len() - "    depends_on:\n".len());
                }
                for name in earlier {
                    text += &format!("      - {name}\n");
                }
            }
            text
        }
    }
}

fn settings() -> ProptestConfig {
    ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn a_graph_comes_out_as_it_went_in((names, edges) in dag(), form in 0_u8..3) {
        let text = file(&names, &edges, form);
        let compiled = check(&source(text.as_str()))
            .and_then(|workflow| workflow.bind(&BTreeMap::new()))
            .and_then(spec::Bound::compile);
        let compiled = compiled.map_err(|told| TestCaseError::fail(format!("{told}\n{text}")))?;
        let definition = Definition::from_bytes(&compiled.definition.to_bytes()).unwrap();
        let graph = Graph::new(Digest::default(), compiled.parts).unwrap();
        let mut found = BTreeSet::new();
        for task in graph.tasks() {
            let number = |task| names.iter().position(|name| name == definition.task_name(task));
            prop_assert_eq!(definition.task(definition.task_name(task)), Some(task));
            for next in graph.successors(task) {
                found.insert((number(task).unwrap(), number(next).unwrap()));
            }
        }
        prop_assert_eq!(graph.len(), names.len());
        prop_assert_eq!(found, edges);
    }

    #[test]
    fn a_circle_is_always_told((names, edges) in dag(), ends in (0_usize..24, 0_usize..24)) {
        let (one, other) = (ends.0 % names.len(), ends.1 % names.len());
        prop_assume!(one != other);
        let mut edges = edges;
        edges.insert((one, other));
        edges.insert((other, one));
        let told = check(&source(file(&names, &edges, 1))).unwrap_err();
        prop_assert_eq!(told.code(), spec::code::CYCLE);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        survives(&bytes);
    }

    #[test]
    fn arbitrary_text_does_no_harm(text in "[\\PC\\n\\t -:#{}\\[\\]&*!|>'\"%]{0,400}") {
        survives(text.as_bytes());
    }

    #[test]
    fn control_flow_comes_out_as_it_went_in(all in control_flow()) {
        let mut edges = BTreeSet::new();
        let tasks: BTreeMap<String, Value> = (0..all.len())
            .map(|number| (format!("t{number}"), drawn(number, &all, &mut edges)))
            .collect();
        let text = json!({"params": {"n": 3}, "tasks": tasks}).to_string();
        let compiled = check(&source(text.as_str()))
            .and_then(|workflow| workflow.bind(&BTreeMap::new()))
            .and_then(spec::Bound::compile);
        let compiled = compiled.map_err(|told| TestCaseError::fail(format!("{told}\n{text}")))?;
        let definition = &compiled.definition;
        let graph = Graph::new(Digest::default(), compiled.parts).unwrap();
        for (from, to) in edges {
            let [from, to] = [&from, &to].map(|name| definition.task(name).unwrap());
            prop_assert!(graph.successors(from).any(|next| next == to), "{} {}", from, text);
        }
        survives(text.as_bytes());
    }

    #[test]
    fn arbitrary_expressions_do_no_harm(text in "[a-z0-9{}%|.'\"\\[\\]()~+*/<>=! -]{0,60}") {
        let task = json!({"script": "echo", "when": text, "until": text, "foreach": text});
        let rules = json!([{"rule": text, "action": "a"}]);
        let wait = json!({"until": text});
        let matrix = json!({"matrix": {"k": text}});
        let parts = [
            json!({"a": task}),
            json!({"a": {"script": "echo", "when": text}}),
            json!({"a": {"script": "echo"}, "b": {"decision": rules}}),
            json!({"a": {"wait": wait}}),
            json!({"a": {"script": "echo", "foreach": matrix}}),
            json!({"a": {"script": "echo", "foreach": {"range": [text, text, 1]}}}),
        ];
        for tasks in parts {
            survives(json!({"params": {"n": 3}, "tasks": tasks}).to_string().as_bytes());
        }
    }

    #[test]
    fn arbitrary_templates_do_no_harm(text in "[{}%|. a-z'\"\\[\\]()#-]{0,60}") {
        let script = format!("a {{{{{text}}}}} {{%{text}%}}");
        let file = json!({"tasks": {"a": {"script": script, "foreach": script}}});
        survives(file.to_string().as_bytes());
    }
}
