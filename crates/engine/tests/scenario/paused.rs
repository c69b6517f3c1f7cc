//! Scenarios of runs that pause: by hand, and because they have cost as much as they may.

use engine::{Amendment, Answer, Input, Rejection, RequestId};
use model::fact::{Fact, PauseCause, StopCause};
use model::graph::GraphParts;
use model::message::{AttemptEvent, Report, StopKind};
use model::outcome::{Outcome, Spent, Totals};
use model::policy::FailurePolicy;
use model::status::TaskStatus::{Ready, Running};
use model::wait::Blocker;
use model::{RunId, RunStatus, Span};

use crate::house::{FAILED, House, graph};
use crate::sharing::blockers;

fn wide(items: u32) -> GraphParts {
    GraphParts { fan_outs: vec![(0, items)], ..graph(1, &[]) }
}

fn cost(cost_micro: u64) -> (Spent, Option<Span>) {
    (Spent { requests: 1, tokens_in: 10, tokens_out: 2, cost_micro }, None)
}

fn pause(house: &mut House, run: RunId) -> Answer {
    house.step(Input::Pause { request: RequestId(8), run });
    house.answers.pop().expect("an answer")
}

fn resume(house: &mut House, run: RunId) -> Answer {
    house.step(Input::Resume { request: RequestId(9), run });
    house.answers.pop().expect("an answer")
}

#[test]
fn what_runs_goes_on_and_nothing_new_starts() {
    let mut house = House::new(2);
    let run = house.submit(wide(4), |_| {});
    let grants = house.granted();
    house.start(&grants[0]);
    assert_eq!(pause(&mut house, run), Answer::Paused);
    assert_eq!(pause(&mut house, run), Answer::Paused, "it is already");
    assert_eq!(house.status(run), RunStatus::Paused);
    assert_eq!(house.stops, [(grants[1].lease(), StopKind::Retract)], "what has not started");
    house.report(vec![Report { lease: grants[1].lease(), event: AttemptEvent::Returned }]);
    house.end(&grants[0], Outcome::Succeeded);
    assert!(house.granted().is_empty());
    let (cause, cost_micro, limit_micro) = (PauseCause::Asked, 0, None);
    let paused = Blocker::Paused { cause, cost_micro, limit_micro };
    assert_eq!(blockers(&house, run, 3), [paused]);
    let other = house.submit(graph(1, &[]), |_| {});
    assert_eq!(house.granted()[0].attempt.key.run, other, "it is in nobody's way");
    house.crash(2);
    house.hello("w", 2, Some(Span::secs(60)));
    assert_eq!(house.status(run), RunStatus::Paused);
    assert_eq!(resume(&mut house, run), Answer::Resumed);
    assert_eq!(resume(&mut house, run), Answer::Resumed, "it goes on already");
    assert!(!house.granted().is_empty());
}

#[test]
fn a_paused_run_ends_with_the_last_that_ran_or_when_it_is_stopped() {
    let mut house = House::new(4);
    let last = house.submit(graph(1, &[]), |_| {});
    let grants = house.granted();
    house.start(&grants[0]);
    pause(&mut house, last);
    house.end(&grants[0], Outcome::Succeeded);
    assert_eq!(house.status(last), RunStatus::Succeeded);
    let stopped = house.submit(graph(2, &[(0, 1)]), |_| {});
    house.granted();
    pause(&mut house, stopped);
    house.stop(stopped, StopCause::Terminated);
    assert_eq!(house.status(stopped), RunStatus::Stopping);
    let failing = house.submit(wide(2), |run| run.timeout = Some(Span::secs(9)));
    let grants = house.granted();
    house.start(&grants[0]);
    pause(&mut house, failing);
    house.end(&grants[0], FAILED);
    assert_eq!(house.status(failing), RunStatus::Stopping, "a failure stops it as ever");
    let ended = pause(&mut house, last);
    assert_eq!(ended, Answer::Rejected(Rejection::RunEnded(RunStatus::Succeeded)));
    assert_eq!(resume(&mut house, RunId(99)), Answer::Rejected(Rejection::UnknownRun(RunId(99))));
}

