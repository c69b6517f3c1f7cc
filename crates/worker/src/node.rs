//! The worker's loop: orders in, attempts started and ended, reports out.
//!
//! ```text
//!   coordinator ─▶ inbox ─▶ agent ─▶ desk ─▶ executors
//!        ▲                    ▲                 │ events, output
//!        └──── reports ◀──────┴─────────────────┘
//! ```
//!
//! One thread owns all of it and waits for both of its sources at once. Whatever has come in is
//! taken in before anything is sent, so that a burst costs one message, one write to the log and
//! one write to the supervisor. It decides nothing.

mod stations;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use agent::{AgentInput, AgentOutput};
use model::bounds::Enforcement;
use model::message::{FromWorker, Grant, LeaseId, News as Said, Order};
use model::outcome::{AttemptEnd, Failure, LogRef, Outcome};
use model::work::{Delivery, Dispatch, Pool, Work};
use model::{Offers, Span, Timestamp};

use crate::desk::{Desk, Ended, Ground, News, name};
use crate::inbox::{Event, Inbox, Slot, inbox};
use crate::supervisor::{EventReader, Supervisor};
use stations::Stations;

/// Events that are taken in before anything is sent.
const EVENTS_PER_TURN: usize = 4_096;
/// How long the loop sleeps at most.
const PATIENCE_MAX: Duration = Duration::from_secs(60);
/// How long to wait before a supervisor that has died is followed by another one.
const SUPERVISOR_PAUSE: Duration = Duration::from_millis(100);

/// A node that a worker stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    /// The node's name.
    pub name: Box<str>,
    /// What it offers. Nobody measures whether the machine has it.
    pub offers: Offers,
}

/// Who the worker is, and where it works.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The nodes that it stands for, at least one: the machine itself, or several that are made up
    /// and share it.
    pub stations: Vec<Station>,
    /// Tells this start of the worker from all others.
    pub instance: u64,
    /// Whether attempts see the devices that they were granted and no others, also those that were
    /// granted none. False where nothing is known of devices: attempts inherit what they see.
    pub binds_devices: bool,
    /// How long its leases last without a renewal; `None` if it lives and dies with the
    /// coordinator.
    pub lease: Option<Span>,
    /// The state folder: logs, outputs and private folders of attempts are kept in it.
    pub home: PathBuf,
    /// How the supervisor is launched.
    pub supervisor: crate::supervisor::Config,
}

/// Where the worker's messages go.
pub trait Outbox: Send {
    /// Sends a message. It may get lost.
    fn deliver(&self, delivery: Delivery);
    /// Tells how far the output of live attempts has come.
    fn logs_grew(&self, logs: Vec<(LeaseId, LogRef)>);
    /// Tells what attempts are held to here.
    fn enforces(&self, enforcement: Enforcement);
    /// Tells how the processes of functions fare, now and then.
    fn pools(&self, pools: Vec<Pool>);
}

/// A worker that runs. Dropping it ends everything that it runs. If its supervisor dies, it goes on
/// with another one, as another instance of itself: what it ran is lost, and runs again.
#[derive(Debug)]
pub struct Node {
    slot: Slot,
    thread: Option<JoinHandle<()>>,
}

/// A way to a node that a worker stands for. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Orders {
    slot: Slot,
    station: usize,
}

impl Orders {
    /// Gives the node an order, without waiting.
    pub fn send(&self, dispatch: Dispatch) {
        self.slot.put(Event::Dispatch(self.station, dispatch));
    }
}

