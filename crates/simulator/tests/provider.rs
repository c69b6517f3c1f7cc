//! Calls of a provider in virtual time: the real engine and planner against a modelled server that
//! counts requests and tokens by token buckets of its own, and one that is down for a while.
//!
//! Only the server and the time are made up. Nothing here breaks beside it: that is what the
//! simulator is for.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use engine::{Effect, Engine, Input, RequestId, Submission};
use model::fact::RunAdmitted;
use model::graph::GraphParts;
use model::hash::mix;
use model::message::{AttemptEvent, FromWorker, LeaseId, News, Order, Report};
use model::outcome::{AttemptEnd, Failure, Outcome, Spent, Unreached};
use model::policy::{FailurePolicy, Policy, Priority, RetryPolicy, Rule};
use model::shared::{Breaker, Shared, Spending, Unit};
use model::{Digest, Epoch, Graph, Request, RunId, RunStatus, Span, Timestamp};

const MINUTE: Span = Span::secs(60);
const BEAT: Span = Span::secs(1);
const START: Timestamp = Timestamp(1_000_000_000);

/// A bucket that fills up evenly, in parts that no rounding is lost of.
struct Bucket {
    limit: u64,
    /// In units times microseconds of a minute.
    level: u64,
    at: Timestamp,
}

impl Bucket {
    const fn full(limit: u64) -> Self {
        Self { limit, level: limit * MINUTE.0, at: START }
    }

    fn flow(&mut self, now: Timestamp) {
        let more = now.since(self.at).0 * self.limit;
        (self.level, self.at) = ((self.level + more).min(self.limit * MINUTE.0), now);
    }

    /// How long it takes until there is so much.
    fn wait(&self, amount: u64) -> Span {
        Span((amount * MINUTE.0).saturating_sub(self.level).div_ceil(self.limit))
    }

    fn take(&mut self, amount: u64) {
        self.level -= amount * MINUTE.0;
    }
}

/// A server, with what it has seen.
struct Server {
    requests: Bucket,
    tokens: Bucket,
    down: Option<(Timestamp, Timestamp)>,
    served: u64,
    served_tokens: u64,
    limited: u64,
    /// When attempts came while it was down.
    in_vain: Vec<Timestamp>,
    last_at: Timestamp,
}

impl Server {
    const fn new(down: Option<(Timestamp, Timestamp)>) -> Self {
        Self {
            requests: Bucket::full(600),
            tokens: Bucket::full(60_000),
            down,
            served: 0,
            served_tokens: 0,
            limited: 0,
            in_vain: Vec::new(),
            last_at: START,
        }
    }

    /// A request comes: how it ends, and how long the client is to wait.
    fn answer(&mut self, now: Timestamp, tokens: u64) -> (Outcome, Option<Span>) {
        if self.down.is_some_and(|(from, to)| (from..to).contains(&now)) {
            self.in_vain.push(now);
            return (Outcome::Failed(Failure::Unreachable(Unreached::Refused)), None);
        }
        self.requests.flow(now);
        self.tokens.flow(now);
        let wait = self.requests.wait(1).max(self.tokens.wait(tokens));
        if wait > Span::ZERO {
            self.limited += 1;
            return (Outcome::Failed(Failure::Status(429)), Some(wait));
        }
        self.requests.take(1);
        self.tokens.take(tokens);
        (self.served, self.served_tokens) = (self.served + 1, self.served_tokens + tokens);
        self.last_at = now;
        (Outcome::Succeeded, None)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Beat,
    Arrives(LeaseId, u16),
    Ends(LeaseId, Outcome, u64, Option<Span>),
}

/// One engine, one worker, one server.
struct World {
    engine: Engine,
    now: Timestamp,
    server: Server,
    /// How many tokens a call takes, by its number drawn.
    tokens: fn(u64) -> u64,
    events: BinaryHeap<Reverse<(Timestamp, u64, Event)>>,
    planned: u64,
    held: BTreeMap<LeaseId, ()>,
    said: u64,
    reports: u64,
    beats: u64,
}

impl World {
    fn new(server: Server, tokens: fn(u64) -> u64) -> Self {
        let mut world = Self {
            engine: Engine::new(),
            now: START,
            server,
            tokens,
            events: BinaryHeap::new(),
            planned: 0,
            held: BTreeMap::new(),
            said: 0,
            reports: 0,
            beats: 0,
        };
        world.step(Input::Lead { epoch: Epoch(1) });
        let offers = Request { cpu_milli: 256_000, ..Request::default() };
        world.say(News::Hello { offers: offers.into(), lease: None, reports_from: 1 });
        world.after(BEAT, Event::Beat);
        world
    }

