//! The state folder, from the side of a command: who holds it, and how to get a client of them.
//!
//! Every command is a client of the socket in the state folder, also when its own process is the
//! one that serves it. This is the only place that knows the difference.

mod detached;
mod local;
mod offers;

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use client::Client;
use model::limits::MADE_UP_NODES_MAX;
use server::Policy;
use spec::Cluster;
use tokio::time::Instant;

use crate::error::{BAD_ARGUMENT, Error, HELD, HOLDER_ENDED, NO_HOME, Result};
use crate::exit::Exit;
use crate::quantity::{Declared, Limit};
use crate::settings::Keep;
use detached::Leash;
pub(crate) use local::journal;
use local::{Holder, Reader, StartError};
pub(crate) use offers::Offering;
use offers::{Looking, Offered};

/// How long another process may hold the folder without an answer before that is an error.
const HELD_PATIENCE: Duration = Duration::from_secs(10);
/// How often to look meanwhile.
const HELD_POLL: Duration = Duration::from_millis(20);

/// A state folder, what is offered to the tasks in it, what is kept in it, and how it is decided
/// who goes first.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    folder: PathBuf,
    offers: Offered,
    rules: Rules,
}

/// What whoever holds the folder goes by.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Which ended runs are kept.
    pub keep: Keep,
    /// How it is decided who goes first.
    pub policy: Policy,
    /// The file that says who shares what is there.
    pub queues: Option<PathBuf>,
}

/// A client, and what in this process keeps the other end alive.
pub(crate) struct Session {
    /// The client.
    pub client: Client,
    keeper: Keeper,
}

enum Keeper {
    /// Another process holds the state.
    Other,
    /// This process holds the state.
    Own(Holder),
    /// Nobody holds the state; this process reads it.
    Reading { _reader: Reader },
    /// A process that was started for this one holds the state, as long as the leash is held or
    /// a run has not ended.
    Detached(Leash),
}

impl Home {
    pub(crate) const fn new(folder: PathBuf, offers: Declared, rules: Rules) -> Self {
        Self { folder, offers: Offered::Machine(offers), rules }
    }

    /// The same folder, in which the nodes of a cluster file offer what they have, and not this
    /// machine.
    ///
    /// # Errors
    /// There are too many of them for one machine.
    pub(crate) fn with_nodes(self, file: PathBuf, cluster: Cluster) -> Result<Self> {
        let count: u64 = cluster.kinds.iter().map(|kind| u64::from(kind.count)).sum();
        if count > MADE_UP_NODES_MAX {
            let message = format!("{} has {count} nodes", file.display());
            let hint = format!("one machine stands for {MADE_UP_NODES_MAX} at most");
            return Err(Error::new(Exit::Usage, BAD_ARGUMENT, message).hint(hint));
        }
        Ok(Self { offers: Offered::Nodes { file, cluster: cluster.into() }, ..self })
    }

    /// The nodes that are made up, if they are to be offered.
    pub(crate) fn nodes(&self) -> Option<&Cluster> {
        match &self.offers {
            Offered::Machine(_) => None,
            Offered::Nodes { cluster, .. } => Some(cluster),
        }
    }

    /// Whether there is any state in the folder yet.
    pub(crate) fn has_state(&self) -> bool {
        local::has_journal(&self.folder)
    }

    /// What this machine offers to tasks. Its GPUs are looked for if they matter, which may take
    /// seconds.
    pub(crate) fn offers(&self, with_devices: bool) -> Offering {
        let looking = match with_devices {
            true => Looking::begin(&self.offers),
            false => Looking::without_devices(&self.offers),
        };
        looking.end()
    }

    /// Which ended runs are kept.
    pub(crate) const fn keep(&self) -> Keep {
        self.rules.keep
    }

