//! What the planner is asked and what it answers. Data only.

use alloc::vec::Vec;
use model::WorkerId;
use model::resources::{Amounts, ResourceId};

/// Everything the planner may look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// Ready work, by what it asks for. Cost grows with classes times nodes, not with items.
    pub classes: Vec<Class>,
    /// The workers that are connected.
    pub nodes: Vec<Node>,
    /// What may still be taken of limits that nodes know nothing of: of each, how much is left.
    pub allowances: Vec<u64>,
}

/// Ready work that asks for the same amounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// What each item asks for.
    pub request: Amounts,
    /// How long such an item takes in the mean, in microseconds; 0 if unknown.
    pub mean_wall_us: u64,
    /// What each item takes of allowances, besides the one that its group names. Work that takes
    /// any is never lent ahead of room.
    pub draws: Vec<Draw>,
    /// The groups, by ascending `order`.
    pub groups: Vec<Group>,
}

/// What an item takes of an allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The index of the allowance in [`Problem::allowances`].
    pub allowance: u32,
    /// How much an item takes, at least 1.
    pub cost: u64,
    /// How much has to be left untouched: whoever sees a narrower limit than others do.
    pub reserve: u64,
}

/// Items of one task that may start now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its place: a smaller one goes first, over all classes. No two are equal.
    pub order: (u64, u64, u64),
    /// How many items.
    pub count: u32,
    /// The index of the limit in [`Problem::allowances`] of which each item takes one.
    pub allowance: Option<u32>,
}

/// A worker as the planner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Who it is.
    pub worker: WorkerId,
    /// What it has in all.
    pub capacity: Amounts,
    /// What of it no lease takes.
    pub free: Amounts,
    /// How many of its leases have not started.
    pub unstarted: u32,
    /// Whether new work may go there.
    pub accepts: bool,
}

/// What the planner proposes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Groups, or parts of them, with the node that each goes to.
    pub placements: Vec<Placement>,
    /// What was considered and stays, with the reason. A class is refused at most once, since what
    /// is true for its first group is true for those after it.
    pub refusals: Vec<Refusal>,
    /// Whether the fuel ended before all groups were considered.
    pub out_of_fuel: bool,
}

/// Some items of a group for one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The index of the class.
    pub class: u32,
    /// The index of the group in its class.
    pub group: u32,
    /// The index of the node.
    pub node: u32,
    /// How many items.
    pub count: u32,
}

/// A group that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The index of the class.
    pub class: u32,
    /// The index of the first group that it concerns.
    pub group: u32,
    /// Why.
    pub reason: RefusalReason,
}

/// Why a group stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// The allowance of its group is used up. It concerns this group alone.
    Group {
        /// Which.
        allowance: u32,
    },
    /// An allowance that each item of the class draws on does not have enough.
    Draw {
        /// Which.
        allowance: u32,
    },
    /// There is no node at all.
    NoNode,
    /// No node has room now.
    NoRoom(Vec<Shortage>),
    /// No node could hold an item even when free.
    NeverFits(Vec<Shortage>),
}

/// What a node lacks most for an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The node's worker.
    pub worker: WorkerId,
    /// The resource.
    pub resource: ResourceId,
    /// What is asked for.
    pub asked: u64,
    /// What is free.
    pub free: u64,
    /// What the node has in all.
    pub capacity: u64,
}
