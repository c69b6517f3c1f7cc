//! The supervisor's one loop: what can happen, and what is done about it.
//!
//! A turn waits until something happens, deals with all of it, does what is due by the clock, and
//! writes all events at once. A process that ends within [`WATCH_AFTER`] costs one turn: its pipes
//! are read when it has ended, and only those of longer ones are watched.
//!
//! The order of an end is what makes signals safe: the pidfd says that the leader has ended, its
//! group is killed while the leader's id is still taken, and only then is it reaped.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use artifacts::logs::{Stream, Ticket};
use model::Timestamp;
use model::outcome::Usage;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::time::Timespec;

use super::cgroup::{Confinement, Group};
use super::children::{Children, Strangers};
use super::oom::OomKills;
use super::outbox::{Flushed, Outbox};
use super::process::Process;
use super::spawn::Spawner;
use super::wire::{self, Command, Event, Exit, Start, Step, StopKind};
use crate::outputs;

/// How long a process runs before its pipes are watched and the worker is woken to hear of it. It
/// can block on a full pipe for no longer than this.
const WATCH_AFTER: Duration = Duration::from_millis(5);
/// How often the children are listed while nothing ends.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Bytes that are read of a pipe at once: what a pipe holds.
const BUFFER_BYTES: usize = 64 << 10;
/// Happenings that are dealt with in one turn.
const EVENTS_PER_TURN: usize = 128;

/// What can become ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Inbox,
    Outbox,
    Output(Pid, Stream),
    Exit(Pid),
    Stranger(Pid),
}

impl Source {
    fn data(self) -> EventData {
        let (pid, kind) = match self {
            Self::Inbox => (0, 0),
            Self::Outbox => (0, 1),
            Self::Output(pid, stream) => (pid.as_raw_nonzero().get() as u64, stream as u64),
            Self::Exit(pid) => (pid.as_raw_nonzero().get() as u64, 2),
            Self::Stranger(pid) => (pid.as_raw_nonzero().get() as u64, 3),
        };
        EventData::new_u64(pid << 2 | kind)
    }

    fn of(data: EventData) -> Self {
        let data = data.u64();
        match (Pid::from_raw((data >> 2) as i32), data & 3) {
            (None, 0) => Self::Inbox,
            (None, _) => Self::Outbox,
            (Some(pid), 0) => Self::Output(pid, Stream::Out),
            (Some(pid), 1) => Self::Output(pid, Stream::Err),
            (Some(pid), 2) => Self::Exit(pid),
            (Some(pid), _) => Self::Stranger(pid),
        }
    }
}

/// All that the supervisor holds.
pub struct Reactor {
    epoll: OwnedFd,
    state_dir: PathBuf,
    spawner: Spawner,
    inbox: OwnedFd,
    commands: Vec<u8>,
    outbox: Outbox,
    outbox_watched: bool,
    worker_gone: bool,
    processes: HashMap<Pid, Process>,
    pids: HashMap<Ticket, Pid>,
    /// Started lately, their pipes not yet watched; the oldest first.
    young: VecDeque<(Instant, Pid, Ticket)>,
    /// The groups to be killed, the first due first.
    kills: BTreeSet<(Instant, Ticket)>,
    children: Children,
    strangers: Strangers,
    sweep_at: Option<Instant>,
    oom_kills: OomKills,
    confinement: Confinement,
    /// Groups of attempts that have ended, in which something still is.
    closing: Vec<Group>,
    buffer: Vec<u8>,
}

