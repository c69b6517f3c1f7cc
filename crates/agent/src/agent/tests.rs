//! Each rule of the agent, by what goes in and what comes out.

use alloc::vec;

use model::limits::{ATTEMPT_LEASE, ATTEMPT_LEASE_MARGIN, HEARTBEAT};
use model::message::Report;
use model::{
    Attempt, AttemptId, DeviceSet, Epoch, ItemId, ItemKey, Offers, Request, Round, RunId, TaskId,
    Token, VariantId,
};

use super::*;

/// An agent, its clock, and the coordinator's side of the session.
struct Bench {
    agent: Agent,
    now: Timestamp,
    epoch: u64,
    session: u64,
    number: u64,
    out: Vec<AgentOutput>,
}

impl Bench {
    /// A worker of two cores whose session is open.
    fn open() -> Self {
        let mut bench = Self::closed();
        bench.flush();
        bench.welcome(1);
        bench.flush();
        bench
    }

    fn closed() -> Self {
        let offers = Offers { cpu_milli: 2_000, ..Offers::default() };
        let lease = Some(ATTEMPT_LEASE);
        let config = AgentConfig { name: "node".into(), instance: 7, offers, lease };
        Self {
            agent: Agent::new(config),
            now: Timestamp(1_000_000),
            epoch: 1,
            session: 0,
            number: 0,
            out: vec![],
        }
    }

    fn step(&mut self, input: AgentInput) -> Vec<AgentOutput> {
        self.agent.step(self.now, input, &mut self.out);
        core::mem::take(&mut self.out)
    }

    fn order(&mut self, order: Order) -> Vec<AgentOutput> {
        self.number += 1;
        let (epoch, session, number) = (Epoch(self.epoch), self.session, self.number);
        self.step(AgentInput::Order(ToWorker { epoch, session, number, order }))
    }

    fn welcome(&mut self, worker: u32) -> Vec<AgentOutput> {
        self.order(Order::Welcome { worker: WorkerId(worker), lease: Some(ATTEMPT_LEASE) })
    }

    /// What is sent; follows a hello into its session.
    fn flush(&mut self) -> Vec<News> {
        self.agent.flush(self.now, &mut self.out);
        let mut said = vec![];
        for output in core::mem::take(&mut self.out) {
            let AgentOutput::Send(message) = output else { panic!("{output:?} from a flush") };
            if matches!(message.news, News::Hello { .. }) {
                assert!(message.session > self.session);
                assert_eq!(message.number, 1);
                (self.session, self.number) = (message.session, 0);
            }
            said.push(message.news);
        }
        said
    }

    fn reports(&mut self) -> Vec<(u64, AttemptEvent)> {
        let said = self.flush().into_iter();
        said.filter_map(|news| match news {
            News::Reports { first, reports } => Some((first, reports)),
            News::Hello { .. } | News::Beat { .. } => None,
        })
        .flat_map(|(first, reports)| (first..).zip(reports.into_iter().map(|r: Report| r.event)))
        .collect()
    }

    fn held(&mut self) -> Vec<LeaseId> {
        self.now = self.now + HEARTBEAT;
        let beat = self.flush().into_iter().find_map(|news| match news {
            News::Beat { held, .. } => Some(held),
            News::Hello { .. } | News::Reports { .. } => None,
        });
        beat.expect("a beat is due")
    }

    fn end(&mut self, item: u32, token: u64, outcome: Outcome) -> Vec<AgentOutput> {
        let end = AttemptEnd::default();
        self.step(AgentInput::Ended {
            lease: lease(item, token),
            outcome,
            end,
            tasks: None,
            retry_after: None,
        })
    }
}

fn lease(item: u32, token: u64) -> LeaseId {
    let item = ItemKey { run: RunId(1), task: TaskId(0), item: ItemId(item) };
    LeaseId { item, token: Token(token) }
}

fn grant(item: u32, token: u64, cpu_milli: u64) -> Grant {
    let LeaseId { item: key, token } = lease(item, token);
    let attempt = AttemptId { key, round: Round(0), attempt: Attempt(1) };
    let request = Request { cpu_milli, ..Request::default() };
    let (devices, grace, variant) = (DeviceSet::EMPTY, Span::secs(10), VariantId(0));
    Grant { attempt, token, request, devices, grace, variant }
}

