//! The catalog: what can be searched about runs, in a database of its own.
//!
//! It follows the durable facts, a few milliseconds behind, and can be dropped at any time: archive
//! and journal rebuild it. So its commits are not synced one by one (`synchronous = NORMAL` keeps
//! the file whole, and its own cursor says where to go on). It shows what facts say and decides
//! nothing.

mod cache;
mod follow;
mod history;
mod row;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use journal::{Entry, Journal, ReadError, replay};
use model::{Digest, RunId, RunStatus, Seq};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params_from_iter};

use crate::Archive;
use crate::error::{Failure, StoreError};
use crate::filesystem;
use crate::sqlite::schema::{self, Layout};
pub use cache::CacheEntry;
pub use history::Kept;
pub use row::Run;

/// The name of the catalog's file in the state folder.
pub const FILE_NAME: &str = "catalog.sqlite";

/// Facts that a rebuild applies in one transaction.
const REBUILD_FACTS: usize = 10_000;

const TABLES: &str = "
    CREATE TABLE cursor (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL) STRICT;
    INSERT INTO cursor VALUES (1, 0);

    CREATE TABLE runs (
        run INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        tenant TEXT NOT NULL,
        queue TEXT NOT NULL,
        key BLOB,
        identity BLOB NOT NULL,
        content BLOB NOT NULL,
        graph BLOB NOT NULL,
        definition BLOB NOT NULL,
        status TEXT NOT NULL,
        cause TEXT,
        admitted_at INTEGER NOT NULL,
        started_at INTEGER,
        ended_at INTEGER,
        leased INTEGER NOT NULL,
        succeeded INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        lost INTEGER NOT NULL,
        retried INTEGER NOT NULL,
        archive BLOB
    ) STRICT;
    CREATE INDEX runs_by_name ON runs (name, run);
    CREATE INDEX runs_by_status ON runs (status, run);
    CREATE INDEX runs_by_identity ON runs (identity, run);
    CREATE INDEX runs_by_key ON runs (key, run) WHERE key IS NOT NULL;
";

/// The searchable index of runs.
#[derive(Debug)]
pub struct Catalog {
    connection: Connection,
    path: PathBuf,
}

/// Which runs a list is to show, newest first.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a> {
    /// Only runs in one of these states; all when empty.
    pub statuses: &'a [RunStatus],
    /// Only runs of the workflow of this name.
    pub name: Option<&'a str>,
    /// Only runs that have noted all of these labels, with this value if one is given.
    pub labels: &'a [(&'a str, Option<&'a str>)],
    /// Only runs older than this one: where the page before ended.
    pub before: Option<RunId>,
    /// Only runs that have ended.
    pub ended: bool,
    /// At most so many.
    pub limit: u32,
}

impl Default for Filter<'_> {
    fn default() -> Self {
        Self { statuses: &[], name: None, labels: &[], before: None, ended: false, limit: 100 }
    }
}

