//! A journal, replayed by what can know no template: the engine, and the stores with their codec.
//!
//! Nothing here may name `spec`, `server` or anything above them: a state that needed an expression
//! to be worked out again could not come out of this.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use artifacts::objects::Objects;
use engine::{Engine, Graphs};
use journal::{Entry, Journal};
use model::{Digest, Fact, Graph, Seq};
use stores::SqliteJournal;
use stores::sqlite::Options;

/// The crates that this page is made of.
pub(crate) const CRATES: &[&str] =
    &["artifacts", "engine", "journal", "model", "protocol", "scheduler", "stores"];

/// Compiled graphs, and nothing of the texts that they came from.
#[derive(Default)]
struct Shapes(BTreeMap<[u8; 32], Arc<Graph>>);

impl Graphs for Shapes {
    fn graph(&self, digest: &Digest) -> Arc<Graph> {
        Arc::clone(&self.0[&digest.0])
    }
}

/// All facts of the journal in a state folder.
pub(crate) fn facts(state: &Path) -> Vec<Entry> {
    let mut facts = Vec::new();
    let read = open(state).read(Seq(0), &mut |entry| {
        facts.push(entry);
        ControlFlow::Continue(())
    });
    read.expect("the journal is sound and whole");
    facts
}

/// The journal in a state folder.
pub(crate) fn open(state: &Path) -> SqliteJournal {
    SqliteJournal::open(state, Options { create: false, ..Options::default() })
        .expect("it is there")
}

/// Replays facts from the first on; `after` sees the engine after each.
pub(crate) fn replay(state: &Path, facts: &[Entry], mut after: impl FnMut(Seq, &Engine)) -> Engine {
    let (mut journal, mut shapes) = (open(state), Shapes::default());
    let objects = Objects::open(&state.join("objects")).expect("the folder of objects");
    let mut engine = Engine::new();
    for entry in facts {
        if let Fact::RunAdmitted(run) = &entry.fact {
            let stored = journal.object(&run.graph).expect("readable");
            let stored = stored.or_else(|| objects.get(&run.graph).expect("readable"));
            let parts = protocol::graph::decode(&stored.expect("stored before the fact"));
            let graph = Graph::new(run.graph, parts.expect("as it was stored"));
            shapes.0.insert(run.graph.0, Arc::new(graph.expect("it was checked")));
        }
        engine.replay(entry.seq, entry.at, &entry.fact, &shapes);
        after(entry.seq, &engine);
    }
    engine
}
