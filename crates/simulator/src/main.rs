//! The simulator on the command line: `cargo xtask sim`.
//!
//! Runs seeds, prints what they came to, and for a failing one the command that replays it. Files
//! and the clock are known here alone.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use model::Span;
use simulator::batch::{self, Summary};
use simulator::draw::draw;
use simulator::invariants::Violation;
use simulator::mark::Mark;
use simulator::mutant::Mutant;
use simulator::plan::{Plan, text};
use simulator::shrink::shrink;
use simulator::world;

const USAGE: &str = "usage: cargo xtask sim [--seeds N] [--hours H] [--seed FIRST] [--trace]
                       [--mutant NAME] [--plan FILE] [--shrink] [--all-marks] [--jobs N]

  --seeds N      how many seeds (100)
  --hours H      hours of work for each (1)
  --seed FIRST   the first of them (1)
  --trace        print everything that happens
  --mutant NAME  plant this fault, which must then be found
  --plan FILE    run the plan in a file instead of seeds
  --shrink       make a failing plan smaller, and print it
  --all-marks    fail if a mark was not hit
  --jobs N       how many seeds run side by side (1)
";

struct Options {
    seeds: u64,
    hours: u64,
    first: u64,
    trace: bool,
    mutant: Option<Mutant>,
    plan: Option<String>,
    shrink: bool,
    all_marks: bool,
    jobs: u64,
}

fn main() -> ExitCode {
    match read(std::env::args().skip(1)).and_then(|options| simulate(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprint!("sim: {reason}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        seeds: 100,
        hours: 1,
        first: 1,
        trace: false,
        mutant: None,
        plan: None,
        shrink: false,
        all_marks: false,
        jobs: 1,
    };
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("`{flag}` needs a value"));
        match flag.as_str() {
            "--seeds" => options.seeds = number(&value()?)?,
            "--hours" => options.hours = number(&value()?)?,
            "--seed" => options.first = number(&value()?)?,
            "--jobs" => options.jobs = number(&value()?)?.clamp(1, 64),
            "--trace" => options.trace = true,
            "--shrink" => options.shrink = true,
            "--all-marks" => options.all_marks = true,
            "--plan" => options.plan = Some(value()?),
            "--mutant" => {
                let name = value()?;
                let found = Mutant::ALL.iter().find(|mutant| mutant.as_str() == name);
                options.mutant = Some(*found.ok_or(format!("there is no mutant `{name}`"))?);
            }
            _ => return Err(format!("`{flag}` is not known")),
        }
    }
    Ok(options)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}

/// Returns whether all went well.
fn simulate(options: &Options) -> Result<bool, String> {
    let length = Span::secs(options.hours.max(1) * 3_600);
    if let Some(path) = &options.plan {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let plan = text::read(&text).map_err(|reason| format!("{path}: {reason}"))?;
        return Ok(one(&plan, options));
    }
    if options.seeds == 1 {
        return Ok(one(&draw(options.first, length), options));
    }
    let begun = Instant::now();
    let summary = side_by_side(options, length);
    print!("{}", render(&summary, options.first, begun.elapsed()));
    if let Some((seed, violation)) = &summary.failure {
        report(&draw(*seed, length), violation, options);
    }
    let complete = !options.all_marks || summary.marks.missing().next().is_none();
    Ok(summary.failure.is_none() && complete)
}

/// Cuts the seeds into as many batches as there are jobs. Each seed still has a thread of its own.
fn side_by_side(options: &Options, length: Span) -> Summary {
    let each = options.seeds.div_ceil(options.jobs);
    let mut summary = Summary::default();
    std::thread::scope(|scope| {
        let batches: Vec<_> = (0..options.jobs)
            .map(|job| {
                let from = job * each;
                let count = each.min(options.seeds.saturating_sub(from));
                let first = options.first + from;
                scope.spawn(move || batch::run(first, count, length, options.mutant))
            })
            .collect();
        for batch in batches {
            summary.add(batch.join().expect("a simulation that panics is a defect of its own"));
        }
    });
    summary
}

fn one(plan: &Plan, options: &Options) -> bool {
    let begun = Instant::now();
    let outcome = world::run(plan, options.mutant, options.trace);
    let summary = Summary {
        seeds: 1,
        length: outcome.length,
        inputs: outcome.inputs,
        items: outcome.items,
        faults: outcome.faults,
        marks: outcome.marks,
        failure: None,
    };
    print!("{}", render(&summary, plan.seed, begun.elapsed()));
    println!("hash      {:016x}", outcome.hash);
    if let Some(violation) = &outcome.violation {
        report(plan, violation, options);
    }
    outcome.violation.is_none()
}

fn render(summary: &Summary, first: u64, took: Duration) -> String {
    let mut text = String::new();
    let hours = summary.length.0 / 3_600_000_000;
    let seconds = took.as_secs_f64().max(0.001);
    let rate = summary.inputs as f64 / seconds;
    let per_item = summary.faults as f64 / summary.items.max(1) as f64;
    let lines = [
        format!("seeds     {} (from {first}) in {seconds:.1} s", summary.seeds),
        format!("simulated {hours} h, {:.0} h a second", hours as f64 / seconds),
        format!("inputs    {} ({rate:.0} a second)", summary.inputs),
        format!(
            "items     {} ended, {} faults, {per_item:.4} a finished item",
            summary.items, summary.faults
        ),
    ];
    lines.iter().for_each(|line| writeln!(text, "{line}").expect("a string takes every line"));
    for &mark in Mark::ALL {
        let count = summary.marks.count(mark);
        let shown = if count == 0 { "MISSING".to_owned() } else { count.to_string() };
        writeln!(text, "mark      {shown:>9}  {}", mark.as_str())
            .expect("a string takes every line");
    }
    text
}

fn report(plan: &Plan, violation: &Violation, options: &Options) {
    println!("\nFAILED    seed {}: {violation}", plan.seed);
    let mutant = options.mutant.map(|mutant| format!(" --mutant {}", mutant.as_str()));
    let mutant = mutant.unwrap_or_default();
    println!(
        "replay    cargo xtask sim --seed {} --seeds 1 --hours {}{mutant} --trace",
        plan.seed, options.hours
    );
    if options.shrink {
        println!("\n# {violation}\n{}", text::write(&shrink(plan, violation.id, options.mutant)));
    }
}
