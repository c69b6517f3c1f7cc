//! Scenarios of attempts that save their work, and of those that make room for others.

use engine::{Answer, Input, Rejection, RequestId};
use model::fact::{Fact, PreemptedImage, StopCause};
use model::graph::GraphParts;
use model::message::{AttemptEvent, Grant, News, Report, StopKind};
use model::outcome::{Outcome, Then};
use model::policy::{Policy, RetryPolicy};
use model::shared::Deadline;
use model::status::TaskStatus::{Cancelled, Leased, Retrying, Running, Succeeded, TimedOut};
use model::{Attempt, IdSet, ItemId, RunId, RunStatus, Span, TaskId, TaskKey, Timestamp};

use crate::house::{FAILED, House, graph};

fn key(run: RunId) -> TaskKey {
    TaskKey { run, task: TaskId(0) }
}

fn preempt(house: &mut House, run: RunId, items: Option<IdSet>) -> Answer {
    house.step(Input::Preempt { request: RequestId(8), task: key(run), items });
    house.answers.pop().expect("an answer")
}

fn checkpoint(house: &mut House, grant: &Grant, age: Span) {
    let event = AttemptEvent::Checkpointed { age };
    house.report(vec![Report { lease: grant.lease(), event }]);
}

fn preempted(house: &House, run: RunId, item: u32) -> PreemptedImage {
    let run = house.engine.state().run(run).expect("known");
    run.preempted(TaskId(0), ItemId(item))
}

fn saved_at(house: &House, run: RunId) -> Option<Timestamp> {
    let item = key(run).item(ItemId(0));
    house.engine.state().lease(item).expect("it is live").saved_at
}

/// The worker says that it lives, after so long.
fn beat(house: &mut House, held: &Grant, span: Span) {
    house.now = house.now + span;
    house.say("w", News::Beat { beat: house.now.0, held: vec![held.lease()] });
}

/// A house with a task that runs, which may not fail or be lost once.
fn running(change: impl FnOnce(&mut Policy)) -> (House, RunId, Grant) {
    let mut house = House::new(1);
    let mut parts = graph(1, &[]);
    parts.policies[0].retry = RetryPolicy { limit: 0, loss_limit: 0, ..RetryPolicy::default() };
    change(&mut parts.policies[0]);
    let run = house.submit(parts, |_| {});
    let grant = house.granted().remove(0);
    house.start(&grant);
    (house, run, grant)
}

#[test]
fn what_is_saved_is_known_by_the_clock_of_the_engine() {
    let (mut house, run, grant) = running(|_| {});
    let started = house.now;
    assert_eq!(saved_at(&house, run), None);
    house.now = house.now + Span::secs(30);
    checkpoint(&mut house, &grant, Span::secs(10));
    assert_eq!(saved_at(&house, run), Some(started + Span::secs(20)));
    let facts = house.journal.len();
    checkpoint(&mut house, &grant, Span::secs(10));
    assert_eq!(house.journal.len(), facts, "what is known is not written again");
    checkpoint(&mut house, &grant, Span::secs(15));
    assert_eq!(house.journal.len(), facts, "nothing is less saved than it was");
    house.now = house.now + Span::secs(1);
    checkpoint(&mut house, &grant, Span::secs(3_600));
    assert_eq!(saved_at(&house, run), Some(started + Span::secs(20)));
}

#[test]
fn nothing_is_saved_before_its_start_or_by_another() {
    let mut house = House::new(1);
    let run = house.submit(graph(1, &[]), |_| {});
    let grant = house.granted().remove(0);
    checkpoint(&mut house, &grant, Span::ZERO);
    assert_eq!((house.refused, saved_at(&house, run)), (1, None));
    house.start(&grant);
    let mut stale = grant.clone();
    stale.token.0 -= 1;
    checkpoint(&mut house, &stale, Span::ZERO);
    assert_eq!((house.refused, saved_at(&house, run)), (2, None));
}

#[test]
fn items_that_saved_their_work_are_one_fact() {
    let mut house = House::new(2);
    house.submit(GraphParts { fan_outs: vec![(0, 2)], ..graph(1, &[]) }, |_| {});
    let grants = house.granted();
    house.now = house.now + Span::secs(9);
    let event = |grant: &Grant, event| Report { lease: grant.lease(), event };
    let saved = |age| AttemptEvent::Checkpointed { age: Span::secs(age) };
    house.report(vec![
        event(&grants[0], AttemptEvent::Started),
        event(&grants[1], AttemptEvent::Started),
        event(&grants[0], saved(1)),
        event(&grants[1], saved(0)),
    ]);
    let facts = house.journal.iter().map(|(_, _, fact)| fact);
    let saved: Vec<_> = facts
        .filter_map(|fact| match fact {
            Fact::AttemptsCheckpointed { saved, .. } => Some(saved.len()),
            _ => None,
        })
        .collect();
    assert_eq!(saved, [2]);
}

