//! Scenarios of room that is kept for critical work.

use engine::{Engine, Rules};
use model::graph::GraphParts;
use model::outcome::Outcome;
use model::policy::{Alternative, Priority};
use model::queue::{QueueTree, Quota};
use model::wait::Blocker;
use model::{Epoch, Span};

use crate::control::with;
use crate::house::{House, cpu, graph};
use crate::sharing::blockers;
use engine::Input;

/// A leader that keeps two cores for critical work, with one worker of `cores`.
fn house(cores: u64) -> House {
    let kept = Quota { cpu_milli: Some(2_000), ..Quota::default() };
    let queues = QueueTree { kept, ..QueueTree::default() };
    let mut house = House::new(0);
    house.engine = Engine::with(&Rules { queues, ..Rules::default() });
    house.journal.clear();
    house.step(Input::Lead { epoch: Epoch(1) });
    house.hello("w", cores, Some(Span::secs(60)));
    house
}

fn items(count: u32, critical: bool) -> GraphParts {
    let parts = GraphParts { fan_outs: vec![(0, count)], ..graph(1, &[]) };
    with(parts, 0, |policy| {
        policy.critical = critical;
        policy.priority = Priority(if critical { 10 } else { 90 });
    })
}

/// How much is kept, and used of that, in milli-CPU.
fn kept(house: &House) -> Vec<(u64, u64)> {
    let rooms = house.engine.kept_rooms();
    rooms.iter().flat_map(|room| &room.resources).map(|it| (it.kept, it.used)).collect()
}

#[test]
fn what_is_kept_is_there_for_critical_work_and_for_nobody_else() {
    let mut house = house(5);
    let usual = house.submit(items(9, false), |_| {});
    assert_eq!(house.granted().len(), 3);
    let [Blocker::Kept { amounts, .. }] = &blockers(&house, usual, 8)[..] else {
        panic!("{:?}", blockers(&house, usual, 8));
    };
    assert_eq!(amounts[..], [("cpu".into(), 2_000)]);
    assert_eq!(kept(&house), [(2_000, 0)]);
    house.submit(items(1, true), |_| {});
    let critical = house.granted();
    assert_eq!(critical.len(), 1, "it begins at once");
    assert_eq!(kept(&house), [(2_000, 1_000)]);
    house.end(&critical[0], Outcome::Succeeded);
    assert!(house.granted().is_empty(), "what it leaves is kept again");
    assert_eq!(kept(&house), [(2_000, 0)]);
}

#[test]
fn critical_work_goes_first_whatever_the_priority_of_others() {
    let mut house = House::new(1);
    house.submit(items(2, false), |_| {});
    let first = house.granted();
    house.submit(items(1, true), |_| {});
    house.end(&first[0], Outcome::Succeeded);
    let next = house.granted();
    assert_eq!(next[0].attempt.key.run.0, 2);
}

#[test]
fn an_alternative_of_critical_work_is_critical_too() {
    let mut house = house(5);
    house.submit(items(9, false), |_| {});
    assert_eq!(house.granted().len(), 3);
    let either = with(graph(1, &[]), 0, |policy| {
        (policy.request, policy.critical) = (cpu(4_000), true);
        policy.alternatives =
            [Alternative { request: cpu(2_000), expected: Some(Span::secs(9)) }].into();
    });
    house.submit(either, |_| {});
    let grants = house.granted();
    assert_eq!((grants.len(), grants[0].variant.0), (1, 1));
    assert_eq!(kept(&house), [(2_000, 2_000)]);
}

#[test]
fn what_is_kept_moves_only_when_workers_come_or_go() {
    let mut house = house(5);
    let on = |house: &House| house.engine.kept_rooms()[0].worker;
    let first = on(&house);
    house.hello("larger", 9, Some(Span::secs(600)));
    house.submit(items(1, false), |_| {});
    assert_eq!(on(&house), first, "it stands on the smallest that will do");
    house.hello("smaller", 2, Some(Span::secs(600)));
    house.submit(items(1, false), |_| {});
    assert_ne!(on(&house), first);
}
