//! What the measurements share: homes that vanish, graphs, a worker whose work is nothing, medians.
//!
//! It measures nothing by itself and must never be a part of the product.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use agent::{Agent, AgentConfig, AgentInput, AgentOutput};
use model::fact::RunAdmitted;
use model::graph::GraphParts;
use model::message::ToWorker;
use model::outcome::{AttemptEnd, Outcome, Usage};
use model::policy::{FailurePolicy, Policy, Priority};
use model::queue::QueueTree;
use model::work::{Delivery, Dispatch};
use model::{Digest, Graph, Request, RunId, Span, Timestamp};
use server::{Admission, Config, Done, Holder, Link, Mailbox, Mode};

/// A holder in a folder that vanishes with it.
pub struct House {
    /// The holder.
    pub holder: Option<Holder>,
    /// Its folder.
    pub folder: tempfile::TempDir,
}

impl House {
    /// A holder with a worker of `slots` whose work is nothing.
    #[must_use]
    pub fn new(slots: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let holder = hold(folder.path(), Mode::Lead);
        work_nothing(&holder, slots);
        Self { holder: Some(holder), folder }
    }

    /// Submits a graph and waits until its run has ended; says how long the submission, and how
    /// long everything took.
    pub fn run(&self, parts: &GraphParts) -> (Duration, Duration) {
        let holder = self.holder.as_ref().expect("held");
        let runtime = runtime();
        let begun = Instant::now();
        let admission = admission(parts);
        let answer = runtime.block_on(holder.handle().admit(admission)).expect("the driver lives");
        let submitted = begun.elapsed();
        assert!(matches!(answer, engine::Answer::Admitted { again: false, .. }), "{answer:?}");
        holder.wait_idle();
        (submitted, begun.elapsed())
    }
}

/// A runtime for one thread that waits.
#[must_use]
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

/// Holds a folder.
#[must_use]
pub fn hold(folder: &std::path::Path, mode: Mode) -> Holder {
    let keep = server::Keep::default();
    let policy = server::Policy::default();
    let queues = QueueTree::default();
    let config = Config { home: folder.to_owned(), version: "bench", mode, keep, policy, queues };
    match Holder::start(&config) {
        Ok(holder) => holder,
        Err(error) => panic!("cannot hold {}: {error:?}", folder.display()),
    }
}

/// A graph as it is submitted, with a text that says nothing.
#[must_use]
pub fn admission(parts: &GraphParts) -> Admission {
    let graph_bytes = protocol::graph::encode(parts);
    let definition = Arc::new(spec::Definition::default());
    let definition_bytes = definition.to_bytes();
    let digest = |bytes: &[u8]| Digest(*blake3::hash(bytes).as_bytes());
    let run = RunAdmitted {
        run: RunId(0),
        key: None,
        tenant: "default".into(),
        queue: "default".into(),
        name: "bench".into(),
        identity: Digest::default(),
        content: Digest::default(),
        graph: digest(&graph_bytes),
        definition: digest(&definition_bytes),
        priority: Priority::default(),
        failure: FailurePolicy::FailFast,
        timeout: None,
        concurrency: None,
        cost_limit_micro: None,
        trace: 1,
    };
    let graph = Graph::new(run.graph, parts.clone()).expect("a valid graph");
    let stored = vec![(run.graph, graph_bytes), (run.definition, definition_bytes)];
    Admission { run, graph: Arc::new(graph), definition, stored, done: Done::default() }
}

/// One fan-out.
#[must_use]
pub fn fan_out(items: u32) -> GraphParts {
    GraphParts {
        policies: vec![Policy::default()],
        policy_of: vec![0],
        fan_outs: vec![(0, items)],
        ..GraphParts::default()
    }
}

/// Layers of distinct tasks, each of which depends on two or three of the layer before.
#[must_use]
pub fn layers(count: u32, width: u32, dependencies: impl Fn(u32) -> u32) -> GraphParts {
    let mut edges = Vec::new();
    for layer in 1..count {
        for place in 0..width {
            let task = layer * width + place;
            let needed = dependencies(place).min(width);
            let before = |k: u32| (layer - 1) * width + (place * 7 + k * 31) % width;
            let mut from: Vec<_> = (0..needed).map(before).collect();
            from.sort_unstable();
            from.dedup();
            edges.extend(from.into_iter().map(|from| (from, task)));
        }
    }
    GraphParts {
        policies: vec![Policy::default()],
        policy_of: vec![0; (count * width) as usize],
        edges,
        ..GraphParts::default()
    }
}

