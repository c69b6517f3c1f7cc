//! Grants become work: text is rendered when a task starts, from what never changes.
//!
//! A text that cannot be rendered is work too: the attempt fails with the reason in its log.

use std::sync::Arc;

use engine::state::State;
use journal::Journal;
use model::message::{Grant, Order, ToWorker};
use model::work::{Dispatch, Process, Work};
use model::{ItemId, RunId, TaskId, TaskKey};
use serde_json::Value;
use spec::{Definition, TaskOutputs};

use crate::shelf::Shelf;

/// What rendering looks at.
pub(crate) struct Renderer<'a> {
    pub state: &'a State,
    pub shelf: &'a Shelf,
    pub outputs: &'a mut dyn Journal,
}

impl Renderer<'_> {
    /// The message with the work of its grants.
    pub(crate) fn dispatch(&mut self, message: ToWorker) -> Dispatch {
        let work = match &message.order {
            Order::Assign(grants) => grants.iter().map(|grant| self.work(grant)).collect(),
            _ => Vec::new(),
        };
        Dispatch { message, work }
    }

    fn work(&mut self, grant: &Grant) -> Work {
        let key = grant.attempt.key;
        let Some(run) = self.state.run(key.run) else {
            return unrenderable("its run is gone");
        };
        let trace = run.admitted().trace;
        let Some(definition) = self.shelf.definition(&run.admitted().definition) else {
            return unrenderable("the text of its workflow is gone");
        };
        match self.render(&definition, grant) {
            Ok(mut process) => {
                process.env.extend(identity(&definition, grant, trace));
                Work::Process(process)
            }
            Err(reason) => Work::Unrenderable { reason },
        }
    }

    fn render(&mut self, definition: &Arc<Definition>, grant: &Grant) -> Result<Process, String> {
        let key = grant.attempt.key;
        let upstream = Upstream { run: key.run, renderer: std::cell::RefCell::new(self) };
        let rendered = definition
            .render(key.task, key.item, &|task| upstream.of(task))
            .map_err(|error| error.to_string())?;
        Ok(Process {
            argv: rendered.argv,
            env: rendered.env,
            working_dir: rendered.working_dir.to_string_lossy().into_owned(),
            needs_work_dir: rendered.uses_work_dir,
        })
    }
}

/// The outputs of earlier tasks, read when a template asks for them.
struct Upstream<'a, 'b> {
    run: RunId,
    renderer: std::cell::RefCell<&'a mut Renderer<'b>>,
}

impl Upstream<'_, '_> {
    fn of(&self, task: TaskId) -> TaskOutputs {
        let mut renderer = self.renderer.borrow_mut();
        let fan_out = renderer.state.run(self.run).and_then(|run| run.graph().fan_out(task));
        let key = TaskKey { run: self.run, task };
        match fan_out {
            Some(items) => TaskOutputs::Items(
                (0..items).map(|item| renderer.read(key, ItemId(item))).collect(),
            ),
            None => TaskOutputs::Single(renderer.read(key, ItemId(0))),
        }
    }
}

impl Renderer<'_> {
    /// The outputs of an item; an empty object if it left none.
    fn read(&mut self, key: TaskKey, item: ItemId) -> Value {
        let stored = self.outputs.output(key.item(item)).ok().flatten();
        let parsed = stored.and_then(|output| serde_json::from_slice(&output.bytes).ok());
        parsed.unwrap_or_else(|| Value::Object(serde_json::Map::new()))
    }
}

fn unrenderable(reason: &str) -> Work {
    Work::Unrenderable { reason: reason.to_owned() }
}

/// The variables that tell an attempt who it is. The trace parent follows W3C Trace Context.
fn identity(definition: &Definition, grant: &Grant, trace: u128) -> [(String, String); 6] {
    let id = grant.attempt;
    let span = model::hash::mix(grant.token.0 ^ model::hash::mix(u64::from(id.key.item.0))) | 1;
    [
        ("AUTOGLM_RUN_ID", id.key.run.to_string()),
        ("AUTOGLM_TASK", definition.task_name(id.key.task).to_owned()),
        ("AUTOGLM_ITEM", id.key.item.to_string()),
        ("AUTOGLM_ATTEMPT", id.attempt.to_string()),
        ("AUTOGLM_TOKEN", grant.token.to_string()),
        ("TRACEPARENT", format!("00-{trace:032x}-{span:016x}-01")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}
