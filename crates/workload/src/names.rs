//! Names, each kept once: a million tasks have few kinds, and often few names.
//!
//! Names are looked up by number alone; nothing here says what they are names of.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::limits::NAMES_BYTES_MAX;

/// The number of a name in its [`Names`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameId(pub u32);

/// Names in the order in which they were first met. The first is the empty one.
#[derive(Clone, Debug)]
pub struct Names {
    text: String,
    /// Where each ends in the text.
    ends: Vec<u32>,
    known: HashTable<u32>,
}

impl Default for Names {
    fn default() -> Self {
        let mut names = Self { text: String::new(), ends: Vec::new(), known: HashTable::new() };
        names.intern("").expect("there is room for nothing");
        names
    }
}

impl Names {
    /// The number of a name, which is new or not; nothing if there is no room for a new one.
    pub fn intern(&mut self, name: &str) -> Option<NameId> {
        let Self { text, ends, known } = self;
        let hash = FxBuildHasher.hash_one(name);
        if let Some(&found) = known.find(hash, |&number| at(text, ends, number) == name) {
            return Some(NameId(found));
        }
        let end = text.len() + name.len();
        if end > NAMES_BYTES_MAX {
            return None;
        }
        let number = u32::try_from(ends.len()).ok()?;
        text.push_str(name);
        ends.push(u32::try_from(end).ok()?);
        known.insert_unique(hash, number, |&number| FxBuildHasher.hash_one(at(text, ends, number)));
        Some(NameId(number))
    }

    /// A name by its number; empty if there is none.
    #[must_use]
    pub fn get(&self, name: NameId) -> &str {
        at(&self.text, &self.ends, name.0)
    }

    /// How many distinct names there are, the empty one among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none but the empty one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.len() <= 1
    }

    /// What they take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.capacity() + 4 * self.ends.capacity() + self.known.allocation_size()
    }
}

fn at<'t>(text: &'t str, ends: &[u32], number: u32) -> &'t str {
    let Some(&end) = ends.get(number as usize) else { return "" };
    let before = (number as usize).checked_sub(1).and_then(|before| ends.get(before));
    let start = before.map_or(0, |&start| start as usize);
    text.get(start..end as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_kept_once() {
        let mut names = Names::default();
        let [a, b, again, empty] = ["a", "bé", "a", ""].map(|name| names.intern(name).unwrap());
        assert_eq!((a, again, empty), (NameId(1), NameId(1), NameId(0)));
        assert_eq!((names.get(a), names.get(b), names.get(empty)), ("a", "bé", ""));
        assert_eq!((names.get(NameId(99)), names.len()), ("", 3));
    }

    #[test]
    fn many_names_stay_apart() {
        let mut names = Names::default();
        let numbers: Vec<_> = (0..5_000).map(|n| names.intern(&format!("t{n}")).unwrap()).collect();
        assert!((0..5_000).all(|n| names.get(numbers[n]) == format!("t{n}")));
        assert_eq!(names.intern("t77"), Some(numbers[77]));
    }
}
