//! A cluster file: the nodes of a place, and whether each task of a workflow fits one of them.
//!
//! A cluster file is read as workflow files are: everything that is wrong with it is told at once,
//! with its place. Nothing here looks at a machine, or decides where a task runs.

use model::policy::Policy;
use model::{DeviceRequest, Request};

use crate::code;
use crate::diagnostic::{Diagnostics, Fault, Faults};
use crate::file::Amounts;
use crate::limits::NAME_BYTES_MAX;
use crate::node::{Content, Node as Value};
use crate::params::Workflow;
use crate::parse::{decode, parse};
use crate::read::{Foreign, Instead, Placed, Read, mapping, record};
use crate::source::Source;

/// The nodes of a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The nodes, at least one.
    pub nodes: Vec<Node>,
}

/// A node, and what it offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is called.
    pub name: String,
    /// All that it has.
    pub offers: Request,
}

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

/// A node: `name`, and amounts.
#[derive(Debug)]
pub(crate) struct NodeFile {
    name: Placed<String>,
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
        let mut name = None;
        let mut amounts = Amounts::default();
        for entry in mapping::<Self>(node, key, faults)? {
            match &*entry.key {
                "name" => name = Placed::read(&entry.value, "name", faults),
                key => amounts.add((key, entry.key_extent), &entry.value, faults),
            }
        }
        let has = [
            ("name", name.is_some()),
            ("cpu", amounts.cpu.is_some()),
            ("memory", amounts.memory.is_some()),
        ];
        if faults.count() == before {
            for (key, _) in has.iter().filter(|(_, is_there)| !is_there) {
                let fault =
                    Fault::new(code::MISSING_KEY, node.extent, format!("this node has no `{key}`"));
                faults.push(fault.hint(format!("write {}", Self::TAKES)));
            }
        }
        Some(Self { name: name?, amounts })
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
    for (index, node) in nodes.iter().enumerate() {
        let name = &node.name;
        if name.value.is_empty() || name.value.len() > NAME_BYTES_MAX {
            let message = "the name of a node has 1 to 200 bytes";
            faults.push(Fault::new(code::BAD_NAME, name.extent, message));
        }
        if let Some(first) = nodes[..index].iter().find(|it| it.name.value == name.value) {
            let message = format!("there are two nodes named `{}`", name.value);
            let fault = Fault::new(code::CONFLICT, name.extent, message);
            faults.push(fault.related(first.name.extent, "the first one"));
        }
    }
    let nodes = nodes.into_iter().map(|node| Node {
        offers: Request {
            devices: DeviceRequest::default(),
            cpu_milli: node.amounts.cpu.map_or(0, |cpu| cpu.value.0),
            memory_bytes: node.amounts.memory.map_or(0, |memory| memory.value.0),
            custom: custom(&node.amounts.custom),
        },
        name: node.name.value,
    });
    Some(Cluster { nodes: nodes.collect() })
}

fn custom(amounts: &[(Placed<String>, u64)]) -> Box<[(Box<str>, u64)]> {
    let named = amounts.iter().map(|(name, amount)| (name.value.as_str().into(), *amount));
    let mut named: Vec<(Box<str>, u64)> = named.collect();
    named.sort_unstable();
    named.into()
}

impl Workflow {
    /// Whether each task fits a node by itself. `source` is what the workflow was read from.
    ///
    /// # Errors
    /// Every task that asks for more than any node has, where it asks.
    pub fn fits(&self, source: &Source, cluster: &Cluster) -> Result<(), Diagnostics> {
        let reasons: Vec<Option<Reason>> =
            self.parts.policies.iter().map(|policy| cluster.refuses(policy)).collect();
        let mut faults = Faults::default();
        for (index, &policy) in self.parts.policy_of.iter().enumerate() {
            let Some(Reason { message, hint }) = &reasons[policy as usize] else { continue };
            let name = self.tasks.get(index).map_or("", |task| &task.name);
            let message = format!("task `{name}` {message}");
            let extent = self.request_extents.get(index).copied().unwrap_or_default();
            faults.push(Fault::new(code::FITS_NO_NODE, extent, message).hint(hint));
        }
        if faults.is_empty() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&source.text);
        Err(faults.into_diagnostics(&source.name, &text))
    }
}

/// Why no node can run a task.
struct Reason {
    message: String,
    hint: String,
}

