//! The process executor: attempts become processes of the supervisor, its events become news of
//! attempts, and output goes to the log.
//!
//! A process is known to the supervisor and the log by a ticket, a number of this worker's own:
//! the items of one fan-out may share a fencing token. It reports and never decides.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use artifacts::logs::{self, Stream};
use model::message::{Grant, LeaseId, StopKind};
use model::outcome::{AttemptEnd, Failure, LogRef, Outcome, OutputRef};
use model::secret::SecretRef;
use model::work::Process;
use model::{AttemptId, Digest, Span, Timestamp};

use secrets::{Mask, Masking, Providers, Secret, SecretProvider};

use crate::outputs;
use crate::supervisor::{self, Batch, Event, Exit, Start, Supervisor, Ticket};

/// What happened to attempts.
pub(crate) enum News {
    /// Attempts may start: nothing of an earlier worker is left.
    Ready,
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
}

/// An attempt that has been given to the supervisor.
struct Live {
    lease: LeaseId,
    grace: Span,
    output_file: PathBuf,
    veil: Option<Box<Veil>>,
}

/// Variables with secrets in them, and what hides the secrets.
type Revealed = (Vec<(String, String)>, Option<Box<Veil>>);

/// Hides the secrets of a process in what it prints.
struct Veil {
    mask: Mask,
    out: Masking,
    err: Masking,
}

impl Veil {
    fn new(secrets: &[Secret]) -> Self {
        let mask = Mask::new(secrets);
        Self { out: mask.stream(), err: mask.stream(), mask }
    }

    fn hide(&mut self, stream: Stream, bytes: &[u8]) -> Vec<u8> {
        let masking = if stream == Stream::Out { &mut self.out } else { &mut self.err };
        let mut hidden = Vec::with_capacity(bytes.len());
        masking.push(bytes, &mut hidden);
        hidden
    }

    /// What was held back because a secret might have begun in it.
    fn finish(&mut self) -> Vec<(Stream, Vec<u8>)> {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        self.out.finish(&mut out);
        self.err.finish(&mut err);
        let rests = [(Stream::Out, out), (Stream::Err, err)];
        rests.into_iter().filter(|(_, rest)| !rest.is_empty()).collect()
    }
}

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
    tickets: HashMap<LeaseId, Ticket>,
    /// Live attempts that have written something since they were last told of.
    grown: Vec<Ticket>,
    /// When something last happened, as the supervisor tells it.
    at: Timestamp,
}

impl Executor {
    pub(crate) fn open(home: &Path, supervisor: Supervisor) -> io::Result<Self> {
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
            tickets: HashMap::new(),
            grown: Vec::new(),
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
        let work_dir = self.work_dir(grant.attempt);
        let mut env = process.env;
        env.extend(secrets);
        env.push(("AUTOGLM_OUTPUT".into(), output_file.to_string_lossy().into_owned()));
        env.push(("AUTOGLM_WORKDIR".into(), work_dir.to_string_lossy().into_owned()));
        let start = Start {
            ticket,
            argv: process.argv.into_iter().map(Into::into).collect(),
            env,
            cwd: process.working_dir.into(),
            work_dir: process.needs_work_dir.then_some(work_dir),
            output_file: output_file.clone(),
            output_cap_bytes: model::limits::LOG_BYTES_MAX,
        };
        self.supervisor.start(start);
        let lease = grant.lease();
        self.log.begin(ticket, lease);
        self.live.insert(ticket, Live { lease, grace: grant.grace, output_file, veil });
        self.tickets.insert(lease, ticket);
        Ok(())
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
            Event::Ready { .. } => {
                self.forget_outputs();
                Some(News::Ready)
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
            Event::Exited { ticket, how, oom, usage, has_output_file, .. } => {
                let mut live = self.live.remove(&ticket)?;
                self.tickets.remove(&live.lease);
                for (stream, rest) in live.veil.iter_mut().flat_map(|veil| veil.finish()) {
                    self.log.append(ticket, stream, self.at, &rest);
                }
                let outcome = outcome(&how, oom);
                if let Exit::SpawnFailed { message, .. } = &how {
                    self.say(ticket, message);
                }
                let (outcome, outputs) = if has_output_file {
                    self.read_outputs(ticket, &live, outcome)
                } else {
                    (outcome, None)
                };
                let outputs = outputs.map(|bytes| match &live.veil {
                    Some(veil) => veil.mask.apply(&bytes).into_owned(),
                    None => bytes,
                });
                let log = self.log.finish(ticket, self.at);
                let output = outputs.as_deref().map(name);
                let end = AttemptEnd { usage, log, output };
                Some(News::Ended(Ended { lease: live.lease, outcome, end, outputs }))
            }
        }
    }

    /// The outputs of an attempt that ended well; ones that cannot be read make it a failed one.
    fn read_outputs(
        &mut self,
        ticket: Ticket,
        live: &Live,
        outcome: Outcome,
    ) -> (Outcome, Option<Vec<u8>>) {
        let read = outputs::read(&live.output_file);
        // It has been read, or never can be.
        let _ = std::fs::remove_file(&live.output_file);
        match read {
            _ if outcome != Outcome::Succeeded => (outcome, None),
            Ok(outputs) => (outcome, outputs),
            Err(error) => {
                // A line may be a piece of a secret, which no mask would find.
                let error = if live.veil.is_some() { error.without_text() } else { error };
                self.say(ticket, &error.to_string());
                (Outcome::Failed(Failure::Outputs), None)
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

fn outcome(how: &Exit, oom: bool) -> Outcome {
    match *how {
        Exit::Code(0) => Outcome::Succeeded,
        Exit::Code(code) => Outcome::Failed(Failure::Exit(code)),
        Exit::Signal { .. } if oom => Outcome::Failed(Failure::OutOfMemory),
        Exit::Signal { signal, .. } => Outcome::Failed(Failure::Signal(signal)),
        Exit::SpawnFailed { errno, .. } => Outcome::Failed(Failure::Spawn(errno)),
    }
}

fn name(bytes: impl AsRef<[u8]>) -> OutputRef {
    let bytes = bytes.as_ref();
    let digest = Digest(*blake3::hash(bytes).as_bytes());
    OutputRef { digest, bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX) }
}
