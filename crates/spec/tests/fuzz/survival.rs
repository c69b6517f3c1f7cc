//! What must be true of any file, and of any answer.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::control::ControlAnswer;
use model::limits::OUTPUT_BYTES_MAX;
use model::{Digest, Graph, ItemId, RunId, TaskId, Timestamp, VariantId};
use serde_json::{Value, json};
use spec::{Definition, Question, Reply, Source, TaskOutputs, Upstream, check};

pub(crate) fn source(text: impl Into<Vec<u8>>) -> Source {
    Source { name: "generated.yaml".to_owned(), folder: PathBuf::from("/"), text: text.into() }
}

/// Checks, binds, compiles, renders and shows; any answer will do.
pub(crate) fn survives(bytes: &[u8]) {
    let workflow = match check(&source(bytes)) {
        Ok(workflow) => workflow,
        Err(diagnostics) => {
            assert!(!diagnostics.diagnostics.is_empty());
            assert!(!diagnostics.to_terminal(true).is_empty());
            assert!(diagnostics.to_json().is_object());
            return;
        }
    };
    let Ok(compiled) = workflow.bind(&BTreeMap::new()).and_then(spec::Bound::compile) else {
        return;
    };
    let graph = Graph::new(Digest::default(), compiled.parts).expect("a checked graph");
    let definition = Definition::from_bytes(&compiled.definition.to_bytes()).unwrap();
    let nothing = |_: TaskId| TaskOutputs::Single(json!({}));
    for task in graph.tasks().take(50) {
        ask(&definition, task, &nothing);
        let _message = definition.message(task, &nothing);
        for item in (0..graph.items(task).min(2)).map(ItemId) {
            let _label = definition.item_label(task, item);
            let _ = definition.render((task, item), VariantId(0), &nothing);
        }
    }
}

/// Asks as the engine does, and holds the reply to what is promised of it.
pub(crate) fn ask(definition: &Definition, task: TaskId, upstream: &dyn Upstream) -> Reply {
    let question = Question { task, turn: 1, upstream, now: Timestamp(0), run: RunId::default() };
    let reply = definition.answer(&question);
    assert_eq!(reply, definition.answer(&question), "an answer that is not the same twice");
    if let Some(output) = &reply.output {
        assert!(output.len() <= OUTPUT_BYTES_MAX);
        let output: Value = serde_json::from_slice(output).unwrap();
        assert_eq!(output.get("error").is_some(), reply.answer == ControlAnswer::Invalid);
    }
    let items = match reply.answer {
        ControlAnswer::FanOut { items, .. } => Some(items as usize),
        _ => None,
    };
    let list = reply.list.as_ref().map(|list| {
        let list: Vec<Value> = serde_json::from_slice(list).unwrap();
        list.len()
    });
    assert_eq!(items, list);
    reply
}