impl Node {
    /// Starts a worker. It says hello when its supervisor is ready, so that nothing of an earlier
    /// worker runs any more. `connect` is given the ways to its nodes, in their order, and gives
    /// the way out of it, before it can say anything: whoever answers a hello must be able to.
    ///
    /// # Errors
    /// The log or the supervisor cannot be opened.
    pub fn launch(
        config: NodeConfig,
        connect: impl FnOnce(Vec<Orders>) -> Box<dyn Outbox>,
    ) -> io::Result<Self> {
        let (slot, inbox) = inbox()?;
        let (supervisor, events) = Supervisor::launch(&config.supervisor)?;
        let grounds = config.stations.iter().map(|it| Ground::new(it, config.binds_devices));
        let desk = Desk::open(&config.home, grounds.collect(), supervisor, slot.clone())?;
        let ways = (0..config.stations.len()).map(|station| Orders { slot: slot.clone(), station });
        let outbox = connect(ways.collect());
        let thread = thread::Builder::new().name("worker".into()).spawn(move || {
            let mut worker = Loop::new(config, desk, outbox, (inbox, events));
            while worker.run() == Over::SupervisorGone && worker.begin_anew() {}
        })?;
        Ok(Self { slot, thread: Some(thread) })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.slot.put(Event::Shutdown);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Why the loop has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Shutdown,
    SupervisorGone,
}

struct Loop {
    config: NodeConfig,
    stations: Stations,
    desk: Desk,
    outbox: Box<dyn Outbox>,
    inbox: Inbox,
    /// Where the supervisor is heard.
    events: EventReader,
    /// The work of grants that have not been started.
    work: HashMap<LeaseId, Work>,
    /// Outputs of attempts whose end is not known to be durable.
    outputs: Vec<(LeaseId, Vec<u8>)>,
    /// The tasks that they wrote.
    tasks: Vec<(LeaseId, Vec<u8>)>,
    started: Instant,
    origin: Timestamp,
    /// Whether the supervisor holds its lock: before that, nothing may be promised.
    ready: bool,
}

impl Loop {
    fn new(
        config: NodeConfig,
        desk: Desk,
        outbox: Box<dyn Outbox>,
        (inbox, events): (Inbox, EventReader),
    ) -> Self {
        Self {
            stations: Stations::new(&config),
            config,
            desk,
            outbox,
            inbox,
            events,
            work: HashMap::new(),
            outputs: Vec::new(),
            tasks: Vec::new(),
            started: Instant::now(),
            origin: Timestamp(1),
            ready: false,
        }
    }

    fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.origin + Span(elapsed)
    }

    fn run(&mut self) -> Over {
        loop {
            let patience = self.patience();
            let mut next = self.inbox.wait(&mut self.events, self.desk.calls(), patience);
            for _ in 0..EVENTS_PER_TURN {
                let Some(event) = next.take().or_else(|| self.inbox.take()) else { break };
                if let Some(over) = self.handle(event) {
                    return over;
                }
            }
            for news in self.desk.tick() {
                self.hear(news);
            }
            for station in 0..self.stations.len() {
                if self.ready {
                    self.step(station, AgentInput::Tick);
                }
            }
            self.send();
        }
    }

    fn patience(&self) -> Duration {
        let deadline = self.stations.next_deadline().filter(|_| self.ready);
        let agent = deadline.map(|at| Duration::from_micros(at.since(self.now()).0));
        let now = Instant::now();
        let desk = self.desk.next_deadline().map(|at| at.saturating_duration_since(now));
        agent.into_iter().chain(desk).fold(PATIENCE_MAX, Duration::min)
    }

    /// Goes on with another supervisor, which first kills what the one before has left, and as
    /// another instance of the worker, whose registration ends all leases of this one. False: the
    /// worker is to end.
    fn begin_anew(&mut self) -> bool {
        loop {
            thread::sleep(SUPERVISOR_PAUSE);
            // Orders that came meanwhile are for the instance that is gone.
            while let Some(event) = self.inbox.take() {
                if matches!(event, Event::Shutdown) {
                    return false;
                }
            }
            let launched = Supervisor::launch(&self.config.supervisor);
            let Ok((supervisor, events)) = launched else { continue };
            self.events = events;
            self.desk.begin_anew(supervisor);
            self.config.instance = self.config.instance.wrapping_add(1);
            self.stations = Stations::new(&self.config);
            (self.ready, self.work) = (false, HashMap::new());
            (self.outputs, self.tasks) = (Vec::new(), Vec::new());
            return true;
        }
    }

