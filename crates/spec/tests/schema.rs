//! The JSON Schemas that are checked in are those that the types give.

use std::path::Path;
use std::{env, fs};

use serde_json::Value;

/// Holds a file of the reference to a schema.
fn is_fresh(name: &str, schema: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name);
    let mut fresh = serde_json::to_string_pretty(schema).expect("a schema is JSON");
    fresh.push('\n');
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &fresh).expect("written");
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == fresh, "regenerate {name}: UPDATE=1 cargo test -p spec --test schema");
}

#[test]
fn the_schema_of_workflows_is_fresh() {
    is_fresh("workflow.schema.json", &spec::schema());
}

#[test]
fn the_schema_of_tests_is_fresh() {
    is_fresh("tests.schema.json", &spec::tests_schema());
}
