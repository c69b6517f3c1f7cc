//! What is offered to tasks: what this machine has, or what nodes have that are made up.
//!
//! This machine offers what the settings say, containers where an engine for them is, and its GPUs.
//! Those are looked for on a thread of its own, while the state is read: a driver that sleeps or
//! hangs takes seconds. Nodes that are made up offer what is written, and nobody looks at the
//! machine. Nothing here decides what an attempt gets.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use model::policy::Policy;
use model::resources::CONTAINER;
use model::site::{HOSTNAME, check_value};
use model::{Device, DeviceSet, Offers, Site};
use spec::{Cluster, Node};
use worker::Station;
use worker::devices::{Found, find};

use crate::quantity::Declared;

/// How many containers are offered where nobody says it: cores and memory bound them before.
const CONTAINERS: u64 = 1_000;

/// The name of this machine as a node.
const NODE_NAME: &str = "local";

/// Who offers something to the tasks of a state folder.
#[derive(Clone, Debug)]
pub(crate) enum Offered {
    /// This machine, what is said of it.
    Machine(Declared),
    /// Nodes that are made up, and share this machine.
    Nodes {
        /// The file that describes them.
        file: PathBuf,
        /// What stands in it.
        cluster: Arc<Cluster>,
    },
}

/// What is offered, as far as it is known, and the search for the rest.
pub(crate) struct Looking {
    offered: Offered,
    devices: Option<JoinHandle<Found>>,
}

/// What is offered.
#[derive(Debug)]
pub(crate) struct Offering {
    /// By each node.
    pub(crate) stations: Vec<Station>,
    /// Whether something is known of GPUs here, be it that there are to be none: then attempts see
    /// theirs alone.
    pub(crate) binds_devices: bool,
    /// What there is to say, in sentences.
    pub(crate) notes: Vec<String>,
}

impl Offering {
    /// Whether a node holds an attempt when nothing else runs there, and it may go there.
    pub(crate) fn can_hold(&self, policy: &Policy) -> bool {
        self.stations.iter().any(|station| spec::can_hold(&station.offers, policy))
    }
}

impl Looking {
    /// Begins to look for GPUs, unless it is said that none are to be found.
    pub(crate) fn begin(offered: &Offered) -> Self {
        let may_be_there = match offered {
            Offered::Machine(declared) => declared.gpus != Some(0),
            Offered::Nodes { .. } => false,
        };
        let devices = may_be_there.then(|| {
            let thread = thread::Builder::new().name("devices".to_owned());
            thread.spawn(find).ok()
        });
        Self { devices: devices.flatten(), ..Self::without_devices(offered) }
    }

    /// For whoever does not ask for GPUs: none are looked for.
    pub(crate) fn without_devices(offered: &Offered) -> Self {
        Self { offered: offered.clone(), devices: None }
    }

    /// Waits for what is found: ten seconds at most.
    pub(crate) fn end(self) -> Offering {
        let Self { offered, devices } = self;
        let found = devices.and_then(|thread| thread.join().ok()).unwrap_or_default();
        match offered {
            Offered::Machine(declared) => {
                offered_here(declared, found, &|name| std::env::var(name).ok())
            }
            // Attempts see none of the devices of the machine: theirs are numbers.
            Offered::Nodes { cluster, .. } => {
                let stations = cluster.nodes().map(station).collect();
                Offering { stations, binds_devices: true, notes: Vec::new() }
            }
        }
    }
}

fn station(Node { name, offers }: Node) -> Station {
    Station { name: name.into_boxed_str(), offers }
}

/// What this machine offers where these devices were found.
fn offered_here(
    declared: Declared,
    found: Found,
    env: &dyn Fn(&str) -> Option<String>,
) -> Offering {
    let trouble = found.notes.into_iter().filter(|note| !note.is_absence);
    let mut notes: Vec<String> =
        trouble.map(|note| format!("{} GPUs: {}", note.vendor.as_str(), note.text)).collect();
    let mut devices = found.devices;
    let there = devices.len();
    if let Some(said) = declared.gpus {
        let most = usize::from(DeviceSet::DEVICES_MAX);
        let count = usize::try_from(said).unwrap_or(usize::MAX).min(most);
        let numbers = numbers(env);
        devices.truncate(count);
        devices.extend((devices.len()..count).map(|place| placeholder(place, &numbers)));
        if there > 0 && there < count {
            notes.push(format!(
                "{there} GPUs were found, and {count} are to be offered: those beyond them are \
                 bound by their numbers alone",
            ));
        }
        if u64::try_from(count).unwrap_or(u64::MAX) < said {
            notes.push(format!("{count} GPUs are offered, and not {said}: a node has no more"));
        }
    }
    let site = site(&declared.site);
    let binds_devices = declared.gpus.is_some() || !devices.is_empty();
    let offers = Offers { devices: devices.into(), site, ..with_containers(declared) };
    let stations = vec![Station { name: NODE_NAME.into(), offers }];
    Offering { stations, binds_devices, notes }
}

