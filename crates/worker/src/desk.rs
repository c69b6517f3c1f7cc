//! What attempts of all kinds have in common: tickets, secrets, artifacts, the log, outputs.
//!
//! It hands each to the executor of its kind, and makes news of attempts of what that tells. An
//! attempt is known to executors and the log by a ticket, a number of this worker's own: the items
//! of one fan-out may share a fencing token. It reports and never decides.

use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use artifacts::logs::{self, Stream};
use model::bounds::{Bounds, Enforcement};
use model::message::{Grant, LeaseId, StopKind};
use model::outcome::{AttemptEnd, LogRef, Outcome};
use model::secret::SecretRef;
use model::work::{Assignment, Collect, Does, Pool};
use model::{AttemptId, Request, Span, Timestamp};

use secrets::{Providers, SecretProvider};

use crate::executors::builtin::Task;
use crate::executors::containers;
use crate::executors::function::is_process;
use crate::executors::{
    Attempt, Builtin, Containers, Ending, Executor, Functions, Happened, Http, Models, Network,
    Processes, Tools,
};
use crate::inbox::Slot;
use crate::keep::{Job, Keeper};
use crate::outputs;
use crate::supervisor::{Batch, Event, Limits, Supervisor, Ticket};

mod bounds;
mod checkpoints;
mod devices;
mod finish;
mod ground;
mod silence;
mod veil;

use bounds::{Cores, Held};
use checkpoints::{Checkpoints, Saved};
use finish::Finish;
pub(crate) use finish::name;
pub(crate) use ground::Ground;
use silence::{Heartbeat, Silences};
use veil::Veil;

/// What happened to attempts.
pub(crate) enum News {
    /// Attempts may start: nothing of an earlier worker is left. They are held to this.
    Ready(Enforcement),
    /// An attempt has started.
    Started(LeaseId),
    /// An attempt has saved its work, so long ago.
    Checkpointed(LeaseId, Span),
    /// An attempt has ended.
    Ended(Ended),
}

/// The end of an attempt.
pub(crate) struct Ended {
    pub lease: LeaseId,
    pub outcome: Outcome,
    pub end: AttemptEnd,
    /// How long ago it last saved its work, if it was not told of that before.
    pub checkpointed: Option<Span>,
    /// How long the other side asked to wait before it is tried again.
    pub retry_after: Option<Span>,
    /// Canonical JSON.
    pub outputs: Option<Vec<u8>>,
    /// The tasks that it wrote for its run, as it wrote them.
    pub tasks: Option<Vec<u8>>,
}

/// An attempt that has been given to an executor.
struct Live {
    lease: LeaseId,
    grace: Span,
    kind: Kind,
    output_file: PathBuf,
    tasks_file: PathBuf,
    veil: Option<Box<Veil>>,
    held: Held,
    heartbeat: Option<Heartbeat>,
    /// The file by which it says that it has saved its work, if its kind can.
    checkpoints_file: Option<PathBuf>,
    /// What is kept of it when it has succeeded, and where that lies.
    collect: Vec<Collect>,
    folder: PathBuf,
}

/// Which executor has an attempt.
#[derive(Clone, Copy)]
enum Kind {
    Process,
    Builtin,
    Http,
    Function,
    Model,
    Container,
}

/// An attempt that is not started yet: artifacts are being put in their places.
struct Placing {
    attempt: Attempt,
    does: Does,
    live: Live,
    /// Whether it was told to end meanwhile.
    is_stopped: bool,
}

/// Variables with secrets in them, and what hides the secrets.
type Revealed = (Vec<(String, String)>, Option<Box<Veil>>);

