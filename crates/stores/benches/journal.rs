//! The journal's promises in numbers: commits, records, replay, bytes, and the graph's codec.
//!
//! `cargo bench -p stores` prints one line a measure. The disk is whatever holds the temporary
//! folder; `AUTOGLM_TEST_SYNC_DELAY_MS=5` shows the same with a slower one.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use journal::{Batch, Journal};
use model::fact::AttemptsEnded;
use model::graph::GraphParts;
use model::outcome::{AttemptEnd, LogRef, OutputRef, Then, Usage};
use model::policy::Policy;
use model::{
    Digest, Epoch, Fact, IdSet, ItemId, Outcome, RunId, Seq, TaskId, TaskKey, Timestamp, VariantId,
    WorkerId, hash,
};
use protocol::{frame, graph};
use stores::SqliteJournal;
use stores::sqlite::Options;

const AT: Timestamp = Timestamp(1_790_000_000_000_000);

fn main() {
    one_a_commit();
    many_a_commit();
    replay();
    for (name, size) in [("1 item", 1), ("64 items", 64), ("1,000 items", 1_000)] {
        item_bytes(name, size);
    }
    graph_codec();
}

const fn task(number: u32) -> TaskKey {
    TaskKey { run: RunId(3), task: TaskId(number) }
}

/// The life of tasks without a fan-out, as three facts each.
fn lives(count: u32) -> Vec<Fact> {
    (0..count)
        .flat_map(|number| {
            let task = task(number);
            [
                Fact::AttemptsLeased {
                    task,
                    items: 0..1,
                    worker: WorkerId(1),
                    variant: VariantId(0),
                    devices: model::DeviceSet::EMPTY,
                },
                Fact::AttemptsStarted { task, items: IdSet::one(0) },
                ended(task, 0..1, false),
            ]
        })
        .collect()
}

/// Attempts of a second each that wrote a little and, if asked for, left outputs.
fn ended(task: TaskKey, items: std::ops::Range<u32>, with_output: bool) -> Fact {
    let end = |item: u32| {
        let noise = hash::mix(u64::from(item) << 32 | u64::from(task.task.0));
        let usage = Usage {
            wall_us: 1_000_000 + noise % 100_000,
            cpu_us: 900_000 + (noise >> 20) % 100_000,
            peak_rss_kib: 20_000 + (noise >> 40) % 1_000,
        };
        let offset = u64::from(item) * 150 + noise % 64;
        let log = LogRef { segment: 2, offset, bytes: 60 + noise % 32, frames: 1 };
        let digest: [u8; 32] = std::array::from_fn(|at| hash::mix(noise + at as u64) as u8);
        let output = with_output.then_some(OutputRef { digest: Digest(digest), bytes: 30 });
        (ItemId(item), AttemptEnd { usage, log: Some(log), output, ..AttemptEnd::default() })
    };
    Fact::AttemptsEnded(Box::new(AttemptsEnded {
        task,
        outcome: Outcome::Succeeded,
        then: Then::Final,
        ends: items.map(end).collect(),
    }))
}

struct Bench {
    _folder: tempfile::TempDir,
    journal: SqliteJournal,
    epoch: Epoch,
    after: Seq,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = Options::from_environment();
        let mut journal = SqliteJournal::open(folder.path(), options).expect("opens");
        let epoch = journal.acquire("bench", AT).expect("is free");
        Self { _folder: folder, journal, epoch, after: Seq(0) }
    }

    fn append(&mut self, facts: &[Fact]) -> Duration {
        let start = Instant::now();
        let (epoch, after) = (self.epoch, self.after);
        let batch = Batch { epoch, after, at: AT, facts, outputs: &[], objects: &[] };
        self.journal.append(&batch).expect("appends");
        self.after = batch.last();
        start.elapsed()
    }
}

fn report(name: &str, facts: usize, mut commits: Vec<Duration>) {
    let total: Duration = commits.iter().sum();
    commits.sort_unstable();
    let at = |percent: usize| commits[(commits.len() * percent / 100).min(commits.len() - 1)];
    println!(
        "{name}: {:.0} commits/s, {:.0} facts/s; p50 {:?}, p99 {:?}, worst {:?}",
        commits.len() as f64 / total.as_secs_f64(),
        facts as f64 / total.as_secs_f64(),
        at(50),
        at(99),
        at(100)
    );
}

