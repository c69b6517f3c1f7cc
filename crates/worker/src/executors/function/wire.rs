//! The frames between the worker and a process of functions. Nothing here reads or writes a socket.
//!
//! The process runs a user's code, which may write anything into the socket: what is no frame is an
//! error, never a panic, and costs that process its life.

use std::io::Write as _;

use serde::Deserialize;

/// Bytes of one frame without its length: far above the results of a whole batch.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// What a process says.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// It is there, and takes calls.
    Hello {
        /// The ticket that it was started with.
        ticket: u64,
        /// What only it was told.
        token: String,
    },
    /// A call printed something.
    Output {
        /// Which.
        id: u64,
        /// Whether it went to stderr.
        is_err: bool,
        /// What.
        bytes: Vec<u8>,
    },
    /// A call has ended.
    Done(Box<Done>),
    /// It does not begin this call, nor any other: its code has changed on the disk.
    Stale,
}

/// The end of a call.
#[derive(Debug, PartialEq)]
pub(super) struct Done {
    pub id: u64,
    pub wall_us: u64,
    pub cpu_us: u64,
    pub peak_rss_kib: u64,
    /// Whether it may have printed past Python: then a mark follows in both streams.
    pub is_marked: bool,
    pub result: Answer,
}

/// What came of a call.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// Its outputs, as JSON.
    Outputs(Vec<u8>),
    /// What came of each of its items.
    Items(Vec<ItemAnswer>),
    /// It failed.
    Failed(Failed),
}

/// What came of an item.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum ItemAnswer {
    Outputs(serde_json::Value),
    Failed(Failed),
}

/// Why a call failed.
#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct Failed {
    pub kind: FailedKind,
    /// The names of the type of the error and of all above it.
    pub names: Vec<String>,
    pub text: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum FailedKind {
    /// It raised an error.
    Raised,
    /// What it returned is no result.
    Outputs,
    /// What it returned is more than there may be.
    Large,
    /// It ended because it was told to.
    Stopped,
}

/// What cannot be a frame.
#[derive(Debug, PartialEq)]
pub(super) struct Malformed;

/// What is said of one call besides its arguments.
pub(super) struct Head<'c> {
    pub id: u64,
    pub run: &'c str,
    pub handler: &'c str,
    /// Variables that are set for it.
    pub env: &'c [(String, String)],
}

/// Appends a call: of one item by its arguments, or of many by a list of them, all of it JSON.
pub(super) fn put_call(out: &mut Vec<u8>, head: &Head<'_>, arguments: &Arguments<'_>) {
    let start = out.len();
    out.extend([0; 4]);
    // Writing into memory cannot fail.
    let _ = write!(out, "{{\"id\":{},\"run\":", head.id);
    put_text(out, head.run);
    out.extend_from_slice(b",\"handler\":");
    put_text(out, head.handler);
    out.extend_from_slice(b",\"env\":{");
    for (at, (name, value)) in head.env.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        put_text(out, name);
        out.push(b':');
        put_text(out, value);
    }
    match arguments {
        Arguments::One(arguments) => {
            out.extend_from_slice(b"},\"args\":");
            out.extend_from_slice(arguments);
        }
        Arguments::Many(items) => {
            out.extend_from_slice(b"},\"batch\":[");
            for (at, arguments) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(arguments);
            }
            out.push(b']');
        }
    }
    out.push(b'}');
    let length = u32::try_from(out.len() - start - 4).expect("calls are far smaller");
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// The arguments of a call.
pub(super) enum Arguments<'c> {
    One(&'c [u8]),
    Many(Vec<&'c [u8]>),
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    // A text is always JSON.
    let _ = serde_json::to_writer(out, text);
}

/// Takes the first whole frame off `bytes`; `None` if there is none yet.
pub(super) fn take(bytes: &mut &[u8]) -> Result<Option<Said>, Malformed> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(Malformed);
    }
    let Some((body, rest)) = rest.split_at_checked(length) else { return Ok(None) };
    *bytes = rest;
    said(body).map(Some)
}

fn said(body: &[u8]) -> Result<Said, Malformed> {
    let (&kind, mut body) = body.split_first().ok_or(Malformed)?;
    Ok(match kind {
        b'H' => {
            let ticket = number(&mut body)?;
            let token = str::from_utf8(body).map_err(|_| Malformed)?.to_owned();
            Said::Hello { ticket, token }
        }
        b'O' => {
            let id = number(&mut body)?;
            let (&stream, bytes) = body.split_first().ok_or(Malformed)?;
            Said::Output { id, is_err: stream == 2, bytes: bytes.to_vec() }
        }
        b'S' => Said::Stale,
        b'R' | b'B' | b'E' => Said::Done(Box::new(done(kind, body)?)),
        _ => return Err(Malformed),
    })
}

