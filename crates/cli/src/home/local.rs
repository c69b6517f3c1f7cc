//! Holding the state in this process, or reading it: where the server and the worker meet.
//!
//! Neither may import the other. Here each gets a way to the other, and nothing is decided.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use model::Span;
use model::bounds::Enforcement;
use model::message::LeaseId;
use model::outcome::LogRef;
use model::queue::QueueTree;
use model::work::{Delivery, Dispatch, Pool};
use server::{Mode, Policy};
use worker::{Node, NodeConfig};

use super::Rules;
use super::offers::{Looking, Offering};
use crate::error::{Error, HOLDER_ENDED, Result};
use crate::exit::Exit;
use crate::queues;
use crate::style::Tone;
use crate::table::printable;

/// Why this process cannot hold the state.
#[derive(Debug)]
pub(crate) enum StartError {
    /// Another process does, this one as far as it is known.
    Held {
        /// Its process id.
        pid: Option<u32>,
    },
    /// It cannot be read or written.
    Failed(Error),
}

impl From<server::StartError> for StartError {
    fn from(error: server::StartError) -> Self {
        match error {
            server::StartError::Held { pid } => Self::Held { pid },
            server::StartError::Unusable(reason) => Self::Failed(unusable(reason)),
        }
    }
}

/// This process holds the state while it lives: replayed, served, and, once it is to work, with a
/// worker of its own.
pub(crate) struct Holder {
    // The worker ends before the server, which then records what it still hears.
    node: Option<Node>,
    server: server::Holder,
    /// What is offered, until the worker has it.
    offers: Option<Looking>,
}

impl Holder {
    /// Takes the lock of `folder`, replays, and serves the socket. Nothing is started yet. What is
    /// offered is taken once that has succeeded.
    pub(crate) fn start(
        folder: &Path,
        offers: &mut Option<Looking>,
        rules: &Rules,
    ) -> std::result::Result<Self, StartError> {
        const DAY_SECONDS: u64 = 86_400;
        let queues = queues::read(rules.queues.as_deref(), Tone::PLAIN);
        let queues = queues.map_err(StartError::Failed)?;
        let Rules { keep, policy, .. } = *rules;
        let age = keep.days.number().map(|days| Span::secs(days * DAY_SECONDS));
        let keep = server::Keep { runs: keep.runs.number(), age, ..server::Keep::default() };
        let config = server::Config { keep, policy, queues, ..config(folder, Mode::Lead) };
        let server = server::Holder::start(&config)?;
        Ok(Self { node: None, server, offers: offers.take() })
    }

    /// Starts the worker, and with it whatever has not ended.
    pub(crate) fn work(&mut self) -> Result<()> {
        // It has them, or has failed to start: that is final.
        let Some(looking) = self.offers.take() else { return Ok(()) };
        let Offering { stations, binds_devices, notes } = looking.end();
        let mut stderr = io::stderr().lock();
        // There is no other place to say it.
        notes.iter().for_each(|note| drop(writeln!(stderr, "note: {}", printable(note))));
        let home = self.server.home().root().to_owned();
        let names: Vec<Box<str>> = stations.iter().map(|it| it.name.clone()).collect();
        let config = NodeConfig {
            stations,
            instance: instance(),
            binds_devices,
            lease: None,
            home: home.clone(),
            supervisor: worker::supervisor::Config::new(home),
        };
        let node = Node::launch(config, |ways| {
            for (name, orders) in names.iter().zip(ways) {
                self.server.connect(name, Box::new(ToWorker(orders)));
            }
            Box::new(ToServer { mailbox: self.server.mailbox(), names })
        });
        let node = node.map_err(|error| unusable(format!("the worker cannot start: {error}")))?;
        self.node = Some(node);
        Ok(())
    }

    /// Whether it has a worker.
    pub(crate) const fn is_working(&self) -> bool {
        self.node.is_some()
    }

    /// Blocks until its last run has ended. From then on it accepts nothing, and has to end.
    pub(crate) fn wait_idle(&self) {
        self.server.close_when_idle();
    }
}

