//! A machine: the real agent, and processes that only pretend to work.
//!
//! It does what a worker's loop does: it drains its inbox into the agent, flushes once, and acts on
//! what comes out. It knows nothing of the coordinator but its messages.

use std::collections::{BTreeMap, VecDeque};

use agent::{Agent, AgentConfig, AgentInput, AgentOutput};
use model::collections::HashMap;
use model::limits::{ATTEMPT_LEASE, HEARTBEAT};
use model::message::{FromWorker, Grant, LeaseId, News, Order, StopKind};
use model::outcome::{AttemptEnd, Failure, OutputRef, Spent, Usage};
use model::{Device, Digest, Offers, Outcome, Span, Timestamp};

use crate::event::Event;
use crate::invariants::s04_room::Room;
use crate::mark::Mark;
use crate::mutant::Mutant;
use crate::plan::NodePlan;
use crate::stage::{Stage, Way};
use crate::truth::Process;
use crate::workload::{Behaviour, Manners, sites};

/// Messages that reach a sleeping worker and are kept for it; more are lost.
const BACKLOG_MAX: usize = 1_000;

/// What each attempt does, by its grant.
pub type Script<'a> = &'a dyn Fn(&Grant) -> Behaviour;

/// A process that pretends.
#[derive(Clone, Copy, Debug)]
struct Pretender {
    serial: u64,
    manners: Manners,
    grace: Span,
    started_at: Timestamp,
    writes: bool,
    spent: Spent,
    retry_after: Option<Span>,
    saves_every: Option<Span>,
}

/// One machine.
#[derive(Debug)]
pub struct Node {
    index: u32,
    plan: NodePlan,
    /// `None` while the machine is down.
    agent: Option<Agent>,
    instance: u64,
    inbox: VecDeque<AgentInput>,
    turn_at: Option<Timestamp>,
    asleep_until: Option<Timestamp>,
    slow_until: Timestamp,
    processes: HashMap<LeaseId, Pretender>,
    /// When work was last saved that the worker has not seen.
    saved: BTreeMap<LeaseId, Timestamp>,
    room: Room,
    serial: u64,
    /// Whether it never comes back.
    gone: bool,
    greeted: bool,
    outputs: Vec<AgentOutput>,
}

/// A device by its place on its node: small and large ones in turn.
fn device(place: u64) -> Device {
    let is_large = place % 2 == 1;
    let kind = if is_large { "sim-large" } else { "sim-small" };
    Device::described(format!("GPU-{place}"), kind, device_memory(place))
}

/// The memory of a device by its place, in bytes.
pub(crate) const fn device_memory(place: u64) -> u64 {
    if place % 2 == 1 { 80 << 30 } else { 16 << 30 }
}

impl Node {
    /// A machine that is switched off.
    #[must_use]
    pub fn new(index: u32, plan: NodePlan) -> Self {
        Self {
            index,
            plan,
            agent: None,
            instance: 0,
            inbox: VecDeque::new(),
            turn_at: None,
            asleep_until: None,
            slow_until: Timestamp(0),
            processes: HashMap::default(),
            saved: BTreeMap::new(),
            room: Room::default(),
            serial: 0,
            gone: false,
            greeted: false,
            outputs: Vec::new(),
        }
    }

