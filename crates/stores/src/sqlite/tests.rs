//! The journal on SQLite: the shared suite, and what only a file can do.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use ::journal::conformance::{self, Subject};
use ::journal::error::{DAMAGED, NEWER};
use ::journal::{AppendError, Batch, Journal, OutputRow, ReadError, replay};
use model::{
    Digest, Epoch, Fact, ItemId, RunId, RunStatus, Seq, TaskId, TaskKey, Timestamp, Token,
};
use protocol::error::DecodeError;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{CHECKPOINT_PAGES, FILE_NAME, Options, SqliteJournal, Stored};
use crate::error::FOREIGN;

/// Journals in folders that live as long as this.
#[derive(Default)]
struct Files {
    folders: Vec<TempDir>,
}

impl Subject for Files {
    type Journal = SqliteJournal;

    fn empty(&mut self) -> SqliteJournal {
        let folder = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(folder.path(), Options::default()).unwrap();
        self.folders.push(folder);
        journal
    }

    fn reopen(&mut self, journal: SqliteJournal) -> SqliteJournal {
        let folder = journal.folder().to_owned();
        drop(journal);
        SqliteJournal::open(&folder, Options::default()).unwrap()
    }
}

#[test]
fn conforms() {
    conformance::run_all(&mut Files::default());
}

fn open(folder: &Path) -> SqliteJournal {
    SqliteJournal::open(folder, Options::default()).unwrap()
}

fn facts(count: u64) -> Vec<Fact> {
    let fact = |run| Fact::RunEnded { run: RunId(run), status: RunStatus::Succeeded };
    (1..=count).map(fact).collect()
}

fn append(
    journal: &mut SqliteJournal,
    epoch: Epoch,
    after: u64,
    facts: &[Fact],
) -> Result<(), AppendError> {
    let (after, at) = (Seq(after), Timestamp(5));
    journal.append(&Batch { epoch, after, at, facts, outputs: &[], objects: &[] })
}

/// A folder with a journal of three frames of two facts.
fn three_frames() -> (TempDir, SqliteJournal) {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    let epoch = journal.acquire("leader", Timestamp(1)).unwrap();
    for after in [0, 2, 4] {
        append(&mut journal, epoch, after, &facts(2)).unwrap();
    }
    (folder, journal)
}

fn edit(folder: &Path, sql: &str) {
    Connection::open(folder.join(FILE_NAME)).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_sound_journal_verifies() {
    let (_folder, mut journal) = three_frames();
    let found = journal.verify().unwrap();
    assert_eq!((found.frames, found.facts, found.first, found.last), (3, 6, Seq(1), Seq(6)));
    assert_eq!(found.problems, []);
    let stat = journal.stat().unwrap();
    assert_eq!(stat.facts["run_ended"], 6);
    assert_eq!((stat.frames.0, stat.epoch, stat.holder.as_str()), (3, Epoch(1), "leader"));
}

#[test]
fn a_damaged_frame_is_found_and_the_rest_is_still_read() {
    let (folder, mut journal) = three_frames();
    edit(folder.path(), "UPDATE frames SET frame = CAST(frame || x'00' AS BLOB) WHERE last = 4");
    let error = replay::collect(&mut journal, Seq(0)).unwrap_err();
    assert!(matches!(error, ReadError::Damaged { after: Seq(2), .. }), "{error}");
    assert_eq!(error.code(), DAMAGED);
    let found = journal.verify().unwrap();
    assert_eq!((found.facts, found.last, found.problems.len()), (4, Seq(6), 1));
}

#[test]
fn a_changed_byte_fails_the_checksum() {
    let (folder, mut journal) = three_frames();
    let change = "UPDATE frames 
                  SET frame = CAST(substr(frame, 1, 9) || x'ff' || substr(frame, 11) AS BLOB)
                  WHERE last = 2";
    edit(folder.path(), change);
    let error = replay::collect(&mut journal, Seq(0)).unwrap_err();
    let expected = ReadError::Damaged { after: Seq(0), error: DecodeError::Checksum };
    assert_eq!(error, expected);
}

#[test]
fn a_missing_frame_is_found() {
    let (folder, mut journal) = three_frames();
    edit(folder.path(), "DELETE FROM frames WHERE last = 4");
    let error = replay::collect(&mut journal, Seq(0)).unwrap_err();
    assert!(matches!(error, ReadError::Damaged { after: Seq(2), .. }), "{error}");
    edit(folder.path(), "DELETE FROM frames WHERE last = 2");
    let found = journal.verify().unwrap();
    assert_eq!(found.problems, [ReadError::Cut { up_to: Seq(4) }], "no snapshot covers it");
}

#[test]
fn files_of_others_and_of_the_future_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    edit(folder.path(), "CREATE TABLE theirs (a)");
    let error = SqliteJournal::open(folder.path(), Options::default()).unwrap_err();
    assert_eq!(error.code, FOREIGN);

    let (folder, journal) = three_frames();
    drop(journal);
    edit(folder.path(), "PRAGMA user_version = 2");
    let error = SqliteJournal::open(folder.path(), Options::default()).unwrap_err();
    assert_eq!(error.code, NEWER);

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FILE_NAME), vec![b'x'; 8192]).unwrap();
    let error = SqliteJournal::open(folder.path(), Options::default()).unwrap_err();
    assert_eq!(error.code, DAMAGED);
}

