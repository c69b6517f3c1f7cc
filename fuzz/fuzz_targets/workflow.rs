//! Any bytes are a workflow file: checked, and compiled, asked and rendered if they pass.
//!
//! Start from the cases: `cargo +nightly fuzz run workflow fuzz/corpus crates/spec/tests/cases`.
#![no_main]

use std::collections::BTreeMap;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use model::{ItemId, RunId, TaskId, Timestamp};
use serde_json::Value as Json;
use spec::{Bound, Question, Source, TaskOutputs, check};

fuzz_target!(|text: &[u8]| {
    let source = Source { name: "fuzz.yaml".into(), folder: PathBuf::new(), text: text.to_vec() };
    let compiled = check(&source)
        .and_then(|workflow| workflow.bind(&BTreeMap::new()))
        .and_then(Bound::compile);
    let compiled = match compiled {
        Ok(compiled) => compiled,
        Err(diagnostics) => return assert!(!diagnostics.to_terminal(true).is_empty()),
    };
    // What tasks ask is worked out from expressions: any of them must come to an answer.
    let nothing = |_: TaskId| TaskOutputs::Single(Json::Object(Default::default()));
    for task in (0..).take(compiled.parts.policy_of.len().min(50)).map(TaskId) {
        let (now, run) = (Timestamp(0), RunId::default());
        let question = Question { task, turn: 1, upstream: &nothing, now, run };
        let _reply = compiled.definition.answer(&question);
        let _rendered = compiled.definition.render(task, ItemId(0), &nothing);
    }
});
