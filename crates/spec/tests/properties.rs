//! What holds for every input: graphs come out as they went in, and nothing panics.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, fs};

use model::control::ControlAnswer;
use model::graph::GraphParts;
use model::limits::OUTPUT_BYTES_MAX;
use model::{Digest, Graph, ItemId, RunId, TaskId, Timestamp};
use proptest::prelude::*;
use proptest::sample::SizeRange;
use serde_json::{Value, json};
use spec::{Definition, Fragment, Question, Reply, Source, TaskOutputs, Upstream, check};

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

fn source(text: impl Into<Vec<u8>>) -> Source {
    Source { name: "generated.yaml".to_owned(), folder: PathBuf::from("/"), text: text.into() }
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

/// Checks, binds, compiles, renders and shows; any answer will do.
fn survives(bytes: &[u8]) {
    let workflow = match check(&source(bytes)) {
        Ok(workflow) => workflow,
        Err(diagnostics) => {
            assert!(!diagnostics.diagnostics.is_empty());
            assert!(!diagnostics.to_terminal(true).is_empty());
            assert!(diagnostics.to_json().is_object());
            return;
        }
    };
    let Ok(compiled) = workflow.bind(&BTreeMap::new()).and_then(spec::Bound::compile) else {
        return;
    };
    let graph = Graph::new(Digest::default(), compiled.parts).expect("a checked graph");
    let definition = Definition::from_bytes(&compiled.definition.to_bytes()).unwrap();
    let nothing = |_: TaskId| TaskOutputs::Single(json!({}));
    for task in graph.tasks().take(50) {
        ask(&definition, task, &nothing);
        let _message = definition.message(task, &nothing);
        for item in (0..graph.items(task).min(2)).map(ItemId) {
            let _label = definition.item_label(task, item);
            let _ = definition.render(task, item, &nothing);
        }
    }
}

/// Asks as the engine does, and holds the reply to what is promised of it.
fn ask(definition: &Definition, task: TaskId, upstream: &dyn Upstream) -> Reply {
    let question = Question { task, turn: 1, upstream, now: Timestamp(0), run: RunId::default() };
    let reply = definition.answer(&question);
    assert_eq!(reply, definition.answer(&question), "an answer that is not the same twice");
    if let Some(output) = &reply.output {
        assert!(output.len() <= OUTPUT_BYTES_MAX);
        let output: Value = serde_json::from_slice(output).unwrap();
        assert_eq!(output.get("error").is_some(), reply.answer == ControlAnswer::Invalid);
    }
    let items = match reply.answer {
        ControlAnswer::FanOut { items, .. } => Some(items as usize),
        _ => None,
    };
    let list = reply.list.as_ref().map(|list| {
        let list: Vec<Value> = serde_json::from_slice(list).unwrap();
        list.len()
    });
    assert_eq!(items, list);
    reply
}

/// A small generator of its own, so that a seed names a run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % bound.max(1)
    }
}

/// Mutates the cases for a time: `AUTOGLM_FUZZ_SECONDS=60 cargo test -p spec fuzz_parser`.
#[test]
fn fuzz_parser() {
    let seconds = env::var("AUTOGLM_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(2));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");
    let mut corpus: Vec<Vec<u8>> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind != "txt"))
        .map(|path| fs::read(path).unwrap())
        .collect();
    corpus.sort();
    let words: Vec<Vec<u8>> = corpus
        .iter()
        .flatten()
        .copied()
        .collect::<Vec<u8>>()
        .split(|b| *b == b' ')
        .map(Vec::from)
        .collect();
    let seed = env::var("AUTOGLM_FUZZ_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    let mut random = Random(seed);
    let mut tried = 0_u64;
    while Instant::now() < end {
        let mut bytes = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(8) {
            mutate(&mut bytes, &mut random, &words);
        }
        let survived = std::panic::catch_unwind(|| survives(&bytes));
        if survived.is_err() {
            panic!("seed {seed}, input {tried}: {:?}", String::from_utf8_lossy(&bytes));
        }
        tried += 1;
    }
    println!("{tried} mutated files, seed {seed}");
    assert!(tried > 100);
}

/// A run that tasks are added to: of every kind, in groups, loops and copies.
const RUN: &str = "
params: {n: 2, list: [a, b]}
env: {E: x}
tasks:
  early: {script: echo, compensate: {script: undo}}
  choice: {decision: [{rule: n > 1, action: {route: one}}], depends_on: early}
  looped: {tasks: {m: {script: echo}}, until: round > 2, depends_on: early}
  each: {foreach: '{{ params.list }}', tasks: {m: {script: 'echo {{ item }}'}}}
  wide: {script: echo, foreach: [1, 2], depends_on: [choice, looped]}
  g: {script: echo, depends_on: [early, looped]}
  after: {script: echo, depends_on: [g, wide], compensate: {script: undo}}
  last: {script: echo, depends_on: {g: failed}, join: any}
";

