//! Reading: from an attempt's last frame back to its first.
//!
//! What a crash or a failing disk has spoilt is not read past: what is whole after it is returned,
//! with a word about what is missing.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use model::message::LeaseId;
use model::outcome::LogRef;
use model::{ItemKey, Timestamp, Token};

use super::Ticket;

use super::file_name;
use super::frame::{self, Content, HEADER_BYTES, Header, Kind, MAGIC, MAGIC_NAMELESS, Position};
use super::writer::END;

/// The output of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// In the order in which they were written.
    pub chunks: Vec<Chunk>,
    /// Why the chunks before these are missing; `None` if they are all there.
    pub damage: Option<String>,
}

/// One frame of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// How many chunks of the attempt come before it.
    pub sequence: u32,
    /// When it was read from the process.
    pub at: Timestamp,
    /// What it holds.
    pub content: Content,
}

/// Whose output somebody wants to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The item.
    pub item: ItemKey,
    /// What fenced the attempt; `None` if that is not known any more.
    pub token: Option<Token>,
}

impl Owner {
    /// Whether this lease is meant.
    fn is(self, lease: LeaseId) -> bool {
        self.item == lease.item && self.token.is_none_or(|token| token == lease.token)
    }
}

/// Reads the chunks of an attempt from the one numbered `from` on; 0 for all. If their frames tell
/// that they belong to another than `owner`, what the reference named is gone.
///
/// # Errors
/// If a segment that is there cannot be read. Torn and missing frames are no errors: see
/// [`Log::damage`].
pub fn read(dir: &Path, log: LogRef, owner: Owner, from: u32) -> io::Result<Log> {
    let mut chunks = Vec::new();
    let mut segments = Segments { dir, open: None };
    let mut position = Position { segment: log.segment, offset: log.offset };
    let mut ticket = None;
    for sequence in (from..log.frames).rev() {
        let frame = segments.frame(position)?;
        let chunk = frame.and_then(|(header, payload)| {
            chunk(&header, &payload, sequence, *ticket.get_or_insert(header.ticket))
                .map(|chunk| (header, chunk))
        });
        let Some((header, chunk)) = chunk else {
            let damage = Some(segments.missing(position, chunks.is_empty()));
            chunks.reverse();
            return Ok(Log { chunks, damage });
        };
        chunks.push(chunk);
        position = header.previous;
    }
    let is_whole = from == 0 && log.frames > 0;
    if is_whole && segments.owner(position, ticket)?.is_some_and(|lease| !owner.is(lease)) {
        let file = file_name(log.segment);
        let damage = format!("the output is gone: {file} holds that of another attempt now");
        return Ok(Log { chunks: Vec::new(), damage: Some(damage) });
    }
    chunks.reverse();
    Ok(Log { chunks, damage: None })
}

/// The segments of a folder, one open at a time.
struct Segments<'a> {
    dir: &'a Path,
    open: Option<Segment>,
}

impl Segments<'_> {
    /// The frame that begins there; `None` if there is no whole one.
    fn frame(&mut self, at: Position) -> io::Result<Option<(Header, Vec<u8>)>> {
        if self.open.as_ref().is_none_or(|open| open.number != at.segment) {
            self.open = match Segment::open(self.dir, at.segment) {
                Ok(open) => Some(open),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
        }
        self.open.as_ref().map_or(Ok(None), |segment| segment.frame(at.offset))
    }

    /// Whose the frames of a ticket are, if the frame there tells.
    fn owner(&mut self, at: Position, ticket: Option<Ticket>) -> io::Result<Option<LeaseId>> {
        let frame = self
            .frame(at)?
            .filter(|(header, _)| header.kind == Kind::Owner && Some(header.ticket) == ticket);
        Ok(frame.and_then(|(_, payload)| frame::owner(&payload)))
    }

    /// What to say of a frame that is not there.
    fn missing(&self, Position { segment, offset }: Position, is_last: bool) -> String {
        let file = file_name(segment);
        match (is_last, &self.open) {
            (true, None) => format!("the output is gone: {file} is no longer there"),
            _ => format!(
                "{file}: the frame at byte {offset} is torn or missing; what came before is lost"
            ),
        }
    }
}

/// The frame as a chunk, if it is the one that was looked for.
fn chunk(header: &Header, payload: &[u8], sequence: u32, ticket: Ticket) -> Option<Chunk> {
    if header.sequence != sequence || header.ticket != ticket {
        return None;
    }
    let content = Content::of(header.kind, payload)?;
    Some(Chunk { sequence, at: header.at, content })
}

/// A segment open for reading.
pub struct Segment {
    number: u32,
    file: File,
}

impl Segment {
    /// Opens a segment.
    pub fn open(dir: &Path, number: u32) -> io::Result<Self> {
        Ok(Self { number, file: File::open(dir.join(file_name(number)))? })
    }

    /// Its length in bytes.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// The frame that begins at `offset`; `None` if there is no whole one.
    pub fn frame(&self, offset: u64) -> io::Result<Option<(Header, Vec<u8>)>> {
        let mut bytes = vec![0; HEADER_BYTES];
        if !read_exact_at(&self.file, &mut bytes, offset)? {
            return Ok(None);
        }
        let header = bytes.first_chunk().and_then(frame::header);
        let Some(header) = header else { return Ok(None) };
        bytes.resize(HEADER_BYTES + header.length as usize, 0);
        let Some(payload_at) = offset.checked_add(HEADER_BYTES as u64) else { return Ok(None) };
        if !read_exact_at(&self.file, &mut bytes[HEADER_BYTES..], payload_at)?
            || !frame::is_whole(&bytes)
        {
            return Ok(None);
        }
        Ok(Some((header, bytes.split_off(HEADER_BYTES))))
    }

    /// Whether its writer closed it.
    pub fn is_closed(&self, length: u64) -> io::Result<bool> {
        let Some(offset) = length.checked_sub(HEADER_BYTES as u64) else { return Ok(false) };
        Ok(self.frame(offset)?.is_some_and(|(header, _)| header == END))
    }

    /// How many bytes from its beginning are whole frames.
    pub fn whole_bytes(&self, length: u64) -> io::Result<u64> {
        let mut magic = [0; MAGIC.len()];
        if !read_exact_at(&self.file, &mut magic, 0)? {
            return Ok(0);
        }
        if magic != MAGIC && magic != MAGIC_NAMELESS {
            // Of another version, and not ours to judge.
            return Ok(length);
        }
        let mut end = MAGIC.len() as u64;
        while end < length {
            let Some((header, payload)) = self.frame(end)? else { break };
            end += (HEADER_BYTES + payload.len()) as u64;
            if header.kind == Kind::End {
                break;
            }
        }
        Ok(end)
    }
}

/// False if the file ends before the buffer is full.
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, offset) {
        Ok(()) => Ok(true),
        // A position beyond what a file can have comes from a damaged frame.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
