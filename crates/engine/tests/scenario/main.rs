//! Scenarios: what is told to the engine, and what must have become of it. Each step is checked
//! against replay and snapshot by the [`house`].

mod alternatives;
mod amend;
mod calls;
mod chance;
mod control;
mod gangs;
mod grown;
mod house;
mod lane;
mod lent;
mod mark;
mod paused;
mod preempted;
mod sharing;
mod sites;
mod suppose;
mod ways;

use engine::{Answer, Rejection};
use house::{FAILED, House, cpu, graph};
use model::fact::StopCause;
use model::limits::{ATTEMPT_LEASE, UNSATISFIABLE_GRACE};
use model::message::{Grant, News, StopKind};
use model::outcome::Outcome;
use model::policy::{FailurePolicy, Policy, RetryPolicy, Trigger};
use model::status::TaskStatus::{
    Cancelled, Failed, Retrying, Skipped, Succeeded, Terminated, TimedOut,
};
use model::wait::{Blocker, Lack};
use model::{Attempt, Digest, ItemId, RunStatus, Span, TaskId, TaskKey, Token};

fn ok(_: &Grant) -> Outcome {
    Outcome::Succeeded
}

#[test]
fn a_diamond_runs_in_the_order_of_its_edges() {
    let mut house = House::new(4);
    let run = house.submit(graph(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]), |_| {});
    assert_eq!(house.work(ok), [(0, 0), (1, 0), (2, 0), (3, 0)]);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn a_fan_out_is_one_node_and_empty_ones_pass() {
    let mut house = House::new(3);
    let mut parts = graph(4, &[(0, 1), (1, 2), (2, 3)]);
    parts.fan_outs = vec![(1, 5), (2, 0)];
    let run = house.submit(parts, |_| {});
    let order = house.work(ok);
    assert_eq!(order.len(), 1 + 5 + 1);
    assert_eq!((order[0], order[6]), ((0, 0), (3, 0)));
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn the_longer_path_goes_first_and_priority_goes_before_it() {
    let mut house = House::new(1);
    let mut parts = graph(5, &[(2, 3), (3, 4)]);
    parts.policies.push(Policy { priority: model::policy::Priority(90), ..Policy::default() });
    parts.policy_of[1] = 1;
    house.submit(parts, |_| {});
    assert_eq!(house.work(ok), [(1, 0), (2, 0), (3, 0), (0, 0), (4, 0)]);
}

#[test]
fn the_same_idempotency_key_is_the_same_run() {
    let mut house = House::new(1);
    let key = |run: &mut model::fact::RunAdmitted| run.key = Some(Digest([9; 32]));
    let first = house.submit(graph(1, &[]), key);
    let second = house.submit(graph(3, &[]), key);
    assert_eq!(first, second);
    house.crash(2);
    assert_eq!(house.submit(graph(1, &[]), key), first);
}

#[test]
fn a_failure_stops_a_run_that_fails_fast() {
    let mut house = House::new(2);
    let run = house.submit(graph(4, &[(0, 2), (1, 3)]), |_| {});
    let grants = house.granted();
    house.start(&grants[0]);
    house.start(&grants[1]);
    house.end(&grants[0], FAILED);
    assert_eq!(house.status(run), RunStatus::Stopping);
    assert_eq!(house.stops, [(grants[1].lease(), StopKind::Cancel)]);
    house.end(&grants[1], Outcome::Cancelled);
    assert_eq!(house.statuses(run), [Failed, Cancelled, Skipped, Cancelled]);
    assert_eq!(house.status(run), RunStatus::Failed);
}

#[test]
fn a_failure_skips_only_what_depends_on_it_where_the_run_goes_on() {
    let mut house = House::new(2);
    let parts = graph(5, &[(0, 2), (1, 3), (2, 4)]);
    let run = house.submit(parts, |run| run.failure = FailurePolicy::Continue);
    house.work(
        |grant| if grant.attempt.key.task == TaskId(0) { FAILED } else { Outcome::Succeeded },
    );
    assert_eq!(house.statuses(run), [Failed, Succeeded, Skipped, Succeeded, Skipped]);
    assert_eq!(house.status(run), RunStatus::Failed);
}

#[test]
fn a_fan_out_that_goes_on_fails_when_its_last_item_has_ended() {
    let mut house = House::new(1);
    let mut parts = graph(2, &[(0, 1)]);
    parts.fan_outs = vec![(0, 3)];
    let run = house.submit(parts, |run| run.failure = FailurePolicy::Continue);
    let order =
        house.work(
            |grant| if grant.attempt.key.item == ItemId(0) { FAILED } else { Outcome::Succeeded },
        );
    assert_eq!(order, [(0, 0), (0, 1), (0, 2)]);
    assert_eq!(house.statuses(run), [Failed, Skipped]);
}

fn retrying(limit: u8) -> Policy {
    Policy { retry: RetryPolicy { limit, ..RetryPolicy::default() }, ..Policy::default() }
}

#[test]
fn a_failure_is_tried_again_after_its_backoff_and_not_before() {
    let mut house = House::new(1);
    let mut parts = graph(1, &[]);
    parts.policies = vec![retrying(1)];
    let run = house.submit(parts, |_| {});
    house.work(|_| FAILED);
    assert_eq!(house.task(run, 0), Retrying);
    house.after(Span::millis(400));
    assert!(house.granted().is_empty(), "never early (S8)");
    let due = house.engine.next_deadline().expect("a retry is due");
    house.now = due;
    house.after(Span::ZERO);
    let grants = house.granted();
    assert_eq!(grants[0].attempt.attempt, Attempt(2));
    house.end(&grants[0], FAILED);
    assert_eq!(house.task(run, 0), Failed);
    assert_eq!(house.status(run), RunStatus::Failed);
}

#[test]
fn an_attempt_that_overruns_is_ended_and_timed_out() {
    let mut house = House::new(1);
    let mut parts = graph(1, &[]);
    parts.policies[0].timeout = Some(Span::secs(5));
    let run = house.submit(parts, |_| {});
    let grants = house.granted();
    house.after(Span::secs(20));
    assert!(house.stops.is_empty(), "counted from the start");
    house.start(&grants[0]);
    house.after(Span::millis(4_999));
    assert!(house.stops.is_empty(), "never early (S8)");
    house.after(Span::millis(1));
    assert_eq!(house.stops, [(grants[0].lease(), StopKind::TimeOut)]);
    house.end(&grants[0], Outcome::TimedOut);
    assert_eq!((house.task(run, 0), house.status(run)), (TimedOut, RunStatus::Failed));
}

#[test]
fn a_run_out_of_time_is_stopped_and_fails() {
    let mut house = House::new(1);
    let run = house.submit(graph(2, &[]), |run| run.timeout = Some(Span::secs(3)));
    let grants = house.granted();
    house.start(&grants[0]);
    house.after(Span::secs(3));
    assert_eq!(house.status(run), RunStatus::Stopping);
    house.end(&grants[0], Outcome::Cancelled);
    assert_eq!(house.status(run), RunStatus::Failed);
}

fn with_handlers() -> model::graph::GraphParts {
    let mut parts = graph(5, &[]);
    for trigger in [Trigger::Success, Trigger::Failure, Trigger::Cancel, Trigger::Exit] {
        parts.policies.push(Policy { trigger, ..Policy::default() });
    }
    parts.policy_of = vec![0, 1, 2, 3, 4];
    parts
}

#[test]
fn handlers_run_by_how_the_run_went() {
    for (outcome, statuses) in [
        (Outcome::Succeeded, [Succeeded, Succeeded, Skipped, Skipped, Succeeded]),
        (FAILED, [Failed, Skipped, Succeeded, Skipped, Succeeded]),
    ] {
        let mut house = House::new(2);
        let run = house.submit(with_handlers(), |_| {});
        let first = |grant: &Grant| grant.attempt.key.task == TaskId(0);
        house.work(|grant| if first(grant) { outcome } else { Outcome::Succeeded });
        assert_eq!(house.statuses(run), statuses);
    }
}

#[test]
fn stop_lets_handlers_run_and_terminate_does_not() {
    let mut house = House::new(2);
    let run = house.submit(with_handlers(), |_| {});
    let grants = house.granted();
    house.start(&grants[0]);
    house.stop(run, StopCause::Stopped);
    assert_eq!(house.stops.pop(), Some((grants[0].lease(), StopKind::Cancel)));
    house.end(&grants[0], Outcome::Cancelled);
    assert_eq!(house.granted_tasks(), [(3, 0), (4, 0)]);
    house.stop(run, StopCause::Terminated);
    assert_eq!(house.stops.len(), 2, "handlers are killed, too");

    let mut house = House::new(2);
    let run = house.submit(with_handlers(), |_| {});
    let grants = house.granted();
    house.start(&grants[0]);
    house.stop(run, StopCause::Terminated);
    house.end(&grants[0], Outcome::Terminated);
    assert_eq!(house.statuses(run), [Terminated; 5]);
    assert_eq!(house.status(run), RunStatus::Cancelled);
}

#[test]
fn nothing_is_granted_after_an_acknowledged_stop() {
    let mut house = House::new(1);
    let run = house.submit(graph(3, &[]), |_| {});
    let grants = house.granted();
    house.stop(run, StopCause::Stopped);
    house.end(&grants[0], Outcome::Succeeded);
    assert!(house.granted().is_empty(), "S11");
    assert_eq!(house.statuses(run), [Succeeded, Cancelled, Cancelled]);
}

#[test]
fn a_lost_worker_s_work_is_done_again_and_its_late_result_is_refused() {
    let mut house = House::new(1);
    let run = house.submit(graph(1, &[]), |_| {});
    let old = house.granted();
    house.start(&old[0]);
    house.after(ATTEMPT_LEASE);
    assert_eq!(house.task(run, 0), Retrying);
    house.hello("w", 1, Some(Span::secs(60)));
    let new = house.granted();
    assert!(new[0].token > old[0].token);
    house.end(&old[0], Outcome::Succeeded);
    assert_eq!((house.refused, house.task(run, 0)), (1, model::TaskStatus::Leased));
    house.end(&new[0], Outcome::Succeeded);
    assert_eq!(house.item(run, 0, 0).losses(), 1);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn losses_have_a_limit_of_their_own() {
    let mut house = House::new(1);
    let mut parts = graph(1, &[]);
    parts.policies[0].retry.loss_limit = 2;
    let run = house.submit(parts, |_| {});
    for _ in 0..3 {
        let grants = house.granted();
        house.start(&grants[0]);
        house.after(ATTEMPT_LEASE);
        house.hello("w", 1, Some(Span::secs(60)));
    }
    assert_eq!(house.task(run, 0), Failed);
}

#[test]
fn a_new_leader_keeps_what_runs_and_a_worker_in_the_old_process_is_lost() {
    let mut house = House::new(1);
    house.hello("inside", 1, None);
    let run = house.submit(graph(2, &[]), |_| {});
    let grants = house.granted();
    let [outside, inside] = &grants[..] else { panic!("{grants:?}") };
    house.start(outside);
    house.now = house.now + Span::secs(50);
    house.crash(2);
    assert_eq!(house.task(run, inside.attempt.key.task.0), Retrying);
    house.after(Span::secs(50));
    assert_eq!(house.task(run, outside.attempt.key.task.0), model::TaskStatus::Running);
    house.hello("w", 1, Some(Span::secs(60)));
    house.end(outside, Outcome::Succeeded);
    assert_eq!(house.task(run, outside.attempt.key.task.0), Succeeded);
}

#[test]
fn a_beat_mends_lost_orders_and_revokes_what_is_not_held() {
    let mut house = House::new(1);
    house.submit(graph(1, &[]), |_| {});
    let grants = house.granted();
    house.now = house.now + Span::secs(3);
    let stale = model::message::LeaseId { item: grants[0].lease().item, token: Token(1) };
    house.say("w", News::Beat { beat: 1, held: vec![stale] });
    assert_eq!(house.stops, [(stale, StopKind::Revoke)]);
    house.now = house.now + Span::secs(3);
    house.say("w", News::Beat { beat: 2, held: vec![] });
    assert_eq!(house.granted()[0].lease(), grants[0].lease());
}

#[test]
fn run_concurrency_is_never_exceeded() {
    let mut house = House::new(8);
    let mut parts = graph(1, &[]);
    parts.fan_outs = vec![(0, 10)];
    let run = house.submit(parts, |run| run.concurrency = Some(3));
    assert_eq!(house.grants.len(), 3);
    let item = TaskKey { run, task: TaskId(0) }.item(ItemId(9));
    let explanation = house.engine.explain(item).expect("known");
    assert_eq!(explanation.blockers, [Blocker::Concurrency { limit: 3 }]);
    assert_eq!(house.work(ok).len(), 10);
}

#[test]
fn a_run_that_has_all_it_may_have_does_not_hide_those_behind_it() {
    let mut house = House::new(4);
    let mut parts = graph(2, &[]);
    parts.fan_outs = vec![(0, 1_000)];
    house.submit(parts, |run| run.concurrency = Some(2));
    house.submit(graph(1, &[]), |_| {});
    let runs: Vec<_> = house.granted().iter().map(|grant| grant.attempt.key.run.0).collect();
    assert_eq!(runs, [1, 1, 2]);
}

#[test]
fn of_a_lost_worker_only_what_it_may_have_started_counts_as_lost() {
    let mut house = House::new(2);
    let mut parts = graph(1, &[]);
    parts.fan_outs = vec![(0, 100)];
    let run = house.submit(parts, |_| {});
    // Short work is lent ahead of room once it is known how long it takes.
    let mut held = house.granted();
    while held.len() <= 10 {
        house.end_quickly(&held);
        held = house.granted();
    }
    house.after(ATTEMPT_LEASE);
    let losses: u32 = (0..100).map(|item| u32::from(house.item(run, 0, item).losses())).sum();
    assert_eq!(losses, 2);
}

#[test]
fn retry_by_hand_runs_what_did_not_succeed_in_a_new_round() {
    let mut house = House::new(2);
    let mut parts = graph(3, &[(0, 1), (1, 2)]);
    parts.fan_outs = vec![(1, 4)];
    let run = house.submit(parts, |run| run.failure = FailurePolicy::Continue);
    house.work(|grant| match (grant.attempt.key.task.0, grant.attempt.key.item.0) {
        (1, 2) => FAILED,
        _ => Outcome::Succeeded,
    });
    assert_eq!(house.status(run), RunStatus::Failed);
    assert_eq!(house.retry(run, None), Answer::Reopened { tasks: 2 });
    assert_eq!(house.work(ok), [(1, 2), (2, 0)]);
    assert_eq!(house.status(run), RunStatus::Succeeded);
    assert_eq!(house.retry(run, None), Answer::Rejected(Rejection::NothingToRetry));
    assert_eq!(house.retry(run, Some(TaskId(1))), Answer::Reopened { tasks: 2 });
    assert_eq!(house.work(ok).len(), 5);
}

#[test]
fn what_never_fits_waits_with_its_nearest_miss_and_then_fails() {
    let mut house = House::new(2);
    let mut parts = graph(2, &[]);
    parts.policies.push(Policy { request: cpu(64_000), ..Policy::default() });
    parts.policy_of[1] = 1;
    let run = house.submit(parts, |run| run.failure = FailurePolicy::Continue);
    house.work(ok);
    let item = TaskKey { run, task: TaskId(1) }.item(ItemId(0));
    let blockers = house.engine.explain(item).expect("known").blockers;
    let [Blocker::NeverFits { misses, .. }] = &blockers[..] else { panic!("{blockers:?}") };
    let Lack::Amount(short) = &misses[0].lack else { panic!("{misses:?}") };
    assert_eq!((&*short.resource, short.asked, short.capacity), ("cpu", 64_000, 2_000));
    house.after(UNSATISFIABLE_GRACE);
    assert_eq!(house.statuses(run), [Succeeded, Failed]);
    assert_eq!(house.status(run), RunStatus::Failed);
}

#[test]
fn what_waits_for_its_next_attempt_fails_when_nobody_can_hold_it_any_more() {
    let mut house = House::new(4);
    let mut parts = graph(1, &[]);
    parts.policies[0] = Policy { request: cpu(4_000), ..retrying(1) };
    parts.policies[0].retry.backoff = Span::secs(3_000);
    parts.policies[0].retry.backoff_max = Span::secs(3_000);
    parts.fan_outs = vec![(0, 2)];
    let run = house.submit(parts, |run| run.failure = FailurePolicy::Continue);
    let grants = house.granted();
    house.end(&grants[0], FAILED);
    assert_eq!(house.item(run, 0, 0).status(), Retrying);
    // The large worker goes, a small one stays.
    house.after(ATTEMPT_LEASE);
    house.hello("small", 1, Some(Span::secs(600)));
    house.after(UNSATISFIABLE_GRACE);
    assert_eq!(house.item(run, 0, 0).status(), Failed);
    assert_eq!(house.status(run), RunStatus::Failed);
    assert!(Retrying.may_become(Failed), "S7");
}

#[test]
fn explain_names_what_is_waited_for() {
    let mut house = House::new(1);
    let run = house.submit(graph(3, &[(0, 1)]), |_| {});
    let explain = |house: &House, task| {
        let item = TaskKey { run, task: TaskId(task) }.item(ItemId(0));
        house.engine.explain(item).expect("known").blockers
    };
    let running = Blocker::Dependency { task: TaskId(0), status: model::TaskStatus::Leased };
    assert_eq!(explain(&house, 1), [running]);
    assert!(matches!(explain(&house, 2)[..], [Blocker::NoRoom { .. }]));
    assert_eq!(explain(&house, 0), []);
}

#[test]
fn what_came_before_there_was_a_worker_goes_by_what_it_takes_of_that() {
    let mut house = House::new(1);
    house.after(ATTEMPT_LEASE);
    let mut submit = |cpu_milli, seconds| {
        let mut parts = graph(1, &[]);
        parts.policies[0].request = cpu(cpu_milli);
        parts.policies[0].expected = Some(Span::secs(seconds));
        house.submit(parts, |_| {})
    };
    let (whole, part) = (submit(1_000, 5), submit(100, 10));
    assert!(house.granted().is_empty(), "there is nobody");
    house.hello("later", 1, None);
    let first: Vec<_> = house.granted().iter().map(|it| it.attempt.key.run).collect();
    assert_eq!(first, [part], "it is less work than {whole}, which came first and is shorter");
}
