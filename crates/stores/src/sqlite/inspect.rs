//! What `autoglm journal verify` and `stat` ask: every frame read, every table counted.
//!
//! Nothing here repairs anything.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;

use journal::replay::{self, Replay};
use journal::{Journal, ReadError};
use model::{Epoch, Seq};
use protocol::record;

use super::SqliteJournal;
use super::journal::{read_covers, read_leader, unsigned};
use crate::error::Failure;

/// What a check of a whole journal found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Frames that were read.
    pub frames: u64,
    /// Facts in them.
    pub facts: u64,
    /// The first fact that is there; 0 when none is.
    pub first: Seq,
    /// The last fact that could be read.
    pub last: Seq,
    /// What the snapshot covers; 0 without one.
    pub covers: Seq,
    /// Everything that is wrong, in the order of the file. Empty when all is well.
    pub problems: Vec<ReadError>,
}

/// What a journal holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Facts of each kind, by [`record::kind`].
    pub facts: BTreeMap<&'static str, u64>,
    /// Frames, and their bytes.
    pub frames: (u64, u64),
    /// Outputs, and their bytes.
    pub outputs: (u64, u64),
    /// Objects, and their bytes.
    pub objects: (u64, u64),
    /// Parts of the snapshot, and their bytes.
    pub snapshot: (u64, u64),
    /// What the snapshot covers; 0 without one.
    pub covers: Seq,
    /// The last leader's term.
    pub epoch: Epoch,
    /// Its name.
    pub holder: String,
    /// Bytes of the database file.
    pub file_bytes: u64,
    /// Bytes of the log beside it.
    pub log_bytes: u64,
}

impl SqliteJournal {
    /// Checks the structure of the file, the checksum of every frame, every record, that facts
    /// follow each other, and the snapshot. Goes on after damage to say what else can be read.
    ///
    /// # Errors
    /// The file cannot be read at all.
    pub fn verify(&mut self) -> Result<Verification, ReadError> {
        let mut found = Verification::default();
        self.check_structure(&mut found)?;
        self.check_frames(&mut found)?;
        match self.snapshot() {
            Ok(snapshot) => found.covers = snapshot.map_or(Seq(0), |snapshot| snapshot.covers),
            Err(problem) => found.problems.push(problem),
        }
        if found.first > found.covers.next() {
            found.problems.push(ReadError::Cut { up_to: Seq(found.first.0 - 1) });
        }
        Ok(found)
    }

    fn check_structure(&self, found: &mut Verification) -> Result<(), ReadError> {
        let failed = |error| Failure::of(&error, self.folder()).into_read();
        let mut statement = self.connection.prepare("PRAGMA integrity_check").map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let line: String = row.get(0).map_err(failed)?;
            if line != "ok" {
                found.problems.push(ReadError::Corrupt(line));
            }
        }
        Ok(())
    }

    fn check_frames(&self, found: &mut Verification) -> Result<(), ReadError> {
        let failed = |error| Failure::of(&error, self.folder()).into_read();
        let query = "SELECT last, frame FROM frames ORDER BY last";
        let mut statement = self.connection.prepare(query).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        // The first frame may begin anywhere: what came before may have been cut.
        let mut replay: Option<Replay> = None;
        while let Some(row) = rows.next().map_err(failed)? {
            let last = Seq(unsigned(row.get(0).map_err(failed)?));
            let frame: Vec<u8> = row.get(1).map_err(failed)?;
            let first = protocol::frame::open(&frame).map_or(last, |(opened, _)| opened.first);
            if found.frames == 0 {
                found.first = first;
            }
            found.frames += 1;
            let before = Seq(first.0.saturating_sub(1));
            let mut reader = replay.unwrap_or_else(|| Replay::new(before));
            let result = reader.frame(&frame, &mut |entry| {
                found.facts += 1;
                found.last = entry.seq;
                ControlFlow::Continue(())
            });
            match result {
                Ok(_) if found.last == last => replay = Some(reader),
                Ok(_) => {
                    found.problems.push(misnumbered(found.last, last));
                    replay = Some(Replay::new(last));
                }
                Err(problem) => {
                    found.problems.push(problem);
                    replay = Some(Replay::new(last));
                }
            }
        }
        Ok(())
    }

    /// Counts what the journal holds. Reads every frame.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn stat(&mut self) -> Result<Stat, ReadError> {
        let failed = |error| Failure::of(&error, self.folder()).into_read();
        let count = |table: &str, column: &str| -> Result<(u64, u64), ReadError> {
            let query = format!("SELECT count(*), coalesce(sum(length({column})), 0) FROM {table}");
            let read = |row: &rusqlite::Row<'_>| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?)));
            self.connection.query_row(&query, [], read).map_err(failed)
        };
        let leader = read_leader(&self.connection).map_err(failed)?;
        let bytes = |suffix: &str| {
            let path = format!("{}{suffix}", self.path.display());
            fs::metadata(path).map_or(0, |file| file.len())
        };
        let mut stat = Stat {
            facts: BTreeMap::new(),
            frames: count("frames", "frame")?,
            outputs: count("outputs", "bytes")?,
            objects: count("objects", "bytes")?,
            snapshot: count("snapshot_parts", "frame")?,
            covers: read_covers(&self.connection).map_err(failed)?,
            epoch: leader.epoch,
            holder: leader.holder,
            file_bytes: bytes(""),
            log_bytes: bytes("-wal"),
        };
        let after = replay::start(self)?;
        self.read(after, &mut |entry| {
            *stat.facts.entry(record::kind(&entry.fact)).or_default() += 1;
            ControlFlow::Continue(())
        })?;
        Ok(stat)
    }
}

fn misnumbered(after: Seq, row: Seq) -> ReadError {
    let error =
        protocol::error::DecodeError::Number { what: "last fact of its row", number: row.0 };
    ReadError::Damaged { after, error }
}
