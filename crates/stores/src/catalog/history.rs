//! What the catalog knows of runs that have left memory: how they are shown in short, which of them
//! are too many or too old, and what of the state folder the rows name.
//!
//! It says which runs a policy is done with; it never says that they may go.

use std::collections::HashSet;
use std::path::Path;

use model::{Digest, RunId, Timestamp};
use rusqlite::OptionalExtension;

use super::{Catalog, FILE_NAME, TABLES as RUNS};
use crate::error::StoreError;
use crate::sqlite::schema::{self, Layout};

/// What was added after the first version. Earlier versions of the program do not miss it, so it
/// is no new version of the file.
pub(super) const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS summaries (
        run INTEGER PRIMARY KEY,
        summary TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS lists (
        run INTEGER NOT NULL,
        digest BLOB NOT NULL,
        PRIMARY KEY (run, digest)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS runs_by_end ON runs (ended_at, run) WHERE ended_at IS NOT NULL;
";

/// Which ended runs are kept. A run that one of the two is done with is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// So many that ended last; `None` for all.
    pub runs: Option<u64>,
    /// Those that ended at this time or later; `None` for all.
    pub since: Option<Timestamp>,
}

impl Catalog {
    /// Opens the catalog in a state folder if there is one; nothing is made.
    ///
    /// # Errors
    /// As for [`Catalog::open`].
    pub fn open_existing(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = folder.join(FILE_NAME);
        if !path.exists() {
            return Ok(None);
        }
        let layout = Layout { version: 1, tables: RUNS, synchronous: "NORMAL", create: false };
        let connection = schema::open(&path, layout)?;
        Ok(Some(Self { connection, path }))
    }

    /// Notes how a run is shown in short: a text that means nothing here.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_summary(&mut self, run: RunId, summary: &str) -> Result<(), StoreError> {
        let query = "INSERT OR REPLACE INTO summaries VALUES (?1, ?2)";
        let written = self.connection.execute(query, (run.0.cast_signed(), summary));
        written.map(|_| ()).map_err(|error| self.failed(&error))
    }

    /// How a run is shown in short; `None` when nobody has noted it, or it cannot be read: it can
    /// be made anew.
    #[must_use]
    pub fn summary(&self, run: RunId) -> Option<String> {
        let query = "SELECT summary FROM summaries WHERE run = ?1";
        let mut statement = self.connection.prepare_cached(query).ok()?;
        statement.query_row([run.0.cast_signed()], |row| row.get(0)).optional().ok()?
    }

    /// The ended runs that are not kept, the one that ended first at the front, at most `limit`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn not_kept(&self, kept: Kept, limit: usize) -> Result<Vec<RunId>, StoreError> {
        if kept == Kept::default() {
            return Ok(Vec::new());
        }
        let ended = "SELECT count(*) FROM runs WHERE ended_at IS NOT NULL";
        let ended = self.connection.query_row(ended, [], |row| row.get(0));
        let ended: i64 = ended.map_err(|error| self.failed(&error))?;
        let surplus = kept.runs.map_or(0, |runs| ended.cast_unsigned().saturating_sub(runs));
        let since = kept.since.unwrap_or_default().0;
        // In the order of their ends, those that are too old and those that are too many are both
        // the first ones.
        let query = "SELECT run, ended_at FROM runs WHERE ended_at IS NOT NULL
                     ORDER BY ended_at, run LIMIT ?1";
        let rows = self.connection.prepare_cached(query).and_then(|mut statement| {
            let rows = statement.query_map([limit.cast_signed()], |row| {
                let number = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
                Ok((RunId(number(0)?), number(1)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        });
        let rows = rows.map_err(|error| self.failed(&error))?;
        let first = (0..).zip(rows).take_while(|&(place, (_, at))| place < surplus || at < since);
        Ok(first.map(|(_, (run, _))| run).collect())
    }

    /// The numbers of all runs that have ended, in order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn ended(&self) -> Result<Vec<RunId>, StoreError> {
        let query = "SELECT run FROM runs WHERE ended_at IS NOT NULL ORDER BY run";
        self.numbers(query)
    }

    /// The numbers of all runs, in order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn all(&self) -> Result<Vec<RunId>, StoreError> {
        self.numbers("SELECT run FROM runs ORDER BY run")
    }

    fn numbers(&self, query: &str) -> Result<Vec<RunId>, StoreError> {
        let rows = self.connection.prepare_cached(query).and_then(|mut statement| {
            let number = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
            let rows = statement.query_map([], number)?;
            rows.map(|run| run.map(|run| RunId(run.cast_unsigned()))).collect()
        });
        rows.map_err(|error| self.failed(&error))
    }

    /// What the runs name of what is stored: graphs and texts, all of an amended run, files with
    /// what they were given, and lists of items; without what only runs of `without` name.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn named(&self, without: &HashSet<RunId>) -> Result<HashSet<Digest>, StoreError> {
        let query = "SELECT run, graph, definition FROM runs
                     UNION ALL SELECT run, content, identity FROM runs
                     UNION ALL SELECT run, digest, digest FROM lists";
        let rows = self.connection.prepare_cached(query).and_then(|mut statement| {
            let rows = statement.query_map([], |row| {
                let run = RunId(row.get::<_, i64>(0)?.cast_unsigned());
                Ok((run, [Digest(row.get(1)?), Digest(row.get(2)?)]))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        });
        let rows = rows.map_err(|error| self.failed(&error))?;
        let kept = rows.into_iter().filter(|(run, _)| !without.contains(run));
        Ok(kept.flat_map(|(_, named)| named).collect())
    }

    /// Removes the rows of some runs.
    ///
    /// # Errors
    /// The file cannot be written; nothing was.
    pub fn remove(&mut self, runs: &[RunId]) -> Result<(), StoreError> {
        let removed = self.connection.transaction().and_then(|transaction| {
            for table in ["runs", "summaries", "lists"] {
                let query = format!("DELETE FROM {table} WHERE run = ?1");
                let mut statement = transaction.prepare_cached(&query)?;
                for run in runs {
                    statement.execute([run.0.cast_signed()])?;
                }
            }
            transaction.commit()
        });
        removed.map_err(|error| self.failed(&error))
    }
}
