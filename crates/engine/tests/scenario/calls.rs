//! Scenarios of calls: circuit breakers, budgets that settle, rules for retries, waits that others
//! ask for.

use model::control::Kind;
use model::graph::GraphParts;
use model::limits::RETRY_AFTER_MAX;
use model::message::{AttemptEvent, Grant, Report};
use model::outcome::{Failure, Outcome, Spent, Unreached};
use model::policy::{FailurePolicy, Rule};
use model::shared::{Breaker, Shared, Spending, Unit};
use model::status::TaskStatus::{Failed, Retrying, Succeeded};
use model::wait::Blocker;
use model::{RunStatus, Span};

use crate::control::with;
use crate::house::{House, graph};
use crate::sharing::{blockers, sharing};

const DOWN: Outcome = Outcome::Failed(Failure::Status(503));
const NOTHING: (Spent, Option<Span>) = (Spent::NOTHING, None);

fn breaker(failures: u32, trials: u32) -> Shared {
    let breaker = Breaker {
        name: "api".into(),
        failures,
        open: Span::secs(30),
        open_max: Span::secs(100),
        trials,
        counts_transient: false,
    };
    Shared { breakers: [breaker].into(), ..Shared::default() }
}

/// A fan-out of `items` that keep to a breaker and are tried again at once.
fn calls(items: u32, shared: Shared) -> GraphParts {
    with(sharing(items, shared.clone()), 0, |p| {
        (p.shared, p.retry.limit) = (shared, 20);
        (p.retry.backoff, p.retry.backoff_max) = (Span(1), Span(1));
    })
}

/// The worker is heard of again when much time has passed.
fn later(house: &mut House, span: Span) {
    house.now = house.now + span;
    house.hello("w", 64, Some(Span::secs(600)));
    house.after(Span::ZERO);
}

fn fail(house: &mut House, grants: &[Grant]) {
    grants.iter().for_each(|grant| house.end(grant, DOWN));
}

#[test]
fn a_breaker_opens_after_failures_in_a_row_and_nobody_tries() {
    let mut house = House::new(64);
    let run = house.submit(calls(4, breaker(3, 1)), |_| {});
    let first = house.granted();
    fail(&mut house, &first[..2]);
    house.after(Span(2));
    assert_eq!(house.granted().len(), 2, "it is closed: the two are tried again");
    house.end(&first[2], DOWN);
    let until = house.now + Span::secs(30);
    house.after(Span(2));
    assert!(house.granted().is_empty());
    let refused = Blocker::Breaker {
        name: "api".into(),
        until: Some(until),
        failures: 3,
        last: DOWN,
        trials: 1,
    };
    assert_eq!(blockers(&house, run, 2), [refused]);
    assert_eq!(house.engine.next_deadline(), Some(until), "it plans again then");
    let other = house.submit(sharing(1, Shared::default()), |_| {});
    assert!(house.granted().iter().all(|grant| grant.attempt.key.run == other));
    house.crash(2);
    house.hello("w", 64, Some(Span::secs(600)));
    house.after(Span::ZERO);
    assert!(house.granted().is_empty(), "the next leader knows of it");
    assert_eq!(house.item(run, 0, 3).failures(), 0, "nobody has spent a retry by waiting");
}