/// Tells this start of the worker from all others on this node.
fn instance() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    model::hash::mix(nanos ^ u64::from(std::process::id()).rotate_left(40))
}

struct ToServer {
    mailbox: server::Mailbox,
    /// The nodes that the worker stands for.
    names: Vec<Box<str>>,
}

impl worker::Outbox for ToServer {
    fn deliver(&self, delivery: Delivery) {
        self.mailbox.deliver(delivery);
    }

    fn logs_grew(&self, logs: Vec<(LeaseId, LogRef)>) {
        self.mailbox.logs_grew(logs);
    }

    fn enforces(&self, enforcement: Enforcement) {
        self.names.iter().for_each(|name| self.mailbox.enforces(name, enforcement.clone()));
    }

    fn pools(&self, pools: Vec<Pool>) {
        self.mailbox.pools(pools);
    }
}

struct ToWorker(worker::Orders);

impl server::Link for ToWorker {
    fn send(&mut self, dispatch: Dispatch) {
        self.0.send(dispatch);
    }
}

/// This process reads the state while it lives, and serves what it reads on a socket of its own.
pub(crate) struct Reader {
    // Before the folder, in which its socket is.
    _server: server::Holder,
    folder: tempfile::TempDir,
}

impl Reader {
    /// Reads the state in `folder`; `None` when there is none yet.
    pub(crate) fn open(folder: &Path, rules: &Rules) -> Result<Option<Self>> {
        if !has_journal(folder) {
            return Ok(None);
        }
        let own = tempfile::tempdir().map_err(unusable)?;
        let socket = own.path().join(protocol::api::SOCKET_NAME);
        let queues = queues::read(rules.queues.as_deref(), Tone::PLAIN)?;
        let (policy, mode) = (rules.policy, Mode::ReadOnly { socket });
        let config = server::Config { policy, queues, ..config(folder, mode) };
        match server::Holder::start(&config) {
            Ok(server) => Ok(Some(Self { _server: server, folder: own })),
            Err(server::StartError::Unusable(reason)) => Err(unusable(reason)),
            Err(server::StartError::Held { .. }) => Err(unusable("reading takes no lock")),
        }
    }

    /// Where its socket is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Whether there is any state in a folder yet.
pub(super) fn has_journal(folder: &Path) -> bool {
    folder.join(server::JOURNAL_NAME).exists()
}

fn config(folder: &Path, mode: Mode) -> server::Config {
    let (home, version) = (PathBuf::from(folder), env!("CARGO_PKG_VERSION"));
    let (keep, policy) = (server::Keep::default(), Policy::default());
    server::Config { home, version, mode, keep, policy, queues: QueueTree::default() }
}

fn unusable(reason: impl std::fmt::Display) -> Error {
    Error::new(Exit::Storage, HOLDER_ENDED, reason.to_string())
}

/// What is done to the journal itself, without its holder.
pub(crate) mod journal {
    use std::ops::ControlFlow;
    use std::path::Path;

    use serde_json::Value;

    use super::unusable;
    use crate::error::Result;

    /// Reads all of it and checks every sum and every number. The report has `ok`, `facts`,
    /// `frames` and, when not all is well, `damage`: a list of sentences.
    pub(crate) fn verify(folder: &Path) -> Result<Value> {
        server::inspect::verify(folder).map_err(unusable)
    }

    /// Hands each fact to `each` as JSON, in order, until it says no more.
    pub(crate) fn export(folder: &Path, each: &mut dyn FnMut(Value) -> Result<()>) -> Result<()> {
        let mut outcome = Ok(());
        let read = server::inspect::export(folder, &mut |fact| {
            outcome = each(fact);
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        read.map_err(unusable).and(outcome)
    }

    /// How much is in it, and of what: names with numbers.
    pub(crate) fn stat(folder: &Path) -> Result<Value> {
        server::inspect::stat(folder).map_err(unusable)
    }
}
