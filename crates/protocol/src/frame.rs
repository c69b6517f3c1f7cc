//! Frames: facts that were committed together, as one checked piece of bytes.
//!
//! ```text
//! version 1 byte | flags 1 byte | epoch | first seq | time | count | raw length | body length
//! | body | checksum 8 bytes
//! ```
//!
//! The numbers between flags and body are varints. The body holds the records, each after its
//! length, as one LZ4 block when that is smaller. The checksum is the first 8 bytes of the BLAKE3
//! hash of everything before it. In a batch the records have consecutive sequence numbers and one
//! time; in a history, which archives and snapshots are made of, each record says both for itself,
//! as the difference from the one before.
//!
//! A frame is at most [`FRAME_BYTES_MAX`] long, before compression and after. Nothing here knows
//! where frames are kept.

use std::borrow::Cow;

use model::limits::FRAME_BYTES_MAX;
use model::{Epoch, Fact, Seq, Timestamp};
use prost::encoding::{decode_varint, encode_varint};

use crate::error::{DecodeError, EncodeError};
use crate::record;

/// The layout that this build writes, and the newest that it reads.
const VERSION: u8 = 1;
/// The body is an LZ4 block.
const COMPRESSED: u8 = 1;
/// Each record says its own sequence number and time.
const HISTORY: u8 = 2;
/// What a frame can hold beside its body: version, flags, six varints, checksum.
const OVERHEAD_MAX: usize = 2 + 6 * 10 + CHECKSUM_BYTES;
const CHECKSUM_BYTES: usize = 8;
/// Bytes of records of one frame, before compression.
const BODY_BYTES_MAX: usize = FRAME_BYTES_MAX - OVERHEAD_MAX;
/// Below this LZ4 does not pay.
const COMPRESS_FROM_BYTES: usize = 128;

/// A frame with the sequence numbers that it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The first fact.
    pub first: Seq,
    /// The last fact.
    pub last: Seq,
    /// The frame itself.
    pub bytes: Vec<u8>,
}

/// A fact at its place in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its sequence number.
    pub seq: Seq,
    /// When it was decided.
    pub at: Timestamp,
    /// The term it was written in.
    pub epoch: Epoch,
    /// What was decided.
    pub fact: Fact,
}

/// Frames of facts that follow each other from `first` on, decided at `at`: usually one frame, more
/// when they do not fit into one.
///
/// # Errors
/// A fact breaks a promise about itself.
pub fn encode_batch(
    epoch: Epoch,
    first: Seq,
    at: Timestamp,
    facts: &[Fact],
) -> Result<Vec<Frame>, EncodeError> {
    let mut writer = Writer::new(0, epoch);
    for (fact, seq) in facts.iter().zip(first.0..) {
        writer.push(Seq(seq), at, fact)?;
    }
    Ok(writer.finish())
}

/// Frames of facts that keep their own places and times.
///
/// # Errors
/// A fact breaks a promise about itself.
pub fn encode_history<'a>(
    epoch: Epoch,
    facts: impl IntoIterator<Item = (Seq, Timestamp, &'a Fact)>,
) -> Result<Vec<Frame>, EncodeError> {
    let mut writer = Writer::new(HISTORY, epoch);
    for (seq, at, fact) in facts {
        writer.push(seq, at, fact)?;
    }
    Ok(writer.finish())
}

/// Collects records into frames.
struct Writer {
    flags: u8,
    epoch: Epoch,
    frames: Vec<Frame>,
    open: Option<Open>,
    record: Vec<u8>,
}

/// The frame that is being filled.
struct Open {
    first: (Seq, Timestamp),
    last: (Seq, Timestamp),
    count: u64,
    body: Vec<u8>,
}

impl Writer {
    const fn new(flags: u8, epoch: Epoch) -> Self {
        Self { flags, epoch, frames: Vec::new(), open: None, record: Vec::new() }
    }

    fn push(&mut self, seq: Seq, at: Timestamp, fact: &Fact) -> Result<(), EncodeError> {
        self.record.clear();
        record::encode(fact, &mut self.record)?;
        // Two differences of at most 10 bytes each stand before a record of a history.
        let length = self.record.len() + 20;
        if length > BODY_BYTES_MAX {
            return Err(EncodeError::TooLarge(length));
        }
        if self.open.as_ref().is_some_and(|open| open.body.len() + length > BODY_BYTES_MAX) {
            self.close();
        }
        let place = (seq, at);
        let open = self.open.get_or_insert_with(|| Open {
            first: place,
            last: place,
            count: 0,
            body: Vec::new(),
        });
        if self.flags & HISTORY != 0 {
            encode_varint(zigzag(seq.0.wrapping_sub(open.last.0.0)), &mut open.body);
            encode_varint(zigzag(at.0.wrapping_sub(open.last.1.0)), &mut open.body);
        }
        open.body.extend_from_slice(&self.record);
        open.last = place;
        open.count += 1;
        Ok(())
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let compressed = compress(&open.body);
        let flags = self.flags | if compressed.is_some() { COMPRESSED } else { 0 };
        let body = compressed.as_deref().unwrap_or(&open.body);
        let mut bytes = Vec::with_capacity(OVERHEAD_MAX + body.len());
        bytes.extend([VERSION, flags]);
        let lengths = [open.body.len(), body.len()].map(|length| length as u64);
        let numbers = [self.epoch.0, open.first.0.0, open.first.1.0, open.count];
        numbers.into_iter().chain(lengths).for_each(|number| encode_varint(number, &mut bytes));
        bytes.extend_from_slice(body);
        let sum = checksum(&bytes);
        bytes.extend(sum);
        self.frames.push(Frame { first: open.first.0, last: open.last.0, bytes });
    }

