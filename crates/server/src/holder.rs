//! The process that holds a state folder: everything is put together here, and taken down.
//!
//! The order matters: lock, journal, replay, lead, and only then a worker and the API. A process
//! that only reads takes no lock, leads nothing and writes nothing.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use artifacts::objects::Objects;
use engine::Rules;
use journal::Journal;
use model::Epoch;
use model::queue::QueueTree;
use scheduler::Policy;
use stores::sqlite::{Options, SqliteJournal};
use tokio::net::UnixListener;
use tokio::sync::oneshot;

use crate::api;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::driver::{Driver, Event, Parts};
use crate::fleet::{Link, Mailbox};
use crate::follower::{Follower, Known, Setup};
use crate::handle::Handle;
use crate::history::History;
use crate::home::{Home, Lock, LockError};
use crate::replay::replay_for;
use crate::retention::Keep;
use crate::storage::{Fatal, Listeners, Storage};

/// The name under which the local holder leads. One folder has one lock, and so one holder.
const HOLDER: &str = "local";

/// How to hold a folder.
#[derive(Clone, Debug)]
pub struct Config {
    /// The state folder.
    pub home: PathBuf,
    /// The version that is reported.
    pub version: &'static str,
    /// Whether to lead, or only to answer questions.
    pub mode: Mode,
    /// Which ended runs stay. Only who leads takes anything away.
    pub keep: Keep,
    /// How it decides what goes first, and where. Not durable: the next start may choose another.
    pub policy: Policy,
    /// Who shares what is there. Not durable either.
    pub queues: QueueTree,
}

/// What a holder may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Lead: accept, decide, run.
    Lead,
    /// Answer questions on this socket from what is durable; change nothing.
    ReadOnly {
        /// Where to serve, since the folder's own socket belongs to a holder.
        socket: PathBuf,
    },
}

impl Config {
    fn rules(&self) -> Rules {
        Rules { policy: self.policy, queues: self.queues.clone() }
    }
}

impl Mode {
    /// Where to serve.
    fn socket(&self, home: &Home) -> PathBuf {
        match self {
            Self::Lead => home.socket(),
            Self::ReadOnly { socket } => socket.clone(),
        }
    }
}

/// Why a folder cannot be held.
#[derive(Debug)]
pub enum StartError {
    /// Another process holds it.
    Held {
        /// Its id, if it has said so.
        pid: Option<u32>,
    },
    /// The folder, its journal or its socket cannot be used. A code, what is wrong, what to do.
    Unusable(String),
}

/// A folder that is held by this process.
#[derive(Debug)]
pub struct Holder {
    context: api::Context,
    inbox: Sender<Event>,
    home: Home,
    socket: Option<PathBuf>,
    stop_api: Option<oneshot::Sender<()>>,
    api: Option<JoinHandle<()>>,
    driver: Option<JoinHandle<Result<(), Fatal>>>,
    _lock: Option<Lock>,
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Unusable(format!("[E0307] the state folder cannot be used: {error}"))
    }
}

impl From<LockError> for StartError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held { pid } => Self::Held { pid },
            LockError::Io(error) => error.into(),
        }
    }
}

fn unusable(error: impl std::fmt::Display) -> StartError {
    StartError::Unusable(error.to_string())
}

