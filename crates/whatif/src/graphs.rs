//! A job as a run: its graph, and the submission that names it.

use std::sync::Arc;

use engine::{RequestId, Submission};
use model::collections::{HashMap, HashSet};
use model::fact::RunAdmitted;
use model::graph::GraphParts;
use model::policy::{FailurePolicy, Priority};
use model::queue::{DEFAULT_QUEUE, QueueTree, SEPARATOR, tenant};
use model::{Digest, Graph, RunId, Span};
use workload::{Devices, KindsId, NameId, Task, TermsId, Workload};

use crate::house;
use crate::terms::of_job;
use crate::work::Work;

/// What makes tasks alike to the engine, how long they are expected to take and whether they are
/// gangs among it; of runs of one workflow also the kind of the work.
pub(crate) type Like =
    (Option<NameId>, (u32, u64), (u32, u16, KindsId), Option<TermsId>, (u64, bool));

/// The queue of a job, by its place in the workload: the one that it names, below its tenant or at
/// the top, or that of its tenant.
///
/// # Panics
/// There is no such job.
#[must_use]
pub fn queue_of(work: &Work, queues: &QueueTree, job: usize) -> Box<str> {
    let it = &work.workload.jobs[job];
    let (tenant, queue) = (work.workload.text(it.tenant), work.workload.text(it.queue));
    let below = format!("{tenant}{SEPARATOR}{queue}");
    let paths = [&*below, queue, tenant];
    let known = paths.into_iter().find(|path| queues.find(path).is_some());
    let named = Some(queue).filter(|queue| !queue.is_empty());
    known.or(named).unwrap_or(DEFAULT_QUEUE).into()
}

/// The kinds of work of each workflow, in the order in which they were first seen. The engine tells
/// work apart by its place among them, from run to run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kinds(HashMap<NameId, Vec<Like>>);

impl Kinds {
    /// None if jobs are no runs of workflows.
    pub(crate) fn of(workload: &Workload, expected: &[u64]) -> Self {
        let mut kinds = HashMap::<NameId, Vec<Like>>::default();
        let mut seen = HashSet::default();
        for job in workload.jobs.iter().filter(|_| workload.repeats) {
            for task in job.tasks.clone() {
                let like = like(workload, task, expected);
                if seen.insert((job.name, like)) {
                    kinds.entry(job.name).or_default().push(like);
                }
            }
        }
        Self(kinds)
    }
}

fn like(workload: &Workload, task: u32, expected: &[u64]) -> Like {
    let it = &workload.tasks()[task as usize];
    let devices = (it.devices.count, it.devices.share_milli, it.devices.kinds);
    let kind = workload.repeats.then_some(it.kind);
    let terms = workload.terms_id(task);
    (
        kind,
        (it.cpu_milli, it.memory_bytes),
        devices,
        terms,
        (expected[task as usize], it.members > 1),
    )
}

/// The submission of a job.
pub(crate) fn submission(work: &Work, queues: &QueueTree, job: usize) -> Submission {
    let graph = Arc::new(graph(work, job));
    let it = &work.workload.jobs[job];
    let workflow = if work.workload.repeats { work.workload.text(it.name) } else { "" };
    let queue = queue_of(work, queues, job);
    let run = RunAdmitted {
        run: RunId(0),
        key: None,
        tenant: tenant(&queue).into(),
        queue,
        name: workflow.into(),
        identity: Digest::default(),
        content: Digest::default(),
        graph: graph.digest(),
        definition: Digest::default(),
        priority: Priority(it.priority),
        failure: FailurePolicy::Continue,
        timeout: None,
        concurrency: None,
        cost_limit_micro: None,
        trace: 1,
    };
    Submission { request: RequestId(job as u64), run, graph, done: Vec::new() }
}

fn graph(work: &Work, job: usize) -> Graph {
    let workload = &work.workload;
    let range = workload.jobs[job].tasks.clone();
    let mut parts = GraphParts::default();
    let mut known = HashMap::<Like, u32>::default();
    let policy = |like: Like| {
        let (_, (cpu_milli, memory_bytes), (count, share_milli, kinds), terms, (expected, gang)) =
            like;
        let devices = Devices { count, share_milli, kinds };
        let task = Task { cpu_milli, memory_bytes, devices, ..Task::default() };
        let terms = terms.map(|id| workload.terms_of(id).clone()).unwrap_or_default();
        let terms = of_job(terms, job);
        let expected = Some(Span(expected)).filter(|span| span.0 > 0);
        house::task_policy(house::request(workload, &task), terms, (expected, gang))
    };
    let name = workload.jobs[job].name;
    for (at, &like) in (0..).zip(work.kinds.0.get(&name).into_iter().flatten()) {
        known.insert(like, at);
        parts.policies.push(policy(like));
    }
    for task in range.clone() {
        let it = &workload.tasks()[task as usize];
        let like = like(workload, task, &work.expected);
        let policy = *known.entry(like).or_insert_with(|| {
            parts.policies.push(policy(like));
            crate::paths::number(parts.policies.len() - 1)
        });
        parts.policy_of.push(policy);
        let number = task - range.start;
        parts.edges.extend(workload.depends_on(task).iter().map(|&on| (on - range.start, number)));
        if it.members > 1 {
            parts.fan_outs.push((number, it.members));
        }
    }
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&(job as u64 + 1).to_le_bytes());
    Graph::new(Digest(digest), parts).expect("a workload has no circle and keeps to the limits")
}
