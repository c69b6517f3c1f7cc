//! Who comes before whom: whether what a text names has ended when the text is needed.

use model::{Graph, TaskId};

use super::graph::TaskGraph;
use super::steps::{Role, Steps, Target};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::limits::ANCESTOR_STEPS_MAX;
use crate::source::Extent;

/// A question: must `earlier` have ended when `task` starts? Asked by the text at `extent`.
pub(super) struct Order {
    pub earlier: u32,
    pub task: u32,
    pub extent: Extent,
    /// Whether it is asked by what undoes `task`.
    pub is_undoing: bool,
}

impl TaskGraph {
    /// Notes each question whose answer is no.
    pub(super) fn check_orders(
        &self,
        steps: &Steps<'_>,
        mut orders: Vec<Order>,
        faults: &mut Faults,
    ) {
        let Some(graph) = &self.graph else { return };
        // What undoes a task knows what the task knew, and the task.
        for order in &mut orders {
            if let Role::Compensation { of } = steps.list[order.task as usize].role {
                order.task = of;
                order.is_undoing = true;
            }
        }
        orders.retain(|order| !(order.is_undoing && order.earlier == order.task));
        orders.retain(|order| {
            // What runs in a later stage starts when every task of this one has ended.
            let [earlier, task] =
                [order.earlier, order.task].map(|task| steps.stage(Target::Step(task)));
            earlier >= task && !self.edges_into(order.task).any(|from| from == order.earlier)
        });
        let circles = self.behind_circles(graph);
        orders
            .retain(|order| !circles.get(order.task as usize).is_some_and(|&is_behind| is_behind));
        orders.sort_unstable_by_key(|order| (order.earlier, order.extent));
        let mut search = Search { graph, reached: vec![u32::MAX; steps.list.len()], steps: 0 };
        for group in orders.chunk_by(|one, next| one.earlier == next.earlier) {
            let earlier = group[0].earlier;
            let ranks = group.iter().map(|order| graph.rank(TaskId(order.task)));
            if !search.forward_from(earlier, ranks.min().unwrap_or(0)) {
                let message = "it takes too long to find whether this task comes before";
                let fault = Fault::new(code::TOO_LARGE, group[0].extent, message);
                return faults.push(fault.hint("name it in `depends_on`"));
            }
            for order in group.iter().filter(|order| search.reached[order.task as usize] != earlier)
            {
                let [task, earlier] =
                    [order.task, earlier].map(|task| steps.list[task as usize].written_name());
                if task == earlier {
                    let message = format!("`{task}` refers to its own outputs");
                    faults.push(Fault::new(code::TEMPLATE_ORDER, order.extent, message));
                    continue;
                }
                let message = format!("`{earlier}` need not have ended when `{task}` starts");
                let fault = Fault::new(code::TEMPLATE_ORDER, order.extent, message);
                faults.push(fault.hint(format!("add `{earlier}` to the `depends_on` of `{task}`")));
            }
        }
    }

    /// By task, whether it is in a circle or comes after one: nobody knows what comes before it.
    fn behind_circles(&self, graph: &Graph) -> Vec<bool> {
        if self.circles.is_empty() {
            return Vec::new();
        }
        let mut is_behind = vec![false; graph.len()];
        let mut open = self.circles.clone();
        while let Some(task) = open.pop() {
            if !std::mem::replace(&mut is_behind[task as usize], true) {
                open.extend(graph.successors(TaskId(task)).map(|next| next.0));
            }
        }
        is_behind
    }

    /// The dependencies of a task.
    pub(super) fn edges_into(&self, task: u32) -> impl Iterator<Item = u32> + '_ {
        let from = self.edges.partition_point(|edge| edge.1 < task);
        let edges = self.edges[from..].iter().take_while(move |edge| edge.1 == task);
        edges.map(|edge| edge.0)
    }
}

/// Walks from a task to all that come after it.
struct Search<'g> {
    graph: &'g Graph,
    /// For each task the last start that it was reached from.
    reached: Vec<u32>,
    steps: usize,
}

impl Search<'_> {
    /// Walks to all tasks of at least `rank_min`: ranks fall along every edge, so that what lies
    /// behind the others is of a lower rank still. False when the budget of all walks is used up.
    fn forward_from(&mut self, start: u32, rank_min: u32) -> bool {
        let mut open = vec![start];
        while let Some(task) = open.pop() {
            for next in self.graph.successors(TaskId(task)) {
                self.steps += 1;
                let is_new = std::mem::replace(&mut self.reached[next.0 as usize], start) != start;
                if is_new && self.graph.rank(next) > rank_min {
                    open.push(next.0);
                }
            }
            if self.steps > ANCESTOR_STEPS_MAX {
                return false;
            }
        }
        true
    }
}
