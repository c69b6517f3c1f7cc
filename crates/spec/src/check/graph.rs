//! The tasks as a graph: names, dependencies, circles, and who comes before whom.

use model::collections::{HashMap, HashSet};
use model::graph::{GraphError, GraphParts};
use model::policy::Policy;
use model::{Digest, Graph, TaskId};

use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::NamedTask;
use crate::limits::ANCESTOR_STEPS_MAX;
use crate::read::Placed;
use crate::source::Extent;
use crate::suggest::did_you_mean;

/// The checked graph of a file.
pub(super) struct TaskGraph<'f> {
    /// The number of each name; of two tasks with one name the first.
    pub numbers: HashMap<&'f str, u32>,
    /// (dependency, dependent), sorted by dependent, each once.
    pub edges: Vec<(u32, u32)>,
    /// Nothing if there is a circle.
    graph: Option<Graph>,
}

/// A question: must `earlier` have ended when `task` starts? Asked by the text at `extent`.
pub(super) struct Order {
    pub earlier: u32,
    pub task: u32,
    pub extent: Extent,
}

pub(super) fn check<'f>(tasks: &'f [NamedTask], faults: &mut Faults) -> TaskGraph<'f> {
    let numbers = number_names(tasks, faults);
    let mut edges = Vec::new();
    let mut places: Vec<Extent> = Vec::new();
    let mut seen = HashSet::default();
    for (number, named) in (0..).zip(tasks) {
        let NamedTask { name, task, .. } = named;
        seen.clear();
        for dependency in task.depends_on.iter().flat_map(|depends_on| &depends_on.0) {
            let found = numbers.get(dependency.value.as_str()).copied();
            let Some(earlier) = found else {
                let hint =
                    if faults.is_full() { None } else { meant_task(&dependency.value, tasks) };
                let message = format!("there is no task `{}`", dependency.value);
                let fault = Fault::new(code::UNKNOWN_TASK, dependency.extent, message);
                faults.push(fault.hint_if(hint));
                continue;
            };
            if dependency.value == name.value {
                let message = format!("task `{}` depends on itself", name.value);
                faults.push(Fault::new(code::SELF_DEPENDENCY, dependency.extent, message));
            } else if seen.insert(earlier) {
                check_handlers(named, (dependency, &tasks[earlier as usize]), faults);
                edges.push((earlier, number));
                places.push(dependency.extent);
            }
        }
    }
    let graph = build(tasks, &edges, &places, faults);
    TaskGraph { numbers, edges, graph }
}

fn number_names<'f>(tasks: &'f [NamedTask], faults: &mut Faults) -> HashMap<&'f str, u32> {
    let mut numbers = HashMap::with_capacity_and_hasher(tasks.len(), Default::default());
    for (number, NamedTask { name, .. }) in (0..).zip(tasks).filter(|x| !x.1.name.value.is_empty())
    {
        if let Some(&first) = numbers.get(name.value.as_str()) {
            let first: u32 = first;
            let message = format!("there are two tasks named `{}`", name.value);
            let fault = Fault::new(code::DUPLICATE_TASK, name.extent, message);
            faults.push(fault.related(tasks[first as usize].name.extent, "the first one"));
        } else {
            numbers.insert(name.value.as_str(), number);
        }
    }
    numbers
}

/// The hint for a mistyped task.
pub(super) fn meant_task(name: &str, tasks: &[NamedTask]) -> Option<String> {
    did_you_mean(name, tasks.iter().map(|task| task.name.value.as_str()))
}

/// Handlers run when all ordinary tasks have ended: neither kind waits for the other by name.
fn check_handlers(
    NamedTask { name, task, .. }: &NamedTask,
    (dependency, earlier): (&Placed<String>, &NamedTask),
    faults: &mut Faults,
) {
    let (message, hint) = match (task.on.is_some(), earlier.task.on.is_some()) {
        (false, true) => (
            format!("task `{}` depends on the handler `{}`", name.value, dependency.value),
            "handlers run when all other tasks have ended: leave the dependency out",
        ),
        (true, false) => (
            format!("the handler `{}` depends on the task `{}`", name.value, dependency.value),
            "a handler runs after all other tasks anyway: leave the dependency out",
        ),
        _ => return,
    };
    faults.push(Fault::new(code::HANDLER_DEPENDENCY, dependency.extent, message).hint(hint));
}

fn build(
    tasks: &[NamedTask],
    edges: &[(u32, u32)],
    places: &[Extent],
    faults: &mut Faults,
) -> Option<Graph> {
    let parts = GraphParts {
        policies: vec![Policy::default()],
        policy_of: vec![0; tasks.len()],
        edges: edges.to_vec(),
        fan_outs: Vec::new(),
        conditions: Vec::new(),
    };
    match Graph::new(Digest::default(), parts) {
        Ok(graph) => return Some(graph),
        Err(GraphError::Cycle(cycle)) => faults.push(cycle_fault(tasks, edges, places, &cycle)),
        Err(GraphError::TooLarge { what, count, limit }) => {
            let message = format!("the workflow has {count} {what}, and may have {limit}");
            faults.push(Fault::nowhere(code::TOO_LARGE, message));
        }
        Err(GraphError::Malformed(what)) => {
            faults.push(Fault::nowhere(code::BAD_VALUE, what));
        }
    }
    None
}

fn cycle_fault(
    tasks: &[NamedTask],
    edges: &[(u32, u32)],
    places: &[Extent],
    cycle: &[TaskId],
) -> Fault {
    const SHOWN_MAX: usize = 8;
    let name = |task: TaskId| tasks[task.0 as usize].name.value.as_str();
    let mut names: Vec<&str> = cycle.iter().take(SHOWN_MAX).map(|&task| name(task)).collect();
    if cycle.len() > SHOWN_MAX {
        names.push("...");
    }
    names.extend(cycle.first().map(|&task| name(task)));
    let place = |from: TaskId, to: TaskId| {
        edges.iter().position(|&edge| edge == (from.0, to.0)).map(|at| places[at])
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

impl TaskGraph<'_> {
    /// Notes each question whose answer is no.
    pub(super) fn check_orders(
        &self,
        tasks: &[NamedTask],
        mut orders: Vec<Order>,
        faults: &mut Faults,
    ) {
        let Some(graph) = &self.graph else { return };
        orders.retain(|order| {
            // A handler starts when every ordinary task has ended.
            let is_handler = |task: u32| tasks[task as usize].task.on.is_some();
            let is_direct = self.edges_into(order.task).any(|from| from == order.earlier);
            !is_direct && (!is_handler(order.task) || is_handler(order.earlier))
        });
        orders.sort_unstable_by_key(|order| (order.earlier, order.extent));
        let mut search = Search { graph, reached: vec![u32::MAX; tasks.len()], steps: 0 };
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
                    [order.task, earlier].map(|task| tasks[task as usize].name.value.as_str());
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

    /// The dependencies of a task.
    fn edges_into(&self, task: u32) -> impl Iterator<Item = u32> + '_ {
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
