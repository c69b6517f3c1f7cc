//! Leases begin and end, and items go on from there.

use core::ops::Range;

use model::fact::{AttemptsEnded, Standing};
use model::outcome::{AttemptEnd, Failure, Outcome, Spent, Then};
use model::policy::Policy;
use model::resources::USUAL_SPEED;
use model::status::TaskStatus;
use model::{DeviceSet, IdSet, ItemId, ItemKey, Seq, TaskKey, Timestamp, VariantId, WorkerId};

use crate::state::{Change, Item, Lease, State, Timer};

impl State {
    pub(super) fn attempts_leased(
        &mut self,
        key: TaskKey,
        items: Range<u32>,
        (worker, variant, devices): (WorkerId, VariantId, DeviceSet),
        (seq, at): (Seq, Timestamp),
    ) {
        let Some(run) = self.runs.get(&key.run) else { return };
        let (class, count) = (run.class(key.task), items.end.saturating_sub(items.start));
        let taken = self.classes.get(self.classes.variant(class, variant));
        self.shares.spend(&taken.shared, count, at);
        for item in items.map(ItemId) {
            let Some(run) = self.runs.get_mut(&key.run) else { return };
            let Some(old) = run.item(key.task, item) else { return };
            run.set_item(key.task, item, old.leased(), at);
            let class = run.class_of(key.task, item);
            let lease = Lease {
                token: seq.into(),
                worker,
                round: run.task(key.task).round(),
                variant,
                devices,
                class: self.classes.variant(class, variant),
                leased_at: at,
                started_at: None,
                saved_at: None,
                overran: false,
                leaving_since: None,
                standing: Standing::Working,
            };
            self.count_waited(key, item, at);
            if old.status() == TaskStatus::Retrying {
                self.ready.remove_retry(class, key.item(item));
            }
            self.insert_lease(key.item(item), lease);
        }
        self.index_task(key);
    }

    pub(super) fn insert_lease(&mut self, item: ItemKey, lease: Lease) {
        let class = self.classes.get(lease.class);
        if let Some(worker) = self.workers.get_mut(&lease.worker) {
            worker.take(item, class, lease.devices);
        }
        self.shares.hold(&class.shared, item, lease.leased_at);
        self.leases.insert(item, lease);
        self.changes.push(Change::Leased(item));
    }

    pub(super) fn attempts_started(&mut self, key: TaskKey, items: &IdSet, at: Timestamp) {
        for item in items.iter().map(ItemId) {
            self.start_lease(key.item(item), at);
            let Some(run) = self.runs.get_mut(&key.run) else { return };
            let Some(old) = run.item(key.task, item) else { return };
            run.set_item(key.task, item, old.with_status(TaskStatus::Running), at);
        }
    }

    pub(super) fn start_lease(&mut self, item: ItemKey, at: Timestamp) {
        let Some(lease) = self.leases.get_mut(&item) else { return };
        lease.started_at = Some(at);
        if let Some(worker) = self.workers.get_mut(&lease.worker) {
            worker.unstarted -= 1;
        }
        // Whoever has been told to end already is told so once.
        let told = lease.is_ending();
        let run = self.runs.get(&item.run);
        let timeout = run.and_then(|run| run.graph.policy(item.task).timeout);
        if let Some(timeout) = timeout.filter(|_| !told) {
            self.timers.insert((at + timeout, Timer::Attempt(item)));
        }
    }

    pub(super) fn attempt_overran(&mut self, item: ItemKey) {
        self.remove_attempt_timer(item);
        if let Some(lease) = self.leases.get_mut(&item) {
            lease.overran = true;
        }
    }

    pub(super) fn remove_attempt_timer(&mut self, item: ItemKey) {
        let started_at = self.leases.get(&item).and_then(|lease| lease.started_at);
        let run = self.runs.get(&item.run);
        let timeout = run.and_then(|run| run.graph.policy(item.task).timeout);
        if let (Some(started_at), Some(timeout)) = (started_at, timeout) {
            self.timers.remove(&(started_at + timeout, Timer::Attempt(item)));
        }
    }

