//! Scenarios of gangs: tasks whose items begin together, and are one unit of work.

use std::collections::BTreeSet;

use engine::{Answer, Input, Rejection, RequestId};
use model::fact::{Fact, MarkCause, Marked, RoundScope, Standing, StopCause};
use model::graph::GraphParts;
use model::limits::UNSATISFIABLE_GRACE;
use model::message::{AttemptEvent, Grant, LeaseId, News, Report, StopKind};
use model::outcome::{AttemptEnd, Failure, Outcome};
use model::policy::{FailurePolicy, Policy, RetryPolicy};
use model::shared::{Deadline, Lock, Shared, Spending, Unit};
use model::status::TaskStatus::{
    self, Cancelled, Failed, Leased, Ready, Retrying, Running, Succeeded, TimedOut,
};
use model::wait::Blocker;
use model::{IdSet, ItemId, ItemKey, RunId, RunStatus, Span, TaskId, TaskKey, Token};

use crate::house::{FAILED, House, cpu};

const MEMBERS: u32 = 3;

/// A gang, and a task that follows it.
fn gang(change: impl FnOnce(&mut Policy)) -> GraphParts {
    let retry = RetryPolicy { limit: 1, loss_limit: 1, ..RetryPolicy::default() };
    let mut policy = Policy { gang: true, retry, ..Policy::default() };
    change(&mut policy);
    GraphParts {
        policies: vec![policy, Policy::default()],
        policy_of: vec![0, 1],
        edges: vec![(0, 1)],
        fan_outs: vec![(0, MEMBERS)],
        ..GraphParts::default()
    }
}

/// A house with a gang whose members run on two workers: the first two on one, the last on another.
struct Stage {
    house: House,
    run: RunId,
    grants: Vec<Grant>,
    reports: u64,
}

impl Stage {
    fn new(change: impl FnOnce(&mut Policy)) -> Self {
        let mut house = House::new(2);
        house.greet("v", cpu(1_000), Some(Span::secs(60)));
        let run = house.submit(gang(change), |_| {});
        let mut grants = house.granted();
        grants.sort_unstable_by_key(|grant| grant.attempt.key.item);
        let mut stage = Self { house, run, grants, reports: 1 };
        assert_eq!(stage.grants.len(), 3, "all begin at once");
        stage.start_all();
        stage
    }

    fn start_all(&mut self) {
        let grants = self.grants.clone();
        grants.iter().for_each(|grant| self.event(grant, AttemptEvent::Started));
    }

    fn worker_of(&self, grant: &Grant) -> String {
        let state = self.house.engine.state();
        let worker = state.lease(grant.attempt.key).expect("live").worker;
        state.worker(worker).expect("known").name.to_string()
    }

    fn event(&mut self, grant: &Grant, event: AttemptEvent) {
        let report = Report { lease: grant.lease(), event };
        if self.worker_of(grant) == "w" {
            return self.house.report(vec![report]);
        }
        let first = self.reports;
        self.reports += 1;
        self.house.say("v", News::Reports { first, reports: vec![report] });
    }

    fn end(&mut self, member: usize, outcome: Outcome) {
        let grant = self.grants[member].clone();
        let end = AttemptEnd::default();
        let event = AttemptEvent::Ended { outcome, end, tasks: None, retry_after: None };
        self.event(&grant, event);
    }

    fn members(&self) -> Vec<TaskStatus> {
        (0..MEMBERS).map(|item| self.house.item(self.run, 0, item).status()).collect()
    }

    /// The members that were told to end since the last time.
    fn told(&mut self) -> Vec<u32> {
        let stops = std::mem::take(&mut self.house.stops);
        assert!(stops.iter().all(|(_, how)| *how == StopKind::Cancel), "{stops:?}");
        // Whoever says that it lives and goes on is told again.
        let told: BTreeSet<u32> = stops.iter().map(|(lease, _)| lease.item.item.0).collect();
        told.into_iter().collect()
    }

    /// Time passes, and both workers say that they live.
    fn wait(&mut self, span: Span) {
        self.house.now = self.house.now + span;
        for name in ["w", "v"] {
            let state = self.house.engine.state();
            let (worker, known) = state.worker_named(name).expect("it lives");
            let works = |item: &&ItemKey| {
                state.lease(**item).is_some_and(|lease| lease.standing != Standing::Done)
            };
            let leases = known.items.iter().filter(works);
            let leases =
                leases.map(|&item| LeaseId { item, token: state.lease(item).expect("live").token });
            let held = leases.collect();
            assert!(!known.gone, "{worker}");
            self.house.say(name, News::Beat { beat: self.house.now.0, held });
        }
    }

