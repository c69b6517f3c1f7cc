//! The pipeline with models that the documentation shows: 2,000 documents, embedded by a real
//! MiniLM in calls of many, and named by a real llama.cpp whose answers fit a schema. One command
//! does all of it; killed with -9 in each of its phases, the same command goes on.
//!
//! That nothing is done again that was recorded is counted three times over: by the journal, by
//! the files that steps were seen to write (`watch.py`, of which the example knows nothing), and by
//! what the server was asked. A number that the product tells of itself is not enough here.

mod llama;
mod outcome;
mod watch;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::binary::{Home, Running};
use crate::support::journal::{self, Fact};
use crate::support::{api, example, wait};
use llama::Llama;
use outcome::Outcome;
use watch::{Seen, Watch};

/// How long all of it may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(600);
/// The tasks, in the order of their numbers.
const TASKS: [&str; 7] = ["gather", "clean", "embed", "cluster", "name", "evaluate", "report"];
const DOCUMENTS: usize = 2_000;
const GROUPS: usize = 16;
/// Items of all tasks.
const ITEMS: usize = DOCUMENTS + GROUPS + 5;
/// How many documents one call takes at most.
const BATCH_MAX: usize = 64;
/// How many it takes on average, at least.
const BATCH_MEAN_MIN: usize = 40;
/// Calls that run at a time: as many as cores.
const CALLS: usize = 2;

/// When a phase is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// When it has come to this file. What is written is whole by then, but not in its place.
    Before(&'static str),
    /// When so many of its items are recorded, and others are under way.
    Recorded(u64),
}

/// What is killed, one after the other.
const KILLS: [(&str, Moment); 9] = [
    ("gather", Moment::Before("writes raw.jsonl")),
    ("clean", Moment::Before("writes clean.jsonl")),
    ("embed", Moment::Recorded(1)),
    ("embed", Moment::Recorded(1_000)),
    ("cluster", Moment::Before("writes clusters.jsonl")),
    ("evaluate", Moment::Before("reads clusters.jsonl")),
    ("name", Moment::Recorded(5)),
    ("report", Moment::Before("writes map.svg")),
    ("report", Moment::Before("writes report.md")),
];

/// The example, its packages and its server, on a state folder of its own.
struct Stage {
    home: Home,
    folder: PathBuf,
    packages: PathBuf,
    watch: Watch,
    llama: Llama,
}

/// A kill, with all that was known right after it.
#[derive(Debug)]
struct Kill {
    phase: &'static str,
    /// The last fact before it.
    seq: u64,
    /// Numbers of tasks, and their items, that had ended for good.
    recorded: HashSet<(u64, u64)>,
    /// How much had been seen.
    seen: usize,
    /// How often the server had been asked.
    asked: usize,
}

#[test]
#[ignore = "embeds thousands of documents: a CI step of its own"]
fn documents_are_grouped_and_named_however_often_it_is_killed() {
    let packages = llama::install();
    let whole = Stage::new(&packages);
    let undisturbed = whole.finish();
    whole.check_batches();
    check_attempts_without_kills(&whole.facts());

    let stage = Stage::new(&packages);
    let kills = KILLS.map(|(phase, moment)| stage.kill(phase, moment));
    let outcome = stage.finish();
    stage.check_not_repeated(&kills, &outcome);
    outcome.check_same(&undisturbed);
}

impl Stage {
    fn new(packages: &Path) -> Self {
        let home = Home::new();
        let folder = example::copy("documents", &home);
        let (watch, llama) = (Watch::new(home.folder()), Llama::start(packages));
        Self { home, folder, packages: packages.to_owned(), watch, llama }
    }

    /// Starts the run, or goes on with it: the command is the same.
    fn start(&self) -> Running {
        let flow = self.folder.join("workflow.yaml");
        let python = format!("python={}", self.packages.join("venv").display());
        let llm = format!("llm={}", self.llama.endpoint);
        let flow = flow.to_str().expect("UTF-8");
        let mut command = self.home.command(&["run", flow, "-p", &python, "-p", &llm]);
        self.watch.surround(&mut command);
        self.home.start_with(command)
    }

