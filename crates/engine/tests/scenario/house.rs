//! A house for scenarios: one engine, its planner at hand, and workers that say what they are told.
//!
//! After every step the invariants are checked, and the journal so far is replayed into a second
//! engine which must have the same state (S6). It must never write engine state itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use engine::{
    Amendment, Answer, Answered, Effect, Engine, Generated, Graphs, Input, RequestId, Submission,
};
use model::control::{ControlAnswer, Verdict};
use model::fact::{Marked, RunAdmitted, StopCause};
use model::graph::GraphParts;
use model::message::{AttemptEvent, FromWorker, Grant, LeaseId, News, Order, Report, StopKind};
use model::outcome::{AttemptEnd, Failure, Outcome, OutputRef, Spent, Usage};
use model::policy::{FailurePolicy, Policy, Priority};
use model::{
    Digest, Epoch, Fact, Graph, IdSet, ItemId, Offers, Request, Round, RunId, RunStatus, Seq, Span,
    TaskId, TaskKey, TaskStatus, Timestamp,
};

#[derive(Default)]
struct Shelf(BTreeMap<Digest, Arc<Graph>>);

impl Graphs for Shelf {
    fn graph(&self, digest: &Digest) -> Arc<Graph> {
        Arc::clone(&self.0[digest])
    }
}

pub struct House {
    pub engine: Engine,
    pub now: Timestamp,
    pub journal: Vec<(Seq, Timestamp, Fact)>,
    pub answers: Vec<Answer>,
    pub refused: usize,
    /// Orders to workers that nobody has looked at.
    pub stops: Vec<(LeaseId, StopKind)>,
    pub grants: Vec<Grant>,
    /// Questions that have not been answered.
    pub asked: Vec<(TaskKey, Round, u16)>,
    shelf: Shelf,
    numbers: BTreeMap<String, (u64, u64)>,
}

pub fn cpu(milli: u64) -> Request {
    Request { cpu_milli: milli, ..Request::default() }
}

pub fn graph(tasks: usize, edges: &[(u32, u32)]) -> GraphParts {
    GraphParts {
        policies: vec![Policy::default()],
        policy_of: vec![0; tasks],
        edges: edges.to_vec(),
        ..GraphParts::default()
    }
}

impl House {
    /// A leader with one worker of `cores`.
    pub fn new(cores: u64) -> Self {
        Self::offering(cpu(cores * 1_000))
    }

    /// A leader with one worker that offers this.
    pub fn offering(offers: Request) -> Self {
        let mut house = Self {
            engine: Engine::new(),
            now: Timestamp(1_000_000),
            journal: Vec::new(),
            answers: Vec::new(),
            refused: 0,
            stops: Vec::new(),
            grants: Vec::new(),
            asked: Vec::new(),
            shelf: Shelf::default(),
            numbers: BTreeMap::new(),
        };
        house.step(Input::Lead { epoch: Epoch(1) });
        house.greet("w", offers, Some(Span::secs(60)));
        house
    }

