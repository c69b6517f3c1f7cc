//! Size: what a million items, and apart from that a million distinct tasks with three million
//! edges, cost to submit, to hold, to store, and to replay.
//!
//! Chases: submit within 2 s and 5 s; resident memory after a restart by replay at most 16 bytes an
//! item and 300 bytes a distinct task; journal at most 48 bytes an item for its whole life; replay
//! of a million facts within 1 s. Memory is what a fresh process that only replays holds more than
//! one that replays nothing.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use benches::{House, fan_out, hold, layers};
use model::graph::GraphParts;
use server::Mode;

const MILLION: u32 = 1_000_000;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, word, folder, ..] = &arguments[..]
        && word == "replay"
    {
        return replay(Path::new(folder));
    }
    println!("state: a million items, then a million distinct tasks with 3 million edges");
    let empty = tempfile::tempdir().expect("a temporary folder");
    drop(hold(empty.path(), Mode::Lead));
    let (_, baseline) = measured_replay(empty.path());
    measure("items", &fan_out(MILLION), 2.0, 16.0, baseline);
    measure("distinct tasks", &layers(1_000, 1_000, |_| 3), 5.0, 300.0, baseline);
}

fn measure(what: &str, parts: &GraphParts, submit_goal: f64, bytes_goal: f64, baseline: u64) {
    // Pending: submitted, and no worker to run anything.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let holder = hold(folder.path(), Mode::Lead);
    let house = House { holder: Some(holder), folder };
    let submitted = submit(&house, parts);
    println!("  {what}: submit {submitted:.2} s (goal {submit_goal})");
    let House { holder, folder } = house;
    drop(holder);
    let (seconds, resident) = measured_replay(folder.path());
    let each = resident.saturating_sub(baseline) as f64 / f64::from(MILLION);
    println!("  {what}, pending: {each:.1} bytes each (goal {bytes_goal}), replay {seconds:.2} s");

    // Done: everything has run.
    let house = House::new(4_096);
    let (_, all) = house.run(parts);
    println!("  {what}, done: ran in {:.2} s", all.as_secs_f64());
    let House { holder, folder } = house;
    drop(holder);
    let stored = stored_bytes(folder.path());
    let (seconds, resident) = measured_replay(folder.path());
    let each = resident.saturating_sub(baseline) as f64 / f64::from(MILLION);
    println!("  {what}, done: {each:.1} bytes each after replay, {seconds:.2} s");
    let journal = stored as f64 / f64::from(MILLION);
    println!("  {what}, done: {journal:.1} bytes of journal each (goal for items 48)");
}

fn submit(house: &House, parts: &GraphParts) -> f64 {
    let holder = house.holder.as_ref().expect("held");
    let runtime = benches::runtime();
    let begun = Instant::now();
    let admission = benches::admission(parts);
    runtime.block_on(holder.handle().admit(admission)).expect("the driver lives");
    begun.elapsed().as_secs_f64()
}

/// Bytes of the frames in the journal.
fn stored_bytes(folder: &Path) -> u64 {
    let found = server::inspect::stat(folder).expect("the journal can be read");
    found["frames"]["bytes"].as_u64().unwrap_or_default()
}

/// Seconds and resident bytes of a process that replays a folder.
fn measured_replay(folder: &Path) -> (f64, u64) {
    let own = std::env::current_exe().expect("this program");
    let output = Command::new(own).arg("replay").arg(folder).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut words = text.split_whitespace();
    let seconds = words.next().and_then(|word| word.parse().ok());
    let resident = words.next().and_then(|word| word.parse().ok());
    match (seconds, resident) {
        (Some(seconds), Some(resident)) => (seconds, resident),
        _ => panic!("replay said: {text}{}", String::from_utf8_lossy(&output.stderr)),
    }
}

fn replay(folder: &Path) {
    let socket = folder.join("replay.sock");
    let begun = Instant::now();
    let holder = hold(folder, Mode::ReadOnly { socket });
    let seconds = begun.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    println!("{seconds} {}", kib.expect("in kB") * 1_024);
    drop(holder);
}
