//! Calls of what others offer, drawn: circuit breakers and what they stand for, budgets that
//! settle, what attempts spend, rules for retries; and attempts that need more memory than they ask
//! for.
//!
//! What is down is so for every run at the same times. It is drawn from the seed of the plan alone,
//! and ends before everything heals.

use model::hash::mix;
use model::outcome::{ErrorName, Failure, Spent, Unreached};
use model::policy::{Alternative, MemoryGrowth, Policy, Rule, Variant};
use model::shared::{Breaker, Shared, Spending, Unit};
use model::{AttemptId, DeviceRequest, Outcome, Request, Span, Timestamp};

use crate::plan::features::Feature;
use crate::plan::{Plan, RunPlan};
use crate::random::Random;

const DEPENDENCIES: [&str; 2] = ["search", "model"];
/// In each stretch of this length a dependency may be down for a while.
const STRETCH: Span = Span::secs(600);
/// No breaker is open for longer than this at a time.
pub const OPEN_MAX: Span = Span::secs(20);
/// The longest that an attempt asks to be left alone.
pub const ASKED_MAX: Span = Span::secs(60);
/// What attempts ask for that may need more.
const MEMORY: u64 = 1 << 30;
/// An attempt takes no more tokens than this, reserved or spent.
const TOKENS_MAX: u64 = 400;
/// A run has no more work than this behind one budget, about.
const BEHIND_MAX: Span = Span::secs(60);

/// Gives a policy that workers run what the run's features let it have.
pub(super) fn give(run: &RunPlan, random: &mut Random, policy: &mut Policy) {
    if run.features.has(Feature::Calls) && random.per_mille(run.flow.max(300)) {
        // What times out would open a breaker by itself.
        if policy.timeout.is_none() && random.per_mille(700) {
            policy.shared.breakers = [breaker(run, random)].into();
        }
        if random.per_mille(500) {
            let known = policy.shared.budgets.iter().cloned();
            let mut budgets: Vec<Spending> = known.chain([budget(run, random)]).collect();
            budgets.sort_unstable();
            policy.shared.budgets = budgets.into();
        }
        if random.per_mille(400) {
            (policy.retry.on, policy.retry.never) = rules(random);
        }
    }
    if run.features.has(Feature::Growth) && random.per_mille(run.flow.max(300)) {
        policy.request.memory_bytes = MEMORY;
        let factor_milli = *random.pick(&[1_500, 2_000, 3_000]);
        let max_bytes = MEMORY << random.below(5);
        policy.retry.memory = Some(MemoryGrowth { factor_milli, max_bytes });
    }
    if run.features.has(Feature::Devices) && random.per_mille(run.flow.max(300)) {
        policy.request.devices = devices(random);
    }
    super::sites::give(run, random, policy);
    if run.features.has(Feature::Ways) && !policy.shared.breakers.is_empty() {
        policy.others = others(run, random, policy);
    }
    let is_alone = policy.others.is_empty() && policy.constraints.together.is_none();
    if run.features.has(Feature::Alternatives) && is_alone {
        alternatives(random, policy);
    }
    policy.critical = run.features.has(Feature::Critical) && random.per_mille(400);
}

/// Other amounts with which the same can be done, each in a time of its own. Now and then there is
/// nowhere what the policy itself says.
fn alternatives(random: &mut Random, policy: &mut Policy) {
    let memory_bytes = policy.request.memory_bytes;
    let mut other = || {
        let slots = random.below(2);
        let custom = if slots > 0 { vec![("slot".into(), slots)] } else { vec![] };
        let cpu_milli = *random.pick(&[250, 500, 1_000]);
        let expected = random.per_mille(700).then(|| Span(random.spread(1_000, 600_000_000)));
        let custom = custom.into();
        let request = Request { cpu_milli, memory_bytes, custom, ..Request::default() };
        Alternative { request, expected }
    };
    policy.alternatives = [other(), other()].into();
    policy.expected = random.per_mille(700).then(|| Span(random.spread(1_000, 600_000_000)));
    if random.per_mille(200) {
        policy.request.custom = [("nowhere".into(), 1)].into();
    }
}

/// Whole devices or parts of them, such as the first machine has.
fn devices(random: &mut Random) -> DeviceRequest {
    let part =
        |share, memory_bytes| DeviceRequest { share, memory_bytes, ..DeviceRequest::whole(1) };
    let large = DeviceRequest { kinds: Box::new(["large".into()]), ..DeviceRequest::whole(1) };
    match random.below(6) {
        0 => DeviceRequest::whole(2),
        1 => large,
        2 => part(700, 0),
        3 => part(500, 8 << 30),
        4 => part(250, 20 << 30),
        _ => DeviceRequest::whole(1),
    }
}

