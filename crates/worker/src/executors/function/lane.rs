//! The calls of one kind that wait: which of them go together, and when.
//!
//! A lane knows no process and no clock: the time is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use model::RunId;
use model::work::{Batch, Call};

use super::super::Attempt;

/// How long items may wait for others while calls of their lane run.
const WINDOW_MAX: Duration = Duration::from_millis(50);
/// How much work is sent ahead to a process at most: one that is stopped or crashes gives it back.
const AHEAD_US: u64 = 10_000;
/// A batch that takes longer is not followed by another one ahead of its end.
const BATCH_AHEAD_US: u64 = 1_000_000;

/// An attempt that waits for its call, or is in it.
#[derive(Debug)]
pub(super) struct Item {
    pub attempt: Attempt,
    /// JSON.
    pub arguments: Vec<u8>,
    /// Whether it was told to end.
    pub is_stopped: bool,
    /// Since when it waits.
    pub since: Instant,
}

/// Calls of one function, with one way of calling it, of one run.
#[derive(Debug)]
pub(super) struct Lane {
    pub run: RunId,
    pub handler: String,
    pub batch: Option<Batch>,
    prefetch: u32,
    queue: VecDeque<Item>,
    /// Calls that processes have.
    pub calls_out: u32,
    /// Items that processes have.
    pub items_out: u32,
    /// How long a call takes; nothing is known of the first.
    mean_us: Option<u64>,
}

impl Lane {
    pub(super) fn new(run: RunId, call: &Call) -> Self {
        Self {
            run,
            handler: call.handler.clone(),
            batch: call.batch,
            prefetch: call.prefetch,
            queue: VecDeque::new(),
            calls_out: 0,
            items_out: 0,
            mean_us: None,
        }
    }

    /// Whether such calls belong here.
    pub(super) fn takes(&self, run: RunId, call: &Call) -> bool {
        let same = self.batch == call.batch && self.prefetch == call.prefetch;
        same && self.run == run && self.handler == call.handler
    }

    pub(super) fn push(&mut self, item: Item) {
        self.queue.push_back(item);
    }

    /// Puts items back that a process could not begin with.
    pub(super) fn put_back(&mut self, items: Vec<Item>) {
        items.into_iter().rev().for_each(|item| self.queue.push_front(item));
    }

    /// Takes an item out that was told to end before its call.
    pub(super) fn remove(&mut self, is_it: impl Fn(&Item) -> bool) -> Option<Item> {
        let at = self.queue.iter().position(is_it)?;
        self.queue.remove(at)
    }

