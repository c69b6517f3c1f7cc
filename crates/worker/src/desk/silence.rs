//! Which attempts have been silent for longer than they may.
//!
//! What an attempt prints is a sign of life, and so is a touch of the file that it is told of. That
//! file is looked at when nothing was printed for so long, and never before, so that a sign costs
//! the worker nothing. Nothing here ends an attempt, or knows what kind it is.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use model::Span;

use crate::supervisor::Ticket;

/// How long an attempt may be silent.
#[derive(Clone, Debug)]
pub(super) struct Heartbeat {
    /// So long.
    pub span: Span,
    /// The file that it may touch instead of saying something.
    pub file: PathBuf,
}

/// The attempts that are listened to.
#[derive(Debug, Default)]
pub(super) struct Silences {
    attempts: HashMap<Ticket, Heard>,
    /// When each is to be looked at.
    due: BTreeSet<(Instant, Ticket)>,
}

#[derive(Debug)]
struct Heard {
    heartbeat: Heartbeat,
    /// When it was last heard.
    at: Instant,
    /// When it is to be looked at; nothing if it was silent for too long.
    due: Option<Instant>,
}

impl Silences {
    /// An attempt has started, which may not be silent for ever.
    pub(super) fn begin(&mut self, ticket: Ticket, heartbeat: Heartbeat, now: Instant) {
        let due = now + duration(heartbeat.span);
        self.due.insert((due, ticket));
        self.attempts.insert(ticket, Heard { heartbeat, at: now, due: Some(due) });
    }

    /// An attempt has said something.
    pub(super) fn heard(&mut self, ticket: Ticket, now: Instant) {
        if let Some(heard) = self.attempts.get_mut(&ticket) {
            heard.at = now;
        }
    }

    /// When attempts are to be looked at.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The attempts that have become silent for too long, and how long that is. Each is told once.
    pub(super) fn over(&mut self, now: Instant) -> Vec<(Ticket, Span)> {
        let mut over = Vec::new();
        while let Some(&(due, ticket)) = self.due.first().filter(|(due, _)| *due <= now) {
            self.due.remove(&(due, ticket));
            let Some(heard) = self.attempts.get_mut(&ticket) else { continue };
            let span = heard.heartbeat.span;
            let until = heard.last_sign(now) + duration(span);
            heard.due = (until > now).then_some(until);
            match heard.due {
                Some(until) => drop(self.due.insert((until, ticket))),
                None => over.push((ticket, span)),
            }
        }
        over
    }

    /// An attempt has ended. True: it had been silent for too long.
    pub(super) fn end(&mut self, ticket: Ticket) -> bool {
        let Some(heard) = self.attempts.remove(&ticket) else { return false };
        // Most have never touched it.
        let _ = fs::remove_file(&heard.heartbeat.file);
        match heard.due {
            Some(due) => !self.due.remove(&(due, ticket)),
            None => true,
        }
    }
}

impl Heard {
    fn last_sign(&self, now: Instant) -> Instant {
        let Ok(touched) = fs::metadata(&self.heartbeat.file).and_then(|it| it.modified()) else {
            return self.at;
        };
        // A time to come is a sign, too: the clock was set back meanwhile.
        let age = touched.elapsed().unwrap_or_default();
        now.checked_sub(age).map_or(self.at, |touched| touched.max(self.at))
    }
}

const fn duration(span: Span) -> Duration {
    Duration::from_micros(span.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_says_nothing_is_told_once() {
        let home = tempfile::tempdir().unwrap();
        let (mut silences, now) = (Silences::default(), Instant::now());
        let (mute, loud) = (Ticket(1), Ticket(2));
        let heartbeat =
            |name: &str| Heartbeat { span: Span::secs(30), file: home.path().join(name) };
        silences.begin(mute, heartbeat("mute"), now);
        silences.begin(loud, heartbeat("loud"), now);
        let later = |seconds| now + Duration::from_secs(seconds);
        silences.heard(loud, later(20));
        silences.heard(Ticket(3), later(20));
        assert!(silences.over(later(29)).is_empty());
        assert_eq!(silences.over(later(30)), [(mute, Span::secs(30))]);
        assert_eq!(silences.next_deadline(), Some(later(50)));
        assert!(silences.over(later(49)).is_empty());
        assert!(silences.end(mute) && !silences.end(loud) && !silences.end(loud));
        assert_eq!(silences.next_deadline(), None);
    }

    #[test]
    fn a_touch_of_its_file_is_a_sign_of_life() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("heartbeat");
        let (mut silences, now) = (Silences::default(), Instant::now());
        let span = Span::secs(30);
        silences.begin(Ticket(1), Heartbeat { span, file: file.clone() }, now);
        fs::write(&file, "").unwrap();
        // As if the half of a minute had passed, and the touch were of now.
        assert!(silences.over(now + Duration::from_secs(30)).is_empty());
        assert!(!silences.end(Ticket(1)) && !file.exists());
    }
}
