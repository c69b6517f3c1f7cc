//! Scenarios of marks: what is held to have ended though no worker ran it; and of items that run
//! again alone.

use engine::{Answer, Rejection};
use model::control::{ControlAnswer, EdgeCondition, Join, Kind};
use model::fact::{ControlImage, Fact, MarkCause, Marked, StopCause};
use model::graph::GraphParts;
use model::message::Grant;
use model::policy::{FailurePolicy, Trigger};
use model::status::TaskStatus::{self, Cancelled, Failed, Skipped, Succeeded};
use model::{Digest, IdSet, Outcome, RunId, RunStatus, Span, TaskId};

use crate::control::with;
use crate::house::{FAILED, House, graph};

fn ok(_: &Grant) -> Outcome {
    Outcome::Succeeded
}

fn mark(run: RunId, tasks: &[u32], status: TaskStatus) -> Marked {
    Marked {
        run,
        tasks: tasks.iter().copied().collect(),
        items: None,
        status,
        cause: MarkCause::Person,
        control: None,
        output: None,
    }
}

fn fork(tasks: &[u32], status: TaskStatus, control: Option<ControlImage>) -> Marked {
    let cause = MarkCause::Fork { from: RunId(1) };
    Marked { cause, control, ..mark(RunId(0), tasks, status) }
}

