//! Workers as nodes, and what they hold as leases.

use alloc::vec::Vec;

use model::collections::HashMap;
use model::{ItemKey, Timestamp, VariantId, WorkerId};
use scheduler::{GroupKey, Lease, NodeId, NodeSpec, Taken};

use super::Planning;
use super::classes::Sort;
use crate::state::State;

/// The node of each worker, and back.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    nodes: HashMap<WorkerId, NodeId>,
    workers: Vec<Option<WorkerId>>,
}

impl Nodes {
    pub(super) fn worker(&self, node: NodeId) -> Option<WorkerId> {
        self.workers.get(node.0 as usize).copied().flatten()
    }

    pub(super) fn node(&self, worker: WorkerId) -> Option<NodeId> {
        self.nodes.get(&worker).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (WorkerId, NodeId)> + '_ {
        let numbered = (0..).map(NodeId).zip(&self.workers);
        numbered.filter_map(|(node, worker)| Some(((*worker)?, node)))
    }

    fn insert(&mut self, worker: WorkerId, node: NodeId) {
        let at = node.0 as usize;
        self.workers.resize(self.workers.len().max(at + 1), None);
        self.workers[at] = Some(worker);
        self.nodes.insert(worker, node);
    }

    fn remove(&mut self, worker: WorkerId) -> Option<NodeId> {
        let node = self.nodes.remove(&worker)?;
        self.workers[node.0 as usize] = None;
        Some(node)
    }
}

impl Planning {
    /// Tells that a worker has come, or is gone.
    pub(super) fn tell_worker(&mut self, state: &State, worker: WorkerId) {
        self.lane.is_told = false;
        let known = state.worker(worker).filter(|known| !known.gone);
        match (known, self.nodes.node(worker)) {
            (Some(known), None) => {
                let devices = self.ways.devices(&known.devices);
                let node = self.planner.add_node(NodeSpec {
                    capacity: known.capacity.clone(),
                    devices,
                    speed: known.speed,
                    accepts: false,
                    site: self.ways.sites.number(&known.site),
                    reserved: !known.site.taints.is_empty(),
                });
                self.nodes.insert(worker, node);
            }
            (None, Some(_)) => {
                if let Some(node) = self.nodes.remove(worker) {
                    self.planner.remove_node(node);
                }
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// Tells that an item has been given to its worker.
    pub(super) fn tell_lease(&mut self, state: &State, item: ItemKey, now: Timestamp) {
        self.forget_due(item, now);
        let Some(lease) = state.lease(item) else { return };
        let Some(node) = self.nodes.node(lease.worker) else { return };
        let run = state.run(item.run);
        let tenant = run.map_or(0, |run| self.queues.tenant(&run.admitted().queue));
        let critical = run.is_some_and(|run| run.policy(item.task).critical);
        let sort = Sort { class: lease.class, from: VariantId::default(), tenant, critical };
        let class = self.class(state, sort, now);
        let known = state.classes.get(lease.class);
        let taken = Taken {
            amounts: known.amounts.clone(),
            devices: lease.devices,
            share: known.request.devices.share,
            memory: known.request.devices.memory_bytes,
            tenant: self.ways.get(class).tenant,
        };
        let began_at = lease.leased_at.0;
        let expected = self.expected_item(item, lease.variant);
        let ends_at = began_at.saturating_add(self.planner.duration(node, expected));
        let saved_at = lease.unsaved_since().0;
        let leaves_at = leaves_at(state, item);
        let queue = run.map(|run| self.queues.number(&run.admitted().queue)).unwrap_or_default();
        let (priority, policy) = (self.priority(state, item), run.map(|run| run.policy(item.task)));
        let restart = policy.map_or(0, |policy| policy.restart_cost.0);
        let before = run.map_or(0, |run| run.preempted(item.task, item.item).cost().0);
        let loss = restart.saturating_add(before);
        let lease = Lease {
            class,
            queue,
            taken,
            began_at,
            ends_at,
            saved_at,
            leaves_at,
            priority,
            preemptible: policy.is_some_and(|policy| policy.preemptible),
            loss,
            gang: policy.is_some_and(|policy| policy.gang),
        };
        self.planner.begin(lease_key(item), node, lease);
        self.stirred.insert(item.run);
    }

    /// Tells that an item has saved its work.
    pub(super) fn tell_saved(&mut self, state: &State, item: ItemKey) {
        if let Some(lease) = state.lease(item) {
            self.planner.checkpointed(lease_key(item), lease.unsaved_since().0);
        }
    }

    /// Tells that an item is to leave its worker.
    pub(super) fn tell_leaving(&mut self, state: &State, item: ItemKey) {
        if let Some(by) = leaves_at(state, item) {
            self.planner.leaves(lease_key(item), by);
        }
    }

    /// Tells that an item is no longer with its worker.
    pub(super) fn tell_return(&mut self, state: &State, item: ItemKey, now: Timestamp) {
        self.planner.end(now.0, lease_key(item));
        self.stirred.insert(item.run);
        self.note_end(state, item.run, now);
    }
}

/// When an item that was told to leave its worker is gone at the latest, in microseconds.
fn leaves_at(state: &State, item: ItemKey) -> Option<u64> {
    let since = state.lease(item)?.leaves_since()?;
    let grace = state.run(item.run)?.policy(item.task).grace;
    Some(since.0.saturating_add(grace.0))
}

/// The name of a lease.
const fn lease_key(item: ItemKey) -> GroupKey {
    GroupKey { run: item.run.0, task: item.task.0, item: item.item.0 }
}