impl Holder {
    /// Takes the folder, replays its journal, and serves.
    ///
    /// # Errors
    /// Another process holds the folder, or it cannot be used.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        let home = Home::open(&config.home)?;
        let leads = config.mode == Mode::Lead;
        let lock = if leads { Some(home.lock()?) } else { None };
        let options = Options { create: leads, ..Options::from_environment() };
        let mut writer = SqliteJournal::open(home.root(), options).map_err(unusable)?;
        let mut reader = SqliteJournal::open(home.root(), options).map_err(unusable)?;
        let objects = Arc::new(Objects::open(&home.objects())?);
        let rules = Arc::new(config.rules());
        let replayed = replay_for(&rules, &mut reader, &objects).map_err(unusable)?;
        let clock = Clock::starting(replayed.engine.state().at());
        let epoch = if leads {
            writer.acquire(HOLDER, clock.now()).map_err(unusable)?
        } else {
            replayed.engine.state().epoch()
        };
        let (inbox, events) = channel();
        let history = Arc::new(History::new(home.clone(), Arc::clone(&objects)));
        let (mut storage, mut follower, mut cache) = (None, None, None);
        if leads {
            let following = Follower::start(Setup {
                home: home.clone(),
                objects: Arc::clone(&objects),
                known: Known::of(replayed.engine.state()),
                driver: inbox.clone(),
                keep: config.keep,
                clock,
            })?;
            let listeners = Listeners { driver: inbox.clone(), follower: following.words() };
            storage = Some(Storage::start(Box::new(writer), epoch, clock, listeners)?);
            follower = Some(following);
            cache = Some(Cache::start(home.clone(), inbox.clone())?);
        }
        let words = follower.as_ref().map(Follower::words);
        let parts = Parts {
            engine: replayed.engine,
            cache,
            shelf: replayed.shelf,
            clock,
            storage,
            reader: Box::new(reader),
            objects,
            inbox: events,
        };
        let driver = drive(parts, leads.then_some(epoch), follower)?;
        let context = api::Context {
            handle: Handle::new(inbox.clone()),
            home: home.clone(),
            since: clock.now(),
            version: config.version,
            epoch,
            rules: Arc::clone(&rules),
            history,
            follower: words,
        };
        let mut holder = Self {
            context: context.clone(),
            inbox,
            home: home.clone(),
            socket: None,
            stop_api: None,
            api: None,
            driver: Some(driver),
            _lock: lock,
        };
        holder.serve(&config.mode.socket(&home), context)?;
        Ok(holder)
    }

    /// Serves the API on a thread of its own.
    fn serve(&mut self, socket: &Path, context: api::Context) -> Result<(), StartError> {
        // Whoever made it is gone: this process holds the folder's lock.
        let _ = std::fs::remove_file(socket);
        let listener = std::os::unix::net::UnixListener::bind(short(socket)?)?;
        self.socket = Some(socket.to_owned());
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("api".into()).spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = UnixListener::from_std(listener) else { return };
                let stopped = async {
                    let _ = stopped.await;
                };
                api::serve(listener, context, stopped).await;
            });
        })?;
        (self.stop_api, self.api) = (Some(stop), Some(thread));
        Ok(())
    }

    /// A way to the driver.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.context.handle
    }

    /// What the API serves with.
    #[cfg(test)]
    pub(crate) const fn context(&self) -> &api::Context {
        &self.context
    }

    /// The folder that is held.
    #[must_use]
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// Where a worker in this process delivers its messages.
    #[must_use]
    pub fn mailbox(&self) -> Mailbox {
        Mailbox::new(self.inbox.clone())
    }

    /// Connects a worker in this process.
    pub fn connect(&self, name: &str, link: Box<dyn Link>) {
        let _ = self.inbox.send(Event::Connect(name.into(), link));
    }

    /// Blocks until no run has anything left to do, or the driver has ended.
    pub fn wait_idle(&self) {
        let (sender, idle) = oneshot::channel();
        if self.inbox.send(Event::WhenIdle(sender)).is_ok() {
            let _ = idle.blocking_recv();
        }
    }

    /// The same, and accepts nothing new from then on: what comes too late is not left undone by a
    /// process that ends, but refused, and taken by the next one.
    pub fn close_when_idle(&self) {
        let (sender, idle) = oneshot::channel();
        if self.inbox.send(Event::CloseWhenIdle(sender)).is_ok() {
            let _ = idle.blocking_recv();
        }
    }

    /// Ends: what is answered is durable, what is under way is written. Returns why the driver had
    /// to end before, if it had to.
    ///
    /// # Errors
    /// What made it impossible to go on, for people.
    pub fn stop(mut self) -> Result<(), String> {
        self.take_down()
    }

    fn take_down(&mut self) -> Result<(), String> {
        // The API first: what is being asked needs the driver for its answer.
        if let Some(stop) = self.stop_api.take() {
            let _ = stop.send(());
        }
        if let Some(api) = self.api.take() {
            let _ = api.join();
        }
        let _ = self.inbox.send(Event::Shutdown);
        let ended = self.driver.take().map(JoinHandle::join);
        // Only what this process has served on: the folder's own socket may be a holder's.
        if let Some(socket) = self.socket.take() {
            let _ = std::fs::remove_file(socket);
        }
        match ended {
            Some(Ok(Err(Fatal::Fenced(reason) | Fatal::Storage(reason)))) => Err(reason),
            Some(Err(_)) => Err("[E0210] the driver panicked".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.take_down();
    }
}

/// Runs the driver on a thread of its own. The follower ends after it, with all that it was told.
fn drive(
    parts: Parts,
    leads: Option<Epoch>,
    follower: Option<Follower>,
) -> io::Result<JoinHandle<Result<(), Fatal>>> {
    thread::Builder::new().name("driver".into()).spawn(move || {
        let mut driver = Driver::new(parts);
        if let Some(epoch) = leads {
            driver.lead(epoch);
        }
        let ended = driver.run();
        drop(driver);
        drop(follower);
        ended
    })
}

/// A path for `bind`, which takes at most 107 bytes: a longer one goes by way of the folder's
/// descriptor.
fn short(socket: &Path) -> io::Result<PathBuf> {
    const SOCKET_PATH_BYTES_MAX: usize = 107;
    if socket.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return Ok(socket.to_owned());
    }
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = std::fs::File::open(folder)?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&folder);
    // Kept open for the life of the process: the path leads through it.
    std::mem::forget(folder);
    Ok(PathBuf::from(format!("/proc/self/fd/{number}")).join(name))
}