/// Further ways to do the same: with breakers, mostly, and with budgets of their own.
fn others(run: &RunPlan, random: &mut Random, policy: &Policy) -> Box<[Variant]> {
    let mut other = || {
        let mut shared = Shared { locks: policy.shared.locks.clone(), ..Shared::default() };
        if random.per_mille(800) {
            shared.breakers = [breaker(run, random)].into();
        }
        if random.per_mille(500) {
            shared.budgets = [budget(run, random)].into();
        }
        Variant { request: policy.request.clone(), shared }
    };
    let count = if run.seed.is_multiple_of(3) { 2 } else { 1 };
    (0..count).map(|_| other()).collect()
}

fn breaker(run: &RunPlan, random: &mut Random) -> Breaker {
    let name = *random.pick(&DEPENDENCIES);
    let own = &mut Random::stream(run.seed, name);
    let open = Span(own.spread(100_000, OPEN_MAX.0 / 2));
    Breaker {
        name: name.into(),
        failures: own.small(1, 6),
        open,
        open_max: Span(own.between(open.0, OPEN_MAX.0)),
        trials: own.small(1, 3),
        counts_transient: false,
    }
}

fn budget(run: &RunPlan, random: &mut Random) -> Spending {
    let own = &mut Random::stream(run.seed, "minute");
    let limit = own.small(500, 5_000);
    let longest = BEHIND_MAX.0 * u64::from(limit) / (u64::from(run.size.max(1)) * TOKENS_MAX);
    let per = Span(own.spread(20_000, 60_000_000).min(longest.max(10_000)));
    let unit = if own.per_mille(700) { Unit::Tokens } else { Unit::Requests };
    let amount = if unit == Unit::Tokens { random.small(1, 300) } else { random.small(1, 3) };
    Spending { name: "minute".into(), unit, amount, limit, per }
}

fn rules(random: &mut Random) -> (Box<[Rule]>, Box<[Rule]>) {
    const RULES: [Rule; 7] = [
        Rule::Any,
        Rule::Transient,
        Rule::Connection,
        Rule::StatusClass(5),
        Rule::Answer,
        Rule::Exit,
        Rule::Raised(ErrorName(7)),
    ];
    let mut some = |share| RULES.into_iter().filter(|_| random.per_mille(share)).collect();
    (some(600), some(100))
}

/// How an attempt fails at first that comes to something later. What keeps to a breaker does not
/// fail so that the breaker would count it.
pub(super) fn first_failure(run: &RunPlan, policy: &Policy, draw: u64) -> Failure {
    if !run.features.has(Feature::Calls) {
        return Failure::Exit(1);
    }
    let mut random = Random::stream(mix(run.seed) ^ mix(draw), "failure");
    let uncounted =
        [Failure::Exit(1), Failure::Raised(ErrorName(7)), Failure::Answer, Failure::Status(429)];
    let counted = [
        Failure::Status(503),
        Failure::Crashed,
        Failure::Unreachable(Unreached::Broken),
        Failure::Unreachable(Unreached::Slow),
    ];
    if policy.shared.breakers.is_empty() && random.per_mille(500) {
        return *random.pick(&counted);
    }
    *random.pick(&uncounted)
}

/// Whether the rules of a policy let such a failure be followed by another attempt, said a second
/// time and in the plainest way.
#[must_use]
pub fn lets_retry(policy: &Policy, failure: Failure) -> bool {
    let retry = &policy.retry;
    if retry.never.iter().any(|&rule| covers(rule, failure)) {
        return false;
    }
    if let Failure::Exit(code) = failure
        && retry.never_exit_codes.contains(&code)
    {
        return false;
    }
    match retry.on.is_empty() {
        true => may_pass(failure),
        false => retry.on.iter().any(|&rule| covers(rule, failure)),
    }
}

/// Whether such an end says that what was tried cannot be had now, so that another way may do.
#[must_use]
pub fn is_missed(policy: &Policy, outcome: Outcome) -> bool {
    let never = &policy.retry.never;
    match outcome {
        Outcome::TimedOut => {
            let times = [Rule::Any, Rule::Transient, Rule::TimeOut];
            !never.iter().any(|rule| times.contains(rule))
        }
        Outcome::Failed(failure) => {
            let answers = matches!(failure, Failure::Status(_) | Failure::Unreachable(_));
            answers && may_pass(failure) && !never.iter().any(|&rule| covers(rule, failure))
        }
        _ => false,
    }
}

