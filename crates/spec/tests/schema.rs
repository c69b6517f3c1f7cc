//! The JSON Schema that is checked in is the one that the types give.

use std::path::Path;
use std::{env, fs};

#[test]
fn the_schema_in_the_reference_is_fresh() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/workflow.schema.json");
    let mut fresh = serde_json::to_string_pretty(&spec::schema()).unwrap();
    fresh.push('\n');
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == fresh, "regenerate it: UPDATE=1 cargo test -p spec --test schema");
}
