//! Where attempts may go, drawn: labels and taints of machines, and what tasks ask of them.
//!
//! The first machine is in zone `a`, has a fast disk and no taint, so that it can hold whatever a
//! run asks for.

use model::policy::Policy;
use model::site::{Domain, Selector};
use model::{Constraints, Site};

use crate::plan::RunPlan;
use crate::plan::features::Feature;
use crate::random::Random;

/// The lowest two bits of a machine's site are its zone: none, `a` or `b`.
const ZONES: u64 = 3;
/// It has a fast disk.
const FAST: u64 = 4;
/// It is kept for who tolerates that.
const RESERVED: u64 = 8;

/// The site of the first machine.
pub(crate) const FIRST: u64 = 1 | FAST;

/// The site of another machine.
pub(crate) fn draw(random: &mut Random) -> u64 {
    let fast = if random.per_mille(500) { FAST } else { 0 };
    let reserved = if random.per_mille(150) { RESERVED } else { 0 };
    random.below(ZONES) | fast | reserved
}

/// What a machine says of its site.
pub(crate) fn site(bits: u64) -> Site {
    let zone = ["", "a", "b"].get((bits & ZONES) as usize).filter(|zone| !zone.is_empty());
    let disk = (bits & FAST > 0).then_some("ssd");
    let labels = [("zone", zone.copied()), ("disk", disk)];
    let labels = labels.into_iter().filter_map(|(key, value)| Some((key.into(), value?.into())));
    Site::new(labels, (bits & RESERVED > 0).then(|| "reserved".into()))
}

/// Gives a policy that workers run what the run's features let it have.
pub(super) fn give(run: &RunPlan, random: &mut Random, policy: &mut Policy) {
    if run.features.has(Feature::Sites) && random.per_mille(run.flow.max(300)) {
        policy.constraints = constraints(random);
    }
}

fn constraints(random: &mut Random) -> Constraints {
    let selector = |key: &str, values: &[&str]| Selector {
        key: key.into(),
        values: values.iter().map(|&value| value.into()).collect(),
    };
    let zone = || Some(Domain::Label("zone".into()));
    let select = match random.below(5) {
        0 => vec![selector("zone", &["a"])],
        1 => vec![selector("disk", &["nvme", "ssd"])],
        2 => vec![selector("disk", &["ssd"]), selector("zone", &["a", "b"])],
        _ => vec![],
    };
    let prefer = match random.below(3) {
        0 => vec![selector("zone", &["b"])],
        _ => vec![],
    };
    let (spread, together) = match random.below(6) {
        0 => (zone(), None),
        1 => (Some(Domain::Node), zone()),
        2 => (None, zone()),
        3 => (None, Some(Domain::Node)),
        _ => (None, None),
    };
    let tolerate = random.per_mille(500).then(|| "reserved".into());
    Constraints {
        select: select.into(),
        prefer: prefer.into(),
        tolerate: tolerate.into_iter().collect(),
        spread,
        together,
    }
}
