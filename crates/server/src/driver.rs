//! The driver: one thread that owns the engine. It receives, steps, commits and releases.
//!
//! ```text
//!   receive ─▶ step each ─▶ tick ─▶ plan ─▶ commit (one at a time) ─▶ release what is durable
//! ```
//!
//! The inbox is drained before deadlines fire, so that nothing that has already arrived is timed
//! out. All facts of one commit carry one time: the state made live is the state made by replay.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use engine::{Answer, Effect, Engine, Input, Pipeline, RequestId, Step, Submission};
use journal::{Entry, Journal};
use model::bounds::Enforcement;
use model::control::Verdict;
use model::fact::{Marked, StopCause};
use model::message::LeaseId;
use model::outcome::LogRef;
use model::work::{Delivery, Pool};
use model::{
    Digest, Fact, IdSet, ItemId, ItemKey, RunId, Seq, Span, TaskId, TaskKey, Timestamp, Token,
};
use protocol::api;
use spec::Reply;
use stores::catalog::CacheEntry;
use tokio::sync::oneshot;

use crate::cache::{Cache, Keys, Looked};
use crate::clock::Clock;
use crate::control::Ask;
use crate::dispatch::Renderer;
use crate::fleet::{Enforced, Fleet, Link, LiveLogs};
use crate::follower::{Built, Unneeded};
use crate::handle::{self, Admission, Done, Patience, Question, Unadmitted, Version};
use crate::inputs::FreshOutputs;
use crate::replay::{Replayed, named};
use crate::shelf::{Shelf, is_inline};
use crate::storage::{Commit, Discard, Fatal, Storage};

mod kept;
mod readers;

use kept::{keep_outputs, note_cached};

/// Events that are taken in before deadlines are looked at.
const EVENTS_PER_TURN: usize = 8_192;
/// How long facts may be added to a batch that waits for the one before it.
const BATCH_AGE_MAX: Span = Span::millis(50);

/// How long what could not be answered waits, unless something happens.
const ASK_PAUSE: Duration = Duration::from_millis(20);

/// Everything that can happen to the driver.
pub(crate) enum Event {
    /// It is time for what is due.
    Deadline,
    /// A worker said something.
    Worker(Box<Delivery>),
    /// A worker can be reached.
    Connect(Box<str>, Box<dyn Link>),
    /// Output of live attempts grew.
    LogsGrew(Vec<(LeaseId, LogRef)>),
    /// A node has said what attempts are held to on it.
    Enforces(Box<str>, Enforcement),
    /// How the processes of functions fare.
    Pools(Vec<Pool>),
    /// A checked workflow is to run.
    Submit(Box<Admission>, oneshot::Sender<Result<Answer, Unadmitted>>),
    /// A run is to end.
    Stop { run: RunId, cause: StopCause, reply: oneshot::Sender<Answer> },
    /// Nothing more of a run is to start.
    Pause { run: RunId, reply: oneshot::Sender<Answer> },
    /// What runs of a task is to make room for others.
    Preempt { task: TaskKey, items: Option<IdSet>, reply: oneshot::Sender<Answer> },
    /// A paused run is to go on.
    Resume { run: RunId, reply: oneshot::Sender<Answer> },
    /// Somebody says what a task waits for.
    Settle(Box<Settlement>, oneshot::Sender<Answer>),
    /// A run is to go on.
    Retry { run: RunId, from: Option<TaskId>, reply: oneshot::Sender<Answer> },
    /// Some items of a task are to run again.
    RetryItems { task: TaskKey, items: IdSet, reply: oneshot::Sender<Answer> },
    /// A run is to go on by another version of its graph.
    Amend(Box<Version>, oneshot::Sender<Result<Answer, Unadmitted>>),
    /// Tasks are to be held to have ended.
    Mark { mark: Box<Marked>, output: Option<Vec<u8>>, reply: oneshot::Sender<Answer> },
    /// The archive holds a run.
    Forget(RunId),
    /// Nothing that is kept needs this any more, unless a run in memory does.
    Discard(Unneeded),
    /// A snapshot was built beside the loop.
    Snapshot(Box<Built>),
    /// It is known what of a task was done before.
    Looked(Box<Looked>),
    /// Somebody wants to know something.
    Question(Question, Patience),
    /// Somebody wants to read facts.
    History { after: Seq, limit: usize, reply: oneshot::Sender<Vec<Entry>> },
    /// Everything up to here is durable.
    Durable(Seq),
    /// Whether facts can be stored has changed.
    StorageIs(api::Storage),
    /// The process may not go on.
    Fatal(Fatal),
    /// Somebody wants to know when a run has ended.
    WhenEnded(RunId, oneshot::Sender<()>),
    /// Somebody wants to know when nothing is left to do.
    WhenIdle(oneshot::Sender<()>),
    /// The same, for a holder that ends then: from that moment on nothing new is accepted.
    CloseWhenIdle(oneshot::Sender<()>),
    /// The holder ends.
    Shutdown,
}