struct ToNothing(Sender<Dispatch>);

impl Link for ToNothing {
    fn send(&mut self, dispatch: Dispatch) {
        let _ = self.0.send(dispatch);
    }
}

/// Connects a worker that ends everything as soon as it starts.
pub fn work_nothing(holder: &Holder, slots: u64) -> JoinHandle<()> {
    let (sender, inbox) = channel();
    let mailbox = holder.mailbox();
    let thread = std::thread::spawn(move || serve(slots, &inbox, &mailbox));
    holder.connect("nothing", Box::new(ToNothing(sender)));
    thread
}

fn serve(slots: u64, inbox: &Receiver<Dispatch>, mailbox: &Mailbox) {
    let offers = Request { cpu_milli: slots * 1_000, ..Request::default() };
    let config =
        AgentConfig { name: "nothing".into(), instance: 1, offers: offers.into(), lease: None };
    let mut agent = Agent::new(config);
    let started = Instant::now();
    let now = || Timestamp(1 + started.elapsed().as_micros() as u64);
    let mut out = Vec::new();
    loop {
        agent.step(now(), AgentInput::Tick, &mut out);
        finish(&mut agent, now(), &mut out, mailbox);
        let patience = agent.next_deadline().map_or(Span::secs(1), |at| at.since(now()));
        match inbox.recv_timeout(Duration::from_micros(patience.0.min(1_000_000))) {
            Ok(first) => {
                let rest = std::iter::from_fn(|| inbox.try_recv().ok());
                for dispatch in std::iter::once(first).chain(rest) {
                    take(&mut agent, now(), dispatch.message, &mut out);
                }
            }
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn take(agent: &mut Agent, now: Timestamp, message: ToWorker, out: &mut Vec<AgentOutput>) {
    agent.step(now, AgentInput::Order(message), out);
    // What starts has ended, which lets more start.
    let mut next = 0;
    while next < out.len() {
        if let AgentOutput::Start(grant) = &out[next] {
            let lease = grant.lease();
            let usage = drawn_usage(lease.item.item.0);
            let end = AttemptEnd { usage, ..AttemptEnd::default() };
            agent.step(
                now,
                AgentInput::Ended {
                    lease,
                    outcome: Outcome::Succeeded,
                    end,
                    tasks: None,
                    retry_after: None,
                },
                out,
            );
        }
        next += 1;
    }
    out.clear();
}

/// Figures as real work would have them, so that the journal has something to store.
fn drawn_usage(item: u32) -> Usage {
    let drawn = model::hash::mix(u64::from(item));
    Usage {
        wall_us: 1 + drawn % 10_000,
        cpu_us: 1 + (drawn >> 20) % 8_000,
        peak_rss_kib: 4_000 + (drawn >> 40) % 2_000,
    }
}

fn finish(agent: &mut Agent, now: Timestamp, out: &mut Vec<AgentOutput>, mailbox: &Mailbox) {
    agent.flush(now, out);
    for output in out.drain(..) {
        if let AgentOutput::Send(message) = output {
            mailbox.deliver(Delivery { message, outputs: Vec::new(), tasks: Vec::new() });
        }
    }
}

/// The middle of some figures.
#[must_use]
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Runs `measure` without and with five milliseconds added to every sync of the journal.
pub fn with_both_disks(mut measure: impl FnMut(&str)) {
    measure("this disk");
    // Each measurement makes its own holder, which reads the variable when it opens the journal.
    // Nothing else runs in this process meanwhile.
    set_sync_delay(Some("5"));
    measure("5 ms a sync");
    set_sync_delay(None);
}

#[expect(unsafe_code, reason = "no other thread reads the environment at this point")]
fn set_sync_delay(value: Option<&str>) {
    const NAME: &str = "AUTOGLM_TEST_SYNC_DELAY_MS";
    match value {
        // SAFETY: benches are single-threaded between measurements.
        Some(value) => unsafe { std::env::set_var(NAME, value) },
        // SAFETY: as above.
        None => unsafe { std::env::remove_var(NAME) },
    }
}
