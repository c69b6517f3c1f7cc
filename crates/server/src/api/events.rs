//! What happened to a run, from the journal, and what happens from now on.

use axum::extract::State;
use axum::response::Response;
use model::{RunId, Seq};
use protocol::api::EventsQuery;

use super::Shared;
use super::extract::{Query, Target};
use super::problem::Refusal;
use super::source::Source;
use super::stream::{Cut, Lines, POLL};
use crate::views::{Names, event};

pub(super) async fn events(
    State(service): State<Shared>,
    target: Target,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Refusal> {
    let look = service.find(target.run, |subject, _| {
        Ok((subject.id, subject.names.clone(), subject.run.admitted_seq()))
    });
    let ((run, names, admitted), source) = look.await?;
    let after = Seq(query.after.max(admitted.0.saturating_sub(1)));
    let (mut lines, response) = service.stream();
    tokio::spawn(async move {
        let story = Story { service, run, names, source, after };
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
    source: Source,
    after: Seq,
}

impl Story {
    async fn tell(mut self, lines: &mut Lines, follow: bool) -> Result<(), Cut> {
        loop {
            let (last, has_ended) = self.service.standing(self.run).await?;
            while self.after < last {
                for entry in &self.service.facts(&self.source, &mut self.after).await? {
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