    pub(super) fn end_lease(&mut self, item: ItemKey) {
        self.remove_attempt_timer(item);
        let Some(lease) = self.leases.remove(&item) else { return };
        let class = self.classes.get(lease.class);
        if let Some(worker) = self.workers.get_mut(&lease.worker) {
            worker.give_back(item, class, &lease);
        }
        self.shares.release(&class.shared, item);
        self.changes.push(Change::Returned(item));
        self.remove_worker_if_done(lease.worker);
    }

    pub(super) fn attempts_ended(&mut self, ended: &AttemptsEnded, at: Timestamp) {
        let key = ended.task;
        for &(item, end) in &ended.ends {
            let trial = self.is_failed_trial(key.item(item), ended.outcome);
            self.account(key.item(item), ended.outcome, (end.spent, at));
            let lease = self.leases.get(&key.item(item)).copied();
            if ended.then == Then::WithGang {
                self.measure(key, lease, (ended.outcome, &end), at);
                self.member_done(key, item, at);
                continue;
            }
            let breaks = self.is_whole_gang(key);
            if ended.outcome == Outcome::Preempted {
                self.count_preempted(key, item, at);
            }
            self.end_lease(key.item(item));
            let Some(run) = self.runs.get_mut(&key.run) else { return };
            let Some(old) = run.item(key.task, item) else { return };
            let before = run.task(key.task).status();
            let lost = run.status_when_lost(key.task);
            let grows = grows(run.policy(key.task), ended);
            let grown = if grows { old.grown() } else { old };
            // Of a gang one member is charged, which all of it is tried again for.
            let is_charged = breaks || !run.is_gang(key.task);
            let counted = if is_charged { charged(grown, ended, trial) } else { grown };
            let status = match (status_after(ended, lost), run.end_of_gang(key.task)) {
                // A gang ends in one way.
                (TaskStatus::Cancelled, Some(end)) if run.is_gang(key.task) => end,
                (status, _) => status,
            };
            let is_one_way = run.policy(key.task).alternatives.is_empty();
            let after = run.set_item(key.task, item, counted.with_status(status), at);
            self.changes.push(Change::Task(key));
            self.measure(key, lease, (ended.outcome, &end), at);
            match ended.then {
                Then::Final | Then::WithGang => {}
                Then::Retry { at } => {
                    // What ended for no fault of the way that was taken may go on in it.
                    let same = matches!(ended.outcome, Outcome::Lost | Outcome::Preempted);
                    let same = same && is_one_way;
                    let way = lease.filter(|_| same).map(|lease| lease.variant);
                    self.insert_retry(key, item, (at, way.unwrap_or_default()));
                }
                Then::Instead(variant) => self.insert_retry(key, item, (at, variant)),
            }
            if after.is_final() && !before.is_final() {
                self.follow(key, at);
            }
            if breaks {
                self.disband(key, ended.then, at);
            }
        }
    }

    /// What the end of an attempt says of how its task went, and of how long such work takes.
    fn measure(
        &mut self,
        key: TaskKey,
        lease: Option<Lease>,
        (outcome, end): (Outcome, &AttemptEnd),
        at: Timestamp,
    ) {
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        run.note_end(key.task, outcome, end.usage.wall_us, at);
        // How far one came that had to make room says nothing of how long one takes.
        let is_whole = outcome != Outcome::Preempted && end.usage.wall_us > 0;
        let Some(lease) = lease.filter(|_| is_whole) else { return };
        let speed = self.workers.get(&lease.worker).map_or(USUAL_SPEED, |it| it.speed);
        let wall_us = at_usual_speed(end.usage.wall_us, speed);
        self.classes.observe(lease.class, wall_us);
        if outcome == Outcome::Succeeded {
            let policy = u32::try_from(run.graph.policy_index(key.task));
            let policy = policy.unwrap_or(u32::MAX);
            // Ways to ask for the same are one kind of work; other requests are others.
            let has_alternatives = !run.policy(key.task).alternatives.is_empty();
            let way = if has_alternatives { lease.variant } else { VariantId::default() };
            self.durations.observe(&run.admitted.name, (policy, way), wall_us);
        }
    }

