//! A cluster file: the nodes of a place, and whether each task of a workflow fits one of them.
//!
//! A cluster file is read as workflow files are: everything that is wrong with it is told at once,
//! with its place. Nothing here looks at a machine, or decides where a task runs.

mod fit;
mod gpus;

use std::collections::HashMap;

use model::quantity::scaled;
use model::resources::USUAL_SPEED;
use model::site::{HOSTNAME, node_name};
use model::{Offers, Site};

use crate::code;
use crate::diagnostic::{Diagnostics, Fault, Faults};
use crate::file::{Amounts, NodeLabels, Taints, Whole};
use crate::limits::{CLUSTER_NODES_MAX, NAME_BYTES_MAX};
use crate::node::{Content, Node as Value};
use crate::parse::{decode, parse};
use crate::read::{Foreign, Instead, Placed, Read, mapping, read_text, record, said_twice};
use crate::source::Source;
pub use fit::can_hold;
use gpus::NodeGpus;

/// The nodes of a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Its kinds of nodes, at least one, in the order of the file.
    pub kinds: Vec<NodeKind>,
}

/// Nodes that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeKind {
    /// What the node is called; with more than one, what their names begin with.
    pub name: String,
    /// How many there are, at least 1.
    pub count: u32,
    /// All that each has. Its site has what is written, and no name.
    pub offers: Offers,
}

/// A node, and what it offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is called.
    pub name: String,
    /// All that it has.
    pub offers: Offers,
}

impl Cluster {
    /// All nodes, kind by kind.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        self.kinds.iter().flat_map(|kind| (0..kind.count).map(|number| kind.node(number)))
    }
}

impl NodeKind {
    /// The name of one of them, counted from 0.
    #[must_use]
    pub fn name_of(&self, number: u32) -> String {
        node_name(&self.name, self.count, number)
    }

    /// One of them, counted from 0: its name is its `hostname`, unless its labels have that.
    fn node(&self, number: u32) -> Node {
        let name = self.name_of(number);
        let hostname = (HOSTNAME.into(), name.as_str().into());
        let Site { labels, taints } = &self.offers.site;
        let labels = std::iter::once(hostname).chain(labels.iter().cloned());
        let site = Site::new(labels, taints.iter().cloned());
        Node { name, offers: Offers { site, ..self.offers.clone() } }
    }
}

/// A node may be at most so much faster than others, in thousandths.
const SPEED_MAX: u32 = 1_000_000;

const FOREIGN: &[Foreign] = &[
    Foreign { key: "workers", what: Instead::Write("nodes") },
    Foreign { key: "machines", what: Instead::Write("nodes") },
    Foreign { key: "x-", what: Instead::Ignored },
];

record! {
    /// The nodes of a place.
    struct ClusterFile("a cluster file", "a mapping with `nodes`") {
        /// The nodes.
        nodes: Placed<Vec<NodeFile>>,
    }
    foreign: FOREIGN
}

/// Nodes that are alike: `name`, how many there are, what each has and is told apart by.
#[derive(Debug, Default)]
pub(crate) struct NodeFile {
    name: Placed<String>,
    count: Option<Placed<Whole<1, CLUSTER_NODES_MAX>>>,
    speed: Option<Speed>,
    gpus: Option<NodeGpus>,
    labels: NodeLabels,
    taints: Taints,
    amounts: Amounts,
}

// The schema is made for workflow files alone; `record!` asks for one of each type.
impl schemars::JsonSchema for NodeFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Node".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object", "required": ["name", "cpu", "memory"]})
    }
}

impl Read for NodeFile {
    const TAKES: &'static str = "a node such as `{name: big, cpu: 16, memory: 64Gi}`";

    fn read(node: &Value<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let before = faults.count();
        let mut file = Self::default();
        let mut name = None;
        for entry in mapping::<Self>(node, key, faults)? {
            let value = &entry.value;
            match &*entry.key {
                "name" => name = Placed::read(value, "name", faults),
                "count" => file.count = Read::read(value, "count", faults),
                "speed" => file.speed = Read::read(value, "speed", faults),
                "labels" => file.labels = Read::read(value, "labels", faults).unwrap_or_default(),
                "taints" => file.taints = Read::read(value, "taints", faults).unwrap_or_default(),
                "gpu" | "gpus" if file.gpus.is_some() => said_twice(entry, "gpus", faults),
                key @ ("gpu" | "gpus") => file.gpus = Read::read(value, key, faults),
                key => file.amounts.add((key, entry.key_extent), value, faults),
            }
        }
        let has = [
            ("name", name.is_some()),
            ("cpu", file.amounts.cpu.is_some()),
            ("memory", file.amounts.memory.is_some()),
        ];
        if faults.count() == before {
            for (key, _) in has.iter().filter(|(_, is_there)| !is_there) {
                let fault =
                    Fault::new(code::MISSING_KEY, node.extent, format!("this node has no `{key}`"));
                faults.push(fault.hint(format!("write {}", Self::TAKES)));
            }
        }
        Some(Self { name: name?, ..file })
    }
}