fn one_a_commit() {
    let mut bench = Bench::new();
    let facts = lives(10_000);
    let commits = facts.iter().map(|fact| bench.append(std::slice::from_ref(fact))).collect();
    report("one fact a commit", facts.len(), commits);
}

fn many_a_commit() {
    let mut bench = Bench::new();
    let facts = lives(300_000);
    let commits = facts.chunks(1_000).map(|batch| bench.append(batch)).collect();
    report("1,000 facts a commit", facts.len(), commits);
}

fn replay() {
    let mut bench = Bench::new();
    let facts = lives(333_334);
    facts.chunks(1_000).for_each(|batch| {
        bench.append(batch);
    });
    let start = Instant::now();
    let mut count = 0_u64;
    let mut sink = |entry: journal::Entry| {
        count += 1;
        black_box(entry);
        ControlFlow::Continue(())
    };
    bench.journal.read(Seq(0), &mut sink).expect("reads");
    println!("replay: {count} facts read and decoded in {:?}", start.elapsed());

    let start = Instant::now();
    let frames = frame::encode_batch(Epoch(1), Seq(1), AT, &facts).expect("encodes");
    let bytes: usize = frames.iter().map(|frame| frame.bytes.len()).sum();
    let elapsed = start.elapsed();
    println!("codec: {count} facts encoded in {elapsed:?}, {} bytes", bytes);
    let start = Instant::now();
    for frame in &frames {
        frame::open(&frame.bytes).expect("is whole").0.entries().for_each(|entry| {
            black_box(entry.expect("is sound"));
        });
    }
    println!("codec: {count} facts decoded in {:?}", start.elapsed());
}

/// The whole life of the items of a fan-out of 100,000, committed `size` at a time.
fn item_bytes(name: &str, size: u32) {
    for with_output in [false, true] {
        let items = 100_000;
        let mut bytes = 0;
        let mut seq = 1 << 20;
        for first in (0..items).step_by(size as usize) {
            let (task, range) = (task(0), first..items.min(first + size));
            let facts = [
                Fact::AttemptsLeased {
                    task,
                    items: range.clone(),
                    worker: WorkerId(1),
                    variant: VariantId(0),
                    devices: model::DeviceSet::EMPTY,
                },
                Fact::AttemptsStarted { task, items: IdSet::range(range.start, range.end) },
                ended(task, range, with_output),
            ];
            for fact in facts {
                let frames = frame::encode_batch(Epoch(1), Seq(seq), AT, &[fact]);
                let frames = frames.expect("encodes");
                bytes += frames.iter().map(|frame| frame.bytes.len()).sum::<usize>();
                seq += 1;
            }
        }
        println!(
            "an item's life, {name} a fact, a frame each{}: {:.1} bytes",
            if with_output { ", with outputs" } else { "" },
            bytes as f64 / f64::from(items)
        );
    }
}

fn graph_codec() {
    let tasks = 1_000_000_u32;
    let edge = |task: u32, number: u64| {
        let noise = hash::mix(u64::from(task) << 2 | number);
        (task, task + 1 + (noise % 1_000) as u32)
    };
    let last = tasks - 1_001;
    let mut edges: Vec<(u32, u32)> =
        (0..last).flat_map(|task| (0..3).map(move |number| edge(task, number))).collect();
    edges.sort_unstable();
    edges.dedup();
    let parts = GraphParts {
        policies: vec![Policy::default(); 4],
        policy_of: (0..tasks).map(|task| task % 4).collect(),
        edges,
        ..Default::default()
    };
    let start = Instant::now();
    let bytes = graph::encode(&parts);
    let encoded = start.elapsed();
    let start = Instant::now();
    let read = graph::decode(&bytes).expect("reads");
    let decoded = start.elapsed();
    assert!(read == parts, "the graph is read back");
    println!(
        "graph of 1,000,000 tasks and {} edges: encoded in {encoded:?}, decoded in {decoded:?}, \
         {} bytes",
        parts.edges.len(),
        bytes.len()
    );
}
