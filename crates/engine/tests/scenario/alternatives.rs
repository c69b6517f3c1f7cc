//! Scenarios of work that can be done with other amounts, each in a time of its own.

use model::graph::GraphParts;
use model::limits::UNSATISFIABLE_GRACE;
use model::message::Grant;
use model::outcome::{Failure, Outcome};
use model::policy::{Alternative, MemoryGrowth, Policy};
use model::status::TaskStatus::{Failed, Ready, Retrying, Succeeded};
use model::wait::{Blocker, Lack};
use model::{Request, Span, VariantId};

use crate::control::with;
use crate::house::{House, cpu, graph};
use crate::sharing::blockers;

/// What a worker offers, or an attempt asks for: so many licences with a core, or so many cores.
fn licences(count: u64) -> Request {
    let custom = if count > 0 { vec![("licence".into(), count)] } else { Vec::new() };
    Request { custom: custom.into(), ..cpu(1_000) }
}

fn offered(cores: u64) -> Request {
    Request { cpu_milli: cores * 1_000, ..licences(1) }
}

/// A fan-out of `items` that take a licence for a minute, or else 4 cores for as long as said.
fn either(items: u32, expected: Option<Span>) -> GraphParts {
    changed(items, expected, |_| {})
}

fn changed(items: u32, expected: Option<Span>, change: impl FnOnce(&mut Policy)) -> GraphParts {
    let parts = GraphParts { fan_outs: vec![(0, items)], ..graph(1, &[]) };
    with(parts, 0, |policy| {
        (policy.request, policy.expected) = (licences(1), Some(Span::secs(60)));
        policy.alternatives = [Alternative { request: cpu(4_000), expected }].into();
        policy.retry.limit = 3;
        change(policy);
    })
}

fn ways(grants: &[Grant]) -> Vec<u8> {
    grants.iter().map(|grant| grant.variant.0).collect()
}

#[test]
fn each_item_takes_what_it_ends_first_with_and_no_more() {
    let mut house = House::offering(offered(9));
    let run = house.submit(either(4, Some(Span::secs(90))), |_| {});
    let grants = house.granted();
    assert_eq!(ways(&grants), [0, 1, 1]);
    let asked: Vec<u64> = grants.iter().map(|grant| grant.request.cpu_milli).collect();
    assert_eq!(asked, [1_000, 4_000, 4_000], "a worker is told of what was taken");
    let [Blocker::NoRoom { misses }] = &blockers(&house, run, 3)[..] else {
        panic!("{:?}", blockers(&house, run, 3));
    };
    // All its cores are taken, too: none of the four, and none of the one.
    let Lack::Amount(short) = &misses[0].lack else { panic!("{misses:?}") };
    assert_eq!((&*short.resource, short.free), ("cpu", 0));
    grants.iter().for_each(|grant| house.end(grant, Outcome::Succeeded));
    assert_eq!(ways(&house.granted()), [0]);
}

#[test]
fn what_is_worth_waiting_for_is_waited_for() {
    let mut house = House::offering(offered(9));
    let run = house.submit(either(2, Some(Span::secs(600))), |_| {});
    assert_eq!(ways(&house.granted()), [0], "the licence is free again long before");
    assert!(matches!(blockers(&house, run, 1)[..], [Blocker::Faster { .. }]));
}

#[test]
fn what_nothing_is_known_of_takes_as_long_as_the_first() {
    let mut house = House::offering(offered(9));
    house.submit(either(3, None), |_| {});
    assert_eq!(ways(&house.granted()), [0, 1, 1]);
}

#[test]
fn what_was_measured_of_each_counts_more_than_what_was_said() {
    let mut house = House::offering(offered(4));
    // With four cores it takes a second each time, and not ten minutes.
    let slow = changed(3, Some(Span::secs(600)), |policy| policy.request = licences(2));
    let run = house.submit(slow, |_| {});
    for _ in 0..3 {
        let grants = house.granted();
        assert_eq!(ways(&grants), [1], "there are not two licences anywhere");
        house.start(&grants[0]);
        house.end(&grants[0], Outcome::Succeeded);
    }
    assert_eq!(house.task(run, 0), Succeeded);
    house.crash(2);
    house.greet("w", offered(4), Some(Span::secs(600)));
    house.submit(either(1, Some(Span::secs(600))), |_| {});
    house.after(Span::ZERO);
    assert_eq!(ways(&house.granted()), [1], "a second is less than a minute");
}

#[test]
fn a_retry_chooses_anew_and_no_end_is_followed_by_another_alternative() {
    let mut house = House::offering(offered(4));
    let run = house.submit(either(2, Some(Span::secs(61))), |_| {});
    let first = house.granted();
    assert_eq!(ways(&first), [0], "three cores are left, and four are asked for");
    house.end(&first[0], Outcome::TimedOut);
    assert_eq!(house.item(run, 0, 0).failures(), 1, "it counts as any other end");
    assert_eq!(house.item(run, 0, 0).status(), Retrying);
    let other = house.granted();
    assert_eq!(ways(&other), [0]);
    house.crash(2);
    house.hello("w", 4, Some(Span::secs(60)));
    // The worker is another now: it has no licence, and what it held is lost.
    house.after(Span::secs(120));
    house.hello("v", 4, Some(Span::secs(600)));
    house.after(Span::secs(30));
    let again = house.granted();
    assert_eq!(ways(&again), [1], "what was lost goes on with what there is");
}

#[test]
fn it_fails_only_if_no_alternative_can_ever_be_had() {
    let mut house = House::new(3);
    let run = house.submit(either(1, None), |_| {});
    let [Blocker::NeverFits { misses, .. }] = &blockers(&house, run, 0)[..] else {
        panic!("{:?}", blockers(&house, run, 0));
    };
    assert_eq!(misses[0].variant, VariantId(1), "three of four cores are nearer than no licence");
    house.after(UNSATISFIABLE_GRACE);
    house.hello("w", 3, Some(Span::secs(60)));
    house.after(Span::secs(1));
    assert_eq!(house.task(run, 0), Failed);

    let mut house = House::new(4);
    let run = house.submit(either(2, None), |_| {});
    let grants = house.granted();
    assert_eq!(ways(&grants), [1]);
    house.after(UNSATISFIABLE_GRACE);
    house.hello("w", 4, Some(Span::secs(60)));
    house.after(Span::secs(1));
    assert_eq!(house.item(run, 0, 1).status(), Ready, "it waits, and does not fail");
}

#[test]
fn more_memory_is_asked_for_in_every_alternative() {
    let mut house = House::offering(Request { memory_bytes: 8 << 30, ..offered(8) });
    let hungry = changed(1, Some(Span::secs(1)), |policy| {
        policy.alternatives[0].request.memory_bytes = 3 << 30;
        policy.retry.memory = Some(MemoryGrowth { factor_milli: 2_000, max_bytes: 64 << 30 });
        (policy.retry.backoff, policy.retry.backoff_max) = (Span::secs(1), Span::secs(1));
    });
    let run = house.submit(hungry, |_| {});
    let first = house.granted();
    assert_eq!((first[0].variant.0, first[0].request.memory_bytes >> 30), (1, 3));
    house.end(&first[0], Outcome::Failed(Failure::OutOfMemory));
    house.after(Span::secs(1));
    let second = house.granted();
    assert_eq!((second[0].variant.0, second[0].request.memory_bytes >> 30), (1, 6));
    house.end(&second[0], Outcome::Succeeded);
    assert_eq!(house.task(run, 0), Succeeded);
}
