//! Sets of small integers as sorted ranges: how facts name many items or tasks at once.
//!
//! A set built in order costs eight bytes a range. It never holds an empty or a touching range, so
//! two equal sets are equal as values.

use alloc::vec::Vec;
use core::ops::Range;

/// A set of `u32` (item or task ids) as sorted, disjoint, non-touching ranges.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct IdSet {
    ranges: Vec<Range<u32>>,
}

impl IdSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// The ids from `start` up to `end`, `end` not included.
    #[must_use]
    pub fn range(start: u32, end: u32) -> Self {
        let mut set = Self::new();
        set.insert_range(start..end);
        set
    }

    /// The set of one id.
    #[must_use]
    pub fn one(id: u32) -> Self {
        Self::range(id, id + 1)
    }

    /// Adds one id. In ascending order this is constant time.
    pub fn insert(&mut self, id: u32) {
        self.insert_range(id..id + 1);
    }

    /// Adds a range. At or after the last range this is constant time.
    pub fn insert_range(&mut self, new: Range<u32>) {
        if new.is_empty() {
            return;
        }
        match self.ranges.last_mut() {
            Some(last) if new.start >= last.start => {
                if new.start <= last.end {
                    last.end = last.end.max(new.end);
                } else {
                    self.ranges.push(new);
                }
            }
            None => self.ranges.push(new),
            Some(_) => self.insert_before_last(new),
        }
    }

    fn insert_before_last(&mut self, mut new: Range<u32>) {
        let first = self.ranges.partition_point(|range| range.end < new.start);
        let mut end = first;
        while end < self.ranges.len() && self.ranges[end].start <= new.end {
            new.start = new.start.min(self.ranges[end].start);
            new.end = new.end.max(self.ranges[end].end);
            end += 1;
        }
        self.ranges.splice(first..end, [new]);
    }

    /// How many ids are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.iter().map(|range| range.len()).sum()
    }

    /// Whether the set has no ids.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether `id` is in the set.
    #[must_use]
    pub fn contains(&self, id: u32) -> bool {
        let after = self.ranges.partition_point(|range| range.start <= id);
        after > 0 && self.ranges[after - 1].contains(&id)
    }

    /// The ranges, in ascending order.
    #[must_use]
    pub fn ranges(&self) -> &[Range<u32>] {
        &self.ranges
    }

    /// The ids, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().cloned().flatten()
    }
}

impl FromIterator<u32> for IdSet {
    fn from_iter<I: IntoIterator<Item = u32>>(ids: I) -> Self {
        let mut set = Self::new();
        ids.into_iter().for_each(|id| set.insert(id));
        set
    }
}

impl core::fmt::Debug for IdSet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_set().entries(&self.ranges).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn agrees_with_a_plain_set_in_any_order() {
        let mut x = 1;
        for round in 0..200 {
            let mut set = IdSet::new();
            let mut plain = BTreeSet::new();
            for _ in 0..round {
                x = crate::hash::mix(x);
                let start = (x % 60) as u32;
                let end = start + (x >> 32) as u32 % 5;
                set.insert_range(start..end);
                plain.extend(start..end);
            }
            assert!(set.iter().eq(plain.iter().copied()));
            assert_eq!(set.len(), plain.len());
            assert!((0..70).all(|id| set.contains(id) == plain.contains(&id)));
            assert!(set.ranges().windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }
}
