//! The tasks as a graph: groups taken apart into edges between tasks, circles told.
//!
//! Links are followed from the innermost groups outwards: what the first and the last tasks of a
//! group are is known only when all within it is.

use std::ops::Range;

use model::control::EdgeCondition;
use model::graph::{GraphError, GraphParts};
use model::limits::EDGES_MAX;
use model::policy::Policy;
use model::{Digest, Graph, TaskId};

use super::control::looks_at_status;
use super::links::Link;
use super::steps::{Role, Step, Steps, Target};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::JoinFile;
use crate::source::Extent;

/// Circles that are told.
const CIRCLES_MAX: usize = 5;

/// The checked graph of a file.
pub(super) struct TaskGraph {
    /// (dependency, dependent), sorted by dependent, each once.
    pub edges: Vec<(u32, u32)>,
    /// What each edge waits for.
    pub conditions: Vec<EdgeCondition>,
    /// Without the edges that close circles; nothing if it cannot be built.
    pub graph: Option<Graph>,
    /// The tasks of circles: what comes after them is in no order.
    pub circles: Vec<u32>,
}

/// An edge and the text that asks for it.
#[derive(Clone, Copy)]
struct Edge {
    from: u32,
    to: u32,
    condition: EdgeCondition,
    extent: Extent,
}

/// Builds the graph. `known` are pairs of tasks that are there already, the second after the first.
pub(super) fn build(
    steps: &Steps<'_>,
    links: Vec<Link>,
    known: &[(u32, u32)],
    faults: &mut Faults,
) -> TaskGraph {
    let edges = Builder::new(steps, faults).build(links);
    let edges = merged(steps, edges, faults);
    check_counts(steps, &edges, faults);
    let pairs: Vec<(u32, u32)> = edges.iter().map(|edge| (edge.from, edge.to)).collect();
    let (graph, circles) = checked(steps, (&pairs, known), &edges, faults);
    let conditions = edges.iter().map(|edge| edge.condition).collect();
    TaskGraph { edges: pairs, conditions, graph, circles }
}

/// A join that asks for more dependencies than there are is never met.
fn check_counts(steps: &Steps<'_>, edges: &[Edge], faults: &mut Faults) {
    for (number, step) in (0_u32..).zip(&steps.list) {
        let Some(join) = &step.task.join else { continue };
        let JoinFile::AtLeast(least) = join.value else { continue };
        if !matches!(step.role, Role::Task | Role::Gate) || step.is_call() {
            continue;
        }
        // A dependency that could not be found is told already, and is missing here.
        let mut named = step.task.depends_on.iter().flat_map(|depends_on| &depends_on.0);
        let is_told = |extent| faults.is_told(extent);
        if !step.is_whole
            || named.any(|it| is_told(it.task.extent) || it.is.iter().any(|is| is_told(is.extent)))
        {
            continue;
        }
        let first = edges.partition_point(|edge| edge.to < number);
        let count = edges[first..].iter().take_while(|edge| edge.to == number).count();
        if count < least as usize {
            let message = format!("`join` asks for at least {least} of {count} dependencies");
            let fault = Fault::new(code::BAD_VALUE, join.extent, message);
            faults.push(fault.hint("count the tasks that `depends_on` names"));
        }
    }
}

/// The first and the last tasks of a group.
#[derive(Clone, Default)]
struct Border {
    entries: Vec<u32>,
    exits: Vec<u32>,
}

struct Builder<'s, 'f, 'm> {
    steps: &'s Steps<'f>,
    edges: Vec<Edge>,
    /// By task, whether an edge so far leads to it, and from it.
    has_before: Vec<bool>,
    has_next: Vec<bool>,
    /// By group; empty until all within it is known.
    borders: Vec<Border>,
    faults: &'m mut Faults,
}

impl<'s, 'f, 'm> Builder<'s, 'f, 'm> {
    fn new(steps: &'s Steps<'f>, faults: &'m mut Faults) -> Self {
        let count = steps.list.len();
        Self {
            steps,
            edges: Vec::new(),
            has_before: vec![false; count],
            has_next: vec![false; count],
            borders: vec![Border::default(); steps.groups.len()],
            faults,
        }
    }

