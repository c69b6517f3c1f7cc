//! A coordinator: the real engine and pipeline, driven as the server's loop drives them.
//!
//! One turn drains the inbox, fires what is due, appends one batch; the next begins when that batch
//! is acknowledged. It can die at every boundary of a turn.

mod forged;

use std::collections::VecDeque;
use std::ops::ControlFlow;

use engine::{Answer, Effect, Engine, Input, Pipeline, RequestId};
use journal::{AppendError, Batch, Journal, Snapshot};
use model::collections::HashMap;
use model::fact::WorkerJoined;
use model::limits::LEADER_RENEW;
use model::message::{AttemptEvent, News, Order, ToWorker};
use model::outcome::Spent;
use model::{Epoch, Fact, Seq, Span, Timestamp, WorkerId};

use crate::evaluator::{self, Asked};
use crate::event::Event;
use crate::invariants::{s01_acknowledged, s06_replay, s09_durable_effects, s14_limits};
use crate::mark::Mark;
use crate::mutant::Mutant;
use crate::plan::{Boundary, Tail};
use crate::records::{Records, Store};
use crate::server;
use crate::stage::{Stage, Way};

/// How long a full disk is left alone before the batch is tried again.
const DISK_PATIENCE: Span = Span::millis(500);

/// How a turn ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnEnd {
    /// It goes on.
    Alive,
    /// The process has died.
    Died,
    /// Another leads.
    Deposed,
}

/// A batch that is not acknowledged.
#[derive(Debug)]
struct Pending {
    after: Seq,
    at: Timestamp,
    facts: Vec<Fact>,
}

/// A coordinator that leads, or thinks so.
#[derive(Debug)]
pub struct Coordinator {
    /// Which of all that ever were.
    pub life: u64,
    /// On which machine.
    pub host: u32,
    /// Where it dies, when it gets there.
    pub doom: Option<(Boundary, Tail)>,
    /// Until when it sleeps.
    pub asleep: bool,
    /// How many inputs its engine has taken.
    pub inputs: u64,
    engine: Engine,
    pipeline: Pipeline<Effect>,
    epoch: Epoch,
    inbox: VecDeque<Input>,
    pending: Option<Pending>,
    /// Whether an append is under way.
    committing: Option<Seq>,
    turn_at: Option<Timestamp>,
    renew_at: Timestamp,
    snapshot_at: Seq,
    nodes: HashMap<WorkerId, u32>,
    answers: Vec<(RequestId, Answer)>,
}

impl Coordinator {
    /// Takes the lead and rebuilds the state from the journal. `former` is the engine that ran
    /// before, if it is known: where both have seen the same facts they must agree (S6).
    ///
    /// # Errors
    /// When somebody else leads, or the journal cannot be read.
    pub fn recover(
        stage: &mut Stage,
        (store, records): (&mut Store, &mut Records),
        (life, host): (u64, u32),
        former: Option<Engine>,
    ) -> Result<Self, String> {
        let holder = format!("host-{host}");
        let epoch = store.journal.acquire(&holder, stage.now).map_err(|error| error.to_string())?;
        let mut engine = Engine::with(&stage.rules);
        let snapshot = store.journal.snapshot().map_err(|error| error.to_string())?;
        if let Some(Snapshot { facts, .. }) = &snapshot {
            stage.hit(Mark::Snapshot);
            facts.iter().for_each(|(seq, at, fact)| engine.replay(*seq, *at, fact, &store.graphs));
        }
        let after = snapshot.map_or(Seq(0), |snapshot| snapshot.covers);
        let graphs = &store.graphs;
        let mut changed = Ok(());
        let read = store.journal.read(after, &mut |entry| {
            if changed.is_ok() {
                changed = s01_acknowledged::recovered(&records.ledger, &entry);
            }
            engine.replay(entry.seq, entry.at, &entry.fact, graphs);
            ControlFlow::Continue(())
        });
        stage.judge("S1", changed);
        read.map_err(|error| error.to_string())?;
        let last = engine.state().last();
        stage.judge("S1", s01_acknowledged::complete(&records.ledger, last));
        if let Some(former) = former.filter(|former| former.state().last() == last) {
            stage.judge("S6", s06_replay::same(&former, &engine, "what the journal makes"));
        }
        records.take_in(stage, store, last);
        stage.truth.durable = last;
        stage.truth.leads_since = stage.now;
        stage.judge("S1", s01_acknowledged::runs(&records.ledger, &stage.truth));
        let known = records.ledger.workers.values().map(|joined| joined.instance);
        stage.truth.heard.extend(known.map(|instance| (instance, stage.now)));
        let mut nodes = HashMap::default();
        nodes.extend(records.ledger.workers.values().map(node_of));
        stage.tell(|| format!("host {host} leads as {epoch:?} from {last:?}"));
        let mut coordinator = Self {
            life,
            host,
            doom: None,
            asleep: false,
            inputs: 0,
            engine,
            pipeline: Pipeline::new(last),
            epoch,
            inbox: VecDeque::from([Input::Lead { epoch }]),
            pending: None,
            committing: None,
            turn_at: None,
            renew_at: stage.now + LEADER_RENEW,
            snapshot_at: Seq(last.0 + stage.hosts.between(200, 4_000)),
            nodes,
            answers: Vec::new(),
        };
        coordinator.wake_at(stage, stage.now);
        Ok(coordinator)
    }

