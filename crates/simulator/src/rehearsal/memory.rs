//! What tasks of a rehearsal have left, for the texts and questions of those after them.

use std::collections::BTreeMap;

use engine::state::Run;
use model::{Digest, ItemId, RunId, TaskId, TaskStatus};
use serde_json::{Map, Value};
use spec::{TaskOutputs, Upstream};

#[derive(Default)]
pub(super) struct Memory {
    outputs: BTreeMap<(TaskId, ItemId), Value>,
    lists: BTreeMap<Digest, Vec<Value>>,
}

impl Memory {
    /// Keeps what an item has left, instead of what it left before.
    pub(super) fn keep(&mut self, task: TaskId, item: ItemId, outputs: Value) {
        self.outputs.insert((task, item), outputs);
    }

    /// Keeps the items of a late fan-out.
    pub(super) fn keep_list(&mut self, list: Digest, items: Vec<Value>) {
        self.lists.insert(list, items);
    }

    /// What an item has left; an empty object if it left nothing.
    pub(super) fn outputs(&self, task: TaskId, item: ItemId) -> Value {
        let found = self.outputs.get(&(task, item)).cloned();
        found.unwrap_or_else(|| Value::Object(Map::new()))
    }

    /// What texts of a run may name.
    pub(super) fn view<'m>(&'m self, id: RunId, run: &'m Run) -> View<'m> {
        View { memory: self, id, run }
    }
}

/// A run with what its tasks have left.
pub(super) struct View<'m> {
    memory: &'m Memory,
    id: RunId,
    run: &'m Run,
}

impl Upstream for View<'_> {
    fn outputs(&self, task: TaskId) -> TaskOutputs {
        match self.run.fan(task) {
            Some(fan) => {
                let items = (0..).take(fan.items().len()).map(ItemId);
                TaskOutputs::Items(items.map(|item| self.memory.outputs(task, item)).collect())
            }
            None => TaskOutputs::Single(self.memory.outputs(task, ItemId(0))),
        }
    }

    fn status(&self, task: TaskId) -> TaskStatus {
        self.run.task(task).status()
    }

    fn item_value(&self, task: TaskId, item: ItemId) -> Option<Value> {
        let list = self.memory.lists.get(&self.run.item_list(task)?)?;
        list.get(item.0 as usize).cloned()
    }

    fn round(&self, task: TaskId) -> u16 {
        self.run.turn_around(task)
    }

    fn run(&self) -> Option<RunId> {
        Some(self.id)
    }
}