    /// The gang begins once more after so long.
    fn again(&mut self, span: Span) {
        self.wait(span);
        self.grants = self.house.granted();
        self.grants.sort_unstable_by_key(|grant| grant.attempt.key.item);
        assert_eq!(self.grants.len(), 3, "all begin at once");
        self.start_all();
    }

    fn key(&self) -> TaskKey {
        TaskKey { run: self.run, task: TaskId(0) }
    }

    fn crash(&mut self, epoch: u64) {
        self.house.crash(epoch);
        self.house.greet("w", cpu(2_000), Some(Span::secs(60)));
        self.house.greet("v", cpu(1_000), Some(Span::secs(60)));
        self.reports = 1;
    }
}

fn leased(house: &House) -> Vec<Vec<u32>> {
    let facts = house.journal.iter().filter_map(|(_, _, fact)| match fact {
        Fact::GangLeased { parts, .. } => {
            Some(parts.iter().map(|part| part.items.end - part.items.start).collect())
        }
        Fact::AttemptsLeased { .. } => panic!("a member begins alone: {fact:?}"),
        _ => None,
    });
    facts.collect()
}

#[test]
fn a_gang_begins_as_one_fact_or_not_at_all() {
    let mut house = House::new(2);
    let run = house.submit(gang(|_| {}), |_| {});
    assert_eq!(house.granted(), [], "two of three have room");
    assert_eq!(house.task(run, 0), Ready);
    house.greet("v", cpu(1_000), Some(Span::secs(60)));
    let grants = house.granted();
    let tokens: Vec<Token> = grants.iter().map(|grant| grant.token).collect();
    assert_eq!(tokens, [tokens[0]; 3], "they share a token");
    let mut parts = leased(&house);
    parts[0].sort_unstable();
    assert_eq!(parts, [vec![1, 2]]);
}

#[test]
fn a_gang_has_succeeded_when_all_of_it_have() {
    let mut stage = Stage::new(|_| {});
    stage.end(0, Outcome::Succeeded);
    stage.end(2, Outcome::Succeeded);
    assert_eq!(stage.members(), [Running; 3], "it does not count before the others have");
    assert_eq!(stage.house.engine.state().working_members(stage.key()), 1);
    assert_eq!(stage.house.engine.state().lease_count(), 3, "their places are kept");
    stage.wait(Span::secs(5));
    assert_eq!((stage.house.granted(), stage.told()), (vec![], vec![]));
    stage.end(1, Outcome::Succeeded);
    assert_eq!(stage.members(), [Succeeded; 3]);
    stage.grants = stage.house.granted();
    assert_eq!(stage.grants.len(), 1, "what follows begins");
    stage.end(0, Outcome::Succeeded);
    assert_eq!(stage.house.status(stage.run), RunStatus::Succeeded);
}

#[test]
fn one_that_fails_ends_the_gang_and_all_of_it_is_tried_again_once() {
    let mut stage = Stage::new(|_| {});
    stage.end(0, Outcome::Succeeded);
    stage.end(1, FAILED);
    assert_eq!(stage.members(), [Retrying, Retrying, Running], "what was done was in vain");
    assert_eq!(stage.told(), [2]);
    stage.wait(Span::secs(30));
    assert_eq!(stage.house.granted(), [], "nothing begins while one of them runs");
    stage.end(2, Outcome::Cancelled);
    stage.again(Span::secs(1));
    assert_eq!(leased(&stage.house).len(), 2);
    let attempts = stage.grants.iter().map(|grant| grant.attempt.attempt.0);
    assert_eq!(attempts.collect::<Vec<_>>(), [2; 3]);
    // Another one fails: it was the gang that had one more try.
    stage.told();
    stage.end(2, FAILED);
    assert_eq!(stage.members(), [Running, Running, Failed]);
    assert_eq!(stage.told(), [0, 1]);
    stage.end(0, Outcome::Cancelled);
    stage.end(1, Outcome::Cancelled);
    assert_eq!(stage.members(), [Failed; 3]);
    assert_eq!(stage.house.task(stage.run, 0), Failed);
    assert_eq!(stage.house.status(stage.run), RunStatus::Failed);
}

