//! Undoing in reverse: what was done last is undone first.
//!
//! What undoes a task stands behind all that runs, and waits for what undoes the tasks after it.

use model::control::EdgeCondition;
use model::policy::{Policy, Trigger};
use model::{Graph, TaskId};

use super::Linker;
use crate::definition::TaskDefinition;
use crate::limits::ANCESTOR_STEPS_MAX;

/// What undoes a task, until all tasks have their numbers.
pub(super) struct Undo {
    pub of: u32,
    pub task: TaskDefinition,
    pub policy: Policy,
}

impl Linker<'_> {
    /// Gives what undoes tasks its numbers.
    pub(super) fn place_undo(&mut self) {
        for Undo { of, task, policy } in std::mem::take(&mut self.undo) {
            let trigger = Trigger::Compensation { of: TaskId(of) };
            let policy = self.policy(Policy { trigger, ..policy });
            self.parts.policy_of.push(policy);
            self.definition.tasks_mut().push(task);
        }
    }

    /// Adds the edges between what undoes tasks: that of a task waits for those of the tasks that
    /// came after it, through whatever others.
    ///
    /// # Errors
    /// It takes too long to find them.
    pub(super) fn wire_undo(&mut self) -> Result<(), String> {
        let undone: Vec<(u32, u32)> = (0..)
            .zip(&self.parts.policy_of)
            .filter_map(|(number, &policy)| match self.parts.policies[policy as usize].trigger {
                Trigger::Compensation { of } => Some((of.0, number)),
                _ => None,
            })
            .collect();
        if undone.is_empty() {
            return Ok(());
        }
        let Some(graph) = self.graph() else { return Ok(()) };
        let count = self.definition.len();
        let mut undone_by = vec![None; count];
        undone.iter().for_each(|&(of, number)| undone_by[of as usize] = Some(number));
        let mut walk = Walk { graph: &graph, undone_by, seen: vec![u32::MAX; count], steps: 0 };
        let first_new = self.first;
        for (of, number) in undone {
            let Some(later) = walk.next_undone(of) else {
                return Err("it takes too long to find in which order tasks are undone".to_owned());
            };
            for after in later {
                // What is there already waits for each other already.
                if after >= first_new || number >= first_new {
                    self.push_edge(after, number, EdgeCondition::Succeeded);
                }
            }
        }
        Ok(())
    }
}

struct Walk<'g> {
    graph: &'g Graph,
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
            for next in self.graph.successors(TaskId(task)) {
                self.steps += 1;
                if std::mem::replace(&mut self.seen[next.0 as usize], start) == start {
                    continue;
                }
                match self.undone_by[next.0 as usize] {
                    Some(undo) => found.push(undo),
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
