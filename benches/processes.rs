//! Real processes, on the real binary: against `xargs`, and against what a hop must cost.
//!
//! Compares, in turn within one run:
//! - 2,000 × `/bin/true` on 2 slots with `xargs -P2 -I{} /bin/true`. Chases 0.85 of its rate, and
//!   0.8 with 5 ms added to every sync.
//! - a chain of 1,000 `/bin/true` with one spawn and one journal commit, both measured here and in
//!   turn, as a chain does them. Chases their sum and 0.5 ms.
//! - the start of `run` to the end of the first task. Chases 30 ms.
//! - the resident memory of a holder that has nothing to do. Chases 25 MiB.
//!
//! The binary is the release build: `cargo build --release` first.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use benches::median;

const ROUNDS: usize = 5;
const TASKS: usize = 2_000;
const HOPS: usize = 1_000;

/// Measures one thing with the binary, in a folder of its own.
type Section = fn(&Path, &Path);

fn main() {
    let binary = binary();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sections: [(&str, Section); 4] =
        [("xargs", against_xargs), ("chain", chain), ("start", cold_start), ("rest", at_rest)];
    // Names of sections choose; all run when none is named.
    let named: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for (name, section) in sections {
        if named.is_empty() || named.iter().any(|word| word == name) {
            section(&binary, folder.path());
        }
    }
}

fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("this program");
    let found = own.ancestors().map(|folder| folder.join("autoglm")).find(|path| path.is_file());
    found.expect("the release binary: cargo build --release")
}

/// Runs a workflow in a fresh state folder; seconds from start to end.
fn run(binary: &Path, file: &Path, delay_ms: Option<u32>) -> f64 {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(binary);
    command.args(["run", "--cpu", "2"]).arg(file).env("AUTOGLM_HOME", home.path());
    if let Some(delay) = delay_ms {
        command.env("AUTOGLM_TEST_SYNC_DELAY_MS", delay.to_string());
    }
    let begun = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it runs");
    let seconds = begun.elapsed().as_secs_f64();
    assert!(status.success(), "the run ended with {status}");
    seconds
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path
}

fn against_xargs(binary: &Path, folder: &Path) {
    let text = format!(
        "tasks:\n  - name: all\n    command: [/bin/true]\n    foreach: {{range: {TASKS}}}\n"
    );
    let file = write(folder, "true.yaml", &text);
    for (delay, goal) in [(None, 0.85), (Some(5), 0.8)] {
        let mut ratios = Vec::new();
        let mut rates = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let theirs = xargs();
            let ours = run(binary, &file, delay);
            ratios.push(theirs / ours);
            rates.0.push(TASKS as f64 / theirs);
            rates.1.push(TASKS as f64 / ours);
        }
        println!(
            "2,000 x /bin/true on 2 slots, {}: xargs {:.0}/s, autoglm {:.0}/s, \
             ratio {:.2} (goal {goal})",
            delay.map_or("this disk".to_owned(), |ms| format!("{ms} ms a sync")),
            median(rates.0),
            median(rates.1),
            median(ratios),
        );
    }
}

fn xargs() -> f64 {
    let script = format!("seq {TASKS} | xargs -P2 -I{{}} /bin/true");
    let begun = Instant::now();
    let status = Command::new("sh").args(["-c", &script]).status().expect("it runs");
    assert!(status.success());
    begun.elapsed().as_secs_f64()
}

fn chain(binary: &Path, folder: &Path) {
    let mut text = String::from("tasks:\n");
    for hop in 0..HOPS {
        let _ = writeln!(text, "  - name: t{hop}\n    command: [/bin/true]");
        if hop > 0 {
            let _ = writeln!(text, "    depends_on: t{}", hop - 1);
        }
    }
    let file = write(folder, "chain.yaml", &text);
    for delay in [None, Some(5)] {
        // In turn, so that a busier minute of the machine counts for both.
        let (mut hops, mut spawns, mut commits) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            hops.push(run(binary, &file, delay) / HOPS as f64 * 1_000.0);
            let (spawn, commit) = floor_ms(delay);
            spawns.push(spawn);
            commits.push(commit);
        }
        let (hop, spawn, commit) = (median(hops), median(spawns), median(commits));
        println!(
            "a hop, {}: {hop:.2} ms; spawn {spawn:.2} + commit {commit:.2} + 0.5 = {:.2} ms",
            delay.map_or("this disk".to_owned(), |ms| format!("{ms} ms a sync")),
            spawn + commit + 0.5,
        );
    }
}

/// What a hop cannot do without: a process that is started and waited for, then a commit of one
/// fact. They are done in turn, as a chain does them, because either is slower after the other than
/// after itself: the processor has slept, and its caches hold something else. Milliseconds of each.
fn floor_ms(delay: Option<u32>) -> (f64, f64) {
    use journal::Journal;
    use model::{Epoch, Fact, Seq, Timestamp};
    const TURNS: u64 = 300;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = stores::sqlite::Options {
        sync_delay: Duration::from_millis(delay.unwrap_or(0).into()),
        ..stores::sqlite::Options::default()
    };
    let mut journal = stores::SqliteJournal::open(folder.path(), options).expect("opened");
    let epoch = journal.acquire("bench", Timestamp(1)).expect("free");
    let facts = [Fact::LeaderStarted { epoch: Epoch(1), format: 1 }];
    let (mut spawning, mut committing) = (Duration::ZERO, Duration::ZERO);
    for after in 0..TURNS {
        let begun = Instant::now();
        assert!(Command::new("/bin/true").status().expect("it runs").success());
        spawning += begun.elapsed();
        let begun = Instant::now();
        let batch = journal::Batch {
            epoch,
            after: Seq(after),
            at: Timestamp(1),
            facts: &facts,
            outputs: &[],
            objects: &[],
        };
        journal.append(&batch).expect("written");
        committing += begun.elapsed();
    }
    let of_one = |total: Duration| total.as_secs_f64() * 1_000.0 / TURNS as f64;
    (of_one(spawning), of_one(committing))
}

fn cold_start(binary: &Path, folder: &Path) {
    let file = write(folder, "one.yaml", "tasks:\n  - name: one\n    command: [/bin/true]\n");
    let times = (0..20).map(|_| run(binary, &file, None) * 1_000.0);
    println!("cold start of `run` to its end: {:.1} ms (goal 30)", median(times.collect()));
}

fn at_rest(binary: &Path, folder: &Path) {
    let file = write(folder, "wait.yaml", "tasks:\n  - name: one\n    command: [sleep, '3']\n");
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut child = Command::new(binary)
        .args(["run"])
        .arg(&file)
        .env("AUTOGLM_HOME", home.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    std::thread::sleep(Duration::from_secs(1));
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("resident memory");
    println!("resident memory of a holder at rest: {} (goal 25 MiB)", line[6..].trim());
    let _ = child.wait();
}