    /// All facts so far, and that they are of this workflow.
    fn facts(&self) -> Vec<Fact> {
        let run = self.home.json(&["get", "last"]);
        let tasks = run["tasks"].as_array().expect("a list").iter();
        assert!(tasks.map(|task| &task["name"]).eq(TASKS), "{run}");
        journal::facts(&self.home)
    }

    /// Starts it, or goes on, and kills it in a phase.
    fn kill(&self, phase: &'static str, moment: Moment) -> Kill {
        if let Moment::Before(file) = moment {
            self.watch.hold(&format!("{phase} {file}"));
        }
        let mut running = self.start();
        let told = wait::until(&format!("{moment:?} of {phase}"), PATIENCE, || {
            assert!(running.ended().is_none(), "it ended before {phase}: {}", running.said());
            let recorded = self.recorded(phase)?;
            let is_there = match moment {
                Moment::Before(_) => self.watch.is_holding(),
                Moment::Recorded(count) => recorded >= count,
            };
            is_there.then_some(recorded)
        });
        running.signal(Signal::KILL);
        let said = running.finish().stderr;
        self.home.wait_until_quiet();
        if let Moment::Before(_) = moment {
            self.watch.release();
        }
        let kill = Kill::look(phase, self);
        assert_eq!(kill.phase != "gather", said.contains("goes on where it stopped"), "{said}");
        kill.check(told);
        kill
    }

    /// How many items of a task have succeeded, as people are told; nothing if nobody serves.
    fn recorded(&self, task: &str) -> Option<u64> {
        let run = api::get(self.home.state(), "runs/last")?;
        let mut tasks = run["tasks"].as_array()?.iter();
        let items = &tasks.find(|it| it["name"] == task)?["items"];
        Some(items["succeeded"].as_u64().unwrap_or(0))
    }

    /// Lets it come to its end, and looks at what has come of it.
    fn finish(&self) -> Outcome {
        let ended = self.start().finish_within(PATIENCE);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        self.home.wait_until_quiet();
        journal::verify(&self.home);
        let facts = self.facts();
        let ends = journal::ends(&facts).into_iter().filter(|end| end.is_final);
        let ends: Vec<_> = ends.map(|end| (end.task, end.item, end.outcome)).collect();
        let succeeded = ends.iter().filter(|end| end.2 == "succeeded").collect::<HashSet<_>>();
        assert_eq!(
            (ends.len(), succeeded.len()),
            (ITEMS, ITEMS),
            "one outcome each, and a good one"
        );
        assert_eq!(facts.iter().filter(|fact| fact.kind == "run_ended").count(), 1);

        let outcome = Outcome::read(&self.home, self.folder.clone());
        outcome.check_report(DOCUMENTS);
        println!("{}", outcome.check_groups());
        outcome
    }

    /// How many documents each call has embedded that was seen to write its file.
    fn embedded(&self, seen: &[Seen]) -> Vec<usize> {
        let written = seen.iter().filter(|it| it.task == "embed" && it.is_written);
        let files = written.map(|it| self.folder.join("out").join(&it.file));
        // One that was killed may have come to nothing.
        let rows = |file| fs::read_to_string(file).map_or(0, |text| text.lines().count());
        files.map(rows).collect()
    }

    /// Documents were embedded once each, many in one call.
    fn check_batches(&self) {
        let calls = self.embedded(&self.watch.seen());
        assert_eq!(calls.iter().sum::<usize>(), DOCUMENTS);
        assert!(calls.iter().all(|count| *count <= BATCH_MAX), "{calls:?}");
        assert!(calls.len() <= DOCUMENTS / BATCH_MEAN_MIN, "{} calls: {calls:?}", calls.len());
        println!("{} calls embedded {DOCUMENTS} documents", calls.len());
    }