#[test]
fn who_fails_or_succeeds_after_the_gang_has_ended_changes_nothing() {
    let mut stage = Stage::new(|_| {});
    stage.end(0, FAILED);
    stage.end(1, FAILED);
    stage.end(2, Outcome::Succeeded);
    assert_eq!(stage.members(), [Retrying; 3]);
    let failures = (0..3).map(|item| stage.house.item(stage.run, 0, item).failures());
    assert_eq!(failures.collect::<Vec<_>>(), [1, 0, 0], "one try for the gang");
    stage.again(Span::secs(5));
    for member in 0..3 {
        stage.end(member, Outcome::Succeeded);
    }
    assert_eq!(stage.house.task(stage.run, 0), Succeeded);
}

#[test]
fn a_gang_that_has_failed_for_good_has_failed_whatever_the_others_come_to() {
    let mut stage = Stage::new(|policy| policy.retry.limit = 0);
    stage.end(2, Outcome::Succeeded);
    stage.end(0, FAILED);
    stage.end(1, Outcome::Succeeded);
    assert_eq!(stage.members(), [Failed; 3]);
    assert_eq!(stage.house.status(stage.run), RunStatus::Failed);
}

#[test]
fn a_worker_that_is_lost_ends_the_gang_and_costs_no_try() {
    let mut stage = Stage::new(|policy| policy.retry.limit = 0);
    stage.end(2, Outcome::Succeeded);
    // The other worker lives on.
    let grants = stage.grants.clone();
    let held = vec![grants[2].lease()];
    for beat in 0..3 {
        stage.house.now = stage.house.now + Span::secs(25);
        stage.house.say("v", News::Beat { beat, held: held.clone() });
    }
    assert_eq!(stage.members(), [Retrying; 3]);
    let record = |item| stage.house.item(stage.run, 0, item);
    assert_eq!([0, 1, 2].map(|item| record(item).losses()), [1, 0, 0]);
    assert_eq!([0, 1, 2].map(|item| record(item).failures()), [0; 3]);
    stage.house.greet("u", cpu(2_000), Some(Span::secs(60)));
    assert_eq!(stage.house.granted().len(), 3);
}

#[test]
fn who_has_done_its_work_is_not_lost_with_its_worker() {
    let mut stage = Stage::new(|_| {});
    stage.end(2, Outcome::Succeeded);
    let held = vec![stage.grants[0].lease(), stage.grants[1].lease()];
    for beat in 0..3 {
        stage.house.now = stage.house.now + Span::secs(25);
        stage.house.say("w", News::Beat { beat, held: held.clone() });
    }
    assert_eq!(stage.house.engine.state().worker_named("v"), None, "it is lost");
    assert_eq!(stage.members(), [Running; 3]);
    stage.end(0, Outcome::Succeeded);
    stage.end(1, Outcome::Succeeded);
    assert_eq!(stage.members(), [Succeeded; 3]);
}

#[test]
fn a_lease_that_is_handed_back_ends_the_gang_at_no_cost() {
    let mut house = House::new(3);
    let run = house.submit(gang(|policy| policy.retry.limit = 0), |_| {});
    let grants = house.granted();
    house.start(&grants[0]);
    house.report(vec![Report { lease: grants[1].lease(), event: AttemptEvent::Returned }]);
    assert_eq!(house.item(run, 0, 1).status(), Retrying);
    let told: Vec<u32> = house.stops.iter().map(|(lease, _)| lease.item.item.0).collect();
    assert_eq!(told, [0, 2]);
    house.report(vec![Report { lease: grants[2].lease(), event: AttemptEvent::Returned }]);
    house.end(&grants[0], Outcome::Cancelled);
    assert_eq!(house.granted().len(), 3, "it begins once more");
    assert_eq!(house.item(run, 0, 0).failures(), 0);
}