    pub fn step(&mut self, input: Input) {
        let mut effects = VecDeque::from(self.take(input));
        effects.extend(self.take(Input::Tick));
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Send { message, .. } => match message.order {
                    Order::Assign(grants) => self.grants.extend(grants),
                    Order::Stop { leases, how } => {
                        self.stops.extend(leases.into_iter().map(|lease| (lease, how)));
                    }
                    _ => {}
                },
                Effect::Reply { answer, .. } => self.answers.push(answer),
                Effect::Refused { .. } => self.refused += 1,
                Effect::Ask { task, round, turn } => self.asked.push((task, round, turn)),
            }
        }
        self.check();
    }

    fn take(&mut self, input: Input) -> Vec<Effect> {
        let mut seq = self.engine.state().last();
        let step = self.engine.step(self.now, input);
        for fact in step.facts {
            seq = seq.next();
            self.journal.push((seq, self.engine.now(), fact));
        }
        assert_eq!(seq, self.engine.state().last(), "one sequence number a fact");
        step.effects
    }

    pub fn check(&self) {
        self.engine.check().expect("invariants hold");
        let hash = self.engine.state_hash();
        assert_eq!(self.replayed(&self.journal).state_hash(), hash, "replay (S6)");
        let snapshot = self.engine.snapshot();
        let restored = self.replayed(&snapshot);
        restored.check().expect("invariants hold after a snapshot");
        assert_eq!(restored.snapshot(), snapshot, "snapshot (S6)");
    }

    fn replayed(&self, facts: &[(Seq, Timestamp, Fact)]) -> Engine {
        let mut engine = Engine::new();
        for (seq, at, fact) in facts {
            engine.replay(*seq, *at, fact, &self.shelf);
        }
        engine
    }

    /// The same house after a crash: only the journal is left.
    /// What a plan would have found when the last of these facts was recorded.
    pub fn supposed(&self, last: Seq) -> Engine {
        let facts = self.journal.partition_point(|(seq, ..)| *seq <= last);
        let mut engine = self.replayed(&self.journal[..facts]);
        engine.suppose(engine.state().at());
        engine
    }

    pub fn crash(&mut self, epoch: u64) {
        self.engine = self.replayed(&self.journal);
        self.step(Input::Lead { epoch: Epoch(epoch) });
    }

    pub fn after(&mut self, span: Span) {
        self.now = self.now + span;
        self.step(Input::Tick);
    }

    pub fn hello(&mut self, name: &str, cores: u64, lease: Option<Span>) {
        self.greet(name, cpu(cores * 1_000), lease);
    }

    pub fn greet(&mut self, name: &str, offers: impl Into<Offers>, lease: Option<Span>) {
        let session = self.numbers.get(name).map_or(1, |numbers| numbers.0 + 1);
        self.numbers.insert(name.to_owned(), (session, 0));
        let reports_from = self.numbers.get("reports").map_or(1, |numbers| numbers.0);
        self.say(name, News::Hello { offers: offers.into(), lease, reports_from });
    }

    pub fn say(&mut self, name: &str, news: News) {
        let numbers = self.numbers.get_mut(name).expect("said hello");
        numbers.1 += 1;
        let (session, number) = *numbers;
        let message = FromWorker { name: name.into(), instance: 7, session, number, news };
        self.step(Input::Worker(message));
    }

    /// Compiles a graph and keeps it.
    pub fn keep(&mut self, parts: GraphParts) -> Arc<Graph> {
        let number = self.shelf.0.len() as u64 + 1;
        let digest = Digest(std::array::from_fn(|byte| number.to_le_bytes()[byte % 8]));
        let graph = Arc::new(Graph::new(digest, parts).expect("a valid graph"));
        self.shelf.0.insert(digest, Arc::clone(&graph));
        graph
    }

    pub fn submit(&mut self, parts: GraphParts, change: impl FnOnce(&mut RunAdmitted)) -> RunId {
        match self.submit_done(parts, change, Vec::new()) {
            Answer::Admitted { run, .. } => run,
            other => panic!("not admitted: {other:?}"),
        }
    }

    /// Submits a run of which something was done before.
    pub fn submit_done(
        &mut self,
        parts: GraphParts,
        change: impl FnOnce(&mut RunAdmitted),
        done: Vec<Marked>,
    ) -> Answer {
        let graph = self.keep(parts);
        let mut run = RunAdmitted {
            run: RunId(0),
            key: None,
            tenant: "default".into(),
            queue: "default".into(),
            name: "scenario".into(),
            identity: Digest::default(),
            content: Digest::default(),
            graph: graph.digest(),
            definition: Digest::default(),
            priority: Priority::default(),
            failure: FailurePolicy::FailFast,
            timeout: None,
            concurrency: None,
            cost_limit_micro: None,
            trace: 0,
        };
        change(&mut run);
        let request = RequestId(1);
        self.step(Input::Submit(Box::new(Submission { request, run, graph, done })));
        self.answers.pop().expect("an answer")
    }

    /// An amendment of a run from what it goes by now; to other settings, or another graph.
    pub fn amendment(&self, run: RunId, graph: Option<&Arc<Graph>>) -> Amendment {
        let known = self.engine.state().run(run).expect("known");
        Amendment {
            run,
            base: known.admitted().graph,
            graph: Arc::clone(graph.unwrap_or(known.graph())),
            definition: known.admitted().definition,
            priority: known.admitted().priority,
            concurrency: known.admitted().concurrency,
            cost_limit_micro: known.admitted().cost_limit_micro,
        }
    }

    pub fn amend(&mut self, amendment: Amendment) -> Answer {
        let (request, amendment) = (RequestId(5), Box::new(amendment));
        self.step(Input::Amend { request, amendment });
        self.answers.pop().expect("an answer")
    }

    /// The run goes on by this graph.
    pub fn amend_to(&mut self, run: RunId, parts: GraphParts) -> Answer {
        let graph = self.keep(parts);
        self.amend(self.amendment(run, Some(&graph)))
    }

    pub fn mark(&mut self, mark: Marked) -> Answer {
        self.step(Input::Mark { request: RequestId(6), mark: Box::new(mark) });
        self.answers.pop().expect("an answer")
    }

    pub fn retry_items(&mut self, run: RunId, task: u32, items: IdSet) -> Answer {
        let (request, task) = (RequestId(7), TaskKey { run, task: TaskId(task) });
        self.step(Input::RetryItems { request, task, items });
        self.answers.pop().expect("an answer")
    }

    pub fn stop(&mut self, run: RunId, cause: StopCause) {
        self.step(Input::Stop { request: RequestId(2), run, cause });
    }

    pub fn retry(&mut self, run: RunId, from: Option<TaskId>) -> Answer {
        self.step(Input::Retry { request: RequestId(3), run, from });
        self.answers.pop().expect("an answer")
    }

    /// The tasks that have asked since the last time.
    pub fn asked_tasks(&self) -> Vec<u32> {
        self.asked.iter().map(|(task, ..)| task.task.0).collect()
    }

    /// Answers the question of a task.
    pub fn answer(&mut self, task: u32, answer: ControlAnswer) {
        self.answer_cached(task, answer, IdSet::new());
    }

    /// The same, with items that were done before.
    pub fn answer_cached(&mut self, task: u32, answer: ControlAnswer, cached: IdSet) {
        let asks = |asked: &(TaskKey, Round, u16)| asked.0.task == TaskId(task);
        let at = self.asked.iter().position(asks).expect("it has asked");
        let (task, round, _) = self.asked.remove(at);
        self.step(Input::Answered(Box::new(Answered {
            task,
            round,
            answer,
            output: None,
            cached,
        })));
    }

    pub fn settle(&mut self, run: RunId, task: u32, verdict: Verdict) -> Answer {
        let (request, task) = (RequestId(4), TaskKey { run, task: TaskId(task) });
        self.step(Input::Settle { request, task, verdict, output: None });
        self.answers.pop().expect("an answer")
    }

    /// Reports events about leases, with report numbers that ascend.
    pub fn report(&mut self, reports: Vec<Report>) {
        let first = self.numbers.get("reports").map_or(1, |numbers| numbers.0);
        self.numbers.insert("reports".into(), (first + reports.len() as u64, 0));
        self.say("w", News::Reports { first, reports });
    }

    pub fn start(&mut self, grant: &Grant) {
        self.report(vec![Report { lease: grant.lease(), event: AttemptEvent::Started }]);
    }

    pub fn end(&mut self, grant: &Grant, outcome: Outcome) {
        let usage = Usage { wall_us: 1_000_000, cpu_us: 1, peak_rss_kib: 1 };
        let end = AttemptEnd { usage, ..AttemptEnd::default() };
        let event = AttemptEvent::Ended { outcome, end, tasks: None, retry_after: None };
        self.report(vec![Report { lease: grant.lease(), event }]);
    }

    /// Attempts end well that took no time worth mentioning.
    pub fn end_quickly(&mut self, grants: &[Grant]) {
        let usage = Usage { wall_us: 500, ..Usage::default() };
        for grant in grants {
            let end = AttemptEnd { usage, ..AttemptEnd::default() };
            let outcome = Outcome::Succeeded;
            let event = AttemptEvent::Ended { outcome, end, tasks: None, retry_after: None };
            self.report(vec![Report { lease: grant.lease(), event }]);
        }
    }

    /// An attempt ends that spent something, or was asked to wait.
    pub fn end_call(&mut self, grant: &Grant, outcome: Outcome, call: (Spent, Option<Span>)) {
        let (spent, retry_after) = call;
        let end = AttemptEnd { spent, ..AttemptEnd::default() };
        let event = AttemptEvent::Ended { outcome, end, tasks: None, retry_after };
        self.report(vec![Report { lease: grant.lease(), event }]);
    }

    /// An attempt succeeds and has written tasks, which have been looked at.
    pub fn end_with_tasks(&mut self, grant: &Grant, generated: Option<Generated>) {
        if let Some(generated) = generated {
            self.take(Input::Generated(Box::new(generated)));
        }
        let tasks = Some(OutputRef { digest: Digest([8; 32]), bytes: 80 });
        let (outcome, end) = (Outcome::Succeeded, AttemptEnd::default());
        let event = AttemptEvent::Ended { outcome, end, tasks, retry_after: None };
        self.report(vec![Report { lease: grant.lease(), event }]);
    }

    /// Takes the grants that have come in.
    pub fn granted(&mut self) -> Vec<Grant> {
        std::mem::take(&mut self.grants)
    }

    /// The numbers of the tasks that have been granted.
    pub fn granted_tasks(&mut self) -> Vec<(u32, u32)> {
        let grants = self.granted();
        grants.iter().map(|g| (g.attempt.key.task.0, g.attempt.key.item.0)).collect()
    }

    /// Runs whatever is granted, with `outcome` for each, until nothing more is.
    pub fn work(&mut self, outcome: impl Fn(&Grant) -> Outcome) -> Vec<(u32, u32)> {
        let mut order = Vec::new();
        while !self.grants.is_empty() {
            for grant in self.granted() {
                order.push((grant.attempt.key.task.0, grant.attempt.key.item.0));
                self.start(&grant);
                self.now = self.now + Span::millis(10);
                self.end(&grant, outcome(&grant));
            }
        }
        order
    }

    pub fn status(&self, run: RunId) -> RunStatus {
        self.engine.state().run(run).expect("known").status()
    }

    pub fn task(&self, run: RunId, task: u32) -> TaskStatus {
        self.engine.state().run(run).expect("known").task(TaskId(task)).status()
    }

    pub fn statuses(&self, run: RunId) -> Vec<TaskStatus> {
        let run = self.engine.state().run(run).expect("known");
        run.graph().tasks().map(|task| run.task(task).status()).collect()
    }

    pub fn item(&self, run: RunId, task: u32, item: u32) -> engine::state::Item {
        let run = self.engine.state().run(run).expect("known");
        run.item(TaskId(task), ItemId(item)).expect("known")
    }
}

pub const FAILED: Outcome = Outcome::Failed(Failure::Exit(1));