pub(crate) struct Desk {
    supervisor: Supervisor,
    slot: Slot,
    processes: Processes,
    builtin: Builtin,
    network: Network,
    http: Http,
    functions: Functions,
    models: Models,
    containers: Containers,
    providers: Providers,
    log: logs::Writer,
    /// The state folder: attempts leave their outputs in it, and have folders of their own.
    home: PathBuf,
    next_ticket: u64,
    live: HashMap<Ticket, Live>,
    keeper: Keeper,
    placing: HashMap<Ticket, Placing>,
    /// Attempts that have succeeded, and whose artifacts are being stored.
    collecting: HashMap<Ticket, Finish>,
    tickets: HashMap<LeaseId, Ticket>,
    /// Live attempts that may not be silent for ever.
    silences: Silences,
    /// Live attempts that may save their work.
    checkpoints: Checkpoints,
    /// Live attempts that have written something since they were last told of.
    grown: Vec<Ticket>,
    /// What attempts can be held to.
    enforcement: Enforcement,
    /// Cores for attempts that have them for themselves.
    cores: Cores,
    /// What attempts find on each node that the worker stands for.
    grounds: Box<[Ground]>,
    /// When something last happened.
    at: Timestamp,
}

impl Desk {
    pub(crate) fn open(
        home: &Path,
        grounds: Box<[Ground]>,
        supervisor: Supervisor,
        slot: Slot,
    ) -> io::Result<Self> {
        let (log, _) = logs::Writer::open(&home.join("logs"))?;
        std::fs::create_dir_all(outputs::folder(home))?;
        Ok(Self {
            supervisor,
            slot: slot.clone(),
            processes: Processes,
            builtin: Builtin::default(),
            network: Network::default(),
            http: Http::default(),
            functions: Functions::new(home),
            models: Models::default(),
            containers: Containers::new(home),
            providers: Providers::default(),
            log,
            home: home.to_owned(),
            next_ticket: 1,
            live: HashMap::new(),
            keeper: Keeper::new(home, slot),
            placing: HashMap::new(),
            collecting: HashMap::new(),
            tickets: HashMap::new(),
            silences: Silences::default(),
            checkpoints: Checkpoints::default(),
            grown: Vec::new(),
            enforcement: Enforcement::default(),
            cores: Cores::of_this_process(),
            grounds,
            at: Timestamp::default(),
        })
    }

