//! A small generator, so that a seed names a run.

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % bound.max(1)
    }

    pub(crate) fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// Changes some bytes: marks, cuts, repetitions, and words from elsewhere.
pub(crate) fn mutate(bytes: &mut Vec<u8>, random: &mut Random, words: &[Vec<u8>]) {
    const MARKS: &[u8] = b"{}[]:,-&*!|>'\"%#\n\t @`?~<\\\0\xff";
    let at = random.below(bytes.len() + 1);
    let end = at + random.below(20).min(bytes.len() - at);
    match random.below(6) {
        0 => bytes.insert(at, MARKS[random.below(MARKS.len())]),
        1 if at < bytes.len() => bytes[at] = MARKS[random.below(MARKS.len())],
        2 => drop(bytes.drain(at..end)),
        3 if !words.is_empty() => {
            let word = words[random.below(words.len())].clone();
            drop(bytes.splice(at..at, word));
        }
        4 => {
            let piece = bytes[at..end].to_vec();
            let to = random.below(bytes.len() + 1);
            drop(bytes.splice(to..to, piece));
        }
        _ => bytes.truncate(at.max(1)),
    }
}