    /// What was recorded before a kill was not begun again after it.
    fn check_not_repeated(&self, kills: &[Kill], outcome: &Outcome) {
        let (facts, seen, requests) = (self.facts(), self.watch.seen(), self.llama.requests());
        let prompt = |body: &Value| body["messages"][1]["content"].as_str().expect("it").to_owned();
        let asked: Vec<u64> = requests.iter().map(|it| outcome.group_of(&prompt(it))).collect();
        for (at, kill) in kills.iter().enumerate() {
            kill.check_leases(&facts);
            kill.check_seen(&seen[kill.seen..]);
            kill.check_asked(&asked[kill.asked..]);
            let later = kills[at + 1..].iter().filter(|it| it.phase == "embed").count();
            let embedded = self.embedded(&seen[kill.seen..]).iter().sum();
            kill.check_embedded(embedded, later);
        }
        let leased =
            journal::leases(&facts).iter().map(|it| it.items.clone().count()).sum::<usize>();
        println!(
            "{} kills: {} of {ITEMS} items were given out again, {} of {} requests sent again",
            kills.len(),
            leased - ITEMS,
            asked.len() - GROUPS,
            asked.len(),
        );
    }
}

impl Kill {
    /// What is known now that everything is dead.
    fn look(phase: &'static str, stage: &Stage) -> Self {
        let facts = stage.facts();
        let ends = journal::ends(&facts).into_iter().filter(|end| end.is_final);
        Self {
            phase,
            seq: facts.last().expect("it had begun").seq,
            recorded: ends.map(|end| (end.task, end.item)).collect(),
            seen: stage.watch.seen().len(),
            asked: stage.llama.requests().len(),
        }
    }

    /// How many items of a task were recorded.
    fn count(&self, task: &str) -> usize {
        self.recorded.iter().filter(|it| it.0 == number(task)).count()
    }

    /// It was in the middle of its phase, and what people had been told is still so.
    fn check(&self, told: u64) {
        let of_phase = self.count(self.phase);
        assert!(of_phase as u64 >= told, "{told} items were told of, {of_phase} are recorded");
        let items = match self.phase {
            "embed" => DOCUMENTS,
            "name" => GROUPS,
            _ => 1,
        };
        assert!(of_phase < items, "all of {} is done", self.phase);
        println!("killed in {}: {of_phase} of {items}, {} in all", self.phase, self.recorded.len());
    }

    /// The journal has no lease of it afterwards.
    fn check_leases(&self, facts: &[Fact]) {
        let after = journal::leases(facts).into_iter().filter(|lease| lease.token > self.seq);
        for lease in after {
            let mut items = lease.items.clone().map(|item| (lease.task, item));
            let again = items.find(|item| self.recorded.contains(item));
            assert_eq!(again, None, "{} was killed, then {lease:?}", self.phase);
        }
    }

    /// No step was seen at it afterwards, and whoever was seen had begun afterwards, too.
    fn check_seen(&self, seen: &[Seen]) {
        for it in seen {
            assert!(it.token > self.seq, "{} was killed, and goes on: {it:?}", self.phase);
            let is_done = it.task != "embed" && self.recorded.contains(&(number(&it.task), 0));
            assert!(!is_done, "{} was killed, and it is done again: {it:?}", self.phase);
        }
    }

    /// No group was asked for again that had a name.
    fn check_asked(&self, groups: &[u64]) {
        for group in groups {
            let is_known = self.recorded.contains(&(number("name"), *group));
            assert!(!is_known, "{} was killed, and {group} is asked for again", self.phase);
        }
        let left = groups.iter().collect::<HashSet<_>>().len();
        assert_eq!(left, GROUPS - self.count("name"), "each that had none");
    }

    /// As many documents were embedded afterwards as had no vector; and those once more that were
    /// under way when it was killed again.
    fn check_embedded(&self, embedded: usize, kills_later: usize) {
        let left = DOCUMENTS - self.count("embed");
        let most = left + kills_later * CALLS * BATCH_MAX;
        let told = format!("{} was killed, {left} were left, {embedded} embedded", self.phase);
        assert!((left..=most).contains(&embedded), "{told}");
    }
}

/// Nothing was tried twice.
fn check_attempts_without_kills(facts: &[Fact]) {
    assert_eq!(journal::ends(facts).len(), ITEMS, "an attempt for each item");
}

fn number(task: &str) -> u64 {
    TASKS.iter().position(|name| *name == task).expect("a task") as u64
}
