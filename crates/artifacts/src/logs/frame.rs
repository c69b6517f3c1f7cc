//! One frame of a log segment: a header of fixed size, then the bytes.
//!
//! The layout is on disk and does not change under the magic that a segment begins with. A frame
//! that does not check out is torn or foreign; that is an answer here, never an error or a panic.

use model::message::LeaseId;
use model::{ItemId, ItemKey, RunId, TaskId, Timestamp, Token};

use super::Ticket;

/// What every segment begins with; its last byte is the version of the layout.
pub const MAGIC: [u8; 8] = *b"AGLMLOG\x02";
/// The same of segments in which frames do not tell whose they are. They can be read.
pub const MAGIC_NAMELESS: [u8; 8] = *b"AGLMLOG\x01";
/// Bytes of a header.
pub const HEADER_BYTES: usize = 48;
/// Bytes in one frame; longer output is cut into several.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// One of the two streams of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// What a frame tells of its attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A piece of a stream, cut anywhere.
    Output(Stream, Vec<u8>),
    /// Output that is not here.
    Dropped {
        /// Bytes beyond the attempt's cap.
        over_cap_bytes: u64,
        /// Bytes that came faster than they could be taken away.
        stalled_bytes: u64,
        /// Bytes for which there was no room on the disk.
        unwritten_bytes: u64,
    },
}

/// What a frame is, as its header says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Output of a stream.
    Output(Stream),
    /// A note of what was dropped.
    Dropped,
    /// The end of a segment that was closed: nothing follows.
    End,
    /// Whose the frames of a ticket are. It stands before the first of them, and counts as none.
    Owner,
}

/// Where a frame begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The segment's number.
    pub segment: u32,
    /// Bytes from the beginning of its file.
    pub offset: u64,
}

/// What stands before a frame's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the frame is.
    pub kind: Kind,
    /// The attempt that it belongs to.
    pub ticket: Ticket,
    /// When its bytes were read from the process.
    pub at: Timestamp,
    /// How many frames of the attempt come before it.
    pub sequence: u32,
    /// The frame before it of the same attempt. In the first it is the frame that tells whose they
    /// are, or the beginning of a segment when none does.
    pub previous: Position,
    /// Bytes that follow.
    pub length: u32,
}

/// Appends a frame; its length is that of `payload`.
pub fn put(out: &mut Vec<u8>, header: &Header, payload: &[u8]) {
    let start = out.len();
    out.extend([0; 8]);
    out.extend((payload.len() as u32).to_le_bytes());
    out.extend(header.kind.number().to_le_bytes());
    out.extend(header.ticket.0.to_le_bytes());
    out.extend(header.at.0.to_le_bytes());
    out.extend(header.sequence.to_le_bytes());
    out.extend(header.previous.segment.to_le_bytes());
    out.extend(header.previous.offset.to_le_bytes());
    out.extend(payload);
    let sum = checksum(&out[start + 8..]);
    out[start..start + 8].copy_from_slice(&sum);
}

/// Reads a header; `None` if it cannot be one. Only [`is_whole`] says that it is one.
pub fn header(bytes: &[u8; HEADER_BYTES]) -> Option<Header> {
    let u32_at = |at| u32::from_le_bytes(*bytes[at..].first_chunk().expect("within the header"));
    let u64_at = |at| u64::from_le_bytes(*bytes[at..].first_chunk().expect("within the header"));
    let length = u32_at(8);
    if length as usize > PAYLOAD_BYTES_MAX {
        return None;
    }
    Some(Header {
        kind: Kind::of(u32_at(12))?,
        ticket: Ticket(u64_at(16)),
        at: Timestamp(u64_at(24)),
        sequence: u32_at(32),
        previous: Position { segment: u32_at(36), offset: u64_at(40) },
        length,
    })
}

/// Whether a frame, header and payload, is as it was written.
pub fn is_whole(frame: &[u8]) -> bool {
    frame.split_at_checked(8).is_some_and(|(sum, rest)| sum == checksum(rest))
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    *blake3::hash(bytes).as_bytes().first_chunk().expect("a hash is longer")
}