fn started(outputs: &[AgentOutput]) -> Vec<u64> {
    let starts = outputs.iter().filter_map(|output| match output {
        AgentOutput::Start(grant) => Some(grant.token.0),
        AgentOutput::Send(_) | AgentOutput::Stop { .. } => None,
    });
    starts.collect()
}

fn ended(outcome: Outcome) -> AttemptEvent {
    AttemptEvent::Ended { outcome, end: AttemptEnd::default(), tasks: None, retry_after: None }
}

const KILLED: Outcome = Outcome::Failed(Failure::Signal(9));

#[test]
fn a_session_begins_with_a_hello_that_is_repeated() {
    let mut bench = Bench::closed();
    assert_eq!(bench.agent.next_deadline(), Some(Timestamp(0)));
    assert!(matches!(bench.flush()[..], [News::Hello { .. }]));
    assert!(bench.flush().is_empty(), "not again at once");
    bench.now = bench.agent.next_deadline().unwrap();
    assert!(matches!(bench.flush()[..], [News::Hello { .. }]));
    bench.welcome(1);
    assert!(matches!(bench.flush()[..], [News::Beat { beat: 1, .. }]));
}

#[test]
fn silence_and_a_broken_link_begin_a_new_session() {
    let mut bench = Bench::open();
    bench.step(AgentInput::Disconnected);
    assert!(matches!(bench.flush()[..], [News::Hello { .. }]));
    bench.welcome(1);
    bench.now = bench.now + Span::secs(5);
    assert!(matches!(bench.flush()[..], [News::Hello { .. }]));
}

#[test]
fn orders_of_other_sessions_old_numbers_and_old_leaders_are_dropped() {
    let mut bench = Bench::open();
    let assign = |epoch, session, number, item| {
        let order = Order::Assign(vec![grant(item, u64::from(item), 1)]);
        AgentInput::Order(ToWorker { epoch: Epoch(epoch), session, number, order })
    };
    assert_eq!(bench.step(assign(1, 99, 50, 1)), []);
    assert_eq!(bench.step(assign(1, 1, 1, 1)), [], "the welcome had this number");
    assert_eq!(started(&bench.step(assign(1, 1, 3, 2))), [2]);
    assert_eq!(bench.step(assign(1, 1, 2, 3)), [], "overtaken");
    assert_eq!(started(&bench.step(assign(2, 1, 4, 4))), [4]);
    assert_eq!(bench.step(assign(1, 1, 5, 5)), [], "the old leader");
}

#[test]
fn an_order_that_overtakes_its_welcome_does_not_hide_it() {
    let mut bench = Bench::closed();
    bench.flush();
    let order = Order::Assign(vec![grant(1, 1, 1)]);
    let early = ToWorker { epoch: Epoch(1), session: 1, number: 2, order };
    assert_eq!(bench.step(AgentInput::Order(early)), []);
    bench.welcome(1);
    assert!(matches!(bench.flush()[..], [News::Beat { .. }]));
}

#[test]
fn grants_start_in_order_and_within_the_node() {
    let mut bench = Bench::open();
    let grants = vec![grant(1, 11, 1_000), grant(2, 12, 2_000), grant(3, 13, 500)];
    assert_eq!(started(&bench.order(Order::Assign(grants))), [11]);
    assert_eq!(started(&bench.end(1, 11, Outcome::Succeeded)), [12], "13 does not overtake");
    assert_eq!(started(&bench.end(2, 12, Outcome::Succeeded)), [13]);
}

#[test]
fn a_grant_beyond_the_node_ends_as_unsatisfiable() {
    let mut bench = Bench::open();
    let grants = vec![grant(1, 11, 3_000), grant(2, 12, 1_000)];
    assert_eq!(started(&bench.order(Order::Assign(grants))), [12]);
    assert_eq!(bench.reports(), [(1, ended(Outcome::Failed(Failure::Unsatisfiable)))]);
}

