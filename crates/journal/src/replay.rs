//! Reading frames in order: what every store does with the rows that it finds.
//!
//! Gaps between frames are damage, whatever the store says. Nothing here reads a disk.

use core::ops::ControlFlow;

use model::Seq;
use protocol::error::DecodeError;
use protocol::frame;

use crate::{Entry, Journal, ReadError, Sink, Snapshot};

/// How far a reader has come.
#[derive(Clone, Copy, Debug)]
pub struct Replay {
    /// Facts up to here are not wanted.
    after: Seq,
    /// The last fact read; `None` before the first frame.
    last: Option<Seq>,
}

impl Replay {
    /// Begins after `after`. The first frame may begin earlier, but not later than that.
    #[must_use]
    pub const fn new(after: Seq) -> Self {
        Self { after, last: None }
    }

    /// Gives the wanted facts of the next frame to `sink`, and passes on whether it wants more.
    ///
    /// # Errors
    /// The frame is damaged or does not follow the one before.
    pub fn frame(
        &mut self,
        bytes: &[u8],
        sink: &mut Sink<'_>,
    ) -> Result<ControlFlow<()>, ReadError> {
        let after = self.last.unwrap_or(self.after);
        let damaged = |error| ReadError::Damaged { after, error };
        let (opened, length) = frame::open(bytes).map_err(damaged)?;
        if length != bytes.len() {
            return Err(damaged(DecodeError::Length("bytes of a frame")));
        }
        self.check_start(opened.first)?;
        for entry in opened.entries() {
            let after = self.last.unwrap_or(self.after);
            let entry = entry.map_err(|error| ReadError::Damaged { after, error })?;
            self.last = Some(entry.seq);
            if entry.seq > self.after && sink(entry).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn check_start(&self, first: Seq) -> Result<(), ReadError> {
        match self.last {
            Some(last) if first == last.next() => Ok(()),
            Some(last) => Err(ReadError::Damaged {
                after: last,
                error: DecodeError::Number { what: "following fact", number: first.0 },
            }),
            None if first <= self.after.next() => Ok(()),
            None => Err(ReadError::Cut { up_to: Seq(first.0 - 1) }),
        }
    }
}

/// A snapshot of its frames.
///
/// # Errors
/// A frame is damaged.
pub fn snapshot<'a>(
    covers: Seq,
    frames: impl Iterator<Item = &'a [u8]>,
) -> Result<Snapshot, ReadError> {
    let damaged = |error| ReadError::Damaged { after: Seq(0), error };
    let mut facts = Vec::new();
    for bytes in frames {
        let (opened, _) = frame::open(bytes).map_err(damaged)?;
        for entry in opened.entries() {
            let Entry { seq, at, fact, .. } = entry.map_err(damaged)?;
            facts.push((seq, at, fact));
        }
    }
    Ok(Snapshot { covers, facts })
}

/// All facts of a journal after `after`, for callers that want a list.
///
/// # Errors
/// As [`Journal::read`].
pub fn collect(journal: &mut dyn Journal, after: Seq) -> Result<Vec<Entry>, ReadError> {
    let mut entries = Vec::new();
    journal.read(after, &mut |entry| {
        entries.push(entry);
        ControlFlow::Continue(())
    })?;
    Ok(entries)
}

/// The place after which a journal can be read: 0, or the last fact that has been given up.
///
/// # Errors
/// As [`Journal::read`].
pub fn start(journal: &mut dyn Journal) -> Result<Seq, ReadError> {
    match journal.read(Seq(0), &mut |_| ControlFlow::Break(())) {
        Ok(()) => Ok(Seq(0)),
        Err(ReadError::Cut { up_to }) => Ok(up_to),
        Err(error) => Err(error),
    }
}
