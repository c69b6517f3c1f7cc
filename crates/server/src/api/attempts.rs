//! The attempts of a run, read from its facts: which there were, where their output rests.
//!
//! Only what is under way, or may be tried again, is remembered, so that a run of a million items
//! is read in little memory.

use std::collections::HashMap;

use journal::Entry;
use model::fact::{AttemptsEnded, Fact, RoundScope};
use model::outcome::{LogRef, Outcome, Then};
use model::{IdSet, ItemId, RunId, Seq, TaskId, Timestamp, Token};

use super::output::{Place, Sent};
use super::turns::Turns;

/// Which attempts somebody wants to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Only of this task.
    pub task: Option<TaskId>,
    /// Only of this item.
    pub item: Option<ItemId>,
    /// Only those of this number.
    pub attempt: Option<u16>,
    /// Only those of this round of their tasks, from 0.
    pub round: Option<u16>,
    /// Of all rounds and numbers.
    pub all: bool,
}

impl Filter {
    /// Whether an item is wanted.
    pub(super) fn wants(&self, (task, item): Place) -> bool {
        self.task.is_none_or(|only| only == task) && self.item.is_none_or(|only| only == item)
    }

    /// Whether an attempt of a wanted item is wanted.
    pub(super) fn wants_attempt(&self, attempt: u16, round: u16) -> bool {
        self.attempt.is_none_or(|only| only == attempt)
            && self.round.is_none_or(|only| only == round)
    }

    /// Whether of each item only the last attempt is wanted.
    pub(super) const fn only_last(&self) -> bool {
        self.attempt.is_none() && !self.all
    }

    /// Whether what was run again by hand is wanted, too.
    pub(super) const fn wants_outdated(&self) -> bool {
        self.round.is_some() || self.all
    }
}

/// A turn of some tasks that was opened by hand: what ended before is not their last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reopened {
    seq: Seq,
    tasks: IdSet,
    /// Which items of the only task; `None` for those that the scope names.
    items: Option<IdSet>,
    scope: RoundScope,
}

impl Reopened {
    /// The turn that a fact opens.
    pub(super) fn of(entry: &Entry, run: RunId) -> Option<Self> {
        match &entry.fact {
            Fact::RoundOpened { run: id, tasks, scope } if *id == run => {
                let (tasks, scope) = (tasks.clone(), *scope);
                Some(Self { seq: entry.seq, tasks, items: None, scope })
            }
            Fact::ItemsReopened { task, items } if task.run == run => {
                let (tasks, items) = (IdSet::one(task.task.0), Some(items.clone()));
                Some(Self { seq: entry.seq, tasks, items, scope: RoundScope::All })
            }
            _ => None,
        }
    }

    /// Whether an attempt that ended at `seq` was followed by this turn.
    pub(super) fn outdates(&self, seq: Seq, ended: &Ended) -> bool {
        let again = self.scope == RoundScope::All || !ended.is_success;
        let (task, item) = ended.place;
        let is_named = self.items.as_ref().is_none_or(|items| items.contains(item.0));
        seq < self.seq && again && is_named && self.tasks.contains(task.0)
    }
}

/// An item that is under way or may be tried again.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    /// Its attempts so far in this round.
    pub attempts: u16,
    /// What fences the newest.
    pub token: Token,
    /// When the newest was leased.
    pub since: Timestamp,
    /// How much of the newest one's log has been sent.
    pub sent: Sent,
}

/// An attempt that has ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub place: Place,
    pub attempt: u16,
    /// In which round of its task, from 0.
    pub round: u16,
    /// What fenced it; `None` if the fact that said so is no longer there.
    pub token: Option<Token>,
    pub log: Option<LogRef>,
    /// If nobody could report its end: when it was leased, and when it was given up.
    pub lost: Option<(Timestamp, Timestamp)>,
    /// Whether its item has ended with it for this round.
    pub is_final: bool,
    pub is_success: bool,
    pub sent: Sent,
}

/// The attempts of a run as far as its facts have been read.
#[derive(Debug)]
pub(super) struct Attempts {
    run: RunId,
    filter: Filter,
    turns: Turns,
    open: HashMap<Place, Open>,
}

impl Attempts {
    pub(super) fn new(run: RunId, filter: Filter, turns: Turns) -> Self {
        Self { run, filter, turns, open: HashMap::new() }
    }

    /// The rounds of the tasks.
    pub(super) const fn turns(&mut self) -> &mut Turns {
        &mut self.turns
    }

    /// The round that a task is in.
    pub(super) fn round(&self, task: TaskId) -> u16 {
        self.turns.round(task)
    }

    /// An item that is under way.
    pub(super) fn open(&mut self, place: Place) -> Option<&mut Open> {
        self.open.get_mut(&place)
    }

