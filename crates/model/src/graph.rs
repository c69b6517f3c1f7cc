//! The compiled graph of a workflow: tasks as dense numbers, edges as compressed sparse rows.
//!
//! It holds what the engine needs to decide and nothing a person reads: no name, no script. It is
//! built once, checked (acyclic, within limits), content-addressed, and never changes.

use alloc::vec;
use alloc::vec::Vec;

use crate::control::{EdgeCondition, Join, Kind};
use crate::limits::{EDGES_MAX, ITEMS_PER_TASK_MAX, TASKS_PER_RUN_MAX};
use crate::policy::{Policy, Trigger};
use crate::{Digest, TaskId};

/// A checked, immutable graph. About 16 bytes a task and 4 an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    digest: Digest,
    policies: Vec<Policy>,
    policy_of: Vec<u32>,
    /// `successors[offsets[t]..offsets[t + 1]]` are the tasks that depend on `t`.
    offsets: Vec<u32>,
    successors: Vec<u32>,
    /// What each edge waits for, as `successors`; empty if all wait for success.
    conditions: Vec<EdgeCondition>,
    /// Fan-outs only, ascending by task; every other task has one item.
    fan_outs: Vec<(TaskId, u32)>,
    ranks: Vec<u32>,
}

/// The plain parts of a graph, as they are stored: what [`Graph::new`] checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphParts {
    /// Distinct policies.
    pub policies: Vec<Policy>,
    /// For each task the index of its policy.
    pub policy_of: Vec<u32>,
    /// Edges as (dependency, dependent), without repetition.
    pub edges: Vec<(u32, u32)>,
    /// For each edge what it waits for; empty if all wait for success.
    pub conditions: Vec<EdgeCondition>,
    /// (task, number of items) of each fan-out, ascending by task.
    pub fan_outs: Vec<(u32, u32)>,
}

/// Why parts do not make a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GraphError {
    /// These tasks depend on each other in this order, the last on the first.
    Cycle(Vec<TaskId>),
    /// A number points outside the graph, or a list is out of order.
    Malformed(&'static str),
    /// More of something than the limit allows.
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
}

impl Graph {
    /// Checks `parts` and builds the graph that is known as `digest`. O(tasks + edges).
    ///
    /// # Errors
    /// A cycle, an index out of range, or a size above its limit.
    pub fn new(digest: Digest, parts: GraphParts) -> Result<Self, GraphError> {
        let GraphParts { policies, policy_of, edges, conditions, fan_outs } = parts;
        check_sizes(policy_of.len(), edges.len())?;
        if policy_of.iter().any(|&policy| policy as usize >= policies.len()) {
            return Err(GraphError::Malformed("a task's policy does not exist"));
        }
        let fan_outs = check_fan_outs(fan_outs, policy_of.len())?;
        let Rows { offsets, successors, conditions } =
            compress(policy_of.len(), &edges, &conditions)?;
        let mut graph = Self {
            digest,
            policies,
            policy_of,
            offsets,
            successors,
            conditions,
            fan_outs,
            ranks: Vec::new(),
        };
        graph.check_references()?;
        graph.ranks = graph.compute_ranks()?;
        Ok(graph)
    }

    /// The parts that this graph was made of; edges ordered by dependency.
    #[must_use]
    pub fn to_parts(&self) -> GraphParts {
        let edges = self
            .tasks()
            .flat_map(|from| self.successors(from).map(move |to| (from.0, to.0)))
            .collect();
        GraphParts {
            policies: self.policies.clone(),
            policy_of: self.policy_of.clone(),
            edges,
            conditions: self.conditions.clone(),
            fan_outs: self.fan_outs.iter().map(|&(task, items)| (task.0, items)).collect(),
        }
    }

