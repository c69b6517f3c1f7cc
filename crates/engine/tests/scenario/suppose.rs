//! Why something waited: facts are replayed up to a time that is past, and the planner is asked
//! what it makes of them.

use engine::{Engine, Explanation};
use model::limits::ATTEMPT_LEASE;
use model::outcome::Outcome;
use model::status::TaskStatus::{Leased, Ready, Succeeded};
use model::wait::Blocker;
use model::{Fact, ItemId, RunId, Seq, Span, TaskId, TaskKey};

use crate::house::{House, graph};

fn explain(engine: &Engine, run: RunId, (task, item): (u32, u32)) -> Explanation {
    let item = TaskKey { run, task: TaskId(task) }.item(ItemId(item));
    engine.explain(item).expect("known")
}

/// The place of the first fact that is one of these.
fn place(house: &House, is_it: impl Fn(&Fact) -> bool) -> Seq {
    house.journal.iter().find(|(.., fact)| is_it(fact)).expect("it was recorded").0
}

#[test]
fn what_waited_for_room_says_so_when_all_is_done() {
    let mut house = House::new(1);
    let run = house.submit(graph(3, &[]), |_| {});
    house.work(|_| Outcome::Succeeded);
    let admitted = place(&house, |fact| matches!(fact, Fact::RunAdmitted(_)));
    let before = house.supposed(admitted);
    let first = explain(&before, run, (0, 0));
    assert_eq!((first.status, first.blockers), (Ready, vec![]), "it is what a plan places");
    let leased = place(&house, |fact| matches!(fact, Fact::AttemptsLeased { .. }));
    let then = house.supposed(leased);
    assert_eq!(explain(&then, run, (0, 0)).status, Leased);
    let second = explain(&then, run, (1, 0));
    assert_eq!(second.status, Ready);
    assert!(matches!(second.blockers[..], [Blocker::NoRoom { .. }]), "{second:?}");
    let last = house.journal.last().expect("facts").0;
    assert_eq!(explain(&house.supposed(last), run, (1, 0)).status, Succeeded);
}

#[test]
fn of_a_fan_out_the_first_items_are_placed_and_the_rest_is_refused() {
    let mut house = House::new(2);
    let mut parts = graph(1, &[]);
    parts.fan_outs = vec![(0, 5)];
    let run = house.submit(parts, |_| {});
    let admitted = place(&house, |fact| matches!(fact, Fact::RunAdmitted(_)));
    let then = house.supposed(admitted);
    let waits = |item| !explain(&then, run, (0, item)).blockers.is_empty();
    assert_eq!([0, 1, 2, 3, 4].map(waits), [false, false, true, true, true]);
}

#[test]
fn a_worker_counts_as_alive_until_its_loss_is_recorded() {
    let mut house = House::new(1);
    house.submit(graph(1, &[]), |_| {});
    house.work(|_| Outcome::Succeeded);
    house.after(ATTEMPT_LEASE + Span::secs(1));
    let run = house.submit(graph(1, &[]), |_| {});
    let lost = place(&house, |fact| matches!(fact, Fact::WorkerLost { .. }));
    let last = house.journal.last().expect("facts").0;
    assert!(lost < last);
    let then = house.supposed(last);
    assert_eq!(explain(&then, run, (0, 0)).blockers, [Blocker::NoWorker]);
}
