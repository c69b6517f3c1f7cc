//! The places in which something may stand, each as bytes that are not compressed.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use artifacts::objects::Objects;
use engine::Engine;
use journal::Journal as _;
use model::{Digest, Fact, RunId, Seq};
use stores::Archive;

use crate::replay;

/// A place: what it is, and its bytes.
pub(crate) type Place = (String, Vec<u8>);

/// Every file below a folder, as it lies there.
pub(crate) fn files(folder: &Path) -> Vec<Place> {
    let mut places = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, kind) = (entry.path(), entry.file_type().expect("it has one"));
        if kind.is_dir() {
            places.extend(files(&path));
        } else if kind.is_file() {
            // It may be gone by now.
            let bytes = fs::read(&path).unwrap_or_default();
            places.push((path.display().to_string(), bytes));
        }
    }
    places
}

/// What files of a state folder hold in a packed form. The state must not change meanwhile.
pub(crate) fn unpacked(state: &Path) -> Vec<Place> {
    let facts = replay::facts(state);
    let mut places = vec![
        ("the facts".to_owned(), format!("{facts:?}").into_bytes()),
        ("the records of facts".to_owned(), records(facts.iter().map(|entry| &entry.fact))),
    ];
    let engine = replay::replay(state, &facts, |_, _| {});
    places.push(("the engine".to_owned(), format!("{engine:?}").into_bytes()));
    places.push(("a snapshot".to_owned(), snapshot(&engine)));
    places.extend(texts(state, &facts));
    places.extend(archived(state));
    places
}

fn records<'f>(facts: impl IntoIterator<Item = &'f Fact>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for fact in facts {
        protocol::record::encode(fact, &mut bytes).expect("it was stored");
    }
    bytes
}

fn snapshot(engine: &Engine) -> Vec<u8> {
    let pieces = engine.snapshot();
    records(pieces.iter().map(|(_, _, fact): &(Seq, _, Fact)| fact))
}

/// The graph and the definition of the run.
fn texts(state: &Path, facts: &[journal::Entry]) -> Vec<Place> {
    let mut journal = replay::open(state);
    let objects = Objects::open(&state.join("objects")).expect("the folder of objects");
    let mut object = |digest: &Digest| {
        let stored = journal.object(digest).expect("readable");
        let stored = stored.or_else(|| objects.get(digest).expect("readable"));
        stored.expect("stored before the fact")
    };
    let mut places = Vec::new();
    for entry in facts {
        let Fact::RunAdmitted(run) = &entry.fact else { continue };
        let graph = protocol::graph::decode(&object(&run.graph)).expect("as it was stored");
        let definition = spec::Definition::from_bytes(&object(&run.definition));
        let definition = definition.expect("as it was stored");
        places.push(("the graph".to_owned(), format!("{graph:?}").into_bytes()));
        places.push(("the definition".to_owned(), format!("{definition:?}").into_bytes()));
        let text = serde_json::to_vec(&definition).expect("it can be written");
        places.push(("the text of the definition".to_owned(), text));
    }
    places
}

/// The history of the run, if it has ended.
fn archived(state: &Path) -> Option<Place> {
    let objects = Objects::open(&state.join("objects")).expect("the folder of objects");
    let archive = Archive::open_existing(state, Arc::new(objects)).expect("it can be read")?;
    let entries = archive.read(RunId(1)).expect("it can be read")?;
    let bytes =
        [format!("{entries:?}").into_bytes(), records(entries.iter().map(|entry| &entry.fact))];
    Some(("the archive".to_owned(), bytes.concat()))
}
