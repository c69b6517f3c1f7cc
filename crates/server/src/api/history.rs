//! The work that was really done, as a stream: one run after the other is read on a thread that may
//! wait for the disk, and no faster than somebody takes it.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::Response;
use engine::state::Run;
use model::{RunId, Timestamp};
use protocol::api::HistoryQuery;

use super::extract::Query;
use super::problem::{self, Refusal};
use super::stored::blocking;
use super::stream::{Cut, Lines};
use super::{Service, Shared};
use crate::chronicle::Chronicle;
use crate::handle::View;

pub(super) async fn history(
    State(service): State<Shared>,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, Refusal> {
    let look = |view: &View<'_>| {
        // What the archive has of a run that was retried may be of before.
        let is_open = |run: &Run| !run.status().is_final() || run.opened_at() > run.admitted_at();
        let open = view.engine.state().runs().filter(|(_, run)| is_open(run));
        (open.map(|(id, _)| id).collect::<BTreeSet<RunId>>(), view.now)
    };
    let moment = service.context.handle.ask(look).await?;
    // Before the first line all of the journal is read, as by those who ask about earlier times.
    let turn = service.earlier.lock().await;
    let chronicle = service.chronicle(query, moment).await?;
    drop(turn);
    let (mut lines, response) = service.stream();
    tokio::spawn(async move {
        let ended = tell(chronicle, &mut lines).await;
        lines.finish(ended).await;
    });
    Ok(response)
}

impl Service {
    async fn chronicle(
        &self,
        query: HistoryQuery,
        moment: (BTreeSet<RunId>, Timestamp),
    ) -> Result<Chronicle, Refusal> {
        let (home, objects) = (self.context.home.clone(), self.context.history.objects());
        blocking(move || {
            Chronicle::open(&home, objects, &query, moment)
                .map_err(|reason| problem::unreadable_journal(&reason))
        })
        .await
    }
}

async fn tell(mut chronicle: Chronicle, lines: &mut Lines) -> Result<(), Cut> {
    loop {
        let reading = tokio::task::spawn_blocking(move || {
            let next = chronicle.next();
            (chronicle, next)
        });
        let (read, next) = reading.await.map_err(|_| Cut::Ending)?;
        chronicle = read;
        let Some(next) = next else { return Ok(()) };
        for line in &next {
            lines.send(line).await?;
        }
    }
}
