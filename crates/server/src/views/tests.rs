//! A stage for the tests of views: an engine with one worker that does what it is told, and the
//! texts of the workflows that it runs.

use std::collections::VecDeque;
use std::sync::Arc;

use engine::{Answer, Effect, Engine, Input, RequestId, Submission};
use journal::Entry;
use model::fact::{RunAdmitted, StopCause};
use model::message::{AttemptEvent, FromWorker, Grant, News, Order, Report};
use model::outcome::{AttemptEnd, Failure, LogRef, Outcome, Usage};
use model::policy::Priority;
use model::{Digest, Epoch, Graph, Request, RunId, Seq, Span, TaskId, Timestamp};
use protocol::api::Storage;
use spec::Source;

use super::Subject;
use crate::fleet::{Enforced, LiveLogs};
use crate::handle::View;
use crate::shelf::Shelf;

/// One task, two that depend on it, one that joins them.
pub(crate) const DIAMOND: &str = "name: diamond\ntasks:\n  - {name: split, script: 'true'}\n  \
     - {name: left, script: 'true', depends_on: [split]}\n  \
     - {name: right, script: 'true', depends_on: [split]}\n  \
     - {name: join, script: 'true', depends_on: [left, right]}\n";

/// A workflow file: lines at its head, and tasks by name with what else they say.
pub(crate) fn flow(head: &str, tasks: &[&str]) -> String {
    let tasks = tasks.iter().map(|task| format!("  - {{script: 'true', name: {task}}}\n"));
    format!("{head}\ntasks:\n{}", tasks.collect::<String>())
}

/// What a process that exits with 1 leaves.
pub(crate) const FAILED: Outcome = Outcome::Failed(Failure::Exit(1));

pub(crate) struct Stage {
    pub engine: Engine,
    pub shelf: Shelf,
    pub live_logs: LiveLogs,
    pub enforced: Enforced,
    pub journal: Vec<Entry>,
    pub grants: VecDeque<Grant>,
    pub started: VecDeque<Grant>,
    pub log: Option<LogRef>,
    now: Timestamp,
    answers: Vec<Answer>,
    said: u64,
    reports: u64,
}

impl Stage {
    pub(crate) fn new(cores: u64) -> Self {
        let mut stage = Self {
            engine: Engine::new(),
            shelf: Shelf::default(),
            live_logs: LiveLogs::default(),
            enforced: Enforced::default(),
            journal: Vec::new(),
            grants: VecDeque::new(),
            started: VecDeque::new(),
            log: None,
            now: Timestamp(1_000_000),
            answers: Vec::new(),
            said: 0,
            reports: 1,
        };
        stage.step(Input::Lead { epoch: Epoch(1) });
        let offers = Request { cpu_milli: cores * 1_000, ..Request::default() };
        stage.say(News::Hello { offers: offers.into(), lease: None, reports_from: 1 });
        stage
    }

