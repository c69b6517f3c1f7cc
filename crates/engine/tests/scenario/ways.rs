//! Scenarios of work that may be done in several ways.

use model::graph::GraphParts;
use model::message::Grant;
use model::outcome::{Failure, Outcome, Unreached};
use model::policy::{Rule, Variant};
use model::shared::{Breaker, Shared};
use model::status::TaskStatus::{Failed, Retrying, Succeeded};
use model::wait::Blocker;
use model::{RunStatus, Span, VariantId};

use crate::control::with;
use crate::house::House;
use crate::sharing::{blockers, sharing};

const DOWN: Outcome = Outcome::Failed(Failure::Status(503));
const WRONG: Outcome = Outcome::Failed(Failure::Status(400));

fn breaker(name: &str) -> Shared {
    let breaker = Breaker {
        name: name.into(),
        failures: 2,
        open: Span::secs(30),
        open_max: Span::secs(30),
        trials: 1,
        counts_transient: false,
    };
    Shared { breakers: [breaker].into(), ..Shared::default() }
}

/// A fan-out of `items` that ask one of two, and may fail for good `retries` times before.
fn either(items: u32, retries: u8) -> GraphParts {
    with(sharing(items, breaker("first")), 0, |policy| {
        let other = Variant { request: policy.request.clone(), shared: breaker("second") };
        (policy.shared, policy.others) = (breaker("first"), [other].into());
        policy.retry.limit = retries;
        (policy.retry.backoff, policy.retry.backoff_max) = (Span::secs(8), Span::secs(8));
    })
}

fn ways(grants: &[Grant]) -> Vec<u8> {
    grants.iter().map(|grant| grant.variant.0).collect()
}

/// The worker is heard of again when much time has passed.
fn later(house: &mut House, span: Span) {
    house.now = house.now + span;
    house.hello("w", 64, Some(Span::secs(600)));
    house.after(Span::ZERO);
}

#[test]
fn another_way_is_tried_at_once_and_is_no_retry() {
    let mut house = House::new(64);
    let run = house.submit(either(1, 1), |_| {});
    for round in 1..=2 {
        let first = house.granted();
        assert_eq!(ways(&first), [0], "each try begins with the first");
        house.end(&first[0], DOWN);
        assert_eq!(house.item(run, 0, 0).failures(), round - 1);
        let second = house.granted();
        assert_eq!(ways(&second), [1]);
        house.end(&second[0], Outcome::Failed(Failure::Unreachable(Unreached::Broken)));
        assert_eq!(house.item(run, 0, 0).failures(), round, "none of them could be had");
        if round == 1 {
            assert_eq!(house.item(run, 0, 0).status(), Retrying);
            house.crash(2);
            later(&mut house, Span::secs(8));
        }
    }
    assert_eq!(house.item(run, 0, 0).status(), Failed);
    assert_eq!(house.item(run, 0, 0).attempts().0, 4);
}

#[test]
fn what_is_wrong_is_wrong_in_every_way() {
    let mut house = House::new(64);
    for wrong in [WRONG, Outcome::Failed(Failure::Answer), Outcome::Failed(Failure::Exit(1))] {
        let run = house.submit(either(1, 0), |_| {});
        let first = house.granted();
        house.end(&first[0], wrong);
        assert_eq!(house.item(run, 0, 0).status(), Failed, "{wrong:?}");
        assert!(house.granted().is_empty());
    }
    let never = with(either(1, 0), 0, |policy| policy.retry.never = [Rule::StatusClass(5)].into());
    let run = house.submit(never, |_| {});
    let first = house.granted();
    house.end(&first[0], DOWN);
    assert_eq!(house.item(run, 0, 0).status(), Failed, "the file says that it is not tried again");
}

#[test]
fn while_the_first_is_down_all_begin_with_the_second() {
    let mut house = House::new(64);
    let run = house.submit(either(6, 0), |_| {});
    let first = house.granted();
    assert_eq!(ways(&first), [0; 6]);
    first[..2].iter().for_each(|grant| house.end(grant, DOWN));
    let second = house.granted();
    assert_eq!(ways(&second), [1; 2]);
    first[2..].iter().for_each(|grant| house.end(grant, Outcome::Succeeded));
    second.iter().for_each(|grant| house.end(grant, Outcome::Succeeded));
    assert_eq!(house.status(run), RunStatus::Succeeded);

    let run = house.submit(either(3, 0), |_| {});
    let open = house.granted();
    assert_eq!(ways(&open), [1; 3], "nobody asks the first");
    open.iter().for_each(|grant| house.end(grant, Outcome::Succeeded));
    assert_eq!(house.item(run, 0, 0).status(), Succeeded);

    later(&mut house, Span::secs(30));
    house.submit(either(3, 0), |_| {});
    house.after(Span::ZERO);
    let mut half_open = ways(&house.granted());
    half_open.sort_unstable();
    assert_eq!(half_open, [0, 1, 1], "one tries whether it is there, the others do not wait");
}

#[test]
fn when_no_way_is_open_work_waits_for_the_first() {
    let mut house = House::new(64);
    let run = house.submit(either(2, 0), |_| {});
    let first = house.granted();
    first.iter().for_each(|grant| house.end(grant, DOWN));
    let second = house.granted();
    assert_eq!(ways(&second), [1; 2]);
    second.iter().for_each(|grant| house.end(grant, DOWN));
    assert_eq!(house.status(run), RunStatus::Failed);

    let run = house.submit(either(1, 0), |_| {});
    assert!(house.granted().is_empty());
    let waits = blockers(&house, run, 0);
    assert!(
        matches!(&waits[..], [Blocker::Breaker { name, .. }] if &**name == "first"),
        "{waits:?}"
    );
    later(&mut house, Span::secs(30));
    let trial = house.granted();
    assert_eq!(ways(&trial), [0]);
    house.end(&trial[0], DOWN);
    let other = house.granted();
    assert_eq!((ways(&other), house.item(run, 0, 0).losses()), (vec![1], 0));
    assert_eq!(other[0].variant, VariantId(1));
    house.end(&other[0], Outcome::Succeeded);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}
