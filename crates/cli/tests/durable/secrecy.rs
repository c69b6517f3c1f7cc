//! No output, no rendered text and no secret is in journal, snapshots or engine; and no secret in
//! any file. What must be nowhere there was really there: it is looked for where it belongs, too.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use journal::{Entry, Journal, Snapshot};
use model::{Fact, Timestamp};
use serde_json::Value;

use crate::marks::Mark;
use crate::replay;
use crate::whole::{KEY, LOG, NAME, OUT, SAY, TEXT, Whole};

/// What may never be in journal, snapshot or engine.
fn forbidden() -> Vec<Mark> {
    [OUT, SAY, TEXT, LOG, KEY].map(Mark::new).into()
}

fn assert_clean(what: &str, bytes: &[u8]) {
    for mark in forbidden() {
        assert_eq!(mark.found(bytes), None, "{what} must not have it");
    }
}

fn assert_has(what: &str, bytes: &[u8], text: &str) {
    assert!(Mark::new(text).found(bytes).is_some(), "{what} should have {text} in it");
}

/// The records of facts, as they are before they are compressed.
fn records<'f>(facts: impl IntoIterator<Item = &'f Fact>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for fact in facts {
        protocol::record::encode(fact, &mut bytes).expect("it was stored");
    }
    bytes
}

#[test]
fn no_output_no_rendered_text_and_no_secret_is_in_journal_snapshot_or_engine() {
    let whole = Whole::run();
    let state = whole.house.state();

    // Everything that must be nowhere here was really there: rendered, printed, left as output.
    for text in [OUT, SAY, TEXT, LOG] {
        assert_has("what the tasks print", whole.logs.as_bytes(), text);
    }
    assert_clean_of(KEY, "what the tasks print", whole.logs.as_bytes());
    assert!(whole.logs.contains(&format!("the secret has {} letters: ***, ***", KEY.len())));

    // The engine, at many moments while the run went on and at its end.
    assert!(whole.moments.len() > 20, "only {} moments", whole.moments.len());
    for moment in &whole.moments {
        assert_clean("the engine", moment.engine.as_bytes());
    }
    assert_has("the engine", whole.last().engine.as_bytes(), NAME);
    let pieces: Vec<&Fact> = whole.last().snapshot.iter().map(|(_, _, fact)| fact).collect();
    assert_clean("the state's stored form", &records(pieces.iter().copied()));
    assert_has("the state's stored form", &records(pieces.iter().copied()), NAME);

    // The journal: its facts decoded, as they are exported, and as bytes.
    let facts = replay::facts(&state);
    let decoded = format!("{facts:?}");
    let exported = exported(&state);
    let bytes = records(facts.iter().map(|entry| &entry.fact));
    for (what, bytes) in
        [("facts", decoded.as_bytes()), ("export", exported.as_bytes()), ("records", &bytes)]
    {
        assert_clean(what, bytes);
        assert_has(what, bytes, NAME);
    }
    for kind in ["task_answered", "task_settled", "attempts_ended", "run_ended", "round_opened"] {
        assert!(exported.contains(kind), "no {kind} among the facts");
    }

    // The file itself, with a snapshot in it, and without the tables that are there for outputs and
    // for the texts of workflows.
    put_snapshot(&whole, facts.last().expect("there are facts"));
    let file = whole.house.state().join(server::JOURNAL_NAME);
    assert_has("the file with its outputs", &fs::read(&file).expect("readable"), OUT);
    let rest = without_outputs_and_texts(&file);
    assert_clean("the file of the journal", &rest);
    assert_has("the file of the journal", &rest, NAME);

    // A secret is in no file at all.
    let mut seen = 0;
    every_file(&state, &mut |path, bytes| {
        seen += 1;
        assert_clean_of(KEY, &path.display().to_string(), bytes);
    });
    assert!(seen >= 4, "only {seen} files");
}

fn assert_clean_of(text: &str, what: &str, bytes: &[u8]) {
    assert_eq!(Mark::new(text).found(bytes), None, "{what} must not have it");
}

/// The facts as `autoglm journal export` prints them.
fn exported(state: &Path) -> String {
    let mut text = String::new();
    let exported = server::inspect::export(state, &mut |fact: Value| {
        text.push_str(&format!("{fact}\n"));
        ControlFlow::Continue(())
    });
    exported.expect("the journal is sound");
    text
}

/// Stores what the server stores after many facts.
fn put_snapshot(whole: &Whole, last: &Entry) {
    let mut journal = replay::open(&whole.house.state());
    let epoch = journal.acquire("local", Timestamp(last.at.0 + 1)).expect("nobody else leads");
    let snapshot = Snapshot { covers: last.seq, facts: whole.last().snapshot.clone() };
    journal.put_snapshot(epoch, &snapshot).expect("stored");
    let stored = journal.snapshot().expect("readable").expect("it was stored");
    assert_eq!(stored.facts.len(), whole.last().snapshot.len());
}

fn without_outputs_and_texts(file: &Path) -> Vec<u8> {
    let copy = file.with_extension("copy");
    fs::copy(file, &copy).expect("copied");
    let database = rusqlite::Connection::open(&copy).expect("a database");
    let frames: i64 = database
        .query_row("SELECT count(*) FROM frames", [], |row| row.get(0))
        .expect("a table of frames");
    assert!(frames > 10, "only {frames} frames");
    database
        .execute_batch(
            "PRAGMA secure_delete = ON; DELETE FROM outputs; DELETE FROM objects; VACUUM;
             PRAGMA wal_checkpoint(TRUNCATE);",
        )
        .expect("the tables are there");
    drop(database);
    let bytes = fs::read(&copy).expect("readable");
    fs::remove_file(&copy).expect("removed");
    bytes
}

fn every_file(folder: &Path, see: &mut impl FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("it is there").path();
        if path.is_dir() {
            every_file(&path, see);
        } else if path.is_file() {
            see(&path, &fs::read(&path).expect("readable"));
        }
    }
}
