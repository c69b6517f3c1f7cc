//! The output of attempts, in log segments: a few large files for a worker, not one an attempt.
//!
//! ```text
//! segment 7   magic  [frame]  [frame]  [frame] … [end]
//!                       ▲________|                       frames of one attempt, newest to oldest,
//! segment 6   magic  … [frame] …                         across segments
//! ```
//!
//! Each frame points to the one before it of the same attempt, so that its whole output is found
//! from the last frame, which [`LogRef`](model::outcome::LogRef) names, without a scan. Before its
//! first frame stands one that tells whose it is: so a reference is never taken for another
//! attempt's output, and what an attempt wrote is found by a scan when nobody lived to say where it
//! ends. Every frame carries a checksum: what a crash has torn is found and reported. Logs are
//! written in batches and synced only when asked; they are not what the coordinator's promises rest
//! on.

mod frame;
mod lost;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use frame::{Content, Stream};
pub use lost::{Search, search};
pub use reader::{Chunk, Log, Owner, read};
pub use writer::{Recovery, Writer};

/// Names an attempt to the log and the supervisor of one worker: a number of the worker's own,
/// never used twice in its life. Fencing tokens will not do, since the items of one fan-out may
/// share one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Bytes of a segment before the next is begun.
pub const SEGMENT_BYTES_MAX: u64 = 64 << 20;

/// The name of a segment's file.
fn file_name(segment: u32) -> String {
    format!("{segment:08}.log")
}
