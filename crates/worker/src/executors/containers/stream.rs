//! What a container writes, as an engine sends it: pieces with a head that says which stream it is
//! and how long. What is beyond the bound of a log is dropped and counted.

use artifacts::logs::Stream;

/// A head: the stream, three zeros, and the length of what follows.
const HEAD_BYTES: usize = 8;

/// Takes pieces apart as they come.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    waiting: Vec<u8>,
    /// What is left of the piece that is being read.
    current: Option<(Stream, usize)>,
}

impl Pieces {
    /// Hands on what has come, in order.
    pub(super) fn take(&mut self, bytes: &[u8], mut hand_on: impl FnMut(Stream, &[u8])) {
        self.waiting.extend_from_slice(bytes);
        let mut rest = self.waiting.as_slice();
        loop {
            let (stream, length) = match self.current {
                Some(current) => current,
                None => {
                    let Some((head, after)) = rest.split_first_chunk::<HEAD_BYTES>() else { break };
                    rest = after;
                    let [kind, _, _, _, length @ ..] = *head;
                    let stream = if kind == 2 { Stream::Err } else { Stream::Out };
                    (stream, u32::from_be_bytes(length) as usize)
                }
            };
            let (piece, after) = rest.split_at(length.min(rest.len()));
            rest = after;
            if !piece.is_empty() {
                hand_on(stream, piece);
            }
            let left = length - piece.len();
            self.current = (left > 0).then_some((stream, left));
            if left > 0 {
                break;
            }
        }
        self.waiting = rest.to_vec();
    }
}

/// How much may still be kept, and how much was not.
#[derive(Debug)]
pub(super) struct Kept {
    left: u64,
    pub dropped: u64,
}

impl Kept {
    pub(super) const fn new() -> Self {
        Self { left: model::limits::LOG_BYTES_MAX, dropped: 0 }
    }

    /// The part that is kept.
    pub(super) fn admit<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let kept = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= kept as u64;
        self.dropped += (bytes.len() - kept) as u64;
        &bytes[..kept]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_out_as_they_went_in_however_they_are_cut() {
        let mut sent = Vec::new();
        let pieces: [(u8, &[u8]); 4] = [(1, b"one\n"), (2, b"two"), (1, b""), (1, b"three")];
        for (kind, piece) in pieces {
            sent.extend([kind, 0, 0, 0]);
            sent.extend((piece.len() as u32).to_be_bytes());
            sent.extend(piece);
        }
        for size in 1..=sent.len() {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let mut reader = Pieces::default();
            for cut in sent.chunks(size) {
                reader.take(cut, |stream, bytes| match stream {
                    Stream::Out => out.extend_from_slice(bytes),
                    Stream::Err => err.extend_from_slice(bytes),
                });
            }
            assert_eq!((&out[..], &err[..]), (&b"one\nthree"[..], &b"two"[..]), "{size}");
        }
    }
}
