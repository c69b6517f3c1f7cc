//! Replaying a journal needs no expression to be worked out again: code that cannot reach the
//! template engine comes to the state that the live engine had, fact by fact.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use engine::Engine;
use journal::Entry;
use model::Fact;
use model::control::ControlAnswer;
use serde_json::Value;

use crate::replay;
use crate::whole::Whole;

#[test]
fn a_journal_that_is_replayed_without_templates_has_the_state_of_the_live_engine() {
    let whole = Whole::run();
    let state = whole.house.state();
    let facts = replay::facts(&state);
    let kinds: BTreeSet<String> = facts.iter().filter_map(answered).collect();
    let wanted = ["Again", "Begin", "Done", "FanOut", "Invalid", "Route", "Skip", "Until"];
    for kind in wanted {
        assert!(kinds.contains(kind), "no answer of the kind {kind} among {kinds:?}");
    }

    let mut hashes = BTreeMap::new();
    let last = replay::replay(&state, &facts, |seq, engine: &Engine| {
        hashes.insert(seq, engine.state_hash());
    });
    let mut compared = BTreeSet::new();
    for moment in &whole.moments {
        let Some(hash) = hashes.get(&moment.seq) else { continue };
        assert_eq!(*hash, moment.hash, "after fact {}", moment.seq.0);
        compared.insert(moment.seq);
    }
    assert!(compared.len() > 4, "only {} moments", compared.len());
    assert_eq!(compared.last(), facts.last().map(|entry| &entry.seq), "the end is among them");
    assert_eq!(last.snapshot(), whole.last().snapshot, "piece by piece");

    // What was answered is what the state comes from: another answer makes another state.
    let other = up_to_another_route(&facts);
    let seq = other.last().expect("there is a decision").seq;
    let replayed = replay::replay(&state, &other, |_, _| {});
    assert_ne!(replayed.state_hash(), hashes[&seq]);
}

/// The kind of an answer.
fn answered(entry: &Entry) -> Option<String> {
    let Fact::TaskAnswered(answered) = &entry.fact else { return None };
    let told = format!("{:?}", answered.answer);
    Some(told.chars().take_while(|letter| letter.is_alphanumeric()).collect())
}

/// The facts up to the first decision, which has taken another route. What follows in the journal
/// follows from the route that was taken.
fn up_to_another_route(facts: &[Entry]) -> Vec<Entry> {
    let mut other = Vec::new();
    for mut entry in facts.iter().cloned() {
        let mut is_decision = false;
        if let Fact::TaskAnswered(answered) = &mut entry.fact
            && let ControlAnswer::Route(route) = &mut answered.answer
            && *route > 0
        {
            (*route, is_decision) = (*route + 1, true);
        }
        other.push(entry);
        if is_decision {
            break;
        }
    }
    other
}

#[test]
fn what_replays_cannot_reach_the_template_engine() {
    let needed = dependencies();
    for name in replay::CRATES {
        let reached = reached(&needed, name);
        for never in ["spec", "minijinja"] {
            assert!(!reached.contains(never), "{name} reaches {never}");
        }
    }
    assert!(reached(&needed, "server").contains("minijinja"), "the search finds it where it is");
}

/// The direct dependencies of each package: of ours without those for tests, as cargo tells them,
/// and of all others as they are locked.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--offline", "--no-deps", "--format-version", "1"]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let lock = include_str!("../../../../Cargo.lock");
    let lock: Value = toml::from_str(lock).expect("TOML");
    let list = |of: &Value, key: &str| of[key].as_array().cloned().unwrap_or_default();
    let name = |of: &Value| of["name"].as_str().expect("a name").to_owned();
    let locked = list(&lock, "package").into_iter().map(|package| {
        let words = list(&package, "dependencies").into_iter();
        // Where there are several versions, the version stands behind the name.
        let first = |word: Value| word.as_str()?.split(' ').next().map(str::to_owned);
        (name(&package), words.filter_map(first).collect())
    });
    let mut all: BTreeMap<_, BTreeSet<String>> = locked.collect();
    for package in list(&metadata, "packages") {
        let mut needed = list(&package, "dependencies");
        needed.retain(|dependency| dependency["kind"] != "dev");
        all.insert(name(&package), needed.iter().map(name).collect());
    }
    all
}

fn reached(needed: &BTreeMap<String, BTreeSet<String>>, name: &str) -> BTreeSet<String> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![name.to_owned()]);
    while let Some(name) = next.pop() {
        if reached.insert(name.clone()) {
            next.extend(needed.get(&name).into_iter().flatten().cloned());
        }
    }
    reached
}
