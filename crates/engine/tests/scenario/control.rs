//! Scenarios of control flow: conditions, joins, questions, decisions, loops, waits and undoing.

use engine::{Answer, Rejection};
use model::control::{ControlAnswer, EdgeCondition, Join, Kind, Verdict};
use model::fact::StopCause;
use model::graph::GraphParts;
use model::message::Grant;
use model::policy::{FailurePolicy, Policy, Trigger};
use model::status::TaskStatus::{
    Cancelled, Failed, Pending, Running, Skipped, Succeeded, TimedOut,
};
use model::wait::Blocker;
use model::{Digest, ItemId, Outcome, Round, RunId, RunStatus, Span, TaskId, TaskKey};

use crate::house::{FAILED, House, graph};

/// Gives a task a policy of its own.
pub fn with(mut parts: GraphParts, task: usize, change: impl FnOnce(&mut Policy)) -> GraphParts {
    let mut policy = Policy::default();
    change(&mut policy);
    parts.policy_of[task] = parts.policies.len() as u32;
    parts.policies.push(policy);
    parts
}

/// Lets one task fail.
fn failing(task: u32) -> impl Fn(&Grant) -> Outcome {
    move |grant| if grant.attempt.key.task == TaskId(task) { FAILED } else { Outcome::Succeeded }
}

fn ok(_: &Grant) -> Outcome {
    Outcome::Succeeded
}

fn first_blocker(house: &House, run: RunId, task: u32) -> Option<Blocker> {
    let item = TaskKey { run, task: TaskId(task) }.item(ItemId(0));
    house.engine.explain(item).expect("known").blockers.first().cloned()
}

/// 0 is waited for in each of the four ways.
fn four_ways() -> GraphParts {
    use EdgeCondition::{Failed, Finished, Skipped, Succeeded};
    let conditions = vec![Succeeded, Failed, Finished, Skipped];
    GraphParts { conditions, ..graph(5, &[(0, 1), (0, 2), (0, 3), (0, 4)]) }
}

