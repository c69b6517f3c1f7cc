//! Holding the state in this process, or reading it: where the server and the worker meet.
//!
//! Neither may import the other. Here each gets a way to the other, and nothing is decided.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use model::bounds::Enforcement;
use model::message::LeaseId;
use model::outcome::LogRef;
use model::resources::CONTAINER;
use model::work::{Delivery, Dispatch, Pool};
use model::{Device, DeviceSet, Offers, Request, Span, Vendor};
use server::Mode;
use worker::{Node, NodeConfig};

use crate::error::{Error, HOLDER_ENDED, Result};
use crate::exit::Exit;
use crate::settings::Keep;

/// The name of the worker in this process.
const NODE_NAME: &str = "local";

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
    offers: Request,
}

impl Holder {
    /// Takes the lock of `folder`, replays, and serves the socket. Nothing is started yet.
    pub(crate) fn start(
        folder: &Path,
        offers: &Request,
        keep: Keep,
    ) -> std::result::Result<Self, StartError> {
        const DAY_SECONDS: u64 = 86_400;
        let age = keep.days.number().map(|days| Span::secs(days * DAY_SECONDS));
        let keep = server::Keep { runs: keep.runs.number(), age, ..server::Keep::default() };
        let config = server::Config { keep, ..config(folder, Mode::Lead) };
        let server = server::Holder::start(&config)?;
        Ok(Self { node: None, server, offers: offers.clone() })
    }

    /// Starts the worker, and with it whatever has not ended.
    pub(crate) fn work(&mut self) -> Result<()> {
        if self.node.is_some() {
            return Ok(());
        }
        let home = self.server.home().root().to_owned();
        let config = NodeConfig {
            name: NODE_NAME.into(),
            instance: instance(),
            offers: offered(with_containers(self.offers.clone())),
            lease: None,
            home: home.clone(),
            supervisor: worker::supervisor::Config::new(home),
        };
        let node = Node::launch(config, |orders| {
            self.server.connect(NODE_NAME, Box::new(ToWorker(orders)));
            Box::new(ToServer(self.server.mailbox()))
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

/// How many containers are offered where nobody says it: cores and memory bound them before.
const CONTAINERS: u64 = 1_000;

/// What is offered, with containers where an engine for them is.
fn with_containers(mut offers: Request) -> Request {
    let has_any = offers.custom.iter().any(|(name, _)| **name == *CONTAINER);
    if !has_any && worker::offers_containers() {
        let mut custom = offers.custom.into_vec();
        custom.push((CONTAINER.into(), CONTAINERS));
        custom.sort_unstable();
        offers.custom = custom.into();
    }
    offers
}

/// What files call devices, and this machine's settings, too.
const GPU: &str = "gpu";

/// The same, with as many devices as the settings say. The amount stays beside them: work that was
/// submitted before there were devices asks for that.
fn offered(declared: Request) -> Offers {
    let said = declared.custom.iter().find(|(name, _)| **name == *GPU).map(|&(_, count)| count);
    let device = |number| Device {
        uuid: format!("{GPU}-{number}").into(),
        vendor: Vendor::Other,
        kind: GPU.into(),
        memory_bytes: 0,
        address: None,
        numa_node: None,
        ordinal: None,
        part: None,
    };
    let count = said.unwrap_or(0).min(u64::from(DeviceSet::DEVICES_MAX));
    Offers { devices: (0..count).map(device).collect(), ..declared.into() }
}

/// Tells this start of the worker from all others on this node.
fn instance() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    model::hash::mix(nanos ^ u64::from(std::process::id()).rotate_left(40))
}

struct ToServer(server::Mailbox);

impl worker::Outbox for ToServer {
    fn deliver(&self, delivery: Delivery) {
        self.0.deliver(delivery);
    }

    fn logs_grew(&self, logs: Vec<(LeaseId, LogRef)>) {
        self.0.logs_grew(logs);
    }

    fn enforces(&self, enforcement: Enforcement) {
        self.0.enforces(NODE_NAME, enforcement);
    }

    fn pools(&self, pools: Vec<Pool>) {
        self.0.pools(pools);
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
    pub(crate) fn open(folder: &Path) -> Result<Option<Self>> {
        if !has_journal(folder) {
            return Ok(None);
        }
        let own = tempfile::tempdir().map_err(unusable)?;
        let socket = own.path().join(protocol::api::SOCKET_NAME);
        match server::Holder::start(&config(folder, Mode::ReadOnly { socket })) {
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
    server::Config { home, version, mode, keep: server::Keep::default() }
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