impl Cluster {
    /// Why no node has what a task asks for; nothing if one has.
    fn refuses(&self, policy: &Policy) -> Option<Reason> {
        let request = &policy.request;
        let holds =
            |node: &Node| amounts(request).all(|(what, asked)| amount(&node.offers, what) >= asked);
        if !policy.kind.is_work() || self.nodes.iter().any(holds) {
            return None;
        }
        let mut lacks = Vec::new();
        let mut best = Vec::new();
        for (what, asked) in amounts(request) {
            let most = self.nodes.iter().max_by_key(|node| amount(&node.offers, what))?;
            let has = amount(&most.offers, what);
            if has < asked {
                lacks.push(shown(what, asked));
                best.push(match has {
                    0 => format!("no node has {what}"),
                    has => format!("`{}` has the most: {}", most.name, shown(what, has)),
                });
            }
        }
        if lacks.is_empty() {
            let all: Vec<String> =
                amounts(request).map(|(what, asked)| shown(what, asked)).collect();
            return Some(Reason {
                message: format!("asks for {}: no one node has all of it", all.join(", ")),
                hint: "each of it is there, but not together: ask for less of something".to_owned(),
            });
        }
        Some(Reason {
            message: format!("asks for {}: more than any node has", lacks.join(", ")),
            hint: best.join("; "),
        })
    }
}

/// What a request asks for, by name.
fn amounts(request: &Request) -> impl Iterator<Item = (&str, u64)> {
    let custom = request.custom.iter().map(|(name, amount)| (&**name, *amount));
    let devices = ("gpu", u64::from(request.devices.count));
    let fixed = [("cpu", request.cpu_milli), ("memory", request.memory_bytes), devices];
    fixed.into_iter().chain(custom).filter(|(_, amount)| *amount > 0)
}

fn amount(offers: &Request, what: &str) -> u64 {
    amounts(offers).find(|(known, _)| *known == what).map_or(0, |(_, amount)| amount)
}

/// An amount as people write it.
fn shown(what: &str, amount: u64) -> String {
    let units = [("Ti", 1_u64 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    match what {
        "cpu" if amount.is_multiple_of(1_000) => format!("{} cpu", amount / 1_000),
        "cpu" => format!("{amount}m cpu"),
        "memory" => match units.iter().find(|(_, size)| amount.is_multiple_of(*size)) {
            Some((unit, size)) => format!("{}{unit} memory", amount / size),
            None => format!("{amount} bytes of memory"),
        },
        name => format!("{amount} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, text: &str) -> Source {
        Source { name: name.to_owned(), folder: "/".into(), text: text.as_bytes().to_vec() }
    }

    const NODES: &str = "
nodes:
  - {name: big, cpu: 16, memory: 64Gi}
  - {name: gpu, cpu: 4, memory: 16Gi, gpu: 2}
";

    fn told(workflow: &str) -> String {
        let source = source("a.yaml", workflow);
        let checked = crate::check(&source).expect("it is valid");
        let cluster = cluster(&self::source("c.yaml", NODES)).expect("it is valid");
        checked.fits(&source, &cluster).map_or_else(|told| told.to_string(), |()| String::new())
    }

    #[test]
    fn what_fits_is_not_told() {
        assert_eq!(told("tasks: {a: {script: x, resources: {cpu: 16, memory: 64Gi}}}"), "");
        assert_eq!(told("tasks: {a: {script: x, resources: {gpu: 2, memory: 16Gi}}}"), "");
        assert_eq!(told("tasks: {a: {wait: 1s}}"), "");
    }

    #[test]
    fn every_task_that_fits_no_node_is_told_where_it_asks() {
        let told = told(
            "tasks:
  a: {script: x, resources: {cpu: 17}}
  b: {script: x, resources: {cpu: 8, gpu: 1}}
  c: {script: x, resources: {license: 1, memory: 128Gi}}
  d: {script: x}
",
        );
        assert_eq!(told.matches("E0170").count(), 3, "{told}");
        assert!(told.contains("task `a` asks for 17 cpu: more than any node has"), "{told}");
        assert!(told.contains("`big` has the most: 16 cpu"), "{told}");
        assert!(told.contains("task `b` asks for 8 cpu, 1 gpu: no one node has all"), "{told}");
        assert!(told.contains("128Gi memory, 1 license"), "{told}");
        assert!(told.contains("no node has license"), "{told}");
        assert!(told.contains("a.yaml:4:29"), "{told}");
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
}
