//! The tables of the journal's file, and the settings of a connection to it.
//!
//! `frames` has one row a frame, under the number of its last fact, so that "what comes after" is
//! one range of the primary key; everything else about a frame stands inside it, under its
//! checksum.

use std::path::Path;
use std::time::Duration;
use std::{fs, io, process, thread};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::error::{FOREIGN, Failure, StoreError, newer};
use crate::filesystem;

/// Tells our files from other databases: "AGLM".
pub(crate) const APPLICATION_ID: i64 = 0x4147_4c4d;

/// How long a connection waits for another one's transaction. There is another one only when a
/// snapshot is written or a stale leader still lives.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// SQLite's own name for its way to files on Unix that takes no locks.
const VFS_WITHOUT_LOCKS: &str = "unix-none";

/// The journal's tables, version 1.
pub(super) const JOURNAL: &str = "
    CREATE TABLE leader (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        epoch INTEGER NOT NULL,
        holder TEXT NOT NULL,
        until INTEGER NOT NULL
    ) STRICT;
    INSERT INTO leader VALUES (1, 0, '', 0);

    CREATE TABLE frames (
        last INTEGER PRIMARY KEY,
        frame BLOB NOT NULL
    ) STRICT;

    CREATE TABLE outputs (
        run INTEGER NOT NULL,
        task INTEGER NOT NULL,
        item INTEGER NOT NULL,
        token INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        PRIMARY KEY (run, task, item)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE objects (
        digest BLOB PRIMARY KEY,
        bytes BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- A snapshot counts when its row is here; parts without one are what a crash left.
    CREATE TABLE snapshots (
        covers INTEGER PRIMARY KEY,
        parts INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE snapshot_parts (
        covers INTEGER NOT NULL,
        part INTEGER NOT NULL,
        frame BLOB NOT NULL,
        PRIMARY KEY (covers, part)
    ) STRICT;
";

/// How a file is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// The version of `tables`.
    pub(crate) version: i64,
    /// What makes an empty file one of ours.
    pub(crate) tables: &'static str,
    /// `OFF`, `NORMAL` or `FULL`.
    pub(crate) synchronous: &'static str,
    /// Whether a file is made when there is none.
    pub(crate) create: bool,
}

/// Opens a file and makes its tables when it is new. On a disk that cannot be written, it is opened
/// to be read.
///
/// - Pages of 4 KiB: a commit of one fact rewrites the last page and the one above it, so larger
///   pages only make small commits heavier; large frames are chains of pages of any size.
/// - `wal_autocheckpoint` off: SQLite would check the log in by itself, and drop the error when the
///   sync of that fails. The owner does it by rule and sees the error.
/// - `journal_size_limit`: a log that one large transaction has stretched is cut back when it is
///   begun anew.
pub(crate) fn open(path: &Path, layout: Layout) -> Result<Connection, StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let failed = |error: rusqlite::Error| Failure::of(&error, folder).into_store(path);
    if layout.create && !path.exists() {
        make(path, layout)?;
    }
    let opened = match filesystem::is_read_only(folder) && path.exists() {
        true => open_to_read(path),
        false => open_to_write(path, layout.synchronous),
    };
    let mut connection = opened.map_err(failed)?;
    let (application, version) = identify(&connection).map_err(failed)?;
    match (application, version) {
        (APPLICATION_ID, version) if version == layout.version => {}
        (APPLICATION_ID, version) => return Err(newer(path, version, layout.version)),
        (0, 0) => create(&mut connection, layout, path)?,
        _ => return Err(foreign(path)),
    }
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Makes a file beside and gives it its name when it is whole: one that is half made, and opened by
/// somebody else, cannot be told from one of another program, nor be made by both.
fn make(path: &Path, layout: Layout) -> Result<(), StoreError> {
    let beside = path.with_extension(format!("{}.{:?}", process::id(), thread::current().id()));
    let made = make_beside(&beside, layout).and_then(|()| {
        let named = match fs::hard_link(&beside, path) {
            // Another one was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // Not every file system has links.
            Err(_) => fs::rename(&beside, path),
            Ok(()) => Ok(()),
        };
        named.map_err(|error| StoreError::of_io(path, &error))
    });
    // What is left of it takes a little room, and nothing else.
    let _ = fs::remove_file(&beside);
    made
}

fn make_beside(path: &Path, layout: Layout) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let failed = |error: rusqlite::Error| Failure::of(&error, folder).into_store(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let flags = flags | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    configure(&connection, layout.synchronous).map_err(failed)?;
    create(&mut connection, layout, path)?;
    // It is checked in, and its log removed.
    connection.close().map_err(|(_, error)| failed(error))
}

fn open_to_write(path: &Path, synchronous: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    configure(&connection, synchronous)?;
    Ok(connection)
}

/// Opens a file on a disk that cannot be written.
///
/// Other processes share the index of the log through a file, which cannot be made there. A
/// connection that is alone needs none: it keeps the index in its own memory, and reads the log
/// like any other, which `immutable=1` would pass over. To be alone it would have to lock the file
/// for writing; without locks it may take itself to be, since nobody can write on this disk.
fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(path, flags, VFS_WITHOUT_LOCKS)?;
    connection.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
    Ok(connection)
}

fn foreign(path: &Path) -> StoreError {
    let message = "is a database of another program; set AUTOGLM_HOME to another folder";
    StoreError::new(FOREIGN, path, message)
}

fn configure(connection: &Connection, synchronous: &str) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", 4096)?;
    // Answers with the mode, which is another one where the file system cannot share memory.
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))?;
    connection.query_row("PRAGMA journal_size_limit = 16777216", [], |_| Ok(()))
}

fn identify(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let read = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((read("application_id")?, read("user_version")?))
}

fn create(connection: &mut Connection, layout: Layout, path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let failed = |error: rusqlite::Error| Failure::of(&error, folder).into_store(path);
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Somebody else may have made them while this one waited.
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = transaction.query_row(tables, [], |row| row.get(0)).map_err(failed)?;
    if identify(&transaction).map_err(failed)? == (APPLICATION_ID, layout.version) {
        return Ok(());
    }
    if tables > 0 {
        return Err(foreign(path));
    }
    transaction.execute_batch(layout.tables).map_err(failed)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", layout.version).map_err(failed)?;
    transaction.commit().map_err(failed)
}