    /// The content address of the stored form.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// How many tasks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.policy_of.len()
    }

    /// Whether there are no tasks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.policy_of.is_empty()
    }

    /// How many edges there are.
    #[must_use]
    pub fn edge_count(&self) -> usize {
        self.successors.len()
    }

    /// All tasks, ascending.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = TaskId> + use<> {
        let count = u32::try_from(self.len()).expect("checked against TASKS_PER_RUN_MAX");
        (0..count).map(TaskId)
    }

    /// The distinct policies.
    #[must_use]
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// The index of a task's policy in [`Graph::policies`].
    #[must_use]
    pub fn policy_index(&self, task: TaskId) -> usize {
        self.policy_of[task.0 as usize] as usize
    }

    /// How a task is run.
    #[must_use]
    pub fn policy(&self, task: TaskId) -> &Policy {
        &self.policies[self.policy_index(task)]
    }

    /// The tasks that depend on `task`.
    pub fn successors(&self, task: TaskId) -> impl ExactSizeIterator<Item = TaskId> + '_ {
        let index = task.0 as usize;
        let row = self.offsets[index] as usize..self.offsets[index + 1] as usize;
        self.successors[row].iter().map(|&next| TaskId(next))
    }

    /// The edges out of `task`: who depends on it, and on what of it.
    pub fn edges_from(
        &self,
        task: TaskId,
    ) -> impl ExactSizeIterator<Item = (TaskId, EdgeCondition)> + '_ {
        let index = task.0 as usize;
        let row = self.offsets[index] as usize..self.offsets[index + 1] as usize;
        let condition = |edge: usize| self.conditions.get(edge).copied().unwrap_or_default();
        row.map(move |edge| (TaskId(self.successors[edge]), condition(edge)))
    }

    /// Whether somebody counts on a failure of this task: it is then no reason to stop the run. Of
    /// a task in a loop it is enough that somebody counts on a failure of the loop, which fails
    /// with it.
    #[must_use]
    pub fn expects_failure(&self, task: TaskId) -> bool {
        self.is_failure_caught(task)
            || self.successors(task).any(|next| self.is_loop(next) && self.expects_failure(next))
    }

    /// Whether somebody other than the end of a loop around it counts on a failure of this task.
    #[must_use]
    pub fn is_failure_caught(&self, task: TaskId) -> bool {
        self.edges_from(task).any(|(next, condition)| {
            // A loop waits for the end of its body whatever comes of it, and counts on success.
            let waits_for_all = self.policy(next).join == Join::AllDone && !self.is_loop(next);
            condition.expects_failure() || waits_for_all
        })
    }

    fn is_loop(&self, task: TaskId) -> bool {
        matches!(self.policy(task).kind, Kind::Loop { .. })
    }

    /// The tasks that `task` depends on, by a scan of all edges: for people's questions only.
    pub fn predecessors(&self, task: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        self.tasks().filter(move |&from| self.successors(from).any(|to| to == task))
    }

    /// For each task how many others it depends on.
    #[must_use]
    pub fn dependency_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.len()];
        self.successors.iter().for_each(|&to| counts[to as usize] += 1);
        counts
    }

    /// How many items a task has.
    #[must_use]
    pub fn items(&self, task: TaskId) -> u32 {
        self.fan_out(task).unwrap_or(1)
    }

    /// How many items a task has if it is a fan-out.
    #[must_use]
    pub fn fan_out(&self, task: TaskId) -> Option<u32> {
        let found = self.fan_outs.binary_search_by_key(&task, |&(task, _)| task).ok()?;
        Some(self.fan_outs[found].1)
    }

    /// All fan-outs with their numbers of items, ascending by task.
    #[must_use]
    pub fn fan_outs(&self) -> &[(TaskId, u32)] {
        &self.fan_outs
    }

    /// The number of tasks on the longest path from `task` to an end, itself included: tasks of
    /// greater rank are more urgent (Kelley and Walker 1959, with every duration one).
    #[must_use]
    pub fn rank(&self, task: TaskId) -> u32 {
        self.ranks[task.0 as usize]
    }

    /// What policies say of other tasks: a loop's body stands before its end, which waits for all
    /// of it, and what a task undoes is a task.
    fn check_references(&self) -> Result<(), GraphError> {
        let named = self.policies.iter().any(|policy| {
            matches!(policy.kind, Kind::Loop { .. })
                || matches!(policy.trigger, Trigger::Compensation { .. })
        });
        if !named {
            return Ok(());
        }
        for task in self.tasks() {
            let Policy { kind, trigger, .. } = self.policy(task);
            if matches!(kind, Kind::Loop { first, .. } if *first >= task) {
                return Err(GraphError::Malformed("a loop has no body"));
            }
            if matches!(trigger, Trigger::Compensation { of } if of.0 as usize >= self.len()) {
                return Err(GraphError::Malformed("a task that is to be undone does not exist"));
            }
        }
        self.check_bodies()
    }

    /// A body runs again as a whole, so nothing of it may still run when its loop asks, and nothing
    /// outside may rest on one turn of it: each task of a body leads to its loop, and no edge
    /// leaves a body but from its loop.
    fn check_bodies(&self) -> Result<(), GraphError> {
        let mut innermost: Vec<Option<(TaskId, TaskId)>> = vec![None; self.len()];
        for end in self.tasks() {
            let Policy { kind: Kind::Loop { first, .. }, join, .. } = self.policy(end) else {
                continue;
            };
            if *join != Join::AllDone {
                return Err(GraphError::Malformed("a loop does not wait for the end of its body"));
            }
            // Of nested loops the inner one ends first.
            let body = &mut innermost[first.0 as usize..end.0 as usize];
            body.iter_mut().for_each(|inner| *inner = inner.or(Some((*first, end))));
        }
        for (task, inner) in self.tasks().zip(innermost) {
            let Some((first, end)) = inner else { continue };
            if self.successors(task).any(|next| next < first || next > end) {
                return Err(GraphError::Malformed("an edge leaves the body of a loop"));
            }
            if !self.successors(task).any(|next| next == end) {
                return Err(GraphError::Malformed("a loop does not wait for all of its body"));
            }
        }
        Ok(())
    }

    /// All tasks in an order in which each stands after those it depends on.
    fn topological_order(&self) -> Result<Vec<u32>, GraphError> {
        let mut waiting_for = self.dependency_counts();
        let mut order: Vec<u32> =
            (0..).zip(&waiting_for).filter(|x| *x.1 == 0).map(|x| x.0).collect();
        let mut next = 0;
        while let Some(&task) = order.get(next) {
            next += 1;
            for successor in self.successors(TaskId(task)) {
                let count = &mut waiting_for[successor.0 as usize];
                *count -= 1;
                if *count == 0 {
                    order.push(successor.0);
                }
            }
        }
        if order.len() < self.len() { Err(self.find_cycle(&waiting_for)) } else { Ok(order) }
    }

    /// Every task left waiting has a dependency that is left waiting: walking back repeats a task.
    fn find_cycle(&self, waiting_for: &[u32]) -> GraphError {
        let mut before = vec![u32::MAX; self.len()];
        for task in self.tasks().filter(|task| waiting_for[task.0 as usize] > 0) {
            self.successors(task).for_each(|next| before[next.0 as usize] = task.0);
        }
        let stuck = |task: &u32| waiting_for[*task as usize] > 0;
        let mut at = (0..).take(self.len()).find(stuck).expect("called with a task left waiting");
        let mut seen = vec![false; self.len()];
        while !core::mem::replace(&mut seen[at as usize], true) {
            at = before[at as usize];
        }
        let mut cycle = vec![TaskId(at)];
        let mut back = before[at as usize];
        while back != at {
            cycle.push(TaskId(back));
            back = before[back as usize];
        }
        cycle.reverse();
        let smallest = (0..cycle.len()).min_by_key(|&index| cycle[index]).unwrap_or(0);
        cycle.rotate_left(smallest);
        GraphError::Cycle(cycle)
    }

    fn compute_ranks(&self) -> Result<Vec<u32>, GraphError> {
        let mut ranks = vec![1; self.len()];
        for &task in self.topological_order()?.iter().rev() {
            let longest = self.successors(TaskId(task)).map(|next| ranks[next.0 as usize]).max();
            ranks[task as usize] += longest.unwrap_or(0);
        }
        Ok(ranks)
    }
}