    /// Takes in the next fact; returns the attempts that ended with it.
    pub(super) fn take(&mut self, entry: &Entry) -> Vec<Ended> {
        self.turns.take(entry);
        match &entry.fact {
            Fact::AttemptsLeased { task, items, .. } if task.run == self.run => {
                for item in items.clone().map(ItemId) {
                    self.lease((task.task, item), entry);
                }
            }
            Fact::GangLeased { task, parts } if task.run == self.run => {
                for item in parts.iter().flat_map(|part| part.items.clone()).map(ItemId) {
                    self.lease((task.task, item), entry);
                }
            }
            Fact::AttemptsEnded(ended) if ended.task.run == self.run => {
                return self.end(ended, entry.at);
            }
            Fact::RoundOpened { run, tasks, .. } if *run == self.run => {
                self.open.retain(|(task, _), _| !tasks.contains(task.0));
            }
            Fact::ItemsReopened { task, items } if task.run == self.run => {
                self.open.retain(|&(open, item), _| open != task.task || !items.contains(item.0));
            }
            _ => {}
        }
        Vec::new()
    }

    fn lease(&mut self, place: Place, entry: &Entry) {
        if self.filter.wants(place) {
            let open = self.open.entry(place).or_default();
            let attempts = open.attempts + 1;
            let (token, since) = (entry.seq.into(), entry.at);
            *open = Open { attempts, token, since, sent: Sent::default() };
        }
    }

    fn end(&mut self, ended: &AttemptsEnded, at: Timestamp) -> Vec<Ended> {
        let is_final = ended.then == Then::Final;
        let round = self.turns.round(ended.task.task);
        let mut all = Vec::new();
        for &(item, end) in &ended.ends {
            let place = (ended.task.task, item);
            if !self.filter.wants(place) {
                continue;
            }
            let open = self.open.entry(place).or_default();
            all.push(Ended {
                place,
                // Facts that were given up are no longer there to be counted.
                attempt: open.attempts.max(1),
                round,
                token: (open.attempts > 0).then_some(open.token),
                log: end.log,
                lost: (ended.outcome == Outcome::Lost).then_some((open.since, at)),
                is_final,
                is_success: ended.outcome == Outcome::Succeeded,
                sent: std::mem::take(&mut open.sent),
            });
            if is_final {
                self.open.remove(&place);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use model::outcome::AttemptEnd;
    use model::{DeviceSet, Epoch, TaskKey, VariantId, WorkerId};

    use super::*;

    const KEY: TaskKey = TaskKey { run: RunId(1), task: TaskId(0) };

    fn entry(seq: u64, fact: Fact) -> Entry {
        Entry { seq: Seq(seq), at: Timestamp(seq), epoch: Epoch(1), fact }
    }

    fn leased(seq: u64, item: u32) -> Entry {
        let items = item..item + 1;
        entry(
            seq,
            Fact::AttemptsLeased {
                task: KEY,
                items,
                worker: WorkerId(1),
                variant: VariantId(0),
                devices: DeviceSet::EMPTY,
            },
        )
    }

    fn ended(seq: u64, item: u32, outcome: Outcome, then: Then) -> Entry {
        let ends = vec![(ItemId(item), AttemptEnd::default())];
        let ended = AttemptsEnded { task: KEY, outcome, then, ends };
        entry(seq, Fact::AttemptsEnded(Box::new(ended)))
    }

    #[test]
    fn attempts_are_numbered_within_a_round_and_forgotten_after_it() {
        let mut attempts = Attempts::new(RunId(1), Filter::default(), Turns::default());
        let again = Then::Retry { at: Timestamp(9) };
        assert!(attempts.take(&leased(1, 0)).is_empty());
        let first = attempts.take(&ended(2, 0, Outcome::TimedOut, again));
        assert_eq!((first[0].attempt, first[0].is_final), (1, false));
        attempts.take(&leased(3, 0));
        assert_eq!(attempts.open((TaskId(0), ItemId(0))).map(|open| open.token), Some(Token(3)));
        let second = attempts.take(&ended(4, 0, Outcome::TimedOut, Then::Final));
        assert_eq!((second[0].attempt, second[0].is_final), (2, true));
        assert!(attempts.open.is_empty());

        let tasks = IdSet::one(0);
        let scope = RoundScope::Unsuccessful;
        let round = entry(5, Fact::RoundOpened { run: RunId(1), tasks, scope });
        attempts.take(&round);
        attempts.take(&leased(6, 0));
        let third = attempts.take(&ended(7, 0, Outcome::Succeeded, Then::Final));
        assert_eq!((third[0].attempt, third[0].is_success), (1, true));

        let reopened = Reopened::of(&round, RunId(1)).expect("a round");
        assert!(reopened.outdates(Seq(4), &second[0]));
        assert!(!reopened.outdates(Seq(4), &third[0]), "what succeeded is kept");
        assert!(!reopened.outdates(Seq(7), &third[0]));
    }

    #[test]
    fn only_what_is_wanted_is_remembered() {
        let filter = Filter { item: Some(ItemId(1)), ..Filter::default() };
        let mut attempts = Attempts::new(RunId(1), filter, Turns::default());
        attempts.take(&leased(1, 0));
        attempts.take(&leased(2, 1));
        assert_eq!(attempts.open.len(), 1);
        assert!(attempts.take(&ended(3, 0, Outcome::Succeeded, Then::Final)).is_empty());
        assert_eq!(attempts.take(&ended(4, 1, Outcome::Succeeded, Then::Final)).len(), 1);
        let mut others = Attempts::new(RunId(2), Filter::default(), Turns::default());
        others.take(&leased(1, 0));
        assert!(others.open.is_empty());
    }
}
