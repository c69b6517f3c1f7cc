//! Short work is lent ahead of room, and asked back from where it comes to wait.

use model::Span;
use model::graph::GraphParts;
use model::message::{AttemptEvent, Report, StopKind};

use crate::house::{House, graph};

#[test]
fn what_waits_behind_what_takes_longer_than_ever_begins_elsewhere() {
    let mut house = House::new(1);
    house.submit(GraphParts { fan_outs: vec![(0, 100)], ..graph(1, &[]) }, |_| {});
    let mut held = house.granted();
    while held.len() <= 10 {
        house.end_quickly(&held);
        held = house.granted();
    }
    // The first of them hangs. The others wait behind it, and may have begun by now elsewhere.
    house.start(&held[0]);
    house.after(Span::millis(900));
    assert_eq!(house.stops, []);
    house.after(Span::millis(200));
    let asked: Vec<_> = house.stops.drain(..).collect();
    assert!(asked.iter().all(|it| it.1 == StopKind::Retract), "{asked:?}");
    let waiting: Vec<_> = held[1..].iter().map(|grant| grant.lease()).collect();
    assert_eq!(asked.iter().map(|it| it.0).collect::<Vec<_>>(), waiting);
    // One has begun after all; nothing is lost by having asked.
    house.start(&held[1]);
    let event = AttemptEvent::Returned;
    let back = held[2..].iter().map(|grant| Report { lease: grant.lease(), event: event.clone() });
    house.report(back.collect());
    assert!(house.granted().is_empty(), "nothing is lent behind what is not short");
    house.hello("other", 1, None);
    let elsewhere = house.granted().len();
    assert!(elsewhere >= held[2..].len(), "{elsewhere} of {}", held.len());
}
