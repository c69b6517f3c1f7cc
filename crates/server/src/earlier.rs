//! The state as it was at an earlier time: facts are replayed up to there, into an engine of its
//! own, and the planner is asked what it makes of them.
//!
//! Done on a thread that may wait for the disk, and bounded: no more than [`FACTS_MAX`] facts are
//! read for one answer. The state of the driver is not looked at, and nothing is written.

use artifacts::objects::Objects;
use engine::{Engine, Rules};
use journal::{Entry, Journal, ReadError, replay};
use model::{RunId, Seq, TaskStatus, Timestamp};
use protocol::api::{AsOf, Explanation, Moment, Time};
use scheduler::Policy;
use stores::subject::run_of;

use crate::fleet::LiveLogs;
use crate::handle::View;
use crate::replay::{Replayed, named, read_page};
use crate::shelf::Shelf;

/// Facts that are read for one answer, beside those of a snapshot.
pub(crate) const FACTS_MAX: usize = 5_000_000;
/// Facts that are read at once.
const PAGE: usize = 16_384;
/// What explains a wait for room, and cannot if only one run is known.
const NO_WORKER: &str = "no_worker";

/// What the state folder has stored.
pub(crate) struct Stored<'a> {
    pub journal: &'a mut dyn Journal,
    pub objects: &'a Objects,
    /// How many facts may be read for one answer.
    pub facts_max: usize,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Untold {
    /// More facts lie between than may be read.
    TooFar,
    /// Something cannot be read, for people.
    Unreadable(String),
}

/// The state at an earlier time, as far as it can be known.
pub(crate) struct Earlier {
    replayed: Replayed,
    live_logs: LiveLogs,
    seq: Seq,
    at: Timestamp,
    /// The first fact that the journal still has, if it does not go back so far: then only the
    /// facts of one run are known.
    journal_begins: Option<Seq>,
}

impl From<String> for Untold {
    fn from(reason: String) -> Self {
        Self::Unreadable(reason)
    }
}