#[test]
fn a_trial_closes_it_or_opens_it_for_twice_as_long() {
    let mut house = House::new(64);
    let run = house.submit(calls(3, breaker(1, 1)), |_| {});
    let first = house.granted();
    house.end(&first[0], DOWN);
    let opened = house.now;
    house.end(&first[1], Outcome::Succeeded);
    house.end(&first[2], DOWN);
    let circuit = house.engine.state().shares().circuit("api").expect("it is open");
    assert_eq!(circuit.failures(), 1, "what began before says nothing of now");
    let rest = Span(opened.0 + 30_000_000 - house.now.0);
    later(&mut house, rest);
    let trial = house.granted();
    assert_eq!(trial.len(), 1, "one may try");
    assert!(matches!(blockers(&house, run, 2)[0], Blocker::Breaker { until: None, .. }));
    house.crash(2);
    house.hello("w", 64, Some(Span::secs(600)));
    assert_eq!(house.engine.state().shares().trying("api"), 1);
    house.end(&trial[0], DOWN);
    later(&mut house, Span(59_999_999));
    assert!(house.granted().is_empty());
    later(&mut house, Span(1));
    let trial = house.granted();
    house.end(&trial[0], DOWN);
    later(&mut house, Span(99_999_999));
    assert!(house.granted().is_empty(), "a third time, up to the longest");
    later(&mut house, Span(1));
    let trial = house.granted();
    house.end(&trial[0], Outcome::Succeeded);
    assert!(house.engine.state().shares().circuit("api").is_none(), "closed, and forgotten");
    house.work(|_| Outcome::Succeeded);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn a_trial_that_says_nothing_makes_room_for_another() {
    let mut house = House::new(64);
    house.submit(calls(3, breaker(1, 2)), |_| {});
    let first = house.granted();
    fail(&mut house, &first);
    later(&mut house, Span::secs(30));
    let trials = house.granted();
    assert_eq!(trials.len(), 2);
    house.report(vec![Report { lease: trials[0].lease(), event: AttemptEvent::Returned }]);
    assert_eq!(house.granted().len(), 1, "its place is taken");
    house.end(&trials[1], Outcome::Failed(Failure::Exit(1)));
    house.after(Span(2));
    assert_eq!(house.granted().len(), 1, "an exit code is none of the dependency's");
}

#[test]
fn an_answer_of_another_kind_says_that_somebody_is_there() {
    let mut house = House::new(64);
    house.submit(calls(9, breaker(2, 1)), |run| run.failure = FailurePolicy::Continue);
    let grants = house.granted();
    house.end(&grants[0], DOWN);
    house.end(&grants[1], Outcome::Failed(Failure::Status(404)));
    house.end(&grants[2], DOWN);
    house.end(&grants[3], Outcome::Failed(Failure::Status(429)));
    house.end(&grants[4], Outcome::Failed(Failure::Unreachable(Unreached::Refused)));
    assert!(house.engine.state().shares().open_until("api", house.now).is_none());
    house.end(&grants[5], DOWN);
    assert!(house.engine.state().shares().open_until("api", house.now).is_some());
}

fn tokens(amount: u32, limit: u32) -> Shared {
    let per = Span::secs(60);
    let spending = Spending { name: "api".into(), unit: Unit::Tokens, amount, limit, per };
    Shared { budgets: [spending].into(), ..Shared::default() }
}

fn spent(tokens_out: u64) -> (Spent, Option<Span>) {
    (Spent { requests: 1, tokens_out, ..Spent::NOTHING }, None)
}

#[test]
fn what_was_reserved_and_not_spent_lets_others_begin_at_once() {
    let mut house = House::new(64);
    house.submit(sharing(9, tokens(30, 60)), |_| {});
    let grants = house.granted();
    assert_eq!(grants.len(), 2);
    house.end_call(&grants[0], Outcome::Succeeded, spent(5));
    assert_eq!(house.granted().len(), 0, "25 are back, and 30 are needed");
    house.end_call(&grants[1], Outcome::Succeeded, spent(20));
    assert_eq!(house.granted().len(), 1, "35 are back");
}

#[test]
fn what_was_spent_beyond_it_is_a_debt_that_flows_back_first() {
    let mut house = House::new(64);
    let run = house.submit(sharing(9, tokens(30, 60)), |_| {});
    let grants = house.granted();
    house.end_call(&grants[0], Outcome::Succeeded, spent(90));
    let begun = house.now;
    house.crash(2);
    house.hello("w", 64, Some(Span::secs(600)));
    // 120 of 60 are spent, one flows back each second, and 30 are needed.
    let until = begun + Span::secs(90);
    assert_eq!(blockers(&house, run, 5), [Blocker::Budget { name: "api".into(), until }]);
    later(&mut house, Span(90_000_000 - 1));
    assert!(house.granted().is_empty());
    later(&mut house, Span(1));
    assert_eq!(house.granted().len(), 1);
}

#[test]
fn what_says_nothing_or_is_lost_has_spent_its_estimate() {
    let mut house = House::new(64);
    let run = house.submit(sharing(9, tokens(30, 60)), |_| {});
    let grants = house.granted();
    house.end_call(&grants[0], Outcome::Succeeded, NOTHING);
    house.start(&grants[1]);
    house.after(Span::secs(61));
    house.hello("v", 64, Some(Span::secs(600)));
    assert_eq!(house.item(run, 0, 1).losses(), 1, "its worker was lost");
    let backlog = house.engine.state().shares().backlog("api", house.now);
    assert_eq!(backlog, Span::secs(60), "it was full again, and is spent by two others");
}

#[test]
fn a_wait_that_is_asked_for_is_kept_to_if_it_is_longer() {
    let mut house = House::new(64);
    let limited = Outcome::Failed(Failure::Status(429));
    let run = house.submit(calls(3, Shared::default()), |_| {});
    let grants = house.granted();
    let asked = [None, Some(Span::secs(20)), Some(Span::secs(86_400))];
    for (grant, asked) in grants.iter().zip(asked) {
        house.end_call(grant, limited, (Spent::NOTHING, asked));
    }
    house.after(Span(1));
    assert_eq!(house.granted_tasks(), [(0, 0)]);
    later(&mut house, Span::secs(20));
    assert_eq!(house.granted_tasks(), [(0, 1)]);
    later(&mut house, Span(RETRY_AFTER_MAX.0 - 20_000_002));
    assert_eq!(house.granted_tasks(), [], "nobody is left alone for longer than an hour");
    later(&mut house, Span(1));
    assert_eq!(house.granted_tasks(), [(0, 2)]);
    assert_eq!(house.item(run, 0, 2).failures(), 1);
}

#[test]
fn rules_say_what_is_tried_again() {
    let retried = |on: &[Rule], never: &[Rule], outcome: Outcome| {
        let mut house = House::new(4);
        let parts = with(graph(1, &[]), 0, |p| {
            (p.kind, p.retry.limit) = (Kind::Work, 1);
            (p.retry.on, p.retry.never) = (on.into(), never.into());
        });
        let run = house.submit(parts, |_| {});
        let grant = house.granted().remove(0);
        house.end(&grant, outcome);
        house.task(run, 0)
    };
    assert_eq!(retried(&[], &[], DOWN), Retrying);
    assert_eq!(retried(&[], &[Rule::StatusClass(5)], DOWN), Failed);
    assert_eq!(retried(&[Rule::Connection], &[], DOWN), Failed);
    let answer = Outcome::Failed(Failure::Answer);
    assert_eq!(retried(&[], &[], answer), Failed);
    assert_eq!(retried(&[Rule::Answer], &[], answer), Retrying);
    assert_eq!(retried(&[Rule::Answer], &[Rule::Any], answer), Failed);
    assert_eq!(retried(&[], &[], Outcome::Succeeded), Succeeded);
}
