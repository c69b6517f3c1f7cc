//! Whether a task could ever run on a cluster: on free nodes, all of its members at once.
//!
//! What cannot is left out before anything is simulated, and told: it would wait for ever.

use workload::{Cluster, NodeKind, Task, Workload};

/// Whether a task could run on the cluster if nothing else did.
pub(crate) fn fits(workload: &Workload, task: &Task, cluster: &Cluster) -> bool {
    let members =
        cluster.nodes.iter().map(|node| u64::from(node.count) * times(workload, task, node));
    members.fold(0, u64::saturating_add) >= u64::from(task.members)
}

/// How many members of a task a free node holds at once.
fn times(workload: &Workload, task: &Task, node: &NodeKind) -> u64 {
    let most = |has: u64, asked: u64| has.checked_div(asked).unwrap_or(u64::MAX);
    let (count, share) = (u64::from(task.devices.count), u64::from(task.devices.share_milli));
    let wanted: Vec<&str> = workload.device_kinds(task.devices.kinds).collect();
    let is_wanted = |kind: &str| wanted.is_empty() || wanted.contains(&kind);
    let devices = node.gpus.iter().filter(|gpu| is_wanted(&gpu.kind));
    let devices: u64 = devices.map(|gpu| u64::from(gpu.count)).sum();
    let each = 1_000_u64.checked_div(share).unwrap_or(u64::MAX);
    let by_devices = match count {
        0 => u64::MAX,
        1 => devices.saturating_mul(each),
        _ => devices / count * each,
    };
    most(node.cpu_milli, u64::from(task.cpu_milli))
        .min(most(node.memory_bytes, task.memory_bytes))
        .min(by_devices)
}
