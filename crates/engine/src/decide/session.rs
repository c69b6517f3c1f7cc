//! Workers come, say that they live, and are given up for lost.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use model::collections::HashSet;
use model::fact::{Fact, LossCause, Standing, WorkerJoined};
use model::limits::{ATTEMPT_LEASE, HEARTBEAT, HEARTBEATS_MISSED_MAX};
use model::message::{FromWorker, Grant, LeaseId, News, Order, StopKind, ToWorker};
use model::outcome::{AttemptEnd, Outcome, Then};
use model::{
    AttemptId, Epoch, ItemKey, Offers, RunId, Span, Timestamp, WorkerId, fact::AttemptsEnded,
};

use scheduler::fits;

use super::{Turn, grouped};
use crate::input::Effect;

/// The version of the facts that this engine records.
const FORMAT: u32 = 8;

/// A connected worker. Not durable: a new leader waits for a new hello.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    /// The worker's number for it; 0 before its first hello to this leader.
    id: u64,
    heard: u64,
    said: u64,
    last_beat: Timestamp,
    /// The last report that was taken in.
    reports: u64,
}

impl Session {
    const fn new(now: Timestamp) -> Self {
        Self { id: 0, heard: 0, said: 0, last_beat: now, reports: 0 }
    }

    /// That of a worker which is taken to have just been heard of.
    pub(crate) const fn supposed(now: Timestamp) -> Self {
        Self { id: 1, ..Self::new(now) }
    }

    /// Whether the worker is heard of often enough to be given work.
    pub(crate) fn is_lively(&self, now: Timestamp) -> bool {
        self.id > 0 && now.since(self.last_beat) < suspect_after()
    }

    fn expires_at(&self, lease: Span) -> Timestamp {
        self.last_beat + lease
    }

    /// When this session is next to be looked at.
    pub(crate) fn next_deadline(&self, lease: Option<Span>) -> Option<Timestamp> {
        lease.map(|lease| self.expires_at(lease))
    }
}

const fn suspect_after() -> Span {
    Span(HEARTBEAT.0 * HEARTBEATS_MISSED_MAX)
}

