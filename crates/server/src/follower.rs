//! What comes after the journal: the catalog and the archive follow the durable facts, snapshots
//! are built from them, and ended runs that the archive holds are forgotten.
//!
//! It may lag and it may be rebuilt; it never holds up a commit and never decides what runs do.
//! What it cannot write now, on a full disk for one, it reads from the journal again later. Until
//! then it keeps its files open: who reads them beside it needs no room for that.
//!
//! It is also the one that takes away what is not to be kept of ended runs ([`collection`]), so
//! that nothing is archived, forgotten and removed at the same time.

mod collection;
mod unneeded;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use artifacts::objects::Objects;
use engine::state::State;
use journal::{Entry, Snapshot};
use model::{Digest, Epoch, Fact, RunId, Seq, Timestamp};
use stores::sqlite::{Options, SqliteJournal};
use stores::{Archive, Catalog, StoreError, subject};

use crate::clock::Clock;
use crate::driver::Event;
use crate::history;
use crate::home::Home;
use crate::replay::{named, named_by, read_page, replay};
use crate::retention::Keep;
use collection::Collection;
pub(crate) use collection::{Collect, Unneeded};

/// Facts after which a new snapshot is built.
const SNAPSHOT_EVERY: u64 = 250_000;
/// How far the catalog may be behind.
const LAG: Duration = Duration::from_millis(20);
/// How long to wait for files that cannot be opened or written before the next try.
const RETRY: Duration = Duration::from_millis(500);
/// Facts that are read at once.
const PAGE: usize = 16_384;

/// What the follower hears.
#[derive(Debug)]
pub(crate) enum Word {
    /// Facts have become durable.
    Committed(Committed),
    /// The journal was given a snapshot.
    Snapshot {
        /// Whether it has taken it: then it is what the next replay begins with.
        is_stored: bool,
    },
    /// Somebody asks what is to be taken away, or that it is.
    Collect(Collect),
    /// The holder ends.
    End,
}

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
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The fact of each run's admission.
    pub admitted: BTreeMap<RunId, Seq>,
    /// Those that have ended, oldest end first.
    pub ended: VecDeque<RunId>,
    /// The greatest number of a run so far.
    pub newest: RunId,
    /// The last fact.
    pub last: Seq,
    /// The time of the last fact: whatever comes later has a later one.
    pub at: Option<Timestamp>,
}

impl Known {
    pub(crate) fn of(state: &State) -> Self {
        let admitted: BTreeMap<_, _> =
            state.runs().map(|(id, run)| (id, run.admitted_seq())).collect();
        let newest = admitted.last_key_value().map_or(RunId(0), |(&id, _)| id);
        let ended = state.ended().collect();
        Self { admitted, ended, newest, last: state.last(), at: Some(state.at()) }
    }
}

/// What the follower is given to begin with.
#[derive(Debug)]
pub(crate) struct Setup {
    pub home: Home,
    pub objects: Arc<Objects>,
    pub known: Known,
    pub driver: Sender<Event>,
    pub keep: Keep,
    pub clock: Clock,
}

/// The thread that follows.
#[derive(Debug)]
pub(crate) struct Follower {
    words: Sender<Word>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Starts to follow.
    pub(crate) fn start(setup: Setup) -> std::io::Result<Self> {
        let (words, inbox) = channel();
        let thread = thread::Builder::new().name("follower".into()).spawn(move || {
            if let Some(mut books) = Books::open_in_time(&setup, &inbox) {
                books.follow(&inbox);
            }
        })?;
        Ok(Self { words, thread: Some(thread) })
    }

