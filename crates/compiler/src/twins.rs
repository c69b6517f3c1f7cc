//! Which nodes have equal neighbours on one side: the classes of columns that stand in the same
//! rows.
//!
//! Exact, by partition refinement without a hash (as in Habib, Paul and Viennot 1999, "Partition
//! refinement techniques"): each row splits every class into what it holds and what it does not.
//! It looks at no label.

use alloc::vec;
use alloc::vec::Vec;

use crate::rows::Rows;

/// A class of each column, and how many columns each class has.
pub(crate) struct Twins {
    class_of: Vec<u32>,
    sizes: Vec<u32>,
}

impl Twins {
    /// The classes of `columns` columns: two are in one class if the same rows hold them.
    /// O(rows + entries + columns).
    pub(crate) fn new(rows: &Rows, columns: usize) -> Self {
        let mut class_of = vec![0; columns];
        let mut sizes = vec![columns as u32];
        // Of each class which row split it last, and what holds the part that the row holds.
        let mut split_by = vec![u32::MAX];
        let mut part = vec![0];
        let mut unused = Vec::new();
        let mut emptied = Vec::new();
        for (row, held) in rows.iter() {
            for &column in held {
                let old = class_of[column as usize];
                let index = old as usize;
                if split_by[index] != row {
                    split_by[index] = row;
                    part[index] = unused.pop().unwrap_or_else(|| {
                        sizes.push(0);
                        split_by.push(u32::MAX);
                        part.push(0);
                        sizes.len() as u32 - 1
                    });
                }
                let new = part[index];
                // What came out of a split is whole: no column stands in a row twice.
                class_of[column as usize] = new;
                sizes[new as usize] += 1;
                sizes[index] -= 1;
                if sizes[index] == 0 {
                    emptied.push(old);
                }
            }
            unused.append(&mut emptied);
        }
        Self { class_of, sizes }
    }

    /// The class of a column.
    pub(crate) fn class(&self, column: u32) -> u32 {
        self.class_of[column as usize]
    }

    /// Whether no other column is like this one.
    pub(crate) fn is_alone(&self, column: u32) -> bool {
        self.sizes[self.class(column) as usize] == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_alike_if_the_same_rows_hold_them() {
        let rows = Rows::new(3, &[(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2), (2, 3)]);
        let twins = Twins::new(&rows, 6);
        assert_eq!(twins.class(4), twins.class(5));
        assert!(!twins.is_alone(4));
        assert!((0..4).all(|column| twins.is_alone(column)));
        let mut classes: Vec<_> = (0..5).map(|column| twins.class(column)).collect();
        classes.sort_unstable();
        classes.dedup();
        assert_eq!(classes.len(), 5);
    }

    #[test]
    fn a_row_that_holds_a_whole_class_splits_nothing() {
        let rows = Rows::new(4, &[(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (3, 2)]);
        let twins = Twins::new(&rows, 4);
        assert_eq!(twins.class(0), twins.class(1));
        assert!(twins.is_alone(2) && twins.is_alone(3));
        assert!(twins.sizes.len() <= 4);
    }
}
