//! The journal as `autoglm journal export` prints it, with what the tests ask of its facts.

use serde_json::Value;

use super::binary::Home;

/// A fact.
pub(crate) struct Fact {
    pub seq: u64,
    pub kind: String,
    pub text: String,
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
        let text = |name: &str| value[name].as_str().expect("it has this text").to_owned();
        let seq = value["seq"].as_u64().expect("it has a number");
        Fact { seq, kind: text("kind"), text: text("fact") }
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
        let (first, end) = after(&fact.text, "items: ").split_once("..").expect("a range");
        let items = number(first)..number(end);
        Lease { token: fact.seq, task: number(after(&fact.text, "TaskId(")), items }
    });
    leases.collect()
}

/// The ends of attempts among `facts`.
pub(crate) fn ends(facts: &[Fact]) -> Vec<End> {
    let mut ends = Vec::new();
    for fact in facts.iter().filter(|fact| fact.kind == "attempts_ended") {
        let (head, list) = fact.text.split_once("ends: [").expect("it has a list");
        let outcome = after(head, "outcome: ").split(", then:").next().expect("it has one");
        for entry in list.split("(ItemId(").skip(1) {
            ends.push(End {
                seq: fact.seq,
                task: number(after(head, "TaskId(")),
                item: number(entry),
                outcome: outcome.to_owned(),
                is_final: head.contains("then: Final"),
            });
        }
    }
    ends
}

fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).unwrap_or_else(|| panic!("`{mark}` in {text}")).1
}

/// The number that `text` begins with.
fn number(text: &str) -> u64 {
    let end = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().unwrap_or_else(|_| panic!("a number in {text}"))
}
