//! A cluster: kinds of nodes, how many there are of each, and what they have.
//!
//! It is written as YAML, with the quantities of workflow files, and is read as those are:
//! everything that is wrong is told at once, with its place. Nothing here looks at a machine.

use std::collections::{BTreeMap, BTreeSet};

use model::Site;
use model::limits::{LABELS_PER_NODE_MAX, TAINTS_PER_NODE_MAX};
use model::site::{HOSTNAME, check_key, check_taint, check_value};

use crate::code;
use crate::fault::{Fault, Faults};
use crate::limits::{CORES_MAX, DEVICES_MAX, NAME_BYTES_MAX, NODES_MAX, SPEED_MILLI_MAX};
use crate::source::Source;
use crate::suggest::did_you_mean;
use crate::units;
use crate::yaml::{Content, Entry, Node, parse};

/// The nodes of a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Its kinds of nodes, at least one, in the order in which nodes are to be tried.
    pub nodes: Vec<NodeKind>,
}

/// Nodes that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeKind {
    /// What the node is called; with more than one, what their names begin with.
    pub name: String,
    /// How many there are, at least 1.
    pub count: u32,
    /// Thousandths of a CPU that each has.
    pub cpu_milli: u64,
    /// Bytes of memory that each has.
    pub memory_bytes: u64,
    /// The devices that each has.
    pub gpus: Vec<Gpu>,
    /// How fast it works, in thousandths of the common speed: on 2,000 a task takes half as long.
    pub speed_milli: u32,
    /// What it is told apart by.
    pub labels: BTreeMap<String, String>,
    /// What keeps those away that do not tolerate it.
    pub taints: BTreeSet<String>,
}

/// Devices of one kind in a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// The kind, such as `A100`; `gpu` if nothing is said.
    pub kind: String,
    /// How many there are, at least 1.
    pub count: u32,
    /// Bytes of memory that each has; 0 if nothing is said.
    pub memory_bytes: u64,
}

impl Default for NodeKind {
    fn default() -> Self {
        Self {
            name: String::new(),
            count: 1,
            cpu_milli: 0,
            memory_bytes: 0,
            gpus: Vec::new(),
            speed_milli: 1_000,
            labels: BTreeMap::new(),
            taints: BTreeSet::new(),
        }
    }
}

impl Cluster {
    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.nodes.iter().map(|node| u64::from(node.count)).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl NodeKind {
    /// The name of one of its nodes, counted from 0.
    #[must_use]
    pub fn name_of(&self, number: u32) -> String {
        match self.count {
            1 => self.name.clone(),
            _ => format!("{}-{number}", self.name),
        }
    }

    /// What one of its nodes, counted from 0, is told apart by: its name as `hostname`, unless its
    /// labels have that, and what is written.
    #[must_use]
    pub fn site_of(&self, number: u32) -> Site {
        let hostname = (HOSTNAME.into(), self.name_of(number).into());
        let written =
            self.labels.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into()));
        let taints = self.taints.iter().map(|taint| taint.as_str().into());
        Site::new(std::iter::once(hostname).chain(written), taints)
    }
}

const NODE: &str = "write a node as `{name: big, count: 4, cpu: 64, memory: 256Gi, gpus: 8}`";
const NODE_KEYS: [&str; 9] =
    ["name", "count", "cpu", "memory", "gpus", "gpu", "speed", "labels", "taints"];
const GPU_KEYS: [&str; 3] = ["type", "count", "memory"];

/// Reads a cluster file.
///
/// # Errors
/// Everything that is wrong with it; after a fault of syntax, that alone.
pub fn cluster(source: &Source) -> Result<Cluster, Faults> {
    let mut faults = Faults::of(source.name());
    let root = parse(source, &mut faults);
    let mut reader = Reader { source, faults };
    let nodes = root.and_then(|root| reader.file(&root));
    reader.faults.unless(nodes.map(|nodes| Cluster { nodes }))
}

struct Reader<'s> {
    source: &'s Source,
    faults: Faults,
}

