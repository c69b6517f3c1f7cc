//! What the state folder has stored, read beside who writes it: objects and outputs.
//!
//! Every read may wait for the disk, so it is done on threads that may wait, never on the driver's.

use std::sync::Arc;

use artifacts::objects::Objects;
use journal::Journal;
use model::fact::{RunAdmitted, RunAmended};
use model::{Digest, Graph, ItemKey};
use spec::Definition;
use stores::sqlite::{Options, SqliteJournal};

use super::Context;
use super::problem::{self, Refusal};
use crate::amend::Settings;
use crate::views::Side;

/// The way to what is stored.
pub(super) struct Stored {
    journal: SqliteJournal,
    objects: Arc<Objects>,
}

/// What a run went by at some time, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub graph: Digest,
    pub definition: Digest,
    pub settings: Settings,
}

/// The same, read.
pub(super) struct Version {
    graph: Graph,
    definition: Definition,
    settings: Settings,
}

impl From<&RunAdmitted> for Named {
    fn from(run: &RunAdmitted) -> Self {
        let &RunAdmitted { graph, definition, .. } = run;
        Self { graph, definition, settings: Settings::from(run) }
    }
}

impl From<&RunAmended> for Named {
    fn from(run: &RunAmended) -> Self {
        let &RunAmended { graph, definition, .. } = run;
        Self { graph, definition, settings: Settings::from(run) }
    }
}

impl Version {
    pub(super) const fn side(&self) -> Side<'_> {
        let Self { graph, definition, settings } = self;
        Side { graph, definition, settings: *settings }
    }
}

impl Stored {
    pub(super) fn open(context: &Context) -> Result<Self, Refusal> {
        let options = Options { create: false, ..Options::default() };
        let journal = SqliteJournal::open_beside(context.home.root(), options);
        let journal = journal.map_err(|error| problem::unreadable(&error))?;
        Ok(Self { journal, objects: context.history.objects() })
    }

    /// An object, small or large; `None` if it is not stored.
    pub(super) fn object(&mut self, digest: &Digest) -> Result<Option<Vec<u8>>, Refusal> {
        let small = self.journal.object(digest);
        if let Some(bytes) = small.map_err(|error| problem::internal(error.to_string()))? {
            return Ok(Some(bytes));
        }
        self.objects.get(digest).map_err(|error| problem::internal(error.to_string()))
    }

    /// The outputs of an item, if it has left any.
    pub(super) fn output(&mut self, item: ItemKey) -> Result<Option<Vec<u8>>, Refusal> {
        let found = self.journal.output(item);
        let found = found.map_err(|error| problem::internal(error.to_string()))?;
        Ok(found.map(|output| output.bytes))
    }

    /// A version of a run; `None` if it is not stored any more.
    pub(super) fn version(&mut self, named: &Named) -> Option<Version> {
        let graph = self.object(&named.graph).ok()??;
        let graph = Graph::new(named.graph, protocol::graph::decode(&graph).ok()?).ok()?;
        let definition = self.object(&named.definition).ok()??;
        let definition = Definition::from_bytes(&definition).ok()?;
        Some(Version { graph, definition, settings: named.settings })
    }
}

/// Does what may wait for the disk on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| problem::internal("a thread that reads the state folder broke off"))?
}
