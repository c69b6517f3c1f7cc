//! Files beside what is said of them: `cases/*.yaml` and `*.json` with `*.txt`.
//!
//! `UPDATE=1 cargo test -p spec --test cases` writes the expectations anew; read the difference.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use model::control::EdgeCondition;
use model::policy::Policy;
use model::{Digest, Graph, ItemId, RunId, TaskId, Timestamp, VariantId};
use serde_json::{Value, json};
use spec::{Definition, Question, Source, TaskOutputs, Upstream, check};

#[test]
fn every_case_says_what_is_written_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut failed = Vec::new();
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind != "txt"))
        .collect();
    cases.sort();
    assert!(cases.len() > 40, "the cases are gone");
    for path in cases {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let told = told_of(&Source {
            name,
            folder: PathBuf::from("/folder"),
            text: fs::read(&path).unwrap(),
        });
        let beside = path.with_extension("txt");
        if env::var_os("UPDATE").is_some() {
            fs::write(&beside, &told).unwrap();
        } else if fs::read_to_string(&beside).unwrap_or_default() != told {
            failed.push(format!("--- {}\n{told}", path.display()));
        }
    }
    assert!(
        failed.is_empty(),
        "these differ from what is written beside them:\n{}",
        failed.concat()
    );
}

/// The diagnostics, or what the workflow compiles to.
fn told_of(source: &Source) -> String {
    let mut given: BTreeMap<String, Value> = given(&source.text);
    let environment = given.remove("--environment");
    let environment = environment.as_ref().and_then(Value::as_str);
    let compiled = check(source)
        .and_then(|workflow| workflow.choose(environment))
        .and_then(|workflow| workflow.bind(&given))
        .and_then(|bound| {
            bound.compile_with(&|path| match path.ends_with("names.txt") {
                true => Ok(b"ada\n\ngrace\n".to_vec()),
                false => Err(format!("there is no file `{}`", path.display())),
            })
        });
    let compiled = match compiled {
        Ok(compiled) => compiled,
        Err(diagnostics) => return diagnostics.to_terminal(false),
    };
    let (definition, parts) = (&compiled.definition, &compiled.parts);
    let mut told = format!("{:?}\n", compiled.options);
    if !definition.labels().is_empty() {
        writeln!(told, "labels {:?}", definition.labels()).unwrap();
    }
    if let Some(environment) = definition.environment_snapshot() {
        writeln!(told, "in {environment:?}").unwrap();
    }
    let graph = Graph::new(Digest::default(), parts.clone()).unwrap();
    for task in graph.tasks() {
        let after: Vec<String> = graph
            .predecessors(task)
            .flat_map(|earlier| graph.edges_from(earlier).map(move |edge| (earlier, edge)))
            .filter(|(_, (to, _))| *to == task)
            .map(|(earlier, (_, condition))| match condition {
                EdgeCondition::Succeeded => definition.task_name(earlier).to_owned(),
                other => format!("{} {other:?}", definition.task_name(earlier)),
            })
            .collect();
        writeln!(told, "\n{} after {after:?}", definition.task_name(task)).unwrap();
        if *graph.policy(task) != Policy::default() {
            writeln!(told, "  {:?}", graph.policy(task)).unwrap();
        }
        extras(definition, task, &mut told);
        let known = Known { list: asked(definition, &graph, task, &mut told) };
        if let Some(awaited) = definition.awaited(task) {
            writeln!(told, "  {awaited:?}: {:?}", definition.message(task, &known)).unwrap();
        }
        let items = known.list.as_ref().map_or(graph.items(task), |list| list.len() as u32);
        let items = if graph.policy(task).kind.is_work() { items.min(3) } else { 0 };
        for item in (0..items).map(ItemId) {
            let label = definition.item_label(task, item).unwrap_or_default();
            match definition.render((task, item), VariantId(0), &known) {
                Ok(it) => {
                    let secrets = &it.secret_env;
                    let secrets = secrets.iter().map(|(name, it)| format!(", {name} = {it:?}"));
                    writeln!(
                        told,
                        "  [{label}] {:?} {:?} in {}{}{}",
                        it.argv(),
                        it.env,
                        it.working_dir.display(),
                        if it.uses_work_dir { ", with a work folder" } else { "" },
                        secrets.collect::<String>()
                    )
                }
                Err(error) => writeln!(told, "  [{label}] {error}"),
            }
            .unwrap();
        }
    }
    told
}

/// What the task has beside what it does.
fn extras(definition: &Definition, task: TaskId, told: &mut String) {
    let labels: Vec<_> = definition.task_labels(task).collect();
    if !labels.is_empty() {
        writeln!(told, "  labels {labels:?}").unwrap();
    }
    if let Some(limits) = definition.limits(task) {
        writeln!(told, "  {limits:?}").unwrap();
    }
    let (out, given) = (definition.artifacts_out(task), definition.artifacts_in(task));
    let (out, given): (Vec<_>, Vec<_>) = (out.collect(), given.collect());
    if !out.is_empty() || !given.is_empty() {
        writeln!(told, "  leaves {out:?}, is given {given:?}").unwrap();
    }
    if let Some(cache) = definition.cache(task) {
        writeln!(told, "  {cache:?}").unwrap();
    }
}

/// What the task's question is answered with, and the items if these are the answer.
fn asked(
    definition: &Definition,
    graph: &Graph,
    task: TaskId,
    told: &mut String,
) -> Option<Vec<Value>> {
    if !graph.policy(task).must_ask() {
        return None;
    }
    let upstream = &Known { list: None };
    let (now, run) = (Timestamp(0), RunId::default());
    let reply = definition.answer(&Question { task, turn: 2, upstream, now, run });
    let output = reply.output.map(|bytes| String::from_utf8(bytes).unwrap()).unwrap_or_default();
    writeln!(told, "  {:?} {output}", reply.answer).unwrap();
    reply.list.map(|list| serde_json::from_slice(&list).unwrap())
}

/// What tasks have come to: task 0 is plain, all others are fan-outs, and all are well.
struct Known {
    list: Option<Vec<Value>>,
}

impl Upstream for Known {
    fn outputs(&self, task: TaskId) -> TaskOutputs {
        outputs(task)
    }

    fn item_value(&self, _: TaskId, item: ItemId) -> Option<Value> {
        self.list.as_ref()?.get(item.0 as usize).cloned()
    }
}

/// Parameters stand in a first line `# given: {...}`, the environment as `--environment`.
fn given(text: &[u8]) -> BTreeMap<String, Value> {
    let first = String::from_utf8_lossy(text).lines().next().unwrap_or_default().to_owned();
    first
        .strip_prefix("# given: ")
        .map_or_else(BTreeMap::new, |given| serde_json::from_str(given).unwrap())
}

/// Task 0 is plain, all others are fan-outs.
fn outputs(task: TaskId) -> TaskOutputs {
    match task.0 {
        0 => {
            TaskOutputs::Single(json!({"rows": 10, "path": "a b", "n": "3", "list": "[1, \"b\"]"}))
        }
        _ => TaskOutputs::Items(vec![json!({"score": 0.5}), json!({"score": 0.75})]),
    }
}
