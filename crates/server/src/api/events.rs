//! What happened to a run, from the journal, and what happens from now on.

use axum::extract::State;
use axum::response::Response;
use model::fact::AmendCause;
use model::{Fact, RunId, Seq};
use protocol::api::{Change, EventsQuery};

use super::Shared;
use super::extract::{Query, Target};
use super::problem::Refusal;
use super::source::Source;
use super::stored::{Named, Stored, blocking};
use super::stream::{Cut, Lines, POLL};
use crate::views::{Difference, Names, Subject, difference, event, listed, plural};

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
    let after = Seq(query.after.max(admitted.0.saturating_sub(1)));
    let (mut lines, response) = service.stream();
    tokio::spawn(async move {
        let story = Story { service, run, names, source, after, version: None };
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
    /// What the run went by at that point; `None` if the story begins later.
    version: Option<Named>,
}

impl Story {
    async fn tell(mut self, lines: &mut Lines, follow: bool) -> Result<(), Cut> {
        loop {
            let (last, has_ended) = self.service.standing(self.run).await?;
            while self.after < last {
                for entry in &self.service.facts(&self.source, &mut self.after).await? {
                    let edited = self.turn(&entry.fact).await?;
                    if let Some(mut event) = event(entry, self.run, &self.names) {
                        event.text = edited.unwrap_or(event.text);
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

    /// Goes on with the version that a fact gives the run. Says what an edit has changed.
    async fn turn(&mut self, fact: &Fact) -> Result<Option<String>, Cut> {
        match fact {
            Fact::RunAdmitted(run) if run.run == self.run => {
                self.version = Some(Named::from(&**run));
                Ok(None)
            }
            Fact::RunAmended(amended) if amended.run == self.run => {
                let after = Named::from(&**amended);
                let before = self.version.replace(after).unwrap_or(after);
                let names = |subject: &Subject<'_>| subject.names.clone();
                let run = self.run.into();
                self.names = self.service.about(run, move |it, _| Ok(names(it))).await?;
                if amended.cause != AmendCause::Edited {
                    return Ok(None);
                }
                let context = self.service.context.clone();
                let told = blocking(move || {
                    let mut stored = Stored::open(&context)?;
                    let versions = stored.version(&before).zip(stored.version(&after));
                    Ok(versions.and_then(|(before, after)| {
                        edited(&difference(&before.side(), &after.side()))
                    }))
                });
                Ok(told.await?)
            }
            _ => Ok(None),
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