    /// Takes the first that waits, for whom there is no process.
    pub(super) fn pop(&mut self) -> Option<Item> {
        self.queue.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.calls_out == 0
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many processes its items may keep busy: as many as their resources are asked for.
    pub(super) fn processes(&self) -> u32 {
        let batch = self.batch.map_or(1, |batch| batch.items_max);
        let share = batch.saturating_mul(self.prefetch + 1).max(1);
        let live = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
        live.saturating_add(self.items_out).div_ceil(share)
    }

    /// How many calls a process may have at a time.
    pub(super) fn depth(&self) -> u32 {
        let Some(mean_us) = self.mean_us else { return 1 };
        let short = match self.batch {
            Some(_) if self.prefetch == 0 => u32::from(mean_us < BATCH_AHEAD_US),
            _ => u32::try_from(AHEAD_US / mean_us.max(1)).unwrap_or(u32::MAX).min(self.prefetch),
        };
        1 + short
    }

    /// When the next call is to go at the latest; nothing if nothing waits. Items wait for others,
    /// longer while calls run: then there are others to come, and nobody to work on them yet.
    pub(super) fn due(&self) -> Option<Instant> {
        let first = self.queue.front()?;
        let Some(batch) = self.batch else { return Some(first.since) };
        if self.queue.len() >= batch.items_max as usize {
            return Some(first.since);
        }
        let least = Duration::from_micros(batch.window.0);
        let window = if self.calls_out == 0 { least } else { least.max(WINDOW_MAX) };
        Some(first.since + window)
    }

    /// Takes the items of the next call.
    pub(super) fn take(&mut self) -> Vec<Item> {
        let count = self.batch.map_or(1, |batch| batch.items_max as usize).min(self.queue.len());
        let items: Vec<Item> = self.queue.drain(..count).collect();
        self.calls_out += 1;
        self.items_out += u32::try_from(items.len()).unwrap_or(u32::MAX);
        items
    }

    /// A call is no longer with a process.
    pub(super) fn give_back(&mut self, items: usize) {
        self.calls_out = self.calls_out.saturating_sub(1);
        self.items_out = self.items_out.saturating_sub(u32::try_from(items).unwrap_or(u32::MAX));
    }

    /// A call has taken so long.
    pub(super) fn took(&mut self, wall_us: u64) {
        // One that took long counts at once, so that no others are sent behind the next.
        let mean = self.mean_us.map_or(wall_us, |mean| mean - mean / 8 + wall_us / 8);
        self.mean_us = Some(mean.max(wall_us / 4));
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use model::{AttemptId, ItemId, ItemKey, Round, Span, TaskId, Token};

    use super::*;
    use crate::supervisor::Ticket;

    fn item(number: u64, since: Instant) -> Item {
        let run = RunId(1);
        let key = ItemKey { run, task: TaskId(0), item: ItemId(0) };
        let attempt = Attempt {
            ticket: Ticket(number),
            id: AttemptId { key, round: Round(1), attempt: model::Attempt(1) },
            token: Token(1),
            env: Vec::new(),
            secrets: Vec::new(),
            withheld: Vec::new(),
            folder: PathBuf::new(),
            work_dir: PathBuf::new(),
            needs_work_dir: false,
            watched: Vec::new(),
            output_file: PathBuf::new(),
            tasks_file: PathBuf::new(),
            checkpoints_file: PathBuf::new(),
            heartbeat_file: None,
            limits: crate::supervisor::Limits::default(),
            granted: crate::executors::Granted::default(),
        };
        Item { attempt, arguments: Vec::new(), is_stopped: false, since }
    }

    fn lane(batch: Option<Batch>, prefetch: u32) -> Lane {
        Lane::new(RunId(1), &Call { batch, prefetch, ..Call::default() })
    }

    #[test]
    fn a_lone_item_waits_for_the_least_window_only() {
        let window = Span::millis(10);
        let mut lane = lane(Some(Batch { items_max: 4, window }), 0);
        let now = Instant::now();
        assert_eq!(lane.due(), None);
        lane.push(item(1, now));
        assert_eq!(lane.due(), Some(now + Duration::from_millis(10)));
        assert_eq!(lane.take().len(), 1);
        lane.push(item(2, now));
        assert_eq!(lane.due(), Some(now + WINDOW_MAX), "others run: more may come");
        (3..6).for_each(|number| lane.push(item(number, now)));
        assert_eq!(lane.due(), Some(now), "it is full");
        assert_eq!(lane.take().len(), 4);
        lane.give_back(4);
        lane.give_back(1);
        assert!(lane.is_empty());
    }

    #[test]
    fn only_short_calls_are_sent_ahead() {
        let mut short = lane(None, 15);
        assert_eq!(short.depth(), 1, "nothing is known of them");
        short.took(20);
        assert_eq!(short.depth(), 16);
        short.took(1_000_000);
        assert_eq!(short.depth(), 1);
        let mut plain = lane(None, 0);
        plain.took(20);
        assert_eq!(plain.depth(), 1);
    }

    #[test]
    fn items_that_share_keep_fewer_processes_busy() {
        let now = Instant::now();
        let mut shared = lane(None, 3);
        (0..5).for_each(|number| shared.push(item(number, now)));
        assert_eq!(shared.processes(), 2);
        shared.take();
        assert_eq!(shared.processes(), 2);
        let mut alone = lane(None, 0);
        (0..5).for_each(|number| alone.push(item(number, now)));
        assert_eq!(alone.processes(), 5);
    }

    #[test]
    fn what_was_not_begun_goes_to_the_front() {
        let now = Instant::now();
        let mut lane = lane(None, 0);
        (0..3).for_each(|number| lane.push(item(number, now)));
        let (first, second) = (lane.take(), lane.take());
        lane.give_back(1);
        lane.give_back(1);
        lane.put_back(first.into_iter().chain(second).collect());
        let order: Vec<u64> =
            std::iter::from_fn(|| lane.pop()).map(|item| item.attempt.ticket.0).collect();
        assert_eq!(order, [0, 1, 2]);
    }
}
