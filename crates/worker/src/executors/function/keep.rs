//! How long processes stay, and what is to be done by the clock.

use std::fs;
use std::time::{Duration, Instant};

use model::{Device, Span};

use super::process::{Phase, Process};
use super::{Functions, Lane, Pool};
use crate::executors::Tools;
use crate::supervisor::Ticket;

/// How often memory is looked at, and how processes fare.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Below this part of its memory the machine is short of it.
const SHORT_PART: u64 = 16;
/// How long a pool without processes and calls is told of.
const POOL_TOLD: Duration = Duration::from_secs(10 * 60);
/// How long what is known of it is kept: longer than any of its processes.
const POOL_KEPT: Duration = Duration::from_secs(2 * 60 * 60);

impl Functions {
    /// When something is due by the clock.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if self.is_fresh || !self.news.is_empty() {
            return Some(Instant::now());
        }
        let lanes = self.pools.values().flat_map(|pool| pool.lanes.values());
        // What is due already waits for a process, which says when it has time.
        let now = Instant::now();
        let windows = lanes.filter_map(Lane::due).filter(|at| *at > now);
        let processes = self.processes.values().flat_map(|process| {
            let idle = self.idle_until(process.ticket);
            [process.kill_at, process.patience_ends(), idle]
        });
        let look = self.is_watched().then_some(self.look_at);
        windows.chain(processes.flatten()).chain(look).min()
    }

    /// Does what is due by the clock.
    pub(super) fn keep_up(&mut self, now: Instant, tools: &mut Tools<'_>) {
        let due = |(ticket, process): (&Ticket, &Process)| {
            let times = [process.kill_at, process.patience_ends()];
            times.into_iter().flatten().any(|at| at <= now).then_some(*ticket)
        };
        let due: Vec<Ticket> = self.processes.iter().filter_map(due).collect();
        for ticket in due {
            self.release(ticket, Some(now), tools);
            self.press(ticket, tools);
        }
        let over: Vec<Ticket> = self
            .processes
            .values()
            .filter(|it| it.calls.is_empty())
            .filter(|it| {
                it.phase == Phase::Retiring
                    || self.idle_until(it.ticket).is_some_and(|until| until <= now)
            })
            .map(|it| it.ticket)
            .collect();
        over.into_iter().for_each(|ticket| self.dismiss(ticket, tools));
        if self.look_at <= now && self.is_watched() {
            self.look_at = now + LOOK_EVERY;
            self.must_tell = true;
            if is_short_of_memory() {
                let idle = self.processes.values().filter(|it| it.takes(1));
                let longest = idle.min_by_key(|it| it.idle_since).map(|it| it.ticket);
                longest.into_iter().for_each(|ticket| self.dismiss(ticket, tools));
            }
            self.pools.retain(|_, pool| !pool.is_gone() || pool.used + POOL_KEPT > now);
        }
    }

    /// Ends the processes that have nothing to do and may hold memory of devices that an attempt is
    /// given: what was granted to their last call has been given back. Those of the pool in which
    /// the attempt is are spared.
    pub(crate) fn make_room(
        &mut self,
        devices: &[Device],
        spared: Option<u32>,
        tools: &mut Tools<'_>,
    ) {
        if devices.is_empty() {
            return;
        }
        let is_on = |number: u32| {
            let pool = self.pools.get(&number).filter(|_| spared != Some(number));
            pool.is_some_and(|pool| pool.environment.is_on(devices))
        };
        let idle = self.processes.values().filter(|it| it.takes(1) && is_on(it.pool));
        let idle: Vec<Ticket> = idle.map(|process| process.ticket).collect();
        idle.into_iter().for_each(|ticket| self.dismiss(ticket, tools));
    }

    /// How the processes fare, if that has changed since it was told.
    pub(crate) fn report(&mut self, now: Instant) -> Option<Vec<model::work::Pool>> {
        if !std::mem::take(&mut self.must_tell) {
            return None;
        }
        let is_told = |pool: &&Pool| !pool.is_gone() || pool.used + POOL_TOLD > now;
        let pools = self.pools.values().filter(is_told).map(|pool| self.fares(pool));
        let pools: Vec<_> = pools.collect();
        if pools == self.told {
            return None;
        }
        self.look_at = now + LOOK_EVERY;
        self.told.clone_from(&pools);
        Some(pools)
    }

    fn fares(&self, pool: &Pool) -> model::work::Pool {
        let known = || pool.processes.iter().filter_map(|ticket| self.processes.get(ticket));
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let waiting: usize = pool.lanes.values().map(Lane::waiting).sum();
        model::work::Pool {
            python: pool.environment.interpreter().to_string_lossy().into_owned(),
            folder: pool.environment.folder.to_string_lossy().into_owned(),
            processes: count(known().count()),
            busy: count(known().filter(|it| !it.calls.is_empty()).count()),
            waiting: waiting as u64,
            calls: pool.calls_done,
            crashes: pool.crashes,
            memory_bytes: known().filter_map(|it| memory_bytes(it.pid?)).sum(),
            keep: Span(u64::try_from(pool.keep().as_micros()).unwrap_or(u64::MAX)),
        }
    }

    /// Whether anything is to be looked at now and then.
    fn is_watched(&self) -> bool {
        !self.processes.is_empty() || self.told.iter().any(|pool| pool.processes > 0)
    }

    /// Until when a process stays that has nothing to do.
    fn idle_until(&self, ticket: Ticket) -> Option<Instant> {
        let process = self.processes.get(&ticket).filter(|process| process.takes(1))?;
        Some(process.idle_since + self.pools.get(&process.pool)?.keep())
    }
}

impl Pool {
    /// How long a process stays that has nothing to do: as its file says, or else as long as the
    /// next call mostly takes to come.
    fn keep(&self) -> Duration {
        let said = self.environment.keep.idle;
        said.map_or_else(|| self.forecast.keep(), |keep| Duration::from_micros(keep.0))
    }
}

fn is_short_of_memory() -> bool {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    match (kib(&text, "MemAvailable:"), kib(&text, "MemTotal:")) {
        (Some(available), Some(total)) => available < total / SHORT_PART,
        _ => false,
    }
}

/// The memory that a process has now.
fn memory_bytes(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(kib(&text, "VmRSS:")? << 10)
}

/// A line of a file of the kernel's, in KiB.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
