//! A cluster file on its way in, as every command reads it: what is wrong with it is told as of any
//! file.
//!
//! It says what nodes have. Nothing here looks at a machine.

use std::collections::BTreeMap;
use std::path::Path;

use model::limits::DEVICES_PER_NODE_MAX;
use model::{Device, Offers, Site};
use spec::Cluster;
use workload::{Gpu, NodeKind};

use crate::error::{BAD_ARGUMENT, Error, Result};
use crate::exit::Exit;
use crate::style::Tone;
use crate::workflow::WorkflowFile;

/// Reads a cluster file.
pub(crate) fn read(named: &Path, tone: Tone) -> Result<(WorkflowFile, Cluster)> {
    let file = WorkflowFile::read(named)?;
    match spec::cluster(&file.source) {
        Ok(cluster) => Ok((file, cluster)),
        Err(diagnostics) => Err(Error::invalid(&diagnostics, tone)),
    }
}

/// The nodes as they are simulated: by kinds. Amounts that are neither cores, memory nor GPUs are
/// left out, since recorded workloads ask for none.
pub(crate) fn simulated(cluster: &Cluster) -> workload::Cluster {
    workload::Cluster { nodes: cluster.kinds.iter().map(kind).collect() }
}

/// Nodes that are simulated as a file would describe them, to be made up.
///
/// # Errors
/// A node has more devices than a worker may offer.
pub(crate) fn described(cluster: &workload::Cluster) -> Result<Cluster> {
    let kinds = cluster.nodes.iter().map(|kind| {
        let offers = offers(kind);
        let count = offers.devices.len();
        if count > DEVICES_PER_NODE_MAX {
            let message = format!("`{}` has {count} GPUs", kind.name);
            let hint = format!("a node that is made up has at most {DEVICES_PER_NODE_MAX}");
            return Err(Error::new(Exit::Usage, BAD_ARGUMENT, message).hint(hint));
        }
        Ok(spec::NodeKind { name: kind.name.clone(), count: kind.count, offers })
    });
    Ok(Cluster { kinds: kinds.collect::<Result<_>>()? })
}

fn offers(kind: &NodeKind) -> Offers {
    let gpus = kind.gpus.iter().flat_map(|gpu| (0..gpu.count).map(move |_| gpu));
    let device = |(number, gpu): (usize, &Gpu)| {
        Device::described(format!("gpu-{number}"), &*gpu.kind, gpu.memory_bytes)
    };
    let text = |text: &String| text.as_str().into();
    let labels = kind.labels.iter().map(|(key, value)| (text(key), text(value)));
    Offers {
        cpu_milli: kind.cpu_milli,
        memory_bytes: kind.memory_bytes,
        devices: gpus.enumerate().map(device).collect(),
        speed: kind.speed_milli,
        site: Site::new(labels, kind.taints.iter().map(text)),
        ..Offers::default()
    }
}

fn kind(kind: &spec::NodeKind) -> NodeKind {
    let site = &kind.offers.site;
    let labels = site.labels.iter().map(|(key, value)| (key.to_string(), value.to_string()));
    NodeKind {
        name: kind.name.clone(),
        count: kind.count,
        cpu_milli: kind.offers.cpu_milli,
        memory_bytes: kind.offers.memory_bytes,
        gpus: gpus(&kind.offers.devices),
        speed_milli: kind.offers.speed,
        labels: labels.collect::<BTreeMap<_, _>>(),
        taints: site.taints.iter().map(ToString::to_string).collect(),
    }
}

/// Devices that are alike are one entry, in the order in which they were first named.
fn gpus(devices: &[Device]) -> Vec<Gpu> {
    let mut gpus: Vec<Gpu> = Vec::new();
    for Device { kind, memory_bytes, .. } in devices {
        let alike =
            gpus.iter_mut().find(|gpu| *gpu.kind == **kind && gpu.memory_bytes == *memory_bytes);
        match alike {
            Some(gpu) => gpu.count += 1,
            None => {
                gpus.push(Gpu { kind: kind.to_string(), count: 1, memory_bytes: *memory_bytes });
            }
        }
    }
    gpus
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_described_cluster_is_simulated_as_it_is_described() {
        let text = "nodes:
  - {name: big, count: 2, cpu: 16, memory: 64Gi, speed: 2, labels: {zone: a}, taints: spot}
  - {name: gpu, cpu: 8, memory: 1Gi, gpus: [{type: t4, count: 2}, {type: a100, count: 3}]}
";
        let source = spec::Source {
            name: "nodes.yaml".to_owned(),
            folder: "/".into(),
            text: text.as_bytes().to_vec(),
        };
        let described = spec::cluster(&source).expect("it is valid");
        let simulated = simulated(&described);
        let [big, gpu] = &simulated.nodes[..] else { panic!("two kinds") };
        assert_eq!((big.count, big.cpu_milli, big.speed_milli), (2, 16_000, 2_000));
        let back = super::described(&simulated).expect("few devices");
        assert_eq!(back, described);
        let names = |number| (big.name_of(number), described.kinds[0].name_of(number));
        assert_eq!(names(1), ("big-2".to_owned(), "big-2".to_owned()));
        let sites: Vec<_> = described.nodes().map(|node| node.offers.site).collect();
        assert_eq!([big.site_of(0), big.site_of(1), gpu.site_of(0)], *sites);
        let kinds: Vec<_> = gpu.gpus.iter().map(|gpu| (&*gpu.kind, gpu.count)).collect();
        assert_eq!(kinds, [("t4", 2), ("a100", 3)]);
    }
}
