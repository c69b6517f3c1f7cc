//! The archive: the whole history of each ended run, as one immutable object.
//!
//! An object is the run's facts in frames, one after the other, each fact with its own place and
//! time. Which object belongs to which run stands in a small database of its own, since the name of
//! an object says nothing: the object is durable first, then the row; a history that goes loses its
//! row first, then its object. Nothing here knows when a run has ended, or when its history may go.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use artifacts::objects::Objects;
use journal::Entry;
use journal::error::DEFECT;
use model::{Digest, RunId};
use protocol::error::{DecodeError, EncodeError};
use protocol::frame;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{ARCHIVE, Failure, StoreError};
use crate::filesystem;
use crate::sqlite::schema::{self, Layout};

/// The name of the archive's index in the state folder.
pub const FILE_NAME: &str = "archive.sqlite";

const TABLES: &str = "
    CREATE TABLE runs (
        run INTEGER PRIMARY KEY,
        digest BLOB NOT NULL,
        facts INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    ) STRICT;
";

/// Histories of ended runs.
#[derive(Debug)]
pub struct Archive {
    index: Connection,
    path: PathBuf,
    objects: Arc<Objects>,
}

/// A run in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Archived {
    /// The run.
    pub run: RunId,
    /// The object that holds its facts.
    pub digest: Digest,
    /// How many facts.
    pub facts: u64,
    /// How many bytes.
    pub bytes: u64,
}

impl Archive {
    /// Opens the archive in a state folder.
    ///
    /// # Errors
    /// As for the journal: the file is damaged, foreign or newer, or cannot be written.
    pub fn open(folder: &Path, objects: Arc<Objects>) -> Result<Self, StoreError> {
        filesystem::check(folder)?;
        let path = folder.join(FILE_NAME);
        let layout = Layout { version: 1, tables: TABLES, synchronous: "FULL", create: true };
        let index = schema::open(&path, layout)?;
        Ok(Self { index, path, objects })
    }

    /// Opens the archive in a state folder if there is one; nothing is made.
    ///
    /// # Errors
    /// As for [`Archive::open`].
    pub fn open_existing(folder: &Path, objects: Arc<Objects>) -> Result<Option<Self>, StoreError> {
        let path = folder.join(FILE_NAME);
        if !path.exists() {
            return Ok(None);
        }
        let layout = Layout { version: 1, tables: TABLES, synchronous: "FULL", create: false };
        let index = schema::open(&path, layout)?;
        Ok(Some(Self { index, path, objects }))
    }

    /// Stores the facts of a run durably, in place of what was stored for it before.
    ///
    /// # Errors
    /// The disk is full or cannot be written.
    pub fn write(&mut self, run: RunId, entries: &[Entry]) -> Result<Digest, StoreError> {
        let bytes = encode(entries).map_err(|error| {
            StoreError::new(DEFECT, &self.path, format!("run {run} cannot be stored: {error}"))
        })?;
        let digest =
            self.objects.put(&bytes).map_err(|error| StoreError::of_io(&self.path, &error))?;
        let before = self.find(run)?;
        let row = params![
            run.0.cast_signed(),
            digest.0.as_slice(),
            entries.len().cast_signed(),
            bytes.len().cast_signed(),
        ];
        self.index
            .execute("INSERT OR REPLACE INTO runs VALUES (?1, ?2, ?3, ?4)", row)
            .map_err(|error| self.failed(&error))?;
        self.check_in()?;
        // No other run can have the same history, so nobody else needs the one before.
        if let Some(before) = before.filter(|before| before.digest != digest) {
            let removed = self.objects.remove(&before.digest);
            removed.map_err(|error| StoreError::of_io(&self.path, &error))?;
        }
        Ok(digest)
    }

    /// The facts of a run; `None` when it is not in the archive.
    ///
    /// # Errors
    /// The object is gone or damaged.
    pub fn read(&self, run: RunId) -> Result<Option<Vec<Entry>>, StoreError> {
        let Some(found) = self.find(run)? else { return Ok(None) };
        let bytes = self.objects.get(&found.digest);
        let bytes = bytes.map_err(|error| StoreError::of_io(&self.path, &error))?;
        let lost = |reason: String| {
            let message = format!(
                "the history of run {run} ({}) {reason}; restore it from a backup",
                found.digest
            );
            StoreError::new(ARCHIVE, &self.path, message)
        };
        let bytes = bytes.ok_or_else(|| lost("is gone".to_owned()))?;
        let entries = decode(&bytes).map_err(|error| lost(format!("is damaged: {error}")))?;
        Ok(Some(entries))
    }

