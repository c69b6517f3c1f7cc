//! What hides the secrets of an attempt in all that it prints and leaves.

use artifacts::logs::Stream;
use secrets::{Mask, Masking, Secret};

/// Hides the secrets of an attempt in what it prints.
pub(super) struct Veil {
    pub(super) mask: Mask,
    out: Masking,
    err: Masking,
}

impl Veil {
    pub(super) fn new(secrets: &[Secret]) -> Self {
        let mask = Mask::new(secrets);
        Self { out: mask.stream(), err: mask.stream(), mask }
    }

    pub(super) fn hide(&mut self, stream: Stream, bytes: &[u8]) -> Vec<u8> {
        let masking = if stream == Stream::Out { &mut self.out } else { &mut self.err };
        let mut hidden = Vec::with_capacity(bytes.len());
        masking.push(bytes, &mut hidden);
        hidden
    }

    /// What was held back because a secret might have begun in it.
    pub(super) fn finish(&mut self) -> Vec<(Stream, Vec<u8>)> {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        self.out.finish(&mut out);
        self.err.finish(&mut err);
        let rests = [(Stream::Out, out), (Stream::Err, err)];
        rests.into_iter().filter(|(_, rest)| !rest.is_empty()).collect()
    }
}
