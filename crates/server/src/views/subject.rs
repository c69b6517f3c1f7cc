//! A run at a moment, with its names: what every view of a run is made from.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::Engine;
use engine::state::Run;
use model::{ItemKey, RunId, TaskId, TaskKey, Timestamp};
use spec::Definition;

use super::names::Names;
use crate::fleet::Enforced;
use crate::handle::View;
use crate::shelf::Shelf;

/// A run at a moment.
pub(crate) struct Subject<'a> {
    /// The run.
    pub id: RunId,
    /// Its state.
    pub run: &'a Run,
    /// The state around it.
    pub engine: &'a Engine,
    /// The texts of all runs around it.
    shelf: &'a Shelf,
    /// What nodes hold attempts to.
    pub enforced: Option<&'a Enforced>,
    /// The names of its tasks.
    pub names: Names,
    /// The moment.
    pub now: Timestamp,
}

impl<'a> Subject<'a> {
    /// A run that is in memory.
    pub(crate) fn of(view: &View<'a>, id: RunId) -> Option<Self> {
        let run = view.engine.state().run(id)?;
        let late = run
            .fans()
            .filter_map(|(task, _)| Some((task, view.shelf.list(&run.item_list(task)?)?)));
        let names = Names::new(view.shelf.definition(&run.admitted().definition), late.collect());
        let View { engine, shelf, enforced, now, .. } = *view;
        Some(Self { id, run, engine, shelf, enforced, names, now })
    }

    /// An item of any run around it, as somebody would ask for it: `train`, `wide[3] of run 7`.
    pub(crate) fn item_anywhere(&self, item: ItemKey) -> String {
        let run = self.engine.state().run(item.run);
        let name = match run.filter(|_| item.run != self.id) {
            None => self.names.task(item.task),
            Some(run) => {
                let text = self.shelf.definition(&run.admitted().definition);
                Names::new(text, BTreeMap::new()).task(item.task)
            }
        };
        let is_fan_out = run.is_some_and(|run| run.fan(item.task).is_some());
        let number = if is_fan_out { format!("[{}]", item.item) } else { String::new() };
        let of = if item.run == self.id { String::new() } else { format!(" of run {}", item.run) };
        format!("{name}{number}{of}")
    }

    /// The text of the run.
    pub(super) fn definition(&self) -> Option<Arc<Definition>> {
        self.shelf.definition(&self.run.admitted().definition)
    }

    /// A task of the run.
    pub(crate) const fn key(&self, task: TaskId) -> TaskKey {
        TaskKey { run: self.id, task }
    }

    /// When the run ended, or the moment if it has not.
    pub(crate) fn until(&self) -> Timestamp {
        self.run.ended_at().unwrap_or(self.now)
    }
}