#[test]
fn an_edge_waits_for_what_its_condition_says() {
    let mut house = House::new(4);
    let run = house.submit(four_ways(), |_| {});
    house.work(ok);
    assert_eq!(house.statuses(run), [Succeeded, Succeeded, Skipped, Succeeded, Skipped]);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn a_failure_that_somebody_counts_on_neither_stops_nor_fails_a_run() {
    let mut house = House::new(4);
    let run = house.submit(four_ways(), |_| {});
    house.work(failing(0));
    assert_eq!(house.statuses(run), [Failed, Skipped, Succeeded, Succeeded, Skipped]);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn a_failed_task_says_itself_whether_the_others_go_on() {
    let mut house = House::new(1);
    let parts = with(graph(3, &[(0, 1)]), 0, |p| p.failure = Some(FailurePolicy::Continue));
    let run = house.submit(parts, |_| {});
    house.work(failing(0));
    assert_eq!(house.statuses(run), [Failed, Skipped, Succeeded]);
    assert_eq!(house.status(run), RunStatus::Failed);
}

#[test]
fn joins_need_one_some_or_only_the_end_of_all() {
    for (join, with_one_failure, with_two) in [
        (Join::All, Skipped, Skipped),
        (Join::Any, Succeeded, Succeeded),
        (Join::AtLeast(2), Succeeded, Skipped),
        (Join::AllDone, Succeeded, Succeeded),
    ] {
        for (failures, expected) in [(1, with_one_failure), (2, with_two)] {
            let mut house = House::new(1);
            let parts = with(graph(4, &[(0, 3), (1, 3), (2, 3)]), 3, |p| p.join = join);
            let run = house.submit(parts, |run| run.failure = FailurePolicy::Continue);
            house.work(|grant| {
                if grant.attempt.key.task.0 < failures { FAILED } else { Outcome::Succeeded }
            });
            assert_eq!(house.task(run, 3), expected, "{join:?} with {failures} failures");
        }
    }
}

#[test]
fn any_does_not_wait_for_the_others() {
    let mut house = House::new(2);
    let parts = with(graph(3, &[(0, 2), (1, 2)]), 2, |p| p.join = Join::Any);
    let run = house.submit(parts, |_| {});
    let grants = house.granted();
    house.end(&grants[0], Outcome::Succeeded);
    assert_eq!(house.granted_tasks(), [(2, 0)]);
    assert_eq!(house.status(run), RunStatus::Running);
}

#[test]
fn a_skip_goes_through_until_a_join_says_otherwise() {
    let mut house = House::new(1);
    let parts = with(graph(4, &[(0, 1), (1, 2), (2, 3)]), 0, |p| p.asks = true);
    let run = house.submit(with(parts, 3, |p| p.join = Join::AllDone), |_| {});
    assert_eq!(first_blocker(&house, run, 0), Some(Blocker::Question));
    house.answer(0, ControlAnswer::Skip);
    house.work(ok);
    assert_eq!(house.statuses(run), [Skipped, Skipped, Skipped, Succeeded]);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn a_condition_is_asked_once_and_by_the_next_leader_again() {
    let mut house = House::new(1);
    let run = house.submit(with(graph(2, &[(0, 1)]), 1, |p| p.asks = true), |_| {});
    assert!(house.asked.is_empty(), "its dependency has not ended");
    house.work(ok);
    house.after(Span::secs(1));
    assert_eq!(house.asked_tasks(), [1]);
    house.asked.clear();
    house.crash(2);
    house.hello("w", 1, Some(Span::secs(60)));
    assert_eq!(house.asked_tasks(), [1]);
    house.answer(1, ControlAnswer::Begin);
    house.crash(3);
    assert!(house.asked.is_empty(), "an answer is never worked out again");
    house.hello("w", 1, Some(Span::secs(60)));
    house.work(ok);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn an_answer_that_comes_too_late_changes_nothing() {
    let mut house = House::new(1);
    let run = house.submit(with(graph(1, &[]), 0, |p| p.asks = true), |_| {});
    house.stop(run, StopCause::Stopped);
    let facts = house.journal.len();
    house.answer(0, ControlAnswer::Begin);
    assert_eq!(house.journal.len(), facts);
    assert_eq!((house.task(run, 0), house.status(run)), (Cancelled, RunStatus::Cancelled));
}

#[test]
fn what_cannot_be_worked_out_fails() {
    let mut house = House::new(1);
    let run = house.submit(with(graph(1, &[]), 0, |p| p.asks = true), |_| {});
    house.answer(0, ControlAnswer::Invalid);
    assert_eq!((house.task(run, 0), house.status(run)), (Failed, RunStatus::Failed));
}

#[test]
fn items_are_worked_out_when_the_join_is_met() {
    let list = Digest([7; 32]);
    let mut house = House::new(2);
    let parts = with(graph(3, &[(0, 1), (1, 2)]), 1, |p| p.asks = true);
    let run = house.submit(parts, |_| {});
    house.work(ok);
    house.answer(1, ControlAnswer::FanOut { items: 3, list });
    house.crash(2);
    house.hello("w", 2, Some(Span::secs(60)));
    assert_eq!(house.work(ok), [(1, 0), (1, 1), (1, 2), (2, 0)]);
    assert_eq!(house.engine.state().run(run).unwrap().item_list(TaskId(1)), Some(list));
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn no_items_is_a_success_and_failed_items_alone_are_retried() {
    let list = Digest::default();
    let mut house = House::new(1);
    let run = house.submit(with(graph(2, &[(0, 1)]), 0, |p| p.asks = true), |_| {});
    house.answer(0, ControlAnswer::FanOut { items: 0, list });
    house.work(ok);
    assert_eq!(house.status(run), RunStatus::Succeeded);

    let run = house.submit(with(graph(1, &[]), 0, |p| p.asks = true), |_| {});
    house.answer(0, ControlAnswer::FanOut { items: 3, list });
    house.work(|grant| if grant.attempt.key.item.0 == 2 { FAILED } else { Outcome::Succeeded });
    assert_eq!(house.status(run), RunStatus::Failed);
    house.retry(run, None);
    assert!(house.asked.is_empty(), "the list is known");
    assert_eq!(house.work(ok), [(0, 2)]);
    assert_eq!(house.status(run), RunStatus::Succeeded);
    house.retry(run, Some(TaskId(0)));
    assert_eq!(house.asked_tasks(), [0], "a new round works it out anew");
}

#[test]
fn a_decision_leads_to_the_tasks_of_its_route_alone() {
    use EdgeCondition::{Route, Succeeded as Done};
    let mut parts = with(graph(4, &[(0, 1), (0, 2), (0, 3)]), 0, |p| p.kind = Kind::Decision);
    parts.conditions = vec![Route(1), Route(2), Done];
    let mut house = House::new(1);
    let run = house.submit(parts, |_| {});
    assert!(house.grants.is_empty(), "no worker decides");
    house.answer(0, ControlAnswer::Route(2));
    house.work(ok);
    assert_eq!(house.statuses(run), [Succeeded, Skipped, Succeeded, Succeeded]);
    house.retry(run, Some(TaskId(0)));
    house.answer(0, ControlAnswer::Route(1));
    house.work(ok);
    assert_eq!(house.statuses(run), [Succeeded, Succeeded, Skipped, Succeeded]);
}

/// 0 -> 1 -> 2 -> loop 3 -> 4: the body is 1 and 2.
fn looped(turns_max: u16) -> GraphParts {
    let parts = graph(5, &[(0, 1), (1, 2), (1, 3), (2, 3), (3, 4)]);
    with(parts, 3, |policy| {
        policy.kind = Kind::Loop { first: TaskId(1), turns_max };
        policy.join = Join::AllDone;
    })
}

#[test]
fn a_loop_runs_its_body_until_the_answer_is_done() {
    let mut house = House::new(1);
    let run = house.submit(looped(10), |_| {});
    assert_eq!(house.work(ok), [(0, 0), (1, 0), (2, 0)]);
    house.answer(3, ControlAnswer::Again);
    assert_eq!(house.work(ok), [(1, 0), (2, 0)]);
    assert_eq!(house.asked[0].2, 2, "the second turn");
    house.crash(2);
    house.hello("w", 1, Some(Span::secs(60)));
    house.asked.drain(..1);
    house.answer(3, ControlAnswer::Done);
    assert_eq!(house.work(ok), [(4, 0)]);
    let state = house.engine.state().run(run).unwrap();
    assert_eq!(state.task(TaskId(1)).round(), Round(1));
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn a_loop_without_an_end_fails_after_its_last_turn() {
    let mut house = House::new(1);
    let run = house.submit(looped(2), |_| {});
    house.work(ok);
    house.answer(3, ControlAnswer::Again);
    house.work(ok);
    house.answer(3, ControlAnswer::Again);
    assert_eq!(house.statuses(run), [Succeeded, Succeeded, Succeeded, Failed, Skipped]);
    assert_eq!(house.status(run), RunStatus::Failed);
}

#[test]
fn a_body_that_went_wrong_is_not_asked_about() {
    let mut house = House::new(1);
    let run = house.submit(looped(5), |run| run.failure = FailurePolicy::Continue);
    house.work(failing(2));
    assert_eq!(house.statuses(run), [Succeeded, Succeeded, Failed, Failed, Skipped]);
    assert!(house.asked.is_empty());
    assert_eq!(house.status(run), RunStatus::Failed);
}

#[test]
fn a_failure_in_a_body_stops_a_run_that_fails_fast() {
    let mut house = House::new(1);
    let run = house.submit(looped(5), |_| {});
    house.work(failing(1));
    assert_eq!(house.statuses(run), [Succeeded, Failed, Skipped, Failed, Skipped]);
    assert_eq!(house.status(run), RunStatus::Failed);
}

#[test]
fn a_loop_fails_with_its_body_and_somebody_may_count_on_that() {
    let mut house = House::new(1);
    let mut parts = looped(5);
    parts.conditions = vec![EdgeCondition::Succeeded; parts.edges.len()];
    let after = parts.edges.iter().position(|&edge| edge == (3, 4)).expect("after the loop");
    parts.conditions[after] = EdgeCondition::Finished;
    let run = house.submit(parts.clone(), |_| {});
    house.work(failing(2));
    assert_eq!(house.statuses(run), [Succeeded, Succeeded, Failed, Failed, Succeeded]);
    assert_eq!(house.status(run), RunStatus::Succeeded, "somebody counted on it");

    // Nobody counts on it, and only the failing task itself says that others go on: the loop stops
    // its run.
    let mut house = House::new(1);
    let parts = GraphParts {
        conditions: Vec::new(),
        ..with(looped(5), 2, |p| {
            p.failure = Some(FailurePolicy::Continue);
        })
    };
    let run = house.submit(parts, |_| {});
    house.work(failing(2));
    assert_eq!(house.status(run), RunStatus::Failed);
    let cause = house.engine.state().run(run).unwrap().cause();
    assert_eq!(cause, Some(StopCause::TaskFailed));
}

#[test]
fn a_timer_passes_and_holds_no_slot() {
    let mut house = House::new(1);
    let parts = with(graph(3, &[(0, 1)]), 0, |p| p.kind = Kind::Timer { wait: Span::secs(60) });
    let run = house.submit(parts, |run| run.concurrency = Some(1));
    assert_eq!(house.work(ok), [(2, 0)], "the timer is no attempt");
    assert!(matches!(first_blocker(&house, run, 0), Some(Blocker::Time { .. })));
    house.after(Span::secs(59));
    assert_eq!(house.task(run, 0), Running);
    house.crash(2);
    house.hello("w", 1, Some(Span::secs(60)));
    house.after(Span::secs(1));
    assert_eq!(house.work(ok), [(1, 0)]);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

fn approval(timeout: Option<Span>, otherwise: Verdict) -> GraphParts {
    with(graph(2, &[(0, 1)]), 0, |p| p.kind = Kind::Signal { timeout, otherwise })
}

#[test]
fn an_approval_waits_for_a_person() {
    let mut house = House::new(1);
    let run = house.submit(approval(None, Verdict::Expired), |_| {});
    house.after(Span::secs(100_000));
    assert_eq!(first_blocker(&house, run, 0), Some(Blocker::Person { until: None }));
    assert_eq!(house.settle(run, 1, Verdict::Approved), Answer::Rejected(Rejection::NothingToSay));
    house.hello("w", 1, Some(Span::secs(60)));
    assert_eq!(house.settle(run, 0, Verdict::Approved), Answer::Settled);
    house.work(ok);
    assert_eq!(house.status(run), RunStatus::Succeeded);
    assert_eq!(
        house.settle(run, 0, Verdict::Rejected),
        Answer::Rejected(Rejection::NotWaiting(Succeeded))
    );
}

#[test]
fn what_nobody_says_in_time_is_taken_as_the_file_says() {
    for (otherwise, expected) in [
        (Verdict::Approved, [Succeeded, Succeeded]),
        (Verdict::Rejected, [Failed, Skipped]),
        (Verdict::Expired, [TimedOut, Skipped]),
    ] {
        let mut house = House::new(1);
        let run = house.submit(approval(Some(Span::secs(5)), otherwise), |_| {});
        house.after(Span::millis(4_999));
        assert_eq!(house.statuses(run), [Running, Pending]);
        house.after(Span::millis(1));
        house.hello("w", 1, Some(Span::secs(60)));
        house.work(ok);
        assert_eq!(house.statuses(run), expected);
    }
}

#[test]
fn stopping_a_run_ends_what_waits_in_it() {
    let mut house = House::new(1);
    let run = house.submit(approval(Some(Span::secs(5)), Verdict::Expired), |_| {});
    house.stop(run, StopCause::Stopped);
    assert_eq!(house.statuses(run), [Cancelled, Cancelled]);
    house.after(Span::secs(60));
    assert_eq!(house.status(run), RunStatus::Cancelled);
}

/// 0 -> 1 -> 2; 3 undoes 0, 4 undoes 1, 5 undoes 2; 6 is a handler, 7 comes last.
fn undone() -> GraphParts {
    let mut parts = graph(8, &[(0, 1), (1, 2), (4, 3), (5, 4), (5, 3)]);
    for (task, of) in [(3, 0), (4, 1), (5, 2)] {
        parts = with(parts, task, |policy| {
            policy.trigger = Trigger::Compensation { of: TaskId(of) };
            policy.join = Join::AllDone;
        });
    }
    let parts = with(parts, 6, |policy| policy.trigger = Trigger::Failure);
    with(parts, 7, |policy| policy.trigger = Trigger::Finally)
}

#[test]
fn what_was_done_is_undone_in_reverse_when_a_run_fails() {
    let mut house = House::new(4);
    let run = house.submit(undone(), |_| {});
    let order = house.work(failing(2));
    let tasks: Vec<_> = order.into_iter().map(|(task, _)| task).collect();
    assert_eq!(tasks, [0, 1, 2, 4, 3, 6, 7]);
    assert_eq!(house.task(run, 5), Skipped, "what failed was not done");
    assert_eq!(house.status(run), RunStatus::Failed);
    // What was undone has to be done again.
    house.retry(run, None);
    let order: Vec<_> = house.work(ok).into_iter().map(|(task, _)| task).collect();
    assert_eq!(order, [0, 1, 2, 7]);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn nothing_is_undone_when_all_went_well() {
    let mut house = House::new(4);
    let run = house.submit(undone(), |_| {});
    let order: Vec<_> = house.work(ok).into_iter().map(|(task, _)| task).collect();
    assert_eq!(order, [0, 1, 2, 7]);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn a_retry_runs_again_what_followed_from_the_failure_and_keeps_what_did_not() {
    let mut parts = graph(5, &[(0, 1), (0, 2), (0, 4), (3, 4)]);
    parts.conditions = vec![
        EdgeCondition::Succeeded,
        EdgeCondition::Failed,
        EdgeCondition::Succeeded,
        EdgeCondition::Succeeded,
    ];
    let parts = with(parts, 4, |policy| policy.join = Join::Any);
    let mut house = House::new(1);
    let run = house.submit(parts, |run| run.failure = FailurePolicy::Continue);
    house.work(|grant| {
        let task = grant.attempt.key.task.0;
        if task == 0 || task == 2 { FAILED } else { Outcome::Succeeded }
    });
    assert_eq!(house.statuses(run), [Failed, Skipped, Failed, Succeeded, Succeeded]);
    assert_eq!(house.status(run), RunStatus::Failed);
    house.retry(run, None);
    let order: Vec<_> = house.work(ok).into_iter().map(|(task, _)| task).collect();
    assert_eq!(order, [0, 1]);
    assert_eq!(house.statuses(run), [Succeeded, Succeeded, Skipped, Succeeded, Succeeded]);
    assert_eq!(house.retry(run, None), Answer::Rejected(Rejection::NothingToRetry));
}

#[test]
fn no_more_items_of_a_task_are_leased_than_its_file_allows() {
    let mut house = House::new(8);
    let mut parts = with(graph(1, &[]), 0, |policy| policy.concurrency = Some(2));
    parts.fan_outs = vec![(0, 5)];
    let run = house.submit(parts, |_| {});
    assert_eq!(house.grants.len(), 2);
    assert_eq!(
        house.engine.explain(TaskKey { run, task: TaskId(0) }.item(ItemId(4))).unwrap().blockers,
        [Blocker::TaskConcurrency { limit: 2 }]
    );
    assert_eq!(house.work(ok).len(), 5);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn what_rests_on_something_undone_is_done_again_with_it() {
    // 0 -> 1 -> 2; 3 undoes 0, nothing undoes 1.
    let parts = with(graph(4, &[(0, 1), (1, 2)]), 3, |policy| {
        policy.trigger = Trigger::Compensation { of: TaskId(0) };
    });
    let mut house = House::new(1);
    let run = house.submit(parts, |_| {});
    house.work(failing(2));
    assert_eq!(house.statuses(run), [Succeeded, Succeeded, Failed, Succeeded]);
    house.retry(run, None);
    assert_eq!(house.work(ok), [(0, 0), (1, 0), (2, 0)]);
    assert_eq!(house.statuses(run), [Succeeded, Succeeded, Succeeded, Skipped]);
}

#[test]
fn a_retry_from_one_task_does_again_what_was_undone() {
    // 0 and 1 have nothing to do with each other; 2 undoes 0.
    let parts = with(graph(3, &[]), 2, |policy| {
        policy.trigger = Trigger::Compensation { of: TaskId(0) };
    });
    let mut house = House::new(1);
    let run = house.submit(parts, |run| run.failure = FailurePolicy::Continue);
    house.work(failing(1));
    assert_eq!(house.statuses(run), [Succeeded, Failed, Succeeded]);
    house.retry(run, Some(TaskId(1)));
    let mut order = house.work(failing(1));
    order.sort_unstable();
    assert_eq!(order, [(0, 0), (1, 0), (2, 0)], "nothing is undone twice");
}

#[test]
fn what_rests_on_a_handled_failure_runs_again_with_it() {
    // 1 runs when 0 has failed, and 2 after it; 3 fails the run.
    let mut parts = graph(4, &[(0, 1), (1, 2)]);
    parts.conditions = vec![EdgeCondition::Failed, EdgeCondition::Succeeded];
    let mut house = House::new(1);
    let run = house.submit(parts, |run| run.failure = FailurePolicy::Continue);
    house.work(|grant| {
        let task = grant.attempt.key.task.0;
        if task == 0 || task == 3 { FAILED } else { Outcome::Succeeded }
    });
    assert_eq!(house.statuses(run), [Failed, Succeeded, Succeeded, Failed]);
    house.retry(run, None);
    house.work(ok);
    assert_eq!(house.statuses(run), [Succeeded, Skipped, Skipped, Succeeded]);
}

#[test]
fn questions_are_handed_out_a_thousand_at_a_time() {
    let mut house = House::new(1);
    let parts = with(graph(1, &[]), 0, |p| p.asks = true);
    let parts = GraphParts { policy_of: vec![1; 2_500], ..parts };
    house.submit(parts, |_| {});
    assert_eq!(house.asked.len(), 2_000, "with the submission, and with the tick after it");
    assert_eq!(house.engine.next_deadline(), Some(house.now), "the rest at once");
    house.after(Span::ZERO);
    assert_eq!(house.asked.len(), 2_500);
    assert!(house.engine.next_deadline() > Some(house.now));
}