impl Turn<'_> {
    /// Leads from now on. Workers in the process of the leader before died with it; all others keep
    /// what they have and get a full lease to come back in.
    pub(super) fn lead(&mut self, epoch: Epoch) {
        self.record(Fact::LeaderStarted { epoch, format: FORMAT });
        self.volatile.planning.begin(self.state, self.now);
        let workers: Vec<_> = self.state.workers().map(|(id, known)| (id, known.lease)).collect();
        for (worker, lease) in workers {
            if lease.is_none() {
                self.lose(worker, LossCause::DiedWithLeader);
            } else {
                self.volatile.sessions.insert(worker, Session::new(self.now));
            }
        }
        let open = self.state.runs().filter(|(_, run)| !run.status().is_final());
        let open: Vec<_> = open.map(|(id, _)| id).collect();
        open.into_iter().for_each(|run| self.watch_deadlines(run));
        // What the leader before was asked and had not answered is asked again.
        let asking = self.state.runs().filter(|(_, run)| run.asking().next().is_some());
        let asking: Vec<_> = asking.map(|(id, _)| id).collect();
        asking.into_iter().for_each(|run| self.progress(run));
    }

    pub(super) fn hear(&mut self, message: FromWorker) {
        let FromWorker { name, instance, session, number, news } = message;
        let known = self.state.worker_named(&name).map(|(id, known)| (id, known.instance));
        if let News::Hello { offers, lease, reports_from } = news {
            let reports = reports_from.saturating_sub(1);
            let hello = Hello { name, instance, session, number, offers, lease, reports };
            return self.welcome(known, hello);
        }
        let Some((worker, _)) = known.filter(|&(_, known)| known == instance) else { return };
        let Some(open) = self.volatile.sessions.get_mut(&worker) else { return };
        if open.id != session || open.heard >= number {
            return;
        }
        open.heard = number;
        match news {
            News::Hello { .. } => {}
            News::Beat { beat, held } => self.beat(worker, beat, &held),
            News::Reports { first, reports } => {
                let next = open.reports + 1;
                if first > next {
                    return;
                }
                let known = usize::try_from(next - first).unwrap_or(usize::MAX);
                open.reports = open.reports.max(first + reports.len() as u64 - 1);
                let report = open.reports;
                self.take_reports(worker, reports.into_iter().skip(known).collect());
                self.send(worker, Order::Acknowledge { report });
            }
        }
    }

    fn welcome(&mut self, known: Option<(WorkerId, u64)>, hello: Hello) {
        let worker = match known {
            Some((worker, instance)) if instance == hello.instance => worker,
            _ => {
                if let Some((older, _)) = known {
                    self.lose(older, LossCause::Replaced);
                }
                self.join(&hello)
            }
        };
        let now = self.now;
        let session = self.volatile.sessions.entry(worker).or_insert(Session::new(now));
        if session.id >= hello.session {
            return;
        }
        let reports = session.reports.max(hello.reports);
        *session = Session { id: hello.session, heard: hello.number, reports, ..Session::new(now) };
        self.volatile.planning.changed = true;
        self.send(worker, Order::Welcome { worker, lease: hello.lease });
    }

    fn join(&mut self, hello: &Hello) -> WorkerId {
        let worker = WorkerId(self.state.next_worker.0.max(1));
        self.record(Fact::WorkerJoined(Box::new(WorkerJoined {
            worker,
            name: hello.name.clone(),
            instance: hello.instance,
            offers: hello.offers.clone(),
            lease: hello.lease,
        })));
        worker
    }

    /// Renews the worker's leases, and mends what messages have been lost: what it holds wrongly is
    /// revoked, what it lacks is sent again.
    fn beat(&mut self, worker: WorkerId, beat: u64, held: &[LeaseId]) {
        let Some(session) = self.volatile.sessions.get_mut(&worker) else { return };
        if !session.is_lively(self.now) {
            self.volatile.planning.changed = true;
        }
        session.last_beat = self.now;
        self.send(worker, Order::Renew { beat });
        let stale: Vec<_> =
            held.iter().copied().filter(|lease| !self.holds(worker, *lease)).collect();
        self.send_stop(worker, stale, StopKind::Revoke);
        self.repeat_lost_orders(worker, held);
    }

    fn holds(&self, worker: WorkerId, lease: LeaseId) -> bool {
        let current = self.state.lease(lease.item);
        current.is_some_and(|known| known.token == lease.token && known.worker == worker)
    }

    fn repeat_lost_orders(&mut self, worker: WorkerId, held: &[LeaseId]) {
        let Some(known) = self.state.worker(worker) else { return };
        let held: HashSet<_> = held.iter().map(|lease| lease.item).collect();
        // What was granted since the beat before this one may still be on its way.
        let old = self.now - Span(HEARTBEAT.0 * 2);
        let lost: Vec<_> = known
            .items
            .iter()
            .copied()
            .filter(|item| !held.contains(item))
            .filter(|&item| {
                let lease = self.state.lease(item);
                lease.is_some_and(|it| it.leased_at <= old && it.standing != Standing::Done)
            })
            .collect();
        self.grant(worker, lost);
        self.repeat_stops(worker);
    }

    /// Asks again for the end of what should be ending by now.
    fn repeat_stops(&mut self, worker: WorkerId) {
        let Some(known) = self.state.worker(worker) else { return };
        let mut orders = Vec::new();
        for &item in &known.items {
            let Some(lease) = self.state.lease(item) else { continue };
            if lease.standing == Standing::Done {
                continue;
            }
            let cause = self.state.run(item.run).and_then(|run| run.cause());
            let how = match cause.filter(|&cause| self.is_ended_by(item, cause)) {
                Some(model::fact::StopCause::Terminated) => StopKind::Terminate,
                Some(_) => StopKind::Cancel,
                None if lease.overran => StopKind::TimeOut,
                None if lease.leaves_since().is_some() => StopKind::Cancel,
                None => continue,
            };
            orders.push((how, LeaseId { item, token: lease.token }));
        }
        for how in [StopKind::Terminate, StopKind::Cancel, StopKind::TimeOut] {
            let leases =
                orders.iter().filter(|order| order.0 == how).map(|order| order.1).collect();
            self.send_stop(worker, leases, how);
        }
    }

    /// Gives up a worker: what it had started is lost, what it had not is ready again.
    pub(super) fn lose(&mut self, worker: WorkerId, cause: LossCause) {
        self.volatile.sessions.remove(&worker);
        let Some(known) = self.state.worker(worker) else { return };
        // A member of a gang that has done its work is not lost with whoever did it.
        let is_done = |item: &ItemKey| {
            self.state.lease(*item).is_some_and(|lease| lease.standing == Standing::Done)
        };
        let items: Vec<_> = known.items.iter().copied().filter(|item| !is_done(item)).collect();
        self.record(Fact::WorkerLost { worker, cause });
        let started = self.may_have_started(worker, &items);
        let unstarted: Vec<_> =
            items.iter().copied().filter(|item| !started.contains(item)).collect();
        let by_task = |item: ItemKey| (item.task_key(), item.item.0);
        for (task, items) in grouped(unstarted.into_iter().map(by_task)) {
            self.record_ends(task, Fact::LeasesReturned { task, items });
            self.recheck_deadlines(task.run);
        }
        started.into_iter().for_each(|item| self.record_loss(item));
        let mut runs: Vec<RunId> = items.iter().map(|item| item.run).collect();
        runs.dedup();
        runs.into_iter().for_each(|run| self.progress(run));
    }

    /// Which of its leases a worker may have started: those it said, and, since what it had not yet
    /// said is lost with it, those that it would have started next. A worker starts in the order of
    /// its grants while they fit. So a task that takes its node down at once is counted as lost,
    /// and what was merely lent ahead is not.
    fn may_have_started(&self, worker: WorkerId, items: &[ItemKey]) -> BTreeSet<ItemKey> {
        let Some(known) = self.state.worker(worker) else { return BTreeSet::new() };
        let leases = items.iter().filter_map(|&item| Some((item, self.state.lease(item)?)));
        let mut leases: Vec<_> = leases.collect();
        leases.sort_unstable_by_key(|(item, lease)| {
            (lease.started_at.is_none(), lease.token, item.item)
        });
        let mut free = known.capacity.clone();
        let mut started = BTreeSet::new();
        for (item, lease) in leases {
            let request = &self.state.classes().get(lease.class).amounts;
            if lease.started_at.is_none() && fits(request, &free) == 0 {
                break;
            }
            free.iter_mut().zip(request).for_each(|(free, asked)| {
                *free = free.saturating_sub(*asked);
            });
            started.insert(item);
        }
        started
    }

    fn record_loss(&mut self, item: ItemKey) {
        let Some((outcome, then)) = self.verdict(item, Outcome::Lost, None) else { return };
        let (task, ends) = (item.task_key(), alloc::vec![(item.item, AttemptEnd::default())]);
        let ended = AttemptsEnded { task, outcome, then, ends };
        self.record_ends(task, Fact::AttemptsEnded(Box::new(ended)));
        if then == Then::Final {
            self.task_failed(item.task_key());
        }
    }

    /// Grants leases that the state holds already.
    pub(super) fn grant(&mut self, worker: WorkerId, items: Vec<ItemKey>) {
        let grants: Vec<_> = items.into_iter().filter_map(|item| self.grant_of(item)).collect();
        if !grants.is_empty() {
            self.send(worker, Order::Assign(grants));
        }
    }

    fn grant_of(&self, key: ItemKey) -> Option<Grant> {
        let lease = self.state.lease(key)?;
        let run = self.state.run(key.run)?;
        let policy = run.graph().policy(key.task);
        // An item that had not enough memory asks for more than its task says.
        let request = &self.state.classes.get(lease.class).request;
        let attempt = run.item(key.task, key.item)?.attempts();
        Some(Grant {
            attempt: AttemptId { key, round: lease.round, attempt },
            token: lease.token,
            request: request.clone(),
            devices: lease.devices,
            grace: policy.grace,
            variant: lease.variant,
        })
    }

    pub(super) fn send_stop(&mut self, worker: WorkerId, leases: Vec<LeaseId>, how: StopKind) {
        if !leases.is_empty() {
            self.send(worker, Order::Stop { leases, how });
        }
    }

    /// Tells a connected worker something; one that is not connected hears it after its next beat.
    pub(super) fn send(&mut self, worker: WorkerId, order: Order) {
        let Some(session) = self.volatile.sessions.get_mut(&worker) else { return };
        if session.id == 0 {
            return;
        }
        session.said += 1;
        let (session, number) = (session.id, session.said);
        let epoch = self.state.epoch();
        self.effect(Effect::Send { worker, message: ToWorker { epoch, session, number, order } });
    }

    pub(super) fn expire_workers(&mut self) {
        let expired: Vec<_> = self
            .state
            .workers()
            .filter(|(id, known)| {
                let session = self.volatile.sessions.get(id);
                let until = known.lease.zip(session).map(|(lease, open)| open.expires_at(lease));
                until.is_some_and(|until| until <= self.now)
            })
            .map(|(id, _)| id)
            .collect();
        expired.into_iter().for_each(|worker| self.lose(worker, LossCause::Expired));
    }
}

struct Hello {
    name: Box<str>,
    instance: u64,
    session: u64,
    number: u64,
    offers: Offers,
    lease: Option<Span>,
    /// The last report that the worker knows to be durable.
    reports: u64,
}

const _: () = assert!(suspect_after().0 < ATTEMPT_LEASE.0);
