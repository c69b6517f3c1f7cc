//! The binary `autoglm`: a supervisor when it is started as one, the command line otherwise.
//!
//! The supervisor comes first: it must be alone in its process, before any thread exists.

mod app;
mod args;
mod cluster;
mod commands;
mod display;
mod error;
mod exit;
mod home;
mod inputs;
mod interrupt;
mod moment;
mod outline;
mod output;
mod quantity;
mod queues;
mod recorded;
#[cfg(test)]
mod reference;
mod render;
mod settings;
mod style;
mod table;
mod watch;
mod workflow;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(first) if first == worker::supervisor::HIDDEN_ARGUMENT => {
            worker::supervisor::main(arguments)
        }
        _ => app::main(),
    }
}