    fn build(mut self, links: Vec<Link>) -> Vec<Edge> {
        for (number, step) in (0..).zip(&self.steps.list) {
            // The end of a single task's turn; a group's is added with the group.
            let ends_one = |first| first + 1 == number && self.has_end(first);
            if matches!(step.role, Role::End { first } if ends_one(first)) {
                self.edge(number - 1, number, end_condition(step), step.short.extent);
            }
            if let Some(gate) = self.gate_of(number) {
                self.edge(gate, number, EdgeCondition::Route(1), step.short.extent);
            }
        }
        if self.steps.groups.len() == 1 {
            links.into_iter().for_each(|link| self.follow(&link));
            return self.edges;
        }
        let common: Vec<u32> = links.iter().map(|link| self.common_group(link)).collect();
        let mut order: Vec<usize> = (0..links.len()).collect();
        order.sort_by_key(|&link| std::cmp::Reverse(common[link]));
        let mut order = order.into_iter().peekable();
        let groups = u32::try_from(self.steps.groups.len()).expect("no more groups than bytes");
        for group in (0..groups).rev() {
            while let Some(link) = order.next_if(|&link| common[link] == group) {
                self.follow(&links[link]);
            }
            if group != 0 {
                self.close(group);
            }
        }
        self.edges
    }

    /// What decides whether a file that stands in the place of a task is begun.
    fn gate_of(&self, step: u32) -> Option<u32> {
        let (it, gate) = (&self.steps.list[step as usize], step.checked_sub(1)?);
        let before = &self.steps.list[gate as usize];
        let is_own = before.role == Role::Gate && std::ptr::eq(before.short, it.short);
        (it.is_call() && !it.is_copied_call() && is_own).then_some(gate)
    }

    /// Whether a task has an `until` of its own.
    fn has_end(&self, step: u32) -> bool {
        let step = &self.steps.list[step as usize];
        step.role == Role::Task && step.task.until.is_some() && !step.is_copied_call()
    }

    /// The innermost group that both ends of a link stand in. Numbers grow inwards.
    fn common_group(&self, link: &Link) -> u32 {
        let [mut one, mut other] = [link.dependent, link.on].map(|it| self.steps.scope_of(it));
        while one != other {
            if one > other {
                one = self.steps.groups[one as usize].parent;
            } else {
                other = self.steps.groups[other as usize].parent;
            }
        }
        one
    }

    fn edge(&mut self, from: u32, to: u32, condition: EdgeCondition, extent: Extent) {
        if self.edges.len() <= EDGES_MAX {
            self.has_next[from as usize] = true;
            self.has_before[to as usize] = true;
            self.edges.push(Edge { from, to, condition, extent });
        }
    }

    fn follow(&mut self, link: &Link) {
        let Link { dependent, on, condition, extent } = *link;
        let exits = match (self.loop_around(link), on) {
            (Some(end), _) => {
                self.check_within_loop(link, end);
                vec![end]
            }
            (None, Target::Step(step)) if self.has_end(step) => vec![step + 1],
            (None, Target::Step(step)) => vec![step],
            (None, Target::Group(group)) => self.borders[group as usize].exits.clone(),
        };
        if exits.len() > 1 {
            self.check_many(link);
        }
        let entries = match dependent {
            Target::Step(step) => vec![self.gate_of(step).unwrap_or(step)],
            Target::Group(group) => {
                self.check_joins(group, extent);
                self.borders[group as usize].entries.clone()
            }
        };
        for &from in &exits {
            for &to in &entries {
                self.edge(from, to, condition, extent);
            }
        }
    }

    /// The end of the outermost loop that a dependency lies in and its dependent does not: what is
    /// in a loop has ended for good only when the loop has.
    fn loop_around(&self, link: &Link) -> Option<u32> {
        let common = self.common_group(link);
        let around = self.steps.scopes(self.steps.scope_of(link.on));
        let within = around.take_while(|&group| group != common);
        within.filter_map(|group| self.steps.groups[group as usize].end).last()
    }

