//! The reference of errors, and the examples: what they print is what happens.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use model::graph::GraphParts;
use model::{ItemId, TaskId, VariantId};
use serde_json::{Value, json};
use spec::{Diagnostics, Source, TaskOutputs, check};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), folder: PathBuf::from("/"), text: text.into() }
}

/// The blocks of a page, each with the heading that it stands under.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut heading, mut open) = (String::new(), None::<String>);
    for line in page.lines() {
        match (&mut open, line) {
            (None, "```yaml") => open = Some(String::new()),
            (Some(block), "```") => {
                found.push((heading.clone(), std::mem::take(block)));
                open = None;
            }
            (Some(block), _) => *block += &format!("{line}\n"),
            (None, _) if line.starts_with('#') => heading = line.to_owned(),
            (None, _) => {}
        }
    }
    found
}

#[test]
fn every_example_workflow_is_in_order() {
    let examples = fs::read_dir(root().join("examples")).unwrap();
    let files: Vec<PathBuf> = examples
        .map(|entry| entry.unwrap().path().join("workflow.yaml"))
        .filter(|path| path.exists())
        .collect();
    assert!(!files.is_empty());
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let checked = check(&source(&path.display().to_string(), &text));
        assert!(checked.is_ok(), "{}", checked.err().unwrap());
    }
}

/// The code that a file ends in, on its way to a rendered task.
fn code_of(text: &str) -> Option<&'static str> {
    let given: BTreeMap<String, Value> =
        match text.lines().next().unwrap().strip_prefix("# given: ") {
            Some(given) => serde_json::from_str(given).unwrap(),
            None => BTreeMap::new(),
        };
    let told = |diagnostics: Diagnostics| Some(diagnostics.code().0);
    if let Some(nodes) = text.lines().next().unwrap().strip_prefix("# nodes: ") {
        let file = source("example.yaml", text);
        let cluster = spec::cluster(&source("nodes.yaml", &format!("nodes: {nodes}"))).unwrap();
        return check(&file).unwrap().fits(&file, &cluster).err().and_then(told);
    }
    let bound = check(&source("example.yaml", text)).and_then(|workflow| workflow.bind(&given));
    let compiled = match bound.and_then(spec::Bound::compile) {
        Ok(compiled) => compiled,
        Err(diagnostics) => return told(diagnostics),
    };
    let GraphParts { policy_of, .. } = compiled.parts;
    let nothing = |_: TaskId| TaskOutputs::Single(json!({}));
    let mut tasks = (0..policy_of.len()).map(|task| TaskId(u32::try_from(task).unwrap()));
    tasks.find_map(|task| {
        Some(compiled.definition.render((task, ItemId(0)), VariantId(0), &nothing).err()?.code.0)
    })
}

#[test]
fn every_example_of_an_error_raises_it() {
    let page = fs::read_to_string(root().join("docs/reference/errors.md")).unwrap();
    let mut shown = BTreeSet::new();
    for (heading, block) in blocks(&page) {
        let code = heading.trim_start_matches("## ").split(':').next().unwrap();
        if code.starts_with("E01") {
            assert_eq!(code_of(&block), Some(code), "{heading}");
            shown.insert(code.to_owned());
        }
    }
    // These two need bytes that a page cannot show.
    let expected =
        (101..=131).chain(161..=168).chain([170]).filter(|number| ![102, 104].contains(number));
    let expected: BTreeSet<String> = expected.map(|number| format!("E{number:04}")).collect();
    assert_eq!(shown, expected);
}
