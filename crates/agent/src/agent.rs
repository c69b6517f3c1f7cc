//! The agent: one input in, what the worker has to do out.
//!
//! The worker's loop drains its inbox through [`Agent::step`], then calls [`Agent::flush`] once: so
//! the news of a whole batch leave in one message. It never acts on a lease by itself.

use alloc::boxed::Box;
use alloc::vec::Vec;

use model::message::{AttemptEvent, FromWorker, Grant, LeaseId, News, Order, StopKind, ToWorker};
use model::outcome::{AttemptEnd, Failure, OutputRef};
use model::{Offers, Outcome, Span, Timestamp, WorkerId};

use crate::leases::{Granted, Leases, Stopped};
use crate::lifeline::Lifeline;
use crate::reports::Reports;
use crate::session::Session;

/// Who the worker is and what it offers.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The node's name.
    pub name: Box<str>,
    /// Tells this start of the worker from all others; the caller draws it.
    pub instance: u64,
    /// What the node offers.
    pub offers: Offers,
    /// How long its leases are to last; `None` if it lives and dies with the coordinator.
    pub lease: Option<Span>,
}

/// What happens to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentInput {
    /// The coordinator said something.
    Order(ToWorker),
    /// The process of this lease has started.
    Started(LeaseId),
    /// The process of this lease is gone, or could not be started.
    Ended {
        /// Which.
        lease: LeaseId,
        /// How, as the executor saw it: succeeded or failed. A process that the worker itself
        /// killed has failed by that signal; the agent knows why it was killed.
        outcome: Outcome,
        /// What is known of it.
        end: AttemptEnd,
        /// The tasks that it wrote for its run, if it wrote any.
        tasks: Option<OutputRef>,
        /// How long the other side asked to be left alone, if it did.
        retry_after: Option<Span>,
    },
    /// The process of this lease has saved its work.
    Checkpointed {
        /// Which.
        lease: LeaseId,
        /// How long ago.
        age: Span,
    },
    /// The link broke. Best given when there is a new one, for the answer is a hello; one that
    /// gets lost is said again after three heartbeats.
    Disconnected,
    /// Time has passed.
    Tick,
}

/// What a worker has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentOutput {
    /// Send this to the coordinator. It may get lost.
    Send(FromWorker),
    /// Start this; then tell the agent that it started, and later that it ended (or the latter
    /// alone).
    Start(Grant),
    /// End the process of this lease; its end is still to be told to the agent.
    Stop {
        /// Which.
        lease: LeaseId,
        /// How: [`StopKind::Cancel`] and [`StopKind::TimeOut`] ask first and kill after the grace
        /// of the grant, [`StopKind::Terminate`] and [`StopKind::Revoke`] kill at once.
        how: StopKind,
    },
}

/// The pure half of a worker.
#[derive(Debug)]
pub struct Agent {
    lease: Option<Span>,
    session: Session,
    lifeline: Lifeline,
    leases: Leases,
    reports: Reports,
    /// The number that the coordinator knows the worker by.
    worker: Option<WorkerId>,
}

impl Agent {
    /// A worker that holds nothing and has yet to say hello.
    #[must_use]
    pub fn new(config: AgentConfig) -> Self {
        Self {
            lease: config.lease,
            session: Session::new(config.name, config.instance),
            lifeline: Lifeline::default(),
            leases: Leases::new(config.offers),
            reports: Reports::default(),
            worker: None,
        }
    }

    /// Takes one input in and appends what follows from it at once: starts and stops. `now` is
    /// monotonic. What has passed its deadline by `now` ends before the input counts, so that a
    /// worker which slept through its lease never claims what it no longer holds.
    pub fn step(&mut self, now: Timestamp, input: AgentInput, out: &mut Vec<AgentOutput>) {
        if self.lifeline.ends_at().is_some_and(|at| at <= now) {
            self.lifeline.cut();
            self.session.close();
            self.revoke_live(out);
        }
        match input {
            AgentInput::Order(message) => {
                if let Some((order, greeted_at)) = self.session.receive(now, message) {
                    self.obey(now, order, greeted_at, out);
                }
            }
            AgentInput::Started(lease) => self.reports.start(now, lease),
            AgentInput::Ended { lease, outcome, end, tasks, retry_after } => {
                if let Some(outcome) = self.leases.end(lease, outcome) {
                    // What was told to end meanwhile has not written tasks for anybody.
                    let tasks = tasks.filter(|_| outcome == Outcome::Succeeded);
                    let event = AttemptEvent::Ended { outcome, end, tasks, retry_after };
                    self.reports.push(now, lease, event);
                }
            }
            AgentInput::Checkpointed { lease, age } => {
                // Nobody saves what has not begun: its start is told first.
                if self.leases.tell_start(lease) {
                    self.reports.push(now, lease, AttemptEvent::Started);
                }
                if self.leases.is_running(lease) {
                    self.reports.saved(lease, now - age);
                }
            }
            AgentInput::Disconnected => self.session.close(),
            AgentInput::Tick => {}
        }
        while let Some(grant) = self.leases.start_next() {
            out.push(AgentOutput::Start(grant));
        }
    }

