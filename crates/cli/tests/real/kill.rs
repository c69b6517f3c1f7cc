//! A run of 2,000 items is killed with -9 at random moments, a hundred times and more, and goes on
//! each time: nothing is lost, nothing is recorded twice, nothing starts too early, nothing is left
//! behind.

mod evidence;
mod reader;
mod shape;

use std::collections::HashMap;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::binary::{Home, Running};
use crate::support::journal::{self, Fact};
use crate::support::processes::{self, Process};
use crate::support::random::Random;
use crate::support::wait;
use evidence::Evidence;
use reader::Reader;
use shape::Task;

/// How often the run is killed at least.
const KILLS: u32 = 100;
/// The journal is verified after every so many.
const VERIFY_EVERY: u32 = 5;
/// How soon nothing may be left of what a killed holder had started.
const CLEAN_WITHIN: Duration = Duration::from_secs(5);
/// How soon a run that was resumed goes on.
const ON_WITHIN: Duration = Duration::from_secs(30);
/// How long the last part may take.
const END_WITHIN: Duration = Duration::from_secs(180);

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Victim {
    Holder,
    Supervisor,
    /// Nobody is left to clean up but the next one.
    Both,
}

/// The test under way.
struct Ordeal {
    home: Home,
    flow: String,
    random: Random,
    evidence: Evidence,
    kills: HashMap<Victim, u32>,
    /// Whether somebody was told that the run begins: from then on it can only be resumed.
    is_begun: bool,
    /// What outlived a supervisor that was killed, and the newest token at that time.
    leftovers: Option<(Vec<Process>, u64)>,
    slowest_cleaning: Duration,
}

#[test]
#[ignore = "takes minutes: a CI step of its own"]
fn a_run_that_is_killed_a_hundred_times_ends_as_if_it_never_was() {
    let tasks = shape::tasks();
    let items: u64 = tasks.iter().map(|task| task.items).sum();
    assert_eq!(items, 2_000);
    let home = Home::new();
    home.write("step.sh", shape::STEP);
    let flow = home.write("kill.yaml", &shape::workflow(&tasks));
    let reader = Reader::start(home.state().to_owned());
    let evidence = Evidence::new(home.folder());
    let mut ordeal = Ordeal {
        home,
        flow,
        random: Random::seeded(),
        evidence,
        kills: HashMap::new(),
        is_begun: false,
        leftovers: None,
        slowest_cleaning: Duration::ZERO,
    };
    while ordeal.kills.values().sum::<u32>() < KILLS {
        ordeal.round();
    }
    ordeal.evidence.refresh();
    let ended_before = ordeal.evidence.count_ended();
    let finished = ordeal.start().finish_within(END_WITHIN);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    ordeal.home.wait_until_quiet();
    let report = reader.finish();
    ordeal.evidence.refresh();
    ordeal.evidence.check(&tasks);
    journal::verify(&ordeal.home);
    let facts = journal::facts(&ordeal.home);
    check_journal(&facts, &tasks);
    check_tokens(&facts, &tasks, &ordeal.evidence);
    let begun = ordeal.evidence.lines.iter().filter(|line| line.is_start).count() as u64;
    println!(
        "kills: {:?}, the last after {ended_before} items; attempts begun: {begun}, of which {} \
         were lost; all gone within {:?} of a kill; reader: {} answers, {} silences, {} outcomes",
        ordeal.kills,
        begun - items,
        ordeal.slowest_cleaning,
        report.answers,
        report.silences,
        report.succeeded,
    );
    assert!(report.answers > 100, "the reader got too few answers: {report:?}");
}

impl Ordeal {
    fn start(&self) -> Running {
        self.home.start(&["run", &self.flow])
    }

    /// Starts or resumes the run, and kills it at a random moment.
    fn round(&mut self) {
        let mut running = self.start();
        self.wait_for_a_moment(&mut running);
        let victim = match self.random.below(10) {
            0..6 => Victim::Holder,
            6..8 => Victim::Supervisor,
            _ => Victim::Both,
        };
        let supervisor = processes::supervisors(self.home.state()).pop();
        match (victim, supervisor) {
            (Victim::Supervisor, Some(supervisor)) => {
                self.kill_supervisor(&supervisor);
                *self.kills.entry(Victim::Supervisor).or_default() += 1;
                // The holder starts another one and goes on; and then it is its turn.
                self.wait_for_progress(&mut running);
                self.kill_holder(running);
            }
            (Victim::Both, Some(supervisor)) => {
                if self.random.happens(50) {
                    running.signal(Signal::KILL);
                }
                self.kill_supervisor(&supervisor);
                running.signal(Signal::KILL);
                running.finish();
                *self.kills.entry(Victim::Both).or_default() += 1;
            }
            _ => self.kill_holder(running),
        }
        let kills = self.kills.values().sum::<u32>();
        if kills.is_multiple_of(VERIFY_EVERY) {
            journal::verify(&self.home);
        }
    }

