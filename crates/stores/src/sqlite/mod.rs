//! The journal on SQLite: its own file, a write-ahead log, one sync a commit.
//!
//! A batch is one transaction: the fence, its frames, its outputs and its objects. It is confirmed
//! after the log is synced (`synchronous = FULL`).
//!
//! **When a sync fails** the kernel may forget that the pages are dirty, and a later sync succeeds
//! without them. So nothing is confirmed any more and the process must end. The next open mends it:
//! SQLite rebuilds the index of the log from the log itself, and the checkpoint that follows copies
//! every page of it into the database *again* and syncs that before it empties the log. So what
//! the failed sync left behind is written and synced anew, or is not there; it is never half there,
//! because each frame of the log carries a checksum over all before it.
//!
//! Nothing here interprets a fact.

mod inspect;
mod journal;
mod remove;
pub(crate) mod schema;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::journal::AppendError;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, DEFAULT_NAME, Transaction, TransactionBehavior};

use crate::error::{Failure, StoreError};
use crate::filesystem;
use schema::Layout;

pub use inspect::{Stat, Verification};
pub use remove::Stored;

/// The name of the journal's file in the state folder.
pub const FILE_NAME: &str = "journal.sqlite";

/// Pages of the log after which it is copied into the database. The copy takes two syncs and
/// happens inside a commit. A longer log makes that rarer and longer.
const CHECKPOINT_PAGES: usize = 2_000;

/// How a journal is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether the file is made when there is none.
    pub create: bool,
    /// Added to every sync of a commit, to stand in for a slower disk. Only for tests and benches.
    pub sync_delay: Duration,
    /// Whether commits are synced at all. `false` only to show in a test what the sync is for.
    pub sync: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { create: true, sync_delay: Duration::ZERO, sync: true }
    }
}

impl Options {
    /// The options that tests and benches choose by environment: `AUTOGLM_TEST_SYNC_DELAY_MS` adds
    /// milliseconds to every sync, `AUTOGLM_TEST_NO_SYNC=1` leaves syncs out. Neither is for use.
    #[must_use]
    pub fn from_environment() -> Self {
        let delay_ms = std::env::var("AUTOGLM_TEST_SYNC_DELAY_MS").ok();
        let delay_ms = delay_ms.and_then(|value| value.parse().ok()).unwrap_or(0);
        Self {
            sync_delay: Duration::from_millis(delay_ms),
            sync: std::env::var_os("AUTOGLM_TEST_NO_SYNC").is_none_or(|value| value != "1"),
            ..Self::default()
        }
    }
}

/// A journal in a file of SQLite. Several may be open on one file; epochs keep them apart.
#[derive(Debug)]
pub struct SqliteJournal {
    connection: Connection,
    path: PathBuf,
    options: Options,
    /// Pages in the log, as of the last commit.
    log_pages: Arc<AtomicUsize>,
    /// Why nothing may be confirmed any more.
    failed: Option<String>,
}

impl SqliteJournal {
    /// Opens the journal in a state folder, and writes once more what an earlier process may have
    /// left unconfirmed. On a disk that cannot be written it can be read; appends say why not.
    ///
    /// # Errors
    /// The folder is on a network file system, the file is damaged, foreign or newer, or the disk
    /// is full, or is read-only and has no journal.
    pub fn open(folder: &Path, options: Options) -> Result<Self, StoreError> {
        let journal = Self::open_beside(folder, options)?;
        match journal.checkpoint(CheckpointMode::TRUNCATE) {
            // Without room, or without the right to write, the log stays as it is; appends say so.
            Ok(()) | Err(Failure::NoSpace | Failure::ReadOnly) => Ok(journal),
            Err(failure) => Err(failure.into_store(&journal.path)),
        }
    }

    /// Opens the journal for one who reads beside a process that has opened it to write, and whom
    /// it does not hold up.
    ///
    /// # Errors
    /// As for [`SqliteJournal::open`].
    pub fn open_beside(folder: &Path, options: Options) -> Result<Self, StoreError> {
        filesystem::check(folder)?;
        let path = folder.join(FILE_NAME);
        let layout = Layout {
            version: 1,
            tables: schema::JOURNAL,
            synchronous: if options.sync { "FULL" } else { "OFF" },
            create: options.create,
        };
        let is_new = !path.exists();
        let mut connection = schema::open(&path, layout)?;
        if is_new && options.sync {
            sync_names(folder).map_err(|error| StoreError::of_io(folder, &error))?;
        }
        let log_pages = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&log_pages);
        let count = move |_: &mut _, pages| {
            counter.store(usize::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        let failed = |error: rusqlite::Error| Failure::of(&error, folder).into_store(&path);
        connection.wal_hook(Some(count)).map_err(failed)?;
        Ok(Self { connection, path, options, log_pages, failed: None })
    }

    /// Copies the log into the database. Another connection in the way is no error: the next time
    /// will do.
    fn checkpoint(&self, mode: CheckpointMode) -> Result<(), Failure> {
        match self.connection.wal_checkpoint_v2(DEFAULT_NAME, mode) {
            Ok(_) => Ok(()),
            Err(error) if is_busy(&error) => Ok(()),
            Err(error) => Err(Failure::of(&error, self.folder())),
        }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Runs `work` in one transaction. What it returns is true when this returns.
    fn transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>, &Path) -> Result<T, AppendError>,
    ) -> Result<T, AppendError> {
        if let Some(reason) = &self.failed {
            return Err(AppendError::SyncFailed(reason.clone()));
        }
        let result = self.try_transact(work).and_then(|value| {
            self.after_commit()?;
            Ok(value)
        });
        if let Err(AppendError::SyncFailed(reason)) = &result {
            self.failed = Some(reason.clone());
        }
        result
    }

    fn try_transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>, &Path) -> Result<T, AppendError>,
    ) -> Result<T, AppendError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| Failure::of(&error, folder).into_append())?;
        let value = work(&transaction, folder)?;
        transaction.commit().map_err(|error| Failure::of(&error, folder).into_commit())?;
        Ok(value)
    }

    fn after_commit(&self) -> Result<(), AppendError> {
        std::thread::sleep(self.options.sync_delay);
        if self.log_pages.load(Ordering::Relaxed) < CHECKPOINT_PAGES {
            return Ok(());
        }
        // Two syncs: of the log and of the database.
        std::thread::sleep(2 * self.options.sync_delay);
        match self.checkpoint(CheckpointMode::PASSIVE) {
            Err(Failure::Sync(reason)) => Err(AppendError::SyncFailed(reason)),
            // The commit itself stands, and the log keeps what could not be copied.
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Makes the names of new files durable, and that of the folder, which may be as new.
fn sync_names(folder: &Path) -> io::Result<()> {
    let folder = folder.canonicalize()?;
    File::open(&folder)?.sync_all()?;
    match folder.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all()) {
        // Whoever may not list the parent did not make the folder: its name is old.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let busy = rusqlite::ErrorCode::DatabaseBusy;
    let locked = rusqlite::ErrorCode::DatabaseLocked;
    error.sqlite_error_code().is_some_and(|code| code == busy || code == locked)
}
