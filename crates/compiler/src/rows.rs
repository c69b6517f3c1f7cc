//! Compressed sparse rows: for each row a slice of one array.
//!
//! A layout and nothing else: it removes no node and no edge, and no report may count it as if it
//! did. Rows and entries are dense `u32`; what they mean is known where they are used.

use alloc::vec;
use alloc::vec::Vec;

/// Rows of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Row `r` is `entries[offsets[r]..offsets[r + 1]]`.
    offsets: Vec<u32>,
    entries: Vec<u32>,
}

impl Rows {
    /// Counting sort of (row, entry) by row; a row keeps the order in which its entries come.
    /// O(rows + pairs).
    pub(crate) fn new(rows: usize, pairs: &[(u32, u32)]) -> Self {
        let mut offsets = vec![0; rows + 1];
        pairs.iter().for_each(|&(row, _)| offsets[row as usize + 1] += 1);
        accumulate(&mut offsets);
        let mut next = offsets.clone();
        let mut entries = vec![0; pairs.len()];
        for &(row, entry) in pairs {
            let slot = &mut next[row as usize];
            entries[*slot as usize] = entry;
            *slot += 1;
        }
        Self { offsets, entries }
    }

    /// For each of `rows` classes the numbers of the places in `class_of` that name it, ascending.
    pub(crate) fn group(rows: usize, class_of: &[u32]) -> Self {
        let mut offsets = vec![0; rows + 1];
        class_of.iter().for_each(|&class| offsets[class as usize + 1] += 1);
        accumulate(&mut offsets);
        let mut next = offsets.clone();
        let mut entries = vec![0; class_of.len()];
        for (place, &class) in (0..).zip(class_of) {
            let slot = &mut next[class as usize];
            entries[*slot as usize] = place;
            *slot += 1;
        }
        Self { offsets, entries }
    }

    /// Rows of which the lengths and all entries in their order are known.
    pub(crate) fn from_lengths(lengths: &[u32], entries: Vec<u32>) -> Self {
        let mut offsets = vec![0; lengths.len() + 1];
        offsets[1..].copy_from_slice(lengths);
        accumulate(&mut offsets);
        Self { offsets, entries }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// How many entries all rows have.
    pub(crate) fn entry_count(&self) -> usize {
        self.entries.len()
    }

    /// The entries of a row.
    pub(crate) fn row(&self, row: u32) -> &[u32] {
        let row = row as usize;
        &self.entries[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    /// How many entries a row has.
    pub(crate) fn row_len(&self, row: u32) -> u32 {
        self.offsets[row as usize + 1] - self.offsets[row as usize]
    }

    /// All rows with their numbers, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &[u32])> {
        (0..).zip(self.offsets.windows(2)).map(|(row, ends)| {
            let entries = &self.entries[ends[0] as usize..ends[1] as usize];
            (row, entries)
        })
    }

    /// For each of `columns` entries the rows that it stands in, ascending. O(rows + entries).
    pub(crate) fn transposed(&self, columns: usize) -> Self {
        let mut offsets = vec![0; columns + 1];
        self.entries.iter().for_each(|&entry| offsets[entry as usize + 1] += 1);
        accumulate(&mut offsets);
        let mut next = offsets.clone();
        let mut entries = vec![0; self.entries.len()];
        for (row, columns) in self.iter() {
            for &column in columns {
                let slot = &mut next[column as usize];
                entries[*slot as usize] = row;
                *slot += 1;
            }
        }
        Self { offsets, entries }
    }

    /// What they take, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        4 * (self.offsets.len() as u64 + self.entries.len() as u64)
    }
}

/// Turns lengths, each one place after its own, into offsets.
pub(crate) fn accumulate(offsets: &mut [u32]) {
    for index in 1..offsets.len() {
        offsets[index] += offsets[index - 1];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_the_order_of_their_entries_and_transposing_sorts_them() {
        let rows = Rows::new(3, &[(2, 5), (0, 4), (2, 1), (2, 3)]);
        assert_eq!(rows.row(0), [4]);
        assert_eq!(rows.row(1), [0; 0]);
        assert_eq!(rows.row(2), [5, 1, 3]);
        let sorted = rows.transposed(6).transposed(3);
        assert_eq!(sorted.row(2), [1, 3, 5]);
        assert_eq!((sorted.len(), sorted.entry_count(), sorted.row_len(2)), (3, 4, 3));
        assert_eq!(sorted.bytes(), 4 * (4 + 4));
    }

    #[test]
    fn no_rows_are_fine() {
        let rows = Rows::new(0, &[]);
        assert_eq!((rows.len(), rows.iter().count()), (0, 0));
        assert_eq!(rows.transposed(0), rows);
    }

    #[test]
    fn rows_are_made_of_their_lengths() {
        let rows = Rows::from_lengths(&[1, 0, 2], vec![7, 8, 9]);
        assert_eq!(rows, Rows::new(3, &[(0, 7), (2, 8), (2, 9)]));
        assert_eq!(Rows::group(3, &[2, 0, 2]), Rows::new(3, &[(0, 1), (2, 0), (2, 2)]));
    }
}
