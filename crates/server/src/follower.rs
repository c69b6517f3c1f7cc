//! What comes after the journal: the catalog and the archive follow the durable facts, snapshots
//! are built from them, and ended runs that the archive holds are forgotten.
//!
//! It may lag and it may be rebuilt; it never holds up a commit and never decides. What it cannot
//! write now it writes when it is started again.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use artifacts::objects::Objects;
use engine::state::State;
use journal::{Entry, Snapshot};
use model::limits::ENDED_RUNS_MAX;
use model::{Epoch, Fact, RunId, Seq, Timestamp};
use stores::sqlite::{Options, SqliteJournal};
use stores::{Archive, Catalog, StoreError, subject};

use crate::driver::Event;
use crate::home::Home;
use crate::replay::{read_page, replay};

/// Facts after which a new snapshot is built.
const SNAPSHOT_EVERY: u64 = 250_000;
/// How far the catalog may be behind.
const LAG: Duration = Duration::from_millis(20);
/// Facts that are read at once.
const PAGE: usize = 16_384;

/// Facts that have become durable.
#[derive(Debug)]
pub(crate) struct Committed {
    pub after: Seq,
    pub at: Timestamp,
    pub epoch: Epoch,
    pub facts: Vec<Fact>,
}

/// A snapshot, and how much of the journal is not needed once it is stored.
#[derive(Debug)]
pub(crate) struct Built {
    pub snapshot: Snapshot,
    pub cut: Seq,
}

/// The runs that the state holds when following begins.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The fact of each run's admission.
    pub admitted: BTreeMap<RunId, Seq>,
    /// Those that have ended, oldest end first.
    pub ended: VecDeque<RunId>,
}

impl Known {
    pub(crate) fn of(state: &State) -> Self {
        let admitted = state.runs().map(|(id, run)| (id, run.admitted_seq())).collect();
        Self { admitted, ended: state.ended().collect() }
    }
}

/// The thread that follows.
#[derive(Debug)]
pub(crate) struct Follower {
    facts: Option<Sender<Committed>>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Starts to follow.
    pub(crate) fn start(
        home: &Home,
        objects: Arc<Objects>,
        known: Known,
        driver: Sender<Event>,
    ) -> std::io::Result<Self> {
        let (facts, inbox) = channel();
        let folder = home.root().to_owned();
        let thread = thread::Builder::new().name("follower".into()).spawn(move || {
            // Without its files there is nothing to follow with; the facts are not lost, and the
            // next start tries again.
            if let Ok(mut books) = Books::open(folder, objects, known, driver) {
                books.follow(&inbox);
            }
            inbox.iter().for_each(drop);
        })?;
        Ok(Self { facts: Some(facts), thread: Some(thread) })
    }