#[test]
fn who_opens_a_file_while_another_makes_it_finds_it_whole() {
    for _ in 0..50 {
        let folder = tempfile::tempdir().unwrap();
        let start = std::sync::Barrier::new(4);
        let open = || {
            start.wait();
            SqliteJournal::open(folder.path(), Options::default()).map(drop)
        };
        std::thread::scope(|scope| {
            let opening: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            for one in opening {
                assert_eq!(one.join().unwrap().map_err(|error| error.to_string()), Ok(()));
            }
        });
    }
}

#[test]
fn a_missing_file_is_made_only_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { create: false, ..Options::default() };
    assert!(SqliteJournal::open(folder.path(), options).is_err());
    drop(open(folder.path()));
    assert!(SqliteJournal::open(folder.path(), options).is_ok());
}

#[test]
fn a_stale_leader_on_its_own_connection_is_fenced() {
    let (folder, mut old) = three_frames();
    let mut new = open(folder.path());
    let epoch = new.acquire("leader", Timestamp(2)).unwrap();
    let refused = append(&mut old, Epoch(1), 6, &facts(1));
    assert_eq!(refused, Err(AppendError::Fenced { by: epoch }));
    append(&mut new, epoch, 6, &facts(1)).unwrap();
}

/// A full disk, made of a limit on pages: the answer is the same `SQLITE_FULL`.
#[test]
fn without_room_nothing_is_written_and_with_room_work_goes_on() {
    let (_folder, mut journal) = three_frames();
    let epoch = journal.acquire("leader", Timestamp(2)).unwrap();
    let pages = |journal: &SqliteJournal, limit: u32| {
        let pragma = format!("PRAGMA max_page_count = {limit}");
        journal.connection.query_row(&pragma, [], |row| row.get::<_, u32>(0)).unwrap()
    };
    pages(&journal, 1);
    let item = TaskKey { run: RunId(1), task: TaskId(0) }.item(ItemId(0));
    let bytes = vec![1; 60_000];
    let outputs = [OutputRow { item, token: Token(1), bytes: &bytes }];
    let facts = facts(1);
    let (after, at) = (Seq(6), Timestamp(6));
    let batch = Batch { epoch, after, at, facts: &facts, outputs: &outputs, objects: &[] };
    assert_eq!(journal.append(&batch), Err(AppendError::NoSpace));
    assert_eq!(journal.last().unwrap().seq, Seq(6));
    pages(&journal, 1_000_000);
    assert_eq!(journal.append(&batch), Ok(()));
    assert_eq!(journal.verify().unwrap().problems, []);
}

#[test]
fn a_read_only_connection_says_so() {
    let (_folder, mut journal) = three_frames();
    journal.connection.pragma_update(None, "query_only", true).unwrap();
    assert_eq!(append(&mut journal, Epoch(1), 6, &facts(1)), Err(AppendError::ReadOnly));
    journal.connection.pragma_update(None, "query_only", false).unwrap();
    assert_eq!(append(&mut journal, Epoch(1), 6, &facts(1)), Ok(()));
}