    fn after(&mut self, span: Span, event: Event) {
        self.planned += 1;
        self.events.push(Reverse((self.now + span, self.planned, event)));
    }

    fn say(&mut self, news: News) {
        self.said += 1;
        let (name, number) = ("w".into(), self.said);
        self.step(Input::Worker(FromWorker { name, instance: 1, session: 1, number, news }));
    }

    fn step(&mut self, input: Input) {
        for input in [input, Input::Tick] {
            for effect in self.engine.step(self.now, input).effects {
                if let Effect::Send { message, .. } = effect {
                    self.obey(message.order);
                }
            }
        }
    }

    fn obey(&mut self, order: Order) {
        let Order::Assign(grants) = order else { return };
        for grant in grants {
            let (lease, attempt) = (grant.lease(), grant.attempt.attempt.0);
            self.held.insert(lease, ());
            self.planned += 1;
            let on_its_way = Span(5_000 + mix(self.planned) % 45_000);
            self.after(on_its_way, Event::Arrives(lease, attempt));
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Beat => {
                self.beats += 1;
                let (beat, held) = (self.beats, self.held.keys().copied().collect());
                self.say(News::Beat { beat, held });
                self.after(BEAT, Event::Beat);
            }
            Event::Arrives(lease, attempt) => {
                let drawn = mix(u64::from(lease.item.item.0) << 16 | u64::from(attempt));
                let tokens = (self.tokens)(drawn);
                let (outcome, asked) = self.server.answer(self.now, tokens);
                let good = outcome == Outcome::Succeeded;
                let takes = if good { Span(300_000 + drawn % 2_000_000) } else { Span(10_000) };
                let spent = if good { tokens } else { 0 };
                self.after(takes, Event::Ends(lease, outcome, spent, asked));
            }
            Event::Ends(lease, outcome, tokens_out, retry_after) => {
                self.held.remove(&lease);
                let spent = Spent { requests: 1, tokens_out, ..Spent::NOTHING };
                let end = AttemptEnd { spent, ..AttemptEnd::default() };
                let event = AttemptEvent::Ended { outcome, end, tasks: None, retry_after };
                self.reports += 1;
                let first = self.reports;
                self.say(News::Reports { first, reports: vec![Report { lease, event }] });
            }
        }
    }

    /// Runs `calls` that take this, until they have ended.
    fn run(&mut self, calls: u32, shared: Shared, retry: RetryPolicy) -> RunStatus {
        let request = Request { cpu_milli: 1_000, ..Request::default() };
        let policy = Policy { request, shared, retry, ..Policy::default() };
        let fan_outs = vec![(0, calls)];
        let policies = vec![policy];
        let parts = GraphParts { policies, policy_of: vec![0], fan_outs, ..GraphParts::default() };
        let graph = Arc::new(Graph::new(Digest([1; 32]), parts).unwrap());
        let (request, run, done) = (RequestId(1), admitted(&graph), Vec::new());
        self.step(Input::Submit(Box::new(Submission { request, run, graph, done })));
        loop {
            let status = self.engine.state().run(RunId(1)).unwrap().status();
            if status.is_final() {
                return status;
            }
            assert!(self.now < START + Span::secs(7_200), "it does not end: {status}");
            let event = self.events.peek().map(|Reverse((at, ..))| *at).unwrap();
            let due = self.engine.next_deadline().filter(|&due| due < event);
            if let Some(due) = due {
                self.now = self.now.max(due);
                self.step(Input::Tick);
                continue;
            }
            let Reverse((at, _, event)) = self.events.pop().unwrap();
            self.now = self.now.max(at);
            self.happen(event);
        }
    }

