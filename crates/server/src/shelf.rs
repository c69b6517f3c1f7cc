//! Graphs, texts and late lists of items of the runs in memory, by content address.
//!
//! Small ones travel into the journal with the fact that names them, large ones are durable objects
//! before it. What no run names any more is dropped.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use artifacts::objects::Objects;
use engine::Graphs;
use journal::Journal;
use model::limits::INLINE_BYTES_MAX;
use model::{Digest, Graph, ItemId};
use serde_json::Value;
use spec::Definition;

/// What the facts name.
#[derive(Default)]
pub struct Shelf {
    graphs: HashMap<Digest, Arc<Graph>>,
    definitions: HashMap<Digest, Arc<Definition>>,
    /// The items of fan-outs that were worked out late.
    lists: HashMap<Digest, Arc<[Value]>>,
}

impl Graphs for Shelf {
    fn graph(&self, digest: &Digest) -> Arc<Graph> {
        let graph = self.graphs.get(digest);
        Arc::clone(graph.expect("loaded before the fact that names it is applied"))
    }
}

impl Shelf {
    /// The text of a run: `run.admitted().definition`.
    #[must_use]
    pub fn definition(&self, digest: &Digest) -> Option<Arc<Definition>> {
        self.definitions.get(digest).map(Arc::clone)
    }

    pub(crate) fn put(&mut self, graph: Arc<Graph>, digest: Digest, definition: Arc<Definition>) {
        self.graphs.insert(graph.digest(), graph);
        self.definitions.insert(digest, definition);
    }

    /// An item of a list.
    #[must_use]
    pub fn item(&self, list: &Digest, item: ItemId) -> Option<Value> {
        self.lists.get(list)?.get(item.0 as usize).cloned()
    }

    /// A list.
    pub(crate) fn list(&self, list: &Digest) -> Option<Arc<[Value]>> {
        self.lists.get(list).map(Arc::clone)
    }

    /// Keeps a list in its stored form: a JSON array.
    pub(crate) fn put_list(&mut self, digest: Digest, bytes: &[u8]) -> Result<(), String> {
        if let Entry::Vacant(place) = self.lists.entry(digest) {
            let items: Vec<Value> =
                serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
            place.insert(items.into());
        }
        Ok(())
    }

    /// Loads a list, if it is not here.
    ///
    /// # Errors
    /// What is stored is missing or is not what was stored.
    pub(crate) fn load_list(
        &mut self,
        list: Digest,
        journal: &mut dyn Journal,
        objects: &Objects,
    ) -> Result<(), String> {
        if self.lists.contains_key(&list) {
            return Ok(());
        }
        let bytes = fetch(list, journal, objects)?;
        self.put_list(list, &bytes)
    }

    /// Loads what an admission names, if it is not here.
    ///
    /// # Errors
    /// What is stored is missing or is not what was stored.
    pub(crate) fn load(
        &mut self,
        graph: Digest,
        definition: Digest,
        journal: &mut dyn Journal,
        objects: &Objects,
    ) -> Result<(), String> {
        if let Entry::Vacant(place) = self.graphs.entry(graph) {
            let bytes = fetch(graph, journal, objects)?;
            let parts = protocol::graph::decode(&bytes).map_err(|error| error.to_string())?;
            let built = Graph::new(graph, parts).map_err(|error| format!("{error:?}"))?;
            place.insert(Arc::new(built));
        }
        if let Entry::Vacant(place) = self.definitions.entry(definition) {
            let bytes = fetch(definition, journal, objects)?;
            let read = Definition::from_bytes(&bytes).map_err(|error| error.to_string())?;
            place.insert(Arc::new(read));
        }
        Ok(())
    }

    /// Drops what none of `named` names.
    pub(crate) fn keep(&mut self, named: &HashSet<Digest>) {
        self.graphs.retain(|digest, _| named.contains(digest));
        self.definitions.retain(|digest, _| named.contains(digest));
        self.lists.retain(|digest, _| named.contains(digest));
    }
}

fn fetch(digest: Digest, journal: &mut dyn Journal, objects: &Objects) -> Result<Vec<u8>, String> {
    if let Some(bytes) = journal.object(&digest).map_err(|error| error.to_string())? {
        return Ok(bytes);
    }
    let found = objects.get(&digest).map_err(|error| error.to_string())?;
    found.ok_or_else(|| format!("object {digest} is missing from the state folder"))
}

/// Whether bytes of this length rest in the journal, with the fact that names them.
pub(crate) const fn is_inline(bytes: usize) -> bool {
    bytes <= INLINE_BYTES_MAX
}
