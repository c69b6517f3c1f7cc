//! The one planner: groups in order, each to the node with the most room.
//!
//! Where no node has room, short work is lent ahead ("prefill"): a node that runs such items gets a
//! few more than it can start at once, so that its slots do not wait for a commit. How many follows
//! from the mean duration, so that what is lent is started within [`PREFILL_HORIZON_US`]. What draws
//! on an allowance is never lent ahead: while it waited there it would keep others from having it.

use alloc::collections::BinaryHeap;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use model::limits::PREFILL_MAX;

use crate::fit::{fits, nearest_miss};
use crate::problem::{Group, Node, Placement, Plan, Problem, Refusal, RefusalReason, Shortage};

/// Work that is lent ahead of room is started within about this time, in microseconds: several
/// commits of a slow disk, and too short for anyone to miss a worker that stands idle elsewhere.
const PREFILL_HORIZON_US: u64 = 50_000;

/// How many nodes a refusal names: those that come nearest.
const SHORTAGES_MAX: usize = 8;

/// Plans until all groups are placed or refused, or `fuel` is used up: one unit for each node that
/// is looked at.
#[must_use]
pub fn plan(problem: &Problem, fuel: u64) -> Plan {
    let mut planner = Planner {
        problem,
        nodes: problem.nodes.clone(),
        allowances: problem.allowances.clone(),
        blocked: vec![false; problem.classes.len()],
        fuel,
        plan: Plan::default(),
    };
    planner.run();
    planner.plan
}

struct Planner<'a> {
    problem: &'a Problem,
    nodes: Vec<Node>,
    allowances: Vec<u64>,
    blocked: Vec<bool>,
    fuel: u64,
    plan: Plan,
}

