//! Replay: a million facts from the SQLite journal into an engine, without a snapshot.
//!
//! Chases: 1 s, reading, checking, decoding and applying included. The facts are those of a run of
//! half a million distinct tasks: a lease and an end of each.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use benches::{layers, median};
use engine::{Engine, Graphs};
use journal::{Batch, Journal};
use model::fact::AttemptsEnded;
use model::outcome::{AttemptEnd, Outcome, Then, Usage};
use model::{
    DeviceSet, Digest, Epoch, Fact, Graph, ItemId, Offers, RunId, Seq, TaskKey, Timestamp,
    VariantId, WorkerId,
};
use stores::SqliteJournal;
use stores::sqlite::Options;

const ROUNDS: usize = 5;
const PER_BATCH: usize = 1_000;

struct One(Arc<Graph>);

impl Graphs for One {
    fn graph(&self, _: &Digest) -> Arc<Graph> {
        Arc::clone(&self.0)
    }
}

fn main() {
    let parts = layers(500, 1_000, |_| 3);
    let admission = benches::admission(&parts);
    let graph = Arc::new(Graph::new(admission.run.graph, parts).expect("a valid graph"));
    let shelf = One(graph);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let facts = facts(admission, &shelf.0);
    write(folder.path(), &facts);
    let seconds = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        let mut journal = open(folder.path());
        let mut engine = Engine::new();
        journal
            .read(Seq(0), &mut |entry| {
                engine.replay(entry.seq, entry.at, &entry.fact, &shelf);
                ControlFlow::Continue(())
            })
            .expect("readable");
        assert!(engine.state().is_idle(), "the run has ended");
        begun.elapsed().as_secs_f64()
    });
    let seconds = median(seconds.collect());
    println!("replay of {} facts: {seconds:.2} s (goal 1)", facts.len());
}

fn open(folder: &std::path::Path) -> SqliteJournal {
    SqliteJournal::open(folder, Options::default()).expect("opened")
}

/// The whole life of a run, as its leader would have recorded it.
fn facts(admission: server::Admission, graph: &Graph) -> Vec<Fact> {
    let run = RunId(1);
    let worker = WorkerId(1);
    let joined = model::fact::WorkerJoined {
        worker,
        name: "bench".into(),
        instance: 1,
        offers: Offers { cpu_milli: 1_000_000, ..Offers::default() },
        lease: None,
    };
    let admitted = model::fact::RunAdmitted { run, ..admission.run };
    let mut facts = vec![
        Fact::LeaderStarted { epoch: Epoch(1), format: 1 },
        Fact::WorkerJoined(Box::new(joined)),
        Fact::RunAdmitted(Box::new(admitted)),
    ];
    for task in graph.tasks().map(|task| TaskKey { run, task }) {
        let (variant, devices) = (VariantId(0), DeviceSet::EMPTY);
        facts.push(Fact::AttemptsLeased { task, items: 0..1, worker, variant, devices });
        let drawn = model::hash::mix(u64::from(task.task.0));
        let usage =
            Usage { wall_us: drawn % 10_000_000, cpu_us: drawn % 5_000_000, peak_rss_kib: 4_096 };
        facts.push(Fact::AttemptsEnded(Box::new(AttemptsEnded {
            task,
            outcome: Outcome::Succeeded,
            then: Then::Final,
            ends: vec![(ItemId(0), AttemptEnd { usage, ..AttemptEnd::default() })],
        })));
    }
    facts.push(Fact::RunEnded { run, status: model::RunStatus::Succeeded });
    facts
}

fn write(folder: &std::path::Path, facts: &[Fact]) {
    let mut journal = open(folder);
    let epoch = journal.acquire("bench", Timestamp(1)).expect("free");
    let mut after = Seq(0);
    for facts in facts.chunks(PER_BATCH) {
        let at = Timestamp(after.0 + 1);
        let batch = Batch { epoch, after, at, facts, outputs: &[], objects: &[] };
        journal.append(&batch).expect("written");
        after = batch.last();
    }
}
