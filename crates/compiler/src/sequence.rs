//! A list of numbers that is short where the numbers are regular: runs with a constant step are
//! stored as three words, the rest number by number, no wider than the largest of them needs.
//!
//! It is how tables stay small: what a workflow file says in a loop has numbers that go up by a
//! constant, and what is the same for many goes up by nothing. It is exact for every list, and
//! never longer than a few words more than the list.

use alloc::vec::Vec;

/// Shorter runs are not worth their words: such a run costs a segment, and so does what is spelt
/// out behind it.
const RUN_MIN: usize = 8;

/// Numbers in an order. 12 bytes for each run and each stretch between runs, and 1, 2 or 4 for each
/// number that is in no run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    len: u32,
    segments: Vec<Segment>,
    /// The numbers that are in no run, in their order.
    spelt: Spelt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    /// The index of its first number; it ends where the next begins.
    first: u32,
    /// Its first number, or where it begins in `spelt`.
    base: u32,
    /// What each number is more than the one before, modulo 2^32; `SPELT` if it is no run.
    step: u32,
}

/// No run has this step; such a one is spelt out.
const SPELT: u32 = 1 << 31;

/// Numbers of one width.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Spelt {
    Bytes(Vec<u8>),
    Shorts(Vec<u16>),
    Words(Vec<u32>),
}

impl Default for Spelt {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl Sequence {
    /// Stores numbers. O(numbers).
    pub(crate) fn new(numbers: &[u32]) -> Self {
        let mut segments: Vec<Segment> = Vec::new();
        let mut spelt = Vec::new();
        let mut at = 0;
        while at < numbers.len() {
            let run = run_len(&numbers[at..]);
            let first = at as u32;
            if run >= RUN_MIN {
                let step = numbers[at + 1].wrapping_sub(numbers[at]);
                segments.push(Segment { first, base: numbers[at], step });
                at += run;
                continue;
            }
            if segments.last().is_none_or(|last| last.step != SPELT) {
                segments.push(Segment { first, base: spelt.len() as u32, step: SPELT });
            }
            spelt.push(numbers[at]);
            at += 1;
        }
        segments.shrink_to_fit();
        Self { len: numbers.len() as u32, segments, spelt: Spelt::new(spelt) }
    }

    /// How many numbers there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number at `index`. O(log runs).
    ///
    /// # Panics
    /// If there are not so many.
    #[must_use]
    pub fn get(&self, index: u32) -> u32 {
        assert!(index < self.len, "the sequence has {} numbers", self.len);
        let after = self.segments.partition_point(|segment| segment.first <= index);
        let Segment { first, base, step } = self.segments[after - 1];
        match step {
            SPELT => self.spelt.get((base + (index - first)) as usize),
            _ => base.wrapping_add((index - first).wrapping_mul(step)),
        }
    }

    /// All numbers in their order. O(numbers).
    #[must_use]
    pub fn to_vec(&self) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(self.len());
        let ends = self.segments.iter().skip(1).map(|next| next.first).chain([self.len]);
        for (segment, end) in self.segments.iter().zip(ends) {
            let &Segment { first, base, step } = segment;
            let places = 0..end - first;
            if step == SPELT {
                numbers.extend(places.map(|at| self.spelt.get((base + at) as usize)));
            } else {
                numbers.extend(places.map(|at| base.wrapping_add(at.wrapping_mul(step))));
            }
        }
        numbers
    }

    /// What it takes, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        4 + (size_of::<Segment>() * self.segments.len()) as u64 + self.spelt.bytes()
    }
}

impl Spelt {
    /// Stores numbers as narrow as the largest of them allows.
    fn new(numbers: Vec<u32>) -> Self {
        let largest = numbers.iter().copied().max().unwrap_or(0);
        if largest <= u32::from(u8::MAX) {
            Self::Bytes(numbers.into_iter().map(|number| number as u8).collect())
        } else if largest <= u32::from(u16::MAX) {
            Self::Shorts(numbers.into_iter().map(|number| number as u16).collect())
        } else {
            Self::Words(numbers.into_boxed_slice().into_vec())
        }
    }

    fn get(&self, index: usize) -> u32 {
        match self {
            Self::Bytes(numbers) => u32::from(numbers[index]),
            Self::Shorts(numbers) => u32::from(numbers[index]),
            Self::Words(numbers) => numbers[index],
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Bytes(numbers) => numbers.len() as u64,
            Self::Shorts(numbers) => 2 * numbers.len() as u64,
            Self::Words(numbers) => 4 * numbers.len() as u64,
        }
    }
}

/// How many numbers at the head go up by the same step.
fn run_len(numbers: &[u32]) -> usize {
    let [first, second, ..] = numbers else { return numbers.len() };
    let step = second.wrapping_sub(*first);
    if step == SPELT {
        return 1;
    }
    let differs = |pair: &[u32]| pair[1].wrapping_sub(pair[0]) != step;
    numbers.windows(2).position(differs).map_or(numbers.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: &[u32], bytes: u64) {
        let sequence = Sequence::new(numbers);
        assert_eq!(sequence.to_vec(), numbers);
        let each: Vec<u32> = (0..numbers.len() as u32).map(|index| sequence.get(index)).collect();
        assert_eq!(each, numbers);
        assert_eq!(sequence.bytes(), bytes, "{sequence:?}");
    }

    #[test]
    fn runs_take_three_words_whatever_their_length() {
        check(&(0..1_000_000).collect::<Vec<_>>(), 4 + 12);
        check(&(0..100).map(|at| 1_000 - 7 * at).collect::<Vec<_>>(), 4 + 12);
        check(&[4; 9], 4 + 12);
    }

    #[test]
    fn what_is_in_no_run_is_spelt_out_no_wider_than_need_be() {
        check(&[], 4);
        check(&[9], 4 + 12 + 1);
        check(&[5, 1, 4, 2, 8, 0, 7, 3], 4 + 12 + 8);
        check(&[5, 1, 400, 2], 4 + 12 + 4 * 2);
        check(&[5, u32::MAX, 1], 4 + 12 + 3 * 4);
        check(&[0, SPELT, 0, SPELT, 0, SPELT, 0, SPELT, 0], 4 + 12 + 9 * 4);
        let mixed: Vec<u32> = [3, 1].into_iter().chain(1_000..2_000).chain([2, 9]).collect();
        check(&mixed, 4 + 3 * 12 + 4);
    }
}