fn done(kind: u8, mut body: &[u8]) -> Result<Done, Malformed> {
    let (id, wall_us) = (number(&mut body)?, number(&mut body)?);
    let (cpu_us, peak_rss_kib) = (number(&mut body)?, number(&mut body)?);
    let (&marked, text) = body.split_first().ok_or(Malformed)?;
    let result = match kind {
        b'R' => Answer::Outputs(text.to_vec()),
        b'B' => Answer::Items(parsed(text)?),
        _ => Answer::Failed(parsed(text)?),
    };
    Ok(Done { id, wall_us, cpu_us, peak_rss_kib, is_marked: marked != 0, result })
}

fn parsed<'b, T: Deserialize<'b>>(text: &'b [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(text).map_err(|_| Malformed)
}

fn number(body: &mut &[u8]) -> Result<u64, Malformed> {
    let (number, rest) = body.split_first_chunk::<8>().ok_or(Malformed)?;
    *body = rest;
    Ok(u64::from_le_bytes(*number))
}

/// A piece of what a process prints past Python.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    /// All before it belongs to this call, or to one before.
    Mark(u64),
}

/// What a process prints past Python, with the marks in it that tell calls apart.
#[derive(Debug, Default)]
pub(super) struct Marks {
    held: Vec<u8>,
}

impl Marks {
    const SIGN: u8 = 0x1e;
    const BYTES_MAX: usize = 80;

    /// Cuts at the marks that only a process with this token can write.
    pub(super) fn cut(&mut self, bytes: &[u8], token: &str) -> Vec<Piece> {
        self.held.extend_from_slice(bytes);
        let mut pieces = Vec::new();
        let mut plain = Vec::new();
        let mut rest = self.held.as_slice();
        while let Some(at) = rest.iter().position(|byte| *byte == Self::SIGN) {
            plain.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            let end = rest[1..].iter().take(Self::BYTES_MAX).position(|byte| *byte == Self::SIGN);
            let Some(end) = end else {
                if rest.len() <= Self::BYTES_MAX {
                    break;
                }
                plain.push(rest[0]);
                rest = &rest[1..];
                continue;
            };
            match call_of(&rest[1..=end], token) {
                Some(id) => {
                    if !plain.is_empty() {
                        pieces.push(Piece::Bytes(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Mark(id));
                    rest = &rest[end + 2..];
                }
                None => {
                    plain.push(rest[0]);
                    rest = &rest[1..];
                }
            }
        }
        if rest.first() != Some(&Self::SIGN) {
            plain.extend_from_slice(rest);
            rest = &[];
        }
        self.held = rest.to_vec();
        if !plain.is_empty() {
            pieces.push(Piece::Bytes(plain));
        }
        pieces
    }
}

fn call_of(inner: &[u8], token: &str) -> Option<u64> {
    let id = str::from_utf8(inner).ok()?.strip_prefix(token)?.strip_prefix(':')?;
    id.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_call_is_a_frame_of_json() {
        let mut out = Vec::new();
        let env = [("A".to_owned(), "ä\"".to_owned())];
        let head = Head { id: 7, run: "r", handler: "m:f", env: &env };
        put_call(&mut out, &head, &Arguments::One(b"[1]"));
        let text = str::from_utf8(&out[4..]).unwrap();
        assert_eq!(text, r#"{"id":7,"run":"r","handler":"m:f","env":{"A":"ä\""},"args":[1]}"#);
        assert_eq!(out[..4], u32::try_from(text.len()).unwrap().to_le_bytes());
        let mut out = Vec::new();
        put_call(&mut out, &head, &Arguments::Many(vec![b"[1]", b"{}"]));
        assert!(str::from_utf8(&out[4..]).unwrap().ends_with(r#""batch":[[1],{}]}"#));
    }

    #[test]
    fn marks_are_found_however_they_are_cut() {
        let whole = b"one\x1etok:1\x1etwo\x1e\x1eother:2\x1e\x1etok:3\x1e";
        for cut in 0..whole.len() {
            let mut marks = Marks::default();
            let mut pieces = marks.cut(&whole[..cut], "tok");
            pieces.extend(marks.cut(&whole[cut..], "tok"));
            let mut text = Vec::new();
            let mut found = Vec::new();
            for piece in pieces {
                match piece {
                    Piece::Bytes(bytes) => text.extend(bytes),
                    Piece::Mark(id) => found.push((id, text.len())),
                }
            }
            assert_eq!(found, [(1, 3), (3, text.len())], "{cut}");
            assert_eq!(text, b"onetwo\x1e\x1eother:2\x1e", "{cut}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut rest = bytes.as_slice();
            while let Ok(Some(_)) = take(&mut rest) {}
            let mut marks = Marks::default();
            let pieces = marks.cut(&bytes, "t");
            let long: usize = pieces.iter().map(|piece| match piece {
                Piece::Bytes(bytes) => bytes.len(),
                Piece::Mark(_) => 0,
            }).sum();
            prop_assert!(long <= bytes.len());
        }

        #[test]
        fn any_body_is_said_or_refused(kind in "[HOSRBE]", body in "\\PC{0,80}") {
            let mut frame = u32::try_from(kind.len() + body.len()).unwrap().to_le_bytes().to_vec();
            frame.extend(kind.bytes().chain(body.bytes()));
            let _ = take(&mut frame.as_slice());
        }
    }
}
