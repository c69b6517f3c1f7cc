//! The one planner: groups in order, each to the node with the most room.
//!
//! Where no node has room, short work is lent ahead ("prefill"): a node that runs such items gets a
//! few more than it can start at once, so that its slots do not wait for a commit. How many follows
//! from the mean duration, so that what is lent is started within [`PREFILL_HORIZON_US`].

use alloc::collections::BinaryHeap;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use model::limits::PREFILL_MAX;

use crate::fit::{fits, nearest_miss};
use crate::problem::{Node, Placement, Plan, Problem, Refusal, RefusalReason, Shortage};

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
    allowances: Vec<u32>,
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
            let allowed = wanted.allowance.map_or(left, |index| self.allowances[index as usize]);
            if allowed == 0 {
                return self.refuse(class, group, RefusalReason::Allowance);
            }
            self.fuel = self.fuel.saturating_sub(self.nodes.len() as u64);
            let Some((node, room)) = self.roomiest(class).or_else(|| self.keenest(class)) else {
                self.blocked[class as usize] = true;
                let reason = self.reason(class);
                return self.refuse(class, group, reason);
            };
            let count = left.min(allowed).min(room);
            self.take(class, node, count);
            if let Some(index) = wanted.allowance {
                self.allowances[index as usize] -= count;
            }
            left -= count;
            self.plan.placements.push(Placement { class, group, node, count });
        }
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
mod tests {
    use super::*;
    use crate::problem::{Class, Group};
    use model::WorkerId;
    use model::hash::mix;

    fn node(worker: u32, cores: u64) -> Node {
        let capacity = vec![cores * 1_000];
        Node {
            worker: WorkerId(worker),
            free: capacity.clone(),
            capacity,
            unstarted: 0,
            accepts: true,
        }
    }

    fn class(milli: u64, groups: &[(u64, u32)]) -> Class {
        let group = |&(order, count)| Group { order: (order, 0, 0), count, allowance: None };
        Class { request: vec![milli], mean_wall_us: 0, groups: groups.iter().map(group).collect() }
    }

    fn placed(plan: &Plan) -> Vec<(u32, u32, u32, u32)> {
        plan.placements.iter().map(|p| (p.class, p.group, p.node, p.count)).collect()
    }

    #[test]
    fn the_more_urgent_group_goes_first_over_all_classes() {
        let problem = Problem {
            classes: vec![class(1_000, &[(5, 1), (7, 1)]), class(2_000, &[(1, 1), (6, 1)])],
            nodes: vec![node(1, 4)],
            allowances: vec![],
        };
        let plan = plan(&problem, 1_000);
        assert_eq!(placed(&plan), [(1, 0, 0, 1), (0, 0, 0, 1), (0, 1, 0, 1)]);
        let [refusal] = &plan.refusals[..] else { panic!("one refusal: {:?}", plan.refusals) };
        assert_eq!((refusal.class, refusal.group), (1, 1));
        let RefusalReason::NoRoom(misses) = &refusal.reason else { panic!("{refusal:?}") };
        assert_eq!((misses[0].asked, misses[0].free, misses[0].capacity), (2_000, 1_000, 4_000));
    }

    #[test]
    fn what_never_fits_says_so_and_blocks_nobody_else() {
        let problem = Problem {
            classes: vec![class(9_000, &[(0, 1)]), class(1_000, &[(1, 2)])],
            nodes: vec![node(1, 2)],
            allowances: vec![],
        };
        let plan = plan(&problem, 1_000);
        assert_eq!(placed(&plan), [(1, 0, 0, 2)]);
        assert!(matches!(plan.refusals[0].reason, RefusalReason::NeverFits(_)));
    }

    #[test]
    fn short_work_is_lent_ahead_of_room_and_long_work_is_not() {
        let mut short = class(1_000, &[(0, 1_000)]);
        short.mean_wall_us = 500;
        let problem = Problem { classes: vec![short], nodes: vec![node(1, 2)], allowances: vec![] };
        assert_eq!(placed(&plan(&problem, 1_000)), [(0, 0, 0, 2), (0, 0, 0, 198)]);
        let mut long = problem;
        long.classes[0].mean_wall_us = 10_000_000;
        assert_eq!(placed(&plan(&long, 1_000)), [(0, 0, 0, 2)]);
    }

    #[test]
    fn an_allowance_is_never_exceeded_and_stops_its_own_group_only() {
        let mut one = class(1_000, &[(0, 5), (1, 5)]);
        one.groups[0].allowance = Some(0);
        let problem = Problem { classes: vec![one], nodes: vec![node(1, 4)], allowances: vec![2] };
        assert_eq!(placed(&plan(&problem, 1_000)), [(0, 0, 0, 2), (0, 1, 0, 2)]);
    }

    #[test]
    fn fuel_bounds_the_work_and_is_reported() {
        let groups: Vec<_> = (0..100).map(|order| (order, 1)).collect();
        let problem = Problem {
            classes: vec![class(1, &groups)],
            nodes: vec![node(1, 4)],
            allowances: vec![],
        };
        let short = plan(&problem, 10);
        assert!(short.out_of_fuel);
        assert_eq!(short.placements.len(), 10);
    }

    /// For one class, filling nodes greedily is optimal: brute force agrees on the number placed.
    #[test]
    fn no_capacity_is_exceeded_and_none_is_left_that_would_do() {
        let mut seed = 7;
        let mut draw = |below: u64| {
            seed = mix(seed);
            seed % below
        };
        for _ in 0..2_000 {
            let nodes: Vec<_> = (0..draw(4) as u32).map(|id| node(id, draw(5))).collect();
            let classes: Vec<_> = (0..1 + draw(3))
                .map(|index| class(500 * (1 + draw(4)), &[(index, draw(7) as u32)]))
                .collect();
            let problem = Problem { classes, nodes, allowances: vec![] };
            let plan = plan(&problem, 10_000);
            let mut free: Vec<_> = problem.nodes.iter().map(|node| node.free[0]).collect();
            let mut left: Vec<_> = problem.classes.iter().map(|c| c.groups[0].count).collect();
            for p in &plan.placements {
                let used = problem.classes[p.class as usize].request[0] * u64::from(p.count);
                free[p.node as usize] = free[p.node as usize].checked_sub(used).expect("fits");
                left[p.class as usize] -= p.count;
            }
            for (class, left) in problem.classes.iter().zip(left) {
                let room = free.iter().any(|&free| free >= class.request[0]);
                assert!(left == 0 || !room, "{problem:?} {plan:?}");
            }
        }
    }
}