    /// The way to it. When it has ended, nobody hears.
    pub(crate) fn words(&self) -> Sender<Word> {
        self.words.clone()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.words.send(Word::End);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

struct Books {
    home: Home,
    catalog: Catalog,
    archive: Archive,
    reader: SqliteJournal,
    objects: Arc<Objects>,
    known: Known,
    driver: Sender<Event>,
    keep: Keep,
    clock: Clock,
    snapshot_at: Seq,
    /// Whether facts were told that the catalog could not take: they are in the journal.
    is_behind: bool,
    /// While the journal takes a snapshot: what it names, and what was named since.
    named: Option<HashSet<Digest>>,
    /// Runs that the driver was asked to forget, and has not yet.
    forgetting: HashSet<RunId>,
    /// Whether something may have to go that is not to be kept.
    is_due: bool,
    /// What somebody waits for.
    collection: Option<Collection>,
    /// The oldest run that was looked up, and the fact of its admission.
    oldest: Option<(RunId, Seq)>,
}

impl Books {
    /// Opens the files as soon as that is possible; `None` when the holder ends before. What is
    /// told meanwhile is in the journal.
    fn open_in_time(setup: &Setup, inbox: &Receiver<Word>) -> Option<Self> {
        loop {
            let reason = match Self::open(setup) {
                Ok(books) => return Some(books),
                Err(reason) => reason,
            };
            let next = Instant::now() + RETRY;
            loop {
                match inbox.recv_timeout(next.saturating_duration_since(Instant::now())) {
                    Ok(Word::Collect(collect)) => collect.refuse(&reason),
                    Ok(Word::Committed(_) | Word::Snapshot { .. }) => {}
                    Ok(Word::End) | Err(RecvTimeoutError::Disconnected) => return None,
                    Err(RecvTimeoutError::Timeout) => break,
                }
            }
        }
    }

    fn open(setup: &Setup) -> Result<Self, String> {
        let words = |error: StoreError| error.to_string();
        let Setup { home, objects, known, driver, keep, clock } = setup;
        let (home, objects, driver) = (home.clone(), Arc::clone(objects), driver.clone());
        let (known, keep, clock) = (known.clone(), *keep, *clock);
        let options = Options { create: false, ..Options::from_environment() };
        let mut reader = SqliteJournal::open(home.root(), options).map_err(words)?;
        let mut catalog = Catalog::open(home.root()).map_err(words)?;
        let archive = Archive::open(home.root(), Arc::clone(&objects)).map_err(words)?;
        let covers = journal::Journal::snapshot(&mut reader).ok().flatten();
        let snapshot_at = covers.map_or(Seq(0), |snapshot| snapshot.covers);
        let is_behind = catch_up(&mut catalog, &mut reader).is_err();
        if is_behind || lacks_a_run(&catalog, &archive).map_err(words)? {
            catalog.rebuild(&archive, &mut reader).map_err(words)?;
        }
        let mut books = Self {
            home,
            catalog,
            archive,
            reader,
            objects,
            known,
            driver,
            keep,
            clock,
            snapshot_at,
            // Facts may have been told while the files could not be opened.
            is_behind: true,
            named: None,
            forgetting: HashSet::new(),
            is_due: true,
            collection: None,
            oldest: None,
        };
        books.mend().map_err(words)?;
        Ok(books)
    }

    /// Makes up for what a crash came before: ended runs that were not archived, and rows of runs
    /// whose history was removed.
    fn mend(&mut self) -> Result<(), StoreError> {
        let archived: HashSet<_> = self.archive.list()?.into_iter().map(|one| one.run).collect();
        let missing = self.known.ended.iter().filter(|run| !archived.contains(run));
        for run in missing.copied().collect::<Vec<_>>() {
            self.put_into_archive(run);
        }
        let mut dangling = Vec::new();
        for run in self.catalog.ended()? {
            let is_known = archived.contains(&run) || self.known.admitted.contains_key(&run);
            // Runs that ended since this process began are known as soon as their facts come in.
            if !is_known && self.catalog.get(run)?.is_some_and(|row| row.ended_at <= self.known.at)
            {
                dangling.push(run);
            }
        }
        self.catalog.remove(&dangling)
    }

    /// Takes in what has gathered, then lets more gather: a catalog that is written after each
    /// commit would cost the machine more than the commit.
    fn follow(&mut self, inbox: &Receiver<Word>) {
        self.turn();
        loop {
            let first = match self.wait(inbox) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if matches!(first, Some(Word::Committed(_))) {
                thread::park_timeout(LAG);
            }
            let rest = std::iter::from_fn(|| inbox.try_recv().ok());
            let mut entries = Vec::new();
            let mut others = Vec::new();
            for word in first.into_iter().chain(rest) {
                match word {
                    Word::Committed(committed) => entries.extend(placed(committed)),
                    other => others.push(other),
                }
            }
            self.take(&entries);
            if self.known.last.0 >= self.snapshot_at.0 + SNAPSHOT_EVERY {
                self.snapshot_at = self.known.last;
                self.snapshot();
            }
            for word in others {
                match word {
                    Word::Snapshot { is_stored } => self.snapshot_is(is_stored),
                    Word::Collect(collect) => self.begin(collect),
                    Word::Committed(_) => {}
                    Word::End => return,
                }
            }
            self.turn();
        }
    }

    /// Takes in facts that were told, each once and in order.
    fn take(&mut self, entries: &[Entry]) {
        let seen = entries.partition_point(|entry| entry.seq <= self.known.last);
        let new = &entries[seen..];
        if self.is_behind || self.catalog.apply(new).is_err() {
            self.is_behind = self.catch_up().is_err();
        } else {
            self.note_all(new);
        }
    }

    /// Reads from the journal what was told and could not be taken in.
    fn catch_up(&mut self) -> Result<(), String> {
        loop {
            let cursor = self.catalog.cursor().map_err(|error| error.to_string())?;
            let page = read_page(&mut self.reader, cursor.min(self.known.last), PAGE)?;
            if page.is_empty() {
                return Ok(());
            }
            self.catalog.apply(&page).map_err(|error| error.to_string())?;
            let seen = page.partition_point(|entry| entry.seq <= self.known.last);
            self.note_all(&page[seen..]);
        }
    }

    fn note_all(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.note(entry);
            self.known.last = entry.seq;
        }
    }

    /// The next word, or that there is something left to do.
    fn wait(&self, inbox: &Receiver<Word>) -> Result<Word, RecvTimeoutError> {
        if self.is_behind {
            inbox.recv_timeout(RETRY)
        } else if self.is_due || self.collection.is_some() {
            inbox.recv_timeout(LAG)
        } else {
            inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
        }
    }

    fn note(&mut self, entry: &Entry) {
        match &entry.fact {
            Fact::RunAdmitted(run) => {
                self.known.admitted.insert(run.run, entry.seq);
                self.known.newest = self.known.newest.max(run.run);
                if let Some(named) = &mut self.named {
                    named.extend(named_by(run));
                }
            }
            Fact::RunAmended(run) => {
                if let Some(named) = &mut self.named {
                    named.extend([run.graph, run.definition]);
                }
            }
            Fact::ItemsReopened { task, .. } => {
                self.known.ended.retain(|&known| known != task.run);
                self.forgetting.remove(&task.run);
            }
            Fact::RunEnded { run, .. } => self.close(*run),
            Fact::RoundOpened { run, .. } => {
                self.known.ended.retain(|known| known != run);
                self.forgetting.remove(run);
            }
            Fact::RunForgotten { run } => {
                self.known.admitted.remove(run);
                self.known.ended.retain(|known| known != run);
                self.forgetting.remove(run);
                self.is_due = true;
            }
            _ => {}
        }
    }

    /// Archives an ended run; when there are many, the oldest that is archived is forgotten.
    fn close(&mut self, run: RunId) {
        self.put_into_archive(run);
        self.known.ended.retain(|&known| known != run);
        self.known.ended.push_back(run);
        self.is_due = true;
        while self.known.ended.len() > self.keep.in_memory
            && let Some(&oldest) = self.known.ended.front()
            && self.forget(oldest)
        {}
    }

    /// Asks the driver to forget an ended run. `false` if the archive does not have it: then memory
    /// is where it stays.
    fn forget(&mut self, run: RunId) -> bool {
        if !matches!(self.archive.find(run), Ok(Some(_))) && !self.put_into_archive(run) {
            return false;
        }
        self.known.ended.retain(|&known| known != run);
        if self.forgetting.insert(run) {
            self.note_summary(run);
            let _ = self.driver.send(Event::Forget(run));
        }
        true
    }

    /// Notes how a run is shown in short, so that a list need not replay it. It can do without.
    fn note_summary(&mut self, run: RunId) {
        let Ok(Some(history)) = self.archive.read(run) else { return };
        let text = history::summary_text(run, history, &mut self.reader, &self.objects);
        if let Some(text) = text {
            let _ = self.catalog.set_summary(run, &text);
        }
    }

    /// Whether the archive now has the run.
    fn put_into_archive(&mut self, run: RunId) -> bool {
        let written = self.write_archive(run);
        if let Ok(digest) = &written {
            let _ = self.catalog.set_archive(run, digest);
        }
        written.is_ok()
    }

    fn write_archive(&mut self, run: RunId) -> Result<Digest, String> {
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

    /// Builds a snapshot from what is durable, beside the loop that goes on meanwhile. Says
    /// whether the journal will be given it.
    fn snapshot(&mut self) -> bool {
        let Ok(replayed) = replay(&mut self.reader, &self.objects) else { return false };
        let state = replayed.engine.state();
        self.named.get_or_insert_default().extend(named(state));
        // The history of a run that the state holds is read from the journal.
        let kept = state.runs().map(|(_, run)| run.admitted_seq().0).min();
        let cursor = self.catalog.cursor().unwrap_or_default();
        let cut = kept.map_or(state.last(), |first| Seq(first - 1)).min(cursor);
        let snapshot = Snapshot { covers: state.last(), facts: replayed.engine.snapshot() };
        self.driver.send(Event::Snapshot(Box::new(Built { snapshot, cut }))).is_ok()
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

/// Whether a run is in the archive and not in the catalog, which then cannot be trusted to know
/// what is named.
fn lacks_a_run(catalog: &Catalog, archive: &Archive) -> Result<bool, StoreError> {
    let known: HashSet<_> = catalog.all()?.into_iter().collect();
    Ok(archive.list()?.iter().any(|archived| !known.contains(&archived.run)))
}

/// Committed facts with their places.
fn placed(committed: Committed) -> impl Iterator<Item = Entry> {
    let Committed { after, at, epoch, facts } = committed;
    let places = (after.0 + 1..).map(Seq);
    places.zip(facts).map(move |(seq, fact)| Entry { seq, at, epoch, fact })
}
