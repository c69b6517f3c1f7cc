//! Whether a task could ever run on a cluster: on free nodes, all of its members at once.
//!
//! What cannot is left out before anything is simulated, and told: it would wait for ever.

use model::Constraints;
use model::site::HOSTNAME;
use workload::{Cluster, NodeKind, Task, Workload};

/// Whether a task, by its number, could run on the cluster if nothing else did.
pub(crate) fn fits(workload: &Workload, number: u32, cluster: &Cluster) -> bool {
    let task = &workload.tasks()[number as usize];
    let asked = workload.constraints(number);
    let members = cluster.nodes.iter().map(|node| open(node, asked) * times(workload, task, node));
    members.fold(0, u64::saturating_add) >= u64::from(task.members)
}

/// How many nodes of a kind a task may go to that asks this of them.
fn open(node: &NodeKind, asked: Option<&Constraints>) -> u64 {
    let nothing = Constraints::default();
    let asked = asked.unwrap_or(&nothing);
    let admits = |&number: &u32| asked.admits(&node.site_of(number));
    // Those of a kind are told apart by their names alone.
    if asked.keys().any(|key| key == HOSTNAME) {
        return (0..node.count).filter(admits).count() as u64;
    }
    if admits(&0) { node.count.into() } else { 0 }
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