#[test]
fn what_makes_room_begins_anew_at_once_and_at_no_cost() {
    for said in [Outcome::Cancelled, FAILED, Outcome::TimedOut, Outcome::Lost] {
        let (mut house, run, grant) = running(|_| {});
        beat(&mut house, &grant, Span::secs(50));
        checkpoint(&mut house, &grant, Span::secs(20));
        assert_eq!(preempt(&mut house, run, None), Answer::Preempted { items: 1 });
        assert_eq!(house.stops, [(grant.lease(), StopKind::Cancel)]);
        assert_eq!(house.task(run, 0), Running, "its place is its own until it has ended");
        assert!(house.granted().is_empty());
        beat(&mut house, &grant, Span::secs(5));
        house.end(&grant, said);
        let (_, at, ended) = house.journal.iter().rev().nth(1).expect("there is one").clone();
        let Fact::AttemptsEnded(ended) = ended else { panic!("{ended:?}") };
        assert_eq!((ended.outcome, ended.then), (Outcome::Preempted, Then::Retry { at }));
        let image = PreemptedImage { count: 1, lost: Span::secs(25), ..PreemptedImage::default() };
        assert_eq!(preempted(&house, run, 0), image, "the work since it was saved");
        let next = house.granted().remove(0);
        assert_eq!(next.attempt.attempt, Attempt(2));
        assert!(next.token > grant.token);
        house.start(&next);
        house.end(&next, Outcome::Succeeded);
        assert_eq!(house.status(run), RunStatus::Succeeded);
        let item = house.item(run, 0, 0);
        assert_eq!((item.failures(), item.losses()), (0, 0), "it had no retry to lose");
    }
}

#[test]
fn what_succeeds_before_it_is_ended_has_succeeded() {
    let (mut house, run, grant) = running(|_| {});
    preempt(&mut house, run, None);
    house.end(&grant, Outcome::Succeeded);
    assert_eq!(house.status(run), RunStatus::Succeeded);
    assert_eq!(preempted(&house, run, 0), PreemptedImage::default());
}

#[test]
fn what_has_not_started_is_given_back() {
    let mut house = House::new(1);
    let run = house.submit(graph(1, &[]), |_| {});
    let grant = house.granted().remove(0);
    assert_eq!(house.task(run, 0), Leased);
    preempt(&mut house, run, None);
    assert_eq!(house.stops, [(grant.lease(), StopKind::Cancel)]);
    house.report(vec![Report { lease: grant.lease(), event: AttemptEvent::Returned }]);
    assert_eq!(preempted(&house, run, 0), PreemptedImage::default(), "it lost nothing");
    assert_eq!(house.granted().len(), 1);
    assert_eq!(house.work(|_| Outcome::Succeeded), []);
}

#[test]
fn only_what_lives_and_is_not_ending_makes_room() {
    let mut house = House::new(2);
    let parts = GraphParts { fan_outs: vec![(0, 3)], ..graph(1, &[]) };
    let run = house.submit(parts, |_| {});
    let grants = house.granted();
    house.start(&grants[0]);
    house.start(&grants[1]);
    let one = |item| Some(IdSet::one(item));
    let nothing = Answer::Rejected(Rejection::NothingToPreempt);
    assert_eq!(preempt(&mut house, run, one(2)), nothing, "it waits");
    assert_eq!(preempt(&mut house, run, one(9)), nothing);
    assert_eq!(preempt(&mut house, run, one(1)), Answer::Preempted { items: 1 });
    assert_eq!(preempt(&mut house, run, one(1)), nothing, "it leaves already");
    assert_eq!(preempt(&mut house, run, None), Answer::Preempted { items: 1 });
    let unknown = TaskKey { run, task: TaskId(7) };
    house.step(Input::Preempt { request: RequestId(8), task: unknown, items: None });
    assert_eq!(house.answers.pop(), Some(Answer::Rejected(Rejection::UnknownTask(TaskId(7)))));
    let gone = preempt(&mut house, RunId(99), None);
    assert_eq!(gone, Answer::Rejected(Rejection::UnknownRun(RunId(99))));
    house.stop(run, StopCause::Stopped);
    assert_eq!(preempt(&mut house, run, None), nothing, "it ends with its run");
}

