//! Whether each task of a workflow fits a node by itself, and what the nearest node lacks.

use std::collections::BTreeMap;

use model::device::of_each_kind;
use model::policy::Policy;
use model::resources::WHOLE_DEVICE;
use model::site::Domain;
use model::{Constraints, Device, DeviceRequest, Offers, Request};

use super::{Cluster, Node};
use crate::code;
use crate::definition::TaskDefinition;
use crate::diagnostic::{Diagnostics, Fault, Faults};
use crate::params::Workflow;
use crate::source::Source;

impl Workflow {
    /// Whether each task fits a node by itself. `source` is what the workflow was read from.
    ///
    /// # Errors
    /// Every task that asks for more than any node has, where it asks.
    pub fn fits(&self, source: &Source, cluster: &Cluster) -> Result<(), Diagnostics> {
        let nodes = Nodes(cluster.nodes().collect());
        let reasons: Vec<Option<Reason>> =
            self.parts.policies.iter().map(|policy| nodes.refuses(policy)).collect();
        let mut faults = Faults::default();
        for (index, &policy) in self.parts.policy_of.iter().enumerate() {
            let members = self.tasks.get(index).and_then(TaskDefinition::item_count);
            let gang = &self.parts.policies[policy as usize];
            let too_large =
                members.filter(|_| gang.gang).and_then(|count| nodes.too_small(gang, count));
            let reason = reasons[policy as usize].as_ref().or(too_large.as_ref());
            let Some(Reason { message, hint }) = reason else { continue };
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

/// Whether attempts may go to a place that offers this, and it holds one when nothing else runs
/// there.
#[must_use]
pub fn can_hold(offers: &Offers, policy: &Policy) -> bool {
    policy.constraints.admits(&offers.site) && requests(policy).any(|it| has_room(offers, it))
}

/// With what a task can be done: what it says itself, then its alternatives.
fn requests(policy: &Policy) -> impl Iterator<Item = &Request> {
    let alternatives = policy.alternatives.iter().map(|it| &it.request);
    std::iter::once(&policy.request).chain(alternatives)
}

fn has_room(offers: &Offers, request: &Request) -> bool {
    amounts(request).all(|(what, asked)| amount(offers, what) >= asked)
        && meant(&offers.devices, &request.devices) >= usize::from(request.devices.count)
}

/// How many attempts a place holds at a time that ask for so much.
fn times(offers: &Offers, request: &Request) -> u64 {
    let of_amounts = amounts(request).filter(|&(_, asked)| asked > 0);
    let of_amounts = of_amounts.map(|(what, asked)| amount(offers, what) / asked).min();
    let devices = &request.devices;
    // Of a fraction several go on one device.
    let each = (WHOLE_DEVICE / devices.share.max(1)).max(1);
    let places = meant(&offers.devices, devices) as u64 * u64::from(each);
    let of_devices = places.checked_div(devices.count.into());
    of_amounts.into_iter().chain(of_devices).min().unwrap_or(u64::MAX)
}

/// How many of some devices are those that a request means.
fn meant(devices: &[Device], request: &DeviceRequest) -> usize {
    devices.iter().filter(|device| request.means(device)).count()
}

/// Nodes that are named with what keeps a task from them.
const NAMED_MAX: usize = 3;

/// Why no node can run a task.
struct Reason {
    message: String,
    hint: String,
}

/// All nodes of a cluster.
struct Nodes(Vec<Node>);

impl Nodes {
    /// Why no node has what a task asks for; nothing if one has.
    fn refuses(&self, policy: &Policy) -> Option<Reason> {
        if !policy.kind.is_work() {
            return None;
        }
        let asked = &policy.constraints;
        let open = self.0.iter().filter(|node| asked.admits(&node.offers.site));
        match open.collect::<Vec<_>>() {
            open if open.is_empty() => Some(self.is_closed_to(asked)),
            open => Open(open).refuses_all(policy),
        }
    }

    /// Why all nodes together, or those of one group where members stay together, have no room for
    /// a gang; nothing if they have.
    fn too_small(&self, policy: &Policy, members: u32) -> Option<Reason> {
        let asked = &policy.constraints;
        let mut groups: BTreeMap<&str, u64> = BTreeMap::new();
        for node in self.0.iter().filter(|node| asked.admits(&node.offers.site)) {
            let group = match &asked.together {
                None => "",
                Some(Domain::Node) => &node.name,
                Some(Domain::Label(key)) => node.offers.site.label(key).unwrap_or_default(),
            };
            *groups.entry(group).or_default() += times(&node.offers, &policy.request);
        }
        let largest = groups.into_values().max().unwrap_or(0);
        (largest < members.into()).then(|| Reason {
            message: format!("is a gang of {members}: more than all nodes together hold"),
            hint: match &asked.together {
                None => format!("they hold {largest}: make it smaller"),
                Some(domain) => {
                    format!(
                        "its members stay together by {domain}, and {largest} is the most there"
                    )
                }
            },
        })
    }

    /// Why a task may go to no node, whatever it has.
    fn is_closed_to(&self, asked: &Constraints) -> Reason {
        let obstacles = self.0.iter().filter_map(|node| {
            Some(format!("`{}` {}", node.name, asked.obstacle(&node.offers.site)?))
        });
        let mut obstacles: Vec<String> = obstacles.collect();
        let more = obstacles.len().saturating_sub(NAMED_MAX);
        obstacles.truncate(NAMED_MAX);
        obstacles.extend((more > 0).then(|| format!("and {more} more")));
        let message = "may go to no node, by labels and taints".to_owned();
        Reason { message, hint: obstacles.join("; ") }
    }
}

/// The nodes that a task may go to, at least one.
struct Open<'c>(Vec<&'c Node>);

impl Open<'_> {
    /// Why a task can be done with nothing that it names; nothing if it can. Told of what it says
    /// itself.
    fn refuses_all(&self, policy: &Policy) -> Option<Reason> {
        let mut reasons = requests(policy).map(|request| self.refuses(request));
        let mut first = reasons.next()??;
        if reasons.any(|reason| reason.is_none()) {
            return None;
        }
        match policy.alternatives.len() {
            0 => {}
            1 => first.message.push_str("; nor has one what its alternative asks for"),
            _ => first.message.push_str("; nor has one what any of its alternatives asks for"),
        }
        Some(first)
    }

    /// Why none of them has what a task asks for; nothing if one has.
    fn refuses(&self, request: &Request) -> Option<Reason> {
        if self.0.iter().any(|node| has_room(&node.offers, request)) {
            return None;
        }
        let mut lacks = Vec::new();
        let mut best = Vec::new();
        for (what, asked) in amounts(request) {
            let most = self.most(|node| amount(&node.offers, what))?;
            let has = amount(&most.offers, what);
            if has < asked {
                lacks.push(shown(what, asked));
                best.push(match has {
                    0 => format!("no node has {what}"),
                    has => format!("`{}` has the most: {}", most.name, shown(what, has)),
                });
            }
        }
        let devices = &request.devices;
        let most = self.most(|node| meant(&node.offers.devices, devices))?;
        if meant(&most.offers.devices, devices) < usize::from(devices.count) {
            lacks.push(devices.to_string());
            best.push(self.nearest(devices));
        }
        if lacks.is_empty() {
            let fixed = amounts(request).map(|(what, asked)| shown(what, asked));
            let gpus = (devices.count > 0).then(|| devices.to_string());
            let all: Vec<String> = fixed.chain(gpus).collect();
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

    /// The first of the nodes that have the most of something.
    fn most<K: Ord>(&self, amount: impl Fn(&Node) -> K) -> Option<&Node> {
        self.0.iter().rev().copied().max_by_key(|node| amount(node))
    }

    /// The node that comes nearest to some devices, and what it has of them: as many as possible of
    /// those that are meant; else of the kind, whatever their memory; else of any kind.
    fn nearest(&self, asked: &DeviceRequest) -> String {
        let of_kind = DeviceRequest { memory_bytes: 0, ..asked.clone() };
        let any = DeviceRequest { kinds: Box::default(), ..of_kind.clone() };
        let lacks_memory = asked.memory_bytes > 0;
        for (wanted, lacks_memory) in [(asked, false), (&of_kind, lacks_memory), (&any, false)] {
            let Some(node) = self.most(|node| meant(&node.offers.devices, wanted)) else {
                continue;
            };
            let found = node.offers.devices.iter().filter(|device| wanted.means(device));
            let found: Vec<&Device> = found.collect();
            if !found.is_empty() {
                let name = &node.name;
                let which = of_each_kind(found.iter().copied());
                return match lacks_memory {
                    false => format!("`{name}` has the most: {which}"),
                    true => format!("`{name}` has {which} {}", memory(&found)),
                };
            }
        }
        "no node has gpu".to_owned()
    }
}

/// What some devices have of memory, where that is too little.
fn memory(devices: &[&Device]) -> String {
    match devices.iter().map(|device| device.memory_bytes).max().unwrap_or(0) {
        0 => "whose memory is not written there".to_owned(),
        bytes => format!("with {} at most", shown("memory", bytes)),
    }
}

/// What a request asks for by amounts.
fn amounts(request: &Request) -> impl Iterator<Item = (&str, u64)> {
    let custom = request.custom.iter().map(|(name, amount)| (&**name, *amount));
    let fixed = [("cpu", request.cpu_milli), ("memory", request.memory_bytes)];
    fixed.into_iter().chain(custom).filter(|(_, amount)| *amount > 0)
}

fn amount(offers: &Offers, what: &str) -> u64 {
    match what {
        "cpu" => offers.cpu_milli,
        "memory" => offers.memory_bytes,
        name => {
            let found = offers.custom.iter().find(|(known, _)| **known == *name);
            found.map_or(0, |(_, amount)| *amount)
        }
    }
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
        on(NODES, workflow)
    }

    fn on(nodes: &str, workflow: &str) -> String {
        let source = source("a.yaml", workflow);
        let checked = crate::check(&source).expect("it is valid");
        let cluster = crate::cluster(&self::source("c.yaml", nodes)).expect("it is valid");
        checked.fits(&source, &cluster).map_or_else(|told| told.to_string(), |()| String::new())
    }

    #[test]
    fn what_fits_is_not_told() {
        assert_eq!(told("tasks: {a: {script: x, resources: {cpu: 16, memory: 64Gi}}}"), "");
        assert_eq!(told("tasks: {a: {script: x, resources: {gpu: 2, memory: 16Gi}}}"), "");
        assert_eq!(told("tasks: {a: {wait: 1s}}"), "");
    }

    #[test]
    fn a_task_fits_if_one_of_its_alternatives_does() {
        let of = |alternatives: &str| {
            told(&format!(
                "tasks: {{a: {{script: x, resources: {{gpu: 4}}, alternatives: [{alternatives}]}}}}"
            ))
        };
        assert_eq!(of("{resources: {cpu: 64}}, {resources: {cpu: 16}}"), "");
        let never = of("{resources: {cpu: 64}}");
        let words = "task `a` asks for 4 gpu: more than any node has; nor has one what its";
        assert!(never.contains(words), "{never}");
        assert!(never.contains("`gpu` has the most: 2 gpu"), "{never}");
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
    fn only_the_nodes_that_a_task_may_go_to_are_looked_at() {
        let nodes = "
nodes:
  - {name: big, cpu: 64, memory: 64Gi, labels: {disk: hdd}, taints: [reserved]}
  - {name: ssd, count: 2, cpu: 4, memory: 16Gi, labels: {disk: ssd}}
";
        let told = |task: &str| on(nodes, &format!("tasks: {{a: {{script: x, {task}}}}}"));
        assert_eq!(told("select: {disk: ssd}"), "");
        assert_eq!(told("select: {hostname: ssd-2}"), "");
        assert_eq!(told("resources: {cpu: 8}, tolerate: reserved"), "");
        let large = told("resources: {cpu: 8}");
        assert!(large.contains("`ssd-1` has the most: 4 cpu"), "{large}");
        let nowhere = told("select: {disk: nvme}, tolerate: reserved");
        assert!(nowhere.contains("task `a` may go to no node, by labels and taints"), "{nowhere}");
        assert!(nowhere.contains("`big` lacks disk=nvme; `ssd-1` lacks disk=nvme"), "{nowhere}");
        let kept = told("select: {disk: hdd}");
        assert!(kept.contains("`big` has the taint `reserved`; `ssd-1` lacks disk=hdd"), "{kept}");
    }

    const MIXED: &str = "
nodes:
  - {name: old, cpu: 8, memory: 32Gi, gpus: [{type: v100, count: 2, memory: 16Gi}]}
  - {name: new, count: 2, cpu: 64, memory: 256Gi, gpus: {type: nvidia-a100-sxm4-80gb, count: 4}}
";

    #[test]
    fn devices_are_told_with_the_nearest_node() {
        let told = |gpu: &str| {
            let text = format!("tasks: {{a: {{script: x, resources: {{gpu: {gpu}}}}}}}");
            let told = on(MIXED, &text);
            told.lines()
                .filter(|line| line.contains("E0170") || line.contains("help"))
                .fold(String::new(), |all, line| {
                    all + line.split_once(": ").map_or(line, |(_, rest)| rest) + "\n"
                })
        };
        for fits in ["4", "0.5", "v100:2", "a100:0.25", "{type: [h100, v100], count: 2}"] {
            assert_eq!(told(fits), "", "{fits}");
        }
        assert_eq!(told("{type: v100, memory: 16Gi}"), "");
        assert_eq!(
            told("5"),
            "task `a` asks for 5 gpu: more than any node has\n\
             `new-1` has the most: 4 nvidia-a100-sxm4-80gb gpu\n"
        );
        assert_eq!(
            told("h100"),
            "task `a` asks for 1 h100 gpu: more than any node has\n\
             `new-1` has the most: 4 nvidia-a100-sxm4-80gb gpu\n"
        );
        assert_eq!(
            told("v100:3"),
            "task `a` asks for 3 v100 gpu: more than any node has\n\
             `old` has the most: 2 v100 gpu\n"
        );
        assert_eq!(
            told("{type: v100, memory: 20Gi}"),
            "task `a` asks for 1 v100 gpu with 20Gi: more than any node has\n\
             `old` has 2 v100 gpu with 16Gi memory at most\n"
        );
        assert_eq!(
            told("{type: a100, memory: 20Gi}"),
            "task `a` asks for 1 a100 gpu with 20Gi: more than any node has\n\
             `new-1` has 4 nvidia-a100-sxm4-80gb gpu whose memory is not written there\n"
        );
    }
}