    /// Its engine, for those who look at it.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What is left of it when it dies.
    #[must_use]
    pub fn into_engine(self) -> Engine {
        self.engine
    }

    /// Answers to clients that have left since the last question.
    pub fn take_answers(&mut self) -> Vec<(RequestId, Answer)> {
        std::mem::take(&mut self.answers)
    }

    /// Something has arrived.
    pub fn hand_in(&mut self, stage: &mut Stage, input: Input) {
        self.inbox.push_back(input);
        let soon = stage.now + stage.draw_span(10, 200);
        self.wake_at(stage, soon);
    }

    /// Plans the next turn for `at`, unless one is planned for earlier.
    pub fn wake_at(&mut self, stage: &mut Stage, at: Timestamp) {
        let at = at.max(stage.now);
        if !self.asleep && self.turn_at.is_none_or(|planned| at < planned) {
            self.turn_at = Some(at);
            stage.queue.push(at, Event::CoordinatorTurn { life: self.life });
        }
    }

    /// Wakes it after a sleep: whatever was planned is past.
    pub fn wake(&mut self, stage: &mut Stage) {
        self.asleep = false;
        self.turn_at = None;
        self.wake_at(stage, stage.now);
    }

    /// The server's loop, once around.
    pub fn turn(&mut self, stage: &mut Stage, store: &mut Store) -> TurnEnd {
        if self.turn_at != Some(stage.now) || self.asleep {
            return TurnEnd::Alive;
        }
        self.turn_at = None;
        if self.committing.is_some() {
            return TurnEnd::Alive;
        }
        if stage.now >= self.renew_at {
            self.renew_at = stage.now + LEADER_RENEW;
            if store.journal.renew(self.epoch, stage.now).is_err() {
                stage.hit(Mark::Fenced);
                return TurnEnd::Deposed;
            }
        }
        if self.pending.is_none() {
            self.decide(stage, store);
        }
        if stage.has(Mutant::EffectsBeforeDurable) {
            self.pipeline.advance(self.engine.state().last());
            self.release(stage, store, usize::MAX);
        }
        let end = self.append(stage, store);
        if end == TurnEnd::Alive && self.pending.is_none() && self.committing.is_none() {
            self.release(stage, store, usize::MAX);
            self.sleep_until_due(stage);
        }
        end
    }

    /// Drains the inbox into the engine, then lets it fire what is due.
    fn decide(&mut self, stage: &mut Stage, store: &mut Store) {
        let after = self.engine.state().last();
        let mut facts = Vec::new();
        while let Some(input) = self.inbox.pop_front() {
            for input in self.prepared((stage, store), input) {
                self.step((stage, store), input, &mut facts);
            }
        }
        self.step((stage, store), Input::Tick, &mut facts);
        stage.judge("S14", s14_limits::waiting(self.pipeline.len()));
        if !facts.is_empty() {
            self.pending = Some(Pending { after, at: self.engine.now(), facts });
        }
    }

    /// What a message says comes after what the attempts in it wrote.
    fn prepared(&self, (stage, store): (&mut Stage, &mut Store), mut input: Input) -> Vec<Input> {
        let Input::Worker(message) = &mut input else { return vec![input] };
        if server::loses_tasks(stage)
            && let News::Reports { reports, .. } = &mut message.news
        {
            for report in reports {
                if let AttemptEvent::Ended { tasks, .. } = &mut report.event {
                    *tasks = None;
                }
            }
        }
        if let News::Reports { reports, .. } = &mut message.news {
            for report in reports {
                spoil(stage, &mut report.event);
            }
        }
        let made = server::generated(stage, store, (&self.engine, self.epoch), message);
        let made = made.into_iter().map(|made| Input::Generated(Box::new(made)));
        made.chain([input]).collect()
    }

