//! Wiring: the edges of a unit between the tasks that it has become.
//!
//! Within a copy its tasks wait for each other; who is outside waits for all copies. An edge to a
//! task that a file stands for leads to the first tasks of that file.

use model::control::{EdgeCondition, Kind};
use model::limits::EDGES_MAX;

use super::call::Border;
use super::place::{Instance, Placing};
use super::{CopiedGroup, Linker};
use crate::code;
use crate::params::fault;

impl Linker<'_> {
    pub(super) fn wire(&mut self, placing: &Placing<'_>) {
        let parts = &placing.unit.parts;
        for (index, &(from, to)) in parts.edges.iter().enumerate() {
            let condition = parts.conditions.get(index).copied().unwrap_or_default();
            let shared = shared_copies(&placing.unit.structure.copied, from, to);
            for source in &placing.instances[from as usize] {
                let wanted = &source.path[..shared];
                let targets = &placing.instances[to as usize];
                let first = targets.partition_point(|it| &it.path[..shared] < wanted);
                let targets = targets[first..].iter();
                for target in targets.take_while(|it| &it.path[..shared] == wanted) {
                    self.wire_one(source, target, condition);
                }
                if self.parts.edges.len() > EDGES_MAX {
                    let message = format!("the workflow has more than {EDGES_MAX} edges");
                    return self.faults.push(fault(code::TOO_LARGE, message));
                }
            }
        }
        for instance in placing.instances.iter().flatten() {
            for &exit in instance.border.iter().flat_map(|border| &border.exits) {
                self.push_edge(exit, instance.number, EdgeCondition::Succeeded);
            }
        }
    }

    fn wire_one(&mut self, source: &Instance, target: &Instance, condition: EdgeCondition) {
        match &target.border {
            Some(border) => {
                for &entry in &border.entries {
                    self.push_edge(source.number, entry, condition);
                }
            }
            None => self.push_edge(source.number, target.number, condition),
        }
        let policy = |number: u32| {
            let policy = self.parts.policy_of[number as usize];
            &self.parts.policies[policy as usize]
        };
        // The end of a turn waits for all of its body. The body of a loop within it is waited for
        // through the end of that loop.
        if source.border.is_some()
            && target.border.is_none()
            && matches!(policy(target.number).kind, Kind::Loop { .. })
            && source.number < target.number
        {
            let mut left = source.number;
            let mut members = Vec::new();
            while left > source.start {
                let member = left - 1;
                members.push(member);
                left = match policy(member).kind {
                    Kind::Loop { first, .. } => first.0,
                    _ => member,
                };
            }
            for member in members {
                self.push_edge(member, target.number, condition);
            }
        }
    }

    /// The first and the last of the tasks from `first` on, by the edges from `first_edge` on.
    pub(super) fn border(&self, first: u32, first_edge: usize) -> Border {
        let count = (self.next() - first) as usize;
        let (mut has_before, mut has_next) = (vec![false; count], vec![false; count]);
        let within = |task: u32| task.checked_sub(first).map(|task| task as usize);
        for &(from, to) in &self.parts.edges[first_edge..] {
            if let (Some(from), Some(to)) = (within(from), within(to)) {
                (has_next[from], has_before[to]) = (true, true);
            }
        }
        let open =
            |has: &[bool]| (first..).zip(has).filter(|(_, has)| !**has).map(|(it, _)| it).collect();
        Border { entries: open(&has_before), exits: open(&has_next) }
    }
}

/// How many groups with copies two tasks are both in.
fn shared_copies(copied: &[CopiedGroup], one: u32, other: u32) -> usize {
    let around =
        copied.iter().filter(|it| it.members.contains(&one) && it.members.contains(&other));
    around.count()
}
