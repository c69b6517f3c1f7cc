//! A workflow as a job: how long its tasks take is `expected` in the file, or else supposed.

use model::control::Kind;
use model::{Graph, TaskId};
use workload::{Builder, NewJob, NewTask, Workload};

use crate::terms;

/// How long a task takes of which nothing is known, in microseconds.
pub const UNKNOWN_US: u64 = 60_000_000;

/// The workload of one run of a workflow. `name` gives the name of a task, `took` how long it takes
/// in microseconds if that was said.
///
/// Conditions are taken to hold, handlers are left out, and each item of a fan-out is a task that
/// asks for the same, but a gang is one. Nothing if no task is left.
#[must_use]
pub fn workload<'n>(
    workflow: &str,
    graph: &Graph,
    name: impl Fn(TaskId) -> &'n str,
    took: impl Fn(&str) -> Option<u64>,
) -> Option<Workload> {
    let mut builder = Builder::new(workflow);
    builder.job(&NewJob { name: workflow, ..NewJob::default() });
    let is_work = |task: TaskId| !graph.policy(task).trigger.is_handler();
    let (mut numbers, mut limited, mut unknown) = (vec![None; graph.len()], 0_u64, 0_u64);
    let mut alone = 0_u64;
    for task in graph.tasks().filter(|&task| is_work(task)) {
        let policy = graph.policy(task);
        // A decision or the end of a loop takes no time and nothing of a node.
        let waits = policy.kind == Kind::Work;
        let told = took(name(task)).or(policy.expected.map(|expected| expected.0));
        let duration_us = match (waits, told, policy.timeout.map(|timeout| timeout.0)) {
            (false, ..) => 1,
            (true, Some(said), _) => said,
            (true, None, Some(limit)) => {
                limited += 1;
                limit
            }
            (true, None, None) => {
                unknown += 1;
                UNKNOWN_US
            }
        };
        let request = &policy.request;
        let devices = u32::from(request.devices.count);
        let terms = terms::of(policy, task);
        let (tasks, members) = as_tasks(policy.gang, graph.items(task));
        alone += u64::from(tasks > 1 && terms.constraints != policy.constraints);
        for _ in 0..tasks {
            let number = builder.task(&NewTask {
                name: name(task),
                kind: name(task),
                duration_us,
                estimate_us: Some(duration_us),
                cpu_milli: if waits { request.cpu_milli } else { 0 },
                memory_bytes: request.memory_bytes,
                devices: (devices, 1_000),
                members,
                terms: waits.then_some(&terms),
                ..NewTask::default()
            });
            numbers[task.0 as usize].get_or_insert(number..number).end = number + 1;
        }
    }
    for from in graph.tasks() {
        for to in graph.successors(from) {
            let [before, after] =
                [from, to].map(|task| numbers[task.0 as usize].clone().unwrap_or(0..0));
            // Many that wait for many wait for one that takes no time and waits for them.
            let on = if before.len() > 1 && after.len() > 1 {
                let barrier = NewTask { kind: "barrier", cpu_milli: 0, ..NewTask::default() };
                let barrier = builder.task(&barrier);
                before.for_each(|on| builder.depend(barrier, on));
                barrier..barrier + 1
            } else {
                before
            };
            for task in after {
                on.clone().for_each(|on| builder.depend(task, on));
            }
        }
    }
    note(&mut builder, workflow, &Supposed { limited, unknown, alone });
    builder.finish().ok()
}

/// As how many tasks items are simulated, and of how many members each: a gang is one.
const fn as_tasks(is_gang: bool, items: u32) -> (u32, u32) {
    if is_gang { (1, items) } else { (items, 1) }
}

/// How many tasks are taken for something else than they are.
struct Supposed {
    /// Of which only a limit says how long they take.
    limited: u64,
    /// Of which nothing does.
    unknown: u64,
    /// Whose items look at each other where they really run.
    alone: u64,
}

