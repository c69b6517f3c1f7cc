//! Limits on control groups of the second version, which most machines have and this one may not:
//! in a virtual machine, with the real binary. Those of the first version are tested where they
//! are, in `crates/worker/tests/supervisor`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::support::machine::Machine;

/// What the machine does.
const WORK: &str = include_str!("limits/init.sh");
/// How long the machine may take for its next word.
const PATIENCE: Duration = Duration::from_secs(120);

const LIMITS: &str = r#"
on_failure: continue
tasks:
  memory:
    script: "exec awk 'BEGIN { for (;;) s[++n] = sprintf(\"%4096s\", n) }'"
    resources: {limits: {memory: 48Mi}}
  within:
    script: head -c 8M /dev/zero | tail -c 8M | wc -c
    resources: {requests: {cpu: 100m, memory: 16Mi}, limits: {cpu: 1, memory: 96Mi}}
  cores:
    script: |
      timeout 4 sh -c 'while :; do :; done' || :
    resources: {limits: {cpu: 300m}}
  bomb:
    script: |
      b() { b & b & wait; }
      (b) 2> /dev/null
      exit 0
    resources: {limits: {pids: 24}}
    timeout: 5s
    grace: 0s
  hand:
    script: kill -KILL $$
    resources: {limits: {memory: 48Mi}}
"#;
const STAY: &str = "
tasks:
  - name: stay
    script: test -e /tmp/there || { touch /tmp/there; sleep 999; }
    resources: {limits: {pids: 20}}
";
const SMALL: &str = "
tasks:
  - {name: small, script: 'true', resources: {limits: {cpu: 1, memory: 16Mi, pids: 20}}}
";

/// What came of a run.
#[derive(Debug, Default)]
struct Told {
    facts: Vec<Value>,
    log: String,
    groups: Option<u64>,
}

/// How the only attempt of a task ended.
#[derive(Debug)]
struct End {
    outcome: String,
    wall: f64,
    cpu: f64,
    peak_kib: u64,
}

impl Told {
    /// By the order of the tasks in the file.
    fn end(&self, task: u64) -> End {
        let mut ends = self.facts.iter().filter(|fact| fact["kind"] == "attempts_ended");
        let fact = ends.find(|fact| fact["fact"]["task"] == task);
        let fact =
            &fact.unwrap_or_else(|| panic!("{task} has not ended: {:?}", self.facts))["fact"];
        let end = &fact["ends"][0];
        let number = |key: &str| end[key].as_f64().expect("a number");
        let word = |word: &Value| word.as_str().unwrap_or_default().to_owned();
        End {
            outcome: format!("{} {}", word(&fact["outcome"]), word(&fact["failure"]["kind"])),
            wall: number("wall_seconds"),
            cpu: number("cpu_seconds"),
            peak_kib: end["peak_rss_kib"].as_u64().expect("a number"),
        }
    }
}

/// All that the machine says until it is done.
fn told(machine: &Machine) -> (BTreeMap<String, Told>, Vec<String>) {
    let power = machine.boot();
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    let mut rest = Vec::new();
    loop {
        let line = power.line(PATIENCE).expect("the machine says something");
        let mut words = line.splitn(3, ' ');
        let (word, whose) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let text = words.next().unwrap_or_default();
        match word {
            "FACT" => {
                let fact = serde_json::from_str(text).expect("each line is JSON");
                told.entry(whose.to_owned()).or_default().facts.push(fact);
            }
            "LOG" => {
                told.entry(whose.to_owned()).or_default().log += &format!("{text}\n");
            }
            "GROUPS" => {
                told.entry(whose.to_owned()).or_default().groups = text.parse().ok();
            }
            "DONE" => return (told, rest),
            _ => {
                println!("console: {line}");
                rest.push(line);
            }
        }
    }
}

#[test]
#[ignore = "boots a virtual machine: a CI step of its own"]
fn limits_hold_on_the_second_version() {
    let files = [("limits.yaml", LIMITS), ("stay.yaml", STAY), ("small.yaml", SMALL)];
    let Some(machine) = Machine::assemble(WORK, &files, &[]) else { return };
    let (told, rest) = told(&machine);
    for whose in ["root", "session"] {
        let told = &told[whose];
        let memory = told.end(0);
        assert_eq!(memory.outcome, "failed out_of_memory", "{whose}: {memory:?}");
        assert!((40 << 10..=48 << 10).contains(&memory.peak_kib), "{whose}: {memory:?}");
        let within = told.end(1);
        assert_eq!(within.outcome, "succeeded ", "{whose}: {within:?}");
        let cores = told.end(2);
        let share = cores.cpu / cores.wall;
        println!("{whose}: {share:.3} of a core where 0.3 is the limit");
        assert!((0.24..=0.36).contains(&share), "{whose}: {cores:?}");
        assert!(told.log.contains("it was refused another process"), "{whose}: {}", told.log);
        let hand = told.end(4);
        assert_eq!(hand.outcome, "failed signal", "{whose}: a kill by hand is no want of memory");
        assert!(!told.log.contains("not enforced"), "{whose}: {}", told.log);
        assert_eq!(told.groups, Some(0), "{whose}: groups were left");
    }
    let bounded = &told["bounded"].log;
    for name in ["cpu", "memory", "pids"] {
        assert!(bounded.contains(&format!("its limit of {name} is not enforced")), "{bounded}");
    }
    assert_eq!(told["bounded"].groups, Some(0));
    let said = |word: &str| rest.iter().find(|line| line.starts_with(word)).expect("it was said");
    // The other one is the machine's own.
    assert_eq!((said("LEFT").as_str(), said("AFTER").as_str()), ("LEFT 1 2", "AFTER 0 1"));
}
