//! A job as a run: its graph, and the submission that names it.

use std::sync::Arc;

use engine::{RequestId, Submission};
use model::collections::HashMap;
use model::fact::RunAdmitted;
use model::graph::GraphParts;
use model::policy::{FailurePolicy, Priority};
use model::queue::{DEFAULT_QUEUE, QueueTree, SEPARATOR, tenant};
use model::{Constraints, Digest, Graph, RunId, Span};
use workload::KindsId;

use crate::house;
use crate::work::Work;

/// What makes tasks alike to the engine.
type Like<'w> = (u32, u64, (u32, u16, KindsId), u64, Option<&'w Constraints>);

/// The queue of a job: the one that it names, below its tenant or at the top, or that of its
/// tenant.
fn queue(queues: &QueueTree, (tenant, queue): (&str, &str)) -> Box<str> {
    let below = format!("{tenant}{SEPARATOR}{queue}");
    let paths = [&*below, queue, tenant];
    let known = paths.into_iter().find(|path| queues.find(path).is_some());
    let named = Some(queue).filter(|queue| !queue.is_empty());
    known.or(named).unwrap_or(DEFAULT_QUEUE).into()
}

/// The submission of a job.
pub(crate) fn submission(work: &Work, queues: &QueueTree, job: usize) -> Submission {
    let graph = Arc::new(graph(work, job));
    let it = &work.workload.jobs[job];
    let named = (work.workload.text(it.tenant), work.workload.text(it.queue));
    let queue = queue(queues, named);
    let run = RunAdmitted {
        run: RunId(0),
        key: None,
        tenant: tenant(&queue).into(),
        queue,
        name: Box::default(),
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
    let mut known = HashMap::<Like<'_>, u32>::default();
    for task in range.clone() {
        let it = &workload.tasks()[task as usize];
        let devices = (it.devices.count, it.devices.share_milli, it.devices.kinds);
        let expected = work.expected[task as usize];
        let asked = workload.constraints(task);
        let like = (it.cpu_milli, it.memory_bytes, devices, expected, asked);
        let policy = *known.entry(like).or_insert_with(|| {
            let expected = Some(Span(expected)).filter(|span| span.0 > 0);
            parts.policies.push(house::task_policy(workload, task, expected));
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