/// What the machine is told apart by: its name, system and architecture, and what is declared,
/// which counts more.
fn site(declared: &Site) -> Site {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let own = [
        (HOSTNAME, name),
        ("os", std::env::consts::OS.to_owned()),
        ("arch", std::env::consts::ARCH.to_owned()),
    ];
    let own = own.into_iter().filter(|(_, value)| check_value(value).is_ok());
    let own = own.map(|(key, value)| (key.into(), value.into()));
    Site::new(own.chain(declared.labels.iter().cloned()), declared.taints.iter().cloned())
}

/// The amounts, with containers where an engine for them is. An amount of GPUs stays beside the
/// devices: work that was submitted before there were devices asks for that.
fn with_containers(declared: Declared) -> Offers {
    let mut offers = Offers::from(declared.amounts);
    let has_any = offers.custom.iter().any(|(name, _)| **name == *CONTAINER);
    if !has_any && worker::offers_containers() {
        let mut custom = offers.custom.into_vec();
        custom.push((CONTAINER.into(), CONTAINERS));
        custom.sort_unstable();
        offers.custom = custom.into();
    }
    offers
}

/// What stands for a GPU that was said to be there, and not found.
fn placeholder(place: usize, numbers: &[Option<u16>]) -> Device {
    let number = match numbers.get(place) {
        Some(number) => *number,
        None => u16::try_from(place).ok(),
    };
    Device { ordinal: number, ..Device::described(format!("gpu-{place}"), "gpu", 0) }
}

/// The numbers of the devices that this process may use, where a batch system has said so.
fn numbers(env: &dyn Fn(&str) -> Option<String>) -> Vec<Option<u16>> {
    let said = env("CUDA_VISIBLE_DEVICES").or_else(|| env("ROCR_VISIBLE_DEVICES"));
    let said = said.filter(|list| !list.trim().is_empty());
    said.iter().flat_map(|list| list.split(',')).map(|number| number.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use model::Vendor;

    use worker::devices::Note;

    use super::*;

    fn device(uuid: &str) -> Device {
        Device { uuid: uuid.into(), vendor: Vendor::Nvidia, ..placeholder(0, &[]) }
    }

    fn shown(gpus: Option<u64>, found: &[&str]) -> (String, bool, usize) {
        let found =
            Found { devices: found.iter().map(|uuid| device(uuid)).collect(), notes: Vec::new() };
        let declared = Declared { gpus, ..Declared::default() };
        let offering = offered_here(declared, found, &|_| None);
        let ids: Vec<&str> =
            offering.stations[0].offers.devices.iter().map(|it| &*it.uuid).collect();
        (ids.join(" "), offering.binds_devices, offering.notes.len())
    }

    #[test]
    fn what_is_found_is_offered_unless_a_number_is_said() {
        assert_eq!(shown(None, &[]), (String::new(), false, 0));
        assert_eq!(shown(None, &["a", "b"]), ("a b".to_owned(), true, 0));
        assert_eq!(shown(Some(0), &[]), (String::new(), true, 0));
        assert_eq!(shown(Some(1), &["a", "b"]), ("a".to_owned(), true, 0));
        assert_eq!(shown(Some(2), &[]), ("gpu-0 gpu-1".to_owned(), true, 0));
        assert_eq!(shown(Some(3), &["a"]), ("a gpu-1 gpu-2".to_owned(), true, 1));
        let (many, _, notes) = shown(Some(100), &[]);
        assert_eq!((many.split(' ').count(), notes), (64, 1));
    }

    #[test]
    fn a_machine_says_its_system_itself_and_what_is_declared_counts_more() {
        let declared = Site::new([("arch".into(), "mine".into())], ["spot".into()]);
        let declared = Declared { site: declared, ..Declared::default() };
        let offering = offered_here(declared, Found::default(), &|_| None);
        let site = &offering.stations[0].offers.site;
        assert_eq!((site.label("os"), site.label("arch")), (Some("linux"), Some("mine")));
        assert!(site.label(HOSTNAME).is_some());
        assert_eq!(*site.taints, ["spot".into()]);
    }

    #[test]
    fn absences_are_not_worth_a_word() {
        let note = |is_absence| Note { vendor: Vendor::Nvidia, text: "why".into(), is_absence };
        let found = Found { devices: Vec::new(), notes: vec![note(true), note(false)] };
        assert_eq!(offered_here(Declared::default(), found, &|_| None).notes, ["nvidia GPUs: why"]);
    }

    #[test]
    fn placeholders_have_the_numbers_that_a_batch_system_left() {
        let numbers = numbers(&|name| (name == "CUDA_VISIBLE_DEVICES").then(|| "4, 6,x".into()));
        let ordinal = |place| placeholder(place, &numbers).ordinal;
        assert_eq!([0, 1, 2, 3].map(ordinal), [Some(4), Some(6), None, Some(3)]);
    }
}
