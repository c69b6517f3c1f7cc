//! The leases that the worker holds: queued, running, or ended and not yet acknowledged.
//!
//! An item has at most one process here at a time, whatever leases come and go: a process that is
//! no longer wanted stays on the account of the node, and in the way of its item, until it is dead.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use model::collections::HashMap;
use model::message::{Grant, LeaseId, StopKind};
use model::outcome::Failure;
use model::{ItemKey, Offers, Outcome};

use crate::room::Room;

/// Where a lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waits for room, or for the end of an older process of the same item.
    Queued,
    /// Its process was started.
    Running {
        /// How it was ordered to end.
        ordered: Option<StopKind>,
        /// Whether its start was told.
        start_told: bool,
    },
    /// It ended or was given back, and this is not yet acknowledged.
    Closed,
}

#[derive(Debug)]
struct Lease {
    grant: Grant,
    state: State,
}

/// What a grant led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granted {
    /// It is known already, or older than what is known.
    Stale,
    /// It waits for its start.
    Queued,
    /// It waits for its start, and the process of this older lease is to be killed.
    Supersedes(LeaseId),
    /// The node could never hold it; it has ended.
    Unsatisfiable,
}

/// What an order to stop led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Nothing is to be done.
    Unmoved,
    /// It had not started, and is given back.
    Returned,
    /// Its process is to be ended.
    Signal,
}

/// Queued attempts below which the worker may run dry before an answer comes.
const BACKLOG_MIN: usize = 16;

/// All leases and processes of the worker.
#[derive(Debug)]
pub(crate) struct Leases {
    room: Room,
    /// The newest lease of each item.
    newest: HashMap<ItemKey, Lease>,
    /// Leases in the order of their grants. An entry whose lease is no longer queued is skipped.
    queue: VecDeque<LeaseId>,
    /// Processes that are being killed and of which nothing will be told.
    dying: HashMap<ItemKey, Grant>,
    queued: usize,
    running: usize,
}

impl Leases {
    /// A node on which nothing runs.
    pub(crate) fn new(offers: Offers) -> Self {
        Self {
            room: Room::new(offers),
            newest: HashMap::default(),
            queue: VecDeque::new(),
            dying: HashMap::default(),
            queued: 0,
            running: 0,
        }
    }

    /// What the node offers in all.
    pub(crate) fn offers(&self) -> &Offers {
        self.room.offers()
    }

    /// Whether an attempt is queued or running under a lease.
    pub(crate) fn holds_any(&self) -> bool {
        self.queued + self.running > 0
    }

    /// Whether what is queued keeps the worker busy for a while: it has been lent ahead of room,
    /// which is done with short work only.
    pub(crate) const fn has_backlog(&self) -> bool {
        self.queued >= BACKLOG_MIN && self.queued > 4 * self.running
    }

    /// Whether there is no lease and no process.
    pub(crate) fn is_empty(&self) -> bool {
        self.newest.is_empty() && self.dying.is_empty()
    }

    /// Whether a lease is held or not yet acknowledged.
    pub(crate) fn remembers(&self, lease: LeaseId) -> bool {
        self.newest.get(&lease.item).is_some_and(|found| found.grant.token == lease.token)
    }

    /// Whether a lease is held or not yet acknowledged, or its process has still to end.
    pub(crate) fn knows(&self, lease: LeaseId) -> bool {
        let dying = self.dying.get(&lease.item);
        self.remembers(lease) || dying.is_some_and(|dying| dying.token == lease.token)
    }

    /// All leases that are held or not yet acknowledged, ascending.
    pub(crate) fn held(&self) -> Vec<LeaseId> {
        let mut held: Vec<LeaseId> =
            self.newest.values().map(|lease| lease.grant.lease()).collect();
        held.sort_unstable();
        held
    }

    /// Takes a grant in.
    pub(crate) fn grant(&mut self, grant: Grant) -> Granted {
        let lease = grant.lease();
        let mut granted = Granted::Queued;
        if let Some(known) = self.newest.get(&lease.item) {
            if known.grant.token >= lease.token {
                return Granted::Stale;
            }
            let older = known.grant.lease();
            if self.forget(older) {
                granted = Granted::Supersedes(older);
            }
        }
        let mut state = State::Queued;
        if self.room.could_hold(&grant) {
            self.queued += 1;
            self.queue.push_back(lease);
        } else {
            state = State::Closed;
            granted = Granted::Unsatisfiable;
        }
        self.newest.insert(lease.item, Lease { grant, state });
        granted
    }

    /// Takes the next grant that is to be started now, if there is one. Grants start strictly in
    /// their order: a small one never overtakes a large one that waits for room, or the large one
    /// could wait for ever. One that waits for an older process of its own item steps aside.
    pub(crate) fn start_next(&mut self) -> Option<Grant> {
        while let Some(&next) = self.queue.front() {
            let found = self
                .newest
                .get_mut(&next.item)
                .filter(|found| found.grant.token == next.token && found.state == State::Queued);
            if let Some(found) = found
                && !self.dying.contains_key(&next.item)
            {
                if !self.room.take(&found.grant) {
                    return None;
                }
                found.state = State::Running { ordered: None, start_told: false };
                self.queued -= 1;
                self.running += 1;
                self.queue.pop_front();
                return Some(found.grant.clone());
            }
            self.queue.pop_front();
        }
        None
    }

