//! Runs that have left memory, as far as the archive still has them.
//!
//! The facts of such a run are replayed into a small state of its own, with the code that runs
//! live, and the same views look at it. It is read, never written, on threads that may wait for the
//! disk; the driver knows nothing of it. Nothing here walks all runs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use artifacts::objects::Objects;
use journal::{Entry, Journal};
use model::{ItemKey, RunId, RunStatus, Seq};
use protocol::api::{Counts, RunSummary, RunsQuery, Seconds, Time};
use stores::error::ARCHIVE;
use stores::sqlite::{Options, SqliteJournal};
use stores::{Archive, Catalog, StoreError, catalog};

use crate::aside::Aside;
use crate::fleet::LiveLogs;
use crate::handle::View;
use crate::home::Home;
use crate::replay::{Replayed, read_page, replay_run};
use crate::views::{self, Subject};

/// Replayed runs that are kept, for whoever reads one page after another.
const RECENT_MAX: usize = 2;
/// Runs of which is kept what their facts told, for whoever looks again and again.
const ASIDES_MAX: usize = 16;
/// Facts that are read at once.
const FACTS_PAGE: usize = 16_384;

/// The way to runs that have left memory.
#[derive(Debug)]
pub(crate) struct History {
    home: Home,
    objects: Arc<Objects>,
    books: Mutex<Books>,
    recent: Mutex<VecDeque<Arc<Past>>>,
    asides: Mutex<VecDeque<(RunId, Arc<Mutex<Aside>>)>>,
}

/// What is read; each is opened when it is first needed and there is one.
#[derive(Debug, Default)]
struct Books {
    archive: Option<Archive>,
    catalog: Option<Catalog>,
    journal: Option<SqliteJournal>,
}

/// A run that has left memory: its state, and the facts that made it.
pub(crate) struct Past {
    run: RunId,
    replayed: Replayed,
    live_logs: LiveLogs,
    entries: Vec<Entry>,
}

impl std::fmt::Debug for Past {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Past").field("run", &self.run).finish_non_exhaustive()
    }
}

impl Past {
    /// The run at its end, for the views.
    pub(crate) fn view(&self) -> View<'_> {
        self.replayed.view(&self.live_logs, self.replayed.engine.state().at())
    }

    /// Its facts after `after`, at most `limit` of them.
    pub(crate) fn facts(&self, after: Seq, limit: usize) -> &[Entry] {
        let first = self.entries.partition_point(|entry| entry.seq <= after);
        let rest = &self.entries[first..];
        &rest[..rest.len().min(limit)]
    }
}

impl History {
    pub(crate) fn new(home: Home, objects: Arc<Objects>) -> Self {
        let (books, recent, asides) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { home, objects, books, recent, asides }
    }

    /// Large objects of the state folder.
    pub(crate) fn objects(&self) -> Arc<Objects> {
        Arc::clone(&self.objects)
    }

    /// A run that has left memory; `None` when the archive has none of this number.
    ///
    /// # Errors
    /// Its history, its graph or its text is damaged or gone.
    pub(crate) fn past(&self, run: RunId) -> Result<Option<Arc<Past>>, StoreError> {
        let is_known = |past: &&Arc<Past>| past.run == run;
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let archive = books.archive(&self.home, &self.objects)?;
        if archive.map_or(Ok(None), |archive| archive.find(run))?.is_none() {
            return Ok(None);
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(past) = recent.iter().find(is_known) {
            return Ok(Some(Arc::clone(past)));
        }
        drop(recent);
        let Some(past) = books.replay(run, &self.home, &self.objects)?.map(Arc::new) else {
            return Ok(None);
        };
        recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_front(Arc::clone(&past));
        recent.truncate(RECENT_MAX);
        Ok(Some(past))
    }

    /// Replays the next facts of a run. `each` sees every one of them, and what has come of it.
    ///
    /// # Errors
    /// The journal cannot be opened, or what a fact names cannot be read.
    pub(crate) fn retell(
        &self,
        replayed: &mut Replayed,
        facts: &[Entry],
        mut each: impl FnMut(&Entry, &Replayed),
    ) -> Result<(), StoreError> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let journal = books.journal(&self.home)?;
        for entry in facts {
            let fact = (entry.seq, entry.at, &entry.fact);
            replayed
                .take(fact, journal, &self.objects)
                .map_err(|reason| StoreError::new(ARCHIVE, self.home.root(), reason))?;
            each(entry, replayed);
        }
        Ok(())
    }

    /// Facts in the journal after `after`, at most `limit` of them; none that cannot be read.
    ///
    /// # Errors
    /// The journal cannot be opened.
    pub(crate) fn facts(&self, after: Seq, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let journal = books.journal(&self.home)?;
        Ok(read_page(journal, after, limit).unwrap_or_default())
    }