fn check_sizes(tasks: usize, edges: usize) -> Result<(), GraphError> {
    for (what, count, limit) in [("tasks", tasks, TASKS_PER_RUN_MAX), ("edges", edges, EDGES_MAX)] {
        if count > limit {
            return Err(GraphError::TooLarge { what, count, limit });
        }
    }
    Ok(())
}

fn check_fan_outs(
    fan_outs: Vec<(u32, u32)>,
    tasks: usize,
) -> Result<Vec<(TaskId, u32)>, GraphError> {
    if fan_outs.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return Err(GraphError::Malformed("fan-outs are not ascending by task"));
    }
    if fan_outs.iter().any(|&(task, _)| task as usize >= tasks) {
        return Err(GraphError::Malformed("a fan-out's task does not exist"));
    }
    let limit = ITEMS_PER_TASK_MAX as usize;
    match fan_outs.iter().map(|&(_, items)| items as usize).find(|&count| count > limit) {
        Some(count) => Err(GraphError::TooLarge { what: "items of a task", count, limit }),
        None => Ok(fan_outs.into_iter().map(|(task, items)| (TaskId(task), items)).collect()),
    }
}

/// The rows of a compressed graph.
struct Rows {
    offsets: Vec<u32>,
    successors: Vec<u32>,
    conditions: Vec<EdgeCondition>,
}

