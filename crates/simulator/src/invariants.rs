//! The invariants, by their permanent ids: one small file each.
//!
//! Those on facts see each fact after it has become durable and before the ledger takes it in, with
//! the world as it really was. The others are called where the world reaches what they watch.
//! S7 is checked by the ledger itself, on each transition.

pub mod l01_runs_end;
pub mod l02_no_idle_wait;
pub mod l04_leases_return;
pub mod l07_nobody_starves;
pub mod s01_acknowledged;
pub mod s02_one_lease;
pub mod s03_dependencies;
pub mod s04_room;
pub mod s05_fencing;
pub mod s06_replay;
pub mod s07_transitions;
pub mod s08_counts_and_timers;
pub mod s09_durable_effects;
pub mod s11_stopped;
pub mod s12_concurrency;
pub mod s13_idempotency;
pub mod s14_limits;
pub mod s15_goes_on;
pub mod s16_answers;
pub mod s17_turns;
pub mod s18_undone;
pub mod s19_waits;
pub mod s20_versions;
pub mod s21_written;
pub mod s22_marks;
pub mod s23_locks;
pub mod s24_budgets;
pub mod s25_deadlines;
pub mod s26_items;
pub mod s27_breakers;
pub mod s28_pauses;
pub mod s29_growth;
pub mod s30_ways;
pub mod s31_devices;
pub mod s33_sites;
pub mod s35_preemption;
pub mod s36_queues;
pub mod s38_alternatives;
pub mod s40_inversion;
pub mod s41_gangs;

use std::fmt;
use std::sync::Arc;

use journal::Entry;
use model::collections::HashMap;
use model::fact::GangPart;
use model::{Digest, Fact, Graph, TaskKey, Timestamp, VariantId};

use crate::ledger::Ledger;
use crate::truth::Truth;

/// An invariant does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which: `S1`, `L4`.
    pub id: &'static str,
    /// When, in the world.
    pub at: Timestamp,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:?}: {}", self.id, self.at, self.what)
    }
}

/// What an invariant on facts may look at.
pub struct View<'a> {
    /// The facts before.
    pub ledger: &'a Ledger,
    /// The world.
    pub truth: &'a Truth,
    /// The graphs as they were drawn.
    pub drawn: &'a HashMap<Digest, Arc<Graph>>,
    /// The fact.
    pub entry: &'a Entry,
    /// Now, in the world.
    pub now: Timestamp,
}

impl View<'_> {
    /// How many items of which task the fact begins, and in which way.
    fn begun(&self) -> Option<(TaskKey, u32, VariantId)> {
        match &self.entry.fact {
            Fact::AttemptsLeased { task, items, variant, .. } => {
                Some((*task, items.end - items.start, *variant))
            }
            Fact::GangLeased { task, parts } => {
                let members = parts.iter().map(|part| part.items.end - part.items.start).sum();
                Some((*task, members, VariantId::default()))
            }
            _ => None,
        }
    }
}

type Check = fn(&View<'_>) -> Result<(), String>;

/// The narrower ones first: what breaks one of them breaks S3, too, and says less there.
const ON_FACTS: [(&str, Check); 32] = [
    ("S20", s20_versions::check),
    ("S21", s21_written::check),
    ("S22", s22_marks::check),
    ("S30", s30_ways::check),
    ("S23", s23_locks::check),
    ("S24", s24_budgets::check),
    ("S25", s25_deadlines::check),
    ("S26", s26_items::check),
    ("S27", s27_breakers::check),
    ("S28", s28_pauses::check),
    ("S29", s29_growth::check),
    ("S16", s16_answers::check),
    ("S17", s17_turns::check),
    ("S18", s18_undone::check),
    ("S19", s19_waits::check),
    ("S31", s31_devices::twice),
    ("S32", s31_devices::apart),
    ("S33", s33_sites::admitted),
    ("S34", s33_sites::together),
    ("S35", s35_preemption::check),
    ("S36", s36_queues::quotas),
    ("S37", s36_queues::taken_back),
    ("S39", s38_alternatives::kept),
    ("S40", s40_inversion::check),
    ("S41", s41_gangs::check),
    ("S2", s02_one_lease::check),
    ("S3", s03_dependencies::check),
    ("S5", s05_fencing::check),
    ("S8", s08_counts_and_timers::check),
    ("S11", s11_stopped::check),
    ("S12", s12_concurrency::check),
    ("S13", s13_idempotency::check),
];

/// Holds a durable fact against every invariant on facts.
///
/// # Errors
/// The first that does not hold.
pub fn on_fact(view: &View<'_>) -> Result<(), Violation> {
    for part in parts(view.entry) {
        let view = View { entry: &part, ..*view };
        // That members begin alone is what they do not do.
        on_one(&view, |id| id != "S41")?;
    }
    on_one(view, |_| true)?;
    s14_limits::fact(view.entry).map_err(|what| Violation { id: "S14", at: view.now, what })
}

/// What a gang begins with, as if its parts were leased one by one: what holds for leases holds for
/// each of them.
fn parts(entry: &Entry) -> Vec<Entry> {
    let Fact::GangLeased { task, parts } = &entry.fact else { return vec![] };
    let part = |part: &GangPart| {
        let GangPart { items, worker, devices } = part.clone();
        let fact =
            Fact::AttemptsLeased { task: *task, items, worker, variant: VariantId(0), devices };
        Entry { fact, ..entry.clone() }
    };
    parts.iter().map(part).collect()
}

fn on_one(view: &View<'_>, counts: impl Fn(&str) -> bool) -> Result<(), Violation> {
    for (id, check) in ON_FACTS.into_iter().filter(|(id, _)| counts(id)) {
        check(view).map_err(|what| {
            let what = format!("{what} ({:?} at {:?})", view.entry.seq, view.entry.at);
            Violation { id, at: view.now, what }
        })?;
    }
    Ok(())
}
