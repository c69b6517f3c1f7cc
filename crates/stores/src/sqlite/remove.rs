//! Removing what runs have left beside their facts: outputs of tasks, small graphs and texts.
//!
//! Whoever asks for it knows that nobody will ask for it again: no fact that a replay reads may
//! name it. Rows that are gone leave free pages, which what comes next fills.

use journal::{AppendError, ReadError};
use model::{Digest, Epoch, RunId};

use super::SqliteJournal;
use super::journal::{check_fence, sql, unsigned, written};
use crate::error::Failure;

/// An object in the journal's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub digest: Digest,
    /// Its length.
    pub bytes: u64,
}

impl SqliteJournal {
    /// Removes the outputs of some runs, and some objects, in one transaction.
    ///
    /// # Errors
    /// Nothing was removed: another process leads, or the file cannot be written.
    pub fn remove(
        &mut self,
        epoch: Epoch,
        runs: &[RunId],
        objects: &[Digest],
    ) -> Result<(), AppendError> {
        self.transact(|transaction, folder| {
            check_fence(transaction, folder, epoch)?;
            let removed = || -> rusqlite::Result<()> {
                let query = "DELETE FROM outputs WHERE run = ?1";
                let mut statement = transaction.prepare_cached(query)?;
                for run in runs {
                    statement.execute([sql(run.0)])?;
                }
                let query = "DELETE FROM objects WHERE digest = ?1";
                let mut statement = transaction.prepare_cached(query)?;
                for digest in objects {
                    statement.execute([digest.0.as_slice()])?;
                }
                Ok(())
            };
            removed().map_err(written(folder))
        })
    }

    /// The objects in the file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn objects(&self) -> Result<Vec<Stored>, ReadError> {
        self.rows("SELECT digest, length(bytes) FROM objects", |row| {
            Ok(Stored { digest: Digest(row.get(0)?), bytes: unsigned(row.get(1)?) })
        })
    }

    /// The runs whose tasks have left outputs, in order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn runs_with_outputs(&self) -> Result<Vec<RunId>, ReadError> {
        // From one run to the next by the primary key: their outputs are not looked at.
        let query = "WITH RECURSIVE found (run) AS (
                         SELECT min(run) FROM outputs
                         UNION ALL
                         SELECT (SELECT min(run) FROM outputs WHERE run > found.run) FROM found
                         WHERE found.run IS NOT NULL
                     )
                     SELECT run FROM found WHERE run IS NOT NULL";
        self.rows(query, |row| Ok(RunId(unsigned(row.get(0)?))))
    }

    /// Looks at all outputs that have some bytes in them, with the runs that they are of.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn outputs_with(
        &self,
        mark: &[u8],
        look: &mut dyn FnMut(RunId, &[u8]),
    ) -> Result<(), ReadError> {
        let query = "SELECT run, bytes FROM outputs WHERE instr(bytes, ?1) > 0";
        let looked = self.connection.prepare_cached(query).and_then(|mut statement| {
            let mut rows = statement.query([mark])?;
            while let Some(row) = rows.next()? {
                let run = RunId(unsigned(row.get(0)?));
                look(run, row.get_ref(1)?.as_blob().unwrap_or_default());
            }
            Ok(())
        });
        looked.map_err(|error| Failure::of(&error, self.folder()).into_read())
    }

    fn rows<T>(
        &self,
        query: &str,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, ReadError> {
        let rows = self.connection.prepare_cached(query).and_then(|mut statement| {
            let rows = statement.query_map([], read)?;
            rows.collect()
        });
        rows.map_err(|error| Failure::of(&error, self.folder()).into_read())
    }
}