/// Fragments that are in order, to begin from.
const FRAGMENTS: [&str; 6] = [
    "- {name: m, script: 'echo {{ params.n }} {{ tasks.early.outputs.k }}', depends_on: early}\n",
    "tasks:\n  a: {script: echo, compensate: {script: undo}}\n  b: {script: echo, depends_on: a}\n",
    "{\"tasks\": [{\"name\": \"m\", \"command\": [\"x\"], \"foreach\": {\"range\": 3}}]}",
    "- {name: l, script: echo, until: round > 2, depends_on: [g, 'e*']}\n- {name: z, wait: 1s, depends_on: l}\n",
    "- {name: q, foreach: [1, 2], when: params.n > 1, tasks: {m: {approval: true}, o: {script: echo}}}\n",
    "templates: {t: {params: {x: 1}, script: 'echo {{ with.x }}'}}\ntasks: {m: {t: {x: 2}}, \
     d: {decision: [{rule: n > 1, action: m}]}}\n",
];

/// Adds a text to the run in every way: what comes of it holds, and the run is its beginning.
fn fragment_survives(definition: &Definition, parts: &GraphParts, text: &[u8]) {
    let by = ["g", "wide", "each.1.m", "looped.m"].map(|name| definition.task(name));
    for by in by.into_iter().chain([None]) {
        let item = by.filter(|by| definition.task_name(*by) == "wide").map(|_| ItemId(1));
        let Ok(grown) = definition.extend(parts, Fragment { by, item, text }) else { continue };
        let new = Graph::new(Digest::default(), grown.parts.clone()).unwrap();
        let old = Graph::new(Digest::default(), parts.clone()).unwrap();
        assert_eq!(new.len(), old.len() + grown.added);
        assert_eq!(grown.definition.len(), new.len());
        for task in old.tasks() {
            assert_eq!(new.policy(task), old.policy(task));
            assert_eq!(new.fan_out(task), old.fan_out(task));
            assert_eq!(grown.definition.task_name(task), definition.task_name(task));
            let among_old: Vec<_> =
                new.edges_from(task).filter(|(to, _)| (to.0 as usize) < old.len()).collect();
            assert_eq!(among_old, old.edges_from(task).collect::<Vec<_>>());
        }
        for task in new.tasks().skip(old.len()) {
            let _ = grown.definition.render(task, ItemId(0), &|_| TaskOutputs::Single(json!({})));
            let upstream = &|_: TaskId| TaskOutputs::Single(json!({}));
            let (now, run) = (Timestamp(0), RunId(7));
            let _ = grown.definition.answer(&Question { task, turn: 1, upstream, now, run });
        }
        let read = Definition::from_bytes(&grown.definition.to_bytes()).unwrap();
        let again = read.extend(&grown.parts, Fragment { by, item, text }).unwrap();
        assert_eq!((again.added, &again.parts), (0, &grown.parts));
    }
}

/// Mutates what tasks write for a time: `AUTOGLM_FUZZ_SECONDS=60 cargo test -p spec fuzz_fragments`.
#[test]
fn fuzz_fragments() {
    let seconds = env::var("AUTOGLM_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(2));
    let run = check(&source(RUN)).unwrap().bind(&BTreeMap::new()).unwrap().compile().unwrap();
    let words: Vec<Vec<u8>> = FRAGMENTS.concat().split(' ').map(Vec::from).collect();
    let seed = env::var("AUTOGLM_FUZZ_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    let mut random = Random(seed);
    let mut tried = 0_u64;
    while Instant::now() < end || tried < 6 {
        let mut bytes = FRAGMENTS[random.below(FRAGMENTS.len())].as_bytes().to_vec();
        for _ in 0..random.below(5) {
            mutate(&mut bytes, &mut random, &words);
        }
        let survived = std::panic::catch_unwind(AssertUnwindSafe(|| {
            fragment_survives(&run.definition, &run.parts, &bytes);
        }));
        if survived.is_err() {
            panic!("seed {seed}, input {tried}: {:?}", String::from_utf8_lossy(&bytes));
        }
        tried += 1;
    }
    println!("{tried} mutated fragments, seed {seed}");
}

#[test]
fn every_fragment_to_begin_from_is_added_by_somebody() {
    let run = check(&source(RUN)).unwrap().bind(&BTreeMap::new()).unwrap().compile().unwrap();
    for text in FRAGMENTS {
        let by = run.definition.task("g");
        let written = Fragment { by, item: None, text: text.as_bytes() };
        let added = run.definition.extend(&run.parts, written).map(|grown| grown.added);
        assert!(added.as_ref().is_ok_and(|added| *added > 0), "{text}: {added:?}");
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random, words: &[Vec<u8>]) {
    const MARKS: &[u8] = b"{}[]:,-&*!|>'\"%#\n\t @`?~<\\\0\xff";
    let at = random.below(bytes.len() + 1);
    let end = at + random.below(20).min(bytes.len() - at);
    match random.below(6) {
        0 => bytes.insert(at, MARKS[random.below(MARKS.len())]),
        1 if at < bytes.len() => bytes[at] = MARKS[random.below(MARKS.len())],
        2 => drop(bytes.drain(at..end)),
        3 => {
            let word = words[random.below(words.len())].clone();
            drop(bytes.splice(at..at, word));
        }
        4 => {
            let piece = bytes[at..end].to_vec();
            let to = random.below(bytes.len() + 1);
            drop(bytes.splice(to..to, piece));
        }
        _ => bytes.truncate(at.max(1)),
    }
}
