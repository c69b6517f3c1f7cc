//! Scenarios of what all runs share: locks, budgets and deadlines.

use engine::Answer;
use model::control::{ControlAnswer, EdgeCondition, Join, Kind};
use model::fact::{Fact, Restored, StopCause};
use model::graph::GraphParts;
use model::message::{AttemptEvent, Grant, Report, StopKind};
use model::policy::{FailurePolicy, Priority, Trigger};
use model::shared::{Deadline, Lock, Shared, Spending, Unit};
use model::status::TaskStatus::{Cancelled, Ready, Running, Skipped, Succeeded, TimedOut};
use model::wait::Blocker;
use model::{IdSet, ItemId, Outcome, RunId, RunStatus, Span, TaskId, TaskKey, Timestamp};

use crate::control::with;
use crate::house::{FAILED, House, graph};

fn ok(_: &Grant) -> Outcome {
    Outcome::Succeeded
}

fn lock(holders_max: u32) -> Shared {
    Shared { locks: [Lock { name: "db".into(), holders_max }].into(), ..Shared::default() }
}

fn rate(amount: u32, limit: u32, per: Span) -> Shared {
    let spending = Spending { name: "api".into(), unit: Unit::Attempts, amount, limit, per };
    Shared { budgets: [spending].into(), ..Shared::default() }
}

/// A fan-out of `items` that all take `shared`.
pub fn sharing(items: u32, shared: Shared) -> GraphParts {
    let parts = GraphParts { fan_outs: vec![(0, items)], ..graph(1, &[]) };
    with(parts, 0, |p| p.shared = shared)
}

pub fn blockers(house: &House, run: RunId, item: u32) -> Vec<Blocker> {
    let key = TaskKey { run, task: TaskId(0) }.item(ItemId(item));
    house.engine.explain(key).expect("known").blockers
}

#[test]
fn a_lock_is_held_from_the_lease_to_the_end_over_all_runs() {
    let mut house = House::new(8);
    let first = house.submit(sharing(3, lock(2)), |_| {});
    let second = house.submit(sharing(2, lock(2)), |_| {});
    let grants = house.granted();
    assert_eq!(grants.len(), 2, "two hold it, though there is room for eight");
    let blocked = blockers(&house, second, 0);
    let holders: Vec<_> = grants.iter().map(|grant| grant.attempt.key).collect();
    assert_eq!(blocked[0], Blocker::Lock { name: "db".into(), holders, limit: 2 });
    assert!(matches!(blockers(&house, first, 2)[0], Blocker::Lock { .. }));
    house.crash(2);
    house.hello("w", 8, Some(Span::secs(60)));
    assert_eq!(house.engine.state().shares().held("db"), 2, "leases hold it, not the leader");
    assert!(house.granted().is_empty());
    house.end(&grants[0], Outcome::Succeeded);
    assert_eq!(house.granted_tasks(), [(0, 2)], "what is released is taken at once");
    house.end(&grants[1], FAILED);
    assert_eq!(house.status(first), RunStatus::Stopping);
    assert_eq!(house.granted_tasks(), [(0, 0)], "and the other run has its turn");
}

#[test]
fn a_lock_holds_nobody_up_who_does_not_ask_for_it() {
    let mut house = House::new(2);
    let run = house.submit(sharing(2, lock(1)), |_| {});
    let other = house.submit(graph(1, &[]), |_| {});
    let grants = house.granted();
    let runs: Vec<_> = grants.iter().map(|grant| grant.attempt.key.run).collect();
    assert_eq!(runs, [run, other]);
    assert_eq!(house.engine.state().lease_count(), 2);
}

#[test]
fn each_file_sees_all_holders_by_its_own_number_and_theirs() {
    let mut house = House::new(8);
    let wide = house.submit(sharing(2, lock(3)), |_| {});
    let narrow = house.submit(sharing(2, lock(1)), |_| {});
    let grants = house.granted();
    assert!(grants.iter().all(|grant| grant.attempt.key.run == wide) && grants.len() == 2);
    house.end(&grants[0], Outcome::Succeeded);
    assert!(house.granted().is_empty(), "one holds it, and the narrow one says one");
    house.end(&grants[1], Outcome::Succeeded);
    let one = house.granted();
    assert_eq!((one.len(), one[0].attempt.key.run), (1, narrow));
    let more = house.submit(sharing(9, lock(3)), |_| {});
    let more: Vec<_> =
        house.granted().into_iter().filter(|grant| grant.attempt.key.run == more).collect();
    assert_eq!(more.len(), 0, "who holds it now says one");
    house.end(&one[0], Outcome::Succeeded);
    let next = house.granted();
    assert!(next.len() == 1 || next.len() == 3, "one alone, or three of the wide");
}

