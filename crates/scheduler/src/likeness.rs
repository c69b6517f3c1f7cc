//! Nodes that are alike, so that what is worked out for one holds for all: those of one kind on
//! which the same is free. A fleet of thousands has few such states where little runs.

use alloc::vec::Vec;

use model::collections::HashMap;

use super::backlog::ClassId;

/// What an item costs on a node.
pub(super) type NodeCost = (u64, u64);

/// The states of nodes that a plan has met.
#[derive(Debug, Default)]
pub(super) struct Likeness {
    states: HashMap<(u32, Vec<u64>), u32>,
    /// The state of each node, if it is known.
    of_node: Vec<Option<u32>>,
    costs: HashMap<(ClassId, u32), NodeCost>,
}

impl Likeness {
    pub(super) fn new(nodes: usize) -> Self {
        Self { of_node: alloc::vec![None; nodes], ..Self::default() }
    }

    /// The state of a node of a kind, with what is free on it.
    pub(super) fn state(&mut self, node: usize, kind: u32, free: &[u64]) -> u32 {
        if let Some(known) = self.of_node[node] {
            return known;
        }
        let next = u32::try_from(self.states.len()).expect("fewer states than placements");
        let state = *self.states.entry((kind, free.to_vec())).or_insert(next);
        self.of_node[node] = Some(state);
        state
    }

    /// What is free on a node has changed.
    pub(super) fn changed(&mut self, node: usize) {
        self.of_node[node] = None;
    }

    /// What an item of a class costs on a node in a state; worked out once.
    pub(super) fn cost(
        &mut self,
        class: ClassId,
        state: u32,
        work_out: impl FnOnce() -> NodeCost,
    ) -> NodeCost {
        *self.costs.entry((class, state)).or_insert_with(work_out)
    }
}
