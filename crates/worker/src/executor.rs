//! The process executor: attempts become processes of the supervisor, its events become news of
//! attempts, and output goes to the log.
//!
//! A process is known to the supervisor and the log by a ticket, a number of this worker's own:
//! the items of one fan-out may share a fencing token. It reports and never decides.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use artifacts::logs::{self, Stream};
use model::bounds::Enforcement;
use model::message::{Grant, LeaseId, StopKind};
use model::outcome::{AttemptEnd, LogRef, Outcome};
use model::secret::SecretRef;
use model::work::{Collect, Process};
use model::{AttemptId, Span, Timestamp};

use secrets::{Providers, SecretProvider};

use crate::inbox::Slot;
use crate::keep::{Job, Keeper};
use crate::supervisor::{self, Batch, Event, Start, Supervisor, Ticket};

mod bounds;
mod finish;
mod veil;

use bounds::{Cores, Held};
pub(crate) use finish::name;
use finish::{Exited, Finish};
use veil::Veil;

/// What happened to attempts.
pub(crate) enum News {
    /// Attempts may start: nothing of an earlier worker is left. They are held to this.
    Ready(Enforcement),
    /// An attempt has started.
    Started(LeaseId),
    /// An attempt has ended.
    Ended(Ended),
}

/// The end of an attempt.
pub(crate) struct Ended {
    pub lease: LeaseId,
    pub outcome: Outcome,
    pub end: AttemptEnd,
    /// Canonical JSON.
    pub outputs: Option<Vec<u8>>,
    /// The tasks that it wrote for its run, as it wrote them.
    pub tasks: Option<Vec<u8>>,
}

/// An attempt that has been given to the supervisor.
struct Live {
    lease: LeaseId,
    grace: Span,
    output_file: PathBuf,
    tasks_file: PathBuf,
    veil: Option<Box<Veil>>,
    held: Held,
    /// What is kept of it when it has succeeded, and where that lies.
    collect: Vec<Collect>,
    folder: PathBuf,
}

/// An attempt that is not started yet: artifacts are being put in their places.
struct Placing {
    start: Start,
    live: Live,
    /// Whether it was told to end meanwhile.
    is_stopped: bool,
}

/// Variables with secrets in them, and what hides the secrets.
type Revealed = (Vec<(String, String)>, Option<Box<Veil>>);

pub(crate) struct Executor {
    supervisor: Supervisor,
    providers: Providers,
    log: logs::Writer,
    /// Where attempts leave their outputs.
    outputs: PathBuf,
    /// Where attempts have their private folders.
    work: PathBuf,
    next_ticket: u64,
    live: HashMap<Ticket, Live>,
    keeper: Keeper,
    placing: HashMap<Ticket, Placing>,
    /// Attempts that have succeeded, and whose artifacts are being stored.
    collecting: HashMap<Ticket, Finish>,
    tickets: HashMap<LeaseId, Ticket>,
    /// Live attempts that have written something since they were last told of.
    grown: Vec<Ticket>,
    /// What attempts can be held to.
    enforcement: Enforcement,
    /// Cores for attempts that have them for themselves.
    cores: Cores,
    /// When something last happened, as the supervisor tells it.
    at: Timestamp,
}

impl Executor {
    pub(crate) fn open(home: &Path, supervisor: Supervisor, slot: Slot) -> io::Result<Self> {
        let (log, _) = logs::Writer::open(&home.join("logs"))?;
        let outputs = home.join("outputs");
        std::fs::create_dir_all(&outputs)?;
        Ok(Self {
            supervisor,
            providers: Providers::default(),
            log,
            outputs,
            work: home.join("work"),
            next_ticket: 1,
            live: HashMap::new(),
            keeper: Keeper::new(home, slot),
            placing: HashMap::new(),
            collecting: HashMap::new(),
            tickets: HashMap::new(),
            grown: Vec::new(),
            enforcement: Enforcement::default(),
            cores: Cores::of_this_process(),
            at: Timestamp::default(),
        })
    }