    fn step(&mut self, (stage, store): (&mut Stage, &Store), input: Input, facts: &mut Vec<Fact>) {
        let mut next = VecDeque::from([input]);
        while let Some(input) = next.pop_front() {
            self.inputs += 1;
            let is_answer = matches!(input, Input::Answered(_));
            let refused = self.refused_anyway(stage, &input);
            for fact in self.counted(stage, &input) {
                self.forge(store, fact, facts);
            }
            let step = self.engine.step(stage.now, input);
            if is_answer && step.facts.is_empty() {
                stage.hit(Mark::AnsweredLate);
            }
            for fact in &step.facts {
                if let Fact::WorkerJoined(joined) = fact {
                    self.nodes.extend([node_of(joined)]);
                    stage.truth.heard.insert(joined.instance, stage.now);
                }
            }
            let mut forged = self.forged(stage, &step.facts);
            let is_refused = |effect: &Effect| {
                matches!(effect, Effect::Reply { answer: Answer::Rejected(_), .. })
            };
            forged.extend(refused.filter(|_| step.effects.iter().any(is_refused)));
            facts.extend(step.facts);
            for fact in forged {
                self.forge(store, fact, facts);
            }
            let last = self.engine.state().last();
            for effect in step.effects {
                match effect {
                    Effect::Ask { task, round, turn } => {
                        let asked = Asked { task, round, turn, life: self.life, term: self.epoch };
                        let answered = evaluator::ask(stage, store, &self.engine, asked);
                        next.extend(answered.map(|it| Input::Answered(Box::new(it))));
                    }
                    Effect::Refused { .. } => stage.hit(Mark::Refused),
                    Effect::Send { worker, ref message } => {
                        self.note_renewal(stage, worker, message);
                        self.pipeline.push(last, effect);
                    }
                    Effect::Reply { .. } => self.pipeline.push(last, effect),
                }
            }
        }
    }

    /// A worker is heard when the engine answers its hello or its heartbeat.
    fn note_renewal(&self, stage: &mut Stage, worker: WorkerId, message: &ToWorker) {
        if matches!(message.order, Order::Renew { .. } | Order::Welcome { .. })
            && let Some(known) = self.engine.state().worker(worker)
        {
            stage.truth.heard.insert(known.instance, stage.now);
        }
    }

    fn append(&mut self, stage: &mut Stage, store: &mut Store) -> TurnEnd {
        let Some(pending) = &self.pending else { return TurnEnd::Alive };
        let last = Seq(pending.after.0 + pending.facts.len() as u64);
        if self.dies_at(stage, Boundary::Decided) {
            return TurnEnd::Died;
        }
        if let Some((Boundary::Appended, tail)) = self.doom {
            let disk = store.journal.plan_mut();
            disk.tail = tail;
            disk.next = (tail != Tail::Kept).then_some(journal::memory::Fault::PowerCut);
        }
        let batch = Batch {
            epoch: self.epoch,
            after: pending.after,
            at: pending.at,
            facts: &pending.facts,
            outputs: &[],
            objects: &[],
        };
        let answer = store.journal.append(&batch);
        let latency = store.journal.take_latency();
        if self.dies_at(stage, Boundary::Appended) {
            return TurnEnd::Died;
        }
        match answer {
            Ok(()) => self.appended(stage, last, latency),
            Err(AppendError::NoSpace | AppendError::ReadOnly | AppendError::Store(_)) => {
                stage.hit(Mark::DiskFull);
                self.wake_at(stage, stage.now + DISK_PATIENCE);
                TurnEnd::Alive
            }
            Err(AppendError::Unknown(_)) => self.find_out(stage, store, last),
            Err(AppendError::SyncFailed(_)) => {
                stage.hit(Mark::SyncFailed);
                TurnEnd::Died
            }
            Err(AppendError::Fenced { .. } | AppendError::Moved { .. }) => {
                stage.hit(Mark::Fenced);
                TurnEnd::Deposed
            }
            Err(error @ (AppendError::Invalid(_) | AppendError::Uncovered { .. })) => {
                stage.judge("S1", Err(format!("a batch cannot be written: {error}")));
                TurnEnd::Died
            }
        }
    }

    fn appended(&mut self, stage: &mut Stage, last: Seq, latency: Span) -> TurnEnd {
        self.pending = None;
        self.committing = Some(last);
        stage.after(latency, Event::Committed { life: self.life });
        TurnEnd::Alive
    }

    /// Nobody said whether the batch was written: look.
    fn find_out(&mut self, stage: &mut Stage, store: &mut Store, last: Seq) -> TurnEnd {
        let pending = self.pending.as_ref().expect("called for a batch");
        match store.journal.last() {
            Ok(at) if at.seq == last && at.epoch == self.epoch => {
                stage.hit(Mark::UnknownThere);
                self.appended(stage, last, Span::millis(1))
            }
            Ok(at) if at.seq == pending.after => {
                stage.hit(Mark::UnknownAbsent);
                self.wake_at(stage, stage.now + Span::millis(1));
                TurnEnd::Alive
            }
            Ok(_) => TurnEnd::Deposed,
            Err(_) => TurnEnd::Died,
        }
    }

