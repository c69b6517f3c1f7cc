//! How fast functions are called that stay warm: one after the other, as they are sent ahead, and
//! many items in one call. A whole worker, with a stand-in for the coordinator in the same process.

use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use model::Span;
use model::work::{Batch, Call};
use worker::supervisor::{self, HIDDEN_ARGUMENT};

#[path = "../tests/functions/house.rs"]
#[expect(dead_code, reason = "the tests look at more")]
mod house;

use house::{House, call};

const FUNCTIONS: &str = "def same(x): return x\ndef all(xs): return xs\n";
const LONE: usize = 5_000;
const MANY: usize = 50_000;
/// How many are granted at a time; twice as many are with the worker.
const GRANTED: usize = 128;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == HIDDEN_ARGUMENT) {
        return supervisor::main(arguments);
    }
    lone();
    many("one at a time in a process", 1_000, &call("same", "[1]"));
    many("15 sent ahead", 60, &Call { prefetch: 15, ..call("same", "[1]") });
    let batch = Some(Batch { items_max: 32, window: Span::millis(10) });
    many("32 items a call", 31, &Call { batch, ..call("all", "[1]") });
    ExitCode::SUCCESS
}

/// Each call begins when the one before has been told.
fn lone() {
    let mut house = House::new(1, FUNCTIONS);
    house.one(call("same", "[1]"));
    let mut took: Vec<Duration> = (0..LONE)
        .map(|_| {
            let since = Instant::now();
            house.one(call("same", "[1]"));
            since.elapsed()
        })
        .collect();
    took.sort_unstable();
    let at = |part: usize| took[LONE * part / 100].as_micros();
    println!("alone: p50 {} us, p90 {} us, p99 {} us", at(50), at(90), at(99));
}

/// Calls are granted ahead of room, as the coordinator does; one process serves them.
fn many(what: &str, cpu_milli: u64, call: &Call) {
    let mut house = House::new(1, FUNCTIONS);
    house.one(call.clone());
    let since = Instant::now();
    let mut granted = 1;
    while granted <= MANY {
        house.call_in(1, cpu_milli, vec![call.clone(); GRANTED]);
        granted += GRANTED;
        house.wait(|house| house.ended.len() + GRANTED >= granted);
    }
    house.wait(|house| house.ended.len() >= granted);
    let seconds = since.elapsed().as_secs_f64();
    println!("{what}: {:.0} calls a second", granted as f64 / seconds);
}
