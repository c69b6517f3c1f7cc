//! The session with the coordinator: who may give orders, and in which order they count.
//!
//! A session begins with a hello and is open from the welcome on. Whatever belongs to another
//! session, comes late within it, or comes from an older leader than the newest seen, is dropped
//! here and never reaches the leases.

use alloc::boxed::Box;

use model::limits::{HEARTBEAT, HEARTBEATS_MISSED_MAX};
use model::message::{FromWorker, News, Order, ToWorker};
use model::{Epoch, Span, Timestamp};

/// How long a hello waits for its welcome before it is said again.
const WELCOME_PATIENCE: Span = Span(HEARTBEAT.0 * HEARTBEATS_MISSED_MAX);
/// How long an open session may be silent: every heartbeat is answered, so a longer silence means
/// that the coordinator no longer knows the session, or cannot be reached.
const SILENCE_MAX: Span = Span(HEARTBEAT.0 * (HEARTBEATS_MISSED_MAX + 2));

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A hello is due.
    Closed,
    /// A hello was said.
    Greeting { said_at: Timestamp },
    /// The hello was answered.
    Open { heard_at: Timestamp },
}

/// Numbers and state of the session.
#[derive(Debug)]
pub(crate) struct Session {
    name: Box<str>,
    instance: u64,
    epoch: Epoch,
    session: u64,
    /// The last number sent in this session.
    sent: u64,
    /// The last number received in this session.
    received: u64,
    phase: Phase,
}

impl Session {
    /// No session yet: a hello is due.
    pub(crate) fn new(name: Box<str>, instance: u64) -> Self {
        Self {
            name,
            instance,
            epoch: Epoch(0),
            session: 0,
            sent: 0,
            received: 0,
            phase: Phase::Closed,
        }
    }

    /// Ends the session; the next flush says hello.
    pub(crate) fn close(&mut self) {
        self.phase = Phase::Closed;
    }

    /// Whether anything but a hello may be sent.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    /// Whether a hello is due at `now`. A worker in the coordinator's own process (`local`) hears
    /// of a broken link, so silence tells it nothing.
    pub(crate) fn must_greet(&self, now: Timestamp, local: bool) -> bool {
        self.greets_at(local).is_some_and(|at| at <= now)
    }

    /// When a hello becomes due if nothing is heard.
    pub(crate) fn greets_at(&self, local: bool) -> Option<Timestamp> {
        match self.phase {
            Phase::Closed => Some(Timestamp(0)),
            Phase::Greeting { said_at } => Some(said_at + WELCOME_PATIENCE),
            Phase::Open { heard_at } => (!local).then_some(heard_at + SILENCE_MAX),
        }
    }

    /// Begins a new session with this hello.
    pub(crate) fn greet(&mut self, now: Timestamp, hello: News) -> FromWorker {
        self.session += 1;
        self.sent = 0;
        self.received = 0;
        self.phase = Phase::Greeting { said_at: now };
        self.wrap(hello)
    }

    /// Gives a message its place in the session.
    pub(crate) fn wrap(&mut self, news: News) -> FromWorker {
        self.sent += 1;
        FromWorker {
            name: self.name.clone(),
            instance: self.instance,
            session: self.session,
            number: self.sent,
            news,
        }
    }

    /// Returns the order if it counts. For a welcome, also returns when its hello was said.
    pub(crate) fn receive(
        &mut self,
        now: Timestamp,
        message: ToWorker,
    ) -> Option<(Order, Option<Timestamp>)> {
        if message.epoch < self.epoch {
            return None;
        }
        self.epoch = message.epoch;
        if message.session != self.session || message.number <= self.received {
            return None;
        }
        let is_welcome = matches!(message.order, Order::Welcome { .. });
        let greeted_at = match self.phase {
            // An order that overtakes its welcome is dropped without a trace, for the welcome's
            // number is smaller and must still count when it comes.
            Phase::Greeting { said_at } if is_welcome => Some(said_at),
            Phase::Open { .. } if !is_welcome => None,
            Phase::Closed | Phase::Greeting { .. } | Phase::Open { .. } => return None,
        };
        self.received = message.number;
        self.phase = Phase::Open { heard_at: now };
        Some((message.order, greeted_at))
    }
}