impl Catalog {
    /// Opens the catalog in a state folder, or makes an empty one.
    ///
    /// # Errors
    /// The file is damaged, foreign or newer, or cannot be written. A damaged one may be deleted.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        filesystem::check(folder)?;
        let path = folder.join(FILE_NAME);
        let layout = Layout { version: 1, tables: TABLES, synchronous: "NORMAL", create: true };
        let connection = schema::open(&path, layout)?;
        let catalog = Self { connection, path };
        let made = catalog.connection.execute_batch(&[history::TABLES, cache::TABLES].concat());
        made.map_err(|error| catalog.failed(&error))?;
        let automatic = "PRAGMA wal_autocheckpoint = 1000";
        let set = catalog.connection.query_row(automatic, [], |_| Ok(()));
        set.map_err(|error| catalog.failed(&error))?;
        Ok(catalog)
    }

    /// The last fact that it has seen: [`Catalog::apply`] goes on after this one. When the journal
    /// no longer has what follows, or a rebuild was broken off, only a rebuild helps.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn cursor(&self) -> Result<Seq, StoreError> {
        let cursor = self.connection.query_row("SELECT seq FROM cursor", [], |row| row.get(0));
        let cursor: i64 = cursor.map_err(|error| self.failed(&error))?;
        Ok(Seq(cursor.cast_unsigned()))
    }

    /// Adds durable facts, in order, in one transaction. Those it has seen are passed over.
    ///
    /// # Errors
    /// The file cannot be written; nothing was.
    pub fn apply(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        let Some(last) = entries.last() else { return Ok(()) };
        let cursor = self.cursor()?;
        let new = entries.iter().filter(|entry| entry.seq > cursor);
        self.follow(new, Some(last.seq.max(cursor)), |_| {})
    }

    /// Notes where the history of a run rests.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_archive(&mut self, run: RunId, digest: &Digest) -> Result<(), StoreError> {
        let row = (run.0.cast_signed(), digest.0.as_slice());
        let written = self.connection.execute("UPDATE runs SET archive = ?2 WHERE run = ?1", row);
        written.map(|_| ()).map_err(|error| self.failed(&error))
    }

    /// Runs that match, newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn list(&self, filter: &Filter<'_>) -> Result<Vec<Run>, StoreError> {
        self.list_without(filter, &|_| false)
    }

    /// As [`Catalog::list`], without the runs that `left_out` names, which do not count.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn list_without(
        &self,
        filter: &Filter<'_>,
        left_out: &dyn Fn(RunId) -> bool,
    ) -> Result<Vec<Run>, StoreError> {
        use rusqlite::types::Value;
        let mut conditions = vec!["TRUE".to_owned()];
        let mut values = Vec::new();
        let mut add = |condition: &str, value: Value| {
            values.push(value);
            conditions.push(condition.replace('?', &format!("?{}", values.len())));
        };
        if let Some(name) = filter.name {
            add("name = ?", name.to_owned().into());
        }
        for (key, value) in filter.labels {
            // What is noted of a run is made by who notes it; what is no JSON has no labels.
            let noted = "EXISTS (SELECT 1 FROM summaries, json_each(
                             CASE WHEN json_valid(summary) THEN summary ELSE '{}' END, '$.labels'
                         ) AS label
                         WHERE summaries.run = runs.run AND label.key ";
            let (end, wanted) = match value {
                Some(value) => ("|| '=' || label.value = ?)", format!("{key}={value}")),
                None => ("= ?)", (*key).to_owned()),
            };
            add(&format!("{noted}{end}"), wanted.into());
        }
        if let Some(before) = filter.before {
            add("run < ?", before.0.cast_signed().into());
        }
        if filter.ended {
            conditions.push("ended_at IS NOT NULL".to_owned());
        }
        if !filter.statuses.is_empty() {
            // These words come from an enumeration of ours: there is nothing to escape.
            let words = filter.statuses.iter().map(|status| format!("'{status}'"));
            let words: Vec<String> = words.collect();
            conditions.push(format!("status IN ({})", words.join(", ")));
        }
        let query = format!(
            "SELECT {} FROM runs WHERE {} ORDER BY run DESC",
            row::COLUMNS,
            conditions.join(" AND "),
        );
        let is_left_out = |row: &rusqlite::Row<'_>| {
            row.get(0).map(|run: i64| left_out(RunId(run.cast_unsigned())))
        };
        let rows = self.connection.prepare_cached(&query).and_then(|mut statement| {
            let mut rows = statement.query(params_from_iter(values))?;
            let mut found = Vec::new();
            while found.len() < filter.limit as usize
                && let Some(row) = rows.next()?
            {
                if !is_left_out(row)? {
                    found.push(row::read(row)?);
                }
            }
            Ok(found)
        });
        rows.map_err(|error| self.failed(&error))
    }

    /// A run by its number.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn get(&self, run: RunId) -> Result<Option<Run>, StoreError> {
        self.newest("run = ?1", [run.0.cast_signed()])
    }

    /// The newest run of the same thing: file, parameters and environment.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn find_identity(&self, identity: &Digest) -> Result<Option<Run>, StoreError> {
        self.newest("identity = ?1", [identity.0.as_slice()])
    }

    /// The run that was submitted under a client's key.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn find_key(&self, key: &Digest) -> Result<Option<Run>, StoreError> {
        self.newest("key = ?1", [key.0.as_slice()])
    }

    /// The newest run of the workflow of this name.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn find_name(&self, name: &str) -> Result<Option<Run>, StoreError> {
        self.newest("name = ?1", [name])
    }

    fn newest(
        &self,
        condition: &str,
        key: impl rusqlite::Params,
    ) -> Result<Option<Run>, StoreError> {
        let columns = row::COLUMNS;
        let query =
            format!("SELECT {columns} FROM runs WHERE {condition} ORDER BY run DESC LIMIT 1");
        let found = self.connection.prepare_cached(&query);
        let found = found.and_then(|mut statement| statement.query_row(key, row::read).optional());
        found.map_err(|error| self.failed(&error))
    }

    /// Makes everything anew from the archive and the journal.
    ///
    /// # Errors
    /// One of them cannot be read, or the catalog not written.
    pub fn rebuild(
        &mut self,
        archive: &Archive,
        journal: &mut dyn Journal,
    ) -> Result<(), StoreError> {
        let empty = "DELETE FROM runs; DELETE FROM summaries; DELETE FROM lists;
                     UPDATE cursor SET seq = 0;";
        let emptied = self.connection.execute_batch(empty);
        emptied.map_err(|error| self.failed(&error))?;
        let mut archived = BTreeMap::new();
        for found in archive.list()? {
            let entries = archive.read(found.run)?.unwrap_or_default();
            archived.insert(found.run, entries.last().map_or(Seq(0), |entry| entry.seq));
            self.follow(entries.iter(), None, |run| run.archive = Some(found.digest))?;
        }
        let read = self.rebuild_from_journal(&archived, journal)?;
        read.map_err(|error| StoreError::new(error.code(), &self.path, error.to_string()))
    }

    /// Applies the snapshot, if facts before it are gone, and all facts that are there, except
    /// those that an archive has told already. The inner error is the journal's.
    fn rebuild_from_journal(
        &mut self,
        archived: &BTreeMap<RunId, Seq>,
        journal: &mut dyn Journal,
    ) -> Result<Result<(), ReadError>, StoreError> {
        let start = match replay::start(journal) {
            Ok(start) => start,
            Err(error) => return Ok(Err(error)),
        };
        let is_new = |entry: &Entry| {
            let run = crate::subject::run_of(&entry.fact);
            run.and_then(|run| archived.get(&run)).is_none_or(|last| entry.seq > *last)
        };
        if start > Seq(0) {
            let snapshot = match journal.snapshot() {
                Ok(snapshot) => snapshot.map_or(Vec::new(), |snapshot| snapshot.facts),
                Err(error) => return Ok(Err(error)),
            };
            let entries = snapshot.into_iter().map(|(seq, at, fact)| Entry {
                seq,
                at,
                epoch: model::Epoch(0),
                fact,
            });
            let entries: Vec<Entry> = entries.filter(&is_new).collect();
            self.follow(entries.iter(), None, |_| {})?;
        }
        let mut pending = Vec::new();
        let mut written = Ok(());
        let read = journal.read(start, &mut |entry| {
            pending.push(entry);
            if pending.len() >= REBUILD_FACTS {
                written = self.follow(pending.iter().filter(|entry| is_new(entry)), None, |_| {});
                pending.clear();
            }
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        written?;
        self.follow(pending.iter().filter(|entry| is_new(entry)), None, |_| {})?;
        match read.and_then(|()| journal.last()) {
            Ok(last) => self.follow([].iter(), Some(last.seq), |_| {}).map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Applies facts to the rows of their runs and `finish` to each such row, and moves the cursor
    /// when all facts up to it have been told.
    fn follow<'a>(
        &mut self,
        entries: impl Iterator<Item = &'a Entry>,
        cursor: Option<Seq>,
        finish: impl Fn(&mut Run),
    ) -> Result<(), StoreError> {
        let behavior = TransactionBehavior::Immediate;
        let result = self.connection.transaction_with_behavior(behavior).and_then(|transaction| {
            follow::apply(&transaction, entries, finish)?;
            if let Some(cursor) = cursor {
                let mut statement = transaction.prepare_cached("UPDATE cursor SET seq = ?1")?;
                statement.execute([cursor.0.cast_signed()])?;
            }
            transaction.commit()
        });
        result.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        Failure::of(error, folder).into_store(&self.path)
    }
}