    fn succeeded(&self) -> u32 {
        let run = self.engine.state().run(RunId(1)).unwrap();
        run.items().of(model::TaskStatus::Succeeded)
    }
}

fn admitted(graph: &Graph) -> RunAdmitted {
    RunAdmitted {
        run: RunId(0),
        key: None,
        tenant: "default".into(),
        queue: "default".into(),
        name: "calls".into(),
        identity: Digest::default(),
        content: Digest::default(),
        graph: graph.digest(),
        definition: Digest::default(),
        priority: Priority::default(),
        failure: FailurePolicy::Continue,
        timeout: None,
        concurrency: None,
        cost_limit_micro: None,
        trace: 1,
    }
}

/// What a provider sells: 600 requests and 60,000 tokens a minute. A call reserves `estimate`.
fn budgets(estimate: u32) -> Shared {
    let spending = |name: &str, unit, amount, limit| Spending {
        name: name.into(),
        unit,
        amount,
        limit,
        per: MINUTE,
    };
    let requests = spending("requests", Unit::Requests, 1, 600);
    let tokens = spending("tokens", Unit::Tokens, estimate, 60_000);
    Shared { budgets: [requests, tokens].into(), ..Shared::default() }
}

/// Five thousand calls; how much of the scarcer budget was used, of a thousand.
fn five_thousand(estimate: u32, tokens: fn(u64) -> u64) -> u64 {
    five_thousand_of(Server::new(None), estimate, tokens)
}

fn five_thousand_of(server: Server, estimate: u32, tokens: fn(u64) -> u64) -> u64 {
    const CALLS: u32 = 5_000;
    let mut world = World::new(server, tokens);
    let on = [Rule::Status(429)].into();
    let retry = RetryPolicy { limit: 50, on, ..RetryPolicy::default() };
    assert_eq!(world.run(CALLS, budgets(estimate), retry), RunStatus::Succeeded);
    assert_eq!(world.succeeded(), CALLS, "a call was lost");
    let Server { served, served_tokens, limited, last_at, .. } = world.server;
    assert_eq!(served, u64::from(CALLS));
    // What there was at first, and what has flowed in since, when the last was served.
    let minutes = last_at.since(START).0;
    let of = |used: u64, limit: u64| used * 1_000 * MINUTE.0 / (limit * (MINUTE.0 + minutes));
    let used = of(served, 600).max(of(served_tokens, 60_000));
    println!("{used} of a thousand used, {limited} of {CALLS} limited, {minutes} us");
    assert!(limited * 200 < u64::from(CALLS), "{limited} calls were answered 429");
    used
}

#[test]
fn requests_that_are_scarce_are_used_up_and_hardly_any_is_refused() {
    // 85 tokens a call in the mean: 51,000 a minute.
    assert!(five_thousand(130, |drawn| 40 + drawn % 91) >= 950);
}

#[test]
fn tokens_that_are_scarce_are_used_up_and_hardly_any_is_refused() {
    // 150 tokens a call in the mean, and a few take more than is reserved for them.
    let tokens = |drawn| if drawn % 100 == 0 { 270 } else { 50 + drawn % 201 };
    assert!(five_thousand(250, tokens) >= 950);
}

#[test]
fn who_is_refused_does_not_ask_for_the_same_again() {
    // Somebody else has asked with the same key: there is less than the engine thinks.
    let mut server = Server::new(None);
    server.tokens.take(3_000);
    assert!(five_thousand_of(server, 250, |drawn| 50 + drawn % 201) >= 950);
}

#[test]
fn while_a_provider_is_down_attempts_fall_to_the_trial_rate_and_the_backlog_drains() {
    const CALLS: u32 = 3_000;
    let (from, to) = (START + Span::secs(120), START + Span::secs(720));
    let mut world = World::new(Server::new(Some((from, to))), |_| 10);
    let breaker = Breaker {
        name: "provider".into(),
        failures: 5,
        open: Span::secs(5),
        open_max: Span::secs(60),
        trials: 1,
        counts_transient: false,
    };
    // Three retries would not last for ten minutes of trying: trials are counted apart.
    let retry = RetryPolicy { limit: 3, ..RetryPolicy::default() };
    let shared = Shared { breakers: [breaker].into(), ..budgets(20) };
    assert_eq!(world.run(CALLS, shared, retry), RunStatus::Succeeded);
    assert_eq!(world.succeeded(), CALLS, "a call was lost");
    let in_vain = &world.server.in_vain;
    let since = |at: &&Timestamp| at.since(from) > Span::secs(2);
    let trials = in_vain.iter().filter(since).count();
    println!("{} attempts in vain, {trials} of them trials", in_vain.len());
    // After 5, 15, 35 and 75 seconds, and then once a minute.
    assert!((11..=15).contains(&trials), "{trials} trials in ten minutes");
    assert!(in_vain.len() - trials < 64, "{} before it opened", in_vain.len() - trials);
    let drained = world.now.since(to);
    let rest = u64::from(CALLS) - 600 - 2 * 600;
    let at_full_rate = Span::secs(rest / 10 + 60 + 5);
    println!("drained in {drained}, at the full rate that takes {at_full_rate}");
    assert!(drained < at_full_rate, "the backlog takes {drained}, not {at_full_rate}");
}
