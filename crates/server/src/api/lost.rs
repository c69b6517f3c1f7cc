//! Attempts whose end nobody could report: the output that they left is looked for in the segments.
//!
//! An attempt is lost with its worker. The fact that says so names no output, since whoever knew
//! where it ends is gone; but each frame on the disk tells whose it is. While nobody holds the
//! folder, what the state still shows as leased is lost as well, though no fact says so yet.

use std::fs::File;
use std::io;
use std::path::Path;

use artifacts::logs::{self, Search};
use model::Timestamp;
use model::message::LeaseId;
use model::outcome::LogRef;
use protocol::api::{LogChunk, Time};
use rustix::fs::{FlockOperation, flock};

use super::output::{Origin, Sent, remark};
use crate::home::Home;

/// A lost attempt.
pub(super) struct Lost {
    pub origin: Origin,
    pub lease: LeaseId,
    /// When it was leased.
    pub since: Timestamp,
    /// When it was given up, or what is now.
    pub until: Timestamp,
    /// Whether it is known to have started: otherwise its output alone tells.
    pub has_started: bool,
    /// How much of its log has been sent.
    pub sent: Sent,
}

/// Finds where the output of lost attempts ends, in the same order; nothing for those that left
/// none.
pub(super) fn find(dir: &Path, lost: &[Lost]) -> io::Result<Vec<LogRef>> {
    let search = Search {
        leases: lost.iter().map(|lost| lost.lease).collect(),
        since: lost.iter().map(|lost| lost.since).min().unwrap_or_default(),
        until: lost.iter().map(|lost| lost.until).max().unwrap_or_default(),
    };
    let found = logs::search(dir, &search)?;
    Ok(lost.iter().map(|lost| found.get(&lost.lease).copied().unwrap_or_default()).collect())
}

/// The last word on a lost attempt; `seq` is how many chunks come before it.
pub(super) fn last_word(origin: &Origin, at: Timestamp, seq: u32) -> LogChunk {
    let text = match seq {
        0 => "autoglm: the attempt was lost; nothing that it wrote was kept\n",
        _ => "autoglm: the attempt was lost here\n",
    };
    LogChunk { seq: u64::from(seq), ..remark(origin, Time(at), text.to_owned()) }
}

/// Whether no process holds the folder: its lock is free.
pub(super) fn nobody_holds(home: &Home) -> bool {
    // A holder in this very process has the lock through another open file, which keeps this one
    // out. Whoever takes the folder at this moment tries again.
    match File::open(home.root().join("lock")) {
        Ok(file) => flock(&file, FlockOperation::NonBlockingLockShared).is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}
