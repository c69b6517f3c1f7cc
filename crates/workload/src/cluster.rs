//! A cluster: kinds of nodes, how many there are of each, and what they have.
//!
//! It is plain data. Scenarios and some traces have one beside their tasks; cluster files are read
//! as workflow files are, elsewhere. Nothing here looks at a machine.

use std::collections::{BTreeMap, BTreeSet};

use model::Site;
use model::site::{HOSTNAME, node_name};

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
        node_name(&self.name, self.count, number)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_a_kind_are_told_apart_by_their_names() {
        let labels = BTreeMap::from([("row".to_owned(), "7".to_owned())]);
        let kind = NodeKind { name: "big".into(), count: 3, labels, ..NodeKind::default() };
        let site = kind.site_of(2);
        assert_eq!((site.label("row"), site.label("hostname")), (Some("7"), Some("big-3")));
        let one = NodeKind { count: 1, ..kind.clone() };
        assert_eq!((one.name_of(0), one.site_of(0).label("hostname")), ("big".into(), Some("big")));
        assert_eq!(Cluster { nodes: vec![kind, one] }.len(), 4);
    }
}
