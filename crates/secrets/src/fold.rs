//! Takes out the breaks that tools put into long lines, so that what they broke is found whole.
//!
//! `base64` breaks its lines after 76 letters, PEM after 64, `xxd -p` after 60, and `fold` where it
//! is told to. Where that is in a secret depends on what stands before it, so no list of forms has
//! them all. A break behind a long run of bytes without a blank is taken for one of these; others
//! stay, so that ordinary lines are neither put together nor held back.
//!
//! What is a tool's break depends on the bytes before it alone. It never looks ahead.

use std::borrow::Cow;

/// From how many bytes without a blank on a line the break behind them is taken for a tool's.
pub(crate) const RUN_BYTES_MIN: usize = 16;

/// Bytes without the breaks of tools.
pub(crate) struct Folded<'b> {
    raw: &'b [u8],
    /// What is left.
    pub bytes: Cow<'b, [u8]>,
    /// The breaks that were taken out, in order.
    breaks: Vec<Break>,
}

/// A break that was taken out.
#[derive(Clone, Copy)]
struct Break {
    /// It stood before the byte of this place.
    at: usize,
    /// And that byte was there before.
    raw_at: usize,
}

/// Takes the breaks of tools out of `raw`, before which there are `run` bytes without a blank.
pub(crate) fn fold(raw: &[u8], run: usize) -> Folded<'_> {
    let (mut left, mut breaks, mut from) = (Vec::new(), Vec::new(), 0);
    for line_feed in memchr::memchr_iter(b'\n', raw) {
        let line = &raw[..line_feed];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if run_before(line, run) >= RUN_BYTES_MIN {
            if breaks.is_empty() {
                left.reserve_exact(raw.len());
            }
            left.extend_from_slice(&line[from..]);
            from = line_feed + 1;
            breaks.push(Break { at: left.len(), raw_at: from });
        }
    }
    if breaks.is_empty() {
        return Folded { raw, bytes: Cow::Borrowed(raw), breaks };
    }
    left.extend_from_slice(&raw[from..]);
    Folded { raw, bytes: Cow::Owned(left), breaks }
}

/// How many bytes at the end of `raw` have no blank among them, as far as it matters; `run` stand
/// before it.
pub(crate) fn run_before(raw: &[u8], run: usize) -> usize {
    let near = raw.iter().rev().take(RUN_BYTES_MIN);
    let own = near.take_while(|&&byte| byte > b' ' && byte != 0x7f).count();
    if own == raw.len() { (own + run).min(RUN_BYTES_MIN) } else { own }
}

/// Writes folded bytes, or something in their place, with the breaks where they were.
pub(crate) struct Unfolding<'f> {
    folded: &'f Folded<'f>,
    /// How many folded bytes have been written.
    pub at: usize,
    /// How many bytes that is before they were folded.
    pub raw_at: usize,
}

impl<'f> Unfolding<'f> {
    pub(crate) const fn new(folded: &'f Folded<'f>) -> Self {
        Self { folded, at: 0, raw_at: 0 }
    }

    /// Writes the bytes up to `end` and the breaks among and behind them.
    pub(crate) fn keep(&mut self, end: usize, out: &mut Vec<u8>) {
        let breaks = &self.folded.breaks;
        let last = breaks.partition_point(|next| next.at <= end).checked_sub(1);
        let raw_end = last.map_or(end, |last| breaks[last].raw_at + end - breaks[last].at);
        out.extend_from_slice(&self.folded.raw[self.raw_at..raw_end]);
        (self.at, self.raw_at) = (end, raw_end);
    }

    /// Writes `mask` in the place of the bytes up to `end`, on each of their lines, and the breaks
    /// among and behind them.
    pub(crate) fn replace(&mut self, end: usize, mask: &[u8], out: &mut Vec<u8>) {
        let breaks = &self.folded.breaks;
        let next = breaks.partition_point(|next| next.at <= self.at);
        for &Break { at, raw_at } in breaks[next..].iter().take_while(|next| next.at <= end) {
            out.extend_from_slice(mask);
            out.extend_from_slice(&self.folded.raw[self.raw_at + at - self.at..raw_at]);
            (self.at, self.raw_at) = (at, raw_at);
        }
        if end > self.at {
            out.extend_from_slice(mask);
            self.raw_at += end - self.at;
            self.at = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(raw: &str, run: usize) -> String {
        String::from_utf8(fold(raw.as_bytes(), run).bytes.into_owned()).expect("text as before")
    }

    #[test]
    fn only_breaks_behind_long_runs_are_taken_out() {
        assert_eq!(folded("0123456789abcdef\nxy\nz", 0), "0123456789abcdefxy\nz");
        assert_eq!(folded("0123456789abcdef\r\nxy\r\nz", 0), "0123456789abcdefxy\r\nz");
        assert_eq!(folded("0123456789abcde\nxy", 0), "0123456789abcde\nxy");
        assert_eq!(folded("0123456789abcde\nxy", 1), "0123456789abcdexy");
        assert_eq!(folded("0123456789 bcdefghijk\nxy", 9), "0123456789 bcdefghijk\nxy");
        assert_eq!(folded("\n\nxy", 16), "\nxy");
        assert_eq!(folded("\r\nxy", 16), "xy");
    }

    #[test]
    fn breaks_come_back_where_they_were() {
        let raw = b"0123456789abcdef\r\n0123456789ABCDEF\nend\n";
        let folded = fold(raw, 0);
        let (mut unfolding, mut out) = (Unfolding::new(&folded), Vec::new());
        unfolding.keep(12, &mut out);
        assert_eq!((unfolding.at, unfolding.raw_at), (12, 12));
        unfolding.replace(18, b"***", &mut out);
        assert_eq!((unfolding.at, unfolding.raw_at), (18, 20));
        unfolding.keep(32, &mut out);
        assert_eq!(out, b"0123456789ab***\r\n***23456789ABCDEF\n");
        unfolding.keep(folded.bytes.len(), &mut out);
        assert_eq!(unfolding.raw_at, raw.len());
    }
}