#[test]
fn the_log_stays_short() {
    let (folder, mut journal) = three_frames();
    let log = folder.path().join(format!("{FILE_NAME}-wal"));
    let mut longest = 0;
    for after in (6..).take(3 * CHECKPOINT_PAGES / 2) {
        append(&mut journal, Epoch(1), after, &facts(1)).unwrap();
        longest = longest.max(fs::metadata(&log).unwrap().len());
    }
    let limit = (CHECKPOINT_PAGES as u64 + 16) * 4_200;
    assert!(longest < limit, "the log grew to {longest} bytes, more than {limit}");
    assert!(longest > limit / 2, "the test must reach the checkpoint");
}

#[test]
fn the_log_is_empty_after_an_open() {
    let (folder, mut journal) = three_frames();
    append(&mut journal, Epoch(1), 6, &facts(1)).unwrap();
    let copy = tempfile::tempdir().unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("{FILE_NAME}{suffix}");
        fs::copy(folder.path().join(&name), copy.path().join(&name)).unwrap();
    }
    let mut found = open(copy.path());
    assert_eq!(found.last().unwrap().seq, Seq(7), "what stood in the log only");
    assert_eq!(fs::metadata(copy.path().join(format!("{FILE_NAME}-wal"))).unwrap().len(), 0);
}

#[test]
fn a_torn_log_loses_only_what_was_not_confirmed() {
    let (folder, mut journal) = three_frames();
    let log_name = format!("{FILE_NAME}-wal");
    let confirmed = fs::metadata(folder.path().join(&log_name)).unwrap().len();
    append(&mut journal, Epoch(1), 6, &facts(1)).unwrap();
    let log = fs::read(folder.path().join(&log_name)).unwrap();
    let database = fs::read(folder.path().join(FILE_NAME)).unwrap();
    for length in (usize::try_from(confirmed).unwrap()..log.len()).step_by(511) {
        let copy = tempfile::tempdir().unwrap();
        fs::write(copy.path().join(FILE_NAME), &database).unwrap();
        fs::write(copy.path().join(&log_name), &log[..length]).unwrap();
        let mut torn = open(copy.path());
        assert_eq!(torn.last().unwrap().seq, Seq(6), "cut at {length}");
        assert_eq!(torn.verify().unwrap().problems, []);
    }
}

#[test]
fn the_injected_delay_is_felt_once_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { sync_delay: Duration::from_millis(20), ..Options::default() };
    let mut journal = SqliteJournal::open(folder.path(), options).unwrap();
    let epoch = journal.acquire("leader", Timestamp(1)).unwrap();
    let start = Instant::now();
    append(&mut journal, epoch, 0, &facts(10)).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(20));
}

#[test]
fn a_failed_sync_ends_everything() {
    let (_folder, mut journal) = three_frames();
    journal.failed = Some("injected".to_owned());
    assert!(matches!(
        append(&mut journal, Epoch(1), 6, &facts(1)),
        Err(AppendError::SyncFailed(_))
    ));
    assert!(matches!(journal.last(), Err(ReadError::SyncFailed(_))));
    assert!(journal.acquire("leader", Timestamp(9)).is_err());
}

#[test]
fn what_runs_left_is_removed_under_the_fence() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    let epoch = journal.acquire("leader", Timestamp(1)).unwrap();
    let digests = [Digest([1; 32]), Digest([2; 32])];
    let objects = digests.map(|digest| (digest, &b"graph"[..]));
    let item = |run, item| TaskKey { run: RunId(run), task: TaskId(0) }.item(ItemId(item));
    let output = |item| OutputRow { item, token: Token(1), bytes: b"{}" };
    let outputs = [output(item(1, 0)), output(item(1, 1)), output(item(7, 0))];
    let facts = facts(1);
    let (after, at) = (Seq(0), Timestamp(5));
    let batch = Batch { epoch, after, at, facts: &facts, outputs: &outputs, objects: &objects };
    journal.append(&batch).unwrap();
    assert_eq!(journal.runs_with_outputs(), Ok(vec![RunId(1), RunId(7)]));

    let stale = journal.remove(Epoch(epoch.0 + 1), &[RunId(1)], &digests);
    assert_eq!(stale, Err(AppendError::Fenced { by: epoch }));
    journal.remove(epoch, &[RunId(1)], &digests[..1]).unwrap();
    assert_eq!(journal.runs_with_outputs(), Ok(vec![RunId(7)]));
    assert_eq!(journal.output(item(1, 1)), Ok(None));
    assert_eq!(journal.objects(), Ok(vec![Stored { digest: digests[1], bytes: 5 }]));
    assert_eq!(journal.object(&digests[0]), Ok(None));
}
