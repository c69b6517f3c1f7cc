//! The workflow language, shown by small files: `tests/language/TOPIC/CASE.yaml` or `.json`, each
//! with what comes of it beside it in `CASE.snap`, run by the real binary.
//!
//! ```text
//! cargo test -p cli --test language                        all of them
//! AUTOGLM_CASE=joins/ cargo test -p cli --test language    those whose name has this in it
//! AUTOGLM_BLESS=1 cargo test -p cli --test language        writes the snapshots anew
//! ```
//!
//! How a case is written is told in `tests/language/README.md`. A snapshot never has in it what the
//! language leaves open: neither times nor the order of tasks that do not wait for each other.

mod case;
mod home;
mod keys;
mod orders;
mod play;
mod told;

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use case::Case;
use home::Home;

/// Homes that are at work at a time. More than cores: commands wait for disks and for tasks.
const HOMES: usize = 6;
/// Fewer cases than this means that the folder is not the folder.
const CASES_MIN: usize = 150;

#[test]
fn every_case_comes_to_what_its_snapshot_says() {
    let wanted = env::var("AUTOGLM_CASE").unwrap_or_default();
    let cases: Vec<Case> =
        case::all().into_iter().filter(|case| case.name.contains(&wanted)).collect();
    assert!(!cases.is_empty(), "no case has `{wanted}` in its name");
    let bless = env::var_os("AUTOGLM_BLESS").is_some();
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    std::thread::scope(|scope| {
        for _ in 0..HOMES.min(cases.len()) {
            scope.spawn(|| {
                let mut home = Home::new();
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let fault = match play::play(&mut home, case) {
                        Ok(told) => case.compare(&told, bless).err(),
                        Err(why) => {
                            // Whatever is left going on there must not hold up the next case.
                            home = Home::new();
                            Some(why)
                        }
                    };
                    if let Some(why) = fault {
                        let mut faults = faults.lock().expect("no thread has panicked");
                        faults.insert(format!("--- {}\n{why}\n", case.name));
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().expect("no thread has panicked");
    let told: String = faults.iter().map(String::as_str).collect();
    assert!(faults.is_empty(), "{} of {} cases:\n{told}", faults.len(), cases.len());
}

#[test]
fn every_case_says_what_it_shows_and_has_a_snapshot() {
    let cases = case::all();
    assert!(cases.len() >= CASES_MIN, "only {} cases", cases.len());
    let mut faults = String::new();
    let mut shown = BTreeSet::new();
    for case in &cases {
        if case.shows.is_empty() {
            writeln!(faults, "{}: begins with no comment", case.name).expect("a string");
        }
        if !shown.insert(&case.shows) {
            writeln!(faults, "{}: another case shows the same", case.name).expect("a string");
        }
    }
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    for snapshot in case::snapshots() {
        if !names.contains(snapshot.as_str()) {
            writeln!(faults, "{snapshot}: a snapshot without a case").expect("a string");
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn every_key_of_the_schema_stands_in_a_case() {
    let schema = spec::schema();
    let mut keys = keys::Keys::of(&schema);
    for case in case::all().iter().filter(|case| !case.is_invalid()) {
        if let Some(value) = case.value() {
            keys.see(&value);
        }
    }
    let unseen = keys.unseen();
    assert!(unseen.is_empty(), "no case of `tests/language` that is valid has {unseen:#?}");
}

/// The folder of the cases.
fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/language"))
}