    /// The same folder, from which nothing goes by itself when this process comes to hold it: for
    /// whoever only wants to see what would.
    pub(crate) fn keeping_all(&self) -> Self {
        let keep = Keep { runs: Limit::All, days: Limit::All };
        Self { rules: Rules { keep, ..self.rules.clone() }, ..self.clone() }
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A client of whoever holds the state; if nobody does, this process takes hold of it.
    pub(crate) async fn attach_or_hold(&self) -> Result<Session> {
        self.make_folder()?;
        let deadline = Instant::now() + HELD_PATIENCE;
        let mut offers = None;
        loop {
            if let Some(session) = self.attach().await? {
                return self.unless_made_up(session);
            }
            offers.get_or_insert_with(|| Looking::begin(&self.offers));
            match Holder::start(&self.folder, &mut offers, &self.rules) {
                Ok(holder) => return self.session(&self.folder, Keeper::Own(holder)).await,
                Err(StartError::Held { pid }) if Instant::now() > deadline => {
                    return Err(self.held_by(pid));
                }
                // It is about to serve, or about to let go.
                Err(StartError::Held { .. }) => tokio::time::sleep(HELD_POLL).await,
                Err(StartError::Failed(error)) => return Err(error),
            }
        }
    }

    /// A client of whoever holds the state; if nobody does, a process of its own is started for
    /// it, which outlives this one.
    pub(crate) async fn attach_or_detach(&self) -> Result<Session> {
        self.make_folder()?;
        if let Some(session) = self.attach().await? {
            return self.unless_made_up(session);
        }
        let deadline = Instant::now() + HELD_PATIENCE;
        loop {
            if let Some(leash) = detached::start(&self.folder, &self.offers, &self.rules)? {
                return self.session(&self.folder, Keeper::Detached(leash)).await;
            }
            // Someone else was faster, or is about to let go.
            if let Some(session) = self.attach().await? {
                return self.unless_made_up(session);
            }
            if Instant::now() > deadline {
                return Err(self.held_by(None));
            }
            tokio::time::sleep(HELD_POLL).await;
        }
    }

    /// A client of whoever holds the state; if nobody does, one that can only read. `None` when
    /// there is no state yet.
    pub(crate) async fn attach_or_read(&self) -> Result<Option<Session>> {
        if !self.folder.is_dir() {
            return Ok(None);
        }
        if let Some(session) = self.attach().await? {
            return Ok(Some(session));
        }
        let Some(reader) = Reader::open(&self.folder, &self.rules)? else { return Ok(None) };
        let served_in = reader.folder().to_owned();
        self.session(&served_in, Keeper::Reading { _reader: reader }).await.map(Some)
    }

    /// Another process holds the state: its nodes are there, and none can be added.
    fn unless_made_up(&self, session: Session) -> Result<Session> {
        let Offered::Nodes { file, .. } = &self.offers else { return Ok(session) };
        let [folder, file] = [&self.folder, file].map(|path| path.display());
        let message = format!(
            "another process holds {folder}: the nodes of {file} cannot be added to its own"
        );
        Err(Error::new(Exit::Busy, HELD, message)
            .hint("leave --cluster out to use its nodes, or name another folder with --home DIR"))
    }

    async fn attach(&self) -> Result<Option<Session>> {
        let Some(client) = Client::connect(&self.folder).await? else { return Ok(None) };
        // One that is suspended or hangs accepts connections, and answers nothing.
        match tokio::time::timeout(HELD_PATIENCE, client.health()).await {
            Ok(Ok(_)) => Ok(Some(Session { client, keeper: Keeper::Other })),
            Ok(Err(error)) if error.is_gone() => Ok(None),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(self.held_by(None)),
        }
    }

    async fn session(&self, served_in: &Path, keeper: Keeper) -> Result<Session> {
        match Client::connect(served_in).await? {
            Some(client) => Ok(Session { client, keeper }),
            None => Err(Error::new(
                Exit::Internal,
                HOLDER_ENDED,
                format!("nobody serves {} although it is held", self.folder.display()),
            )),
        }
    }

    /// Makes the folder, for its owner alone.
    fn make_folder(&self) -> Result<()> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|error| {
            let message = format!("cannot make {}: {error}", self.folder.display());
            Error::new(Exit::Storage, NO_HOME, message).hint("name another folder with --home DIR")
        })
    }

    fn held_by(&self, pid: Option<u32>) -> Error {
        let holder =
            pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
        let message = format!("{holder} holds {} and does not answer", self.folder.display());
        Error::new(Exit::Busy, HELD, message)
            .hint("if it is stopped (kill -STOP), continue it; if it hangs, end it; then try again")
    }
}

/// Holds the state of `home` in this process, for whoever started it, until its last run has ended.
pub(crate) fn serve_detached(home: &Home) -> Result<Exit> {
    home.make_folder()?;
    detached::serve(&home.folder, &home.offers, &home.rules)
}

impl Session {
    /// The request was accepted: now tasks may start. Before that, whoever holds the state for this
    /// command starts nothing, so that a refused one changes nothing.
    pub(crate) fn begin(&mut self) -> Result<()> {
        match &mut self.keeper {
            Keeper::Own(holder) => holder.work(),
            Keeper::Detached(leash) => leash.begin(),
            Keeper::Other | Keeper::Reading { .. } => Ok(()),
        }
    }

    /// Whether nobody holds the state: what has not ended waits for somebody to go on with it.
    pub(crate) const fn is_reading(&self) -> bool {
        matches!(self.keeper, Keeper::Reading { .. })
    }

    /// Whether this process runs tasks, which end with it.
    pub(crate) const fn is_working(&self) -> bool {
        matches!(&self.keeper, Keeper::Own(holder) if holder.is_working())
    }

    /// Whether this process serves its own client.
    pub(crate) const fn is_own(&self) -> bool {
        matches!(self.keeper, Keeper::Own(_))
    }

    /// Whether a process that was started for this one holds the state.
    pub(crate) const fn is_detached(&self) -> bool {
        matches!(self.keeper, Keeper::Detached(_))
    }

    /// Waits until every run of the state that this process holds has ended, then lets go of it.
    pub(crate) async fn wait_idle(self) -> Result<()> {
        let Keeper::Own(holder) = self.keeper else { return Ok(()) };
        let waited = tokio::task::spawn_blocking(move || holder.wait_idle()).await;
        waited.map_err(|error| Error::new(Exit::Internal, HOLDER_ENDED, error.to_string()))
    }
}
