//! Scenarios of work that asks for labels of workers, and of items that spread or stay together.

use std::collections::BTreeMap;

use model::graph::GraphParts;
use model::limits::UNSATISFIABLE_GRACE;
use model::message::{AttemptEvent, Grant, News, Report};
use model::outcome::{AttemptEnd, Outcome};
use model::site::{Domain, Obstacle, Selector};
use model::status::TaskStatus::{Failed, Ready, Succeeded};
use model::wait::{Blocker, Lack, Miss};
use model::{Constraints, Offers, RunId, Site, Span};

use crate::control::with;
use crate::house::{House, cpu, graph};
use crate::sharing::blockers;

fn selector(key: &str, values: &[&str]) -> Selector {
    Selector { key: key.into(), values: values.iter().map(|&value| value.into()).collect() }
}

fn offers(cores: u64, labels: &[(&str, &str)], taints: &[&str]) -> Offers {
    let labels = labels.iter().map(|&(key, value)| (key.into(), value.into()));
    let site = Site::new(labels, taints.iter().map(|&taint| taint.into()));
    Offers { site, ..cpu(cores * 1_000).into() }
}

/// A fan-out of `items` that asks this of workers.
fn asking(items: u32, constraints: Constraints) -> GraphParts {
    let parts = GraphParts { fan_outs: vec![(0, items)], ..graph(1, &[]) };
    with(parts, 0, |policy| policy.constraints = constraints)
}

/// A house with workers beside `w`, which has a core, no label and no taint.
fn house(workers: &[(&str, Offers)]) -> House {
    let mut house = House::new(1);
    for (name, offers) in workers {
        house.greet(name, offers.clone(), Some(Span::secs(600)));
    }
    house
}

/// How many of some grants each worker has.
fn on(house: &House, grants: &[Grant]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let state = house.engine.state();
    for grant in grants {
        let worker = state.lease(grant.attempt.key).expect("leased").worker;
        let name = &state.worker(worker).expect("known").name;
        *counts.entry(name.to_string()).or_default() += 1;
    }
    counts
}

fn counts(all: &[(&str, usize)]) -> BTreeMap<String, usize> {
    all.iter().map(|&(name, count)| (name.to_owned(), count)).collect()
}

/// An attempt on a worker other than `w` ends well; it is the worker's report of this number.
fn end(house: &mut House, worker: &str, grant: &Grant, first: u64) {
    let (outcome, end) = (Outcome::Succeeded, AttemptEnd::default());
    let event = AttemptEvent::Ended { outcome, end, tasks: None, retry_after: None };
    let reports = vec![Report { lease: grant.lease(), event }];
    house.say(worker, News::Reports { first, reports });
}

fn waiting(house: &House, run: RunId, items: u32) -> Vec<Blocker> {
    let waits = (0..items).find(|&item| house.item(run, 0, item).status() == Ready);
    blockers(house, run, waits.expect("one waits"))
}

#[test]
fn items_go_only_where_every_label_has_one_of_its_values() {
    let mut house = house(&[
        ("a", offers(2, &[("disk", "nvme"), ("zone", "a")], &[])),
        ("b", offers(2, &[("disk", "ssd"), ("zone", "b")], &[])),
        ("c", offers(2, &[("disk", "hdd"), ("zone", "b")], &[])),
    ]);
    let select = [selector("disk", &["nvme", "ssd"]), selector("zone", &["b"])].into();
    let run = house.submit(asking(4, Constraints { select, ..Constraints::default() }), |_| {});
    let grants = house.granted();
    assert_eq!(on(&house, &grants), counts(&[("b", 2)]));
    let waits = waiting(&house, run, 4);
    let [Blocker::NoRoom { misses }] = &waits[..] else { panic!("{waits:?}") };
    assert_eq!(misses.len(), 1, "no end of work elsewhere makes room: {misses:?}");
    // A worker that comes later, with a site that nobody had, is open to those that wait.
    house.greet("d", offers(1, &[("disk", "ssd"), ("zone", "b"), ("rack", "1")], &[]), None);
    let grants = house.granted();
    assert_eq!(on(&house, &grants), counts(&[("d", 1)]));
    house.crash(2);
}

#[test]
fn a_taint_keeps_out_who_does_not_tolerate_it() {
    let mut house = house(&[("kept", offers(4, &[], &["reserved"]))]);
    house.submit(asking(3, Constraints::default()), |_| {});
    let grants = house.granted();
    let plain = on(&house, &grants);
    assert!(!plain.contains_key("kept"), "{plain:?}");
    let tolerate = ["reserved".into()].into();
    house.submit(asking(3, Constraints { tolerate, ..Constraints::default() }), |_| {});
    let grants = house.granted();
    assert_eq!(on(&house, &grants)["kept"], 3);
}