    /// Whether it lives and dies with the coordinator.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        self.plan.local
    }

    /// Whether it is up and has nothing left to do or to tell, or will never do anything again.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.gone || self.processes.is_empty() && self.agent.as_ref().is_some_and(Agent::idle)
    }

    /// Switches it on; nothing happens if it is on.
    pub fn start(&mut self, stage: &mut Stage) {
        if self.agent.is_some() || self.gone {
            return;
        }
        let known = &mut stage.truth.instances[self.index as usize];
        self.instance = (u64::from(self.index) << 32) | (known.len() as u64 + 1);
        known.push(self.instance);
        stage.truth.awake_since[self.index as usize] = Some(stage.now);
        self.agent = Some(Agent::new(self.config(stage)));
        self.greeted = false;
        self.wake_at(stage, stage.now);
    }

    fn config(&self, stage: &Stage) -> AgentConfig {
        let has_slots = self.plan.slots > 0;
        let slots = [("slot".into(), self.plan.slots)];
        let mut offers = Offers {
            cpu_milli: self.plan.cpu_milli,
            memory_bytes: 1 << 34,
            custom: if has_slots { Box::new(slots) } else { Box::default() },
            devices: (0..self.plan.gpus).map(device).collect(),
            site: sites::site(self.plan.site),
            ..Offers::default()
        };
        if stage.has(Mutant::NoRoomCheck) {
            offers.cpu_milli *= 2;
        }
        let lease = (!self.plan.local).then_some(ATTEMPT_LEASE);
        AgentConfig {
            name: format!("node-{}", self.index).into(),
            instance: self.instance,
            offers,
            lease,
        }
    }

    /// Cuts its power. Everything on it is gone.
    pub fn crash(&mut self, stage: &mut Stage) {
        if self.agent.take().is_none() {
            return;
        }
        stage.tell(|| format!("node {} crashes with {} processes", self.index, self.room.len()));
        let mut leases: Vec<_> = self.processes.drain().map(|(lease, _)| lease).collect();
        leases.sort_unstable();
        for lease in leases {
            self.room.end(lease.item);
            stage.truth.end(lease, stage.now, Outcome::Failed(Failure::Signal(9)));
        }
        stage.truth.dead.insert(self.instance, stage.now);
        stage.truth.awake_since[self.index as usize] = None;
        self.inbox.clear();
        self.saved.clear();
        (self.turn_at, self.asleep_until) = (None, None);
    }

    /// Takes it away for ever.
    pub fn lose(&mut self, stage: &mut Stage) {
        self.crash(stage);
        self.gone = true;
    }

    /// Lets the worker sleep; its processes run on.
    pub fn sleep(&mut self, stage: &mut Stage, length: Span) {
        if self.agent.is_none() || self.asleep_until.is_some() {
            return;
        }
        stage.tell(|| format!("node {} sleeps for {length}", self.index));
        self.asleep_until = Some(stage.now + length);
        stage.truth.awake_since[self.index as usize] = None;
        stage.after(length, Event::NodeWake { node: self.index });
    }

    /// Wakes it, if it is time.
    pub fn wake(&mut self, stage: &mut Stage) {
        let is_time = self.asleep_until.is_some_and(|until| until <= stage.now);
        if !is_time || self.agent.is_none() {
            return;
        }
        self.asleep_until = None;
        stage.truth.awake_since[self.index as usize] = Some(stage.now);
        self.turn_at = None;
        self.wake_at(stage, stage.now);
    }

    /// Makes what starts here slow for some time.
    pub fn slow(&mut self, until: Timestamp) {
        self.slow_until = until;
    }

    /// A message has arrived.
    pub fn receive(&mut self, stage: &mut Stage, bytes: &[u8]) {
        if self.agent.is_none() || self.inbox.len() >= BACKLOG_MAX {
            return;
        }
        let mut message = match protocol::message::decode_to_worker(bytes) {
            Ok(message) => message,
            Err(error) => {
                return stage.judge("S9", Err(format!("an order is unreadable: {error}")));
            }
        };
        if let (Order::Welcome { lease, .. }, true) =
            (&mut message.order, stage.has(Mutant::WorkerLeaseNeverExpires))
        {
            *lease = None;
        }
        self.hand_in(stage, AgentInput::Order(message));
    }

    fn hand_in(&mut self, stage: &mut Stage, input: AgentInput) {
        self.inbox.push_back(input);
        let soon = stage.now + stage.draw_span(10, 300);
        self.wake_at(stage, soon);
    }

    /// Plans the next turn for `at`, unless one is planned for earlier.
    fn wake_at(&mut self, stage: &mut Stage, at: Timestamp) {
        let at = at.max(stage.now);
        if self.asleep_until.is_none() && self.turn_at.is_none_or(|planned| at < planned) {
            self.turn_at = Some(at);
            stage.queue.push(at, Event::NodeTurn { node: self.index, instance: self.instance });
        }
    }

    /// The worker's loop, once around.
    pub fn turn(&mut self, stage: &mut Stage, instance: u64, script: Script<'_>) {
        let is_planned = self.turn_at == Some(stage.now) && instance == self.instance;
        if !is_planned || self.asleep_until.is_some() {
            return;
        }
        self.turn_at = None;
        let Some(agent) = &mut self.agent else { return };
        // What is still to be told of a process is told before its end.
        for (lease, at) in std::mem::take(&mut self.saved) {
            let age = stage.now.since(at);
            let saved = AgentInput::Checkpointed { lease, age };
            agent.step(stage.now, saved, &mut self.outputs);
        }
        while let Some(input) = self.inbox.pop_front() {
            agent.step(stage.now, input, &mut self.outputs);
        }
        agent.step(stage.now, AgentInput::Tick, &mut self.outputs);
        agent.flush(stage.now, &mut self.outputs);
        for output in std::mem::take(&mut self.outputs) {
            match output {
                AgentOutput::Send(message) => self.send(stage, &message),
                AgentOutput::Start(grant) => self.spawn(stage, &grant, script(&grant)),
                AgentOutput::Stop { lease, how } => self.stop(stage, lease, how),
            }
        }
        if let Some(at) = self.agent.as_ref().and_then(Agent::next_deadline) {
            self.wake_at(stage, at);
        }
    }

    fn send(&mut self, stage: &mut Stage, message: &FromWorker) {
        match &message.news {
            News::Hello { .. } => {
                if std::mem::replace(&mut self.greeted, true)
                    && stage.has(Mutant::HelloForgetsLeases)
                {
                    self.agent = Some(Agent::new(self.config(stage)));
                    self.greeted = false;
                }
            }
            News::Beat { .. } | News::Reports { .. } => {}
        }
        let mut message = message.clone();
        if let (News::Hello { lease, .. }, true) =
            (&mut message.news, stage.has(Mutant::ServerLeaseNeverExpires))
        {
            *lease = lease.map(|_| Span(u64::MAX / 4));
        }
        stage.tell(|| match &message.news {
            News::Beat { beat, held } => {
                format!("node {} beats {beat}, {} held", self.index, held.len())
            }
            other => format!("node {} says {other:?}", self.index),
        });
        stage.send(self.index, Way::From, protocol::message::encode_from_worker(&message));
    }

    fn spawn(&mut self, stage: &mut Stage, grant: &Grant, behaviour: Behaviour) {
        let lease = grant.lease();
        stage.tell(|| format!("node {} starts {:?}", self.index, grant.attempt));
        let started = self.room.start(&self.plan, lease.item, (&grant.request, grant.devices));
        stage.judge("S4", started);
        let Behaviour { wall, failure, manners, writes, spent, retry_after, saves_every } =
            behaviour;
        let (node, variant, memory) = (self.index, grant.variant, grant.request.memory_bytes);
        let process = Process {
            node,
            variant,
            ended: None,
            doomed: false,
            writes,
            spent,
            retry_after,
            memory,
            saved_at: None,
        };
        stage.truth.start(lease, process);
        self.serial += 1;
        let serial = self.serial;
        let (grace, started_at) = (grant.grace, stage.now);
        let pretender = Pretender {
            serial,
            manners,
            grace,
            started_at,
            writes,
            spent,
            retry_after,
            saves_every,
        };
        self.processes.insert(lease, pretender);
        let node = self.index;
        let instance = self.instance;
        let spawning = stage.draw_span(100, 1_500);
        if !matches!(failure, Some(Failure::Spawn(_))) {
            let ended = None;
            stage.after(spawning, Event::Process { node, instance, lease, serial, ended });
        }
        if let Some(every) = saves_every {
            let first = Span(spawning.0 + every.0);
            stage.after(first, Event::Saves { node, instance, lease, serial });
        }
        if let Some(wall) = wall {
            let slow = if stage.now < self.slow_until { 10 } else { 1 };
            let ended = Some(failure.map_or(Outcome::Succeeded, Outcome::Failed));
            let wall = Span(spawning.0 + wall.0 * slow);
            stage.after(wall, Event::Process { node, instance, lease, serial, ended });
        }
    }

    fn stop(&mut self, stage: &mut Stage, lease: LeaseId, how: StopKind) {
        let Some(&Pretender { serial, manners, grace, .. }) = self.processes.get(&lease) else {
            return;
        };
        stage.tell(|| format!("node {} stops {lease:?}: {how:?}", self.index));
        let quickly = stage.draw_span(1_000, 50_000);
        let (after, ended) = match (how, manners) {
            (StopKind::Terminate | StopKind::Revoke, _) => {
                stage.truth.doom(lease);
                (quickly, Outcome::Failed(Failure::Signal(9)))
            }
            (_, Manners::Dies) => (quickly, Outcome::Failed(Failure::Signal(15))),
            (_, Manners::Ignores) => (grace, Outcome::Failed(Failure::Signal(9))),
            (_, Manners::Finishes) => (quickly, Outcome::Succeeded),
        };
        if how == StopKind::Revoke {
            stage.hit(Mark::Revoked);
        }
        let (node, instance) = (self.index, self.instance);
        let ended = Some(ended);
        stage.after(after, Event::Process { node, instance, lease, serial, ended });
    }

    /// A process saves its work, whether the worker is awake or not.
    pub fn saves(&mut self, stage: &mut Stage, lease: LeaseId, (instance, serial): (u64, u64)) {
        let pretender = self.processes.get(&lease).filter(|it| it.serial == serial);
        let Some(every) = pretender.and_then(|it| it.saves_every) else { return };
        if instance != self.instance {
            return;
        }
        stage.truth.save(lease, stage.now);
        self.saved.insert(lease, stage.now);
        let soon = stage.now + stage.draw_span(10, HEARTBEAT.0);
        self.wake_at(stage, soon);
        let node = self.index;
        stage.after(every, Event::Saves { node, instance, lease, serial });
    }

    /// Something has happened to a process, whether the worker is awake or not.
    pub fn process(
        &mut self,
        stage: &mut Stage,
        lease: LeaseId,
        news: (u64, u64, Option<Outcome>),
    ) {
        let (instance, serial, ended) = news;
        let Some(&pretender) = self.processes.get(&lease) else { return };
        if instance != self.instance || pretender.serial != serial {
            return;
        }
        let Some(outcome) = ended else {
            return self.hand_in(stage, AgentInput::Started(lease));
        };
        self.processes.remove(&lease);
        self.room.end(lease.item);
        stage.truth.end(lease, stage.now, outcome);
        stage.tell(|| format!("node {}: {lease:?} ended {outcome:?}", self.index));
        let told = match outcome {
            Outcome::Failed(_) if stage.has(Mutant::Canary) => Outcome::Succeeded,
            other => other,
        };
        let wall_us = stage.now.since(pretender.started_at).0;
        let usage = Usage { wall_us, ..Usage::default() };
        let end = AttemptEnd { usage, spent: pretender.spent, ..AttemptEnd::default() };
        // What it wrote travels beside the message; only that it did is simulated.
        let wrote = pretender.writes && outcome == Outcome::Succeeded;
        let retry_after = pretender.retry_after.filter(|_| outcome != Outcome::Succeeded);
        let tasks = wrote.then_some(OutputRef { digest: Digest([7; 32]), bytes: 70 });
        self.hand_in(stage, AgentInput::Ended { lease, outcome: told, end, tasks, retry_after });
    }
}
