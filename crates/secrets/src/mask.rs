//! Takes secrets out of a stream of bytes, in all their forms, wherever the stream is cut.
//!
//! What was given to a masking and might be the beginning of a secret is held back, at most one
//! byte less than the longest form; everything else comes out at once, so that a log stays live.
//! The same bytes give the same result in whatever pieces they come.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, Input, MatchKind};

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
        self.0.as_ref().map_or(0, |forms| forms.longest - 1)
    }

    /// Begins a stream.
    #[must_use]
    pub fn stream(&self) -> Masking {
        Masking { mask: self.clone(), held: Vec::new() }
    }

    /// Masks bytes that are whole; borrows them if nothing is in them.
    #[must_use]
    pub fn apply<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        match &self.0 {
            Some(forms) if forms.finder.is_match(bytes) => {
                let mut masked = Vec::with_capacity(bytes.len());
                forms.replace(bytes, bytes.len(), &mut masked);
                Cow::Owned(masked)
            }
            _ => Cow::Borrowed(bytes),
        }
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forms = self.0.as_ref().map_or(0, |forms| forms.needles.len());
        write!(f, "Mask({forms} forms)")
    }
}

impl Forms {
    /// Writes `bytes` without the forms that begin before `decided`; returns where it ended, which
    /// is `decided` or behind it if a form reaches further.
    fn replace(&self, bytes: &[u8], decided: usize, out: &mut Vec<u8>) -> usize {
        let mut at = 0;
        while at < decided {
            let found = self.finder.find(Input::new(bytes).span(at..bytes.len()));
            match found.filter(|found| found.start() < decided) {
                Some(found) => {
                    out.extend_from_slice(&bytes[at..found.start()]);
                    out.extend_from_slice(MASKED);
                    at = found.end();
                }
                None => {
                    out.extend_from_slice(&bytes[at..decided]);
                    at = decided;
                }
            }
        }
        at
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
        let mut at = 0;
        loop {
            let decided = forms.open_end(bytes, at);
            at += forms.replace(&bytes[at..], decided - at, out);
            // A form that reached behind what was decided may have ended the doubt.
            if at <= decided {
                break;
            }
        }
        self.held.extend_from_slice(&bytes[at..]);
    }

    /// How many bytes are held back.
    #[must_use]
    pub fn held_back(&self) -> usize {
        self.held.len()
    }

    /// Ends the stream, or a part of it that will not go on: appends what was held back, masked.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        out.extend_from_slice(&self.mask.apply(&held));
    }
}

#[cfg(test)]
mod tests;
