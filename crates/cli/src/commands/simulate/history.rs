//! The work that this system has really done, as a workload, and what really happened beside it.
//!
//! It comes from whoever holds the state, as a stream, in [`found`] pieces that [`jobs`] makes into
//! jobs.

mod found;
mod jobs;
mod nodes;

use protocol::api::{HistoryLine, HistoryQuery, Time};
use whatif::{Cluster, Recorded, Workload};

use super::Simulate;
use crate::app::{Context, block_on};
use crate::commands::{bad_argument, listen};
use crate::error::{Error, HOLDER_ENDED, Result};
use crate::exit::Exit;
use crate::render::history::Found;
use found::Taken;
pub(super) use jobs::end;

/// The history of a system.
pub(super) struct History {
    /// Its work.
    pub workload: Workload,
    /// The nodes that it had then.
    pub cluster: Cluster,
    /// What really happened.
    pub recorded: Recorded,
    /// How much was found.
    pub found: Found,
}

/// Reads the history of the system that the state folder is of.
pub(super) fn read(asked: &Simulate, context: &Context) -> Result<History> {
    let since = asked.since;
    let query = HistoryQuery { since: Some(since), until: asked.until, after: 0 };
    if asked.until.is_some_and(|until| until <= since) {
        return Err(bad_argument("--until is not later than --since"));
    }
    let taken = block_on(take(context, &query))?;
    taken.into_history(asked.estimates.of_reader(), (since, asked.until))
}

async fn take(context: &Context, query: &HistoryQuery) -> Result<Taken> {
    let ask = async |session: &crate::home::Session| session.client.history(query).await;
    let (_session, mut stream) = listen(context, ask).await?;
    let mut taken = Taken::default();
    let mut has_ended = false;
    while let Some(line) = stream.next().await? {
        has_ended |= matches!(line, HistoryLine::End(_));
        taken.take(line)?;
    }
    if has_ended {
        return Ok(taken);
    }
    let message = "the history broke off: its holder has ended";
    Err(Error::new(Exit::Internal, HOLDER_ENDED, message).hint("ask again"))
}

/// Microseconds from one time to another; 0 if it is not later.
pub(super) fn after(begin: Time, end: Time) -> u64 {
    end.0.since(begin.0).0
}
