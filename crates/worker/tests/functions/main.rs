//! Functions in real Python, well-behaved and hostile.
//!
//! This binary is the tests and, with the hidden argument, the supervisor of their workers. Nothing
//! here waits for time to pass: it waits for what the worker says, and gives up after a minute.

#![expect(clippy::unwrap_used, reason = "clippy cannot tell tests that bring their own harness")]

use std::env;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use worker::supervisor::{self, HIDDEN_ARGUMENT};

mod batches;
mod calls;
mod devices;
mod hostile;
mod house;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    match arguments.next() {
        Some(first) if first == HIDDEN_ARGUMENT => supervisor::main(arguments),
        _ => libtest_mimic::run(&Arguments::from_args(), trials()).exit_code(),
    }
}

fn trials() -> Vec<Trial> {
    let all = [calls::ALL, hostile::ALL, batches::ALL, devices::ALL].concat();
    let trial = |(name, test): (&str, fn())| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    all.into_iter().map(trial).collect()
}