    /// The append under way is acknowledged.
    pub fn committed(
        &mut self,
        stage: &mut Stage,
        store: &mut Store,
        records: &mut Records,
    ) -> TurnEnd {
        let Some(last) = self.committing.take() else { return TurnEnd::Alive };
        stage.truth.durable = stage.truth.durable.max(last);
        records.take_in(stage, store, last);
        self.pipeline.advance(last);
        if self.dies_at(stage, Boundary::Acknowledged) {
            return TurnEnd::Died;
        }
        if matches!(self.doom, Some((Boundary::Effects, _))) && self.pipeline.len() > 1 {
            self.release(stage, store, self.pipeline.len() / 2);
            if self.dies_at(stage, Boundary::Effects) {
                return TurnEnd::Died;
            }
        }
        self.release(stage, store, usize::MAX);
        self.keep_short(stage, store);
        self.sleep_until_due(stage);
        TurnEnd::Alive
    }

    fn sleep_until_due(&mut self, stage: &mut Stage) {
        let inbox = (!self.inbox.is_empty()).then_some(stage.now);
        let due = self.engine.next_deadline().into_iter().chain(inbox).chain([self.renew_at]);
        let at = due.min().expect("there is always a renewal ahead");
        self.wake_at(stage, at);
    }

    /// Whether this is where it dies.
    fn dies_at(&self, stage: &mut Stage, boundary: Boundary) -> bool {
        let dies = self.doom.is_some_and(|(at, _)| at == boundary);
        if dies {
            stage.hit(match boundary {
                Boundary::Decided => Mark::CrashDecided,
                Boundary::Appended => Mark::CrashAppended,
                Boundary::Acknowledged => Mark::CrashAcknowledged,
                Boundary::Effects => Mark::CrashEffects,
            });
        }
        dies
    }

    /// Lets up to `count` effects leave, as far as they may.
    fn release(&mut self, stage: &mut Stage, store: &mut Store, count: usize) {
        for _ in 0..count {
            let Some(effect) = self.pipeline.pop() else { return };
            match effect {
                Effect::Send { worker, message } => {
                    let durable = store.journal.last().map_or(Seq(0), |at| at.seq);
                    stage.judge("S9", s09_durable_effects::order(&message.order, durable));
                    let Some(&node) = self.nodes.get(&worker) else { continue };
                    stage.tell(|| format!("node {node} is told {:?}", message.order));
                    let bytes = protocol::message::encode_to_worker(&message);
                    stage.send(node, Way::To, bytes);
                }
                Effect::Reply { request, answer } => {
                    let durable = store.journal.last().map_or(Seq(0), |at| at.seq);
                    let rests_on = self.pipeline.durable();
                    stage.judge("S9", s09_durable_effects::leaves(rests_on, durable));
                    self.answers.push((request, answer));
                }
                Effect::Ask { .. } | Effect::Refused { .. } => {}
            }
        }
    }

    /// Writes a snapshot now and then, and gives up the facts that it covers.
    fn keep_short(&mut self, stage: &mut Stage, store: &mut Store) {
        let covers = self.engine.state().last();
        if covers < self.snapshot_at {
            return;
        }
        self.snapshot_at = Seq(covers.0 + stage.hosts.between(200, 4_000));
        let snapshot = Snapshot { covers, facts: self.engine.snapshot() };
        if store.journal.put_snapshot(self.epoch, &snapshot).is_ok() {
            // A cut that fails is tried again after the next snapshot.
            store.journal.cut(covers).ok();
        }
    }

    /// Applies to the live state what no journal has: only for the mutant of that name.
    pub fn corrupt(&mut self, fact: &Fact, store: &Store) {
        let (last, at) = (self.engine.state().last(), self.engine.state().at());
        self.engine.replay(last, at, fact, &store.graphs);
    }
}

/// What a planted fault makes of a report.
fn spoil(stage: &Stage, event: &mut AttemptEvent) {
    let AttemptEvent::Ended { end, retry_after, .. } = event else { return };
    if stage.has(Mutant::CostLost) {
        end.spent = Spent::NOTHING;
    }
    if stage.has(Mutant::WaitNotKept) {
        *retry_after = None;
    }
}

fn node_of(joined: &WorkerJoined) -> (WorkerId, u32) {
    let node = joined.name.rsplit('-').next().and_then(|number| number.parse().ok());
    (joined.worker, node.unwrap_or(0))
}
