//! What is to be told of attempts: kept, and sent again, until the coordinator says it is durable.
//!
//! A report gets its number when it is first sent. A start waits a moment before it is sent, and is
//! left out if the attempt ends within it: a short task costs one report and one fact, not two.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use model::limits::HEARTBEAT;
use model::message::{AttemptEvent, LeaseId, News, Report};
use model::{Span, Timestamp};

/// How long a start may wait for its end before it is told alone.
const START_HOLD: Span = Span::millis(10);
/// How long reports may wait for more while the worker has enough to do: each message costs the
/// coordinator a commit, and nobody here waits for the answer.
const REPORT_HOLD: Span = Span::millis(15);
/// How long reports may be unacknowledged, while no other is, before they are sent again.
const RESEND_AFTER: Span = HEARTBEAT;
/// Reports in one message.
const REPORTS_PER_MESSAGE_MAX: usize = 4_096;

/// All reports that are not acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    /// Starts that wait: when they are due, and whose they are. Ascending.
    starts: VecDeque<(Timestamp, LeaseId)>,
    /// When work was last saved that is still to be told of.
    saved: BTreeMap<LeaseId, Timestamp>,
    /// Whose saved work is told of and not acknowledged. What is saved meanwhile waits until it is,
    /// so that nothing piles up while nobody answers.
    saving: BTreeSet<LeaseId>,
    /// Numbered from `acknowledged + 1` on. The first `sent` have been sent in this session.
    numbered: VecDeque<Queued>,
    acknowledged: u64,
    sent: usize,
    /// How many of them have ever been sent: these may be acknowledged.
    told: usize,
    /// When reports were last acknowledged, or the first of them was sent.
    progress_at: Timestamp,
    /// Since when there has been something that was not sent.
    unsent_since: Option<Timestamp>,
}

/// A report, and since when it is to be told.
#[derive(Debug)]
struct Queued {
    since: Timestamp,
    report: Report,
}

impl Queued {
    /// The report as it is to be told now: what it says of time was true when it was queued.
    fn told(&self, now: Timestamp) -> Report {
        let mut report = self.report.clone();
        if let AttemptEvent::Checkpointed { age } = &mut report.event {
            age.0 = age.0.saturating_add(now.since(self.since).0);
        }
        report
    }
}

impl Reports {
    /// An attempt has started.
    pub(crate) fn start(&mut self, now: Timestamp, lease: LeaseId) {
        self.starts.push_back((now + START_HOLD, lease));
    }

    /// Moves the starts that are due to the numbered reports, if `is_news` says that they are
    /// still to be told.
    pub(crate) fn release_starts(
        &mut self,
        now: Timestamp,
        mut is_news: impl FnMut(LeaseId) -> bool,
    ) {
        while let Some(&(_, lease)) = self.starts.front().filter(|(due, _)| *due <= now) {
            self.starts.pop_front();
            if is_news(lease) {
                self.push(now, lease, AttemptEvent::Started);
            }
        }
    }

    /// An attempt has saved its work; of several times the last is told.
    pub(crate) fn saved(&mut self, lease: LeaseId, at: Timestamp) {
        self.saved.insert(lease, at);
    }

    /// Moves what is known of saved work to the numbered reports, of each attempt one at a time,
    /// and forgets it if `is_running` says that nobody is to hear of that attempt any more.
    pub(crate) fn release_saved(
        &mut self,
        now: Timestamp,
        mut is_running: impl FnMut(LeaseId) -> bool,
    ) {
        let Self { saved, saving, .. } = self;
        saved.retain(|lease, _| is_running(*lease));
        let due: Vec<_> = saved.extract_if(.., |lease, _| saving.insert(*lease)).collect();
        for (lease, at) in due {
            self.number_saved(now, lease, at);
        }
    }

    fn number_saved(&mut self, now: Timestamp, lease: LeaseId, at: Timestamp) {
        let event = AttemptEvent::Checkpointed { age: now.since(at) };
        self.numbered.push_back(Queued { since: now, report: Report { lease, event } });
    }

    /// Something else happened to an attempt; it is told with the next flush.
    pub(crate) fn push(&mut self, now: Timestamp, lease: LeaseId, event: AttemptEvent) {
        // Nothing is heard of an attempt after its end.
        if event.is_last()
            && let Some(at) = self.saved.remove(&lease)
        {
            self.number_saved(now, lease, at);
        }
        self.numbered.push_back(Queued { since: now, report: Report { lease, event } });
    }

    /// The number that the next session's reports begin with.
    pub(crate) const fn first_unacknowledged(&self) -> u64 {
        self.acknowledged + 1
    }

    /// A new session: everything unacknowledged is sent again.
    pub(crate) fn rewind(&mut self) {
        self.sent = 0;
    }

    /// Every report up to `number` is durable. Returns those that were acknowledged by this.
    pub(crate) fn acknowledge(
        &mut self,
        now: Timestamp,
        number: u64,
    ) -> impl Iterator<Item = Report> + '_ {
        // Nobody can acknowledge what was never sent; whoever claims it confirms what was.
        let count = number.saturating_sub(self.acknowledged).min(self.told as u64);
        self.acknowledged += count;
        let count = usize::try_from(count).expect("at most the number sent");
        self.told -= count;
        self.sent = self.sent.saturating_sub(count);
        self.progress_at = now;
        let Self { numbered, saving, .. } = self;
        numbered.drain(..count).map(|queued| {
            if matches!(queued.report.event, AttemptEvent::Checkpointed { .. }) {
                saving.remove(&queued.report.lease);
            }
            queued.report
        })
    }

    /// The messages that are due now. `has_backlog` says that the worker has enough to do for a
    /// while without an answer.
    pub(crate) fn flush(&mut self, now: Timestamp, has_backlog: bool, mut send: impl FnMut(News)) {
        if self.sent > 0 && now >= self.progress_at + RESEND_AFTER {
            self.rewind();
            self.progress_at = now;
        }
        if self.sent == self.numbered.len() {
            return;
        }
        let since = *self.unsent_since.get_or_insert(now);
        if has_backlog && now < since + REPORT_HOLD {
            return;
        }
        self.unsent_since = None;
        if self.sent == 0 {
            self.progress_at = now;
        }
        let mut from = self.sent;
        while from < self.numbered.len() {
            let to = self.numbered.len().min(from + REPORTS_PER_MESSAGE_MAX);
            let queued = self.numbered.range(from..to);
            let reports: Vec<Report> = queued.map(|queued| queued.told(now)).collect();
            send(News::Reports { first: self.acknowledged + 1 + from as u64, reports });
            from = to;
        }
        self.sent = self.numbered.len();
        self.told = self.sent;
    }

    /// When the next flush in an open session has something to send, or send again.
    pub(crate) fn due_at(&self, has_backlog: bool) -> Option<Timestamp> {
        let start = self.starts.front().map(|&(due, _)| due);
        let resend = (self.sent > 0).then_some(self.progress_at + RESEND_AFTER);
        let held_until = self.unsent_since.filter(|_| has_backlog).map(|since| since + REPORT_HOLD);
        let unsent = held_until.or(Some(Timestamp(0)));
        let unsent = unsent.filter(|_| self.sent < self.numbered.len());
        let saved = self.saved.keys().any(|lease| !self.saving.contains(lease));
        let saved = saved.then_some(Timestamp(0));
        [start, resend, unsent, saved].into_iter().flatten().min()
    }

    /// Whether everything has been told and acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.starts.is_empty() && self.saved.is_empty() && self.numbered.is_empty()
    }
}
