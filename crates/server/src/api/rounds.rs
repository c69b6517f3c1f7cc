//! The earlier rounds of a task, from the facts of its run. They are read beside the driver, and
//! only of a task that has run again.

use std::sync::Arc;

use model::{RunId, Seq, TaskId};
use protocol::api::RoundSummary;
use stores::StoreError;
use stores::subject::run_of;

use super::Service;
use super::source::Source;
use crate::history::History;
use crate::replay::Replayed;
use crate::views::Rounds;

/// Facts that are read at once.
const FACTS_PAGE: usize = 16_384;

impl Service {
    /// The rounds that are over, oldest first; none if they cannot be read.
    pub(super) async fn rounds(
        &self,
        (run, task): (RunId, TaskId),
        source: Source,
        admitted: Seq,
    ) -> Vec<RoundSummary> {
        let history = Arc::clone(&self.context.history);
        let reading = tokio::task::spawn_blocking(move || {
            let (mut rounds, mut replayed) = (Rounds::new(task), Replayed::new());
            let mut after = Seq(admitted.0.saturating_sub(1));
            while let Some(last) = tell(&history, (run, &source, after), |facts| {
                history.retell(&mut replayed, facts, |entry, replayed| {
                    if let Some(run) = replayed.engine.state().run(run) {
                        rounds.take(&entry.fact, run);
                    }
                })
            })? {
                after = last;
            }
            Ok::<_, StoreError>(rounds.past())
        });
        reading.await.ok().and_then(Result::ok).unwrap_or_default()
    }
}

/// Hands on the next facts of a run; gives back the last that was read, `None` at the end.
fn tell(
    history: &History,
    (run, source, after): (RunId, &Source, Seq),
    each: impl FnOnce(&[journal::Entry]) -> Result<(), StoreError>,
) -> Result<Option<Seq>, StoreError> {
    let mut page = match source {
        Source::Memory => history.facts(after, FACTS_PAGE)?,
        Source::Archive(past) => past.facts(after, FACTS_PAGE).to_vec(),
    };
    let last = page.last().map(|entry| entry.seq);
    page.retain(|entry| run_of(&entry.fact) == Some(run));
    each(&page)?;
    Ok(last)
}
