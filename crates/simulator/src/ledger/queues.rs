//! What each queue has, by the facts: thousandths of cores of live leases.

use std::collections::{BTreeMap, HashMap};

use model::ItemKey;
use model::queue::{DEFAULT_QUEUE, QueueSpec};

use crate::workload::queues::tree;

/// All queues.
#[derive(Debug)]
pub struct Queues {
    /// Those that are set; none if nobody looks at them.
    pub set: Vec<QueueSpec>,
    used: BTreeMap<usize, u64>,
    held: HashMap<ItemKey, (usize, u64)>,
}

impl Default for Queues {
    fn default() -> Self {
        Self { set: tree().queues, used: BTreeMap::new(), held: HashMap::new() }
    }
}

impl Queues {
    /// The place of the queue of a run that names one.
    #[must_use]
    pub fn find(&self, path: &str) -> usize {
        let known = |path: &str| self.set.iter().position(|queue| *queue.path == *path);
        known(path).or_else(|| known(DEFAULT_QUEUE)).expect("it is set")
    }

    /// A queue and all above it.
    pub fn with_those_above(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(at), |&at| self.set[at].parent)
    }

    /// What a queue has, with all below it.
    #[must_use]
    pub fn used(&self, at: usize) -> u64 {
        self.used.get(&at).copied().unwrap_or(0)
    }

    /// Whether a queue may have so much more.
    #[must_use]
    pub fn lets(&self, at: usize, cpu_milli: u64) -> bool {
        self.with_those_above(at).all(|at| {
            let limit = self.set[at].limit.cpu_milli;
            limit.is_none_or(|limit| self.used(at) + cpu_milli <= limit)
        })
    }

    /// Whether a queue has more than it is guaranteed.
    #[must_use]
    pub fn borrows(&self, at: usize) -> bool {
        self.used(at) > self.set[at].guarantee.cpu_milli.unwrap_or(0)
    }

    pub(super) fn take(&mut self, key: ItemKey, path: &str, cpu_milli: u64) {
        let at = self.find(path);
        self.held.insert(key, (at, cpu_milli));
        for above in self.with_those_above(at).collect::<Vec<_>>() {
            *self.used.entry(above).or_default() += cpu_milli;
        }
    }

    pub(super) fn give_back(&mut self, key: ItemKey) {
        let Some((at, cpu_milli)) = self.held.remove(&key) else { return };
        for above in self.with_those_above(at).collect::<Vec<_>>() {
            *self.used.entry(above).or_default() -= cpu_milli;
        }
    }
}
