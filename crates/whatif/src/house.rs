//! Where a workload meets the engine: policies, what is asked for and offered, what is expected.

use engine::{Engine, Rules};
use model::queue::QueueTree;
use model::{Device, DeviceRequest, Offers, Request, Span};
pub use scheduler::Policy;
use workload::{NodeKind, Task, Terms, Workload};

/// An engine that knows nothing yet and plans by a policy, for some queues.
pub(crate) fn engine(policy: Policy, queues: &QueueTree) -> Engine {
    Engine::with(&Rules { policy, queues: queues.clone() })
}

/// What each member of a task asks for.
pub(crate) fn request(workload: &Workload, task: &Task) -> Request {
    let kinds = workload.device_kinds(task.devices.kinds).map(Into::into).collect();
    let devices = match task.devices.count {
        0 => DeviceRequest::default(),
        count => DeviceRequest {
            count: u16::try_from(count).unwrap_or(u16::MAX),
            share: task.devices.share_milli,
            memory_bytes: 0,
            kinds,
        },
    };
    Request {
        cpu_milli: u64::from(task.cpu_milli),
        memory_bytes: task.memory_bytes,
        custom: Box::default(),
        devices,
    }
}

/// What a node offers: one of its kind, counted from 0.
pub(crate) fn offers(node: &NodeKind, number: u32) -> Offers {
    let devices = node.gpus.iter().flat_map(|gpu| {
        let device = |number| {
            Device::described(format!("{}-{number}", gpu.kind), &*gpu.kind, gpu.memory_bytes)
        };
        (0..gpu.count).map(device)
    });
    Offers {
        cpu_milli: node.cpu_milli,
        memory_bytes: node.memory_bytes,
        custom: Box::default(),
        devices: devices.collect(),
        speed: node.speed_milli,
        site: node.site_of(number),
    }
}

/// How a task is run that asks for this, keeps to its terms, and is expected to take so long; a
/// `gang` is one of which all members begin together.
pub(crate) fn task_policy(
    request: Request,
    terms: Terms,
    (expected, gang): (Option<Span>, bool),
) -> model::policy::Policy {
    let retry = model::policy::RetryPolicy { limit: u8::MAX, ..Default::default() };
    let Terms { constraints, shared, priority } = terms;
    let priority = priority.unwrap_or_default();
    let policy = model::policy::Policy { request, retry, expected, gang, ..Default::default() };
    model::policy::Policy { constraints, shared, priority, ..policy }
}
