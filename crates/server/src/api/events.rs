//! What happened to a run, from the journal, and what happens from now on.
//!
//! Most of it is said by facts. That tasks are skipped because of others follows from facts, so the
//! run is replayed beside, and what the replay shows is told right after the fact that did it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use journal::Entry;
use model::{RunId, Seq};
use protocol::api::{Event, EventsQuery};
use stores::subject::run_of;

use super::Shared;
use super::extract::{Query, Target};
use super::problem::Refusal;
use super::source::Source;
use super::stream::{Cut, Lines, POLL};
use crate::history::History;
use crate::replay::Replayed;
use crate::views::{Names, Skips, event, skipped};

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
        let teller = Teller { run, names, after: Seq(query.after), replay: Some(Replay::new()) };
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
                let history = Arc::clone(&self.service.context.history);
                let mut teller = self.teller;
                let telling = tokio::task::spawn_blocking(move || {
                    let events = teller.tell(page, &history);
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

/// Makes events of facts.
struct Teller {
    run: RunId,
    names: Names,
    /// Only of facts after this one.
    after: Seq,
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
    fn tell(&mut self, mut page: Vec<Entry>, history: &History) -> Vec<Event> {
        page.retain(|entry| run_of(&entry.fact) == Some(self.run));
        let derived = self.derive(&page, history);
        let mut derived = derived.into_iter().peekable();
        let mut events = Vec::new();
        for entry in page.iter().filter(|entry| entry.seq > self.after) {
            events.extend(event(entry, self.run, &self.names));
            while let Some(event) = derived.next_if(|event| event.seq <= entry.seq.0) {
                events.push(event);
            }
        }
        events
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