    pub(crate) fn facts(&self) -> Sender<Committed> {
        self.facts.clone().expect("taken only when dropped")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.facts = None;
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

struct Books {
    catalog: Catalog,
    archive: Archive,
    reader: SqliteJournal,
    objects: Arc<Objects>,
    known: Known,
    driver: Sender<Event>,
    snapshot_at: Seq,
}

impl Books {
    fn open(
        folder: PathBuf,
        objects: Arc<Objects>,
        known: Known,
        driver: Sender<Event>,
    ) -> Result<Self, String> {
        let words = |error: StoreError| error.to_string();
        let options = Options { create: false, ..Options::from_environment() };
        let mut reader = SqliteJournal::open(&folder, options).map_err(words)?;
        let mut catalog = Catalog::open(&folder).map_err(words)?;
        let archive = Archive::open(&folder, Arc::clone(&objects)).map_err(words)?;
        let covers = journal::Journal::snapshot(&mut reader).ok().flatten();
        let snapshot_at = covers.map_or(Seq(0), |snapshot| snapshot.covers);
        if catch_up(&mut catalog, &mut reader).is_err() {
            catalog.rebuild(&archive, &mut reader).map_err(words)?;
        }
        Ok(Self { catalog, archive, reader, objects, known, driver, snapshot_at })
    }

    /// Takes in what has gathered, then lets more gather: a catalog that is written after each
    /// commit would cost the machine more than the commit.
    fn follow(&mut self, inbox: &Receiver<Committed>) {
        while let Ok(first) = inbox.recv() {
            thread::park_timeout(LAG);
            let rest = std::iter::from_fn(|| inbox.try_recv().ok());
            let entries: Vec<_> = std::iter::once(first).chain(rest).flat_map(placed).collect();
            // What could not be written is read from the journal at the next start.
            if self.catalog.apply(&entries).is_err() {
                return;
            }
            entries.iter().for_each(|entry| self.note(entry));
            let last = entries.last().map_or(self.snapshot_at, |entry| entry.seq);
            if last.0 >= self.snapshot_at.0 + SNAPSHOT_EVERY {
                self.snapshot_at = last;
                self.snapshot();
            }
        }
    }

    fn note(&mut self, entry: &Entry) {
        match &entry.fact {
            Fact::RunAdmitted(run) => {
                self.known.admitted.insert(run.run, entry.seq);
            }
            Fact::RunEnded { run, .. } => self.close(*run),
            Fact::RunForgotten { run } => {
                self.known.admitted.remove(run);
            }
            _ => {}
        }
    }

    /// Archives an ended run; when there are many, the oldest that is archived is forgotten.
    fn close(&mut self, run: RunId) {
        let Ok(digest) = self.write_archive(run) else { return };
        let _ = self.catalog.set_archive(run, &digest);
        self.known.ended.retain(|&known| known != run);
        self.known.ended.push_back(run);
        if self.known.ended.len() > ENDED_RUNS_MAX
            && let Some(oldest) = self.known.ended.pop_front()
        {
            let _ = self.driver.send(Event::Forget(oldest));
        }
    }

    fn write_archive(&mut self, run: RunId) -> Result<model::Digest, String> {
        let first = self.known.admitted.get(&run).copied().unwrap_or_default();
        let mut after = Seq(first.0.saturating_sub(1));
        let mut history = Vec::new();
        loop {
            let page = read_page(&mut self.reader, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            history
                .extend(page.into_iter().filter(|entry| subject::run_of(&entry.fact) == Some(run)));
        }
        self.archive.write(run, &history).map_err(|error| error.to_string())
    }

    /// Builds a snapshot from what is durable, beside the loop that goes on meanwhile.
    fn snapshot(&mut self) {
        let Ok(replayed) = replay(&mut self.reader, &self.objects) else { return };
        let state = replayed.engine.state();
        // The history of a run that the state holds is read from the journal.
        let kept = state.runs().map(|(_, run)| run.admitted_seq().0).min();
        let cursor = self.catalog.cursor().unwrap_or_default();
        let cut = kept.map_or(state.last(), |first| Seq(first - 1)).min(cursor);
        let snapshot = Snapshot { covers: state.last(), facts: replayed.engine.snapshot() };
        let _ = self.driver.send(Event::Snapshot(Box::new(Built { snapshot, cut })));
    }
}

fn catch_up(catalog: &mut Catalog, reader: &mut SqliteJournal) -> Result<(), String> {
    loop {
        let after = catalog.cursor().map_err(|error| error.to_string())?;
        let page = read_page(reader, after, PAGE)?;
        if page.is_empty() {
            return Ok(());
        }
        catalog.apply(&page).map_err(|error| error.to_string())?;
    }
}

/// Committed facts with their places.
fn placed(committed: Committed) -> impl Iterator<Item = Entry> {
    let Committed { after, at, epoch, facts } = committed;
    let places = (after.0 + 1..).map(Seq);
    places.zip(facts).map(move |(seq, fact)| Entry { seq, at, epoch, fact })
}
