//! `retry`: when an attempt that failed is followed by another, and what that one asks for.

use model::Span;
use model::policy::{RetryPolicy, Rule};

use super::resources;
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::{Duration, OneOrMany, Retry, RetryFile, RetryRule, TaskFile, Whole};
use crate::limits::RETRIES_MAX;
use crate::read::Placed;

/// What follows a bad end of an attempt of a task.
pub(super) fn policy(task: &TaskFile, faults: &mut Faults) -> RetryPolicy {
    let default = RetryPolicy::default();
    let rules = match &task.retry {
        None => return default,
        Some(Retry::Limit(limit)) => return RetryPolicy { limit: count(limit), ..default },
        Some(Retry::Rules(rules)) => &**rules,
    };
    check_limit(rules, faults);
    check_memory(task, rules, faults);
    let (backoff, backoff_max) = waits(rules, faults);
    RetryPolicy {
        limit: rules.limit.as_ref().map_or(0, count),
        loss_limit: rules.loss_limit.as_ref().map_or(default.loss_limit, count),
        backoff,
        backoff_max,
        only_exit_codes: rules.exit_codes.as_ref().map(codes).unwrap_or_default(),
        never_exit_codes: rules.not_exit_codes.as_ref().map(codes).unwrap_or_default(),
        on: rules.on.as_ref().map(|on| kinds(&on.value)).unwrap_or_default(),
        never: rules.never.as_ref().map(|never| kinds(&never.value)).unwrap_or_default(),
        memory: rules.memory.as_ref().map(|growth| growth.value.0),
    }
}

/// Rules for retries that there are none of are a mistake.
fn check_limit(rules: &RetryFile, faults: &mut Faults) {
    if rules.limit.is_some() || rules.loss_limit.is_some() {
        return;
    }
    let waits = [&rules.backoff, &rules.backoff_max].into_iter().flatten().map(|it| it.extent);
    let kinds = [&rules.on, &rules.never].into_iter().flatten().map(|it| it.extent);
    let memory = rules.memory.as_ref().map(|it| it.extent);
    if let Some(given) = waits.chain(kinds).chain(memory).next() {
        let message = "`retry` has no `limit`, so that nothing is tried again";
        let fault = Fault::new(code::MISSING_KEY, given, message);
        faults.push(fault.hint("add how many attempts may follow the first: `limit: 3`"));
    }
}

/// Only what asks for memory can ask for more.
fn check_memory(task: &TaskFile, rules: &RetryFile, faults: &mut Faults) {
    let Some(growth) = &rules.memory else { return };
    let asked = resources::request(task.resources.as_deref()).memory_bytes;
    let message = match asked {
        0 => "the task asks for no memory, so that it cannot ask for more",
        asked if asked > growth.value.0.max_bytes => "the task asks for more than `max` already",
        _ => return,
    };
    let fault = Fault::new(code::CONFLICT, growth.extent, message);
    faults.push(fault.hint("say what it asks for at first: `resources: {memory: 1Gi}`"));
}

/// The first wait, and the longest.
fn waits(rules: &RetryFile, faults: &mut Faults) -> (Span, Span) {
    let default = RetryPolicy::default();
    let span = |span: &Option<Placed<Duration>>| span.as_ref().map(|span| span.value.0);
    let (first, longest) = (span(&rules.backoff), span(&rules.backoff_max));
    if let (Some(backoff), Some(longest)) = (&rules.backoff, longest)
        && backoff.value.0 > longest
    {
        let message = "`backoff` is longer than `backoff_max`";
        faults.push(Fault::new(code::BAD_VALUE, backoff.extent, message));
    }
    let first = first.unwrap_or(default.backoff);
    let longest_or = longest.unwrap_or(default.backoff_max).max(first);
    (longest.map_or(first, |longest| first.min(longest)), longest_or)
}

fn kinds(rules: &OneOrMany<RetryRule>) -> Box<[Rule]> {
    let mut kinds: Vec<Rule> = rules.0.iter().map(|rule| rule.0).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.into()
}

fn count(limit: &Whole<0, { RETRIES_MAX as u64 }>) -> u8 {
    u8::try_from(limit.0).unwrap_or(RETRIES_MAX)
}

fn codes(codes: &OneOrMany<Whole<0, 255>>) -> Box<[i32]> {
    let numbers = codes.0.iter().filter_map(|code| i32::try_from(code.0).ok());
    let mut numbers: Vec<i32> = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.into()
}
