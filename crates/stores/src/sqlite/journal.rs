//! The journal's contract, call by call, as SQL.

use std::path::Path;

use journal::replay::{self, Replay};
use journal::{
    AcquireError, AppendError, Batch, Journal, Output, Position, ReadError, Sink, Snapshot,
};
use model::limits::LEADER_LEASE;
use model::{Digest, Epoch, ItemKey, Seq, Timestamp, Token};
use protocol::frame::{self, Frame};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::SqliteJournal;
use crate::error::Failure;

impl Journal for SqliteJournal {
    fn acquire(&mut self, holder: &str, now: Timestamp) -> Result<Epoch, AcquireError> {
        let mut held = None;
        let epoch = self.transact(|transaction, folder| {
            let written = written(folder);
            let leader = read_leader(transaction).map_err(&written)?;
            if leader.holder != holder && now < leader.until {
                held = Some(AcquireError::Held { by: leader.holder, until: leader.until });
                return Ok(Epoch(0));
            }
            let epoch = Epoch(leader.epoch.0 + 1);
            let until = now + LEADER_LEASE;
            let row = params![sql(epoch.0), holder, sql(until.0)];
            transaction
                .execute("UPDATE leader SET epoch = ?1, holder = ?2, until = ?3", row)
                .map_err(&written)?;
            Ok(epoch)
        })?;
        held.map_or(Ok(epoch), Err)
    }

    fn renew(&mut self, epoch: Epoch, now: Timestamp) -> Result<(), AppendError> {
        self.set_until(epoch, now + LEADER_LEASE)
    }

    fn release(&mut self, epoch: Epoch) -> Result<(), AppendError> {
        self.set_until(epoch, Timestamp(0))
    }

    fn append(&mut self, batch: &Batch<'_>) -> Result<(), AppendError> {
        let first = batch.after.next();
        let frames = frame::encode_batch(batch.epoch, first, batch.at, batch.facts)?;
        self.transact(|transaction, folder| {
            check_fence(transaction, folder, batch.epoch)?;
            let last = read_last(transaction).map_err(written(folder))?;
            if last != batch.after {
                return Err(AppendError::Moved { last });
            }
            insert(transaction, &frames, batch).map_err(written(folder))
        })
    }

    fn last(&mut self) -> Result<Position, ReadError> {
        self.check_alive()?;
        let newest = "SELECT frame FROM frames ORDER BY last DESC LIMIT 1";
        let frame: Option<Vec<u8>> = self.read_row(newest, params![], |row| row.get(0))?;
        let Some(frame) = frame else { return Ok(Position::default()) };
        let damaged = |error| ReadError::Damaged { after: Seq(0), error };
        let (opened, _) = frame::open(&frame).map_err(damaged)?;
        Ok(Position { seq: opened.last().map_err(damaged)?, epoch: opened.epoch })
    }

