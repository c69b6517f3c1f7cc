//! The shortest list of facts that rebuilds a state. Replaying it is replaying any other journal.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash};

use model::collections::HashMap;
use model::fact::{LeaseImage, Restored, TaskImage, WorkerJoined};
use model::outcome::Totals;
use model::{Fact, IdSet, Offers, RunId, Seq, TaskKey, Timestamp};
use rustc_hash::FxBuildHasher;

use crate::engine::{Engine, Placed};
use crate::state::{Item, Run, State, Task};

impl Engine {
    /// The facts that rebuild the durable state, each with the place that it is to be replayed at.
    /// The last is [`Restored::End`].
    #[must_use]
    pub fn snapshot(&self) -> Placed {
        self.state().snapshot()
    }

    /// A hash of the durable state: equal states have equal hashes on every machine (S6).
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        FxBuildHasher.hash_one(self.snapshot())
    }
}

impl State {
    fn snapshot(&self) -> Placed {
        let mut list = Placed::new();
        self.put(
            &mut list,
            Restored::Counters {
                next_run: self.next_run,
                next_worker: self.next_worker,
                mean_wall_us: self.classes.means().to_vec(),
            },
        );
        self.put_workers(&mut list);
        for run in self.runs.values() {
            let fact = Fact::RunAdmitted(run.admitted.clone());
            list.push((run.admitted_seq, run.admitted_at, fact));
        }
        // Ended runs in the order in which they ended, so that the oldest stays the oldest.
        let open = self.runs().filter(|(_, run)| !run.status.is_final()).map(|(id, _)| id);
        for id in self.ended.iter().copied().chain(open) {
            let run = &self.runs[&id];
            put_run(&mut list, id, run);
        }
        // What is a trial follows from the breakers, which stand before the leases.
        self.put_breakers(&mut list);
        self.put_leases(&mut list);
        self.put_budgets(&mut list);
        self.put_spent(&mut list);
        let end = Restored::End { seq: self.last, at: self.at, epoch: self.epoch };
        self.put(&mut list, end);
        list
    }

    fn put(&self, list: &mut Placed, restored: Restored) {
        list.push((self.last, self.at, Fact::Restored(Box::new(restored))));
    }

    fn put_workers(&self, list: &mut Placed) {
        for (worker, known) in self.workers() {
            let offers = Offers {
                devices: known.devices.clone(),
                speed: known.speed,
                site: known.site.clone(),
                ..self.classes.offers_of(&known.capacity)
            };
            let joined = WorkerJoined {
                worker,
                name: known.name.clone(),
                instance: known.instance,
                offers,
                lease: known.lease,
            };
            list.push((self.last, self.at, Fact::WorkerJoined(Box::new(joined))));
        }
    }

    fn put_leases(&self, list: &mut Placed) {
        let mut leases: Vec<_> = self.leases.iter().collect();
        leases.sort_unstable_by_key(|&(item, _)| *item);
        for (&item, lease) in leases {
            let restored = Restored::Lease(LeaseImage {
                item,
                token: lease.token,
                worker: lease.worker,
                variant: lease.variant,
                devices: lease.devices,
                started_at: lease.started_at,
                saved_at: lease.saved_at,
                overran: lease.overran,
                leaving_since: lease.leaving_since,
                standing: lease.standing,
            });
            let fact = Fact::Restored(Box::new(restored));
            list.push((Seq(lease.token.0), lease.leased_at, fact));
        }
        let mut retries: Vec<_> =
            self.ready.waiting.iter().map(|(&item, &due)| (item, due)).collect();
        retries.sort_unstable();
        for (item, (at, variant)) in retries {
            self.put(list, Restored::Retry { item, at, variant });
        }
    }

    fn put_breakers(&self, list: &mut Placed) {
        for (name, circuit) in self.shares.circuits() {
            self.put(list, Restored::Breaker(Box::new(circuit.image(name))));
        }
    }

    fn put_spent(&self, list: &mut Placed) {
        for (&run, known) in self.runs.iter().filter(|(_, run)| run.spent != Totals::default()) {
            self.put(list, Restored::RunSpent { run, totals: known.spent });
        }
        for (tenant, totals) in &self.spent {
            self.put(list, Restored::TenantSpent { tenant: tenant.clone(), totals: *totals });
        }
        for (workflow, (policy, variant), recent) in self.durations.iter() {
            let (workflow, recent_ms) = (workflow.into(), recent.iter().copied().collect());
            self.put(list, Restored::Durations { workflow, policy, variant, recent_ms });
        }
    }

    /// What is full is as if nothing had ever been spent of it.
    fn put_budgets(&self, list: &mut Placed) {
        let spent = self.shares.full_at.iter().filter(|&(_, &full_at)| full_at > self.at);
        for (name, &full_at) in spent {
            self.put(list, Restored::Budget { name: name.clone(), full_at });
        }
    }
}

fn put_run(list: &mut Placed, id: RunId, run: &Run) {
    let mut put = |at: Timestamp, restored| {
        list.push((run.admitted_seq, at, Fact::Restored(Box::new(restored))));
    };
    put(
        run.opened_at,
        Restored::Run {
            run: id,
            status: run.status,
            cause: run.cause,
            ended_at: run.ended_at,
            released: run.released,
            paused: run.paused,
        },
    );
    // What makes a task a fan-out stands before the state of the task.
    for (&task, &image) in &run.control {
        put(run.opened_at, Restored::Control { task: TaskKey { run: id, task }, image });
    }
    for (&(task, item), &image) in &run.preempted {
        let item = TaskKey { run: id, task }.item(item);
        put(run.opened_at, Restored::Preempted { item, image });
    }
    let image = |task: &Task| TaskImage {
        item: task.item.image(),
        waiting_for: task.waiting_for,
        undecided: task.undecided,
        round: task.round,
        started_ms: task.started_ms,
        ended_ms: task.ended_ms,
        trouble: task.trouble,
    };
    for (image, tasks) in grouped_by(run.tasks.iter().map(image)) {
        put(run.opened_at, Restored::Tasks { run: id, tasks, image });
    }
    for (&task, fan) in &run.fans {
        let task = TaskKey { run: id, task };
        for (image, items) in grouped_by(fan.items.iter().map(|item: &Item| item.image())) {
            put(run.opened_at, Restored::Items { task, items, image });
        }
    }
}

/// Which indices hold equal values; in the order of first appearance.
fn grouped_by<V: Copy + Eq + Hash>(values: impl Iterator<Item = V>) -> Vec<(V, IdSet)> {
    let mut groups: Vec<(V, IdSet)> = Vec::new();
    let mut index: HashMap<V, usize> = HashMap::default();
    for (id, value) in (0u32..).zip(values) {
        let at = *index.entry(value).or_insert_with(|| {
            groups.push((value, IdSet::new()));
            groups.len() - 1
        });
        groups[at].1.insert(id);
    }
    groups
}