    /// Says if that is the end.
    fn handle(&mut self, event: Event) -> Option<Over> {
        match event {
            Event::Dispatch(station, Dispatch { message, work }) => {
                if let Order::Assign(grants) = &message.order {
                    self.stations.take(station, grants);
                    self.work.extend(grants.iter().map(Grant::lease).zip(work));
                }
                self.step(station, AgentInput::Order(message));
                // What was granted again although it is known needs no second text.
                self.stations.forget();
                self.work.retain(|lease, _| self.stations.remembers(*lease));
                self.outputs.retain(|(lease, _)| self.stations.remembers(*lease));
                self.tasks.retain(|(lease, _)| self.stations.remembers(*lease));
            }
            Event::Supervisor(batch) => {
                for news in self.desk.take(batch) {
                    self.hear(news);
                }
            }
            Event::Kept(done) => {
                if let Some(news) = self.desk.kept(done) {
                    self.hear(news);
                }
            }
            Event::Happened(told) => {
                for news in self.desk.told(told) {
                    self.hear(news);
                }
            }
            // The turn of the desk hears it.
            Event::Calls => {}
            Event::SupervisorGone => return Some(Over::SupervisorGone),
            Event::Shutdown => return Some(Over::Shutdown),
        }
        None
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Ready(enforcement) => {
                self.outbox.enforces(enforcement);
                self.ready = true;
            }
            News::Started(lease) => self.tell(lease, AgentInput::Started(lease)),
            News::Checkpointed(lease, age) => {
                self.tell(lease, AgentInput::Checkpointed { lease, age });
            }
            News::Ended(ended) => {
                let Ended { lease, outcome, end, checkpointed, retry_after, outputs, tasks } =
                    ended;
                if let Some(age) = checkpointed {
                    self.tell(lease, AgentInput::Checkpointed { lease, age });
                }
                self.outputs.extend(outputs.map(|bytes| (lease, bytes)));
                let named = tasks.as_deref().map(name);
                self.tasks.extend(tasks.map(|bytes| (lease, bytes)));
                let ended = AgentInput::Ended { lease, outcome, end, tasks: named, retry_after };
                self.tell(lease, ended);
            }
        }
    }

    /// Tells the node that holds a lease what has become of it. What no node knows any more is
    /// nobody's news.
    fn tell(&mut self, lease: LeaseId, input: AgentInput) {
        if let Some(station) = self.stations.holder(lease) {
            self.step(station, input);
        }
    }

    fn step(&mut self, station: usize, input: AgentInput) {
        let mut todo = vec![input];
        while let Some(input) = todo.pop() {
            let mut out = Vec::new();
            let now = self.now();
            self.stations.agent(station).step(now, input, &mut out);
            for output in out {
                match output {
                    AgentOutput::Start(grant) => todo.extend(self.start(station, &grant)),
                    AgentOutput::Stop { lease, how } => self.desk.stop(lease, how),
                    AgentOutput::Send(message) => self.deliver(message),
                }
            }
        }
    }

    /// Starts a grant; gives back its end if that is known at once.
    fn start(&mut self, station: usize, grant: &Grant) -> Option<AgentInput> {
        let lease = grant.lease();
        let work = self.work.remove(&lease);
        let ended = |outcome, log| {
            let end = AttemptEnd { log, ..AttemptEnd::default() };
            Some(AgentInput::Ended { lease, outcome, end, tasks: None, retry_after: None })
        };
        match work {
            Some(Work::Assignment(assignment)) => {
                let reason = self.desk.start((station, grant), *assignment).err()?;
                let log = self.desk.note(lease, &reason);
                ended(Outcome::Failed(Failure::Render), log)
            }
            Some(Work::Nothing) => ended(Outcome::Succeeded, None),
            Some(Work::Unrenderable { reason }) => {
                let log = self.desk.note(lease, &reason);
                ended(Outcome::Failed(Failure::Render), log)
            }
            None => {
                let log = self.desk.note(lease, "the work of this attempt got lost");
                ended(Outcome::Failed(Failure::Render), log)
            }
        }
    }

    /// Sends what has gathered: commands, output, reports. Output is in its file before the report
    /// that names it leaves.
    fn send(&mut self) {
        self.desk.flush();
        if !self.ready {
            return;
        }
        let mut out = Vec::new();
        let now = self.now();
        self.stations.flush(now, &mut out);
        for output in out {
            if let AgentOutput::Send(message) = output {
                self.deliver(message);
            }
        }
        let grown = self.desk.grown();
        if !grown.is_empty() {
            self.outbox.logs_grew(grown);
        }
        if let Some(pools) = self.desk.pools() {
            self.outbox.pools(pools);
        }
    }

    fn deliver(&mut self, message: FromWorker) {
        let outputs = going_with(&message, &self.outputs);
        let tasks = going_with(&message, &self.tasks);
        self.outbox.deliver(Delivery { message, outputs, tasks });
    }
}

/// What goes with a message. It is kept, since the message may be sent again.
fn going_with(message: &FromWorker, kept: &[(LeaseId, Vec<u8>)]) -> Vec<(LeaseId, Vec<u8>)> {
    let Said::Reports { reports, .. } = &message.news else {
        return Vec::new();
    };
    if kept.is_empty() {
        return Vec::new();
    }
    let named = |lease: &LeaseId| reports.iter().any(|report| report.lease == *lease);
    kept.iter().filter(|(lease, _)| named(lease)).cloned().collect()
}