    fn finish(mut self) -> Vec<Frame> {
        self.close();
        self.frames
    }
}

/// The body as an LZ4 block, if that saves at least a sixteenth.
fn compress(body: &[u8]) -> Option<Vec<u8>> {
    if body.len() < COMPRESS_FROM_BYTES {
        return None;
    }
    let compressed = lz4_flex::block::compress(body);
    (compressed.len() < body.len() - body.len() / 16).then_some(compressed)
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = blake3::hash(bytes);
    *hash.as_bytes().first_chunk().expect("a hash has 32 bytes")
}

const fn zigzag(difference: u64) -> u64 {
    (difference << 1) ^ ((difference as i64) >> 63) as u64
}

const fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

/// A frame whose checksum has been verified.
#[derive(Clone, Debug)]
pub struct Opened<'a> {
    /// The term it was written in.
    pub epoch: Epoch,
    /// The first fact.
    pub first: Seq,
    /// The time of the first fact.
    pub at: Timestamp,
    /// How many facts it holds.
    pub count: u64,
    is_history: bool,
    body: Cow<'a, [u8]>,
}

/// Reads the frame at the head of `bytes`; also returns how many bytes it takes.
///
/// # Errors
/// The bytes are no frame of a known version, end too early, or are not what was written.
pub fn open(bytes: &[u8]) -> Result<(Opened<'_>, usize), DecodeError> {
    let (&[version, flags], mut rest) =
        bytes.split_first_chunk::<2>().ok_or(DecodeError::Truncated)?;
    if version != VERSION {
        let (version, known) = (version.into(), VERSION.into());
        return Err(DecodeError::Newer { what: "frame", version, known });
    }
    if flags & !(COMPRESSED | HISTORY) != 0 {
        return Err(DecodeError::Number { what: "set of flags", number: flags.into() });
    }
    let mut numbers = [0; 6];
    for number in &mut numbers {
        *number = decode_varint(&mut rest).map_err(|_| DecodeError::Truncated)?;
    }
    let [epoch, first, at, count, raw_length, length] = numbers;
    let [raw_length, length] = [body_length(raw_length)?, body_length(length)?];
    let head = bytes.len() - rest.len();
    let end = head + length + CHECKSUM_BYTES;
    if bytes.len() < end {
        return Err(DecodeError::Truncated);
    }
    let (checked, sum) = bytes[..end].split_at(end - CHECKSUM_BYTES);
    if checksum(checked) != sum {
        return Err(DecodeError::Checksum);
    }
    let body = &checked[head..];
    let body = match flags & COMPRESSED {
        0 => Cow::Borrowed(body),
        _ => Cow::Owned(decompress(body, raw_length)?),
    };
    if body.len() != raw_length {
        return Err(DecodeError::Length("bytes of a frame"));
    }
    let is_history = flags & HISTORY != 0;
    let (epoch, first, at) = (Epoch(epoch), Seq(first), Timestamp(at));
    Ok((Opened { epoch, first, at, count, is_history, body }, end))
}

fn body_length(number: u64) -> Result<usize, DecodeError> {
    let length = usize::try_from(number).ok().filter(|&length| length <= BODY_BYTES_MAX);
    length.ok_or(DecodeError::Number { what: "length of a frame", number })
}

fn decompress(body: &[u8], raw_length: usize) -> Result<Vec<u8>, DecodeError> {
    let raw = lz4_flex::block::decompress(body, raw_length);
    raw.map_err(|_| DecodeError::Length("compressed bytes"))
}

impl Opened<'_> {
    /// Reads the facts in order. The first error ends it.
    #[must_use]
    pub fn entries(&self) -> Entries<'_> {
        Entries {
            frame: self,
            rest: &self.body,
            left: self.count,
            place: (self.first, self.at),
            has_failed: false,
        }
    }

    /// The last fact's sequence number, without reading any record. Only for batches.
    ///
    /// # Errors
    /// The frame is a history, is empty, or counts beyond the last number.
    pub fn last(&self) -> Result<Seq, DecodeError> {
        let more = self.count.checked_sub(1).filter(|_| !self.is_history);
        let last = more.and_then(|more| self.first.0.checked_add(more));
        last.map(Seq).ok_or(DecodeError::Number { what: "number of facts", number: self.count })
    }
}

/// The facts of a frame, one after the other.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    frame: &'a Opened<'a>,
    rest: &'a [u8],
    left: u64,
    place: (Seq, Timestamp),
    has_failed: bool,
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed || (self.left == 0 && self.rest.is_empty()) {
            return None;
        }
        let entry = self.read();
        self.has_failed = entry.is_err();
        Some(entry)
    }
}

impl Entries<'_> {
    fn read(&mut self) -> Result<Entry, DecodeError> {
        self.left = self.left.checked_sub(1).ok_or(DecodeError::Length("facts of a frame"))?;
        if self.frame.is_history {
            let (seq, at) = (self.varint()?, self.varint()?);
            self.place.0.0 = self.place.0.0.wrapping_add(unzigzag(seq));
            self.place.1.0 = self.place.1.0.wrapping_add(unzigzag(at));
        }
        let length = usize::try_from(self.varint()?).map_err(|_| DecodeError::Truncated)?;
        let (record, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        let (seq, at) = self.place;
        if !self.frame.is_history {
            self.place.0.0 = self.place.0.0.wrapping_add(1);
        }
        Ok(Entry { seq, at, epoch: self.frame.epoch, fact: record::decode(record)? })
    }

    fn varint(&mut self) -> Result<u64, DecodeError> {
        decode_varint(&mut self.rest).map_err(|_| DecodeError::Truncated)
    }
}

#[cfg(test)]
mod tests;
