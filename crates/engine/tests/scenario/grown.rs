//! Scenarios of attempts that had not enough memory, and are followed by ones that ask for more.

use model::graph::GraphParts;
use model::message::{AttemptEvent, Report};
use model::outcome::{Failure, Outcome};
use model::policy::{MemoryGrowth, Priority};
use model::status::TaskStatus::{Failed, Retrying};
use model::{IdSet, Request, RunStatus, Span, TaskId, TaskKey};

use crate::control::with;
use crate::house::{FAILED, House, graph};

const OOM: Outcome = Outcome::Failed(Failure::OutOfMemory);
const GIB: u64 = 1 << 30;

/// A worker of eight cores and as many GiB.
fn house() -> House {
    House::offering(Request { cpu_milli: 8_000, memory_bytes: 8 * GIB, ..Request::default() })
}

/// A fan-out whose items ask for 1 GiB, twice as much each time, up to `max`.
fn growing(items: u32, max_bytes: u64) -> GraphParts {
    let parts = GraphParts { fan_outs: vec![(0, items)], ..graph(1, &[]) };
    with(parts, 0, |p| {
        p.request.memory_bytes = GIB;
        p.retry.limit = 9;
        (p.retry.backoff, p.retry.backoff_max) = (Span(1), Span(1));
        p.retry.memory = Some(MemoryGrowth { factor_milli: 2_000, max_bytes });
    })
}

fn asked(house: &mut House) -> Vec<(u32, u64)> {
    house.after(Span(2));
    let grants = house.granted();
    grants.iter().map(|g| (g.attempt.key.item.0, g.request.memory_bytes / GIB)).collect()
}

#[test]
fn each_attempt_after_one_without_enough_asks_for_more() {
    let mut house = house();
    let run = house.submit(growing(2, 5 * GIB), |_| {});
    let grants = house.granted();
    house.end(&grants[0], OOM);
    house.end(&grants[1], FAILED);
    house.after(Span(2));
    let grants = house.granted();
    let asked = |g: &model::message::Grant| (g.attempt.key.item.0, g.request.memory_bytes / GIB);
    assert_eq!(grants.iter().map(asked).collect::<Vec<_>>(), [(0, 2), (1, 1)]);
    house.crash(2);
    let offers = Request { cpu_milli: 8_000, memory_bytes: 8 * GIB, ..Request::default() };
    house.greet("w", offers, Some(Span::secs(60)));
    house.end(&grants[0], OOM);
    house.after(Span(2));
    let grants = house.granted();
    assert_eq!(grants.iter().map(asked).collect::<Vec<_>>(), [(0, 4)]);
    house.end(&grants[0], OOM);
    house.after(Span(2));
    let grants = house.granted();
    assert_eq!(grants.iter().map(asked).collect::<Vec<_>>(), [(0, 5)], "no more than its cap");
    assert_eq!(house.item(run, 0, 0).growths(), 3);
    house.end(&grants[0], Outcome::Succeeded);
}

#[test]
fn what_no_worker_could_hold_has_failed() {
    let mut house = house();
    let run = house.submit(growing(1, u64::MAX), |_| {});
    for expected in [1, 2, 4, 8] {
        house.after(Span(2));
        let grant = house.granted().remove(0);
        assert_eq!(grant.request.memory_bytes, expected * GIB);
        house.end(&grant, OOM);
    }
    assert_eq!(house.task(run, 0), Failed, "16 GiB fit nowhere");
}

#[test]
fn a_lease_that_is_returned_asks_for_as_much_again() {
    let mut house = house();
    let run = house.submit(growing(3, 8 * GIB), |_| {});
    let grants = house.granted();
    house.end(&grants[1], OOM);
    house.after(Span(2));
    let grown = house.granted().remove(0);
    house.report(vec![Report { lease: grown.lease(), event: AttemptEvent::Returned }]);
    let explained = house.engine.explain(grown.attempt.key).expect("known");
    assert!(explained.blockers.is_empty(), "{:?}", explained.blockers);
    let again = asked(&mut house);
    assert_eq!(again, [(1, 2)]);
    assert_ne!(house.item(run, 0, 1).status(), Retrying);
}

#[test]
fn an_edit_keeps_what_has_grown_and_a_retry_by_hand_begins_anew() {
    let mut house = house();
    let run = house.submit(growing(2, 8 * GIB), |_| {});
    let grants = house.granted();
    house.end(&grants[0], OOM);
    house.end(&grants[1], FAILED);
    let mut urgent = house.amendment(run, None);
    urgent.priority = Priority(90);
    house.amend(urgent);
    assert_eq!(asked(&mut house), [(0, 2), (1, 1)]);
    let mut house = self::house();
    let mut never = growing(1, 8 * GIB);
    never.policies.iter_mut().for_each(|policy| policy.retry.limit = 0);
    let run = house.submit(never, |_| {});
    let grants = house.granted();
    house.end(&grants[0], OOM);
    assert_eq!(house.status(run), RunStatus::Failed);
    house.retry(run, None);
    assert_eq!(asked(&mut house), [(0, 1)]);
}

#[test]
fn what_has_grown_is_stopped_and_marked_as_all_else() {
    let mut house = house();
    let run = house.submit(growing(3, 8 * GIB), |_| {});
    let grants = house.granted();
    house.end(&grants[2], OOM);
    let task = TaskKey { run, task: TaskId(0) };
    house.stop(run, model::fact::StopCause::Stopped);
    assert_eq!(house.item(run, 0, 2).status(), model::TaskStatus::Cancelled);
    let explained = house.engine.explain(task.item(model::ItemId(2)));
    assert!(explained.is_some_and(|it| it.blockers.is_empty()));
    for grant in &grants[..2] {
        house.end(grant, FAILED);
    }
    assert_eq!(house.status(run), RunStatus::Cancelled);
    house.retry_items(run, 0, IdSet::one(2));
    assert_eq!(asked(&mut house), [(2, 1)]);
}