    /// Removes the histories of some runs. Those that are not here are passed over.
    ///
    /// The rows go first, durably and all at once, then the objects: whenever this breaks off, a
    /// row names an object that is there, and what is left is an object that nobody names.
    ///
    /// # Errors
    /// The index cannot be written, and nothing was removed; or an object cannot be removed, and
    /// it is left without a name.
    pub fn remove(&mut self, runs: &[RunId]) -> Result<(), StoreError> {
        let digests = self.remove_rows(runs)?;
        for digest in digests {
            let removed = self.objects.remove(&digest);
            removed.map_err(|error| StoreError::of_io(&self.path, &error))?;
        }
        Ok(())
    }

    /// The first half of a removal: afterwards no row names the objects that it gives back.
    fn remove_rows(&mut self, runs: &[RunId]) -> Result<Vec<Digest>, StoreError> {
        let removed = self.index.transaction().and_then(|transaction| {
            let mut digests = Vec::new();
            {
                let query = "DELETE FROM runs WHERE run = ?1 RETURNING digest";
                let mut statement = transaction.prepare_cached(query)?;
                for run in runs {
                    let row = statement.query_row([run.0.cast_signed()], |row| row.get(0));
                    digests.extend(row.optional()?.map(Digest));
                }
            }
            transaction.commit()?;
            Ok(digests)
        });
        let digests = removed.map_err(|error| self.failed(&error))?;
        self.check_in()?;
        Ok(digests)
    }

    /// The greatest number of a run in the archive.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn newest(&self) -> Result<Option<RunId>, StoreError> {
        let row = self
            .index
            .query_row("SELECT max(run) FROM runs", [], |row| row.get::<_, Option<i64>>(0));
        let newest = row.map_err(|error| self.failed(&error))?;
        Ok(newest.map(|run| RunId(run.cast_unsigned())))
    }

    /// Where a run is; `None` when it is not in the archive.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn find(&self, run: RunId) -> Result<Option<Archived>, StoreError> {
        let query = "SELECT run, digest, facts, bytes FROM runs WHERE run = ?1";
        let row = self.index.query_row(query, [run.0.cast_signed()], archived).optional();
        row.map_err(|error| self.failed(&error))
    }

    /// All runs in the archive, oldest first.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn list(&self) -> Result<Vec<Archived>, StoreError> {
        let query = "SELECT run, digest, facts, bytes FROM runs ORDER BY run";
        let rows = self.index.prepare_cached(query).and_then(|mut statement| {
            statement.query_map([], archived)?.collect::<rusqlite::Result<_>>()
        });
        rows.map_err(|error| self.failed(&error))
    }

    /// The index is small and seldom written: its log is copied into it each time.
    fn check_in(&self) -> Result<(), StoreError> {
        let query = "PRAGMA wal_checkpoint(PASSIVE)";
        self.index.query_row(query, [], |_| Ok(())).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        Failure::of(error, folder).into_store(&self.path)
    }
}

fn archived(row: &rusqlite::Row<'_>) -> rusqlite::Result<Archived> {
    let number = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
    Ok(Archived {
        run: RunId(number(0)?),
        digest: Digest(row.get(1)?),
        facts: number(2)?,
        bytes: number(3)?,
    })
}

fn encode(entries: &[Entry]) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    for term in entries.chunk_by(|a, b| a.epoch == b.epoch) {
        let facts = term.iter().map(|entry| (entry.seq, entry.at, &entry.fact));
        let frames = frame::encode_history(term[0].epoch, facts)?;
        frames.into_iter().for_each(|frame| bytes.extend(frame.bytes));
    }
    Ok(bytes)
}

