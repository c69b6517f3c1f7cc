//! Scenarios of amendments: a run is edited while it goes, and tasks write tasks.

use engine::{Amendment, Answer, Generated, Rejection};
use model::control::{EdgeCondition, Join, Kind};
use model::fact::{AmendCause, Fact, StopCause};
use model::graph::GraphParts;
use model::message::Grant;
use model::outcome::{Failure, OutputRef};
use model::policy::{FailurePolicy, Priority, Trigger};
use model::status::TaskStatus::{Failed, Pending, Ready, Running, Skipped, Succeeded};
use model::{Digest, ItemId, Outcome, RunId, RunStatus, Span, TaskId};

use crate::control::with;
use crate::house::{FAILED, House, cpu, graph};

fn ok(_: &Grant) -> Outcome {
    Outcome::Succeeded
}

/// The only task has run, with one grant that has not ended.
fn started(parts: GraphParts) -> (House, RunId, Grant) {
    let mut house = House::new(1);
    let run = house.submit(parts, |_| {});
    let grant = house.granted().remove(0);
    house.start(&grant);
    (house, run, grant)
}

fn generated(grant: &Grant, amendment: Amendment) -> Generated {
    Generated { lease: grant.lease(), amendment: Some(amendment), reason: None }
}

#[test]
fn what_is_added_runs_after_what_has_ended_and_before_what_waits() {
    let (mut house, run, grant) = started(graph(3, &[(0, 1), (1, 2)]));
    house.end(&grant, Outcome::Succeeded);
    // 3 comes after 0, which has ended; 4 between 3 and 2, which waits; 5 waits for nothing.
    let parts = graph(6, &[(0, 1), (1, 2), (0, 3), (3, 4), (4, 2)]);
    assert_eq!(house.amend_to(run, parts), Answer::Amended);
    assert_eq!(house.task(run, 3), Ready);
    house.crash(2);
    house.hello("w", 1, Some(Span::secs(60)));
    let order = house.work(ok);
    let place = |task| order.iter().position(|&(it, _)| it == task);
    assert!(place(2) > place(4) && place(4) > place(3) && place(5).is_some(), "{order:?}");
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn an_edge_out_of_what_has_ended_is_decided_at_once() {
    let mut house = House::new(1);
    let run = house.submit(graph(3, &[(0, 1)]), |run| run.failure = FailurePolicy::Continue);
    let grant = house.granted().remove(0);
    house.end(&grant, FAILED);
    let mut parts = graph(5, &[(0, 1), (0, 3), (0, 4)]);
    parts.conditions =
        vec![EdgeCondition::Succeeded, EdgeCondition::Failed, EdgeCondition::Succeeded];
    assert_eq!(house.amend_to(run, parts), Answer::Amended);
    house.work(ok);
    assert_eq!(house.statuses(run), [Failed, Skipped, Succeeded, Succeeded, Skipped]);
    assert_eq!(house.status(run), RunStatus::Succeeded, "3 counts on the failure of 0");
}

#[test]
fn new_fan_outs_loops_and_handlers_take_their_places() {
    let (mut house, run, grant) = started(graph(1, &[]));
    let mut parts = graph(5, &[(0, 1), (1, 2), (2, 3)]);
    parts.fan_outs = vec![(1, 3)];
    let parts = with(parts, 3, |p| {
        p.kind = Kind::Loop { first: TaskId(2), turns_max: 3 };
        p.join = Join::AllDone;
    });
    let parts = with(parts, 4, |p| p.trigger = Trigger::Success);
    assert_eq!(house.amend_to(run, parts), Answer::Amended);
    house.end(&grant, Outcome::Succeeded);
    assert_eq!(house.work(ok), [(1, 0), (1, 1), (1, 2), (2, 0)]);
    house.answer(3, model::control::ControlAnswer::Again);
    assert_eq!(house.work(ok), [(2, 0)]);
    house.answer(3, model::control::ControlAnswer::Done);
    assert_eq!(house.work(ok), [(4, 0)], "the handler comes last");
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn settings_change_until_a_task_begins_and_the_limit_of_a_task_always() {
    let (mut house, run, _grant) = started(graph(3, &[]));
    assert_eq!(house.statuses(run), [Running, Ready, Ready]);
    let urgent = with(graph(3, &[]), 2, |p| {
        (p.priority, p.timeout) = (Priority(90), Some(Span::secs(5)));
        p.request = cpu(500);
    });
    assert_eq!(house.amend_to(run, urgent.clone()), Answer::Amended);
    let state = house.engine.state();
    let class = state.run(run).unwrap().class(TaskId(2));
    assert_eq!(state.classes().get(class).request, cpu(500));
    let begun = with(urgent.clone(), 0, |p| p.timeout = Some(Span::secs(5)));
    assert_eq!(house.amend_to(run, begun), Answer::Rejected(Rejection::Begun(TaskId(0))));
    let limited = with(urgent, 0, |p| p.concurrency = Some(4));
    assert_eq!(house.amend_to(run, limited), Answer::Amended);
    house.crash(2);
}

#[test]
fn the_settings_of_a_run_change_where_it_stands_among_others() {
    let (mut house, first, grant) = started(graph(3, &[]));
    let second = house.submit(graph(1, &[]), |_| {});
    let amendment = Amendment { priority: Priority(80), ..house.amendment(second, None) };
    assert_eq!(house.amend(amendment.clone()), Answer::Amended);
    let facts = house.journal.len();
    assert_eq!(house.amend(amendment), Answer::Amended);
    assert_eq!(house.journal.len(), facts, "nothing changes twice");
    house.end(&grant, Outcome::Succeeded);
    let next = house.granted();
    assert_eq!(next[0].attempt.key.run, second, "it goes first now");
    let none = Amendment { concurrency: Some(0), ..house.amendment(first, None) };
    assert!(matches!(house.amend(none), Answer::Rejected(Rejection::Unfit(_))));
    let one = Amendment { concurrency: Some(1), ..house.amendment(first, None) };
    assert_eq!(house.amend(one), Answer::Amended);
    house.crash(2);
    assert_eq!(house.engine.state().run(first).unwrap().admitted().concurrency, Some(1));
}

#[test]
fn what_waits_for_its_next_attempt_keeps_its_turn() {
    let parts = with(graph(2, &[]), 0, |p| p.retry.limit = 1);
    let (mut house, run, grant) = started(parts.clone());
    house.end(&grant, FAILED);
    house.work(ok);
    // With more behind it, the task is more urgent than before.
    let more = GraphParts { policy_of: vec![1, 0, 0], edges: vec![(0, 2)], ..parts };
    assert_eq!(house.amend_to(run, more), Answer::Amended);
    house.after(Span::secs(2));
    assert_eq!(house.work(ok), [(0, 0), (2, 0)]);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn a_graph_that_does_not_follow_is_refused() {
    let edges = [(0, 1), (1, 2), (2, 3), (3, 4)];
    let looped = with(graph(5, &edges), 3, |p| {
        p.kind = Kind::Loop { first: TaskId(2), turns_max: 3 };
        p.join = Join::AllDone;
    });
    let (mut house, run, grant) = started(looped.clone());
    house.end(&grant, Outcome::Succeeded);
    let grown = |edges: &[(u32, u32)]| GraphParts {
        policy_of: [&looped.policy_of[..], &[0]].concat(),
        edges: edges.to_vec(),
        ..looped.clone()
    };
    let unfit = |answer: Answer| matches!(answer, Answer::Rejected(Rejection::Unfit(_)));
    let all = |more: &[(u32, u32)]| grown(&[&edges[..], more].concat());
    assert!(unfit(house.amend_to(run, graph(4, &edges[..3]))), "a task is missing");
    assert!(unfit(house.amend_to(run, graph(5, &edges))), "the loop is none any more");
    assert!(unfit(house.amend_to(run, grown(&edges[1..]))), "an edge is missing");
    assert!(unfit(house.amend_to(run, all(&[(0, 4)]))), "an edge among old tasks is new");
    assert!(unfit(house.amend_to(run, all(&[(5, 2)]))), "an edge enters a loop");
    assert!(unfit(house.amend_to(run, all(&[(5, 3)]))), "an edge enters the end of a loop");
    let begun = |task| Answer::Rejected(Rejection::Begun(TaskId(task)));
    assert_eq!(house.amend_to(run, all(&[(5, 1)])), begun(1), "1 is leased");
    assert_eq!(house.amend_to(run, all(&[(5, 4), (3, 5)])), Answer::Amended);
    let stale = Amendment { base: Digest([99; 32]), ..house.amendment(run, None) };
    assert_eq!(house.amend(stale), Answer::Rejected(Rejection::Outdated));
    house.stop(run, StopCause::Stopped);
    house.answers.clear();
    let stopping = Answer::Rejected(Rejection::RunEnded(RunStatus::Stopping));
    assert_eq!(house.amend(house.amendment(run, None)), stopping);
}

#[test]
fn tasks_that_an_attempt_wrote_run_before_what_depends_on_it() {
    let (mut house, run, grant) = started(graph(2, &[(0, 1)]));
    let more = house.keep(graph(4, &[(0, 1), (0, 2), (2, 3), (3, 1)]));
    let amendment = house.amendment(run, Some(&more));
    house.end_with_tasks(&grant, Some(generated(&grant, amendment)));
    let last: Vec<_> = house.journal.iter().map(|(.., fact)| fact).collect();
    let written = last.iter().position(|fact| matches!(fact, Fact::RunAmended(_))).unwrap();
    let Fact::RunAmended(amended) = last[written] else { unreachable!() };
    assert_eq!(amended.cause, AmendCause::Generated { task: TaskId(0), item: ItemId(0) });
    assert!(matches!(last[written + 1], Fact::AttemptsEnded(ended) if ended.ends.len() == 1));
    house.crash(2);
    house.hello("w", 1, Some(Span::secs(60)));
    assert_eq!(house.work(ok), [(2, 0), (3, 0), (1, 0)]);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn what_is_written_again_adds_nothing_and_several_items_write_in_turn() {
    let mut house = House::new(2);
    let run = house.submit(GraphParts { fan_outs: vec![(0, 2)], ..graph(1, &[]) }, |_| {});
    let grants = house.granted();
    let one = house.keep(GraphParts { fan_outs: vec![(0, 2)], ..graph(2, &[(0, 1)]) });
    let first = house.amendment(run, Some(&one));
    house.end_with_tasks(&grants[0], Some(generated(&grants[0], first)));
    let again = house.amendment(run, Some(&one));
    house.end_with_tasks(&grants[1], Some(generated(&grants[1], again)));
    let amended = house.journal.iter().filter(|it| matches!(it.2, Fact::RunAmended(_)));
    assert_eq!(amended.count(), 1);
    assert_eq!(house.work(ok), [(1, 0)]);
    assert_eq!(house.status(run), RunStatus::Succeeded);
}

#[test]
fn what_cannot_be_admitted_fails_the_attempt_for_good() {
    let reason = Some(OutputRef { digest: Digest([3; 32]), bytes: 5 });
    for (amended, reason) in [(None, reason), (Some(()), None)] {
        let parts = with(graph(2, &[(0, 1)]), 0, |p| p.retry.limit = 5);
        let (mut house, run, grant) = started(parts.clone());
        // What misses a task of the run does not follow from it.
        let fewer = house.keep(graph(1, &[]));
        let amendment = amended.map(|()| house.amendment(run, Some(&fewer)));
        let generated = Generated { lease: grant.lease(), amendment, reason };
        house.end_with_tasks(&grant, Some(generated));
        assert_eq!(house.statuses(run)[0], Failed);
        let ended = house.journal.iter().find_map(|(.., fact)| match fact {
            Fact::AttemptsEnded(ended) => Some(ended.clone()),
            _ => None,
        });
        let ended = ended.expect("it has ended");
        assert_eq!(ended.outcome, Outcome::Failed(Failure::Tasks));
        assert_eq!(ended.ends[0].1.output, reason);
        assert_eq!(house.status(run), RunStatus::Failed);
    }
    let (mut house, run, grant) = started(graph(1, &[]));
    house.end_with_tasks(&grant, None);
    assert_eq!(house.task(run, 0), Failed, "nobody has looked at what it wrote");
}

#[test]
fn handlers_write_no_ordinary_tasks() {
    let parts = with(graph(2, &[]), 1, |p| p.trigger = Trigger::Exit);
    let (mut house, run, grant) = started(parts.clone());
    house.end(&grant, Outcome::Succeeded);
    let handler = house.granted().remove(0);
    let more = house.keep(GraphParts { policy_of: vec![0, 1, 0], ..parts });
    let amendment = house.amendment(run, Some(&more));
    house.end_with_tasks(&handler, Some(generated(&handler, amendment)));
    assert_eq!(house.statuses(run), [Succeeded, Failed]);
}

#[test]
fn a_lock_that_an_edit_adds_makes_another_class() {
    let (mut house, run, grant) = started(graph(2, &[(0, 1)]));
    let parts = with(graph(2, &[(0, 1)]), 1, |p| {
        let (name, holders_max) = ("db".into(), 1);
        p.shared.locks = [model::shared::Lock { name, holders_max }].into();
    });
    assert_eq!((house.amend_to(run, parts), house.task(run, 1)), (Answer::Amended, Pending));
    house.end(&grant, Outcome::Succeeded);
    assert_eq!(house.engine.state().shares().held("db"), 1);
    house.work(ok);
    assert_eq!(house.engine.state().shares().held("db"), 0);
}
