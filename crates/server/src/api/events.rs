//! What happened to a run, from the journal, and what happens from now on.

use axum::extract::State;
use axum::response::Response;
use journal::Entry;
use model::{RunId, Seq};
use protocol::api::EventsQuery;

use super::Shared;
use super::extract::{Query, Target};
use super::problem::Refusal;
use super::stream::{Cut, Lines, POLL};
use crate::views::{Names, event};

/// Facts that are read at once.
const HISTORY_PAGE: usize = 1_024;

pub(super) async fn events(
    State(service): State<Shared>,
    target: Target,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Refusal> {
    let look = service.about(target.run, |subject, _| {
        Ok((subject.id, subject.names.clone(), subject.run.admitted_seq()))
    });
    let (run, names, admitted) = look.await?;
    let after = Seq(query.after.max(admitted.0.saturating_sub(1)));
    let (mut lines, response) = service.stream();
    tokio::spawn(async move {
        let story = Story { service, run, names, after };
        let ended = story.tell(&mut lines, query.follow).await;
        lines.finish(ended).await;
    });
    Ok(response)
}

/// The events of a run, told so far up to `after`.
struct Story {
    service: Shared,
    run: RunId,
    names: Names,
    after: Seq,
}

impl Story {
    async fn tell(mut self, lines: &mut Lines, follow: bool) -> Result<(), Cut> {
        loop {
            let (last, has_ended) = self.service.standing(self.run).await?;
            while self.after < last {
                for entry in &self.service.facts(&mut self.after).await? {
                    if let Some(event) = event(entry, self.run, &self.names) {
                        lines.send(&event).await?;
                    }
                }
            }
            if has_ended || !follow {
                return Ok(());
            }
            lines.pause(POLL).await?;
        }
    }
}

impl super::Service {
    /// The next facts after `after`, which is moved to the last of them. That there are some is
    /// known: facts that cannot be read any more cut the stream.
    pub(super) async fn facts(&self, after: &mut Seq) -> Result<Vec<Entry>, Cut> {
        let page = self.context.handle.history(*after, HISTORY_PAGE).await?;
        *after = page.last().ok_or(Cut::Ending)?.seq;
        Ok(page)
    }

    /// The last durable fact, and whether the run had ended by then.
    pub(super) async fn standing(&self, run: RunId) -> Result<(Seq, bool), Cut> {
        let look = self.context.handle.ask(move |view| {
            // A run that is forgotten has ended.
            let state = view.engine.state();
            (state.last(), state.run(run).is_none_or(|run| run.status().is_final()))
        });
        Ok(look.await?)
    }
}