/// Counting sort of the edges by their dependency. Conditions that are all the same as if there
/// were none are left out.
fn compress(
    tasks: usize,
    edges: &[(u32, u32)],
    given: &[EdgeCondition],
) -> Result<Rows, GraphError> {
    if edges.iter().any(|&(from, to)| from as usize >= tasks || to as usize >= tasks) {
        return Err(GraphError::Malformed("an edge's task does not exist"));
    }
    if !given.is_empty() && given.len() != edges.len() {
        return Err(GraphError::Malformed("not every edge has its condition"));
    }
    let mut offsets = vec![0; tasks + 1];
    edges.iter().for_each(|&(from, _)| offsets[from as usize + 1] += 1);
    for index in 0..tasks {
        offsets[index + 1] += offsets[index];
    }
    let plain = given.iter().all(|&condition| condition == EdgeCondition::Succeeded);
    let mut next = offsets.clone();
    let mut successors = vec![0; edges.len()];
    let mut conditions = vec![EdgeCondition::Succeeded; if plain { 0 } else { edges.len() }];
    for (index, &(from, to)) in edges.iter().enumerate() {
        let slot = &mut next[from as usize];
        successors[*slot as usize] = to;
        if !plain {
            conditions[*slot as usize] = given[index];
        }
        *slot += 1;
    }
    Ok(Rows { offsets, successors, conditions })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(tasks: usize, edges: &[(u32, u32)]) -> Result<Graph, GraphError> {
        Graph::new(
            Digest::default(),
            GraphParts {
                policies: vec![Policy::default()],
                policy_of: vec![0; tasks],
                edges: edges.to_vec(),
                ..GraphParts::default()
            },
        )
    }

    #[test]
    fn a_diamond_has_its_edges_and_ranks() {
        let diamond = graph(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]).unwrap();
        assert!(diamond.successors(TaskId(0)).eq([TaskId(1), TaskId(2)]));
        assert!(diamond.predecessors(TaskId(3)).eq([TaskId(1), TaskId(2)]));
        assert_eq!(diamond.dependency_counts(), [0, 1, 1, 2]);
        assert_eq!([0, 1, 2, 3].map(|task| diamond.rank(TaskId(task))), [3, 2, 2, 1]);
    }

    #[test]
    fn a_cycle_is_found_and_told_from_its_smallest_task() {
        let cycle = graph(6, &[(0, 1), (3, 4), (4, 2), (2, 3), (3, 5)]).unwrap_err();
        assert_eq!(cycle, GraphError::Cycle(vec![TaskId(2), TaskId(3), TaskId(4)]));
        let own = graph(2, &[(1, 1)]).unwrap_err();
        assert_eq!(own, GraphError::Cycle(vec![TaskId(1)]));
    }

    #[test]
    fn parts_go_both_ways() {
        let parts = GraphParts {
            policies: vec![Policy::default()],
            policy_of: vec![0; 3],
            edges: vec![(0, 2), (1, 2)],
            conditions: vec![EdgeCondition::Failed, EdgeCondition::Succeeded],
            fan_outs: vec![(1, 10)],
        };
        let built = Graph::new(Digest::default(), parts.clone()).unwrap();
        assert_eq!(built.to_parts(), parts);
        assert_eq!([0, 1].map(|task| built.items(TaskId(task))), [1, 10]);
        let edges: Vec<_> = built.edges_from(TaskId(0)).collect();
        assert_eq!(edges, [(TaskId(2), EdgeCondition::Failed)]);
        assert!(built.expects_failure(TaskId(0)) && !built.expects_failure(TaskId(1)));
    }

    #[test]
    fn a_body_is_waited_for_and_left_through_its_loop_alone() {
        // 0 and 1 are the body of the loop 2; 3 comes after it.
        let looped = |edges: &[(u32, u32)], join| {
            let kind = Kind::Loop { first: TaskId(0), turns_max: 2 };
            let policies = vec![Policy::default(), Policy { kind, join, ..Policy::default() }];
            let policy_of = vec![0, 0, 1, 0];
            let edges = edges.to_vec();
            let parts = GraphParts { policies, policy_of, edges, ..GraphParts::default() };
            Graph::new(Digest::default(), parts).map(|_| ())
        };
        let refused = |what| Err(GraphError::Malformed(what));
        let good = [(0, 1), (0, 2), (1, 2), (2, 3)];
        assert_eq!(looped(&good, Join::AllDone), Ok(()));
        let waits = "a loop does not wait for the end of its body";
        assert_eq!(looped(&good, Join::All), refused(waits));
        let all = "a loop does not wait for all of its body";
        assert_eq!(looped(&[(0, 1), (1, 2), (2, 3)], Join::AllDone), refused(all));
        let leaves = "an edge leaves the body of a loop";
        assert_eq!(looped(&[(0, 2), (1, 2), (1, 3)], Join::AllDone), refused(leaves));
    }

    #[test]
    fn who_counts_on_the_failure_of_a_loop_counts_on_that_of_its_body() {
        // 0 and 1 are the body of the loop 2; 3 comes after it, however it ends.
        let kind = Kind::Loop { first: TaskId(0), turns_max: 2 };
        let policies =
            vec![Policy::default(), Policy { kind, join: Join::AllDone, ..Policy::default() }];
        let conditions = [(0, 1), (0, 2), (1, 2), (2, 3)].map(|(from, _)| match from {
            2 => EdgeCondition::Finished,
            _ => EdgeCondition::Succeeded,
        });
        let parts = GraphParts {
            policies,
            policy_of: vec![0, 0, 1, 0],
            edges: vec![(0, 1), (0, 2), (1, 2), (2, 3)],
            conditions: conditions.to_vec(),
            ..GraphParts::default()
        };
        let graph = Graph::new(Digest::default(), parts).unwrap();
        let all = [0, 1, 2, 3].map(TaskId);
        assert_eq!(all.map(|task| graph.expects_failure(task)), [true, true, true, false]);
        assert_eq!(all.map(|task| graph.is_failure_caught(task)), [false, false, true, false]);
    }

    #[test]
    fn malformed_parts_are_refused() {
        assert!(matches!(graph(1, &[(0, 1)]), Err(GraphError::Malformed(_))));
        let unordered = GraphParts {
            policies: vec![Policy::default()],
            policy_of: vec![0; 3],
            fan_outs: vec![(1, 10), (0, 2)],
            ..GraphParts::default()
        };
        assert!(Graph::new(Digest::default(), unordered).is_err());
    }
}