    /// Whether the start of this lease is still to be told; from now on it is not.
    pub(crate) fn tell_start(&mut self, lease: LeaseId) -> bool {
        match self.find(lease).map(|found| &mut found.state) {
            Some(State::Running { start_told, .. }) => !core::mem::replace(start_told, true),
            Some(State::Queued | State::Closed) | None => false,
        }
    }

    /// Whether an attempt runs under this lease.
    pub(crate) fn is_running(&self, lease: LeaseId) -> bool {
        let found = self.newest.get(&lease.item).filter(|it| it.grant.token == lease.token);
        found.is_some_and(|found| matches!(found.state, State::Running { .. }))
    }

    /// Carries out an order to stop, except [`StopKind::Revoke`], for which see [`Leases::forget`].
    pub(crate) fn stop(&mut self, lease: LeaseId, how: StopKind) -> Stopped {
        let Some(found) = self.find(lease) else { return Stopped::Unmoved };
        match &mut found.state {
            State::Queued => {
                found.state = State::Closed;
                self.queued -= 1;
                Stopped::Returned
            }
            State::Running { ordered, .. } if outranks(how, *ordered) => {
                *ordered = Some(how);
                Stopped::Signal
            }
            State::Running { .. } | State::Closed => Stopped::Unmoved,
        }
    }

    /// A process ended. Returns how that is to be told, or `None` if it is not.
    pub(crate) fn end(&mut self, lease: LeaseId, outcome: Outcome) -> Option<Outcome> {
        if self.dying.get(&lease.item).is_some_and(|dying| dying.token == lease.token) {
            let dead = self.dying.remove(&lease.item).expect("it was just seen");
            self.room.give_back(&dead);
            self.requeue(lease.item);
            return None;
        }
        let found = self.newest.get_mut(&lease.item)?;
        let State::Running { ordered, .. } = found.state else { return None };
        if found.grant.token != lease.token {
            return None;
        }
        found.state = State::Closed;
        self.running -= 1;
        self.room.give_back(&found.grant);
        Some(as_ordered(outcome, ordered))
    }

    /// Forgets a lease that is no longer the worker's; nothing will be told of it. Returns whether
    /// it has a process, which is then to be killed.
    pub(crate) fn forget(&mut self, lease: LeaseId) -> bool {
        if self.find(lease).is_none() {
            return false;
        }
        let Lease { grant, state } = self.newest.remove(&lease.item).expect("it was just found");
        match state {
            State::Queued => self.queued -= 1,
            State::Running { .. } => {
                self.running -= 1;
                self.dying.insert(lease.item, grant);
                return true;
            }
            State::Closed => {}
        }
        false
    }

    /// Forgets all that is queued or running. Returns what has a process, ascending. What has ended
    /// is kept: its report is true, and the coordinator will judge it by its token.
    pub(crate) fn forget_live(&mut self) -> Vec<LeaseId> {
        self.queue.clear();
        let is_live = |lease: &&Lease| lease.state != State::Closed;
        let mut live: Vec<LeaseId> =
            self.newest.values().filter(is_live).map(|lease| lease.grant.lease()).collect();
        live.sort_unstable();
        live.retain(|&lease| self.forget(lease));
        live
    }

    /// The end of this lease is acknowledged: it is forgotten.
    pub(crate) fn acknowledge(&mut self, lease: LeaseId) {
        if self.find(lease).is_some_and(|found| found.state == State::Closed) {
            self.newest.remove(&lease.item);
        }
    }

    fn find(&mut self, lease: LeaseId) -> Option<&mut Lease> {
        self.newest.get_mut(&lease.item).filter(|found| found.grant.token == lease.token)
    }

    /// The older process of an item is dead: what stepped aside for it is the next to start.
    fn requeue(&mut self, item: ItemKey) {
        if let Some(waiting) = self.newest.get(&item).filter(|found| found.state == State::Queued) {
            self.queue.push_front(waiting.grant.lease());
        }
    }
}

/// Whether an order to stop a running attempt changes what an earlier one asked for.
fn outranks(how: StopKind, ordered: Option<StopKind>) -> bool {
    match how {
        StopKind::Retract | StopKind::Revoke => false,
        StopKind::Cancel | StopKind::TimeOut => ordered.is_none(),
        StopKind::Terminate => ordered != Some(StopKind::Terminate),
    }
}

/// How an end is told. An attempt that was ordered to end and did not succeed ended by that order,
/// whatever its exit code; one that succeeded all the same has succeeded.
fn as_ordered(outcome: Outcome, ordered: Option<StopKind>) -> Outcome {
    let could_not_start = matches!(outcome, Outcome::Failed(Failure::Spawn(_) | Failure::Render));
    match ordered {
        _ if outcome == Outcome::Succeeded || could_not_start => outcome,
        Some(StopKind::Cancel) => Outcome::Cancelled,
        Some(StopKind::TimeOut) => Outcome::TimedOut,
        Some(StopKind::Terminate) => Outcome::Terminated,
        Some(StopKind::Retract | StopKind::Revoke) | None => outcome,
    }
}