#[test]
fn a_gang_is_preempted_as_a_whole_and_at_no_cost() {
    let mut stage = Stage::new(|policy| policy.retry.limit = 0);
    stage.end(1, Outcome::Succeeded);
    let (request, task) = (RequestId(8), stage.key());
    let items = Some(IdSet::one(0));
    stage.house.step(Input::Preempt { request, task, items });
    assert_eq!(stage.house.answers.pop(), Some(Answer::Preempted { items: 2 }));
    assert_eq!(stage.told(), [0, 2]);
    stage.end(0, Outcome::Cancelled);
    assert_eq!(stage.members(), [Retrying, Retrying, Running]);
    stage.end(2, FAILED);
    assert_eq!(stage.members(), [Leased; 3], "it begins once more");
    let failures = (0..3).map(|item| stage.house.item(stage.run, 0, item).failures());
    assert_eq!(failures.sum::<u8>(), 0);
}

#[test]
fn a_member_that_overruns_ends_the_gang() {
    let mut stage = Stage::new(|policy| policy.timeout = Some(Span::secs(20)));
    stage.end(0, Outcome::Succeeded);
    stage.wait(Span::secs(21));
    let stops = std::mem::take(&mut stage.house.stops);
    let told: BTreeSet<_> = stops.iter().map(|(lease, how)| (lease.item.item.0, *how)).collect();
    assert_eq!(
        told.into_iter().collect::<Vec<_>>(),
        [(1, StopKind::TimeOut), (2, StopKind::TimeOut)]
    );
    stage.end(1, Outcome::TimedOut);
    stage.end(2, Outcome::TimedOut);
    assert_eq!(stage.members(), [Retrying; 3]);
    stage.again(Span::secs(5));
    stage.wait(Span::secs(21));
    for member in 0..3 {
        stage.end(member, Outcome::TimedOut);
    }
    assert_eq!(stage.house.task(stage.run, 0), TimedOut);
}

#[test]
fn a_deadline_ends_all_of_a_gang() {
    let deadline = Some(Deadline::After(Span::secs(10)));
    let mut stage = Stage::new(|policy| policy.deadline = deadline);
    stage.end(0, FAILED);
    stage.wait(Span::secs(11));
    assert_eq!(stage.members(), [TimedOut, Running, Running]);
    stage.end(1, Outcome::Cancelled);
    stage.end(2, Outcome::Lost);
    assert_eq!(stage.house.task(stage.run, 0), TimedOut);
    assert_eq!(stage.house.status(stage.run), RunStatus::Failed);
}

#[test]
fn a_run_that_is_stopped_ends_its_gangs() {
    let mut stage = Stage::new(|_| {});
    stage.end(0, Outcome::Succeeded);
    stage.house.stop(stage.run, StopCause::Stopped);
    stage.end(1, Outcome::Cancelled);
    assert_eq!(stage.members(), [Cancelled, Cancelled, Running]);
    stage.end(2, Outcome::Succeeded);
    assert_eq!(stage.members(), [Cancelled; 3]);
    assert_eq!(stage.house.status(stage.run), RunStatus::Cancelled);
    assert_eq!(stage.house.retry(stage.run, None), Answer::Reopened { tasks: 2 });
    assert_eq!(stage.house.granted().len(), 3);
}

#[test]
fn a_paused_run_begins_no_gang_and_lets_one_end() {
    let mut stage = Stage::new(|_| {});
    stage.house.step(Input::Pause { request: RequestId(9), run: stage.run });
    stage.end(0, FAILED);
    stage.end(1, Outcome::Cancelled);
    stage.end(2, Outcome::Cancelled);
    stage.wait(Span::secs(30));
    assert_eq!(stage.house.granted(), []);
    stage.house.step(Input::Resume { request: RequestId(9), run: stage.run });
    assert_eq!(stage.house.granted().len(), 3);
}

#[test]
fn a_new_leader_knows_who_has_done_its_work_and_who_is_to_leave() {
    let mut stage = Stage::new(|_| {});
    stage.end(2, Outcome::Succeeded);
    stage.crash(2);
    assert_eq!(stage.members(), [Running; 3]);
    let held: Vec<_> = stage.grants[..2].iter().map(Grant::lease).collect();
    stage.house.say("w", News::Beat { beat: 1, held: held.clone() });
    stage.house.say("v", News::Beat { beat: 1, held: vec![] });
    assert_eq!(stage.house.granted(), [], "it does not do its work again");
    stage.end(0, FAILED);
    stage.house.stops.clear();
    stage.crash(3);
    stage.house.say("w", News::Beat { beat: 1, held: held[1..].to_vec() });
    assert_eq!(stage.told(), [1]);
    stage.end(1, Outcome::Cancelled);
    assert_eq!(stage.members(), [Retrying; 3]);
}

