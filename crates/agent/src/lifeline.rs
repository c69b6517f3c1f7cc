//! Heartbeats, and the moment at which all leases end unless one of them is answered.
//!
//! A renewal counts from when its heartbeat was *sent*, and the worker's limit is shorter than the
//! server's: so the worker has killed before the server lets anyone else start.

use alloc::collections::VecDeque;

use model::limits::{ATTEMPT_LEASE_MARGIN, HEARTBEAT};
use model::{Span, Timestamp};

/// Heartbeats that may wait for an answer at a time; of more, the oldest are forgotten.
const UNANSWERED_MAX: usize = 64;

/// The beats sent, and how long the leases last.
#[derive(Debug, Default)]
pub(crate) struct Lifeline {
    /// The last beat sent.
    beat: u64,
    next_beat_at: Timestamp,
    unanswered: VecDeque<(u64, Timestamp)>,
    /// How long leases last on this side; `None` if they never end.
    lease: Option<Span>,
    /// When all leases end; `None` if they never do, or if no session gave any.
    ends_at: Option<Timestamp>,
}

impl Lifeline {
    /// A session is open: the next beat is due at once. If nothing is held, the leases to come are
    /// counted from the hello; what is held keeps its deadline until a beat is answered.
    pub(crate) fn welcome(&mut self, greeted_at: Timestamp, lease: Option<Span>, holds: bool) {
        self.lease = lease.map(worker_limit);
        self.next_beat_at = Timestamp(0);
        if !holds || self.lease.is_none() {
            self.ends_at = self.lease.map(|lease| greeted_at + lease);
        }
    }

    /// When the next beat is due in an open session.
    pub(crate) fn beats_at(&self) -> Timestamp {
        self.next_beat_at
    }

    /// Counts a beat that is sent now.
    pub(crate) fn beat(&mut self, now: Timestamp) -> u64 {
        self.beat += 1;
        self.next_beat_at = now + HEARTBEAT;
        if self.unanswered.len() == UNANSWERED_MAX {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back((self.beat, now));
        self.beat
    }

    /// A beat was answered: all leases are renewed, counted from when it was sent.
    pub(crate) fn renew(&mut self, beat: u64) {
        while let Some(&(number, sent_at)) = self.unanswered.front() {
            if number > beat {
                break;
            }
            self.unanswered.pop_front();
            if let (true, Some(lease)) = (number == beat, self.lease) {
                self.ends_at = self.ends_at.max(Some(sent_at + lease));
            }
        }
    }

    /// When all leases end.
    pub(crate) fn ends_at(&self) -> Option<Timestamp> {
        self.ends_at
    }

    /// All leases have ended. No beat sent before may bring them back.
    pub(crate) fn cut(&mut self) {
        self.ends_at = None;
        self.unanswered.clear();
    }
}

/// The worker's limit for a lease of this length. A lease too short for the whole margin, which
/// only a test would ask for, keeps half of itself.
fn worker_limit(lease: Span) -> Span {
    Span(lease.0 - ATTEMPT_LEASE_MARGIN.0.min(lease.0 / 2))
}
