//! The worker's loop: orders in, processes started and ended, reports out.
//!
//! ```text
//!   coordinator ─▶ inbox ─▶ agent ─▶ supervisor ─▶ processes
//!        ▲                    ▲                       │ events, output
//!        └──── reports ◀──────┴───────────────────────┘
//! ```
//!
//! One thread owns the agent, the log and the supervisor's commands; a second one reads the
//! supervisor's events. Whatever has come in is taken in before anything is sent, so that a burst
//! costs one message, one write to the log and one write to the supervisor. It decides nothing.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use agent::{Agent, AgentConfig, AgentInput, AgentOutput};
use model::message::{FromWorker, Grant, LeaseId, News as Said, Order};
use model::outcome::{AttemptEnd, Failure, LogRef, Outcome, Usage};
use model::work::{Delivery, Dispatch, Work};
use model::{Request, Span, Timestamp};

use crate::executor::{Ended, Executor, News};
use crate::supervisor::{Batch, EventReader, Supervisor};

/// Events that are taken in before anything is sent.
const EVENTS_PER_TURN: usize = 4_096;
/// How long the loop sleeps at most.
const PATIENCE_MAX: Duration = Duration::from_secs(60);
/// How long to wait before a supervisor that has died is followed by another one.
const SUPERVISOR_PAUSE: Duration = Duration::from_millis(100);

/// Who the worker is, and where it works.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The node's name.
    pub name: Box<str>,
    /// Tells this start of the worker from all others.
    pub instance: u64,
    /// What it offers.
    pub offers: Request,
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
}

/// A worker that runs. Dropping it ends everything that it runs. If its supervisor dies, it goes on
/// with another one, as another instance of itself: what it ran is lost, and runs again.
#[derive(Debug)]
pub struct Node {
    inbox: Sender<Event>,
    thread: Option<JoinHandle<()>>,
}

/// A way to a worker. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Orders {
    inbox: Sender<Event>,
}

impl Orders {
    /// Gives the worker an order, without waiting.
    pub fn send(&self, dispatch: Dispatch) {
        // A worker that has ended obeys nobody.
        let _ = self.inbox.send(Event::Dispatch(dispatch));
    }
}

enum Event {
    Dispatch(Dispatch),
    Supervisor(Batch),
    SupervisorGone,
    Shutdown,
}

impl Node {
    /// Starts a worker. It says hello when its supervisor is ready, so that nothing of an earlier
    /// worker runs any more.
    ///
    /// # Errors
    /// The log or the supervisor cannot be opened.
    pub fn launch(config: NodeConfig, outbox: Box<dyn Outbox>) -> io::Result<Self> {
        let (inbox, receiver) = channel();
        let supervisor = launch_supervisor(&config, &inbox)?;
        let executor = Executor::open(&config.home, supervisor)?;
        let sender = inbox.clone();
        let thread = thread::Builder::new().name("worker".into()).spawn(move || {
            let mut worker = Loop::new(config, executor, outbox, (receiver, sender));
            while worker.run() == Over::SupervisorGone && worker.begin_anew() {}
        })?;
        Ok(Self { inbox, thread: Some(thread) })
    }

