//! The room that is kept for critical work, by the facts: where it stands, and what is taken there.

use std::collections::{BTreeMap, HashMap};

use model::fact::WorkerJoined;
use model::{ItemKey, Offers, Request, WorkerId};

use crate::workload::queues::kept;

/// Thousandths of cores, and slots.
pub type Amounts = [u64; 2];

/// What live leases take, and what is kept.
#[derive(Debug, Default)]
pub struct Lane {
    /// Whether the coordinator keeps any.
    pub is_kept: bool,
    /// By worker: what all leases take, and what those of critical work do.
    taken: BTreeMap<WorkerId, (Amounts, Amounts)>,
    held: HashMap<ItemKey, (WorkerId, Amounts, bool)>,
}

/// What is asked for or offered of what the lane is made of.
#[must_use]
pub fn amounts(cpu_milli: u64, custom: &[(Box<str>, u64)]) -> Amounts {
    let slots = custom.iter().find(|(name, _)| **name == *"slot").map_or(0, |(_, slots)| *slots);
    [cpu_milli, slots]
}

impl Lane {
    /// What all live leases take of a worker.
    #[must_use]
    pub fn taken(&self, worker: WorkerId) -> Amounts {
        self.taken.get(&worker).map_or([0; 2], |taken| taken.0)
    }

    /// What is left on a worker of what is kept there; none if nothing is.
    #[must_use]
    pub fn left_on(
        &self,
        worker: WorkerId,
        workers: &BTreeMap<WorkerId, WorkerJoined>,
    ) -> Option<Amounts> {
        let kept = *self.stands(workers).get(&worker)?;
        let used = self.taken.get(&worker).map_or([0; 2], |taken| taken.1);
        Some([0, 1].map(|at| kept[at].saturating_sub(used[at])))
    }

    /// Where it stands: on the smallest that holds all; else where least is missing, and so on.
    fn stands(&self, workers: &BTreeMap<WorkerId, WorkerJoined>) -> BTreeMap<WorkerId, Amounts> {
        let mut stands = BTreeMap::new();
        if !self.is_kept {
            return stands;
        }
        let all = kept();
        let mut left = amounts(all.cpu_milli.unwrap_or(0), &all.custom);
        let open = workers.iter().filter(|(_, it)| it.offers.site.taints.is_empty());
        let mut open: Vec<(WorkerId, &Offers)> = open.map(|(id, it)| (*id, &it.offers)).collect();
        while left != [0; 2] {
            let has = |offers: &Offers| amounts(offers.cpu_milli, &offers.custom);
            let missing = |offers: &Offers| -> u64 {
                let has = has(offers);
                let part = |at: usize| {
                    (left[at].saturating_sub(has[at]) * 1_000_000).div_ceil(left[at].max(1))
                };
                part(0) + part(1)
            };
            let size = |offers: &Offers| {
                let [cpu, slots] = has(offers);
                (offers.devices.len(), cpu, offers.memory_bytes, slots)
            };
            let Some(&(id, best)) = open.iter().min_by_key(|(id, it)| (missing(it), size(it), *id))
            else {
                return stands;
            };
            let taken = [0, 1].map(|at| left[at].min(has(best)[at]));
            if taken == [0; 2] {
                return stands;
            }
            left = [0, 1].map(|at| left[at] - taken[at]);
            open.retain(|(other, _)| *other != id);
            stands.insert(id, taken);
        }
        stands
    }

    pub(super) fn take(
        &mut self,
        key: ItemKey,
        (worker, is_critical): (WorkerId, bool),
        request: &Request,
    ) {
        let asked = amounts(request.cpu_milli, &request.custom);
        self.held.insert(key, (worker, asked, is_critical));
        let (all, critical) = self.taken.entry(worker).or_default();
        for at in [0, 1] {
            all[at] += asked[at];
            critical[at] += if is_critical { asked[at] } else { 0 };
        }
    }

    pub(super) fn give_back(&mut self, key: ItemKey) {
        let Some((worker, asked, is_critical)) = self.held.remove(&key) else { return };
        let (all, critical) = self.taken.entry(worker).or_default();
        for at in [0, 1] {
            all[at] -= asked[at];
            critical[at] -= if is_critical { asked[at] } else { 0 };
        }
    }
}
