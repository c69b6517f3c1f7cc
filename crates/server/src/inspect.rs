//! The journal as a file: checked, counted, exported. Without its holder, and without changing it.

use std::ops::ControlFlow;
use std::path::Path;

use journal::{Entry, Journal};
use model::Seq;
use serde_json::{Value, json};
use stores::sqlite::{Options, SqliteJournal};

/// Why a journal cannot be inspected: a code, what is wrong, what to do.
pub type InspectError = String;

fn open(folder: &Path) -> Result<SqliteJournal, InspectError> {
    let options = Options { create: false, ..Options::default() };
    SqliteJournal::open(folder, options).map_err(|error| error.to_string())
}

/// Reads all of it and checks every sum and every number: `ok`, `frames`, `facts`, `first`, `last`,
/// `covers`, and, when not all is well, `damage`.
///
/// # Errors
/// The file cannot be read at all.
pub fn verify(folder: &Path) -> Result<Value, InspectError> {
    let found = open(folder)?.verify().map_err(|error| error.to_string())?;
    let damage: Vec<_> = found.problems.iter().map(ToString::to_string).collect();
    let mut report = json!({
        "ok": damage.is_empty(),
        "frames": found.frames,
        "facts": found.facts,
        "first": found.first.0,
        "last": found.last.0,
        "snapshot_covers": found.covers.0,
    });
    if !damage.is_empty() {
        report["damage"] = damage.into();
    }
    Ok(report)
}

/// How much is in it, and of what.
///
/// # Errors
/// The file cannot be read, or is damaged.
pub fn stat(folder: &Path) -> Result<Value, InspectError> {
    let found = open(folder)?.stat().map_err(|error| error.to_string())?;
    let pair = |(count, bytes): (u64, u64)| json!({ "count": count, "bytes": bytes });
    Ok(json!({
        "epoch": found.epoch.0,
        "holder": found.holder,
        "frames": pair(found.frames),
        "outputs": pair(found.outputs),
        "objects": pair(found.objects),
        "snapshot": pair(found.snapshot),
        "snapshot_covers": found.covers.0,
        "file_bytes": found.file_bytes,
        "log_bytes": found.log_bytes,
        "facts": found.facts,
    }))
}

/// Hands each fact to `each`, in order, until it says no more.
///
/// # Errors
/// The file cannot be read, or is damaged.
pub fn export(
    folder: &Path,
    each: &mut dyn FnMut(Value) -> ControlFlow<()>,
) -> Result<(), InspectError> {
    let mut journal = open(folder)?;
    let start = journal::replay::start(&mut journal).map_err(|error| error.to_string())?;
    let mut sink = |entry: Entry| each(form(&entry));
    journal.read(start.max(Seq(0)), &mut sink).map_err(|error| error.to_string())
}

fn form(entry: &Entry) -> Value {
    json!({
        "seq": entry.seq.0,
        "time": protocol::api::Time(entry.at),
        "epoch": entry.epoch.0,
        "kind": protocol::record::kind(&entry.fact),
        "run": stores::subject::run_of(&entry.fact).map(|run| run.0),
        "fact": protocol::record::json::fields(&entry.fact),
    })
}
