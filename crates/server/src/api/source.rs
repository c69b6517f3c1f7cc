//! Where a run is found: in memory, or, when it has left that, in the archive.
//!
//! Handlers do not care: a look is the same pure function in either case. Only who reads facts asks
//! where they come from, since those of an archived run may no longer be in the journal.

use std::sync::Arc;

use journal::Entry;
use model::{RunId, Seq};
use protocol::api::RunRef;
use stores::StoreError;

use super::Service;
use super::problem::{self, Refusal};
use super::stream::Cut;
use crate::aside::Aside;
use crate::handle::View;
use crate::history::{History, Past};
use crate::views::Subject;

/// Facts that are read at once.
const FACTS_PAGE: usize = 1_024;

/// Where a run was found.
#[derive(Clone)]
pub(super) enum Source {
    /// Its facts are in the journal.
    Memory,
    /// Its facts are here.
    Archive(Arc<Past>),
}

impl Service {
    /// Looks at a run.
    pub(super) async fn about<T: Send + 'static>(
        &self,
        run: RunRef,
        look: impl FnOnce(&Subject<'_>, &View<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.find(run, look).await.map(|(found, _)| found)
    }

    /// Looks at a run, and says where it was found.
    pub(super) async fn find<T: Send + 'static>(
        &self,
        run: RunRef,
        look: impl FnOnce(&Subject<'_>, &View<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<(T, Source), Refusal> {
        let run = self.number(run).await?;
        match self.in_memory(run, look).await? {
            Ok(found) => Ok((found, Source::Memory)),
            // It leaves memory only when the archive has it, so it is not missed in between.
            Err(look) => {
                let past = self.past(run).await?.ok_or_else(|| problem::no_such_run(run))?;
                let seen = Arc::clone(&past);
                let looking = tokio::task::spawn_blocking(move || {
                    let view = seen.view();
                    let subject = Subject::of(&view, run);
                    let subject = subject.ok_or_else(|| problem::no_such_run(run))?;
                    look(&subject, &view)
                });
                let found = looking.await.map_err(|_| broken())??;
                Ok((found, Source::Archive(past)))
            }
        }
    }

    /// Looks at a run that is in memory; gives the look back when it is not.
    pub(super) async fn in_memory<T, L>(&self, run: RunId, look: L) -> Result<Result<T, L>, Refusal>
    where
        T: Send + 'static,
        L: FnOnce(&Subject<'_>, &View<'_>) -> Result<T, Refusal> + Send + 'static,
    {
        let asked = self.context.handle.ask(move |view| match Subject::of(view, run) {
            Some(subject) => Ok(look(&subject, view)),
            None => Err(look),
        });
        asked.await?.map_or_else(|look| Ok(Err(look)), |found| found.map(Ok))
    }

    /// The number of a run. The one that was submitted last may have left memory before others.
    pub(super) async fn number(&self, run: RunRef) -> Result<RunId, Refusal> {
        let RunRef::Id(id) = run else {
            let newest = |view: &View<'_>| view.engine.state().runs().next_back().map(|(id, _)| id);
            let held = self.context.handle.ask(newest).await?;
            let archived = self.consult(History::newest).await?;
            return held.max(archived).ok_or_else(problem::no_runs);
        };
        Ok(id)
    }

    /// A run that has left memory.
    pub(super) async fn past(&self, run: RunId) -> Result<Option<Arc<Past>>, Refusal> {
        self.consult(move |history| history.past(run)).await
    }

    /// Reads what has left memory, on a thread that may wait for the disk.
    pub(super) async fn consult<T: Send + 'static>(
        &self,
        read: impl FnOnce(&History) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let history = Arc::clone(&self.context.history);
        let reading = tokio::task::spawn_blocking(move || read(&history));
        reading.await.map_err(|_| broken())?.map_err(|error| problem::unreadable(&error))
    }

    /// The next facts after `after`, which is moved to the last of them. That there are some is
    /// known: facts that cannot be read any more cut the stream.
    pub(super) async fn facts(&self, source: &Source, after: &mut Seq) -> Result<Vec<Entry>, Cut> {
        let page = match source {
            Source::Memory => self.context.handle.history(*after, FACTS_PAGE).await?,
            Source::Archive(past) => past.facts(*after, FACTS_PAGE).to_vec(),
        };
        *after = page.last().ok_or(Cut::Ending)?.seq;
        Ok(page)
    }

    /// Looks at what the facts of a run have told that its state does not keep; `None` if they
    /// cannot be read.
    pub(super) async fn aside<T: Send + 'static>(
        &self,
        (run, admitted): (RunId, Seq),
        source: Source,
        look: impl FnOnce(&Aside) -> T + Send + 'static,
    ) -> Option<T> {
        let read = move |history: &History| match source {
            Source::Memory => history.aside((run, admitted), look),
            Source::Archive(past) => {
                let mut aside = Aside::new(run, admitted);
                aside.take(past.facts(Seq(0), usize::MAX));
                Ok(look(&aside))
            }
        };
        self.consult(read).await.ok()
    }

    /// The last durable fact, and whether the run had ended by then.
    pub(super) async fn standing(&self, run: RunId) -> Result<(Seq, bool), Cut> {
        let look = self.about(run.into(), |subject, view| {
            Ok((view.engine.state().last(), subject.run.status().is_final()))
        });
        Ok(look.await?)
    }
}

fn broken() -> Refusal {
    problem::internal("a thread that reads the archive broke off")
}
