//! The nodes that a history tells of: those that were there within its time, by their names.

use std::collections::BTreeMap;

use model::Span;
use model::resources::USUAL_SPEED;
use protocol::api::{PastAttempt, PastNode, Time};
use whatif::Cluster;
use workload::{Gpu, NodeKind};

use super::after;

/// The nodes, and where each registration of one is among them.
pub(super) struct Nodes {
    /// As they were when they registered last.
    pub cluster: Cluster,
    /// Of each registration its place in the cluster, and its speed in thousandths.
    known: Vec<(u32, u32)>,
}

impl Nodes {
    /// The nodes that were there within a time. A name stands for one node.
    pub(super) fn of(registered: &[PastNode], (since, until): (Time, Time)) -> Self {
        let was_there =
            |node: &&PastNode| node.since < until && node.until.is_none_or(|end| end >= since);
        let mut last = BTreeMap::new();
        for node in registered.iter().filter(was_there) {
            last.insert(node.name.as_str(), node);
        }
        let places: BTreeMap<&str, u32> = last.keys().copied().zip(0..).collect();
        let known = registered.iter().map(|node| {
            let place = places.get(node.name.as_str()).copied().unwrap_or(0);
            (place, node.speed_milli.max(1))
        });
        let known = known.collect();
        Self { known, cluster: Cluster { nodes: last.into_values().map(kind).collect() } }
    }

    /// Where an attempt ran, and how long its work takes at the usual speed, in microseconds. Of
    /// what no registration is left of the place is not known.
    pub(super) fn of_attempt(&self, attempt: &PastAttempt) -> (Option<u32>, u64) {
        let began = attempt.began.unwrap_or(attempt.ended);
        let measured = attempt.wall_seconds.map(|wall| wall.0);
        let Span(us) = measured.unwrap_or(Span(after(began, attempt.ended)));
        let known = attempt.node.and_then(|number| self.known.get(number as usize));
        let speed = known.map_or(USUAL_SPEED, |&(_, speed)| speed);
        let usual = u128::from(us) * u128::from(speed) / u128::from(USUAL_SPEED);
        (known.map(|&(place, _)| place), u64::try_from(usual).unwrap_or(u64::MAX))
    }
}

fn kind(node: &PastNode) -> NodeKind {
    let mut gpus: Vec<Gpu> = Vec::new();
    for device in &node.devices {
        let is_like =
            |gpu: &&mut Gpu| gpu.kind == device.kind && gpu.memory_bytes == device.memory_bytes;
        match gpus.iter_mut().find(is_like) {
            Some(gpu) => gpu.count += 1,
            None => gpus.push(Gpu {
                kind: device.kind.clone(),
                count: 1,
                memory_bytes: device.memory_bytes,
            }),
        }
    }
    NodeKind {
        name: node.name.clone(),
        cpu_milli: node.cpu_milli,
        memory_bytes: node.memory_bytes,
        gpus,
        speed_milli: node.speed_milli,
        ..NodeKind::default()
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use protocol::api::PastDevice;

    use super::*;

    fn node(name: &str, since: u64, until: Option<u64>, cpu_milli: u64) -> PastNode {
        let time = |at: u64| Time(Timestamp(at));
        let (name, since, until) = (name.to_owned(), time(since), until.map(time));
        PastNode { name, since, until, cpu_milli, speed_milli: 500, ..PastNode::default() }
    }

    #[test]
    fn a_name_is_one_node_as_it_registered_last_within_the_time() {
        let registered = [
            node("b", 1, Some(4), 1_000),
            node("gone", 1, Some(9), 1_000),
            node("b", 5, Some(20), 2_000),
            node("a", 15, None, 4_000),
            node("b", 21, None, 8_000),
            node("later", 99, None, 1_000),
        ];
        let nodes = Nodes::of(&registered, (Time(Timestamp(10)), Time(Timestamp(50))));
        let told: Vec<_> =
            nodes.cluster.nodes.iter().map(|it| (it.name.as_str(), it.cpu_milli)).collect();
        assert_eq!(told, [("a", 4_000), ("b", 8_000)]);
        let of = |node| {
            let (began, ended) = (Some(Time(Timestamp(10))), Time(Timestamp(30)));
            nodes.of_attempt(&PastAttempt { began, ended, node, ..PastAttempt::default() })
        };
        assert_eq!(of(Some(2)), (Some(1), 10), "an earlier registration is the same node");
        assert_eq!(of(None), (None, 20), "of usual speed");
    }

    #[test]
    fn devices_that_are_alike_are_one_kind() {
        let device = |kind: &str| PastDevice { kind: kind.into(), memory_bytes: 7 };
        let devices = vec![device("t4"), device("a100"), device("t4")];
        let kind = kind(&PastNode { devices, ..PastNode::default() });
        let told: Vec<_> = kind.gpus.iter().map(|gpu| (gpu.kind.as_str(), gpu.count)).collect();
        assert_eq!(told, [("t4", 2), ("a100", 1)]);
    }
}