impl Kind {
    fn number(self) -> u32 {
        match self {
            Self::Output(Stream::Out) => 0,
            Self::Output(Stream::Err) => 1,
            Self::Dropped => 2,
            Self::End => 3,
            Self::Owner => 4,
        }
    }

    fn of(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Output(Stream::Out),
            1 => Self::Output(Stream::Err),
            2 => Self::Dropped,
            3 => Self::End,
            4 => Self::Owner,
            _ => return None,
        })
    }
}

impl Content {
    /// What the payload of a frame means; `None` if it means nothing.
    pub fn of(kind: Kind, payload: &[u8]) -> Option<Self> {
        match kind {
            Kind::Output(stream) => Some(Self::Output(stream, payload.to_vec())),
            Kind::Dropped => {
                let (counts, []) = payload.as_chunks::<8>() else { return None };
                let [over_cap, stalled, unwritten] = <[[u8; 8]; 3]>::try_from(counts).ok()?;
                Some(Self::Dropped {
                    over_cap_bytes: u64::from_le_bytes(over_cap),
                    stalled_bytes: u64::from_le_bytes(stalled),
                    unwritten_bytes: u64::from_le_bytes(unwritten),
                })
            }
            Kind::End | Kind::Owner => None,
        }
    }
}

/// Bytes of a frame's payload that tells whose the frames of a ticket are.
pub const OWNER_BYTES: usize = 24;

/// The payload that tells whose the frames of a ticket are.
pub fn owner_payload(owner: LeaseId) -> [u8; OWNER_BYTES] {
    let LeaseId { item: ItemKey { run, task, item }, token } = owner;
    let mut payload = [0; OWNER_BYTES];
    payload[..8].copy_from_slice(&run.0.to_le_bytes());
    payload[8..12].copy_from_slice(&task.0.to_le_bytes());
    payload[12..16].copy_from_slice(&item.0.to_le_bytes());
    payload[16..].copy_from_slice(&token.0.to_le_bytes());
    payload
}

/// Reads what [`owner_payload`] made; `None` if it did not make this.
pub fn owner(payload: &[u8]) -> Option<LeaseId> {
    let payload: &[u8; OWNER_BYTES] = payload.try_into().ok()?;
    let u32_at = |at| u32::from_le_bytes(*payload[at..].first_chunk().expect("within the payload"));
    let u64_at = |at| u64::from_le_bytes(*payload[at..].first_chunk().expect("within the payload"));
    let item = ItemKey { run: RunId(u64_at(0)), task: TaskId(u32_at(8)), item: ItemId(u32_at(12)) };
    Some(LeaseId { item, token: Token(u64_at(16)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Header {
        Header {
            kind: Kind::Output(Stream::Err),
            ticket: Ticket(0x0102_0304_0506_0708),
            at: Timestamp(0x1112_1314_1516_1718),
            sequence: 0x2122_2324,
            previous: Position { segment: 0x3132_3334, offset: 0x4142_4344_4546_4748 },
            length: 3,
        }
    }

    /// The layout is on people's disks: a change needs another magic.
    #[test]
    fn the_layout_is_this_one() {
        let mut bytes = Vec::new();
        put(&mut bytes, &example(), b"abc");
        let hex: String = bytes[8..].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "030000000100000008070605040302011817161514131211242322213433323148474645444342416\
             16263"
        );
        assert_eq!(header(bytes.first_chunk().unwrap()), Some(example()));
    }

    #[test]
    fn an_owner_goes_both_ways() {
        let item = ItemKey { run: RunId(0x0102), task: TaskId(3), item: ItemId(0x0405_0607) };
        let lease = LeaseId { item, token: Token(u64::MAX - 1) };
        let payload = owner_payload(lease);
        assert_eq!(payload[..16], [2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 7, 6, 5, 4]);
        assert_eq!(owner(&payload), Some(lease));
        assert_eq!(owner(&payload[1..]), None);
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let mut bytes = Vec::new();
        put(&mut bytes, &example(), b"abc");
        assert!(is_whole(&bytes));
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_whole(&bytes), "bit {bit}");
            let _ = header(bytes.first_chunk().unwrap());
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for cut in 0..bytes.len() {
            assert!(!is_whole(&bytes[..cut]), "cut at {cut}");
        }
    }
}
