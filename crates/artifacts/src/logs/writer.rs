//! Writing: frames are gathered and written with one call a batch, into one segment after another.
//!
//! A write that fails keeps what it has for the next flush, up to a bound; beyond it output is
//! dropped and the attempt's log says so. A writer begins a segment of its own, lazily, and never
//! touches an older one except to cut off what a crash has torn.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use model::Timestamp;
use model::collections::HashMap;
use model::message::LeaseId;
use model::outcome::LogRef;

use super::Ticket;

use super::frame::{self, HEADER_BYTES, Header, Kind, MAGIC, PAYLOAD_BYTES_MAX, Position, Stream};
use super::reader::Segment;
use super::{SEGMENT_BYTES_MAX, file_name};

/// Bytes that wait while the disk takes none.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// What opening found of a writer that crashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes cut off the last segment because they were torn.
    pub torn_bytes: u64,
}

/// Writes the log segments of one worker. There may be one writer a folder.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    segment_bytes_max: u64,
    segment: u32,
    /// The segment's file, from the first flush on.
    file: Option<File>,
    /// Bytes of the segment that are in its file.
    written: u64,
    /// The bytes that follow them.
    waiting: Vec<u8>,
    live: HashMap<Ticket, Live>,
}

/// The log of an attempt that may still write.
#[derive(Clone, Copy, Debug, Default)]
struct Live {
    /// Whose it is. Written down before the first frame, so that what writes nothing costs nothing.
    owner: Option<LeaseId>,
    log: LogRef,
    unwritten_bytes: u64,
}

impl Writer {
    /// Opens a folder, made if it is not there. Segments that are there are kept.
    ///
    /// # Errors
    /// If the folder cannot be made, read or written.
    pub fn open(dir: &Path) -> io::Result<(Self, Recovery)> {
        Self::open_with(dir, SEGMENT_BYTES_MAX)
    }