    /// Goes on with another supervisor: what ran under the one before is lost.
    pub(crate) fn begin_anew(&mut self, supervisor: Supervisor) {
        let gone = std::mem::replace(&mut self.supervisor, supervisor);
        // It did not end well, or it would not have been replaced.
        let _ = gone.shut_down();
        self.processes.abandon();
        self.builtin.abandon();
        self.network.abandon();
        self.http.abandon();
        self.functions.abandon();
        self.models.abandon();
        self.containers.abandon();
        for (ticket, _) in self.live.drain() {
            self.log.finish(ticket, self.at);
        }
        for (ticket, _) in self.collecting.drain() {
            self.log.finish(ticket, self.at);
        }
        self.placing.clear();
        self.cores = Cores::of_this_process();
        self.tickets.clear();
        self.silences = Silences::default();
        self.checkpoints = Checkpoints::default();
        self.grown.clear();
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket - 1)
    }

    /// Gives an attempt on a node to the executor of its kind, once its artifacts are in their
    /// places.
    ///
    /// # Errors
    /// One of its secrets cannot be had; the reason names the secret, never its value.
    pub(crate) fn start(
        &mut self,
        (station, grant): (usize, &Grant),
        assignment: Assignment,
    ) -> Result<(), String> {
        let (secrets, veil) = self.reveal(&assignment.secrets)?;
        let ticket = self.ticket();
        let kind = kind(&assignment.does);
        let (mut held, limits) = self.hold(kind, assignment.limits, &grant.request);
        let outputs = outputs::folder(&self.home);
        let output_file = outputs.join(ticket.0.to_string());
        let heartbeat = assignment.heartbeat.map(|span| heartbeat(kind, span, &output_file));
        let checkpoints_file = output_file.with_extension("checkpoints");
        let watched_file = match kind {
            Kind::Process | Kind::Function => Some(checkpoints_file.clone()),
            Kind::Container => Some(containers::checkpoints_file(&output_file)),
            Kind::Builtin | Kind::Http | Kind::Model => None,
        };
        let mut attempt = Attempt {
            ticket,
            id: grant.attempt,
            token: grant.token,
            env: assignment.env,
            secrets,
            withheld: assignment.withheld,
            folder: PathBuf::from(&assignment.working_dir),
            work_dir: self.work_dir(grant.attempt),
            needs_work_dir: assignment.needs_work_dir,
            watched: assignment.watched,
            heartbeat_file: heartbeat.as_ref().map(|heartbeat| heartbeat.file.clone()),
            output_file,
            tasks_file: outputs.join(format!("{}.tasks", ticket.0)),
            checkpoints_file,
            limits,
            granted: self.grounds[station].devices.granted(grant),
        };
        self.grounds[station].tell(&mut attempt.env);
        if matches!(kind, Kind::Process | Kind::Function) {
            held.notes.extend(devices::bind(&mut attempt));
        }
        let mut live = Live {
            lease: grant.lease(),
            grace: grant.grace,
            kind,
            output_file: attempt.output_file.clone(),
            tasks_file: attempt.tasks_file.clone(),
            veil,
            held,
            heartbeat,
            checkpoints_file: watched_file,
            collect: assignment.collect,
            folder: attempt.folder.clone(),
        };
        if assignment.place.is_empty() {
            self.launch(attempt, assignment.does, live);
            return Ok(());
        }
        let job = Job::Place(assignment.place);
        if let Err(trouble) = self.keeper.begin(ticket, live.folder.clone(), job) {
            self.cores.put(&mut live.held);
            return Err(trouble.reason);
        }
        self.tickets.insert(live.lease, ticket);
        let placing = Placing { attempt, does: assignment.does, live, is_stopped: false };
        self.placing.insert(ticket, placing);
        Ok(())
    }

    /// What an attempt is held to.
    fn hold(&mut self, kind: Kind, bounds: Bounds, request: &Request) -> (Held, Limits) {
        let can = match kind {
            // Processes of functions serve many attempts: they have a bound of their own.
            Kind::Builtin | Kind::Http | Kind::Model | Kind::Function => {
                return Default::default();
            }
            Kind::Process => &self.enforcement,
            // The engine warns of what it cannot hold it to.
            Kind::Container => &bounds::by_an_engine(),
        };
        Held::new(bounds, request, &mut self.cores, can)
    }

    fn launch(&mut self, attempt: Attempt, does: Does, mut live: Live) {
        let ticket = attempt.ticket;
        self.log.begin(ticket, live.lease);
        for note in std::mem::take(&mut live.held.notes) {
            self.say(ticket, &note);
        }
        self.tickets.insert(live.lease, ticket);
        self.live.insert(ticket, live);
        let Self { supervisor, slot, network, .. } = self;
        let tools = &mut Tools { supervisor, slot, network };
        if !matches!(does, Does::Call(_)) {
            self.functions.make_room(&attempt.granted.devices, None, tools);
        }
        match does {
            Does::Process(argv) => self.processes.start(attempt, argv, tools),
            Does::Nothing => self.builtin.start(attempt, Task::Nothing, tools),
            Does::Sleep(span) => self.builtin.start(attempt, Task::Sleep(span), tools),
            Does::Emit(outputs) => self.builtin.start(attempt, Task::Emit(outputs), tools),
            Does::Http(request) => self.http.start(attempt, *request, tools),
            Does::Call(call) => self.functions.start(attempt, *call, tools),
            Does::Model(call) => self.models.start(attempt, *call, tools),
            Does::Container(container) => self.containers.start(attempt, *container, tools),
        }
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
        self.home
            .join("work")
            .join(format!("{}/{}.{}/{}", key.run, key.task, attempt.round, key.item))
    }

    pub(crate) fn stop(&mut self, lease: LeaseId, how: StopKind) {
        let Some(&ticket) = self.tickets.get(&lease) else { return };
        if let Some(placing) = self.placing.get_mut(&ticket) {
            placing.is_stopped |= how != StopKind::Retract;
            return;
        }
        let Some(live) = self.live.get(&ticket) else { return };
        let how = match how {
            StopKind::Retract => return,
            StopKind::Cancel | StopKind::TimeOut => Ending::Ask(live.grace),
            StopKind::Terminate | StopKind::Revoke => Ending::Kill,
        };
        self.make_end(ticket, live.kind, how);
    }

    fn make_end(&mut self, ticket: Ticket, kind: Kind, how: Ending) {
        let Self { supervisor, slot, network, .. } = self;
        let tools = &mut Tools { supervisor, slot, network };
        match kind {
            Kind::Process => self.processes.stop(ticket, how, tools),
            Kind::Builtin => self.builtin.stop(ticket, how, tools),
            Kind::Http => self.http.stop(ticket, how, tools),
            Kind::Function => self.functions.stop(ticket, how, tools),
            Kind::Model => self.models.stop(ticket, how, tools),
            Kind::Container => self.containers.stop(ticket, how, tools),
        }
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
                // What an earlier worker has not read belongs to attempts that are lost. Only now
                // are all who might write it gone.
                outputs::forget(&self.home);
                self.enforcement = enforcement.clone();
                let Self { supervisor, slot, network, containers, .. } = self;
                containers.clear(&mut Tools { supervisor, slot, network });
                return Some(News::Ready(enforcement));
            }
            Event::Started { at, .. } | Event::Output { at, .. } => self.at = at,
            Event::Dropped { ticket, over_cap_bytes, stalled_bytes } if !is_process(ticket) => {
                self.log.note_dropped(ticket, self.at, over_cap_bytes, stalled_bytes);
                return None;
            }
            Event::Dropped { .. } | Event::Exited { .. } => {}
        }
        if is_process(event_ticket(&event)?) {
            let Self { supervisor, slot, network, .. } = self;
            let tools = &mut Tools { supervisor, slot, network };
            self.functions.supervised(event, tools);
            return None;
        }
        let (ticket, happened) = Processes::happened(event)?;
        self.hear(ticket, happened)
    }

    /// Takes in what executors with threads of their own tell.
    pub(crate) fn told(&mut self, told: Vec<(Ticket, Happened)>) -> Vec<News> {
        self.at = wall_clock();
        let hear = |(ticket, happened)| {
            if matches!(happened, Happened::Ended(_)) {
                self.network.forget(ticket);
                self.containers.forget(ticket);
            }
            // What an earlier supervisor's attempts still say is of nobody.
            self.live.contains_key(&ticket).then(|| self.hear(ticket, happened)).flatten()
        };
        told.into_iter().filter_map(hear).collect()
    }

    /// When an executor has something to tell by itself.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let builtin = self.builtin.next_deadline();
        let own = [builtin, self.functions.next_deadline(), self.silences.next_deadline()];
        own.into_iter().chain([self.checkpoints.next_deadline()]).flatten().min()
    }

    /// How the processes of functions fare, if that is to be told again.
    pub(crate) fn pools(&mut self) -> Option<Vec<Pool>> {
        self.functions.report(Instant::now())
    }

    /// Where executors hear from processes of their own; the next turn listens.
    pub(crate) fn calls(&self) -> Option<BorrowedFd<'_>> {
        self.functions.as_fd()
    }

    /// What has happened by itself until now.
    pub(crate) fn tick(&mut self) -> Vec<News> {
        let now = Instant::now();
        let mut happened = self.builtin.take(now);
        let Self { supervisor, slot, network, .. } = self;
        let tools = &mut Tools { supervisor, slot, network };
        happened.extend(self.functions.turn(now, tools));
        if !happened.is_empty() {
            self.at = wall_clock();
        }
        let mut news: Vec<News> =
            happened.into_iter().filter_map(|(ticket, it)| self.hear(ticket, it)).collect();
        let saved = self.checkpoints.due(now);
        news.extend(saved.into_iter().filter_map(|(ticket, saved)| {
            self.at = wall_clock();
            self.silences.heard(ticket, now);
            let lease = self.live.get(&ticket)?.lease;
            Some(News::Checkpointed(lease, self.note_saved(ticket, saved)))
        }));
        for (ticket, span) in self.silences.over(now) {
            self.end_silent(ticket, span);
        }
        news
    }

    /// Writes into the log of an attempt what it says of the work that it has saved; gives back how
    /// long ago that was.
    fn note_saved(&mut self, ticket: Ticket, saved: Saved) -> Span {
        if let Some(note) = saved.note {
            let veil = self.live.get(&ticket).and_then(|live| live.veil.as_deref());
            let note = veil.map_or_else(|| note.clone(), |veil| veil.line(&note));
            self.say(ticket, &format!("its work is saved: {note}"));
        }
        saved.age
    }

    /// Ends an attempt that has said nothing for too long.
    fn end_silent(&mut self, ticket: Ticket, span: Span) {
        let Some(&Live { kind, grace, .. }) = self.live.get(&ticket) else { return };
        self.at = wall_clock();
        self.say(ticket, &format!("nothing was heard of it for {span}: it is asked to end"));
        self.make_end(ticket, kind, Ending::Ask(grace));
    }

    /// Makes news of what an executor tells of an attempt.
    fn hear(&mut self, ticket: Ticket, happened: Happened) -> Option<News> {
        match happened {
            Happened::Started => {
                let live = self.live.get_mut(&ticket)?;
                if let Some(file) = live.checkpoints_file.take() {
                    self.checkpoints.begin(ticket, file, Instant::now());
                }
                if let Some(heartbeat) = live.heartbeat.take() {
                    self.silences.begin(ticket, heartbeat, Instant::now());
                }
                Some(News::Started(live.lease))
            }
            Happened::Output(stream, bytes) => {
                let at = self.at;
                self.silences.heard(ticket, Instant::now());
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
            Happened::Ended(finished) => {
                let saved = self.checkpoints.end(ticket);
                let checkpointed = saved.map(|saved| self.note_saved(ticket, saved));
                let mut live = self.live.remove(&ticket)?;
                self.tickets.remove(&live.lease);
                self.cores.put(&mut live.held);
                self.ended((ticket, checkpointed), live, *finished)
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

/// The file whose age tells how long an attempt has been silent, which may be so long.
fn heartbeat(kind: Kind, span: Span, output_file: &Path) -> Heartbeat {
    let file = match kind {
        Kind::Container => containers::heartbeat_file(output_file),
        _ => output_file.with_extension("heartbeat"),
    };
    Heartbeat { span, file }
}

fn kind(does: &Does) -> Kind {
    match does {
        Does::Process(_) => Kind::Process,
        Does::Nothing | Does::Sleep(_) | Does::Emit(_) => Kind::Builtin,
        Does::Http(_) => Kind::Http,
        Does::Container(_) => Kind::Container,
        Does::Model(_) => Kind::Model,
        Does::Call(_) => Kind::Function,
    }
}

/// Whose an event is; nobody's, if it is of the supervisor itself.
fn event_ticket(event: &Event) -> Option<Ticket> {
    match *event {
        Event::Ready { .. } => None,
        Event::Started { ticket, .. }
        | Event::Output { ticket, .. }
        | Event::Dropped { ticket, .. }
        | Event::Exited { ticket, .. } => Some(ticket),
    }
}

/// The time of day, as the supervisor tells it of processes.
fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
