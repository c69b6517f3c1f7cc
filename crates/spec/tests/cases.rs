//! Files beside what is said of them: `cases/*.yaml` and `*.json` with `*.txt`.
//!
//! `UPDATE=1 cargo test -p spec --test cases` writes the expectations anew; read the difference.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use model::policy::Policy;
use model::{Digest, Graph, ItemId, TaskId};
use serde_json::{Value, json};
use spec::{Source, TaskOutputs, check};

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
        .and_then(spec::Bound::compile);
    let compiled = match compiled {
        Ok(compiled) => compiled,
        Err(diagnostics) => return diagnostics.to_terminal(false),
    };
    let (definition, parts) = (&compiled.definition, &compiled.parts);
    let mut told = format!("{:?}\n", compiled.options);
    if let Some(environment) = definition.environment_snapshot() {
        writeln!(told, "in {environment:?}").unwrap();
    }
    let graph = Graph::new(Digest::default(), parts.clone()).unwrap();
    for task in graph.tasks() {
        let after: Vec<&str> =
            graph.predecessors(task).map(|earlier| definition.task_name(earlier)).collect();
        writeln!(told, "\n{} after {after:?}", definition.task_name(task)).unwrap();
        if *graph.policy(task) != Policy::default() {
            writeln!(told, "  {:?}", graph.policy(task)).unwrap();
        }
        for item in (0..graph.items(task).min(3)).map(ItemId) {
            let label = definition.item_label(task, item).unwrap_or_default();
            match definition.render(task, item, &outputs) {
                Ok(it) => {
                    let secrets = &it.secret_env;
                    let secrets = secrets.iter().map(|(name, it)| format!(", {name} = {it:?}"));
                    writeln!(
                        told,
                        "  [{label}] {:?} {:?} in {}{}{}",
                        it.argv,
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
        0 => TaskOutputs::Single(json!({"rows": 10, "path": "a b"})),
        _ => TaskOutputs::Items(vec![json!({"score": 0.5}), json!({"score": 0.75})]),
    }
}
