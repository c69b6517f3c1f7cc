//! A disk that is really full: nothing acknowledged is lost, and work goes on when there is room.
//!
//! It needs a small file system of its own, and so the right to mount one; without it the test says
//! that it was skipped. The answer of SQLite to a full disk is also tested beside the store, on any
//! machine.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use journal::{AppendError, Batch, Journal, OutputRow};
use model::{Fact, ItemId, RunId, RunStatus, Seq, TaskId, TaskKey, Timestamp, Token};
use stores::SqliteJournal;
use stores::sqlite::Options;

/// A file system of two MiB in memory.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(folder.path());
        let mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        mounted.then_some(Self { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.folder.path()).status();
    }
}

#[test]
fn a_full_disk_loses_nothing_and_can_be_freed() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: this needs the right to mount a file system");
        return;
    };
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![0; 512 << 10]).unwrap();
    let open = || SqliteJournal::open(disk.path(), Options::default()).unwrap();
    let mut journal = open();
    let epoch = journal.acquire("leader", Timestamp(1)).unwrap();

    let item = |seq: u64| {
        let item = ItemId(u32::try_from(seq).unwrap());
        TaskKey { run: RunId(1), task: TaskId(0) }.item(item)
    };
    let append = |journal: &mut SqliteJournal, after: u64| {
        let facts = [Fact::RunEnded { run: RunId(after), status: RunStatus::Failed }];
        let bytes: Vec<u8> = (0..20_000_u64).map(|at| model::hash::mix(at ^ after) as u8).collect();
        let outputs = [OutputRow { item: item(after), token: Token(1), bytes: &bytes }];
        let (after, at) = (Seq(after), Timestamp(2));
        journal.append(&Batch { epoch, after, at, facts: &facts, outputs: &outputs, objects: &[] })
    };
    let mut last = 0;
    let refusal = loop {
        match append(&mut journal, last) {
            Ok(()) => last += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refusal, AppendError::NoSpace);
    assert!(last > 10, "only {last} batches fitted");
    assert_eq!(journal.last().unwrap().seq, Seq(last));
    assert_eq!(append(&mut journal, last), Err(AppendError::NoSpace), "it stays so");

    // A start on the full disk finds everything too.
    drop(journal);
    let mut journal = open();
    assert_eq!(journal.last().unwrap().seq, Seq(last));
    assert!(journal.output(item(last - 1)).unwrap().is_some());
    assert!(journal.output(item(last)).unwrap().is_none());

    fs::remove_file(&ballast).unwrap();
    append(&mut journal, last).unwrap();
    append(&mut journal, last + 1).unwrap();
    let found = journal.verify().unwrap();
    assert_eq!((found.last, found.problems), (Seq(last + 2), vec![]));
}