    /// Appends the messages that are due: a hello, reports, a heartbeat.
    pub fn flush(&mut self, now: Timestamp, out: &mut Vec<AgentOutput>) {
        if self.session.must_greet(now, self.lease.is_none()) {
            let hello = News::Hello {
                offers: self.leases.offers().clone(),
                lease: self.lease,
                reports_from: self.reports.first_unacknowledged(),
            };
            out.push(AgentOutput::Send(self.session.greet(now, hello)));
        }
        if !self.session.is_open() {
            return;
        }
        let Self { session, leases, reports, .. } = self;
        reports.release_saved(now, |lease| leases.is_running(lease));
        reports.release_starts(now, |lease| leases.tell_start(lease));
        let has_backlog = leases.has_backlog();
        reports.flush(now, has_backlog, |news| {
            out.push(AgentOutput::Send(session.wrap(news)));
        });
        if self.lifeline.beats_at() <= now {
            let beat = self.lifeline.beat(now);
            let beat = News::Beat { beat, held: self.leases.held() };
            out.push(AgentOutput::Send(self.session.wrap(beat)));
        }
    }

    /// When to call with a [`AgentInput::Tick`], and then [`Agent::flush`], if nothing happens
    /// before. A time that has passed means "now".
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let (beat, report) = if self.session.is_open() {
            (Some(self.lifeline.beats_at()), self.reports.due_at(self.leases.has_backlog()))
        } else {
            (None, None)
        };
        let greeting = self.session.greets_at(self.lease.is_none());
        [beat, report, greeting, self.lifeline.ends_at()].into_iter().flatten().min()
    }

    /// Whether a lease is held, or its end has been told and is not yet known to be durable. Until
    /// then its end may be told again.
    #[must_use]
    pub fn remembers(&self, lease: LeaseId) -> bool {
        self.leases.remembers(lease)
    }

    /// The same, or its process is still to end although nothing will be told of that: whoever runs
    /// it has to tell the agent, which gives its room to the next only then.
    #[must_use]
    pub fn knows(&self, lease: LeaseId) -> bool {
        self.leases.knows(lease)
    }

    /// Whether there is no lease, no process, and nothing left to tell.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.leases.is_empty() && self.reports.is_empty()
    }

    fn obey(
        &mut self,
        now: Timestamp,
        order: Order,
        greeted_at: Option<Timestamp>,
        out: &mut Vec<AgentOutput>,
    ) {
        match order {
            Order::Welcome { worker, lease } => {
                // Under a new number everything held under the old one is someone else's by now.
                if self.worker.replace(worker).is_some_and(|before| before != worker) {
                    self.revoke_live(out);
                }
                let greeted_at = greeted_at.expect("the session gives it with a welcome");
                self.lifeline.welcome(greeted_at, lease, self.leases.holds_any());
                self.reports.rewind();
            }
            Order::Assign(grants) => {
                grants.into_iter().for_each(|grant| self.take(now, grant, out));
            }
            Order::Stop { leases, how } => {
                leases.into_iter().for_each(|lease| self.stop(now, (lease, how), out));
            }
            Order::Acknowledge { report } => {
                let Self { leases, reports, .. } = self;
                for report in reports.acknowledge(now, report) {
                    if report.event.is_last() {
                        leases.acknowledge(report.lease);
                    }
                }
            }
            Order::Renew { beat } => self.lifeline.renew(beat),
        }
    }

    fn take(&mut self, now: Timestamp, grant: Grant, out: &mut Vec<AgentOutput>) {
        let lease = grant.lease();
        match self.leases.grant(grant) {
            Granted::Stale | Granted::Queued => {}
            Granted::Supersedes(older) => {
                out.push(AgentOutput::Stop { lease: older, how: StopKind::Revoke });
            }
            Granted::Unsatisfiable => {
                let outcome = Outcome::Failed(Failure::Unsatisfiable);
                let end = AttemptEnd::default();
                self.reports.push(
                    now,
                    lease,
                    AttemptEvent::Ended { outcome, end, tasks: None, retry_after: None },
                );
            }
        }
    }

    fn stop(
        &mut self,
        now: Timestamp,
        (lease, how): (LeaseId, StopKind),
        out: &mut Vec<AgentOutput>,
    ) {
        if how == StopKind::Revoke {
            if self.leases.forget(lease) {
                out.push(AgentOutput::Stop { lease, how });
            }
            return;
        }
        match self.leases.stop(lease, how) {
            Stopped::Unmoved => {}
            Stopped::Returned => self.reports.push(now, lease, AttemptEvent::Returned),
            Stopped::Signal => out.push(AgentOutput::Stop { lease, how }),
        }
    }

    fn revoke_live(&mut self, out: &mut Vec<AgentOutput>) {
        let how = StopKind::Revoke;
        let processes = self.leases.forget_live();
        out.extend(processes.into_iter().map(|lease| AgentOutput::Stop { lease, how }));
    }
}

#[cfg(test)]
mod tests;
