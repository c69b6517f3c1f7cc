//! Any graph that `spec` accepts ends, in an order that respects its edges, whatever its tasks do.
//!
//! Files are drawn, checked and compiled by the real language, and decided by the real engine and
//! planner; only the worker is a few lines that say how each attempt ended.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use engine::{Effect, Engine, Input, RequestId, Submission};
use model::fact::RunAdmitted;
use model::message::{AttemptEvent, FromWorker, Grant, News, Order, Report};
use model::outcome::{AttemptEnd, Failure, Outcome};
use model::policy::{FailurePolicy, Priority};
use model::{Digest, Epoch, Graph, Request, RunId, RunStatus, Span, TaskStatus, Timestamp};
use proptest::prelude::*;
use spec::Source;

#[derive(Clone, Debug)]
struct Drawn {
    /// For each task: which earlier ones it depends on, its items, and its retries.
    tasks: Vec<(Vec<prop::sample::Index>, Option<u8>, u8)>,
    goes_on: bool,
    /// How attempts end, over and over: true is well.
    fortunes: Vec<bool>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let task = (
        prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        prop::option::of(0u8..6),
        0u8..3,
    );
    let tasks = prop::collection::vec(task, 1..40);
    (tasks, any::<bool>(), prop::collection::vec(prop::bool::weighted(0.85), 1..20))
        .prop_map(|(tasks, goes_on, fortunes)| Drawn { tasks, goes_on, fortunes })
}

fn file(drawn: &Drawn) -> String {
    let policy = if drawn.goes_on { "continue" } else { "stop" };
    let mut text = format!("on_failure: {policy}\ntasks:\n");
    for (number, (dependencies, items, retries)) in drawn.tasks.iter().enumerate() {
        let _ = writeln!(text, "  - name: t{number}\n    command: [work]\n    retry: {retries}");
        if let Some(items) = items {
            let _ = writeln!(text, "    foreach: {{range: {items}}}");
        }
        if number > 0 && !dependencies.is_empty() {
            let mut names: Vec<_> =
                dependencies.iter().map(|index| format!("t{}", index.index(number))).collect();
            names.sort();
            names.dedup();
            let _ = writeln!(text, "    depends_on: [{}]", names.join(", "));
        }
    }
    text
}

/// Runs a file to its end and gives the engine back, with the order in which tasks were begun.
fn run(drawn: &Drawn) -> (Engine, Arc<Graph>, Vec<u32>) {
    let text = file(drawn).into_bytes();
    let source = Source { name: "drawn.yaml".into(), folder: "/".into(), text };
    let workflow = spec::check(&source).unwrap_or_else(|errors| panic!("{errors}"));
    let bound = workflow.bind(&BTreeMap::new()).expect("no parameters");
    let compiled = bound.compile().expect("it was checked");
    let graph = Arc::new(Graph::new(Digest::default(), compiled.parts).expect("it was checked"));
    let mut house = House {
        engine: Engine::new(),
        now: Timestamp(1),
        fortunes: drawn.fortunes.iter().copied().cycle().take(1_000_000).collect(),
        granted: Vec::new(),
        order: Vec::new(),
        number: 0,
        reports: 1,
    };
    house.step(Input::Lead { epoch: Epoch(1) });
    let offers = Request { cpu_milli: 3_000, ..Request::default() };
    house.say(News::Hello { offers: offers.into(), lease: None, reports_from: 1 });
    let run = admitted(compiled.options.failure);
    let graph_of_run = Arc::clone(&graph);
    let submission =
        Submission { request: RequestId(1), run, graph: graph_of_run, done: Vec::new() };
    house.step(Input::Submit(Box::new(submission)));
    house.work();
    (house.engine, graph, house.order)
}

fn admitted(failure: FailurePolicy) -> RunAdmitted {
    RunAdmitted {
        run: RunId(0),
        key: None,
        tenant: "default".into(),
        queue: "default".into(),
        name: "drawn".into(),
        identity: Digest::default(),
        content: Digest::default(),
        graph: Digest::default(),
        definition: Digest::default(),
        priority: Priority::default(),
        failure,
        timeout: None,
        concurrency: None,
        cost_limit_micro: None,
        trace: 1,
    }
}

struct House {
    engine: Engine,
    now: Timestamp,
    fortunes: Vec<bool>,
    granted: Vec<Grant>,
    order: Vec<u32>,
    number: u64,
    reports: u64,
}

impl House {
    fn step(&mut self, input: Input) {
        let mut inputs = vec![Input::Tick, input];
        while let Some(input) = inputs.pop() {
            for effect in self.engine.step(self.now, input).effects {
                match effect {
                    Effect::Send { message, .. } => {
                        if let Order::Assign(grants) = message.order {
                            self.granted.extend(grants);
                        }
                    }
                    Effect::Reply { .. } | Effect::Refused { .. } | Effect::Ask { .. } => {}
                }
            }
        }
    }

    fn say(&mut self, news: News) {
        self.number += 1;
        let message =
            FromWorker { name: "w".into(), instance: 1, session: 1, number: self.number, news };
        self.step(Input::Worker(message));
    }

    /// Ends attempts one by one, and lets time pass when there is none, until nothing is due.
    fn work(&mut self) {
        loop {
            if self.granted.is_empty() {
                if self.engine.state().is_idle() {
                    return;
                }
                let next = self.engine.next_deadline().expect("something is left to happen");
                self.now = self.now.max(next);
                self.beat();
                continue;
            }
            let grant = self.granted.remove(0);
            self.order.push(grant.attempt.key.task.0);
            let outcome = match self.fortunes.pop() {
                Some(false) => Outcome::Failed(Failure::Exit(1)),
                _ => Outcome::Succeeded,
            };
            self.now = self.now + Span::millis(10);
            self.beat();
            let first = self.reports;
            self.reports += 1;
            let event = AttemptEvent::Ended {
                outcome,
                end: AttemptEnd::default(),
                tasks: None,
                retry_after: None,
            };
            let reports = vec![Report { lease: grant.lease(), event }];
            self.say(News::Reports { first, reports });
        }
    }

    fn beat(&mut self) {
        let held = self.granted.iter().map(Grant::lease).collect();
        self.say(News::Beat { beat: self.number, held });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_graph_ends_in_an_order_that_respects_its_edges(drawn in drawn()) {
        let (engine, graph, order) = run(&drawn);
        engine.check().expect("invariants hold");
        let (_, run) = engine.state().runs().next().expect("admitted");
        prop_assert!(run.status().is_final());
        let all_well = graph.tasks().all(|task| run.task(task).status() == TaskStatus::Succeeded);
        prop_assert_eq!(all_well, run.status() == RunStatus::Succeeded);
        for from in graph.tasks() {
            for to in graph.successors(from) {
                let last_from = order.iter().rposition(|&task| task == from.0);
                let first_to = order.iter().position(|&task| task == to.0);
                if let (Some(before), Some(after)) = (last_from, first_to) {
                    prop_assert!(before < after, "{:?} began before {:?} had ended", to, from);
                }
            }
        }
    }
}