#[test]
fn what_is_known_is_not_started_again() {
    let mut bench = Bench::open();
    let again = || Order::Assign(vec![grant(1, 11, 1_000)]);
    assert_eq!(started(&bench.order(again())), [11]);
    assert_eq!(bench.order(again()), [], "it runs");
    bench.end(1, 11, Outcome::Succeeded);
    assert_eq!(bench.order(again()), [], "it ended, unacknowledged");
    assert_eq!(bench.held(), [lease(1, 11)]);
    bench.order(Order::Acknowledge { report: 1 });
    assert_eq!(bench.held(), []);
    assert!(bench.agent.idle());
}

#[test]
fn a_newer_token_waits_for_the_death_of_the_older_process() {
    let mut bench = Bench::open();
    bench.order(Order::Assign(vec![grant(1, 11, 1_000)]));
    let outputs = bench.order(Order::Assign(vec![grant(1, 21, 1_000), grant(2, 22, 1_000)]));
    let kill = AgentOutput::Stop { lease: lease(1, 11), how: StopKind::Revoke };
    assert_eq!((&outputs[0], started(&outputs)), (&kill, vec![22]));
    assert_eq!(started(&bench.end(1, 11, Outcome::Succeeded)), [21]);
    assert_eq!(bench.reports(), [], "nothing is told of a revoked attempt");
}

#[test]
fn an_order_to_stop_gives_back_what_has_not_started() {
    let how_many = [StopKind::Retract, StopKind::Cancel, StopKind::TimeOut, StopKind::Terminate];
    for how in how_many {
        let mut bench = Bench::open();
        bench.order(Order::Assign(vec![grant(1, 11, 2_000), grant(2, 12, 2_000)]));
        assert_eq!(bench.order(Order::Stop { leases: vec![lease(2, 12)], how }), []);
        assert_eq!(bench.reports(), [(1, AttemptEvent::Returned)], "{how:?}");
        assert_eq!(bench.end(1, 11, Outcome::Succeeded), [], "it does not start any more");
    }
}

#[test]
fn a_retracted_attempt_that_runs_is_left_alone() {
    let mut bench = Bench::open();
    bench.order(Order::Assign(vec![grant(1, 11, 2_000)]));
    let retract = Order::Stop { leases: vec![lease(1, 11)], how: StopKind::Retract };
    assert_eq!(bench.order(retract), []);
    bench.end(1, 11, KILLED);
    assert_eq!(bench.reports(), [(1, ended(KILLED))]);
}

#[test]
fn an_end_is_told_by_the_order_that_caused_it_unless_it_is_a_success() {
    let cases = [
        (StopKind::Cancel, Outcome::Cancelled),
        (StopKind::TimeOut, Outcome::TimedOut),
        (StopKind::Terminate, Outcome::Terminated),
    ];
    for (how, told) in cases {
        for (seen, told) in [(KILLED, told), (Outcome::Succeeded, Outcome::Succeeded)] {
            let mut bench = Bench::open();
            bench.order(Order::Assign(vec![grant(1, 11, 2_000)]));
            let stop = || Order::Stop { leases: vec![lease(1, 11)], how };
            let signal = [AgentOutput::Stop { lease: lease(1, 11), how }];
            assert_eq!(bench.order(stop()), signal);
            assert_eq!(bench.order(stop()), [], "once is enough");
            bench.end(1, 11, seen);
            assert_eq!(bench.reports(), [(1, ended(told))]);
        }
    }
}

#[test]
fn a_termination_outranks_a_cancellation() {
    let mut bench = Bench::open();
    bench.order(Order::Assign(vec![grant(1, 11, 2_000)]));
    for (how, signals) in [(StopKind::Cancel, 1), (StopKind::TimeOut, 0), (StopKind::Terminate, 1)]
    {
        let outputs = bench.order(Order::Stop { leases: vec![lease(1, 11)], how });
        assert_eq!(outputs.len(), signals, "{how:?}");
    }
    bench.end(1, 11, KILLED);
    assert_eq!(bench.reports(), [(1, ended(Outcome::Terminated))]);
}

#[test]
fn a_revoked_attempt_keeps_its_room_until_it_is_dead() {
    let mut bench = Bench::open();
    bench.order(Order::Assign(vec![grant(1, 11, 2_000), grant(2, 12, 1_000)]));
    let how = StopKind::Revoke;
    let outputs = bench.order(Order::Stop { leases: vec![lease(1, 11)], how });
    assert_eq!(outputs, [AgentOutput::Stop { lease: lease(1, 11), how }]);
    assert_eq!(started(&bench.end(1, 11, KILLED)), [12]);
}