    pub(super) fn open_with(dir: &Path, segment_bytes_max: u64) -> io::Result<(Self, Recovery)> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let last = last_segment(dir)?;
        let torn_bytes = last.map_or(Ok(0), |segment| cut_torn_tail(dir, segment))?;
        let writer = Self {
            dir: dir.to_owned(),
            segment_bytes_max,
            segment: last.map_or(0, |last| last + 1),
            file: None,
            written: 0,
            waiting: MAGIC.to_vec(),
            live: HashMap::default(),
        };
        Ok((writer, Recovery { torn_bytes }))
    }

    /// Tells whose the output under a ticket will be, before there is any: so it can be found when
    /// nobody lived to report where it ends, and is never taken for that of another attempt.
    pub fn begin(&mut self, ticket: Ticket, owner: LeaseId) {
        self.live.insert(ticket, Live { owner: Some(owner), ..Live::default() });
    }

    /// Adds output of an attempt to the next flush.
    pub fn append(&mut self, ticket: Ticket, stream: Stream, at: Timestamp, bytes: &[u8]) {
        for piece in bytes.chunks(PAYLOAD_BYTES_MAX) {
            if self.waiting.len() + piece.len() > WAITING_BYTES_MAX {
                self.live.entry(ticket).or_default().unwritten_bytes += piece.len() as u64;
            } else {
                self.put(ticket, Kind::Output(stream), at, piece);
                self.live.entry(ticket).or_default().log.bytes += piece.len() as u64;
            }
        }
    }

    /// Adds a note of output that never came here.
    pub fn note_dropped(
        &mut self,
        ticket: Ticket,
        at: Timestamp,
        over_cap_bytes: u64,
        stalled_bytes: u64,
    ) {
        let unwritten = self.live.entry(ticket).or_default().unwritten_bytes;
        let counts = [over_cap_bytes, stalled_bytes, unwritten].map(u64::to_le_bytes);
        self.put(ticket, Kind::Dropped, at, counts.as_flattened());
        self.live.entry(ticket).or_default().unwritten_bytes = 0;
    }

    /// Ends an attempt's log. What it names can be read after the next flush; `None` if there is
    /// nothing to name.
    pub fn finish(&mut self, ticket: Ticket, at: Timestamp) -> Option<LogRef> {
        if self.live.get(&ticket)?.unwritten_bytes > 0 {
            self.note_dropped(ticket, at, 0, 0);
        }
        Some(self.live.remove(&ticket)?.log).filter(|log| log.frames > 0)
    }

    /// The log so far of an attempt that still runs. It can be read after the next flush.
    #[must_use]
    pub fn log_so_far(&self, ticket: Ticket) -> Option<LogRef> {
        self.live.get(&ticket).map(|live| live.log).filter(|log| log.frames > 0)
    }

    /// Writes what was added, with one call.
    ///
    /// # Errors
    /// If the disk is full or cannot be written. What waits is tried again by the next flush.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.written == 0 && self.waiting.len() <= MAGIC.len() || self.waiting.is_empty() {
            return Ok(());
        }
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(create(&self.dir.join(file_name(self.segment)))?),
        };
        // By position, so that a second try does not depend on how far the first one came.
        file.write_all_at(&self.waiting, self.written)?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Flushes, and waits until the disk has it all.
    ///
    /// # Errors
    /// As [`Self::flush`], and if the disk does not confirm.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }

    /// Flushes and marks the segment as ended, which spares the next opening a scan.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn close(mut self) -> io::Result<()> {
        self.end_segment()
    }

    fn put(&mut self, ticket: Ticket, kind: Kind, at: Timestamp, payload: &[u8]) {
        let mut live = self.live.get(&ticket).copied().unwrap_or_default();
        let log = &mut live.log;
        if let (0, Some(owner)) = (log.frames, live.owner) {
            let header = Header { kind: Kind::Owner, ticket, at, ..END };
            let position = self.place(&header, &frame::owner_payload(owner));
            (log.segment, log.offset) = (position.segment, position.offset);
        }
        let previous = Position { segment: log.segment, offset: log.offset };
        let header = Header { kind, ticket, at, sequence: log.frames, previous, ..END };
        let position = self.place(&header, payload);
        (log.segment, log.offset) = (position.segment, position.offset);
        log.frames += 1;
        self.live.insert(ticket, live);
    }

    /// Adds a frame to what waits, in a new segment if this one is full, and says where it is.
    fn place(&mut self, header: &Header, payload: &[u8]) -> Position {
        let end = self.position().offset;
        let length = (HEADER_BYTES + payload.len()) as u64;
        let is_full = end > MAGIC.len() as u64 && end + length > self.segment_bytes_max;
        // A disk that takes nothing lets the segment grow: by the bound of what waits at most.
        if is_full && self.end_segment().is_ok() {
            self.segment += 1;
            self.file = None;
            self.written = 0;
            self.waiting.extend(MAGIC);
        }
        let position = self.position();
        frame::put(&mut self.waiting, header, payload);
        position
    }

    fn end_segment(&mut self) -> io::Result<()> {
        if self.written == 0 && self.waiting.len() <= MAGIC.len() {
            return Ok(());
        }
        let before = self.waiting.len();
        frame::put(&mut self.waiting, &END, &[]);
        self.flush().inspect_err(|_| self.waiting.truncate(before))
    }

    /// Where the next frame goes.
    fn position(&self) -> Position {
        Position { segment: self.segment, offset: self.written + self.waiting.len() as u64 }
    }
}

/// The frame that ends a segment.
pub const END: Header = Header {
    kind: Kind::End,
    ticket: Ticket(0),
    at: Timestamp(0),
    sequence: 0,
    previous: Position { segment: 0, offset: 0 },
    length: 0,
};

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

fn last_segment(dir: &Path) -> io::Result<Option<u32>> {
    let mut last = None;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log")?.parse().ok());
        last = last.max(number);
    }
    Ok(last)
}

/// Cuts off what follows the last whole frame; returns how many bytes that were.
fn cut_torn_tail(dir: &Path, number: u32) -> io::Result<u64> {
    let segment = Segment::open(dir, number)?;
    let length = segment.length()?;
    if segment.is_closed(length)? {
        return Ok(0);
    }
    let whole = segment.whole_bytes(length)?;
    if whole < length {
        let file = OpenOptions::new().write(true).open(dir.join(file_name(number)))?;
        file.set_len(whole)?;
        file.sync_all()?;
    }
    Ok(length - whole)
}