#[test]
fn what_takes_a_lock_is_not_lent_ahead() {
    let mut house = House::new(1);
    let plain = house.submit(GraphParts { fan_outs: vec![(0, 40)], ..graph(1, &[]) }, |_| {});
    let mut most = 0;
    while house.status(plain) == RunStatus::Running {
        let held = house.granted();
        most = most.max(held.len());
        house.end_quickly(&held);
    }
    assert!(most > 10, "short work is lent ahead of room");
    house.submit(sharing(9, lock(9)), |_| {});
    assert_eq!(house.granted().len(), 1);
}

#[test]
fn a_budget_is_spent_and_fills_up_again() {
    let mut house = House::new(64);
    // Ten a minute, two at a time.
    let run = house.submit(sharing(7, rate(2, 10, Span::secs(60))), |_| {});
    assert_eq!(house.granted().len(), 5);
    let begun = house.now;
    let until = begun + Span::secs(12);
    let refused = Blocker::Budget { name: "api".into(), until };
    assert_eq!(blockers(&house, run, 5), [refused]);
    assert_eq!(house.engine.next_deadline(), Some(begun + Span::secs(12)), "it plans again then");
    let snapshot = house.engine.snapshot();
    let kept = snapshot.iter().filter_map(|(.., fact)| match fact {
        Fact::Restored(piece) => match &**piece {
            Restored::Budget { name, full_at } => Some((name.clone(), *full_at)),
            _ => None,
        },
        _ => None,
    });
    assert!(kept.eq([("api".into(), begun + Span::secs(60))]));
    house.crash(2);
    house.now = begun + Span(11_999_999);
    house.hello("w", 64, Some(Span::secs(60)));
    assert!(house.granted().is_empty());
    assert_eq!(house.engine.next_deadline(), Some(until));
    house.after(Span(1));
    assert_eq!(house.granted_tasks(), [(0, 5)], "without anything else happening");
}

#[test]
fn a_retry_spends_again_and_a_lease_that_is_returned_gives_nothing_back() {
    let mut house = House::new(8);
    let parts = with(sharing(1, rate(1, 2, Span::secs(60))), 0, |p| {
        (p.shared, p.retry.limit) = (rate(1, 2, Span::secs(60)), 3);
    });
    let run = house.submit(parts, |_| {});
    let first = house.granted().remove(0);
    house.report(vec![Report { lease: first.lease(), event: AttemptEvent::Returned }]);
    let second = house.granted().remove(0);
    house.end(&second, FAILED);
    house.after(Span::secs(2));
    assert!(house.granted().is_empty(), "its pause is over, the budget is spent");
    assert!(matches!(blockers(&house, run, 0)[0], Blocker::Budget { .. }));
    house.now = house.now + Span::secs(28);
    house.hello("w", 8, Some(Span::secs(60)));
    house.after(Span::ZERO);
    assert_eq!(house.granted_tasks(), [(0, 0)]);
}

#[test]
fn many_due_attempts_of_a_task_at_its_limit_stand_in_nobodys_way() {
    let mut house = House::new(1_000);
    let limited = GraphParts { fan_outs: vec![(0, 9_000)], ..graph(1, &[]) };
    let limited = with(limited, 0, |p| (p.retry.limit, p.concurrency) = (9, Some(500)));
    house.submit(limited, |_| {});
    for _ in 0..12 {
        let grants = house.granted();
        let ends = grants.iter().map(|grant| Report {
            lease: grant.lease(),
            event: AttemptEvent::Ended {
                outcome: FAILED,
                end: Default::default(),
                tasks: None,
                retry_after: None,
            },
        });
        house.report(ends.collect());
    }
    house.hello("w", 1_000, Some(Span::secs(600)));
    house.after(Span::secs(2));
    let retried = with(graph(1, &[]), 0, |p| p.retry.limit = 1);
    let other = house.submit(retried, |run| run.failure = FailurePolicy::Continue);
    let own: Vec<_> =
        house.granted().into_iter().filter(|grant| grant.attempt.key.run == other).collect();
    house.end(&own[0], FAILED);
    house.granted();
    house.hello("w", 1_000, Some(Span::secs(600)));
    house.after(Span::secs(2));
    let again = house.granted();
    assert!(again.iter().any(|grant| grant.attempt.key.run == other), "its second attempt");
}

