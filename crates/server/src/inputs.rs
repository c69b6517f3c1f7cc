//! What texts and questions of a run are made from: outputs of earlier tasks, how they ended, and
//! the items of late fan-outs.
//!
//! Outputs are found before they are durable, too: what is worked out from them joins the same
//! batch or a later one. Nothing here is ever a part of a fact.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use engine::state::{Run, State};
use journal::Journal;
use model::{ItemId, ItemKey, RunId, Seq, TaskId, TaskKey, TaskStatus};
use serde_json::Value;
use spec::{TaskOutputs, Upstream};

use crate::lines;
use crate::shelf::Shelf;

/// Outputs that are on their way to the journal.
#[derive(Debug, Default)]
pub(crate) struct FreshOutputs {
    by_item: HashMap<ItemKey, (Seq, Arc<[u8]>)>,
    order: VecDeque<(Seq, ItemKey)>,
}

impl FreshOutputs {
    /// Keeps the outputs that a fact at or before `seq` names.
    pub(crate) fn put(&mut self, seq: Seq, item: ItemKey, bytes: Arc<[u8]>) {
        self.order.push_back((seq, item));
        self.by_item.insert(item, (seq, bytes));
    }

    /// Lets go of what the journal has.
    pub(crate) fn drop_durable(&mut self, durable: Seq) {
        while let Some((seq, item)) = self.order.pop_front_if(|(seq, _)| *seq <= durable) {
            // Newer outputs of the same item stay.
            if self.by_item.get(&item).is_some_and(|(kept, _)| *kept == seq) {
                self.by_item.remove(&item);
            }
        }
    }

    fn get(&self, item: ItemKey) -> Option<Arc<[u8]>> {
        self.by_item.get(&item).map(|(_, bytes)| Arc::clone(bytes))
    }
}

/// What one run's texts and questions may name.
pub(crate) struct Inputs<'a> {
    id: RunId,
    run: &'a Run,
    shelf: &'a Shelf,
    fresh: &'a FreshOutputs,
    stored: RefCell<&'a mut dyn Journal>,
    /// The items of a task that has them in a moment.
    late: Option<(TaskId, Vec<Value>)>,
}

impl<'a> Inputs<'a> {
    /// The inputs of a run; `None` if it is not in memory.
    pub(crate) fn new(
        state: &'a State,
        id: RunId,
        (shelf, fresh): (&'a Shelf, &'a FreshOutputs),
        stored: &'a mut dyn Journal,
    ) -> Option<Self> {
        let run = state.run(id)?;
        Some(Self { id, run, shelf, fresh, stored: RefCell::new(stored), late: None })
    }

    /// The same with the items that a task is about to have.
    pub(crate) fn with_items(self, task: TaskId, items: Option<Vec<Value>>) -> Self {
        Self { late: items.map(|items| (task, items)), ..self }
    }

    /// The outputs of an item; an empty object if it left none.
    fn read(&self, item: ItemKey) -> Value {
        let bytes = self.fresh.get(item).or_else(|| {
            let stored = self.stored.borrow_mut().output(item).ok().flatten();
            stored.map(|output| output.bytes.into())
        });
        let parsed = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        parsed.unwrap_or_else(|| Value::Object(serde_json::Map::new()))
    }
}

impl Upstream for Inputs<'_> {
    fn outputs(&self, task: TaskId) -> TaskOutputs {
        let key = TaskKey { run: self.id, task };
        match self.run.fan(task) {
            Some(fan) => {
                let items = (0..).take(fan.items().len()).map(ItemId);
                TaskOutputs::Items(items.map(|item| self.read(key.item(item))).collect())
            }
            None => TaskOutputs::Single(self.read(key.item(ItemId(0)))),
        }
    }

    fn status(&self, task: TaskId) -> TaskStatus {
        self.run.task(task).status()
    }

    fn item_value(&self, task: TaskId, item: ItemId) -> Option<Value> {
        match &self.late {
            Some((late, items)) if *late == task => items.get(item.0 as usize).cloned(),
            _ => self.shelf.item(&self.run.item_list(task)?, item),
        }
    }

    fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
        lines::read(path)
    }

    fn round(&self, task: TaskId) -> u16 {
        self.run.turn_around(task)
    }

    fn run(&self) -> Option<RunId> {
        Some(self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_stay_until_the_newest_of_their_item_is_durable() {
        let item = TaskKey { run: RunId(1), task: TaskId(0) }.item(ItemId(0));
        let mut fresh = FreshOutputs::default();
        fresh.put(Seq(3), item, Arc::from(*b"1"));
        fresh.put(Seq(5), item, Arc::from(*b"2"));
        fresh.drop_durable(Seq(4));
        assert_eq!(fresh.get(item).as_deref(), Some(&b"2"[..]));
        fresh.drop_durable(Seq(5));
        assert!(fresh.get(item).is_none() && fresh.order.is_empty());
    }
}
