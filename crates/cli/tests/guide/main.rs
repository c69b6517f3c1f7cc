//! The guide is true: every example in `docs/guide` is a file below `examples/guide`, and every
//! such file is played by the real binary and comes to what its snapshot beside it says.
//!
//! ```text
//! cargo test -p cli --test guide                        all of it
//! AUTOGLM_CASE=loops cargo test -p cli --test guide     examples whose name has this in it
//! AUTOGLM_BLESS=1 cargo test -p cli --test guide        writes snapshots and pages anew
//! ```
//!
//! The files are found, never listed, so that none can be forgotten. How they are written is told
//! in `examples/guide/README.md`; how they are played, in `tests/language/README.md`.

#[path = "../language/case.rs"]
#[expect(dead_code, reason = "what an example shows is told by its page, not in a line")]
mod case;
mod commands;
#[path = "../language/home.rs"]
mod home;
#[path = "../language/orders.rs"]
mod orders;
mod pages;
#[path = "../language/play.rs"]
mod play;
mod schemas;
#[path = "../language/told.rs"]
mod told;
mod transcripts;

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use case::Case;
use home::Home;

/// Examples that are played at a time. More than cores: they wait for disks and for tasks.
const AT_A_TIME: usize = 6;
/// Fewer examples than this means that the folder is not the folder.
const EXAMPLES_MIN: usize = 50;

#[test]
fn every_example_comes_to_what_its_snapshot_says() {
    let wanted = env::var("AUTOGLM_CASE").unwrap_or_default();
    let examples: Vec<Case> =
        case::all().into_iter().filter(|example| example.name.contains(&wanted)).collect();
    assert!(!examples.is_empty(), "no example has `{wanted}` in its name");
    assert!(!wanted.is_empty() || examples.len() >= EXAMPLES_MIN, "{}", examples.len());
    let bless = env::var_os("AUTOGLM_BLESS").is_some();
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME.min(examples.len()) {
            scope.spawn(|| {
                while let Some(example) = examples.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let held = match example.all("expect").any(|text| text == "rehearsed") {
                        true => rehearsed(example),
                        false => play_anew(example).and_then(|told| example.compare(&told, bless)),
                    };
                    if let Err(why) = held {
                        let mut faults = faults.lock().expect("no thread has panicked");
                        faults.insert(format!("--- {}\n{why}\n", example.name));
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().expect("no thread has panicked");
    let told: String = faults.iter().map(String::as_str).collect();
    assert!(faults.is_empty(), "{} of {} examples:\n{told}", faults.len(), examples.len());
}

/// Plays an example in a home of its own, so that its run is always the first: runs workflows, and
/// goes through tests.
fn play_anew(example: &Case) -> Result<String, String> {
    let mut home = Home::new();
    if example.name.ends_with(".test") {
        let folder = home.folder_for(&example.path);
        let file = example.path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        return Ok(told::words(&home.run(&folder, &["test", file])?, &folder));
    }
    play::play(&mut home, example)
}

/// What would take days is played by the test file beside it, which is an example too.
fn rehearsed(example: &Case) -> Result<(), String> {
    let test = example.path.with_extension("test.yaml");
    match test.exists() {
        true => Ok(()),
        false => Err(format!("it is rehearsed by {}, which is not there", shown(&test))),
    }
}

/// The repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A path as a developer types it at the root of the repository.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The folder of the examples.
fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/guide"))
}