    /// Goes on with another supervisor: what ran under the one before is lost.
    pub(crate) fn begin_anew(&mut self, supervisor: Supervisor) {
        let gone = std::mem::replace(&mut self.supervisor, supervisor);
        // It did not end well, or it would not have been replaced.
        let _ = gone.shut_down();
        for (ticket, _) in self.live.drain() {
            self.log.finish(ticket, self.at);
        }
        for (ticket, _) in self.collecting.drain() {
            self.log.finish(ticket, self.at);
        }
        self.placing.clear();
        self.cores = Cores::of_this_process();
        self.tickets.clear();
        self.grown.clear();
    }

    /// What an earlier worker has not read belongs to attempts that are lost. Only now are all who
    /// might write it gone.
    fn forget_outputs(&self) {
        for left in std::fs::read_dir(&self.outputs).into_iter().flatten().flatten() {
            // A folder that cannot be written any more fails the attempts that have outputs.
            let _ = std::fs::remove_file(left.path());
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket - 1)
    }

    /// Gives a process to the supervisor.
    ///
    /// # Errors
    /// One of its secrets cannot be had; the reason names the secret, never its value.
    pub(crate) fn start(&mut self, grant: &Grant, process: Process) -> Result<(), String> {
        let (secrets, veil) = self.reveal(&process.secrets)?;
        let ticket = self.ticket();
        let output_file = self.outputs.join(ticket.0.to_string());
        let tasks_file = self.outputs.join(format!("{}.tasks", ticket.0));
        let work_dir = self.work_dir(grant.attempt);
        let folder = PathBuf::from(&process.working_dir);
        let mut env = process.env;
        env.extend(secrets);
        env.push(("AUTOGLM_OUTPUT".into(), output_file.to_string_lossy().into_owned()));
        env.push(("AUTOGLM_TASKS".into(), tasks_file.to_string_lossy().into_owned()));
        env.push(("AUTOGLM_WORKDIR".into(), work_dir.to_string_lossy().into_owned()));
        let (held, limits) =
            Held::new(process.limits, &grant.request, &mut self.cores, &self.enforcement);
        let start = Start {
            ticket,
            argv: process.argv.into_iter().map(Into::into).collect(),
            env,
            cwd: process.working_dir.into(),
            work_dir: process.needs_work_dir.then_some(work_dir),
            output_file: output_file.clone(),
            output_cap_bytes: model::limits::LOG_BYTES_MAX,
            limits,
        };
        let (lease, collect) = (grant.lease(), process.collect);
        let grace = grant.grace;
        let mut live = Live { lease, grace, output_file, tasks_file, veil, held, collect, folder };
        if process.place.is_empty() {
            self.launch(start, live);
            return Ok(());
        }
        let job = Job::Place(process.place);
        if let Err(trouble) = self.keeper.begin(ticket, live.folder.clone(), job) {
            self.cores.put(&mut live.held);
            return Err(trouble.reason);
        }
        self.tickets.insert(lease, ticket);
        self.placing.insert(ticket, Placing { start, live, is_stopped: false });
        Ok(())
    }

    fn launch(&mut self, start: Start, mut live: Live) {
        let ticket = start.ticket;
        self.supervisor.start(start);
        self.log.begin(ticket, live.lease);
        for note in std::mem::take(&mut live.held.notes) {
            self.say(ticket, &note);
        }
        self.tickets.insert(live.lease, ticket);
        self.live.insert(ticket, live);
    }

    /// Looks secrets up, and makes what hides them again in what the process prints.
    fn reveal(&self, wanted: &[(String, SecretRef)]) -> Result<Revealed, String> {
        let mut variables = Vec::with_capacity(wanted.len());
        let mut secrets = Vec::with_capacity(wanted.len());
        for (variable, reference) in wanted {
            let secret = self.providers.resolve(reference).map_err(|error| error.to_string())?;
            let Ok(text) = std::str::from_utf8(secret.expose()) else {
                return Err(format!("secret `{}` is no text", reference.name));
            };
            variables.push((variable.clone(), text.to_owned()));
            secrets.push(secret);
        }
        let veil = (!secrets.is_empty()).then(|| Box::new(Veil::new(&secrets)));
        Ok((variables, veil))
    }