#[test]
fn time_goes_on_while_a_run_is_paused() {
    let mut house = House::new(4);
    let run = house.submit(graph(2, &[(0, 1)]), |run| run.timeout = Some(Span::secs(9)));
    let grants = house.granted();
    house.start(&grants[0]);
    pause(&mut house, run);
    house.crash(2);
    house.hello("w", 4, Some(Span::secs(60)));
    house.after(Span::secs(9));
    assert_eq!(house.status(run), RunStatus::Stopping);
}

#[test]
fn a_run_pauses_when_it_has_cost_as_much_as_it_may() {
    let mut house = House::new(2);
    let run = house.submit(wide(5), |run| {
        run.cost_limit_micro = Some(100);
        run.failure = FailurePolicy::Continue;
    });
    let grants = house.granted();
    grants.iter().for_each(|grant| house.start(grant));
    house.end_call(&grants[0], FAILED, cost(60));
    assert_eq!(house.status(run), RunStatus::Running);
    house.end_call(&grants[1], Outcome::Succeeded, cost(70));
    assert_eq!(house.status(run), RunStatus::Paused);
    let more = house.granted();
    house.start(&more[0]);
    house.end_call(&more[0], Outcome::Succeeded, cost(1));
    let spent = house.engine.state().run(run).expect("known").spent();
    let totals = Totals { requests: 3, tokens_in: 30, tokens_out: 6, cost_micro: 131 };
    assert_eq!(spent, totals, "what ran was counted, too");
    assert!(house.engine.state().spent().eq([("default", totals)]));
    let (cause, cost_micro, limit_micro) = (PauseCause::CostLimit, 131, Some(100));
    let paused = Blocker::Paused { cause, cost_micro, limit_micro };
    assert_eq!(blockers(&house, run, 4), [paused]);
    let still = Rejection::CostLimit { cost_micro: 131, limit_micro: 100 };
    assert_eq!(resume(&mut house, run), Answer::Rejected(still));
    house.crash(2);
    house.hello("w", 2, Some(Span::secs(60)));
    let raised = Amendment { cost_limit_micro: Some(1_000), ..house.amendment(run, None) };
    assert_eq!(house.amend(raised), Answer::Amended);
    assert_eq!(house.status(run), RunStatus::Paused, "it is let go on by hand");
    assert_eq!(resume(&mut house, run), Answer::Resumed);
    house.work(|_| Outcome::Succeeded);
    assert_eq!(house.status(run), RunStatus::Failed, "nothing failed by the pause");
}

#[test]
fn the_last_attempt_may_cost_what_it_costs() {
    let mut house = House::new(2);
    let run = house.submit(graph(1, &[]), |run| run.cost_limit_micro = Some(10));
    let grants = house.granted();
    house.end_call(&grants[0], Outcome::Succeeded, cost(50));
    assert_eq!(house.status(run), RunStatus::Succeeded);
    let paused = house.journal.iter().any(|(.., fact)| matches!(fact, Fact::RunPaused { .. }));
    assert!(!paused, "nothing is left that could cost more");
}

#[test]
fn a_limit_that_is_lowered_below_the_cost_pauses_and_a_retry_stays_paused() {
    let mut house = House::new(1);
    let run = house.submit(wide(3), |run| run.failure = FailurePolicy::Continue);
    let grants = house.granted();
    house.end_call(&grants[0], FAILED, cost(50));
    let lowered = Amendment { cost_limit_micro: Some(20), ..house.amendment(run, None) };
    assert_eq!(house.amend(lowered), Answer::Amended);
    assert_eq!(house.status(run), RunStatus::Paused);
    house.granted().iter().for_each(|grant| house.end(grant, Outcome::Succeeded));
    let none = Amendment { cost_limit_micro: None, ..house.amendment(run, None) };
    house.amend(none);
    resume(&mut house, run);
    house.work(|_| Outcome::Succeeded);
    assert_eq!(house.status(run), RunStatus::Failed);
    house.retry(run, None);
    assert_eq!(house.status(run), RunStatus::Running, "there is no limit now");
    assert!(matches!(house.task(run, 0), Ready | Running | model::TaskStatus::Leased));
}
