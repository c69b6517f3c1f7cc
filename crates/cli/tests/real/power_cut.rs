//! The power is cut at random moments: what was acknowledged before is there afterwards.
//!
//! It needs a [`Machine`]; without one the tests say so and pass.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::machine::{Machine, Power};
use crate::support::random::Random;

/// What the machine does.
const WORK: &str = include_str!("power_cut/init.sh");
/// How often the power is cut.
const CUTS: u32 = 5;
/// How often it is cut to see that something gets lost when nothing is synced.
const CUTS_WITHOUT_SYNC: u32 = 4;
/// How long the machine may take for its next word.
const PATIENCE: Duration = Duration::from_secs(90);

const WIDE: &str = "
tasks:
  - {name: wide, foreach: {range: 20000}, command: [/bin/true]}
";
const SMALL: &str = "
tasks:
  - {name: small, command: [/bin/true]}
";

/// What the machine has told of itself before its power was cut.
#[derive(Debug, Default)]
struct Acknowledged {
    runs: BTreeSet<u64>,
    succeeded: u64,
}

/// What it finds in its journal after a boot.
#[derive(Debug, Default)]
struct Found {
    runs: BTreeSet<u64>,
    succeeded: u64,
    is_unsound: bool,
}

impl Acknowledged {
    fn note(&mut self, line: &str) -> bool {
        match line.split_once(' ') {
            Some(("ACK", run)) => self.runs.insert(run.parse().expect("a number")),
            Some(("SEEN", count)) => {
                self.succeeded = self.succeeded.max(count.parse().expect("a number"));
                true
            }
            _ => false,
        }
    }

    /// What is missing.
    fn lost(&self, found: &Found) -> Vec<String> {
        let mut lost: Vec<_> =
            self.runs.difference(&found.runs).map(|run| format!("run {run}")).collect();
        if found.succeeded < self.succeeded {
            lost.push(format!("{} of {} outcomes", found.succeeded, self.succeeded));
        }
        if found.is_unsound {
            lost.push("the journal is not sound".to_owned());
        }
        lost
    }
}

/// What the journal of a machine that was just switched on has.
fn read(power: &Power) -> Found {
    let mut found = Found::default();
    loop {
        let line = power.line(PATIENCE).expect("the machine says something");
        match line.split_once(' ') {
            None if line == "READY" => return found,
            Some(("HAS", run)) => drop(found.runs.insert(run.parse().expect("a number"))),
            Some(("ENDED", count)) => found.succeeded = count.parse().unwrap_or(0),
            Some(("JOURNAL", how)) => found.is_unsound = how != "sound",
            _ => println!("console: {line}"),
        }
    }
}

/// Lets it work for a random while, and cuts the power.
fn work(power: Power, random: &mut Random, acknowledged: &mut Acknowledged) {
    let wanted = 2 + random.below(14);
    let mut heard = 0;
    while heard < wanted {
        let line = power.line(PATIENCE).expect("the machine says something");
        if acknowledged.note(&line) {
            heard += 1;
        } else {
            println!("console: {line}");
        }
    }
    std::thread::sleep(Duration::from_millis(random.below(300)));
    for line in power.cut() {
        acknowledged.note(&line);
    }
}

fn assemble(variables: &[&str]) -> Option<Machine> {
    Machine::assemble(WORK, &[("wide.yaml", WIDE), ("small.yaml", SMALL)], variables)
}

#[test]
#[ignore = "boots a virtual machine again and again: a CI step of its own"]
fn what_was_acknowledged_survives_power_cuts() {
    let Some(machine) = assemble(&[]) else { return };
    let mut random = Random::seeded();
    let mut acknowledged = Acknowledged::default();
    for cut in 0..=CUTS {
        let power = machine.boot();
        let found = read(&power);
        let lost = acknowledged.lost(&found);
        assert!(lost.is_empty(), "lost after {cut} cuts: {lost:?}");
        if cut < CUTS {
            work(power, &mut random, &mut acknowledged);
        }
    }
    let Acknowledged { runs, succeeded } = acknowledged;
    println!("{CUTS} cuts: {} submissions and {succeeded} outcomes, all there", runs.len());
    assert!(succeeded > 0, "some outcome was acknowledged");
}

#[test]
#[ignore = "boots a virtual machine again and again: a CI step of its own"]
fn without_syncs_something_is_lost() {
    let Some(machine) = assemble(&["AUTOGLM_TEST_NO_SYNC=1"]) else { return };
    let mut random = Random::seeded();
    let mut acknowledged = Acknowledged::default();
    for cut in 0..=CUTS_WITHOUT_SYNC {
        let power = machine.boot();
        let lost = acknowledged.lost(&read(&power));
        if !lost.is_empty() {
            println!("caught after {cut} cuts: {lost:?}");
            return;
        }
        work(power, &mut random, &mut acknowledged);
    }
    panic!("nothing was lost in {CUTS_WITHOUT_SYNC} cuts: this test cannot tell");
}