#[test]
fn the_more_urgent_goes_first_whatever_waits_for_its_next_attempt() {
    let mut house = House::new(8);
    let parts = with(sharing(6, lock(1)), 0, |p| (p.shared, p.retry.limit) = (lock(1), 3));
    let run = house.submit(parts, |run| run.priority = Priority(10));
    for _ in 0..5 {
        let grant = house.granted().remove(0);
        house.end(&grant, FAILED);
    }
    house.after(Span::secs(2));
    let last = house.granted().remove(0);
    assert_eq!(last.attempt.key.run, run);
    let urgent = house.submit(sharing(2, lock(1)), |_| {});
    house.end(&last, Outcome::Succeeded);
    assert_eq!(house.granted().remove(0).attempt.key.run, urgent);
}

/// By when a task must have ended, from admission.
fn until(seconds: u64) -> Option<Deadline> {
    Some(Deadline::After(Span::secs(seconds)))
}

#[test]
fn what_has_not_begun_by_its_deadline_does_not_begin() {
    let mut house = House::new(1);
    // 1 waits for 0, 2 for room; 3 counts on the end of 2.
    let mut parts = graph(4, &[(0, 1), (2, 3)]);
    parts.conditions = vec![EdgeCondition::Succeeded, EdgeCondition::Finished];
    let parts = with(with(parts, 1, |p| p.deadline = until(5)), 2, |p| p.deadline = until(5));
    let run = house.submit(parts, |run| run.failure = FailurePolicy::Continue);
    let grant = house.granted().remove(0);
    house.start(&grant);
    assert_eq!(house.engine.next_deadline(), Some(house.now + Span::secs(5)));
    house.after(Span::secs(5));
    assert_eq!(house.statuses(run), [Running, TimedOut, TimedOut, Ready]);
    house.crash(2);
    house.hello("w", 1, Some(Span::secs(60)));
    house.end(&grant, Outcome::Succeeded);
    assert_eq!(house.work(ok), [(3, 0)]);
    assert_eq!(house.status(run), RunStatus::Failed);
    let passed = house.journal.iter().filter(|it| matches!(it.2, Fact::DeadlinePassed { .. }));
    assert_eq!(passed.count(), 1);
}

#[test]
fn one_item_that_runs_out_of_time_stops_a_run_that_fails_fast() {
    let mut house = House::new(1);
    let parts = GraphParts { fan_outs: vec![(0, 2)], ..graph(1, &[]) };
    let parts = with(parts, 0, |p| p.deadline = until(5));
    let run = house.submit(parts, |run| run.failure = FailurePolicy::FailFast);
    let grant = house.granted().remove(0);
    house.start(&grant);
    house.after(Span::secs(5));
    assert_eq!(house.engine.state().run(run).unwrap().cause(), Some(StopCause::TaskFailed));
}

#[test]
fn who_holds_a_lock_alone_shares_it_with_nobody() {
    let mut house = House::new(8);
    let parts = with(graph(3, &[]), 0, |p| (p.shared, p.priority) = (lock(1), Priority::MAX));
    let parts = with(with(parts, 1, |p| p.shared = lock(3)), 2, |p| p.shared = lock(3));
    let run = house.submit(parts, |_| {});
    let first = house.granted().remove(0);
    assert_eq!(first.attempt.key.task, TaskId(0));
    assert_eq!(house.statuses(run)[1..], [Ready, Ready]);
    house.start(&first);
    house.end(&first, Outcome::Succeeded);
    assert_eq!(house.granted_tasks(), [(1, 0), (2, 0)]);
}

#[test]
fn what_runs_at_its_deadline_is_told_to_end_and_not_tried_again() {
    let mut house = House::new(1);
    let parts = GraphParts { fan_outs: vec![(0, 3)], ..graph(1, &[]) };
    let parts = with(parts, 0, |p| {
        (p.deadline, p.retry.limit, p.timeout) = (until(5), 9, Some(Span::secs(60)));
    });
    let run = house.submit(parts, |run| run.failure = FailurePolicy::Continue);
    let grant = house.granted().remove(0);
    house.start(&grant);
    house.after(Span::secs(5));
    assert_eq!(house.stops, [(grant.lease(), StopKind::TimeOut)]);
    assert_eq!(house.item(run, 0, 1).status(), TimedOut);
    house.crash(2);
    house.hello("w", 1, Some(Span::secs(60)));
    house.after(Span::secs(1));
    house.end(&grant, Outcome::TimedOut);
    assert_eq!(house.task(run, 0), TimedOut);
    assert_eq!(house.status(run), RunStatus::Failed);
}

