//! One warm process: the calls that it has, and whose is what it prints.
//!
//! It answers in the order in which it was asked, so the first call without an answer is the one
//! that runs. What its own Python prints comes with the number of the call. What is printed past
//! that, by child processes and C code, comes through the supervisor, with marks between calls
//! where there may be any.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use artifacts::logs::Stream;
use model::limits::LOG_BYTES_MAX;

use super::lane::Item;
use super::wire::{Done, Marks, Piece};
use crate::supervisor::Ticket;

/// How long an answer waits for the marks behind what its call has printed. They come at once,
/// unless the supervisor had to drop them.
const MARKS_PATIENCE: Duration = Duration::from_secs(1);
/// How much is kept of what a process says last.
const LAST_WORDS_BYTES: usize = 4 << 10;

/// Where a process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has not come in yet.
    Starting,
    /// It takes calls.
    Serving,
    /// It finishes what it has, and is ended then.
    Retiring,
    /// It is being ended: what it has not answered goes to another one.
    Ending,
}

/// Items that are worked on by one call.
#[derive(Debug)]
pub(super) struct Sent {
    pub id: u64,
    pub lane: u32,
    pub items: Vec<Item>,
    /// Bytes of output that may still be kept.
    left: u64,
    pub dropped: u64,
    done: Option<(Box<Done>, Instant)>,
    marks: [bool; 2],
}

/// A process.
#[derive(Debug)]
pub(super) struct Process {
    pub ticket: Ticket,
    pub pool: u32,
    pub token: String,
    pub phase: Phase,
    pub pid: Option<u32>,
    pub connection: Option<u64>,
    /// The calls that it has, in order.
    pub calls: VecDeque<Sent>,
    pub items_served: u64,
    pub idle_since: Instant,
    /// When it is killed, because a call does not end that was told to.
    pub kill_at: Option<Instant>,
    /// How it said farewell, for when it ends before it takes calls.
    pub last_words: Vec<u8>,
    raw: [Marks; 2],
}

/// Something that an attempt printed.
pub(super) type Printed = (Ticket, Stream, Vec<u8>);

impl Sent {
    pub(super) fn new(id: u64, lane: u32, items: Vec<Item>) -> Self {
        let (dropped, done, marks) = (0, None, [false; 2]);
        Self { id, lane, items, left: LOG_BYTES_MAX, dropped, done, marks }
    }

    /// The attempt in whose log it prints: the first, if there are many.
    pub(super) fn ticket(&self) -> Option<Ticket> {
        self.items.first().map(|item| item.attempt.ticket)
    }

    /// Whether nobody waits for it any more.
    fn is_stopped(&self) -> bool {
        self.items.iter().all(|item| item.is_stopped)
    }

    fn print(&mut self, stream: Stream, bytes: Vec<u8>) -> Option<Printed> {
        let mut bytes = bytes;
        let kept = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= kept as u64;
        self.dropped += (bytes.len() - kept) as u64;
        bytes.truncate(kept);
        Some((self.ticket()?, stream, bytes)).filter(|_| kept > 0)
    }
}

impl Process {
    pub(super) fn new(ticket: Ticket, pool: u32, token: String, now: Instant) -> Self {
        Self {
            ticket,
            pool,
            token,
            phase: Phase::Starting,
            pid: None,
            connection: None,
            calls: VecDeque::new(),
            items_served: 0,
            idle_since: now,
            kill_at: None,
            last_words: Vec::new(),
            raw: [Marks::default(), Marks::default()],
        }
    }

    /// Whether it may be given a call, if that many may be with it.
    pub(super) fn takes(&self, depth: u32) -> bool {
        self.phase == Phase::Serving && self.calls.len() < depth as usize
    }

    /// The call that it is in.
    pub(super) fn running(&self) -> Option<&Sent> {
        self.calls.iter().find(|call| call.done.is_none())
    }

    /// Whether it is in a call that nobody waits for any more.
    pub(super) fn is_in_vain(&self) -> bool {
        self.running().is_some_and(Sent::is_stopped)
    }

    /// Whether anything that it has was told to end.
    pub(super) fn has_stopped(&self) -> bool {
        self.calls.iter().flat_map(|call| &call.items).any(|item| item.is_stopped)
    }