    fn read(&mut self, after: Seq, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        self.check_alive()?;
        let failed = |error| Failure::of(&error, self.folder()).into_read();
        let query = "SELECT frame FROM frames WHERE last > ?1 ORDER BY last";
        let mut statement = self.connection.prepare_cached(query).map_err(failed)?;
        let mut rows = statement.query([sql(after.0)]).map_err(failed)?;
        let mut replay = Replay::new(after);
        while let Some(row) = rows.next().map_err(failed)? {
            let frame = row.get_ref(0).map_err(failed)?;
            let frame = frame.as_blob().map_err(|error| ReadError::Corrupt(error.to_string()))?;
            if replay.frame(frame, sink)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn output(&mut self, item: ItemKey) -> Result<Option<Output>, ReadError> {
        let query = "SELECT token, bytes FROM outputs WHERE run = ?1 AND task = ?2 AND item = ?3";
        let key = params![sql(item.run.0), item.task.0, item.item.0];
        self.read_row(query, key, |row| {
            Ok(Output { token: Token(unsigned(row.get(0)?)), bytes: row.get(1)? })
        })
    }

    fn object(&mut self, digest: &Digest) -> Result<Option<Vec<u8>>, ReadError> {
        let query = "SELECT bytes FROM objects WHERE digest = ?1";
        self.read_row(query, [digest.0.as_slice()], |row| row.get(0))
    }

    /// One transaction a frame, so that the log stays short and commits of others get their turn.
    fn put_snapshot(&mut self, epoch: Epoch, snapshot: &Snapshot) -> Result<(), AppendError> {
        let facts = snapshot.facts.iter().map(|(seq, at, fact)| (*seq, *at, fact));
        let frames = frame::encode_history(epoch, facts)?;
        let covers = snapshot.covers;
        let is_newer = self.transact(|transaction, folder| {
            check_fence(transaction, folder, epoch)?;
            let newest = read_covers(transaction).map_err(written(folder))?;
            if covers <= newest {
                return Ok(false);
            }
            let leftovers = "DELETE FROM snapshot_parts WHERE covers <> ?1";
            transaction.execute(leftovers, [sql(newest.0)]).map_err(written(folder))?;
            Ok(true)
        })?;
        if !is_newer {
            return Ok(());
        }
        for (part, frame) in (0_i64..).zip(&frames) {
            self.transact(|transaction, folder| {
                check_fence(transaction, folder, epoch)?;
                let row = params![sql(covers.0), part, frame.bytes];
                transaction
                    .execute("INSERT INTO snapshot_parts VALUES (?1, ?2, ?3)", row)
                    .map_err(written(folder))
            })?;
        }
        self.transact(|transaction, folder| {
            check_fence(transaction, folder, epoch)?;
            replace_snapshot(transaction, covers, frames.len()).map_err(written(folder))
        })
    }

    fn snapshot(&mut self) -> Result<Option<Snapshot>, ReadError> {
        self.check_alive()?;
        let failed = |error| Failure::of(&error, self.folder()).into_read();
        let covers = read_covers(&self.connection).map_err(failed)?;
        if covers == Seq(0) {
            return Ok(None);
        }
        let query = "SELECT frame FROM snapshot_parts WHERE covers = ?1 ORDER BY part";
        let mut statement = self.connection.prepare_cached(query).map_err(failed)?;
        let frames: Result<Vec<Vec<u8>>, _> =
            statement.query_map([sql(covers.0)], |row| row.get(0)).map_err(failed)?.collect();
        let frames = frames.map_err(failed)?;
        replay::snapshot(covers, frames.iter().map(Vec::as_slice)).map(Some)
    }

    fn cut(&mut self, up_to: Seq) -> Result<(), AppendError> {
        self.transact(|transaction, folder| {
            let covers = read_covers(transaction).map_err(written(folder))?;
            if up_to > covers {
                return Err(AppendError::Uncovered { covers });
            }
            let old = "DELETE FROM frames
                       WHERE last <= ?1 AND last < (SELECT max(last) FROM frames)";
            transaction.execute(old, [sql(up_to.0)]).map_err(written(folder))?;
            Ok(())
        })
    }
}

impl SqliteJournal {
    fn set_until(&mut self, epoch: Epoch, until: Timestamp) -> Result<(), AppendError> {
        self.transact(|transaction, folder| {
            check_fence(transaction, folder, epoch)?;
            transaction
                .execute("UPDATE leader SET until = ?1", [sql(until.0)])
                .map_err(written(folder))?;
            Ok(())
        })
    }

    fn check_alive(&self) -> Result<(), ReadError> {
        match &self.failed {
            Some(reason) => Err(ReadError::SyncFailed(reason.clone())),
            None => Ok(()),
        }
    }

    fn read_row<T>(
        &self,
        query: &str,
        key: impl rusqlite::Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, ReadError> {
        self.check_alive()?;
        let row = self.connection.prepare_cached(query);
        let row = row.and_then(|mut statement| statement.query_row(key, read).optional());
        row.map_err(|error| Failure::of(&error, self.folder()).into_read())
    }
}

/// SQLite's integers are signed; the bits are the same.
pub(super) const fn sql(number: u64) -> i64 {
    number.cast_signed()
}

/// The way back.
pub(super) const fn unsigned(number: i64) -> u64 {
    number.cast_unsigned()
}

/// What an error before the commit means.
pub(super) fn written(folder: &Path) -> impl Fn(rusqlite::Error) -> AppendError + '_ {
    |error| Failure::of(&error, folder).into_append()
}

pub(super) struct Leader {
    pub(super) epoch: Epoch,
    pub(super) holder: String,
    pub(super) until: Timestamp,
}

pub(super) fn read_leader(connection: &Connection) -> rusqlite::Result<Leader> {
    let query = "SELECT epoch, holder, until FROM leader";
    connection.prepare_cached(query)?.query_row([], |row| {
        Ok(Leader {
            epoch: Epoch(unsigned(row.get(0)?)),
            holder: row.get(1)?,
            until: Timestamp(unsigned(row.get(2)?)),
        })
    })
}

fn read_last(connection: &Connection) -> rusqlite::Result<Seq> {
    let query = "SELECT coalesce(max(last), 0) FROM frames";
    let last = connection.prepare_cached(query)?.query_row([], |row| row.get(0))?;
    Ok(Seq(unsigned(last)))
}

/// The last fact that the newest complete snapshot covers; 0 when there is none.
pub(super) fn read_covers(connection: &Connection) -> rusqlite::Result<Seq> {
    let query = "SELECT coalesce(max(covers), 0) FROM snapshots";
    let covers = connection.prepare_cached(query)?.query_row([], |row| row.get(0))?;
    Ok(Seq(unsigned(covers)))
}

pub(super) fn check_fence(
    transaction: &Transaction<'_>,
    folder: &Path,
    epoch: Epoch,
) -> Result<(), AppendError> {
    let by = read_leader(transaction).map_err(written(folder))?.epoch;
    if by == epoch { Ok(()) } else { Err(AppendError::Fenced { by }) }
}

fn insert(
    transaction: &Transaction<'_>,
    frames: &[Frame],
    batch: &Batch<'_>,
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached("INSERT INTO frames VALUES (?1, ?2)")?;
    for frame in frames {
        statement.execute(params![sql(frame.last.0), frame.bytes])?;
    }
    let query = "INSERT INTO outputs VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET token = excluded.token, bytes = excluded.bytes
                 WHERE excluded.token >= token";
    let mut statement = transaction.prepare_cached(query)?;
    for row in batch.outputs {
        let (run, task, item) = (sql(row.item.run.0), row.item.task.0, row.item.item.0);
        statement.execute(params![run, task, item, sql(row.token.0), row.bytes])?;
    }
    let query = "INSERT INTO objects VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    let mut statement = transaction.prepare_cached(query)?;
    for (digest, bytes) in batch.objects {
        statement.execute(params![digest.0.as_slice(), bytes])?;
    }
    Ok(())
}

fn replace_snapshot(
    transaction: &Transaction<'_>,
    covers: Seq,
    parts: usize,
) -> rusqlite::Result<()> {
    let parts = i64::try_from(parts).expect("a snapshot has fewer than 2^63 frames");
    transaction.execute("DELETE FROM snapshots", [])?;
    transaction.execute("DELETE FROM snapshot_parts WHERE covers <> ?1", [sql(covers.0)])?;
    transaction.execute("INSERT INTO snapshots VALUES (?1, ?2)", [sql(covers.0), parts])?;
    Ok(())
}