#[test]
fn what_is_given_back_or_fails_after_its_deadline_is_over() {
    for (event, expected) in [
        (AttemptEvent::Returned, TimedOut),
        (
            AttemptEvent::Ended {
                outcome: FAILED,
                end: Default::default(),
                tasks: None,
                retry_after: None,
            },
            model::TaskStatus::Failed,
        ),
        (
            AttemptEvent::Ended {
                outcome: Outcome::Succeeded,
                end: Default::default(),
                tasks: None,
                retry_after: None,
            },
            Succeeded,
        ),
    ] {
        let mut house = House::new(1);
        let parts = with(graph(1, &[]), 0, |p| {
            (p.deadline, p.retry.limit, p.timeout) = (until(5), 9, Some(Span::secs(60)));
        });
        let run = house.submit(parts, |_| {});
        let grant = house.granted().remove(0);
        house.after(Span::secs(5));
        if event != AttemptEvent::Returned {
            house.start(&grant);
        }
        house.report(vec![Report { lease: grant.lease(), event }]);
        assert_eq!(house.task(run, 0), expected);
        assert!(house.granted().is_empty());
    }
}

#[test]
fn a_retry_starts_the_time_anew_unless_the_deadline_is_a_date() {
    let mut house = House::new(1);
    let parts = with(graph(2, &[]), 0, |p| p.deadline = until(5));
    let date = house.now + Span::secs(8);
    let parts = with(parts, 1, |p| p.deadline = Some(Deadline::At(date)));
    let run = house.submit(parts, |run| run.failure = FailurePolicy::Continue);
    house.grants.clear();
    house.stop(run, StopCause::Stopped);
    house.after(Span::secs(10));
    let held = house.engine.state().lease_count();
    assert_eq!((held, house.task(run, 1)), (1, Cancelled));
    house.hello("w", 1, Some(Span::secs(60)));
    let key = TaskKey { run, task: TaskId(0) }.item(ItemId(0));
    let token = house.engine.state().lease(key).expect("held").token;
    let lease = model::message::LeaseId { item: key, token };
    let (outcome, end) = (Outcome::Cancelled, Default::default());
    house.report(vec![Report {
        lease,
        event: AttemptEvent::Ended { outcome, end, tasks: None, retry_after: None },
    }]);
    assert_eq!(house.status(run), RunStatus::Cancelled);
    house.retry(run, None);
    assert_eq!(house.task(run, 1), TimedOut, "its date has passed");
    house.after(Span::secs(4));
    assert_eq!(house.work(ok), [(0, 0)], "four seconds of five");
}

#[test]
fn waits_questions_and_handlers_have_deadlines_in_their_time() {
    let mut house = House::new(1);
    let parts = with(graph(4, &[]), 0, |p| {
        p.kind = Kind::Signal { timeout: None, otherwise: model::control::Verdict::Expired };
        p.deadline = until(5);
    });
    let parts = with(parts, 1, |p| (p.asks, p.deadline) = (true, until(5)));
    let parts = with(parts, 2, |p| {
        (p.trigger, p.deadline) = (Trigger::Failure, until(5));
    });
    let run = house.submit(parts, |run| run.failure = FailurePolicy::Continue);
    let grant = house.granted().remove(0);
    house.after(Span::secs(5));
    assert_eq!(house.statuses(run)[..2], [TimedOut, TimedOut]);
    assert_eq!(house.task(run, 2), model::TaskStatus::Pending, "it is not its time");
    house.answer(1, ControlAnswer::Begin);
    assert_eq!(house.task(run, 1), TimedOut, "too late");
    house.end(&grant, Outcome::Succeeded);
    assert_eq!(house.task(run, 2), TimedOut, "it does not begin after its deadline");
    assert_eq!(house.status(run), RunStatus::Failed);
}

#[test]
fn a_turn_after_the_deadline_does_not_begin() {
    let mut house = House::new(1);
    let looped = with(graph(3, &[(0, 1), (1, 2)]), 1, |p| {
        p.kind = Kind::Loop { first: TaskId(0), turns_max: 9 };
        p.join = Join::AllDone;
    });
    let run = house.submit(with(looped, 0, |p| p.deadline = until(5)), |_| {});
    house.work(ok);
    house.after(Span::secs(6));
    house.answer(1, ControlAnswer::Again);
    assert_eq!(house.statuses(run), [TimedOut, model::TaskStatus::Failed, Skipped]);
    assert_eq!(house.status(run), RunStatus::Failed);
}

#[test]
fn an_edit_moves_a_deadline() {
    let mut house = House::new(1);
    let parts = graph(2, &[(0, 1)]);
    let run = house.submit(parts.clone(), |_| {});
    let grant = house.granted().remove(0);
    let late = with(parts, 1, |p| p.deadline = Some(Deadline::At(Timestamp(1))));
    assert_eq!(house.amend_to(run, late), Answer::Amended);
    assert_eq!(house.task(run, 1), TimedOut);
    house.end(&grant, Outcome::Succeeded);
    assert_eq!(house.status(run), RunStatus::Failed);
    assert_eq!(house.retry_items(run, 0, IdSet::one(0)), Answer::Reopened { tasks: 2 });
}