/// What somebody says to a task that waits for it.
#[derive(Debug)]
pub(crate) struct Settlement {
    pub task: TaskKey,
    pub verdict: Verdict,
    /// What is said beside it: canonical JSON, the outputs of the task.
    pub output: Vec<u8>,
}

/// What hands an answer to whoever asked, who may have gone.
type AnswerTo = Box<dyn FnOnce(Answer) + Send>;

/// Something that leaves when what it rests on is durable.
enum Outgoing {
    Engine(Effect),
    Reply(handle::Reply),
}

/// What becomes durable with the facts of one step, and is of no use without them.
#[derive(Debug, Default)]
pub(crate) struct Companions {
    /// Small objects that the facts name.
    pub objects: Vec<(Digest, Vec<u8>)>,
    /// Outputs that an admitted run begins with.
    pub inherited: Vec<(TaskId, ItemId, Arc<[u8]>)>,
}

/// What the driver is made of.
pub(crate) struct Parts {
    pub engine: Engine,
    pub shelf: Shelf,
    pub clock: Clock,
    /// Where facts go; `None` when this process only reads.
    pub storage: Option<Storage>,
    /// For outputs and history, beside the thread that writes.
    pub reader: Box<dyn Journal + Send>,
    /// Who knows what was done before; `None` when this process only reads.
    pub cache: Option<Cache>,
    /// Large objects are durable before the facts that name them.
    pub objects: Arc<artifacts::objects::Objects>,
    pub inbox: Receiver<Event>,
}

pub(crate) struct Driver {
    pub(crate) parts: Parts,
    pipeline: Pipeline<Outgoing>,
    fleet: Fleet,
    live_logs: LiveLogs,
    enforced: Enforced,
    /// How the processes of functions fare, as their worker last said.
    pools: Vec<Pool>,
    storage_is: api::Storage,
    /// The durable state as a state of its own: while nothing can be stored, memory is ahead.
    durable_copy: Option<Replayed>,
    /// Batches that are not with the journal yet, oldest first.
    pub(crate) batches: VecDeque<Commit>,
    committing: bool,
    requests: HashMap<RequestId, AnswerTo>,
    next_request: u64,
    idle_waiters: Vec<oneshot::Sender<()>>,
    /// Whether to accept nothing new once nothing is left to do.
    closes_when_idle: bool,
    /// Whether that has come: whoever submits is sent to the next holder.
    is_closed: bool,
    end_waiters: Vec<(RunId, oneshot::Sender<()>)>,
    /// Outputs that arrived with the reports which are being stepped, of leases that were live.
    pub(crate) outputs: HashMap<ItemKey, (Token, Vec<u8>)>,
    /// Outputs that the journal does not have yet.
    pub(crate) fresh: FreshOutputs,
    /// What the facts of the next step bring along.
    pub(crate) companions: Companions,
    /// What tasks have asked and nobody has answered.
    pub(crate) asks: VecDeque<Ask>,
    /// What tasks asked that is looked for in the cache.
    pub(crate) looking: HashMap<TaskKey, Reply>,
    /// What makes the attempts of cached tasks what they are.
    pub(crate) cache_keys: HashMap<TaskKey, Keys>,
    /// What is to be kept in the cache once it is durable.
    pub(crate) to_cache: VecDeque<(Seq, CacheEntry)>,
    /// The graphs and texts that runs in memory were given after they had begun: their histories
    /// name all of them, the state the newest.
    pub(crate) versions: HashMap<RunId, Vec<Digest>>,
}

impl Driver {
    pub(crate) fn new(parts: Parts) -> Self {
        let durable = parts.engine.state().last();
        let reads_only = parts.storage.is_none();
        Self {
            parts,
            pipeline: Pipeline::new(durable),
            fleet: Fleet::default(),
            live_logs: LiveLogs::default(),
            enforced: Enforced::default(),
            pools: Vec::new(),
            storage_is: if reads_only { api::Storage::ReadOnly } else { api::Storage::Ok },
            durable_copy: None,
            batches: VecDeque::new(),
            committing: false,
            requests: HashMap::new(),
            next_request: 0,
            idle_waiters: Vec::new(),
            closes_when_idle: false,
            is_closed: false,
            end_waiters: Vec::new(),
            outputs: HashMap::new(),
            fresh: FreshOutputs::default(),
            companions: Companions::default(),
            asks: VecDeque::new(),
            looking: HashMap::new(),
            cache_keys: HashMap::new(),
            to_cache: VecDeque::new(),
            versions: HashMap::new(),
        }
    }