impl Reactor {
    /// A supervisor without tasks.
    pub fn new(
        (inbox, outbox): (OwnedFd, Outbox),
        state_dir: &Path,
        confinement: Confinement,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &inbox, Source::Inbox.data(), EventFlags::IN)?;
        Ok(Self {
            epoll,
            state_dir: state_dir.to_owned(),
            spawner: Spawner::new(state_dir)?,
            inbox,
            commands: Vec::new(),
            outbox,
            outbox_watched: false,
            worker_gone: false,
            processes: HashMap::new(),
            pids: HashMap::new(),
            young: VecDeque::new(),
            kills: BTreeSet::new(),
            children: Children::open()?,
            strangers: Strangers::default(),
            sweep_at: None,
            oom_kills: OomKills::new(Instant::now()),
            confinement,
            closing: Vec::new(),
            buffer: vec![0; BUFFER_BYTES],
        })
    }

    /// Obeys the worker until it is gone.
    pub fn serve(&mut self, leftovers: u32) -> io::Result<()> {
        let enforcement = self.confinement.enforcement().clone();
        self.outbox.push(&Event::Ready { leftovers, enforcement });
        self.flush()?;
        let mut ready = [MaybeUninit::uninit(); EVENTS_PER_TURN];
        while !self.worker_gone {
            let timeout = self.next_deadline().map(|at| timespec_until(at, Instant::now()));
            let events = match epoll::wait(&self.epoll, &mut ready, timeout.as_ref()) {
                Ok((events, _)) => events,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let now = Instant::now();
            for event in events {
                self.handle(Source::of(event.data), now)?;
            }
            self.fire_deadlines(now)?;
            self.flush()?;
        }
        Ok(())
    }

    /// Kills every descendant, waits until none is left, and forgets them. What they have left for
    /// a worker that is gone nobody reads any more, and nobody has masked the secrets in it.
    pub fn kill_everything(mut self) -> io::Result<()> {
        for process in self.processes.values_mut() {
            process.signal(Step::Kill);
            process.kill_group();
        }
        self.children.kill_all()?;
        self.confinement.close();
        if self.worker_gone {
            outputs::forget(&self.state_dir);
        }
        Ok(())
    }

    fn handle(&mut self, source: Source, now: Instant) -> io::Result<()> {
        match source {
            Source::Inbox => self.read_commands(now),
            Source::Outbox => {
                self.outbox.hurry();
                Ok(())
            }
            Source::Output(pid, stream) => {
                self.forward(pid, stream, BUFFER_BYTES as u64);
                Ok(())
            }
            Source::Exit(pid) => self.finish(pid, now),
            Source::Stranger(pid) => {
                self.strangers.reap(pid);
                self.sweep_at = Some(now);
                Ok(())
            }
        }
    }

    fn read_commands(&mut self, now: Instant) -> io::Result<()> {
        let count = match rustix::io::read(&self.inbox, &mut self.buffer[..]) {
            Ok(count) => count,
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.worker_gone = count == 0;
        let mut bytes = std::mem::take(&mut self.commands);
        bytes.extend_from_slice(&self.buffer[..count]);
        let mut rest = bytes.as_slice();
        while let Some(command) = wire::take(&mut rest)? {
            match command {
                Command::Start(start) => self.start(*start, now),
                Command::Stop(ticket, kind) => self.stop(ticket, kind, now),
            }
        }
        let taken = bytes.len() - rest.len();
        bytes.drain(..taken);
        self.commands = bytes;
        Ok(())
    }

    fn start(&mut self, start: Start, now: Instant) {
        let ticket = start.ticket;
        match self.start_watched(start) {
            Ok(mut process) => {
                let pid = process.pid;
                process.oom_kills_before = self.oom_kills.at_start(now);
                let number = pid.as_raw_nonzero().get().unsigned_abs();
                self.outbox.push_lazily(&Event::Started { ticket, pid: number, at: wall_clock() });
                self.young.push_back((process.started + WATCH_AFTER, pid, ticket));
                self.sweep_at.get_or_insert(now + SWEEP_EVERY);
                self.pids.insert(ticket, pid);
                self.processes.insert(pid, process);
            }
            Err(how) => self.outbox.push(&Event::Exited {
                ticket,
                how,
                oom: false,
                forks_refused: 0,
                usage: Usage::default(),
                stopped_by: None,
                has_output_file: false,
            }),
        }
    }

    /// Starts a process whose end will be noticed.
    fn start_watched(&mut self, start: Start) -> Result<Process, Exit> {
        let ticket = start.ticket;
        if self.pids.contains_key(&ticket) {
            let message = format!("attempt {} runs already", ticket.0);
            return Err(Exit::SpawnFailed { errno: 0, message });
        }
        let process = Process::start(start, &self.spawner, &self.confinement)?;
        let data = Source::Exit(process.pid).data();
        match epoll::add(&self.epoll, &process.exit, data, EventFlags::IN) {
            Ok(()) => Ok(process),
            Err(error) => Err(process.abandon(error)),
        }
    }

    fn stop(&mut self, ticket: Ticket, kind: StopKind, now: Instant) {
        let Some(process) = self.pids.get(&ticket).and_then(|pid| self.processes.get_mut(pid))
        else {
            return;
        };
        match kind {
            StopKind::Kill => process.signal(Step::Kill),
            StopKind::Term { grace } => {
                process.signal(Step::Term);
                let kill_at = now + Duration::from_micros(grace.0);
                // A second stop may shorten the grace, never lengthen it.
                if process.kill_at.is_none_or(|before| kill_at < before) {
                    if let Some(before) = process.kill_at.replace(kill_at) {
                        self.kills.remove(&(before, ticket));
                    }
                    self.kills.insert((kill_at, ticket));
                }
            }
        }
    }

    /// Passes on up to `limit` bytes of what a process has written.
    fn forward(&mut self, pid: Pid, stream: Stream, limit: u64) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let mut left = limit as usize;
        while left > 0 {
            let wanted = left.min(BUFFER_BYTES);
            let count = process.read(stream, &mut self.buffer[..wanted]);
            let kept = process.output.admit(&self.buffer[..count]);
            if !kept.is_empty()
                && !self.outbox.push_output(process.ticket, stream, wall_clock(), kept)
            {
                let length = kept.len();
                process.output.stall(length);
            }
            if count < wanted {
                return;
            }
            left -= count;
        }
    }

    fn finish(&mut self, pid: Pid, now: Instant) -> io::Result<()> {
        let Some(process) = self.processes.get_mut(&pid) else { return Ok(()) };
        let stopped_by = process.stopped_by;
        process.signal(Step::Kill);
        process.kill_group();
        // What is in the pipes now is all: a process that escaped may hold them open for ever.
        for stream in [Stream::Out, Stream::Err] {
            let readable = self.processes[&pid].readable(stream);
            self.forward(pid, stream, readable);
        }
        let process = self.processes.remove(&pid).expect("found above");
        let (ticket, output, before) = (process.ticket, process.output, process.oom_kills_before);
        self.pids.remove(&ticket);
        if let Some(kill_at) = process.kill_at {
            self.kills.remove(&(kill_at, ticket));
        }
        let ended = process.reap(now)?;
        if output.over_cap > 0 || output.stalled > 0 {
            let (over_cap_bytes, stalled_bytes) = (output.over_cap, output.stalled);
            self.outbox.push(&Event::Dropped { ticket, over_cap_bytes, stalled_bytes });
        }
        let oom = stopped_by != Some(Step::Kill)
            && match ended.readings.oom_kills {
                // A process that it started may be the victim: what it then says is no reason.
                Some(kills) => kills > 0 && ended.how != Exit::Code(0),
                None => {
                    let is_killed = matches!(ended.how, Exit::Signal { signal: 9, .. });
                    is_killed && self.oom_kills.rose_since(before, now)
                }
            };
        self.outbox.push(&Event::Exited {
            ticket,
            how: ended.how,
            oom,
            forks_refused: ended.readings.forks_refused,
            usage: ended.usage,
            stopped_by,
            has_output_file: ended.has_output_file,
        });
        self.closing.extend(ended.group);
        self.sweep_at = Some(now);
        Ok(())
    }

    fn next_deadline(&self) -> Option<Instant> {
        let watch = self.young.front().map(|(at, ..)| *at);
        let kill = self.kills.first().map(|(at, _)| *at);
        [watch, kill, self.sweep_at].into_iter().flatten().min()
    }

    fn fire_deadlines(&mut self, now: Instant) -> io::Result<()> {
        while let Some((_, pid, ticket)) = self.young.pop_front_if(|(at, ..)| *at <= now) {
            if self.pids.get(&ticket) == Some(&pid) {
                self.watch(pid)?;
            }
        }
        while self.kills.first().is_some_and(|(at, _)| *at <= now) {
            let (_, ticket) = self.kills.pop_first().expect("just seen");
            self.stop(ticket, StopKind::Kill, now);
        }
        if self.sweep_at.is_some_and(|at| at <= now) {
            self.sweep(now)?;
        }
        Ok(())
    }

    /// From now on the process counts as one that takes its time.
    fn watch(&mut self, pid: Pid) -> io::Result<()> {
        self.outbox.hurry();
        let process = &self.processes[&pid];
        for stream in [Stream::Out, Stream::Err] {
            if let Some(pipe) = process.pipe(stream) {
                let data = Source::Output(pid, stream).data();
                epoll::add(&self.epoll, pipe, data, EventFlags::IN)?;
            }
        }
        Ok(())
    }

    /// Kills what ended tasks have left behind. One without a known task may live while any does.
    fn sweep(&mut self, now: Instant) -> io::Result<()> {
        for pid in self.children.list()? {
            if self.processes.contains_key(&pid) {
                continue;
            }
            let may_live = |ticket: Option<Ticket>| match ticket {
                Some(ticket) => self.pids.contains_key(&ticket),
                None => !self.pids.is_empty(),
            };
            if let Some(exit) = self.strangers.meet(pid, &self.state_dir, may_live)? {
                let data = Source::Stranger(pid).data();
                epoll::add(&self.epoll, exit, data, EventFlags::IN)?;
            }
        }
        self.closing.retain(|group| {
            group.kill();
            !group.remove()
        });
        let is_quiet = self.strangers.is_empty() && self.closing.is_empty();
        let idle = self.processes.is_empty() && is_quiet;
        self.sweep_at = (!idle).then(|| now + SWEEP_EVERY);
        if idle {
            // Nobody's directory shall be kept busy.
            rustix::process::chdir("/")?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.outbox.flush()?;
        self.worker_gone |= flushed == Flushed::Closed;
        let must_watch = flushed == Flushed::Partly;
        if must_watch && !self.outbox_watched {
            let data = Source::Outbox.data();
            epoll::add(&self.epoll, self.outbox.as_fd(), data, EventFlags::OUT)?;
        } else if !must_watch && self.outbox_watched {
            epoll::delete(&self.epoll, self.outbox.as_fd())?;
        }
        self.outbox_watched = must_watch;
        Ok(())
    }
}

/// Rounded up to what `epoll_wait` can tell apart: rounded down, the last millisecond before a
/// deadline would be spent in a busy loop.
fn timespec_until(at: Instant, now: Instant) -> Timespec {
    let left = at.saturating_duration_since(now).as_micros().div_ceil(1_000);
    Timespec { tv_sec: (left / 1_000) as i64, tv_nsec: (left % 1_000 * 1_000_000) as i64 }
}

fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since.as_micros() as u64)
}
