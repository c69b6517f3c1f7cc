//! The executor of functions: attempts become calls of processes that stay warm.
//!
//! ```text
//!   attempt ─▶ pool (environment) ─▶ lane (function) ─▶ call ─▶ process
//!                                                               │ socket: calls,
//!   desk ◀── news ◀─────────────────────────────────────────────┘ answers, prints
//! ```
//!
//! Processes are started through the supervisor, under tickets of their own, so that none outlives
//! the worker. The worker's loop owns all of it: it waits for their sockets beside the supervisor's
//! pipe. One call is charged with the crash of a process; what else it had goes to another one.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use artifacts::logs::Stream;
use model::outcome::{Failure, Outcome};
use model::work::Call;

use super::{Attempt, Ending, Executor, Finished, Happened, Tools};
use crate::supervisor::{Event, StopKind, Ticket};

mod answer;
mod assign;
mod door;
mod environment;
mod forecast;
mod keep;
mod lane;
mod process;
mod wire;

use door::{Door, Heard};
use environment::Environment;
use forecast::Forecast;
use lane::{Item, Lane};
use process::{Phase, Process};
use wire::{Done, Said};

/// The bit that tells tickets of processes from those of attempts.
const OF_PROCESS: u64 = 1 << 63;
/// How long a process has that is no longer needed.
const FAREWELL: model::Span = model::Span::secs(2);

/// Functions, and the processes that they are called in.
pub(crate) struct Functions {
    home: PathBuf,
    /// Opened with the first call.
    ready: Option<(Door, PathBuf)>,
    pools: BTreeMap<u32, Pool>,
    processes: HashMap<Ticket, Process>,
    connections: HashMap<u64, Ticket>,
    /// In which pool an attempt is.
    places: HashMap<Ticket, u32>,
    news: Vec<(Ticket, Happened)>,
    next_pool: u32,
    next_process: u64,
    next_call: u64,
    /// Whether calls have come since the last turn.
    is_fresh: bool,
    /// When memory is looked at again, and how processes fare.
    look_at: Instant,
    /// How they fared, as it was told last, and whether it is to be told again.
    told: Vec<model::work::Pool>,
    must_tell: bool,
}

/// Processes that are alike, and the calls for them.
struct Pool {
    environment: Environment,
    lanes: BTreeMap<u32, Lane>,
    next_lane: u32,
    processes: Vec<Ticket>,
    calls_done: u64,
    crashes: u64,
    /// When it last had something to do.
    used: Instant,
    /// How soon it mostly has something to do again.
    forecast: Forecast,
}

/// Whether a ticket is that of a process of functions.
pub(crate) fn is_process(ticket: Ticket) -> bool {
    ticket.0 & OF_PROCESS != 0
}

impl Executor for Functions {
    type Work = Call;

    fn start(&mut self, mut attempt: Attempt, call: Call, tools: &mut Tools<'_>) {
        if let Err(error) = self.open() {
            let reason = Some(format!("functions cannot be called here: {error}"));
            let errno = error.raw_os_error().unwrap_or(0);
            let outcome = Outcome::Failed(Failure::Spawn(errno));
            let finished = Finished { reason, ..Finished::new(outcome) };
            return self.end(attempt.ticket, finished);
        }
        let environment = Environment::of(&mut attempt, &call);
        let (number, now) = (self.pool(environment), Instant::now());
        self.make_room(&attempt.granted.devices, Some(number), tools);
        let run = attempt.id.key.run;
        self.places.insert(attempt.ticket, number);
        let pool = self.pools.get_mut(&number).expect("it was just found or made");
        if pool.calls_done > 0 && pool.lanes.values().all(Lane::is_empty) {
            pool.forecast.learn(now.saturating_duration_since(pool.used));
        }
        let found = pool.lanes.iter().find(|(_, lane)| lane.takes(run, &call)).map(|(at, _)| *at);
        let at = found.unwrap_or_else(|| {
            pool.next_lane += 1;
            pool.lanes.insert(pool.next_lane, Lane::new(run, &call));
            pool.next_lane
        });
        let lane = pool.lanes.get_mut(&at).expect("it was just found or made");
        pool.used = now;
        self.is_fresh = true;
        lane.push(Item { attempt, arguments: call.arguments, is_stopped: false, since: now });
    }

