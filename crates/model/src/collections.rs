//! Hash maps whose hasher is fixed: the same everywhere, with no seed from the machine.
//!
//! Their iteration order may still never decide anything: whoever iterates sorts, or folds with an
//! operation that commutes.

use rustc_hash::FxBuildHasher;

/// A hash map with the fixed hasher.
pub type HashMap<K, V> = hashbrown::HashMap<K, V, FxBuildHasher>;
/// A hash set with the fixed hasher.
pub type HashSet<K> = hashbrown::HashSet<K, FxBuildHasher>;