#[test]
fn a_worker_in_the_process_of_the_leader_takes_the_gang_with_it() {
    let mut house = House::offering(cpu(0));
    house.greet("own", cpu(3_000), None);
    let run = house.submit(gang(|policy| policy.retry.limit = 0), |_| {});
    assert_eq!(house.granted().len(), 3);
    house.crash(2);
    house.greet("own", cpu(3_000), None);
    house.after(Span::secs(1));
    assert_eq!(house.granted().len(), 3);
    assert_eq!(house.item(run, 0, 0).failures(), 0);
}

#[test]
fn a_gang_takes_what_is_shared_for_all_of_it_or_waits() {
    let lock = |holders_max| Shared {
        locks: [Lock { name: "db".into(), holders_max }].into(),
        ..Shared::default()
    };
    let mut house = House::new(4);
    house.submit(gang(|policy| policy.shared = lock(2)), |_| {});
    assert_eq!(house.granted(), []);
    let mut house = House::new(4);
    house.submit(gang(|policy| policy.shared = lock(3)), |_| {});
    assert_eq!(house.granted().len(), 3);
    let mut house = House::new(4);
    house.submit(gang(|_| {}), |run| run.concurrency = Some(2));
    assert_eq!(house.granted(), []);
}

#[test]
fn a_gang_may_take_all_of_a_budget_and_waits_until_that_has_flowed_back() {
    // A third of that is no whole number of microseconds.
    let (name, unit, per) = ("api".into(), Unit::Attempts, Span(1_000_001));
    let spending = Spending { name, unit, amount: 4, limit: 12, per };
    let shared = Shared { budgets: [spending].into(), ..Shared::default() };
    let mut house = House::new(8);
    let begun = house.now;
    let submit = |house: &mut House| house.submit(gang(|it| it.shared = shared.clone()), |_| {});
    submit(&mut house);
    assert_eq!(house.granted().len(), 3);
    let second = submit(&mut house);
    assert_eq!(house.granted(), []);
    // What each takes is rounded up.
    let until = begun + Span(1_000_002);
    let budget = Blocker::Budget { name: "api".into(), until };
    assert_eq!(blockers(&house, second, 2), [budget]);
    // There is enough for one, which is not enough.
    house.after(Span(333_335));
    assert_eq!(house.engine.next_deadline(), Some(until), "it plans again then");
    house.now = until - Span(1);
    house.after(Span::ZERO);
    assert_eq!(house.granted(), []);
    house.after(Span(1));
    assert_eq!(house.granted().len(), 3, "without anything else happening");
}

#[test]
fn two_gangs_never_hold_each_other_up_with_halves() {
    let mut house = House::new(4);
    let runs = [0, 1].map(|_| house.submit(gang(|_| {}), |_| {}));
    let grants = house.granted();
    assert_eq!(grants.len(), 3);
    assert!(grants.iter().all(|grant| grant.attempt.key.run == runs[0]));
    assert_eq!(house.task(runs[1], 0), Ready);
}

#[test]
fn a_gang_is_marked_and_run_again_as_a_whole() {
    let mut house = House::new(2);
    let run = house.submit(gang(|_| {}), |run| run.failure = FailurePolicy::Continue);
    let mark = |items| Marked {
        run,
        tasks: IdSet::one(0),
        items,
        status: Succeeded,
        cause: MarkCause::Person,
        control: None,
        output: None,
    };
    let answer = house.mark(mark(Some(IdSet::one(0))));
    assert_eq!(answer, Answer::Rejected(Rejection::Unfit("a gang is marked as a whole")));
    assert_eq!(house.mark(mark(None)), Answer::Marked { tasks: 1 });
    assert_eq!(house.work(|_| Outcome::Succeeded), [(1, 0)]);
    let answer = house.retry_items(run, 0, IdSet::one(1));
    assert_eq!(answer, Answer::Rejected(Rejection::Unfit("a gang runs again as a whole")));
    house.greet("v", cpu(1_000), Some(Span::secs(60)));
    assert_eq!(house.retry_items(run, 0, IdSet::range(0, 3)), Answer::Reopened { tasks: 2 });
    assert_eq!(house.granted().len(), 3);
    let opened = house
        .journal
        .iter()
        .filter(|(_, _, fact)| matches!(fact, Fact::RoundOpened { scope: RoundScope::All, .. }));
    assert_eq!(opened.count(), 1);
}

