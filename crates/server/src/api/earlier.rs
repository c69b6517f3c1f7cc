//! Why something waited at an earlier time: the same answer as of now, made from the facts of then.
//!
//! One such question is worked on at a time, on a thread of its own: it replays what may be
//! millions of facts, and nobody else is to wait for that.

use std::sync::Arc;

use journal::Entry;
use model::{Seq, Timestamp};
use protocol::api::{Explanation, Moment, Time};
use stores::sqlite::{Options, SqliteJournal};

use super::Service;
use super::extract::{Target, task};
use super::problem::{self, Refusal};
use super::source::Source;
use crate::earlier::{Earlier, FACTS_MAX, Stored, Untold};
use crate::views::{self, Subject};

impl Service {
    /// Explains an item as of a moment.
    pub(super) async fn explain_at(
        &self,
        target: Target,
        item: Option<u32>,
        moment: Moment,
    ) -> Result<Explanation, Refusal> {
        let found = self.find(target.run, |subject, _| {
            Ok((subject.id, (subject.run.admitted_seq(), subject.run.admitted_at())))
        });
        let ((run, admitted), source) = found.await?;
        let end = self.context.handle.ask(|view| (view.durable, view.now)).await?;
        is_past(moment, end)?;
        if is_before(moment, admitted) {
            return Err(problem::not_yet(run, (admitted.0, Time(admitted.1))));
        }
        let turn = Arc::clone(&self.earlier).lock_owned().await;
        let context = self.context.clone();
        let working = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let options = Options { create: false, ..Options::default() };
            let journal = SqliteJournal::open_beside(context.home.root(), options);
            let mut journal = journal.map_err(|error| problem::unreadable(&error))?;
            let objects = context.history.objects();
            let archived = match &source {
                Source::Memory => None,
                Source::Archive(past) => Some(past.facts(Seq(0), usize::MAX)),
            };
            let archived: Option<&[Entry]> = archived;
            let mut stored =
                Stored { journal: &mut journal, objects: &objects, facts_max: FACTS_MAX };
            let known = (run, admitted.0, archived);
            let earlier = Earlier::of(moment, &context.rules, known, &mut stored);
            let earlier = earlier.map_err(|untold| match untold {
                Untold::TooFar => problem::too_far(FACTS_MAX),
                Untold::Unreadable(reason) => problem::unreadable_journal(&reason),
            })?;
            let view = earlier.view();
            let subject = Subject::of(&view, run).ok_or_else(|| problem::no_such_run(run))?;
            let id = task(&subject, &target.task)?;
            let explanation = views::explain(&subject, id, item);
            let mut explanation = explanation
                .ok_or_else(|| problem::no_such_item(run, &target.task, item.unwrap_or(0)))?;
            earlier.date(&mut explanation);
            Ok(explanation)
        });
        let broken = |_| problem::internal("a thread that replays facts broke off");
        working.await.map_err(broken)?
    }
}

/// Whether a moment has come, of which the last fact and the time are given.
fn is_past(moment: Moment, (last, now): (Seq, Timestamp)) -> Result<(), Refusal> {
    match moment {
        Moment::Seq(seq) if seq > last => Err(problem::no_such_fact(seq, last)),
        Moment::Time(time) if time.0 > now => Err(problem::in_the_future(time)),
        _ => Ok(()),
    }
}

fn is_before(moment: Moment, (seq, at): (Seq, Timestamp)) -> bool {
    match moment {
        Moment::Seq(asked) => asked < seq,
        Moment::Time(asked) => asked.0 < at,
    }
}
