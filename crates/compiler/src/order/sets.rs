//! Disjoint sets of numbers (Tarjan 1975). The smallest number of a set stands for it.

use alloc::vec::Vec;

/// Sets of the numbers `0..count`.
pub(super) struct Sets {
    parents: Vec<u32>,
}

impl Sets {
    /// A set for each number.
    pub(super) fn new(count: usize) -> Self {
        Self { parents: (0..count as u32).collect() }
    }

    /// Makes a number a set again. Every other number of its old set must be made one too.
    pub(super) fn reset(&mut self, number: u32) {
        self.parents[number as usize] = number;
    }

    /// The smallest number of the set of `number`.
    pub(super) fn find(&mut self, mut number: u32) -> u32 {
        loop {
            let parent = self.parents[number as usize];
            if parent == number {
                return number;
            }
            let above = self.parents[parent as usize];
            self.parents[number as usize] = above;
            number = above;
        }
    }

    /// Makes the sets of two numbers one.
    pub(super) fn unite(&mut self, a: u32, b: u32) {
        let (a, b) = (self.find(a), self.find(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_number_stands_for_its_set() {
        let mut sets = Sets::new(6);
        sets.unite(4, 2);
        sets.unite(5, 4);
        sets.unite(0, 1);
        let found: Vec<u32> = (0..6).map(|number| sets.find(number)).collect();
        assert_eq!(found, [0, 0, 2, 3, 2, 2]);
        [2, 4, 5].into_iter().for_each(|number| sets.reset(number));
        assert_eq!(sets.find(5), 5);
    }
}
