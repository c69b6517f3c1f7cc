//! What tasks came to before, by what made them what they were.
//!
//! The rows follow from runs, like all of the catalog, but cannot be made anew from their facts: a
//! rebuild keeps them, and losing them costs nothing but time. Whether an entry may be taken, and
//! what its key is made of, is not known here.

use model::{Digest, RunId, Timestamp};
use rusqlite::OptionalExtension;

use super::Catalog;
use crate::error::StoreError;

/// The layout. Like that of the summaries it is no new version of the file.
pub(super) const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS cache (
        key BLOB PRIMARY KEY,
        outputs BLOB NOT NULL,
        run INTEGER NOT NULL,
        at INTEGER NOT NULL,
        until INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS cache_by_time ON cache (at);
";

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// What made it what it was.
    pub key: Digest,
    /// Its outputs, as they are stored.
    pub outputs: Vec<u8>,
    /// The run that it was in.
    pub run: RunId,
    /// When it had succeeded.
    pub at: Timestamp,
    /// Until when it may be taken; `None` is for ever.
    pub until: Option<Timestamp>,
}

impl Catalog {
    /// What an attempt came to, if that may still be taken now.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn cached(&self, key: &Digest, now: Timestamp) -> Result<Option<CacheEntry>, StoreError> {
        let query = "SELECT outputs, run, at, until FROM cache
                     WHERE key = ?1 AND (until IS NULL OR until > ?2)";
        let found = self.connection.prepare_cached(query).and_then(|mut statement| {
            let row = (key.0.as_slice(), now.0.cast_signed());
            let read = |row: &rusqlite::Row<'_>| {
                let time = |time: i64| Timestamp(time.cast_unsigned());
                Ok(CacheEntry {
                    key: *key,
                    outputs: row.get(0)?,
                    run: RunId(row.get::<_, i64>(1)?.cast_unsigned()),
                    at: time(row.get(2)?),
                    until: row.get::<_, Option<i64>>(3)?.map(time),
                })
            };
            statement.query_row(row, read).optional()
        });
        found.map_err(|error| self.failed(&error))
    }

    /// Keeps what attempts came to, in place of what was kept under the same keys.
    ///
    /// # Errors
    /// The file cannot be written; nothing was.
    pub fn keep_cached(&mut self, entries: &[CacheEntry]) -> Result<(), StoreError> {
        let kept = self.connection.transaction().and_then(|transaction| {
            {
                let query = "INSERT OR REPLACE INTO cache VALUES (?1, ?2, ?3, ?4, ?5)";
                let mut statement = transaction.prepare_cached(query)?;
                for CacheEntry { key, outputs, run, at, until } in entries {
                    let until = until.map(|until| until.0.cast_signed());
                    let (run, at) = (run.0.cast_signed(), at.0.cast_signed());
                    statement.execute((key.0.as_slice(), outputs, run, at, until))?;
                }
            }
            transaction.commit()
        });
        kept.map_err(|error| self.failed(&error))
    }

    /// Removes entries that may not be taken any more, and the oldest of those that are more than
    /// `entries_max`. Says how many.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn prune_cache(&mut self, now: Timestamp, entries_max: u64) -> Result<u64, StoreError> {
        let expired = "DELETE FROM cache WHERE until IS NOT NULL AND until <= ?1";
        let surplus = "DELETE FROM cache WHERE key IN
                       (SELECT key FROM cache ORDER BY at DESC LIMIT -1 OFFSET ?1)";
        let removed = self.connection.execute(expired, [now.0.cast_signed()]).and_then(|first| {
            let second = self.connection.execute(surplus, [entries_max.cast_signed()])?;
            Ok((first + second) as u64)
        });
        removed.map_err(|error| self.failed(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: u8, at: u64, until: Option<u64>) -> CacheEntry {
        let until = until.map(Timestamp);
        let outputs = vec![key];
        CacheEntry { key: Digest([key; 32]), outputs, run: RunId(7), at: Timestamp(at), until }
    }

    #[test]
    fn an_entry_is_taken_until_its_time_has_come() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut catalog = Catalog::open(folder.path()).expect("made");
        let (lasting, passing) = (entry(1, 5, None), entry(2, 5, Some(9)));
        catalog.keep_cached(&[lasting.clone(), passing.clone()]).expect("kept");
        let cached = |catalog: &Catalog, key: u8, now: u64| {
            catalog.cached(&Digest([key; 32]), Timestamp(now)).expect("readable")
        };
        assert_eq!(cached(&catalog, 1, 1_000), Some(lasting));
        assert_eq!(cached(&catalog, 2, 8), Some(passing));
        assert_eq!(cached(&catalog, 2, 9), None);
        assert_eq!(cached(&catalog, 3, 8), None);
        let newer = CacheEntry { outputs: b"new".to_vec(), ..entry(1, 7, None) };
        catalog.keep_cached(std::slice::from_ref(&newer)).expect("kept");
        assert_eq!(cached(&catalog, 1, 1_000), Some(newer));
    }

    #[test]
    fn what_is_over_or_too_many_goes_the_oldest_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut catalog = Catalog::open(folder.path()).expect("made");
        let all: Vec<_> = (1..=5).map(|key| entry(key, key.into(), None)).collect();
        catalog.keep_cached(&all).expect("kept");
        catalog.keep_cached(&[entry(9, 99, Some(100))]).expect("kept");
        assert_eq!(catalog.prune_cache(Timestamp(100), 3).expect("pruned"), 3);
        let left = |key: u8| catalog.cached(&Digest([key; 32]), Timestamp(1)).expect("readable");
        assert!(left(2).is_none() && left(3).is_some() && left(5).is_some());
    }
}