    fn check_within_loop(&mut self, link: &Link, end: u32) {
        if !matches!(link.condition, EdgeCondition::Succeeded | EdgeCondition::Finished) {
            let name = &self.steps.place(link.on).value;
            let group = self.steps.list[end as usize].written_name();
            let message =
                format!("`{name}` runs again in the loop `{group}`, and may end differently");
            let fault = Fault::new(code::BAD_VALUE, link.extent, message);
            self.faults.push(fault.hint(format!("depend on `{group}`")));
        }
    }

    /// A group with several last tasks has several ends: not everything can be said of them.
    fn check_many(&mut self, link: &Link) {
        let group = &self.steps.place(link.on).value;
        let join = match link.dependent {
            Target::Step(step) => &self.steps.list[step as usize].task.join,
            Target::Group(group) => {
                let task = self.steps.groups[group as usize].task;
                &task.expect("the file depends on nothing").join
            }
        };
        let counts = join
            .as_ref()
            .is_some_and(|join| matches!(join.value, JoinFile::Any | JoinFile::AtLeast(_)));
        let message = if counts {
            format!("the group `{group}` has several last tasks, and `join` counts each of them")
        } else if matches!(link.condition, EdgeCondition::Succeeded | EdgeCondition::Finished) {
            return;
        } else {
            format!("the group `{group}` has several last tasks, which may end differently")
        };
        let fault = Fault::new(code::BAD_VALUE, link.extent, message);
        self.faults.push(fault.hint("name tasks of the group, or give it one last task"));
    }

    /// The first tasks of a group wait for what the group waits for: all of it.
    fn check_joins(&mut self, group: u32, extent: Extent) {
        for &entry in &self.borders[group as usize].entries {
            let step = &self.steps.list[entry as usize];
            if let Some(join) = step.task.join.as_ref().filter(|_| step.role == Role::Task)
                && join.value != JoinFile::All
            {
                let message = "a first task of a group that waits cannot have a `join` of its own";
                let fault = Fault::new(code::CONFLICT, join.extent, message);
                self.faults.push(fault.related(extent, "the group waits for this"));
            }
        }
    }

    /// Ties all of a body to the end of its turn, so that nothing of it still runs when it begins
    /// anew. The body of a loop within it is waited for through the end of that loop.
    fn end_turn(&mut self, body: Range<u32>, end: u32, extent: Extent) {
        let condition = end_condition(&self.steps.list[end as usize]);
        let mut left = body.end;
        while left > body.start {
            let member = left - 1;
            self.edge(member, end, condition, extent);
            left = match self.steps.list[member as usize].role {
                Role::End { first } => first,
                _ => member,
            };
        }
    }

    /// Finds the first and the last tasks of a group, and ties them to its gate and its end.
    fn close(&mut self, number: u32) {
        let group = &self.steps.groups[number as usize];
        let open = |has: &[bool]| -> Vec<u32> {
            group.members.clone().filter(|&member| !has[member as usize]).collect()
        };
        let mut border = Border { entries: open(&self.has_before), exits: open(&self.has_next) };
        let extent = group.short.map(|short| short.extent).unwrap_or_default();
        if let Some(joint) = group.joint {
            for &exit in &border.exits {
                self.edge(exit, joint, EdgeCondition::Succeeded, extent);
            }
            // Without items it is all that there is of the group.
            border.entries.push(joint);
            border.exits = vec![joint];
        }
        if let Some(end) = group.end {
            self.end_turn(group.members.clone(), end, extent);
            border.exits = vec![end];
        }
        if let Some(gate) = group.gate {
            self.borders[number as usize].entries = border.entries.clone();
            self.check_joins(number, extent);
            for &first in &border.entries {
                self.edge(gate, first, EdgeCondition::Route(1), extent);
            }
            border.entries = vec![gate];
        }
        self.borders[number as usize] = border;
    }
}

/// What the end of a turn needs of its body: success, or any end if it looks at how the body ended.
fn end_condition(end: &Step<'_>) -> EdgeCondition {
    if looks_at_status(end.task) { EdgeCondition::Finished } else { EdgeCondition::Succeeded }
}