    pub(crate) fn step(&mut self, input: Input) {
        let mut effects = VecDeque::from(self.take(input));
        effects.extend(self.take(Input::Tick));
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Send { message, .. } => {
                    if let Order::Assign(grants) = message.order {
                        self.grants.extend(grants);
                    }
                }
                Effect::Reply { answer, .. } => self.answers.push(answer),
                Effect::Refused { .. } | Effect::Ask { .. } => {}
            }
        }
    }

    fn take(&mut self, input: Input) -> Vec<Effect> {
        let mut seq = self.engine.state().last();
        let step = self.engine.step(self.now, input);
        for fact in step.facts {
            seq = seq.next();
            let (at, epoch) = (self.engine.now(), Epoch(1));
            self.journal.push(Entry { seq, at, epoch, fact });
        }
        step.effects
    }

    fn say(&mut self, news: News) {
        self.said += 1;
        let (name, number) = ("w".into(), self.said);
        let message = FromWorker { name, instance: 7, session: 1, number, news };
        self.step(Input::Worker(message));
    }

    /// Lets time pass in which nobody says anything.
    pub(crate) fn later(&mut self, span: Span) {
        self.now = self.now + span;
        self.step(Input::Tick);
    }

    /// Submits the text of a workflow file.
    pub(crate) fn submit(&mut self, text: &str) -> RunId {
        let source = Source {
            name: "/w/flow.yaml".to_owned(),
            text: text.as_bytes().to_vec(),
            ..Source::default()
        };
        let workflow = spec::check(&source).unwrap_or_else(|errors| panic!("{errors}"));
        let bound = workflow.bind(&[].into()).expect("no parameters");
        let compiled = bound.compile().expect("it compiles");
        let digest = Digest(*blake3::hash(text.as_bytes()).as_bytes());
        let graph = Arc::new(Graph::new(digest, compiled.parts).expect("a valid graph"));
        self.shelf.put(Arc::clone(&graph), digest, Arc::new(compiled.definition));
        let options = compiled.options;
        let run = RunAdmitted {
            run: RunId(0),
            key: None,
            tenant: "default".into(),
            queue: "default".into(),
            name: options.name.into(),
            identity: digest,
            content: digest,
            graph: digest,
            definition: digest,
            priority: Priority::default(),
            failure: options.failure,
            timeout: options.timeout,
            concurrency: options.concurrency,
            cost_limit_micro: options.cost_limit_micro,
            trace: 0,
        };
        let request = RequestId(1);
        self.step(Input::Submit(Box::new(Submission { request, run, graph, done: Vec::new() })));
        match self.answers.pop() {
            Some(Answer::Admitted { run, .. }) => run,
            other => panic!("not admitted: {other:?}"),
        }
    }

    pub(crate) fn stop(&mut self, run: RunId) {
        self.step(Input::Stop { request: RequestId(2), run, cause: StopCause::Stopped });
    }

    pub(crate) fn retry(&mut self, run: RunId, from: Option<TaskId>) {
        self.step(Input::Retry { request: RequestId(3), run, from });
    }

    /// Starts granted attempts, at most `count`, a little time apart.
    pub(crate) fn start(&mut self, count: usize) {
        for _ in 0..count {
            let Some(grant) = self.grants.pop_front() else { return };
            self.report(Report { lease: grant.lease(), event: AttemptEvent::Started });
            self.started.push_back(grant);
            self.now = self.now + Span::millis(10);
        }
    }

    /// Starts and ends granted attempts, at most `count`, as `outcome` says by item.
    pub(crate) fn work(&mut self, count: usize, outcome: impl Fn(u32) -> Outcome) {
        for _ in 0..count {
            self.start(1);
            let Some(grant) = self.started.pop_front() else { return };
            let usage = Usage { wall_us: 1_000_000, cpu_us: 1, peak_rss_kib: 1 };
            let end = AttemptEnd { usage, log: self.log, ..AttemptEnd::default() };
            let event = AttemptEvent::Ended {
                outcome: outcome(grant.attempt.key.item.0),
                end,
                tasks: None,
                retry_after: None,
            };
            self.report(Report { lease: grant.lease(), event });
        }
    }

    fn report(&mut self, report: Report) {
        let first = self.reports;
        self.reports += 1;
        self.say(News::Reports { first, reports: vec![report] });
    }

    /// Looks at the state as the API does.
    pub(crate) fn view<T>(&self, look: impl FnOnce(&View<'_>) -> T) -> T {
        look(&View {
            engine: &self.engine,
            shelf: &self.shelf,
            live_logs: &self.live_logs,
            enforced: Some(&self.enforced),
            pools: &[],
            now: self.now,
            storage: Storage::Ok,
            durable: self.engine.state().last(),
        })
    }

    pub(crate) fn subject(&self, run: RunId) -> Subject<'_> {
        let view = View {
            engine: &self.engine,
            shelf: &self.shelf,
            live_logs: &self.live_logs,
            enforced: Some(&self.enforced),
            pools: &[],
            now: self.now,
            storage: Storage::Ok,
            durable: Seq(0),
        };
        Subject::of(&view, run).expect("a run in memory")
    }
}
