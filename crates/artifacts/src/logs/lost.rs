//! Searching: where the output of an attempt ends when nobody lived to report it.
//!
//! Segments are read from the earliest that may hold any of it, in the order in which they were
//! written. A frame counts for an attempt only if it follows the one before it without a gap, back
//! to the frame that tells whose it is. Only headers are read here; reading what was found checks
//! every sum.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::time::UNIX_EPOCH;

use model::collections::HashMap;
use model::message::LeaseId;
use model::outcome::LogRef;
use model::{Span, Timestamp};

use super::Ticket;
use super::file_name;
use super::frame::{self, HEADER_BYTES, Header, Kind, MAGIC, OWNER_BYTES, Position};

/// Bytes that are read from a segment at once.
const BUFFER_BYTES: usize = 256 << 10;
/// How far the clocks of files and of frames may be from that of the facts.
const SLACK: Span = Span::secs(3_600);

/// What to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// The attempts.
    pub leases: Vec<LeaseId>,
    /// None of them wrote before this time.
    pub since: Timestamp,
    /// None of them wrote after this time.
    pub until: Timestamp,
}

/// The output of a ticket as far as the search has come.
struct Trail {
    lease: LeaseId,
    /// Its last frame, or the one that tells whose it is.
    end: Position,
    log: LogRef,
}

/// Finds the output of attempts that nobody has reported the end of. Those that are not in the
/// answer have left none. O(bytes of the segments written between the two times) / payload skipped.
///
/// # Errors
/// If the folder or a segment in it cannot be read.
pub fn search(dir: &Path, search: &Search) -> io::Result<HashMap<LeaseId, LogRef>> {
    let mut found = HashMap::default();
    let mut trails = HashMap::default();
    for number in segments(dir, search.since)? {
        let Some(mut scan) = Scan::open(dir, number)? else { continue };
        let mut is_first = true;
        while let Some((position, header)) = scan.header()? {
            if std::mem::take(&mut is_first) && header.at > search.until + SLACK {
                return Ok(found);
            }
            if header.kind == Kind::Owner {
                let owner = scan.owner(&header)?;
                trails.remove(&header.ticket);
                if let Some(lease) = owner.filter(|lease| search.leases.contains(lease)) {
                    let log = LogRef::default();
                    trails.insert(header.ticket, Trail { lease, end: position, log });
                }
                continue;
            }
            scan.skip(&header)?;
            follow(&mut trails, &mut found, (position, header));
        }
    }
    Ok(found)
}

/// Takes a frame in that belongs to a trail, and gives up a trail that has a gap.
fn follow(
    trails: &mut HashMap<Ticket, Trail>,
    found: &mut HashMap<LeaseId, LogRef>,
    (position, header): (Position, Header),
) {
    let Some(trail) = trails.get_mut(&header.ticket) else { return };
    if header.sequence != trail.log.frames || header.previous != trail.end {
        trails.remove(&header.ticket);
        return;
    }
    trail.end = position;
    trail.log.segment = position.segment;
    trail.log.offset = position.offset;
    trail.log.frames += 1;
    if matches!(header.kind, Kind::Output(_)) {
        trail.log.bytes += u64::from(header.length);
    }
    found.insert(trail.lease, trail.log);
}

/// The numbers of the segments that were written to at this time or later, ascending.
fn segments(dir: &Path, since: Timestamp) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(numbers),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(number) = name.to_str().and_then(|name| name.strip_suffix(".log")?.parse().ok())
        else {
            continue;
        };
        let modified = entry.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified = Timestamp(u64::try_from(modified.as_micros()).unwrap_or(u64::MAX));
        if modified + SLACK >= since {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// A segment that is read from its beginning.
struct Scan {
    file: BufReader<File>,
    at: Position,
    /// Bytes that the file had at first: what is still being written is not waited for.
    length: u64,
}

impl Scan {
    /// `None` if it is gone, or its frames do not tell whose they are.
    fn open(dir: &Path, segment: u32) -> io::Result<Option<Self>> {
        let file = match File::open(dir.join(file_name(segment))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let length = file.metadata()?.len();
        let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut magic = [0; MAGIC.len()];
        if length < MAGIC.len() as u64 {
            return Ok(None);
        }
        file.read_exact(&mut magic)?;
        let at = Position { segment, offset: MAGIC.len() as u64 };
        Ok((magic == MAGIC).then_some(Self { file, at, length }))
    }

    /// The next header, with its place; `None` at the end, or where something is torn.
    fn header(&mut self) -> io::Result<Option<(Position, Header)>> {
        let at = self.at;
        let mut bytes = [0; HEADER_BYTES];
        let payload_at = at.offset + HEADER_BYTES as u64;
        if payload_at > self.length {
            return Ok(None);
        }
        self.file.read_exact(&mut bytes)?;
        let header = frame::header(&bytes);
        let header = header.filter(|header| payload_at + u64::from(header.length) <= self.length);
        let Some(header) = header.filter(|header| header.kind != Kind::End) else {
            return Ok(None);
        };
        self.at.offset = payload_at + u64::from(header.length);
        Ok(Some((at, header)))
    }

    /// Passes over the payload of the header that was read last.
    fn skip(&mut self, header: &Header) -> io::Result<()> {
        self.file.seek_relative(i64::from(header.length))
    }

    /// Reads the payload of the header that was read last as that of an owner.
    fn owner(&mut self, header: &Header) -> io::Result<Option<LeaseId>> {
        if header.length as usize != OWNER_BYTES {
            return self.skip(header).map(|()| None);
        }
        let mut payload = [0; OWNER_BYTES];
        self.file.read_exact(&mut payload)?;
        Ok(frame::owner(&payload))
    }
}