    /// Looks at what the facts of a run in memory have told, up to the last that is durable.
    ///
    /// # Errors
    /// The journal cannot be opened.
    pub(crate) fn aside<T>(
        &self,
        (run, admitted): (RunId, Seq),
        look: impl FnOnce(&Aside) -> T,
    ) -> Result<T, StoreError> {
        let aside = self.aside_of(run, admitted);
        let mut aside = aside.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let page = self.facts(aside.read(), FACTS_PAGE)?;
            aside.take(&page);
            if page.len() < FACTS_PAGE {
                return Ok(look(&aside));
            }
        }
    }

    /// What is kept of a run, or a new one that has read nothing.
    fn aside_of(&self, run: RunId, admitted: Seq) -> Arc<Mutex<Aside>> {
        let mut asides = self.asides.lock().unwrap_or_else(PoisonError::into_inner);
        let known = asides.iter().position(|(known, _)| *known == run);
        let aside = known.and_then(|place| asides.remove(place));
        let aside = aside.unwrap_or_else(|| (run, Arc::new(Mutex::new(Aside::new(run, admitted)))));
        let found = Arc::clone(&aside.1);
        asides.push_front(aside);
        asides.truncate(ASIDES_MAX);
        found
    }

    /// The greatest number of a run in the archive.
    ///
    /// # Errors
    /// The archive cannot be read.
    pub(crate) fn newest(&self) -> Result<Option<RunId>, StoreError> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let archive = books.archive(&self.home, &self.objects)?;
        archive.map_or(Ok(None), |archive| archive.newest())
    }

    /// The outputs of items, each `None` if it left none.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub(crate) fn outputs(&self, items: &[ItemKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let journal = books.journal(&self.home)?;
        let read = items.iter().map(|&item| Ok(journal.output(item)?.map(|it| it.bytes)));
        let read: Result<_, journal::ReadError> = read.collect();
        read.map_err(|error| StoreError::new(error.code(), self.home.root(), error.to_string()))
    }

    /// Runs that have ended and fit the query, newest first, at most `limit`: those up to `from`
    /// that are not `in_memory`, which is in order.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) fn list(
        &self,
        query: &RunsQuery,
        from: Option<u64>,
        in_memory: &[RunId],
        limit: usize,
    ) -> Result<Vec<RunSummary>, StoreError> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(catalog) = books.catalog(&self.home)? else { return Ok(Vec::new()) };
        let statuses: Vec<RunStatus> = query.status.into_iter().collect();
        let labels: Vec<_> = query.wanted_labels().collect();
        let filter = catalog::Filter {
            statuses: &statuses,
            name: query.name.as_deref(),
            labels: &labels,
            before: from.and_then(|from| from.checked_add(1)).map(RunId),
            ended: true,
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        };
        let found = catalog.list_without(&filter, &|run| in_memory.binary_search(&run).is_ok())?;
        let told: Vec<_> = found.iter().map(|row| catalog.summary(row.run)).collect();
        let mut list = Vec::new();
        for (row, told) in found.iter().zip(told) {
            let told = told.and_then(|text| serde_json::from_str(&text).ok());
            list.push(match told {
                Some(summary) => summary,
                None => books.summary(row, &self.home, &self.objects),
            });
        }
        Ok(list)
    }
}

impl Books {
    fn journal(&mut self, home: &Home) -> Result<&mut SqliteJournal, StoreError> {
        let journal = match self.journal.take() {
            Some(journal) => journal,
            None => {
                let options = Options { create: false, ..Options::default() };
                SqliteJournal::open_beside(home.root(), options)?
            }
        };
        Ok(self.journal.insert(journal))
    }

    fn archive(
        &mut self,
        home: &Home,
        objects: &Arc<Objects>,
    ) -> Result<Option<&Archive>, StoreError> {
        if self.archive.is_none() {
            self.archive = Archive::open_existing(home.root(), Arc::clone(objects))?;
        }
        Ok(self.archive.as_ref())
    }

    fn catalog(&mut self, home: &Home) -> Result<Option<&Catalog>, StoreError> {
        if self.catalog.is_none() {
            self.catalog = Catalog::open_existing(home.root())?;
        }
        Ok(self.catalog.as_ref())
    }

    fn replay(
        &mut self,
        run: RunId,
        home: &Home,
        objects: &Arc<Objects>,
    ) -> Result<Option<Past>, StoreError> {
        let archive = self.archive(home, objects)?;
        let Some(entries) = archive.map_or(Ok(None), |archive| archive.read(run))? else {
            return Ok(None);
        };
        let journal = self.journal(home)?;
        let replayed = replay_run(&entries, journal, objects).map_err(|reason| {
            let message = format!("run {run} cannot be shown: {reason}");
            StoreError::new(ARCHIVE, home.root(), message)
        })?;
        Ok(Some(Past { run, replayed, live_logs: LiveLogs::default(), entries }))
    }

    /// A run in short when nobody has noted it: made anew, or, if its history is damaged, what its
    /// row says.
    fn summary(&mut self, row: &catalog::Run, home: &Home, objects: &Arc<Objects>) -> RunSummary {
        let past = self.replay(row.run, home, objects).ok().flatten();
        past.and_then(|past| summary(&past)).unwrap_or_else(|| RunSummary {
            run: row.run,
            name: row.name.clone(),
            status: row.status,
            cause: row.cause.map(|cause| views::cause(cause).to_owned()),
            path: String::new(),
            created: Time(row.admitted_at),
            ended: row.ended_at.map(Time),
            duration_seconds: Seconds(
                row.ended_at.unwrap_or(row.admitted_at).since(row.admitted_at),
            ),
            again_seconds: None,
            tasks: Counts::default(),
            items: Counts::default(),
            round: 0,
            paused: None,
            spent: None,
            cost_limit: None,
            labels: BTreeMap::new(),
            environment: None,
            queue: String::new(),
        })
    }
}

/// A run in short.
pub(crate) fn summary(past: &Past) -> Option<RunSummary> {
    Subject::of(&past.view(), past.run).map(|subject| views::summary(&subject))
}

/// The text of [`summary`] for a run that is about to leave memory, from its facts.
pub(crate) fn summary_text(
    run: RunId,
    entries: Vec<Entry>,
    journal: &mut SqliteJournal,
    objects: &Objects,
) -> Option<String> {
    let replayed = replay_run(&entries, journal, objects).ok()?;
    let past = Past { run, replayed, live_logs: LiveLogs::default(), entries };
    serde_json::to_string(&summary(&past)?).ok()
}
