//! The devices of this worker, and what binds attempts to those that they were granted.
//!
//! Which ones those are was decided where attempts are planned. Nothing here chooses a device.

use model::message::Grant;
use model::{Device, Offers};

use crate::devices::Share;
use crate::executors::{Attempt, Granted};

/// What is offered, by the places that grants name.
#[derive(Debug)]
pub(crate) struct Devices {
    offered: Box<[Device]>,
    /// Whether attempts are bound at all.
    are_bound: bool,
}

impl Devices {
    pub(crate) fn new(offers: &Offers, are_bound: bool) -> Self {
        Self { offered: offers.devices.clone(), are_bound }
    }

    /// What a grant gives of them.
    pub(super) fn granted(&self, grant: &Grant) -> Granted {
        let asked = &grant.request.devices;
        let at = |place: u8| self.offered.get(usize::from(place)).cloned();
        Granted {
            devices: grant.devices.iter().filter_map(at).collect(),
            share: Share { thousandths: asked.share, memory_bytes: asked.memory_bytes },
            is_bound: self.are_bound,
        }
    }
}

/// Binds an attempt that becomes a process to its devices. Gives back what is to be said of that.
pub(super) fn bind(attempt: &mut Attempt) -> Option<String> {
    let bound = attempt.granted.variables();
    let is_bound = |name: &str| bound.iter().any(|(known, _)| *known == name);
    let own = attempt.env.iter().chain(&attempt.secrets);
    let own = own.filter(|(name, _)| is_bound(name)).map(|(name, _)| name.as_str());
    let replaced: Vec<&str> = own.collect();
    let said = (!replaced.is_empty()).then(|| {
        let names = replaced.join(", ");
        format!("its own {names} is replaced: it sees the GPUs that it was given, and no others")
    });
    attempt.env.retain(|(name, _)| !is_bound(name));
    attempt.secrets.retain(|(name, _)| !is_bound(name));
    attempt.env.extend(bound.into_iter().map(|(name, value)| (name.to_owned(), value)));
    said
}