    fn stop(&mut self, ticket: Ticket, how: Ending, tools: &mut Tools<'_>) {
        let Some(pool) = self.places.get(&ticket).and_then(|at| self.pools.get_mut(at)) else {
            return;
        };
        let is_it = |item: &Item| item.attempt.ticket == ticket;
        if pool.lanes.values_mut().any(|lane| lane.remove(is_it).is_some()) {
            return self.end(ticket, Finished::stopped());
        }
        for number in pool.processes.clone() {
            let Some(process) = self.processes.get_mut(&number) else { continue };
            let mut items = process.calls.iter_mut().flat_map(|call| &mut call.items);
            let Some(item) = items.find(|item| is_it(item)) else { continue };
            item.is_stopped = true;
            let grace = match how {
                Ending::Ask(grace) => Duration::from_micros(grace.0),
                Ending::Kill => Duration::ZERO,
            };
            let at = Instant::now() + grace;
            process.kill_at = Some(process.kill_at.map_or(at, |before| before.min(at)));
            return self.press(number, tools);
        }
    }

    fn abandon(&mut self) {
        *self = Self::new(&self.home);
    }
}

impl Functions {
    pub(crate) fn new(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
            ready: None,
            pools: BTreeMap::new(),
            processes: HashMap::new(),
            connections: HashMap::new(),
            places: HashMap::new(),
            news: Vec::new(),
            next_pool: 0,
            next_process: 0,
            next_call: 0,
            is_fresh: false,
            look_at: Instant::now(),
            told: Vec::new(),
            must_tell: false,
        }
    }

    fn open(&mut self) -> io::Result<()> {
        if self.ready.is_none() {
            self.ready = Some((Door::open()?, environment::write_runner(&self.home)?));
        }
        Ok(())
    }

    /// Readable when a process says something; nothing as long as there was no call.
    pub(crate) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.ready.as_ref().map(|(door, _)| door.as_fd())
    }

    fn pool(&mut self, environment: Environment) -> u32 {
        let mut pools = self.pools.iter();
        if let Some((at, _)) = pools.find(|(_, pool)| pool.environment == environment) {
            return *at;
        }
        self.next_pool += 1;
        let pool = Pool {
            environment,
            lanes: BTreeMap::new(),
            next_lane: 0,
            processes: Vec::new(),
            calls_done: 0,
            crashes: 0,
            used: Instant::now(),
            forecast: Forecast::default(),
        };
        self.pools.insert(self.next_pool, pool);
        self.next_pool
    }

    /// One turn: what processes have said is taken in, what waits is sent, and what is due by the
    /// clock is done.
    pub(crate) fn turn(&mut self, now: Instant, tools: &mut Tools<'_>) -> Vec<(Ticket, Happened)> {
        self.is_fresh = false;
        self.hear(now, tools);
        self.keep_up(now, tools);
        self.assign(now, tools);
        if let Some((door, _)) = &mut self.ready {
            door.flush();
        }
        std::mem::take(&mut self.news)
    }

    /// Takes in all that processes have said until now. False: they said nothing.
    fn hear(&mut self, now: Instant, tools: &mut Tools<'_>) -> bool {
        let Some((door, _)) = &mut self.ready else { return false };
        if self.processes.is_empty() {
            return false;
        }
        let heard = door.listen();
        let is_news = !heard.is_empty();
        for (connection, heard) in heard {
            match heard {
                Heard::Said(Said::Hello { ticket, token }) => {
                    self.welcome(connection, Ticket(ticket), &token, now);
                }
                Heard::Said(said) => {
                    if let Some(&ticket) = self.connections.get(&connection) {
                        self.said(ticket, said, now, tools);
                    }
                }
                Heard::Gone => {
                    if let Some(ticket) = self.connections.remove(&connection) {
                        // It ends by itself, or has said what nobody understands.
                        if let Some(process) = self.processes.get_mut(&ticket)
                            && process.phase == Phase::Serving
                        {
                            process.phase = Phase::Retiring;
                        }
                        tools.supervisor.stop(ticket, StopKind::Term { grace: FAREWELL });
                    }
                }
            }
        }
        is_news
    }

    fn welcome(&mut self, connection: u64, ticket: Ticket, token: &str, now: Instant) {
        let known = self.processes.get_mut(&ticket);
        let known = known.filter(|process| process.token == token && process.connection.is_none());
        match known {
            Some(process) => {
                process.connection = Some(connection);
                process.idle_since = now;
                if process.phase == Phase::Starting {
                    process.phase = Phase::Serving;
                }
                self.connections.insert(connection, ticket);
            }
            None => self.close(connection),
        }
    }

    fn close(&mut self, connection: u64) {
        if let Some((door, _)) = &mut self.ready {
            door.close(connection);
        }
    }

    fn said(&mut self, ticket: Ticket, said: Said, now: Instant, tools: &mut Tools<'_>) {
        let Some(process) = self.processes.get_mut(&ticket) else { return };
        match said {
            Said::Output { id, is_err, bytes } => {
                let stream = if is_err { Stream::Err } else { Stream::Out };
                let printed = process.printed(id, stream, bytes);
                self.news.extend(printed.map(|(to, stream, bytes)| {
                    let happened = Happened::Output(stream, bytes);
                    (to, happened)
                }));
            }
            Said::Done(done) => {
                if process.ended(done, now) {
                    self.release(ticket, Some(now), tools);
                } else {
                    // It answers what it was not asked: nothing that it says can be believed.
                    tools.supervisor.stop(ticket, StopKind::Kill);
                }
            }
            Said::Stale => {
                process.phase = Phase::Ending;
                self.put_back(ticket);
                tools.supervisor.stop(ticket, StopKind::Term { grace: FAREWELL });
            }
            Said::Hello { .. } => {}
        }
    }

    /// Tells of the calls of a process that have ended, in their order; of all of them, if no time
    /// is given.
    fn release(&mut self, ticket: Ticket, now: Option<Instant>, tools: &mut Tools<'_>) {
        let Some(process) = self.processes.get_mut(&ticket) else { return };
        let Some(pool) = self.pools.get_mut(&process.pool) else { return };
        let mut is_any = false;
        while let Some((call, done)) = process.next_done(now) {
            is_any = true;
            let count = call.items.len();
            if let Some(lane) = pool.lanes.get_mut(&call.lane) {
                lane.give_back(count);
                lane.took(done.wall_us);
            }
            pool.calls_done += count as u64;
            process.idle_since = now.unwrap_or(process.idle_since);
            pool.used = now.unwrap_or(pool.used);
            if has_overrun(&pool.environment, &done) && process.phase == Phase::Serving {
                process.phase = Phase::Retiring;
            }
            for item in &call.items {
                self.places.remove(&item.attempt.ticket);
            }
            answer::told(call, *done, |ticket, happened| self.news.push((ticket, happened)));
        }
        if !is_any {
            return;
        }
        if let Some(call) = process.running() {
            started(call, &mut self.news);
        }
        if !process.has_stopped() {
            process.kill_at = None;
        }
        self.press(ticket, tools);
    }

    /// Asks a process to end that is in a call which nobody waits for any more.
    fn press(&mut self, ticket: Ticket, tools: &mut Tools<'_>) {
        let Some(process) = self.processes.get_mut(&ticket) else { return };
        let Some(at) = process.kill_at else { return };
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            process.phase = Phase::Ending;
            process.kill_at = None;
            tools.supervisor.stop(ticket, StopKind::Kill);
        } else if process.is_in_vain() && process.phase != Phase::Ending {
            process.phase = Phase::Ending;
            let grace = model::Span(u64::try_from(left.as_micros()).unwrap_or(u64::MAX));
            tools.supervisor.stop(ticket, StopKind::Term { grace });
        }
    }

    /// Takes in what the supervisor says of a process.
    pub(crate) fn supervised(&mut self, event: Event, tools: &mut Tools<'_>) {
        match event {
            Event::Started { ticket, pid, .. } => {
                if let Some(process) = self.processes.get_mut(&ticket) {
                    process.pid = Some(pid);
                }
            }
            Event::Output { ticket, stream, bytes, .. } => {
                let Some(process) = self.processes.get_mut(&ticket) else { return };
                let printed = process.printed_raw(stream, &bytes);
                let news = |(to, stream, bytes)| (to, Happened::Output(stream, bytes));
                self.news.extend(printed.into_iter().map(news));
                self.release(ticket, Some(Instant::now()), tools);
            }
            Event::Exited { .. } => self.exited(event, tools),
            Event::Ready { .. } | Event::Dropped { .. } => {}
        }
    }

    fn exited(&mut self, event: Event, tools: &mut Tools<'_>) {
        let Event::Exited { ticket, how, oom, usage, .. } = event else { return };
        // What it said before it ended may still lie in its socket.
        while self.hear(Instant::now(), tools) {}
        self.release(ticket, None, tools);
        let Some(process) = self.processes.get(&ticket) else { return };
        let was_ready = process.connection.is_some();
        let is_charged = process.phase != Phase::Ending;
        let (number, last_words) = (process.pool, process.last_words.clone());
        let mut failed = Vec::new();
        if let Some(pool) = self.pools.get_mut(&number) {
            pool.crashes += u64::from(is_charged && !process.calls.is_empty());
            pool.crashes += u64::from(is_charged && !was_ready);
            if is_charged && !was_ready {
                let first = pool.lanes.values_mut().find_map(Lane::pop);
                let end = |item: Item| (item, answer::never_ready(&how, &last_words));
                failed.extend(first.map(end));
            }
        }
        if is_charged {
            let call = self.processes.get_mut(&ticket).and_then(|it| it.calls.pop_front());
            if let Some(call) = call {
                self.returned(number, &call);
                let end = |item| (item, answer::crashed(&how, oom, usage));
                failed.extend(call.items.into_iter().map(end));
            }
        }
        self.put_back(ticket);
        for (item, finished) in failed {
            let finished = if item.is_stopped { Finished::stopped() } else { finished };
            self.end(item.attempt.ticket, finished);
        }
        self.forget(ticket);
    }

    /// What a process has and has not answered waits for another one.
    fn put_back(&mut self, ticket: Ticket) {
        let Some(process) = self.processes.get_mut(&ticket) else { return };
        let number = process.pool;
        for call in std::mem::take(&mut process.calls).into_iter().rev() {
            self.returned(number, &call);
            let (stopped, items): (Vec<_>, Vec<_>) =
                call.items.into_iter().partition(|item| item.is_stopped);
            if let Some(lane) =
                self.pools.get_mut(&number).and_then(|pool| pool.lanes.get_mut(&call.lane))
            {
                lane.put_back(items);
            }
            for item in stopped {
                self.end(item.attempt.ticket, Finished::stopped());
            }
        }
    }

    fn returned(&mut self, pool: u32, call: &process::Sent) {
        let lane = self.pools.get_mut(&pool).and_then(|pool| pool.lanes.get_mut(&call.lane));
        if let Some(lane) = lane {
            lane.give_back(call.items.len());
        }
    }

    fn forget(&mut self, ticket: Ticket) {
        let Some(process) = self.processes.remove(&ticket) else { return };
        if let Some(connection) = process.connection {
            self.connections.remove(&connection);
            self.close(connection);
        }
        if let Some(pool) = self.pools.get_mut(&process.pool) {
            pool.processes.retain(|known| *known != ticket);
        }
    }

    fn end(&mut self, ticket: Ticket, finished: Finished) {
        self.places.remove(&ticket);
        self.news.push((ticket, Happened::Ended(Box::new(finished))));
    }
}

/// Tells that the attempts of a call have started.
fn started(call: &process::Sent, news: &mut Vec<(Ticket, Happened)>) {
    news.extend(call.items.iter().map(|item| (item.attempt.ticket, Happened::Started)));
}

/// Whether a process had as much memory as it may have.
fn has_overrun(environment: &Environment, done: &Done) -> bool {
    let limit = environment.keep.memory_bytes_max;
    let ran_out = match &done.result {
        wire::Answer::Failed(failed) => failed.names.iter().any(|name| name == "MemoryError"),
        _ => false,
    };
    limit.is_some_and(|limit| ran_out || done.peak_rss_kib.saturating_mul(1024) >= limit)
}