fn blockers(house: &House, run: RunId, item: u32) -> Vec<Blocker> {
    let key = TaskKey { run, task: TaskId(0) }.item(ItemId(item));
    house.engine.explain(key).expect("known").blockers
}

#[test]
fn what_keeps_a_gang_is_told_with_how_many_have_room() {
    let mut house = House::new(2);
    house.greet("v", cpu(2_000), Some(Span::secs(60)));
    let first = house.submit(gang(|policy| policy.concurrency = None), |_| {});
    assert_eq!(house.granted().len(), 3);
    let second = house.submit(gang(|_| {}), |_| {});
    let blocked = blockers(&house, second, 2);
    assert!(matches!(blocked[..], [Blocker::Gang { members: 3, room: 1, .. }]), "{blocked:?}");
    assert_eq!(blockers(&house, first, 0), []);
}

#[test]
fn a_gang_that_all_workers_together_cannot_hold_fails_after_a_while() {
    let mut house = House::new(2);
    let run = house.submit(gang(|_| {}), |_| {});
    let fails_at = house.now + UNSATISFIABLE_GRACE;
    let expected = [Blocker::Oversized { members: 3, largest: 2, fails_at }];
    assert_eq!(blockers(&house, run, 1), expected);
    let beat = |house: &mut House| house.say("w", News::Beat { beat: 1, held: vec![] });
    house.now = house.now + Span::secs(59);
    beat(&mut house);
    assert_eq!(house.task(run, 0), Ready);
    house.after(Span::secs(1));
    assert_eq!(house.task(run, 0), Failed);
    let trouble = house.engine.state().run(run).expect("known").task(TaskId(0)).trouble();
    assert_eq!(trouble, Some(Outcome::Failed(Failure::Unsatisfiable)));
}

#[test]
fn a_gang_that_locks_or_budgets_never_let_begin_fails_after_a_while() {
    let (name, unit, per) = ("api".into(), Unit::Attempts, Span(1_000));
    let spending = Spending { name, unit, amount: 4, limit: 11, per };
    let lock = Lock { name: "db".into(), holders_max: 2 };
    for shared in [
        Shared { locks: [lock].into(), ..Shared::default() },
        Shared { budgets: [spending].into(), ..Shared::default() },
    ] {
        let mut house = House::new(8);
        let run = house.submit(gang(|policy| policy.shared = shared), |_| {});
        let fails_at = house.now + UNSATISFIABLE_GRACE;
        assert_eq!(house.granted(), []);
        let expected = [Blocker::Oversized { members: 3, largest: 2, fails_at }];
        assert_eq!(blockers(&house, run, 1), expected);
        house.after(UNSATISFIABLE_GRACE);
        assert_eq!(house.task(run, 0), Failed);
    }
}

#[test]
fn who_waits_for_its_gang_is_told_how_many_are_left() {
    let mut stage = Stage::new(|_| {});
    stage.end(0, Outcome::Succeeded);
    assert_eq!(blockers(&stage.house, stage.run, 0), [Blocker::Members { left: 2 }]);
    stage.end(1, FAILED);
    assert_eq!(blockers(&stage.house, stage.run, 1), [Blocker::Members { left: 1 }]);
    stage.end(2, Outcome::Cancelled);
    let blocked = blockers(&stage.house, stage.run, 0);
    assert!(matches!(blocked[..], [Blocker::Backoff { .. }]), "{blocked:?}");
}

#[test]
fn a_member_writes_no_tasks() {
    let mut house = House::new(3);
    let run = house.submit(gang(|policy| policy.retry.limit = 0), |_| {});
    let grants = house.granted();
    house.start(&grants[0]);
    house.end_with_tasks(&grants[0], None);
    assert_eq!(house.item(run, 0, 0).status(), Failed);
    let failed = Some(Outcome::Failed(Failure::Tasks));
    let trouble = house.engine.state().run(run).expect("known").task(TaskId(0)).trouble();
    assert_eq!(trouble, failed);
    assert_eq!(house.item(run, 0, 0).attempts().0, 1);
}
