//! `cargo xtask ci`: what a change must pass, in the order in which it is cheapest to fail.
//!
//! The table of the steps is `steps.rs`; this file walks it, stops at the first step that fails
//! and says how to run that step alone. It knows nothing about what a step does.

mod runner;
mod setup;
mod steps;
mod summary;

use std::path::Path;
use std::time::{Duration, Instant};

use steps::{STEPS, Skip, Step};

/// The whole run, from a warm target folder on two cores.
const MINUTES_MAX: u64 = 60;

/// How one step went.
struct Outcome {
    step: &'static Step,
    took: Duration,
    /// The summaries that its own runners printed.
    summaries: Vec<String>,
    /// Why it failed, if it did.
    failure: Option<String>,
}

/// Runs every step, or the one that `--only` names.
///
/// # Errors
/// When a step fails, or when all of them together took too long.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), String> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let chosen: Vec<&'static Step> = match arguments.as_slice() {
        [] => STEPS.iter().collect(),
        ["--list"] => {
            print!("{}", list());
            return Ok(());
        }
        ["--only", name] => {
            let step = STEPS.iter().find(|step| step.name == *name);
            vec![step.ok_or_else(|| format!("there is no step `{name}`; --list shows all"))?]
        }
        _ => return Err("usage: cargo xtask ci [--list | --only STEP]".to_owned()),
    };

    let started = Instant::now();
    setup::prepare(root, &chosen)?;
    let mut outcomes = Vec::new();
    for step in chosen {
        let outcome = walk(root, step);
        let failed = outcome.failure.is_some();
        outcomes.push(outcome);
        if failed {
            break;
        }
    }
    print!("{}", table(&outcomes, started.elapsed()));
    verdict(&outcomes, started.elapsed())
}

fn walk(root: &Path, step: &'static Step) -> Outcome {
    println!("\n=== {}: {} (at most {} min)", step.name, step.proves, step.minutes);
    let started = Instant::now();
    let mut summaries = Vec::new();
    let mut failure = None;
    for line in step.lines {
        match runner::run(root, line) {
            Ok(output) => summaries.extend(output),
            Err(reason) => {
                failure = Some(reason);
                break;
            }
        }
    }
    let skipped = summary::skipped(&summaries);
    if failure.is_none() && skipped > step.skips.len() {
        let expected = step.skips.len();
        failure =
            Some(format!("{skipped} tests were skipped, the step's table expects {expected}"));
    }
    let outcome = Outcome { step, took: started.elapsed(), summaries, failure };
    println!("--- {}: {} of {} min", step.name, minutes(outcome.took), step.minutes);
    outcome
}

fn list() -> String {
    let mut text = String::new();
    for step in STEPS {
        text.push_str(&format!("{:10} {:3} min  {}\n", step.name, step.minutes, step.proves));
        for line in step.lines {
            text.push_str(&format!("{:20}$ {line}\n", ""));
        }
        for Skip { test, reason } in step.skips {
            text.push_str(&format!("{:20}may skip {test}: {reason}\n", ""));
        }
    }
    text
}

fn table(outcomes: &[Outcome], took: Duration) -> String {
    let mut text = format!("\n{:10} {:>8} {:>8}  result\n", "step", "minutes", "budget");
    for Outcome { step, took, summaries, failure } in outcomes {
        let over = took.as_secs() > step.minutes * 60;
        let result = match failure {
            Some(_) => "FAILED",
            None if over => "passed, over its budget",
            None => "passed",
        };
        let (name, budget) = (step.name, step.minutes);
        text.push_str(&format!("{name:10} {:>8} {budget:>8}  {result}\n", minutes(*took)));
        for summary in summaries {
            text.push_str(&format!("{:30}{summary}\n", ""));
        }
    }
    text.push_str(&format!("{:10} {:>8} {MINUTES_MAX:>8}\n", "all", minutes(took)));
    text
}

fn verdict(outcomes: &[Outcome], took: Duration) -> Result<(), String> {
    let failed =
        outcomes.iter().find_map(|outcome| Some((outcome.step, outcome.failure.as_ref()?)));
    if let Some((Step { name, .. }, reason)) = failed {
        return Err(format!("{name}: {reason}; run it alone: cargo xtask ci --only {name}"));
    }
    if took.as_secs() > MINUTES_MAX * 60 {
        return Err(format!("the whole took more than {MINUTES_MAX} minutes"));
    }
    Ok(())
}

fn minutes(took: Duration) -> String {
    format!("{}:{:02}", took.as_secs() / 60, took.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(failure: Option<&str>) -> Outcome {
        let took = Duration::from_secs(STEPS[0].minutes * 60 + 1);
        let summaries = vec!["3 passed".to_owned()];
        Outcome { step: &STEPS[0], took, summaries, failure: failure.map(str::to_owned) }
    }

    #[test]
    fn a_failure_says_how_to_run_its_step_alone() {
        let reason = verdict(&[outcome(Some("exit code 1"))], Duration::ZERO);
        let expected = format!("cargo xtask ci --only {}", STEPS[0].name);
        assert!(reason.expect_err("it failed").ends_with(&expected));
        assert!(verdict(&[outcome(None)], Duration::ZERO).is_ok());
    }

    #[test]
    fn too_slow_as_a_whole_is_a_failure_and_too_slow_as_a_step_is_seen() {
        assert!(verdict(&[outcome(None)], Duration::from_secs(3601)).is_err());
        assert!(table(&[outcome(None)], Duration::ZERO).contains("over its budget"));
    }

    #[test]
    fn the_budgets_fit_into_the_hour_and_the_names_are_unique() {
        assert!(STEPS.iter().map(|step| step.minutes).sum::<u64>() < MINUTES_MAX);
        let named = |name| STEPS.iter().filter(|step| step.name == name).count();
        assert!(STEPS.iter().all(|step| named(step.name) == 1));
    }
}