/// Notes what was supposed of the tasks of a workflow.
fn note(builder: &mut Builder, workflow: &str, supposed: &Supposed) {
    let &Supposed { limited, unknown, alone } = supposed;
    let supposed =
        [(limited, "its timeout".to_owned()), (unknown, format!("{} s", UNKNOWN_US / 1_000_000))];
    for (count, time) in supposed.into_iter().filter(|&(count, _)| count > 0) {
        let tasks = if count == 1 { "1 task" } else { &format!("each of {count} tasks") };
        builder.note(format!("{workflow}: without a --duration, {tasks} is taken to last {time}"));
    }
    if alone > 0 {
        let tasks = if alone == 1 { "1 task" } else { &format!("{alone} tasks") };
        builder.note(format!("{workflow}: items of {tasks} are neither spread nor kept together"));
    }
}

#[cfg(test)]
mod tests {
    use model::graph::GraphParts;
    use model::policy::{Policy, Trigger};
    use model::{Constraints, DeviceRequest, Digest, Request, Span};

    use super::*;

    /// `a`, then three items of `b`, then two of `c`; and a handler.
    fn graph() -> Graph {
        let devices = DeviceRequest::whole(1);
        let gpu = Request { cpu_milli: 2_000, memory_bytes: 7, devices, ..Request::default() };
        let policies = vec![
            Policy { timeout: Some(Span::secs(30)), ..Policy::default() },
            Policy { request: gpu.clone(), expected: Some(Span::secs(20)), ..Policy::default() },
            Policy { trigger: Trigger::Exit, ..Policy::default() },
            Policy { request: gpu, ..Policy::default() },
        ];
        let parts = GraphParts {
            policies,
            policy_of: vec![0, 1, 3, 2],
            edges: vec![(0, 1), (1, 2)],
            conditions: Vec::new(),
            fan_outs: vec![(1, 3), (2, 2)],
        };
        Graph::new(Digest::default(), parts).unwrap()
    }

    #[test]
    fn a_gang_is_one_task_of_many_members() {
        let together = Some(model::site::Domain::Node);
        let constraints = Constraints { together, ..Constraints::default() };
        let policies =
            vec![Policy { gang: true, constraints: constraints.clone(), ..Policy::default() }];
        let parts = GraphParts {
            policies,
            policy_of: vec![0],
            fan_outs: vec![(0, 4)],
            ..GraphParts::default()
        };
        let graph = Graph::new(Digest::default(), parts).unwrap();
        let workload = workload("w", &graph, |_| "train", |_| Some(1)).unwrap();
        let members = workload.tasks().iter().map(|task| task.members);
        assert_eq!(members.collect::<Vec<_>>(), [4]);
        assert_eq!((workload.constraints(0), workload.notes.len()), (Some(&constraints), 0));
    }

    #[test]
    fn items_are_tasks_and_handlers_are_left_out() {
        let names = ["a", "b", "c", "end"];
        let took = |task: &str| (task == "b").then_some(5_000_000);
        let workload = workload("w", &graph(), |task| names[task.0 as usize], took).unwrap();
        let told: Vec<(&str, u64)> = workload
            .tasks()
            .iter()
            .map(|task| (workload.text(task.name), task.duration_us / 1_000_000))
            .collect();
        let expected = [("a", 30), ("b", 5), ("b", 5), ("b", 5), ("c", 60), ("c", 60), ("", 0)];
        assert_eq!(told, expected);
        assert_eq!((workload.tasks()[1].devices.count, workload.tasks()[0].devices.count), (1, 0));
        assert_eq!(workload.depends_on(1), [0]);
        assert_eq!(workload.depends_on(6), [1, 2, 3], "what many wait for of many");
        assert_eq!((workload.depends_on(4), workload.depends_on(5)), (&[6][..], &[6][..]));
        let notes = [("1 task", "its timeout"), ("1 task", "60 s")].map(|(tasks, time)| {
            format!("w: without a --duration, {tasks} is taken to last {time}")
        });
        assert_eq!(workload.notes, notes);
        let workload = super::workload("w", &graph(), |task| names[task.0 as usize], |_| None);
        assert_eq!(workload.unwrap().tasks()[1].duration_us, 20_000_000, "as the file expects");
    }
}
