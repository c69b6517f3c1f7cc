//! Any bytes are a workflow file: checked, and compiled if they pass.
//!
//! Start from the cases: `cargo +nightly fuzz run workflow fuzz/corpus crates/spec/tests/cases`.
#![no_main]

use std::collections::BTreeMap;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use spec::{Bound, Source, check};

fuzz_target!(|text: &[u8]| {
    let source = Source { name: "fuzz.yaml".into(), folder: PathBuf::new(), text: text.to_vec() };
    let compiled = check(&source)
        .and_then(|workflow| workflow.bind(&BTreeMap::new()))
        .and_then(Bound::compile);
    if let Err(diagnostics) = compiled {
        assert!(!diagnostics.to_terminal(true).is_empty());
    }
});