#[test]
fn a_start_is_left_out_if_the_end_follows_soon() {
    let mut bench = Bench::open();
    bench.order(Order::Assign(vec![grant(1, 11, 1_000), grant(2, 12, 1_000)]));
    bench.step(AgentInput::Started(lease(1, 11)));
    bench.step(AgentInput::Started(lease(2, 12)));
    assert_eq!(bench.reports(), [], "a start waits a moment");
    bench.end(1, 11, Outcome::Succeeded);
    assert_eq!(bench.reports(), [(1, ended(Outcome::Succeeded))]);
    bench.order(Order::Acknowledge { report: 1 });
    bench.now = bench.agent.next_deadline().unwrap();
    assert_eq!(bench.reports(), [(2, AttemptEvent::Started)]);
}

#[test]
fn reports_are_sent_again_until_they_are_acknowledged() {
    let mut bench = Bench::open();
    let grants = (1..=3).map(|item| grant(item, u64::from(item), 100)).collect();
    bench.order(Order::Assign(grants));
    let success = || ended(Outcome::Succeeded);
    bench.end(1, 1, Outcome::Succeeded);
    assert_eq!(bench.reports(), [(1, success())]);
    bench.end(2, 2, Outcome::Succeeded);
    assert_eq!(bench.reports(), [(2, success())], "only what is new");
    bench.order(Order::Acknowledge { report: 1 });
    bench.end(3, 3, Outcome::Succeeded);
    assert_eq!(bench.reports(), [(3, success())]);
    bench.now = bench.now + HEARTBEAT;
    assert_eq!(bench.reports(), [(2, success()), (3, success())], "no answer for a while");
    bench.step(AgentInput::Disconnected);
    assert_eq!(bench.reports(), []);
    bench.welcome(1);
    assert_eq!(bench.reports(), [(2, success()), (3, success())], "a new session");
    bench.order(Order::Acknowledge { report: 3 });
    assert!(bench.agent.idle());
}

#[test]
fn an_acknowledgement_right_after_the_welcome_counts() {
    let mut bench = Bench::open();
    bench.order(Order::Assign(vec![grant(1, 11, 100)]));
    bench.end(1, 11, Outcome::Succeeded);
    bench.flush();
    bench.step(AgentInput::Disconnected);
    bench.flush();
    bench.welcome(1);
    bench.order(Order::Acknowledge { report: 1 });
    assert_eq!(bench.reports(), []);
    assert!(bench.agent.idle());
}

#[test]
fn leases_are_counted_from_the_sending_of_the_answered_beat() {
    let mut bench = Bench::open();
    let opened = bench.now;
    bench.order(Order::Assign(vec![grant(1, 11, 100)]));
    let beat_at = opened + HEARTBEAT;
    assert_eq!(bench.held(), [lease(1, 11)]);
    bench.now = beat_at + Span::millis(900);
    bench.order(Order::Renew { beat: 2 });
    let limit = beat_at + ATTEMPT_LEASE - ATTEMPT_LEASE_MARGIN;
    bench.now = limit - Span::micros(1);
    assert_eq!(bench.step(AgentInput::Tick), []);
    bench.now = limit;
    let kill = AgentOutput::Stop { lease: lease(1, 11), how: StopKind::Revoke };
    assert_eq!(bench.step(AgentInput::Tick), [kill]);
    assert!(matches!(bench.flush()[..], [News::Hello { .. }]));
}

#[test]
fn a_worker_that_slept_through_its_lease_claims_nothing() {
    let mut bench = Bench::open();
    bench.order(Order::Assign(vec![grant(1, 11, 100)]));
    bench.now = bench.now + ATTEMPT_LEASE;
    let kill = AgentOutput::Stop { lease: lease(1, 11), how: StopKind::Revoke };
    assert_eq!(bench.end(1, 11, Outcome::Succeeded), [kill], "the sleep is noticed first");
    assert!(matches!(bench.flush()[..], [News::Hello { .. }]));
    bench.welcome(1);
    assert!(matches!(&bench.flush()[..], [News::Beat { held, .. }] if held.is_empty()));
    assert!(bench.agent.idle());
}

