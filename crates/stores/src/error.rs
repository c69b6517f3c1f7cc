//! Why a store cannot be opened or used, with the codes under which it is explained.

use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

use journal::error::{DAMAGED, NEWER, NO_SPACE, READ_ONLY, STORE, SYNC_FAILED};
use journal::{AppendError, ReadError};
use model::code::Code;

/// The folder is on a network file system.
pub const NETWORK: Code = Code("E0310");
/// The file is a database, but not one of ours.
pub const FOREIGN: Code = Code("E0311");
/// The history of an ended run is gone or damaged.
pub const ARCHIVE: Code = Code("E0312");

/// Why a store cannot be opened or used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    /// The code under which it is explained.
    pub code: Code,
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong, and what to do.
    pub message: String,
}

impl StoreError {
    /// An error about `path`.
    #[must_use]
    pub fn new(code: Code, path: &Path, message: impl Into<String>) -> Self {
        Self { code, path: path.to_owned(), message: message.into() }
    }
}

impl StoreError {
    /// An error of the operating system about `path`.
    #[must_use]
    pub fn of_io(path: &Path, error: &io::Error) -> Self {
        let (code, message) = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                (NO_SPACE, "no space left; free some, and work goes on".to_owned())
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                (READ_ONLY, "cannot be written; make it writable, and work goes on".to_owned())
            }
            io::ErrorKind::InvalidData => (
                ARCHIVE,
                format!("is damaged: {error}; the history of this run is lost without a backup"),
            ),
            _ => (STORE, format!("cannot be used: {error}")),
        };
        Self::new(code, path, message)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}: {}", self.code, self.path.display(), self.message)
    }
}

impl core::error::Error for StoreError {}

/// What an error of SQLite means to whoever called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No room.
    NoSpace,
    /// No writes.
    ReadOnly,
    /// A sync was not confirmed.
    Sync(String),
    /// The file is not what SQLite wrote.
    Corrupt(String),
    /// Reading or writing failed in the middle: what reached the file is not known.
    Io(String),
    /// Anything else; nothing was written.
    Other(String),
}

impl Failure {
    /// Tells errors apart. The folder is asked where SQLite's code says too little.
    pub(crate) fn of(error: &rusqlite::Error, folder: &Path) -> Self {
        use rusqlite::ffi;
        let text = error.to_string();
        let Some(code) = error.sqlite_error().map(|error| error.extended_code) else {
            return Self::Other(text);
        };
        match code {
            // The index of the log grows in steps of 32 KiB, and says only that it could not.
            ffi::SQLITE_FULL | ffi::SQLITE_IOERR_SHMSIZE => Self::NoSpace,
            ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC => Self::Sync(text),
            _ => match code & 0xff {
                ffi::SQLITE_READONLY => Self::ReadOnly,
                ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => Self::Corrupt(text),
                ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN => Self::of_folder(folder, text),
                _ => Self::Other(text),
            },
        }
    }

    /// A disk that has become read-only, or a quota that is used up, is an I/O error to SQLite.
    fn of_folder(folder: &Path, text: String) -> Self {
        use rustix::fs::StatVfsMountFlags;
        match rustix::fs::statvfs(folder) {
            Ok(disk) if disk.f_flag.contains(StatVfsMountFlags::RDONLY) => Self::ReadOnly,
            Ok(disk) if disk.f_bavail == 0 => Self::NoSpace,
            _ => Self::Io(text),
        }
    }

    /// The answer to a write that failed before its commit.
    pub(crate) fn into_append(self) -> AppendError {
        match self {
            Self::NoSpace => AppendError::NoSpace,
            Self::ReadOnly => AppendError::ReadOnly,
            Self::Sync(text) => AppendError::SyncFailed(text),
            Self::Corrupt(text) | Self::Io(text) | Self::Other(text) => AppendError::Store(text),
        }
    }

    /// The answer to a commit that failed.
    pub(crate) fn into_commit(self) -> AppendError {
        match self {
            Self::Io(text) => AppendError::Unknown(text),
            other => other.into_append(),
        }
    }

    /// The answer to a read that failed.
    pub(crate) fn into_read(self) -> ReadError {
        match self {
            Self::Corrupt(text) => ReadError::Corrupt(text),
            Self::Sync(text) => ReadError::SyncFailed(text),
            Self::NoSpace => ReadError::Store("no space left on the disk".to_owned()),
            Self::ReadOnly => ReadError::Store("the disk is read-only".to_owned()),
            Self::Io(text) | Self::Other(text) => ReadError::Store(text),
        }
    }

    /// The answer to an open, or to a use of the archive or the catalog, that failed.
    pub(crate) fn into_store(self, path: &Path) -> StoreError {
        let (code, message) = match self {
            Self::NoSpace => (NO_SPACE, "no space left; free some and try again".to_owned()),
            Self::ReadOnly => (READ_ONLY, "cannot be written; make it writable".to_owned()),
            Self::Sync(text) => (SYNC_FAILED, format!("the disk did not confirm: {text}")),
            Self::Corrupt(text) => {
                (DAMAGED, format!("is damaged: {text}; copy the folder away and restore a backup"))
            }
            Self::Io(text) | Self::Other(text) => (STORE, format!("cannot be opened: {text}")),
        };
        StoreError::new(code, path, message)
    }
}

/// The file was written by a newer version.
pub(crate) fn newer(path: &Path, version: i64, known: i64) -> StoreError {
    let message = format!(
        "its layout is version {version}, this autoglm reads up to {known}; use the newer one"
    );
    StoreError::new(NEWER, path, message)
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn errors_of_sqlite_are_told_apart_by_what_may_follow() {
        let folder = tempfile::tempdir().unwrap();
        let of = |code| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            Failure::of(&error, folder.path())
        };
        assert_eq!(of(ffi::SQLITE_FULL), Failure::NoSpace);
        assert_eq!(of(ffi::SQLITE_IOERR_SHMSIZE), Failure::NoSpace);
        assert_eq!(of(ffi::SQLITE_READONLY_DBMOVED), Failure::ReadOnly);
        assert!(matches!(of(ffi::SQLITE_IOERR_FSYNC), Failure::Sync(_)));
        assert!(matches!(of(ffi::SQLITE_IOERR_DIR_FSYNC), Failure::Sync(_)));
        assert!(matches!(of(ffi::SQLITE_CORRUPT), Failure::Corrupt(_)));
        assert!(matches!(of(ffi::SQLITE_NOTADB), Failure::Corrupt(_)));
        assert!(matches!(of(ffi::SQLITE_IOERR_WRITE), Failure::Io(_)));
        assert!(matches!(of(ffi::SQLITE_BUSY), Failure::Other(_)));
    }

    #[test]
    fn only_a_commit_leaves_its_outcome_open() {
        let io = || Failure::Io("x".to_owned());
        assert_eq!(io().into_append(), AppendError::Store("x".to_owned()));
        assert_eq!(io().into_commit(), AppendError::Unknown("x".to_owned()));
        assert_eq!(Failure::NoSpace.into_commit(), AppendError::NoSpace);
    }
}
