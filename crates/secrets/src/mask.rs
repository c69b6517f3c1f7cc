//! Takes secrets out of a stream of bytes, in all their forms, wherever the stream is cut.
//!
//! What was given to a masking and might be the beginning of a secret is held back, at most about
//! the length of the longest form; everything else comes out at once, so that a log stays live.
//! The same bytes give the same result in whatever pieces they come. Forms are found across the
//! breaks that tools put into long lines, and the breaks stay.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use crate::fold::{RUN_BYTES_MIN, Unfolding, fold, run_before};
use crate::needles::needles;
use crate::secret::Secret;

/// What stands where a secret stood.
pub const MASKED: &[u8] = b"***";

/// The secrets that are masked. Cheap to clone: one serves all streams of an attempt.
#[derive(Clone, Default)]
pub struct Mask(Option<Arc<Forms>>);

struct Forms {
    /// Finds the first form, and the longest that begins there.
    finder: AhoCorasick,
    /// Sorted, so that those with a common beginning stand together.
    needles: Vec<Vec<u8>>,
    /// The length of the longest.
    longest: usize,
    /// Whether a form begins with a byte: most places are ruled out by one look.
    begins: [bool; 256],
}

impl Mask {
    /// Masks these secrets, but for those that are shorter than
    /// [`MASKED_BYTES_MIN`](crate::limits::MASKED_BYTES_MIN).
    #[must_use]
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        let mut all: Vec<Vec<u8>> = secrets.into_iter().flat_map(needles).collect();
        all.sort_unstable();
        all.dedup();
        let Some(longest) = all.iter().map(Vec::len).max() else { return Self(None) };
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&all);
        // Needles beyond 2 GiB in all would be needed for it to fail; secrets are bounded.
        let finder = finder.expect("the forms of bounded secrets are far from the limits");
        let mut begins = [false; 256];
        all.iter()
            .filter_map(|form| form.first())
            .for_each(|&byte| begins[usize::from(byte)] = true);
        Self(Some(Arc::new(Forms { finder, needles: all, longest, begins })))
    }

    /// Whether there is nothing to mask.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The most bytes that a masking ever holds back.
    #[must_use]
    pub fn held_back_max(&self) -> usize {
        // Between two breaks that were taken out stands a run; a carriage return waits for its end.
        let breaks = |forms: &Forms| 2 * (forms.longest / RUN_BYTES_MIN + 1) + 1;
        self.0.as_ref().map_or(0, |forms| forms.longest - 1 + breaks(forms))
    }

    /// Begins a stream.
    #[must_use]
    pub fn stream(&self) -> Masking {
        Masking { mask: self.clone(), held: Vec::new(), run: 0 }
    }

    /// Masks bytes that are whole; borrows them if nothing is in them.
    #[must_use]
    pub fn apply<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        self.apply_behind(bytes, 0)
    }

    /// The same for bytes that stand behind `run` others without a blank.
    fn apply_behind<'b>(&self, bytes: &'b [u8], run: usize) -> Cow<'b, [u8]> {
        let Some(forms) = &self.0 else { return Cow::Borrowed(bytes) };
        let folded = fold(bytes, run);
        if !forms.finder.is_match(&*folded.bytes) {
            return Cow::Borrowed(bytes);
        }
        let mut masked = Vec::with_capacity(bytes.len());
        forms.replace(&folded.bytes, folded.bytes.len(), &mut Unfolding::new(&folded), &mut masked);
        Cow::Owned(masked)
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forms = self.0.as_ref().map_or(0, |forms| forms.needles.len());
        write!(f, "Mask({forms} forms)")
    }
}

impl Forms {
    /// Writes `bytes` without the forms that begin before `decided`: as far as that, or further if
    /// a form reaches behind it.
    fn replace(&self, bytes: &[u8], decided: usize, to: &mut Unfolding<'_>, out: &mut Vec<u8>) {
        while to.at < decided {
            let found = self.finder.find(Input::new(bytes).span(to.at..bytes.len()));
            let Some(found) = found.filter(|found| found.start() < decided) else { break };
            to.keep(found.start(), out);
            to.replace(found.end(), MASKED, out);
        }
        to.keep(decided.max(to.at), out);
    }

    /// The first place, not before `from`, whose rest could be the beginning of a form.
    fn open_end(&self, bytes: &[u8], from: usize) -> usize {
        let first = from.max((bytes.len() + 1).saturating_sub(self.longest));
        let mut places = (first..bytes.len()).filter(|&at| self.begins[usize::from(bytes[at])]);
        places.find(|&at| self.is_beginning(&bytes[at..])).unwrap_or(bytes.len())
    }

    /// Whether a form is longer than `rest` and begins with it.
    fn is_beginning(&self, rest: &[u8]) -> bool {
        let next = self.needles.partition_point(|needle| needle.as_slice() <= rest);
        self.needles.get(next).is_some_and(|needle| needle.starts_with(rest))
    }
}

/// A stream that is being masked.
#[derive(Debug)]
pub struct Masking {
    mask: Mask,
    /// The end of what came, if it might be the beginning of a form.
    held: Vec<u8>,
    /// How many bytes without a blank stand before that, as far as it matters.
    run: usize,
}

impl Masking {
    /// Takes the next piece and appends to `out` what is certain.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let Some(forms) = &self.mask.0 else {
            out.extend_from_slice(piece);
            return;
        };
        let joined;
        let bytes = if self.held.is_empty() {
            piece
        } else {
            self.held.extend_from_slice(piece);
            joined = std::mem::take(&mut self.held);
            &joined
        };
        let folded = fold(certain(bytes, self.run), self.run);
        let (text, mut written) = (&*folded.bytes, Unfolding::new(&folded));
        loop {
            let decided = forms.open_end(text, written.at);
            forms.replace(text, decided, &mut written, out);
            // A form that reached behind what was decided may have ended the doubt.
            if written.at <= decided {
                break;
            }
        }
        let (gone, held) = bytes.split_at(written.raw_at);
        self.run = run_before(gone, self.run);
        self.held.extend_from_slice(held);
    }

    /// How many bytes are held back.
    #[must_use]
    pub fn held_back(&self) -> usize {
        self.held.len()
    }

    /// Ends the stream, or a part of it that will not go on: appends what was held back, masked.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let (held, run) = (std::mem::take(&mut self.held), std::mem::take(&mut self.run));
        out.extend_from_slice(&self.mask.apply_behind(&held, run));
    }
}

/// Without a carriage return at the end, if a line feed behind it would make both a tool's break.
fn certain(bytes: &[u8], run: usize) -> &[u8] {
    match bytes.strip_suffix(b"\r") {
        Some(line) if run_before(line, run) >= RUN_BYTES_MIN => line,
        _ => bytes,
    }
}

#[cfg(test)]
mod tests;
