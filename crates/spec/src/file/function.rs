//! `function`: a Python function that is called in a process that stays warm.
//!
//! What the keys mean together is said by `call::function`; here is what each takes.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value as Json, json};

use super::kinds::KindFile;
use super::values::{Duration, Memory, Whole, inline_schema};
use crate::call::function::{BATCH_MAX, PREFETCH_MAX, handler_fault};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Node};
use crate::read::{Foreign, Instead, Placed, Read, record, wrong_type};
use crate::source::Extent;

record! {
    /// A function, and how it is called.
    struct FunctionFile("`function`", "a mapping such as `{handler: package.module:name}`") {
        /// The function: `package.module:name`, or a name in `functions.py` beside the file.
        handler: Handler,
        /// What it is called with: a mapping by name, a list by place, anything else as its only
        /// argument. A template; a text that is one whole expression keeps its type. Without it
        /// an item of a fan-out is called with the item.
        args: Json,
        /// The interpreter, or the folder of a virtual environment; `python3` if left out. A
        /// template.
        python: String,
        /// Lets one call take many items: the function gets a list and returns one.
        batch: Placed<BatchFile>,
        /// How many calls are sent ahead to a process that is busy. For short calls; each asks for
        /// its share of the resources. None if left out.
        prefetch: Whole<0, { PREFETCH_MAX as u64 }>,
        /// After how many calls a process is replaced. Never if left out.
        max_calls_per_process: Whole<1, 1_000_000_000>,
        /// How long a process stays that has nothing to do. 5 minutes if left out.
        keep_warm: Duration,
        /// The memory that a process may take. What asks for more gets a `MemoryError`, and the
        /// process is replaced.
        max_memory: Memory,
    }
    foreign: FOREIGN
}

const FOREIGN: &[Foreign] = &[
    Foreign { key: "arguments", what: Instead::Write("args") },
    Foreign { key: "kwargs", what: Instead::Write("args") },
    Foreign { key: "interpreter", what: Instead::Write("python") },
    Foreign { key: "venv", what: Instead::Write("python") },
    Foreign { key: "micro_batch", what: Instead::Write("batch") },
];

record! {
    /// Items that one call takes together.
    struct BatchFile("`batch`", "a mapping such as `{max_size: 32, window: 10ms}`") {
        /// How many items one call takes at most. Each asks for its share of the resources.
        max_size: Whole<2, { BATCH_MAX as u64 }>,
        /// How long an item waits for others, 10ms if left out. While calls of the task run, items
        /// may wait for up to 50ms.
        window: Duration,
    }
    foreign: FOREIGN_OF_BATCH
}

const FOREIGN_OF_BATCH: &[Foreign] = &[Foreign { key: "size", what: Instead::Write("max_size") }];

/// The name of a function.
#[derive(Debug)]
pub(crate) struct Handler;

inline_schema!(Handler, |_generator| json_schema!({
    "type": "string",
    "examples": ["package.module:name", "name"]
}));

impl Read for Handler {
    const TAKES: &'static str = "`package.module:name`, or a name in `functions.py`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let text = String::read(node, key, faults)?;
        let Some(message) = handler_fault(&text) else { return Some(Self) };
        let fault = Fault::new(code::BAD_VALUE, node.extent, message);
        faults.push(fault.hint(format!("`{key}` takes {}", Self::TAKES)));
        None
    }
}

/// `function: package.module:name`, or with more.
#[derive(Debug)]
pub(crate) struct Function {
    /// Where it says that one call takes many items.
    pub batch: Option<Extent>,
}

inline_schema!(Function, |generator| {
    let alone = generator.subschema_for::<Handler>();
    let full = generator.subschema_for::<FunctionFile>();
    json_schema!({"anyOf": [alone, full]})
});

impl Read for Function {
    const TAKES: &'static str = "`package.module:name`, or a mapping with a `handler`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let entries = match &node.content {
            Content::Map(entries) => entries,
            Content::Scalar(_) => {
                return Handler::read(node, key, faults).map(|_| Self { batch: None });
            }
            _ => return wrong_type(node, key, faults),
        };
        let file = FunctionFile::read(node, key, faults)?;
        if entries.iter().all(|entry| entry.key != "handler") {
            let message = "`function` does not say which";
            let fault = Fault::new(code::MISSING_KEY, node.extent, message);
            faults.push(fault.hint("add `handler: package.module:name`"));
        }
        let batch = entries.iter().find(|entry| entry.key == "batch");
        if let Some(Node { extent, content: Content::Map(keys) }) = batch.map(|it| &it.value)
            && keys.iter().all(|entry| entry.key != "max_size")
        {
            let message = "`batch` does not say how many items a call takes";
            let fault = Fault::new(code::MISSING_KEY, *extent, message);
            faults.push(fault.hint("add `max_size: 32`"));
        }
        file.handler.map(|_| Self { batch: file.batch.map(|batch| batch.extent) })
    }
}

impl KindFile for Function {
    fn settings(node: &Node<'_>) -> Json {
        match &node.content {
            Content::Map(_) => node.to_json(),
            _ => json!({"handler": node.to_json()}),
        }
    }
}
