//! S6: snapshot and tail, replay from the beginning, and the live state are one and the same.

use std::sync::Arc;

use engine::{Engine, Graphs};
use model::collections::HashMap;
use model::{Digest, Graph};

/// The graphs of all runs, as the store keeps them.
#[derive(Debug, Default)]
pub struct GraphStore {
    graphs: HashMap<Digest, Arc<Graph>>,
}

impl GraphStore {
    /// Keeps a graph.
    pub fn insert(&mut self, graph: Arc<Graph>) {
        self.graphs.insert(graph.digest(), graph);
    }
}

impl Graphs for GraphStore {
    fn graph(&self, digest: &Digest) -> Arc<Graph> {
        Arc::clone(self.graphs.get(digest).expect("every graph is kept before its fact"))
    }
}

/// Compares a live engine with one made from its own snapshot.
///
/// # Errors
/// The two states differ.
pub fn snapshot(live: &Engine, graphs: &GraphStore) -> Result<(), String> {
    let mut restored = Engine::new();
    for (seq, at, fact) in live.snapshot() {
        restored.replay(seq, at, &fact, graphs);
    }
    same(live, &restored, "a snapshot of it")
}

/// Compares two engines that have seen the same facts.
///
/// # Errors
/// Their states differ.
pub fn same(live: &Engine, other: &Engine, what: &str) -> Result<(), String> {
    let (here, there) = (live.state_hash(), other.state_hash());
    if here == there {
        return Ok(());
    }
    let last = live.state().last();
    Err(format!("after fact {last} the live state ({here:016x}) is not {what} ({there:016x})"))
}