/// How fast a node is, in thousandths of what is usual.
#[derive(Clone, Copy, Debug)]
struct Speed(u32);

impl Read for Speed {
    const TAKES: &'static str = "a number such as `1` or `0.5`, with up to three decimals";

    fn read(node: &Value<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let parse = |text: &str| {
            let milli = scaled(text.trim(), 1_000).and_then(|milli| u32::try_from(milli).ok());
            let speed = milli.filter(|milli| (1..=SPEED_MAX).contains(milli));
            speed.map(Self).ok_or_else(|| format!("`{}` is no speed", text.trim()))
        };
        read_text(node, key, faults, (code::BAD_VALUE, parse))
    }
}

/// Reads a cluster file.
///
/// # Errors
/// Everything that is wrong with it; after a fault of syntax, that alone.
pub fn cluster(source: &Source) -> Result<Cluster, Diagnostics> {
    let mut faults = Faults::default();
    let text = decode(&source.text, &mut faults);
    let read = text.and_then(|text| read(&parse(text, &mut faults)?, &mut faults));
    match read {
        Some(cluster) if faults.is_empty() => Ok(cluster),
        _ => Err(faults.into_diagnostics(&source.name, text.unwrap_or_default())),
    }
}

fn read(root: &Value<'_>, faults: &mut Faults) -> Option<Cluster> {
    if let Content::List(_) | Content::Scalar(_) = root.content {
        let message = format!("a cluster file is a mapping, and this is {}", root.describe());
        let fault = Fault::new(code::WRONG_TYPE, root.extent, message);
        faults.push(fault.hint("write `nodes: [{name: big, cpu: 16, memory: 64Gi}]`"));
        return None;
    }
    let before = faults.count();
    let file = ClusterFile::read(root, "", faults)?;
    let nodes = file.nodes.map(|nodes| nodes.value).unwrap_or_default();
    if nodes.is_empty() && faults.count() == before {
        let fault = Fault::new(code::MISSING_KEY, root.extent, "the cluster has no nodes");
        faults.push(fault.hint("write `nodes: [{name: big, cpu: 16, memory: 64Gi}]`"));
    }
    check_names(&nodes, faults);
    let count: u64 = nodes.iter().map(NodeFile::count).sum();
    if count > CLUSTER_NODES_MAX {
        let message = format!("the cluster has {count} nodes, and may have {CLUSTER_NODES_MAX}");
        faults.push(Fault::new(code::TOO_LARGE, root.extent, message));
        return None;
    }
    Some(Cluster { kinds: nodes.into_iter().map(NodeFile::kind).collect() })
}

/// Names are no longer than allowed, and no two nodes have the same.
fn check_names(nodes: &[NodeFile], faults: &mut Faults) {
    let mut known: HashMap<String, &Placed<String>> = HashMap::new();
    for node in nodes {
        let name = &node.name;
        if name.value.is_empty() || name.value.len() > NAME_BYTES_MAX {
            let message = "the name of a node has 1 to 200 bytes";
            faults.push(Fault::new(code::BAD_NAME, name.extent, message));
        }
        // Of nodes that are alike one pair is enough.
        let twice = node.names().find_map(|it| Some((known.insert(it.clone(), name)?, it)));
        if let Some((first, it)) = twice {
            let message = format!("there are two nodes named `{it}`");
            let fault = Fault::new(code::CONFLICT, name.extent, message);
            faults.push(fault.related(first.extent, "the first one"));
        }
    }
}

impl NodeFile {
    /// How many there are.
    fn count(&self) -> u64 {
        self.count.as_ref().map_or(1, |count| count.value.0)
    }

