//! The journal as `autoglm journal export` prints it, with what the tests ask of its facts.

use serde_json::Value;

use super::binary::Home;

/// A fact.
pub(crate) struct Fact {
    pub seq: u64,
    pub kind: String,
    pub fields: Value,
}

/// Items that were given to a worker by one fact: its number is their token.
#[derive(Debug)]
pub(crate) struct Lease {
    pub token: u64,
    pub task: u64,
    pub items: std::ops::Range<u64>,
}

/// The end of an attempt.
#[derive(Debug)]
pub(crate) struct End {
    pub seq: u64,
    pub task: u64,
    pub item: u64,
    pub outcome: String,
    pub is_final: bool,
}

/// All facts, in order. The journal must be sound.
pub(crate) fn facts(home: &Home) -> Vec<Fact> {
    let exported = home.run(&["journal", "export"]);
    assert_eq!(exported.code, 0, "{}", exported.stderr);
    let fact = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("each line is JSON");
        let kind = value["kind"].as_str().expect("it has a kind").to_owned();
        Fact { seq: number(&value["seq"]), kind, fields: value["fact"].clone() }
    };
    exported.stdout.lines().map(fact).collect()
}

/// Checks every sum and every number.
pub(crate) fn verify(home: &Home) {
    let verified = home.run(&["journal", "verify", "-o", "json"]);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
}

/// The leases among `facts`.
pub(crate) fn leases(facts: &[Fact]) -> Vec<Lease> {
    let leases = facts.iter().filter(|fact| fact.kind == "attempts_leased").map(|fact| {
        let items = fact.fields["items"].as_str().expect("a range");
        let (first, last) = items.split_once('-').unwrap_or((items, items));
        let parse = |text: &str| text.parse::<u64>().expect("a number");
        let items = parse(first)..parse(last) + 1;
        Lease { token: fact.seq, task: number(&fact.fields["task"]), items }
    });
    leases.collect()
}

/// The ends of attempts among `facts`.
pub(crate) fn ends(facts: &[Fact]) -> Vec<End> {
    let mut ends = Vec::new();
    for Fact { seq, fields, .. } in facts.iter().filter(|fact| fact.kind == "attempts_ended") {
        for entry in fields["ends"].as_array().expect("it has a list") {
            ends.push(End {
                seq: *seq,
                task: number(&fields["task"]),
                item: number(&entry["item"]),
                outcome: fields["outcome"].as_str().expect("it has one").to_owned(),
                is_final: fields["then"] == "final",
            });
        }
    }
    ends
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number, not {value}"))
}