    fn kill_holder(&mut self, running: Running) {
        running.signal(Signal::KILL);
        let said = running.finish().stderr;
        let resumed = said.contains("it goes on where it stopped");
        let is_fine = resumed || said.is_empty() || !self.is_begun;
        assert!(is_fine, "it does not say that it resumes: {said}");
        self.is_begun |= !said.is_empty();
        *self.kills.entry(Victim::Holder).or_default() += 1;
        let state = self.home.state().to_owned();
        // If it was killed before it had a supervisor, it has not cleaned up after the one before.
        let excused = self.leftovers.as_ref().map(|(_, newest)| *newest);
        let left = || {
            let all = [processes::supervisors(&state), processes::of_tasks(&state)].concat();
            all.into_iter().filter(|left| left.token.is_none() || left.token > excused).collect()
        };
        let took = wait::until_gone("processes of a killed holder", CLEAN_WITHIN, left);
        self.slowest_cleaning = self.slowest_cleaning.max(took);
    }

    /// Nobody is there to clean up: what is left must be gone before anything new starts.
    fn kill_supervisor(&mut self, supervisor: &Process) {
        processes::signal(supervisor.pid, Signal::KILL);
        wait::until("the supervisor is gone", CLEAN_WITHIN, || (!supervisor.runs()).then_some(()));
        let left = processes::of_tasks(self.home.state());
        self.evidence.refresh();
        let tokens = left.iter().filter_map(|process| process.token);
        let newest = tokens.max().unwrap_or(0).max(self.evidence.newest());
        self.leftovers = Some((left, newest));
    }

    /// A random moment: while it starts, or after some more work has been done.
    fn wait_for_a_moment(&mut self, running: &mut Running) {
        if self.random.happens(25) {
            let pause = Duration::from_millis(self.random.below(150));
            std::thread::sleep(pause);
            return;
        }
        self.wait_for_progress(running);
        let wanted = self.evidence.count_ended() + self.random.below(40) as usize;
        wait::until("the run goes on", ON_WITHIN, || {
            self.look(running);
            (self.evidence.count_ended() >= wanted).then_some(())
        });
        std::thread::sleep(Duration::from_micros(self.random.below(10_000)));
    }

    /// Waits until something has begun since the last kill.
    fn wait_for_progress(&mut self, running: &mut Running) {
        self.evidence.refresh();
        let before = self.leftovers.as_ref().map_or(0, |(_, newest)| *newest);
        let newest = before.max(self.evidence.newest());
        wait::until("the run goes on", ON_WITHIN, || {
            self.look(running);
            (self.evidence.newest() > newest).then_some(())
        });
    }

    /// Reads what is new. As soon as something new has begun, nothing old may be left.
    fn look(&mut self, running: &mut Running) {
        self.evidence.refresh();
        if let Some((left, newest)) = &self.leftovers
            && self.evidence.newest() > *newest
        {
            let left: Vec<_> = left.iter().filter(|process| process.runs()).collect();
            assert!(left.is_empty(), "work began beside what a dead supervisor left: {left:#?}");
            self.leftovers = None;
        }
        if let Some(status) = running.ended() {
            panic!("the run ended with {status} after {:?} kills: {}", self.kills, running.said());
        }
    }
}

/// Each item has succeeded once, and nothing was leased before what it depends on had.
fn check_journal(facts: &[Fact], tasks: &[Task]) {
    let mut succeeded: HashMap<(u64, u64), u64> = HashMap::new();
    let mut is_over: HashMap<(u64, u64), u64> = HashMap::new();
    for end in journal::ends(facts) {
        let key = (end.task, end.item);
        let over = is_over.get(&key);
        assert!(over.is_none(), "{end:?}, which had ended for good in {over:?}");
        if end.is_final {
            assert_eq!(end.outcome, "succeeded", "{end:?}");
            is_over.insert(key, end.seq);
            succeeded.insert(key, end.seq);
        }
    }
    let items = tasks.iter().map(|task| task.items).sum::<u64>();
    assert_eq!(succeeded.len() as u64, items, "items with an outcome");
    for lease in journal::leases(facts) {
        let task = &tasks[lease.task as usize];
        for &dependency in &task.depends_on {
            for item in 0..tasks[dependency].items {
                let done = succeeded[&(dependency as u64, item)];
                assert!(done < lease.token, "{lease:?} before {}", tasks[dependency].name);
            }
        }
    }
    let ended = facts.iter().filter(|fact| fact.kind == "run_ended").count();
    assert_eq!(ended, 1, "the run has ended once");
}

/// What a task was told to be is what the journal has of it.
fn check_tokens(facts: &[Fact], tasks: &[Task], evidence: &Evidence) {
    let numbers: HashMap<_, _> =
        tasks.iter().enumerate().map(|(at, task)| (task.name.as_str(), at as u64)).collect();
    let leases: HashMap<u64, journal::Lease> =
        journal::leases(facts).into_iter().map(|lease| (lease.token, lease)).collect();
    for line in &evidence.lines {
        let Some(lease) = leases.get(&line.token) else { panic!("no lease for {line:?}") };
        let fits = lease.task == numbers[line.task.as_str()] && lease.items.contains(&line.item);
        assert!(fits, "{line:?} is not {lease:?}");
    }
}
