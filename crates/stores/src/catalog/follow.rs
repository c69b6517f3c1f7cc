//! How facts change the rows of the catalog. Rows that a batch touches are read and written once.

use std::collections::BTreeMap;

use journal::Entry;
use model::fact::{AttemptsEnded, Restored, RunAdmitted};
use model::{Fact, Outcome, RunId, RunStatus, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use super::row::{self, Run};
use crate::subject::{list_of, run_of, version_of};

/// Applies facts to the rows of their runs, and `finish` to each such row.
pub(super) fn apply<'a>(
    connection: &Connection,
    entries: impl Iterator<Item = &'a Entry>,
    finish: impl Fn(&mut Run),
) -> rusqlite::Result<()> {
    let mut runs: BTreeMap<RunId, Option<Run>> = BTreeMap::new();
    for entry in entries {
        let Some(id) = run_of(&entry.fact) else { continue };
        let version = version_of(&entry.fact).into_iter().flatten();
        for digest in list_of(&entry.fact).into_iter().chain(version) {
            let mut statement =
                connection.prepare_cached("INSERT OR IGNORE INTO lists VALUES (?1, ?2)")?;
            statement.execute((id.0.cast_signed(), digest.0.as_slice()))?;
        }
        if let Fact::RunAdmitted(admitted) = &entry.fact {
            runs.insert(id, Some(admit(admitted, entry.at)));
            continue;
        }
        let run = match runs.entry(id) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => new.insert(load(connection, id)?),
        };
        // A run whose admission nobody told of is not shown.
        if let Some(run) = run {
            change(run, &entry.fact, entry.at);
        }
    }
    for mut run in runs.into_values().flatten() {
        finish(&mut run);
        row::write(connection, &run)?;
    }
    Ok(())
}

fn load(connection: &Connection, run: RunId) -> rusqlite::Result<Option<Run>> {
    let query = format!("SELECT {} FROM runs WHERE run = ?1", row::COLUMNS);
    let mut statement = connection.prepare_cached(&query)?;
    statement.query_row([run.0.cast_signed()], row::read).optional()
}

fn admit(admitted: &RunAdmitted, at: Timestamp) -> Run {
    Run {
        run: admitted.run,
        name: admitted.name.to_string(),
        tenant: admitted.tenant.to_string(),
        queue: admitted.queue.to_string(),
        key: admitted.key,
        identity: admitted.identity,
        content: admitted.content,
        graph: admitted.graph,
        definition: admitted.definition,
        status: RunStatus::Queued,
        cause: None,
        admitted_at: at,
        started_at: None,
        ended_at: None,
        leased: 0,
        succeeded: 0,
        failed: 0,
        lost: 0,
        retried: 0,
        archive: None,
    }
}

fn change(run: &mut Run, fact: &Fact, at: Timestamp) {
    match fact {
        Fact::AttemptsLeased { items, .. } => leased(run, items.len() as u64, at),
        Fact::GangLeased { parts, .. } => {
            leased(run, parts.iter().map(|part| part.items.len() as u64).sum(), at);
        }
        Fact::AttemptsEnded(ended) => count(run, ended),
        Fact::RunStopping { cause, .. } => {
            run.status = RunStatus::Stopping;
            run.cause = Some(*cause);
        }
        Fact::RunPaused { .. } => run.status = RunStatus::Paused,
        Fact::RunResumed { .. } => run.status = RunStatus::Running,
        Fact::RunEnded { status, .. } => {
            run.status = *status;
            run.ended_at = Some(at);
        }
        Fact::RoundOpened { .. } | Fact::ItemsReopened { .. } => {
            run.status = RunStatus::Running;
            run.cause = None;
            run.ended_at = None;
        }
        Fact::Restored(piece) => {
            if let Restored::Run { status, cause, ended_at, .. } = &**piece {
                run.status = *status;
                run.cause = *cause;
                run.ended_at = *ended_at;
            }
        }
        _ => {}
    }
}

fn leased(run: &mut Run, attempts: u64, at: Timestamp) {
    run.leased += attempts;
    run.started_at.get_or_insert(at);
    if run.status == RunStatus::Queued {
        run.status = RunStatus::Running;
    }
}

fn count(run: &mut Run, ended: &AttemptsEnded) {
    let count = ended.ends.len() as u64;
    match ended.outcome {
        Outcome::Succeeded => run.succeeded += count,
        Outcome::Failed(_) | Outcome::TimedOut => run.failed += count,
        Outcome::Lost => run.lost += count,
        Outcome::Cancelled | Outcome::Terminated | Outcome::Preempted => {}
    }
    if ended.then.is_again() {
        run.retried += count;
    }
}
