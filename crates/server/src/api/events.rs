//! What happened to a run, from the journal, and what happens from now on.
//!
//! Most of it is said by facts. That tasks are skipped because of others follows from facts, so the
//! run is replayed beside, and what the replay shows is told right after the fact that did it.

use axum::extract::State;
use axum::response::Response;
use journal::Entry;
use model::fact::AmendCause;
use model::{Fact, RunId, Seq};
use protocol::api::{Change, Event, EventsQuery};
use stores::subject::run_of;

use super::extract::{Query, Target};
use super::problem::Refusal;
use super::source::Source;
use super::stored::{Named, Stored};
use super::stream::{Cut, Lines, POLL};
use super::{Context, Shared};
use crate::history::History;
use crate::replay::Replayed;
use crate::views::{Difference, Names, Skips, difference, event, listed, plural, skipped};

/// Changes, and names of tasks, that one line tells.
const CHANGES_SHOWN: usize = 5;

pub(super) async fn events(
    State(service): State<Shared>,
    target: Target,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Refusal> {
    let look = service.find(target.run, |subject, _| {
        Ok((subject.id, subject.names.clone(), subject.run.admitted_seq()))
    });
    let ((run, names, admitted), source) = look.await?;
    let (mut lines, response) = service.stream();
    tokio::spawn(async move {
        let after = Seq(query.after);
        let teller = Teller { run, names, after, version: None, replay: Some(Replay::new()) };
        let read = Seq(admitted.0.saturating_sub(1));
        let story = Story { service, source, read, teller };
        let ended = story.tell(&mut lines, query.follow).await;
        lines.finish(ended).await;
    });
    Ok(response)
}

/// The events of a run, whose facts have been read up to `read`.
struct Story {
    service: Shared,
    source: Source,
    read: Seq,
    teller: Teller,
}

impl Story {
    async fn tell(mut self, lines: &mut Lines, follow: bool) -> Result<(), Cut> {
        loop {
            let (last, has_ended) = self.service.standing(self.teller.run).await?;
            while self.read < last {
                let page = self.service.facts(&self.source, &mut self.read).await?;
                if page.iter().any(|entry| matches!(entry.fact, Fact::RunAmended(_))) {
                    // Tasks may have come to it; those that were there keep their numbers.
                    let names = self
                        .service
                        .about(self.teller.run.into(), |subject, _| Ok(subject.names.clone()));
                    self.teller.names = names.await?;
                }
                let context = self.service.context.clone();
                let mut teller = self.teller;
                let telling = tokio::task::spawn_blocking(move || {
                    let events = teller.tell(page, &context);
                    (teller, events)
                });
                let (teller, events) = telling.await.map_err(|_| Cut::Ending)?;
                self.teller = teller;
                for event in &events {
                    lines.send(event).await?;
                }
            }
            if has_ended || !follow {
                return Ok(());
            }
            lines.pause(POLL).await?;
        }
    }
}

/// An edit in words: `edited: priority of train 50 -> 80`.
fn edited(difference: &Difference) -> Option<String> {
    let Difference { changes, added, added_total } = difference;
    let mut parts: Vec<String> = Vec::new();
    for (_, Change { task, key, from, to }) in changes {
        let of = task.as_ref().map_or_else(String::new, |task| format!(" of {task}"));
        parts.push(format!("{key}{of} {from} -> {to}"));
    }
    if *added_total > 0 {
        let shown = added.iter().take(CHANGES_SHOWN).cloned().collect();
        let total = usize::try_from(*added_total).unwrap_or(usize::MAX);
        let tasks = plural(*added_total, "task");
        parts.push(format!("{tasks} added: {}", listed(shown, total)));
    }
    let hidden = parts.len().saturating_sub(CHANGES_SHOWN);
    parts.truncate(CHANGES_SHOWN);
    if hidden > 0 {
        parts.push(format!("and {hidden} more"));
    }
    (!parts.is_empty()).then(|| format!("edited: {}", parts.join(", ")))
}

/// Makes events of facts.
struct Teller {
    run: RunId,
    names: Names,
    /// Only of facts after this one.
    after: Seq,
    /// What the run went by when the last of these facts was recorded.
    version: Option<Named>,
    /// `None` once something that facts name could not be read: they still speak for themselves.
    replay: Option<Replay>,
}

/// The run as far as its facts have been told.
struct Replay {
    replayed: Replayed,
    skips: Skips,
}

impl Replay {
    fn new() -> Self {
        Self { replayed: Replayed::new(), skips: Skips::default() }
    }
}

impl Teller {
    fn tell(&mut self, mut page: Vec<Entry>, context: &Context) -> Vec<Event> {
        page.retain(|entry| run_of(&entry.fact) == Some(self.run));
        let derived = self.derive(&page, &context.history);
        let mut derived = derived.into_iter().peekable();
        let mut events = Vec::new();
        for entry in &page {
            let edited = self.turn(entry, context);
            if entry.seq <= self.after {
                continue;
            }
            if let Some(mut event) = event(entry, self.run, &self.names) {
                event.text = edited.unwrap_or(event.text);
                events.push(event);
            }
            while let Some(event) = derived.next_if(|event| event.seq <= entry.seq.0) {
                events.push(event);
            }
        }
        events
    }

    /// Goes on with the version that a fact gives the run. Says what an edit has changed.
    fn turn(&mut self, entry: &Entry, context: &Context) -> Option<String> {
        match &entry.fact {
            Fact::RunAdmitted(run) => {
                self.version = Some(Named::from(&**run));
                None
            }
            Fact::RunAmended(amended) => {
                let after = Named::from(&**amended);
                let before = self.version.replace(after)?;
                if amended.cause != AmendCause::Edited || entry.seq <= self.after {
                    return None;
                }
                let mut stored = Stored::open(context).ok()?;
                let (before, after) = (stored.version(&before)?, stored.version(&after)?);
                edited(&difference(&before.side(), &after.side()))
            }
            _ => None,
        }
    }

    /// What follows from facts and is said by none of them.
    fn derive(&mut self, page: &[Entry], history: &History) -> Vec<Event> {
        let Some(Replay { replayed, skips }) = &mut self.replay else { return Vec::new() };
        let (run, names, after) = (self.run, &self.names, self.after);
        let mut events = Vec::new();
        let told = history.retell(replayed, page, |entry, replayed| {
            let Some(run) = replayed.engine.state().run(run) else { return };
            let skips = skips.after(&entry.fact, run, names);
            let skips = skips.into_iter().filter(|_| entry.seq > after);
            events.extend(skips.map(|skip| skipped(entry, skip, names)));
        });
        if told.is_err() {
            self.replay = None;
        }
        events
    }
}