    /// An attempt's own folder: the same for all attempts of an item in a round, so that a later
    /// one finds what an earlier one has left.
    fn work_dir(&self, attempt: AttemptId) -> PathBuf {
        let key = attempt.key;
        self.work.join(format!("{}/{}.{}/{}", key.run, key.task, attempt.round, key.item))
    }

    pub(crate) fn stop(&mut self, lease: LeaseId, how: StopKind) {
        let Some(&ticket) = self.tickets.get(&lease) else { return };
        if let Some(placing) = self.placing.get_mut(&ticket) {
            placing.is_stopped |= how != StopKind::Retract;
            return;
        }
        let Some(live) = self.live.get(&ticket) else { return };
        let kind = match how {
            StopKind::Retract => return,
            StopKind::Cancel | StopKind::TimeOut => {
                supervisor::StopKind::Term { grace: live.grace }
            }
            StopKind::Terminate | StopKind::Revoke => supervisor::StopKind::Kill,
        };
        self.supervisor.stop(ticket, kind);
    }

    /// Writes a line of the worker's own into the log of an attempt that never was a process.
    pub(crate) fn note(&mut self, lease: LeaseId, text: &str) -> Option<LogRef> {
        let ticket = self.ticket();
        self.log.begin(ticket, lease);
        self.say(ticket, text);
        self.log.finish(ticket, self.at)
    }

    fn say(&mut self, ticket: Ticket, text: &str) {
        self.log.append(ticket, Stream::Err, self.at, format!("autoglm: {text}\n").as_bytes());
    }

    /// Takes in what the supervisor says.
    pub(crate) fn take(&mut self, batch: Batch) -> Vec<News> {
        batch.into_iter().filter_map(|event| self.take_one(event)).collect()
    }

    fn take_one(&mut self, event: Event) -> Option<News> {
        match event {
            Event::Ready { enforcement, .. } => {
                self.forget_outputs();
                self.enforcement = enforcement.clone();
                Some(News::Ready(enforcement))
            }
            Event::Started { ticket, at, .. } => {
                self.at = at;
                Some(News::Started(self.live.get(&ticket)?.lease))
            }
            Event::Output { ticket, stream, at, bytes } => {
                self.at = at;
                let veil = self.live.get_mut(&ticket).and_then(|live| live.veil.as_deref_mut());
                match veil {
                    Some(veil) => self.log.append(ticket, stream, at, &veil.hide(stream, &bytes)),
                    None => self.log.append(ticket, stream, at, &bytes),
                }
                if self.grown.last() != Some(&ticket) {
                    self.grown.push(ticket);
                }
                None
            }
            Event::Dropped { ticket, over_cap_bytes, stalled_bytes } => {
                self.log.note_dropped(ticket, self.at, over_cap_bytes, stalled_bytes);
                None
            }
            Event::Exited { ticket, how, oom, forks_refused, usage, has_output_file, .. } => {
                let mut live = self.live.remove(&ticket)?;
                self.tickets.remove(&live.lease);
                self.cores.put(&mut live.held);
                let exited = Exited { how, oom, forks_refused, usage, has_output_file };
                self.exited(ticket, live, exited)
            }
        }
    }

    /// Live attempts whose output has grown, with how far it has come.
    pub(crate) fn grown(&mut self) -> Vec<(LeaseId, LogRef)> {
        let grown = std::mem::take(&mut self.grown);
        let so_far =
            |ticket: Ticket| Some((self.live.get(&ticket)?.lease, self.log.log_so_far(ticket)?));
        grown.into_iter().filter_map(so_far).collect()
    }

    /// Writes output to its file and commands to the supervisor. A log that cannot be written
    /// waits, and what does not fit any more is counted and noted: no task waits for its log.
    pub(crate) fn flush(&mut self) {
        let _ = self.log.flush();
        // A supervisor that is gone says so by its events.
        let _ = self.supervisor.flush();
    }
}
