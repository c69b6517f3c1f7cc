//! How long processes stay, and what is to be done by the clock.

use std::fs;
use std::time::{Duration, Instant};

use super::process::Phase;
use super::{Functions, Lane};
use crate::executors::Tools;
use crate::supervisor::Ticket;

/// How long a process stays that has nothing to do, if nothing is said.
const KEEP: Duration = Duration::from_secs(5 * 60);
/// How often the memory of the machine is looked at while processes have nothing to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Below this part of its memory the machine is short of it.
const SHORT_PART: u64 = 16;
/// How long what is known of a pool is kept without processes and calls.
const POOL_KEPT: Duration = Duration::from_secs(10 * 60);

impl Functions {
    /// When something is due by the clock.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if !self.news.is_empty() {
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
        let look = self.has_idle().then_some(self.look_at);
        windows.chain(processes.flatten()).chain(look).min()
    }

    /// Does what is due by the clock.
    pub(super) fn keep_up(&mut self, now: Instant, tools: &mut Tools<'_>) {
        let due = |(ticket, process): (&Ticket, &super::Process)| {
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
        if self.look_at <= now && self.has_idle() {
            self.look_at = now + LOOK_EVERY;
            if is_short_of_memory() {
                let idle = self.processes.values().filter(|it| it.takes(1));
                let longest = idle.min_by_key(|it| it.idle_since).map(|it| it.ticket);
                longest.into_iter().for_each(|ticket| self.dismiss(ticket, tools));
            }
            self.pools.retain(|_, pool| !pool.is_gone() || pool.used + POOL_KEPT > now);
        }
    }

    fn has_idle(&self) -> bool {
        self.processes.values().any(|process| process.takes(1))
    }

    /// Until when a process stays that has nothing to do.
    fn idle_until(&self, ticket: Ticket) -> Option<Instant> {
        let process = self.processes.get(&ticket).filter(|process| process.takes(1))?;
        let keep = self.pools.get(&process.pool)?.environment.keep.idle;
        let keep = keep.map_or(KEEP, |keep| Duration::from_micros(keep.0));
        Some(process.idle_since + keep)
    }
}

fn is_short_of_memory() -> bool {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()
    };
    match (kib("MemAvailable:"), kib("MemTotal:")) {
        (Some(available), Some(total)) => available < total / SHORT_PART,
        _ => false,
    }
}
