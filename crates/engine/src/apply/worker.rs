//! Workers come and go.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use model::WorkerId;
use model::fact::WorkerJoined;

use crate::state::{Change, DeviceUse, State, Worker};

impl State {
    pub(super) fn worker_joined(&mut self, joined: &WorkerJoined) {
        let worker = Worker {
            name: joined.name.clone(),
            instance: joined.instance,
            lease: joined.lease,
            capacity: self.classes.capacity(&joined.offers),
            devices: joined.offers.devices.clone(),
            speed: joined.offers.speed,
            site: joined.offers.site.clone(),
            device_use: alloc::vec![DeviceUse::default(); joined.offers.devices.len()],
            leased: Vec::new(),
            items: BTreeSet::new(),
            unstarted: 0,
            gone: false,
        };
        self.by_name.insert(joined.name.clone(), joined.worker);
        self.workers.insert(joined.worker, worker);
        self.changes.push(Change::Worker(joined.worker));
        self.next_worker = self.next_worker.max(WorkerId(joined.worker.0 + 1));
    }

    /// A lost worker stays until its last lease has ended, so that its leases can be found.
    pub(super) fn worker_lost(&mut self, worker: WorkerId) {
        if let Some(lost) = self.workers.get_mut(&worker) {
            lost.gone = true;
            if self.by_name.get(&lost.name) == Some(&worker) {
                self.by_name.remove(&lost.name);
            }
        }
        self.changes.push(Change::Worker(worker));
        self.remove_worker_if_done(worker);
    }

    pub(super) fn remove_worker_if_done(&mut self, worker: WorkerId) {
        if self.workers.get(&worker).is_some_and(|known| known.gone && known.items.is_empty()) {
            self.workers.remove(&worker);
        }
    }
}