/// Sorts edges by dependent and makes one of those that stand twice.
fn merged(steps: &Steps<'_>, mut edges: Vec<Edge>, faults: &mut Faults) -> Vec<Edge> {
    edges.sort_by_key(|edge| (edge.to, edge.from));
    edges.dedup_by(|next, first| {
        if (next.from, next.to) != (first.from, first.to) {
            return false;
        }
        match (first.condition, next.condition) {
            (one, other) if one == other => {}
            // A decision that leads to a task has succeeded.
            (EdgeCondition::Succeeded, route @ EdgeCondition::Route(_)) => first.condition = route,
            (EdgeCondition::Route(_), EdgeCondition::Succeeded) => {}
            _ => {
                let [task, earlier] =
                    [first.to, first.from].map(|step| &steps.list[step as usize].name);
                let message = format!("`{task}` waits for two different ends of `{earlier}`");
                let fault = Fault::new(code::CONFLICT, next.extent, message);
                let fault = fault.related(first.extent, "the first");
                faults.push(fault.hint("write one rule for both, or one condition"));
            }
        }
        true
    });
    edges
}

/// Tasks and tasks that come after them.
type Pairs<'p> = &'p [(u32, u32)];

/// The graph without the edges that close circles, and the tasks of those. Each circle is told, up
/// to a bound.
fn checked(
    steps: &Steps<'_>,
    (pairs, known): (Pairs<'_>, Pairs<'_>),
    edges: &[Edge],
    faults: &mut Faults,
) -> (Option<Graph>, Vec<u32>) {
    let mut pairs: Vec<(u32, u32)> = pairs.iter().chain(known).copied().collect();
    let mut circles = Vec::new();
    for _ in 0..CIRCLES_MAX {
        let parts = GraphParts {
            policies: vec![Policy::default()],
            policy_of: vec![0; steps.list.len()],
            edges: pairs.clone(),
            ..GraphParts::default()
        };
        match Graph::new(Digest::default(), parts) {
            Ok(graph) => return (Some(graph), circles),
            Err(GraphError::Cycle(cycle)) => {
                faults.push(cycle_fault(steps, edges, &cycle));
                let closing =
                    cycle.last().zip(cycle.first()).map(|(last, first)| (last.0, first.0));
                pairs.retain(|&pair| Some(pair) != closing);
                circles.extend(cycle.iter().map(|task| task.0));
            }
            Err(GraphError::TooLarge { what, count, limit }) => {
                let message = format!("the workflow has {count} {what}, and may have {limit}");
                let fault = Fault::nowhere(code::TOO_LARGE, message);
                let hint = "write tasks that differ by a value as one with `foreach`";
                faults.push(fault.hint(hint));
                break;
            }
            Err(GraphError::Malformed(what)) => {
                faults.push(Fault::nowhere(code::BAD_VALUE, what));
                break;
            }
        }
    }
    (None, circles)
}

fn cycle_fault(steps: &Steps<'_>, edges: &[Edge], cycle: &[TaskId]) -> Fault {
    const SHOWN_MAX: usize = 8;
    let name = |task: TaskId| &*steps.list[task.0 as usize].name;
    let mut names: Vec<&str> = cycle.iter().take(SHOWN_MAX).map(|&task| name(task)).collect();
    if cycle.len() > SHOWN_MAX {
        names.push("...");
    }
    names.extend(cycle.first().map(|&task| name(task)));
    let place = |from: TaskId, to: TaskId| {
        let found = edges.iter().find(|edge| (edge.from, edge.to) == (from.0, to.0));
        found.map(|edge| edge.extent)
    };
    let closing = cycle.last().zip(cycle.first()).and_then(|(&last, &first)| place(last, first));
    let message = format!("these tasks wait for each other: {}", names.join(" -> "));
    let mut fault = Fault::new(code::CYCLE, closing.unwrap_or_default(), message);
    for pair in cycle.windows(2).take(SHOWN_MAX) {
        if let Some(extent) = place(pair[0], pair[1]) {
            fault = fault.related(extent, "");
        }
    }
    fault.hint("leave one of these dependencies out")
}
