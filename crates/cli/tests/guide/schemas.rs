//! Every example tells editors in its first line where its schema lies, and it lies there.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{root, shown};

const LINE: &str = "# yaml-language-server: $schema=";

/// All YAML files below a folder.
fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("it is there").path();
        match path.extension() {
            _ if path.is_dir() => below(&path, found),
            // The nodes of a cluster have no schema, nor have queues.
            _ if path.ends_with("cluster/nodes.yaml") => {}
            _ if path.ends_with("queues.yaml") => {}
            Some(kind) if kind == "yaml" => found.push(path),
            _ => {}
        }
    }
}

/// What is wrong with the first line of an example.
fn fault(path: &Path, schemas: &Path) -> Option<String> {
    let text = fs::read_to_string(path).expect("readable");
    let first = text.lines().next().unwrap_or_default();
    let is_test = path.display().to_string().ends_with(".test.yaml");
    let wanted = if is_test { "tests.schema.json" } else { "workflow.schema.json" };
    let Some(named) = first.strip_prefix(LINE) else {
        return Some(format!("it does not begin with `{LINE}...{wanted}`"));
    };
    let folder = path.parent().expect("a file is in a folder");
    let found = folder.join(named).canonicalize().ok();
    let expected = schemas.join(wanted).canonicalize().expect("the schema is in the reference");
    (found != Some(expected)).then(|| format!("`{named}` is not {wanted} from there"))
}

#[test]
fn every_example_names_its_schema() {
    let mut files = Vec::new();
    below(&root().join("examples"), &mut files);
    files.sort();
    assert!(files.len() > 40, "only {} files", files.len());
    let schemas = root().join("docs/reference");
    let mut faults = String::new();
    for path in files {
        if let Some(fault) = fault(&path, &schemas) {
            writeln!(faults, "{}: {fault}", shown(&path)).expect("a string");
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn what_init_writes_names_the_schema_that_it_writes_beside() {
    let mut files = Vec::new();
    below(&root().join("crates/cli/templates"), &mut files);
    assert!(files.len() >= 3, "only {} files", files.len());
    for path in files {
        let text = fs::read_to_string(&path).expect("readable");
        let first = text.lines().next().unwrap_or_default();
        assert_eq!(first, format!("{LINE}workflow.schema.json"), "{}", path.display());
    }
}

#[test]
fn a_file_without_the_line_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let schemas = root().join("docs/reference");
    let told = |text: &str, name: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        fault(&path, &schemas).is_some()
    };
    let schema = |name: &str| {
        let path = schemas.canonicalize().expect("it is there").join(name);
        format!("{LINE}{}\ntasks: {{}}\n", path.display())
    };
    assert!(told("tasks: {}\n", "a.yaml"));
    assert!(told(&format!("{LINE}nowhere.json\n"), "a.yaml"));
    assert!(told(&schema("workflow.schema.json"), "a.test.yaml"));
    assert!(!told(&schema("workflow.schema.json"), "a.yaml"));
    assert!(!told(&schema("tests.schema.json"), "a.test.yaml"));
}