    /// Leads from now on.
    pub(crate) fn lead(&mut self, epoch: model::Epoch) {
        self.step(Input::Lead { epoch });
        self.settle();
    }

    /// Runs until it is told to end, or may not go on.
    pub(crate) fn run(&mut self) -> Result<(), Fatal> {
        loop {
            let Some(first) = self.wait() else { return Ok(()) };
            let mut next = Some(first);
            for _ in 0..EVENTS_PER_TURN {
                let Some(event) = next.take().or_else(|| self.parts.inbox.try_recv().ok()) else {
                    break;
                };
                match event {
                    Event::Shutdown => return Ok(()),
                    Event::Fatal(fatal) => return Err(fatal),
                    event => self.handle(event),
                }
            }
            self.settle();
        }
    }

    /// The next event, or a tick when a deadline has come; `None` when nobody can reach the driver.
    fn wait(&self) -> Option<Event> {
        if !self.asks.is_empty() {
            // There were more than one turn answers, or one that could not be stored.
            return Some(self.parts.inbox.recv_timeout(ASK_PAUSE).unwrap_or(Event::Deadline));
        }
        let deadline = self.parts.engine.next_deadline().filter(|_| self.parts.storage.is_some());
        let Some(deadline) = deadline else { return self.parts.inbox.recv().ok() };
        let mut patience = self.parts.clock.until(deadline).min(Duration::from_secs(3_600));
        if !self.batches.is_empty() {
            // Time stands still until the batch under way is durable, or old.
            patience = patience.max(Duration::from_micros(BATCH_AGE_MAX.0));
        }
        match self.parts.inbox.recv_timeout(patience) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => Some(Event::Deadline),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// A worker says something.
    fn hear(&mut self, delivery: Delivery) {
        let has_tasks = !delivery.tasks.is_empty();
        self.note_outputs(delivery.outputs);
        self.note_tasks(&delivery.message, delivery.tasks);
        self.step(Input::Worker(delivery.message));
        self.outputs.clear();
        self.companions = Companions::default();
        if has_tasks {
            self.forget_versions();
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Worker(delivery) => self.hear(*delivery),
            Event::Connect(name, link) => self.fleet.connect(name, link),
            Event::LogsGrew(logs) => self.note_logs(logs),
            Event::Enforces(node, enforcement) => self.enforced.note(node, enforcement),
            Event::Pools(pools) => self.pools = pools,
            // Unanswered: its process is about to end.
            Event::Submit(..) | Event::Retry { .. } if self.is_closed => {}
            Event::Submit(admission, reply) => self.submit(*admission, reply),
            Event::Stop { run, cause, reply } => {
                self.ask_engine(reply, |request| Input::Stop { request, run, cause });
            }
            Event::Pause { run, reply } => {
                self.ask_engine(reply, |request| Input::Pause { request, run });
            }
            Event::Preempt { task, items, reply } => {
                self.ask_engine(reply, |request| Input::Preempt { request, task, items });
            }
            Event::Resume { run, reply } => {
                self.ask_engine(reply, |request| Input::Resume { request, run });
            }
            Event::Settle(settlement, reply) => self.settle_task(*settlement, reply),
            Event::Retry { run, from, reply } => {
                self.ask_engine(reply, |request| Input::Retry { request, run, from });
            }
            Event::RetryItems { task, items, reply } => {
                self.ask_engine(reply, |request| Input::RetryItems { request, task, items });
            }
            Event::Amend(version, reply) => self.amend(*version, reply),
            Event::Mark { mark, output, reply } => self.mark(*mark, output, reply),
            Event::Forget(run) => {
                self.step(Input::Forget { run });
                self.versions.remove(&run);
                self.cache_keys.retain(|task, _| task.run != run);
            }
            Event::Discard(unneeded) => self.discard(unneeded),
            Event::Snapshot(built) => self.put_snapshot(*built),
            Event::Looked(looked) => self.looked(*looked),
            Event::Question(question, patience) => self.answer(question, patience),
            Event::History { after, limit, reply } => {
                let _ = reply.send(self.history(after, limit));
            }
            Event::Durable(seq) => {
                self.committing = false;
                self.pipeline.advance(seq);
                self.fresh.drop_durable(seq);
                self.keep_cached(seq);
            }
            Event::StorageIs(storage) => {
                self.storage_is = storage;
                self.durable_copy = None;
            }
            Event::WhenEnded(run, waiter) => self.end_waiters.push((run, waiter)),
            Event::WhenIdle(waiter) => self.idle_waiters.push(waiter),
            Event::CloseWhenIdle(waiter) => {
                self.idle_waiters.push(waiter);
                self.closes_when_idle = true;
            }
            Event::Deadline | Event::Shutdown | Event::Fatal(_) => {}
        }
    }

    /// Keeps the outputs of live leases; those of others are refused with their reports.
    fn note_outputs(&mut self, outputs: Vec<(LeaseId, Vec<u8>)>) {
        let state = self.parts.engine.state();
        let live = outputs.into_iter().filter(|(lease, _)| {
            state.lease(lease.item).is_some_and(|held| held.token == lease.token)
        });
        self.outputs.extend(live.map(|(lease, bytes)| (lease.item, (lease.token, bytes))));
    }

    pub(crate) fn request(&mut self, answer_to: impl FnOnce(Answer) + Send + 'static) -> RequestId {
        self.next_request += 1;
        self.requests.insert(RequestId(self.next_request), Box::new(answer_to));
        RequestId(self.next_request)
    }

    fn put_snapshot(&self, built: Built) {
        if let Some(storage) = &self.parts.storage {
            storage.put_snapshot(built);
        }
    }

    /// Hands the engine a request, and what it answers to whoever asked.
    fn ask_engine(
        &mut self,
        reply: oneshot::Sender<Answer>,
        input: impl FnOnce(RequestId) -> Input,
    ) {
        let request = self.request(move |answer| drop(reply.send(answer)));
        self.step(input(request));
    }

    /// What an admission names is durable before it: large objects at once, small ones with it.
    fn submit(&mut self, admission: Admission, reply: oneshot::Sender<Result<Answer, Unadmitted>>) {
        let Admission { run, graph, definition, stored, done } = admission;
        let Done { marks, outputs, lists } = done;
        for (digest, bytes) in &lists {
            self.parts.shelf.put_list(*digest, bytes).expect("it was stored as a JSON array");
        }
        let small = match self.put_large(stored.into_iter().chain(lists)) {
            Ok(small) => small,
            Err(reason) => return drop(reply.send(Err(Unadmitted::Storage(reason)))),
        };
        self.parts.shelf.put(Arc::clone(&graph), run.definition, definition);
        let request = self.request(move |answer| drop(reply.send(Ok(answer))));
        self.companions = Companions { objects: small, inherited: outputs };
        let submission = Submission { request, run, graph, done: marks };
        self.step(Input::Submit(Box::new(submission)));
        self.companions = Companions::default();
    }

    /// Makes what is too large for the journal durable, and gives the rest back.
    pub(crate) fn put_large(
        &self,
        stored: impl IntoIterator<Item = (Digest, Vec<u8>)>,
    ) -> Result<Vec<(Digest, Vec<u8>)>, String> {
        let mut small = Vec::new();
        for (digest, bytes) in stored {
            if is_inline(bytes.len()) {
                small.push((digest, bytes));
            } else {
                self.parts.objects.put(&bytes).map_err(|error| error.to_string())?;
            }
        }
        Ok(small)
    }

    /// Removes what no run in memory names. A submission that names it again either comes before
    /// this, and then its run is in memory, or after, and then it brings what it names along.
    fn discard(&mut self, unneeded: Unneeded) {
        let Some(storage) = &self.parts.storage else { return };
        let mut named = named(self.parts.engine.state());
        named.extend(self.versions.values().flatten());
        let Unneeded { runs, mut small, mut large } = unneeded;
        small.retain(|digest| !named.contains(digest));
        large.retain(|digest| !named.contains(digest));
        self.parts.shelf.keep(&named);
        storage.discard(Discard { runs, objects: small });
        for digest in large {
            // What cannot be removed now is found again by the next who looks for it.
            let _ = self.parts.objects.remove(&digest);
        }
    }

    fn note_logs(&mut self, logs: Vec<(LeaseId, LogRef)>) {
        self.live_logs.note(logs);
        let state = self.parts.engine.state();
        if self.live_logs.len() > 2 * state.lease_count() + 64 {
            self.live_logs.keep(|lease| {
                state.lease(lease.item).is_some_and(|held| held.token == lease.token)
            });
        }
    }

    /// Time passes, what is asked is answered, what is ready is planned, and what can be committed
    /// is.
    fn settle(&mut self) {
        if self.parts.storage.is_some() {
            self.step(Input::Tick);
            // What is answered may let more start.
            if self.answer_asks() {
                self.step(Input::Tick);
            }
        }
        self.tell_ended();
        self.commit();
        self.release();
        self.tell_idle();
    }

    /// Tells those who wait for the end of a run, once that end is durable.
    fn tell_ended(&mut self) {
        let state = self.parts.engine.state();
        let has_ended = |run| state.run(run).is_none_or(|run| run.status().is_final());
        for (_, waiter) in self.end_waiters.extract_if(.., |(run, _)| has_ended(*run)) {
            let reply = Box::new(move || {
                // Whoever asked may have gone.
                let _ = waiter.send(());
            });
            self.pipeline.push(state.last(), Outgoing::Reply(reply));
        }
    }

    fn tell_idle(&mut self) {
        if self.idle_waiters.is_empty() || !self.is_idle() {
            return;
        }
        self.is_closed |= self.closes_when_idle;
        for waiter in self.idle_waiters.drain(..) {
            // Whoever asked may have gone.
            let _ = waiter.send(());
        }
    }

    /// Whether no run has anything left to do, and everybody has been told.
    fn is_idle(&self) -> bool {
        let told = self.pipeline.is_empty() && self.batches.is_empty() && !self.committing;
        told && self.parts.engine.state().is_idle()
    }

    /// The time of the batch that facts are added to now.
    fn now(&mut self) -> Timestamp {
        let now = self.parts.clock.now();
        match self.batches.back() {
            Some(batch) if now < batch.at + BATCH_AGE_MAX => batch.at,
            _ => now,
        }
    }

    /// One step.
    pub(crate) fn step(&mut self, input: Input) {
        let now = self.now();
        let after = self.parts.engine.state().last();
        let step = self.parts.engine.step(now, input);
        let at = self.parts.engine.now();
        self.take(after, at, step);
    }

    /// Adds what a step made to the batch and the pipeline.
    fn take(&mut self, after: Seq, at: Timestamp, step: Step) {
        let last = self.parts.engine.state().last();
        if !step.facts.is_empty() {
            if self.batches.back().is_none_or(|batch| batch.at != at) {
                self.batches.push_back(Commit { after, at, ..Commit::default() });
            }
            let batch = self.batches.back_mut().expect("pushed if there was none");
            let kept = batch.outputs.len();
            for fact in &step.facts {
                keep_outputs(fact, &mut self.outputs, &mut batch.outputs);
                if let Fact::RunAdmitted(admitted) = fact {
                    let inherited = self.companions.inherited.drain(..);
                    let owned = |(task, item, bytes): (TaskId, ItemId, Arc<[u8]>)| {
                        let key = TaskKey { run: admitted.run, task }.item(item);
                        (key, Token(last.0), bytes)
                    };
                    batch.outputs.extend(inherited.map(owned));
                }
            }
            for fact in &step.facts {
                note_cached(
                    (fact, last, at),
                    &self.cache_keys,
                    (&batch.outputs[kept..], &mut self.to_cache),
                );
            }
            batch.objects.append(&mut self.companions.objects);
            batch.facts.extend(step.facts);
            for (item, _, bytes) in &batch.outputs[kept..] {
                self.fresh.put(last, *item, Arc::clone(bytes));
            }
        }
        for effect in step.effects {
            match effect {
                Effect::Refused { .. } => {}
                Effect::Ask { task, round, turn } => self.asks.push_back(Ask { task, round, turn }),
                outside => self.pipeline.push(last, Outgoing::Engine(outside)),
            }
        }
    }

    /// Hands the oldest batch to the journal, unless it still has one.
    fn commit(&mut self) {
        let Some(storage) = &self.parts.storage else { return };
        if self.committing {
            return;
        }
        if let Some(batch) = self.batches.pop_front() {
            self.committing = true;
            storage.commit(batch);
        }
    }

    fn release(&mut self) {
        while let Some(outgoing) = self.pipeline.pop() {
            match outgoing {
                Outgoing::Reply(reply) => reply(),
                Outgoing::Engine(Effect::Send { worker, message }) => {
                    let state = self.parts.engine.state();
                    let Some(name) = state.worker(worker).map(|known| known.name.clone()) else {
                        continue;
                    };
                    let (shelf, fresh) = (&self.parts.shelf, &self.fresh);
                    let outputs = &mut *self.parts.reader;
                    let dispatch = Renderer { state, shelf, fresh, outputs }.dispatch(message);
                    self.fleet.send(&name, dispatch);
                }
                Outgoing::Engine(Effect::Reply { request, answer }) => {
                    if let Some(answer_to) = self.requests.remove(&request) {
                        answer_to(answer);
                    }
                }
                Outgoing::Engine(Effect::Refused { .. } | Effect::Ask { .. }) => {}
            }
        }
    }
}