#[test]
fn what_is_marked_leads_on_as_if_it_had_ended_so() {
    let mut house = House::new(1);
    let mut parts = graph(4, &[(0, 1), (1, 2), (1, 3)]);
    parts.conditions =
        vec![EdgeCondition::Succeeded, EdgeCondition::Succeeded, EdgeCondition::Skipped];
    let run = house.submit(parts.clone(), |_| {});
    assert_eq!(house.mark(mark(run, &[1], Skipped)), Answer::Marked { tasks: 1 });
    assert_eq!(house.work(ok), [(0, 0), (3, 0)], "what waited for the skip goes on at once");
    assert_eq!(house.statuses(run), [Succeeded, Skipped, Skipped, Succeeded]);
    let run = house.submit(parts, |_| {});
    house.mark(mark(run, &[1], Succeeded));
    assert!(house.engine.state().run(run).unwrap().task(TaskId(1)).is_marked());
    house.crash(2);
    house.hello("w", 1, Some(Span::secs(60)));
    assert!(house.engine.state().run(run).unwrap().task(TaskId(1)).is_marked());
    house.work(ok);
    assert_eq!(house.statuses(run), [Succeeded, Succeeded, Succeeded, Skipped]);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn a_run_that_gets_everything_marked_ends_and_a_failure_stops_it() {
    let mut house = House::new(0);
    let run = house.submit(graph(3, &[(0, 1)]), |_| {});
    house.mark(mark(run, &[0, 1, 2], Succeeded));
    assert_eq!(house.status(run), RunStatus::Succeeded);
    let run = house.submit(graph(3, &[(0, 1)]), |_| {});
    house.mark(mark(run, &[0], Failed));
    assert_eq!(house.statuses(run), [Failed, Skipped, Cancelled]);
    assert_eq!(house.status(run), RunStatus::Failed);
    assert_eq!(house.retry(run, None), Answer::Reopened { tasks: 3 });
}

#[test]
fn an_item_that_is_marked_as_failed_stops_a_run_that_fails_fast() {
    let mut house = House::new(0);
    let parts = GraphParts { fan_outs: vec![(0, 3)], ..graph(1, &[]) };
    let run = house.submit(parts, |run| run.failure = FailurePolicy::FailFast);
    house.mark(Marked { items: Some(IdSet::one(1)), ..mark(run, &[0], Failed) });
    assert_eq!(house.engine.state().run(run).unwrap().cause(), Some(StopCause::TaskFailed));
    assert_eq!(house.status(run), RunStatus::Failed);
}

#[test]
fn what_has_begun_is_not_marked() {
    let mut house = House::new(1);
    let looped = with(graph(4, &[(0, 1), (1, 2), (2, 3)]), 2, |p| {
        p.kind = Kind::Loop { first: TaskId(1), turns_max: 3 };
        p.join = Join::AllDone;
    });
    let run = house.submit(looped, |_| {});
    let begun = Answer::Rejected(Rejection::Begun(TaskId(0)));
    assert_eq!(house.mark(mark(run, &[0, 3], Skipped)), begun);
    let unfit = |answer: Answer| matches!(answer, Answer::Rejected(Rejection::Unfit(_)));
    assert!(unfit(house.mark(mark(run, &[1], Skipped))), "a part of a loop");
    assert!(unfit(house.mark(mark(run, &[3], Cancelled))));
    assert!(unfit(house.mark(mark(run, &[], Skipped))));
    let missing = Answer::Rejected(Rejection::UnknownTask(TaskId(9)));
    assert_eq!(house.mark(mark(run, &[9], Skipped)), missing);
    let items = Marked { items: Some(IdSet::one(0)), ..mark(run, &[3], Skipped) };
    assert!(unfit(house.mark(items)), "it is no fan-out");
    assert_eq!(house.mark(mark(run, &[1, 2], Succeeded)), Answer::Marked { tasks: 2 });
    house.work(ok);
    assert_eq!(house.status(run), RunStatus::Succeeded);
    let ended = Answer::Rejected(Rejection::RunEnded(RunStatus::Succeeded));
    assert_eq!(house.mark(mark(run, &[3], Skipped)), ended);
    assert_eq!(
        house.mark(mark(RunId(7), &[0], Skipped)),
        Answer::Rejected(Rejection::UnknownRun(RunId(7)))
    );
}

#[test]
fn items_are_marked_while_others_run_and_before_any_do() {
    let mut house = House::new(1);
    let run =
        house.submit(GraphParts { fan_outs: vec![(1, 4)], ..graph(3, &[(0, 1), (1, 2)]) }, |_| {});
    let some = |items: &[u32]| Marked {
        items: Some(items.iter().copied().collect()),
        ..mark(run, &[1], Succeeded)
    };
    assert_eq!(house.mark(some(&[0, 2])), Answer::Marked { tasks: 1 });
    let grant = house.granted().remove(0);
    house.end(&grant, Outcome::Succeeded);
    let begun = Answer::Rejected(Rejection::Begun(TaskId(1)));
    assert_eq!(house.mark(some(&[0])), begun);
    assert!(matches!(house.mark(some(&[4])), Answer::Rejected(Rejection::Unfit(_))));
    assert_eq!(house.mark(some(&[3])), Answer::Marked { tasks: 1 });
    assert_eq!(house.work(ok), [(1, 1), (2, 0)]);
    assert_eq!(house.status(run), RunStatus::Succeeded);

    let run =
        house.submit(GraphParts { fan_outs: vec![(1, 2)], ..graph(3, &[(0, 1), (1, 2)]) }, |_| {});
    house.mark(Marked { items: Some(IdSet::range(0, 2)), ..mark(run, &[1], Succeeded) });
    assert_eq!(house.work(ok), [(0, 0), (2, 0)], "all of it was done before its turn");
}

#[test]
fn a_run_begins_with_what_was_done_in_another() {
    // 0 works its items out, 1 decides, 2 and 3 are a loop, 4 waits, 5 and 6 are what is left.
    let edges = [(0, 1), (1, 2), (1, 6), (2, 3), (3, 4), (4, 5)];
    let mut parts = with(graph(7, &edges), 0, |p| p.asks = true);
    parts.conditions = vec![EdgeCondition::Succeeded; 6];
    parts.conditions[1] = EdgeCondition::Route(1);
    parts.conditions[2] = EdgeCondition::Route(2);
    let parts = with(parts, 1, |p| p.kind = Kind::Decision);
    let parts = with(parts, 3, |p| {
        p.kind = Kind::Loop { first: TaskId(2), turns_max: 3 };
        p.join = Join::AllDone;
    });
    let parts = with(parts, 4, |p| p.kind = Kind::Timer { wait: Span::secs(60) });
    let list = Digest([4; 32]);
    let done = vec![
        fork(&[0], Succeeded, Some(ControlImage::FanOut { items: 3, list })),
        fork(&[1], Succeeded, Some(ControlImage::Route(1))),
        fork(&[3], Succeeded, Some(ControlImage::Turn(2))),
        fork(&[2, 4], Succeeded, None),
        fork(&[6], Skipped, None),
    ];
    let mut house = House::new(1);
    let Answer::Admitted { run, .. } = house.submit_done(parts.clone(), |_| {}, done.clone())
    else {
        panic!("it is admitted")
    };
    assert!(house.asked.is_empty(), "what is marked never asks");
    let admitted: Vec<_> = house.journal.iter().map(|(.., fact)| fact).skip(2).take(6).collect();
    assert!(matches!(admitted[0], Fact::RunAdmitted(_)));
    assert!(admitted[1..].iter().all(|fact| matches!(fact, Fact::Marked(it) if it.run == run)));
    let state = house.engine.state().run(run).unwrap();
    assert_eq!((state.item_list(TaskId(0)), state.item_count(TaskId(0))), (Some(list), 3));
    assert_eq!((state.route(TaskId(1)), state.turn(TaskId(3))), (Some(1), 2));
    house.crash(2);
    house.hello("w", 1, Some(Span::secs(60)));
    assert_eq!(house.work(ok), [(5, 0)], "what is left");
    assert_eq!(house.status(run), RunStatus::Succeeded);

    let refused = |house: &mut House, done| {
        let answer = house.submit_done(parts.clone(), |_| {}, done);
        matches!(answer, Answer::Rejected(Rejection::Unfit(_)))
    };
    assert!(refused(&mut house, vec![done[0].clone(), done[0].clone()]), "twice");
    assert!(refused(&mut house, vec![done[2].clone()]), "half a loop");
    let route = Some(ControlImage::Route(1));
    assert!(refused(&mut house, vec![fork(&[0], Succeeded, route)]), "no decision");
    let runs = house.engine.state().runs().count();
    assert_eq!(runs, 1, "what is refused is not admitted");
}

#[test]
fn a_wait_that_was_over_in_another_run_is_over() {
    let wait = Kind::Timer { wait: Span::secs(60) };
    let parts = with(graph(2, &[(0, 1)]), 0, |p| p.kind = wait);
    let mut house = House::new(1);
    house.submit_done(parts, |_| {}, vec![fork(&[0], Succeeded, None)]);
    assert_eq!(house.work(ok), [(1, 0)], "a wait begins with the run, and is over at once");
}

#[test]
fn items_that_were_done_before_are_not_run() {
    let list = Digest([7; 32]);
    let mut house = House::new(2);
    let parts = with(graph(2, &[(0, 1)]), 0, |p| p.asks = true);
    let run = house.submit(parts.clone(), |_| {});
    let cached = [0, 2, 3, 9].into_iter().collect();
    house.answer_cached(0, ControlAnswer::FanOut { items: 4, list }, cached);
    house.crash(2);
    house.hello("w", 2, Some(Span::secs(60)));
    assert_eq!(house.work(ok), [(0, 1), (1, 0)]);
    assert_eq!(house.status(run), RunStatus::Succeeded);
    let marks = house.journal.iter().filter_map(|(.., fact)| match fact {
        Fact::Marked(marked) => Some(marked.cause),
        _ => None,
    });
    assert!(marks.eq([MarkCause::Cache]));

    let fixed = GraphParts { fan_outs: vec![(0, 2)], ..parts };
    let run = house.submit(fixed, |_| {});
    house.answer_cached(0, ControlAnswer::Begin, IdSet::range(0, 2));
    assert_eq!(house.work(ok), [(1, 0)], "nothing of it is left to do");
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

/// 0, then a fan-out 1 of four items, then 2; 3 stands alone, 4 is a handler.
fn ended(outcome: impl Fn(&Grant) -> Outcome) -> (House, RunId) {
    let mut house = House::new(1);
    let parts = GraphParts { fan_outs: vec![(1, 4)], ..graph(5, &[(0, 1), (1, 2)]) };
    let parts = with(parts, 4, |p| p.trigger = Trigger::Exit);
    let run = house.submit(parts, |run| run.failure = FailurePolicy::Continue);
    house.work(outcome);
    (house, run)
}

#[test]
fn items_run_again_alone_and_what_depends_on_their_task_whole() {
    let (mut house, run) = ended(ok);
    let items: IdSet = [1, 3].into_iter().collect();
    assert_eq!(house.retry_items(run, 1, items), Answer::Reopened { tasks: 3 });
    assert_eq!(house.item(run, 1, 0).status(), Succeeded);
    house.crash(2);
    house.hello("w", 1, Some(Span::secs(60)));
    assert_eq!(house.work(ok), [(1, 1), (1, 3), (2, 0), (4, 0)]);
    assert_eq!(house.status(run), RunStatus::Succeeded);

    let failing = |grant: &Grant| match grant.attempt.key.item.0 {
        2 | 3 => FAILED,
        _ => Outcome::Succeeded,
    };
    let (mut house, run) = ended(failing);
    house.retry_items(run, 1, IdSet::one(2));
    house.work(ok);
    assert_eq!(house.item(run, 1, 3).status(), Failed, "and no others");
    assert_eq!(house.status(run), RunStatus::Failed);
    house.retry_items(run, 1, IdSet::one(3));
    house.work(ok);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn items_that_cannot_run_again_are_refused() {
    let (mut house, run) = ended(ok);
    let rejected = Answer::Rejected;
    let none = house.retry_items(run, 1, IdSet::new());
    assert_eq!(none, rejected(Rejection::NothingToRetry));
    let far = house.retry_items(run, 1, IdSet::one(4));
    assert!(matches!(far, Answer::Rejected(Rejection::Unfit(_))));
    let task = house.retry_items(run, 9, IdSet::one(0));
    assert_eq!(task, rejected(Rejection::UnknownTask(TaskId(9))));
    let unknown = house.retry_items(RunId(9), 0, IdSet::one(0));
    assert_eq!(unknown, rejected(Rejection::UnknownRun(RunId(9))));
    house.retry_items(run, 3, IdSet::one(0));
    let running = house.retry_items(run, 1, IdSet::one(0));
    assert_eq!(running, rejected(Rejection::NotEnded(RunStatus::Running)));
}

#[test]
fn what_was_cancelled_and_not_run_since_fails_its_run() {
    let mut house = House::new(1);
    let run = house.submit(GraphParts { fan_outs: vec![(0, 2)], ..graph(2, &[]) }, |_| {});
    house.stop(run, StopCause::Stopped);
    house.work(|_| Outcome::Cancelled);
    house.retry_items(run, 0, IdSet::range(0, 2));
    house.work(ok);
    assert_eq!(house.statuses(run), [Succeeded, Cancelled]);
    assert_eq!(house.status(run), RunStatus::Failed, "a task of it never ran");
}

#[test]
fn a_retry_from_a_task_of_a_stopped_run_runs_what_was_cancelled_too() {
    let mut house = House::new(1);
    let run = house.submit(graph(5, &[(0, 1), (2, 3)]), |_| {});
    let grant = house.granted().remove(0);
    house.end(&grant, Outcome::Succeeded);
    house.stop(run, StopCause::Stopped);
    house.work(|_| Outcome::Cancelled);
    assert_eq!(house.status(run), RunStatus::Cancelled);
    assert_eq!(house.retry(run, Some(TaskId(2))), Answer::Reopened { tasks: 4 });
    let rounds = house.journal.iter().filter_map(|(.., fact)| match fact {
        Fact::RoundOpened { tasks, scope, .. } => Some((tasks.clone(), *scope)),
        _ => None,
    });
    let rounds: Vec<_> = rounds.collect();
    use model::fact::RoundScope::{All, Unsuccessful};
    assert_eq!(rounds, [([1, 4].into_iter().collect(), Unsuccessful), (IdSet::range(2, 4), All)]);
    house.work(ok);
    assert_eq!(house.status(run), RunStatus::Succeeded);
    assert_eq!(house.statuses(run), [Succeeded; 5]);
}