#[test]
fn a_run_that_is_stopped_meanwhile_ends_what_leaves() {
    let (mut house, run, grant) = running(|_| {});
    preempt(&mut house, run, None);
    house.stop(run, StopCause::Stopped);
    house.end(&grant, Outcome::Cancelled);
    assert_eq!((house.task(run, 0), house.status(run)), (Cancelled, RunStatus::Cancelled));
}

#[test]
fn a_time_limit_no_longer_counts_for_what_leaves() {
    let (mut house, run, grant) = running(|policy| policy.timeout = Some(Span::secs(10)));
    preempt(&mut house, run, None);
    house.stops.clear();
    house.after(Span::secs(30));
    assert_eq!(house.stops, [], "it was told to end before");
    beat(&mut house, &grant, Span::ZERO);
    assert_eq!(house.stops, [(grant.lease(), StopKind::Cancel)], "it is told again the same");
    house.end(&grant, Outcome::Cancelled);
    let next = house.granted().remove(0);
    house.start(&next);
    house.stops.clear();
    house.after(Span::secs(10));
    assert_eq!(house.stops, [(next.lease(), StopKind::TimeOut)], "the next one has its own");
}

#[test]
fn there_is_no_next_attempt_after_its_deadline() {
    let deadline = Some(Deadline::After(Span::secs(10)));
    for is_told in [true, false] {
        let (mut house, run, grant) = running(|policy| policy.deadline = deadline);
        preempt(&mut house, run, None);
        match is_told {
            true => house.after(Span::secs(10)),
            false => house.now = house.now + Span::secs(10),
        }
        house.end(&grant, Outcome::Cancelled);
        assert_eq!(house.task(run, 0), TimedOut);
    }
}

#[test]
fn a_paused_run_keeps_what_has_left_waiting() {
    let (mut house, run, grant) = running(|_| {});
    preempt(&mut house, run, None);
    house.step(Input::Pause { request: RequestId(9), run });
    house.end(&grant, Outcome::Cancelled);
    assert_eq!((house.task(run, 0), house.granted().len()), (Retrying, 0));
    house.step(Input::Resume { request: RequestId(9), run });
    assert_eq!(house.work(|_| Outcome::Succeeded), [(0, 0)]);
    assert_eq!(house.task(run, 0), Succeeded);
}

#[test]
fn a_new_leader_tells_again_what_is_to_leave() {
    let (mut house, run, grant) = running(|_| {});
    preempt(&mut house, run, None);
    house.stops.clear();
    house.crash(2);
    house.hello("w", 1, Some(Span::secs(60)));
    house.say("w", News::Beat { beat: 1, held: vec![grant.lease()] });
    assert_eq!(house.stops, [(grant.lease(), StopKind::Cancel)]);
    house.end(&grant, Outcome::Cancelled);
    assert_eq!(preempted(&house, run, 0).count, 1);
}

#[test]
fn what_is_lost_while_it_leaves_costs_no_loss() {
    let (mut house, run, _) = running(|_| {});
    preempt(&mut house, run, None);
    house.after(Span::secs(61));
    assert_eq!((house.task(run, 0), house.item(run, 0, 0).losses()), (Retrying, 0));
    let image = preempted(&house, run, 0);
    assert_eq!((image.count, image.lost), (1, Span::secs(61)));
    let left_at = image.left_at.expect("no attempt has followed");
    house.after(Span::secs(9));
    house.hello("v", 1, Some(Span::secs(60)));
    assert_eq!(house.granted().len(), 1);
    let image = preempted(&house, run, 0);
    assert_eq!((image.waited, image.left_at), (house.now.since(left_at), None));
    assert_eq!(image.cost(), Span::secs(70), "what it lost, and what it waited for");
}

#[test]
fn a_new_round_forgets_how_often_its_items_made_room() {
    let mut house = House::new(2);
    let parts = GraphParts { fan_outs: vec![(0, 2)], ..graph(1, &[]) };
    let run = house.submit(parts, |_| {});
    let grants = house.granted();
    grants.iter().for_each(|grant| house.start(grant));
    preempt(&mut house, run, None);
    grants.iter().for_each(|grant| house.end(grant, Outcome::Cancelled));
    house.work(|_| Outcome::Succeeded);
    let counts = |house: &House| [0, 1].map(|item| preempted(house, run, item).count);
    assert_eq!(counts(&house), [1, 1]);
    house.retry_items(run, 0, IdSet::one(1));
    assert_eq!(counts(&house), [1, 0]);
}
