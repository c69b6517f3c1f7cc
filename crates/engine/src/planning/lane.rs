//! The room that is kept for critical work: told in the planner's amounts, and what there is of it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use model::WorkerId;
use model::resources::{ResourceId, WHOLE_DEVICE};
use scheduler::{Kept, LaneUse, NodeId};

use super::Planning;
use super::queues::quota;
use crate::state::State;

/// What is kept on a worker for critical work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRoom {
    /// The worker.
    pub worker: WorkerId,
    /// Of each resource that is kept there.
    pub resources: Vec<KeptResource>,
}

/// What is kept of a resource: milli-CPU, bytes, thousandths of GPUs, or units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptResource {
    /// `cpu`, `memory`, `gpu` or a custom one.
    pub resource: Box<str>,
    /// How much.
    pub kept: u64,
    /// How much of that critical work has.
    pub used: u64,
}

/// What the planner was told of the lane.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// How many resources had names then.
    named: usize,
    /// Whether workers are as they were.
    pub(super) is_told: bool,
}

impl Planning {
    /// Tells what is kept, whenever a worker has come or gone or a resource has got a number.
    pub(super) fn tell_lane(&mut self, state: &State) {
        let (kept, named) = (&self.rules().queues.kept, state.classes.resource_count());
        if kept.is_empty() || (self.lane.is_told && self.lane.named == named) {
            return;
        }
        let quota = quota(kept, &state.classes);
        let kept = Kept {
            amounts: quota.amounts.iter().map(|amount| amount.unwrap_or(0)).collect(),
            devices: quota.devices.unwrap_or(0) / u64::from(WHOLE_DEVICE),
        };
        // In the order in which they joined, whatever numbers nodes have.
        let mut nodes: Vec<(WorkerId, NodeId)> = self.nodes.iter().collect();
        nodes.sort_unstable();
        let nodes: Vec<NodeId> = nodes.into_iter().map(|(_, node)| node).collect();
        self.planner.keep(&kept, &nodes);
        self.lane = Lane { named, is_told: true };
    }

    /// What is kept on each worker for critical work.
    pub(crate) fn kept_rooms(&self, state: &State) -> Vec<KeptRoom> {
        let room = |it: LaneUse| {
            Some(KeptRoom { worker: self.worker(it.node)?, resources: resources(&it, state) })
        };
        self.planner.lane().filter_map(room).collect()
    }

    /// The same of one node.
    pub(crate) fn kept_room(&self, state: &State, node: NodeId) -> Option<KeptRoom> {
        let worker = self.worker(node)?;
        let kept = self.planner.lane().find(|it| it.node == node)?;
        Some(KeptRoom { worker, resources: resources(&kept, state) })
    }
}

fn resources(lane: &LaneUse, state: &State) -> Vec<KeptResource> {
    let amounts = (0..).map(ResourceId).zip(lane.amounts.iter().copied());
    let amounts = amounts.map(|(id, (kept, used))| KeptResource {
        resource: state.classes.resource_name(id).into(),
        kept,
        used,
    });
    let (kept, used) = lane.devices;
    let all = amounts.chain([KeptResource { resource: "gpu".into(), kept, used }]);
    all.filter(|it| it.kept > 0).collect()
}
