//! Undoing in reverse: what was done last is undone first.

use model::control::EdgeCondition;
use model::{Graph, TaskId};

use super::graph::TaskGraph;
use super::steps::{Role, Steps};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::limits::ANCESTOR_STEPS_MAX;

/// Adds the edges between compensations: that of a task waits for those of the tasks that came
/// after it, through whatever others.
pub(super) fn add_edges(steps: &Steps<'_>, graph: &mut TaskGraph, faults: &mut Faults) {
    let Some(ordinary) = &graph.graph else { return };
    let mut undone_by = vec![None; steps.list.len()];
    let mut undone: Vec<(u32, u32)> = Vec::new();
    for (number, step) in (0..).zip(&steps.list) {
        if let Role::Compensation { of } = step.role {
            undone_by[of as usize] = Some(number);
            undone.push((of, number));
        }
    }
    let mut walk = Walk { ordinary, undone_by, seen: vec![u32::MAX; steps.list.len()], steps: 0 };
    for (of, compensation) in undone {
        let Some(later) = walk.next_undone(of) else {
            let message = "it takes too long to find in which order tasks are undone";
            return faults.push(Fault::nowhere(code::TOO_LARGE, message));
        };
        for after in later {
            graph.edges.push((after, compensation));
            graph.conditions.push(EdgeCondition::Succeeded);
        }
    }
}

struct Walk<'g> {
    ordinary: &'g Graph,
    /// By task, what undoes it.
    undone_by: Vec<Option<u32>>,
    /// By task, the last start that it was reached from.
    seen: Vec<u32>,
    steps: usize,
}

impl Walk<'_> {
    /// What undoes the nearest tasks after one; nothing when the budget of all walks is used up.
    fn next_undone(&mut self, start: u32) -> Option<Vec<u32>> {
        let mut found = Vec::new();
        let mut open = vec![start];
        while let Some(task) = open.pop() {
            for next in self.ordinary.successors(TaskId(task)) {
                self.steps += 1;
                if std::mem::replace(&mut self.seen[next.0 as usize], start) == start {
                    continue;
                }
                match self.undone_by[next.0 as usize] {
                    Some(compensation) => found.push(compensation),
                    None => open.push(next.0),
                }
            }
            if self.steps > ANCESTOR_STEPS_MAX {
                return None;
            }
        }
        found.sort_unstable();
        Some(found)
    }
}
