//! Which waiting call goes to which process, and when another process is started.
//!
//! A process that has nothing to do comes first. Others are started as long as the calls have asked
//! for the resources of more. Calls that are short may be sent ahead to a busy one.

use std::time::Instant;

use super::environment::token;
use super::process::{Phase, Process, Sent};
use super::wire::{Arguments, Head, put_call};
use super::{FAREWELL, Functions, OF_PROCESS, Pool, started};
use crate::executors::Tools;
use crate::supervisor::{StopKind, Ticket};

impl Functions {
    /// Sends what can be sent, and starts processes for what cannot.
    pub(super) fn assign(&mut self, now: Instant, tools: &mut Tools<'_>) {
        let numbers: Vec<u32> = self.pools.keys().copied().collect();
        for number in numbers {
            let Some(pool) = self.pools.get_mut(&number) else { continue };
            pool.lanes.retain(|_, lane| !lane.is_empty());
            while self.send_next(number, now) {}
            self.grow(number, now, tools);
        }
    }

    /// Sends the call that has waited longest and for which there is a process.
    fn send_next(&mut self, number: u32, now: Instant) -> bool {
        let Some(pool) = self.pools.get_mut(&number) else { return false };
        let due = |(at, lane): (&u32, &super::Lane)| Some((lane.due()?, *at));
        let mut due: Vec<_> =
            pool.lanes.iter().filter_map(due).filter(|(at, _)| *at <= now).collect();
        due.sort_unstable();
        for (_, at) in due {
            let Some(lane) = pool.lanes.get_mut(&at) else { continue };
            let Some(ticket) =
                freest(pool_processes(&pool.processes, &self.processes), lane.depth())
            else {
                continue;
            };
            let items = lane.take();
            self.next_call += 1;
            let call = Sent::new(self.next_call, at, items);
            self.send(number, ticket, call);
            return true;
        }
        false
    }

    fn send(&mut self, number: u32, ticket: Ticket, call: Sent) {
        let Some(process) = self.processes.get_mut(&ticket) else { return };
        let (Some(pool), Some((door, _))) = (self.pools.get(&number), &mut self.ready) else {
            return;
        };
        let (Some(lane), Some(first)) = (pool.lanes.get(&call.lane), call.items.first()) else {
            return;
        };
        for item in call.items.iter().filter(|item| item.attempt.needs_work_dir) {
            // The function finds out if it is not there.
            let _ = std::fs::create_dir_all(&item.attempt.work_dir);
        }
        let run = first.attempt.id.key.run.to_string();
        let head = Head { id: call.id, run: &run, handler: &lane.handler, env: &first.attempt.env };
        let arguments = match lane.batch {
            None => Arguments::One(&first.arguments),
            Some(_) => Arguments::Many(call.items.iter().map(|item| &item.arguments[..]).collect()),
        };
        if let Some(connection) = process.connection {
            door.send(connection, |out| put_call(out, &head, &arguments));
        }
        process.items_served += call.items.len() as u64;
        let calls_max = pool.environment.keep.calls_max.map_or(u64::MAX, u64::from);
        if process.items_served >= calls_max {
            process.phase = Phase::Retiring;
        }
        let is_next = process.calls.is_empty();
        process.calls.push_back(call);
        if is_next && let Some(call) = process.running() {
            started(call, &mut self.news);
        }
    }

    /// Starts a process, if calls wait that have asked for the resources of another.
    fn grow(&mut self, number: u32, now: Instant, tools: &mut Tools<'_>) {
        let Some(pool) = self.pools.get(&number) else { return };
        let Some((door, runner)) = &self.ready else { return };
        let wanted: u32 = pool.lanes.values().map(super::Lane::processes).sum();
        let waiting: usize = pool.lanes.values().map(super::Lane::waiting).sum();
        let phases = || pool_processes(&pool.processes, &self.processes).map(|it| it.phase);
        let starting = phases().filter(|phase| *phase == Phase::Starting).count();
        let serving = phases().filter(|phase| *phase == Phase::Serving).count();
        // What retires or ends has its calls counted still.
        let busy = pool_processes(&pool.processes, &self.processes)
            .filter(|it| matches!(it.phase, Phase::Retiring) && !it.calls.is_empty())
            .count();
        let there = u32::try_from(starting + serving + busy).unwrap_or(u32::MAX);
        let more = wanted.saturating_sub(there).min(u32::try_from(waiting).unwrap_or(u32::MAX));
        let more = usize::try_from(more).unwrap_or(usize::MAX);
        let count = more.min(waiting.saturating_sub(starting));
        let mut fresh = Vec::new();
        for _ in 0..count {
            self.next_process += 1;
            let ticket = Ticket(OF_PROCESS | self.next_process);
            let token = token();
            let calls = format!("{} {} {token}", door.name(), ticket.0);
            tools.supervisor.start(pool.environment.start(ticket, runner, &calls));
            fresh.push(Process::new(ticket, number, token, now));
        }
        self.adopt(number, fresh);
    }

    fn adopt(&mut self, number: u32, fresh: Vec<Process>) {
        let Some(pool) = self.pools.get_mut(&number) else { return };
        for process in fresh {
            pool.processes.push(process.ticket);
            self.processes.insert(process.ticket, process);
        }
    }

    /// Ends a process that has nothing to do and is no longer needed.
    pub(super) fn dismiss(&mut self, ticket: Ticket, tools: &mut Tools<'_>) {
        if let Some(process) = self.processes.get_mut(&ticket) {
            process.phase = Phase::Ending;
            tools.supervisor.stop(ticket, StopKind::Term { grace: FAREWELL });
        }
    }
}

type Known = std::collections::HashMap<Ticket, Process>;

fn pool_processes<'p>(
    tickets: &'p [Ticket],
    known: &'p Known,
) -> impl Iterator<Item = &'p Process> {
    tickets.iter().filter_map(|ticket| known.get(ticket))
}

/// The process with the fewest calls of those that take another.
fn freest<'p>(processes: impl Iterator<Item = &'p Process>, depth: u32) -> Option<Ticket> {
    let free = processes.filter(|process| process.takes(depth));
    free.min_by_key(|process| (process.calls.len(), process.ticket)).map(|it| it.ticket)
}

impl Pool {
    /// Whether nothing is left of it.
    pub(super) fn is_gone(&self) -> bool {
        self.processes.is_empty() && self.lanes.values().all(super::Lane::is_empty)
    }
}