    /// A way to this worker.
    #[must_use]
    pub fn orders(&self) -> Orders {
        Orders { inbox: self.inbox.clone() }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.inbox.send(Event::Shutdown);
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

/// Starts a supervisor and the thread that listens to it.
fn launch_supervisor(config: &NodeConfig, inbox: &Sender<Event>) -> io::Result<Supervisor> {
    let (supervisor, events) = Supervisor::launch(&config.supervisor)?;
    let inbox = inbox.clone();
    thread::Builder::new().name("supervisor-events".into()).spawn(move || {
        forward(events, &inbox);
    })?;
    Ok(supervisor)
}

fn agent(config: &NodeConfig) -> Agent {
    Agent::new(AgentConfig {
        name: config.name.clone(),
        instance: config.instance,
        offers: config.offers.clone(),
        lease: config.lease,
    })
}

/// Passes on what the supervisor says until it is gone.
fn forward(mut events: EventReader, inbox: &Sender<Event>) {
    let mut batch = Batch::new();
    while matches!(events.read(&mut batch), Ok(true)) {
        if inbox.send(Event::Supervisor(std::mem::take(&mut batch))).is_err() {
            return;
        }
    }
    let _ = inbox.send(Event::SupervisorGone);
}

struct Loop {
    config: NodeConfig,
    agent: Agent,
    executor: Executor,
    outbox: Box<dyn Outbox>,
    inbox: Receiver<Event>,
    /// For the thread that listens to the supervisor.
    sender: Sender<Event>,
    /// The work of grants that have not been started.
    work: HashMap<LeaseId, Work>,
    /// Outputs of attempts whose end is not known to be durable.
    outputs: Vec<(LeaseId, Vec<u8>)>,
    started: Instant,
    origin: Timestamp,
    /// Whether the supervisor holds its lock: before that, nothing may be promised.
    ready: bool,
}

impl Loop {
    fn new(
        config: NodeConfig,
        executor: Executor,
        outbox: Box<dyn Outbox>,
        (inbox, sender): (Receiver<Event>, Sender<Event>),
    ) -> Self {
        Self {
            agent: agent(&config),
            config,
            executor,
            outbox,
            inbox,
            sender,
            work: HashMap::new(),
            outputs: Vec::new(),
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
            let first = match self.wait() {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Over::Shutdown,
            };
            let mut next = first;
            for _ in 0..EVENTS_PER_TURN {
                let Some(event) = next.take().or_else(|| self.inbox.try_recv().ok()) else { break };
                if let Some(over) = self.handle(event) {
                    return over;
                }
            }
            self.step(AgentInput::Tick);
            self.send();
        }
    }

    fn wait(&self) -> Result<Event, RecvTimeoutError> {
        if !self.ready {
            return self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected);
        }
        let patience = self.agent.next_deadline().map_or(PATIENCE_MAX, |at| {
            Duration::from_micros(at.since(self.now()).0).min(PATIENCE_MAX)
        });
        self.inbox.recv_timeout(patience)
    }

    /// Goes on with another supervisor, which first kills what the one before has left, and as
    /// another instance of the worker, whose registration ends all leases of this one. False: the
    /// worker is to end.
    fn begin_anew(&mut self) -> bool {
        loop {
            let at = Instant::now() + SUPERVISOR_PAUSE;
            // Orders that come meanwhile are for the instance that is gone.
            while let Some(left) = at.checked_duration_since(Instant::now()) {
                match self.inbox.recv_timeout(left) {
                    Ok(Event::Shutdown) | Err(RecvTimeoutError::Disconnected) => return false,
                    Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                }
            }
            let Ok(supervisor) = launch_supervisor(&self.config, &self.sender) else { continue };
            self.executor.begin_anew(supervisor);
            self.config.instance = self.config.instance.wrapping_add(1);
            self.agent = agent(&self.config);
            (self.ready, self.work, self.outputs) = (false, HashMap::new(), Vec::new());
            return true;
        }
    }

    /// Says if that is the end.
    fn handle(&mut self, event: Event) -> Option<Over> {
        match event {
            Event::Dispatch(Dispatch { message, work }) => {
                if let Order::Assign(grants) = &message.order {
                    self.work.extend(grants.iter().map(Grant::lease).zip(work));
                }
                self.step(AgentInput::Order(message));
                // What was granted again although it is known needs no second text.
                self.work.retain(|lease, _| self.agent.remembers(*lease));
                self.outputs.retain(|(lease, _)| self.agent.remembers(*lease));
            }
            Event::Supervisor(batch) => {
                for news in self.executor.take(batch) {
                    self.hear(news);
                }
            }
            Event::SupervisorGone => return Some(Over::SupervisorGone),
            Event::Shutdown => return Some(Over::Shutdown),
        }
        None
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Ready => self.ready = true,
            News::Started(lease) => self.step(AgentInput::Started(lease)),
            News::Ended(Ended { lease, outcome, end, outputs }) => {
                self.outputs.extend(outputs.map(|bytes| (lease, bytes)));
                self.step(AgentInput::Ended { lease, outcome, end });
            }
        }
    }

    fn step(&mut self, input: AgentInput) {
        let mut todo = vec![input];
        while let Some(input) = todo.pop() {
            let mut out = Vec::new();
            self.agent.step(self.now(), input, &mut out);
            for output in out {
                match output {
                    AgentOutput::Start(grant) => todo.extend(self.start(&grant)),
                    AgentOutput::Stop { lease, how } => self.executor.stop(lease, how),
                    AgentOutput::Send(message) => self.deliver(message),
                }
            }
        }
    }

    /// Starts a grant; gives back its end if that is known at once.
    fn start(&mut self, grant: &Grant) -> Option<AgentInput> {
        let lease = grant.lease();
        let work = self.work.remove(&lease);
        let ended = |outcome, log| {
            let end = AttemptEnd { usage: Usage::default(), log, output: None };
            Some(AgentInput::Ended { lease, outcome, end })
        };
        match work {
            Some(Work::Process(process)) => {
                self.executor.start(grant, process);
                None
            }
            Some(Work::Nothing) => ended(Outcome::Succeeded, None),
            Some(Work::Unrenderable { reason }) => {
                let log = self.executor.note(&reason);
                ended(Outcome::Failed(Failure::Render), log)
            }
            None => {
                let log = self.executor.note("the work of this attempt got lost");
                ended(Outcome::Failed(Failure::Render), log)
            }
        }
    }

    /// Sends what has gathered: commands, output, reports. Output is in its file before the report
    /// that names it leaves.
    fn send(&mut self) {
        self.executor.flush();
        if !self.ready {
            return;
        }
        let mut out = Vec::new();
        self.agent.flush(self.now(), &mut out);
        for output in out {
            if let AgentOutput::Send(message) = output {
                self.deliver(message);
            }
        }
        let grown = self.executor.grown();
        if !grown.is_empty() {
            self.outbox.logs_grew(grown);
        }
    }

    fn deliver(&mut self, message: FromWorker) {
        let outputs = self.outputs_for(&message);
        self.outbox.deliver(Delivery { message, outputs });
    }

    /// The outputs that go with a message. They are kept, since it may be sent again.
    fn outputs_for(&mut self, message: &FromWorker) -> Vec<(LeaseId, Vec<u8>)> {
        let Said::Reports { reports, .. } = &message.news else {
            return Vec::new();
        };
        if self.outputs.is_empty() {
            return Vec::new();
        }
        let named = |lease: &LeaseId| reports.iter().any(|report| report.lease == *lease);
        self.outputs.iter().filter(|(lease, _)| named(lease)).cloned().collect()
    }
}