impl Reader<'_> {
    fn tell(&mut self, node: &Node<'_>, code: model::code::Code, message: String, hint: &str) {
        let fault = Fault::at(self.source, node.at.clone(), code, message);
        self.faults.push(if hint.is_empty() { fault } else { fault.hint(hint) });
    }

    fn file(&mut self, root: &Node<'_>) -> Option<Vec<NodeKind>> {
        let Content::Map(entries) = &root.content else {
            let message = format!("a cluster file is a mapping, and this is {}", root.describe());
            self.tell(root, code::BAD_VALUE, message, "write `nodes:` and the nodes below it");
            return None;
        };
        let mut nodes = None;
        for entry in entries {
            match &*entry.key {
                "nodes" => nodes = Some(self.nodes(&entry.value)),
                key if key.starts_with("x-") => {}
                _ => self.unknown(entry, "a cluster file", &["nodes"]),
            }
        }
        if nodes.is_none() && self.faults.count() == 0 {
            let message = "this has no key `nodes`".to_owned();
            self.tell(root, code::MISSING, message, NODE);
        }
        nodes
    }

    fn nodes(&mut self, node: &Node<'_>) -> Vec<NodeKind> {
        let Content::List(items) = &node.content else {
            let message = format!("`nodes` takes a list, not {}", node.describe());
            self.tell(node, code::BAD_VALUE, message, NODE);
            return Vec::new();
        };
        if items.is_empty() {
            self.tell(node, code::EMPTY, "the cluster has no nodes".to_owned(), NODE);
        }
        let mut nodes: Vec<NodeKind> = Vec::new();
        for item in items {
            let number = nodes.len() + 1;
            let Some(read) = self.node(item, number) else { continue };
            if nodes.iter().any(|other| other.name == read.name) {
                let message = format!("there are two kinds of nodes named `{}`", read.name);
                self.tell(item, code::DUPLICATE, message, "give one of them another name");
            }
            nodes.push(read);
        }
        let count: u64 = nodes.iter().map(|node| u64::from(node.count)).sum();
        if count > NODES_MAX {
            let message = format!("the cluster has {count} nodes, and may have {NODES_MAX}");
            self.tell(node, code::TOO_LARGE, message, "");
        }
        nodes
    }

    fn node(&mut self, node: &Node<'_>, number: usize) -> Option<NodeKind> {
        let Content::Map(entries) = &node.content else {
            let message = format!("a node is a mapping, and this is {}", node.describe());
            self.tell(node, code::BAD_VALUE, message, NODE);
            return None;
        };
        let before = self.faults.count();
        let mut read = NodeKind { name: format!("node{number}"), ..NodeKind::default() };
        let mut gpus = None;
        for Entry { key, value, .. } in entries {
            match &**key {
                "name" => read.name = self.name(value, key).unwrap_or_default(),
                "count" => read.count = self.count(value, key, NODES_MAX),
                "cpu" => read.cpu_milli = self.cpu(value, key),
                "memory" => read.memory_bytes = self.memory(value, key),
                "speed" => read.speed_milli = self.speed(value, key),
                "labels" => read.labels = self.labels(value),
                "taints" => read.taints = self.taints(value),
                "gpus" | "gpu" if gpus.is_none() => gpus = Some(self.gpus(value, key)),
                "gpus" | "gpu" => {
                    let message = "`gpu` and `gpus` mean the same".to_owned();
                    self.tell(value, code::CONFLICT, message, "take one of the two out");
                }
                _ => {}
            }
        }
        for entry in entries.iter().filter(|entry| !NODE_KEYS.contains(&&*entry.key)) {
            self.unknown(entry, "a node", &NODE_KEYS);
        }
        for key in ["cpu", "memory"] {
            if self.faults.count() == before && !entries.iter().any(|entry| entry.key == key) {
                self.tell(node, code::MISSING, format!("this node has no `{key}`"), NODE);
            }
        }
        read.gpus = gpus.unwrap_or_default();
        Some(read)
    }

    fn gpus(&mut self, node: &Node<'_>, key: &str) -> Vec<Gpu> {
        let gpus: Vec<Gpu> = match &node.content {
            Content::Scalar(..) => {
                let count = self.read(node, key, "a number, or `{type: A100, count: 8}`", |text| {
                    units::whole(text, DEVICES_MAX)
                });
                let count = count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
                vec![Gpu { kind: "gpu".to_owned(), count, memory_bytes: 0 }]
            }
            Content::Map(_) => self.gpu(node).into_iter().collect(),
            Content::List(items) => items.iter().filter_map(|item| self.gpu(item)).collect(),
        };
        for (at, gpu) in gpus.iter().enumerate() {
            if gpus[..at].iter().any(|other| other.kind == gpu.kind) {
                let message = format!("there are two entries of the type `{}`", gpu.kind);
                self.tell(node, code::DUPLICATE, message, "write their sum under `count`");
            }
        }
        gpus.into_iter().filter(|gpu| gpu.count > 0).collect()
    }

    fn gpu(&mut self, node: &Node<'_>) -> Option<Gpu> {
        let Content::Map(entries) = &node.content else {
            let message = format!("GPUs are a mapping, and this is {}", node.describe());
            self.tell(node, code::BAD_VALUE, message, "write `{type: A100, count: 8}`");
            return None;
        };
        let mut gpu = Gpu { kind: "gpu".to_owned(), count: 1, memory_bytes: 0 };
        for entry in entries {
            let Entry { key, value, .. } = entry;
            match &**key {
                "type" => gpu.kind = self.name(value, key).unwrap_or_default(),
                "count" => gpu.count = self.count(value, key, DEVICES_MAX),
                "memory" => gpu.memory_bytes = self.memory(value, key),
                _ => self.unknown(entry, "an entry of `gpus`", &GPU_KEYS),
            }
        }
        Some(gpu)
    }

    fn labels(&mut self, node: &Node<'_>) -> BTreeMap<String, String> {
        let Content::Map(entries) = &node.content else {
            let message = format!("`labels` takes a mapping, not {}", node.describe());
            self.tell(node, code::BAD_VALUE, message, "write `labels: {rack: r1}`");
            return BTreeMap::new();
        };
        if entries.len() > LABELS_PER_NODE_MAX {
            let count = entries.len();
            let message = format!("a node may have {LABELS_PER_NODE_MAX} labels, not {count}");
            self.tell(node, code::TOO_LARGE, message, "");
        }
        let mut labels = BTreeMap::new();
        for entry in entries {
            if let Err(message) = check_key(&entry.key) {
                let at = entry.key_at.clone();
                self.faults.push(Fault::at(self.source, at, code::BAD_VALUE, message));
            }
            let read = |text: &str| check_value(text).map(|()| text.to_owned());
            let text = self.read(&entry.value, &entry.key, "a short text", read);
            labels.insert(entry.key.to_string(), text.unwrap_or_default());
        }
        labels
    }

    /// One taint, or a list of them.
    fn taints(&mut self, node: &Node<'_>) -> BTreeSet<String> {
        let read = |text: &str| check_taint(text).map(|()| text.to_owned());
        let takes = "a taint such as `reserved`, or a list of them";
        let taints: BTreeSet<String> = match &node.content {
            Content::List(items) => {
                items.iter().filter_map(|item| self.read(item, "taints", takes, read)).collect()
            }
            Content::Scalar(..) | Content::Map(_) => {
                self.read(node, "taints", takes, read).into_iter().collect()
            }
        };
        if taints.len() > TAINTS_PER_NODE_MAX {
            let count = taints.len();
            let message = format!("a node may have {TAINTS_PER_NODE_MAX} taints, not {count}");
            self.tell(node, code::TOO_LARGE, message, "");
        }
        taints
    }

    /// Reads a scalar by a function that says what is wrong.
    fn read<T>(
        &mut self,
        node: &Node<'_>,
        key: &str,
        takes: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let Some(text) = node.text() else {
            let message = format!("`{key}` takes {takes}, not {}", node.describe());
            self.tell(node, code::BAD_VALUE, message, "");
            return None;
        };
        match read(text) {
            Ok(value) => Some(value),
            Err(message) => {
                self.tell(node, code::BAD_VALUE, message, &format!("`{key}` takes {takes}"));
                None
            }
        }
    }

    fn name(&mut self, node: &Node<'_>, key: &str) -> Option<String> {
        self.read(node, key, "a text of 1 to 200 bytes", |text| match text.len() {
            0 => Err("this is empty".to_owned()),
            1..=NAME_BYTES_MAX => Ok(text.to_owned()),
            bytes => Err(format!("this has {bytes} bytes")),
        })
    }

    fn count(&mut self, node: &Node<'_>, key: &str, max: u64) -> u32 {
        let takes = format!("a whole number from 1 to {max}");
        let count = self.read(node, key, &takes, |text| match units::whole(text, max)? {
            0 => Err("there is at least one".to_owned()),
            count => Ok(count),
        });
        count.and_then(|count| u32::try_from(count).ok()).unwrap_or(1)
    }

    fn cpu(&mut self, node: &Node<'_>, key: &str) -> u64 {
        let takes = format!("CPUs such as `64` or `500m`, at most {CORES_MAX}");
        let cpu = self.read(node, key, &takes, |text| match units::cpu_milli(text)? {
            0 => Err("a node has some of it".to_owned()),
            milli => Ok(milli),
        });
        cpu.unwrap_or(0)
    }

    fn memory(&mut self, node: &Node<'_>, key: &str) -> u64 {
        let memory = self.read(node, key, "bytes such as `256Gi`", units::bytes);
        memory.unwrap_or(0)
    }

    fn speed(&mut self, node: &Node<'_>, key: &str) -> u32 {
        let takes = "a number such as `1` or `0.5`, with up to three decimals";
        let speed = self.read(node, key, takes, |text| {
            let milli =
                model::quantity::scaled(text, 1_000).and_then(|milli| u64::try_from(milli).ok());
            match milli {
                Some(milli @ 1..=SPEED_MILLI_MAX) => Ok(milli),
                _ => Err(format!("`{}` is not a speed", units::short(text))),
            }
        });
        speed.and_then(|speed| u32::try_from(speed).ok()).unwrap_or(1_000)
    }

    fn unknown(&mut self, entry: &Entry<'_>, noun: &str, keys: &[&'static str]) {
        let key = units::short(&entry.key);
        let message = format!("{noun} has no key `{key}`");
        let fault = Fault::at(self.source, entry.key_at.clone(), code::UNKNOWN_KEY, message);
        let ours = match &*entry.key {
            "workers" | "machines" | "hosts" => Some("nodes"),
            "cpus" | "cores" | "vcpus" => Some("cpu"),
            "mem" | "ram" => Some("memory"),
            "kind" | "model" | "gpu_type" => Some("type"),
            "replicas" | "number" => Some("count"),
            _ => None,
        };
        let ours = ours.filter(|ours| keys.contains(ours)).map(|ours| format!("write `{ours}`"));
        let fault = fault.hint_if(ours).hint_if(did_you_mean(&key, keys.iter().copied()));
        let takes = keys.iter().filter(|&&key| key != "gpu").copied().collect::<Vec<_>>();
        self.faults.push(fault.hint_if(Some(format!("{noun} takes: {}", takes.join(", ")))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Cluster, String> {
        let source = Source::new("c.yaml", text.into()).unwrap();
        cluster(&source).map_err(|faults| faults.to_string())
    }

    #[test]
    fn nodes_are_read_with_their_defaults() {
        let text = "
x-note: anything
nodes:
  - {cpu: 500m, memory: 1Gi}
  - name: big
    count: 3
    cpu: 64
    memory: 256Gi
    gpus: {type: A100, count: 8, memory: 80Gi}
    speed: 1.25
    labels: {rack: r1, row: 7}
    taints: [spot, reserved]
  - {name: few, cpu: 4, memory: 16Gi, gpu: 2}
  - {name: mixed, cpu: 4, memory: 16Gi, gpus: [{type: T4}, {type: P100, count: 2}]}
";
        let Cluster { nodes } = read(text).unwrap();
        let plain = NodeKind {
            name: "node1".to_owned(),
            cpu_milli: 500,
            memory_bytes: 1 << 30,
            ..NodeKind::default()
        };
        assert_eq!(nodes[0], plain);
        assert_eq!((nodes[1].count, nodes[1].speed_milli), (3, 1_250));
        assert_eq!((nodes[1].name_of(2), nodes[0].name_of(0)), ("big-2".into(), "node1".into()));
        let a100 = Gpu { kind: "A100".to_owned(), count: 8, memory_bytes: 80 << 30 };
        assert_eq!(nodes[1].gpus, [a100]);
        assert_eq!(nodes[1].labels["row"], "7");
        let site = nodes[1].site_of(2);
        assert_eq!((site.label("row"), site.label("hostname")), (Some("7"), Some("big-2")));
        assert_eq!(*site.taints, ["reserved".into(), "spot".into()]);
        assert_eq!((nodes[2].gpus[0].kind.as_str(), nodes[2].gpus[0].count), ("gpu", 2));
        let kinds: Vec<_> = nodes[3].gpus.iter().map(|gpu| (&*gpu.kind, gpu.count)).collect();
        assert_eq!(kinds, [("T4", 1), ("P100", 2)]);
        assert_eq!(Cluster { nodes }.len(), 6);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let told = read(
            "nodes:
  - {name: a, cpus: 4, memory: 1Gi}
  - {name: b, cpu: -1, memory: 1Zi, speed: 0, gpus: {kind: T4}}
  - {name: b, cpu: 1}
  - 7
  - {cpu: 1, memory: 1Gi, count: 0, labels: [x]}
  - {name: c, cpu: 1, memory: 1Gi, labels: {node: x, disk: a b}, taints: a=b}
worker: []
",
        )
        .unwrap_err();
        let expected = "\
c.yaml:2:15: error[E0604]: a node has no key `cpus`
  help: write `cpu`
c.yaml:3:20: error[E0605]: `-1` is not a number of CPUs such as 4, 0.5 or 500m
  help: `cpu` takes CPUs such as `64` or `500m`, at most 1000000
c.yaml:3:32: error[E0605]: `1Zi` is not an amount of memory such as 64Gi
  help: `memory` takes bytes such as `256Gi`
c.yaml:3:44: error[E0605]: `0` is not a speed
  help: `speed` takes a number such as `1` or `0.5`, with up to three decimals
c.yaml:3:54: error[E0604]: an entry of `gpus` has no key `kind`
  help: write `type`
c.yaml:4:5: error[E0603]: this node has no `memory`
  help: write a node as `{name: big, count: 4, cpu: 64, memory: 256Gi, gpus: 8}`
c.yaml:4:5: error[E0608]: there are two kinds of nodes named `b`
  help: give one of them another name
c.yaml:5:5: error[E0605]: a node is a mapping, and this is `7`
  help: write a node as `{name: big, count: 4, cpu: 64, memory: 256Gi, gpus: 8}`
c.yaml:6:34: error[E0605]: there is at least one
  help: `count` takes a whole number from 1 to 1000000
c.yaml:6:45: error[E0605]: `labels` takes a mapping, not a list
  help: write `labels: {rack: r1}`
c.yaml:7:45: error[E0605]: `node` stands for the node itself, and is the key of no label
c.yaml:7:60: error[E0605]: `a b` cannot be the value of a label: use 1 to 200 letters, \
digits, `_`, `-`, `.` and `/`
  help: `disk` takes a short text
c.yaml:7:74: error[E0605]: `a=b` cannot be a taint: use 1 to 200 letters, \
digits, `_`, `-`, `.` and `/`
  help: `taints` takes a taint such as `reserved`, or a list of them
c.yaml:8:1: error[E0604]: a cluster file has no key `worker`
  help: a cluster file takes: nodes
";
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_no_cluster_is_told() {
        let told = |text: &str| read(text).unwrap_err().lines().next().unwrap().to_owned();
        assert_eq!(told("# nothing"), "c.yaml: error[E0610]: there is nothing in the file");
        assert_eq!(told("{}"), "c.yaml:1:1: error[E0603]: this has no key `nodes`");
        assert_eq!(told("nodes: []"), "c.yaml:1:8: error[E0610]: the cluster has no nodes");
        assert_eq!(
            told("nodes: {a: 1}"),
            "c.yaml:1:8: error[E0605]: `nodes` takes a list, not a mapping"
        );
        assert!(told("nodes: [").starts_with("c.yaml:1:"));
        assert!(told("a: &x 1\nb: *x").contains("an alias is not read here"));
        assert!(told("a: 1\na: 2").contains("stands twice"));
        assert!(told("a: 1\n---\nb: 2").contains("a second document"));
        assert!(told(&["[".repeat(100), "]".repeat(100)].concat()).contains("lie in each other"));
        assert!(
            told(
                "nodes: [{cpu: 1, memory: 1, count: 600000}, {name: x, cpu: 1, memory: 1, \
            count: 600000}]"
            )
            .contains("1200000 nodes")
        );
        assert!(told("nodes: [{cpu: 1, memory: 1, gpu: 1, gpus: 2}]").contains("mean the same"));
    }
}
