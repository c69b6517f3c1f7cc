//! What came of a call, in the words of attempts.

use artifacts::logs::Stream;
use model::outcome::{ErrorName, Failure, Outcome, Usage};
use serde_json::Value;

use super::super::{Finished, Happened, Left};
use super::lane::Item;
use super::process::Sent;
use super::wire::{Answer, Done, Failed, FailedKind, ItemAnswer};
use crate::outputs;
use crate::supervisor::{Exit, Ticket};

/// What is told of the attempts of a call that has ended.
pub(super) fn told(call: Sent, done: Done, mut tell: impl FnMut(Ticket, Happened)) {
    let Done { wall_us, cpu_us, peak_rss_kib, result, .. } = done;
    if let Some(ticket) = call.ticket().filter(|_| call.dropped > 0) {
        let text = format!("autoglm: {} bytes of output were dropped\n", call.dropped);
        tell(ticket, Happened::Output(Stream::Err, text.into_bytes()));
    }
    let count = call.items.len().max(1) as u64;
    let usage = Usage { wall_us, cpu_us: cpu_us / count, peak_rss_kib };
    let mut end = |item: &Item, answer: ItemEnd<'_>| {
        let ticket = item.attempt.ticket;
        let finished = match answer {
            ItemEnd::Failed(failed) => {
                if failed.kind == FailedKind::Raised {
                    let text = failed.text.clone().into_bytes();
                    tell(ticket, Happened::Output(Stream::Err, text));
                }
                failure(failed, &item.attempt.watched)
            }
            ItemEnd::Outputs(value) => outputs(value),
            ItemEnd::Text(text) => match serde_json::from_slice(text) {
                Ok(value) => outputs(&value),
                Err(error) => unusable(&error.to_string()),
            },
        };
        let finished = Finished { usage, ..finished };
        tell(ticket, Happened::Ended(Box::new(finished)));
    };
    match &result {
        Answer::Outputs(text) => call.items.iter().for_each(|it| end(it, ItemEnd::Text(text))),
        Answer::Failed(failed) => call.items.iter().for_each(|it| end(it, ItemEnd::Failed(failed))),
        Answer::Items(answers) => {
            for (at, item) in call.items.iter().enumerate() {
                match answers.get(at) {
                    Some(ItemAnswer::Outputs(value)) => end(item, ItemEnd::Outputs(value)),
                    Some(ItemAnswer::Failed(failed)) => end(item, ItemEnd::Failed(failed)),
                    // The inner half counts them; what is missing was never worked on.
                    None => end(item, ItemEnd::Text(b"")),
                }
            }
        }
    }
}

enum ItemEnd<'a> {
    Text(&'a [u8]),
    Outputs(&'a Value),
    Failed(&'a Failed),
}

fn outputs(value: &Value) -> Finished {
    if !value.is_object() {
        return unusable("it is no JSON object");
    }
    match outputs::canonical(value) {
        Ok(bytes) => Finished { left: Left::Outputs(bytes), ..Finished::new(Outcome::Succeeded) },
        Err(error) => {
            let reason = Some(error.to_string());
            Finished { reason, ..Finished::new(Outcome::Failed(Failure::TooLarge)) }
        }
    }
}

fn unusable(why: &str) -> Finished {
    let reason = Some(format!("its result cannot be used: {why}"));
    Finished { reason, ..Finished::new(Outcome::Failed(Failure::Outputs)) }
}

/// An error goes by the first of its names that a rule watches: its own, or that of a class that it
/// derives from.
fn failure(failed: &Failed, watched: &[ErrorName]) -> Finished {
    let (failure, reason) = match failed.kind {
        FailedKind::Stopped => return Finished::stopped(),
        FailedKind::Raised => {
            // In full, as a module has it, and in short, as most rules have it.
            let short = |name: &'_ String| name.rsplit('.').next().map(str::to_owned);
            let names: Vec<String> = failed
                .names
                .iter()
                .flat_map(|name| [Some(name.clone()), short(name)])
                .flatten()
                .collect();
            let names = names.iter().map(String::as_str);
            let name = ErrorName::reported(names, watched).unwrap_or(ErrorName::of(""));
            (Failure::Raised(name), None)
        }
        FailedKind::Outputs => (Failure::Outputs, Some(failed.text.clone())),
        FailedKind::Large => (Failure::TooLarge, Some(failed.text.clone())),
    };
    Finished { reason, ..Finished::new(Outcome::Failed(failure)) }
}

/// The end of an attempt whose process ended in the middle of its call.
pub(super) fn crashed(how: &Exit, is_oom: bool, usage: Usage) -> Finished {
    let (failure, how) = match how {
        Exit::Signal { .. } if is_oom => {
            (Failure::OutOfMemory, "was killed by the kernel for want of memory".to_owned())
        }
        Exit::Signal { signal, .. } => {
            (Failure::Crashed, format!("was ended by signal {signal}{}", name_of(*signal)))
        }
        Exit::Code(code) => (Failure::Crashed, format!("ended with exit code {code}")),
        Exit::SpawnFailed { message, .. } => (Failure::Crashed, message.clone()),
    };
    let reason = Some(format!("the process of the function {how} in the middle of the call"));
    // What the process used in its whole life is not what the call used.
    let usage = Usage { peak_rss_kib: usage.peak_rss_kib, ..Usage::default() };
    Finished { reason, usage, ..Finished::new(Outcome::Failed(failure)) }
}

/// The end of an attempt for which there is no process, with the last words of the one that was to
/// be.
pub(super) fn never_ready(how: &Exit, last_words: &[u8]) -> Finished {
    let (failure, how) = match how {
        Exit::SpawnFailed { errno, message } => (Failure::Spawn(*errno), message.clone()),
        Exit::Code(code) => (Failure::Crashed, format!("it ended with exit code {code}")),
        Exit::Signal { signal, .. } => {
            (Failure::Crashed, format!("it was ended by signal {signal}{}", name_of(*signal)))
        }
    };
    let said = String::from_utf8_lossy(last_words);
    let said = said.trim();
    let said = if said.is_empty() { String::new() } else { format!("\n{said}") };
    let reason = Some(format!("no process for the function could be started: {how}{said}"));
    Finished { reason, ..Finished::new(Outcome::Failed(failure)) }
}

fn name_of(signal: i32) -> &'static str {
    match signal {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}