#[test]
fn a_welcome_does_not_lengthen_what_is_held() {
    let mut bench = Bench::open();
    bench.order(Order::Assign(vec![grant(1, 11, 100)]));
    let limit = bench.now + ATTEMPT_LEASE - ATTEMPT_LEASE_MARGIN;
    bench.now = bench.now + Span::secs(30);
    bench.flush();
    bench.welcome(1);
    bench.now = limit;
    assert_eq!(bench.step(AgentInput::Tick).len(), 1);
}

#[test]
fn a_new_number_means_that_all_old_leases_are_gone() {
    let mut bench = Bench::open();
    bench.order(Order::Assign(vec![grant(1, 11, 2_000), grant(2, 12, 2_000)]));
    bench.step(AgentInput::Disconnected);
    bench.flush();
    let kill = AgentOutput::Stop { lease: lease(1, 11), how: StopKind::Revoke };
    assert_eq!(bench.welcome(2), [kill]);
    assert_eq!(bench.end(1, 11, KILLED), []);
    assert!(bench.agent.idle());
}

fn saved(item: u32, token: u64, age: Span) -> AgentInput {
    AgentInput::Checkpointed { lease: lease(item, token), age }
}

/// Two attempts that run, and of which this is told and known.
fn running() -> Bench {
    let mut bench = Bench::open();
    bench.order(Order::Assign(vec![grant(0, 1, 1_000), grant(1, 2, 1_000)]));
    for (item, token) in [(0, 1), (1, 2)] {
        bench.step(AgentInput::Started(lease(item, token)));
    }
    bench.now = bench.now + Span::millis(10);
    assert_eq!(bench.reports().len(), 2);
    bench.order(Order::Acknowledge { report: 2 });
    bench
}

#[test]
fn saved_work_is_told_once_by_how_long_ago_that_was() {
    let mut bench = running();
    bench.step(saved(0, 1, Span::millis(900)));
    bench.step(saved(0, 1, Span::millis(200)));
    bench.step(saved(1, 7, Span::ZERO));
    assert_eq!(bench.agent.next_deadline(), Some(Timestamp(0)), "it is told at once");
    let age = |age| AttemptEvent::Checkpointed { age };
    assert_eq!(bench.reports(), [(3, age(Span::millis(200)))], "the last, and of nobody else");
    bench.now = bench.now + HEARTBEAT;
    assert_eq!(bench.reports(), [(3, age(Span::millis(200) + HEARTBEAT))], "it is older by now");
}

#[test]
fn what_is_saved_while_nobody_answers_is_told_when_somebody_does() {
    let mut bench = running();
    bench.step(saved(0, 1, Span::ZERO));
    assert_eq!(bench.reports().len(), 1);
    for _ in 0..100 {
        bench.step(saved(0, 1, Span::ZERO));
    }
    assert_eq!(bench.reports(), []);
    bench.order(Order::Acknowledge { report: 3 });
    assert_eq!(bench.reports(), [(4, AttemptEvent::Checkpointed { age: Span::ZERO })]);
    assert!(bench.agent.remembers(lease(0, 1)), "it has not ended");
    bench.step(saved(0, 1, Span::ZERO));
    bench.end(0, 1, Outcome::Succeeded);
    let last = bench.reports();
    let event = AttemptEvent::Checkpointed { age: Span::ZERO };
    assert_eq!(last, [(5, event), (6, ended(Outcome::Succeeded))], "before its end");
    bench.order(Order::Acknowledge { report: 5 });
    assert!(bench.agent.remembers(lease(0, 1)), "its end may be told again");
    bench.order(Order::Acknowledge { report: 6 });
    assert!(!bench.agent.remembers(lease(0, 1)));
}

#[test]
fn who_saves_its_work_has_started() {
    let mut bench = Bench::open();
    bench.order(Order::Assign(vec![grant(0, 1, 1_000)]));
    bench.step(AgentInput::Started(lease(0, 1)));
    bench.step(saved(0, 1, Span::ZERO));
    let told = [AttemptEvent::Started, AttemptEvent::Checkpointed { age: Span::ZERO }];
    assert_eq!(bench.reports().into_iter().map(|(_, event)| event).collect::<Vec<_>>(), told);
    bench.now = bench.now + Span::millis(10);
    assert_eq!(bench.reports(), [], "and has started once");
}