    /// The running call has ended. False: it is another one that runs.
    pub(super) fn ended(&mut self, done: Box<Done>, now: Instant) -> bool {
        let Some(call) = self.calls.iter_mut().find(|call| call.done.is_none()) else {
            return false;
        };
        let is_it = call.id == done.id;
        if is_it {
            call.done = Some((done, now + MARKS_PATIENCE));
        }
        is_it
    }

    /// The next call whose end can be told: all that it printed is here, or was waited for.
    pub(super) fn next_done(&mut self, now: Option<Instant>) -> Option<(Sent, Box<Done>)> {
        let call = self.calls.front_mut()?;
        let (done, until) = call.done.as_ref()?;
        let is_whole = !done.is_marked || call.marks == [true; 2];
        if !is_whole && now.is_some_and(|now| now < *until) {
            return None;
        }
        let (done, _) = call.done.take()?;
        Some((self.calls.pop_front()?, done))
    }

    /// When the end of a call is told even if not all is here that it printed.
    pub(super) fn patience_ends(&self) -> Option<Instant> {
        self.calls.front()?.done.as_ref().map(|(_, until)| *until)
    }

    /// Its Python printed something in this call.
    pub(super) fn printed(&mut self, id: u64, stream: Stream, bytes: Vec<u8>) -> Option<Printed> {
        self.calls.iter_mut().find(|call| call.id == id)?.print(stream, bytes)
    }

    /// Something was printed past Python.
    pub(super) fn printed_raw(&mut self, stream: Stream, bytes: &[u8]) -> Vec<Printed> {
        if self.connection.is_none() || self.calls.is_empty() {
            self.last_words.extend_from_slice(bytes);
            let over = self.last_words.len().saturating_sub(LAST_WORDS_BYTES);
            self.last_words.drain(..over);
        }
        let at = stream as usize;
        let mut printed = Vec::new();
        for piece in self.raw[at].cut(bytes, &self.token) {
            match piece {
                Piece::Bytes(bytes) => {
                    let call = self.calls.iter_mut().find(|call| !call.marks[at]);
                    printed.extend(call.and_then(|call| call.print(stream, bytes)));
                }
                Piece::Mark(id) => {
                    let before = self.calls.iter_mut().filter(|call| call.id <= id);
                    before.for_each(|call| call.marks[at] = true);
                }
            }
        }
        printed
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::Answer;
    use super::*;

    fn done(id: u64, is_marked: bool) -> Box<Done> {
        let result = Answer::Outputs(b"{}".to_vec());
        Box::new(Done { id, wall_us: 1, cpu_us: 1, peak_rss_kib: 1, is_marked, result })
    }

    fn process(now: Instant) -> Process {
        let mut process = Process::new(Ticket(1), 0, "tok".to_owned(), now);
        process.connection = Some(1);
        process.phase = Phase::Serving;
        process.calls.extend((1..=3).map(|id| Sent::new(id, 0, Vec::new())));
        process
    }

    #[test]
    fn an_end_waits_for_what_its_call_printed() {
        let now = Instant::now();
        let mut process = process(now);
        assert!(!process.ended(done(2, false), now), "it runs the first");
        assert!(process.ended(done(1, true), now));
        assert!(process.ended(done(2, false), now));
        assert!(process.next_done(Some(now)).is_none());
        process.printed_raw(Stream::Out, b"\x1etok:1\x1e");
        assert!(process.next_done(Some(now)).is_none(), "the other stream may have more");
        process.printed_raw(Stream::Err, b"\x1etok:1\x1e");
        assert_eq!(process.next_done(Some(now)).unwrap().0.id, 1);
        assert_eq!(process.next_done(Some(now)).unwrap().0.id, 2);
        assert_eq!(process.running().unwrap().id, 3);
    }

    #[test]
    fn a_mark_that_got_lost_is_not_waited_for_for_ever() {
        let now = Instant::now();
        let mut process = process(now);
        process.ended(done(1, true), now);
        let late = process.patience_ends().unwrap();
        assert!(process.next_done(Some(late)).is_some());
    }
}
