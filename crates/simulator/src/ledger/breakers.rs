//! Circuit breakers by the facts, counted a second time: a list of leases and of ends, each with
//! its time, and no more than is needed to say who may be let through.

use std::collections::BTreeMap;

use model::outcome::{Failure, Unreached};
use model::shared::Breaker;
use model::{ItemKey, Outcome, Timestamp};

/// A breaker.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The bad ends since the last good one that counted.
    bad: Vec<Timestamp>,
    /// How often it has opened since then.
    opened: u32,
    /// Until when it is, or was, open; `None` if it has closed.
    pub until: Option<Timestamp>,
    /// Who is leased under it, and since when.
    leases: Vec<(ItemKey, Timestamp)>,
}

/// What an end has done to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// It has opened.
    Opened,
    /// A trial has opened it again.
    OpenedAgain,
    /// A trial has closed it.
    Closed,
    /// A trial has said nothing.
    Nothing,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Breakers(BTreeMap<Box<str>, Known>);

impl Breakers {
    /// An attempt is leased.
    pub(super) fn lease(&mut self, breakers: &[Breaker], item: ItemKey, at: Timestamp) {
        for breaker in breakers {
            self.0.entry(breaker.name.clone()).or_default().leases.push((item, at));
        }
    }

    /// The lease is over without an end.
    pub(super) fn unlease(&mut self, item: ItemKey) {
        self.0.values_mut().for_each(|known| known.leases.retain(|lease| lease.0 != item));
    }

    /// An attempt ends. Before its lease is over.
    pub(super) fn end(
        &mut self,
        breakers: &[Breaker],
        (item, outcome): (ItemKey, Outcome),
        at: Timestamp,
    ) {
        for breaker in breakers {
            let known = self.0.entry(breaker.name.clone()).or_default();
            known.end(breaker, (item, outcome), at);
        }
    }

    /// What an end would do to the breakers of its task.
    #[must_use]
    pub fn turned(
        &self,
        breakers: &[Breaker],
        (item, outcome): (ItemKey, Outcome),
        at: Timestamp,
    ) -> Option<Turned> {
        breakers.iter().find_map(|breaker| {
            let mut known = self.0.get(&breaker.name).cloned().unwrap_or_default();
            let (was, opened) = (known.until, known.opened);
            let is_trial = was.is_some() && known.is_trial(item);
            known.end(breaker, (item, outcome), at);
            match (was, known.until) {
                (None, Some(_)) => Some(Turned::Opened),
                (Some(_), None) => Some(Turned::Closed),
                (Some(_), Some(_)) if known.opened > opened => Some(Turned::OpenedAgain),
                _ if is_trial => Some(Turned::Nothing),
                _ => None,
            }
        })
    }

    /// How many more attempts a breaker lets through now.
    #[must_use]
    pub fn lets(&self, breaker: &Breaker, now: Timestamp) -> usize {
        let Some(known) = self.0.get(&breaker.name) else { return usize::MAX };
        match known.until {
            None => usize::MAX,
            Some(until) if now < until => 0,
            Some(until) => {
                let trying = known.leases.iter().filter(|lease| lease.1 >= until).count();
                (breaker.trials as usize).saturating_sub(trying)
            }
        }
    }

    /// Whether a breaker is being tried.
    #[must_use]
    pub fn is_tried(&self, breaker: &Breaker) -> bool {
        self.0.get(&breaker.name).is_some_and(|known| known.until.is_some())
    }
}

impl Known {
    fn is_trial(&self, item: ItemKey) -> bool {
        let since = self.leases.iter().find(|lease| lease.0 == item).map(|lease| lease.1);
        self.until.is_some_and(|until| since.is_some_and(|since| since >= until))
    }

    fn end(&mut self, breaker: &Breaker, (item, outcome): (ItemKey, Outcome), at: Timestamp) {
        if self.until.is_some() && !self.is_trial(item) {
            return;
        }
        if is_good(outcome) {
            (self.bad, self.opened, self.until) = (Vec::new(), 0, None);
        }
        if is_bad(outcome) {
            self.bad.push(at);
            if self.until.is_some() || self.bad.len() >= breaker.failures as usize {
                let mut length = breaker.open.0;
                (0..self.opened).for_each(|_| length = (length * 2).min(breaker.open_max.0));
                self.opened += 1;
                self.until = Some(Timestamp(at.0 + length.min(breaker.open_max.0)));
            }
        }
    }
}

/// Somebody was there.
fn is_good(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Succeeded | Outcome::Failed(Failure::Answer) => true,
        Outcome::Failed(Failure::Status(status)) => status != 408 && status < 500,
        _ => false,
    }
}

/// Nobody was there. Nothing that is drawn counts more than that.
fn is_bad(outcome: Outcome) -> bool {
    match outcome {
        Outcome::TimedOut | Outcome::Failed(Failure::Crashed) => true,
        Outcome::Failed(Failure::Status(status)) => status == 408 || status >= 500,
        Outcome::Failed(Failure::Unreachable(how)) => how != Unreached::Insecure,
        _ => false,
    }
}
