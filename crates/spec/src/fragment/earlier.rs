//! What comes before what in a run that is there: who may be named by what is added.

use model::TaskId;
use model::control::Kind;
use model::graph::GraphParts;
use model::policy::{Policy, Stage};

use crate::definition::Definition;

/// The policy of a task.
pub(super) fn policy(graph: &GraphParts, task: u32) -> &Policy {
    &graph.policies[graph.policy_of[task as usize] as usize]
}

/// By task, the end of the outermost loop whose body it is in; empty without loops.
fn loops(graph: &GraphParts) -> Vec<Option<u32>> {
    if !graph.policies.iter().any(|it| matches!(it.kind, Kind::Loop { .. })) {
        return Vec::new();
    }
    let mut around = vec![None; graph.policy_of.len()];
    let mut open: Option<(u32, u32)> = None;
    let mut task = u32::try_from(around.len()).expect("no more than tasks of a run");
    for policy in graph.policy_of.iter().rev() {
        task -= 1;
        open = open.filter(|(first, _)| *first <= task);
        around[task as usize] = open.map(|(_, end)| end);
        if let (None, Kind::Loop { first, .. }) = (open, graph.policies[*policy as usize].kind) {
            open = Some((first.0, task));
        }
    }
    around
}

/// The tasks of a run by what comes before them.
pub(super) struct Earlier<'g> {
    graph: &'g GraphParts,
    /// `sources[offsets[t]..offsets[t + 1]]` are the tasks that `t` depends on.
    offsets: Vec<u32>,
    sources: Vec<u32>,
    loops: Vec<Option<u32>>,
    by: Option<TaskId>,
    /// Which tasks come before the writer.
    before: Vec<bool>,
}

impl<'g> Earlier<'g> {
    pub(super) fn of(definition: &Definition, graph: &'g GraphParts, by: Option<TaskId>) -> Self {
        let count = definition.len();
        let mut offsets = vec![0_u32; count + 1];
        graph.edges.iter().for_each(|&(_, to)| offsets[to as usize + 1] += 1);
        (0..count).for_each(|index| offsets[index + 1] += offsets[index]);
        let mut next = offsets.clone();
        let mut sources = vec![0; graph.edges.len()];
        for &(from, to) in &graph.edges {
            sources[next[to as usize] as usize] = from;
            next[to as usize] += 1;
        }
        let before = vec![false; if by.is_some() { count } else { 0 }];
        let loops = loops(graph);
        let mut earlier = Self { graph, offsets, sources, loops, by, before };
        if let Some(by) = by {
            for task in earlier.ancestors(by.0, &mut 0) {
                earlier.before[task as usize] = true;
            }
        }
        earlier
    }

    /// Whether what is added may name a task.
    pub(super) fn may_name(&self, task: TaskId) -> bool {
        let is_ordinary = policy(self.graph, task.0).trigger.stage() == Stage::Ordinary;
        is_ordinary && (self.by.is_none_or(|by| by == task) || self.has_ended(task))
    }

    /// Whether a task has ended before anything that is added begins.
    pub(super) fn has_ended(&self, task: TaskId) -> bool {
        self.before.get(task.0 as usize).copied().unwrap_or(false)
    }

    /// The end of the outermost loop whose body a task is in.
    pub(super) fn loop_around(&self, task: TaskId) -> Option<u32> {
        self.loops.get(task.0 as usize).copied().flatten()
    }

    /// All that a task depends on, through whatever others. `steps` is what that took.
    pub(super) fn ancestors(&self, task: u32, steps: &mut usize) -> Vec<u32> {
        let mut seen = vec![false; self.offsets.len() - 1];
        let (mut open, mut found) = (vec![task], Vec::new());
        *steps += seen.len() / 64;
        while let Some(task) = open.pop() {
            let row = self.offsets[task as usize]..self.offsets[task as usize + 1];
            for &source in &self.sources[row.start as usize..row.end as usize] {
                *steps += 1;
                if !std::mem::replace(&mut seen[source as usize], true) {
                    open.push(source);
                    found.push(source);
                }
            }
        }
        found
    }
}
