//! What tasks have come to: the answers that texts and expressions ask for. Whoever keeps the
//! outputs gives them; nothing here looks for them.

use std::path::Path;

use model::{ItemId, RunId, TaskId, TaskStatus};
use serde_json::Value as Json;

/// The outputs of one task.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskOutputs {
    /// A plain task: one object.
    Single(Json),
    /// A fan-out: one object an item, in the order of the items. `outputs.k` is then the list of
    /// the items' values, `null` where an item has none.
    Items(Vec<Json>),
}

/// Where a text's references to other tasks are answered.
pub trait Upstream {
    /// The outputs of a task. Asked for only if a text names the task.
    fn outputs(&self, task: TaskId) -> TaskOutputs;

    /// How a task has ended. Those that texts name have succeeded, unless this says otherwise.
    fn status(&self, task: TaskId) -> TaskStatus {
        let _ = task;
        TaskStatus::Succeeded
    }

    /// The value of an item whose list was worked out while the run went on: from the list that
    /// came with the answer.
    fn item_value(&self, task: TaskId, item: ItemId) -> Option<Json> {
        let _ = (task, item);
        None
    }

    /// The content of a file that an output names and whose lines are items: of at most
    /// [`LIST_BYTES_MAX`](crate::limits::LIST_BYTES_MAX) bytes. Read once, when they are asked for.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
        Err(format!("`{}` cannot be read here", path.display()))
    }

    /// The turn of the loop that a task is in, from 1.
    fn round(&self, task: TaskId) -> u16 {
        let _ = task;
        1
    }

    /// The run.
    fn run(&self) -> Option<RunId> {
        None
    }
}

impl<F: Fn(TaskId) -> TaskOutputs> Upstream for F {
    fn outputs(&self, task: TaskId) -> TaskOutputs {
        self(task)
    }
}