fn covers(rule: Rule, failure: Failure) -> bool {
    let names = match failure {
        Failure::Exit(_) => vec![Rule::Exit],
        Failure::Signal(_) => vec![Rule::Signal],
        Failure::OutOfMemory => vec![Rule::OutOfMemory],
        Failure::Crashed => vec![Rule::Crash],
        Failure::Unreachable(Unreached::Slow) => vec![Rule::Connection, Rule::TimeOut],
        Failure::Unreachable(_) => vec![Rule::Connection],
        Failure::Answer => vec![Rule::Answer],
        Failure::Status(status) => {
            let class = u8::try_from(status / 100).unwrap_or(0);
            vec![Rule::Status(status), Rule::StatusClass(class)]
        }
        Failure::Raised(name) => vec![Rule::Raised(name)],
        _ => vec![],
    };
    match rule {
        Rule::Any => true,
        Rule::Transient => may_pass(failure),
        _ => names.contains(&rule),
    }
}

/// Whether such a failure may pass by itself.
fn may_pass(failure: Failure) -> bool {
    let for_good = [
        Failure::Answer,
        Failure::Tasks,
        Failure::Outputs,
        Failure::Render,
        Failure::Unsatisfiable,
        Failure::Unreachable(Unreached::Insecure),
    ];
    match failure {
        Failure::Status(status) => [408, 425, 429, 500, 502, 503, 504].contains(&status),
        other => !for_good.contains(&other),
    }
}

/// What an attempt spends, and how long it asks to be left alone if it fails.
pub(super) fn spent(run: &RunPlan, attempt: AttemptId) -> (Spent, Option<Span>) {
    if !run.features.has(Feature::Calls) {
        return (Spent::NOTHING, None);
    }
    let place = u64::from(attempt.key.task.0) << 32 | u64::from(attempt.key.item.0);
    let again = u64::from(attempt.round.0) << 16 | u64::from(attempt.attempt.0);
    let mut random =
        Random::stream(mix(run.seed) ^ mix(place) ^ mix(again).rotate_left(9), "spent");
    let asked = random.per_mille(300).then(|| Span(random.spread(1_000_000, ASKED_MAX.0)));
    if random.per_mille(200) {
        return (Spent::NOTHING, asked);
    }
    let half = TOKENS_MAX / 2;
    let spent = Spent {
        requests: random.small(0, 3),
        tokens_in: random.below(half),
        tokens_out: random.below(half),
        cost_micro: random.below(1_000),
    };
    (spent, asked)
}

/// What the attempts of a run may cost together, at first.
#[must_use]
pub fn cost_limit(run: &RunPlan) -> Option<u64> {
    let mut random = Random::stream(run.seed, "cost limit");
    let limited = run.features.has(Feature::Calls) && random.per_mille(500);
    limited.then(|| random.spread(100, 500 * u64::from(run.size.max(1))))
}

/// When somebody pauses a run by hand, after its admission.
#[must_use]
pub fn pauses(run: &RunPlan) -> Vec<Span> {
    let mut random = Random::stream(run.seed, "pauses");
    if !run.features.has(Feature::Pauses) {
        return vec![];
    }
    (0..random.small(1, 3)).map(|_| Span(random.spread(1_000, super::WAIT_MAX.0))).collect()
}

/// Whether what a breaker stands for is down.
#[must_use]
pub fn is_down(plan: &Plan, name: &str, now: Timestamp) -> bool {
    if now >= plan.heals_at() {
        return false;
    }
    let stretch = now.0 / STRETCH.0;
    let mut random = Random::stream(mix(plan.seed) ^ stretch, name);
    let (down, length) = (random.per_mille(400), random.spread(1_000_000, STRETCH.0));
    let since = Timestamp(stretch * STRETCH.0);
    down && now.since(since) < Span(length)
}

/// How an attempt fails whose dependency is down.
#[must_use]
pub fn down_failure(attempt: AttemptId) -> Failure {
    match (attempt.key.item.0 ^ u32::from(attempt.attempt.0)) % 3 {
        0 => Failure::Status(503),
        1 => Failure::Unreachable(Unreached::Refused),
        _ => Failure::Unreachable(Unreached::Slow),
    }
}