    /// What the end of an attempt means for what is counted beyond it: costs, budgets, breakers.
    fn account(&mut self, item: ItemKey, outcome: Outcome, (spent, at): (Spent, Timestamp)) {
        if let Some(lease) = self.leases.get(&item) {
            let shared = &self.classes.get(lease.class).shared;
            self.shares.settle(shared, (outcome, spent), at);
            self.shares.learn(shared, (item, outcome), at);
        }
        let Some(run) = self.runs.get_mut(&item.run).filter(|_| spent != Spent::NOTHING) else {
            return;
        };
        run.spent = run.spent.with(spent);
        let totals = self.spent.entry(run.admitted.tenant.clone()).or_default();
        *totals = totals.with(spent);
    }

    /// An item waits for its next attempt, in the class of what it asks for.
    pub(super) fn insert_retry(&mut self, key: TaskKey, item: ItemId, due: (Timestamp, VariantId)) {
        let growths = self.runs.get(&key.run).and_then(|run| run.item(key.task, item));
        self.intern_grown(key, growths.map_or(0, Item::growths));
        let Some(run) = self.runs.get(&key.run) else { return };
        self.ready.insert_retry(run.class_of(key.task, item), key.item(item), due);
        self.changes.push(Change::Retry(key.item(item)));
    }

    pub(super) fn leases_returned(&mut self, key: TaskKey, items: &IdSet, at: Timestamp) {
        let breaks = self.is_whole_gang(key);
        for item in items.iter().map(ItemId) {
            self.end_lease(key.item(item));
            let Some(run) = self.runs.get_mut(&key.run) else { return };
            let Some(old) = run.item(key.task, item) else { return };
            // What asks for more than its task says is not one of its ready items, and a member of
            // a gang waits for the others.
            if old.growths() > 0 || run.is_gang(key.task) {
                run.set_item(key.task, item, old.with_status(TaskStatus::Retrying), at);
                self.insert_retry(key, item, (at, VariantId::default()));
            } else {
                run.set_item(key.task, item, old.with_status(TaskStatus::Ready), at);
            }
        }
        self.index_task(key);
        if breaks {
            self.disband(key, Then::Retry { at }, at);
        }
    }
}

/// How long it would have taken on a worker of usual speed.
fn at_usual_speed(wall_us: u64, speed: u32) -> u64 {
    let usual = u128::from(wall_us) * u128::from(speed) / u128::from(USUAL_SPEED);
    u64::try_from(usual).unwrap_or(u64::MAX).max(1)
}

/// Whether what follows such an end asks for more memory.
fn grows(policy: &Policy, ended: &AttemptsEnded) -> bool {
    policy.retry.memory.is_some()
        && ended.outcome == Outcome::Failed(Failure::OutOfMemory)
        && ended.then != Then::Final
}

/// An item that is charged with how one of its attempts ended, which may have been a `trial` that
/// failed.
fn charged(old: Item, ended: &AttemptsEnded, trial: bool) -> Item {
    match ended.outcome {
        _ if matches!(ended.then, Then::Instead(_)) => old,
        Outcome::Lost => old.lost(),
        _ if trial => old.lost(),
        Outcome::Failed(_) | Outcome::TimedOut => old.failed(),
        Outcome::Succeeded | Outcome::Cancelled | Outcome::Terminated | Outcome::Preempted => old,
    }
}

/// Where an item stands after one of its attempts has ended; `lost` is where one stands that is
/// lost for good.
const fn status_after(ended: &AttemptsEnded, lost: TaskStatus) -> TaskStatus {
    match (ended.then, ended.outcome) {
        (Then::Retry { .. } | Then::Instead(_), _) => TaskStatus::Retrying,
        (Then::Final | Then::WithGang, Outcome::Succeeded) => TaskStatus::Succeeded,
        (_, Outcome::Failed(_)) => TaskStatus::Failed,
        (_, Outcome::Lost) => lost,
        (_, Outcome::TimedOut) => TaskStatus::TimedOut,
        (_, Outcome::Cancelled | Outcome::Preempted) => TaskStatus::Cancelled,
        (_, Outcome::Terminated) => TaskStatus::Terminated,
    }
}