impl Planner<'_> {
    fn run(&mut self) {
        let classes = &self.problem.classes;
        let mut next: BinaryHeap<_> = (0u32..)
            .zip(classes)
            .filter_map(|(index, class)| Some(Reverse((class.groups.first()?.order, index, 0u32))))
            .collect();
        while let Some(Reverse((_, class, group))) = next.pop() {
            if self.fuel < self.nodes.len() as u64 {
                self.plan.out_of_fuel = true;
                return;
            }
            self.place(class, group);
            let following = &classes[class as usize].groups.get(group as usize + 1);
            if let Some(following) = following
                && !self.blocked[class as usize]
            {
                next.push(Reverse((following.order, class, group + 1)));
            }
        }
    }

    /// Places as many items of a group as can be, node by node.
    fn place(&mut self, class: u32, group: u32) {
        let wanted = &self.problem.classes[class as usize].groups[group as usize];
        let mut left = wanted.count;
        while left > 0 {
            let allowed = match self.allowed(class, wanted) {
                Ok(allowed) => left.min(allowed),
                Err(reason) => {
                    self.blocked[class as usize] |= !matches!(reason, RefusalReason::Group { .. });
                    return self.refuse(class, group, reason);
                }
            };
            self.fuel = self.fuel.saturating_sub(self.nodes.len() as u64);
            let Some((node, room)) = self.roomiest(class).or_else(|| self.keenest(class)) else {
                self.blocked[class as usize] = true;
                let reason = self.reason(class);
                return self.refuse(class, group, reason);
            };
            let count = allowed.min(room);
            self.take(class, node, count);
            self.draw(class, wanted, count);
            left -= count;
            self.plan.placements.push(Placement { class, group, node, count });
        }
    }

    /// How many items of a group the allowances let through, at least one.
    fn allowed(&self, class: u32, wanted: &Group) -> Result<u32, RefusalReason> {
        let mut allowed = u64::MAX;
        if let Some(allowance) = wanted.allowance {
            allowed = self.allowances[allowance as usize];
            if allowed == 0 {
                return Err(RefusalReason::Group { allowance });
            }
        }
        for draw in &self.problem.classes[class as usize].draws {
            let open = self.allowances[draw.allowance as usize].saturating_sub(draw.reserve);
            let times = open.checked_div(draw.cost).unwrap_or(u64::MAX);
            if times == 0 {
                // What no node can ever hold is told so, however long it waits for its turn.
                return Err(match self.reason(class) {
                    never @ RefusalReason::NeverFits(_) => never,
                    _ => RefusalReason::Draw { allowance: draw.allowance },
                });
            }
            allowed = allowed.min(times);
        }
        Ok(u32::try_from(allowed).unwrap_or(u32::MAX))
    }

    fn draw(&mut self, class: u32, wanted: &Group, count: u32) {
        let mut take = |allowance: u32, cost: u64| {
            let left = &mut self.allowances[allowance as usize];
            *left = left.saturating_sub(cost.saturating_mul(u64::from(count)));
        };
        wanted.allowance.into_iter().for_each(|allowance| take(allowance, 1));
        let draws = &self.problem.classes[class as usize].draws;
        draws.iter().for_each(|draw| take(draw.allowance, draw.cost));
    }

    /// The node in which most items of the class fit now; the first of equals.
    fn roomiest(&self, class: u32) -> Option<(u32, u32)> {
        let request = &self.problem.classes[class as usize].request;
        let rooms = (0u32..).zip(&self.nodes).filter(|(_, node)| node.accepts);
        rooms
            .map(|(index, node)| (index, fits(request, &node.free)))
            .filter(|&(_, room)| room > 0)
            .max_by_key(|&(index, room)| (room, Reverse(index)))
    }

    /// The node that may be lent most items of the class ahead of room; the first of equals.
    fn keenest(&self, class: u32) -> Option<(u32, u32)> {
        let class = &self.problem.classes[class as usize];
        if !class.draws.is_empty() {
            return None;
        }
        let horizon = PREFILL_HORIZON_US.checked_div(class.mean_wall_us)?;
        let rooms = (0u32..).zip(&self.nodes).filter(|(_, node)| node.accepts);
        rooms
            .map(|(index, node)| {
                let slots = u64::from(fits(&class.request, &node.capacity));
                let depth = slots.saturating_mul(horizon).min(u64::from(PREFILL_MAX));
                let depth = u32::try_from(depth).expect("at most PREFILL_MAX");
                (index, depth.saturating_sub(node.unstarted))
            })
            .filter(|&(_, room)| room > 0)
            .max_by_key(|&(index, room)| (room, Reverse(index)))
    }

    fn take(&mut self, class: u32, node: u32, count: u32) {
        let request = &self.problem.classes[class as usize].request;
        let node = &mut self.nodes[node as usize];
        node.unstarted = node.unstarted.saturating_add(count);
        for (free, asked) in node.free.iter_mut().zip(request) {
            *free = free.saturating_sub(asked.saturating_mul(u64::from(count)));
        }
    }

    fn refuse(&mut self, class: u32, group: u32, reason: RefusalReason) {
        self.plan.refusals.push(Refusal { class, group, reason });
    }

    fn reason(&self, class: u32) -> RefusalReason {
        let request = &self.problem.classes[class as usize].request;
        if self.nodes.is_empty() {
            return RefusalReason::NoNode;
        }
        let possible = self.nodes.iter().any(|node| fits(request, &node.capacity) > 0);
        let shortages = |of: fn(&Node) -> &[u64]| {
            let mut shortages: Vec<_> =
                self.nodes.iter().filter_map(|node| shortage(request, node, of(node))).collect();
            shortages.sort_by_key(|shortage| shortage.asked - shortage.free);
            shortages.truncate(SHORTAGES_MAX);
            shortages
        };
        if possible {
            RefusalReason::NoRoom(shortages(|node| &node.free))
        } else {
            RefusalReason::NeverFits(shortages(|node| &node.capacity))
        }
    }
}

fn shortage(request: &[u64], node: &Node, free: &[u64]) -> Option<Shortage> {
    let (resource, asked, free) = nearest_miss(request, free)?;
    let capacity = node.capacity.get(usize::from(resource.0)).copied().unwrap_or(0);
    Some(Shortage { worker: node.worker, resource, asked, free, capacity })
}

#[cfg(test)]
mod tests;
