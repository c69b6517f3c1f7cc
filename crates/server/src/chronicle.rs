//! The work that was really done, of all runs that were submitted within a time: read run by run
//! from the archive, and of those that it does not have from the journal.
//!
//! It is read on a thread that may wait for the disk. At a time there is no more of it in memory
//! than the facts of the runs that go on, and the largest run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use artifacts::objects::Objects;
use journal::{Entry, Journal, replay};
use model::{Fact, RunId, Timestamp};
use protocol::api::{HistoryEnd, HistoryLine, HistoryQuery, PastNode, Time};
use stores::sqlite::{Options, SqliteJournal};
use stores::subject::run_of;
use stores::{Archive, Catalog, StoreError};

use crate::fleet::LiveLogs;
use crate::home::Home;
use crate::replay::{read_page, replay_run};
use crate::views::Subject;
use crate::worklog::{Nodes, Worklog, node};

/// Facts that are read at once.
const PAGE: usize = 16_384;

/// The history, on its way.
pub(crate) struct Chronicle {
    journal: SqliteJournal,
    archive: Option<Archive>,
    objects: Arc<Objects>,
    now: Timestamp,
    nodes: Nodes,
    /// The nodes, which are told before the runs.
    first: Vec<PastNode>,
    /// Runs that are still to be told, oldest first.
    runs: VecDeque<RunId>,
    /// The facts of those that the archive does not have.
    open: BTreeMap<RunId, Vec<Entry>>,
    end: Option<HistoryEnd>,
}

impl Chronicle {
    /// Opens what is stored, and reads the journal for nodes and for the runs that the archive does
    /// not have: those that are `open`, and others that have just ended.
    ///
    /// # Errors
    /// Something cannot be read, for people.
    pub(crate) fn open(
        home: &Home,
        objects: Arc<Objects>,
        query: &HistoryQuery,
        (open, now): (BTreeSet<RunId>, Timestamp),
    ) -> Result<Self, String> {
        let words = |error: StoreError| error.to_string();
        let options = Options { create: false, ..Options::default() };
        let journal = SqliteJournal::open_beside(home.root(), options).map_err(words)?;
        let archive = Archive::open_existing(home.root(), Arc::clone(&objects)).map_err(words)?;
        let catalog = Catalog::open_existing(home.root()).map_err(words)?;
        let archived = archive.as_ref().map_or(Ok(Vec::new()), Archive::list).map_err(words)?;
        let archived: BTreeSet<RunId> = archived.iter().map(|it| it.run).collect();
        let mut chronicle = Self {
            journal,
            archive,
            objects,
            now,
            nodes: Nodes::new(),
            first: Vec::new(),
            runs: VecDeque::new(),
            open: BTreeMap::new(),
            end: None,
        };
        chronicle.scan(|run| open.contains(&run) || !archived.contains(&run))?;
        let known: BTreeSet<RunId> =
            archived.iter().chain(chronicle.open.keys()).copied().collect();
        chronicle.choose(known.into_iter().collect(), query, catalog.as_ref());
        Ok(chronicle)
    }

    /// Reads the journal once, and keeps the facts of those runs that are wanted.
    fn scan(&mut self, is_wanted: impl Fn(RunId) -> bool) -> Result<(), String> {
        let mut after = replay::start(&mut self.journal).map_err(|error| error.to_string())?;
        if after.0 > 0
            && let Some(snapshot) = self.journal.snapshot().map_err(|error| error.to_string())?
        {
            snapshot.facts.iter().for_each(|(_, at, fact)| self.note_node(*at, fact));
        }
        loop {
            let page = read_page(&mut self.journal, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.seq;
            for entry in page {
                self.note_node(entry.at, &entry.fact);
                let Some(run) = run_of(&entry.fact).filter(|&run| is_wanted(run)) else { continue };
                match entry.fact {
                    // Who was forgotten is in the archive, or is not kept any more.
                    Fact::RunForgotten { run } => drop(self.open.remove(&run)),
                    _ => self.open.entry(run).or_default().push(entry),
                }
            }
        }
    }

    fn note_node(&mut self, at: Timestamp, fact: &Fact) {
        match fact {
            Fact::WorkerJoined(joined) if !self.nodes.contains_key(&joined.worker) => {
                let number = u32::try_from(self.first.len()).unwrap_or(u32::MAX);
                self.nodes.insert(joined.worker, number);
                self.first.push(node(joined, at));
            }
            Fact::WorkerLost { worker, .. } => {
                let number = self.nodes.get(worker).map(|&number| number as usize);
                if let Some(node) = number.and_then(|number| self.first.get_mut(number)) {
                    node.until = Some(Time(at));
                }
            }
            _ => {}
        }
    }

    /// Chooses the runs that are asked for. Numbers are given in the order of submission.
    fn choose(&mut self, known: Vec<RunId>, query: &HistoryQuery, catalog: Option<&Catalog>) {
        let before = |run: &RunId, time: Time| self.submitted(*run, catalog) < time.0;
        let since = query.since.map_or(0, |time| known.partition_point(|run| before(run, time)));
        let until =
            query.until.map_or(known.len(), |time| known.partition_point(|run| before(run, time)));
        let chosen = known.get(since..until).unwrap_or_default();
        let numbers = chosen.first().zip(chosen.last());
        let removed = numbers
            .map_or(0, |(first, last)| (last.0 - first.0 + 1).saturating_sub(chosen.len() as u64));
        self.runs = chosen.iter().copied().filter(|run| run.0 > query.after).collect();
        self.end = Some(HistoryEnd { at: Time(self.now), unreadable: 0, removed });
    }

    fn submitted(&self, run: RunId, catalog: Option<&Catalog>) -> Timestamp {
        if let Some(first) = self.open.get(&run).and_then(|entries| entries.first()) {
            return first.at;
        }
        let row = catalog.and_then(|catalog| catalog.get(run).ok().flatten());
        row.map(|row| row.admitted_at).unwrap_or_else(|| {
            let entries = self.archive.as_ref().and_then(|it| it.read(run).ok().flatten());
            entries.and_then(|it| it.first().map(|entry| entry.at)).unwrap_or_default()
        })
    }

    /// The next lines: the nodes, then run by run, then the end; `None` after that. What of a run
    /// cannot be read is counted.
    pub(crate) fn next(&mut self) -> Option<Vec<HistoryLine>> {
        if !self.first.is_empty() {
            let nodes = std::mem::take(&mut self.first).into_iter();
            return Some(nodes.map(HistoryLine::Node).collect());
        }
        while let Some(run) = self.runs.pop_front() {
            match self.lines(run) {
                Some(lines) => return Some(lines),
                None => self.end.as_mut().expect("it comes last").unreadable += 1,
            }
        }
        self.end.take().map(|end| vec![HistoryLine::End(end)])
    }

    fn lines(&mut self, run: RunId) -> Option<Vec<HistoryLine>> {
        let entries = match self.open.remove(&run) {
            Some(entries) => entries,
            None => self.archive.as_ref()?.read(run).ok()??,
        };
        let replayed = replay_run(&entries, &mut self.journal, &self.objects).ok()?;
        let live_logs = LiveLogs::default();
        let view = replayed.view(&live_logs, self.now);
        let subject = Subject::of(&view, run)?;
        let mut worklog = Worklog::default();
        entries.iter().for_each(|entry| worklog.take(entry, &self.nodes));
        Some(worklog.lines(&subject, &self.nodes))
    }
}
