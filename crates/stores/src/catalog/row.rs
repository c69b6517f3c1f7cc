//! One run as the catalog shows it, to and from its row.

use model::fact::StopCause;
use model::{Digest, RunId, RunStatus, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Connection, Row, named_params};

/// What the catalog knows of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub run: RunId,
    /// The workflow's name.
    pub name: String,
    /// Whose it is.
    pub tenant: String,
    /// Where it queues.
    pub queue: String,
    /// The client's idempotency key.
    pub key: Option<Digest>,
    /// What it is a run of: file, parameters and environment.
    pub identity: Digest,
    /// The hash of the file's content.
    pub content: Digest,
    /// The compiled graph.
    pub graph: Digest,
    /// The text that goes with the graph.
    pub definition: Digest,
    /// Where it stands, as far as facts say it.
    pub status: RunStatus,
    /// Why it was to end early.
    pub cause: Option<StopCause>,
    /// When it was accepted.
    pub admitted_at: Timestamp,
    /// When its first attempt was leased.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Attempts leased so far.
    pub leased: u64,
    /// Attempts that ended well.
    pub succeeded: u64,
    /// Attempts that went wrong, or ran for too long.
    pub failed: u64,
    /// Attempts that were lost with their worker.
    pub lost: u64,
    /// Attempts that were or will be followed by another.
    pub retried: u64,
    /// Where its history rests; `None` while only the journal has it.
    pub archive: Option<Digest>,
}

/// The columns in the order in which [`read`] takes them.
pub(super) const COLUMNS: &str = "run, name, tenant, queue, key, identity, content, graph, \
     definition, status, cause, admitted_at, started_at, ended_at, leased, succeeded, failed, \
     lost, retried, archive";

const CAUSES: &[(StopCause, &str)] = &[
    (StopCause::TaskFailed, "task_failed"),
    (StopCause::TimedOut, "timed_out"),
    (StopCause::Stopped, "stopped"),
    (StopCause::Terminated, "terminated"),
];

/// Reads a row of [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Run> {
    let number = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
    let time = |index| {
        row.get::<_, Option<i64>>(index).map(|at| at.map(|at| Timestamp(at.cast_unsigned())))
    };
    let digest = |index| row.get(index).map(Digest);
    let optional_digest =
        |index| row.get::<_, Option<[u8; 32]>>(index).map(|bytes| bytes.map(Digest));
    let unknown = |index, word: &str| {
        rusqlite::Error::FromSqlConversionFailure(index, Type::Text, word.to_owned().into())
    };
    let word: String = row.get(9)?;
    let status = RunStatus::from_word(&word).ok_or_else(|| unknown(9, &word))?;
    let word: Option<String> = row.get(10)?;
    let cause = word.map(|word| {
        let known = CAUSES.iter().find(|(_, text)| *text == word);
        known.map(|(cause, _)| *cause).ok_or_else(|| unknown(10, &word))
    });
    Ok(Run {
        run: RunId(number(0)?),
        name: row.get(1)?,
        tenant: row.get(2)?,
        queue: row.get(3)?,
        key: optional_digest(4)?,
        identity: digest(5)?,
        content: digest(6)?,
        graph: digest(7)?,
        definition: digest(8)?,
        status,
        cause: cause.transpose()?,
        admitted_at: Timestamp(number(11)?),
        started_at: time(12)?,
        ended_at: time(13)?,
        leased: number(14)?,
        succeeded: number(15)?,
        failed: number(16)?,
        lost: number(17)?,
        retried: number(18)?,
        archive: optional_digest(19)?,
    })
}

/// Writes a row, in place of the run's earlier one.
pub(super) fn write(connection: &Connection, run: &Run) -> rusqlite::Result<()> {
    let cause = run.cause.and_then(|cause| CAUSES.iter().find(|(known, _)| *known == cause));
    let time = |at: Option<Timestamp>| at.map(|at| at.0.cast_signed());
    let query = format!(
        "INSERT OR REPLACE INTO runs ({COLUMNS}) VALUES (
            :run, :name, :tenant, :queue, :key, :identity, :content, :graph, :definition, :status,
            :cause, :admitted_at, :started_at, :ended_at, :leased, :succeeded, :failed, :lost,
            :retried, :archive)"
    );
    let mut statement = connection.prepare_cached(&query)?;
    statement.execute(named_params! {
        ":run": run.run.0.cast_signed(),
        ":name": run.name,
        ":tenant": run.tenant,
        ":queue": run.queue,
        ":key": run.key.map(|digest| digest.0),
        ":identity": run.identity.0,
        ":content": run.content.0,
        ":graph": run.graph.0,
        ":definition": run.definition.0,
        ":status": run.status.as_str(),
        ":cause": cause.map(|(_, word)| *word),
        ":admitted_at": run.admitted_at.0.cast_signed(),
        ":started_at": time(run.started_at),
        ":ended_at": time(run.ended_at),
        ":leased": run.leased.cast_signed(),
        ":succeeded": run.succeeded.cast_signed(),
        ":failed": run.failed.cast_signed(),
        ":lost": run.lost.cast_signed(),
        ":retried": run.retried.cast_signed(),
        ":archive": run.archive.map(|digest| digest.0),
    })?;
    Ok(())
}
