//! How much of the devices of a node is free and of no use: for each kind of request that people
//! make, weighted by how often they make it, the shares that such a request cannot take.
//!
//! After "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
//! Descent" (Weng et al., USENIX ATC 2023): an item goes where it adds least to that.

use alloc::vec::Vec;

use super::Class;
use super::ask::{Ask, Form};
use super::fleet::Node;

/// Classes that are looked at: the most frequent.
const CLASSES_MAX: usize = 48;

/// The classes that ask for devices, with their weights.
#[derive(Clone, Debug, Default)]
pub(super) struct Mix {
    classes: Vec<(usize, u64)>,
}

impl Mix {
    pub(super) fn of(classes: &[Class]) -> Self {
        let with_devices = classes.iter().enumerate();
        let with_devices = with_devices.filter(|(_, it)| it.ask.devices.count > 0 && it.seen > 0);
        let mut mix: Vec<(usize, u64)> =
            with_devices.map(|(index, class)| (index, class.seen)).collect();
        mix.sort_by_key(|&(index, seen)| (core::cmp::Reverse(seen), index));
        mix.truncate(CLASSES_MAX);
        Self { classes: mix }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// What is free in a row and of no use, in thousandths of a device times the weights.
    pub(super) fn waste(&self, form: &Form, row: &[u64], classes: &[Class]) -> u64 {
        let weigh = |&(index, weight): &(usize, u64)| {
            useless(form, row, &classes[index].ask).saturating_mul(weight)
        };
        self.classes.iter().map(weigh).sum()
    }
}

/// The shares of devices that are free in a row and cannot be taken by a request.
fn useless(form: &Form, row: &[u64], ask: &Ask) -> u64 {
    let shares = &row[form.amounts..form.amounts + form.devices.len()];
    if !form.fits(row, ask) {
        return shares.iter().sum();
    }
    shares.iter().filter(|&&share| share < u64::from(ask.devices.share)).sum()
}

/// How much each node is wanted: the items of every class, times what they ask for, spread evenly
/// over the devices of the nodes that could ever hold them. What can go anywhere should leave alone
/// what others cannot do without.
pub(super) fn wanted(nodes: &[Node], classes: &[Class]) -> Vec<u64> {
    let mut wanted = alloc::vec![0_u64; nodes.len()];
    for class in classes.iter().filter(|class| class.seen > 0 && class.ask.devices.count > 0) {
        let hosts = || {
            let nodes = nodes.iter().enumerate();
            nodes.filter(|(_, node)| node.could_hold(&class.ask))
        };
        let devices: u64 = hosts().map(|(_, node)| node.spec.devices.len() as u64).sum();
        let asked = class.seen.saturating_mul(class.ask.devices.total());
        let each = asked.checked_div(devices).unwrap_or(0);
        hosts().for_each(|(index, _)| wanted[index] = wanted[index].saturating_add(each));
    }
    wanted
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::super::{Ask, Device, DeviceAsk, NodeSpec, Planner, Policy, SPEED};

    #[test]
    fn a_node_is_wanted_by_those_who_can_go_nowhere_else() {
        let mut planner = Planner::new(Policy::Autoglm);
        for kind in [0, 1, 1, 1] {
            let (capacity, devices) = (vec![8], vec![Device { kind, memory: 0 }; 2]);
            planner.add_node(NodeSpec {
                capacity,
                devices,
                speed: SPEED,
                accepts: true,
                ..NodeSpec::default()
            });
        }
        let mut wanted = |kinds, items| {
            let devices = DeviceAsk { count: 1, share: 1_000, memory: 0, kinds, tenant: 0 };
            let class = planner.class(Ask { amounts: vec![1], devices, ..Ask::default() });
            planner.see(class, items);
            super::wanted(&planner.fleet.nodes, &planner.classes)
        };
        // Eight devices, of which all can hold any.
        assert_eq!(wanted(0, 80), [10_000; 4]);
        // Six more ask for the two of the first kind, and six for the six of the other.
        assert_eq!(wanted(1, 6), [13_000, 10_000, 10_000, 10_000]);
        assert_eq!(wanted(2, 6), [13_000, 11_000, 11_000, 11_000]);
    }
}
