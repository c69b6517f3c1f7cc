//! Expressions and texts of a grammar, some of them mutated, asked and rendered with any outputs.

use std::collections::BTreeMap;

use model::limits::{OUTPUT_BYTES_MAX, RENDERED_BYTES_MAX};
use model::{ItemId, RunId, TaskId, Timestamp, VariantId};
use serde_json::{Value, json};
use spec::limits::LIST_BYTES_MAX;
use spec::{Bound, Question, TaskOutputs, check};

use crate::bounds::bounded;
use crate::random::{Random, mutate};
use crate::survival::source;
use crate::{grammar, inputs, try_for_a_while};

/// Tasks for every key that takes an expression or a text, each in a file of its own, so that a
/// mistake in one does not hide the others.
pub(crate) fn files(expression: &str, text: &str) -> Vec<Value> {
    let marked = format!("{{{{ {expression} }}}}");
    let mapping = json!({"type": "object", "default": {"k": {"k": 1}}});
    let numbers: Vec<u32> = (0..100).collect();
    let params = json!({
        "n": 3, "text": "some text", "list": [3, "b", [1]], "map": mapping, "big": numbers,
    });
    let rules = json!([
        {"rule": expression, "action": {"value": marked}}, {"action": {"value": text}},
    ]);
    let list = format!("{{{{ [{expression}, 1] }}}}");
    let tasks = [
        json!({"when": expression, "script": text}),
        json!({"foreach": format!("[{expression}]"), "script": marked}),
        json!({"foreach": {"values": list, "batch": 3}, "script": "true"}),
        json!({"decision": rules}),
        json!({"result": expression}),
        json!({"until": expression, "command": ["echo", text, marked]}),
        json!({"wait": {"until": expression}}),
        json!({"approval": text}),
        json!({"script": "true", "env": {"A": text, "B": marked}}),
    ];
    let with = |mut task: Value| {
        task["depends_on"] = json!("a");
        json!({"params": params, "tasks": {"a": {"script": "true"}, "b": task}})
    };
    tasks.into_iter().map(with).collect()
}

/// Checks a file; asks and renders everything, if it is valid. Says whether it was.
pub(crate) fn play(file: &Value, outputs: &Value) -> bool {
    let compiled = check(&source(file.to_string()))
        .and_then(|workflow| workflow.bind(&BTreeMap::new()))
        .and_then(Bound::compile);
    let Ok(compiled) = compiled else { return false };
    let definition = &compiled.definition;
    let upstream = |_: TaskId| TaskOutputs::Single(outputs.clone());
    for task in (0..compiled.parts.policy_of.len()).map(|task| TaskId(task.try_into().unwrap())) {
        let (now, run) = (Timestamp(0), RunId::default());
        let reply = definition.answer(&Question { task, turn: 1, upstream: &upstream, now, run });
        assert!(reply.output.is_none_or(|output| output.len() <= OUTPUT_BYTES_MAX));
        assert!(reply.list.is_none_or(|list| list.len() <= LIST_BYTES_MAX));
        let _message = definition.message(task, &upstream);
        if let Ok(rendered) = definition.render((task, ItemId(0)), VariantId(0), &upstream) {
            let bytes = format!("{rendered:?}").len();
            // Texts of a task are bounded each; `Debug` escapes, and adds names.
            assert!(bytes <= 20 * RENDERED_BYTES_MAX, "{bytes} bytes are rendered");
        }
    }
    true
}

fn drawn(random: &mut Random) -> (String, String) {
    let depth = 1 + random.below(4);
    let mut expression = grammar::expression(random, depth, &[]);
    let depth = random.below(4);
    let mut text = grammar::text(random, depth, &mut Vec::new());
    if random.below(4) == 0 {
        for text in [&mut expression, &mut text] {
            let mut bytes = std::mem::take(text).into_bytes();
            mutate(&mut bytes, random, &[]);
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    (expression, text)
}

#[test]
fn fuzz_expressions() {
    let (mut tried, mut valid) = (0_u32, 0_u32);
    try_for_a_while("expressions", |random| {
        let (expression, text) = drawn(random);
        let outputs = inputs::outputs(random);
        let mut files = files(&expression, &text);
        let file = files.swap_remove(random.below(files.len()));
        let told = || format!("{}\noutputs: {outputs}", file["tasks"]["b"]);
        valid += u32::from(bounded(&told, || play(&file, &outputs)));
        tried += 1;
    });
    assert!(valid > tried / 8, "only {valid} of {tried} files were valid");
}

#[test]
fn plain_expressions_are_valid_everywhere() {
    for file in files("tasks.a.outputs.rows > 2", "{{ tasks.a.outputs.rows }}") {
        let told = check(&source(file.to_string())).map(|_| ()).map_err(|told| told.to_string());
        assert_eq!(told, Ok(()));
        assert!(play(&file, &json!({"rows": 12})));
    }
}
