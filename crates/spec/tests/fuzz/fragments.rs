//! Fragments: what a task may write for its run, mutated, and added to a run of every kind.

use std::collections::BTreeMap;

use model::graph::GraphParts;
use model::{Digest, Graph, ItemId, RunId, TaskId, Timestamp, VariantId};
use serde_json::json;
use spec::{Definition, Fragment, Question, TaskOutputs, check};

use crate::bounds::bounded;
use crate::random::mutate;
use crate::survival::source;
use crate::try_for_a_while;

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
    "- {name: l, script: echo, until: round > 2, depends_on: [g, 'e*']}\n\
     - {name: z, wait: 1s, depends_on: l}\n",
    "- {name: q, foreach: [1, 2], when: params.n > 1, tasks: {m: {approval: true}, \
     o: {script: echo}}}\n",
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
            let _ = grown
                .definition
                .render((task, ItemId(0)), VariantId(0), &|_| TaskOutputs::Single(json!({})));
            let upstream = &|_: TaskId| TaskOutputs::Single(json!({}));
            let (now, run) = (Timestamp(0), RunId(7));
            let _ = grown.definition.answer(&Question { task, turn: 1, upstream, now, run });
        }
        let read = Definition::from_bytes(&grown.definition.to_bytes()).unwrap();
        let again = read.extend(&grown.parts, Fragment { by, item, text }).unwrap();
        assert_eq!((again.added, &again.parts), (0, &grown.parts));
    }
}

#[test]
fn fuzz_fragments() {
    let run = check(&source(RUN)).unwrap().bind(&BTreeMap::new()).unwrap().compile().unwrap();
    let words: Vec<Vec<u8>> = FRAGMENTS.concat().split(' ').map(Vec::from).collect();
    try_for_a_while("fragments", |random| {
        let mut bytes = FRAGMENTS[random.below(FRAGMENTS.len())].as_bytes().to_vec();
        for _ in 0..random.below(5) {
            mutate(&mut bytes, random, &words);
        }
        let told = || String::from_utf8_lossy(&bytes).into_owned();
        bounded(&told, || fragment_survives(&run.definition, &run.parts, &bytes));
    });
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