#[test]
fn what_no_worker_may_take_says_what_each_lacks_and_fails_in_the_end() {
    let mut house = house(&[
        ("slow", offers(2, &[("disk", "hdd")], &[])),
        ("kept", offers(2, &[("disk", "ssd")], &["reserved"])),
    ]);
    let select = [selector("disk", &["ssd"])].into();
    let run = house.submit(asking(1, Constraints { select, ..Constraints::default() }), |_| {});
    let waits = waiting(&house, run, 1);
    let [Blocker::NeverFits { misses, .. }] = &waits[..] else { panic!("{waits:?}") };
    let state = house.engine.state();
    let lack = |name: &str| {
        let (worker, _) = state.worker_named(name).expect("known");
        let Some(Miss { lack, .. }) = misses.iter().find(|miss| miss.worker == worker) else {
            panic!("{misses:?}")
        };
        lack.clone()
    };
    let disk = || Lack::Site(Obstacle::Label(selector("disk", &["ssd"])));
    assert_eq!((lack("w"), lack("slow")), (disk(), disk()));
    assert_eq!(lack("kept"), Lack::Site(Obstacle::Taint("reserved".into())));
    house.after(UNSATISFIABLE_GRACE);
    assert_eq!(house.task(run, 0), Failed);
}

#[test]
fn what_is_liked_comes_first_and_is_given_up_for_an_earlier_end() {
    let mut house = house(&[
        ("a", offers(2, &[("disk", "hdd")], &[])),
        ("b", offers(2, &[("disk", "ssd")], &[])),
    ]);
    let prefer: Box<[Selector]> = [selector("disk", &["ssd"])].into();
    let liking = || Constraints { prefer: prefer.clone(), ..Constraints::default() };
    house.submit(asking(2, liking()), |_| {});
    let grants = house.granted();
    assert_eq!(on(&house, &grants), counts(&[("b", 2)]));
    house.submit(asking(2, liking()), |_| {});
    let grants = house.granted();
    assert_eq!(on(&house, &grants).values().sum::<usize>(), 2, "nobody waits for it");
}

#[test]
fn items_spread_over_the_values_of_a_label() {
    let zone = |zone| offers(4, &[("zone", zone)], &[]);
    let mut house = house(&[("a1", zone("a")), ("a2", zone("a")), ("b1", zone("b"))]);
    let spread = Some(Domain::Label("zone".into()));
    house.submit(asking(6, Constraints { spread, ..Constraints::default() }), |_| {});
    let grants = house.granted();
    let there = on(&house, &grants);
    // `w` has no zone, which is a group as well, and room for one.
    let of = |name: &str| there.get(name).copied().unwrap_or(0);
    assert_eq!(of("w") + of("b1") + of("a1") + of("a2"), 6);
    assert_eq!(of("w"), 1, "{there:?}");
    assert_eq!(of("b1").abs_diff(of("a1") + of("a2")), 1, "{there:?}");
}

#[test]
fn items_stay_where_others_of_their_task_are_as_long_as_there_are_any() {
    let zone = |cores, zone| offers(cores, &[("zone", zone)], &[]);
    let mut house = house(&[("a1", zone(1, "a")), ("b1", zone(1, "b")), ("b2", zone(1, "b"))]);
    let together = Some(Domain::Label("zone".into()));
    let run = house.submit(asking(4, Constraints { together, ..Constraints::default() }), |_| {});
    let first = house.granted();
    assert_eq!(on(&house, &first), counts(&[("b1", 1), ("b2", 1)]), "where there is most room");
    let domain = Domain::Label("zone".into());
    assert_eq!(waiting(&house, run, 4), [Blocker::Apart { domain: domain.clone() }]);
    let worker = |house: &House, grant: &Grant| {
        on(house, std::slice::from_ref(grant)).into_keys().next().expect("it is somewhere")
    };
    let (one, other) = (worker(&house, &first[0]), worker(&house, &first[1]));
    end(&mut house, &one, &first[0], 1);
    let next = house.granted();
    assert_eq!(on(&house, &next), counts(&[(&*one, 1)]), "the room elsewhere is left");
    // A new leader knows where they are.
    house.crash(2);
    assert_eq!(house.granted().len(), 0);
    for name in ["w", "a1", "b1", "b2"] {
        house.greet(name, zone(1, if name == "a1" { "a" } else { "b" }), Some(Span::secs(600)));
    }
    assert_eq!(house.granted().len(), 0, "their zone is full");
    end(&mut house, &other, &first[1], 1);
    let last = house.granted();
    assert_eq!(on(&house, &last), counts(&[(&*other, 1)]));
    for (worker, grant, number) in [(&one, &next[0], 1), (&other, &last[0], 2)] {
        end(&mut house, worker, grant, number);
    }
    assert_eq!(house.task(run, 0), Succeeded);
}

#[test]
fn another_task_of_the_class_is_not_held_up_by_one_that_is_bound() {
    let zone = |zone| offers(1, &[("zone", zone)], &[]);
    let mut house = house(&[("a1", zone("a")), ("b1", zone("b"))]);
    let together = || Constraints { together: Some(Domain::Node), ..Constraints::default() };
    let bound = house.submit(asking(3, together()), |_| {});
    assert_eq!(house.granted().len(), 1);
    let other = house.submit(asking(2, together()), |_| {});
    assert_eq!(house.granted().len(), 1, "on another node");
    let third = house.submit(asking(1, together()), |_| {});
    assert_eq!(house.granted().len(), 1, "on the third");
    for run in [bound, other] {
        assert!(!waiting(&house, run, 2).is_empty());
    }
    assert_eq!(house.status(third), model::RunStatus::Running);
}
