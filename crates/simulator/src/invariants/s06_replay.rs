//! S6: snapshot and tail, replay from the beginning, and the live state are one and the same; and
//! what is asked of a replayed state is answered from it and leaves it as it is.

use std::sync::Arc;

use engine::{Engine, Graphs};
use model::collections::HashMap;
use model::wait::Blocker;
use model::{Digest, Fact, Graph, ItemId, TaskKey, TaskStatus};

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

/// Tasks of which it is asked why they wait, each time.
const ASKED_MAX: usize = 32;

/// Asks an engine that was made from a live one why things wait, as who asks about the past does:
/// the question changes nothing, what is ready there is ready here, and nothing waits for want of a
/// worker while there is one. `is_told` says which facts it was made from. Gives back how many
/// waits had a reason.
///
/// # Errors
/// One of these does not hold.
pub fn supposed(
    live: &Engine,
    graphs: &GraphStore,
    is_told: impl Fn(&Fact) -> bool,
) -> Result<usize, String> {
    let mut past = Engine::new();
    for (seq, at, fact) in live.snapshot().into_iter().filter(|(.., fact)| is_told(fact)) {
        past.replay(seq, at, &fact, graphs);
    }
    let before = past.state_hash();
    past.suppose(live.now());
    if past.state_hash() != before {
        return Err("a question about the past has changed the state".to_owned());
    }
    let has_worker = live.state().workers().any(|(_, known)| !known.gone);
    let ready = live.state().runs().flat_map(|(id, run)| {
        let first = move |task| Some((task, run.first_ready(task, 1)?.start));
        let tasks = run.graph().tasks().filter_map(first);
        tasks.map(move |(task, item)| TaskKey { run: id, task }.item(ItemId(item)))
    });
    let mut reasons = 0;
    for item in ready.take(ASKED_MAX) {
        let Some(told) = past.explain(item) else {
            return Err(format!("{item:?} is ready, and was not there"));
        };
        if told.status != TaskStatus::Ready {
            return Err(format!("{item:?} is ready, and was {}", told.status));
        }
        if has_worker && told.blockers.contains(&Blocker::NoWorker) {
            return Err(format!("{item:?} waits for a worker, and there is one"));
        }
        reasons += usize::from(!told.blockers.is_empty());
    }
    Ok(reasons)
}