impl From<ReadError> for Untold {
    fn from(error: ReadError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl Earlier {
    /// The state at a moment. If the journal does not go back so far, or the run was in the archive
    /// alone by then, it has only that run, from its own facts: `archived`, or what the journal has
    /// after its admission.
    ///
    /// # Errors
    /// There are more facts than may be read, or they cannot be read.
    pub(crate) fn of(
        moment: Moment,
        rules: &Rules,
        (run, admitted, archived): (RunId, Seq, Option<&[Entry]>),
        stored: &mut Stored<'_>,
    ) -> Result<Self, Untold> {
        let begins = match Self::of_all(moment, rules, stored)? {
            Ok(all) if all.replayed.engine.state().run(run).is_some() => return Ok(all),
            // It was forgotten by then, so it had ended: nothing else bears on it.
            Ok(_) => None,
            Err(cut) => Some(cut.next()),
        };
        let own = match archived {
            Some(facts) => facts.iter().filter(|it| is_until(moment, it)).cloned().collect(),
            None => facts_of(run, admitted, moment, stored)?,
        };
        let mut replayed = Replayed::new();
        for entry in &own {
            replayed.take((entry.seq, entry.at, &entry.fact), stored.journal, stored.objects)?;
        }
        Ok(Self { journal_begins: begins, ..Self::at(moment, replayed) })
    }

    /// The state of everything; or, if the journal does not go back so far, the last fact that it
    /// has given up.
    fn of_all(
        moment: Moment,
        rules: &Rules,
        stored: &mut Stored<'_>,
    ) -> Result<Result<Self, Seq>, Untold> {
        let (engine, shelf) = (Engine::with(rules), Shelf::default());
        let mut replayed = Replayed { engine, shelf };
        let mut after = Seq(0);
        let snapshot = stored.journal.snapshot()?;
        let is_before = |&(_, at, _): &(Seq, Timestamp, _)| match moment {
            Moment::Seq(_) => true,
            Moment::Time(Time(until)) => at <= until,
        };
        let may_use = |covers: Seq| match moment {
            Moment::Seq(seq) => covers <= seq,
            Moment::Time(_) => true,
        };
        match snapshot {
            Some(it) if may_use(it.covers) && it.facts.last().is_some_and(is_before) => {
                after = it.covers;
                for (seq, at, fact) in &it.facts {
                    replayed.take((*seq, *at, fact), stored.journal, stored.objects)?;
                }
            }
            _ => match replay::start(stored.journal)? {
                Seq(0) => {}
                cut => return Ok(Err(cut)),
            },
        }
        stored.each_until(moment, after, |stored, page| {
            for entry in page {
                replayed.take(
                    (entry.seq, entry.at, &entry.fact),
                    stored.journal,
                    stored.objects,
                )?;
            }
            let named = named(replayed.engine.state());
            replayed.shelf.keep(&named);
            Ok(())
        })?;
        let mut all = Self::at(moment, replayed);
        all.replayed.engine.suppose(all.at);
        Ok(Ok(all))
    }

    fn at(moment: Moment, replayed: Replayed) -> Self {
        let state = replayed.engine.state();
        let (seq, at) = match moment {
            Moment::Seq(seq) => (seq, state.at()),
            Moment::Time(time) => (state.last(), time.0),
        };
        Self { replayed, live_logs: LiveLogs::default(), seq, at, journal_begins: None }
    }

    /// The state, for the views.
    pub(crate) fn view(&self) -> View<'_> {
        self.replayed.view(&self.live_logs, self.at)
    }

    /// Says in an explanation that was made from this state as of when it is, and what of then
    /// cannot be known.
    pub(crate) fn date(&self, explanation: &mut Explanation) {
        let waits = matches!(explanation.status, TaskStatus::Ready | TaskStatus::Retrying);
        let unknown = match self.journal_begins {
            Some(first) if !explanation.status.is_final() => {
                if waits && explanation.blockers.iter().any(|it| it.kind == NO_WORKER) {
                    explanation.blockers.clear();
                    explanation.unblock = None;
                    explanation.position = None;
                    explanation.position_tasks = None;
                    explanation.summary =
                        "what kept it from starting can no longer be told".to_owned();
                }
                vec![format!(
                    "what other runs held, and which workers there were: the journal begins with \
                     fact {first}, and of before there are the facts of this run alone"
                )]
            }
            None if waits => {
                let policy = self.replayed.engine.rules().policy;
                let known = Policy::ALL.iter().find(|(known, _)| *known == policy);
                let name = known.map_or("", |&(_, name)| name);
                vec![
                    "whether workers were heard of: each counts as alive until its loss was \
                     recorded"
                        .to_owned(),
                    format!(
                        "since when something waited, and by which policy: who goes first is \
                         worked out anew, by `{name}`"
                    ),
                ]
            }
            _ => Vec::new(),
        };
        explanation.as_of = Some(AsOf { seq: self.seq.0, time: Time(self.at), unknown });
    }
}

impl Stored<'_> {
    /// Hands over the facts after `after` up to a moment, page by page.
    fn each_until(
        &mut self,
        moment: Moment,
        mut after: Seq,
        mut take: impl FnMut(&mut Self, &[Entry]) -> Result<(), Untold>,
    ) -> Result<(), Untold> {
        let mut count = 0;
        loop {
            let page = read_page(self.journal, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.seq;
            let until = page.partition_point(|entry| is_until(moment, entry));
            count += until;
            if count > self.facts_max {
                return Err(Untold::TooFar);
            }
            take(self, &page[..until])?;
            if until < page.len() {
                return Ok(());
            }
        }
    }
}

/// The facts of a run up to a moment, as the journal has them.
fn facts_of(
    run: RunId,
    admitted: Seq,
    moment: Moment,
    stored: &mut Stored<'_>,
) -> Result<Vec<Entry>, Untold> {
    let mut own = Vec::new();
    stored.each_until(moment, Seq(admitted.0.saturating_sub(1)), |_, page| {
        own.extend(page.iter().filter(|entry| run_of(&entry.fact) == Some(run)).cloned());
        Ok(())
    })?;
    Ok(own)
}

fn is_until(moment: Moment, entry: &Entry) -> bool {
    match moment {
        Moment::Seq(seq) => entry.seq <= seq,
        Moment::Time(time) => entry.at <= time.0,
    }
}
