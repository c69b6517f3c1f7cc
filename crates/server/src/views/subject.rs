//! A run at a moment, with its names: what every view of a run is made from.

use engine::Engine;
use engine::state::Run;
use model::{RunId, TaskId, TaskKey, Timestamp};

use super::names::Names;
use crate::handle::View;

/// A run at a moment.
pub(crate) struct Subject<'a> {
    /// The run.
    pub id: RunId,
    /// Its state.
    pub run: &'a Run,
    /// The state around it.
    pub engine: &'a Engine,
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
        Some(Self { id, run, engine: view.engine, names, now: view.now })
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