fn decode(mut bytes: &[u8]) -> Result<Vec<Entry>, DecodeError> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let (opened, length) = frame::open(bytes)?;
        for entry in opened.entries() {
            entries.push(entry?);
        }
        bytes = &bytes[length..];
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use model::{Epoch, Fact, RunStatus, Seq, Timestamp};

    use super::*;

    fn entries(count: u64) -> Vec<Entry> {
        let entry = |seq| Entry {
            seq: Seq(seq * 7),
            at: Timestamp(1_000 + seq),
            epoch: Epoch(1 + seq / 3),
            fact: Fact::RunEnded { run: RunId(4), status: RunStatus::Failed },
        };
        (1..=count).map(entry).collect()
    }

    fn archive(folder: &Path) -> Archive {
        let objects = Arc::new(Objects::open(&folder.join("objects")).unwrap());
        Archive::open(folder, objects).unwrap()
    }

    #[test]
    fn a_history_is_read_back_with_its_places_times_and_terms() {
        let folder = tempfile::tempdir().unwrap();
        let digest = archive(folder.path()).write(RunId(4), &entries(9)).unwrap();
        let archive = archive(folder.path());
        assert_eq!(archive.read(RunId(4)), Ok(Some(entries(9))));
        assert_eq!(archive.read(RunId(5)), Ok(None));
        let listed = archive.list().unwrap();
        assert_eq!((listed.len(), listed[0].digest, listed[0].facts), (1, digest, 9));
    }

    #[test]
    fn a_longer_history_replaces_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let mut archive = archive(folder.path());
        let first = archive.write(RunId(4), &entries(3)).unwrap();
        archive.write(RunId(4), &entries(3)).unwrap();
        assert!(archive.objects.contains(&first), "the same history is the same object");
        archive.write(RunId(4), &entries(6)).unwrap();
        assert_eq!(archive.read(RunId(4)), Ok(Some(entries(6))));
        assert!(!archive.objects.contains(&first));
    }

    #[test]
    fn a_removed_history_leaves_nothing_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut archive = archive(folder.path());
        let gone = archive.write(RunId(4), &entries(3)).unwrap();
        let kept = archive.write(RunId(5), &entries(4)).unwrap();
        assert_eq!(archive.newest(), Ok(Some(RunId(5))));
        archive.remove(&[RunId(4), RunId(9)]).unwrap();
        assert_eq!(archive.read(RunId(4)), Ok(None));
        assert_eq!(archive.read(RunId(5)), Ok(Some(entries(4))));
        assert!(!archive.objects.contains(&gone) && archive.objects.contains(&kept));
        archive.remove(&[RunId(4), RunId(5)]).unwrap();
        assert_eq!(archive.newest(), Ok(None));
    }

    #[test]
    fn a_removal_that_breaks_off_leaves_no_row_without_its_object() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = archive(folder.path());
        let digest = first.write(RunId(4), &entries(3)).unwrap();
        assert_eq!(first.remove_rows(&[RunId(4)]), Ok(vec![digest]));
        // Here the process dies: the next one finds an object that nobody names.
        drop(first);
        let mut archive = archive(folder.path());
        assert_eq!(archive.read(RunId(4)), Ok(None));
        assert!(archive.objects.contains(&digest));
        archive.remove(&[RunId(4)]).unwrap();
        assert_eq!(archive.write(RunId(4), &entries(3)), Ok(digest), "it can be there again");
        assert_eq!(archive.read(RunId(4)), Ok(Some(entries(3))));
    }

    #[test]
    fn where_there_is_no_archive_none_is_made_by_looking() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Arc::new(Objects::open(&folder.path().join("objects")).unwrap());
        assert!(Archive::open_existing(folder.path(), Arc::clone(&objects)).unwrap().is_none());
        assert!(!folder.path().join(FILE_NAME).exists());
        archive(folder.path());
        assert!(Archive::open_existing(folder.path(), objects).unwrap().is_some());
    }

    #[test]
    fn a_lost_object_is_an_error_and_not_an_absent_run() {
        let folder = tempfile::tempdir().unwrap();
        let mut archive = archive(folder.path());
        let digest = archive.write(RunId(4), &entries(3)).unwrap();
        archive.objects.remove(&digest).unwrap();
        assert_eq!(archive.read(RunId(4)).unwrap_err().code, ARCHIVE);
    }
}