    /// What they are called: as kinds name their nodes.
    fn names(&self) -> impl Iterator<Item = String> + use<'_> {
        let name = &self.name.value;
        let count = self.count();
        (1..=count).map(move |number| match count {
            1 => name.clone(),
            _ => format!("{name}-{number}"),
        })
    }

    fn kind(self) -> NodeKind {
        let offers = Offers {
            cpu_milli: self.amounts.cpu.as_ref().map_or(0, |cpu| cpu.value.0),
            memory_bytes: self.amounts.memory.as_ref().map_or(0, |memory| memory.value.0),
            custom: custom(&self.amounts.custom),
            devices: self.gpus.as_ref().map(NodeGpus::devices).unwrap_or_default(),
            speed: self.speed.map_or(USUAL_SPEED, |speed| speed.0),
            site: Site::new(self.labels.0.iter().cloned(), self.taints.0.iter().cloned()),
        };
        let count = u32::try_from(self.count()).unwrap_or(u32::MAX);
        NodeKind { name: self.name.value, count, offers }
    }
}

fn custom(amounts: &[(Placed<String>, u64)]) -> Box<[(Box<str>, u64)]> {
    let there = amounts.iter().filter(|(_, amount)| *amount > 0);
    let named = there.map(|(name, amount)| (name.value.as_str().into(), *amount));
    let mut named: Vec<(Box<str>, u64)> = named.collect();
    named.sort_unstable();
    named.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, text: &str) -> Source {
        Source { name: name.to_owned(), folder: "/".into(), text: text.as_bytes().to_vec() }
    }

    #[test]
    fn a_wrong_cluster_file_is_told_with_its_places() {
        let wrong = |text: &str| cluster(&source("c.yaml", text)).expect_err("wrong").to_string();
        assert!(wrong("nodes: []").contains("the cluster has no nodes"));
        assert!(wrong("[1]").contains("a cluster file is a mapping"));
        assert!(wrong("workers: []").contains("write `nodes`"));
        let told = wrong("nodes:\n  - {name: a, cpu: 1}\n  - {name: a, cpu: x, memory: 1Gi}\n");
        assert!(
            told.contains("c.yaml:2:5") && told.contains("this node has no `memory`"),
            "{told}"
        );
        assert!(told.contains("two nodes named `a`") && told.contains("c.yaml:3:20"), "{told}");
    }

    #[test]
    fn nodes_that_are_alike_are_written_once() {
        let nodes = "
nodes:
  - {name: big, count: 3, cpu: 16, memory: 64Gi, speed: 1.5, gpus: 2, license: 1, none: 0}
  - {name: one, count: 1, cpu: 500m, memory: 1Gi, gpu: 1}
  - name: mixed
    cpu: 1
    memory: 1Gi
    gpus: [{type: t4, memory: 16Gi}, {type: p100, count: 2}]
";
        let read = cluster(&source("c.yaml", nodes)).expect("it is valid");
        let nodes: Vec<Node> = read.nodes().collect();
        let names: Vec<&str> = nodes.iter().map(|node| &*node.name).collect();
        assert_eq!(names, ["big-1", "big-2", "big-3", "one", "mixed"]);
        assert_eq!(nodes[1].offers.site.label(HOSTNAME), Some("big-2"));
        assert_eq!((nodes[2].offers.speed, nodes[3].offers.speed), (1_500, 1_000));
        assert_eq!(*nodes[0].offers.custom, [("license".into(), 1)]);
        let devices = nodes.iter().map(|node| node.offers.devices.len()).collect::<Vec<_>>();
        assert_eq!(devices, [2, 2, 2, 1, 3]);
        let mixed = &nodes[4].offers.devices;
        assert_eq!((&*mixed[0].kind, mixed[0].memory_bytes), ("t4", 16 << 30));
        assert_eq!((&*mixed[2].kind, &*mixed[2].uuid), ("p100", "gpu-2"));
    }

    #[test]
    fn wrong_devices_and_counts_are_told() {
        let wrong = |keys: &str| {
            let text = format!("nodes: [{{name: a, cpu: 1, memory: 1Gi, {keys}}}]");
            cluster(&source("c.yaml", &text)).expect_err("wrong").to_string()
        };
        assert!(wrong("gpus: 65").contains("from 0 to 64"));
        assert!(wrong("gpus: [{count: 64}, {type: t4}]").contains("this one has 65"));
        assert!(wrong("gpus: {kind: t4}").contains("write `type`"));
        assert!(wrong("gpus: 1, gpu: 1").contains("both mean `gpus`"));
        assert!(wrong("speed: fast").contains("`fast` is no speed"));
        assert!(wrong("count: 0").contains("from 1 to"));
        assert!(wrong("count: 99999999").contains("from 1 to"));
        let twice =
            "nodes: [{name: a-2, cpu: 1, memory: 1}, {name: a, count: 2, cpu: 1, memory: 1}]";
        let told = cluster(&source("c.yaml", twice)).expect_err("wrong").to_string();
        assert!(told.contains("two nodes named `a-2`"), "{told}");
    }
}
